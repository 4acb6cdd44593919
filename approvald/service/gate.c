/* SPDX-License-Identifier: Apache-2.0 */
/* gate.c: what is in the way of a claim now.
 * Owns the walk over the freezes, and that without its zone a window is shut.
 * Never answers from what another job has seen. */
#include "approvald/service/gate.h"

#include "approvald/service/work.h"
#include "approvald/service/zones.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/tz.h"
#include "storage/storage.h"

#include <stdio.h>

struct visit {
    struct work *work;
    struct freezes *freezes;
    enum err_code rc;
};

static bool visit_freeze(void *arg, struct span key, struct span value)
{
    struct visit *visit = arg;
    struct freezes *freezes = visit->freezes;
    struct freeze *freeze = &freezes->items[freezes->count];

    if (freezes->count == CORE_FREEZE_COUNT_MAX) {
        visit->rc = err_set(visit->work->err, ERR_CORRUPT, "more freezes than there can be");
        return false;
    }
    if (codec_freeze_decode(value, freeze, NULL) != ERR_OK) {
        size_t size = key.size < CORE_NAME_SIZE_MAX ? key.size : CORE_NAME_SIZE_MAX;

        *freeze = (struct freeze){.name = span_of(key.data, size), .damaged = true};
    }
    freezes->count++;
    return true;
}

enum err_code freezes_load(struct work *work, struct freezes *ret_freezes)
{
    struct visit visit = {.work = work, .freezes = ret_freezes, .rc = ERR_OK};
    enum err_code rc;

    ret_freezes->count = 0;
    rc = storage_scan(work->txn, TABLE_FREEZES, SPAN_NONE, false, visit_freeze, &visit, work->err);
    return rc == ERR_OK ? visit.rc : rc;
}

const struct freeze *freezes_damaged(const struct freezes *freezes)
{
    for (uint32_t i = 0; i < freezes->count; i++) {
        if (freezes->items[i].damaged) {
            return &freezes->items[i];
        }
    }
    return NULL;
}

/* Whether it holds, and for whom, nobody knows. */
static enum err_code check_damage(struct work *work, const struct freezes *freezes)
{
    const struct freeze *damaged = freezes_damaged(freezes);

    return damaged == NULL ? ERR_OK
                           : err_set(work->err, ERR_UNAVAILABLE,
                                     "the record of freeze %.*s is damaged; remove the freeze, and "
                                     "add it again if it is to hold",
                                     SPAN_ARGS(damaged->name));
}

enum err_code gate_look(struct work *work,
                        const struct policy *policy,
                        bool glass,
                        struct request_hold *ret_hold,
                        bool *ret_held)
{
    struct freezes freezes;
    struct gate gate = {.windows = &policy->windows, .freezes = freezes.items, .glass = glass};
    enum err_code rc = freezes_load(work, &freezes);

    *ret_held = false;
    if (rc == ERR_OK) {
        rc = check_damage(work, &freezes);
    }
    if (rc == ERR_OK && policy->windows.count > 0 && !glass) {
        rc = zones_get(work->writer->zones, policy->windows.zone,
                       clock_boot_ms(work->job->service->clock), &gate.tz, work->err);
        rc = rc == ERR_OK ? ERR_OK : err_wrap(work->err, ERR_UNAVAILABLE, "windows of the policy");
    }
    if (rc != ERR_OK) {
        return rc;
    }
    gate.freeze_count = freezes.count;
    *ret_held = gate_holds(&gate, work->now_ms, ret_hold);
    return ERR_OK;
}

void gate_sentence(enum refusal refusal,
                   const struct request_hold *hold,
                   char ret_text[GATE_SENTENCE_SIZE])
{
    struct span freeze = text_prefix(hold->freeze, CORE_NAME_SIZE_MAX);
    char time[TEXT_TIME_SIZE] = "";
    bool ends = hold->until_ms != 0 && hold->until_ms != UINT64_MAX;

    if (ends) {
        text_format_time(hold->until_ms, time);
    }
    /* All of them fit: a name and a time are short. */
    if (refusal == REFUSAL_FROZEN && ends) {
        (void)snprintf(
            ret_text, GATE_SENTENCE_SIZE, "%s%.*s holds; nothing can be claimed before %s.",
            freeze.size > 0 ? "The change freeze " : "A change freeze", SPAN_ARGS(freeze), time);
    } else if (refusal == REFUSAL_CLOSED && ends) {
        (void)snprintf(ret_text, GATE_SENTENCE_SIZE, "%s It opens %s.", refusal_sentence(refusal),
                       time);
    } else {
        (void)snprintf(ret_text, GATE_SENTENCE_SIZE, "%s", refusal_sentence(refusal));
    }
}
