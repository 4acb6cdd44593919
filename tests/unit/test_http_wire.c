/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_wire.c: proves approvald/http/wire and route: what is read, and what is refused.
 * Owns nothing but its cases; never touches a socket. */
#include "approvald/http/route.h"
#include "approvald/http/wire.h"
#include "tests/unit/unit.h"

static bool parse(const char *text, struct wire_head *head, struct wire_fault *fault)
{
    struct span bytes = span_text(text);
    size_t scanned = 0;
    size_t size = wire_head_size(bytes, &scanned);

    CU_ASSERT_FATAL(size > 0);
    return wire_parse_head(span_of(bytes.data, size), head, fault);
}

static uint32_t status_of(const char *text)
{
    struct wire_head head;
    struct wire_fault fault = {0};

    return parse(text, &head, &fault) ? 0 : fault.status;
}

static void a_request_is_read(void)
{
    struct wire_head head;
    struct wire_fault fault;

    CU_ASSERT_FATAL(parse("POST /v1/requests?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n"
                          "X-Empty:\r\nX-Trim: \t two words \t\r\n\r\nbody",
                          &head, &fault));
    CU_ASSERT_EQUAL(head.method, HTTP_POST);
    CU_ASSERT(span_is(head.path, "/v1/requests"));
    CU_ASSERT(span_is(head.query, "x=1"));
    CU_ASSERT_EQUAL(head.content_length, 12);
    CU_ASSERT(head.keep_alive);
    CU_ASSERT(!head.chunked);
    CU_ASSERT(span_is(wire_header(&head, "x-trim"), "two words"));
    CU_ASSERT_EQUAL(wire_header(&head, "X-Empty").size, 0);
}

