/* SPDX-License-Identifier: Apache-2.0 */
/* test_codec.c: proves the stored forms of all records: what goes in comes out, and nothing but
 * what an encoder wrote is accepted.
 * Owns nothing but its cases; never touches a store. */
#include "approvald/core/policy_routes.h"
#include "base/buf.h"
#include "base/mem.h"
#include "tests/unit/codec_golden.h"
#include "tests/unit/codec_sample.h"
#include "tests/unit/unit.h"

#include <string.h>

/* Beside the plain sample of each kind: those with another end, behind the kinds in their order. */
#define SAMPLE_REQUEST_NEEDS   CODEC_KIND_COUNT
#define SAMPLE_POLICY_NEEDS    (CODEC_KIND_COUNT + 1)
#define SAMPLE_INBOX_REQUESTER (CODEC_KIND_COUNT + 2)
#define SAMPLE_REQUEST_FIELDS  (CODEC_KIND_COUNT + 3)
#define SAMPLE_POLICY_FIELDS   (CODEC_KIND_COUNT + 4)
#define SAMPLE_REQUEST_GLASS   (CODEC_KIND_COUNT + 5)
#define SAMPLE_POLICY_GLASS    (CODEC_KIND_COUNT + 6)
#define SAMPLE_REQUEST_HOLD    (CODEC_KIND_COUNT + 7)
#define SAMPLE_POLICY_WINDOWS  (CODEC_KIND_COUNT + 8)
#define SAMPLE_POLICY_ROUTES   (CODEC_KIND_COUNT + 9)
#define SAMPLE_COUNT           (CODEC_KIND_COUNT + 10)

static uint32_t kind_of(uint32_t sample)
{
    static const uint32_t others[] = {0, 1, 4, 0, 1, 0, 1, 0, 1, 1};

    return sample < CODEC_KIND_COUNT ? sample : others[sample - CODEC_KIND_COUNT];
}

static struct request request_of(uint32_t sample)
{
    return sample == SAMPLE_REQUEST_NEEDS    ? codec_sample_request_needs()
           : sample == SAMPLE_REQUEST_FIELDS ? codec_sample_request_fields()
           : sample == SAMPLE_REQUEST_GLASS  ? codec_sample_request_glass()
           : sample == SAMPLE_REQUEST_HOLD   ? codec_sample_request_hold()
                                             : codec_sample_request();
}

static struct policy policy_of(uint32_t sample)
{
    return sample == SAMPLE_POLICY_NEEDS     ? codec_sample_policy_needs()
           : sample == SAMPLE_POLICY_FIELDS  ? codec_sample_policy_fields()
           : sample == SAMPLE_POLICY_GLASS   ? codec_sample_policy_glass()
           : sample == SAMPLE_POLICY_WINDOWS ? codec_sample_policy_windows()
           : sample == SAMPLE_POLICY_ROUTES  ? codec_sample_policy_routes()
                                             : codec_sample_policy();
}

static enum err_code encode(uint32_t sample, struct buf *buf, struct err *err)
{
    const struct request request = request_of(sample);
    const struct policy policy = policy_of(sample);
    const struct outbox_row row = codec_sample_row();
    const struct token_record token = codec_sample_token();
    struct inbox_entry inbox = codec_sample_inbox();
    const struct retention retention = codec_sample_retention();
    const struct audit_entry audit = codec_sample_audit();

    if (sample == SAMPLE_INBOX_REQUESTER) {
        inbox.requester = SPAN_LITERAL("U0ASK");
    }
    switch (kind_of(sample)) {
    case 0:
        return codec_request_encode(&request, buf, err);
    case 1:
        return codec_policy_encode(&policy, buf, err);
    case 2:
        return codec_row_encode(&row, buf, err);
    case 3:
        return codec_token_encode(&token, buf, err);
    case 4:
        return codec_inbox_encode(&inbox, buf, err);
    case 5:
        return codec_retention_encode(&retention, buf, err);
    default:
        return audit_entry_encode(&audit, buf, err);
    }
}

struct pair {
    struct buf *bytes;
    struct buf *again;
};

