/* SPDX-License-Identifier: Apache-2.0 */
/* json.c: bounded JSON over cJSON: reading, building, printing.
 * Owns every call to cJSON, whose memory comes from base/mem, for a parsed tree in one block.
 * Never gives cJSON bytes that json_scan has not passed, never recurses while printing, never
 * rounds an integer that we put into a tree: those are kept as their digits (raw nodes). */
#include "base/json.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/json_block.h"
#include "base/json_scan.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In cJSON's type word, above its own bits: something that belongs under this node is missing. */
#define JSON_NODE_FAILED  (1 << 16)
#define JSON_NODE_BLOCK   (1 << 17)    /* the root of a parsed tree: it begins a block */
#define JSON_INTEGER_MAX  (1ULL << 53) /* doubles hold every integer up to here */
#define JSON_INTEGER_SIZE 24           /* -9223372036854775808 with its NUL */

/* cJSON keeps its allocator in a global; set before main, it is never seen to change. */
__attribute__((constructor)) static void json_hook(void)
{
    cJSON_Hooks hooks = {.malloc_fn = json_block_allocate, .free_fn = json_block_release};

    cJSON_InitHooks(&hooks);
}

static const cJSON *node_of(const struct json *json)
{
    return (const cJSON *)json;
}

static cJSON *node_of_own(struct json *json)
{
    return (cJSON *)json;
}

static const struct json *json_of(const cJSON *node)
{
    return (const struct json *)node;
}

static struct json *json_of_own(cJSON *node)
{
    return (struct json *)node;
}

static struct span json_trim(struct span bytes)
{
    while (bytes.size > 0 && strchr(" \t\r\n", bytes.data[bytes.size - 1]) != NULL) {
        bytes.size--;
    }
    return bytes;
}

/* The tree, or NULL: no memory. json_scan has passed the bytes and counted what is in them. */
static cJSON *parse_in_block(struct span bytes, const struct json_scan_count *count)
{
    void *block = json_block_begin(count, sizeof(cJSON), bytes.size);
    cJSON *root;

    if (block == NULL) {
        return NULL;
    }
    root = cJSON_ParseWithLengthOpts(bytes.data, bytes.size, NULL, 0);
    json_block_end();
    if (root == NULL) {
        json_block_free(block);
        return NULL;
    }
    ASSERT((void *)root == json_block_first(block));
    root->type |= JSON_NODE_BLOCK;
    return root;
}

enum err_code
json_parse(struct span bytes, size_t size_max, struct json **ret_json, struct err *err)
{
    struct json_scan_count count;
    cJSON *root;
    enum err_code rc;

    ASSERT(ret_json != NULL);
    if (bytes.size > size_max) {
        return err_set(err, ERR_TOO_LARGE, "JSON of %zu bytes, at most %zu", bytes.size, size_max);
    }
    rc = json_scan(bytes, &count, err);
    if (rc != ERR_OK) {
        return rc;
    }
    root = parse_in_block(json_trim(bytes), &count);
    if (root == NULL) {
        return err_set(err, ERR_NOMEM, "JSON of %zu bytes", bytes.size);
    }
    *ret_json = json_of_own(root);
    return ERR_OK;
}

void json_free(struct json *json)
{
    if (json != NULL && (node_of(json)->type & JSON_NODE_BLOCK) != 0) {
        json_block_free(json_block_of(json));
    } else {
        cJSON_Delete(node_of_own(json));
    }
}

void json_free_guard(struct json **slot)
{
    json_free(*slot);
}

/* Most names differ in their first byte. */
static bool is_named(const cJSON *node, const char *name, size_t size)
{
    const char *own = node->string;

    return (size == 0 || own[0] == name[0]) && strncmp(own, name, size) == 0 && own[size] == '\0';
}

static const struct json *json_member(const struct json *json, const char *name, size_t size)
{
    const cJSON *node = json_is_object(json) ? node_of(json)->child : NULL;

    while (node != NULL && !is_named(node, name, size)) {
        node = node->next;
    }
    return json_of(node);
}

const struct json *json_get(const struct json *json, const char *name)
{
    return json_member(json, name, strlen(name));
}

const struct json *json_path(const struct json *json, const char *path)
{
    size_t size = strcspn(path, ".");

    json = json_member(json, path, size);
    while (json != NULL && path[size] != '\0') {
        path += size + 1;
        size = strcspn(path, ".");
        json = json_member(json, path, size);
    }
    return json;
}

size_t json_count(const struct json *json)
{
    size_t count = 0;

    for (const struct json *child = json_first(json); child != NULL; child = json_next(child)) {
        count++;
    }
    return count;
}

const struct json *json_at(const struct json *json, size_t index)
{
    const struct json *child = json_first(json);

    while (child != NULL && index > 0) {
        child = json_next(child);
        index--;
    }
    return child;
}

const struct json *json_first(const struct json *json)
{
    return json == NULL ? NULL : json_of(node_of(json)->child);
}

const struct json *json_next(const struct json *child)
{
    return child == NULL ? NULL : json_of(node_of(child)->next);
}

const char *json_name(const struct json *child)
{
    return child == NULL ? NULL : node_of(child)->string;
}

