/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.h: the supervisor's unix socket on this host, and what its answers mean to a person.
 * One line is asked, one line of JSON is answered. Blocks up to the time limit. */
#ifndef APPROVALD_CTL_SUPERVISOR_H
#define APPROVALD_CTL_SUPERVISOR_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl;
struct json;

#define SUPERVISOR_SOCKET "/run/approvald/supervisor.sock"

/* The socket that is asked: --supervisor, else the usual one. */
const char *supervisor_socket(const struct ctl *ctl);
/* True when --supervisor is given or the usual socket is there. */
bool supervisor_is_used(const struct ctl *ctl);
/* ERR_UNAVAILABLE (nobody answers there), ERR_DENIED (not root), ERR_TIMEOUT, ERR_PROTOCOL. The
 * tree is the caller's. */
enum err_code supervisor_ask(const struct ctl *ctl,
                             const char *line,
                             struct json **ret_json,
                             struct err *err) WARN_UNUSED;

/* How far the standby is behind, as approvald says. */
struct show_lag {
    bool known;
    uint64_t records;
    uint64_t ms; /* age of the oldest */
};

/* show_pair.c. One line: what this host is to its users. ready: approvald may write. */
void show_pair_headline(const struct json *status, bool ready);
/* What of the pair a person wants to see, from the answer to "status". */
void show_pair(const struct json *status, const struct show_lag *lag);
/* False: something of the pair needs a person. */
bool show_pair_is_well(const struct json *status);
/* The register, as the supervisor read it last, has the host in its ISR. */
bool show_pair_in_isr(const struct json *status, uint64_t host);
/* The ISR has both hosts, and the other one's store, as the link tells it, is the one that the ISR
 * names and is in sync: it acknowledges. */
bool show_pair_in_sync(const struct json *status);
/* This host is a standby that does what a standby should. */
bool show_pair_is_standby(const struct json *status);

/* Secrets that both hosts should have, by what approvald says of its own and the other's: a line
 * for each difference, and whether there is none. */
void show_secrets(const struct json *own);
bool show_secrets_agree(const struct json *own);
bool show_secrets_known(const struct json *own); /* the other host has said of each */
/* What is wrong with one of "pair.secrets"; NULL: nothing. */
const char *show_secret_problem(const struct json *secret);

#endif
