/* SPDX-License-Identifier: Apache-2.0 */
/* pair_fence.c: the fence devices of a pair, asked for and tried.
 * Owns the questions. Never takes a secret from the command line, never prints a value, never asks
 * a device for anything but its status. */
#include "approvald/ctl/pair_fence.h"

#include "approvald/ctl/ctl.h"
#include "approvald/ctl/hidden.h"
#include "approvald/ctl/pair_setup.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE (DEVICE_KEY_SIZE + DEVICE_VALUE_SIZE + 2)

static const enum option of_host[] = {OPTION_FENCE_1, OPTION_FENCE_2};

bool pair_fence_is_given(const struct ctl *ctl)
{
    return options_has(&ctl->options, OPTION_FENCE) || options_has(&ctl->options, OPTION_FENCE_1) ||
           options_has(&ctl->options, OPTION_FENCE_2) ||
           options_has(&ctl->options, OPTION_FENCE_SECRET);
}

/* -- options --------------------------------------------------------------------------------- */

/* An argument is seen by every user of the host while the command runs, and kept by shells. */
static enum err_code refuse_secret(const char *text, enum option option, struct err *err)
{
    char key[DEVICE_KEY_SIZE] = "";
    size_t size = strcspn(text, "=");

    memcpy(key, text, size < sizeof key ? size : sizeof key - 1);
    return device_is_secret(key)
               ? err_set(err, ERR_INVALID,
                         "--%s: a secret is no argument, where every user of this host sees it: "
                         "--fence-secret %s, then it is asked for, or read from standard input",
                         options_name(option), device_is_key(key) ? key : "NAME")
               : ERR_OK;
}

/* What is given of both hosts' devices, then what one host has of its own. */
static enum err_code
take_options(const struct ctl *ctl, enum option option, struct device *device, struct err *err)
{
    struct device once = {.count = 0};
    const char *text;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && (text = options_nth(&ctl->options, option, i)) != NULL;
         i++) {
        rc = refuse_secret(text, option, err);
        if (rc == ERR_OK && (device_add(&once, span_text(text), false, err) != ERR_OK ||
                             device_add(device, span_text(text), true, err) != ERR_OK)) {
            rc = err_wrap(err, ERR_INVALID, "--%s", options_name(option));
        }
    }
    return rc;
}

/* -- questions ------------------------------------------------------------------------------- */

/* A line of the person's; "" at the end. */
static enum err_code ask(const char *question, char room[LINE_SIZE], struct err *err)
{
    size_t size;

    (void)fprintf(stderr, "%s ", question); /* a prompt */
    room[0] = '\0';
    if (fgets(room, LINE_SIZE, stdin) == NULL) {
        return ERR_OK;
    }
    size = strlen(room);
    if (size == LINE_SIZE - 1 && room[size - 1] != '\n') {
        return err_set(err, ERR_TOO_LARGE, "too long a line");
    }
    room[strcspn(room, "\r\n")] = '\0';
    return ERR_OK;
}

/* Lines of KEY=VALUE until an empty one. Who errs is told, and asked again. */
static enum err_code ask_options(const char *question, struct device *device, struct err *err)
{
    char line[LINE_SIZE];
    enum err_code rc = ask(question, line, err);

    while (rc == ERR_OK && line[0] != '\0') {
        struct err wrong = ERR_INIT;

        if (refuse_secret(line, OPTION_FENCE, &wrong) != ERR_OK) {
            (void)fprintf(stderr, "A secret is asked for hidden, afterwards.\n");
        } else if (device_add(device, span_text(line), true, &wrong) != ERR_OK) {
            (void)fprintf(stderr, "%s\n", wrong.message); /* ours: it shows no value */
        }
        rc = ask("  another one (none more: empty)?", line, err);
    }
    mem_wipe(line, sizeof line);
    return rc;
}

static enum err_code ask_agent(struct device *both, struct err *err)
{
    char line[LINE_SIZE];
    char text[LINE_SIZE + 8];
    enum err_code rc =
        ask("The fence agent of the hosts' power switches, as fence_ipmilan?", line, err);

    if (rc == ERR_OK && line[0] == '\0') {
        return ERR_OK; /* each has its own: device_check says when it has none */
    }
    (void)snprintf(text, sizeof text, "agent=%s", line); /* fits */
    return rc == ERR_OK ? device_add(both, span_text(text), true, err) : rc;
}

