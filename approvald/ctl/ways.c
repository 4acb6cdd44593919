/* SPDX-License-Identifier: Apache-2.0 */
/* ways.c: the ways in which Slack's deliveries come.
 * Owns the words for them, the same in status and in slack check.
 * Never asks anybody: it reads what approvald has said. */
#include "approvald/ctl/ways.h"

#include "base/buf.h"
#include "base/json.h"

#include <inttypes.h>

bool ways_has_socket(const struct json *slack)
{
    return json_text(slack, "socket.state").size > 0;
}

bool ways_has_http(const struct json *slack)
{
    return json_bool(json_get(slack, "http"), "configured", false);
}

static bool is_off(const struct json *slack)
{
    return span_is(json_text(slack, "socket.state"), "disabled") && ways_has_http(slack);
}

bool ways_socket_is_well(const struct json *slack)
{
    return !ways_has_socket(slack) || span_is(json_text(slack, "socket.state"), "live") ||
           is_off(slack);
}

static enum err_code add_last(struct span at, struct buf *line, struct err *err)
{
    return at.size > 0 ? buf_append_format(line, err, ", last came %.*s", SPAN_ARGS(at))
                       : buf_append_text(line, ", nothing came yet", err);
}

enum err_code ways_add_socket(const struct json *slack, struct buf *line, struct err *err)
{
    struct span state = json_text(slack, "socket.state");
    uint64_t live = 0;
    enum err_code rc;

    (void)json_u64(slack, "socket.live", &live); /* absent: 0 */
    if (span_is(state, "live")) {
        rc = buf_append_format(line, err, "%" PRIu64 " live", live);
    } else if (is_off(slack)) {
        rc = buf_append_text(line, "switched off in the app's settings: HTTP is the way in", err);
    } else {
        rc = buf_append_format(line, err, "NONE (%.*s)", SPAN_ARGS(state));
    }
    return rc == ERR_OK ? add_last(json_text(slack, "socket.last_event_at"), line, err) : rc;
}

enum err_code ways_add_http(const struct json *slack, struct buf *line, struct err *err)
{
    enum err_code rc = buf_append_text(line, "configured", err);

    return rc == ERR_OK ? add_last(json_text(slack, "http.last_event_at"), line, err) : rc;
}
