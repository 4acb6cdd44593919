/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_policy_test.c: policy test.
 * Owns the words for who may decide; never judges anybody: approvald does. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/policy_look.h"
#include "approvald/ctl/show.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"

#include <stdio.h>

/* "    S0OPS (12 members)" */
static enum err_code show_group(const char *prefix, const struct json *group, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    struct span error = json_text(group, "error");
    uint64_t members;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc == ERR_OK) {
        rc = buf_append_span(line, json_text(group, "id"), err);
    }
    if (rc == ERR_OK && json_u64(group, "members", &members)) {
        rc = buf_append_format(line, err, " (%llu members)", (unsigned long long)members);
    } else if (rc == ERR_OK) {
        rc = buf_append_text(line, " (who is in it is not known now)", err);
    }
    if (rc == ERR_OK && error.size > 0) {
        rc = buf_append_format(line, err, ": %.*s", SPAN_ARGS(error));
    }
    return rc == ERR_OK ? ctl_print_line(prefix, buf_span(line), err) : rc;
}

/* "    ana@acme.example (U0APR00001)"; an id stands alone. */
static enum err_code
show_user(const char *prefix, struct span user, const struct json *emails, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc == ERR_OK) {
        rc = buf_append_span(line, user, err);
    }
    for (const struct json *at = json_first(emails); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        struct span owner = json_text(at, "user");
        struct span error = json_text(at, "error");

        if (!span_equal(json_text(at, "email"), user)) {
            continue;
        }
        if (owner.size == 0 && error.size == 0) {
            owner = SPAN_LITERAL("whose it is is not known now");
        } else if (owner.size == 0) {
            owner = SPAN_LITERAL("nobody");
        }
        rc = buf_append_format(line, err, " (%.*s)%s%.*s", SPAN_ARGS(owner),
                               error.size > 0 ? ": " : "", SPAN_ARGS(error));
    }
    return rc == ERR_OK ? ctl_print_line(prefix, buf_span(line), err) : rc;
}

static enum err_code
show_need(const struct json *need, const struct json *emails, bool other, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    struct span name = json_text(need, "name");
    uint64_t quorum = 1;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    (void)json_u64(need, "quorum", &quorum); /* always there */
    if (rc == ERR_OK) {
        rc = buf_append_format(line, err, "%.*s%s%llu of", SPAN_ARGS(name),
                               name.size > 0 ? ": " : "", (unsigned long long)quorum);
    }
    if (rc == ERR_OK) {
        rc = ctl_print_line(other ? "or " : "", buf_span(line), err);
    }
    for (const struct json *at = json_first(json_get(need, "users")); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        rc = show_user("    ", json_string(at), emails, err);
    }
    for (const struct json *at = json_first(json_get(need, "groups")); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        rc = show_group("    ", at, err);
    }
    return rc;
}

/* Who needs nobody in an emergency, for what is his own. */
static enum err_code show_glass(const struct json *test, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    const struct json *names = json_get(test, "break_glass");
    bool root = json_bool(test, "break_glass_root", false);
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc == ERR_OK && root) {
        rc = buf_append_text(line, "root", err);
    }
    for (const struct json *at = json_first(names); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        rc = buf_append_format(line, err, "%s%.*s", buf_size(line) > 0 ? ", " : "",
                               SPAN_ARGS(json_string(at)));
    }
    if (rc != ERR_OK || buf_size(line) == 0) {
        return rc; /* nobody, or an older approvald */
    }
    return ctl_print_line("may break the glass, each for his own request: ", buf_span(line), err);
}

/* Why it is not known whether an approval could be used now. */
static enum err_code show_unknown(struct span freeze, struct buf *line, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (freeze.size == 0) {
        return ctl_print_line("", SPAN_LITERAL("this host does not know its time zone: tzdata"),
                              err);
    }
    rc = buf_append_format(line, err, "%.*s is damaged: approvalctl freeze remove %.*s",
                           SPAN_ARGS(freeze), SPAN_ARGS(freeze));
    return rc == ERR_OK ? ctl_print_line("not now: change freeze ", buf_span(line), err) : rc;
}

/* Whose windows, and whether an approval could be used now. */
static enum err_code show_claim(const struct json *test, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    const struct json *windows = json_get(test, "windows");
    struct span may = json_text(test, "claim.may");
    struct span freeze = json_text(test, "claim.freeze");
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc != ERR_OK) {
        return rc;
    }
    for (const struct json *at = json_first(windows); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        rc = buf_append_format(line, err, "%s%.*s", at == json_first(windows) ? "" : ", ",
                               SPAN_ARGS(json_string(at)));
    }
    if (rc == ERR_OK && buf_size(line) > 0) {
        rc = buf_append_format(line, err, " (%.*s)", SPAN_ARGS(json_text(test, "time_zone")));
    }
    if (rc == ERR_OK && buf_size(line) > 0) {
        rc = ctl_print_line("an approval can be used ", buf_span(line), err);
    }
    buf_clear(line);
    if (rc == ERR_OK && span_is(may, "no")) {
        rc = buf_append_format(line, err, "%.*s%s%.*s", SPAN_ARGS(json_text(test, "claim.from")),
                               freeze.size > 0 ? ": change freeze " : "", SPAN_ARGS(freeze));
        rc = rc == ERR_OK ? ctl_print_line("not now, but from ", buf_span(line), err) : rc;
    } else if (rc == ERR_OK && span_is(may, "unknown")) {
        rc = show_unknown(freeze, line, err);
    }
    return rc;
}

