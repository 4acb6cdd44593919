/* SPDX-License-Identifier: Apache-2.0 */
/* sample_record.c: the stored records of a fixture.
 * Owns which ones there are. Never writes a store. */
#include "approvald/core/freeze.h"
#include "approvald/service/keys.h"
#include "base/buf.h"
#include "base/pack.h"
#include "tests/formats/sample.h"
#include "tests/unit/codec_sample.h"

#include <string.h>

#define SAMPLE_SIZE_MAX 65536U

struct put {
    sample_put_fn *fn;
    void *arg;
    struct buf *value; /* owned */
    struct err *err;
    uint64_t seq; /* of the last audit entry */
    uint8_t head[AUDIT_HASH_SIZE];
};

static enum err_code begin(struct put *put, sample_put_fn *fn, void *arg, struct err *err)
{
    *put = (struct put){.fn = fn, .arg = arg, .err = err};
    return buf_new(SAMPLE_SIZE_MAX, &put->value, err);
}

/* Ends a row: what lies in put->value goes under the key, if rc is ERR_OK. */
static enum err_code end(struct put *put, enum err_code rc, enum table table, struct key key)
{
    if (rc == ERR_OK) {
        rc = put->fn(put->arg, (uint8_t)table, key_span(&key), buf_span(put->value), put->err);
    }
    buf_clear(put->value);
    return rc;
}

static enum err_code
put_bytes(struct put *put, enum table table, struct key key, const void *bytes, size_t size)
{
    return end(put, buf_append(put->value, bytes, size, put->err), table, key);
}

static enum err_code put_request(struct put *put, struct request request, uint8_t number)
{
    enum err_code rc = pack_u64(put->value, number, put->err);

    request.id.bytes[15] = number;
    if (rc == ERR_OK) {
        rc = codec_request_encode(&request, put->value, put->err);
    }
    return end(put, rc, TABLE_REQUESTS, key_request(&request.id));
}

/* A plain one in the given state, without decisions. */
static struct request plain(enum request_state state)
{
    struct request request = codec_sample_request();

    request.state = state;
    request.use = USE_NONE;
    request.decision_count = 0;
    request.bound = false;
    memset(request.bind_hash, 0, sizeof request.bind_hash);
    request.claim_hash = SPAN_NONE;
    request.claimed_ms = 0;
    request.consumed_ms = 0;
    request.consume_result = 0;
    request.lapses_ms = 0;
    request.ended_ms = state == REQUEST_PENDING ? 0 : 10;
    return request;
}

static struct request cancelled(void)
{
    struct request request = plain(REQUEST_CANCELLED);

    request.end_actor = SPAN_LITERAL("U0ASK");
    request.end_reason = SPAN_LITERAL("not needed any more");
    return request;
}

static struct request used(enum request_use use)
{
    struct request request = codec_sample_request();

    request.use = use;
    request.consumed_ms = 0;
    request.consume_result = 0;
    if (use == USE_CONSUMED) {
        return codec_sample_request();
    }
    if (use != USE_CLAIMED) {
        request.claimed_ms = 0;
        request.claim_hash = SPAN_NONE;
    }
    return request;
}

/* Needs, fields, clocks, people who stand in, and a hold: all parts but the glass. */
static struct request full(void)
{
    struct request request = codec_sample_request_fields();

    request.clocks.escalate_ms = 3;
    request.decisions[1].no_own = true;
    request.decisions[1].behalf_count = 2;
    request.decisions[1].behalfs[0] = (struct behalf){.user = SPAN_LITERAL("U0CAT"), .needs = 2};
    request.decisions[1].behalfs[1] = (struct behalf){.user = SPAN_LITERAL("U0DOG"), .needs = 4};
    request.hold = codec_sample_request_hold().hold;
    return request;
}

static enum err_code put_requests(struct put *put)
{
    static struct request (*const others[])(void) = {
        cancelled,
        codec_sample_request,
        codec_sample_request_glass,
        codec_sample_request_hold,
        codec_sample_request_needs,
        codec_sample_request_fields,
        full,
    };
    enum err_code rc = ERR_OK;
    uint8_t number = 0;

    for (unsigned state = REQUEST_PENDING; rc == ERR_OK && state <= REQUEST_EXPIRED; state++) {
        rc = put_request(put, plain((enum request_state)state), ++number);
    }
    for (unsigned use = USE_UNUSED; rc == ERR_OK && use <= USE_LAPSED; use++) {
        rc = put_request(put, used((enum request_use)use), ++number);
    }
    for (size_t i = 0; rc == ERR_OK && i < sizeof others / sizeof others[0]; i++) {
        rc = put_request(put, others[i](), ++number);
    }
    return rc;
}

