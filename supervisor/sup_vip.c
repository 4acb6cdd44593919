/* SPDX-License-Identifier: Apache-2.0 */
/* sup_vip.c: the virtual IP follows eligibility.
 * Owns the track file, the FIFO and the netlink socket. Never gives the address to this host
 * (keepalived does), never takes its place for authority: the register says who may write. */
#include "base/log.h"
#include "supervisor/sup_internal.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Told again and again while it lasts: logged once. */
static void note_problem(struct sup *sup, const struct err *err)
{
    if (strcmp(sup->vip_problem, err->message) != 0) {
        log_err(LOG_LEVEL_ERROR, "vip", "problem", err);
    }
    (void)snprintf(sup->vip_problem, sizeof(sup->vip_problem), "%s", err->message);
}

/* keepalived drops the address by itself within milliseconds. One that was killed leaves it, so the
 * address of a host that may not hold it is removed whoever put it there. */
void sup_vip_check(struct sup *sup)
{
    struct err err = ERR_INIT;

    if (sup->vip == NULL || sup->eligible || !vip_is_here(sup->vip)) {
        return;
    }
    log_fields(LOG_LEVEL_WARNING, "vip", "removing",
               LOG_TEXT("address", sup_config_text(sup->config, "vip", "address")));
    if (vip_remove(sup->vip, &err) != ERR_OK) {
        note_problem(sup, &err);
    }
}

static void read_vip(struct sup *sup)
{
    bool was_here = vip_is_here(sup->vip);
    struct err err = ERR_INIT;

    if (vip_read(sup->vip, &err) != ERR_OK) {
        note_problem(sup, &err);
        return; /* the next look is the house's: a refusal is not asked for again at once */
    }
    if (was_here != vip_is_here(sup->vip)) {
        log_fields(LOG_LEVEL_INFO, "vip", was_here ? "gone" : "here",
                   LOG_TEXT("eligible", sup->eligible ? "yes" : "no"));
        sup_queue(sup, FAILOVER_EVENT_VIP)->u.vip_here = !was_here;
        sup_vip_check(sup);
    }
}

static void on_vip(evutil_socket_t fd, short what, void *arg)
{
    struct sup *sup = arg;

    (void)fd;
    (void)what;
    read_vip(sup);
    sup_pump(sup);
}

static void take_line(void *arg, struct span line)
{
    struct sup *sup = arg;
    enum keepalived_state state =
        keepalived_parse(line, sup_config_text(sup->config, "vip", "instance"));

    if (state == KEEPALIVED_UNKNOWN || state == sup->vrrp) {
        return;
    }
    sup->vrrp = state;
    log_fields(LOG_LEVEL_INFO, "vip", "vrrp", LOG_TEXT("state", keepalived_word(state)));
    /* VRRP elects this host when the peer's adverts stop: a reason to look at once. */
    if (state == KEEPALIVED_MASTER && sup->queue_count < SUP_EVENT_COUNT_MAX / 2) {
        (void)sup_queue(sup, FAILOVER_EVENT_VRRP_HINT); /* carries nothing */
    }
}

static void on_fifo(evutil_socket_t fd, short what, void *arg)
{
    struct sup *sup = arg;
    char bytes[1024];
    ssize_t size = read(fd, bytes, sizeof(bytes));

    (void)what;
    if (size > 0) {
        keepalived_feed(&sup->lines, span_of(bytes, (size_t)size), take_line, sup);
        read_vip(sup); /* the lines are a hint; netlink knows */
    }
    sup_pump(sup);
}

static bool write_track(struct sup *sup)
{
    const char *path = sup_config_text(sup->config, "vip", "track_file");
    struct err err = ERR_INIT;

    if (keepalived_track(path, sup->eligible, &err) == ERR_OK) {
        return true;
    }
    note_problem(sup, &err);
    if (!sup->eligible) {
        (void)unlink(path); /* a missing file counts as 0 too */
    }
    return false;
}

/* A write may have failed, and anybody may have removed the file. */
static bool repair_track(struct sup *sup)
{
    const char *path = sup_config_text(sup->config, "vip", "track_file");

    if (keepalived_track_says(path, sup->eligible)) {
        return true;
    }
    if (sup->vip_problem[0] == '\0') { /* else it is known */
        log_fields(LOG_LEVEL_WARNING, "vip", "track_file", LOG_TEXT("path", path),
                   LOG_TEXT("reason", "does not say what was written: written again"));
    }
    return write_track(sup);
}

/* NULL: the address is where it has to be. */
static const char *place_problem(const struct sup *sup)
{
    struct failover_status status;
    bool there = sup_peer_has_vip(sup);
    bool here = vip_is_here(sup->vip);

    failover_status(sup->failover, &status);
    if (!status.serving) {
        return NULL;
    }
    if (here) {
        return there ? "is on the other host too: VRRP packets (protocol 112) do not arrive" : NULL;
    }
    if (there) {
        return "is on the other host, which does not serve: look at keepalived here";
    }
    return sup->vrrp == KEEPALIVED_UNKNOWN
               ? "is not here, and keepalived has told nothing since the start: systemctl status "
                 "keepalived"
               : "is not here, and this host serves: systemctl status keepalived";
}