static struct pair pair_of(uint32_t sample)
{
    struct pair pair = {.bytes = NULL};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(65536, &pair.bytes, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(buf_new(65536, &pair.again, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(encode(sample, pair.bytes, &err), ERR_OK);
    return pair;
}

static void pair_done(struct pair *pair)
{
    buf_free(pair->bytes);
    buf_free(pair->again);
}

static void what_goes_in_comes_out(void)
{
    for (uint32_t sample = 0; sample < SAMPLE_COUNT; sample++) {
        uint32_t kind = kind_of(sample);
        struct pair pair = pair_of(sample);
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL(codec_round(kind, buf_span(pair.bytes), pair.again, &err), ERR_OK);
        CU_ASSERT(span_equal(buf_span(pair.bytes), buf_span(pair.again)));
        pair_done(&pair);
    }
}

static void every_field_of_a_request_survives(void)
{
    struct request in = codec_sample_request();
    struct request out;
    struct pair pair = pair_of(0);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(codec_request_decode(buf_span(pair.bytes), &out, &err), ERR_OK);
    CU_ASSERT(out.revision == in.revision && out.state == in.state && out.use == in.use);
    CU_ASSERT(span_equal(out.details, in.details) && span_equal(out.title, in.title));
    CU_ASSERT(out.bound && memcmp(out.bind_hash, in.bind_hash, 32) == 0);
    CU_ASSERT(span_equal(out.key_hash, in.key_hash) && span_equal(out.claim_hash, in.claim_hash));
    CU_ASSERT_EQUAL(out.consume_result, -7);
    CU_ASSERT_EQUAL(out.lapses_ms, 90);
    CU_ASSERT(out.decision_count == 2 && span_is(out.decisions[1].user, "U0BOB"));
    CU_ASSERT_EQUAL(out.decisions[1].via, VIA_CLI);
    pair_done(&pair);
}

static void needs_survive(void)
{
    struct request request;
    struct policy policy;
    struct pair pair = pair_of(SAMPLE_REQUEST_NEEDS);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(codec_request_decode(buf_span(pair.bytes), &request, &err), ERR_OK);
    CU_ASSERT(request.rejections == 2 && request.need_count == 3);
    CU_ASSERT(span_is(request.needs[1].name, "ops") && request.needs[1].quorum == 1);
    CU_ASSERT(request.needs[2].alternative == 1 && request.needs[1].alternative == 0);
    CU_ASSERT(request.decisions[0].needs == 3 && request.decisions[1].needs == 1);
    pair_done(&pair);
    pair = pair_of(SAMPLE_POLICY_NEEDS);
    CU_ASSERT_EQUAL_FATAL(codec_policy_decode(buf_span(pair.bytes), &policy, &err), ERR_OK);
    CU_ASSERT(policy.rejections == 2 && policy.need_count == 3 && policy.exclude_count == 1);
    CU_ASSERT(policy.needs[2].users == 3 && policy.needs[1].groups == 1);
    CU_ASSERT_EQUAL(policy.needs[2].need.quorum, 2);
    pair_done(&pair);
}

/* What older versions wrote reads as the default, and is written as it was. */
static void older_records_have_no_needs_and_stay_as_they_were(void)
{
    const struct span old_request = span_of(codec_golden_request, sizeof codec_golden_request);
    const struct span old_policy = span_of(codec_golden_policy, sizeof codec_golden_policy);
    AUTO_BUF struct buf *again = NULL;
    struct request request;
    struct policy policy;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(65536, &again, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(codec_request_decode(old_request, &request, &err), ERR_OK);
    CU_ASSERT(request.rejections == 1 && request.need_count == 0);
    CU_ASSERT(request.decision_count == 2 && request.decisions[0].needs == 0);
    CU_ASSERT_EQUAL(codec_request_encode(&request, again, &err), ERR_OK);
    CU_ASSERT(span_equal(buf_span(again), old_request));
    buf_clear(again);
    CU_ASSERT_EQUAL_FATAL(codec_policy_decode(old_policy, &policy, &err), ERR_OK);
    CU_ASSERT(policy.rejections == 1 && policy.need_count == 0 && policy.exclude_count == 0);
    CU_ASSERT_EQUAL(codec_policy_encode(&policy, again, &err), ERR_OK);
    CU_ASSERT(span_equal(buf_span(again), old_policy));
}

static void every_time_of_a_record_survives(void)
{
    const struct request_clocks in = codec_sample_request_needs().clocks;
    const struct policy_clocks of = codec_sample_policy_needs().clocks;
    struct request request;
    struct policy policy;
    struct pair first = pair_of(SAMPLE_REQUEST_NEEDS);
    struct pair second = pair_of(SAMPLE_POLICY_NEEDS);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(codec_request_decode(buf_span(first.bytes), &request, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(codec_policy_decode(buf_span(second.bytes), &policy, &err), ERR_OK);
    CU_ASSERT(request.clocks.remind_ms == in.remind_ms && request.clocks.escalate_ms == 0);
    CU_ASSERT(request.clocks.escalated_ms == in.escalated_ms);
    CU_ASSERT(request.clocks.effect_from_ms == in.effect_from_ms);
    CU_ASSERT(request.clocks.effect_ms == in.effect_ms);
    CU_ASSERT(policy.clocks.remind_before_ms == of.remind_before_ms);
    CU_ASSERT(policy.clocks.escalate_after_ms == of.escalate_after_ms);
    CU_ASSERT(policy.clocks.effect_after_ms == of.effect_after_ms);
    CU_ASSERT_EQUAL(policy.clocks.recheck, RECHECK_STRICT);
    CU_ASSERT(span_is(policy.clocks.escalate_channel, "C0BOSS"));
    CU_ASSERT(span_is(policy.clocks.escalate_users[0], "U0BOSS"));
    CU_ASSERT(span_is(policy.clocks.escalate_groups[0], "S0BOSS"));
    pair_done(&first);
    pair_done(&second);
}

/* Records of before it was counted have no count, and those that need none have none still. */
static void a_row_counts_its_reposts_and_repairs(void)
{
    struct outbox_row in = codec_sample_row();
    struct outbox_row out;
    struct pair pair = pair_of(2);
    struct err err = ERR_INIT;
    size_t size = buf_size(pair.bytes);

    CU_ASSERT_EQUAL_FATAL(codec_row_decode(buf_span(pair.bytes), &out, &err), ERR_OK);
    CU_ASSERT(out.reposts == 0 && out.repairs == 0);
    in.reposts = 2;
    in.repairs = 3;
    CU_ASSERT_EQUAL_FATAL(codec_row_encode(&in, pair.again, &err), ERR_OK);
    CU_ASSERT_EQUAL(buf_size(pair.again), size + 8);
    CU_ASSERT_EQUAL_FATAL(codec_row_decode(buf_span(pair.again), &out, &err), ERR_OK);
    CU_ASSERT(out.reposts == 2 && out.repairs == 3);
    memset(buf_at(pair.again, size), 0, 8); /* zeroes are not written, so they are not read */
    CU_ASSERT_EQUAL(codec_row_decode(buf_span(pair.again), &out, &err), ERR_CORRUPT);
    pair_done(&pair);
}

/* A copy of its own size, so that the sanitizers see a read beyond it. */
static enum err_code round_exact(uint32_t kind, const char *bytes, size_t size, struct buf *again)
{
    struct err err = ERR_INIT;
    char *copy = mem_new(size, 1);
    enum err_code rc;

    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    if (copy != NULL) {
        memcpy(copy, bytes, size);
    }
    buf_clear(again);
    rc = codec_round(kind, span_of(copy, size), again, &err);
    mem_free(copy);
    return rc;
}

static void cut_everywhere(uint32_t kind, struct pair *pair)
{
    for (size_t cut = 0; cut < buf_size(pair->bytes); cut++) {
        CU_ASSERT_EQUAL(round_exact(kind, buf_text(pair->bytes), cut, pair->again), ERR_CORRUPT);
    }
}

static void a_cut_record_is_refused(void)
{
    for (uint32_t sample = 0; sample < SAMPLE_COUNT; sample++) {
        uint32_t kind = kind_of(sample);
        struct pair pair = pair_of(sample);
        size_t size = buf_size(pair.bytes);

        cut_everywhere(kind, &pair);
        /* One byte too many, the NUL behind the content. */
        CU_ASSERT_EQUAL(round_exact(kind, buf_text(pair.bytes), size + 1, pair.again), ERR_CORRUPT);
        pair_done(&pair);
    }
}

/* A changed byte may be a legal other record, but then it encodes to exactly these bytes. */
static void change_everywhere(uint32_t kind, struct pair *pair)
{
    size_t size = buf_size(pair->bytes);

    for (size_t i = 0; i < size * 8; i++) {
        char *byte = buf_at(pair->bytes, i / 8);
        enum err_code rc;

        *byte = (char)(*byte ^ (1 << i % 8));
        rc = round_exact(kind, buf_text(pair->bytes), size, pair->again);
        CU_ASSERT(rc == ERR_CORRUPT || span_equal(buf_span(pair->bytes), buf_span(pair->again)));
        *byte = (char)(*byte ^ (1 << i % 8));
    }
}

static void a_changed_byte_is_refused_or_another_record(void)
{
    for (uint32_t sample = 0; sample < SAMPLE_COUNT; sample++) {
        uint32_t kind = kind_of(sample);
        struct pair pair = pair_of(sample);

        change_everywhere(kind, &pair);
        pair_done(&pair);
    }
}

static void another_version_is_refused(void)
{
    for (uint32_t sample = 0; sample < SAMPLE_COUNT; sample++) {
        uint32_t kind = kind_of(sample);
        struct pair pair = pair_of(sample);

        *buf_at(pair.bytes, 0) = *buf_at(pair.bytes, 0) == 2 ? 1 : 2;
        CU_ASSERT_EQUAL(round_exact(kind, buf_text(pair.bytes), buf_size(pair.bytes), pair.again),
                        ERR_CORRUPT);
        pair_done(&pair);
    }
}

static void fields_survive_and_leave_no_trace_where_there_are_none(void)
{
    struct request request;
    struct policy policy;
    struct pair pair = pair_of(SAMPLE_REQUEST_FIELDS);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(codec_request_decode(buf_span(pair.bytes), &request, &err), ERR_OK);
    CU_ASSERT(span_equal(request.fields, codec_sample_request_fields().fields));
    CU_ASSERT_EQUAL(request.need_count, 3);
    request = codec_sample_request();
    request.fields = codec_sample_request_fields().fields;
    CU_ASSERT_EQUAL_FATAL(codec_request_encode(&request, pair.again, &err), ERR_OK);
    CU_ASSERT_EQUAL(*buf_at(pair.again, 0), 2); /* an older version refuses it */
    pair_done(&pair);
    pair = pair_of(SAMPLE_POLICY_FIELDS);
    CU_ASSERT_EQUAL_FATAL(codec_policy_decode(buf_span(pair.bytes), &policy, &err), ERR_OK);
    CU_ASSERT(span_equal(policy.fields, codec_sample_policy_fields().fields));
    CU_ASSERT_EQUAL(policy.need_count, 3);
    pair_done(&pair);
    pair = pair_of(0);
    CU_ASSERT_EQUAL(*buf_at(pair.bytes, 0), 1); /* as it always was */
    CU_ASSERT_EQUAL_FATAL(codec_request_decode(buf_span(pair.bytes), &request, &err), ERR_OK);
    CU_ASSERT_EQUAL(request.fields.size, 0);
    pair_done(&pair);
}

static void routes_survive_and_leave_no_trace_where_there_are_none(void)
{
    struct pair pair = pair_of(SAMPLE_POLICY_ROUTES);
    struct err err = ERR_INIT;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(codec_policy_decode(buf_span(pair.bytes), &policy, &err), ERR_OK);
    CU_ASSERT(policy_channels_equal(
        &policy,
        &(struct policy){.channel = SPAN_LITERAL("C0CARDS"),
                         .more_channel_count = 2,
                         .more_channels = {SPAN_LITERAL("C0MORE"), SPAN_LITERAL("G0MOST")}}));
    CU_ASSERT(policy.direct_approvers);
    CU_ASSERT_EQUAL(*buf_at(pair.bytes, 0), 2); /* an older version refuses it */
    pair_done(&pair);
    pair = pair_of(1);
    CU_ASSERT_EQUAL(*buf_at(pair.bytes, 0), 1); /* as it always was */
    policy = codec_sample_policy();
    policy.direct_approvers = true; /* and no further channels */
    CU_ASSERT_EQUAL_FATAL(codec_policy_encode(&policy, pair.again, &err), ERR_OK);
    CU_ASSERT_EQUAL(*buf_at(pair.again, buf_size(pair.again) - 1), 8);
    policy.direct_approvers = false;
    CU_ASSERT_EQUAL(codec_policy_decode(buf_span(pair.again), &policy, &err), ERR_OK);
    CU_ASSERT(policy.direct_approvers && policy.more_channel_count == 0);
    pair_done(&pair);
}

/* Who does not know channels would take one for a user group that has nobody in it. */
static void a_policy_that_names_a_channel_is_of_another_version(void)
{
    struct policy policy = codec_sample_policy();
    struct pair pair = pair_of(1);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(*buf_at(pair.bytes, 0), 1); /* as it always was */
    *buf_at(pair.bytes, 0) = 2;
    CU_ASSERT_EQUAL(codec_policy_decode(buf_span(pair.bytes), &policy, &err), ERR_CORRUPT);
    policy = codec_sample_policy();
    policy.group_count = 1;
    policy.groups[0] = SPAN_LITERAL("C0CREW");
    CU_ASSERT_EQUAL_FATAL(codec_policy_encode(&policy, pair.again, &err), ERR_OK);
    CU_ASSERT_EQUAL(*buf_at(pair.again, 0), 2);
    CU_ASSERT_EQUAL(codec_policy_decode(buf_span(pair.again), &policy, &err), ERR_OK);
    CU_ASSERT(policy.group_count == 1 && span_is(policy.groups[0], "C0CREW"));
    *buf_at(pair.again, 0) = 1;
    CU_ASSERT_EQUAL(codec_policy_decode(buf_span(pair.again), &policy, &err), ERR_CORRUPT);
    pair_done(&pair);
    pair = pair_of(1);
    policy = codec_sample_policy();
    policy.users[0] = SPAN_LITERAL("ana@acme.example");
    CU_ASSERT_EQUAL_FATAL(codec_policy_encode(&policy, pair.again, &err), ERR_OK);
    CU_ASSERT_EQUAL(*buf_at(pair.again, 0), 2);
    CU_ASSERT_EQUAL(codec_policy_decode(buf_span(pair.again), &policy, &err), ERR_OK);
    CU_ASSERT(span_is(policy.users[0], "ana@acme.example"));
    policy = codec_sample_policy();
    policy.clocks.escalate_after_ms = 1;
    policy.clocks.escalate_user_count = 1;
    policy.clocks.escalate_users[0] = SPAN_LITERAL("boss@acme.example");
    buf_clear(pair.again);
    CU_ASSERT_EQUAL_FATAL(codec_policy_encode(&policy, pair.again, &err), ERR_OK);
    CU_ASSERT_EQUAL(*buf_at(pair.again, 0), 2);
    CU_ASSERT_EQUAL(codec_policy_decode(buf_span(pair.again), &policy, &err), ERR_OK);
    *buf_at(pair.again, buf_size(pair.again) - 1) = 64; /* a part that this version does not know */
    CU_ASSERT_EQUAL(codec_policy_decode(buf_span(pair.again), &policy, &err), ERR_CORRUPT);
    pair_done(&pair);
}

UNIT_MAIN("codec",
          {"what goes in comes out", what_goes_in_comes_out},
          {"every field of a request survives", every_field_of_a_request_survives},
          {"needs survive", needs_survive},
          {"older records have no needs and stay as they were",
           older_records_have_no_needs_and_stay_as_they_were},
          {"fields survive and leave no trace where there are none",
           fields_survive_and_leave_no_trace_where_there_are_none},
          {"routes survive and leave no trace where there are none",
           routes_survive_and_leave_no_trace_where_there_are_none},
          {"a policy that names a channel is of another version",
           a_policy_that_names_a_channel_is_of_another_version},
          {"every time of a record survives", every_time_of_a_record_survives},
          {"a row counts its reposts and repairs", a_row_counts_its_reposts_and_repairs},
          {"a cut record is refused", a_cut_record_is_refused},
          {"a changed byte is refused or another record",
           a_changed_byte_is_refused_or_another_record},
          {"another version is refused", another_version_is_refused})