/* Who decides, and who does not. */
static enum err_code show_who(const struct json *test, struct err *err)
{
    const struct json *excludes = json_get(test, "exclude_requester_groups");
    uint64_t rejections = 1;
    uint64_t last = 0;
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(json_get(test, "needs")); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        uint64_t alternative = 0;

        (void)json_u64(at, "alternative", &alternative); /* always there */
        rc = show_need(at, json_get(test, "emails"), alternative != last, err);
        last = alternative;
    }
    (void)json_u64(test, "rejections", &rejections); /* always there */
    (void)printf("rejected by %llu of them; the requester %s\n", (unsigned long long)rejections,
                 json_bool(test, "self_approval", false) ? "may decide too" : "does not decide");
    if (json_bool(test, "delegation", false)) {
        (void)printf("who is out of office may be stood in for\n");
    }
    if (json_bool(test, "step_up", false)) {
        (void)printf("an approval needs a one-time code as well\n");
    }
    for (const struct json *at = json_first(excludes); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        rc = show_group("does not decide what its own members ask for: ", at, err);
    }
    return rc;
}

static enum err_code show_rules(const struct json *test, struct err *err)
{
    enum err_code rc = show_who(test, err);

    if (rc == ERR_OK) {
        rc = policy_look_routes(test, err);
    }
    if (rc == ERR_OK) {
        rc = show_glass(test, err);
    }
    return rc == ERR_OK ? show_claim(test, err) : rc;
}

/* ", in the place of U0APR00001 for security" */
static enum err_code
add_behalf(const struct json *behalf, bool first, struct buf *line, struct err *err)
{
    const struct json *needs = json_get(behalf, "needs");
    enum err_code rc =
        buf_append_format(line, err, "%s%.*s", first ? ", in the place of " : " or of ",
                          SPAN_ARGS(json_text(behalf, "user")));

    for (const struct json *at = json_first(needs); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        rc = buf_append_format(line, err, "%s%.*s", at == json_first(needs) ? " for " : " or ",
                               SPAN_ARGS(json_string(at)));
    }
    return rc;
}

/* "yes", "no: You are not …", and of a request "not yet: from …", "yes, since it is escalated". */
static enum err_code add_may(const struct json *approver, struct buf *line, struct err *err)
{
    struct span detail = json_text(approver, "detail");
    struct span from = json_text(approver, "from");
    bool escalated = json_bool(approver, "by_escalation", false);
    enum err_code rc;

    if (from.size > 0) {
        return buf_append_format(line, err, "not yet: from %.*s on, when it is escalated",
                                 SPAN_ARGS(from));
    }
    rc = buf_append_span(line, json_text(approver, "may"), err);
    if (rc == ERR_OK && escalated) {
        rc = buf_append_text(line, ", since it is escalated", err);
    }
    return rc == ERR_OK && detail.size > 0
               ? buf_append_format(line, err, ": %.*s", SPAN_ARGS(detail))
               : rc;
}

/* "U0APR00001: yes, for security or ops", "U0APR00001: no: You are not …" */
static enum err_code show_approver(const struct json *approver, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    const struct json *needs = json_get(approver, "needs");
    const struct json *behalfs = json_get(approver, "in_the_place_of");
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc == ERR_OK) {
        rc = buf_append_format(line, err, "%.*s: ", SPAN_ARGS(json_text(approver, "user")));
    }
    if (rc == ERR_OK) {
        rc = add_may(approver, line, err);
    }
    for (const struct json *at = json_first(needs); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        rc = buf_append_format(line, err, "%s%.*s", at == json_first(needs) ? ", for " : " or ",
                               SPAN_ARGS(json_string(at)));
    }
    for (const struct json *at = json_first(behalfs); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        rc = add_behalf(at, at == json_first(behalfs), line, err);
    }
    return rc == ERR_OK ? ctl_print_line("", buf_span(line), err) : rc;
}

