/* SPDX-License-Identifier: Apache-2.0 */
/* render.h: a request as JSON, one form for the API and for webhooks (documented in docs/api.md).
 * Pure. Every member is always present; what is not known, not set or empty is null, so that a
 * script may read .requester without asking whether it is there. Times are RFC 3339 in UTC. */
#ifndef APPROVALD_SERVICE_RENDER_H
#define APPROVALD_SERVICE_RENDER_H

#include "approvald/core/types.h"

struct json;

/* Adds the members of the request to the object parent (which may be NULL, as with json_add_*):
 *   id, revision, state, use, policy {name, version}, requester, asker, title, reason, target,
 *   details, fields {name: value}, bind_hash (hex), created_at, expires_at, lapses_at, ended_at,
 *   claimed_at, consumed_at, escalated_at, takes_effect_at,
 *   quorum, approvals (how many), needs [{name, alternative, quorum, approvals}], rejection_quorum,
 *   rejections (how many), decisions [{user, verdict, need, at, via, reason}], cancelled_by,
 *   cancel_reason, result (the asker's exit code).
 * Text is copied. A failed allocation shows in json_print, as with every json_add_*. */
void render_request(const struct request *request, struct json *parent);

/* Adds "fields" to a policy: [{name, label, kind, required, min, max, options, hint, placeholder}].
 */
void render_policy_fields(const struct policy *policy, struct json *parent);

/* The word used above: "approve". Never NULL. */
const char *render_verdict(enum verdict verdict);

/* Approvals among the decisions. */
uint32_t render_approval_count(const struct request *request);

#endif
