/* SPDX-License-Identifier: Apache-2.0 */
/* options.h: the command line as a structure: one table of options serves every command. Pure. */
#ifndef APPROVALD_CTL_OPTIONS_H
#define APPROVALD_CTL_OPTIONS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_GIVEN_MAX    64 /* options on one command line: more is a script's mistake */
#define OPTIONS_ARGUMENT_MAX 8  /* no command takes more */
#define OPTIONS_DAY_S        86400U

/* name, the value's word in the help or NULL for a switch, help. */
#define OPTION_TABLE(X)                                                                            \
    X(OPTION_HELP, "help", NULL, "explain the command, with examples")                             \
    X(OPTION_JSON, "json", NULL, "machine-readable output")                                        \
    X(OPTION_URL, "url", "URL", "where approvald listens (or $APPROVALD_URL)")                     \
    X(OPTION_SOCKET, "socket", "PATH", "local socket instead of a URL")                            \
    X(OPTION_TOKEN_FILE, "token-file", "FILE", "API token (or $APPROVALD_TOKEN_FILE)")             \
    X(OPTION_CA_FILE, "ca-file", "FILE", "CA certificates to trust on top of the system's")        \
    X(OPTION_TIMEOUT, "timeout", "TIME", "give up after this time: 90s, 10m, 2h, 1d")              \
    X(OPTION_POLICY, "policy", "NAME", "the policy that says who decides")                         \
    X(OPTION_TITLE, "title", "TEXT", "what is asked, one line")                                    \
    X(OPTION_REASON, "reason", "TEXT", "why")                                                      \
    X(OPTION_TARGET, "target", "TEXT", "on what: a host, a service, an environment")               \
    X(OPTION_DETAILS, "details", "TEXT", "more for the approver to read, several lines")           \
    X(OPTION_FIELD, "field", "NAME=VALUE", "a field that the policy asks for (may be repeated)")   \
    X(OPTION_REQUESTER, "requester", "USER", "Slack user id of who asks")                          \
    X(OPTION_EXPIRES, "expires", "TIME", "undecided after this time: expired")                     \
    X(OPTION_KEY, "key", "TEXT", "Idempotency-Key: the same key never asks twice")                 \
    X(OPTION_WAIT, "wait", NULL, "then wait for the outcome")                                      \
    X(OPTION_QUIET, "quiet", NULL, "no progress line")                                             \
    X(OPTION_BIND_HASH, "bind-hash", "HEX", "SHA-256 of what will run")                            \
    X(OPTION_CLAIM_KEY, "claim-key", "TEXT", "the same key may claim again")                       \
    X(OPTION_ENV, "env", "NAME", "bind and show this variable (may be repeated)")                  \
    X(OPTION_STATE, "state", "STATE", "pending, approved, rejected, expired or cancelled")         \
    X(OPTION_LIMIT, "limit", "N", "at most so many")                                               \
    X(OPTION_BEFORE, "before", "ID", "only older ones")                                            \
    X(OPTION_ASK, "ask", NULL, "the token may ask")                                                \
    X(OPTION_DECIDE, "decide", NULL, "the token may decide, as --user")                            \
    X(OPTION_READ, "read", NULL, "the token may list requests and read the audit log")             \
    X(OPTION_USER, "user", "USER", "Slack user id of the person whom it is for")                   \
    X(OPTION_RATE, "rate", "N", "calls a minute")                                                  \
    X(OPTION_OUTPUT, "output", "FILE", "write the secret there (mode 0600), not on the screen")    \
    X(OPTION_DRY_RUN, "dry-run", NULL, "show the difference, change nothing")                      \
    X(OPTION_DELETE_ABSENT, "delete-absent", NULL, "policies that the file lacks are deleted")     \
    X(OPTION_APPROVER, "approver", "USER", "Slack user id of who would approve; may be repeated")  \
    X(OPTION_REQUEST, "request", "ID", "the request that it is about, as it stands")               \
    X(OPTION_DEAD, "dead", NULL, "only what was given up")                                         \
    X(OPTION_ALL, "all", NULL, "every one of them")                                                \
    X(OPTION_FROM, "from", "N", "first entry, or the time when it begins")                         \
    X(OPTION_ID, "id", "ID", "only this request")                                                  \
    X(OPTION_HEAD_FILE, "head-file", "FILE", "remember the newest entry; sees a shortened log")    \
    X(OPTION_CONFIG, "config", "FILE", "approvald's configuration")                                \
    X(OPTION_PROGRAM, "program", "FILE", "the approvald to ask")                                   \
    X(OPTION_PUBLIC_URL, "public-url", "URL", "how Slack reaches approvald")                       \
    X(OPTION_SOCKET_MODE, "socket-mode", NULL, "approvald reaches Slack, and Slack not approvald") \
    X(OPTION_NAME, "name", "TEXT", "the app's name in Slack")                                      \
    X(OPTION_COMMAND, "command", "WORD", "the slash command")                                      \
    X(OPTION_SUPERVISOR, "supervisor", "PATH", "the supervisor's socket")                          \
    X(OPTION_FORCE, "force", NULL, "promote although the other host cannot be asked")              \
    X(OPTION_OTHER_LINEAGE, "other-lineage", NULL, "this store's lineage is not the register's")   \
    X(OPTION_CONFIRM, "confirm", "TEXT", "the words that are asked for otherwise")                 \
    X(OPTION_PEOPLE, "people", "FILE", "who is told: a Slack user id and an address a line")       \
    X(OPTION_STATE_DIR, "state-dir", "DIRECTORY", "where it is noted who was told")                \
    X(OPTION_AFTER, "after", "TIME", "only when Slack is down for so long (60s)")                  \
    X(OPTION_PEER, "peer", "HOST", "the other host: its name or address")                          \
    X(OPTION_VIP, "vip", "ADDRESS/PREFIX", "the virtual IP of the pair; none: without one")        \
    X(OPTION_INTERFACE, "interface", "NAME", "the network interface that carries the virtual IP")  \
    X(OPTION_ARBITER, "arbiter", "HOST", "the third machine, or fence, or manual (see pair init)") \
    X(OPTION_ADDRESS, "address", "ADDRESS", "this host's own, towards the other one")              \
    X(OPTION_ROUTER_ID, "router-id", "N", "VRRP's number, 1 to 255, of no other pair here")        \
    X(OPTION_ROOT, "root", "DIR", "write below DIR and start nothing: for images and tests")       \
    X(OPTION_END, "end", NULL, "of a rotation: no longer trust the former authorities")            \
    X(OPTION_BEGIN, "begin", "DATE", "from then on: 2026-12-24 or 2026-12-24T08:00, here")         \
    X(OPTION_UNTIL, "until", "DATE", "until the end of that day, or until 2026-12-24T08:00")       \
    X(OPTION_BREAK_GLASS, "break-glass", NULL, "an emergency: alone, and everybody is told")       \
    X(OPTION_FOR, "for", "TIME", "how long it takes: 90m, 2h, 3d")                                 \
    X(OPTION_BUNDLE, "bundle", "FILE", "write an archive for support there, without secrets")      \
    X(OPTION_FENCE, "fence", "KEY=VALUE", "told to the fence agent of both hosts' devices")        \
    X(OPTION_FENCE_1, "fence-1", "KEY=VALUE", "of the device alone that switches host 1 off")      \
    X(OPTION_FENCE_2, "fence-2", "KEY=VALUE", "of the device alone that switches host 2 off")      \
    X(OPTION_FENCE_SECRET, "fence-secret", "KEY",                                                  \
      "its value is asked for, or read from standard input")                                       \
    X(OPTION_FENCE_SOCKET, "fence-socket", "PATH", "the fence helper's socket")                    \
    X(OPTION_SLACK, "slack", "MODE", "how the pair is to speak with Slack: socket, http or none")