static enum err_code ask_all(struct device_pair *pair, struct err *err)
{
    struct device both = {.count = 0};
    enum err_code rc = ask_agent(&both, err);

    rc = rc == ERR_OK ? ask_options("What it is told of both hosts' switches alike, as "
                                    "username=approvald (nothing: empty)?",
                                    &both, err)
                      : rc;
    pair->of[0] = both;
    pair->of[1] = both;
    rc = rc == ERR_OK
             ? ask_options("Of the switch of host 1, this one, alone, as ip=192.0.2.101 or "
                           "plug=1?",
                           &pair->of[0], err)
             : rc;
    return rc == ERR_OK ? ask_options("Of the switch of host 2 alone?", &pair->of[1], err) : rc;
}

/* -- secrets --------------------------------------------------------------------------------- */

static enum err_code
put_secret(struct device *device, const char *key, const char *value, struct err *err)
{
    char text[LINE_SIZE];
    enum err_code rc;

    (void)snprintf(text, sizeof text, "%s=%s", key, value); /* fits: both are bounded */
    rc = device_add(device, span_text(text), true, err);
    mem_wipe(text, sizeof text);
    return rc;
}

/* A line for host 1's, one for host 2's; an empty second one, or none, is the same again. */
static enum err_code
read_secret(const char *key, bool may_lack, struct device_pair *pair, struct err *err)
{
    char question[160];
    char first[DEVICE_VALUE_SIZE] = "";
    char second[DEVICE_VALUE_SIZE] = "";
    enum err_code rc;

    (void)snprintf(question, sizeof question, "%s of the switch of host 1%s: ", key,
                   may_lack ? " (none: empty)" : ""); /* fits */
    rc = hidden_line(question, first, sizeof first, err);
    if (first[0] == '\0' && (rc == ERR_OK || rc == ERR_NOT_FOUND)) {
        return may_lack ? ERR_OK : err_set(err, ERR_INVALID, "--fence-secret %s: none came", key);
    }
    (void)snprintf(question, sizeof question,
                   "%s of the switch of host 2 (the same: empty): ", key); /* fits */
    rc = rc == ERR_OK ? hidden_line(question, second, sizeof second, err) : rc;
    rc = rc == ERR_NOT_FOUND ? ERR_OK : rc;
    rc = rc == ERR_OK ? put_secret(&pair->of[0], key, first, err) : rc;
    rc = rc == ERR_OK ? put_secret(&pair->of[1], key, second[0] == '\0' ? first : second, err) : rc;
    mem_wipe(first, sizeof first);
    mem_wipe(second, sizeof second);
    return rc == ERR_OK ? rc : err_wrap(err, ERR_INVALID, "--fence-secret %s", key);
}

static enum err_code read_secrets(const struct ctl *ctl, struct device_pair *pair, struct err *err)
{
    const char *key;
    enum err_code rc = ERR_OK;

    if (!options_has(&ctl->options, OPTION_FENCE_SECRET)) {
        return isatty(STDIN_FILENO) == 1 ? read_secret("password", true, pair, err) : ERR_OK;
    }
    for (size_t i = 0;
         rc == ERR_OK && (key = options_nth(&ctl->options, OPTION_FENCE_SECRET, i)) != NULL; i++) {
        rc = device_is_key(key)
                 ? read_secret(key, false, pair, err)
                 : err_set(err, ERR_INVALID,
                           "--fence-secret: the name of an option of the agent, without a value: "
                           "that is asked for, or read from standard input");
    }
    return rc;
}

enum err_code pair_fence_read(const struct ctl *ctl, struct device_pair *ret_pair, struct err *err)
{
    enum err_code rc = ERR_OK;

