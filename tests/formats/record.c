/* SPDX-License-Identifier: Apache-2.0 */
/* record.c: prints stored records.
 * Owns the tables of their fields.
 * Never reads a store. */
#include "tests/formats/record.h"

#include "approvald/core/audit.h"
#include "approvald/core/codec.h"
#include "approvald/core/freeze.h"
#include "approvald/service/keys.h"
#include "base/buf.h"
#include "base/pack.h"
#include "tests/formats/field.h"

#include <inttypes.h>
#include <string.h>

#define RECORD_SIZE_LIMIT 65536U
#define PREFIX_SIZE       64U
#define LINK_SIZE         8U

#define NUMBER(member) FIELD(RECORD, member, FIELD_NUMBER)
#define TEXT(member)   FIELD(RECORD, member, FIELD_TEXT)
#define BYTES(member)  FIELD(RECORD, member, FIELD_BYTES)
#define LAST                                                                                       \
    {                                                                                              \
        .kind = FIELD_END                                                                          \
    }

#define RECORD struct request
static const struct field request_fields[] = {
    BYTES(id.bytes),
    NUMBER(revision),
    NUMBER(state),
    NUMBER(use),
    TEXT(policy),
    NUMBER(policy_version),
    TEXT(requester),
    TEXT(asker),
    TEXT(title),
    TEXT(reason),
    TEXT(target),
    TEXT(details),
    NUMBER(bound),
    BYTES(bind_hash),
    TEXT(key_hash),
    NUMBER(created_ms),
    NUMBER(expires_ms),
    NUMBER(lapses_ms),
    NUMBER(ended_ms),
    NUMBER(claimed_ms),
    TEXT(claim_hash),
    NUMBER(consumed_ms),
    FIELD(RECORD, consume_result, FIELD_I32),
    TEXT(end_actor),
    TEXT(end_reason),
    TEXT(fields),
    NUMBER(quorum),
    NUMBER(rejections),
    NUMBER(need_count),
    NUMBER(decision_count),
    NUMBER(clocks.remind_ms),
    NUMBER(clocks.escalate_ms),
    NUMBER(clocks.escalated_ms),
    NUMBER(clocks.effect_from_ms),
    NUMBER(clocks.effect_ms),
    NUMBER(glass.at_ms),
    NUMBER(glass.via),
    TEXT(glass.user),
    TEXT(glass.reason),
    NUMBER(hold.until_ms),
    TEXT(hold.freeze),
    TEXT(hold.reason),
    LAST,
};
#undef RECORD
#define RECORD struct need
static const struct field need_fields[] = {TEXT(name), NUMBER(quorum), NUMBER(alternative), LAST};
#undef RECORD
#define RECORD struct decision
static const struct field decision_fields[] = {NUMBER(verdict), NUMBER(via),          NUMBER(needs),
                                               NUMBER(at_ms),   TEXT(user),           TEXT(reason),
                                               NUMBER(no_own),  NUMBER(behalf_count), LAST};
#undef RECORD
#define RECORD struct behalf
static const struct field behalf_fields[] = {TEXT(user), NUMBER(needs), LAST};
#undef RECORD
#define RECORD struct policy
static const struct field policy_fields[] = {
    TEXT(name),
    NUMBER(version),
    NUMBER(deleted),
    TEXT(title),
    TEXT(channel),
    NUMBER(quorum),
    NUMBER(rejections),
    NUMBER(self_approval),
    NUMBER(direct_requester),
    NUMBER(require_reason),
    NUMBER(ask_in_slack),
    NUMBER(step_up),
    NUMBER(direct_approvers),
    NUMBER(delegation),
    NUMBER(expires_after_ms),
    NUMBER(lapses_after_ms),
    FIELD_LIST(RECORD, users, user_count),
    FIELD_LIST(RECORD, groups, group_count),
    NUMBER(need_count),
    FIELD_LIST(RECORD, excludes, exclude_count),
    FIELD_LIST(RECORD, webhooks, webhook_count),
    FIELD_LIST(RECORD, more_channels, more_channel_count),
    TEXT(fields),
    NUMBER(applied_ms),
    TEXT(applied_by),
    NUMBER(clocks.recheck),
    NUMBER(clocks.remind_before_ms),
    NUMBER(clocks.escalate_after_ms),
    NUMBER(clocks.effect_after_ms),
    TEXT(clocks.escalate_channel),
    FIELD_LIST(RECORD, clocks.escalate_users, clocks.escalate_user_count),
    FIELD_LIST(RECORD, clocks.escalate_groups, clocks.escalate_group_count),
    NUMBER(glass.root),
    FIELD_LIST(RECORD, glass.users, glass.user_count),
    TEXT(glass.channel),
    FIELD_LIST(RECORD, glass.tells, glass.tell_count),
    NUMBER(windows.count),
    TEXT(windows.zone),
    NUMBER(windows.refuse),
    LAST,
};
#undef RECORD
#define RECORD struct policy_need
static const struct field policy_need_fields[] = {TEXT(need.name),          NUMBER(need.quorum),
                                                  NUMBER(need.alternative), NUMBER(users),
                                                  NUMBER(groups),           LAST};