static enum err_code put_policy(struct put *put, struct policy policy, uint32_t version)
{
    uint8_t head[4];
    enum err_code rc;

    policy.version = version;
    rc = end(put, codec_policy_encode(&policy, put->value, put->err), TABLE_POLICIES,
             key_policy(policy.name, version));
    if (rc != ERR_OK) {
        return rc;
    }
    pack_key_u32(head, version);
    return put_bytes(put, TABLE_HEADS, key_text(policy.name), head, sizeof head);
}

static struct policy flagged(void)
{
    struct policy policy = codec_sample_policy();

    policy.deleted = false;
    policy.self_approval = true;
    policy.require_reason = true;
    policy.step_up = true;
    policy.delegation = true;
    return policy;
}

/* Everything that a policy can say. */
static struct policy full_policy(void)
{
    struct policy policy = codec_sample_policy_fields();

    policy.deleted = false;
    policy.self_approval = true;
    policy.require_reason = true;
    policy.step_up = true;
    policy.delegation = true;
    policy.direct_approvers = true;
    policy.more_channel_count = 1;
    policy.more_channels[0] = SPAN_LITERAL("C0MORE");
    policy.glass = codec_sample_policy_glass().glass;
    policy.windows = codec_sample_policy_windows().windows;
    return policy;
}

static enum err_code put_policies(struct put *put)
{
    static struct policy (*const all[])(void) = {
        codec_sample_policy,        flagged,
        codec_sample_policy_needs,  codec_sample_policy_fields,
        codec_sample_policy_glass,  codec_sample_policy_windows,
        codec_sample_policy_routes, full_policy,
    };
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < sizeof all / sizeof all[0]; i++) {
        rc = put_policy(put, all[i](), i + 1);
    }
    return rc;
}

static enum err_code put_row(struct put *put, struct outbox_row row, enum table table)
{
    return end(put, codec_row_encode(&row, put->value, put->err), table,
               key_row(&row.request, row.surface, row.target));
}

static struct outbox_row row_of(enum surface surface, struct span target)
{
    struct outbox_row row = {.request = {.bytes = {1, 2, 3}},
                             .surface = surface,
                             .target = target,
                             .wanted = 4,
                             .sent = 4,
                             .channel = SPAN_LITERAL("C0CARDS"),
                             .ts = SPAN_LITERAL("1700000000.123456")};

    row.request.bytes[15] = 1;
    return row;
}

static enum err_code put_rows(struct put *put)
{
    struct outbox_row card = row_of(SURFACE_CARD, SPAN_LITERAL("C0CARDS"));
    struct outbox_row dead = row_of(SURFACE_DIRECT, SPAN_LITERAL("U0ASK"));
    struct outbox_row thread = codec_sample_row();
    struct outbox_row notice = codec_sample_row();
    enum err_code rc;

    card.reposts = 1;
    card.repairs = 2;
    dead.dead = true;
    dead.wanted = 5;
    dead.error = SPAN_LITERAL("channel_not_found");
    thread.surface = SURFACE_THREAD;
    thread.target = SPAN_LITERAL("C0CARDS");
    notice.surface = SURFACE_NOTICE;
    notice.target = SPAN_LITERAL("U0ZED");
    rc = put_row(put, card, TABLE_SETTLED);
    if (rc == ERR_OK) {
        rc = put_row(put, dead, TABLE_DEAD);
    }
    if (rc == ERR_OK) {
        rc = put_row(put, thread, TABLE_OWED);
    }
    if (rc == ERR_OK) {
        rc = put_row(put, notice, TABLE_OWED);
    }
    if (rc == ERR_OK) {
        rc = put_row(put, codec_sample_row(), TABLE_OWED);
    }
    return rc == ERR_OK
               ? put_row(put, row_of(SURFACE_PEOPLE, SPAN_LITERAL(ROUTE_TARGET)), TABLE_SETTLED)
               : rc;
}

static enum err_code put_token(struct put *put, struct token_record token)
{
    return end(put, codec_token_encode(&token, put->value, put->err), TABLE_TOKENS,
               key_u64(token.id));
}

