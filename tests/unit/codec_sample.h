/* SPDX-License-Identifier: Apache-2.0 */
/* codec_sample.h: one full record of each kind, for tests of their stored forms. */
#ifndef TESTS_UNIT_CODEC_SAMPLE_H
#define TESTS_UNIT_CODEC_SAMPLE_H

#include "approvald/core/audit.h"
#include "approvald/core/codec.h"

static const char codec_sample_hash[33] = "0123456789abcdef0123456789ABCDEF";

static inline struct span codec_sample_span(void)
{
    return span_of(codec_sample_hash, 32);
}

static inline struct request codec_sample_request(void)
{
    return (struct request){
        .id = {.bytes = {1, 2, 3}},
        .revision = 4,
        .state = REQUEST_APPROVED,
        .use = USE_CONSUMED,
        .policy = SPAN_LITERAL("deploy"),
        .policy_version = 9,
        .requester = SPAN_LITERAL("U0ASK"),
        .asker = SPAN_LITERAL("ci"),
        .title = SPAN_LITERAL("Deploy \xc3\xa4"),
        .reason = SPAN_LITERAL("because"),
        .target = SPAN_LITERAL("prod"),
        .details = SPAN_LITERAL("a\nb"),
        .bound = true,
        .bind_hash = {7},
        .key_hash = codec_sample_span(),
        .created_ms = 1,
        .expires_ms = 100,
        .lapses_ms = 90,
        .ended_ms = 10,
        .claimed_ms = 11,
        .claim_hash = codec_sample_span(),
        .consumed_ms = 12,
        .consume_result = -7,
        .quorum = 2,
        .rejections = 1,
        .decision_count = 2,
        .decisions = {{.verdict = VERDICT_APPROVE,
                       .via = VIA_SLACK,
                       .at_ms = 5,
                       .user = SPAN_LITERAL("U0ANN"),
                       .reason = SPAN_LITERAL("ok")},
                      {.verdict = VERDICT_APPROVE,
                       .via = VIA_CLI,
                       .at_ms = 6,
                       .user = SPAN_LITERAL("U0BOB")}},
    };
}

static inline struct policy codec_sample_policy(void)
{
    return (struct policy){.name = SPAN_LITERAL("deploy"),
                           .version = 2,
                           .deleted = true,
                           .title = SPAN_LITERAL("Deployments"),
                           .channel = SPAN_LITERAL("C0CARDS"),
                           .quorum = 2,
                           .rejections = 1,
                           .direct_requester = true,
                           .ask_in_slack = true,
                           .expires_after_ms = 1000,
                           .lapses_after_ms = 2000,
                           .user_count = 2,
                           .users = {SPAN_LITERAL("U0ANN"), SPAN_LITERAL("U0BOB")},
                           .group_count = 1,
                           .groups = {SPAN_LITERAL("S0OPS")},
                           .webhook_count = 1,
                           .webhooks = {SPAN_LITERAL("ci")},
                           .applied_ms = 3,
                           .applied_by = SPAN_LITERAL("root")};
}

/* The glass was broken, and may be. */
static inline struct request codec_sample_request_glass(void)
{
    struct request request = codec_sample_request();

    request.decision_count = 1;
    request.glass = (struct request_glass){.at_ms = 10,
                                           .via = VIA_CLI,
                                           .user = SPAN_LITERAL("U0ASK"),
                                           .reason = SPAN_LITERAL("the site is down")};
    return request;
}

static inline struct policy codec_sample_policy_glass(void)
{
    struct policy policy = codec_sample_policy();

    policy.glass = (struct policy_glass){.root = true,
                                         .user_count = 2,
                                         .users = {SPAN_LITERAL("U0ASK"), SPAN_LITERAL("U0BOB")},
                                         .channel = SPAN_LITERAL("C0LOUD"),
                                         .tell_count = 1,
                                         .tells = {SPAN_LITERAL("U0BOSS")}};
    return policy;
}

