/* SPDX-License-Identifier: Apache-2.0 */
/* card_text.h: what tests look for in a message for Slack. */
#ifndef TESTS_UNIT_CARD_TEXT_H
#define TESTS_UNIT_CARD_TEXT_H

#include "base/buf.h"
#include "base/json.h"

#include <CUnit/CUnit.h>
#include <string.h>

static inline bool has(struct span text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* What was printed, owned by the caller. */
static inline struct json *parsed(const struct buf *printed)
{
    struct json *json = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(json_parse(buf_span(printed), buf_size(printed), &json, &err), ERR_OK);
    return json;
}

/* The first block of the type, or NULL. */
static inline const struct json *block_of(const struct json *message, const char *type)
{
    const struct json *block = json_first(json_get(message, "blocks"));

    while (block != NULL && !span_is(json_text(block, "type"), type)) {
        block = json_next(block);
    }
    return block;
}

#endif
