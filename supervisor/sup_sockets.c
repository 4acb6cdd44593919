/* SPDX-License-Identifier: Apache-2.0 */
/* sup_sockets.c: the listening sockets that approvald is given.
 * Owns them over all the children's lives, so that a restart refuses no connection: who connects
 * meanwhile waits in the kernel; of a single host also over its own restart, for which the service
 * manager keeps them. Never accepts a connection. While this host must not serve, the service
 * sockets are bound and do not listen: clients are refused at once, and try again. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/sockets.h"
#include "supervisor/sup_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    bool service;
} kinds[] = {
    {"service", true}, {"service-tls", true}, {"management", false},
    {"local", false},  {"pair", false},
};

/* root administers over it, and so may the service's own user, by its group: one of ours, or we are
 * root. */
static enum err_code give_group(const struct sup *sup, const char *path, struct err *err)
{
    struct stat about;

    if (!sup->user.change || (stat(path, &about) == 0 && about.st_gid == sup->user.gid)) {
        return ERR_OK;
    }
    return chown(path, (uid_t)-1, sup->user.gid) == 0
               ? ERR_OK
               : err_set_errno(err, ERR_DENIED, errno, "%s: its group cannot be set", path);
}

static enum err_code bind_local(struct sup *sup, struct sup_socket *socket, struct err *err)
{
    enum err_code rc = sockets_bind_unix(socket->address, &socket->fd, err);

    return rc == ERR_OK ? give_group(sup, socket->address, err) : rc;
}

static bool is_path(const struct sup_socket *socket)
{
    return strcmp(socket->name, "local") == 0;
}

/* As the service manager knows it, who takes no colon in a name. */
static void kept_name(const struct sup_socket *socket, char ret_name[SUP_KEPT_NAME_SIZE])
{
    (void)snprintf(ret_name, SUP_KEPT_NAME_SIZE, "%s=%s", socket->name, socket->address); /* fits */
    for (char *at = ret_name; (at = strchr(at, ':')) != NULL;) {
        *at = ';';
    }
}

static void forget(struct sup_kept *kept)
{
    sockets_close(kept->fd); /* at once: the manager may take its time */
    (void)close(kept->fd);
    kept->fd = -1;
    notify_drop(kept->name);
}

/* What does not belong to us, or is more than we have ever given away, is let go of. */
static void take_kept(void *arg, int fd, const char *name)
{
    struct sup *sup = arg;
    struct sup_kept kept = {.fd = fd};

    (void)snprintf(kept.name, sizeof(kept.name), "%s", name); /* a longer one fits nothing below */
    if (sup->kept_count == SUP_SOCKET_COUNT_MAX) {
        forget(&kept);
        return;
    }
    sup->kept[sup->kept_count++] = kept;
}

/* A pair hands over instead; and of who dies without that, nobody must wait in sockets for one who
 * may lead no more. */
static bool may_keep(const struct sup *sup)
{
    return !sup_config_has_pair(sup->config);
}

/* Gives a socket the descriptor of the last supervisor's, which people may be waiting in. */
static void reuse(struct sup *sup, struct sup_socket *socket)
{
    char name[SUP_KEPT_NAME_SIZE];

    kept_name(socket, name);
    for (size_t i = 0; may_keep(sup) && socket->fd < 0 && i < sup->kept_count; i++) {
        struct sup_kept *kept = &sup->kept[i];

        if (kept->fd >= 0 && strcmp(kept->name, name) == 0) {
            socket->fd = kept->fd;
            socket->kept = true;
            kept->fd = -1;
        }
    }
    /* A path that has been removed leads nobody to its socket. */
    if (socket->kept && is_path(socket) && access(socket->address, F_OK) != 0) {
        (void)close(socket->fd);
        socket->fd = -1;
        socket->kept = false;
        notify_drop(name);
    }
}

static enum err_code
add_one(struct sup *sup, const char *name, const char *address, struct err *err)
{
    struct sup_socket *socket = &sup->sockets[sup->socket_count];
    size_t kind = 0;

    while (kind < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[kind].name, name) != 0) {
        kind++;
    }
    if (kind == sizeof(kinds) / sizeof(kinds[0]) || sup->socket_count == SUP_SOCKET_COUNT_MAX ||
        strlen(address) >= SUP_ADDRESS_SIZE) {
        return err_set(err, ERR_PROTOCOL, "sockets: %.20s: unknown, or too many", name);
    }
    *socket = (struct sup_socket){.fd = -1, .service = kinds[kind].service};
    (void)snprintf(socket->name, sizeof(socket->name), "%s", name); /* one of the table's */
    (void)snprintf(socket->address, sizeof(socket->address), "%s", address); /* fits */
    sup->socket_count++;
    reuse(sup, socket);
    /* systemd, which gives us our folder, gives us all that is in it. */
    return socket->kept && is_path(socket) ? give_group(sup, socket->address, err) : ERR_OK;
}

