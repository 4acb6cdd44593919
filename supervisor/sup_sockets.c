/* SPDX-License-Identifier: Apache-2.0 */
/* sup_sockets.c: the listening sockets that approvald is given.
 * Owns them over all the children's lives, so that a restart refuses no connection: who connects
 * meanwhile waits in the kernel. Never accepts a connection. While this host must not serve, the
 * service sockets are bound and do not listen: clients are refused at once, and try again. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/sockets.h"
#include "supervisor/sup_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    bool service;
    bool path;
} kinds[] = {
    {"service", true, false}, {"service-tls", true, false}, {"management", false, false},
    {"local", false, true},   {"pair", false, false},
};

/* The socket that we have made belongs to the service's group already: its unit says so. */
static bool is_groups(const struct sup *sup, const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && about.st_gid == sup->user.gid;
}

/* root administers over it, and so may the service's own user. */
static enum err_code bind_local(struct sup *sup, struct sup_socket *socket, struct err *err)
{
    enum err_code rc = sockets_bind_unix(socket->address, &socket->fd, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (sup->user.change && !is_groups(sup, socket->address) &&
        chown(socket->address, sup->user.uid, sup->user.gid) != 0) {
        return err_set(err, ERR_IO, "%s: its owner cannot be set", socket->address);
    }
    return ERR_OK;
}

static enum err_code
bind_one(struct sup *sup, const char *name, const char *address, struct err *err)
{
    struct sup_socket *socket = &sup->sockets[sup->socket_count];
    enum err_code rc;
    size_t kind = 0;

    while (kind < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[kind].name, name) != 0) {
        kind++;
    }
    if (kind == sizeof(kinds) / sizeof(kinds[0]) || sup->socket_count == SUP_SOCKET_COUNT_MAX ||
        strlen(address) >= SUP_ADDRESS_SIZE) {
        return err_set(err, ERR_PROTOCOL, "sockets: %.20s: unknown, or too many", name);
    }
    (void)snprintf(socket->name, sizeof(socket->name), "%s", name); /* one of the table's */
    (void)snprintf(socket->address, sizeof(socket->address), "%s", address); /* fits */
    socket->fd = -1;
    socket->service = kinds[kind].service;
    sup->socket_count++;
    if (kinds[kind].path) {
        rc = bind_local(sup, socket, err);
    } else if (socket->service) {
        rc = sockets_reserve(address, &socket->fd, err);
    } else {
        rc = sockets_bind(address, &socket->fd, err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "sockets: %s", name);
}

/* Lines of "NAME ADDRESS". */
static enum err_code bind_lines(struct sup *sup, char *text, struct err *err)
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
        rc = bind_one(sup, line, space + 1, err);
        line = end + 1;
    }
    return rc;
}

enum err_code sup_sockets_open(struct sup *sup, struct err *err)
{
    char *argv[] = {(char *)(uintptr_t)sup_config_text(sup->config, "", "program"),
                    (char[]){"--print-sockets"}, (char[]){"-c"},
                    (char *)(uintptr_t)sup_config_text(sup->config, "", "config"), NULL};
    char text[SUP_PRINT_SIZE_MAX];
    enum err_code rc = child_ask(argv, &sup->user, SUP_PRINT_MS, text, sizeof(text), err);
    const char *link = sup_config_text(sup->config, "pair", "listen");

    if (rc != ERR_OK) {
        return err_wrap(err, rc, "%s --print-sockets", argv[0]);
    }
    rc = bind_lines(sup, text, err);
    if (rc == ERR_OK && link[0] != '\0' && sup_config_has_pair(sup->config)) {
        rc = bind_one(sup, "pair", link, err);
    }
    return rc;
}

void sup_sockets_free(struct sup *sup)
{
    for (size_t i = 0; i < sup->socket_count; i++) {
        if (sup->sockets[i].fd < 0) {
            continue;
        }
        (void)close(sup->sockets[i].fd);
        if (strcmp(sup->sockets[i].name, "local") == 0) {
            (void)unlink(sup->sockets[i].address); /* a stale one is replaced too */
        }
    }
    sup->socket_count = 0;
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
    return sup->handing_ms == 0 ? UINT64_MAX : sup->handing_ms + SUP_RELAY_MS;
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
        if (sup->sockets[i].service) {
            sockets_close(sup->sockets[i].fd);
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

    if (sup->failure.code != ERR_OK) {
        return; /* they are closed, whatever the role */
    }
    failover_status(sup->failover, &status);
    open = wanted_now(sup, &status);
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
        set_open(sup, false, "failed");
    }
}
