/* SPDX-License-Identifier: Apache-2.0 */
/* block_check.c: does a message of ours keep Slack's limits, and is nothing in it forged?
 * Owns a second telling of the limits; never uses the code under test. */
#include "tests/lib/block_check.h"

#include "base/json.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

/* Code points that must never arrive: controls, bidi controls, hidden ones. U+200B is ours. */
static const char *check_clean(struct span text)
{
    static const char *const banned[] = {"\xe2\x80\xae", "\xe2\x80\xad", "\xe2\x80\xab",
                                         "\xe2\x80\xaa", "\xe2\x80\xac", "\xe2\x81\xa6",
                                         "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9",
                                         "\xe2\x80\x8f", "\xe2\x80\x8e", "\xef\xbb\xbf"};

    if (!text_is_utf8(text)) {
        return "not UTF-8";
    }
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
            return "a control character";
        }
    }
    for (size_t i = 0; i < sizeof banned / sizeof banned[0]; i++) {
        if (text.size >= 3 && memmem(text.data, text.size, banned[i], 3) != NULL) {
            return "a hidden character";
        }
    }
    return NULL;
}

static const char *check_plain(struct span text, size_t count_max)
{
    if (text.size == 0) {
        return "an empty text";
    }
    if (text_count(text) > count_max) {
        return "a text is too long";
    }
    return check_clean(text);
}

static bool is_id(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!isupper((unsigned char)text.data[i]) && !isdigit((unsigned char)text.data[i])) {
            return false;
        }
    }
    return text.size > 1;
}

static bool starts(struct span text, const char *prefix)
{
    return text.size >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

static struct span after(struct span text, size_t size)
{
    return span_of(text.data + size, text.size - size);
}

/* What stands between < and >. */
static bool is_our_token(struct span token)
{
    if (token.size > 0 && memchr(token.data, '<', token.size) != NULL) {
        return false;
    }
    if (starts(token, "@U") || starts(token, "@W")) {
        return is_id(after(token, 1)) && !span_is(token, "@U0EVIL0001");
    }
    if (starts(token, "!subteam^S")) {
        return is_id(after(token, 9));
    }
    if (starts(token, "!date^")) {
        return memmem(token.data, token.size, " UTC", 4) != NULL;
    }
    return starts(token, "https://acme.slack.com/archives/C");
}

static const char *check_entities(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        struct span rest = after(text, i);

        if (rest.data[0] == '&' && !starts(rest, "&amp;") && !starts(rest, "&lt;") &&
            !starts(rest, "&gt;")) {
            return "an entity is cut or foreign";
        }
    }
    return NULL;
}

const char *block_check_mrkdwn(struct span text, size_t count_max)
{
    const char *wrong = check_plain(text, count_max);
    size_t i = 0;

    if (wrong == NULL) {
        wrong = check_entities(text);
    }
    while (wrong == NULL && i < text.size) {
        struct span rest = after(text, i);
        const char *end;

        if (rest.data[0] == '>') {
            return "a bare >";
        }
        if (rest.data[0] != '<') {
            i++;
            continue;
        }
        end = memchr(rest.data, '>', rest.size);
        if (end == NULL || !is_our_token(span_of(rest.data + 1, (size_t)(end - rest.data) - 1))) {
            return "a token that is not ours";
        }
        i += (size_t)(end - rest.data) + 1;
    }
    return wrong;
}

static const char *check_object(const struct json *object, size_t count_max)
{
    struct span text = json_text(object, "text");

    if (span_is(json_text(object, "type"), "mrkdwn")) {
        return json_bool(object, "verbatim", false) ? block_check_mrkdwn(text, count_max)
                                                    : "mrkdwn that is not verbatim";
    }
    if (!span_is(json_text(object, "type"), "plain_text") || json_bool(object, "emoji", true)) {
        return "a text object of a strange kind";
    }
    return check_plain(text, count_max);
}

static const char *check_list(const struct json *list, size_t list_count_max, size_t count_max)
{
    const char *wrong = NULL;

    if (json_count(list) == 0 || json_count(list) > list_count_max) {
        return "too few or too many parts";
    }
    for (const struct json *item = json_first(list); item != NULL && wrong == NULL;
         item = json_next(item)) {
        wrong = check_object(item, count_max);
    }
    return wrong;
}

