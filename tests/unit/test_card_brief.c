/* SPDX-License-Identifier: Apache-2.0 */
/* test_card_brief.c: proves that long texts do not push a card's buttons off the screen, that what
 * is left out is said, and that a window shows all of it.
 * Owns nothing but its cases; never touches a file or the network. */
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/views.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/lib/block_check.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/card_text.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define PRINT_SIZE_MAX (256UL * 1024)
#define ROOM           16384

struct shown {
    struct json *message; /* owned */
    struct buf *out;      /* owned: the same as text */
    struct span code;     /* the block of code, or empty */
    struct span quote;
    const char *buttons[4];
    size_t button_count;
};

static bool says(const struct shown *shown, const char *part)
{
    return has(buf_span(shown->out), part);
}

static void find_rich(const struct json *block, struct shown *shown)
{
    const struct json *element = json_first(json_get(block, "elements"));
    struct span text = json_text(json_first(json_get(element, "elements")), "text");

    CU_ASSERT(text.size > 0); /* Slack refuses an empty one */
    if (span_is(json_text(element, "type"), "rich_text_preformatted")) {
        shown->code = text;
    } else if (shown->quote.size == 0) { /* the next one is the outcome's */
        shown->quote = text;
    }
}

static void find_buttons(const struct json *block, struct shown *shown)
{
    for (const struct json *button = json_first(json_get(block, "elements")); button != NULL;
         button = json_next(button)) {
        CU_ASSERT_FATAL(shown->button_count < 4);
        shown->buttons[shown->button_count++] = json_text(button, "action_id").data;
    }
}

static void look(struct shown *shown, const char *view)
{
    const struct json *parent = view == NULL ? shown->message : json_get(shown->message, view);

    for (const struct json *block = json_first(json_get(parent, "blocks")); block != NULL;
         block = json_next(block)) {
        if (span_is(json_text(block, "type"), "rich_text")) {
            find_rich(block, shown);
        } else if (span_is(json_text(block, "type"), "actions")) {
            find_buttons(block, shown);
        }
    }
}

