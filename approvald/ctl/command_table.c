/* SPDX-License-Identifier: Apache-2.0 */
/* command_table.c: the table of commands with their help; those of the pair are in command_pair.c.
 * Owns the words that people type and read; never runs anything. */
#include "approvald/ctl/command_internal.h"

static const struct command table[] = {
    {{"request", NULL},
     "",
     "ask for an approval and print its id",
     "The request appears in Slack, in the channel of the policy. The same --key asks only once,\n"
     "so that a script may repeat the call after a failure.\n"
     "\n"
     "  approvalctl request --policy prod-deploy --title \"Deploy api 1.4.2\" --reason \"fixes "
     "login\"\n"
     "  id=$(approvalctl request --policy db-restore --title \"Restore orders\") &&\n"
     "      approvalctl wait \"$id\" && restore-orders\n"
     "  approvalctl request --policy prod-deploy --title \"Deploy api\" --field environment=prod\n",
     TAKES(ASKING, OPTION_DETAILS, OPTION_BIND_HASH, OPTION_WAIT),
     0,
     0,
     false,
     cmd_request},
    {{"wait", NULL},
     "ID",
     "wait for the outcome; the exit code tells it",
     "Outlasts restarts and failovers of approvald. Without --timeout it waits as long as the\n"
     "request may be decided, and gives up (114) after 15 minutes without any answer.\n"
     "\n"
     "  approvalctl wait req_01J9ZC… --timeout 30m; echo $?\n",
     TAKES(CONNECTED, OPTION_QUIET),
     1,
     1,
     false,
     cmd_wait},
    {{"run", NULL},
     "-- COMMAND [ARGUMENT]...",
     "ask, wait, then run exactly what was approved",
     "The approver sees the command line, the directory and the variables named by --env, and a\n"
     "short code that you see as well. The approval holds for exactly these bytes and serves\n"
     "once. The command's own exit code is passed through; when it was not run, the codes below\n"
     "tell why. Interrupted while it waits (Ctrl-C), it cancels the request.\n"
     "\n"
     "  approvalctl run --policy prod-deploy --reason \"fixes login\" -- ./deploy.sh api 1.4.2\n"
     "  approvalctl run --policy db --env PGHOST --timeout 1h -- psql -f migrate.sql\n",
     TAKES(ASKING, OPTION_ENV),
     0,
     0,
     true,
     cmd_run},
    {{"list", NULL},
     "",
     "list requests, newest first",
     "  approvalctl list --state pending\n"
     "  approvalctl list --policy prod-deploy --limit 5 --json\n",
     TAKES(CONNECTED, OPTION_STATE, OPTION_POLICY, OPTION_LIMIT, OPTION_BEFORE),
     0,
     0,
     false,
     cmd_list},
    {{"show", NULL},
     "ID",
     "show one request with its decisions",
     "  approvalctl show req_01J9ZC…\n",
     TAKES(CONNECTED),
     1,
     1,
     false,
     cmd_show},
    {{"approve", NULL},
     "ID",
     "say yes, as the person whom the token belongs to",
     "Needs a token that may decide (token add --decide --user U…). Slack shows the decision.\n"
     "\n"
     "In an emergency --break-glass approves a request of your own at once, without its\n"
     "approvers, where the policy names you in break_glass. It needs a --reason, and everybody\n"
     "is told. Where the policy names root, root on a host may do so for what root asked.\n"
     "\n"
     "  approvalctl approve req_01J9ZC… --reason \"change 4711 is approved\"\n"
     "  approvalctl approve req_01J9ZC… --break-glass --reason \"site is down, INC-88\"\n",
     TAKES(CONNECTED, OPTION_REASON, OPTION_BREAK_GLASS),
     1,
     1,
     false,
     cmd_approve},
    {{"reject", NULL},
     "ID",
     "say no, as the person whom the token belongs to",
     "  approvalctl reject req_01J9ZC… --reason \"not during the sale\"\n",
     TAKES(CONNECTED, OPTION_REASON),
     1,
     1,
     false,
     cmd_reject},
    {{"cancel", NULL},
     "ID",
     "take a request back",
     "  approvalctl cancel req_01J9ZC… --reason \"no longer needed\"\n",
     TAKES(CONNECTED, OPTION_REASON),
     1,
     1,
     false,
     cmd_cancel},
    {{"claim", NULL},
     "ID",
     "use an approval: succeeds exactly once",
     "Exit code 0: go ahead. 118: it was used before; 113: it was not used in time. With the same\n"
     "--claim-key the same caller gets the same answer again.\n"
     "\n"
     "  approvalctl claim req_01J9ZC… --claim-key \"$CI_JOB_ID\" && ./deploy.sh\n",
     TAKES(CONNECTED, OPTION_BIND_HASH, OPTION_CLAIM_KEY),
     1,
     1,
     false,
     cmd_claim},
    {{"token", "add"},
     "NAME",
     "make an API token; its secret is shown once",
     "A token that decides belongs to one person, so that nobody counts twice.\n"
     "\n"
     "  approvalctl token add ci --ask --policy prod-deploy --output /etc/ci/approvald-token\n"
     "  approvalctl token add ana-laptop --decide --read --user U0APR00001 --expires 90d\n",
     TAKES(CONNECTED,
           OPTION_ASK,
           OPTION_DECIDE,
           OPTION_READ,
           OPTION_USER,
           OPTION_POLICY,
           OPTION_RATE,
           OPTION_EXPIRES,
           OPTION_OUTPUT),
     1,
     1,
     false,
     cmd_token_add},
    {{"token", "list"},
     "",
     "list API tokens, never their secrets",
     "  approvalctl token list\n",
     TAKES(CONNECTED),
     0,
     0,
     false,
     cmd_token_list},
    {{"token", "revoke"},
     "NAME",
     "make an API token useless at once",
     "  approvalctl token revoke ana-laptop\n",
     TAKES(CONNECTED),
     1,
     1,
     false,
     cmd_token_revoke},
    {{"delegate", "add"},
     "SUBSTITUTE",
     "name who stands in for an approver for a time",
     "Under policies that say delegation = true the substitute may then decide in his place; both\n"
     "count once together. With a person's token it is for that person; root says for whom.\n"
     "\n"
     "  approvalctl delegate add U0BEN00002 --until 2026-12-24\n"
     "  approvalctl delegate add U0BEN00002 --user U0ANA00001 --begin 2026-12-20 --until "
     "2026-12-24\n",
     TAKES(CONNECTED, OPTION_USER, OPTION_BEGIN, OPTION_UNTIL),
     1,
     1,
     false,
     cmd_delegate_add},
    {{"delegate", "list"},
     "",
     "list who stands in for whom, now and later",
     "  approvalctl delegate list\n",
     TAKES(CONNECTED),
     0,
     0,
     false,
     cmd_delegate_list},
    {{"delegate", "remove"},
     "ID",
     "end it now; what was decided stays",
     "  approvalctl delegate remove 1234\n",
     TAKES(CONNECTED),
     1,
     1,
     false,
     cmd_delegate_remove},
    {{"step-up", "enrol"},
     "USER",
     "enrol a person for one-time codes; the secret is shown once",
     "Policies with step_up = true want such a code with every approval. The secret goes to that\n"
     "person alone, into an authenticator app.\n"
     "\n"
     "  approvalctl step-up enrol U0ANA00001\n",
     TAKES(CONNECTED),
     1,
     1,
     false,
     cmd_step_up_enrol},
    {{"step-up", "list"},
     "",
     "list who is enrolled for one-time codes",
     "  approvalctl step-up list\n",
     TAKES(CONNECTED),
     0,
     0,
     false,
     cmd_step_up_list},
    {{"step-up", "remove"},
     "USER",
     "a person's codes do not count any more",
     "  approvalctl step-up remove U0ANA00001\n",
     TAKES(CONNECTED),
     1,
     1,
     false,
     cmd_step_up_remove},
    {{"step-up", "unlock"},
     "USER",
     "forget a person's wrong codes",
     "  approvalctl step-up unlock U0ANA00001\n",
     TAKES(CONNECTED),
     1,
     1,
     false,
     cmd_step_up_unlock},
    {{"policy", "apply"},
     "FILE",
     "show the difference and write the policies of a file",
     "Policies are versioned; a request keeps the version it was made under. \"-\" reads standard\n"
     "input.\n"
     "\n"
     "  approvalctl policy apply policies.conf --dry-run\n"
     "  approvalctl policy apply policies.conf\n",
     TAKES(CONNECTED, OPTION_DRY_RUN, OPTION_DELETE_ABSENT),
     1,
     1,
     false,
     cmd_policy_apply},
    {{"policy", "list"},
     "",
     "list policies",
     "  approvalctl policy list\n",
     TAKES(CONNECTED),
     0,
     0,
     false,
     cmd_policy_list},
    {{"policy", "show"},
     "NAME",
     "show one policy, all its versions",
     "  approvalctl policy show prod-deploy\n",
     TAKES(CONNECTED),
     1,
     1,
     false,
     cmd_policy_show},
    {{"policy", "test"},
     "NAME | --request ID [USER]",
     "explain who could approve a request under a policy, and why",
     "As root on the primary: it asks Slack who is in the groups, as far as it is not known yet.\n"
     "Says who may fill each need, and of each --approver whether he could approve what\n"
     "--requester (without: a program) asks. Exit code 115: one of them could not.\n"
     "With --request it is about a request as it stands: by the version of the policy that it\n"
     "keeps, after the decisions made, with its escalation; without USER or --approver it says\n"
     "so of everybody who is named.\n"
     "\n"
     "  approvalctl policy test prod-deploy\n"
     "  approvalctl policy test db-restore --requester U0REQ00001 --approver U0APR00001\n"
     "  approvalctl policy test --request req_01J9ZC… U0APR00001\n",
     TAKES(CONNECTED, OPTION_REQUESTER, OPTION_APPROVER, OPTION_REQUEST),
     0,
     1,
     false,
     cmd_policy_test},
    {{"freeze", "add"},
     "NAME",
     "let nobody use an approval for some time, whatever its policy",
     "A change freeze: from --from (without it: from now) to --until, or --for so long, every "
     "claim\n"
     "is refused and says until when. Requests can be made and decided. Who breaks the glass\n"
     "may go on, unless --all is given. Needs a --reason; root, on the primary.\n"
     "\n"
     "  approvalctl freeze add x-mas --from 2026-12-23T17:00:00Z --until 2027-01-02T07:00:00Z \\\n"
     "      --reason \"no changes over the holidays\"\n"
     "  approvalctl freeze add incident-88 --for 2h --all --reason \"find the cause first\"\n",
     TAKES(CONNECTED, OPTION_FROM, OPTION_UNTIL, OPTION_FOR, OPTION_ALL, OPTION_REASON),
     1,
     1,
     false,
     cmd_freeze_add},
    {{"freeze", "list"},
     "",
     "list change freezes: which holds, is to come, is over",
     "  approvalctl freeze list\n",
     TAKES(CONNECTED),
     0,
     0,
     false,
     cmd_freeze_list},
    {{"freeze", "remove"},
     "NAME",
     "end a change freeze, or call it off",
     "  approvalctl freeze remove incident-88\n",
     TAKES(CONNECTED),
     1,
     1,
     false,
     cmd_freeze_remove},
    {{"outbox", "list"},
     "",
     "list what is owed to Slack and webhooks, and why it failed",
     "  approvalctl outbox list --dead\n",
     TAKES(CONNECTED, OPTION_DEAD, OPTION_LIMIT),
     0,
     0,
     false,
     cmd_outbox_list},
    {{"outbox", "replay"},
     "[REQUEST SURFACE TARGET]",
     "send again what was given up",
     "  approvalctl outbox replay --all\n"
     "  approvalctl outbox replay req_01J9ZC… card C0APV00001\n",
     TAKES(CONNECTED, OPTION_ALL),
     0,
     3,
     false,
     cmd_outbox_replay},
    {{"audit", "list"},
     "",
     "list the audit log, oldest first",
     "  approvalctl audit list --id req_01J9ZC…\n"
     "  approvalctl audit list --from 1200 --limit 50 --json\n",
     TAKES(CONNECTED, OPTION_FROM, OPTION_ID, OPTION_LIMIT),
     0,
     0,
     false,
     cmd_audit_list},
    {{"audit", "verify"},
     "",
     "recompute the hash chain of the audit log",
     "Exit code 0: every entry follows from the one before. With --head-file it remembers the\n"
     "newest entry, and a later run sees when history was changed or cut.\n"
     "\n"
     "  approvalctl audit verify --head-file /var/lib/audit/approvald.head\n",
     TAKES(CONNECTED, OPTION_HEAD_FILE, OPTION_FROM),
     0,
     0,
     false,
     cmd_audit_verify},
    {{"config", "check"},
     "",
     "check approvald's configuration: file, line, reason",
     "  approvalctl config check\n"
     "  approvalctl config check --config ./approvald.conf\n",
     TAKES(COMMON, OPTION_CONFIG, OPTION_PROGRAM),
     0,
     0,
     false,
     cmd_config_check},
    {{"config", "dump"},
     "",
     "print the configuration in force, with defaults",
     "  approvalctl config dump\n",
     TAKES(COMMON, OPTION_CONFIG, OPTION_PROGRAM),
     0,
     0,
     false,
     cmd_config_dump},
    {{"slack", "manifest"},
     "",
     "print the manifest that makes the app in Slack",
     "Paste it at api.slack.com/apps, Create New App, From a manifest.\n"
     "\n"
     "  approvalctl slack manifest --public-url https://approvals.example.com > manifest.json\n"
     "  approvalctl slack manifest --socket-mode > manifest.json\n",
     TAKES(COMMON, OPTION_PUBLIC_URL, OPTION_SOCKET_MODE, OPTION_NAME, OPTION_COMMAND),
     0,
     0,
     false,
     cmd_slack_manifest},
    {{"slack", "setup"},
     "",
     "from the manifest to tokens that Slack takes, in their files",
     "Prints the manifest, takes the secrets of the app on standard input (a line each: bot "
     "token,\n"
     "and app-level token or signing secret), asks Slack about them and about their scopes by the\n"
     "way that approvald is configured for, and stores what Slack takes. May be repeated; without\n"
     "input the stored ones are asked about again. Exit code 115: Slack refuses a token; 119: "
     "Slack\n"
     "was not reached, or a scope is missing.\n"
     "\n"
     "  approvalctl slack setup\n"
     "  approvalctl slack setup --public-url https://approvals.example.com\n"
     "  printf '%s\\n' \"$BOT_TOKEN\" \"$APP_TOKEN\" | approvalctl slack setup\n",
     TAKES(OPTION_HELP,
           OPTION_JSON,
           OPTION_PUBLIC_URL,
           OPTION_SOCKET_MODE,
           OPTION_NAME,
           OPTION_COMMAND,
           OPTION_CONFIG,
           OPTION_PROGRAM),
     0,
     0,
     false,
     cmd_slack_setup},
    {{"slack", "check"},
     "",
     "say whether Slack and approvald understand each other",
     "  approvalctl slack check\n",
     TAKES(CONNECTED),
     0,
     0,
     false,
     cmd_slack_check},
    {{"status", NULL},
     "",
     "one glance: is it healthy? The exit code is for monitoring",
     "Of a pair it shows both hosts, as this one knows them. Exit code 0: ready (or a standby in\n"
     "step) and nothing given up; 119: something needs a person; 114: no answer.\n"
     "\n"
     "  approvalctl status\n",
     TAKES(CONNECTED, OPTION_SUPERVISOR),
     0,
     0,
     false,
     cmd_status},
    {{"doctor", NULL},
     "",
     "check this host and say what to do",
     "Every line is ok, warn or FAIL. Exit code 0: nothing failed. On a host of a pair also the\n"
     "other host, the arbiter, clocks, certificates, virtual IP, disk and times.\n"
     "\n"
     "With --bundle it writes a tar.gz (0600) for whom you ask for help instead: versions, what\n"
     "doctor and status say, configurations, metrics, the journal's last lines, crash reports, "
     "and\n"
     "names and sizes of files. Nothing out of the store, and no secret: the contents of all "
     "files\n"
     "of secrets, and what looks like one, are taken out. As root, or it holds little.\n"
     "\n"
     "  approvalctl doctor\n"
     "  approvalctl doctor --bundle approvald-bundle.tar.gz\n",
     TAKES(CONNECTED, OPTION_CONFIG, OPTION_PROGRAM, OPTION_SUPERVISOR, OPTION_BUNDLE),
     0,
     0,
     false,
     cmd_doctor},
    {{"backup", NULL},
     "FILE",
     "copy the running store to a file, consistent, while it works on",
     "As root on either host of a pair. All that was answered before the call is in it. FILE\n"
     "is checked, synced and 0600, and replaces an older one. It holds everything, hashes of\n"
     "tokens included: keep it as safe as the host.\n"
     "\n"
     "  approvalctl backup /var/backups/approvald.backup\n",
     TAKES(CONNECTED),
     1,
     1,
     false,
     cmd_backup},
    {{"restore", NULL},
     "FILE",
     "make a new store out of a backup, while nothing runs on this host",
     "Stop approvald, or its supervisor, first; move the old data_dir's content away: a store\n"
     "is never overwritten. The whole file is checked before anything is written.\n"
     "\n"
     "In a pair the restored store is a new one, which is not in the ISR. While the other\n"
     "host has its store, there is no need to restore: start this host with an empty\n"
     "data_dir, or with the backup, and it follows the other one. When both have lost\n"
     "theirs: restore one, start it, approvalctl promote --force there, then start the\n"
     "other one with an empty data_dir. What was decided after the backup is lost.\n"
     "The exit code is approvald's.\n"
     "\n"
     "  systemctl stop approvald\n"
     "  approvalctl restore /var/backups/approvald.backup\n",
     TAKES(COMMON, OPTION_CONFIG, OPTION_PROGRAM),
     1,
     1,
     false,
     cmd_restore},
    {{"notify", NULL},
     "-- COMMAND [ARGUMENT]...",
     "while Slack is down, tell approvers what waits for them",
     "Runs COMMAND (an absolute path) once for each request and each person of --people who may\n"
     "decide it, with a JSON object on its standard input: id, user, to, slack_down_s, request.\n"
     "One at a time, sixty a minute at most, each for --timeout (30s) at most. One that fails is\n"
     "tried five times. It goes on until it is stopped, and does nothing on a host that does not\n"
     "lead. The unit approvald-notify runs it; the token needs the scope read.\n"
     "\n"
     "  approvalctl notify --url http://127.0.0.1:9180 --token-file /etc/approvald/notify-token "
     "\\\n"
     "      --people /etc/approvald/notify-people --state-dir /var/lib/approvald-notify \\\n"
     "      -- /etc/approvald/notify-mail\n",
     TAKES(CONNECTED, OPTION_PEOPLE, OPTION_STATE_DIR, OPTION_AFTER),
     0,
     0,
     true,
     cmd_notify},
    {.words = {NULL, NULL}},
};

const struct command *command_first(void)
{
    return table;
}

const struct command *command_next(const struct command *command)
{
    const struct command *next = command + 1;

    if (next->words[0] != NULL) {
        return next;
    }
    return next == &table[sizeof table / sizeof table[0] - 1] ? command_pair_table() : NULL;
}

const enum option *command_leading_options(void)
{
    static const enum option leading[] = {LEADING, OPTION_COUNT};

    return leading;
}

const enum option *command_common_options(void)
{
    static const enum option common[] = {COMMON, OPTION_COUNT};

    return common;
}
