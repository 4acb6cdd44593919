/* SPDX-License-Identifier: Apache-2.0 */
/* body.h: JSON bodies of the API as structures. Pure: the bounds are checked here, the rules of
 * approval are the service's. Unknown members are ignored; a member of a wrong type is
 * ERR_INVALID with its name and what it should be. */
#ifndef APPROVALD_HTTP_BODY_H
#define APPROVALD_HTTP_BODY_H

#include "approvald/service/service.h"
#include "base/err.h"
#include "base/span.h"

struct json;

/* Spans borrow from *ret_json, which the caller frees with json_free. Fills what a body may say of
 * a request; actor, token_id, idempotency_key and body_hash are the caller's. */
enum err_code body_parse_create(struct span body,
                                struct json **ret_json,
                                struct service_create *ret_create,
                                struct err *err) WARN_UNUSED;

struct body_decision {
    enum verdict verdict;
    struct span reason; /* may be empty */
    struct span code;   /* one-time code, likewise */
};
enum err_code body_parse_decision(struct span body,
                                  struct json **ret_json,
                                  struct body_decision *ret_decision,
                                  struct err *err) WARN_UNUSED;

/* An empty body is an empty object in these three. */
enum err_code body_parse_cancel(struct span body,
                                struct json **ret_json,
                                struct span *ret_reason,
                                struct err *err) WARN_UNUSED;

struct body_claim {
    bool bound;
    uint8_t bind_hash[32];
    struct span claim_key; /* may be empty */
};
enum err_code body_parse_claim(struct span body,
                               struct json **ret_json,
                               struct body_claim *ret_claim,
                               struct err *err) WARN_UNUSED;
enum err_code body_parse_consume(struct span body,
                                 struct json **ret_json,
                                 int32_t *ret_result,
                                 struct err *err) WARN_UNUSED;

/* Fills all that a caller chooses; expires_ms is relative to now_ms. */
enum err_code body_parse_token(struct span body,
                               uint64_t now_ms,
                               struct json **ret_json,
                               struct service_token *ret_token,
                               struct err *err) WARN_UNUSED;

/* from may be absent; a time that is absent is 0. */
enum err_code body_parse_delegation(struct span body,
                                    struct json **ret_json,
                                    struct service_delegation *ret_delegation,
                                    struct err *err) WARN_UNUSED;

enum err_code body_parse_row(struct span body,
                             struct json **ret_json,
                             struct service_row_key *ret_key,
                             struct err *err) WARN_UNUSED;
/* "req_…:card:C0123", as listed; false when it is none. */
bool body_parse_row_key(struct span text, struct service_row_key *ret_key);
/* "card" and its like; never NULL. */
const char *body_surface_word(enum surface surface);

#endif
