/* SPDX-License-Identifier: Apache-2.0 */
/* story_hold.c: when an approval may be used, in sentences.
 * Owns the words for windows of time and for freezes.
 * Never judges a moment: what the request says was found when it was looked at. Pure. */
#include "approvald/slack/show/story.h"

#include "approvald/core/policy_windows.h"
#include "approvald/slack/show/prose.h"
#include "base/buf.h"

#define WINDOWS_SIZE_MAX 512 /* bytes: eight windows of the longest kind */

void story_windows(struct prose *prose, const struct policy *policy)
{
    AUTO_BUF struct buf *text = NULL;

    if (policy->windows.count == 0 || buf_new(WINDOWS_SIZE_MAX, &text, NULL) != ERR_OK ||
        policy_windows_format(&policy->windows, text, NULL) != ERR_OK) {
        return; /* without memory the card is not printed either */
    }
    prose_add(prose, " Only ");
    prose_add_text(prose, buf_span(text), WINDOWS_SIZE_MAX);
    prose_add(prose, " (");
    prose_add_text(prose, policy->windows.zone, CORE_NAME_SIZE_MAX);
    prose_add(prose, ").");
}

/* Given before the freeze began, and gone before it ends. */
static bool lapses_before(const struct request *request, uint64_t until_ms)
{
    return request->use == USE_UNUSED && request->lapses_ms > 0 && request->lapses_ms <= until_ms;
}

void story_hold(struct prose *prose, const struct request *request)
{
    const struct request_hold *hold = &request->hold;
    bool open = request->state == REQUEST_PENDING || request->use == USE_UNUSED;

    if (hold->until_ms == 0 || !open) {
        return;
    }
    if (hold->freeze.size > 0) {
        prose_add(prose, "\n\xe2\x9d\x84\xef\xb8\x8f Change freeze ");
        prose_add_text(prose, hold->freeze, CORE_NAME_SIZE_MAX);
        prose_add(prose, " (");
        prose_add_text(prose, hold->reason, 2UL * CORE_FREEZE_REASON_COUNT_MAX);
        prose_add(prose, "): ");
    } else {
        prose_add(prose, "\n\xf0\x9f\x95\x92 Outside the policy's time windows: ");
    }
    if (lapses_before(request, hold->until_ms)) {
        prose_add(prose, "it lapses before it can be used. Ask again.");
        return;
    }
    prose_add(prose, request->state == REQUEST_PENDING ? "once approved, it can be used "
                                                       : "it can be used ");
    if (hold->until_ms == UINT64_MAX) {
        prose_add(prose, "at no time that can be seen.");
        return;
    }
    prose_add(prose, "from ");
    prose_add_date(prose, hold->until_ms);
    prose_add(prose, " on.");
}