static void watch_place(struct sup *sup)
{
    const char *problem = place_problem(sup);

    if (problem == NULL && sup->vip_wrong >= SUP_VIP_WRONG_COUNT) {
        log_fields(LOG_LEVEL_INFO, "vip", "right",
                   LOG_TEXT("address", sup_config_text(sup->config, "vip", "address")));
    }
    sup->vip_wrong = problem == NULL ? 0 : sup->vip_wrong + 1;
    if (sup->vip_wrong == SUP_VIP_WRONG_COUNT) {
        log_fields(LOG_LEVEL_ERROR, "vip", "wrong",
                   LOG_TEXT("address", sup_config_text(sup->config, "vip", "address")),
                   LOG_TEXT("reason", problem));
    }
}

const char *sup_vip_wrong(const struct sup *sup)
{
    return sup->vip != NULL && sup->vip_wrong >= SUP_VIP_WRONG_COUNT ? place_problem(sup) : NULL;
}

void sup_vip_tend(struct sup *sup)
{
    if (sup->vip == NULL) {
        return;
    }
    read_vip(sup); /* and asks for what could not be asked for */
    sup_vip_check(sup);
    watch_place(sup);
    if (repair_track(sup) && (sup->eligible || !vip_is_here(sup->vip))) {
        sup->vip_problem[0] = '\0'; /* all is as it has to be */
    }
}

void sup_vip_deny(struct sup *sup)
{
    if (sup_config_has_vip(sup->config)) {
        (void)write_track(sup); /* told; there is no other way to say it */
    }
}

/* Counts as 0 where it is missing, too. */
static bool may_say_yes(const char *path)
{
    return !keepalived_track_says(path, false) && (access(path, F_OK) == 0 || errno != ENOENT);
}

enum err_code sup_give_up(const struct sup_config *config, struct err *err)
{
    const char *path = sup_config_text(config, "vip", "track_file");
    struct memory *memory = NULL;
    struct err runs = ERR_INIT;
    enum err_code rc = ERR_OK;

    if (may_say_yes(path) &&
        memory_open(sup_config_text(config, "", "state_dir"), &memory, &runs) != ERR_BUSY) {
        rc = keepalived_track(path, false, err);
        rc = rc != ERR_OK && unlink(path) == 0 ? ERR_OK : rc;
    }
    memory_close(memory);
    return rc;
}

void sup_deny_default(void)
{
    struct sup_config *config = NULL;
    struct err err = ERR_INIT;

    if (sup_config_parse("defaults", "", &config, &err) != ERR_OK) {
        return; /* no memory: nothing can be done */
    }
    err_ignore(sup_give_up(config, &err)); /* what is wrong with the configuration is told */
    sup_config_free(config);
}

void sup_vip_eligible(struct sup *sup, bool eligible)
{
    if (sup->vip == NULL) {
        return;
    }
    sup->eligible = eligible && !sup->stopping && sup->failure.code == ERR_OK;
    (void)write_track(sup); /* told, and tried again */
    sup_vip_check(sup);
}

enum err_code sup_vip_open(struct sup *sup, struct err *err)
{
    enum err_code rc;

    if (!sup_config_has_vip(sup->config)) {
        return ERR_OK;
    }
    rc = vip_new(sup_config_text(sup->config, "vip", "address"),
                 sup_config_text(sup->config, "vip", "interface"), &sup->vip, err);
    if (rc == ERR_OK) {
        rc = keepalived_fifo_open(sup_config_text(sup->config, "vip", "fifo"), &sup->fifo_fd, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    sup_vip_eligible(sup, false);
    sup->vip_event = event_new(sup->base, vip_fd(sup->vip), EV_READ | EV_PERSIST, on_vip, sup);
    sup->fifo_event = event_new(sup->base, sup->fifo_fd, EV_READ | EV_PERSIST, on_fifo, sup);
    if (sup->vip_event == NULL || sup->fifo_event == NULL || event_add(sup->vip_event, NULL) != 0 ||
        event_add(sup->fifo_event, NULL) != 0) {
        return err_set(err, ERR_NOMEM, "vip");
    }
    return ERR_OK;
}

void sup_vip_free(struct sup *sup)
{
    if (sup->vip_event != NULL) {
        event_free(sup->vip_event);
    }
    if (sup->fifo_event != NULL) {
        event_free(sup->fifo_event);
    }
    if (sup->fifo_fd >= 0) {
        (void)close(sup->fifo_fd);
    }
    vip_free(sup->vip);
}
