/* SPDX-License-Identifier: Apache-2.0 */
/* device.c: the options of a fence agent, checked, as text and back.
 * Owns the rules for each. Never lets a line through that the helper would read as something else,
 * never puts a value into a message. */
#include "approvald/enrol/device.h"

#include "approvald/enrol/texts.h"
#include "base/buf.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

#define AGENT       "agent"
#define AGENT_START "fence_"

static const char mark[] =
    TEXTS_MARK "; a new password may be written here.\n"
               "# A fence device: its agent, and what that gets on its standard input.\n";

bool device_is_key(const char *key)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t size = strlen(key);

    /* Agents know "option" as an old name of "action", which the asker says alone. */
    return size > 0 && size < DEVICE_KEY_SIZE && strspn(key, legal) == size &&
           strcmp(key, "action") != 0 && strcmp(key, "option") != 0;
}

bool device_is_secret(const char *key)
{
    static const char *const words[] = {"pass", "community", "secret", "token", "key"};
    char lower[DEVICE_KEY_SIZE] = "";

    for (size_t i = 0; i < sizeof lower - 1 && key[i] != '\0'; i++) {
        lower[i] = (char)tolower((unsigned char)key[i]);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strstr(lower, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* The helper cuts blanks off a line's end, and a line ends where it ends. */
static bool is_value(struct span value)
{
    for (size_t i = 0; i < value.size; i++) {
        unsigned char byte = (unsigned char)value.data[i];

        if (byte < 0x20 || byte == 0x7f) {
            return false;
        }
    }
    return value.size < DEVICE_VALUE_SIZE &&
           (value.size == 0 || !isspace((unsigned char)value.data[value.size - 1]));
}

static bool is_agent(struct span value)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '\0' || strchr(legal, value.data[i]) == NULL) {
            return false;
        }
    }
    return value.size > sizeof AGENT_START - 1 && value.size < DEVICE_AGENT_SIZE &&
           memcmp(value.data, AGENT_START, sizeof AGENT_START - 1) == 0;
}

static struct device_option *find(struct device *device, const char *key)
{
    for (size_t i = 0; i < device->count; i++) {
        if (strcmp(device->options[i].key, key) == 0) {
            return &device->options[i];
        }
    }
    return NULL;
}

const char *device_value(const struct device *device, const char *key)
{
    for (size_t i = 0; i < device->count; i++) {
        if (strcmp(device->options[i].key, key) == 0) {
            return device->options[i].value;
        }
    }
    return NULL;
}

/* The key of "KEY=VALUE", with a NUL. */
static enum err_code
split(struct span text, char ret_key[DEVICE_KEY_SIZE], struct span *ret_value, struct err *err)
{
    const char *equals = text.size == 0 ? NULL : memchr(text.data, '=', text.size);
    size_t size = equals == NULL ? 0 : (size_t)(equals - text.data);

    memset(ret_key, 0, DEVICE_KEY_SIZE);
    if (size == 0 || size >= DEVICE_KEY_SIZE) {
        return err_set(err, ERR_INVALID, "KEY=VALUE is wanted, of a fence agent's option");
    }
    memcpy(ret_key, text.data, size);
    if (strlen(ret_key) != size || !device_is_key(ret_key)) {
        return err_set(err, ERR_INVALID,
                       "an option's name has letters, digits, _ and -, and is not action");
    }
    *ret_value = span_of(equals + 1, text.size - size - 1);
    return ERR_OK;
}

