/* SPDX-License-Identifier: Apache-2.0 */
/* arbiter.h: the arbiter's side of a pair: its certificate and etcd's configuration, in
 * /etc/approvald-arbiter: ca.crt (whom it trusts), server.crt, server.key, etcd.yml. Blocks. */
#ifndef APPROVALD_ENROL_ARBITER_H
#define APPROVALD_ENROL_ARBITER_H

#include "approvald/enrol/limits.h"
#include "approvald/enrol/message.h"
#include "base/err.h"

struct x509_key;

struct arbiter_home {
    char root[ENROL_PATH_SIZE];
    char folder[ENROL_PATH_SIZE];
    char data[ENROL_PATH_SIZE];
    uint32_t group; /* approvald-arbiter's, or FILES_ANY_GROUP below another root */
};

/* As home_init. */
enum err_code
arbiter_home_init(struct arbiter_home *home, const char *root, struct err *err) WARN_UNUSED;
/* The key of a join: the one of a join that was cut off, else a new one. */
enum err_code arbiter_join_key(const struct arbiter_home *home,
                               const struct token *token,
                               struct x509_key **ret_key,
                               struct err *err) WARN_UNUSED;
/* Puts what was granted in place; etcd.yml comes last. ERR_INVALID: it does not fit together. The
 * key of the join stays until arbiter_join_ended. */
enum err_code arbiter_install(const struct arbiter_home *home,
                              const struct reply *reply,
                              struct err *err) WARN_UNUSED;
/* What was granted to the key of the join under way is in place. */
bool arbiter_is_installed(const struct arbiter_home *home);
/* The host was told that it is: what is left of the join is to start. */
enum err_code arbiter_join_told(const struct arbiter_home *home, struct err *err) WARN_UNUSED;
bool arbiter_join_is_told(const struct arbiter_home *home, const struct token *token);
/* The join is over: its key goes. */
enum err_code arbiter_join_ended(const struct arbiter_home *home, struct err *err) WARN_UNUSED;
/* Enables and restarts the unit. Does nothing below another root, or without systemd. */
enum err_code arbiter_start(const struct arbiter_home *home, struct err *err) WARN_UNUSED;
/* Stops the unit and removes what was installed; etcd's data stay. */
enum err_code arbiter_leave(const struct arbiter_home *home, struct err *err) WARN_UNUSED;

#endif
