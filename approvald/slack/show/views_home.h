/* SPDX-License-Identifier: Apache-2.0 */
/* views_home.h: the Home tab of one person. Pure: state in, JSON out; the pages travel in the view
 * and come back with each press.
 *
 * What waits for him with its buttons, then his own open requests, then what ended lately. Text
 * from people cannot make a mention, a link or formatting, as on a card. */
#ifndef APPROVALD_SLACK_SHOW_VIEWS_HOME_H
#define APPROVALD_SLACK_SHOW_VIEWS_HOME_H

#include "approvald/service/service.h"
#include "approvald/slack/show/views_away.h"

struct buf;

#define VIEW_HOME_CALLBACK "home"

struct view_home {
    const struct service_home_answer *found; /* ready */
    struct span user;
    struct span hash;          /* of the view that this one replaces, or empty */
    const char *workspace_url; /* as card.h has it */
    uint32_t serial;
    uint64_t now_ms; /* wall */
    uint32_t barred; /* bit set of what waits: he shares a group with the requester that the policy
                        excludes, and his press would be refused */
    struct view_away away;
};
/* Appends the body of views.publish. ERR_NOMEM, ERR_TOO_LARGE, ERR_INVALID. */
enum err_code
view_home_publish(const struct view_home *home, struct buf *body, struct err *err) WARN_UNUSED;

/* A press on a button that turns a page: the pages to show. metadata and value are as they came
 * back; what is not ours counts as the first page. False: the button is another one. */
bool view_home_turn(struct span action_id,
                    struct span value,
                    struct span metadata,
                    uint32_t ret_pages[HOME_PART_COUNT]);

/* Equal for equal Homes, whenever they are made. */
uint64_t view_home_digest(const struct service_home_answer *found, uint32_t barred);

#endif
