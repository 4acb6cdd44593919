/* SPDX-License-Identifier: Apache-2.0 */
/* glass.c: how often the glass was broken.
 * Owns the record: u8 version (1) | u64 count, last_ms | 16 request.
 * Never judges who may break it: core/glass.c does. */
#include "approvald/service/glass.h"

#include "approvald/service/work.h"

#include "base/pack.h"

#include <string.h>

#define VERSION     1
#define RECORD_SIZE (1 + 8 + 8 + REQUEST_ID_SIZE)

static struct key key_glass(void)
{
    return key_text(SPAN_LITERAL("glass"));
}

enum err_code
glass_note(struct work *work, const struct request *before, const struct request *after)
{
    struct glass_seen *seen = &work->writer->state.glass;
    uint8_t bytes[RECORD_SIZE] = {VERSION};

    if (before == NULL || before->glass.at_ms != 0 || after->glass.at_ms == 0) {
        return ERR_OK;
    }
    seen->count++;
    seen->last_ms = after->glass.at_ms;
    seen->last = after->id;
    pack_key_u64(bytes + 1, seen->count);
    pack_key_u64(bytes + 9, seen->last_ms);
    memcpy(bytes + 17, seen->last.bytes, REQUEST_ID_SIZE);
    return work_put(work, TABLE_META, key_glass(), span_of(bytes, sizeof bytes));
}

enum err_code glass_recover(struct work *work)
{
    struct glass_seen *seen = &work->writer->state.glass;
    const uint8_t *at;
    struct span value;
    enum err_code rc;

    *seen = (struct glass_seen){.count = 0};
    rc = work_get(work, TABLE_META, key_glass(), &value);
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    at = (const uint8_t *)value.data;
    if (value.size != RECORD_SIZE || at[0] != VERSION) {
        return err_set(work->err, ERR_CORRUPT,
                       "the stored count of broken glasses does not decode");
    }
    seen->count = unpack_key_u64(at + 1);
    seen->last_ms = unpack_key_u64(at + 9);
    memcpy(seen->last.bytes, at + 17, REQUEST_ID_SIZE);
    return ERR_OK;
}
