/* SPDX-License-Identifier: Apache-2.0 */
/* link_life.c: making and ending the link, and the caller's side of it.
 * Owns nothing of a running link but what the caller's thread takes out of the mail.
 * Never touches what is the replication thread's while that runs. */
#include "storage/link_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/tls_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void wake(void *arg)
{
    const struct link *link = arg;

    (void)eventfd_write(link->wake, 1); /* fails only when it is set 2^64 times */
}

/* Copies the texts of the options; on failure those that were copied are freed by link_free. */
static enum err_code
copy_options(struct link *link, const struct storage_pair_options *pair, struct err *err)
{
    const char **texts[] = {&link->options.certificate, &link->options.key, &link->options.ca,
                            &link->options.peer_name, &link->options.peer};
    const char *given[] = {pair->certificate, pair->key, pair->ca, pair->peer_name, pair->peer};
    enum err_code rc = ERR_OK;

    link->options = *pair;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = given[i] == NULL ? NULL : mem_copy_text(given[i], strlen(given[i]));
        if (given[i] != NULL && *texts[i] == NULL) {
            rc = err_set(err, ERR_NOMEM, "link");
        }
    }
    return rc;
}

static void free_text(const char *text)
{
    union {
        const char *in;
        char *out;
    } owned = {.in = text};

    mem_free(owned.out);
}

static enum err_code open_identity(struct link *link, struct err *err)
{
    const struct storage_pair_options *o = &link->options;
    const struct tls_identity_options options = {.side = o->host == 1 ? TLS_SIDE_SERVER
                                                                      : TLS_SIDE_CLIENT,
                                                 .certificate = o->certificate,
                                                 .key = o->key,
                                                 .ca = o->ca,
                                                 .peer_name = o->peer_name};

    return tls_identity_new(&options, &link->identity, err);
}

static enum err_code open_network(struct link *link, struct err *err)
{
    enum err_code rc = open_identity(link, err);
    int flags;

    if (rc != ERR_OK) {
        return rc;
    }
    if (link->options.host == 2) {
        return sockets_parse(link->options.peer, &link->peer, err);
    }
    flags = fcntl(link->listen_file, F_GETFL);
    if (flags < 0 || fcntl(link->listen_file, F_SETFL, flags | O_NONBLOCK) != 0) {
        return err_set_errno(err, ERR_INVALID, errno, "listening socket");
    }
    return ERR_OK;
}

static enum err_code allocate(struct link *link, struct err *err)
{
    enum err_code rc = link_mail_init(&link->mail, err);

