/* SPDX-License-Identifier: Apache-2.0 */
/* story.h: the sentences about a request, in Slack's mrkdwn: who asks, how it stands, what to do.
 * Shared by the card and the other messages, so that all of them say the same. Pure. */
#ifndef APPROVALD_SLACK_SHOW_STORY_H
#define APPROVALD_SLACK_SHOW_STORY_H

#include "approvald/core/types.h"

struct prose;

/* Where a request stands, as people see it. */
#define STORY_PHASE_TABLE(X)                                                                       \
    X(STORY_PENDING, "", "Approval needed")                                                        \
    X(STORY_APPROVED, "\xe2\x9c\x85 ", "Approved")                                                 \
    X(STORY_CLAIMED, "\xe2\x9c\x85 ", "Approved and claimed")                                      \
    X(STORY_DONE, "\xe2\x9c\x85 ", "Approved and done")                                            \
    X(STORY_FAILED, "\xe2\x9a\xa0\xef\xb8\x8f ", "Approved, but failed")                           \
    X(STORY_LAPSED, "\xe2\x8c\x9b ", "Lapsed unused")                                              \
    X(STORY_REJECTED, "\xe2\x9d\x8c ", "Rejected")                                                 \
    X(STORY_EXPIRED, "\xe2\x8c\x9b ", "Expired")                                                   \
    X(STORY_CANCELLED, "\xf0\x9f\x9a\xab ", "Cancelled")                                           \
    X(STORY_DELAYED, "\xe2\x8f\xb3 ", "Approved, not in effect yet")                               \
    X(STORY_STOPPED, "\xf0\x9f\x9b\x91 ", "Stopped")                                               \
    X(STORY_GLASS, "\xf0\x9f\x9a\xa8 ", "BREAK GLASS")                                             \
    X(STORY_GLASS_CLAIMED, "\xf0\x9f\x9a\xa8 ", "BREAK GLASS, claimed")                            \
    X(STORY_GLASS_DONE, "\xf0\x9f\x9a\xa8 ", "BREAK GLASS, done")                                  \
    X(STORY_GLASS_FAILED, "\xf0\x9f\x9a\xa8 ", "BREAK GLASS, but failed")                          \
    X(STORY_GLASS_LAPSED, "\xf0\x9f\x9a\xa8 ", "BREAK GLASS, lapsed unused")

enum story_phase {
#define STORY_PHASE_ENUM(phase, symbol, word) phase,
    STORY_PHASE_TABLE(STORY_PHASE_ENUM)
#undef STORY_PHASE_ENUM
};
enum story_phase story_phase(const struct request *request);
const char *story_symbol(enum story_phase phase); /* with a space, or "" */
const char *story_word(enum story_phase phase);

/* The people and groups of the policy who may still decide, as mentions; some when they are many.
 * escalated: those of escalate_to; else the approvers. False, and nothing said: there is nobody. */
bool story_deciders(struct prose *prose,
                    const struct request *request,
                    const struct policy *policy,
                    bool escalated);
/* Would story_deciders say anybody? */
bool story_has_deciders(const struct request *request, const struct policy *policy, bool escalated);

/* The title as mrkdwn; never nothing. */
void story_title(struct prose *prose, const struct request *request);
/* "@priya via deploy-bot", "@ana for @priya" */
void story_asker(struct prose *prose, const struct request *request);
/* How it stands, several lines. bold is "*" in blocks and "" in text that is read aloud. policy may
 * be NULL. */
void story_status(struct prose *prose,
                  const struct request *request,
                  const struct policy *policy,
                  const char *bold);
/* " Only mon-fri 09:00-17:00 (Europe/Berlin).", or nothing. */
void story_windows(struct prose *prose, const struct policy *policy);
/* On a line of its own: what is in the way of using the approval, as it was found last; or nothing.
 */
void story_hold(struct prose *prose, const struct request *request);
/* How far the first decision_count decisions go: "1 of 2", or with needs "security 1 of 1, ops 0 of
 * 2, or directors 0 of 1"; once one alternative is complete, that one alone. */
void story_progress(struct prose *prose, const struct request *request, uint32_t decision_count);
/* The whole request in a few sentences, for text that stands alone. answer is how to decide it
 * (shown while it is pending). */
void story_summary(struct prose *prose,
                   const struct request *request,
                   const struct policy *policy,
                   const char *answer);
/* A line for each decision, behind what was said. */
void story_decisions(struct prose *prose, const struct request *request);
/* "*@ann broke the glass* with approvalctl, …", before how many approvals there were. */
void story_glass(struct prose *prose, const struct request *request, const char *bold);
/* " for @ana", behind the name of one who decided in her place; else nothing. */
void story_principal(struct prose *prose, const struct request *request, struct span user);
/* " It was approved by @ben.", behind a sentence; nothing while nobody has decided it. */
void story_decider(struct prose *prose, const struct request *request);
/* The reason to show with the outcome (of a rejection, a cancellation, a broken glass), or an empty
 * span. */
struct span story_outcome_reason(const struct request *request);

#endif
