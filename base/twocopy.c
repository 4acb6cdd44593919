/* SPDX-License-Identifier: Apache-2.0 */
/* twocopy.c: two alternating copies of a small record.
 * Owns the header of a copy and the choice between two.
 * Never does I/O, never looks into a body. */
#include "base/twocopy.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/pack.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#define CRC_OFFSET     8U
#define CHECKED_OFFSET 12U

void twocopy_seal(const struct twocopy_format *format, uint64_t sequence, uint8_t *copy)
{
    uint32_t version = htole32(format->version);
    uint64_t number = htole64(sequence);
    uint32_t crc;

    ASSERT(format->size > TWOCOPY_HEADER_SIZE);
    ASSERT(sequence > 0);
    memcpy(copy, format->magic, sizeof format->magic);
    memcpy(copy + CHECKED_OFFSET, &version, sizeof version);
    memcpy(copy + 16, &number, sizeof number);
    crc = htole32(crc32c(0, copy + CHECKED_OFFSET, format->size - CHECKED_OFFSET));
    memcpy(copy + CRC_OFFSET, &crc, sizeof crc);
}

/* ERR_CORRUPT with the reason unless the copy is whole. */
static enum err_code check(const struct twocopy_format *format,
                           struct span copy,
                           uint64_t *ret_sequence,
                           struct err *err)
{
    struct unpack in;
    uint32_t crc;
    uint32_t version;
    uint64_t sequence;

    if (copy.size != format->size) {
        return err_set(err, ERR_CORRUPT, "%zu bytes instead of %zu", copy.size, format->size);
    }
    if (memcmp(copy.data, format->magic, sizeof format->magic) != 0) {
        return err_set(err, ERR_CORRUPT, "no magic");
    }
    unpack_init(&in, span_of(copy.data + CRC_OFFSET, copy.size - CRC_OFFSET));
    crc = unpack_u32(&in);
    version = unpack_u32(&in);
    sequence = unpack_u64(&in);
    ASSERT(unpack_ok(&in));
    if (crc != crc32c(0, copy.data + CHECKED_OFFSET, copy.size - CHECKED_OFFSET)) {
        return err_set(err, ERR_CORRUPT, "the checksum does not match");
    }
    if (version != format->version) {
        return err_set(err, ERR_CORRUPT, "format version %" PRIu32 " is not known", version);
    }
    if (sequence == 0) {
        return err_set(err, ERR_CORRUPT, "sequence number 0");
    }
    *ret_sequence = sequence;
    return ERR_OK;
}

/* A whole copy in a format of the future may be the newer one: then neither counts. */
static bool is_foreign(const struct twocopy_format *format, struct span copy)
{
    struct twocopy_format other = *format;
    struct unpack in;
    uint64_t sequence;

    if (copy.size < TWOCOPY_HEADER_SIZE) {
        return false;
    }
    unpack_init(&in, span_of(copy.data + CHECKED_OFFSET, copy.size - CHECKED_OFFSET));
    other.version = unpack_u32(&in);
    other.size = copy.size;
    return other.version != format->version && check(&other, copy, &sequence, NULL) == ERR_OK;
}

enum err_code twocopy_choose(const struct twocopy_format *format,
                             const struct span copies[2],
                             struct twocopy_choice *ret_choice,
                             struct err *err)
{
    struct err reasons[2] = {ERR_INIT, ERR_INIT};
    uint64_t sequences[2] = {0, 0};
    uint32_t best;

    if (copies[0].data == NULL && copies[1].data == NULL) {
        return ERR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (copies[i].data == NULL) {
            err_ignore(err_set(&reasons[i], ERR_NOT_FOUND, "missing"));
        } else if (is_foreign(format, copies[i])) {
            return err_set(err, ERR_CORRUPT, "copy %" PRIu32 " has a format that is not known", i);
        } else {
            /* Its reason is told when the other is no better. */
            err_ignore(check(format, copies[i], &sequences[i], &reasons[i]));
        }
    }
    best = sequences[1] > sequences[0] ? 1 : 0;
    if (sequences[best] == 0) {
        return err_set(err, ERR_CORRUPT, "neither copy is whole (%.80s; %.80s)", reasons[0].message,
                       reasons[1].message);
    }
    ret_choice->index = best;
    ret_choice->sequence = sequences[best];
    ret_choice->body =
        span_of(copies[best].data + TWOCOPY_HEADER_SIZE, copies[best].size - TWOCOPY_HEADER_SIZE);
    return ERR_OK;
}
