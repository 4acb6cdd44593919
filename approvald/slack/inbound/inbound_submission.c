/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_submission.c: what all submitted windows have in common.
 * Owns the identity by which a repeated delivery is known.
 * Never decides anything, never looks at what was typed. */
#include "approvald/core/inbox.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/people/directory.h"
#include "approvald/slack/show/views.h"
#include "approvald/slack/wire/payload.h"
#include "base/text.h"

#include <stdio.h>

bool inbound_submission_key(const struct inflight *flight,
                            const struct payload *payload,
                            char text[SLACK_EVENT_KEY_SIZE_MAX],
                            struct service_event_key *ret_key)
{
    int size = snprintf(text, SLACK_EVENT_KEY_SIZE_MAX, "%.*s %.*s %.*s", SPAN_ARGS(payload->user),
                        SPAN_ARGS(payload->view_id), SPAN_ARGS(payload->view_hash));
    size_t whole = 0;

    while (whole < payload->view_hash.size && payload->view_hash.data[whole] != '.') {
        whole++;
    }
    ret_key->kind = INBOX_VIEW_SUBMISSION;
    ret_key->text = span_text(text);
    if (!text_parse_u64(span_of(payload->view_hash.data, whole), &ret_key->time_s)) {
        ret_key->time_s = flight->time_s;
    }
    return size > 0 && size < SLACK_EVENT_KEY_SIZE_MAX;
}

bool inbound_decide_begin(struct inflight *flight,
                          const struct payload *payload,
                          const struct view_place *place,
                          char text[SLACK_EVENT_KEY_SIZE_MAX],
                          struct service_decide *ret_decide)
{
    *ret_decide = (struct service_decide){
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = payload->user},
        .id = place->id,
        .channel = place->channel,
        .thread = place->thread,
        .quiet = true, /* the window says it */
    };
    if (payload->user.size == 0 || !inflight_keep(flight, payload) ||
        !inbound_submission_key(flight, payload, text, &ret_decide->key)) {
        inbound_reply_problem(flight, 400, "A field is missing or longer than any of Slack's.");
        return false;
    }
    directory_facts(flight->inbound->directory, payload->user, payload->user_team,
                    &ret_decide->facts);
    return true;
}
