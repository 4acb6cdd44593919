/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_loop.h: curl's transfers on the event loop. For fetch*.c. */
#ifndef BASE_FETCH_LOOP_H
#define BASE_FETCH_LOOP_H

#include "base/err.h"

#include <curl/curl.h>

struct event_base;
struct fetch_loop;

/* A handle is done, with what curl says of it. It is still added; the callback may remove it and
 * add others. Never called from inside fetch_loop_add. */
typedef void fetch_loop_done_fn(void *arg, CURL *easy, CURLcode code);

/* base is borrowed. At most connection_count_max connections are kept. ERR_NOMEM, ERR_FATAL. */
enum err_code fetch_loop_new(struct event_base *base,
                             long connection_count_max,
                             fetch_loop_done_fn *done,
                             void *arg,
                             struct fetch_loop **ret_loop,
                             struct err *err) WARN_UNUSED;
/* Every handle has been removed. Never from inside a callback. NULL is allowed. */
void fetch_loop_free(struct fetch_loop *loop);

/* easy is borrowed until fetch_loop_remove. ERR_NOMEM. */
enum err_code fetch_loop_add(struct fetch_loop *loop, CURL *easy, struct err *err) WARN_UNUSED;
void fetch_loop_remove(struct fetch_loop *loop, CURL *easy);

#endif
