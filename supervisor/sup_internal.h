/* SPDX-License-Identifier: Apache-2.0 */
/* sup_internal.h: what the files of the shell share. For sup*.c only (sup_config apart). */
#ifndef SUPERVISOR_SUP_INTERNAL_H
#define SUPERVISOR_SUP_INTERNAL_H

#include "base/crash.h"
#include "base/notify.h"
#include "supervisor/arbiter/arbiter.h"
#include "supervisor/arbiter/arbiter_fence.h"
#include "supervisor/child.h"
#include "supervisor/contract.h"
#include "supervisor/control.h"
#include "supervisor/digest.h"
#include "supervisor/failover/failover.h"
#include "supervisor/keepalived.h"
#include "supervisor/keeper.h"
#include "supervisor/limits.h"
#include "supervisor/memory.h"
#include "supervisor/sup.h"
#include "supervisor/sup_config.h"
#include "supervisor/vip.h"
#include "supervisor/watch.h"
#include "supervisor/watchdog.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct event_base;

#define SUP_SIGNAL_COUNT 3
/* After a handover this host's approvald passes on what still comes. Then who begins to connect is
 * not answered, so that he tries again when the other host has the virtual IP, and what is under
 * way ends before that is given up. */
#define SUP_RELAY_MS (FAILOVER_VIP_STAY_MS - FAILOVER_VIP_LAST_MS)
/* So much longer while somebody waits to be accepted: he would be reset. */
#define SUP_RELAY_MORE_MS 5U
/* An address that has not gone by then is not going: who connects is refused at once, as without
 * one. TCP begins again after a second. */
#define SUP_MUTE_MS 1000U
/* Beyond a handover: for what comes late, and a busy host. */
#define SUP_LEAVE_MORE_MS (FAILOVER_VIP_STAY_MS_MAX + 800U)
/* A standby that is to be stopped is taken out of the ISR first, which takes two answers of an
 * arbiter; without one nobody waits longer. */
#define SUP_LEAVE_OUT_MS  1000
#define SUP_HOUSE_MS      1000  /* between two looks at what has no event of its own */
#define SUP_STUCK_TELL_MS 60000 /* a child that cannot be killed is told of again */

static_assert(FAILOVER_VIP_STAY_MS_MAX + 100U <= SUP_MUTE_MS,
              "who was not answered once finds the address at the other host");

#define SUP_LISTEN_SIZE    (SUP_ADDRESS_SIZE + 128)
#define SUP_KEPT_NAME_SIZE (16 + 1 + SUP_ADDRESS_SIZE) /* "NAME=ADDRESS" */

/* First byte of a message between the supervisors. */
enum sup_peer_kind {
    SUP_PEER_ARBITER = 1,
    SUP_PEER_SWITCHOVER = 2,
    SUP_PEER_DIGEST = 3,
    SUP_PEER_LEAVING = 4 /* this host is to be stopped, or is being stopped */
};

struct sup_socket {
    int fd;        /* owned */
    char name[16]; /* as approvald knows it */
    char address[SUP_ADDRESS_SIZE];
    bool service; /* closed while this host must not serve */
    bool kept;    /* the service manager has a copy, for the next start */
};

/* What the last supervisor left with the service manager. */
struct sup_kept {
    int fd; /* owned until it is taken; then -1 */
    char name[SUP_KEPT_NAME_SIZE];
};

struct sup_alarm {
    bool on;
    char reason[FAILOVER_REASON_SIZE];
};

/* An effect of the failover core that waits for a save. */
struct sup_act {
    struct failover_effect effect;
    uint64_t wants;       /* the save */
    uint64_t incarnation; /* of the child that the core knew */
    uint64_t client;      /* REPLY: who is answered */
};

struct sup {
    struct sup_config *config; /* owned */
    char *file;                /* owned */
    struct event_base *base;   /* owned, as all events */
    struct event *signals[SUP_SIGNAL_COUNT];
    struct event *timer;
    uint64_t house_ms; /* the next look */

    struct memory *memory; /* owned; NULL: the keeper's */
    struct memory_value value;
    struct keeper *keeper; /* owned */
    struct event *keeper_event;
    uint64_t asked;            /* the last save that was asked for, */
    uint64_t saved;            /* the last known to be durable, */
    uint64_t bound;            /* and the one for which effects of the failover core wait */
    uint32_t hangs_s;          /* the disk has not answered for so many looks of the house */
    uint32_t register_hangs_s; /* nor, for so long, to the arbiter's own saves (manual) */
    struct sup_act acts[SUP_ACT_COUNT_MAX]; /* what waits, in its order */
    size_t act_first;
    size_t act_count;
    int timer_fd; /* CLOCK_BOOTTIME */
    enum memory_end last_end;
    struct crash_found crash; /* what earlier supervisors left */

    struct watch watch;
    struct failover *failover; /* owned */
    struct failover_event queue[SUP_EVENT_COUNT_MAX];
    size_t queue_first;
    size_t queue_count;
    struct arbiter *arbiter;     /* owned; NULL: a single host */
    struct arbiter_fence *fence; /* owned; NULL: no fence devices */

