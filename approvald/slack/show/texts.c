/* SPDX-License-Identifier: Apache-2.0 */
/* texts.c: the messages that one attempt may have to send.
 * Owns their bytes.
 * Never words anything (card, message and story do), never sends. */
#include "approvald/slack/show/texts.h"

#include "approvald/core/outbox.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/show/message.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

/* Prints the members of message into a new buffer. */
static enum err_code keep(const struct json *message, struct buf **ret_buf, struct err *err)
{
    struct buf *buf = NULL;
    enum err_code rc = buf_new(SLACK_MESSAGE_SIZE_MAX, &buf, err);

    if (rc == ERR_OK) {
        rc = json_print(message, buf, err);
    }
    if (rc != ERR_OK) {
        buf_free(buf);
        return rc;
    }
    ASSERT(buf_size(buf) >= 2);
    buf_truncate(buf, buf_size(buf) - 1);
    buf_consume(buf, 1);
    *ret_buf = buf;
    return ERR_OK;
}

static enum err_code add_main(const struct card *card,
                              const struct outbox_row *row,
                              struct json *message,
                              struct err *err)
{
    switch (row->surface) {
    case SURFACE_CARD:
        return card_add(card, message, err);
    case SURFACE_THREAD:
        return message_add_reply(card, &row->items[0], message, err);
    case SURFACE_DIRECT:
        return message_add_direct(card, message, err);
    case SURFACE_NOTICE:
        return message_add_notice(card, &row->items[0], message, err);
    case SURFACE_WEBHOOK:
    case SURFACE_PEOPLE:
        break;
    }
    return err_set(err, ERR_INVALID, "not a message");
}

/* The text of a message without its blocks. */
static void add_text_of(const struct json *main, struct json *message)
{
    json_add_text(message, "text", json_text(main, "text"));
    (void)json_add_array(message, "blocks");
}

static enum err_code add_kind(const struct card *card,
                              const struct outbox_row *row,
                              enum text_kind kind,
                              struct json *message,
                              struct err *err)
{
    switch (kind) {
    case TEXT_MAIN:
        return add_main(card, row, message, err);
    case TEXT_PLAIN:
        return card_add_plain(card, message, err);
    case TEXT_OUTCOME:
        return message_add_outcome(card, message, err);
    case TEXT_COUNT:
        break;
    }
    return err_set(err, ERR_INVALID, "not a message");
}

static enum err_code build(struct texts *texts,
                           const struct card *card,
                           const struct outbox_row *row,
                           enum text_kind kind,
                           struct err *err)
{
    AUTO_JSON struct json *message = json_new_object();
    AUTO_JSON struct json *plain = NULL;
    enum err_code rc = add_kind(card, row, kind, message, err);

    if (rc == ERR_OK) {
        rc = keep(message, &texts->members[kind], err);
    }
    if (rc != ERR_OK || kind != TEXT_MAIN || row->surface == SURFACE_CARD) {
        return rc;
    }
    plain = json_new_object();
    add_text_of(message, plain);
    if (row->surface == SURFACE_DIRECT) { /* it is compared, like a card */
        json_add_bool(card_metadata(card, "direct", 0, plain), "plain", true);
    } else if (row->surface == SURFACE_THREAD) { /* it may be looked for */
        (void)card_metadata(card, "thread", row->items[0].id, plain);
    }
    return keep(plain, &texts->members[TEXT_PLAIN], err);
}

enum err_code texts_init(struct texts *texts,
                         const struct card *card,
                         const struct outbox_row *row,
                         struct err *err)
{
    bool is_card = row->surface == SURFACE_CARD;
    bool posted = row->ts.size > 0;
    enum err_code rc;

    *texts = (struct texts){.members = {NULL}};
    rc = build(texts, card, row, TEXT_MAIN, err);
    if (rc == ERR_OK && is_card) {
        rc = build(texts, card, row, TEXT_PLAIN, err);
    }
    if (rc == ERR_OK && outbox_is_shown(row->surface) && posted) {
        rc = build(texts, card, row, TEXT_OUTCOME, err);
    }
    if (rc != ERR_OK) {
        texts_done(texts);
        return err_wrap(err, rc, "message");
    }
    return ERR_OK;
}

static enum err_code add_id(struct buf *body, const char *name, const char *value, struct err *err)
{
    enum err_code rc;

    if (value[0] == '\0') {
        return ERR_OK;
    }
    rc = buf_append_format(body, err, "\"%s\":", name);
    if (rc == ERR_OK) {
        rc = text_append_json(body, span_text(value), err);
    }
    return rc == ERR_OK ? buf_append_text(body, ",", err) : rc;
}

enum err_code texts_body(const struct texts *texts,
                         enum text_kind kind,
                         const struct texts_address *to,
                         struct buf *body,
                         struct err *err)
{
    enum err_code rc = buf_append_text(body, "{", err);

    ASSERT(texts->members[kind] != NULL);
    if (rc == ERR_OK) {
        rc = add_id(body, "channel", to->channel, err);
    }
    if (rc == ERR_OK) {
        rc = add_id(body, "ts", to->ts, err);
    }
    if (rc == ERR_OK) {
        rc = add_id(body, "thread_ts", to->thread, err);
    }
    if (rc == ERR_OK) {
        rc = add_id(body, "user", to->user, err);
    }
    if (rc == ERR_OK && to->post) {
        rc = buf_append_text(body, "\"unfurl_links\":false,\"unfurl_media\":false,", err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_span(body, buf_span(texts->members[kind]), err);
    }
    return rc == ERR_OK ? buf_append_text(body, "}", err) : rc;
}

void texts_done(struct texts *texts)
{
    for (int i = 0; i < TEXT_COUNT; i++) {
        buf_free(texts->members[i]);
        texts->members[i] = NULL;
    }
}