static void show(struct shown *shown, const struct request *request)
{
    const struct card card = {.request = request};
    struct err err = ERR_INIT;

    *shown = (struct shown){.message = json_new_object()};
    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &shown->out, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(card_add(&card, shown->message, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(json_print(shown->message, shown->out, &err), ERR_OK);
    CU_ASSERT_PTR_NULL(block_check(shown->message));
    look(shown, NULL);
}

static void open_window(struct shown *shown, const struct request *request)
{
    struct err err = ERR_INIT;

    *shown = (struct shown){.message = NULL};
    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &shown->out, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(view_details_open(request, SPAN_LITERAL("1.2.abc"), shown->out, &err),
                          ERR_OK);
    CU_ASSERT_EQUAL_FATAL(json_parse(buf_span(shown->out), PRINT_SIZE_MAX, &shown->message, &err),
                          ERR_OK);
    CU_ASSERT(json_print(json_get(shown->message, "view"), shown->out, &err) == ERR_OK &&
              buf_size(shown->out) < SLACK_CALL_SIZE_MAX);
    look(shown, "view");
}

static void done(struct shown *shown)
{
    json_free(shown->message);
    buf_free(shown->out);
}

/* "line 1\nline 2…". */
static struct span lines_of(char room[ROOM], size_t count)
{
    size_t size = 0;

    for (size_t i = 1; i <= count; i++) {
        size += (size_t)snprintf(room + size, ROOM - size, "%sline %zu", i > 1 ? "\n" : "", i);
    }
    return span_of(room, size);
}

static void what_is_short_is_shown_whole(void)
{
    static char room[ROOM];
    struct request request;
    struct shown shown;

    sample_request(SAMPLE_PENDING, &request);
    request.details = lines_of(room, 8);
    show(&shown, &request);
    CU_ASSERT(span_equal(shown.code, request.details));
    CU_ASSERT(shown.button_count == 2 && !says(&shown, "under Details"));
    done(&shown);
}

static void of_many_lines_the_first_are_shown_and_the_rest_counted(void)
{
    static const struct {
        size_t count;
        const char *rest;
    } cases[] = {{9, "*1 more line* under Details."}, {65, "*57 more lines* under Details."}};
    static char room[ROOM];
    static char first[ROOM];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request request;
        struct shown shown;

        sample_request(SAMPLE_PENDING, &request);
        request.details = lines_of(room, cases[i].count);
        show(&shown, &request);
        CU_ASSERT(span_equal(shown.code, lines_of(first, 8)));
        CU_ASSERT(says(&shown, cases[i].rest));
        CU_ASSERT_EQUAL_FATAL(shown.button_count, 3);
        CU_ASSERT_STRING_EQUAL(shown.buttons[2], CARD_ACTION_DETAILS);
        done(&shown);
        open_window(&shown, &request);
        CU_ASSERT(span_equal(shown.code, request.details));
        CU_ASSERT(span_equal(shown.quote, request.reason));
        CU_ASSERT_EQUAL(shown.button_count, 0);
        done(&shown);
    }
}

static void a_line_without_end_is_cut_between_characters(void)
{
    static char room[ROOM];
    struct request request;
    struct shown shown;
    size_t size = 0;

    while (text_count(span_of(room, size)) < CORE_DETAILS_COUNT_MAX) {
        room[size++] = '\xc3';
        room[size++] = '\xa4';
    }
    sample_request(SAMPLE_APPROVED, &request);
    request.details = span_of(room, size);
    request.reason = span_of(room, 2UL * CORE_REASON_COUNT_MAX);
    show(&shown, &request);
    CU_ASSERT(text_is_utf8(shown.code) && text_count(shown.code) == 600);
    CU_ASSERT(text_is_utf8(shown.quote) && text_count(shown.quote) == 250);
    CU_ASSERT(says(&shown, "*1900 more characters* under Details."));
    CU_ASSERT(says(&shown, "*750 more characters* under Details."));
    /* Also of what was decided it can be read what it was. */
    CU_ASSERT_FATAL(shown.button_count == 1);
    CU_ASSERT_STRING_EQUAL(shown.buttons[0], CARD_ACTION_DETAILS);
    done(&shown);
    open_window(&shown, &request);
    CU_ASSERT(span_equal(shown.code, request.details) && span_equal(shown.quote, request.reason));
    done(&shown);
}

/* So many lines of so many characters, as far as there is room. */
static struct span lines_in(char room[ROOM], size_t width, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count && size + width + 1 < 2400; i++) {
        memset(room + size, 'x', width);
        size += width;
        room[size++] = '\n';
    }
    return span_of(room, size - 1);
}

/* What is shown and what is counted are the whole. */
static void check_rest(const struct shown *shown, struct span all, size_t width)
{
    bool cut = shown->code.size < all.size;
    char said[64];

    CU_ASSERT(shown->code.size <= all.size);
    CU_ASSERT(memcmp(shown->code.data, all.data, shown->code.size) == 0);
    CU_ASSERT_EQUAL(cut, shown->button_count == 3);
    if (cut && all.data[shown->code.size] == '\n') {
        size_t lines = (all.size + 1) / (width + 1) - (shown->code.size + 1) / (width + 1);

        (void)snprintf(said, sizeof said, "*%zu more line%s*", lines,
                       lines == 1 ? "" : "s"); /* fits */
        CU_ASSERT(says(shown, said));
    } else if (cut) {
        CU_ASSERT(shown->code.size == 600 && says(shown, " more character"));
    }
}

static void nothing_is_left_out_unsaid(void)
{
    static char room[ROOM];
    struct request request;

    sample_request(SAMPLE_PENDING, &request);
    for (size_t width = 1; width < 900; width += 37) {
        for (size_t count = 1; count < 14; count++) {
            struct shown shown;

            request.details = lines_in(room, width, count);
            show(&shown, &request);
            check_rest(&shown, request.details, width);
            done(&shown);
        }
    }
}

UNIT_MAIN("card_brief",
          {"what is short is shown whole", what_is_short_is_shown_whole},
          {"of many lines the first are shown and the rest counted",
           of_many_lines_the_first_are_shown_and_the_rest_counted},
          {"a line without end is cut between characters",
           a_line_without_end_is_cut_between_characters},
          {"nothing is left out unsaid", nothing_is_left_out_unsaid})
