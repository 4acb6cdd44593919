/* SPDX-License-Identifier: Apache-2.0 */
/* app_internal.h: what the files of the app share. Nobody else includes it. */
#ifndef APPROVALD_APP_INTERNAL_H
#define APPROVALD_APP_INTERNAL_H

#include "approvald/app.h"
#include "approvald/config.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/notify.h"
#include "supervisor/contract.h"

#include <stdbool.h>
#include <stdint.h>

#define APP_TICK_US         100000 /* the finest time-out of ours is a second */
#define APP_SERVICE_TICK_MS 60000  /* the service is asked at least so often */
/* Jobs that wait this long without one being committed: the disk hangs, and so do we. */
#define APP_STALL_MS 20000
/* Under a supervisor, who comes before the grant waits unaccepted, as long as a quick restart takes
 * and Slack (3 s) bears; after that he is told that there is no service. */
#define APP_EARLY_MS 2000
#define APP_SIGNALS  3

struct api;
struct api_options;
struct app_backup;
struct cardsweep;
struct people;
struct confirm;
struct directory;
struct event;
struct event_base;
struct facts;
struct fetch;
struct http_server;
struct http_request;
struct json;
struct metric;
struct metrics;
struct pair;
struct relay;
struct sender;
struct service;
struct slack_inbound;
struct socketmode;
struct span;
struct storage;
struct tls_server;
struct webapi;
struct webhook;

/* What this process serves. */
enum app_serving {
    APP_RESTING,  /* nothing: it may not write (yet) */
    APP_SERVING,  /* it is the one that may */
    APP_QUIETING, /* begins nothing more; what it has begun is answered */
};

/* Certificates whose end is told: the supervisor's, and the service's own behind them. */
#define APP_END_SERVICE CONTRACT_END_COUNT
#define APP_END_COUNT   (CONTRACT_END_COUNT + 1)

struct app_gauges {
    struct metric *lsn_last;
    struct metric *lsn_commit;
    struct metric *lsn_applied;
    struct metric *epoch;
    struct metric *queue;
    struct metric *wal_size;
    struct metric *map_used;
    struct metric *map_size;
    struct metric *disk_free;
    struct metric *commits;
    struct metric *syncs;
    struct metric *sync_us_total;
    struct metric *sync_us_max;
    struct metric *rss;
    struct metric *descriptors;
    struct metric *tls_not_after;
    struct metric *slack_state;
    struct metric *socket_state;
    struct metric *ready;
    struct metric *role;
    struct metric *paired;
    struct metric *link;
    struct metric *lag;
    struct metric *lag_ms;
    struct metric *unprotected;
    struct metric *arbiter_down;
    struct metric *arbiter_wrong;
    struct metric *needs_operator;
    struct metric *safe_mode;
    struct metric *vip_here;
    struct metric *secrets_differ;
    struct metric *starts;
    struct metric *snapshot_refused;
    struct metric *vip_wrong;
    struct metric *disk_hangs;
    struct metric *last_good;
    struct metric *ends[APP_END_COUNT];
};

/* Everything is owned, in the order in which it is made. */
struct app {
    struct config *config;
    struct event_base *base;
    struct notify notify; /* what systemd has not been told yet */
    struct metrics *metrics;
    struct http_server *server;
    struct tls_server *tls; /* NULL: no TLS listener */
    struct pair *pair;      /* NULL: no supervisor; this process grants itself */
    struct storage *storage;
    struct app_backup *backup; /* NULL before the first one */
    struct relay *relay;       /* NULL without a peer */
    enum app_serving serving;
    struct service *service;   /* NULL while resting, as all that follows but the api */
    struct fetch *slack_fetch; /* NULL without Slack too, as the next four */
    struct webapi *webapi;
    struct directory *directory;
    struct confirm *confirm;
    struct home *home;
    struct slack_inbound *inbound;
    struct socketmode *socketmode; /* NULL: deliveries come over HTTP alone */
    struct fetch *webhook_fetch;
    struct webhook *webhook;
    struct sender *sender;
    struct cardsweep *cardsweep; /* owned, or NULL without Slack */
    struct people *people;       /* owned, or NULL without Slack */
    struct api *api;
    struct event *signals[APP_SIGNALS];
    struct event *tick;
    struct event *answers; /* of the storage */
    struct event *uncork;  /* at the end of a turn that brought the storage jobs */
    struct app_gauges gauges;
    uint64_t started_ms;
    uint64_t turns;           /* of the loop's tick */
    uint64_t service_tick_ms; /* when the service was asked last */
    uint64_t watchdog_ms;     /* between two pets; 0: nobody watches */
    uint64_t watchdog_next_ms;
    uint64_t progress_ms; /* when the storage last committed, or had nothing to do */
    uint64_t progress_commits;
    uint64_t drain_until_ms;  /* 0: not draining */
    int pair_listener;        /* inherited for the pair's link; -1: none, or handed on */
    bool bound_local;         /* the unix socket's path is ours to remove */
    struct crash_found crash; /* what earlier processes left */
    struct err adopt_err;
    struct err failure; /* why the loop ended, unless a signal ended it */
};

/* app_listen.c: TLS, inherited and own sockets. */
enum err_code app_listen(struct app *app, struct err *err) WARN_UNUSED;
/* Which certificate is in use; with TLS only. */
void app_listen_status(const struct app *app, struct json *object);