static enum err_code bind_one(struct sup *sup, struct sup_socket *socket, struct err *err)
{
    char name[SUP_KEPT_NAME_SIZE];
    enum err_code rc;

    if (is_path(socket)) {
        rc = bind_local(sup, socket, err);
    } else if (socket->service) {
        rc = sockets_reserve(socket->address, &socket->fd, err);
    } else {
        rc = sockets_bind(socket->address, &socket->fd, err);
    }
    if (rc == ERR_OK && may_keep(sup)) {
        kept_name(socket, name);
        socket->kept = notify_keep(socket->fd, name);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "sockets: %s", socket->name);
}

/* Lines of "NAME ADDRESS". */
static enum err_code add_lines(struct sup *sup, char *text, struct err *err)
{
    enum err_code rc = ERR_OK;
    char *line = text;

    while (rc == ERR_OK && *line != '\0') {
        char *end = strchr(line, '\n');
        char *space = strchr(line, ' ');

        if (end == NULL || space == NULL || space > end) {
            return err_set(err, ERR_PROTOCOL, "--print-sockets: a line that is not NAME ADDRESS");
        }
        *end = '\0';
        *space = '\0';
        rc = add_one(sup, line, space + 1, err);
        line = end + 1;
    }
    return rc;
}

/* What is not wanted any more first: it may be in the way of what is. */
static enum err_code bind_all(struct sup *sup, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < sup->kept_count; i++) {
        if (sup->kept[i].fd >= 0) {
            forget(&sup->kept[i]);
        }
    }
    sup->kept_count = 0;
    for (size_t i = 0; rc == ERR_OK && i < sup->socket_count; i++) {
        if (sup->sockets[i].fd < 0) {
            rc = bind_one(sup, &sup->sockets[i], err);
        }
    }
    return rc;
}

enum err_code sup_sockets_open(struct sup *sup, struct err *err)
{
    char *argv[] = {(char *)(uintptr_t)sup_config_text(sup->config, "", "program"),
                    (char[]){"--print-sockets"}, (char[]){"-c"},
                    (char *)(uintptr_t)sup_config_text(sup->config, "", "config"), NULL};
    char text[SUP_PRINT_SIZE_MAX];
    const char *link = sup_config_text(sup->config, "pair", "listen");
    enum err_code rc;

    (void)notify_inherit(take_kept, sup); /* nothing is fine */
    rc = child_ask(argv, &sup->user, SUP_PRINT_MS, text, sizeof(text), err);
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "%s --print-sockets", argv[0]);
    }
    rc = add_lines(sup, text, err);
    if (rc == ERR_OK && link[0] != '\0' && sup_config_has_pair(sup->config)) {
        rc = add_one(sup, "pair", link, err);
    }
    return rc == ERR_OK ? bind_all(sup, err) : rc;
}

void sup_sockets_free(struct sup *sup)
{
    for (size_t i = 0; i < sup->kept_count; i++) { /* it has not come to a choice */
        if (sup->kept[i].fd >= 0) {
            (void)close(sup->kept[i].fd);
        }
    }
    sup->kept_count = 0;
    for (size_t i = 0; i < sup->socket_count; i++) {
        if (sup->sockets[i].fd < 0) {
            continue;
        }
        (void)close(sup->sockets[i].fd);
        if (is_path(&sup->sockets[i]) && !sup->sockets[i].kept) {
            (void)unlink(sup->sockets[i].address); /* a stale one is replaced too */
        }
    }
    sup->socket_count = 0;
}

/* A single host that stops leaves its sockets as they are: of a restart the next supervisor takes
 * them with all who wait in them, of a stop the service manager closes them. */
static bool leaves_open(const struct sup *sup)
{
    return sup->stopping && may_keep(sup);
}

/* Closed from the moment at which another leads or may lead, or this host must not; open from
 * before a grant. In between, as while a child that led is started again, they stay as they are. */
static bool wants_open(const struct failover_status *status, bool open)
{
    switch (status->role) {
    case FAILOVER_SEALING:
    case FAILOVER_PRIMARY:
    case FAILOVER_HANDING_OVER:
        return true;
    case FAILOVER_STANDBY:
    case FAILOVER_HALTED:
        return false;
    case FAILOVER_WAITING:
    case FAILOVER_SEEKING:
        break;
    }
    return open && status->eligible;
}

/* Who comes to the host that has handed over is passed on by its approvald. */
static bool relays_still(const struct sup *sup)
{
    uint64_t end_ms = sup->handing_ms + SUP_RELAY_MS;
    uint64_t now_ms = sup_now_ms();
    bool waiting = false;

    for (size_t i = 0; i < sup->socket_count; i++) {
        waiting = waiting || (sup->sockets[i].service && sockets_has_waiting(sup->sockets[i].fd));
    }
    return now_ms < end_ms || (waiting && now_ms < end_ms + SUP_RELAY_MORE_MS);
}

