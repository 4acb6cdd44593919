/* SPDX-License-Identifier: Apache-2.0 */
/* sample_request.c: requests for tests of what people see.
 * Owns their texts; never touches a store or the network. */
#include "tests/lib/sample_request.h"

#include "approvald/core/fields.h"
#include "base/assert.h"
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define START_MS UINT64_C(1764752400000) /* 2025-12-03 09:00 UTC */

const char *sample_word(enum sample sample)
{
    static const char *const words[] = {
#define SAMPLE_WORD(code, word) [code] = (word),
        SAMPLE_TABLE(SAMPLE_WORD)
#undef SAMPLE_WORD
    };

    return words[sample];
}

void sample_policy(struct policy *ret_policy)
{
    *ret_policy = (struct policy){
        .name = SPAN_LITERAL("prod-deploy"),
        .version = 3,
        .title = SPAN_LITERAL("Production deploys"),
        .channel = SPAN_LITERAL("C0APV00001"),
        .quorum = 2,
        .rejections = 1,
        .direct_requester = true,
        .expires_after_ms = 3600000,
        .lapses_after_ms = 1800000,
        .user_count = 2,
        .users = {SPAN_LITERAL("U0APR00001"), SPAN_LITERAL("U0APR00002")},
        .group_count = 1,
        .groups = {SPAN_LITERAL("S0APV00001")},
        .webhook_count = 1,
        .webhooks = {SPAN_LITERAL("deploys")},
        .clocks = {.escalate_after_ms = 600000,
                   .escalate_channel = SPAN_LITERAL("C0APV00009"),
                   .escalate_user_count = 1,
                   .escalate_users = {SPAN_LITERAL("U0BOSS0001")},
                   .escalate_group_count = 1,
                   .escalate_groups = {SPAN_LITERAL("S0BOSS0001")}},
    };
}

static void decide(struct request *request,
                   enum verdict verdict,
                   const char *user,
                   enum via via,
                   struct span reason)
{
    struct decision *decision = &request->decisions[request->decision_count];

    *decision = (struct decision){
        .verdict = verdict,
        .via = via,
        .at_ms = START_MS + UINT64_C(60000) * (request->decision_count + 1),
        .user = span_text(user),
        .reason = reason,
    };
    request->decision_count++;
}

static void set_state(struct request *request, enum request_state state, enum request_use use)
{
    request->state = state;
    request->use = use;
    request->revision += request->decision_count + 1;
    request->ended_ms = START_MS + 300000;
}

static void approve_twice(struct request *request)
{
    decide(request, VERDICT_APPROVE, "U0APR00001", VIA_SLACK, SPAN_NONE);
    decide(request, VERDICT_APPROVE, "U0APR00002", VIA_CLI, SPAN_LITERAL("looked at the diff"));
    set_state(request, REQUEST_APPROVED, USE_UNUSED);
    request->lapses_ms = request->ended_ms + 1800000;
}

static void set_use(struct request *request, enum request_use use, int32_t result)
{
    request->use = use;
    request->revision++;
    request->claimed_ms = request->ended_ms + 1000;
    if (use == USE_CONSUMED) {
        request->consumed_ms = request->ended_ms + 60000;
        request->consume_result = result;
        request->revision++;
    }
}

static void break_glass(struct request *request)
{
    decide(request, VERDICT_APPROVE, "U0APR00001", VIA_SLACK, SPAN_NONE);
    set_state(request, REQUEST_APPROVED, USE_UNUSED);
    request->glass = (struct request_glass){
        .at_ms = request->ended_ms,
        .via = VIA_CLI,
        .user = SPAN_LITERAL("U0REQ00001"),
        .reason = SPAN_LITERAL("Customers cannot pay, and nobody of the others answers.")};
    request->lapses_ms = request->ended_ms + 1800000;
}

