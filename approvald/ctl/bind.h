/* SPDX-License-Identifier: Apache-2.0 */
/* bind.h: what an approval is bound to: the hash of what will run, and how people see it. Pure.
 *
 * The hash is SHA-256 over these texts, each written as a netstring (decimal length, ':', bytes,
 * ','), one after another (docs/api.md):
 *   "approvald-bind-v1", directory, argc, argv[0] … argv[argc - 1], envc, env[0] … env[envc - 1]
 * argc and envc in decimal; each env is NAME=value, in ascending order of bytes, no name twice.
 * Lengths before the bytes make it impossible to read two commands out of one hash. */
#ifndef APPROVALD_CTL_BIND_H
#define APPROVALD_CTL_BIND_H

#include "base/crypto.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct buf;

#define BIND_ENV_COUNT_MAX 32                /* variables that an approver can be asked to read */
#define BIND_SIZE_MAX      ((size_t)1 << 21) /* bytes: what Linux lets an argv hold by default */
#define BIND_CODE_SIZE     9                 /* the first 8 hex digits, with a NUL */

/* Borrowed texts. */
struct bind {
    const char *directory;   /* absolute */
    char *const *argv;       /* NULL-ended, not empty */
    const char *const *envs; /* NAME=value, any order */
    size_t env_count;        /* ≤ BIND_ENV_COUNT_MAX */
};

/* ERR_INVALID (a name twice, a variable without '='), ERR_TOO_LARGE, ERR_NOMEM. */
enum err_code bind_hash(const struct bind *bind,
                        uint8_t ret_hash[CRYPTO_SHA256_SIZE],
                        struct err *err) WARN_UNUSED;

/* The short code that the asker and the approver compare. */
void bind_code(const uint8_t hash[CRYPTO_SHA256_SIZE], char ret_code[BIND_CODE_SIZE]);

/* Appends one word as a shell would read it back: as it is, in '…', or in $'…' with \xNN for every
 * byte that a screen could hide. */
enum err_code bind_quote(struct buf *buf, const char *word, struct err *err) WARN_UNUSED;

/* Appends what the approver reads: command line, directory, variables, code. */
enum err_code bind_describe(const struct bind *bind, struct buf *buf, struct err *err) WARN_UNUSED;

#endif
