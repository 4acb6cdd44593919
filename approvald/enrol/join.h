/* SPDX-License-Identifier: Apache-2.0 */
/* join.h: the joining side of the enrolment. Blocks, each call for a bounded time. */
#ifndef APPROVALD_ENROL_JOIN_H
#define APPROVALD_ENROL_JOIN_H

#include "approvald/enrol/message.h"
#include "approvald/enrol/token.h"
#include "base/err.h"

#include <stdbool.h>

struct join;
struct x509_key;

/* Shows the token and the key's public half to the host that the token names, whose certificate has
 * to be the one that the token names. ERR_DENIED: refused, with the reason; ERR_UNAVAILABLE: nobody
 * answers there; ERR_TIMEOUT, ERR_PROTOCOL, ERR_IO. Whatever went wrong, it may be repeated with
 * the same key. */
enum err_code join_ask(const struct token *token,
                       struct x509_key *key,
                       struct join **ret_join,
                       struct err *err) WARN_UNUSED;
/* What was granted; lives as long as the join. */
const struct reply *join_grant(const struct join *join);
/* Says that all is durable here: the token ends. That it could not be said is no harm. */
enum err_code join_done(struct join *join, struct err *err) WARN_UNUSED;
/* Wipes what it was granted. NULL is allowed. */
void join_free(struct join *join);

/* Which token the join under way is of, in the file at path, which does not show it: what another
 * token has left here is nothing to go on with. */
bool join_is_of(const char *path, const struct token *token);
enum err_code join_begin(const char *path, const struct token *token, struct err *err) WARN_UNUSED;

/* A token from standard input: what a person pastes at a terminal, with its echo off, or a line of
 * a pipe. ERR_INVALID. */
enum err_code join_read_token(struct token *ret_token, struct err *err) WARN_UNUSED;

#endif