#undef RECORD
#define RECORD struct policy_window
static const struct field window_fields[] = {NUMBER(days), NUMBER(from_min), NUMBER(to_min), LAST};
#undef RECORD
#define RECORD struct outbox_row
static const struct field row_fields[] = {
    BYTES(request.bytes),
    NUMBER(surface),
    NUMBER(attempted),
    NUMBER(dead),
    TEXT(target),
    NUMBER(wanted),
    NUMBER(sent),
    TEXT(channel),
    TEXT(ts),
    NUMBER(owed_ms),
    NUMBER(attempt_ms),
    NUMBER(attempts),
    NUMBER(item_count),
    NUMBER(reposts),
    NUMBER(repairs),
    TEXT(error),
    LAST,
};
#undef RECORD
#define RECORD struct outbox_item
static const struct field item_fields[] = {NUMBER(id), NUMBER(at_ms), NUMBER(kind),
                                           TEXT(user), TEXT(text),    LAST};
#undef RECORD
#define RECORD struct token_record
static const struct field token_fields[] = {
    NUMBER(id),
    BYTES(hash),
    TEXT(name),
    NUMBER(may_ask),
    NUMBER(may_decide),
    NUMBER(may_read),
    NUMBER(revoked),
    TEXT(user),
    FIELD_LIST(RECORD, policies, policy_count),
    NUMBER(rate_per_minute),
    NUMBER(created_ms),
    NUMBER(expires_ms),
    LAST,
};
#undef RECORD
#define RECORD struct delegation
static const struct field delegation_fields[] = {
    NUMBER(id),     TEXT(from),      TEXT(to),      NUMBER(begin_ms),
    NUMBER(end_ms), NUMBER(made_ms), TEXT(made_by), LAST};
#undef RECORD
#define RECORD struct step_up
static const struct field step_up_fields[] = {
    TEXT(user),   NUMBER(enrolled_ms),     TEXT(enrolled_by),      BYTES(nonce),
    TEXT(sealed), NUMBER(state.last_step), NUMBER(state.failures), NUMBER(state.locked_ms),
    LAST};
#undef RECORD
#define RECORD struct freeze
static const struct field freeze_fields[] = {
    TEXT(name),   NUMBER(from_ms),  NUMBER(to_ms),  NUMBER(glass_passes),
    TEXT(reason), NUMBER(added_ms), TEXT(added_by), LAST};
#undef RECORD
#define RECORD struct inbox_entry
static const struct field inbox_fields[] = {
    NUMBER(seq),
    NUMBER(at_ms),
    BYTES(id.bytes),
    NUMBER(actor.kind),
    NUMBER(actor.via),
    TEXT(actor.user),
    TEXT(actor.token),
    NUMBER(verdict),
    TEXT(reason),
    NUMBER(has_key),
    BYTES(key.bytes),
    TEXT(channel),
    TEXT(thread),
    FIELD_LIST(RECORD, groups, group_count),
    TEXT(requester),
    NUMBER(stepped),
    LAST,
};
#undef RECORD
#define RECORD struct retention
static const struct field retention_fields[] = {NUMBER(version),  NUMBER(requests_ms),
                                                NUMBER(audit_ms), NUMBER(applied_ms),
                                                TEXT(applied_by), LAST};
