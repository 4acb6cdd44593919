/* SPDX-License-Identifier: Apache-2.0 */
/* home.h: what a host of a pair keeps for it, in /etc/approvald/pair:
 *
 *   plan.conf                        what the two hosts agree on; without it nothing else counts
 *   self                             this host's number and interface
 *   link-ca.crt, link-ca.key         the authority of the link between the hosts and of the
 * service's certificate; the first certificate issues, the others are trusted too (a rotation is
 * under way). The key is root's arbiter-ca.crt, arbiter-ca.key   the same of the arbiter's door:
 * another authority, because the link's key is in the hands of approvald, which parses foreign
 *                                    bytes and has no business with the register
 *   link, service .crt, .key         of approvald (its group reads the keys)
 *   arbiter, enrol .crt, .key        of root: towards etcd; for who joins
 *   offer-host, offer-arbiter        the tokens that were given out
 *   join.key                         of a join under way
 *   joined                           the same, when it is only to come into force here
 *   join.token                       of which token these two are: join.h
 *   restart                          configurations were written, and are not in force: apply.h
 *   fence-own                        with fence devices: this host's own (device_home.h)
 *   leaving                          a leave under way: leave.h
 *
 * Both hosts have the authorities' keys: either may be lost, and the other one renews by itself and
 * takes a replacement in. Root on one host gains nothing by it that it has not (architecture.md).
 *
 * All calls block (disk) and may be repeated: each completes what a crash has left half done. */
#ifndef APPROVALD_ENROL_HOME_H
#define APPROVALD_ENROL_HOME_H

#include "approvald/enrol/limits.h"
#include "approvald/enrol/message.h"
#include "approvald/enrol/offer.h"
#include "approvald/enrol/plan.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct x509_authority;
struct x509_key;

struct home {
    char root[ENROL_PATH_SIZE];   /* "" or what stands before every path */
    char folder[ENROL_PATH_SIZE]; /* ROOT/etc/approvald/pair */
    uint32_t group;               /* approvald's, or FILES_ANY_GROUP below another root */
    uint32_t supervisor;          /* the supervisor's group, likewise */
};

/* root: "" or an absolute path, a host's own file tree for tests and images. ERR_INVALID,
 * ERR_NOT_FOUND: there is no group approvald, or none of the supervisor's (and root is ""). Touches
 * nothing. */
enum err_code home_init(struct home *home, const char *root, struct err *err) WARN_UNUSED;
/* A path below root: home_path(home, "/etc/x", path). */
enum err_code home_path(const struct home *home,
                        const char *path,
                        char ret_path[ENROL_PATH_SIZE],
                        struct err *err) WARN_UNUSED;
/* A file of the folder. */
void home_file(const struct home *home, const char *name, char ret_path[ENROL_PATH_SIZE]);

/* ERR_NOT_FOUND: this host is of no pair. */
enum err_code home_load_plan(const struct home *home,
                             struct plan *ret_plan,
                             unsigned int *ret_host,
                             char ret_interface[PLAN_WORD_SIZE],
                             struct err *err) WARN_UNUSED;
/* Makes the folder, too. */
enum err_code home_save_plan(const struct home *home,
                             const struct plan *plan,
                             unsigned int host,
                             const char *interface,
                             struct err *err) WARN_UNUSED;
bool home_has_plan(const struct home *home);

enum home_authority { HOME_LINK, HOME_ARBITER };

/* Makes those that are not there. */
enum err_code
home_make_authorities(const struct home *home, uint64_t now_s, struct err *err) WARN_UNUSED;
enum err_code home_load_authority(const struct home *home,
                                  enum home_authority which,
                                  struct x509_authority **ret_authority,
                                  struct err *err) WARN_UNUSED;
/* Appends the whole file: the issuer and who else is trusted. */
enum err_code home_trusted(const struct home *home,
                           enum home_authority which,
                           struct buf *buf,
                           struct err *err) WARN_UNUSED;
enum err_code home_authority_key(const struct home *home,
                                 enum home_authority which,
                                 struct buf *buf,
                                 struct err *err) WARN_UNUSED;
/* Begins a rotation: new authorities issue, those before are trusted as well. With one under way
 * already nothing is done. */
enum err_code home_rotate(const struct home *home, uint64_t now_s, struct err *err) WARN_UNUSED;
bool home_is_rotating(const struct home *home);
/* Ends it: the former authorities are forgotten. */
enum err_code home_end_rotation(const struct home *home, struct err *err) WARN_UNUSED;

/* This host, as its certificates name it. */
struct home_self {
    const struct plan *plan;
    unsigned int host;
    uint64_t now_s;
};

struct home_leaf {
    const char *name; /* of its files, without their ends */
    uint64_t not_after_s;
    bool fits;  /* it is there, of our key, of an authority that is trusted */
    bool young; /* more than a third of its life is left */
};

#define HOME_LEAF_COUNT 4 /* link, arbiter, service, enrol */

/* The leaf of that number; false: this host has no use for it. */
bool home_look(const struct home *home,
               const struct home_self *self,
               size_t leaf,
               struct home_leaf *ret_leaf);
enum home_renewal {
    HOME_RENEW_DUE, /* what does not fit or is not young, with the key that is there */
    HOME_RENEW_ALL, /* everything, with new keys */
};
/* Issues certificates; *ret_count: how many. */
enum err_code home_renew(const struct home *home,
                         const struct home_self *self,
                         enum home_renewal which,
                         size_t *ret_count,
                         struct err *err) WARN_UNUSED;
enum err_code home_fingerprint(const struct home *home,
                               uint8_t ret_fingerprint[X509_HASH_SIZE],
                               struct err *err) WARN_UNUSED;

enum err_code
home_save_offer(const struct home *home, const struct offer *offer, struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND: none of this role. */
enum err_code home_load_offer(const struct home *home,
                              enum enrol_role role,
                              struct offer *ret_offer,
                              struct err *err) WARN_UNUSED;

/* The key of a join, kept until it is over so that a repetition is known as one. */
enum err_code home_join_key(const struct home *home,
                            const struct token *token,
                            struct x509_key **ret_key,
                            struct err *err) WARN_UNUSED;
/* Puts what host 1 has granted in place, whole before its plan: without a plan nothing of it
 * counts. ERR_INVALID: it does not fit together. The key of the join stays until home_join_ended.
 */
enum err_code home_install(const struct home *home,
                           const struct reply *reply,
                           const struct plan *plan,
                           const char *interface,
                           uint64_t now_s,
                           struct err *err) WARN_UNUSED;
/* What was granted to the key of the join under way is in place. */
bool home_is_installed(const struct home *home);
/* The other host was told that it is: what is left of the join is to put it in force. */
enum err_code home_join_told(const struct home *home, struct err *err) WARN_UNUSED;
bool home_join_is_told(const struct home *home, const struct token *token);
/* The join is over: its key goes. */
enum err_code home_join_ended(const struct home *home, struct err *err) WARN_UNUSED;
/* Removes everything of the pair. */
enum err_code home_remove(const struct home *home, struct err *err) WARN_UNUSED;

#endif
