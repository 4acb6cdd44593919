/* SPDX-License-Identifier: Apache-2.0 */
/* policy_json.c: a policy as JSON, the parts about channels, breaking the glass and windows of
 * time. Owns the names of their members. Never decides anything. Pure. */
#include "approvald/core/policy_routes.h"
#include "approvald/core/policy_windows.h"
#include "approvald/http/api_internal.h"

#include "base/buf.h"
#include "base/json.h"

static void add_names(struct json *list, const struct span *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        json_add_text(list, NULL, names[i]);
    }
}

static void add_text_or_null(struct json *object, const char *name, struct span text)
{
    if (text.size == 0) {
        json_add_null(object, name);
    } else {
        json_add_text(object, name, text);
    }
}

static void add_glass(struct json *object, const struct policy_glass *glass)
{
    struct json *tell;

    json_add_bool(object, "break_glass_root", glass->root);
    add_names(json_add_array(object, "break_glass"), glass->users, glass->user_count);
    tell = json_add_object(object, "break_glass_tell");
    add_text_or_null(tell, "channel", glass->channel);
    add_names(json_add_array(tell, "users"), glass->tells, glass->tell_count);
}

void policy_json_windows(const struct policy_windows *windows, struct json *object)
{
    struct json *list = json_add_array(object, "windows");

    for (uint32_t i = 0; i < windows->count; i++) {
        AUTO_BUF struct buf *text = NULL;
        struct policy_windows one = {.count = 1, .items = {windows->items[i]}};

        /* Without memory the printing of the whole fails, too. */
        if (buf_new(API_PARAM_SIZE_MAX, &text, NULL) == ERR_OK &&
            policy_windows_format(&one, text, NULL) == ERR_OK) {
            json_add_text(list, NULL, buf_span(text));
        }
    }
    add_text_or_null(object, "time_zone", windows->zone);
    json_add_text(object, "outside_windows",
                  windows->refuse ? SPAN_LITERAL("refuse") : SPAN_LITERAL("wait"));
}

void policy_json_routes(const struct policy *policy, struct json *object)
{
    struct span channels[CORE_CHANNEL_COUNT_MAX];

    add_names(json_add_array(object, "channels"), channels, policy_channels(policy, channels));
    json_add_bool(object, "direct_approvers", policy->direct_approvers);
}

void policy_json_more(const struct policy *policy, struct json *object)
{
    policy_json_routes(policy, object);
    add_glass(object, &policy->glass);
    policy_json_windows(&policy->windows, object);
}
