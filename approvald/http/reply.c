/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c: the bytes of an answer.
 * Owns nothing. Never decides what to answer; header values come from our own code and are never
 * a peer's bytes. A plain connection with nothing queued is written to at once, which saves two
 * turns of the loop; what the kernel does not take goes the usual way. */
#include "approvald/http/server_internal.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/text.h"
#include "base/tls.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#define PROBLEM_SIZE_MAX 8192 /* every character of a detail escaped at six bytes, twice over */

struct head {
    size_t size;
    char bytes[HTTP_REPLY_HEAD_SIZE];
};

static void head_add(struct head *head, const char *text)
{
    size_t size = strlen(text);

    ASSERT(size <= sizeof(head->bytes) - head->size);
    memcpy(head->bytes + head->size, text, size);
    head->size += size;
}

static void head_field(struct head *head, const char *name, const char *value)
{
    head_add(head, name);
    head_add(head, ": ");
    head_add(head, value);
    head_add(head, "\r\n");
}

static void head_number(struct head *head, const char *name, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number); /* 20 digits fit */
    head_field(head, name, text);
}

const char *http_status_text(uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *text;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status) {
            return table[i].text;
        }
    }
    return "Status";
}

static const char *date_text(struct http_server *server)
{
    time_t now_s = (time_t)(clock_wall_ms(server->clock) / 1000);
    struct tm when;

    if ((uint64_t)now_s != server->date_s && gmtime_r(&now_s, &when) != NULL &&
        strftime(server->date_text, sizeof(server->date_text), "%a, %d %b %Y %H:%M:%S GMT", &when) >
            0) {
        server->date_s = (uint64_t)now_s;
    }
    return server->date_text;
}