enum option {
#define OPTION_ENUM(option, name, value, help) option,
    OPTION_TABLE(OPTION_ENUM)
#undef OPTION_ENUM
        OPTION_COUNT
};

struct options_given {
    enum option option;
    const char *value; /* NULL for a switch; borrowed from argv */
};

struct options {
    size_t given_count;
    struct options_given given[OPTIONS_GIVEN_MAX];
    size_t argument_count;
    const char *arguments[OPTIONS_ARGUMENT_MAX]; /* borrowed from argv */
    char **rest; /* NULL-ended, what stands behind "--"; borrowed; NULL: there was none */
};

/* Name without dashes; the word for the value or NULL; the help. Never NULL but for the word. */
const char *options_name(enum option option);
const char *options_value_word(enum option option);
const char *options_help(enum option option);

/* A list of options, ended by OPTION_COUNT, has this one. */
bool options_among(const enum option *list, enum option option);

/* Parses argv[0 … argc) (after the command's words). allowed: what the command takes, ended by
 * OPTION_COUNT. ERR_INVALID names the word and how to go on. Options and arguments may be mixed;
 * "--opt=value" works. */
enum err_code options_parse(int argc,
                            char **argv,
                            const enum option *allowed,
                            struct options *ret_options,
                            struct err *err) WARN_UNUSED;

bool options_has(const struct options *options, enum option option);
/* The last value given, or NULL. */
const char *options_text(const struct options *options, enum option option);
/* The index-th value of a repeated option, or NULL. */
const char *options_nth(const struct options *options, enum option option, size_t index);
/* A number within 0 … max; *ret_number is left as it was when the option is not given. */
enum err_code options_number(const struct options *options,
                             enum option option,
                             uint64_t max,
                             uint64_t *ret_number,
                             struct err *err) WARN_UNUSED;
/* A time in seconds; *ret_s is left as it was when the option is not given. */
enum err_code options_seconds(const struct options *options,
                              enum option option,
                              uint64_t *ret_s,
                              struct err *err) WARN_UNUSED;

#endif