bool json_is_object(const struct json *json)
{
    return cJSON_IsObject(node_of(json));
}

bool json_is_array(const struct json *json)
{
    return cJSON_IsArray(node_of(json));
}

bool json_is_string(const struct json *json)
{
    return cJSON_IsString(node_of(json));
}

bool json_is_null(const struct json *json)
{
    return cJSON_IsNull(node_of(json));
}

struct span json_string(const struct json *json)
{
    return json_is_string(json) ? span_text(node_of(json)->valuestring) : SPAN_NONE;
}

struct span json_text(const struct json *json, const char *path)
{
    return json_string(json_path(json, path));
}

bool json_bool(const struct json *json, const char *path, bool fallback)
{
    const cJSON *node = node_of(json_path(json, path));

    return cJSON_IsBool(node) ? cJSON_IsTrue(node) : fallback;
}

/* The size of an integer and its sign; false for anything else. */
static bool node_integer(const cJSON *node, uint64_t *ret_size, bool *ret_negative)
{
    double number;

    if (cJSON_IsRaw(node)) {
        struct span digits = span_text(node->valuestring);

        *ret_negative = digits.data[0] == '-';
        digits.data += *ret_negative ? 1 : 0;
        digits.size -= *ret_negative ? 1 : 0;
        return text_parse_u64(digits, ret_size);
    }
    if (!cJSON_IsNumber(node)) {
        return false;
    }
    *ret_negative = node->valuedouble < 0;
    number = *ret_negative ? -node->valuedouble : node->valuedouble;
    if (!(number <= (double)JSON_INTEGER_MAX)) {
        return false;
    }
    *ret_size = (uint64_t)number;
    return !((double)*ret_size < number);
}

bool json_u64(const struct json *json, const char *path, uint64_t *ret_number)
{
    uint64_t size;
    bool negative;

    if (!node_integer(node_of(json_path(json, path)), &size, &negative)) {
        return false;
    }
    if (size > JSON_INTEGER_MAX || (negative && size > 0)) {
        return false;
    }
    *ret_number = size;
    return true;
}

bool json_i64(const struct json *json, const char *path, int64_t *ret_number)
{
    uint64_t size;
    bool negative;

    if (!node_integer(node_of(json_path(json, path)), &size, &negative)) {
        return false;
    }
    if (size > JSON_INTEGER_MAX) {
        return false;
    }
    *ret_number = negative ? -(int64_t)size : (int64_t)size;
    return true;
}

struct json *json_new_object(void)
{
    return json_of_own(cJSON_CreateObject());
}

struct json *json_new_array(void)
{
    return json_of_own(cJSON_CreateArray());
}

/* Moves child into parent, or frees it and marks the parent. Returns what is now in the tree. */
static struct json *json_attach(struct json *parent, const char *name, cJSON *child)
{
    cJSON *node = node_of_own(parent);
    bool attached;

    if (parent == NULL) {
        cJSON_Delete(child);
        return NULL;
    }
    ASSERT(name != NULL ? json_is_object(parent) : json_is_array(parent));
    ASSERT(node != child);
    if (child == NULL) {
        node->type |= JSON_NODE_FAILED;
        return NULL;
    }
    attached =
        name != NULL ? cJSON_AddItemToObject(node, name, child) : cJSON_AddItemToArray(node, child);
    if (!attached) {
        cJSON_Delete(child);
        node->type |= JSON_NODE_FAILED;
        return NULL;
    }
    return json_of_own(child);
}

struct json *json_add_object(struct json *parent, const char *name)
{
    return json_attach(parent, name, parent == NULL ? NULL : cJSON_CreateObject());
}

struct json *json_add_array(struct json *parent, const char *name)
{
    return json_attach(parent, name, parent == NULL ? NULL : cJSON_CreateArray());
}

/* cJSON's own constructors want a NUL behind the text. */
static cJSON *json_new_value(int type, struct span text)
{
    cJSON *node = cJSON_CreateNull();

    if (node == NULL) {
        return NULL;
    }
    node->valuestring = mem_copy_text(text.data, text.size);
    if (node->valuestring == NULL) {
        cJSON_Delete(node);
        return NULL;
    }
    node->type = type;
    return node;
}

void json_add_text(struct json *parent, const char *name, struct span text)
{
    if (parent != NULL) {
        (void)json_attach(parent, name, json_new_value(cJSON_String, text)); /* parent remembers */
    }
}

static void json_add_digits(struct json *parent, const char *name, const char *digits)
{
    if (parent != NULL) {
        (void)json_attach(parent, name, json_new_value(cJSON_Raw, span_text(digits)));
    }
}

void json_add_u64(struct json *parent, const char *name, uint64_t number)
{
    char digits[JSON_INTEGER_SIZE];

    (void)snprintf(digits, sizeof digits, "%" PRIu64, number); /* at most 20 digits */
    json_add_digits(parent, name, digits);
}

void json_add_i64(struct json *parent, const char *name, int64_t number)
{
    char digits[JSON_INTEGER_SIZE];

    (void)snprintf(digits, sizeof digits, "%" PRId64, number);
    json_add_digits(parent, name, digits);
}

