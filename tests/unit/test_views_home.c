/* SPDX-License-Identifier: Apache-2.0 */
/* test_views_home.c: proves approvald/slack/show/views_home: what a Home shows, within Slack's
 * limits, and that nothing in it is forged. Owns nothing but its cases; never touches a file or the
 * network. */
#include "approvald/slack/limits.h"
#include "approvald/slack/show/views_home.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/lib/block_check.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/card_text.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define PRINT_SIZE_MAX (256UL * 1024)

struct attempt {
    struct service_home_answer found;
    struct view_home home;
    struct request request;
    struct policy policy;
    struct outbox_row card;
    struct buf *out; /* cleared before each */
};

static void open_attempt(struct attempt *attempt)
{
    struct err err = ERR_INIT;

    memset(attempt, 0, sizeof *attempt);
    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &attempt->out, &err), ERR_OK);
    attempt->found.ready = true;
    attempt->card.channel = SPAN_LITERAL("C0APV00001");
    attempt->card.ts = SPAN_LITERAL("1764752400.118349");
    attempt->home = (struct view_home){.found = &attempt->found,
                                       .user = SPAN_LITERAL("U0ANA"),
                                       .workspace_url = "https://acme.slack.com/",
                                       .serial = 7,
                                       .now_ms = UINT64_C(1764752400000)};
}

static void fill(struct attempt *attempt, enum service_home_part part, size_t count)
{
    struct service_home_list *list = &attempt->found.parts[part];

    list->count = count;
    list->total = part == HOME_RECENT ? 0 : (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        list->items[i] = (struct service_home_item){
            .request = &attempt->request, .policy = &attempt->policy, .card = &attempt->card};
    }
}

static enum err_code print(void *arg)
{
    struct attempt *attempt = arg;
    struct err err = ERR_INIT;

    buf_clear(attempt->out);
    return view_home_publish(&attempt->home, attempt->out, &err);
}

static struct json *render(struct attempt *attempt)
{
    CU_ASSERT_EQUAL_FATAL(print(attempt), ERR_OK);
    return parsed(attempt->out);
}

static bool says(const struct attempt *attempt, const char *part)
{
    return has(buf_span(attempt->out), part);
}

