/* SPDX-License-Identifier: Apache-2.0 */
/* sample_request.h: requests for tests of what people see: a plausible one, and one in which every
 * text is as long and as hostile as the rules let it be. */
#ifndef TESTS_LIB_SAMPLE_REQUEST_H
#define TESTS_LIB_SAMPLE_REQUEST_H

#include "approvald/core/types.h"

/* Every shape a card can have. */
#define SAMPLE_TABLE(X)                                                                            \
    X(SAMPLE_PENDING, "pending")                                                                   \
    X(SAMPLE_PARTIAL, "partial")                                                                   \
    X(SAMPLE_APPROVED, "approved")                                                                 \
    X(SAMPLE_CLAIMED, "claimed")                                                                   \
    X(SAMPLE_DONE, "done")                                                                         \
    X(SAMPLE_FAILED, "failed")                                                                     \
    X(SAMPLE_LAPSED, "lapsed")                                                                     \
    X(SAMPLE_REJECTED, "rejected")                                                                 \
    X(SAMPLE_EXPIRED, "expired")                                                                   \
    X(SAMPLE_CANCELLED, "cancelled")                                                               \
    X(SAMPLE_ESCALATED, "escalated")                                                               \
    X(SAMPLE_DELAYED, "delayed")                                                                   \
    X(SAMPLE_STOPPED, "stopped")                                                                   \
    X(SAMPLE_GLASS, "glass")                                                                       \
    X(SAMPLE_GLASS_FAILED, "glass_failed")

enum sample {
#define SAMPLE_ENUM(code, word) code,
    SAMPLE_TABLE(SAMPLE_ENUM)
#undef SAMPLE_ENUM
        SAMPLE_COUNT
};
const char *sample_word(enum sample sample);

/* Texts are static. */
void sample_policy(struct policy *ret_policy);
void sample_request(enum sample sample, struct request *ret_request);
/* "security: 1 of S0SEC00001, ops: 2 of S0OPS00001 U0APR00002, or, director: 1 of U0APR00003", two
 * rejections. U0APR00001 may fill security or ops. Partial: he and U0APR00009, of security, have
 * approved. Approved, or pending. */
void sample_needs(enum sample sample, struct request *ret_request, struct policy *ret_policy);

/* The hostile kinds of text. */
#define SAMPLE_HOSTILE_COUNT 8
const char *sample_hostile_unit(uint32_t kind);
/* Every text is the unit repeated to its limit of code points; all people and groups there can be.
 * The texts live in *room. */
struct sample_room {
    char title[4 * CORE_DETAILS_SIZE_MAX];
    char reason[4 * CORE_DETAILS_SIZE_MAX];
    char target[4 * CORE_DETAILS_SIZE_MAX];
    char details[4 * CORE_DETAILS_SIZE_MAX];
    char label[4 * CORE_DETAILS_SIZE_MAX];
    char value[4 * CORE_DETAILS_SIZE_MAX];
    char fields[2 * CORE_FIELD_VALUES_SIZE_MAX];
    char users[CORE_POLICY_USER_COUNT_MAX][CORE_SLACK_ID_SIZE_MAX + 1];
    char groups[CORE_POLICY_GROUP_COUNT_MAX][CORE_SLACK_ID_SIZE_MAX + 1];
};
void sample_hostile(uint32_t kind,
                    enum sample sample,
                    struct sample_room *room,
                    struct request *ret_request,
                    struct policy *ret_policy);

#endif