/* What happened to a pending request. */
static void advance(struct request *request, enum sample sample)
{
    struct span reason =
        SPAN_LITERAL("The change freeze begins today; please ask again on Monday.");

    switch (sample) {
    case SAMPLE_PENDING:
    case SAMPLE_COUNT:
        break;
    case SAMPLE_PARTIAL:
        decide(request, VERDICT_APPROVE, "U0APR00001", VIA_SLACK, SPAN_NONE);
        request->revision++;
        break;
    case SAMPLE_APPROVED:
        approve_twice(request);
        break;
    case SAMPLE_CLAIMED:
        approve_twice(request);
        set_use(request, USE_CLAIMED, 0);
        break;
    case SAMPLE_DONE:
        approve_twice(request);
        set_use(request, USE_CONSUMED, 0);
        break;
    case SAMPLE_FAILED:
        approve_twice(request);
        set_use(request, USE_CONSUMED, -7);
        break;
    case SAMPLE_LAPSED:
        approve_twice(request);
        request->use = USE_LAPSED;
        request->revision++;
        break;
    case SAMPLE_REJECTED:
        decide(request, VERDICT_REJECT, "U0APR00002", VIA_SLACK, reason);
        set_state(request, REQUEST_REJECTED, USE_NONE);
        break;
    case SAMPLE_EXPIRED:
        set_state(request, REQUEST_EXPIRED, USE_NONE);
        break;
    case SAMPLE_CANCELLED:
        set_state(request, REQUEST_CANCELLED, USE_NONE);
        request->end_actor = SPAN_LITERAL("deploy-bot");
        request->end_reason = SPAN_LITERAL("The build was replaced by a newer one.");
        break;
    case SAMPLE_ESCALATED:
        decide(request, VERDICT_APPROVE, "U0APR00001", VIA_SLACK, SPAN_NONE);
        request->clocks.escalated_ms = START_MS + 600000;
        request->revision += 2;
        break;
    case SAMPLE_DELAYED:
    case SAMPLE_STOPPED:
        decide(request, VERDICT_APPROVE, "U0APR00001", VIA_SLACK, SPAN_NONE);
        decide(request, VERDICT_APPROVE, "U0APR00002", VIA_SLACK, SPAN_NONE);
        request->clocks.effect_from_ms = START_MS + 200000;
        request->clocks.effect_ms = START_MS + 800000;
        request->revision += 2;
        if (sample == SAMPLE_STOPPED) {
            decide(request, VERDICT_REJECT, "U0APR00002", VIA_SLACK, SPAN_NONE);
            set_state(request, REQUEST_REJECTED, USE_NONE);
        }
        break;
    case SAMPLE_GLASS:
    case SAMPLE_GLASS_FAILED:
        break_glass(request);
        if (sample == SAMPLE_GLASS_FAILED) {
            set_use(request, USE_CONSUMED, 1);
        }
        break;
    }
}

void sample_request(enum sample sample, struct request *ret_request)
{
    *ret_request = (struct request){
        .id = {{0x01, 0x9a, 0xe2, 0x40, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                0xbb, 0xcc}},
        .revision = 1,
        .state = REQUEST_PENDING,
        .policy = SPAN_LITERAL("prod-deploy"),
        .policy_version = 3,
        .requester = SPAN_LITERAL("U0REQ00001"),
        .asker = SPAN_LITERAL("deploy-bot"),
        .title = SPAN_LITERAL("Deploy billing-api 4.2.1 to production"),
        .reason = SPAN_LITERAL("Fixes the rounding of invoices & totals < 0."),
        .target = SPAN_LITERAL("billing-api on prod_eu_1"),
        .details = SPAN_LITERAL("ansible-playbook deploy.yml \\\n  --limit prod_eu_1 -e tag=4.2.1"),
        .bound = true,
        .bind_hash = {0x3f, 0xa9, 0x12, 0xbc},
        .created_ms = START_MS,
        .expires_ms = START_MS + 3600000,
        .quorum = 2,
        .rejections = 1,
    };
    advance(ret_request, sample);
}

static void set_needs(struct policy *policy)
{
    const struct policy_need needs[] = {
        {.need = {.name = SPAN_LITERAL("security"), .quorum = 1}, .groups = 1},
        {.need = {.name = SPAN_LITERAL("ops"), .quorum = 2}, .users = 2, .groups = 2},
        {.need = {.name = SPAN_LITERAL("director"), .quorum = 1, .alternative = 1}, .users = 4},
    };

    policy->users[2] = SPAN_LITERAL("U0APR00003");
    policy->user_count = 3;
    policy->groups[0] = SPAN_LITERAL("S0SEC00001");
    policy->groups[1] = SPAN_LITERAL("S0OPS00001");
    policy->group_count = 2;
    policy->need_count = 3;
    memcpy(policy->needs, needs, sizeof needs);
    policy->quorum = 1;
    policy->rejections = 2;
}

void sample_needs(enum sample sample, struct request *ret_request, struct policy *ret_policy)
{
    sample_policy(ret_policy);
    set_needs(ret_policy);
    sample_request(SAMPLE_PENDING, ret_request);
    ret_request->quorum = ret_policy->quorum;
    ret_request->rejections = ret_policy->rejections;
    ret_request->need_count = ret_policy->need_count;
    for (uint32_t i = 0; i < ret_policy->need_count; i++) {
        ret_request->needs[i] = ret_policy->needs[i].need;
    }
    if (sample == SAMPLE_PENDING) {
        return;
    }
    decide(ret_request, VERDICT_APPROVE, "U0APR00001", VIA_SLACK, SPAN_NONE);
    decide(ret_request, VERDICT_APPROVE, "U0APR00009", VIA_SLACK, SPAN_NONE);
    ret_request->decisions[0].needs = 3;
    ret_request->decisions[1].needs = 1;
    ret_request->revision += 2;
    if (sample == SAMPLE_PARTIAL) {
        return;
    }
    decide(ret_request, VERDICT_APPROVE, "U0APR00002", VIA_CLI, SPAN_NONE);
    ret_request->decisions[2].needs = 2;
    set_state(ret_request, REQUEST_APPROVED, USE_UNUSED);
}

