/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.h: API tokens in the loop's memory. */
#ifndef APPROVALD_SERVICE_TOKENS_H
#define APPROVALD_SERVICE_TOKENS_H

#include "approvald/service/internal.h"

enum err_code tokens_new(struct tokens **ret_tokens, struct err *err) WARN_UNUSED;
void tokens_free(struct tokens *tokens);
/* A strong read of all tokens into memory. done may be NULL. */
enum err_code
tokens_load(struct service *service, service_done_fn *done, void *arg, struct err *err) WARN_UNUSED;
/* A stored token is new or has changed. */
enum err_code tokens_adopt(struct tokens *tokens,
                           struct span stored,
                           uint64_t boot_ms,
                           struct err *err) WARN_UNUSED;

#endif