/* It may not be used yet, and may be at some hours only. */
static inline struct request codec_sample_request_hold(void)
{
    struct request request = codec_sample_request();

    request.use = USE_UNUSED;
    request.claimed_ms = 0;
    request.claim_hash = SPAN_NONE;
    request.consumed_ms = 0;
    request.hold = (struct request_hold){
        .until_ms = 99, .freeze = SPAN_LITERAL("x-mas"), .reason = SPAN_LITERAL("holidays")};
    return request;
}

static inline struct policy codec_sample_policy_windows(void)
{
    struct policy policy = codec_sample_policy();

    policy.windows =
        (struct policy_windows){.count = 2,
                                .items = {{.days = 31, .from_min = 540, .to_min = 1020},
                                          {.days = 64, .from_min = 1320, .to_min = 360}},
                                .zone = SPAN_LITERAL("Europe/Berlin"),
                                .refuse = true};
    return policy;
}

static inline struct policy codec_sample_policy_routes(void)
{
    struct policy policy = codec_sample_policy();

    policy.more_channel_count = 2;
    policy.more_channels[0] = SPAN_LITERAL("C0MORE");
    policy.more_channels[1] = SPAN_LITERAL("G0MOST");
    policy.direct_approvers = true;
    return policy;
}

/* The same with what newer versions have added: their stored forms have another end. */
static inline struct request codec_sample_request_needs(void)
{
    struct request request = codec_sample_request();

    request.rejections = 2;
    request.need_count = 3;
    request.needs[0] = (struct need){.name = SPAN_LITERAL("security"), .quorum = 1};
    request.needs[1] = (struct need){.name = SPAN_LITERAL("ops"), .quorum = 1};
    request.needs[2] =
        (struct need){.name = SPAN_LITERAL("director"), .quorum = 2, .alternative = 1};
    request.decisions[0].needs = 3;
    request.decisions[1].needs = 1;
    request.clocks = (struct request_clocks){
        .remind_ms = 80, .escalated_ms = 4, .effect_from_ms = 7, .effect_ms = 9};
    return request;
}

static inline struct policy codec_sample_policy_needs(void)
{
    struct policy policy = codec_sample_policy();
    struct request request = codec_sample_request_needs();

    policy.rejections = request.rejections;
    policy.exclude_count = 1;
    policy.excludes[0] = SPAN_LITERAL("S0TEAM");
    policy.need_count = request.need_count;
    for (uint32_t i = 0; i < policy.need_count; i++) {
        policy.needs[i] = (struct policy_need){.need = request.needs[i], .users = 1 + i};
    }
    policy.needs[1].groups = 1;
    policy.clocks = (struct policy_clocks){.recheck = RECHECK_STRICT,
                                           .remind_before_ms = 4000,
                                           .escalate_after_ms = 5000,
                                           .effect_after_ms = 6000,
                                           .escalate_channel = SPAN_LITERAL("C0BOSS"),
                                           .escalate_user_count = 1,
                                           .escalate_users = {SPAN_LITERAL("U0BOSS")},
                                           .escalate_group_count = 1,
                                           .escalate_groups = {SPAN_LITERAL("S0BOSS")}};
    return policy;
}

/* With the policy's own fields behind the needs: one value, one select, in their stored forms. */
static inline struct request codec_sample_request_fields(void)
{
    struct request request = codec_sample_request_needs();

    request.fields = SPAN_LITERAL("\x01\x03\x00"
                                  "env"
                                  "\x0b\x00"
                                  "Environment"
                                  "\x04\x00"
                                  "prod");
    return request;
}

static inline struct policy codec_sample_policy_fields(void)
{
    struct policy policy = codec_sample_policy_needs();

    policy.fields = SPAN_LITERAL("\x01\x03\x00"
                                 "env"
                                 "\x02\x01"
                                 "\x00\x00\x00\x00\x00\x00\x00\x00"
                                 "\x00\x00\x00\x00\x00\x00\x00\x00"
                                 "\x03\x00"
                                 "Env"
                                 "\x00\x00\x00\x00"
                                 "\x01\x04\x00"
                                 "prod");
    return policy;
}