    struct child child;
    struct child_user user;
    uint64_t heard_ms; /* when the child last said something */
    uint64_t lead_ms;  /* since when it is to lead, and does not for no other's fault; 0: not so */
    uint64_t incarnation;
    uint64_t incarnation_known; /* to the failover core, by the last CHILD_UP that it took */
    uint32_t start_count;
    int contract_fd;        /* owned; -1: none */
    struct event *contract; /* readable */
    struct event *ended;    /* the pidfd */
    enum contract_state contract_state;
    enum watch_event_type trouble_type;
    char trouble_reason[WATCH_REASON_SIZE];
    struct contract_up up;
    struct contract_link link;
    uint8_t summary[CONTRACT_SIZE_MAX]; /* the packet sent last to this child; zeros: none */

    struct sup_socket sockets[SUP_SOCKET_COUNT_MAX];
    struct sup_kept kept[SUP_SOCKET_COUNT_MAX]; /* while sockets are opened */
    size_t kept_count;
    size_t socket_count;
    uint64_t ends_s[CONTRACT_END_COUNT]; /* of the files, as they were read last */
    uint64_t handing_ms; /* when this host last handed over; 0: it has not, or long ago */
    uint64_t muted_ms; /* since then who begins to connect is not answered; 0: he is, or refused */

    struct vip *vip; /* owned; NULL: none is configured */
    struct event *vip_event;
    int fifo_fd; /* owned; -1: none */
    struct event *fifo_event;
    struct keepalived_lines lines;
    enum keepalived_state vrrp;
    char vip_problem[ERR_MESSAGE_SIZE];
    uint32_t vip_wrong; /* for so many looks the address has been at a wrong place */
    char listen_problem[SUP_LISTEN_SIZE]; /* "": all that should listen do */

    struct watchdog *watchdog; /* owned; NULL: none */
    char watchdog_problem[ERR_MESSAGE_SIZE];
    uint64_t watchdog_next_ms;
    uint64_t stuck_told_ms; /* when it is said again that the child cannot be killed */
    struct notify notify;
    uint64_t notify_ms; /* of systemd's watchdog; 0: none */
    uint64_t notify_next_ms;

    struct control *control;                    /* owned */
    uint64_t askers[SUP_CONTROL_COUNT_MAX * 2]; /* whom failover owes a reply, oldest first */
    size_t asker_count;
    struct sup_alarm alarms[FAILOVER_ALARM_COUNT];
    struct digest peer; /* what the other supervisor said last, */
    uint64_t peer_ms;   /* and when; 0: nothing yet */

    uint64_t leave_ms;    /* to be stopped, and handing over, or waiting to be taken out of the ISR,
                           * first: until then at the latest; 0: not */
    uint64_t leave_epoch; /* that of the ISR that it waits to leave; 0: it does not */
    struct err failure;

    /* Flags stand together, for the padding. */
    bool resync_next; /* the next child is to set its store aside */
    bool reload_owed; /* the child may have read its configuration before it changed */
    bool up_known;
    bool quiet; /* failover knows that the child says nothing */
    bool link_known;
    bool serving_open; /* the service sockets listen */
    bool eligible;
    bool trouble;      /* sup_watch_later */
    bool armed_before; /* the last supervisor had armed the watchdog, and ended without disarming it
                        */
    bool stopping;
};

uint64_t sup_now_ms(void);
uint64_t sup_random(void);

/* sup.c: events for the failover core wait in the queue; sup_pump lets it take them, and is called
 * at the end of whatever the loop has called. */
struct failover_event *sup_queue(struct sup *sup, enum failover_event_type type);
void sup_pump(struct sup *sup);
/* What cannot be gone on with: the service sockets close, the virtual IP is given up, the child is
 * killed, in this order, and the loop ends with that error. */
void sup_fail(struct sup *sup, const struct err *err);

/* sup_leave.c */
/* Begins the clean stop; once more: waits for nothing any more. */
void sup_stop(struct sup *sup);
/* Goes on with it. */
void sup_leave_check(struct sup *sup);

/* sup_child.c */
struct watch_event;
void sup_watch(struct sup *sup, enum watch_event_type type, const char *reason);
/* An event that the watch core gets with the next sup_pump, before failover gets any: for what
 * happens while an effect is carried out. */
void sup_watch_later(struct sup *sup, enum watch_event_type type, const char *reason);
void sup_watch_start(struct sup *sup);
/* Drops a message that the child may not get any more (it is being ended). */
void sup_send(struct sup *sup, const struct contract_message *message);
/* Kills the child; waits for its end, but not for ever: what hangs in a disk's hands stays. */
void sup_child_drop(struct sup *sup);
/* Takes in all that the child has said so far. */
void sup_child_hear(struct sup *sup);
/* When a child that is up and says nothing is quiet; UINT64_MAX: not so. */
uint64_t sup_quiet_deadline_ms(const struct sup *sup);
void sup_quiet_check(struct sup *sup, uint64_t now_ms);
/* About once a second: a child that is to lead has to, within child.lead. */
void sup_lead_check(struct sup *sup, uint64_t now_ms);
/* Passes on a reload that is owed to the child, when it is up. */
void sup_child_reload(struct sup *sup);