static enum err_code put_people(struct put *put)
{
    struct token_record reader = codec_sample_token();
    const struct delegation delegation = {.id = 6,
                                          .from = SPAN_LITERAL("U0ANN"),
                                          .to = SPAN_LITERAL("U0BOB"),
                                          .begin_ms = 10,
                                          .end_ms = UINT64_C(4000000000000),
                                          .made_ms = 9,
                                          .made_by = SPAN_LITERAL("user:U0ANN")};
    const struct step_up step_up = {.user = SPAN_LITERAL("U0ANN"),
                                    .enrolled_ms = 5,
                                    .enrolled_by = SPAN_LITERAL("root"),
                                    .nonce = {1, 2, 3},
                                    .sealed = {.data = "0123456789abcdef0123456789abcdef0123",
                                               .size = TOTP_SEED_SIZE + CRYPTO_TAG_SIZE},
                                    .state = {.last_step = 7, .failures = 2, .locked_ms = 8}};
    enum err_code rc = put_token(put, codec_sample_token());

    reader.id = 4;
    reader.name = SPAN_LITERAL("reader");
    reader.may_decide = true;
    reader.may_read = true;
    reader.revoked = false;
    if (rc == ERR_OK) {
        rc = put_token(put, reader);
    }
    if (rc == ERR_OK) {
        rc = end(put, codec_delegation_encode(&delegation, put->value, put->err), TABLE_DELEGATIONS,
                 key_delegation(delegation.to, delegation.id));
    }
    return rc == ERR_OK ? end(put, codec_step_up_encode(&step_up, put->value, put->err),
                              TABLE_STEP_UPS, key_text(step_up.user))
                        : rc;
}

static enum err_code put_inbox(struct put *put, struct inbox_entry entry, uint64_t seq)
{
    static const uint8_t mark[] = {1};
    enum err_code rc;

    entry.seq = seq;
    rc = end(put, codec_inbox_encode(&entry, put->value, put->err), TABLE_INBOX, key_u64(seq));
    return rc == ERR_OK ? put_bytes(put, TABLE_WAITING, key_waiting(&entry.id, entry.verdict, seq),
                                    mark, sizeof mark)
                        : rc;
}

static enum err_code put_waiting(struct put *put)
{
    struct inbox_entry asked = codec_sample_inbox();
    struct inbox_entry stepped = codec_sample_inbox();
    enum err_code rc = put_inbox(put, codec_sample_inbox(), 1);

    asked.requester = SPAN_LITERAL("U0ASK");
    stepped.requester = SPAN_LITERAL("U0ASK");
    stepped.stepped = true;
    if (rc == ERR_OK) {
        rc = put_inbox(put, asked, 2);
    }
    return rc == ERR_OK ? put_inbox(put, stepped, 3) : rc;
}

static enum err_code put_freeze(struct put *put, struct span name)
{
    const struct freeze freeze = {.name = name,
                                  .from_ms = 10,
                                  .to_ms = 20,
                                  .glass_passes = true,
                                  .reason = SPAN_LITERAL("holidays"),
                                  .added_ms = 9,
                                  .added_by = SPAN_LITERAL("root")};

    return end(put, codec_freeze_encode(&freeze, put->value, put->err), TABLE_FREEZES,
               key_text(name));
}

/* The next entry of the chain: hash, link, bytes. */
static enum err_code put_audit(struct put *put, struct audit_entry entry)
{
    AUTO_BUF struct buf *bytes = NULL;
    enum err_code rc = buf_new(SAMPLE_SIZE_MAX, &bytes, put->err);

