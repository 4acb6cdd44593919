/* SPDX-License-Identifier: Apache-2.0 */
/* sup.c: the life of the supervisor: what is opened in which order, the timer, the signals, and the
 * queue through which the failover core gets its events.
 * Owns struct sup. Never decides about authority (failover.c) or about the child (watch.c). Nothing
 * here waits for the disk once the loop runs. */
#include "supervisor/sup.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/rng.h"
#include "supervisor/sup_internal.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

uint64_t sup_now_ms(void)
{
    return clock_boot_ms(clock_host());
}

uint64_t sup_random(void)
{
    uint64_t number = 0;

    while (number == 0) { /* zero means "none" in the contract and in the register */
        rng_fill(rng_host(), &number, sizeof(number));
    }
    return number;
}

void sup_fail(struct sup *sup, const struct err *err)
{
    if (sup->failure.code != ERR_OK) {
        return;
    }
    sup->failure = *err;
    log_err(LOG_LEVEL_ERROR, "sup", "fatal", err);
    sup_sockets_shut(sup);
    sup_vip_eligible(sup, false); /* ahead of the child's end, which a hung disk can put off */
    sup_child_drop(sup);
    (void)event_base_loopbreak(sup->base); /* before the loop runs, sup_run looks at the failure */
}

struct failover_event *sup_queue(struct sup *sup, enum failover_event_type type)
{
    struct failover_event *event;

    ASSERT(sup->queue_count < SUP_EVENT_COUNT_MAX); /* who reads from outside leaves half free */
    event = &sup->queue[(sup->queue_first + sup->queue_count++) % SUP_EVENT_COUNT_MAX];
    memset(event, 0, sizeof(*event));
    event->type = type;
    return event;
}

static void arm(struct sup *sup)
{
    uint64_t now = sup_now_ms();
    uint64_t wanted[] = {sup->house_ms,
                         watch_deadline_ms(&sup->watch),
                         failover_deadline_ms(sup->failover),
                         sup->watchdog_next_ms,
                         sup->notify_next_ms,
                         sup_sockets_deadline_ms(sup),
                         sup_quiet_deadline_ms(sup),
                         sup->leave_ms == 0 ? UINT64_MAX : sup->leave_ms};
    uint64_t next = wanted[0];
    struct itimerspec at = {.it_interval = {0, 0}};

    for (size_t i = 1; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        next = wanted[i] < next ? wanted[i] : next;
    }
    next = next <= now ? now + 1 : next; /* the loop gets a turn in between */
    at.it_value.tv_sec = (time_t)(next / 1000);
    at.it_value.tv_nsec = (long)(next % 1000) * 1000000;
    if (timerfd_settime(sup->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) != 0) {
        struct err err = ERR_INIT;

        (void)err_set_errno(&err, ERR_FATAL, errno, "timer"); /* told by sup_fail */
        sup_fail(sup, &err);
    }
}

static void step_failover(struct sup *sup)
{
    struct failover_event *event = &sup->queue[sup->queue_first];
    struct failover_effects effects;

    event->now_ms = sup_now_ms();
    event->random = sup_random();
    if (event->type == FAILOVER_EVENT_CHILD_UP) {
        sup->incarnation_known = event->u.child.incarnation;
    }
    failover_step(sup->failover, event, &effects);
    failover_invariant(sup->failover);
    sup->queue_first = (sup->queue_first + 1) % SUP_EVENT_COUNT_MAX;
    sup->queue_count--;
    sup_perform(sup, &effects);
    sup_sockets_follow(sup);
}

void sup_pump(struct sup *sup)
{
    while ((sup->trouble || sup->queue_count > 0) && sup->failure.code == ERR_OK) {
        if (sup->trouble) {
            sup->trouble = false;
            sup_watch(sup, sup->trouble_type, sup->trouble_reason);
        } else {
            step_failover(sup);
        }
    }
    sup_leave_check(sup);
    sup_tell_summary(sup);
    arm(sup);
}

static void pet_device(struct sup *sup)
{
    struct err err = ERR_INIT;

    if (watchdog_pet(sup->watchdog, &err) != ERR_OK) {
        log_err(LOG_LEVEL_ERROR, "sup", "watchdog", &err);
    }
}

static void tell_stuck(struct sup *sup, uint64_t now)
{
    if (now >= sup->stuck_told_ms) {
        sup->stuck_told_ms = now + SUP_STUCK_TELL_MS;
        log_fields(LOG_LEVEL_ERROR, "sup", "child_unkillable", LOG_NUMBER("pid", sup->child.pid));
    }
}

