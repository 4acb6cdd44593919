/* SPDX-License-Identifier: Apache-2.0 */
/* views_home.c: the Home tab as JSON.
 * Owns its words, its order and the buttons that turn pages.
 * Never sends, never decides who sees what, never shows text from people unguarded. */
#include "approvald/slack/show/views_home.h"

#include "approvald/core/approval.h"
#include "approvald/core/glass.h"
#include "approvald/core/request_id.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/show/blocks.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/prose.h"
#include "approvald/slack/show/story.h"
#include "approvald/slack/show/views.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGES_SIZE_MAX 64
#define FNV_BASIS      UINT64_C(14695981039346656037)
#define FNV_PRIME      UINT64_C(1099511628211)

static const struct {
    const char *title;
    const char *empty;
    const char *back; /* action ids */
    const char *next;
    const char *back_label;
    const char *next_label;
} parts[HOME_PART_COUNT] = {
    [HOME_WAITING] = {"Waiting for you",
                      "Nothing waits for your decision. What does will appear here by itself.",
                      "home_waiting_back", "home_waiting_next",
                      "Back: requests that wait for you and expire earlier",
                      "More requests that wait for you"},
    [HOME_MINE] = {"Your open requests", "None of your requests waits for a decision.",
                   "home_mine_back", "home_mine_next", "Back: newer requests of yours",
                   "More open requests of yours"},
    [HOME_RECENT] = {"Recently ended",
                     "What you asked for or decided will be listed here with its outcome.",
                     "home_recent_back", "home_recent_next", "Back: what ended later",
                     "More of what ended, earlier"},
};

struct page {
    const struct view_home *home;
    struct blocks blocks;
    struct prose *prose;
};

static struct card card_of(const struct page *page, const struct service_home_item *item)
{
    return (struct card){.request = item->request,
                         .policy = item->policy,
                         .workspace_url = page->home->workspace_url,
                         .channel = item->card == NULL ? SPAN_NONE : item->card->channel,
                         .ts = item->card == NULL ? SPAN_NONE : item->card->ts};
}

static void begin(struct page *page)
{
    prose_begin(page->prose, BLOCKS_MRKDWN_COUNT_MAX);
}

static void end_section(struct page *page)
{
    blocks_section(&page->blocks, prose_take(page->prose));
}

/* A link behind what was said, when there is one. */
static void say_link(struct page *page, const struct service_home_item *item, const char *label)
{
    struct card card = card_of(page, item);

    if (item->card != NULL && card.workspace_url != NULL) {
        prose_add(page->prose, " \xc2\xb7 ");
        card_link(page->prose, &card, label);
    }
}

static void say_title(struct page *page, const struct request *request)
{
    prose_add(page->prose, "*");
    story_title(page->prose, request);
    prose_add(page->prose, "*");
}

/* Where one is enough, nobody has to count. */
static void say_end(struct page *page, const struct request *request)
{
    if (request->quorum > 1 || request->need_count > 0) {
        story_progress(page->prose, request, request->decision_count);
        prose_add(page->prose, " approved \xc2\xb7 ");
    }
    if (request_is_delayed(request)) {
        prose_add(page->prose, "Takes effect ");
        prose_add_date(page->prose, request->clocks.effect_ms);
        prose_add(page->prose, " unless somebody stops it");
        return;
    }
    prose_add(page->prose, "Expires ");
    prose_add_date(page->prose, request->expires_ms);
}

/* What will run, as far as it fits. */
static void add_details(struct page *page, const struct request *request)
{
    prose_begin(page->prose, SLACK_HOME_DETAILS_COUNT);
    prose_add_plain_lines(page->prose, request->details, SLACK_HOME_DETAILS_COUNT);
    if (!prose_is_empty(page->prose)) {
        blocks_rich_code(blocks_rich(&page->blocks), prose_take(page->prose));
    }
}

static bool is_barred(const struct page *page, const struct service_home_item *item)
{
    ptrdiff_t index = item - page->home->found->parts[HOME_WAITING].items;

    ASSERT(index >= 0 && index < SERVICE_HOME_ITEM_MAX);
    return (page->home->barred >> index & 1) != 0;
}

static void add_waiting(struct page *page, const struct service_home_item *item)
{
    const struct request *request = item->request;
    bool cut = request->fields.size > 0 || /* they are on the card alone */
               text_count(request->details) > SLACK_HOME_DETAILS_COUNT ||
               text_count(request->reason) > SLACK_HOME_REASON_COUNT;
    struct card card = card_of(page, item);
    char code[CARD_CODE_SIZE];

    begin(page);
    say_title(page, request);
    prose_add(page->prose, "\nAsked by ");
    story_asker(page->prose, request);
    if (request->target.size > 0) {
        prose_add(page->prose, " \xc2\xb7 ");
        prose_add_text(page->prose, request->target, 2UL * CORE_TARGET_COUNT_MAX);
    }
    if (request->reason.size > 0) {
        prose_add(page->prose, "\n");
        prose_add_text(page->prose, request->reason, SLACK_HOME_REASON_COUNT);
    }
    prose_add(page->prose, "\n");
    say_end(page, request);
    if (request->bound) {
        card_code(request, code);
        prose_add(page->prose, " \xc2\xb7 code ");
        prose_add(page->prose, code);
    }
    say_link(page, item, cut ? "The card shows all of it" : "Open the card");
    end_section(page);
    add_details(page, request);
    if (is_barred(page, item)) {
        blocks_context_text(blocks_context(&page->blocks),
                            SPAN_LITERAL("Somebody else has to decide this: you are in a group "
                                         "with the requester that may not."));
        return;
    }
    (void)card_buttons(&card, &page->blocks, page->prose); /* nothing is beside them */
}

