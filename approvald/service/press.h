/* SPDX-License-Identifier: Apache-2.0 */
/* press.h: one decision on the writer, whether it comes at once or from the inbox. */
#ifndef APPROVALD_SERVICE_PRESS_H
#define APPROVALD_SERVICE_PRESS_H

#include "approvald/service/work.h"

struct press {
    struct actor actor;
    struct request_id id;
    enum verdict verdict;
    struct span reason;
    bool has_key;
    struct inbox_key key;
    struct span channel; /* where it was pressed */
    struct span thread;
    bool quiet; /* the caller tells a refusal: no notice is owed */
    bool has_code;
    uint32_t code;
    bool stepped;   /* its code has counted before it went to the inbox */
    uint64_t at_ms; /* when it was accepted, if it comes from the inbox; 0: now */
};

/* What to do when facts are missing. */
enum press_missing { PRESS_DEFER = 1, PRESS_WAIT, PRESS_GIVE_UP };

/* Decides, records the answer under the press's key and leaves it in the job. PRESS_DEFER puts the
 * press into the inbox (ERR_FULL when it is full), PRESS_WAIT changes nothing; both set
 * job->deferred. */
enum err_code press_decide(struct work *work,
                           const struct press *press,
                           const struct facts *facts,
                           enum press_missing missing) WARN_UNUSED;

/* A refused call: an audit entry, and for a person in Slack an owed sentence. what is the word of
 * the call. subject may be NULL (unknown request). */
struct refused {
    const char *what;
    const struct actor *actor;
    const struct request_id *id;
    enum refusal refusal;
    struct span channel;
    struct span thread;
    bool quiet; /* the caller tells it: no notice is owed */
};
enum err_code
press_refuse(struct work *work, const struct refused *refused, struct subject *subject) WARN_UNUSED;

#endif
