/* SPDX-License-Identifier: Apache-2.0 */
/* floor.c: the floor that approvald is measured against: the least that an honest server must do
 * with the same libraries. evhttp, HMAC over the raw body, form decoding, cJSON, the body appended
 * to a file, one fdatasync for all requests that arrived together, then the answers. With a peer,
 * the batch is sent there while it is written here, and the answers wait for the peer's fdatasync
 * too; "floor peer" is that peer. Owns its listener, its file and the connection to its peer. Never
 * decides, deduplicates, audits or stores anything that could be found again. */
#include "base/tls.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <fcntl.h>
#include <mbedtls/md.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH_COUNT_MAX 1024
#define FILE_SIZE       (256L * 1024L * 1024L)
#define CHUNK_SIZE      (1024UL * 1024UL)

struct floor {
    struct event_base *base;
    struct event *batch_end; /* runs after the events of one pass */
    struct tls_server *tls;
    struct evhttp_request *waiting[BATCH_COUNT_MAX];
    size_t waiting_count;
    char *bytes; /* of the batch */
    size_t size;
    off_t offset;
    int fd;
    int peer; /* -1: none */
    const char *secret;
};

static void fail(const char *what)
{
    perror(what);
    _exit(1);
}

/* All of it, in or out; false: the other side has ended. */
static int floor_transfer(int fd, void *bytes, size_t size, int out)
{
    char *at = bytes;

    while (size > 0) {
        ssize_t done = out ? send(fd, at, size, MSG_NOSIGNAL) : recv(fd, at, size, 0);

        if (done <= 0) {
            return 0;
        }
        at += done;
        size -= (size_t)done;
    }
    return 1;
}

/* Makes the batch durable here. */
static void floor_keep(struct floor *floor)
{
    if (floor->offset + (off_t)floor->size > FILE_SIZE) {
        floor->offset = 0;
    }
    if (pwrite(floor->fd, floor->bytes, floor->size, floor->offset) != (ssize_t)floor->size ||
        fdatasync(floor->fd) != 0) {
        fail("floor: write");
    }
    floor->offset += (off_t)floor->size;
}

static void floor_batch(evutil_socket_t unused, short what, void *arg)
{
    struct floor *floor = arg;
    uint32_t size = (uint32_t)floor->size;
    char acknowledged;

    (void)unused;
    (void)what;
    if (floor->peer >= 0 && (!floor_transfer(floor->peer, &size, sizeof size, 1) ||
                             !floor_transfer(floor->peer, floor->bytes, size, 1))) {
        fail("floor: send to the peer");
    }
    floor_keep(floor);
    if (floor->peer >= 0 && !floor_transfer(floor->peer, &acknowledged, 1, 0)) {
        fail("floor: the peer's acknowledgement");
    }
    for (size_t i = 0; i < floor->waiting_count; i++) {
        struct evhttp_request *request = floor->waiting[i];
        struct evhttp_connection *connection = evhttp_request_get_connection(request);
        struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);

        evhttp_send_reply(request, 200, "OK", NULL);
        if (floor->tls != NULL) {
            tls_flush(bev);
        }
    }
    floor->waiting_count = 0;
    floor->size = 0;
}

/* The request waits for the fdatasync of its batch. */
static void
floor_wait(struct floor *floor, struct evhttp_request *request, const void *data, size_t size)
{
    if (floor->waiting_count == BATCH_COUNT_MAX || floor->size + size > 16 * CHUNK_SIZE) {
        floor_batch(-1, 0, floor);
    }
    memcpy(floor->bytes + floor->size, data, size);
    floor->size += size;
    floor->waiting[floor->waiting_count++] = request;
    if (floor->waiting_count == 1) {
        event_active(floor->batch_end, 0, 0);
    }
}

static int floor_verify(const struct floor *floor,
                        const struct evkeyvalq *headers,
                        const unsigned char *body,
                        size_t size)
{
    const char *time = evhttp_find_header(headers, "X-Slack-Request-Timestamp");
    const char *signature = evhttp_find_header(headers, "X-Slack-Signature");
    mbedtls_md_context_t md;
    unsigned char mac[32];
    char text[68] = "v0=";
    unsigned char different = 0;

    if (time == NULL || signature == NULL || strlen(signature) != 67) {
        return 0;
    }
    mbedtls_md_init(&md);
    if (mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1) != 0 ||
        mbedtls_md_hmac_starts(&md, (const unsigned char *)floor->secret, strlen(floor->secret)) ||
        mbedtls_md_hmac_update(&md, (const unsigned char *)"v0:", 3) != 0 ||
        mbedtls_md_hmac_update(&md, (const unsigned char *)time, strlen(time)) != 0 ||
        mbedtls_md_hmac_update(&md, (const unsigned char *)":", 1) != 0 ||
        mbedtls_md_hmac_update(&md, body, size) != 0 || mbedtls_md_hmac_finish(&md, mac) != 0) {
        fail("floor: hmac");
    }
    mbedtls_md_free(&md);
    for (size_t i = 0; i < sizeof mac; i++) {
        (void)snprintf(text + 3 + 2 * i, 3, "%02x", mac[i]);
    }
    for (size_t i = 0; i < 67; i++) {
        different |= (unsigned char)(text[i] ^ signature[i]);
    }
    return different == 0;
}