    memset(ret_pair, 0, sizeof *ret_pair);
    if (!pair_fence_is_given(ctl) && isatty(STDIN_FILENO) == 1) {
        rc = ask_all(ret_pair, err);
    }
    for (int i = 0; rc == ERR_OK && i < 2; i++) {
        rc = take_options(ctl, OPTION_FENCE, &ret_pair->of[i], err);
        rc = rc == ERR_OK ? take_options(ctl, of_host[i], &ret_pair->of[i], err) : rc;
    }
    if (rc == ERR_OK && ret_pair->of[0].count + ret_pair->of[1].count == 0) {
        rc =
            err_set(err, ERR_INVALID,
                    "--arbiter fence: which power switches? --fence agent=NAME and what it is told "
                    "of both hosts' switches, --fence-1 and --fence-2 of one host's alone");
    }
    rc = rc == ERR_OK ? read_secrets(ctl, ret_pair, err) : rc;
    rc = rc == ERR_OK ? device_pair_check(ret_pair, err) : rc;
    if (rc != ERR_OK) {
        device_pair_wipe(ret_pair);
    }
    return rc;
}

/* -- trying ---------------------------------------------------------------------------------- */

struct trial {
    const struct ctl *ctl;
    const struct pair_setup *setup;
    const char *socket;
};

/* A device that is not there costs the agent half a minute. */
static enum err_code ask_device(const struct trial *trial,
                                unsigned int number,
                                const struct device *device,
                                enum device_says *ret_says,
                                struct err *err)
{
    if (isatty(STDERR_FILENO) == 1) {
        (void)fprintf(stderr, "Asking the fence device of host %u (%s, status) …\n", number,
                      device_value(device, "agent")); /* for a person who waits */
    }
    return device_home_try(&trial->setup->home, device, trial->socket, ret_says, err);
}

static enum err_code
try_peer(const struct trial *trial, const struct device *device, bool is_on, struct err *err)
{
    unsigned int number = 3 - trial->setup->host;
    enum device_says says = DEVICE_OFF;
    enum err_code rc = ask_device(trial, number, device, &says, err);

    if (rc != ERR_OK) {
        return err_wrap(err, rc == ERR_NOT_FOUND ? ERR_UNAVAILABLE : rc,
                        "the fence device of host %u does not say whether it is on (%s, status)",
                        number, device_value(device, "agent"));
    }
    if (says == DEVICE_OFF && is_on) {
        return err_set(err, ERR_CONFLICT,
                       "the fence device of host %u says that it is off, and it has just answered: "
                       "a wrong plug or address",
                       number);
    }
    pair_setup_say(trial->ctl, "fence", "the fence device of host %u says that it is %s%s", number,
                   says == DEVICE_ON ? "on" : "off",
                   says == DEVICE_ON ? "" : ": if it is on, plug or address are wrong");
    return ERR_OK;
}

/* A BMC that shares its host's network card cannot be reached from that host. */
static enum err_code
try_own(const struct trial *trial, const struct device *device, struct err *err)
{
    enum device_says says = DEVICE_OFF;
    struct err why = ERR_INIT;
    enum err_code rc = ask_device(trial, trial->setup->host, device, &says, &why);

    if (rc != ERR_OK) {
        pair_setup_say(trial->ctl, "fence",
                       "this host's own fence device does not answer here (%s): host %u has to "
                       "reach it, and asks it when it joins",
                       why.message, 3 - trial->setup->host);
        return ERR_OK;
    }
    if (says == DEVICE_OFF) {
        return err_set(err, ERR_CONFLICT,
                       "the fence device of host %u says that it is off, and that is this host: a "
                       "wrong plug or address",
                       trial->setup->host);
    }
    pair_setup_say(trial->ctl, "fence", "the fence device of host %u says that it is on",
                   trial->setup->host);
    return ERR_OK;
}

enum err_code pair_fence_try(const struct ctl *ctl,
                             const struct pair_setup *setup,
                             const struct device_pair *pair,
                             bool peer_is_on,
                             struct err *err)
{
    const char *given = options_text(&ctl->options, OPTION_FENCE_SOCKET);
    const struct trial trial = {
        .ctl = ctl, .setup = setup, .socket = given == NULL ? DEVICE_SOCKET : given};
    const struct device *peer = &pair->of[2 - setup->host];
    const struct device *own = &pair->of[setup->host - 1];
    enum err_code rc = ERR_OK;

    if (!pair_setup_is_live(setup) && given == NULL) {
        pair_setup_say(ctl, "fence", "below --root no fence device is asked");
        return ERR_OK;
    }
    rc = device_home_agent(&setup->home, peer, err);
    rc = rc == ERR_OK ? try_peer(&trial, peer, peer_is_on, err) : rc;
    return rc == ERR_OK ? try_own(&trial, own, err) : rc;
}