static inline struct outbox_row codec_sample_row(void)
{
    return (struct outbox_row){
        .request = {.bytes = {9}},
        .surface = SURFACE_WEBHOOK,
        .attempted = true,
        .target = SPAN_LITERAL("ci"),
        .owed_ms = 5,
        .attempt_ms = 6,
        .attempts = 3,
        .error = SPAN_LITERAL("timeout"),
        .item_count = 2,
        .items = {{.id = 4, .at_ms = 5, .kind = AUDIT_APPROVED, .user = SPAN_LITERAL("U0ANN")},
                  {.id = 6, .at_ms = 7, .kind = AUDIT_CLAIMED, .text = SPAN_LITERAL("x")}}};
}

static inline struct token_record codec_sample_token(void)
{
    return (struct token_record){.id = 3,
                                 .hash = {1, 2},
                                 .name = SPAN_LITERAL("ci"),
                                 .may_ask = true,
                                 .revoked = true,
                                 .user = SPAN_LITERAL("U0ANN"),
                                 .policy_count = 1,
                                 .policies = {SPAN_LITERAL("deploy")},
                                 .rate_per_minute = 60,
                                 .created_ms = 1,
                                 .expires_ms = 2};
}

static inline struct inbox_entry codec_sample_inbox(void)
{
    return (struct inbox_entry){
        .seq = 8,
        .at_ms = 9,
        .id = {.bytes = {3}},
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = SPAN_LITERAL("U0ZED")},
        .verdict = VERDICT_REJECT,
        .reason = SPAN_LITERAL("no"),
        .has_key = true,
        .key = {.bytes = {5}},
        .channel = SPAN_LITERAL("C0CARDS"),
        .thread = SPAN_LITERAL("1.2"),
        .group_count = 1,
        .groups = {SPAN_LITERAL("S0OPS")}};
}

static inline struct retention codec_sample_retention(void)
{
    return (struct retention){.version = 2,
                              .requests_ms = 86400000,
                              .audit_ms = 864000000,
                              .applied_ms = 4,
                              .applied_by = SPAN_LITERAL("root")};
}

static inline struct audit_entry codec_sample_audit(void)
{
    return (struct audit_entry){.seq = 5,
                                .at_ms = 6,
                                .action = SPAN_LITERAL("approved"),
                                .actor = SPAN_LITERAL("user:U0ANN"),
                                .via = SPAN_LITERAL("slack"),
                                .has_id = true,
                                .id = {.bytes = {1}},
                                .detail = SPAN_LITERAL("d")};
}

/* Each record kind by number, for loops and for the fuzzer: decodes bytes and, when they decode,
 * encodes the record again. */
#define CODEC_KIND_COUNT 7
static inline enum err_code
codec_round(uint32_t kind, struct span bytes, struct buf *again, struct err *err)
{
    union {
        struct request request;
        struct policy policy;
        struct outbox_row row;
        struct token_record token;
        struct inbox_entry inbox;
        struct retention retention;
        struct audit_entry audit;
    } any;
    enum err_code rc;

    switch (kind) {
    case 0:
        rc = codec_request_decode(bytes, &any.request, err);
        return rc == ERR_OK ? codec_request_encode(&any.request, again, err) : rc;
    case 1:
        rc = codec_policy_decode(bytes, &any.policy, err);
        return rc == ERR_OK ? codec_policy_encode(&any.policy, again, err) : rc;
    case 2:
        rc = codec_row_decode(bytes, &any.row, err);
        return rc == ERR_OK ? codec_row_encode(&any.row, again, err) : rc;
    case 3:
        rc = codec_token_decode(bytes, &any.token, err);
        return rc == ERR_OK ? codec_token_encode(&any.token, again, err) : rc;
    case 4:
        rc = codec_inbox_decode(bytes, &any.inbox, err);
        return rc == ERR_OK ? codec_inbox_encode(&any.inbox, again, err) : rc;
    case 5:
        rc = codec_retention_decode(bytes, &any.retention, err);
        return rc == ERR_OK ? codec_retention_encode(&any.retention, again, err) : rc;
    default:
        rc = audit_entry_decode(bytes, &any.audit, err);
        return rc == ERR_OK && any.audit.seq > 0 ? audit_entry_encode(&any.audit, again, err) : rc;
    }
}

#endif