static void floor_press(struct evhttp_request *request, void *arg)
{
    struct floor *floor = arg;
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t size = evbuffer_get_length(input);
    unsigned char *body = evbuffer_pullup(input, -1);
    struct cJSON *json;
    const struct cJSON *action;
    char *decoded;
    size_t decoded_size;

    if (body == NULL || size < 8 ||
        !floor_verify(floor, evhttp_request_get_input_headers(request), body, size)) {
        evhttp_send_reply(request, 401, "Unauthorized", NULL);
        return;
    }
    evbuffer_add(input, "", 1);
    body = evbuffer_pullup(input, -1);
    decoded = evhttp_uridecode((const char *)body + 8, 1, &decoded_size);
    json = cJSON_ParseWithLength(decoded, decoded_size);
    action = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "actions"), 0);
    if (cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(action, "value")) == NULL) {
        evhttp_send_reply(request, 400, "Bad Request", NULL);
    } else {
        floor_wait(floor, request, decoded, decoded_size);
    }
    cJSON_Delete(json);
    free(decoded);
}

static void floor_create(struct evhttp_request *request, void *arg)
{
    struct floor *floor = arg;
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t size = evbuffer_get_length(input);
    const char *bearer =
        evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
    unsigned char *body = evbuffer_pullup(input, -1);
    unsigned char hash[32];
    struct cJSON *json = body != NULL ? cJSON_ParseWithLength((char *)body, size) : NULL;

    if (bearer == NULL || json == NULL ||
        mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)bearer,
                   strlen(bearer), hash) != 0) {
        evhttp_send_reply(request, 400, "Bad Request", NULL);
    } else {
        floor_wait(floor, request, body, size);
    }
    cJSON_Delete(json);
}

static struct bufferevent *floor_bufferevent(struct event_base *base, void *arg)
{
    struct floor *floor = arg;

    return tls_server_bufferevent(floor->tls, base);
}

static void floor_file(struct floor *floor, const char *path)
{
    floor->bytes = calloc(17, CHUNK_SIZE);
    floor->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (floor->fd < 0 || floor->bytes == NULL) {
        fail("floor: file");
    }
    for (off_t at = 0; at < FILE_SIZE; at += (off_t)CHUNK_SIZE) {
        if (pwrite(floor->fd, floor->bytes, CHUNK_SIZE, at) != (ssize_t)CHUNK_SIZE) {
            fail("floor: preallocate");
        }
    }
    if (fsync(floor->fd) != 0) {
        fail("floor: fsync");
    }
}

static int floor_address(const char *text, struct sockaddr_in *ret_address)
{
    char host[64];
    const char *colon = strchr(text, ':');

    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        return 0;
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    memset(ret_address, 0, sizeof *ret_address);
    ret_address->sin_family = AF_INET;
    ret_address->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return inet_pton(AF_INET, host, &ret_address->sin_addr) == 1;
}

/* Connects to, or waits for, the other floor. */
static int floor_meet(const char *text, int listens)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (!floor_address(text, &address) || fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        fail("floor: peer's address");
    }
    if (listens) {
        int listener = fd;

        if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
            listen(listener, 1) != 0) {
            fail("floor: listen");
        }
        (void)printf("ready\n");
        (void)fflush(stdout);
        fd = accept(listener, NULL, NULL);
        (void)close(listener);
    } else if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fail("floor: connect to the peer");
    }
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        fail("floor: peer");
    }
    return fd;
}

/* "PORT" on loopback, or "ADDRESS:PORT". */
static int floor_listen(struct evhttp *http, const char *text)
{
    const char *colon = strchr(text, ':');
    char host[64] = "127.0.0.1";

    if (colon != NULL && (size_t)(colon - text) < sizeof host) {
        memcpy(host, text, (size_t)(colon - text));
        host[colon - text] = '\0';
        text = colon + 1;
    }
    return evhttp_bind_socket(http, host, (uint16_t)strtoul(text, NULL, 10)) == 0;
}

/* floor peer ADDRESS:PORT FILE */
static int floor_peer(char **argv)
{
    static struct floor floor;
    char acknowledged = 'a';
    uint32_t size;

    floor_file(&floor, argv[3]);
    floor.peer = floor_meet(argv[2], 1);
    while (floor_transfer(floor.peer, &size, sizeof size, 0) && size <= 17 * CHUNK_SIZE &&
           floor_transfer(floor.peer, floor.bytes, size, 0)) {
        floor.size = size;
        floor_keep(&floor);
        if (!floor_transfer(floor.peer, &acknowledged, 1, 1)) {
            break;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct floor floor;
    struct err err = ERR_INIT;
    struct evhttp *http;

    if (argc == 4 && strcmp(argv[1], "peer") == 0) {
        return floor_peer(argv);
    }
    if (argc < 4 || argc > 6) {
        (void)fprintf(stderr,
                      "usage: floor [ADDRESS:]PORT FILE SECRET [PEER:PORT | CERTIFICATE KEY]\n"
                      "       floor peer ADDRESS:PORT FILE\n");
        return 2;
    }
    floor.secret = argv[3];
    floor.peer = argc == 5 ? floor_meet(argv[4], 0) : -1;
    floor.base = event_base_new();
    http = evhttp_new(floor.base);
    floor.batch_end = event_new(floor.base, -1, 0, floor_batch, &floor);
    floor_file(&floor, argv[2]);
    if (argc == 6) {
        if (tls_server_new(argv[4], argv[5], &floor.tls, &err) != ERR_OK) {
            (void)fprintf(stderr, "floor: %s\n", err.message);
            return 1;
        }
        evhttp_set_bevcb(http, floor_bufferevent, &floor);
    }
    if (evhttp_set_cb(http, "/slack/interactions", floor_press, &floor) != 0 ||
        evhttp_set_cb(http, "/v1/requests", floor_create, &floor) != 0 ||
        !floor_listen(http, argv[1])) {
        fail("floor: listen");
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    return event_base_dispatch(floor.base) == 0 ? 0 : 1;
}
