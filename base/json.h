/* SPDX-License-Identifier: Apache-2.0 */
/* json.h: bounded JSON. The one file over cJSON.
 *
 * Reading: json_parse checks size, depth, UTF-8, \u0000 and lone surrogates before cJSON sees the
 * bytes, so a tree never holds a cut string. Lookups accept any node or NULL and answer with
 * "absent" for a wrong type, so that callers read foreign payloads without chains of ifs.
 * Writing: trees with json_new_* or text with buf + text_append_json. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct json; /* a node; never defined: it is cJSON's */

/* Containers within containers. Slack's deepest payload nests 12; more is an attack on stacks. */
#define JSON_DEPTH_MAX 32

/* The root, owned by the caller (json_free). ERR_TOO_LARGE (size, depth, values), ERR_INVALID
 * (syntax, encoding, bytes left over; the message names the offset), ERR_NOMEM. */
enum err_code
json_parse(struct span bytes, size_t size_max, struct json **ret_json, struct err *err) WARN_UNUSED;
void json_free(struct json *json); /* NULL is allowed */
void json_free_guard(struct json **slot);
#define AUTO_JSON __attribute__((cleanup(json_free_guard)))

/* The member of an object by exact name (the first of doubles), or NULL. */
const struct json *json_get(const struct json *json, const char *name);
/* Members down a path, "view.state.values"; NULL when any is absent. */
const struct json *json_path(const struct json *json, const char *path);
/* Array or object children. */
size_t json_count(const struct json *json);
const struct json *json_at(const struct json *json, size_t index); /* linear */
const struct json *json_first(const struct json *json);
const struct json *json_next(const struct json *child);
const char *json_name(const struct json *child); /* the child's key in its object, or NULL */
bool json_is_object(const struct json *json);
bool json_is_array(const struct json *json);
bool json_is_string(const struct json *json);
bool json_is_null(const struct json *json); /* an explicit null */

/* The string at a path, or an empty span (absent, null, other type). Valid as long as the root. */
struct span json_text(const struct json *json, const char *path);
/* The node's own string value, or an empty span. */
struct span json_string(const struct json *json);
bool json_bool(const struct json *json, const char *path, bool fallback);
/* An integer within 0 … 2^53, else false. */
bool json_u64(const struct json *json, const char *path, uint64_t *ret_number);
bool json_i64(const struct json *json, const char *path, int64_t *ret_number);

/* Building. A failed allocation anywhere makes the whole tree "failed" (NULL results); every
 * function accepts NULL and does nothing, so only json_print has to be checked. The parent owns
 * what is added. Names and texts are copied; a text that is not UTF-8 is printed with U+FFFD.
 * Integers keep all their digits. */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_add_object(struct json *parent, const char *name); /* name NULL: into an array */
struct json *json_add_array(struct json *parent, const char *name);
void json_add_text(struct json *parent, const char *name, struct span text);
void json_add_u64(struct json *parent, const char *name, uint64_t number);
void json_add_i64(struct json *parent, const char *name, int64_t number);
void json_add_bool(struct json *parent, const char *name, bool value);
void json_add_null(struct json *parent, const char *name);
/* Moves child (owned, from json_new_* or json_parse) into parent; a NULL child makes the tree
 * failed. */
void json_add_take(struct json *parent, const char *name, struct json *child);

/* Appends compact JSON. ERR_NOMEM when the tree is NULL or any json_add_* under it failed,
 * ERR_TOO_LARGE when buf is full or the tree nests deeper than JSON_DEPTH_MAX. On failure buf is as
 * before. */
enum err_code json_print(const struct json *json, struct buf *buf, struct err *err) WARN_UNUSED;

#endif
