/* SPDX-License-Identifier: Apache-2.0 */
/* control.c: the operator's socket.
 * Owns the listening socket and its clients. Never knows what a command does. Never waits for a
 * client: who does not take an answer at once is dropped. */
#include "supervisor/control.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sockets.h"
#include "supervisor/limits.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct {
    const char *word;
    enum control_command command;
} commands[] = {
    {"status", CONTROL_STATUS},
    {"switchover", CONTROL_SWITCHOVER},
    {"promote-force", CONTROL_PROMOTE_FORCE},
    {"promote-force-other-lineage", CONTROL_PROMOTE_FORCE_OTHER},
    {"peer-off", CONTROL_PEER_OFF},
    {"bootstrap", CONTROL_BOOTSTRAP},
    {"reseed", CONTROL_RESEED},
    {"rejoin", CONTROL_REJOIN},
    {"maintenance on", CONTROL_MAINTENANCE_ON},
    {"maintenance off", CONTROL_MAINTENANCE_OFF},
    {"safe-mode-clear", CONTROL_SAFE_MODE_CLEAR},
};

struct client {
    struct control *control; /* borrowed */
    struct event *event;     /* owned; NULL: the slot is free */
    int fd;                  /* owned */
    uint64_t id;
    uint64_t until_ms;
    bool asked; /* the request was handed on */
    size_t size;
    char line[SUP_CONTROL_LINE_MAX];
};

struct control {
    struct event_base *base; /* borrowed */
    control_take *take;
    void *arg; /* borrowed */
    int fd;    /* owned */
    struct event *accepting;
    uint64_t last_id;
    char *path; /* owned */
    struct client clients[SUP_CONTROL_COUNT_MAX];
};

static enum err_code find_word(struct span word, enum control_command *ret_command, struct err *err)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (span_is(word, commands[i].word)) {
            *ret_command = commands[i].command;
            return ERR_OK;
        }
    }
    return err_set(
        err, ERR_INVALID,
        "unknown command; there are status, switchover, "
        "promote-force, promote-force-other-lineage, peer-off, bootstrap, reseed, rejoin, "
        "maintenance on, maintenance off, safe-mode-clear");
}

enum err_code control_parse(struct span line, enum control_command *ret_command, struct err *err)
{
    AUTO_JSON struct json *root = NULL;
    enum err_code rc;

    if (line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    if (line.size == 0 || line.data[0] != '{') {
        return find_word(line, ret_command, err);
    }
    rc = json_parse(line, SUP_CONTROL_LINE_MAX, &root, err);
    if (rc != ERR_OK) {
        return err_wrap(err, ERR_INVALID, "request");
    }
    if (json_count(root) != 1) {
        return err_set(err, ERR_INVALID, "request: has to be {\"command\":\"…\"}");
    }
    return find_word(json_text(root, "command"), ret_command, err);
}

const char *control_word(enum control_command command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (commands[i].command == command) {
            return commands[i].word;
        }
    }
    ASSERT(false);
    return "";
}

static uint64_t now_ms(void)
{
    return clock_boot_ms(clock_host());
}

static void drop(struct client *client)
{
    ASSERT(client->event != NULL);
    event_free(client->event);
    client->event = NULL;
    (void)close(client->fd);
}

static struct client *find_client(struct control *control, uint64_t id)
{
    for (size_t i = 0; i < SUP_CONTROL_COUNT_MAX; i++) {
        if (control->clients[i].event != NULL && control->clients[i].id == id) {
            return &control->clients[i];
        }
    }
    return NULL;
}