const char *sample_hostile_unit(uint32_t kind)
{
    static const char *const units[SAMPLE_HOSTILE_COUNT] = {
        "<!channel> <@U0EVIL0001> <https://evil.example|Approve> ",
        "&&&&&&&&",
        "*Approved* by _everyone_ ~not~ `code` :white_check_mark: > quoted ",
        "\n\n> *Approved*\n",
        ("\xe2\x80\xae"
         "evil\xe2\x80\xac\x1b[31m\x07\xe2\x80\x8b "),
        "\xf0\x9f\x92\xa5",
        "\"\\\"}],\\u0000\t",
        "\xff\xc3\x28\xed\xa0\x80",
    };

    return units[kind % SAMPLE_HOSTILE_COUNT];
}

/* The unit again and again, count_max code points at most (bytes where it is no text). */
static struct span repeat(char *room, size_t room_size, const char *unit, size_t count_max)
{
    size_t size = 0;
    size_t count = 0;
    size_t unit_size = strlen(unit);

    while (size < room_size) {
        char byte = unit[size % unit_size];

        count += ((unsigned char)byte & 0xc0) != 0x80;
        if (count > count_max) {
            break;
        }
        room[size++] = byte;
    }
    return span_of(room, size);
}

static void crowd(struct sample_room *room, struct policy *policy)
{
    policy->user_count = CORE_POLICY_USER_COUNT_MAX;
    for (uint32_t i = 0; i < policy->user_count; i++) {
        (void)snprintf(room->users[i], sizeof room->users[i], "U0123456789ABCDEFGHIJ%03u", i);
        policy->users[i] = span_text(room->users[i]);
    }
    policy->clocks.escalate_user_count = CORE_ESCALATE_USER_COUNT_MAX;
    for (uint32_t i = 0; i < policy->clocks.escalate_user_count; i++) {
        policy->clocks.escalate_users[i] = policy->users[i];
    }
    policy->group_count = CORE_POLICY_GROUP_COUNT_MAX;
    for (uint32_t i = 0; i < policy->group_count; i++) {
        (void)snprintf(room->groups[i], sizeof room->groups[i], "S0123456789ABCDEFGHIJ%03u", i);
        policy->groups[i] = span_text(room->groups[i]);
    }
}

/* As many of the policy's fields as there can be, in their stored form. */
static struct span ask_more(struct sample_room *room, const char *unit)
{
    AUTO_BUF struct buf *stored = NULL;
    struct field_values values = {.count = CORE_FIELD_COUNT_MAX};
    enum err_code rc = buf_new(sizeof room->fields, &stored, NULL);

    for (uint32_t i = 0; i < values.count; i++) {
        values.items[i] = (struct field_value){
            .name = SPAN_LITERAL("more"),
            .label = repeat(room->label, sizeof room->label, unit, CORE_FIELD_LABEL_COUNT_MAX),
            .value = repeat(room->value, sizeof room->value, unit, CORE_FIELD_VALUE_COUNT_MAX)};
    }
    if (rc == ERR_OK) {
        rc = field_values_encode(&values, stored, NULL);
    }
    ASSERT(rc == ERR_OK);
    memcpy(room->fields, buf_text(stored), buf_size(stored));
    return span_of(room->fields, buf_size(stored));
}

void sample_hostile(uint32_t kind,
                    enum sample sample,
                    struct sample_room *room,
                    struct request *ret_request,
                    struct policy *ret_policy)
{
    const char *unit = sample_hostile_unit(kind);

    sample_policy(ret_policy);
    crowd(room, ret_policy);
    sample_request(sample, ret_request);
    ret_request->title = repeat(room->title, sizeof room->title, unit, CORE_TITLE_COUNT_MAX);
    ret_request->reason = repeat(room->reason, sizeof room->reason, unit, CORE_REASON_COUNT_MAX);
    ret_request->target = repeat(room->target, sizeof room->target, unit, CORE_TARGET_COUNT_MAX);
    ret_request->details =
        repeat(room->details, sizeof room->details, unit, CORE_DETAILS_COUNT_MAX);
    ret_request->fields = ask_more(room, unit);
    ret_request->asker = ret_request->target;
    if (ret_request->glass.at_ms > 0) {
        ret_request->glass.reason = ret_request->reason;
    }
    ret_request->quorum = CORE_QUORUM_MAX;
    if (sample == SAMPLE_PENDING || sample == SAMPLE_EXPIRED || sample == SAMPLE_COUNT) {
        return;
    }
    while (ret_request->decision_count < CORE_DECISION_COUNT_MAX) {
        decide(ret_request, VERDICT_REJECT, room->users[ret_request->decision_count], VIA_API,
               ret_request->reason);
    }
    ret_request->end_reason = ret_request->reason;
    ret_request->end_actor = ret_request->target;
}
