/* SPDX-License-Identifier: Apache-2.0 */
/* replay.h: what use cases that start from an outside event share. */
#ifndef APPROVALD_SERVICE_REPLAY_H
#define APPROVALD_SERVICE_REPLAY_H

#include "approvald/service/work.h"

/* Gives the first delivery's answer again: ERR_NOT_FOUND when this is the first. */
enum err_code event_replay(struct work *work,
                           const struct inbox_key *key,
                           const struct request_id *id) WARN_UNUSED;
/* Counts a decision's answer in the metrics. */
void count_decision(const struct job *job);
/* Appends pointers to all spans of *facts behind the first count ones; returns the new count. */
size_t facts_spans(struct facts *facts, struct span **spans, size_t count);

#endif
