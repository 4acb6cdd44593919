/* SPDX-License-Identifier: Apache-2.0 */
/* command_text.c: a request in the answers to the slash command.
 * Owns its words there.
 * Never says whom they are for, never lets text from people act as markup. Pure. */
#include "approvald/slack/inbound/command_text.h"

#include "approvald/core/approval.h"
#include "approvald/core/fields.h"
#include "approvald/core/policy.h"
#include "approvald/core/request_id.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/prose.h"
#include "base/buf.h"
#include "base/text.h"

#define TEXT_COUNT_MAX 3000 /* code points of one field: Slack advises less than 4,000 in all */

/* Text from people, as on a card: escaped, its marks disarmed. */
enum err_code command_text_escaped(struct buf *text, struct span value, size_t max, struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    enum err_code rc = prose_init(&prose, err);

    if (rc == ERR_OK) {
        prose_begin(&prose, max);
        prose_add_text(&prose, value, max);
        rc = prose_status(&prose, err);
    }
    return rc == ERR_OK ? buf_append_span(text, prose_take(&prose), err) : rc;
}

static enum err_code add_date(struct buf *text, uint64_t wall_ms, struct err *err)
{
    char utc[TEXT_TIME_SIZE];

    text_format_time(wall_ms, utc);
    return buf_append_format(text, err, "<!date^%llu^{date_short_pretty} {time}|%s>",
                             (unsigned long long)(wall_ms / 1000), utc);
}

/* "expires …", or when an approval takes effect that can still be stopped. */
static enum err_code add_end(struct buf *text, const struct request *request, struct err *err)
{
    bool delayed = request_is_delayed(request);
    enum err_code rc = buf_append_text(text, delayed ? "takes effect " : "expires ", err);

    return rc == ERR_OK
               ? add_date(text, delayed ? request->clocks.effect_ms : request->expires_ms, err)
               : rc;
}

enum err_code command_text_line(struct buf *text, const struct request *request, struct err *err)
{
    char id[REQUEST_ID_TEXT_SIZE];
    enum err_code rc = buf_append_text(text, "• ", err);

    request_id_format(&request->id, id);
    if (rc == ERR_OK) {
        rc = command_text_escaped(text, request->title, CORE_TITLE_COUNT_MAX, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(text, err, " · `%s` · ", id);
    }
    if (rc == ERR_OK) {
        rc = add_end(text, request, err);
    }
    return rc == ERR_OK ? buf_append_text(text, "\n", err) : rc;
}

static enum err_code
add_field(struct buf *text, const char *name, struct span value, struct err *err)
{
    enum err_code rc;

    if (value.size == 0) {
        return ERR_OK;
    }
    rc = buf_append_format(text, err, "\n%s: ", name);
    return rc == ERR_OK ? command_text_escaped(text, value, TEXT_COUNT_MAX / 3, err) : rc;
}

static enum err_code add_values(struct buf *text, const struct request *request, struct err *err)
{
    struct field_values values;
    enum err_code rc = field_values_decode(request->fields, &values, err);

    for (uint32_t i = 0; rc == ERR_OK && i < values.count; i++) {
        rc = buf_append_text(text, "\n", err);
        if (rc == ERR_OK) {
            rc = command_text_escaped(text, values.items[i].label, TEXT_COUNT_MAX / 3, err);
        }
        if (rc == ERR_OK) {
            rc = buf_append_text(text, ": ", err);
        }
        if (rc == ERR_OK) {
            rc = command_text_escaped(text, values.items[i].value, TEXT_COUNT_MAX / 3, err);
        }
    }
    return rc;
}

static enum err_code add_decisions(struct buf *text, const struct request *request, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];

        rc = buf_append_format(text, err, "\n%s by <@%.*s> ",
                               decision->verdict == VERDICT_APPROVE ? "Approved" : "Rejected",
                               SPAN_ARGS(decision->user));
        if (rc == ERR_OK) {
            rc = add_date(text, decision->at_ms, err);
        }
    }
    if (rc == ERR_OK && request->glass.at_ms > 0) {
        rc = buf_append_text(text, "\nIts requester broke the glass ", err);
        if (rc == ERR_OK) {
            rc = add_date(text, request->glass.at_ms, err);
        }
        if (rc == ERR_OK) {
            rc = add_field(text, "Reason of that", request->glass.reason, err);
        }
    }
    return rc;
}

/* What will run, on its lines, and the code to compare with the asker's. */
static enum err_code add_details(struct buf *text, const struct request *request, struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    char code[CARD_CODE_SIZE];
    enum err_code rc = prose_init(&prose, err);

    if (rc == ERR_OK && request->details.size > 0) {
        prose_begin(&prose, TEXT_COUNT_MAX);
        prose_add_lines(&prose, request->details, TEXT_COUNT_MAX);
        rc = prose_status(&prose, err);
        if (rc == ERR_OK) {
            rc = buf_append_text(text, "\nDetails:\n", err);
        }
        if (rc == ERR_OK) {
            rc = buf_append_span(text, prose_take(&prose), err);
        }
    }
    if (rc == ERR_OK && request->bound) {
        card_code(request, code);
        rc = buf_append_format(text, err, "\nCode: %s", code);
    }
    return rc;
}

enum err_code command_text_request(struct buf *text, const struct request *request, struct err *err)
{
    char id[REQUEST_ID_TEXT_SIZE];
    enum err_code rc = command_text_escaped(text, request->title, CORE_TITLE_COUNT_MAX, err);

    request_id_format(&request->id, id);
    if (rc == ERR_OK) {
        rc = buf_append_format(text, err, "\n`%s` is %s", id, request_state_word(request->state));
    }
    if (rc == ERR_OK && slack_user_is_valid(request->asker)) {
        rc = buf_append_format(text, err, ", asked by <@%.*s> for <@%.*s>",
                               SPAN_ARGS(request->asker), SPAN_ARGS(request->requester));
    } else if (rc == ERR_OK && request->requester.size > 0) {
        rc = buf_append_format(text, err, ", asked by <@%.*s>", SPAN_ARGS(request->requester));
    }
    if (rc == ERR_OK && request->state == REQUEST_PENDING) {
        rc = buf_append_text(text, request_is_delayed(request) ? ", approved, " : ", ", err);
        rc = rc == ERR_OK ? add_end(text, request, err) : rc;
    }
    if (rc == ERR_OK) {
        rc = add_field(text, "Target", request->target, err);
    }
    if (rc == ERR_OK) {
        rc = add_field(text, "Reason", request->reason, err);
    }
    if (rc == ERR_OK) {
        rc = add_values(text, request, err);
    }
    if (rc == ERR_OK) {
        rc = add_field(text, "Policy", request->policy, err);
    }
    if (rc == ERR_OK) {
        rc = add_details(text, request, err);
    }
    return rc == ERR_OK ? add_decisions(text, request, err) : rc;
}
