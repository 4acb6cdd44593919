/* SPDX-License-Identifier: Apache-2.0 */
/* client.h: calls to approvald's HTTP API that outlast a restart or a failover. Blocks.
 *
 * A call that did not arrive, or was answered "not now", is repeated with growing pauses until its
 * deadline. One whose fate is unknown is repeated too, unless it is marked once: every call of the
 * API gives the same answer to the same intent. */
#ifndef APPROVALD_CTL_CLIENT_H
#define APPROVALD_CTL_CLIENT_H

#include "approvald/ctl/exit.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct client;
struct json;

struct client_options {
    const char *url;             /* "https://host[:port]"; NULL: the socket */
    const char *socket;          /* path; borrowed, as all texts here */
    const char *token;           /* NULL: none */
    const char *ca_file;         /* NULL: the system's */
    uint32_t deadline_ms;        /* of calls that name none */
    const volatile int *stopped; /* non-zero ends a repetition; NULL: none */
};

enum err_code client_new(const struct client_options *options,
                         struct client **ret_client,
                         struct err *err) WARN_UNUSED;
void client_free(struct client *client); /* NULL is allowed */

struct client_call {
    const char *method;
    const char *path; /* "/v1/…", with the query */
    struct span body;
    const char *content_type; /* NULL: application/json when there is a body */
    const char *key;          /* Idempotency-Key; NULL: none */
    uint32_t attempt_ms;      /* limit of one attempt; 0: CLIENT_ATTEMPT_MS */
    uint32_t deadline_ms;     /* limit of all attempts; 0: the client's */
    bool once;                /* not repeated when its fate is unknown */
    bool local;               /* served on the local socket only; for the hint */
};

#define CLIENT_DATE_SIZE    40
#define CLIENT_REFUSAL_SIZE 40

/* What was answered; valid until the next call. */
struct client_reply {
    uint32_t status; /* 0: nothing was answered */
    bool repeated;   /* an earlier attempt may have had its effect */
    struct span body;
    const struct json *json; /* NULL: the body is none */
    char date[CLIENT_DATE_SIZE];
    char refusal[CLIENT_REFUSAL_SIZE]; /* the problem's word, or "" */
};

/* ERR_OK: a 2xx. Else the problem's detail is the message; ERR_UNAVAILABLE: nothing was answered or
 * not now; ERR_TIMEOUT is never used (it is the commands'); ERR_INVALID, ERR_UNAUTHENTICATED,
 * ERR_DENIED, ERR_NOT_FOUND, ERR_CONFLICT, ERR_EXPIRED as approvald said. */
enum err_code client_call(struct client *client,
                          const struct client_call *call,
                          const struct client_reply **ret_reply,
                          struct err *err) WARN_UNUSED;

/* The exit code that tells a script what a failed call means. */
int client_exit(enum err_code rc, const struct client_reply *reply);

#endif
