/* SPDX-License-Identifier: Apache-2.0 */
/* command_pair.c: the commands of the pair, with their help: the second half of the table.
 * Owns the words that people type and read; never runs anything. */
#include "approvald/ctl/command_internal.h"

static const struct command table[] = {
    {{"switchover", NULL},
     "",
     "hand the pair over to the other host, without an error",
     "Run it on the primary. What was begun is answered, the standby takes over, requests that\n"
     "still arrive here are passed on. On the standby it is passed on to the primary. Returns\n"
     "when the other host leads; exit code 115: it did not come to pass, this one serves on.\n"
     "\n"
     "  approvalctl switchover\n",
     TAKES(SUPERVISED),
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
     TAKES(SUPERVISED, OPTION_FORCE, OPTION_OTHER_LINEAGE, OPTION_CONFIRM),
     0,
     0,
     false,
     cmd_promote},
    {{"peer-off", NULL},
     "",
     "confirm that the other host is off",
     "With arbiter \"manual\" nothing changes without the other host or your word; with \"fence\"\n"
     "a device says it for you, and you when that fails. A host that was in sync to the end\n"
     "then leads; one that may be outdated only after promote --force. With any arbiter it\n"
     "comes before arbiter reseed without the other host, and before promote --force\n"
     "--other-lineage. It holds until the other host is heard, or this supervisor ends.\n"
     "\n"
     "  approvalctl peer-off\n",
     TAKES(SUPERVISED, OPTION_CONFIRM),
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
     TAKES(SUPERVISED, OPTION_CONFIRM),
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
     TAKES(SUPERVISED),
     1,
     1,
     false,
     cmd_maintenance},
    {{"safe-mode", "clear"},
     "",
     "let this host lead again after a crash loop",
     "  approvalctl safe-mode clear\n",
     TAKES(SUPERVISED),
     0,
     0,
     false,
     cmd_safe_mode_clear},
    {{"pair", "bootstrap"},
     "",
     "create the pair's register, once, on the host whose store counts",
     "  approvalctl pair bootstrap\n",
     TAKES(SUPERVISED),
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
     "--slack says how the pair is to speak with Slack: socket, the hosts call Slack; http, Slack\n"
     "calls them; none. It is told to the other host, and on both the command of slack setup that\n"
     "comes next is printed; the secrets are yours to bring.\n"
     "\n"
     "The arbiter is a third machine; or manual: none, when a host is lost an operator decides;\n"
     "or fence: none, each host has the other one switched off by its fence device, a BMC or a\n"
     "power strip. --fence, --fence-1 and --fence-2 (may be repeated) are what the fence agents\n"
     "of host 1, this one, and of host 2 are told; agent=NAME is among it. A secret is no\n"
     "argument: --fence-secret names it, and it is asked for, or read from standard input: a line\n"
     "for host 1's, then one for host 2's, which may lack when they are the same. Each device is\n"
     "asked for its status before anything is done, and never for anything else. The other host\n"
     "gets its part when it joins.\n"
     "\n"
     "  approvalctl pair init --peer 192.0.2.2 --vip 192.0.2.10/24 --arbiter 192.0.2.3\n"
     "  approvalctl pair init --peer 192.0.2.2 --vip 192.0.2.10/24 --arbiter fence \\\n"
     "      --fence agent=fence_ipmilan --fence lanplus=1 --fence username=approvald \\\n"
     "      --fence-1 ip=192.0.2.101 --fence-2 ip=192.0.2.102 --fence-secret password\n",
     TAKES(SETUP,
           OPTION_SOCKET,
           OPTION_PEER,
           OPTION_VIP,
           OPTION_INTERFACE,
           OPTION_ARBITER,
           OPTION_SLACK,
           OPTION_ADDRESS,
           OPTION_ROUTER_ID,
           OPTION_FENCE,
           OPTION_FENCE_1,
           OPTION_FENCE_2,
           OPTION_FENCE_SECRET,
           OPTION_FENCE_SOCKET),
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
     "With arbiter fence the other host's fence device comes with the certificate, and is asked\n"
     "for its status before anything is done.\n"
     "\n"
     "  approvalctl pair join\n",
     TAKES(SETUP, OPTION_INTERFACE, OPTION_FENCE_SOCKET),
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
     TAKES(SETUP),
     1,
     1,
     false,
     cmd_pair_token},
    {{"pair", "serve"},
     "",
     "wait for those who bring a join token; the unit approvald-pair does it",
     "  approvalctl pair serve\n",
     TAKES(SETUP),
     0,
     0,
     false,
     cmd_pair_serve},
    {{"pair", "renew"},
     "",
     "renew this host's certificates when a third of their life is left",
     "A timer runs it each day. Needs nobody else: both hosts have the authorities' keys. Exit\n"
     "code 115: approvald has refused to reload, and serves with another certificate than its\n"
     "file holds.\n"
     "\n"
     "  approvalctl pair renew\n",
     TAKES(SETUP),
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
     TAKES(SETUP, OPTION_END),
     0,
     0,
     false,
     cmd_pair_rotate},
    {{"pair", "leave"},
     "",
     "take this host out of its pair",
     "It goes on as a single host, with everything that was answered. The service is stopped,\n"
     "and a store of its own made of what it has. The store of the pair and a backup of it are\n"
     "kept beside data_dir; certificates, keys, fence devices and configurations of the pair are\n"
     "removed. When it was cut, repeat it: the service does not start before. Refused, with\n"
     "nothing done, while a file of yours in supervisor.conf.d wants a pair or makes one, and\n"
     "where data_dir is a mount point. A host that may lack answers (neither primary nor in\n"
     "sync) leaves only with other words, which it tells. --force: with an empty store, where\n"
     "no store can be made of the pair's. With arbiter fence look at the other host afterwards:\n"
     "when its status says that it waits for this one, approvalctl peer-off there, or it\n"
     "has this one switched off after two minutes.\n"
     "\n"
     "  approvalctl pair leave\n",
     TAKES(SETUP, OPTION_CONFIRM, OPTION_FORCE),
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
     TAKES(SUPERVISED, OPTION_CONFIRM),
     0,
     0,
     false,
     cmd_arbiter_reseed},
    {{"keepalived-config", NULL},
     "",
     "print the configuration of keepalived for this host",
     "  approvalctl keepalived-config > /etc/keepalived/keepalived.conf\n",
     TAKES(COMMON, OPTION_CONFIG, OPTION_PROGRAM),
     0,
     0,
     false,
     cmd_keepalived_config},
    {.words = {NULL, NULL}},
};

const struct command *command_pair_table(void)
{
    return table;
}
