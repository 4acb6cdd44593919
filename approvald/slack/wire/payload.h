/* SPDX-License-Identifier: Apache-2.0 */
/* payload.h: one verified delivery of Slack as plain data. Tolerant of nulls, absent and unknown
 * keys: what is not there is an empty span. Nothing here decides anything. */
#ifndef APPROVALD_SLACK_WIRE_PAYLOAD_H
#define APPROVALD_SLACK_WIRE_PAYLOAD_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct json;

/* Kind, Slack's word for it. The words index the dispatch table and the metrics. */
#define PAYLOAD_KIND_TABLE(X)                                                                      \
    X(PAYLOAD_UNKNOWN, "unknown")                                                                  \
    X(PAYLOAD_BLOCK_ACTIONS, "block_actions")                                                      \
    X(PAYLOAD_VIEW_SUBMISSION, "view_submission")                                                  \
    X(PAYLOAD_VIEW_CLOSED, "view_closed")                                                          \
    X(PAYLOAD_SHORTCUT, "shortcut")                                                                \
    X(PAYLOAD_MESSAGE_ACTION, "message_action")                                                    \
    X(PAYLOAD_BLOCK_SUGGESTION, "block_suggestion")                                                \
    X(PAYLOAD_COMMAND, "command")                                                                  \
    X(PAYLOAD_URL_VERIFICATION, "url_verification")                                                \
    X(PAYLOAD_EVENT, "event_callback")                                                             \
    X(PAYLOAD_RATE_LIMITED, "app_rate_limited")

enum payload_kind {
#define PAYLOAD_KIND_ENUM(kind, word) kind,
    PAYLOAD_KIND_TABLE(PAYLOAD_KIND_ENUM)
#undef PAYLOAD_KIND_ENUM
        PAYLOAD_KIND_COUNT
};

/* All spans are valid until payload_done. */
struct payload {
    enum payload_kind kind;
    struct span type; /* Slack's word, also of an unknown kind */

    struct span user;
    struct span user_team;  /* of the person; differs from team for Slack Connect */
    struct span team;       /* of the place; empty for an org-wide install */
    struct span enterprise; /* empty off Enterprise Grid */
    bool org_install;

    struct span channel;
    struct span message_ts;
    struct span message_text; /* message_action: what it says, as Slack escapes it */
    struct span thread_ts;    /* of the thread that the message is in, or empty */
    bool ephemeral;           /* the message was for one person and cannot be updated */
    struct span trigger_id;
    struct span response_url;

    struct span action_id; /* the first action; callback_id for shortcuts is callback_id */
    struct span action_ts;
    struct span value;
    struct span choice; /* the option chosen in the first action, or empty */
    uint32_t action_count;

    struct span callback_id;
    struct span view_id;
    struct span view_hash;
    struct span private_metadata;
    const struct json *values; /* view.state.values, for payload_input */

    struct span command; /* with its slash */
    struct span text;

    struct span event_id;
    struct span event_type;
    uint64_t event_time_s;  /* 0: absent */
    struct span event_tab;  /* app_home_opened: "home" or "messages" */
    bool bot_token_revoked; /* tokens_revoked names at least one bot */
    struct span challenge;

    const struct json *object; /* Slack's, within json; NULL for a command's form */
    struct json *json;         /* owned */
    struct buf *form; /* owned: the decoded form field the JSON was read from, or the fields */
};

const char *payload_kind_word(enum payload_kind kind);

/* application/x-www-form-urlencoded with one field "payload" of JSON. ERR_INVALID, ERR_TOO_LARGE,
 * ERR_NOMEM; *ret_payload is then empty and needs no payload_done. */
enum err_code payload_parse_interaction(struct span body,
                                        struct payload *ret_payload,
                                        struct err *err) WARN_UNUSED;
/* The JSON body of the Events API. */
enum err_code
payload_parse_event(struct span body, struct payload *ret_payload, struct err *err) WARN_UNUSED;
/* The form of a slash command. */
enum err_code
payload_parse_command(struct span body, struct payload *ret_payload, struct err *err) WARN_UNUSED;
/* The same three as Socket Mode brings them: object lies in root, which the payload owns on ERR_OK
 * and the caller keeps otherwise. */
enum err_code payload_take_interaction(struct json *root,
                                       const struct json *object,
                                       struct payload *ret_payload,
                                       struct err *err) WARN_UNUSED;
enum err_code payload_take_event(struct json *root,
                                 const struct json *object,
                                 struct payload *ret_payload,
                                 struct err *err) WARN_UNUSED;
enum err_code payload_take_command(struct json *root,
                                   const struct json *object,
                                   struct payload *ret_payload,
                                   struct err *err) WARN_UNUSED;
void payload_done(struct payload *payload);

/* What was typed into an input of a submitted view, or empty. */
struct span payload_input(const struct payload *payload, const char *block, const char *action);
/* The value of the option chosen in a select of a submitted view, or empty. */
struct span payload_choice(const struct payload *payload, const char *block, const char *action);
/* The person chosen in a select of people, or empty. */
struct span payload_person(const struct payload *payload, const char *block, const char *action);
/* Whole seconds of a Slack timestamp "1764752461.502117", false when it is none. */
bool payload_ts_seconds(struct span ts, uint64_t *ret_s);
/* True for exactly one field ssl_check with the value 1: Slack's certificate probe. */
bool payload_is_ssl_check(struct span body);

#endif
