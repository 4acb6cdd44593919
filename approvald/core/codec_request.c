/* SPDX-License-Identifier: Apache-2.0 */
/* codec_request.c: the stored form of a request.
 * Owns its layout: u8 version (1) | 16 id | u32 revision | u8 state | u8 use | text policy |
 *   u32 policy_version | text requester, asker, title, reason, target, details |
 *   u8 bound | 32 bind_hash when bound | text key_hash (0 or 32) |
 *   u64 created, expires, lapses, ended, claimed | text claim_hash (0 or 32) | u64 consumed |
 *   u32 consume_result | text end_actor, end_reason | u8 quorum |
 *   list of (u8 verdict | u8 via | u64 at_ms | text user, reason) |
 *   in version 2: u8 parts, those that are not all defaults, in this order:
 *     1: u8 rejections (default 1) | list of needs (text name | u8 quorum | u8 alternative) |
 *        with needs: for each decision u8 bit set of needs.
 *     2: a section of codec_clocks.
 *     4: text fields (codec_fields.c), not empty.
 *     8: a section of codec_glass.
 *     16: for each decision a list of (text user | u8 bit set of needs), in whose place he decided,
 *        and when it is not empty u8 no_own.
 *     32: a section of codec_windows.
 *     64, without content: no channel took its card.
 * Never judges whether the request makes sense: request_invariant does. */
#include "approvald/core/codec.h"
#include "approvald/core/codec_clocks.h"
#include "approvald/core/codec_glass.h"
#include "approvald/core/codec_need.h"
#include "approvald/core/codec_windows.h"
#include "approvald/core/fields.h"

#include "base/assert.h"

#include <string.h>

#define VERSION      1
#define VERSION_MORE 2

enum part {
    PART_NEEDS = 1,
    PART_CLOCKS = 2,
    PART_FIELDS = 4,
    PART_GLASS = 8,
    PART_BEHALF = 16,
    PART_HOLD = 32,
    PART_UNPOSTED = 64,
    PART_ALL = 127,
};

static bool has_needs(const struct request *request)
{
    return request->need_count > 0 || request->rejections != 1;
}

static bool has_behalf(const struct request *request)
{
    for (uint32_t i = 0; i < request->decision_count; i++) {
        if (request->decisions[i].behalf_count > 0) {
            return true;
        }
    }
    return false;
}

static void write_decisions(struct codec_writer *writer, const struct request *request)
{
    codec_u8(writer, (uint8_t)request->decision_count);
    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];

        codec_u8(writer, (uint8_t)decision->verdict);
        codec_u8(writer, (uint8_t)decision->via);
        codec_u64(writer, decision->at_ms);
        codec_text(writer, decision->user);
        codec_text(writer, decision->reason);
    }
}

static uint8_t parts_of(const struct request *request)
{
    unsigned int parts = 0;

    parts |= has_needs(request) ? PART_NEEDS : 0U;
    parts |= codec_request_clocks_set(&request->clocks) ? PART_CLOCKS : 0U;
    parts |= request->fields.size > 0 ? PART_FIELDS : 0U;
    parts |= codec_request_glass_set(&request->glass) ? PART_GLASS : 0U;
    parts |= has_behalf(request) ? PART_BEHALF : 0U;
    parts |= codec_request_hold_set(&request->hold) ? PART_HOLD : 0U;
    parts |= request->unposted ? PART_UNPOSTED : 0U;
    return (uint8_t)parts;
}

static void write_needs(struct codec_writer *writer, const struct request *request)
{
    codec_u8(writer, (uint8_t)request->rejections);
    codec_u8(writer, (uint8_t)request->need_count);
    for (uint32_t i = 0; i < request->need_count; i++) {
        codec_need_write(writer, &request->needs[i]);
    }
    for (uint32_t i = 0; request->need_count > 0 && i < request->decision_count; i++) {
        codec_u8(writer, (uint8_t)request->decisions[i].needs);
    }
}

static void write_behalf(struct codec_writer *writer, const struct request *request)
{
    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];

        codec_u8(writer, (uint8_t)decision->behalf_count);
        for (uint32_t j = 0; j < decision->behalf_count; j++) {
            codec_text(writer, decision->behalfs[j].user);
            codec_u8(writer, (uint8_t)decision->behalfs[j].needs);
        }
        if (decision->behalf_count > 0) {
            codec_u8(writer, decision->no_own ? 1 : 0);
        }
    }
}