/* app.c: the process ends with this error: whoever waits is told first. */
void app_fail(struct app *app, const struct err *err);
void app_drain(struct app *app, uint64_t limit_ms);

/* app_serve.c: from the moment in which this host may write to the one in which it may not. */
enum err_code app_serve_start(struct app *app, struct err *err) WARN_UNUSED;
/* Begins nothing more: long polls end, the outbox rests. New requests have to be held before. */
void app_serve_quiet(struct app *app);
/* It is called off: begins again where it was, without waiting for what is still under way. Also
 * under a new epoch. */
void app_serve_go_on(struct app *app);
/* True: nothing that was begun is under way. What has not come whole is none of it: it is held when
 * it has. */
bool app_serve_is_quiet(struct app *app);
/* Takes all of it down. Quiet, or (at the process's end) the storage is closed. */
void app_serve_stop(struct app *app);
void app_serve_tick(struct app *app, uint64_t now_ms);

/* app_pair.c: under a supervisor; without one these do nothing. */
struct storage_options;
struct contract_summary;
enum err_code app_pair_open(struct app *app, struct err *err) WARN_UNUSED;
enum err_code app_pair_open_store(struct app *app,
                                  const struct storage_options *options,
                                  struct err *err) WARN_UNUSED;
/* Tells what this process holds; then the supervisor's word is awaited. */
enum err_code app_pair_begin(struct app *app, struct err *err) WARN_UNUSED;
/* After the storage has dispatched. */
void app_pair_work(struct app *app);
void app_pair_tick(struct app *app, uint64_t now_ms);
void app_pair_failed(struct app *app, const struct err *err);
bool app_pair_is_paired(const struct app *app);
/* protection = strict: this host leads alone, and serves only when the other one is in the ISR. */
bool app_pair_is_held(const struct app *app);
/* T_evict of a paired host. */
uint32_t app_pair_evict_ms(const struct app *app);
/* What the supervisor says of the pair; NULL: nothing yet, or there is none. */
const struct contract_summary *app_pair_summary(const struct app *app);
/* The configuration was read anew. */
void app_pair_reloaded(struct app *app);
/* app_pair_secrets.c: secrets that the two hosts do not have in common; 0 without a pair. */
uint32_t app_pair_secrets_differ(const struct app *app);
/* Adds "secrets" of a pair's host: each option and how it compares. */
void app_pair_secrets(const struct app *app, struct json *pair);
void app_pair_drain(struct app *app);
void app_pair_free(struct app *app);

/* app_slack.c: Slack's rooms, webhooks and the sender; nothing is sent before app_slack_start. */
enum err_code app_slack_new(struct app *app, struct err *err) WARN_UNUSED;
/* Makes and drops what the configuration says: a standby must not learn that it is wrong in the
 * moment in which it takes over. */
enum err_code
app_slack_trial(const struct app *app, struct config *config, struct err *err) WARN_UNUSED;
/* Its resources, which answer 503 while nothing is served. */
enum err_code app_slack_attach(struct app *app, struct err *err) WARN_UNUSED;
void app_slack_start(struct app *app);
/* Nor waits for what is under way: the other host finds out what became of it. */
void app_slack_hand_over(struct app *app);
/* After all that this host goes on. */
void app_slack_go_on(struct app *app);
bool app_slack_is_idle(const struct app *app);
/* Grows while the outbox lives: of a host that serves nothing as the loop turns. */
uint64_t app_slack_turns(const struct app *app);
void app_slack_drop(struct app *app); /* before the storage is closed: calls under way end */
void app_slack_free(struct app *app); /* after it */
/* Checks and applies a new configuration; the first does not change anything. */
enum err_code app_slack_check(struct app *app, struct config *config, struct err *err) WARN_UNUSED;
enum err_code
app_slack_apply(struct app *app, const struct config *config, struct err *err) WARN_UNUSED;
void app_facts(void *arg, struct span user, struct facts *ret_facts);
/* What Slack has said since then, asked for a claim; what service_set_confirm wants. */
void app_certain(void *arg, struct span user, uint64_t since_ms, struct facts *ret_facts);
struct service_question;
enum err_code app_confirm(void *arg,
                          const struct service_question *question,
                          void (*done)(void *done_arg),
                          void *done_arg,
                          struct err *err) WARN_UNUSED;
enum err_code app_learn(void *arg,
                        struct span user,
                        const struct span *names,
                        uint32_t count,
                        void (*done)(void *done_arg),
                        void *done_arg,
                        struct err *err) WARN_UNUSED;
bool app_group_size(void *arg, struct span group, uint32_t *ret_count);
struct span app_group_error(void *arg, struct span group);
bool app_email(void *arg, struct span email, struct span *ret_user, struct span *ret_error);

/* app_status.c */
void app_metrics(struct app *app);                   /* registers */
const char *app_serving_word(const struct app *app); /* a literal */
void app_collect(void *arg);
/* app_gauges_pair.c: the same of the pair and the supervisor. */
void app_metrics_pair(struct app *app);
void app_collect_pair(struct app *app);
void app_status(void *arg, struct json *object);
bool app_ready(void *arg, const char **ret_why);

/* app_backup.c */
enum err_code app_backup_start(void *arg, uint64_t *ret_number, struct err *err) WARN_UNUSED;
void app_backup_status(void *arg, struct json *object);
void app_backup_free(struct app *app); /* after the storage is closed */

/* app_reload.c */
void app_reload(struct app *app);

#endif
