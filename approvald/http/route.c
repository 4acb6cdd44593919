/* SPDX-License-Identifier: Apache-2.0 */
/* route.c: finds the handler of a path.
 * Owns nothing. Never decodes a path: what is not written plainly is not one of ours.
 * Linear over a table of at most HTTP_ROUTE_COUNT_MAX patterns. */
#include "approvald/http/route.h"

#include <stdio.h>
#include <strings.h>

/* The next segment of a path that begins with '/'. */
static struct span segment_take(struct span *path)
{
    struct span rest = span_of(path->data + 1, path->size - 1);
    const char *end = rest.size == 0 ? NULL : memchr(rest.data, '/', rest.size);
    size_t size = end == NULL ? rest.size : (size_t)(end - rest.data);

    *path = span_of(rest.data + size, rest.size - size);
    return span_of(rest.data, size);
}

/* One segment against its pattern; "?" takes any and keeps it. */
static bool segment_matches(struct span wanted, struct span given, struct route_found *found)
{
    if (!span_is(wanted, "?")) {
        return span_equal(wanted, given);
    }
    if (given.size == 0 || found->param_count == HTTP_PARAM_COUNT_MAX) {
        return false;
    }
    found->params[found->param_count++] = given;
    return true;
}

static bool pattern_matches(const char *pattern, struct span path, struct route_found *found)
{
    struct span left = span_text(pattern);

    found->param_count = 0;
    while (left.size > 0 && path.size > 0) {
        struct span wanted = segment_take(&left);

        if (!segment_matches(wanted, segment_take(&path), found)) {
            return false;
        }
    }
    return left.size == 0 && path.size == 0;
}

const char *route_method_text(enum http_method method)
{
    switch (method) {
    case HTTP_GET:
        return "GET";
    case HTTP_HEAD:
        return "HEAD";
    case HTTP_POST:
        return "POST";
    case HTTP_PUT:
        return "PUT";
    case HTTP_DELETE:
        return "DELETE";
    case HTTP_OTHER:
        break;
    }
    return "OTHER";
}

static void allow_add(struct route_found *found, enum http_method method)
{
    size_t size = strlen(found->allow);
    const char *also = method == HTTP_GET ? ", HEAD" : "";

    (void)snprintf(found->allow + size, sizeof(found->allow) - size, "%s%s%s", /* five words fit */
                   size == 0 ? "" : ", ", route_method_text(method), also);
}

void route_find(const struct route_table *table,
                enum http_listener listener,
                enum http_method method,
                struct span path,
                struct route_found *ret_found)
{
    enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;

    ret_found->entry = NULL;
    ret_found->allow[0] = '\0';
    for (uint32_t i = 0; i < table->count; i++) {
        const struct http_route *route = table->entries[i].route;

        if ((route->listeners & (1U << listener)) == 0 ||
            !pattern_matches(route->pattern, path, ret_found)) {
            continue;
        }
        if (route->method == wanted) {
            ret_found->entry = &table->entries[i];
            return;
        }
        allow_add(ret_found, route->method);
    }
}

bool route_type_matches(const char *wanted, struct span given)
{
    size_t size = strlen(wanted);

    if (given.size < size || strncasecmp(given.data, wanted, size) != 0) {
        return false;
    }
    return given.size == size || given.data[size] == ';' || given.data[size] == ' ';
}