static void write_head(struct conn *conn, const struct http_reply *reply, struct head *head)
{
    char line[64];

    (void)snprintf(line, sizeof(line), "HTTP/1.1 %u %s\r\n", reply->status, /* the texts fit */
                   http_status_text(reply->status));
    head_add(head, line);
    head_field(head, "Date", date_text(conn->server));
    if (reply->content_type != NULL) {
        head_field(head, "Content-Type", reply->content_type);
    }
    if (reply->status != 204) {
        head_number(head, "Content-Length", reply->body.size);
    }
    head_add(head, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    if (reply->retry_after_s > 0) {
        head_number(head, "Retry-After", reply->retry_after_s);
    }
    for (size_t i = 0; i < HTTP_REPLY_HEADER_MAX && reply->headers[i].name != NULL; i++) {
        head_field(head, reply->headers[i].name, reply->headers[i].value);
    }
    if (conn->close) {
        head_add(head, "Connection: close\r\n");
    } else if (conn->http10) {
        head_add(head, "Connection: keep-alive\r\n");
    }
    head_add(head, "\r\n");
}

/* Bytes of first and second that the kernel took; SIZE_MAX: the connection is broken. */
static size_t send_now(struct conn *conn, struct span first, struct span second)
{
    union {
        const void *in;
        void *out;
    } parts[2] = {{.in = first.data}, {.in = second.data}};
    struct iovec iov[2] = {{.iov_base = parts[0].out, .iov_len = first.size},
                           {.iov_base = parts[1].out, .iov_len = second.size}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = second.size == 0 ? 1 : 2};
    ssize_t sent;

    if (conn->tls || evbuffer_get_length(bufferevent_get_output(conn->bev)) > 0) {
        return 0;
    }
    sent = sendmsg(bufferevent_getfd(conn->bev), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
        return (size_t)sent;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : SIZE_MAX;
}

static bool queue(struct conn *conn, struct span bytes, size_t sent)
{
    if (sent >= bytes.size) {
        return true;
    }
    return bufferevent_write(conn->bev, bytes.data + sent, bytes.size - sent) == 0;
}

static void write_bytes(struct conn *conn, struct span head, struct span body)
{
    size_t sent = send_now(conn, head, body);

    if (sent == SIZE_MAX || !queue(conn, head, sent) ||
        !queue(conn, body, sent > head.size ? sent - head.size : 0)) {
        conn->dead = true;
        return;
    }
    if (conn->tls) {
        tls_flush(conn->bev);
    }
}

void reply_continue(struct conn *conn)
{
    write_bytes(conn, SPAN_LITERAL("HTTP/1.1 100 Continue\r\n\r\n"), SPAN_NONE);
}

void reply_write(struct conn *conn, bool head_only, const struct http_reply *reply)
{
    struct head head = {.size = 0};

    conn->close = conn->close || conn->server->draining ||
                  (conn->server->closing && conn->kind == HTTP_SERVICE);
    write_head(conn, reply, &head);
    write_bytes(conn, span_of(head.bytes, head.size), head_only ? SPAN_NONE : reply->body);
}

static enum err_code
format_problem(const struct http_problem *problem, struct buf *buf, struct err *err)
{
    const char *title = http_status_text(problem->status);
    enum err_code rc;

    rc = problem->refusal == NULL
             ? buf_append_text(buf, "{\"type\":\"about:blank\",\"title\":", err)
             : buf_append_format(
                   buf, err, "{\"type\":\"urn:approvald:refusal:%s\",\"title\":", problem->refusal);
    if (rc == ERR_OK) {
        rc = text_append_json(buf, span_text(title), err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(buf, err, ",\"status\":%u,\"detail\":", problem->status);
    }
    if (rc == ERR_OK) {
        rc = text_append_json(buf, span_text(problem->detail == NULL ? title : problem->detail),
                              err);
    }
    if (rc == ERR_OK && problem->refusal != NULL) {
        rc = buf_append_format(buf, err, ",\"refusal\":\"%s\"", problem->refusal);
    }
    return rc == ERR_OK ? buf_append_text(buf, "}\n", err) : rc;
}

static struct http_reply problem_reply(const struct http_problem *problem, struct buf *buf)
{
    struct http_reply reply = {.status = problem->status,
                               .content_type = "application/problem+json",
                               .retry_after_s = problem->retry_after_s,
                               .headers = {problem->header}};

    if (buf == NULL || format_problem(problem, buf, NULL) != ERR_OK) {
        reply.body = SPAN_LITERAL("{\"type\":\"about:blank\"}\n"); /* memory is out */
    } else {
        reply.body = buf_span(buf);
    }
    return reply;
}

void reply_problem(struct conn *conn, bool head_only, const struct http_problem *problem)
{
    AUTO_BUF struct buf *buf = NULL;
    struct http_reply reply;

    err_ignore(buf_new(PROBLEM_SIZE_MAX, &buf, NULL)); /* without memory the answer is shorter */
    reply = problem_reply(problem, buf);
    reply_write(conn, head_only, &reply);
}

static void count(const struct http_request *request, uint32_t status)
{
    enum route_class class = status < 400 ? ROUTE_2XX : ROUTE_4XX;

    metric_add(request->entry->counts[status >= 500 ? ROUTE_5XX : class], 1);
}

void http_reply(struct http_request *request, const struct http_reply *reply)
{
    struct conn *conn = request->conn;

    ASSERT(request->entry != NULL);
    ASSERT(reply->status >= 200);
    count(request, reply->status);
    if (request->on_reply != NULL) {
        http_foreign_fn *on_reply = request->on_reply;

        request->on_reply = NULL;
        on_reply(request->on_reply_arg, reply);
        request_free(request);
        return;
    }
    if (conn == NULL) {
        request_free(request);
        return;
    }
    ASSERT(conn->request == request);
    ASSERT(conn->state == CONN_PENDING);
    reply_write(conn, request->head.method == HTTP_HEAD, reply);
    conn->request = NULL;
    request_free(request);
    conn_replied(conn);
}

void http_problem(struct http_request *request, const struct http_problem *problem)
{
    AUTO_BUF struct buf *buf = NULL;
    struct http_reply reply;

    err_ignore(buf_new(PROBLEM_SIZE_MAX, &buf, NULL)); /* without memory the answer is shorter */
    reply = problem_reply(problem, buf);
    http_reply(request, &reply);
}