#undef RECORD
#define RECORD struct audit_entry
static const struct field audit_fields[] = {NUMBER(seq),     NUMBER(at_ms), TEXT(action),
                                            TEXT(actor),     TEXT(via),     NUMBER(has_id),
                                            BYTES(id.bytes), TEXT(detail),  LAST};
#undef RECORD

/* "decisions[2]." */
static const char *prefix_of(char room[PREFIX_SIZE], const char *list, uint32_t index)
{
    (void)snprintf(room, PREFIX_SIZE, "%s[%" PRIu32 "].", list, index); /* both are short */
    return room;
}

static void print_behalfs(FILE *out, const struct decision *decision, uint32_t index)
{
    char list[PREFIX_SIZE / 2];
    char prefix[PREFIX_SIZE];

    (void)snprintf(list, sizeof list, "decisions[%" PRIu32 "].behalfs", index); /* fits */
    for (uint32_t i = 0; i < decision->behalf_count; i++) {
        field_print(out, prefix_of(prefix, list, i), behalf_fields, &decision->behalfs[i]);
    }
}

static enum err_code print_request(FILE *out, struct span value, struct buf *again, struct err *err)
{
    struct request request;
    char prefix[PREFIX_SIZE];
    enum err_code rc = codec_request_decode(value, &request, err);

    if (rc != ERR_OK) {
        return rc;
    }
    field_print(out, "", request_fields, &request);
    for (uint32_t i = 0; i < request.need_count; i++) {
        field_print(out, prefix_of(prefix, "needs", i), need_fields, &request.needs[i]);
    }
    for (uint32_t i = 0; i < request.decision_count; i++) {
        field_print(out, prefix_of(prefix, "decisions", i), decision_fields, &request.decisions[i]);
        print_behalfs(out, &request.decisions[i], i);
    }
    return codec_request_encode(&request, again, err);
}

static enum err_code print_policy(FILE *out, struct span value, struct buf *again, struct err *err)
{
    struct policy policy;
    char prefix[PREFIX_SIZE];
    enum err_code rc = codec_policy_decode(value, &policy, err);

    if (rc != ERR_OK) {
        return rc;
    }
    field_print(out, "", policy_fields, &policy);
    for (uint32_t i = 0; i < policy.need_count; i++) {
        field_print(out, prefix_of(prefix, "needs", i), policy_need_fields, &policy.needs[i]);
    }
    for (uint32_t i = 0; i < policy.windows.count; i++) {
        field_print(out, prefix_of(prefix, "windows", i), window_fields, &policy.windows.items[i]);
    }
    return codec_policy_encode(&policy, again, err);
}

static enum err_code print_row(FILE *out, struct span value, struct buf *again, struct err *err)
{
    struct outbox_row row;
    char prefix[PREFIX_SIZE];
    enum err_code rc = codec_row_decode(value, &row, err);

    if (rc != ERR_OK) {
        return rc;
    }
    field_print(out, "", row_fields, &row);
    for (uint32_t i = 0; i < row.item_count; i++) {
        field_print(out, prefix_of(prefix, "items", i), item_fields, &row.items[i]);
    }
    return codec_row_encode(&row, again, err);
}

/* The record kinds that are one flat struct. */
#define FLAT(name, type, fields, decode, encode)                                                   \
    static enum err_code name(FILE *out, struct span value, struct buf *again, struct err *err)    \
    {                                                                                              \
        type record;                                                                               \
        enum err_code rc = decode(value, &record, err);                                            \
                                                                                                   \
        if (rc != ERR_OK) {                                                                        \
            return rc;                                                                             \
        }                                                                                          \
        field_print(out, "", fields, &record);                                                     \
        return encode(&record, again, err);                                                        \
    }
FLAT(print_token, struct token_record, token_fields, codec_token_decode, codec_token_encode)
FLAT(print_delegation,
     struct delegation,
     delegation_fields,
     codec_delegation_decode,
     codec_delegation_encode)
FLAT(print_step_up, struct step_up, step_up_fields, codec_step_up_decode, codec_step_up_encode)
FLAT(print_freeze, struct freeze, freeze_fields, codec_freeze_decode, codec_freeze_encode)
FLAT(print_inbox, struct inbox_entry, inbox_fields, codec_inbox_decode, codec_inbox_encode)
FLAT(print_retention,
     struct retention,
     retention_fields,
     codec_retention_decode,
     codec_retention_encode)
