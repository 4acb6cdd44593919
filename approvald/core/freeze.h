/* SPDX-License-Identifier: Apache-2.0 */
/* freeze.h: a change freeze: from one moment to another no approval of any policy may be claimed.
 * Pure. */
#ifndef APPROVALD_CORE_FREEZE_H
#define APPROVALD_CORE_FREEZE_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;

struct freeze {
    struct span name; /* as a policy's */
    uint64_t from_ms;
    uint64_t to_ms;     /* not any more */
    bool glass_passes;  /* who breaks the glass may claim all the same; else nobody */
    bool damaged;       /* not stored: its record does not decode, and only the name is known */
    struct span reason; /* one line, needed */
    uint64_t added_ms;
    struct span added_by;
};

/* ERR_INVALID: the message names the field. A freeze may begin in the past, and must end later. */
enum err_code
freeze_check(const struct freeze *freeze, uint64_t now_ms, struct err *err) WARN_UNUSED;
/* codec_windows.c, as in codec.h. */
enum err_code
codec_freeze_encode(const struct freeze *freeze, struct buf *buf, struct err *err) WARN_UNUSED;
enum err_code
codec_freeze_decode(struct span bytes, struct freeze *ret_freeze, struct err *err) WARN_UNUSED;

#endif
