/* SPDX-License-Identifier: Apache-2.0 */
/* sendplan_kit.h: rows as the store has them, and what a plan does with them, for its tests. */
#ifndef TESTS_UNIT_SENDPLAN_KIT_H
#define TESTS_UNIT_SENDPLAN_KIT_H

#include "approvald/core/outbox.h"
#include "approvald/slack/outbound/sendplan.h"
#include "tests/unit/unit.h"

#define NOW       UINT64_C(1800000000000)
#define OUTAGE_MS UINT64_C(600000)

static const struct sendplan_limits open_limits = {
    .slack_count_max = SLACK_SEND_SLACK_COUNT_MAX,
    .change_count_max = SLACK_SEND_SLACK_COUNT_MAX,
    .webhook_count_max = SLACK_SEND_WEBHOOK_COUNT_MAX,
};

/* A row in a channel of its own; posted: its message is there and shows the first revision. */
static inline struct outbox_row
row_of(uint8_t number, enum surface surface, bool posted, uint64_t owed_ms)
{
    static char targets[256][16];
    struct request_id id = {.bytes = {number}};
    struct outbox_row row;

    targets[number][0] = 'C';
    targets[number][1] = (char)('0' + number / 10);
    targets[number][2] = (char)('0' + number % 10);
    outbox_init(&row, &id, surface, span_of(targets[number], 3));
    if (outbox_is_level(surface)) {
        outbox_raise(&row, posted ? 2 : 1, owed_ms);
    } else {
        const struct outbox_item item = {.id = 1, .at_ms = owed_ms};
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL(outbox_add(&row, &item, &err), ERR_OK);
    }
    if (posted) {
        row.ts = SPAN_LITERAL("1.2");
        row.sent = 1;
    }
    return row;
}

static inline void put(struct sendplan *plan, const struct outbox_row *row, uint64_t now_ms)
{
    CU_ASSERT(sendplan_put(plan, row, false, now_ms));
    CU_ASSERT(sendplan_invariant(plan));
}

static inline void put_ended(struct sendplan *plan, const struct outbox_row *row, uint64_t now_ms)
{
    CU_ASSERT(sendplan_put(plan, row, true, now_ms));
    CU_ASSERT(sendplan_invariant(plan));
}

/* Starts the next row; the number of its request, or 0. */
static inline uint8_t
start(struct sendplan *plan, const struct sendplan_limits *limits, uint64_t now_ms)
{
    struct sendplan_row *row = sendplan_next(plan, limits, now_ms);

    if (row == NULL) {
        return 0;
    }
    sendplan_start(plan, row);
    CU_ASSERT(sendplan_invariant(plan));
    return row->key.request.bytes[0];
}

#endif
