/* SPDX-License-Identifier: Apache-2.0 */
/* fake_fetch.h: base/fetch.h without a network: calls are kept until the test answers them. Linked
 * in the place of base/fetch.c. */
#ifndef TESTS_UNIT_FAKE_FETCH_H
#define TESTS_UNIT_FAKE_FETCH_H

#include "base/fetch.h"

#include <stdbool.h>
#include <stddef.h>

#define FAKE_FETCH_CALL_COUNT_MAX 64
#define FAKE_FETCH_TEXT_SIZE      4096
#define FAKE_FETCH_BODY_SIZE      16384 /* a modal with all its inputs */

struct fetch_call {
    bool open; /* not answered or cancelled yet */
    uint32_t timeout_ms;
    char url[FAKE_FETCH_TEXT_SIZE];
    char body[FAKE_FETCH_BODY_SIZE];
    char bearer[FAKE_FETCH_TEXT_SIZE];
    char content_type[FAKE_FETCH_TEXT_SIZE];
    fetch_done_fn *done;
    void *arg;
};

/* The fetch that is handed to the code under test; never looked into. */
struct fetch *fake_fetch(void);
/* Forgets everything; later starts fail with refuse when it is not ERR_OK. */
void fake_fetch_reset(enum err_code refuse);
/* Calls started since the reset. */
size_t fake_fetch_count(void);
const struct fetch_call *fake_fetch_call(size_t index);
/* The oldest open call whose URL ends so, or NULL. */
struct fetch_call *fake_fetch_find(const char *url_end);
/* Answers an open call. */
void fake_fetch_answer(struct fetch_call *call, const struct fetch_response *response);
/* Answers the oldest open call whose URL ends so with 200 and body; false when there is none. */
bool fake_fetch_ok(const char *url_end, const char *body);

#endif