void control_answer(struct control *control, uint64_t id, struct span text)
{
    struct client *client = find_client(control, id);
    struct iovec parts[2] = {{.iov_base = (void *)(uintptr_t)text.data, .iov_len = text.size},
                             {.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    if (client == NULL) {
        return;
    }
    /* The socket's buffer takes it whole, unless the client has filled it: then it is dropped. */
    if (sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)text.size + 1) {
        log_fields(LOG_LEVEL_WARNING, "control", "answer_lost", LOG_NUMBER("size", text.size));
    }
    drop(client);
}

void control_reply(struct control *control, uint64_t id, bool ok, const char *message)
{
    AUTO_BUF struct buf *buf = NULL;
    AUTO_JSON struct json *root = json_new_object();
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(SUP_CONTROL_ANSWER_MAX, &buf, &err);

    json_add_bool(root, "ok", ok);
    json_add_text(root, "message", span_text(message));
    if (rc == ERR_OK) {
        rc = json_print(root, buf, &err);
    }
    if (rc == ERR_OK) {
        control_answer(control, id, buf_span(buf));
    } else {
        control_answer(control, id, SPAN_LITERAL("{\"ok\":false,\"message\":\"out of memory\"}"));
    }
}

static void take_line(struct client *client, size_t size)
{
    struct control *control = client->control;
    enum control_command command = CONTROL_STATUS;
    struct err err = ERR_INIT;

    client->asked = true;
    client->until_ms = now_ms() + SUP_CONTROL_WAIT_MS;
    if (control_parse(span_of(client->line, size), &command, &err) != ERR_OK) {
        control_reply(control, client->id, false, err.message);
        return;
    }
    if (command != CONTROL_STATUS) {
        log_fields(LOG_LEVEL_INFO, "control", "command",
                   LOG_TEXT("command", control_word(command)));
    }
    control->take(control->arg, client->id, command);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct client *client = arg;
    const char *end;
    ssize_t got;

    (void)what;
    got = recv(fd, client->line + client->size, sizeof(client->line) - client->size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0 || client->asked) {
        drop(client); /* gone, or it says more than one line */
        return;
    }
    client->size += (size_t)got;
    end = memchr(client->line, '\n', client->size);
    if (end != NULL) {
        take_line(client, (size_t)(end - client->line));
    } else if (client->size == sizeof(client->line)) {
        client->asked = true;
        control_reply(client->control, client->id, false, "the request is too long");
    }
}

/* The socket's group may connect too: that is how root does without the capability to go anywhere.
 * Who else is in it is refused here. */
static bool is_allowed(int fd)
{
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void begin(struct control *control, struct client *client, int fd)
{
    *client = (struct client){.control = control,
                              .fd = fd,
                              .id = ++control->last_id,
                              .until_ms = now_ms() + SUP_CONTROL_IDLE_MS};
    client->event = event_new(control->base, fd, EV_READ | EV_PERSIST, on_readable, client);
    if (client->event == NULL || event_add(client->event, NULL) != 0) {
        if (client->event != NULL) {
            event_free(client->event);
            client->event = NULL;
        }
        (void)close(fd);
    }
}

static void on_connection(evutil_socket_t listener, short what, void *arg)
{
    struct control *control = arg;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)what;
    if (fd < 0) {
        return;
    }
    if (!is_allowed(fd)) {
        (void)close(fd);
        return;
    }
    for (size_t i = 0; i < SUP_CONTROL_COUNT_MAX; i++) {
        if (control->clients[i].event == NULL) {
            begin(control, &control->clients[i], fd);
            return;
        }
    }
    (void)close(fd); /* too many at once */
}

enum err_code control_new(struct event_base *base,
                          const char *path,
                          control_take *take,
                          void *arg,
                          struct control **ret_control,
                          struct err *err)
{
    struct control *control = mem_new(1, sizeof(*control));
    enum err_code rc;

    if (control == NULL) {
        return err_set(err, ERR_NOMEM, "control");
    }
    control->base = base;
    control->take = take;
    control->arg = arg;
    control->fd = -1;
    rc = sockets_bind_unix(path, &control->fd, err);
    if (rc == ERR_OK) {
        control->path = mem_copy_text(path, strlen(path));
        control->accepting =
            event_new(base, control->fd, EV_READ | EV_PERSIST, on_connection, control);
        if (control->path == NULL || control->accepting == NULL ||
            event_add(control->accepting, NULL) != 0) {
            rc = err_set(err, ERR_NOMEM, "control");
        }
    }
    if (rc != ERR_OK) {
        control_free(control);
        return rc;
    }
    *ret_control = control;
    return ERR_OK;
}

void control_free(struct control *control)
{
    if (control == NULL) {
        return;
    }
    for (size_t i = 0; i < SUP_CONTROL_COUNT_MAX; i++) {
        if (control->clients[i].event != NULL) {
            drop(&control->clients[i]);
        }
    }
    if (control->accepting != NULL) {
        event_free(control->accepting);
    }
    if (control->fd >= 0) {
        (void)close(control->fd);
    }
    if (control->path != NULL) {
        (void)unlink(control->path); /* a stale one is replaced too */
        mem_free(control->path);
    }
    mem_free(control);
}

static void give_up(struct client *client)
{
    if (client->asked) {
        control_reply(client->control, client->id, false, "no answer in time");
    } else {
        drop(client);
    }
}

void control_tick(struct control *control, uint64_t now)
{
    for (size_t i = 0; i < SUP_CONTROL_COUNT_MAX; i++) {
        if (control->clients[i].event != NULL && now >= control->clients[i].until_ms) {
            give_up(&control->clients[i]);
        }
    }
}