/* A supervisor whose loop turns and whose child can be ended deserves a sign of life. */
static void tick_watchdogs(struct sup *sup, uint64_t now)
{
    bool device = sup->watchdog != NULL && now >= sup->watchdog_next_ms;
    bool manager = sup->notify_ms != 0 && now >= sup->notify_next_ms;

    if (device) {
        sup->watchdog_next_ms = now + watchdog_interval_ms(sup->watchdog);
    }
    if (manager) {
        sup->notify_next_ms = now + sup->notify_ms / 3;
    }
    if (watch_is_stuck(&sup->watch, now)) {
        tell_stuck(sup, now);
        return;
    }
    sup->stuck_told_ms = 0;
    if (device) {
        pet_device(sup);
    }
    if (manager) {
        notify_watchdog();
    }
}

static void tick_house(struct sup *sup, uint64_t now)
{
    if (now < sup->house_ms) {
        return;
    }
    sup->house_ms = now + SUP_HOUSE_MS;
    notify_tend(&sup->notify);
    control_tick(sup->control, now);
    sup_keep_tend(sup);
    sup_lead_check(sup, now);
    sup_vip_tend(sup);
    sup_tell_digest(sup);
    sup_sockets_tend(sup);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sup *sup = arg;
    uint64_t expirations;
    uint64_t now;

    (void)what;
    if (read(fd, &expirations, sizeof(expirations)) < 0) {
        return; /* armed anew meanwhile */
    }
    /* Before the clock: a supervisor that did not run for a while must not call its child late. */
    sup_child_hear(sup);
    now = sup_now_ms();
    if (now >= watch_deadline_ms(&sup->watch)) {
        sup_watch(sup, WATCH_EVENT_TICK, "");
    }
    if (now >= failover_deadline_ms(sup->failover)) {
        (void)sup_queue(sup, FAILOVER_EVENT_TICK); /* carries nothing */
    }
    sup_sockets_follow(sup);
    sup_quiet_check(sup, now);
    tick_house(sup, now);
    tick_watchdogs(sup, now);
    sup_pump(sup);
}

static void apply(struct sup *sup, struct sup_config *config_take)
{
    struct watch_options options;
    enum log_level level = LOG_LEVEL_INFO;

    sup_config_keep_as(config_take, sup->config);
    sup_config_free(sup->config);
    sup->config = config_take;
    if (sup->up_known) {
        sup_config_keep(config_take, sup->file); /* what a reload may change proves itself so */
    }
    sup_config_watch(config_take, &options);
    watch_set_options(&sup->watch, &options);
    err_ignore(log_level_parse(sup_config_text(config_take, "", "log_level"), &level, NULL));
    log_set_level(level); /* a choice: it parses */
    log_fields(LOG_LEVEL_INFO, "sup", "reloaded", LOG_TEXT("file", sup->file));
}

/* All or nothing: what needs a start leaves everything as it is. The child reads its own anew. */
static void reload(struct sup *sup)
{
    struct sup_config *config = NULL;
    struct err err = ERR_INIT;
    const char *fixed;

    notify_reloading(&sup->notify);
    if (sup_config_load(sup->file, &config, &err) != ERR_OK) {
        log_err(LOG_LEVEL_ERROR, "sup", "reload_refused", &err);
    } else if ((fixed = sup_config_fixed_change(sup->config, config)) != NULL) {
        log_fields(LOG_LEVEL_ERROR, "sup", "reload_refused", LOG_TEXT("option", fixed),
                   LOG_TEXT("reason", "takes effect only at a start"));
        sup_config_free(config);
    } else {
        apply(sup, config);
    }
    sup_certificates_read(sup);
    sup->reload_owed = true;
    sup_child_reload(sup);
    notify_ready(&sup->notify);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct sup *sup = arg;

    (void)what;
    log_fields(LOG_LEVEL_INFO, "sup", "signal", LOG_NUMBER("number", number));
    if (number == SIGHUP) {
        reload(sup);
    } else {
        sup_stop(sup);
    }
    sup_pump(sup);
}

static enum err_code open_loop(struct sup *sup, struct err *err)
{
    static const int numbers[SUP_SIGNAL_COUNT] = {SIGTERM, SIGINT, SIGHUP};
    bool good;