static void write_parts(struct codec_writer *writer, const struct request *request)
{
    uint8_t parts = parts_of(request);

    if (parts != 0) {
        codec_u8(writer, parts);
    }
    if ((parts & PART_NEEDS) != 0) {
        write_needs(writer, request);
    }
    if ((parts & PART_CLOCKS) != 0) {
        codec_request_clocks_write(writer, &request->clocks);
    }
    if ((parts & PART_FIELDS) != 0) {
        codec_text(writer, request->fields);
    }
    if ((parts & PART_GLASS) != 0) {
        codec_request_glass_write(writer, &request->glass);
    }
    if ((parts & PART_BEHALF) != 0) {
        write_behalf(writer, request);
    }
    if ((parts & PART_HOLD) != 0) {
        codec_request_hold_write(writer, &request->hold);
    }
}

static void write_head(struct codec_writer *writer, const struct request *request)
{
    codec_u8(writer, parts_of(request) != 0 ? VERSION_MORE : VERSION);
    codec_bytes(writer, request->id.bytes, REQUEST_ID_SIZE);
    codec_u32(writer, request->revision);
    codec_u8(writer, (uint8_t)request->state);
    codec_u8(writer, (uint8_t)request->use);
    codec_text(writer, request->policy);
    codec_u32(writer, request->policy_version);
    codec_text(writer, request->requester);
    codec_text(writer, request->asker);
    codec_text(writer, request->title);
    codec_text(writer, request->reason);
    codec_text(writer, request->target);
    codec_text(writer, request->details);
    codec_u8(writer, request->bound ? 1 : 0);
    if (request->bound) {
        codec_bytes(writer, request->bind_hash, sizeof request->bind_hash);
    }
    codec_text(writer, request->key_hash);
}

enum err_code codec_request_encode(const struct request *request, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(request != NULL);
    ASSERT(request->decision_count <= CORE_DECISION_COUNT_MAX);
    ASSERT(request->quorum <= CORE_QUORUM_MAX);
    ASSERT(request->rejections >= 1 && request->rejections <= CORE_REJECTIONS_MAX);
    ASSERT(request->need_count <= CORE_NEED_COUNT_MAX);

    write_head(&writer, request);
    codec_u64(&writer, request->created_ms);
    codec_u64(&writer, request->expires_ms);
    codec_u64(&writer, request->lapses_ms);
    codec_u64(&writer, request->ended_ms);
    codec_u64(&writer, request->claimed_ms);
    codec_text(&writer, request->claim_hash);
    codec_u64(&writer, request->consumed_ms);
    codec_u32(&writer, (uint32_t)request->consume_result);
    codec_text(&writer, request->end_actor);
    codec_text(&writer, request->end_reason);
    codec_u8(&writer, (uint8_t)request->quorum);
    write_decisions(&writer, request);
    write_parts(&writer, request);
    return writer.rc;
}

static void read_decisions(struct unpack *unpack, struct request *request)
{
    request->decision_count = codec_count(unpack, CORE_DECISION_COUNT_MAX);
    for (uint32_t i = 0; i < request->decision_count; i++) {
        struct decision *decision = &request->decisions[i];

        decision->verdict = codec_range(unpack, VERDICT_APPROVE, VERDICT_REJECT);
        decision->via = codec_range(unpack, VIA_SLACK, VIA_SYSTEM);
        decision->at_ms = unpack_u64(unpack);
        decision->user = unpack_text(unpack);
        decision->reason = unpack_text(unpack);
    }
}

static void read_needs(struct unpack *unpack, struct request *request)
{
    request->rejections = codec_range(unpack, 1, CORE_REJECTIONS_MAX);
    request->need_count = codec_count(unpack, CORE_NEED_COUNT_MAX);
    for (uint32_t i = 0; i < request->need_count; i++) {
        codec_need_read(unpack, i == 0 ? NULL : &request->needs[i - 1], &request->needs[i]);
    }
    for (uint32_t i = 0; request->need_count > 0 && i < request->decision_count; i++) {
        request->decisions[i].needs = unpack_u8(unpack);
        if (codec_bits_past(request->decisions[i].needs, request->need_count)) {
            unpack->failed = true;
        }
    }
}