/* sup_keep.c: a disk that hangs blocks nothing but what depends on it. */
enum err_code sup_keep_open(struct sup *sup, struct err *err) WARN_UNUSED;
void sup_keep_free(struct sup *sup);
/* Asks for sup->value to be made durable. When that fails, sup_fail follows. */
void sup_remember(struct sup *sup);
/* The effects of the failover core from now on wait for the last sup_remember. */
void sup_bind(struct sup *sup);
/* Carries the effect out, by sup_act, when what it depends on is durable: at once, or later. */
void sup_act_when_saved(struct sup *sup, const struct sup_act *act);
/* Is all durable that was asked for? */
bool sup_is_saved(const struct sup *sup);
/* About once a second: says that the disk hangs. */
void sup_keep_tend(struct sup *sup);
/* For how long the disk has kept a save waiting, in seconds; 0: it is well. */
uint32_t sup_keep_hangs_s(const struct sup *sup);

/* sup_failover.c: what gives authority up (closing the service sockets, ELIGIBLE false, REVOKE) is
 * carried out first: it needs no durability, and must not wait for a disk that hangs. Of the rest,
 * what promises or may be acted on (SEAL, GRANT, CAS, the operator's reply, …) follows in the
 * core's order when the memory of this step, and of all before it, is durable; what only asks or
 * tells (READ, CHANGED, ALARM) does not wait. */
void sup_perform(struct sup *sup, const struct failover_effects *effects);
void sup_act(struct sup *sup, const struct sup_act *act);
enum err_code sup_arbiter_open(struct sup *sup, struct err *err) WARN_UNUSED;
/* Asks the peer, which leads, to hand over. */
void sup_relay_switchover(struct sup *sup);
/* From the peer's supervisor. */
void sup_take_peer(struct sup *sup, const struct contract_peer *peer);

void sup_send_peer(struct sup *sup, enum sup_peer_kind kind, struct span bytes);

/* sup_fence.c */
struct json;
enum err_code sup_fence_open(struct sup *sup, struct err *err) WARN_UNUSED;
void sup_fence_link(struct sup *sup, bool up);
void sup_fence_want(struct sup *sup, bool on, bool leads);
/* The other host has said that it is being stopped. */
void sup_fence_left(struct sup *sup);
void sup_fence_status(struct json *root, const struct sup *sup);

/* sup_digest.c */
/* Tells the other supervisor how this host is, when there is a link. About once a second. */
void sup_tell_digest(struct sup *sup);
void sup_take_digest(struct sup *sup, struct span bytes);
/* It has just said so, and could say something else now. */
bool sup_peer_has_vip(const struct sup *sup);

/* sup_sockets.c */
enum err_code sup_sockets_open(struct sup *sup, struct err *err) WARN_UNUSED;
void sup_sockets_free(struct sup *sup);
/* Opens or closes the service sockets by the role. */
void sup_sockets_follow(struct sup *sup);
/* About once a second: tries again what did not listen. */
void sup_sockets_tend(struct sup *sup);
/* As sup_sockets_follow, but opens none. */
void sup_sockets_close(struct sup *sup);
/* Closes them whatever the role. */
void sup_sockets_shut(struct sup *sup);
/* When it has to be called by the time alone; UINT64_MAX: not. */
uint64_t sup_sockets_deadline_ms(const struct sup *sup);

/* sup_vip.c */
/* Writes "0", before anything is open: no problem of it is one of the start. */
void sup_vip_deny(struct sup *sup);
enum err_code sup_vip_open(struct sup *sup, struct err *err) WARN_UNUSED;
void sup_vip_free(struct sup *sup);
void sup_vip_eligible(struct sup *sup, bool eligible);
void sup_vip_check(struct sup *sup);
/* About once a second: mends what went wrong, and forgets the problem when nothing is any more. */
void sup_vip_tend(struct sup *sup);
/* Why nobody, or not everybody, reaches the host that serves, and has not for seconds; NULL: all
 * is as it has to be, or this host does not serve. */
const char *sup_vip_wrong(const struct sup *sup);

/* sup_status.c */
struct buf;
/* Appends the status as one JSON object. */
enum err_code sup_status(const struct sup *sup, struct buf *buf, struct err *err) WARN_UNUSED;
/* Tells the child what only we know, when it has changed. */
void sup_tell_summary(struct sup *sup);

/* sup_certificates.c: reads them anew; what is known of their ends. */
void sup_certificates_read(struct sup *sup);
void sup_certificates_tell(const struct sup *sup, uint64_t ret_ends_s[CONTRACT_END_COUNT]);

/* sup_command.c */
void sup_command(void *arg, uint64_t client, enum control_command command);
/* A command for the failover core; client 0: nobody waits for the reply. */
void sup_ask_failover(struct sup *sup, uint64_t client, enum failover_command command);
/* The client whose command the core has answered now. */
uint64_t sup_take_asker(struct sup *sup);
void sup_reply(struct sup *sup, uint64_t client, bool ok, const char *message);

#endif
