/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c: sorts Slack's answers into what the caller has to do next.
 * Owns the tables of Slack's error words and the meaning of HTTP results.
 * Never sends, never waits, never reads a clock, never trusts a body that is not JSON. */
#include "approvald/slack/wire/answer.h"

#include "base/assert.h"
#include "base/fetch.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define HTTP_OK           200
#define HTTP_TOO_MANY     429
#define HTTP_SERVER_ERROR 500
#define DATE_SIZE         29 /* bytes of an IMF-fixdate */
#define DAY_S             86400

/* Words that are neither permanent nor ok; all others are permanent. */
struct answer_word {
    const char *word;
    enum webapi_outcome outcome;
};

static const struct answer_word answer_words[] = {
    /* Slack did not do it and may later. */
    {"ratelimited", WEBAPI_RETRY},
    {"rate_limited", WEBAPI_RETRY},
    {"service_unavailable", WEBAPI_RETRY},
    {"team_added_to_org", WEBAPI_RETRY},
    {"external_channel_migrating", WEBAPI_RETRY},
    {"update_failed", WEBAPI_RETRY},
    {"fetch_members_failed", WEBAPI_RETRY},
    /* The action may have happened. */
    {"internal_error", WEBAPI_UNKNOWN},
    {"fatal_error", WEBAPI_UNKNOWN},
    {"request_timeout", WEBAPI_UNKNOWN},
    /* It is our token, not the call. */
    {"not_authed", WEBAPI_REFUSED},
    {"invalid_auth", WEBAPI_REFUSED},
    {"account_inactive", WEBAPI_REFUSED},
    {"token_revoked", WEBAPI_REFUSED},
    {"token_expired", WEBAPI_REFUSED},
    {"user_removed_from_team", WEBAPI_REFUSED},
    {"team_disabled", WEBAPI_REFUSED},
    {"not_allowed_token_type", WEBAPI_REFUSED},
    {"org_login_required", WEBAPI_REFUSED},
    {"team_access_not_granted", WEBAPI_REFUSED},
};

/* word NULL: the slug is filled already. */
static void set_result(struct answer *answer, enum webapi_outcome outcome, const char *word)
{
    answer->view.outcome = outcome;
    if (word != NULL) {
        (void)snprintf(answer->slug, sizeof answer->slug, "%s", word); /* our words are short */
    }
    answer->view.error = span_text(answer->slug);
}

static void set_status(struct answer *answer, enum webapi_outcome outcome, uint32_t status)
{
    (void)snprintf(answer->slug, sizeof answer->slug, "http_%u", status); /* never cut */
    set_result(answer, outcome, NULL);
}

static bool parse_digits(struct span text, size_t offset, size_t size, uint64_t *ret_number)
{
    return text_parse_u64(span_of(text.data + offset, size), ret_number);
}