static struct span read_fields(struct unpack *unpack)
{
    struct span fields = unpack_text(unpack);
    struct field_values values;

    if (field_values_decode(fields, &values, NULL) != ERR_OK) {
        unpack->failed = true;
    }
    return fields;
}

static void read_behalfs(struct unpack *unpack, uint32_t need_count, struct decision *decision)
{
    decision->behalf_count = codec_count(unpack, CORE_STAND_IN_COUNT_MAX);
    for (uint32_t i = 0; i < decision->behalf_count; i++) {
        struct behalf *behalf = &decision->behalfs[i];

        behalf->user = unpack_text(unpack);
        behalf->needs = unpack_u8(unpack);
        unpack->failed = unpack->failed || codec_bits_past(behalf->needs, need_count);
    }
    decision->no_own = decision->behalf_count > 0 && codec_bool(unpack);
}

static void read_behalf(struct unpack *unpack, struct request *request)
{
    for (uint32_t i = 0; i < request->decision_count; i++) {
        read_behalfs(unpack, request->need_count, &request->decisions[i]);
    }
}

static void read_parts(struct unpack *unpack, struct request *request)
{
    uint8_t parts = codec_range(unpack, 1, PART_ALL);

    if ((parts & PART_NEEDS) != 0) {
        read_needs(unpack, request);
    }
    if ((parts & PART_CLOCKS) != 0) {
        codec_request_clocks_read(unpack, &request->clocks);
    }
    if ((parts & PART_FIELDS) != 0) {
        request->fields = read_fields(unpack);
    }
    if ((parts & PART_GLASS) != 0) {
        codec_request_glass_read(unpack, &request->glass);
    }
    if ((parts & PART_BEHALF) != 0) {
        read_behalf(unpack, request);
    }
    if ((parts & PART_HOLD) != 0) {
        codec_request_hold_read(unpack, &request->hold);
    }
    request->unposted = (parts & PART_UNPOSTED) != 0;
    if (parts_of(request) != parts) {
        unpack->failed = true; /* no encoder says that there is nothing to say */
    }
}

static uint8_t read_head(struct unpack *unpack, struct request *request)
{
    uint8_t version = codec_range(unpack, VERSION, VERSION_MORE);

    unpack_copy(unpack, request->id.bytes, REQUEST_ID_SIZE);
    request->revision = unpack_u32(unpack);
    request->state = codec_range(unpack, REQUEST_PENDING, REQUEST_CANCELLED);
    request->use = codec_range(unpack, USE_NONE, USE_LAPSED);
    request->policy = unpack_text(unpack);
    request->policy_version = unpack_u32(unpack);
    request->requester = unpack_text(unpack);
    request->asker = unpack_text(unpack);
    request->title = unpack_text(unpack);
    request->reason = unpack_text(unpack);
    request->target = unpack_text(unpack);
    request->details = unpack_text(unpack);
    request->bound = codec_bool(unpack);
    if (request->bound) {
        unpack_copy(unpack, request->bind_hash, sizeof request->bind_hash);
    }
    request->key_hash = codec_read_hash(unpack);
    return version;
}

enum err_code codec_request_decode(struct span bytes, struct request *ret_request, struct err *err)
{
    struct unpack unpack;
    uint8_t version;

    ASSERT(ret_request != NULL);
    memset(ret_request, 0, sizeof *ret_request);
    unpack_init(&unpack, bytes);
    version = read_head(&unpack, ret_request);
    ret_request->created_ms = unpack_u64(&unpack);
    ret_request->expires_ms = unpack_u64(&unpack);
    ret_request->lapses_ms = unpack_u64(&unpack);
    ret_request->ended_ms = unpack_u64(&unpack);
    ret_request->claimed_ms = unpack_u64(&unpack);
    ret_request->claim_hash = codec_read_hash(&unpack);
    ret_request->consumed_ms = unpack_u64(&unpack);
    ret_request->consume_result = (int32_t)unpack_u32(&unpack);
    ret_request->end_actor = unpack_text(&unpack);
    ret_request->end_reason = unpack_text(&unpack);
    ret_request->quorum = codec_range(&unpack, 1, CORE_QUORUM_MAX);
    read_decisions(&unpack, ret_request);
    ret_request->rejections = 1;
    if (version == VERSION_MORE) {
        read_parts(&unpack, ret_request);
    }
    return codec_end(&unpack, "request", err);
}
