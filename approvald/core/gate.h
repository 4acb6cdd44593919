/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h: may an approval be claimed now, by the policy's windows and by freezes; and if not, when?
 * Pure.
 *
 * A window is some hours by the clock on the wall of a zone. Where clocks are set forward, the
 * hours that are left out do not occur, and a window in them does not open; where they are set
 * back, the hour that occurs twice is inside or outside both times. One that ends not behind its
 * beginning ends on the next day. Who has broken the glass needs no window, and passes a freeze
 * that says so. The moment is the record's, which the primary stamps; what the answer was is a
 * record itself, so the other host never judges it by its own zones. */
#ifndef APPROVALD_CORE_GATE_H
#define APPROVALD_CORE_GATE_H

#include "approvald/core/freeze.h"

struct tz;

/* now_ms when they are open, else when they open; UINT64_MAX: never that can be seen. tz may be
 * NULL when there is no window: then they are open. */
uint64_t
windows_open_ms(const struct policy_windows *windows, const struct tz *tz, uint64_t now_ms);

struct gate {
    const struct policy_windows *windows;
    const struct tz *tz; /* of the windows; may be NULL when there are none */
    const struct freeze *freezes;
    uint32_t freeze_count;
    bool glass; /* the glass was broken */
};
/* True: not now. *ret_hold: until when, and what is in the way first; borrows from the freezes. */
bool gate_holds(const struct gate *gate, uint64_t now_ms, struct request_hold *ret_hold);

#endif
