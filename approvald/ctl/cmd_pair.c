/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pair.c: the operator's commands to the supervisor of this host.
 * Owns what has to be typed before something that cannot be taken back.
 * Never decides whether a command is right: the supervisor does, and says why not. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/program.h"
#include "approvald/ctl/supervisor.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 100

#define OFF_WORDS    "the other host is off"
#define REJOIN_WORDS "give up this store"
#define RESEED_WORDS "the old arbiter is lost"

/* Sends a command and prints what the supervisor says. */
static int command(struct ctl *ctl, const char *line)
{
    AUTO_JSON struct json *answer = NULL;
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = supervisor_ask(ctl, line, &answer, &err);
    bool ok;

    if (rc != ERR_OK) {
        return ctl_fail(ctl, rc == ERR_DENIED ? CTL_REFUSED : CTL_UNREACHABLE, &err);
    }
    ok = json_bool(answer, "ok", false);
    if (ctl->json) {
        rc = buf_new(CTL_BODY_SIZE_MAX, &text, &err);
        if (rc == ERR_OK) {
            rc = json_print(answer, text, &err);
        }
        if (rc == ERR_OK) {
            ctl_print_json(buf_span(text));
        }
    } else {
        rc = ctl_print_line(ok ? "" : "refused: ", json_text(answer, "message"), &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return ok ? CTL_OK : CTL_REFUSED;
}

/* True when the words were given as an option or are typed now. */
static bool confirmed(const struct ctl *ctl, const char *words, const char *warning)
{
    const char *given = options_text(&ctl->options, OPTION_CONFIRM);
    char line[128];
    size_t size;

    if (given != NULL) {
        return strcmp(given, words) == 0;
    }
    if (isatty(STDIN_FILENO) != 1) {
        return false;
    }
    (void)fprintf(stderr, "%s\nType \"%s\" to go on: ", warning, words); /* a prompt */
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    size = strlen(line);
    if (size > 0 && line[size - 1] == '\n') {
        line[size - 1] = '\0';
    }
    return strcmp(line, words) == 0;
}

static int confirm_then(struct ctl *ctl, const char *line, const char *words, const char *warning)
{
    if (!confirmed(ctl, words, warning)) {
        return ctl_usage(
            ctl, "not confirmed: nothing was done; without a terminal: --confirm \"%s\"", words);
    }
    return command(ctl, line);
}

static bool has_role(const struct json *status, const char *role)
{
    return span_is(json_text(status, "role"), role);
}

enum move { MOVE_UNDER_WAY, MOVE_DONE, MOVE_CALLED_OFF };

/* to_here: this host is to lead. Else the other one, and this one has begun to hand over: it is
 * primary again only when nothing has come of it. */
static enum move move_look(const struct json *status, bool to_here)
{
    if (to_here) {
        return json_bool(status, "serving", false) ? MOVE_DONE : MOVE_UNDER_WAY;
    }
    if (has_role(status, "primary")) {
        return MOVE_CALLED_OFF;
    }
    return has_role(status, "standby") && json_bool(status, "link.peer_leads", false)
               ? MOVE_DONE
               : MOVE_UNDER_WAY;
}

static int move_failed(struct ctl *ctl, const struct json *status, bool to_here)
{
    struct err err = ERR_INIT;
    struct span why = json_text(status, to_here ? "peer.reason" : "reason");

    (void)err_set(&err, ERR_UNAVAILABLE, "the %s host still serves: %.*s",
                  to_here ? "other" : "this", (int)why.size, why.data == NULL ? "" : why.data);
    return ctl_fail(ctl, CTL_REFUSED, &err);
}

/* A handover that has begun is none yet: a script goes on to reboot when this succeeds. */
static int await_move(struct ctl *ctl, bool to_here)
{
    struct err err = ERR_INIT;
    uint64_t limit_s = CTL_DEADLINE_MS / 1000;
    enum err_code rc = options_seconds(&ctl->options, OPTION_TIMEOUT, &limit_s, &err);
    uint64_t end_ms = clock_boot_ms(clock_host()) + limit_s * 1000;

    while (rc == ERR_OK) {
        AUTO_JSON struct json *status = NULL;
        enum move move;

        rc = supervisor_ask(ctl, "status", &status, &err);
        if (rc != ERR_OK) {
            break;
        }
        move = move_look(status, to_here);
        if (move == MOVE_DONE) {
            return CTL_OK;
        }
        if (move == MOVE_CALLED_OFF || clock_boot_ms(clock_host()) >= end_ms) {
            return move_failed(ctl, status, to_here);
        }
        (void)poll(NULL, 0, LOOK_AGAIN_MS); /* a sleep; an early end does no harm */
    }
    return ctl_fail(ctl, CTL_UNREACHABLE, &err);
}

/* What has a primary hand over: succeeds when the other host leads, and not before. */
static int command_then_move(struct ctl *ctl, const char *line, bool moves_here)
{
    AUTO_JSON struct json *status = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = supervisor_ask(ctl, "status", &status, &err);
    bool leads;
    int code;

    if (rc != ERR_OK) {
        return ctl_fail(ctl, rc == ERR_DENIED ? CTL_REFUSED : CTL_UNREACHABLE, &err);
    }
    leads = !has_role(status, "standby") && !has_role(status, "waiting") &&
            !has_role(status, "halted"); /* or is about to */
    code = command(ctl, line);
    if (code != CTL_OK || (!leads && !moves_here)) {
        return code;
    }
    return await_move(ctl, !leads);
}

int cmd_switchover(struct ctl *ctl)
{
    return command_then_move(ctl, "switchover", true);
}

#define LINEAGE_DIGITS 16U

/* The words name the lineage that is given up, as the register has it now. */
static int promote_other_lineage(struct ctl *ctl)
{
    AUTO_JSON struct json *status = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = supervisor_ask(ctl, "status", &status, &err);
    struct span lineage = json_text(status, "register.lineage");
    char words[64];

    if (rc != ERR_OK) {
        return ctl_fail(ctl, rc == ERR_DENIED ? CTL_REFUSED : CTL_UNREACHABLE, &err);
    }
    if (lineage.size != LINEAGE_DIGITS) {
        (void)err_set(&err, ERR_UNAVAILABLE, "refused: the register was not read yet");
        return ctl_fail(ctl, CTL_REFUSED, &err);
    }
    (void)snprintf(words, sizeof words, "give up lineage %.*s", (int)lineage.size,
                   lineage.data); /* fits */
    return confirm_then(ctl, "promote-force-other-lineage", words,
                        "This host becomes primary with a store that is not of the register's "
                        "lineage. Every record of that lineage is lost.\nOnly when the host that "
                        "led has lost its disk; if it still has it, start that host instead.");
}

int cmd_promote(struct ctl *ctl)
{
    if (!options_has(&ctl->options, OPTION_FORCE)) {
        return ctl_usage(ctl, "promote needs --force; while both hosts are up: approvalctl "
                              "switchover");
    }
    if (options_has(&ctl->options, OPTION_OTHER_LINEAGE)) {
        return promote_other_lineage(ctl);
    }
    return confirm_then(ctl, "promote-force", OFF_WORDS,
                        "This host becomes primary, whatever the other one has. Records that only "
                        "the other host has are lost.\nIf the other host still runs, both would "
                        "give answers: switch it off first.");
}

int cmd_peer_off(struct ctl *ctl)
{
    return confirm_then(ctl, "peer-off", OFF_WORDS,
                        "This host may then change the pair alone. If the other host still runs, "
                        "both would give answers.");
}

int cmd_rejoin(struct ctl *ctl)
{
    return confirm_then(ctl, "rejoin", REJOIN_WORDS,
                        "This host's store is set aside, and the other host's is fetched.");
}

int cmd_arbiter_reseed(struct ctl *ctl)
{
    return confirm_then(ctl, "reseed", RESEED_WORDS,
                        "The register is written into the arbiter that is configured now. An old "
                        "arbiter that comes back must not be used again.");
}

int cmd_pair_bootstrap(struct ctl *ctl)
{
    return command(ctl, "bootstrap");
}

int cmd_safe_mode_clear(struct ctl *ctl)
{
    return command(ctl, "safe-mode-clear");
}

int cmd_maintenance(struct ctl *ctl)
{
    const char *state = ctl->options.arguments[0];

    if (strcmp(state, "on") == 0) {
        return command_then_move(ctl, "maintenance on", false);
    }
    if (strcmp(state, "off") == 0) {
        return command(ctl, "maintenance off");
    }
    return ctl_usage(ctl, "maintenance is on or off, not '%s'", state);
}

int cmd_keepalived_config(struct ctl *ctl)
{
    struct err err = ERR_INIT;

    return ctl_fail(ctl, CTL_INTERNAL, program_exec_supervisor(ctl, "--keepalived-config", &err));
}
