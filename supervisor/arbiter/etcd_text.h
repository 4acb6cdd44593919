/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_text.h: requests to and answers of etcd's v3 JSON gateway as text. No I/O.
 *
 * Source: etcd 3.4 and 3.5 documentation, "gRPC gateway" and "etcd API": keys and values are
 * base64; 64-bit numbers are decimal strings; fields that are zero or false are left out. A
 * transaction compares the key's mod_revision (or, to create it, that its version is 0) and either
 * puts the new value or reads the current one. It compares the value too: an etcd that was restored
 * from a backup counts the same revisions again, with other values. */
#ifndef SUPERVISOR_ARBITER_ETCD_TEXT_H
#define SUPERVISOR_ARBITER_ETCD_TEXT_H

#include "base/err.h"
#include "base/span.h"
#include "supervisor/failover/failover.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETCD_KEY_SIZE      192U  /* base64 of prefix and cluster id, with its NUL */
#define ETCD_BODY_SIZE     3072U /* the largest request: four keys and two registers */
#define ETCD_USER_SIZE_MAX 256U  /* user or password */

/* The key in base64. ERR_INVALID: the prefix is too long. */
enum err_code etcd_key(const char *prefix,
                       const uint8_t *cluster_id,
                       char ret_key[ETCD_KEY_SIZE],
                       struct err *err) WARN_UNUSED;
/* User and password as they can be sent: printable, without quotes and backslashes, bounded. */
enum err_code etcd_check_user(const char *user, const char *password, struct err *err) WARN_UNUSED;

/* Bodies of requests, with their NUL. */
void etcd_range_body(const char *key, char ret_body[ETCD_BODY_SIZE]);
void etcd_txn_body(const char *key, const struct failover_cas *swap, char ret_body[ETCD_BODY_SIZE]);
void etcd_login_body(const char *user, const char *password, char ret_body[ETCD_BODY_SIZE]);

/* Answers. ERR_PROTOCOL: not to be understood; ERR_CORRUPT: the key holds no register. */
/* DONE or ABSENT. */
enum err_code
etcd_parse_range(struct span body, struct failover_answer *ret_answer, struct err *err) WARN_UNUSED;
/* DONE (with the value put) or CONFLICT with the current value; ABSENT: there is none. */
enum err_code etcd_parse_txn(struct span body,
                             const struct register_value *put,
                             struct failover_answer *ret_answer,
                             struct err *err) WARN_UNUSED;
/* The header "Authorization: <token>" of later calls. */
enum err_code
etcd_parse_token(struct span body, char *ret_header, size_t size, struct err *err) WARN_UNUSED;
/* The reason in an error's body, printable; empty when there is none. */
void etcd_error_text(struct span body, char *text, size_t size);
/* The error says that the token is not valid (any more). */
bool etcd_is_token_error(struct span body);

#endif