static void add_mine(struct page *page, const struct service_home_item *item)
{
    begin(page);
    say_title(page, item->request);
    prose_add(page->prose, "\n");
    say_end(page, item->request);
    say_link(page, item, "Open the card");
    end_section(page);
    if (glass_names(item->policy, page->home->user)) {
        struct card card = card_of(page, item);

        card_menu(&card, blocks_actions(&page->blocks));
    }
}

static void add_recent(struct page *page, const struct service_home_item *item)
{
    const struct request *request = item->request;
    enum story_phase phase = story_phase(request);
    struct span reason = story_outcome_reason(request);

    begin(page);
    prose_add(page->prose, story_symbol(phase));
    prose_add(page->prose, story_word(phase));
    prose_add(page->prose, ": ");
    story_title(page->prose, request);
    if (reason.size > 0) {
        prose_add(page->prose, "\n");
        prose_add_text(page->prose, reason, SLACK_HOME_REASON_COUNT);
    }
    prose_add(page->prose, "\nAsked by ");
    story_asker(page->prose, request);
    prose_add(page->prose, " \xc2\xb7 ");
    prose_add_date(page->prose, request->ended_ms);
    say_link(page, item, "Open the card");
    end_section(page);
}

static void add_turn(struct json *actions,
                     const char *action_id,
                     const char *text,
                     const char *label,
                     uint32_t target)
{
    char value[16];

    (void)snprintf(value, sizeof value, "%" PRIu32, target); /* fits */
    blocks_button(actions, &(struct blocks_button){.action_id = action_id,
                                                   .text = text,
                                                   .value = span_text(value),
                                                   .label = span_text(label)});
}

static void
add_turns(struct page *page, enum service_home_part part, const struct service_home_list *list)
{
    bool more = list->more && list->page + 1 < SERVICE_HOME_PAGE_MAX;
    struct json *actions;

    if (list->page == 0 && !more) {
        return;
    }
    actions = blocks_actions(&page->blocks);
    if (list->page > 0) {
        add_turn(actions, parts[part].back, "Back", parts[part].back_label, list->page - 1);
    }
    if (more) {
        add_turn(actions, parts[part].next, "Show More", parts[part].next_label, list->page + 1);
    }
}

static void
add_title(struct page *page, enum service_home_part part, const struct service_home_list *list)
{
    prose_begin(page->prose, BLOCKS_HEADER_COUNT_MAX);
    prose_add(page->prose, parts[part].title);
    if (list->total > 0) {
        prose_add(page->prose, list->cut ? ": more than " : ": ");
        prose_add_number(page->prose, list->total);
    }
    blocks_header(&page->blocks, prose_take(page->prose));
}

static void add_part(struct page *page, enum service_home_part part)
{
    static void (*const add[HOME_PART_COUNT])(struct page * page,
                                              const struct service_home_item *item) = {
        [HOME_WAITING] = add_waiting, [HOME_MINE] = add_mine, [HOME_RECENT] = add_recent};
    const struct service_home_list *list = &page->home->found->parts[part];

    add_title(page, part, list);
    if (list->count == 0 && list->total == 0 && !list->cut) {
        blocks_section(&page->blocks, span_text(parts[part].empty));
    }
    for (size_t i = 0; i < list->count; i++) {
        add[part](page, &list->items[i]);
    }
    add_turns(page, part, list);
}

static void add_print(struct page *page)
{
    struct json *context = blocks_context(&page->blocks);
    const struct service_home_list *waiting = &page->home->found->parts[HOME_WAITING];

    if (page->home->found->unknown) {
        blocks_context_text(context, SPAN_LITERAL("Slack has not told yet who is in which group "
                                                  "or channel: more may wait for you."));
    }
    if (waiting->cut) {
        blocks_context_text(context,
                            SPAN_LITERAL("So many requests are open that not each could be looked "
                                         "at: more may wait for you, and their cards show them."));
    } else if (waiting->total > SERVICE_HOME_ITEM_MAX * SERVICE_HOME_PAGE_MAX) {
        blocks_context_text(context,
                            SPAN_LITERAL("Those that expire first are shown; the others follow."));
    }
    begin(page);
    prose_add(page->prose, "Updated ");
    prose_add_date(page->prose, page->home->now_ms);
    prose_add(page->prose, ". Opening this tab updates it.");
    blocks_context_text(context, prose_take(page->prose));
}