static void an_absolute_target_is_cut_to_its_path(void)
{
    struct wire_head head;
    struct wire_fault fault;

    CU_ASSERT(parse("GET http://a.example/p/q?r HTTP/1.1\r\nHost: a\r\n\r\n", &head, &fault));
    CU_ASSERT(span_is(head.path, "/p/q"));
    CU_ASSERT(span_is(head.query, "r"));
    CU_ASSERT_EQUAL(status_of("GET http://a.example HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    CU_ASSERT_EQUAL(status_of("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

static void what_two_parsers_could_read_differently_is_refused(void)
{
    static const struct {
        const char *text;
        uint32_t status;
    } cases[] = {
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01z\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417},
        {"\r\n\r\n", 400},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(status_of(cases[i].text), cases[i].status);
    }
}

static void persistence_follows_version_and_field(void)
{
    struct wire_head head;
    struct wire_fault fault;

    CU_ASSERT(parse("GET / HTTP/1.0\r\n\r\n", &head, &fault));
    CU_ASSERT(!head.keep_alive);
    CU_ASSERT(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &head, &fault));
    CU_ASSERT(head.keep_alive);
    CU_ASSERT(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", &head, &fault));
    CU_ASSERT(!head.keep_alive);
}

static void the_end_of_a_head_is_found_across_pieces(void)
{
    const char *text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
    size_t scanned = 0;

    for (size_t size = 1; size < 27; size++) {
        CU_ASSERT_EQUAL(wire_head_size(span_of(text, size), &scanned), 0);
    }
    CU_ASSERT_EQUAL(wire_head_size(span_of(text, 27), &scanned), 27);
}

/* The body gathered so far. */
struct gathered {
    char bytes[64];
    size_t size;
};

static enum wire_progress
feed_piece(struct wire_chunks *chunks, struct span bytes, struct gathered *gathered)
{
    struct span data = SPAN_NONE;
    enum wire_progress progress = wire_chunks_step(chunks, &bytes, &data);

    while (progress == WIRE_DATA) {
        CU_ASSERT_FATAL(data.size <= sizeof(gathered->bytes) - gathered->size);
        memcpy(gathered->bytes + gathered->size, data.data, data.size);
        gathered->size += data.size;
        progress = wire_chunks_step(chunks, &bytes, &data);
    }
    return progress;
}

/* Feeds text in pieces of a size. */
static enum wire_progress feed(const char *text, size_t piece, struct gathered *gathered)
{
    struct span all = span_text(text);
    struct wire_chunks chunks;
    enum wire_progress progress = WIRE_MORE;

    gathered->size = 0;
    wire_chunks_init(&chunks);
    for (size_t at = 0; at < all.size && progress == WIRE_MORE; at += piece) {
        size_t size = all.size - at < piece ? all.size - at : piece;

        progress = feed_piece(&chunks, span_of(all.data + at, size), gathered);
    }
    return progress;
}

static void chunks_are_joined_however_they_are_cut(void)
{
    struct gathered body;

    for (size_t piece = 1; piece < 40; piece++) {
        CU_ASSERT_EQUAL(
            feed("3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", piece, &body),
            WIRE_DONE);
        CU_ASSERT_EQUAL_FATAL(body.size, 13);
        CU_ASSERT(memcmp(body.bytes, "abc0123456789", 13) == 0);
    }
}

static void what_is_not_chunked_is_refused(void)
{
    static const char *const cases[] = {"\r\n", "-1\r\n",      "3\nabc",     "3\r\nabcd",
                                        "g",    "123456789\r", "3;x\ny\r\n", "0\r\n\r\r"};
    struct gathered body;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(feed(cases[i], 64, &body), WIRE_BAD);
    }
}

static const struct http_route routes[] = {
    {.method = HTTP_GET, .pattern = "/a", .listeners = HTTP_ON_ALL},
    {.method = HTTP_POST, .pattern = "/a", .listeners = HTTP_ON_SERVICE},
    {.method = HTTP_POST, .pattern = "/a/?/b", .listeners = HTTP_ON_ALL},
};

static void a_route_is_found_by_listener_method_and_path(void)
{
    static struct route_table table;
    struct route_found found;

    table.count = 3;
    for (uint32_t i = 0; i < table.count; i++) {
        table.entries[i].route = &routes[i];
    }
    route_find(&table, HTTP_SERVICE, HTTP_HEAD, span_text("/a"), &found);
    CU_ASSERT_PTR_EQUAL(found.entry, &table.entries[0]);
    route_find(&table, HTTP_MANAGEMENT, HTTP_POST, span_text("/a"), &found);
    CU_ASSERT_PTR_NULL(found.entry);
    CU_ASSERT_STRING_EQUAL(found.allow, "GET, HEAD");
    route_find(&table, HTTP_SERVICE, HTTP_PUT, span_text("/a"), &found);
    CU_ASSERT_STRING_EQUAL(found.allow, "GET, HEAD, POST");
    route_find(&table, HTTP_LOCAL, HTTP_POST, span_text("/a/x/b"), &found);
    CU_ASSERT_PTR_EQUAL(found.entry, &table.entries[2]);
    CU_ASSERT(span_is(found.params[0], "x"));
    route_find(&table, HTTP_LOCAL, HTTP_POST, span_text("/a//b"), &found);
    CU_ASSERT_PTR_NULL(found.entry);
    CU_ASSERT_STRING_EQUAL(found.allow, "");
    route_find(&table, HTTP_LOCAL, HTTP_GET, span_text("/a/"), &found);
    CU_ASSERT_PTR_NULL(found.entry);
}

static void a_content_type_may_have_parameters(void)
{
    CU_ASSERT(route_type_matches("application/json", span_text("Application/JSON; charset=utf-8")));
    CU_ASSERT(route_type_matches("text/plain", span_text("text/plain")));
    CU_ASSERT(!route_type_matches("text/plain", span_text("text/plainer")));
    CU_ASSERT(!route_type_matches("text/plain", SPAN_NONE));
}

UNIT_MAIN("http wire",
          {"a request is read", a_request_is_read},
          {"an absolute target is cut to its path", an_absolute_target_is_cut_to_its_path},
          {"what two parsers could read differently is refused",
           what_two_parsers_could_read_differently_is_refused},
          {"persistence follows version and field", persistence_follows_version_and_field},
          {"the end of a head is found across pieces", the_end_of_a_head_is_found_across_pieces},
          {"chunks are joined however they are cut", chunks_are_joined_however_they_are_cut},
          {"what is not chunked is refused", what_is_not_chunked_is_refused},
          {"a route is found by listener, method and path",
           a_route_is_found_by_listener_method_and_path},
          {"a content type may have parameters", a_content_type_may_have_parameters})