enum err_code device_add(struct device *device, struct span text, bool replace, struct err *err)
{
    struct device_option *option;
    char key[DEVICE_KEY_SIZE];
    struct span value = SPAN_NONE;
    enum err_code rc = split(text, key, &value, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (!is_value(value)) {
        return err_set(err, ERR_INVALID,
                       "%s: a value has at most %u bytes in one line, without control characters "
                       "and without a blank at its end",
                       key, DEVICE_VALUE_SIZE - 1);
    }
    if (strcmp(key, AGENT) == 0 && !is_agent(value)) {
        return err_set(err, ERR_INVALID,
                       "agent: the name of a fence agent in " DEVICE_AGENTS
                       ", as fence_ipmilan, without a path");
    }
    option = find(device, key);
    if (option != NULL && !replace) {
        return err_set(err, ERR_INVALID, "%s is given twice", key);
    }
    if (option == NULL && device->count == DEVICE_OPTION_COUNT_MAX) {
        return err_set(err, ERR_FULL, "more than %u options", DEVICE_OPTION_COUNT_MAX);
    }
    option = option == NULL ? &device->options[device->count++] : option;
    memset(option, 0, sizeof *option);
    memcpy(option->key, key, strlen(key));
    if (value.size > 0) {
        memcpy(option->value, value.data, value.size);
    }
    return ERR_OK;
}

enum err_code device_check(const struct device *device, struct err *err)
{
    size_t secrets = 0;

    if (device_value(device, AGENT) == NULL) {
        return err_set(err, ERR_INVALID,
                       "agent=NAME is missing: which fence agent, as "
                       "agent=fence_ipmilan");
    }
    for (size_t i = 0; i < device->count; i++) {
        secrets += device_is_secret(device->options[i].key) ? 1 : 0;
    }
    return secrets <= DEVICE_SECRET_COUNT_MAX
               ? ERR_OK
               : err_set(err, ERR_INVALID, "more than %u secrets", DEVICE_SECRET_COUNT_MAX);
}

/* Each option of a has the same value in b. */
static bool is_within(const struct device *a, const struct device *b, bool secrets)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct device_option *option = &a->options[i];
        const char *other = device_value(b, option->key);

        if ((secrets || !device_is_secret(option->key)) &&
            (other == NULL || strcmp(other, option->value) != 0)) {
            return false;
        }
    }
    return true;
}

bool device_is_same(const struct device *a, const struct device *b)
{
    return is_within(a, b, false) && is_within(b, a, false);
}

bool device_equal(const struct device *a, const struct device *b)
{
    return is_within(a, b, true) && is_within(b, a, true);
}

enum err_code device_format(const struct device *device, struct buf *buf, struct err *err)
{
    enum err_code rc = device_check(device, err);

    rc = rc == ERR_OK ? buf_append_text(buf, mark, err) : rc;
    for (size_t i = 0; rc == ERR_OK && i < device->count; i++) {
        rc = buf_append_format(buf, err, "%s=%s\n", device->options[i].key,
                               device->options[i].value);
    }
    return rc;
}

static struct span trim(struct span text)
{
    while (text.size > 0 && isspace((unsigned char)text.data[0])) {
        text = span_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && isspace((unsigned char)text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

static enum err_code take_line(struct device *device, struct span line, struct err *err)
{
    line = trim(line);
    return line.size == 0 || line.data[0] == '#' ? ERR_OK : device_add(device, line, false, err);
}

enum err_code device_parse(struct span text, struct device *ret_device, struct err *err)
{
    enum err_code rc = ERR_OK;

    memset(ret_device, 0, sizeof *ret_device);
    if (text.size > DEVICE_TEXT_SIZE_MAX) {
        return err_set(err, ERR_TOO_LARGE, "more than %u bytes", DEVICE_TEXT_SIZE_MAX);
    }
    for (unsigned int number = 1; rc == ERR_OK && text.size > 0; number++) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);

        rc = take_line(ret_device, span_of(text.data, size), err);
        rc = rc == ERR_OK ? rc : err_wrap(err, ERR_INVALID, "line %u", number);
        size += end == NULL ? 0 : 1;
        text = span_of(text.data + size, text.size - size);
    }
    rc = rc == ERR_OK ? device_check(ret_device, err) : rc;
    if (rc != ERR_OK) {
        device_wipe(ret_device);
    }
    return rc;
}

void device_wipe(struct device *device)
{
    mem_wipe(device, sizeof *device);
}