uint64_t sup_sockets_deadline_ms(const struct sup *sup)
{
    if (sup->handing_ms != 0) {
        return sup->handing_ms + SUP_RELAY_MS;
    }
    return sup->muted_ms == 0 ? UINT64_MAX : sup->muted_ms + SUP_MUTE_MS;
}

/* The virtual IP follows the handover in a moment: refused now, a client would have to begin anew,
 * and not all do. */
static bool may_mute(const struct sup *sup)
{
    return sup->vip != NULL && vip_is_here(sup->vip);
}

static bool is_mute_over(const struct sup *sup)
{
    return !may_mute(sup) || sup_now_ms() >= sup->muted_ms + SUP_MUTE_MS;
}

/* Closed first: nobody comes in between. */
static void unmute(struct sup *sup, int fd)
{
    struct err err = ERR_INIT;

    sockets_close(fd);
    if (sockets_mute(fd, false, &err) != ERR_OK) {
        sup_fail(sup, &err); /* it would never serve again */
    }
}

static void end_mute(struct sup *sup)
{
    sup->muted_ms = 0;
    for (size_t i = 0; i < sup->socket_count; i++) {
        if (sup->sockets[i].service) {
            unmute(sup, sup->sockets[i].fd);
        }
    }
}

/* By the role alone. */
static bool wanted_now(struct sup *sup, const struct failover_status *status)
{
    bool open = wants_open(status, sup->serving_open);

    if (status->role == FAILOVER_HANDING_OVER) {
        sup->handing_ms = sup_now_ms();
    } else if (status->role == FAILOVER_STANDBY && sup->handing_ms != 0) {
        open = relays_still(sup);
        sup->handing_ms = open ? sup->handing_ms : 0;
        sup->muted_ms = open || !may_mute(sup) ? 0 : sup_now_ms();
    }
    return open;
}

/* Some may listen already: listening twice is fine. Told once, tried again each second. */
static void listen_all(struct sup *sup)
{
    bool known = sup->listen_problem[0] != '\0';

    sup->listen_problem[0] = '\0';
    for (size_t i = 0; i < sup->socket_count; i++) {
        const struct sup_socket *socket = &sup->sockets[i];
        struct err err = ERR_INIT;

        if (!socket->service || sockets_open(socket->fd, &err) == ERR_OK) {
            continue;
        }
        (void)snprintf(sup->listen_problem, sizeof(sup->listen_problem), "%s: %.100s",
                       socket->address, err.message); /* cut is fine */
        if (!known) {
            log_fields(LOG_LEVEL_ERROR, "sup", "listen", LOG_TEXT("reason", sup->listen_problem));
        }
    }
    if (known && sup->listen_problem[0] == '\0') {
        log_fields(LOG_LEVEL_INFO, "sup", "listen", LOG_TEXT("reason", "all do again"));
    }
}

static void set_open(struct sup *sup, bool open, const char *role)
{
    sup->serving_open = open;
    sup->listen_problem[0] = '\0';
    for (size_t i = 0; !open && i < sup->socket_count; i++) {
        struct err err = ERR_INIT;

        if (sup->sockets[i].service &&
            (sup->muted_ms == 0 || sockets_mute(sup->sockets[i].fd, true, &err) != ERR_OK)) {
            sockets_close(sup->sockets[i].fd); /* refused is second best */
        }
    }
    if (open) {
        listen_all(sup);
    }
    log_fields(LOG_LEVEL_INFO, "sup", open ? "service_opened" : "service_closed",
               LOG_TEXT("role", role));
}

static void follow(struct sup *sup, bool may_open)
{
    struct failover_status status;
    bool open;

    if (sup->failure.code != ERR_OK || leaves_open(sup)) {
        return; /* they are closed, whatever the role; or stay as they are */
    }
    failover_status(sup->failover, &status);
    open = wanted_now(sup, &status);
    if (sup->muted_ms != 0 && !sup->serving_open && (open || is_mute_over(sup))) {
        end_mute(sup);
    }
    if (open != sup->serving_open && (may_open || !open)) {
        set_open(sup, open, failover_role_word(status.role));
    }
}

void sup_sockets_follow(struct sup *sup)
{
    follow(sup, true);
}

void sup_sockets_tend(struct sup *sup)
{
    sup_sockets_follow(sup);
    if (sup->serving_open && sup->listen_problem[0] != '\0') {
        listen_all(sup);
    }
}

void sup_sockets_close(struct sup *sup)
{
    follow(sup, false);
}

void sup_sockets_shut(struct sup *sup)
{
    if (sup->serving_open) {
        sup->muted_ms = 0;
        set_open(sup, false, "failed");
    }
}