static bool parse_month(struct span text, uint64_t *ret_month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (uint64_t month = 1; month <= 12; month++) {
        if (memcmp(text.data, names + (month - 1) * 3, 3) == 0) {
            *ret_month = month;
            return true;
        }
    }
    return false;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar (H. Hinnant's days_from_civil). */
static uint64_t days_from_civil(uint64_t year, uint64_t month, uint64_t day)
{
    uint64_t y = month <= 2 ? year - 1 : year;
    uint64_t era = y / 400;
    uint64_t of_era = y - era * 400;
    uint64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool answer_parse_date(struct span header, uint64_t *ret_s)
{
    uint64_t day;
    uint64_t month;
    uint64_t year;
    uint64_t hour;
    uint64_t minute;
    uint64_t second;

    /* Sun, 06 Nov 1994 08:49:37 GMT */
    if (header.size != DATE_SIZE || memcmp(header.data + 25, " GMT", 4) != 0 ||
        header.data[19] != ':' || header.data[22] != ':') {
        return false;
    }
    if (!parse_digits(header, 5, 2, &day) || !parse_digits(header, 12, 4, &year) ||
        !parse_month(span_of(header.data + 8, 3), &month) || !parse_digits(header, 17, 2, &hour) ||
        !parse_digits(header, 20, 2, &minute) || !parse_digits(header, 23, 2, &second)) {
        return false;
    }
    if (year < 1970 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    *ret_s = days_from_civil(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
    return true;
}

uint32_t answer_retry_after_ms(struct span header, uint64_t now_s)
{
    uint64_t seconds = 0;
    uint64_t date_s;

    if (!text_parse_u64(header, &seconds)) {
        seconds = 0;
        if (answer_parse_date(header, &date_s) && date_s > now_s) {
            seconds = date_s - now_s;
        }
    }
    if (seconds == 0) {
        return SLACK_RETRY_AFTER_MS;
    }
    return seconds >= SLACK_RETRY_AFTER_MS_MAX / 1000 ? SLACK_RETRY_AFTER_MS_MAX
                                                      : (uint32_t)(seconds * 1000);
}

/* Joins the texts of an array with "; " while they fit. */
static void join_texts(struct answer *answer, const struct json *array, size_t *size)
{
    for (const struct json *item = json_first(array); item != NULL; item = json_next(item)) {
        struct span text = json_string(item);
        size_t gap = *size > 0 ? 2 : 0;

        if (text.size == 0 || *size + gap + text.size >= sizeof answer->detail) {
            continue;
        }
        memcpy(answer->detail + *size, "; ", gap);
        memcpy(answer->detail + *size + gap, text.data, text.size);
        *size += gap + text.size;
    }
    answer->detail[*size] = '\0';
    answer->view.detail = span_of(answer->detail, *size);
}

static void read_refusal(struct answer *answer, const struct json *json, bool reads)
{
    struct span word = json_text(json, "error");
    enum webapi_outcome outcome = WEBAPI_PERMANENT;
    size_t detail_size = 0;

    for (size_t i = 0; i < sizeof answer_words / sizeof answer_words[0]; i++) {
        if (span_is(word, answer_words[i].word)) {
            outcome = answer_words[i].outcome;
        }
    }
    if (outcome == WEBAPI_UNKNOWN && reads) {
        outcome = WEBAPI_RETRY;
    }
    (void)snprintf(answer->slug, sizeof answer->slug, "%.*s", SPAN_ARGS(word)); /* cut: fine */
    set_result(answer, outcome, word.size == 0 ? "no_error_word" : NULL);
    answer->view.needed = json_text(json, "needed");
    answer->view.provided = json_text(json, "provided");
    answer->rate_limited = span_is(word, "ratelimited") || span_is(word, "rate_limited");
    join_texts(answer, json_path(json, "response_metadata.messages"), &detail_size);
    if (detail_size == 0) {
        join_texts(answer, json_get(json, "errors"), &detail_size);
    }
}

/* True when the body is Slack's: an object with a boolean "ok". */
static bool read_body(struct answer *answer, const struct fetch_response *response, bool reads)
{
    struct err err = ERR_INIT;
    bool ok;

    if (json_parse(response->body, SLACK_RESPONSE_SIZE_MAX, &answer->json, &err) != ERR_OK) {
        answer->json = NULL;
        return false;
    }
    ok = json_bool(answer->json, "ok", false);
    if (!ok && json_bool(answer->json, "ok", true)) {
        return false; /* absent, or no boolean: a proxy's JSON, not Slack's */
    }
    answer->view.json = answer->json;
    answer->reached = true;
    if (ok) {
        answer->view.outcome = WEBAPI_OK;
    } else {
        read_refusal(answer, answer->json, reads);
    }
    return true;
}

static void read_answered(struct answer *answer, const struct fetch_response *response, bool reads)
{
    enum webapi_outcome in_doubt = reads ? WEBAPI_RETRY : WEBAPI_UNKNOWN;
    bool is_slack = read_body(answer, response, reads);

    if (response->status == HTTP_TOO_MANY) {
        answer->reached = true;
        answer->rate_limited = true;
        set_result(answer, WEBAPI_RETRY, "rate_limited");
    } else if (response->status >= HTTP_SERVER_ERROR) {
        /* Slack's own word does not say whether the message was posted before it fell over. */
        answer->reached = false;
        set_status(answer, in_doubt, response->status);
    } else if (response->status != HTTP_OK && !is_slack) {
        set_status(answer, WEBAPI_RETRY, response->status); /* a proxy; it never reached Slack */
    } else if (response->status != HTTP_OK && answer->view.outcome == WEBAPI_OK) {
        set_status(answer, in_doubt, response->status);
    } else if (!is_slack) {
        set_result(answer, in_doubt, "not_json");
    }
}

void answer_read(const struct fetch_response *response,
                 bool reads,
                 uint64_t now_s,
                 struct answer *ret_answer)
{
    struct answer *answer = ret_answer;

    ASSERT(response != NULL);
    memset(answer, 0, sizeof *answer);
    switch (response->outcome) {
    case FETCH_ANSWERED:
        answer->view.status = response->status;
        read_answered(answer, response, reads);
        break;
    case FETCH_NOT_SENT:
        set_result(answer, WEBAPI_RETRY, "not_sent");
        break;
    case FETCH_UNKNOWN:
        set_result(answer, reads ? WEBAPI_RETRY : WEBAPI_UNKNOWN, "timeout");
        break;
    }
    if (response->err != NULL) {
        (void)snprintf(answer->detail, sizeof answer->detail, "%s", response->err->message);
        answer->view.detail = span_text(answer->detail);
    }
    if (answer->rate_limited) {
        answer->view.retry_after_ms = answer_retry_after_ms(response->retry_after, now_s);
    }
    ASSERT(answer->view.outcome != 0);
    ASSERT(answer->view.outcome != WEBAPI_OK || answer->view.json != NULL);
}

void answer_make(enum webapi_outcome outcome, const char *error, struct answer *ret_answer)
{
    memset(ret_answer, 0, sizeof *ret_answer);
    set_result(ret_answer, outcome, error);
}

void answer_done(struct answer *answer)
{
    json_free(answer->json);
    answer->json = NULL;
    answer->view.json = NULL;
}
