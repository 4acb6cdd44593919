/* SPDX-License-Identifier: Apache-2.0 */
/* route.h: which handler serves a method and a path. Pure. */
#ifndef APPROVALD_HTTP_ROUTE_H
#define APPROVALD_HTTP_ROUTE_H

#include "approvald/http/server.h"

struct metric;

enum route_class { ROUTE_2XX, ROUTE_4XX, ROUTE_5XX, ROUTE_CLASS_COUNT };

struct route_entry {
    const struct http_route *route; /* borrowed */
    void *arg;                      /* for the handler */
    struct metric *duration;
    struct metric *counts[ROUTE_CLASS_COUNT];
    char labels[ROUTE_CLASS_COUNT + 1][128]; /* of the series; the last one of the duration */
};

struct route_table {
    uint32_t count;
    struct route_entry entries[HTTP_ROUTE_COUNT_MAX];
};

#define ROUTE_ALLOW_SIZE 64
struct route_found {
    const struct route_entry *entry; /* NULL: not found, or not with this method */
    uint32_t param_count;
    struct span params[HTTP_PARAM_COUNT_MAX];
    char allow[ROUTE_ALLOW_SIZE]; /* methods of the path when entry is NULL; empty: no such path */
};

void route_find(const struct route_table *table,
                enum http_listener listener,
                enum http_method method,
                struct span path,
                struct route_found *ret_found);
/* "application/json" matches "Application/JSON; charset=utf-8". */
bool route_type_matches(const char *wanted, struct span given);
const char *route_method_text(enum http_method method);

#endif
