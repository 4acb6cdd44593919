/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h: what is in the way of a claim now, as the store and this host's zones say. */
#ifndef APPROVALD_SERVICE_GATE_H
#define APPROVALD_SERVICE_GATE_H

#include "approvald/core/gate.h"

struct work;

/* All freezes there are, by name, damaged ones included. */
struct freezes {
    uint32_t count;
    struct freeze items[CORE_FREEZE_COUNT_MAX];
};
enum err_code freezes_load(struct work *work, struct freezes *ret_freezes) WARN_UNUSED;
/* The first one that is damaged, or NULL. */
const struct freeze *freezes_damaged(const struct freezes *freezes);

/* *ret_held: *ret_hold says until when; its spans live as long as the job. glass: of a request
 * whose glass is broken. ERR_UNAVAILABLE: this host does not know the policy's zone, or a freeze is
 * damaged, and may hold: nothing can be claimed, and nothing else has to stop. */
enum err_code gate_look(struct work *work,
                        const struct policy *policy,
                        bool glass,
                        struct request_hold *ret_hold,
                        bool *ret_held) WARN_UNUSED;

/* The sentence of a refusal that has a time, "The change freeze x-mas holds until …"; of another
 * one refusal_sentence's. Fits an err's message. */
#define GATE_SENTENCE_SIZE 240
void gate_sentence(enum refusal refusal,
                   const struct request_hold *hold,
                   char ret_text[GATE_SENTENCE_SIZE]);

#endif
