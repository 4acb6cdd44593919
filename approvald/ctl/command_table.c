/* SPDX-License-Identifier: Apache-2.0 */
/* command_table.c: the table of commands with their help.
 * Owns the words that people type and read; never runs anything. */
#include "approvald/ctl/command.h"

#define BIT(option) OPTION_BIT(OPTION_##option)
#define COMMON      (BIT(HELP) | BIT(JSON) | BIT(URL) | BIT(SOCKET) | BIT(TOKEN_FILE) | BIT(CA_FILE))
#define CONNECTED   (COMMON | BIT(TIMEOUT))
#define SUPERVISED  (BIT(HELP) | BIT(JSON) | BIT(TIMEOUT) | BIT(SUPERVISOR))
#define SETUP       (BIT(HELP) | BIT(JSON) | BIT(TIMEOUT) | BIT(SUPERVISOR) | BIT(PROGRAM) | BIT(ROOT))
#define ASKING                                                                                     \
    (CONNECTED | BIT(POLICY) | BIT(TITLE) | BIT(REASON) | BIT(TARGET) | BIT(FIELD) |               \
     BIT(REQUESTER) | BIT(EXPIRES) | BIT(KEY) | BIT(QUIET))

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
     ASKING | BIT(DETAILS) | BIT(BIND_HASH) | BIT(WAIT),
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
     CONNECTED | BIT(QUIET),
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
     ASKING | BIT(ENV),
     0,
     0,
     true,
     cmd_run},
    {{"list", NULL},
     "",
     "list requests, newest first",
     "  approvalctl list --state pending\n"
     "  approvalctl list --policy prod-deploy --limit 5 --json\n",
     CONNECTED | BIT(STATE) | BIT(POLICY) | BIT(LIMIT) | BIT(BEFORE),
     0,
     0,
     false,
     cmd_list},
    {{"show", NULL},
     "ID",
     "show one request with its decisions",
     "  approvalctl show req_01J9ZC…\n",
     CONNECTED,
     1,
     1,
     false,
     cmd_show},
    {{"approve", NULL},
     "ID",
     "say yes, as the person whom the token belongs to",
     "Needs a token that may decide (token add --decide --user U…). Slack shows the decision.\n"
     "\n"
     "  approvalctl approve req_01J9ZC… --reason \"change 4711 is approved\"\n",
     CONNECTED | BIT(REASON),
     1,
     1,
     false,
     cmd_approve},
    {{"reject", NULL},
     "ID",
     "say no, as the person whom the token belongs to",
     "  approvalctl reject req_01J9ZC… --reason \"not during the sale\"\n",
     CONNECTED | BIT(REASON),
     1,
     1,
     false,
     cmd_reject},
    {{"cancel", NULL},
     "ID",
     "take a request back",
     "  approvalctl cancel req_01J9ZC… --reason \"no longer needed\"\n",
     CONNECTED | BIT(REASON),
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
     CONNECTED | BIT(BIND_HASH) | BIT(CLAIM_KEY),
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
     CONNECTED | BIT(ASK) | BIT(DECIDE) | BIT(READ) | BIT(USER) | BIT(POLICY) | BIT(RATE) |
         BIT(EXPIRES) | BIT(OUTPUT),
     1,
     1,
     false,
     cmd_token_add},
    {{"token", "list"},
     "",
     "list API tokens, never their secrets",
     "  approvalctl token list\n",
     CONNECTED,
     0,
     0,
     false,
     cmd_token_list},
    {{"token", "revoke"},
     "NAME",
     "make an API token useless at once",
     "  approvalctl token revoke ana-laptop\n",
     CONNECTED,
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
     CONNECTED | BIT(USER) | BIT(BEGIN) | BIT(UNTIL),
     1,
     1,
     false,
     cmd_delegate_add},
    {{"delegate", "list"},
     "",
     "list who stands in for whom, now and later",
     "  approvalctl delegate list\n",
     CONNECTED,
     0,
     0,
     false,
     cmd_delegate_list},
    {{"delegate", "remove"},
     "ID",
     "end it now; what was decided stays",
     "  approvalctl delegate remove 1234\n",
     CONNECTED,
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
     CONNECTED,
     1,
     1,
     false,
     cmd_step_up_enrol},
    {{"step-up", "list"},
     "",
     "list who is enrolled for one-time codes",
     "  approvalctl step-up list\n",
     CONNECTED,
     0,
     0,
     false,
     cmd_step_up_list},
    {{"step-up", "remove"},
     "USER",
     "a person's codes do not count any more",
     "  approvalctl step-up remove U0ANA00001\n",
     CONNECTED,
     1,
     1,
     false,
     cmd_step_up_remove},
    {{"step-up", "unlock"},
     "USER",
     "forget a person's wrong codes",
     "  approvalctl step-up unlock U0ANA00001\n",
     CONNECTED,
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
     CONNECTED | BIT(DRY_RUN) | BIT(DELETE_ABSENT),
     1,
     1,
     false,
     cmd_policy_apply},
    {{"policy", "list"},
     "",
     "list policies",
     "  approvalctl policy list\n",
     CONNECTED,
     0,
     0,
     false,
     cmd_policy_list},
    {{"policy", "show"},
     "NAME",
     "show one policy, all its versions",
     "  approvalctl policy show prod-deploy\n",
     CONNECTED,
     1,
     1,
     false,
     cmd_policy_show},
    {{"policy", "test"},
     "NAME",
     "explain who could approve a request under a policy, and why",
     "As root on the primary: it asks Slack who is in the groups, as far as it is not known yet.\n"
     "Says who may fill each need, and of each --approver whether he could approve what\n"
     "--requester (without: a program) asks. Exit code 115: one of them could not.\n"
     "\n"
     "  approvalctl policy test prod-deploy\n"
     "  approvalctl policy test db-restore --requester U0REQ00001 --approver U0APR00001\n",
     CONNECTED | BIT(REQUESTER) | BIT(APPROVER),
     1,
     1,
     false,
     cmd_policy_test},
    {{"outbox", "list"},
     "",
     "list what is owed to Slack and webhooks, and why it failed",
     "  approvalctl outbox list --dead\n",
     CONNECTED | BIT(DEAD) | BIT(LIMIT),
     0,
     0,
     false,
     cmd_outbox_list},
    {{"outbox", "replay"},
     "[REQUEST SURFACE TARGET]",
     "send again what was given up",
     "  approvalctl outbox replay --all\n"
     "  approvalctl outbox replay req_01J9ZC… card C0APV00001\n",
     CONNECTED | BIT(ALL),
     0,
     3,
     false,
     cmd_outbox_replay},
    {{"audit", "list"},
     "",
     "list the audit log, oldest first",
     "  approvalctl audit list --id req_01J9ZC…\n"
     "  approvalctl audit list --from 1200 --limit 50 --json\n",
     CONNECTED | BIT(FROM) | BIT(ID) | BIT(LIMIT),
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
     CONNECTED | BIT(HEAD_FILE) | BIT(FROM),
     0,
     0,
     false,
     cmd_audit_verify},
    {{"config", "check"},
     "",
     "check approvald's configuration: file, line, reason",
     "  approvalctl config check\n"
     "  approvalctl config check --config ./approvald.conf\n",
     COMMON | BIT(CONFIG) | BIT(PROGRAM),
     0,
     0,
     false,
     cmd_config_check},
    {{"config", "dump"},
     "",
     "print the configuration in force, with defaults",
     "  approvalctl config dump\n",
     COMMON | BIT(CONFIG) | BIT(PROGRAM),
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
     COMMON | BIT(PUBLIC_URL) | BIT(SOCKET_MODE) | BIT(NAME) | BIT(COMMAND),
     0,
     0,
     false,
     cmd_slack_manifest},
    {{"slack", "check"},
     "",
     "say whether Slack and approvald understand each other",
     "  approvalctl slack check\n",
     CONNECTED,
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
     CONNECTED | BIT(SUPERVISOR),
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
     "  approvalctl doctor\n",
     CONNECTED | BIT(CONFIG) | BIT(PROGRAM) | BIT(SUPERVISOR),
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
     CONNECTED,
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
     COMMON | BIT(CONFIG) | BIT(PROGRAM),
     1,
     1,
     false,
     cmd_restore},
    {{"switchover", NULL},
     "",
     "hand the pair over to the other host, without an error",
     "Run it on the primary. What was begun is answered, the standby takes over, requests that\n"
     "still arrive here are passed on. On the standby it is passed on to the primary. Returns\n"
     "when the other host leads; exit code 115: it did not come to pass, this one serves on.\n"
     "\n"
     "  approvalctl switchover\n",
     SUPERVISED,
     0,
     0,
     false,
     cmd_switchover},
    {{"promote", NULL},
     "--force",
     "make this host the primary although the other one cannot be asked",
     "For the case that the other host is lost and the arbiter answers (else: arbiter reseed).\n"
     "What only the other host had is lost, and it can come back only by approvalctl rejoin.\n"
     "First make sure that it is off; you are asked to type so. With arbiter \"manual\": first\n"
     "approvalctl peer-off.\n"
     "\n"
     "With --other-lineage also a store that an earlier forced promotion of the other host has\n"
     "left behind, when the other host has then lost its disk: after approvalctl peer-off, and\n"
     "with words that name the lineage that is given up.\n"
     "\n"
     "  approvalctl promote --force\n",
     SUPERVISED | BIT(FORCE) | BIT(OTHER_LINEAGE) | BIT(CONFIRM),
     0,
     0,
     false,
     cmd_promote},
    {{"peer-off", NULL},
     "",
     "confirm that the other host is off",
     "With arbiter \"manual\" nothing changes without the other host or your word. A host that "
     "was\n"
     "in sync to the end then leads; one that may be outdated only after promote --force. With\n"
     "any arbiter it comes before arbiter reseed without the other host, and before promote\n"
     "--force --other-lineage. It holds until the other host is heard, or this supervisor ends.\n"
     "\n"
     "  approvalctl peer-off\n",
     SUPERVISED | BIT(CONFIRM),
     0,
     0,
     false,
     cmd_peer_off},
    {{"rejoin", NULL},
     "",
     "give up this host's store and fetch the other host's",
     "After a forced promotion of the other host, or when the stores have diverged. The old store\n"
     "is kept beside the new one, as diverged-….mdb, with its log, diverged-….seg.\n"
     "\n"
     "  approvalctl rejoin\n",
     SUPERVISED | BIT(CONFIRM),
     0,
     0,
     false,
     cmd_rejoin},
    {{"maintenance", NULL},
     "on|off",
     "keep this host from becoming primary, for work on it",
     "A primary hands over first, and \"on\" returns when the other host leads. The host goes on\n"
     "as standby, so nothing is unprotected. Exit code 115: it cannot hand over, and serves on.\n"
     "\n"
     "  approvalctl maintenance on && reboot\n",
     SUPERVISED,
     1,
     1,
     false,
     cmd_maintenance},
    {{"safe-mode", "clear"},
     "",
     "let this host lead again after a crash loop",
     "  approvalctl safe-mode clear\n",
     SUPERVISED,
     0,
     0,
     false,
     cmd_safe_mode_clear},
    {{"pair", "bootstrap"},
     "",
     "create the pair's register, once, on the host whose store counts",
     "  approvalctl pair bootstrap\n",
     SUPERVISED,
     0,
     0,
     false,
     cmd_pair_bootstrap},
    {{"pair", "init"},
     "",
     "set up a pair, on its first host: the one whose store counts",
     "Makes the pair's own authorities and certificates, and prints a join token for the other\n"
     "host and one for the arbiter. Each serves once, for 15 minutes. What is not given as an\n"
     "option is asked for. This host goes on alone until both have joined; then it becomes the\n"
     "primary of the pair. May be repeated; pair token gives a token anew.\n"
     "\n"
     "  approvalctl pair init --peer 192.0.2.2 --vip 192.0.2.10/24 --arbiter 192.0.2.3\n",
     SETUP | BIT(SOCKET) | BIT(PEER) | BIT(VIP) | BIT(INTERFACE) | BIT(ARBITER) | BIT(ADDRESS) |
         BIT(ROUTER_ID),
     0,
     0,
     false,
     cmd_pair_init},
    {{"pair", "join"},
     "",
     "make this host the second one of a pair",
     "Asks for the join token of pair init, or reads it from standard input: it is a secret, and\n"
     "so never an argument. This host makes its own key, gets its certificate from the other\n"
     "host, whose own is checked by the token, and follows it. What this host has stored before\n"
     "is set aside, beside data_dir. May be repeated with the same token until it has succeeded.\n"
     "\n"
     "  approvalctl pair join\n",
     SETUP | BIT(INTERFACE),
     0,
     1,
     false,
     cmd_pair_join},
    {{"pair", "token"},
     "host|arbiter",
     "print another join token",
     "For who did not come in time, and for a machine that replaces a lost one. A former token of\n"
     "the same kind ends.\n"
     "\n"
     "  approvalctl pair token arbiter\n",
     SETUP,
     1,
     1,
     false,
     cmd_pair_token},
    {{"pair", "serve"},
     "",
     "wait for those who bring a join token; the unit approvald-pair does it",
     "  approvalctl pair serve\n",
     SETUP,
     0,
     0,
     false,
     cmd_pair_serve},
    {{"pair", "renew"},
     "",
     "renew this host's certificates when a third of their life is left",
     "A timer runs it each day. Needs nobody else: both hosts have the authorities' keys.\n"
     "\n"
     "  approvalctl pair renew\n",
     SETUP,
     0,
     0,
     false,
     cmd_pair_renew},
    {{"pair", "rotate"},
     "",
     "replace the pair's authorities and all certificates, without an outage",
     "Makes new authorities and prints tokens: the other host and the arbiter join once more, and\n"
     "trust the former and the new ones. Then this host's certificates follow. At last, on the\n"
     "other host: --end.\n"
     "\n"
     "  approvalctl pair rotate\n"
     "  approvalctl pair rotate --end\n",
     SETUP | BIT(END),
     0,
     0,
     false,
     cmd_pair_rotate},
    {{"pair", "leave"},
     "",
     "take this host out of its pair",
     "Removes what pair init or pair join has written: certificates, keys, configurations. The\n"
     "store stays.\n"
     "\n"
     "  approvalctl pair leave\n",
     SETUP | BIT(CONFIRM),
     0,
     0,
     false,
     cmd_pair_leave},
    {{"arbiter", "reseed"},
     "",
     "write the register into a new arbiter, when the old one is lost for good",
     "First point both configurations at the new arbiter and restart both supervisors. Then run\n"
     "it on the host that leads, or, when none does, on the one with the later log (the reply\n"
     "says which), and afterwards on the other host too. Without the other host: confirm that\n"
     "it is off (approvalctl peer-off), then run it here; this host leads under a new lineage,\n"
     "and the other one has to rejoin. Also after an arbiter was restored from a backup.\n"
     "\n"
     "  approvalctl arbiter reseed\n",
     SUPERVISED | BIT(CONFIRM),
     0,
     0,
     false,
     cmd_arbiter_reseed},
    {{"keepalived-config", NULL},
     "",
     "print the configuration of keepalived for this host",
     "  approvalctl keepalived-config > /etc/keepalived/keepalived.conf\n",
     COMMON | BIT(CONFIG) | BIT(PROGRAM),
     0,
     0,
     false,
     cmd_keepalived_config},
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
     CONNECTED | BIT(PEOPLE) | BIT(STATE_DIR) | BIT(AFTER),
     0,
     0,
     true,
     cmd_notify},
    {.words = {NULL, NULL}},
};

const struct command *command_table(void)
{
    return table;
}

uint64_t command_leading_options(void)
{
    return (CONNECTED) & ~BIT(HELP);
}

uint64_t command_common_options(void)
{
    return COMMON;
}