/* As a message with the same blocks: the checks are of blocks. */
static void expect_good(struct attempt *attempt, const char *what)
{
    AUTO_JSON struct json *json = render(attempt);
    AUTO_JSON struct json *message = NULL;
    AUTO_BUF struct buf *blocks = NULL;
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    const char *wrong;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &blocks, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &text, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(json_print(json_path(json, "view.blocks"), blocks, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(
        buf_append_format(text, &err, "{\"text\":\"Home\",\"blocks\":%s}", buf_text(blocks)),
        ERR_OK);
    CU_ASSERT_EQUAL_FATAL(json_parse(buf_span(text), PRINT_SIZE_MAX, &message, &err), ERR_OK);
    wrong = block_check(message);
    if (wrong != NULL) {
        (void)fprintf(stderr, "%s: %s\n%s\n", what, wrong, buf_text(text));
    }
    CU_ASSERT_PTR_NULL(wrong);
}

static void an_empty_home_says_what_will_be_there(void)
{
    struct attempt attempt;

    open_attempt(&attempt);
    expect_good(&attempt, "empty");
    CU_ASSERT(says(&attempt, "\"user_id\":\"U0ANA\""));
    CU_ASSERT(says(&attempt, "\"type\":\"home\""));
    CU_ASSERT(says(&attempt, "Nothing waits for your decision"));
    CU_ASSERT(says(&attempt, "None of your requests waits"));
    CU_ASSERT(says(&attempt, "\"private_metadata\":\"0 0 0\""));
    CU_ASSERT_FALSE(says(&attempt, "\"hash\""));
    CU_ASSERT_FALSE(says(&attempt, "\"button\""));
    attempt.home.hash = SPAN_LITERAL("1764752300.a1B2c3D4");
    attempt.found.unknown = true;
    expect_good(&attempt, "not all is known");
    CU_ASSERT(says(&attempt, "\"hash\":\"1764752300.a1B2c3D4\""));
    CU_ASSERT(says(&attempt, "more may wait for you"));
    buf_free(attempt.out);
}

/* A button that would be refused is a promise that is not kept. */
static void what_he_may_not_decide_has_no_buttons_and_says_why(void)
{
    struct attempt attempt;
    uint64_t digest;

    open_attempt(&attempt);
    sample_policy(&attempt.policy);
    sample_request(SAMPLE_PENDING, &attempt.request);
    fill(&attempt, HOME_WAITING, 2);
    digest = view_home_digest(&attempt.found, 0);
    attempt.home.barred = 3;
    expect_good(&attempt, "barred");
    CU_ASSERT(says(&attempt, "you are in a group with the requester"));
    CU_ASSERT_FALSE(says(&attempt, "\"action_id\":\"approve\""));
    CU_ASSERT_NOT_EQUAL(view_home_digest(&attempt.found, 3), digest);
    attempt.home.barred = 1;
    expect_good(&attempt, "one of two");
    CU_ASSERT(says(&attempt, "you are in a group with the requester"));
    CU_ASSERT(says(&attempt, "\"action_id\":\"approve\""));
    buf_free(attempt.out);
}

static void a_count_that_is_cut_says_so(void)
{
    struct attempt attempt;
    uint64_t digest;

    open_attempt(&attempt);
    sample_policy(&attempt.policy);
    sample_request(SAMPLE_PENDING, &attempt.request);
    fill(&attempt, HOME_WAITING, 2);
    attempt.found.parts[HOME_WAITING].total = 256;
    digest = view_home_digest(&attempt.found, 0);
    attempt.found.parts[HOME_WAITING].cut = true;
    CU_ASSERT_NOT_EQUAL(view_home_digest(&attempt.found, 0), digest);
    expect_good(&attempt, "cut");
    CU_ASSERT(says(&attempt, "Waiting for you: more than 256"));
    CU_ASSERT(says(&attempt, "more may wait for you, and their cards show them"));
    fill(&attempt, HOME_WAITING, 0);
    expect_good(&attempt, "cut, and nothing found");
    CU_ASSERT_FALSE(says(&attempt, "Nothing waits for your decision"));
    CU_ASSERT(says(&attempt, "more may wait for you, and their cards show them"));
    buf_free(attempt.out);
}

static void only_what_waits_has_buttons_and_each_is_named_for_screen_readers(void)
{
    struct attempt attempt;

    open_attempt(&attempt);
    sample_policy(&attempt.policy);
    sample_request(SAMPLE_PARTIAL, &attempt.request);
    fill(&attempt, HOME_WAITING, 1);
    expect_good(&attempt, "waiting");
    CU_ASSERT(says(&attempt, "\"action_id\":\"approve\""));
    CU_ASSERT(says(&attempt, "\"action_id\":\"reject\""));
    CU_ASSERT(says(&attempt, "\"accessibility_label\":\"Approve: "));
    CU_ASSERT(says(&attempt, "Waiting for you: 1"));
    CU_ASSERT(says(&attempt, "1 of 2 approved"));
    CU_ASSERT(says(&attempt, "https://acme.slack.com/archives/C0APV00001/p1764752400118349"));
    CU_ASSERT(says(&attempt, "\"block_id\":\"r7.b0\""));
    fill(&attempt, HOME_WAITING, 0);
    fill(&attempt, HOME_MINE, 1);
    expect_good(&attempt, "mine");
    CU_ASSERT(says(&attempt, "Your open requests: 1"));
    CU_ASSERT_FALSE(says(&attempt, "\"button\""));
    attempt.found.parts[HOME_MINE].items[0].card = NULL; /* not posted yet */
    expect_good(&attempt, "without a card");
    CU_ASSERT_FALSE(says(&attempt, "archives/"));
    CU_ASSERT(says(&attempt, "Expires "));
    sample_request(SAMPLE_DELAYED, &attempt.request);
    expect_good(&attempt, "delayed");
    CU_ASSERT(says(&attempt, "Takes effect "));
    CU_ASSERT_FALSE(says(&attempt, "Expires "));
    fill(&attempt, HOME_MINE, 0);
    attempt.found.parts[HOME_WAITING].total = 3; /* which could not be read */
    expect_good(&attempt, "nothing to show");
    CU_ASSERT_FALSE(says(&attempt, "Nothing waits for your decision"));
    buf_free(attempt.out);
}

static void every_outcome_is_told(void)
{
    struct attempt attempt;

    open_attempt(&attempt);
    sample_policy(&attempt.policy);
    for (int sample = SAMPLE_APPROVED; sample < SAMPLE_COUNT; sample++) {
        sample_request((enum sample)sample, &attempt.request);
        fill(&attempt, HOME_RECENT, 1);
        expect_good(&attempt, sample_word((enum sample)sample));
        CU_ASSERT_FALSE(says(&attempt, "\"button\""));
        CU_ASSERT_EQUAL(says(&attempt, "Cancelled: "), sample == SAMPLE_CANCELLED);
    }
    buf_free(attempt.out);
}

static void hostile_text_of_any_length_forges_nothing(void)
{
    static struct sample_room room;
    struct attempt attempt;

    open_attempt(&attempt);
    for (uint32_t i = 0; i < SAMPLE_HOSTILE_COUNT * SAMPLE_COUNT; i++) {
        sample_hostile(i / SAMPLE_COUNT, (enum sample)(i % SAMPLE_COUNT), &room, &attempt.request,
                       &attempt.policy);
        for (size_t part = 0; part < HOME_PART_COUNT; part++) {
            fill(&attempt, (enum service_home_part)part, SERVICE_HOME_ITEM_MAX);
        }
        attempt.found.unknown = true;
        attempt.found.parts[HOME_WAITING].total = 100000;
        expect_good(&attempt, sample_hostile_unit(i / SAMPLE_COUNT));
        CU_ASSERT(buf_size(attempt.out) <= SLACK_HOME_VIEW_SIZE_MAX);
    }
    buf_free(attempt.out);
}

static void pages_come_back_as_they_were_given_and_others_are_the_first(void)
{
    uint32_t pages[HOME_PART_COUNT];
    struct attempt attempt;

    open_attempt(&attempt);
    sample_policy(&attempt.policy);
    sample_request(SAMPLE_PENDING, &attempt.request);
    fill(&attempt, HOME_WAITING, 5);
    attempt.found.parts[HOME_WAITING].page = 1;
    attempt.found.parts[HOME_WAITING].more = true;
    attempt.found.parts[HOME_RECENT].page = 3;
    CU_ASSERT_EQUAL_FATAL(print(&attempt), ERR_OK);
    CU_ASSERT(says(&attempt, "\"private_metadata\":\"1 0 3\""));
    CU_ASSERT(says(&attempt, "\"action_id\":\"home_waiting_back\""));
    CU_ASSERT(says(&attempt, "\"action_id\":\"home_waiting_next\""));
    CU_ASSERT(view_home_turn(SPAN_LITERAL("home_waiting_next"), SPAN_LITERAL("2"),
                             SPAN_LITERAL("1 0 3"), pages));
    CU_ASSERT(pages[0] == 2 && pages[1] == 0 && pages[2] == 3);
    CU_ASSERT(view_home_turn(SPAN_LITERAL("home_recent_back"), SPAN_LITERAL("-1"),
                             SPAN_LITERAL("99999999999999999999 x 7 5 4"), pages));
    CU_ASSERT(pages[0] == 0 && pages[1] == 0 && pages[2] == 0);
    CU_ASSERT(view_home_turn(SPAN_LITERAL("home_mine_next"), SPAN_LITERAL("20"), SPAN_NONE, pages));
    CU_ASSERT(pages[0] == 0 && pages[1] == 0 && pages[2] == 0);
    CU_ASSERT_FALSE(view_home_turn(SPAN_LITERAL("approve"), SPAN_LITERAL("1"), SPAN_NONE, pages));
    CU_ASSERT_FALSE(view_home_turn(SPAN_NONE, SPAN_NONE, SPAN_NONE, pages));
    buf_free(attempt.out);
}

static void the_digest_tells_what_is_shown(void)
{
    struct attempt attempt;
    uint64_t empty;
    uint64_t one;

    open_attempt(&attempt);
    sample_policy(&attempt.policy);
    sample_request(SAMPLE_PENDING, &attempt.request);
    empty = view_home_digest(&attempt.found, 0);
    fill(&attempt, HOME_WAITING, 1);
    one = view_home_digest(&attempt.found, 0);
    CU_ASSERT_NOT_EQUAL(one, empty);
    CU_ASSERT_EQUAL(one, view_home_digest(&attempt.found, 0));
    attempt.request.revision++;
    CU_ASSERT_NOT_EQUAL(one, view_home_digest(&attempt.found, 0));
    attempt.request.revision--;
    attempt.card.ts = SPAN_LITERAL("1764752401.000100"); /* posted anew: the link leads there */
    CU_ASSERT_NOT_EQUAL(one, view_home_digest(&attempt.found, 0));
    attempt.found.parts[HOME_WAITING].items[0].card = NULL;
    CU_ASSERT_NOT_EQUAL(one, view_home_digest(&attempt.found, 0));
    fill(&attempt, HOME_WAITING, 0);
    fill(&attempt, HOME_MINE, 1);
    CU_ASSERT_NOT_EQUAL(one, view_home_digest(&attempt.found, 0));
    buf_free(attempt.out);
}

static void without_memory_nothing_is_published(void)
{
    struct attempt attempt;

    open_attempt(&attempt);
    sample_policy(&attempt.policy);
    sample_request(SAMPLE_PENDING, &attempt.request);
    fill(&attempt, HOME_WAITING, 1);
    fill(&attempt, HOME_RECENT, 1);
    CU_ASSERT(starve_each(print, &attempt) > 5);
    buf_free(attempt.out);
}

UNIT_MAIN("views home",
          {"an empty Home says what will be there", an_empty_home_says_what_will_be_there},
          {"only what waits has buttons and each is named for screen readers",
           only_what_waits_has_buttons_and_each_is_named_for_screen_readers},
          {"what he may not decide has no buttons and says why",
           what_he_may_not_decide_has_no_buttons_and_says_why},
          {"a count that is cut says so", a_count_that_is_cut_says_so},
          {"every outcome is told", every_outcome_is_told},
          {"hostile text of any length forges nothing", hostile_text_of_any_length_forges_nothing},
          {"pages come back as they were given and others are the first",
           pages_come_back_as_they_were_given_and_others_are_the_first},
          {"the digest tells what is shown", the_digest_tells_what_is_shown},
          {"without memory nothing is published", without_memory_nothing_is_published})
