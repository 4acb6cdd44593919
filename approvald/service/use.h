/* SPDX-License-Identifier: Apache-2.0 */
/* use.h: the job of a cancellation, a claim or a result, and how a claim is looked at again. Only
 * use.c and recheck.c include it. */
#ifndef APPROVALD_SERVICE_USE_H
#define APPROVALD_SERVICE_USE_H

#include "approvald/service/answer.h"
#include "approvald/service/work.h"

#define RECHECK_TRY_COUNT_MAX 4 /* a policy that changes while each of them runs is no policy */

struct use_job {
    struct request_job base;
    struct request_id id;
    struct approval_event event; /* spans point to the job's copies; now_ms is the writer's */
    const char *what;
    uint32_t key_count;
    struct inbox_key keys[INBOX_KEY_COUNT_MAX];
    uint8_t bind_hash[32];
    uint8_t claim_hash[32];
    /* A claim that is looked at again is run up to three times: the first finds whom to ask Slack
     * about, the second whom to look at when Slack has answered, the third is judged with what is
     * known, if the policy is still the same version. */
    bool asks;               /* set by run */
    bool nobody_knows;       /* there is nobody to ask about people */
    bool gone;               /* somebody who approved may not any more … */
    bool unknown;            /* … or it is not known whether he may … */
    uint32_t judged_version; /* … by this version of the policy; 0: not looked yet */
    uint32_t try_count;
    uint64_t since_ms; /* boot: what Slack has said since then counts; 0: not asked yet */
};

/* ERR_FULL, ERR_NOMEM. */
enum err_code use_new(struct service *service,
                      const struct actor *actor,
                      const struct request_id *id,
                      struct use_job **ret_job,
                      struct err *err) WARN_UNUSED;
/* 32 bytes each; NULL: none. */
void use_bind(struct use_job *job, const uint8_t *bind_hash);
void use_claim_hash(struct use_job *job, const uint8_t *claim_hash);
/* Takes the job in any case. */
enum err_code
use_submit(struct use_job *job, service_request_fn *done, void *arg, struct err *err) WARN_UNUSED;

/* recheck.c. Asks Slack, or runs the same claim once more with what is known of the people; a later
 * job answers it. */
enum err_code recheck_claim(const struct use_job *job, struct err *err) WARN_UNUSED;

#endif