/* The answer about one approver; the rules with the first one. */
static int show_test(const struct ctl *ctl, const struct client_reply *reply, bool first)
{
    const struct json *approver = json_get(reply->json, "approver");
    bool no = span_is(json_text(approver, "may"), "no");
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    if (ctl->json) {
        ctl_print_json(reply->body);
        return no ? CTL_REFUSED : CTL_OK;
    }
    if (first) {
        rc = show_rules(reply->json, &err);
    }
    if (rc == ERR_OK && first && json_bool(reply->json, "deleted", false)) {
        (void)printf("This policy takes no new requests.\n"); /* main looks at ferror */
    }
    if (rc == ERR_OK && json_text(approver, "user").size > 0) {
        rc = show_approver(approver, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return no ? CTL_REFUSED : CTL_OK;
}

/* Of a request. */

/* "escalated since …, may decide too:", and whom. */
static enum err_code
show_escalation(const struct json *escalation, const struct json *emails, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    bool done = json_bool(escalation, "done", false);
    enum err_code rc;

    if (json_text(escalation, "at").size == 0) {
        return ERR_OK;
    }
    rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);
    if (rc == ERR_OK) {
        rc = buf_append_format(line, err, "%s %.*s on; may decide then too:",
                               done ? "escalated, from" : "not escalated yet, but from",
                               SPAN_ARGS(json_text(escalation, "at")));
    }
    if (rc == ERR_OK) {
        rc = ctl_print_line("", buf_span(line), err);
    }
    for (const struct json *at = json_first(json_get(escalation, "users"));
         rc == ERR_OK && at != NULL; at = json_next(at)) {
        rc = show_user("    ", json_string(at), emails, err);
    }
    for (const struct json *at = json_first(json_get(escalation, "groups"));
         rc == ERR_OK && at != NULL; at = json_next(at)) {
        rc = show_group("    ", at, err);
    }
    return rc;
}

static enum err_code show_request_test(const struct json *test, bool first, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (first) {
        rc = show_request(json_get(test, "request"), err);
    }
    if (rc == ERR_OK && first) {
        rc = show_who(test, err);
    }
    if (rc == ERR_OK && first) {
        rc = show_escalation(json_get(test, "escalation"), json_get(test, "emails"), err);
    }
    for (const struct json *at = json_first(json_get(test, "approvers"));
         rc == ERR_OK && at != NULL; at = json_next(at)) {
        rc = show_approver(at, err);
    }
    return rc;
}

/* One answer: about the approver, or with NULL about everybody who is named. */
static int test_request(struct ctl *ctl, const char *id, const char *approver, bool first)
{
    struct client_call call = {.method = "GET", .local = true};
    const struct client_reply *reply = NULL;
    AUTO_BUF struct buf *path = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(1024, &path, &err);
    int code;

    rc = rc == ERR_OK ? buf_append_text(path, "/v1/requests/", &err) : rc;
    rc = rc == ERR_OK ? ctl_segment(path, id, &err) : rc;
    rc = rc == ERR_OK ? buf_append_text(path, "/test", &err) : rc;
    rc = rc == ERR_OK ? ctl_query(path, "approver", approver, &err) : rc;
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    call.path = buf_text(path);
    code = ctl_call(ctl, &call, &reply);
    if (code != CTL_OK) {
        return code;
    }
    ASSERT(reply != NULL);
    if (ctl->json) {
        ctl_print_json(reply->body);
    } else if (show_request_test(reply->json, first, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return approver != NULL &&
                   span_is(json_text(json_first(json_get(reply->json, "approvers")), "may"), "no")
               ? CTL_REFUSED
               : CTL_OK;
}

/* The person may stand behind the command, and more in --approver. */
static int test_requests(struct ctl *ctl, const char *id)
{
    const char *approver = ctl->options.argument_count > 0 ? ctl->options.arguments[0] : NULL;
    size_t index = 0;
    bool first = true;
    int worst = CTL_OK;

    if (options_has(&ctl->options, OPTION_REQUESTER)) {
        return ctl_usage(ctl, "--requester is the request's own with --request");
    }
    if (approver == NULL) {
        approver = options_nth(&ctl->options, OPTION_APPROVER, index++);
    }
    do {
        int code = test_request(ctl, id, approver, first);

        if (code != CTL_OK && code != CTL_REFUSED) {
            return code;
        }
        worst = code == CTL_OK ? worst : code;
        first = false;
        approver = options_nth(&ctl->options, OPTION_APPROVER, index++);
    } while (approver != NULL);
    return worst;
}

/* Under a policy. */

static int test_policy(struct ctl *ctl, const char *name)
{
    const char *requester = options_text(&ctl->options, OPTION_REQUESTER);
    const char *approver = options_nth(&ctl->options, OPTION_APPROVER, 0);
    int worst = CTL_OK;
    size_t index = 0;

    do {
        const struct client_reply *reply = NULL;
        int code = policy_look_get(ctl, name, requester, approver, &reply);

        if (code != CTL_OK) {
            return code;
        }
        ASSERT(reply != NULL);
        code = show_test(ctl, reply, index == 0);
        if (code != CTL_OK && code != CTL_REFUSED) {
            return code;
        }
        worst = code == CTL_OK ? worst : code;
        index++;
        approver = options_nth(&ctl->options, OPTION_APPROVER, index);
    } while (approver != NULL);
    return worst;
}

int cmd_policy_test(struct ctl *ctl)
{
    const char *id = options_text(&ctl->options, OPTION_REQUEST);

    if (id != NULL) {
        return test_requests(ctl, id);
    }
    return ctl->options.argument_count > 0
               ? test_policy(ctl, ctl->options.arguments[0])
               : ctl_usage(ctl, "give the NAME of a policy, or --request ID");
}