static const char *check_rich(const struct json *block)
{
    const struct json *element = json_first(json_get(block, "elements"));

    if (element == NULL) {
        return "rich text without elements";
    }
    for (; element != NULL; element = json_next(element)) {
        const struct json *text = json_first(json_get(element, "elements"));
        const char *wrong = check_plain(json_text(text, "text"), 3000);

        if (wrong != NULL) {
            return wrong;
        }
        if (json_count(json_get(element, "elements")) != 1 ||
            !span_is(json_text(text, "type"), "text")) {
            return "rich text of a strange kind";
        }
    }
    return NULL;
}

/* Of one choice, which breaks the glass. */
static const char *check_menu(const struct json *menu)
{
    const struct json *options = json_get(menu, "options");
    const struct json *option = json_first(options);

    if (!span_is(json_text(menu, "type"), "overflow") || json_count(options) != 1 ||
        json_next(menu) != NULL) {
        return "a menu";
    }
    if (check_object(json_get(option, "text"), 75) != NULL ||
        json_text(option, "value").size != 30) {
        return "a menu's choice";
    }
    return NULL;
}

static const char *check_button(const struct json *button)
{
    if (check_object(json_get(button, "text"), 75) != NULL ||
        check_plain(json_text(button, "accessibility_label"), 75) != NULL) {
        return "a button's text";
    }
    if (json_text(button, "value").size != 30 || json_text(button, "action_id").size == 0) {
        return "a button's value";
    }
    return NULL;
}

/* Stop alone, or Approve and Reject, or none that decides; then Details; then the menu. */
static const char *check_buttons(const struct json *block)
{
    const struct json *button = json_first(json_get(block, "elements"));
    struct span first = json_text(button, "action_id");
    size_t deciding = span_is(first, "stop") ? 1 : span_is(first, "details") ? 0 : 2;
    const char *wrong = NULL;

    for (size_t i = 0; i < deciding && wrong == NULL; i++, button = json_next(button)) {
        if (button == NULL || span_is(json_text(button, "action_id"), "details")) {
            return "the number of buttons";
        }
        wrong = check_button(button);
    }
    if (wrong == NULL && button != NULL && span_is(json_text(button, "action_id"), "details")) {
        wrong = check_button(button);
        button = json_next(button);
    }
    if (wrong == NULL && button != NULL && span_is(json_text(button, "action_id"), "break_glass")) {
        wrong = check_menu(button);
        button = json_next(button);
    }
    return wrong != NULL || button == NULL ? wrong : "the number of buttons";
}

static const char *check_block(const struct json *block)
{
    struct span type = json_text(block, "type");

    if (span_is(type, "header")) {
        return check_object(json_get(block, "text"), 150);
    }
    if (span_is(type, "section") && json_get(block, "fields") != NULL) {
        return check_list(json_get(block, "fields"), 10, 2000);
    }
    if (span_is(type, "section")) {
        return check_object(json_get(block, "text"), 3000);
    }
    if (span_is(type, "context")) {
        return check_list(json_get(block, "elements"), 10, 3000);
    }
    if (span_is(type, "rich_text")) {
        return check_rich(block);
    }
    return span_is(type, "actions") ? check_buttons(block) : "a block of a strange kind";
}

static bool id_is_unique(const struct json *blocks, const struct json *block)
{
    struct span id = json_text(block, "block_id");
    size_t count = 0;

    for (const struct json *other = json_first(blocks); other != NULL; other = json_next(other)) {
        count += span_equal(id, json_text(other, "block_id"));
    }
    return count == 1 && id.size > 0 && text_count(id) <= 255;
}

const char *block_check(const struct json *message)
{
    const struct json *blocks = json_get(message, "blocks");
    const char *wrong = block_check_mrkdwn(json_text(message, "text"), 3900);

    if (wrong == NULL && (!json_is_array(blocks) || json_count(blocks) > 50)) {
        wrong = "no blocks, or too many";
    }
    for (const struct json *block = json_first(blocks); block != NULL && wrong == NULL;
         block = json_next(block)) {
        wrong = id_is_unique(blocks, block) ? check_block(block) : "a block_id";
    }
    return wrong;
}