    entry.seq = ++put->seq;
    if (rc == ERR_OK) {
        rc = audit_entry_encode(&entry, bytes, put->err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    audit_chain(put->head, buf_span(bytes), put->head);
    rc = buf_append(put->value, put->head, sizeof put->head, put->err);
    if (rc == ERR_OK) {
        rc = pack_u64(put->value, entry.seq - 1, put->err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_span(put->value, buf_span(bytes), put->err);
    }
    return end(put, rc, TABLE_AUDIT, key_u64(entry.seq));
}

/* version, then numbers as keys have them: what work.c, prune.c and glass.c write. */
static enum err_code
put_numbers(struct put *put, struct span name, const uint64_t *numbers, size_t count, bool with_id)
{
    uint8_t bytes[1 + 8 * 8 + REQUEST_ID_SIZE] = {1};
    size_t size = 1 + 8 * count;

    for (size_t i = 0; i < count; i++) {
        pack_key_u64(bytes + 1 + 8 * i, numbers[i]);
    }
    if (with_id) {
        bytes[size] = 1;
        size += REQUEST_ID_SIZE;
    }
    return put_bytes(put, TABLE_META, key_text(name), bytes, size);
}

static enum err_code put_meta(struct put *put)
{
    static const uint64_t counts[] = {15, 1, 3, 1, 3, 3, 4};
    static const uint64_t glass[] = {1, 10};
    static const uint64_t clock[] = {UINT64_C(1800000000000), 60000};
    static const uint8_t elapsed[2 + 16] = {1, 1, [9] = 7, [17] = 9};
    static const uint8_t anchor[AUDIT_HASH_SIZE] = {0};
    const struct retention retention = codec_sample_retention();
    enum err_code rc = put_numbers(put, SPAN_LITERAL("counts"), counts, 7, false);

    if (rc == ERR_OK) {
        rc = put_numbers(put, SPAN_LITERAL("glass"), glass, 2, true);
    }
    if (rc == ERR_OK) {
        rc = put_numbers(put, SPAN_LITERAL("prune_clock"), clock, 2, false);
    }
    if (rc == ERR_OK) {
        rc = put_bytes(put, TABLE_META, key_text(SPAN_LITERAL("elapsed")), elapsed, sizeof elapsed);
    }
    if (rc == ERR_OK) {
        rc = put_bytes(put, TABLE_META, key_text(SPAN_LITERAL("anchor")), anchor, sizeof anchor);
    }
    return rc == ERR_OK ? end(put, codec_retention_encode(&retention, put->value, put->err),
                              TABLE_META, key_text(SPAN_LITERAL("retention")))
                        : rc;
}

static enum err_code put_marks(struct put *put)
{
    static const uint8_t mark[] = {1};
    static const uint8_t event[] = {1, 0, REFUSAL_GUEST};
    uint8_t intent[INTENT_SIZE];
    uint8_t owner[REQUEST_ID_SIZE + 32] = {1, 2, 3, [15] = 1, [16] = 0xbb};
    struct request_id id = {.bytes = {1, 2, 3, [15] = 1}};
    struct inbox_key key;
    enum err_code rc = put_bytes(put, TABLE_PENDING, key_request(&id), mark, sizeof mark);

    intent_make(3, SPAN_LITERAL("release-42"), intent);
    inbox_key_make(INBOX_BLOCK_ACTIONS, 1700000000, SPAN_LITERAL("U0ANN 1.2"), &key);
    if (rc == ERR_OK) {
        rc = put_bytes(put, TABLE_DEADLINES, key_deadline(UINT64_C(4000000000000), &id), mark,
                       sizeof mark);
    }
    if (rc == ERR_OK) {
        rc = put_bytes(put, TABLE_INTENTS, key_text(span_of(intent, sizeof intent)), owner,
                       sizeof owner);
    }
    return rc == ERR_OK
               ? put_bytes(put, TABLE_EVENTS, key_text(span_of(key.bytes, sizeof key.bytes)), event,
                           sizeof event)
               : rc;
}

typedef enum err_code part_fn(struct put *put);

static enum err_code put_log(struct put *put)
{
    struct audit_entry system = codec_sample_audit();
    enum err_code rc = put_audit(put, codec_sample_audit());

    system.has_id = false;
    system.id = (struct request_id){.bytes = {0}};
    system.action = SPAN_LITERAL("pruned");
    system.actor = SPAN_LITERAL("system");
    system.via = SPAN_LITERAL("system");
    if (rc == ERR_OK) {
        rc = put_audit(put, system);
    }
    return rc == ERR_OK ? put_freeze(put, SPAN_LITERAL("x-mas")) : rc;
}

enum err_code sample_state(sample_put_fn *fn, void *arg, struct err *err)
{
    static part_fn *const parts[] = {put_requests, put_policies, put_rows, put_people,
                                     put_waiting,  put_log,      put_meta, put_marks};
    struct put put;
    enum err_code rc = begin(&put, fn, arg, err);

    for (size_t i = 0; rc == ERR_OK && i < sizeof parts / sizeof parts[0]; i++) {
        rc = parts[i](&put);
    }
    buf_free(put.value);
    return rc;
}

enum err_code sample_tail(sample_put_fn *fn, void *arg, struct err *err)
{
    struct key gone = key_text(SPAN_LITERAL("x-mas"));
    struct request changed = plain(REQUEST_PENDING);
    struct put put;
    enum err_code rc = begin(&put, fn, arg, err);

    if (rc == ERR_OK) {
        rc = put_request(&put, plain(REQUEST_PENDING), 99);
    }
    changed.revision = 5;
    changed.title = SPAN_LITERAL("Changed behind the checkpoint");
    if (rc == ERR_OK) {
        rc = put_request(&put, changed, 1);
    }
    if (rc == ERR_OK) {
        rc = put_freeze(&put, SPAN_LITERAL("incident"));
    }
    if (rc == ERR_OK) {
        rc = fn(arg, TABLE_FREEZES, key_span(&gone), SPAN_NONE, err);
    }
    buf_free(put.value);
    return rc;
}