void json_add_bool(struct json *parent, const char *name, bool value)
{
    if (parent != NULL) {
        (void)json_attach(parent, name, cJSON_CreateBool(value));
    }
}

void json_add_null(struct json *parent, const char *name)
{
    if (parent != NULL) {
        (void)json_attach(parent, name, cJSON_CreateNull());
    }
}

/* A parsed tree cannot leave its block: its copy goes in. */
static struct json *loosen(struct json *json)
{
    cJSON *copy;

    if (json == NULL || (node_of(json)->type & JSON_NODE_BLOCK) == 0) {
        return json;
    }
    copy = cJSON_Duplicate(node_of(json), 1);
    json_free(json);
    if (copy != NULL) {
        copy->type &= ~JSON_NODE_BLOCK;
    }
    return json_of_own(copy);
}

void json_add_take(struct json *parent, const char *name, struct json *child)
{
    child = loosen(child);
    (void)json_attach(parent, name, node_of_own(child)); /* parent remembers a failure */
}

static enum err_code print_double(struct buf *buf, double number, struct err *err)
{
    bool finite = isfinite(number); /* cJSON reads 1e999 as infinity, which JSON cannot say */
    char text[40];

    (void)snprintf(text, sizeof text, "%.15g", number);
    if (strtod(text, NULL) < number || strtod(text, NULL) > number) {
        (void)snprintf(text, sizeof text, "%.17g", number);
    }
    return buf_append_text(buf, finite ? text : "null", err);
}

static enum err_code print_scalar(const cJSON *node, struct buf *buf, struct err *err)
{
    if (cJSON_IsString(node)) {
        return text_append_json(buf, span_text(node->valuestring), err);
    }
    if (cJSON_IsRaw(node)) {
        return buf_append_text(buf, node->valuestring, err);
    }
    if (cJSON_IsNumber(node)) {
        return print_double(buf, node->valuedouble, err);
    }
    if (cJSON_IsNull(node)) {
        return buf_append_text(buf, "null", err);
    }
    return buf_append_text(buf, cJSON_IsTrue(node) ? "true" : "false", err);
}

static bool node_is_container(const cJSON *node)
{
    return cJSON_IsObject(node) || cJSON_IsArray(node);
}

/* The name, if it has one here, and the scalar or the opening bracket. */
static enum err_code print_begin(const cJSON *node, bool named, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    if ((node->type & JSON_NODE_FAILED) != 0) {
        return err_set(err, ERR_NOMEM, "JSON tree is incomplete");
    }
    if (named) {
        rc = text_append_json(buf, span_text(node->string), err);
        rc = rc == ERR_OK ? buf_append(buf, ":", 1, err) : rc;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (node_is_container(node)) {
        return buf_append(buf, cJSON_IsObject(node) ? "{" : "[", 1, err);
    }
    return print_scalar(node, buf, err);
}

static enum err_code print_end(const cJSON *node, struct buf *buf, struct err *err)
{
    return buf_append(buf, cJSON_IsObject(node) ? "}" : "]", 1, err);
}

struct print {
    const cJSON *open[JSON_DEPTH_MAX]; /* containers whose end is still owed */
    size_t depth;
    struct buf *buf;
    struct err *err;
};

/* Ends the containers of which node was the last; *ret_next is the node to print then, or NULL. */
static enum err_code print_advance(struct print *print, const cJSON *node, const cJSON **ret_next)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && print->depth > 0 && node->next == NULL) {
        print->depth--;
        node = print->open[print->depth];
        rc = print_end(node, print->buf, print->err);
    }
    if (print->depth == 0) {
        *ret_next = NULL;
        return rc;
    }
    *ret_next = node->next;
    return rc == ERR_OK ? buf_append(print->buf, ",", 1, print->err) : rc;
}

static enum err_code print_node(struct print *print, const cJSON *node, const cJSON **ret_next)
{
    bool named = print->depth > 0 && cJSON_IsObject(print->open[print->depth - 1]);
    enum err_code rc = print_begin(node, named, print->buf, print->err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (node->child != NULL) {
        if (print->depth == JSON_DEPTH_MAX) {
            return err_set(print->err, ERR_TOO_LARGE, "JSON tree is nested too deep");
        }
        print->open[print->depth] = node;
        print->depth++;
        *ret_next = node->child;
        return ERR_OK;
    }
    if (node_is_container(node)) {
        rc = print_end(node, print->buf, print->err);
    }
    return rc == ERR_OK ? print_advance(print, node, ret_next) : rc;
}

enum err_code json_print(const struct json *json, struct buf *buf, struct err *err)
{
    struct print print = {.buf = buf, .err = err};
    const cJSON *node = node_of(json);
    size_t start = buf_size(buf);
    enum err_code rc = ERR_OK;

    if (node == NULL) {
        return err_set(err, ERR_NOMEM, "JSON tree");
    }
    while (rc == ERR_OK && node != NULL) {
        rc = print_node(&print, node, &node);
    }
    if (rc != ERR_OK) {
        buf_truncate(buf, start);
    }
    return rc;
}
