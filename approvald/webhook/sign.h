/* SPDX-License-Identifier: Apache-2.0 */
/* sign.h: the identity, the body and the signature of a delivery. Pure. */
#ifndef APPROVALD_WEBHOOK_SIGN_H
#define APPROVALD_WEBHOOK_SIGN_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;

/* "req_…/NAME/ITEM", with a NUL. */
#define SIGN_DELIVERY_SIZE (REQUEST_ID_TEXT_SIZE + CORE_NAME_SIZE_MAX + 16)
/* "t=…,v1=" and 64 hex digits, with a NUL. */
#define SIGN_HEADER_SIZE 128

/* The same for every attempt of an item, on every host. */
void sign_delivery_id(const struct outbox_row *row, char ret_text[SIGN_DELIVERY_SIZE]);
/* Appends the JSON about the oldest item of the row. */
enum err_code sign_body(const struct outbox_row *row,
                        const struct request *request,
                        uint64_t epoch,
                        struct buf *body,
                        struct err *err) WARN_UNUSED;
/* The value of Approvald-Signature. */
void sign_header(struct span secret,
                 uint64_t now_s,
                 const char *delivery_id,
                 struct span body,
                 char ret_text[SIGN_HEADER_SIZE]);

#endif