    if (rc == ERR_OK) {
        rc = link_buf_init(&link->in, LINK_IN_SIZE, err);
    }
    if (rc == ERR_OK) {
        rc = link_buf_init(&link->out, LINK_OUT_SIZE, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    link->replica = mem_new(1, replica_size());
    link->scratch = mem_new(1, MESSAGE_BYTES_SIZE_MAX);
    link->data_sent = mem_new(1, MESSAGE_DATA_SIZE_MAX);
    link->data_taken = mem_new(1, MESSAGE_DATA_SIZE_MAX);
    if (link->replica == NULL || link->scratch == NULL || link->data_sent == NULL ||
        link->data_taken == NULL) {
        return err_set(err, ERR_NOMEM, "link");
    }
    link->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return link->wake >= 0 ? ERR_OK : err_set_errno(err, ERR_NOMEM, errno, "eventfd");
}

static void init_replica(struct link *link)
{
    const struct storage_pair_options *o = &link->options;
    struct replica_options options = {.incarnation = o->incarnation,
                                      .host = o->host,
                                      .strict = o->strict,
                                      .ping_ms = o->ping_ms,
                                      .silence_ms = o->silence_ms,
                                      .evict_ms = o->evict_ms,
                                      .hold_down_ms = o->hold_down_ms};

    memcpy(options.cluster_id, o->cluster_id, STORAGE_ID_SIZE);
    engine_recovered(link->storage, &options);
    replica_init(link->replica, &options);
}

static enum err_code check_options(const struct storage_pair_options *pair, struct err *err)
{
    bool listens = pair->host == 1 && pair->listen_file >= 0;
    bool dials = pair->host == 2 && pair->peer != NULL;

    if (!listens && !dials) {
        return err_set(err, ERR_INVALID,
                       "host 1 needs a listening socket, host 2 the address of 1");
    }
    if (pair->peer_name == NULL || pair->peer_name[0] == '\0' || pair->incarnation == 0) {
        return err_set(err, ERR_INVALID, "the peer's name or the incarnation is missing");
    }
    if (pair->ping_ms == 0 || pair->silence_ms <= pair->ping_ms) {
        return err_set(err, ERR_INVALID, "the silence must be longer than the time between pings");
    }
    return ERR_OK;
}

enum err_code link_new(const struct link_options *options, struct link **ret_link, struct err *err)
{
    struct link *link = mem_new(1, sizeof *link);
    enum err_code rc;

    if (link == NULL) {
        mem_close_guard(&(int){options->pair->listen_file});
        return err_set(err, ERR_NOMEM, "link");
    }
    link->storage = options->storage;
    link->clock = options->clock;
    link->rng = options->rng;
    link->listen_file = options->pair->host == 1 ? options->pair->listen_file : -1;
    link->wake = -1;
    link->backoff_ms = LINK_BACKOFF_MS_MIN;
    link->conn.file = -1;
    for (size_t i = 0; i < LINK_CANDIDATE_COUNT_MAX; i++) {
        link->candidates[i].file = -1;
    }
    rc = allocate(link, err);
    rc = rc == ERR_OK ? copy_options(link, options->pair, err) : rc;
    rc = rc == ERR_OK ? check_options(&link->options, err) : rc;
    rc = rc == ERR_OK ? open_network(link, err) : rc;
    if (rc != ERR_OK) {
        link_free(link);
        return err_wrap(err, rc, "link");
    }
    init_replica(link);
    link_publish(link); /* no status is ever empty */
    *ret_link = link;
    return ERR_OK;
}

void link_free(struct link *link)
{
    if (link == NULL) {
        return;
    }
    ASSERT(!link->running);
    link_conn_done(link);
    if (link->wake >= 0) {
        (void)close(link->wake);
    }
    link_mail_done(&link->mail);
    link_buf_done(&link->in);
    link_buf_done(&link->out);
    free_text(link->options.certificate);
    free_text(link->options.key);
    free_text(link->options.ca);
    free_text(link->options.peer_name);
    free_text(link->options.peer);
    mem_free(link->replica);
    mem_free(link->scratch);
    mem_free(link->data_sent);
    mem_free(link->data_taken);
    mem_free(link);
}

/* Reports first: what they say is older news than that data came. */
static void dispatch(void *arg)
{
    struct link *link = arg;
    struct replica_report report;
    bool waiting = false;
    bool more = true;
    size_t size = 0;

    for (uint32_t i = 0; i < LINK_REPORT_COUNT_MAX && more; i++) {
        more = link_mail_take_report(&link->mail, &report, &waiting);
        if (more && link->on_report != NULL) {
            link->on_report(link->arg, &report);
        }
    }
    more = true;
    for (uint32_t i = 0; i < LINK_DATA_COUNT_MAX && more; i++) {
        more = link_mail_take_data(&link->mail, link->data_taken, &size, &waiting);
        if (more && link->on_data != NULL) {
            link->on_data(link->arg, span_of(link->data_taken, size));
        }
    }
    if (more) {
        engine_notify(link->storage); /* there may be more: in the loop's next turn */
    }
    if (waiting) {
        wake(link);
    }
}

static void stop(void *arg)
{
    struct link *link = arg;

    link_mail_stop(&link->mail);
    wake(link);
    if (link->running) {
        (void)pthread_join(link->thread, NULL); /* it exists and nobody else joins it */
        link->running = false;
    }
}

static void release(void *arg)
{
    link_free(arg);
}

enum err_code link_start(struct link *link, struct err *err)
{
    const struct engine_link callbacks = {
        .arg = link, .wake = wake, .dispatch = dispatch, .stop = stop, .free = release};
    int number;

    engine_attach(link->storage, &callbacks);
    number = link_thread_start(link);
    link->running = number == 0;
    return number == 0 ? ERR_OK : err_set_errno(err, ERR_NOMEM, number, "thread");
}

void link_listen(struct link *link,
                 storage_report_fn *on_report,
                 storage_data_fn *on_data,
                 void *arg)
{
    link->on_report = on_report;
    link->on_data = on_data;
    link->arg = arg;
    engine_notify(link->storage); /* what came before waits */
}

void link_command(struct link *link, const struct replica_event *command)
{
    link_mail_command(&link->mail, command);
    wake(link);
}

enum err_code link_send(struct link *link, struct span data, struct err *err)
{
    enum err_code rc = link_mail_send(&link->mail, data, err);

    if (rc == ERR_OK) {
        wake(link);
    }
    return rc;
}

void link_status(struct link *link, struct storage_pair_status *ret_status)
{
    link_mail_status(&link->mail, ret_status);
}
