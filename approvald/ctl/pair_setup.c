/* SPDX-License-Identifier: Apache-2.0 */
/* pair_setup.c: what the commands that set a pair up share.
 * Owns the words around a token. Never puts a token anywhere but on standard output. */
#include "approvald/ctl/pair_setup.h"

#include "approvald/ctl/ctl.h"
#include "approvald/enrol/apply.h"
#include "approvald/enrol/device_home.h"
#include "approvald/enrol/leave.h"
#include "approvald/enrol/serve.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAY_SIZE_MAX 2048 /* bytes: the longest sentence has 300, and six escaped bytes each */

uint64_t pair_setup_now_s(void)
{
    return clock_wall_ms(clock_host()) / 1000;
}

struct home_self pair_setup_self(const struct pair_setup *setup)
{
    return (struct home_self){
        .plan = &setup->plan, .host = setup->host, .now_s = pair_setup_now_s()};
}

bool pair_setup_is_live(const struct pair_setup *setup)
{
    return setup->home.root[0] == '\0';
}

int pair_setup_open(struct ctl *ctl, struct pair_setup *setup)
{
    struct err err = ERR_INIT;
    int code = pair_setup_find(ctl, setup);

    if (code == CTL_OK && leave_is_begun(&setup->home)) {
        (void)err_set(&err, ERR_CONFLICT,
                      "this host is on its way out of a pair: approvalctl pair leave, again");
        return ctl_fail(ctl, CTL_REFUSED, &err);
    }
    return code;
}

int pair_setup_find(struct ctl *ctl, struct pair_setup *setup)
{
    const char *root = options_text(&ctl->options, OPTION_ROOT);
    struct err err = ERR_INIT;

    (void)umask(022); /* each file's mode is set by itself; folders above are everybody's to see */
    if (root == NULL && geteuid() != 0) {
        (void)err_set(&err, ERR_DENIED, "only root may set up a pair");
        return ctl_fail(ctl, CTL_REFUSED, &err);
    }
    return home_init(&setup->home, root == NULL ? "" : root, &err) == ERR_OK
               ? CTL_OK
               : ctl_fail_err(ctl, &err);
}

int pair_setup_load(struct ctl *ctl, struct pair_setup *setup)
{
    struct err err = ERR_INIT;
    int code = pair_setup_open(ctl, setup);
    enum err_code rc;

    if (code != CTL_OK) {
        return code;
    }
    rc = home_load_plan(&setup->home, &setup->plan, &setup->host, setup->interface, &err);
    return rc == ERR_OK ? CTL_OK : ctl_fail(ctl, CTL_REFUSED, &err);
}

/* One object a line: what follows comes later. main looks at ferror. */
static void print_object(const struct json *object)
{
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;

    if (buf_new(SAY_SIZE_MAX, &text, &err) == ERR_OK && json_print(object, text, &err) == ERR_OK) {
        ctl_print_json(buf_span(text));
    }
}

void pair_setup_say(const struct ctl *ctl, const char *event, const char *format, ...)
{
    AUTO_JSON struct json *object = NULL;
    char text[SAY_SIZE_MAX / 4];
    struct err err = ERR_INIT;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* cut is fine */
    va_end(arguments);
    if (ctl->json) {
        object = json_new_object();
        json_add_text(object, "event", span_text(event));
        json_add_text(object, "text", span_text(text));
        print_object(object);
    } else {
        err_ignore(ctl_print_lines("", span_text(text), &err)); /* main looks at ferror */
    }
    (void)fflush(stdout); /* it may be a log */
}

void pair_setup_say_slack(const struct ctl *ctl, const struct pair_setup *setup)
{
    const char *slack = setup->plan.slack;

    if (strcmp(slack, "socket") == 0) {
        pair_setup_say(ctl, "slack",
                       "Slack, on both hosts, with the same tokens:  approvalctl slack setup "
                       "--socket-mode");
    } else if (strcmp(slack, "http") == 0) {
        pair_setup_say(ctl, "slack",
                       "Slack, on both hosts, with the same tokens:  approvalctl slack setup "
                       "--public-url https://NAME  (NAME: by which Slack reaches the virtual IP)");
    }
}

static void print_token(const struct ctl *ctl,
                        const struct pair_setup *setup,
                        enum enrol_role role,
                        const char *token)
{
    AUTO_JSON struct json *object = NULL;

    if (ctl->json) {
        object = json_new_object();
        json_add_text(object, "event", span_text("token"));
        json_add_text(object, "role", span_text(enrol_role_name(role)));
        json_add_text(object, "token", span_text(token));
        print_object(object);
    } else if (role == ENROL_ROLE_HOST) {
        (void)printf("On the other host (%s), as root, type  approvalctl pair join  and "
                     "paste:\n\n%s\n\n",
                     setup->plan.host[2 - setup->host], token);
    } else {
        (void)printf("On the arbiter (%s), as root, type  approvald-arbiter join  and "
                     "paste:\n\n%s\n\n",
                     setup->plan.arbiter, token);
    }
}

int pair_setup_offer(struct ctl *ctl, const struct pair_setup *setup, enum enrol_role role)
{
    char token[TOKEN_TEXT_SIZE_MAX];
    struct err err = ERR_INIT;
    const struct home_self self = pair_setup_self(setup);
    enum err_code rc = serve_offer(&setup->home, &self, role, token, &err);

    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    print_token(ctl, setup, role, token);
    mem_wipe(token, sizeof token);
    return CTL_OK;
}

const char *pair_setup_supervisor(const struct ctl *ctl)
{
    const char *program = options_text(&ctl->options, OPTION_PROGRAM);

    return program != NULL ? program : PKGSBINDIR "/approvald-supervisor";
}

int pair_setup_apply(struct ctl *ctl, const struct pair_setup *setup, bool start)
{
    struct apply apply = {.home = &setup->home,
                          .plan = &setup->plan,
                          .host = setup->host,
                          .interface = setup->interface,
                          .supervisor = pair_setup_supervisor(ctl)};
    struct applied applied;
    struct err err = ERR_INIT;
    enum err_code rc = apply_write(&apply, &applied, &err);

    if (rc == ERR_OK && applied.keepalived_kept) {
        pair_setup_say(ctl, "keepalived",
                       "keepalived has a configuration of yours, which stays. What the pair needs "
                       "is in %s/keepalived.conf: include it there.",
                       setup->home.folder);
    }
    if (rc == ERR_OK && start && setup->plan.fence) {
        rc = device_home_enable(&setup->home, &err); /* before who asks there */
    }
    if (rc == ERR_OK && start && applied.changed) {
        rc = apply_start(&setup->home, &setup->plan, &err);
    }
    return rc == ERR_OK ? CTL_OK : ctl_fail_err(ctl, &err);
}
