/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_pack.c: foreign bytes through base/pack's reader: each byte chooses the next read.
 * Owns nothing; never lets the reader leave its span: the sanitizers see it. */
#include "base/assert.h"
#include "base/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_one(struct unpack *unpack, uint8_t kind)
{
    uint8_t copy[7];

    switch (kind % 7) {
    case 0:
        (void)unpack_u8(unpack);
        break;
    case 1:
        (void)unpack_u16(unpack);
        break;
    case 2:
        (void)unpack_u32(unpack);
        break;
    case 3:
        (void)unpack_u64(unpack);
        break;
    case 4:
        (void)unpack_text(unpack);
        break;
    case 5:
        (void)unpack_bytes(unpack, kind);
        break;
    default:
        unpack_copy(unpack, copy, sizeof copy);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unpack unpack;

    unpack_init(&unpack, span_of(data, size));
    for (size_t i = 0; i < size && unpack_ok(&unpack); i++) {
        size_t left = unpack.left;

        read_one(&unpack, data[i]);
        ASSERT(unpack.left <= left);
    }
    ASSERT(!unpack_done(&unpack) || unpack.left == 0);
    return 0;
}
