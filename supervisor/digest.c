/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c: one supervisor's word about itself, as bytes.
 * Owns their order. Never believes a size or a value: what the other host says is foreign. */
#include "supervisor/digest.h"

#include "base/pack.h"
#include "base/text.h"

#include <endian.h>
#include <string.h>

#define DIGEST_FORMAT 1U
#define FLAG_COUNT    6U

static void flags_of(struct digest *digest, bool *ret_flags[FLAG_COUNT])
{
    ret_flags[0] = &digest->serving;
    ret_flags[1] = &digest->maintenance;
    ret_flags[2] = &digest->safe_mode;
    ret_flags[3] = &digest->vip_here;
    ret_flags[4] = &digest->arbiter_known;
    ret_flags[5] = &digest->arbiter_reachable;
}

static uint8_t pack_flags(const struct digest *digest)
{
    struct digest copy = *digest;
    bool *flags[FLAG_COUNT];
    uint8_t bits = 0;

    flags_of(&copy, flags);
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        bits |= (uint8_t)(*flags[i] ? 1U << i : 0);
    }
    return bits;
}

static uint8_t *put_text(uint8_t *at, const char *text, size_t size_max)
{
    size_t size = strnlen(text, size_max - 1);
    uint16_t wire = htole16((uint16_t)size);

    memcpy(at, &wire, sizeof wire);
    memcpy(at + sizeof wire, text, size);
    return at + sizeof wire + size;
}

size_t digest_encode(const struct digest *digest, uint8_t at[DIGEST_SIZE_MAX])
{
    uint32_t latency = htole32(digest->arbiter_latency_ms);
    uint32_t starts = htole32(digest->starts);
    uint64_t epoch = htole64(digest->epoch);
    uint8_t *end = at + 21;

    at[0] = DIGEST_FORMAT;
    at[1] = (uint8_t)digest->role;
    at[2] = (uint8_t)digest->vrrp;
    at[3] = pack_flags(digest);
    at[4] = 0;
    for (unsigned i = 0; i < FAILOVER_ALARM_COUNT; i++) {
        at[4] |= (uint8_t)(digest->alarms[i] ? 1U << i : 0);
    }
    memcpy(at + 5, &latency, sizeof latency);
    memcpy(at + 9, &epoch, sizeof epoch);
    memcpy(at + 17, &starts, sizeof starts);
    end = put_text(end, digest->version, sizeof digest->version);
    end = put_text(end, digest->reason, sizeof digest->reason);
    return (size_t)(end - at);
}

/* False: longer than its room, or no text. */
static bool take_text(struct unpack *in, char *room, size_t size)
{
    struct span text = unpack_text(in);

    if (text.size >= size || !text_is_utf8(text)) {
        return false;
    }
    memcpy(room, text.data == NULL ? "" : text.data, text.size);
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)room[i] < ' ' || room[i] == 0x7f) {
            room[i] = ' ';
        }
    }
    room[text.size] = '\0';
    return true;
}

static void take_bits(struct digest *digest, uint8_t flag_bits, uint8_t alarm_bits)
{
    bool *flags[FLAG_COUNT];

    flags_of(digest, flags);
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        *flags[i] = (flag_bits & 1U << i) != 0;
    }
    for (unsigned i = 0; i < FAILOVER_ALARM_COUNT; i++) {
        digest->alarms[i] = (alarm_bits & 1U << i) != 0;
    }
}

enum err_code digest_decode(struct span bytes, struct digest *ret_digest, struct err *err)
{
    struct digest digest = {.serving = false};
    struct unpack in;
    uint8_t format;
    uint8_t role;
    uint8_t vrrp;
    uint8_t flags;
    uint8_t alarms;
    bool fits;

    unpack_init(&in, bytes);
    format = unpack_u8(&in);
    role = unpack_u8(&in);
    vrrp = unpack_u8(&in);
    flags = unpack_u8(&in);
    alarms = unpack_u8(&in);
    digest.arbiter_latency_ms = unpack_u32(&in);
    digest.epoch = unpack_u64(&in);
    digest.starts = unpack_u32(&in);
    fits = take_text(&in, digest.version, sizeof digest.version);
    fits = take_text(&in, digest.reason, sizeof digest.reason) && fits;
    if (!unpack_done(&in) || !fits || format != DIGEST_FORMAT || role > FAILOVER_HALTED ||
        vrrp > KEEPALIVED_STOP || flags >= 1U << FLAG_COUNT ||
        alarms >= 1U << FAILOVER_ALARM_COUNT) {
        return err_set(err, ERR_PROTOCOL, "the other supervisor's digest is not to be understood");
    }
    digest.role = (enum failover_role)role;
    digest.vrrp = (enum keepalived_state)vrrp;
    take_bits(&digest, flags, alarms);
    *ret_digest = digest;
    return ERR_OK;
}
