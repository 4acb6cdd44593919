/* SPDX-License-Identifier: Apache-2.0 */
/* views_away.c: out of office, as people see it.
 * Owns the words of the section and the fields of the form.
 * Never judges a date or a person: the service does. */
#include "approvald/slack/show/views_away.h"

#include "approvald/slack/show/prose.h"
#include "approvald/slack/show/views.h"
#include "approvald/slack/show/views_internal.h"
#include "approvald/slack/wire/payload.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_COUNT_MAX 12 /* eight of his own, and those for whom he stands in */
#define VALUE_SIZE      24
#define FNV_BASIS       UINT64_C(14695981039346656037)
#define FNV_PRIME       UINT64_C(1099511628211)

static bool concerns(const struct service_delegation *delegation, struct span user)
{
    return span_equal(delegation->from, user) || span_equal(delegation->to, user);
}

static void say(struct prose *prose, const struct service_delegation *delegation, bool own)
{
    prose_begin(prose, BLOCKS_MRKDWN_COUNT_MAX);
    if (own) {
        prose_add_person(prose, delegation->to);
        prose_add(prose, " stands in for you from ");
    } else {
        prose_add(prose, "You stand in for ");
        prose_add_person(prose, delegation->from);
        prose_add(prose, " from ");
    }
    prose_add_date(prose, delegation->begin_ms);
    prose_add(prose, " to ");
    prose_add_date(prose, delegation->end_ms);
    prose_add(prose, ".");
}

static void add_one(struct blocks *blocks,
                    struct prose *prose,
                    const struct service_delegation *delegation,
                    bool own)
{
    char value[VALUE_SIZE];

    say(prose, delegation, own);
    blocks_section(blocks, prose_take(prose));
    (void)snprintf(value, sizeof value, "%" PRIu64, delegation->id); /* fits */
    blocks_button(blocks_actions(blocks),
                  &(struct blocks_button){.action_id = VIEW_AWAY_END,
                                          .text = "End Now",
                                          .value = span_text(value),
                                          .label = own ? SPAN_LITERAL("End: nobody stands in for "
                                                                      "you any more")
                                                       : SPAN_LITERAL("End: you do not stand in "
                                                                      "any more")});
}

void view_away_add(const struct view_away *away,
                   struct span user,
                   struct blocks *blocks,
                   struct prose *prose)
{
    size_t shown = 0;
    bool some = away->used;

    for (size_t i = 0; i < away->count; i++) {
        some = some || concerns(&away->delegations[i], user);
    }
    if (!some) {
        return;
    }
    blocks_header(blocks, SPAN_LITERAL("Out of office"));
    for (size_t i = 0; i < away->count && shown < SHOWN_COUNT_MAX; i++) {
        if (concerns(&away->delegations[i], user)) {
            add_one(blocks, prose, &away->delegations[i],
                    span_equal(away->delegations[i].from, user));
            shown++;
        }
    }
    if (shown == 0) {
        blocks_section(blocks, SPAN_LITERAL("While you are away, somebody else can decide in your "
                                            "place, where the policy lets him."));
    }
    blocks_button(blocks_actions(blocks),
                  &(struct blocks_button){.action_id = VIEW_AWAY_SET,
                                          .text = "Name a Substitute",
                                          .value = SPAN_LITERAL("new"),
                                          .label = SPAN_LITERAL("Name who decides in your place "
                                                                "while you are away")});
}

static uint64_t mix(uint64_t digest, uint64_t number)
{
    for (size_t i = 0; i < sizeof number; i++) {
        digest = (digest ^ (number >> (8 * i) & 0xff)) * FNV_PRIME;
    }
    return digest;
}

uint64_t view_away_digest(const struct view_away *away, struct span user)
{
    uint64_t digest = mix(FNV_BASIS, away->used ? 1 : 0);

    for (size_t i = 0; i < away->count; i++) {
        if (concerns(&away->delegations[i], user)) {
            digest = mix(digest, away->delegations[i].id);
        }
    }
    return digest;
}

static struct json *add_input(
    struct json *blocks, const char *name, const char *label, const char *hint, const char *type)
{
    struct json *input = view_add_block(blocks, "input", name);
    struct json *element;

    view_add_plain(input, "label", span_text(label));
    view_add_plain(input, "hint", span_text(hint));
    element = json_add_object(input, "element");
    json_add_text(element, "type", span_text(type));
    json_add_text(element, "action_id", span_text(name));
    return element;
}

enum err_code
view_away_open(struct span trigger_id, uint64_t now_ms, struct buf *body, struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    struct json *view;
    struct json *blocks;
    struct json *element;

    json_add_text(root, "trigger_id", trigger_id);
    view = view_form(root, VIEW_AWAY_CALLBACK, "Out of Office", "Save");
    blocks = json_add_array(view, "blocks");
    (void)add_input(blocks, VIEW_AWAY_TO, "Who stands in for you",
                    "A full member of this workspace. You two count once together.",
                    "users_select");
    element = add_input(blocks, VIEW_AWAY_FROM, "From", "In your time zone.", "datetimepicker");
    json_add_u64(element, "initial_date_time", now_ms / 1000);
    (void)add_input(blocks, VIEW_AWAY_UNTIL, "To", "It ends by itself then.", "datetimepicker");
    return view_print(root, SLACK_VIEW_SIZE_MAX, body, err);
}

static uint64_t time_of(const struct payload *payload, const char *name)
{
    uint64_t at_s = 0;

    if (!json_u64(json_get(json_get(payload->values, name), name), "selected_date_time", &at_s) ||
        at_s > UINT32_MAX) {
        return 0;
    }
    return at_s * 1000;
}

void view_away_read(const struct payload *payload, struct view_away_form *ret_form)
{
    *ret_form = (struct view_away_form){.to = payload_person(payload, VIEW_AWAY_TO, VIEW_AWAY_TO),
                                        .begin_ms = time_of(payload, VIEW_AWAY_FROM),
                                        .end_ms = time_of(payload, VIEW_AWAY_UNTIL)};
}

const char *view_away_field(const char *message, const char **ret_rest)
{
    static const char *const names[] = {VIEW_AWAY_TO, VIEW_AWAY_FROM, VIEW_AWAY_UNTIL};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size = strlen(names[i]);

        if (strncmp(message, names[i], size) == 0 && strncmp(message + size, ": ", 2) == 0) {
            *ret_rest = message + size + 2;
            return names[i];
        }
    }
    *ret_rest = message;
    return VIEW_AWAY_TO;
}
