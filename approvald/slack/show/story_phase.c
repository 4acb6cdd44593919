/* SPDX-License-Identifier: Apache-2.0 */
/* story_phase.c: where a request stands, as people see it.
 * Owns the picture and the word of each phase's face.
 * Never says a sentence: story.c does. Pure. */
#include "approvald/slack/show/story.h"

#include "approvald/core/approval.h"
#include "base/assert.h"

/* It keeps its look, whatever becomes of it. */
static enum story_phase glass_phase(const struct request *request)
{
    switch (request->use) {
    case USE_NONE:
    case USE_UNUSED:
        break;
    case USE_CLAIMED:
        return STORY_GLASS_CLAIMED;
    case USE_CONSUMED:
        return request->consume_result == 0 ? STORY_GLASS_DONE : STORY_GLASS_FAILED;
    case USE_LAPSED:
        return STORY_GLASS_LAPSED;
    }
    return STORY_GLASS;
}

enum story_phase story_phase(const struct request *request)
{
    switch (request->state) {
    case REQUEST_PENDING:
        return request_is_delayed(request) ? STORY_DELAYED : STORY_PENDING;
    case REQUEST_REJECTED:
        return request->clocks.effect_ms > 0 ? STORY_STOPPED : STORY_REJECTED;
    case REQUEST_EXPIRED:
        return STORY_EXPIRED;
    case REQUEST_CANCELLED:
        return STORY_CANCELLED;
    case REQUEST_APPROVED:
        break;
    }
    if (request->glass.at_ms > 0) {
        return glass_phase(request);
    }
    switch (request->use) {
    case USE_NONE:
    case USE_UNUSED:
        break;
    case USE_CLAIMED:
        return STORY_CLAIMED;
    case USE_CONSUMED:
        return request->consume_result == 0 ? STORY_DONE : STORY_FAILED;
    case USE_LAPSED:
        return STORY_LAPSED;
    }
    return STORY_APPROVED;
}

static const struct {
    const char *symbol;
    const char *word;
} faces[] = {
#define STORY_PHASE_FACE(phase, picture, name) [phase] = {(picture), (name)},
    STORY_PHASE_TABLE(STORY_PHASE_FACE)
#undef STORY_PHASE_FACE
};

const char *story_symbol(enum story_phase phase)
{
    ASSERT(phase < sizeof faces / sizeof faces[0]);
    return faces[phase].symbol;
}

const char *story_word(enum story_phase phase)
{
    ASSERT(phase < sizeof faces / sizeof faces[0]);
    return faces[phase].word;
}