static void add_metadata(const struct service_home_answer *found, struct json *view)
{
    char text[PAGES_SIZE_MAX];

    (void)snprintf(text, sizeof text, "%" PRIu32 " %" PRIu32 " %" PRIu32, /* fits */
                   found->parts[HOME_WAITING].page, found->parts[HOME_MINE].page,
                   found->parts[HOME_RECENT].page);
    json_add_text(view, "private_metadata", span_text(text));
}

static enum err_code
print(const struct json *root, size_t before, struct buf *body, struct err *err)
{
    enum err_code rc = json_print(root, body, err);

    if (rc == ERR_OK) {
        rc = view_check(json_get(root, "view"), err);
    }
    if (rc == ERR_OK && buf_size(body) - before > SLACK_HOME_VIEW_SIZE_MAX) {
        rc = err_set(err, ERR_TOO_LARGE, "view of %zu bytes", buf_size(body) - before);
    }
    return rc == ERR_OK ? ERR_OK : err_wrap(err, rc, "home");
}

enum err_code view_home_publish(const struct view_home *home, struct buf *body, struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    struct page page = {.home = home, .prose = &prose};
    struct json *view;
    enum err_code rc = prose_init(&prose, err);

    ASSERT(home->found->ready);
    if (rc != ERR_OK) {
        return rc;
    }
    json_add_text(root, "user_id", home->user);
    if (home->hash.size > 0) {
        json_add_text(root, "hash", home->hash);
    }
    view = json_add_object(root, "view");
    json_add_text(view, "type", SPAN_LITERAL("home"));
    json_add_text(view, "callback_id", SPAN_LITERAL(VIEW_HOME_CALLBACK));
    add_metadata(home->found, view);
    blocks_begin(&page.blocks, view, home->serial);
    for (size_t part = 0; part < HOME_PART_COUNT; part++) {
        add_part(&page, (enum service_home_part)part);
    }
    view_away_add(&home->away, home->user, &page.blocks, page.prose);
    add_print(&page);
    rc = prose_status(&prose, err);
    return rc == ERR_OK ? print(root, buf_size(body), body, err) : rc;
}

/* Pages come back. */

static uint32_t read_page(struct span text)
{
    uint64_t number;

    return text_parse_u64(text, &number) && number < SERVICE_HOME_PAGE_MAX ? (uint32_t)number : 0;
}

static void read_pages(struct span metadata, uint32_t ret_pages[HOME_PART_COUNT])
{
    size_t from = 0;

    for (size_t part = 0; part < HOME_PART_COUNT; part++) {
        size_t to = from;

        while (to < metadata.size && metadata.data[to] != ' ') {
            to++;
        }
        ret_pages[part] = to > from ? read_page(span_of(metadata.data + from, to - from)) : 0;
        from = to < metadata.size ? to + 1 : to;
    }
}

bool view_home_turn(struct span action_id,
                    struct span value,
                    struct span metadata,
                    uint32_t ret_pages[HOME_PART_COUNT])
{
    for (size_t part = 0; part < HOME_PART_COUNT; part++) {
        if (span_is(action_id, parts[part].back) || span_is(action_id, parts[part].next)) {
            read_pages(metadata, ret_pages);
            ret_pages[part] = read_page(value);
            return true;
        }
    }
    return false;
}

static uint64_t mix(uint64_t digest, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++) {
        digest = (digest ^ at[i]) * FNV_PRIME;
    }
    return digest;
}

static uint64_t mix_number(uint64_t digest, uint64_t number)
{
    return mix(digest, &number, sizeof number);
}

static uint64_t mix_item(uint64_t digest, const struct service_home_item *item)
{
    digest = mix(digest, item->request->id.bytes, REQUEST_ID_SIZE);
    digest = mix_number(digest, item->request->revision);
    if (item->card != NULL) { /* where its link leads */
        digest = mix(digest, item->card->channel.data, item->card->channel.size);
        digest = mix(digest, item->card->ts.data, item->card->ts.size);
    }
    return digest;
}

uint64_t view_home_digest(const struct service_home_answer *found, uint32_t barred)
{
    uint64_t digest = mix_number(FNV_BASIS, found->unknown ? 1 : 0);

    digest = mix_number(digest, barred);

    for (size_t part = 0; part < HOME_PART_COUNT; part++) {
        const struct service_home_list *list = &found->parts[part];

        digest = mix_number(digest, list->count);
        digest = mix_number(digest, list->page);
        digest = mix_number(digest, list->total);
        digest = mix_number(digest, list->more ? 1 : 0);
        digest = mix_number(digest, list->cut ? 1 : 0);
        for (size_t i = 0; i < list->count; i++) {
            digest = mix_item(digest, &list->items[i]);
        }
    }
    return digest;
}
