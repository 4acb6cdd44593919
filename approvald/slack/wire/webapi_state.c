/* SPDX-License-Identifier: Apache-2.0 */
/* webapi_state.c: whether Slack is there for us: up, down, or refusing our token.
 * Owns the telling of changes: listeners, log, gauges, and what status shows.
 * Never sends anything, never decides what an outage is (breaker.c does). */
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/answer.h"
#include "approvald/slack/wire/rate.h"
#include "approvald/slack/wire/webapi_internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include <stdio.h>

#define MODULE "slack_webapi"

static const char *error_of(const struct webapi *webapi)
{
    return webapi->dead ? webapi->dead_error : webapi->lost_error;
}

void webapi_update_state(struct webapi *webapi)
{
    static const char *const words[] = {
        [WEBAPI_UP] = "up", [WEBAPI_DOWN] = "down", [WEBAPI_DEAD] = "dead"};
    static const char *const advices[] = {
        [WEBAPI_UP] = "",
        [WEBAPI_DOWN] = "approvers can decide with: approvalctl approve ID, approvalctl reject ID",
        [WEBAPI_DEAD] = "put a good token in place and reload; approvalctl slack check"};
    enum webapi_state state = WEBAPI_UP;

    if (webapi->dead) {
        state = WEBAPI_DEAD;
    } else if (webapi->breaker.state != BREAKER_CLOSED) {
        state = WEBAPI_DOWN;
    }
    if (state == webapi->state) {
        return;
    }
    webapi->state = state;
    metric_set(webapi->state_gauge, state);
    log_fields(state == WEBAPI_UP ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, MODULE, "state",
               LOG_TEXT("state", words[state]), LOG_TEXT("error", error_of(webapi)),
               LOG_TEXT("advice", advices[state]));
    for (size_t i = 0; i < webapi->listener_count; i++) {
        webapi->listeners[i].changed(webapi->listeners[i].arg, state);
    }
}

void webapi_mark_dead(struct webapi *webapi, const char *error)
{
    webapi->dead = true;
    (void)snprintf(webapi->dead_error, sizeof webapi->dead_error, "%s", error); /* cut: fine */
    webapi_update_state(webapi);
    webapi_wake(webapi);
}

void webapi_mark_alive(struct webapi *webapi)
{
    webapi->dead = false;
    webapi->dead_error[0] = '\0';
    webapi_update_state(webapi);
    webapi_wake(webapi);
}

void webapi_listen(struct webapi *webapi, webapi_state_fn *changed, void *arg)
{
    ASSERT(webapi->listener_count < SLACK_LISTENER_COUNT_MAX);
    webapi->listeners[webapi->listener_count] =
        (struct webapi_listener){.changed = changed, .arg = arg};
    webapi->listener_count++;
}

static uint64_t down_ms(const struct webapi *webapi)
{
    uint64_t now_ms = clock_boot_ms(webapi->clock);
    uint64_t since_ms = webapi->breaker.since_ms;

    return since_ms == 0 || now_ms <= since_ms ? since_ms != 0 : now_ms - since_ms;
}

static uint32_t count_waiting(const struct webapi *webapi, enum webapi_method method)
{
    const struct webapi_item *item;
    uint32_t count = 0;

    for (size_t i = 0; i < WEBAPI_PRIORITY_COUNT; i++) {
        TAILQ_FOREACH (item, &webapi->waiting[i], link) {
            count += item->method == method;
        }
    }
    return count;
}

uint64_t webapi_wait_ms(const struct webapi *webapi,
                        enum webapi_method method,
                        struct span channel,
                        uint32_t ahead_count)
{
    uint64_t now_ms = clock_boot_ms(webapi->clock);
    uint64_t ready_ms = rate_ready_ms(webapi->rate, method, channel,
                                      ahead_count + count_waiting(webapi, method), now_ms);

    return ready_ms > now_ms ? ready_ms - now_ms : 0;
}

bool webapi_rate_is_whole(const struct webapi *webapi, enum webapi_method method)
{
    return count_waiting(webapi, method) == 0 &&
           rate_is_whole(webapi->rate, method, clock_boot_ms(webapi->clock));
}

void webapi_status(const struct webapi *webapi, struct webapi_status *ret_status)
{
    *ret_status = (struct webapi_status){
        .state = webapi->state,
        .error = error_of(webapi),
        .probing = webapi->breaker.state == BREAKER_HALF_OPEN,
        .down_ms = down_ms(webapi),
        .outage_count = webapi->breaker.outage_count,
        .missing_scope = webapi->missing_scope,
        .skew_known = webapi->skew_known,
        .skew_s = webapi->skew_s,
        .waiting_count = webapi->waiting_count,
        .running_count = webapi->running_count,
    };
}

/* More than SLACK_SIGNATURE_WINDOW_S off, every request of Slack is refused: say so long before. */
void webapi_note_clock(struct webapi *webapi, struct span date)
{
    uint64_t theirs_s;
    uint64_t ours_s = clock_wall_ms(webapi->clock) / 1000;
    uint64_t distance_s;

    if (!answer_parse_date(date, &theirs_s)) {
        return;
    }
    distance_s = theirs_s > ours_s ? theirs_s - ours_s : ours_s - theirs_s;
    webapi->skew_known = true;
    webapi->skew_s = (int64_t)theirs_s - (int64_t)ours_s;
    metric_set(webapi->skew_gauge, distance_s);
    if (distance_s >= CORE_SLACK_SKEW_WARN_S && !webapi->skew_warned) {
        log_fields(LOG_LEVEL_WARNING, MODULE, "clock_skew", LOG_NUMBER("skew_s", webapi->skew_s),
                   LOG_NUMBER("allowed_s", SLACK_SIGNATURE_WINDOW_S),
                   LOG_TEXT("hint", "check NTP: beyond what is allowed presses are refused"));
    }
    webapi->skew_warned = distance_s >= CORE_SLACK_SKEW_WARN_S;
}
