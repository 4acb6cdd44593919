/* SPDX-License-Identifier: Apache-2.0 */
/* policy_diff.c: what an apply changes, as JSON.
 * Owns the shape of that JSON.
 * Never decides what to apply. */
#include "approvald/service/policy_diff.h"

#include "approvald/core/policy.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/text.h"

#define VALUE_SIZE_MAX 16384 /* the longest field: 8 needs of 72 ids of 24 bytes and spaces */

enum policy_change policy_change_of(const struct policy *before, const struct policy *after)
{
    if (before == NULL) {
        return POLICY_ADDED;
    }
    if (after->deleted) {
        return before->deleted ? POLICY_UNCHANGED : POLICY_DELETED;
    }
    if (before->deleted) {
        return POLICY_RESTORED;
    }
    return policy_equal(before, after) ? POLICY_UNCHANGED : POLICY_CHANGED;
}

static const char *change_word(enum policy_change change)
{
    switch (change) {
    case POLICY_ADDED:
        return "added";
    case POLICY_CHANGED:
        return "changed";
    case POLICY_UNCHANGED:
        return "unchanged";
    case POLICY_DELETED:
        return "deleted";
    case POLICY_RESTORED:
        return "restored";
    }
    return "";
}

enum err_code policy_diff_open(struct buf *json, bool dry_run, struct err *err)
{
    return buf_append_format(json, err, "{\"dry_run\":%s,\"policies\":[",
                             dry_run ? "true" : "false");
}

static enum err_code
append_value(struct buf *json, const struct policy *policy, size_t field, struct err *err)
{
    AUTO_BUF struct buf *value = NULL;
    enum err_code rc;

    if (policy == NULL) {
        return buf_append_text(json, "null", err);
    }
    rc = buf_new(VALUE_SIZE_MAX, &value, err);
    if (rc == ERR_OK) {
        rc = policy_field_format(policy, field, value, err);
    }
    return rc == ERR_OK ? text_append_json(json, buf_span(value), err) : rc;
}

static enum err_code append_field(struct buf *json,
                                  const struct policy *before,
                                  const struct policy *after,
                                  size_t field,
                                  struct err *err)
{
    enum err_code rc;

    rc = buf_append_format(json, err, "{\"name\":\"%s\",\"before\":", policy_field_name(field));
    if (rc == ERR_OK) {
        rc = append_value(json, before, field, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_text(json, ",\"after\":", err);
    }
    if (rc == ERR_OK) {
        rc = append_value(json, after, field, err);
    }
    return rc == ERR_OK ? buf_append_text(json, "}", err) : rc;
}

static enum err_code append_fields(struct buf *json,
                                   const struct policy *before,
                                   const struct policy *after,
                                   struct err *err)
{
    bool first = true;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < POLICY_FIELD_COUNT; i++) {
        if (before != NULL && policy_field_equal(before, after, i)) {
            continue;
        }
        rc = first ? ERR_OK : buf_append_text(json, ",", err);
        if (rc == ERR_OK) {
            rc = append_field(json, before, after, i, err);
        }
        first = false;
    }
    return rc;
}

enum err_code policy_diff_add(struct buf *json,
                              bool first,
                              const struct policy *before,
                              const struct policy *after,
                              struct err *err)
{
    enum policy_change change = policy_change_of(before, after);
    enum err_code rc = first ? ERR_OK : buf_append_text(json, ",", err);

    if (rc == ERR_OK) {
        rc = buf_append_text(json, "{\"name\":", err);
    }
    if (rc == ERR_OK) {
        rc = text_append_json(json, after->name, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(json, err, ",\"change\":\"%s\",\"version\":%u,\"fields\":[",
                               change_word(change), after->version);
    }
    if (rc == ERR_OK) {
        rc = append_fields(json, before, after, err);
    }
    return rc == ERR_OK ? buf_append_text(json, "]}", err) : rc;
}

enum err_code policy_diff_close(struct buf *json,
                                bool retention_changed,
                                const struct retention *retention,
                                struct err *err)
{
    enum err_code rc;

    rc = buf_append_format(json, err, "],\"retention\":{\"change\":\"%s\",\"requests\":\"",
                           retention_changed ? "changed" : "unchanged");
    if (rc == ERR_OK) {
        rc = policy_format_ms(retention->requests_ms, json, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_text(json, "\",\"audit\":\"", err);
    }
    if (rc == ERR_OK) {
        rc = policy_format_ms(retention->audit_ms, json, err);
    }
    return rc == ERR_OK ? buf_append_text(json, "\"}}", err) : rc;
}
