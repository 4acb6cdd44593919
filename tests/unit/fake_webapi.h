/* SPDX-License-Identifier: Apache-2.0 */
/* fake_webapi.h: a client of Slack's Web API whose calls fake_fetch keeps. */
#ifndef TESTS_UNIT_FAKE_WEBAPI_H
#define TESTS_UNIT_FAKE_WEBAPI_H

#include "approvald/slack/wire/webapi.h"
#include "tests/unit/fake_fetch.h"

#include <CUnit/CUnit.h>

/* Owned by the caller. */
static inline struct webapi *
fake_webapi_new(struct event_base *base, struct metrics *metrics, const struct clock *clock)
{
    struct webapi_options options = {.base = base,
                                     .fetch = fake_fetch(),
                                     .metrics = metrics,
                                     .clock = clock,
                                     .base_url = "http://127.0.0.1:9/api/",
                                     .token = SPAN_LITERAL("xoxb-test")};
    struct webapi *webapi = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(webapi_new(&options, &webapi, &err), ERR_OK);
    return webapi;
}

#endif
