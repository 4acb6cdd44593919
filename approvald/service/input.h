/* SPDX-License-Identifier: Apache-2.0 */
/* input.h: inputs of use cases made fit to be stored, on the loop. What is wrong is noted in
 * job->refuse and answered in its turn. */
#ifndef APPROVALD_SERVICE_INPUT_H
#define APPROVALD_SERVICE_INPUT_H

#include "approvald/service/internal.h"

/* One text field. */
struct input_text {
    const char *name;
    size_t count_max; /* code points */
    bool multiline;
    bool required;
    struct span
        *text; /* in: as given; out: cleaned, borrowed from the service until its next call */
};

enum input_slot {
    INPUT_TITLE,
    INPUT_REASON,
    INPUT_TARGET,
    INPUT_DETAILS,
    INPUT_FIELDS,
    INPUT_SLOT_COUNT
};
static_assert(INPUT_SLOT_COUNT == SERVICE_TEXT_SLOT_COUNT, "every slot has its buffer");

/* Cleans into the slot's buffer. False: refused. */
bool input_clean(struct job *job, enum input_slot slot, const struct input_text *input);
/* Values of a policy's fields, cleaned and in their stored form, in the slot INPUT_FIELDS: whether
 * they fit is judged where the policy is. False: refused. */
bool input_fields(struct job *job, const struct field_values *values, struct span *ret_stored);
/* Refuses the job unless ok. */
bool input_require(struct job *job, bool ok, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Of an outside event; false in *ret_has when there is none. */
bool input_event_key(struct job *job,
                     const struct service_event_key *event,
                     struct inbox_key *ret_key,
                     bool *ret_has);
/* The same for an event that may be a command: *ret_count is 0 when there is none. */
bool input_event_keys(struct job *job,
                      const struct service_event_key *event,
                      struct inbox_key ret_keys[INBOX_KEY_COUNT_MAX],
                      uint32_t *ret_count);
/* Bounds on where something was pressed. */
bool input_place(struct job *job, struct span channel, struct span thread);
bool input_actor(struct job *job, const struct actor *actor);

#endif
