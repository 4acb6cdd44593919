/* SPDX-License-Identifier: Apache-2.0 */
/* api.h: the /v1 API over the service (docs/api.md), health and metrics.
 * Loop thread only, never blocks. Every answer is spoken after the commit that it tells of. */
#ifndef APPROVALD_HTTP_API_H
#define APPROVALD_HTTP_API_H

#include "approvald/core/types.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct api;
struct clock;
struct http_server;
struct json;
struct metrics;
struct service;

struct api_options {
    struct service *service;   /* borrowed, as all pointers here; NULL: see api_set_service */
    struct metrics *metrics;   /* shown at /metrics */
    const struct clock *clock; /* NULL: this host's */
    uint32_t wait_count_max;   /* long polls at once; 0: the limit */
    /* What the directory knows of a Slack user; spans are valid until the next call. Unknown facts
     * send a decision to the inbox. */
    void (*facts)(void *arg, struct span user, struct facts *ret_facts);
    /* Lets the directory fetch what Slack says of a user (may be empty), and of names: of groups,
     * of e-mail addresses and of more users, as many of them as it takes at once. done is called
     * once, not from inside, when all of it is there or cannot be had; not after an error. NULL:
     * there is nobody to ask. */
    enum err_code (*learn)(void *arg,
                           struct span user,
                           const struct span *names,
                           uint32_t count,
                           void (*done)(void *done_arg),
                           void *done_arg,
                           struct err *err);
    /* How many members a group has; false: not known. NULL: never. */
    bool (*group_size)(void *arg, struct span group, uint32_t *ret_count);
    /* Slack's word for why that is not known, or empty. NULL: never. */
    struct span (*group_error)(void *arg, struct span group);
    /* Whose an e-mail address is: false: not known; an empty user: nobody's. *ret_error: why, or
     * empty. NULL: never. */
    bool (*email)(void *arg, struct span email, struct span *ret_user, struct span *ret_error);
    /* Adds the members of /v1/status to an object. */
    void (*status)(void *arg, struct json *object);
    /* True when this process may write; else *ret_why is a fixed text. */
    bool (*ready)(void *arg, const char **ret_why);
    /* Sets gauges that nobody sets as things happen, before /metrics is shown. */
    void (*collect)(void *arg);
    /* Begins a backup; ERR_CONFLICT: one is being written. NULL: there are none. */
    enum err_code (*backup_start)(void *arg, uint64_t *ret_number, struct err *err);
    /* Adds what is known of the last one to an object. */
    void (*backup_status)(void *arg, struct json *object);
    void *arg; /* of all of them */
};

/* Registers with the service's changes. */
enum err_code
api_new(const struct api_options *options, struct api **ret_api, struct err *err) WARN_UNUSED;
/* A host that may not write has no service (NULL): calls are told 503, health and metrics go on.
 * Before it is taken away all calls must have been answered (api_drain helps). Either ends a
 * drain. */
void api_set_service(struct api *api, struct service *service);
/* All requests must have been answered. NULL is allowed. */
void api_free(struct api *api);
/* Adds the routes; server must not serve longer than api lives. */
enum err_code api_attach(struct api *api, struct http_server *server, struct err *err) WARN_UNUSED;
/* Ends long polls whose time is over; call a few times a second. */
void api_tick(struct api *api);
/* Ends all long polls with the state as it is, and every later one at once. */
void api_drain(struct api *api);
/* The drain is called off. */
void api_go_on(struct api *api);
uint32_t api_wait_count(const struct api *api);

#endif