FLAT(print_audit_entry, struct audit_entry, audit_fields, audit_entry_decode, audit_entry_encode)

/* What has no codec of its own is bytes here; the service that is opened over it reads it. */
static enum err_code print_bytes(FILE *out, struct span value, struct buf *again, struct err *err)
{
    (void)fputs("  bytes ", out);
    field_print_hex(out, value);
    (void)fputc('\n', out);
    return buf_append_span(again, value, err);
}

typedef enum err_code print_fn(FILE *out, struct span value, struct buf *again, struct err *err);

/* Behind size bytes that stand in front of it. */
static enum err_code print_behind(
    FILE *out, size_t size, print_fn *print, struct span value, struct buf *again, struct err *err)
{
    enum err_code rc;

    if (value.size < size) {
        return err_set(err, ERR_CORRUPT, "a value of %zu bytes", value.size);
    }
    rc = print_bytes(out, span_of(value.data, size), again, err);
    return rc == ERR_OK ? print(out, span_of(value.data + size, value.size - size), again, err)
                        : rc;
}

static enum err_code print_value(FILE *out,
                                 uint8_t table,
                                 struct span key,
                                 struct span value,
                                 struct buf *again,
                                 struct err *err)
{
    switch ((enum table)table) {
    case TABLE_REQUESTS:
        return print_behind(out, LINK_SIZE, print_request, value, again, err);
    case TABLE_AUDIT:
        return print_behind(out, AUDIT_HASH_SIZE + LINK_SIZE, print_audit_entry, value, again, err);
    case TABLE_OWED:
    case TABLE_SETTLED:
    case TABLE_DEAD:
        return print_row(out, value, again, err);
    case TABLE_INBOX:
        return print_inbox(out, value, again, err);
    case TABLE_POLICIES:
        return print_policy(out, value, again, err);
    case TABLE_FREEZES:
        return print_freeze(out, value, again, err);
    case TABLE_TOKENS:
        return print_token(out, value, again, err);
    case TABLE_DELEGATIONS:
        return print_delegation(out, value, again, err);
    case TABLE_STEP_UPS:
        return print_step_up(out, value, again, err);
    case TABLE_META:
        return span_is(key, "retention") ? print_retention(out, value, again, err)
                                         : print_bytes(out, value, again, err);
    case TABLE_PENDING:
    case TABLE_DEADLINES:
    case TABLE_INTENTS:
    case TABLE_EVENTS:
    case TABLE_HEADS:
    case TABLE_WAITING:
        return print_bytes(out, value, again, err);
    }
    return err_set(err, ERR_CORRUPT, "there is no table %u", table);
}

enum err_code
record_print(FILE *out, uint8_t table, struct span key, struct span value, struct err *err)
{
    AUTO_BUF struct buf *again = NULL;
    enum err_code rc = buf_new(RECORD_SIZE_LIMIT, &again, err);

    if (rc != ERR_OK) {
        return rc;
    }
    (void)fprintf(out, "table %c key ", table);
    field_print_text(out, key);
    (void)fputc('\n', out);
    rc = print_value(out, table, key, value, again, err);
    if (rc == ERR_OK && !span_equal(buf_span(again), value)) {
        rc = err_set(err, ERR_CORRUPT, "it is written in another form now");
    }
    return rc;
}

#define PRINT_SIZE(out, type) (void)fprintf(out, #type " %zu\n", sizeof(type))

void record_print_sizes(FILE *out)
{
    PRINT_SIZE(out, struct request);
    PRINT_SIZE(out, struct decision);
    PRINT_SIZE(out, struct policy);
    PRINT_SIZE(out, struct policy_need);
    PRINT_SIZE(out, struct policy_window);
    PRINT_SIZE(out, struct outbox_row);
    PRINT_SIZE(out, struct token_record);
    PRINT_SIZE(out, struct delegation);
    PRINT_SIZE(out, struct step_up);
    PRINT_SIZE(out, struct freeze);
    PRINT_SIZE(out, struct inbox_entry);
    PRINT_SIZE(out, struct retention);
    PRINT_SIZE(out, struct audit_entry);
}