    sup->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (sup->timer_fd < 0) {
        return err_set(err, ERR_NOMEM, "event loop");
    }
    sup->timer = event_new(sup->base, sup->timer_fd, EV_READ | EV_PERSIST, on_timer, sup);
    good = sup->timer != NULL && event_add(sup->timer, NULL) == 0;
    for (size_t i = 0; good && i < SUP_SIGNAL_COUNT; i++) {
        sup->signals[i] = evsignal_new(sup->base, numbers[i], on_signal, sup);
        good = sup->signals[i] != NULL && event_add(sup->signals[i], NULL) == 0;
    }
    return good ? ERR_OK : err_set(err, ERR_NOMEM, "event loop");
}

static enum err_code open_cores(struct sup *sup, struct err *err)
{
    struct watch_options watch;
    struct failover_options failover;

    sup_config_watch(sup->config, &watch);
    sup_config_failover(sup->config, &failover);
    watch_init(&sup->watch, &watch);
    sup->failover = mem_new(1, failover_size());
    if (sup->failover == NULL) {
        return err_set(err, ERR_NOMEM, "failover");
    }
    failover_init(sup->failover, &failover);
    return ERR_OK;
}

static enum err_code open_run_dir(struct sup *sup, struct err *err)
{
    const char *dir = sup_config_text(sup->config, "", "run_dir");

    /* keepalived watches the track file's directory, and does not wait for it to come. */
    if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
        return err_set_errno(err, ERR_IO, errno, "run_dir %s", dir);
    }
    return ERR_OK;
}

static enum err_code open_control(struct sup *sup, struct err *err)
{
    char path[SUP_ADDRESS_SIZE];

    (void)snprintf(path, sizeof(path), "%s/supervisor.sock", /* run_dir has at most 80 bytes */
                   sup_config_text(sup->config, "", "run_dir"));
    return control_new(sup->base, path, sup_command, sup, &sup->control, err);
}

/* Last, as opening arms it. Without the device the pair is as safe, and the operator is told. */
static void open_watchdog(struct sup *sup)
{
    const char *device = sup_config_text(sup->config, "watchdog", "device");
    struct err err = ERR_INIT;

    sup->watchdog_next_ms = UINT64_MAX;
    if (device[0] == '\0') {
        return;
    }
    if (watchdog_new(device, sup_config_number(sup->config, "watchdog", "timeout"), watchdog_host(),
                     &sup->watchdog, &err) != ERR_OK) {
        log_err(LOG_LEVEL_ERROR, "sup", "watchdog", &err);
        (void)snprintf(sup->watchdog_problem, sizeof(sup->watchdog_problem), "%s", err.message);
        return;
    }
    sup->watchdog_next_ms = 0;
    crash_note(CRASH_NOTE_WATCHDOG,
               watchdog_has_reset(sup->watchdog) ? "had-reset-the-host" : "armed");
    log_fields(LOG_LEVEL_INFO, "sup", "watchdog_armed",
               LOG_NUMBER("timeout_ms", watchdog_timeout_ms(sup->watchdog)),
               LOG_TEXT("reset_before_boot", watchdog_has_reset(sup->watchdog) ? "yes" : "no"));
}

/* The directory is ours alone, and has just been read from. */
static void open_reports(struct sup *sup)
{
    struct err err = ERR_INIT;

    crash_note(CRASH_NOTE_BEFORE, memory_end_word(sup->last_end));
    if (crash_open(sup_config_text(sup->config, "", "state_dir"), &sup->crash, &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, "sup", "crash_reports", &err);
    }
    crash_tell(&sup->crash, "sup");
}

static enum err_code load_memory(struct sup *sup, struct err *err)
{
    struct failover_options options;
    bool forgot = false;
    enum err_code rc = memory_load(sup->memory, &sup->value, &sup->last_end, err);

    if (rc != ERR_OK || !sup_config_has_pair(sup->config)) {
        return rc;
    }
    sup_config_failover(sup->config, &options);
    rc = memory_bind(sup->memory, options.cluster_id, &sup->value, &forgot, err);
    if (forgot) {
        log_fields(LOG_LEVEL_WARNING, "sup", "another_pair",
                   LOG_TEXT("reason", "what was remembered of a former pair is forgotten"));
    }
    return rc;
}

/* The virtual IP comes first: a supervisor that was killed has left "1" in the track file, and
 * whatever keeps this one from starting must not leave it there. */
static enum err_code open_state(struct sup *sup, struct err *err)
{
    enum err_code rc =
        memory_open(sup_config_text(sup->config, "", "state_dir"), &sup->memory, err);

    if (rc == ERR_BUSY) {
        return rc; /* the one that runs says what is so */
    }
    if (rc == ERR_OK) {
        rc = open_run_dir(sup, err);
    }
    sup_vip_deny(sup);
    if (rc == ERR_OK) {
        sup->base = event_base_new();
        rc = sup->base == NULL ? err_set(err, ERR_NOMEM, "event loop") : sup_vip_open(sup, err);
    }
    if (rc == ERR_OK) {
        rc = load_memory(sup, err);
    }
    if (rc == ERR_OK) {
        open_reports(sup);
    }
    return rc;
}

static enum err_code open_all(struct sup *sup, struct err *err)
{
    enum err_code rc = open_state(sup, err);

    if (rc == ERR_OK) {
        rc = child_user_find(sup_config_text(sup->config, "", "user"), &sup->user, err);
    }
    if (rc == ERR_OK) {
        rc = child_user_narrow(&sup->user, err);
    }
    if (rc == ERR_OK) {
        rc = sup_sockets_open(sup, err);
    }
    if (rc == ERR_OK) {
        rc = open_loop(sup, err);
    }
    if (rc == ERR_OK) {
        rc = open_cores(sup, err);
    }
    if (rc == ERR_OK) {
        rc = sup_arbiter_open(sup, err);
    }
    if (rc == ERR_OK) {
        rc = sup_keep_open(sup, err);
    }
    return rc == ERR_OK ? open_control(sup, err) : rc;
}

enum err_code
sup_new(struct sup_config *config_take, const char *file, struct sup **ret_sup, struct err *err)
{
    struct sup *sup = mem_new(1, sizeof(*sup));
    enum err_code rc;

    if (sup == NULL) {
        sup_config_free(config_take);
        return err_set(err, ERR_NOMEM, "supervisor");
    }
    sup->config = config_take;
    sup->timer_fd = -1;
    sup->contract_fd = -1;
    sup->fifo_fd = -1;
    sup->child = (struct child)CHILD_NONE;
    sup->notify_ms = notify_watchdog_ms();
    sup->notify_next_ms = sup->notify_ms == 0 ? UINT64_MAX : 0;
    sup->file = mem_copy_text(file, strlen(file));
    rc = sup->file == NULL ? err_set(err, ERR_NOMEM, "supervisor") : open_all(sup, err);
    if (rc != ERR_OK) {
        sup_free(sup);
        return rc;
    }
    open_watchdog(sup);
    *ret_sup = sup;
    return ERR_OK;
}

static void start(struct sup *sup)
{
    log_fields(LOG_LEVEL_INFO, "sup", "started", LOG_NUMBER("host", sup_config_host(sup->config)),
               LOG_TEXT("before", memory_end_word(sup->last_end)));
    sup->armed_before = sup->value.armed;
    sup->value.running = true;
    sup->value.armed = sup->watchdog != NULL;
    sup_remember(sup);
    sup_bind(sup);
    sup_certificates_read(sup);
    sup_queue(sup, FAILOVER_EVENT_START)->u.memory = sup->value.failover;
    sup_watch_start(sup);
    sup_pump(sup);
    notify_ready(&sup->notify);
}

/* That it was a clean end is remembered last. */
static bool is_over(struct sup *sup)
{
    if (!sup->stopping || sup->watch.state != WATCH_STOPPED) {
        return false;
    }
    if (sup->value.running) {
        sup->value.running = false;
        sup->value.armed = false;
        sup_remember(sup);
    }
    return sup_is_saved(sup);
}

enum err_code sup_run(struct sup *sup, struct err *err)
{
    start(sup);
    while (sup->failure.code == ERR_OK && !is_over(sup)) {
        if (event_base_loop(sup->base, EVLOOP_ONCE) < 0) {
            return err_set(err, ERR_FATAL, "event loop");
        }
    }
    sup_vip_eligible(sup, false);
    if (sup->failure.code != ERR_OK) {
        *err = sup->failure;
        return err->code;
    }
    return ERR_OK;
}

static void free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

void sup_free(struct sup *sup)
{
    if (sup == NULL) {
        return;
    }
    sup_child_drop(sup);
    arbiter_fence_free(sup->fence);
    arbiter_free(sup->arbiter);
    sup_keep_free(sup);
    control_free(sup->control);
    sup_vip_free(sup);
    sup_sockets_free(sup);
    for (size_t i = 0; i < SUP_SIGNAL_COUNT; i++) {
        free_event(sup->signals[i]);
    }
    free_event(sup->timer);
    if (sup->base != NULL) {
        event_base_free(sup->base);
    }
    if (sup->timer_fd >= 0) {
        (void)close(sup->timer_fd);
    }
    watchdog_free(sup->watchdog);
    memory_close(sup->memory);
    mem_free(sup->failover);
    mem_free(sup->file);
    sup_config_free(sup->config);
    mem_free(sup);
}
