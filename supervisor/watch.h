/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h: one child's life: when approvald is started, ended, started again, and when this host
 * should leave the lead to the other. Pure: no I/O, no time, no randomness.
 *
 *   stopped → starting → up → (stopping | killed) → backoff → starting …
 *
 * A child that hangs (a task's count of turns stands still for checkin_ms), breaks the contract, or
 * is not up within start_ms is killed. Ended without having been told to, it has crashed: the first
 * restart is at once, each further one waits longer. crash_count crashes within crash_window_ms
 * turn safe mode on: the child is still restarted, slowly, but this host must not lead. Safe mode
 * ends when the child has been up for quiet_ms, or by the operator. */
#ifndef SUPERVISOR_WATCH_H
#define SUPERVISOR_WATCH_H

#include "supervisor/contract.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WATCH_CRASH_COUNT      16U /* remembered; more than crash_count may be */
#define WATCH_EFFECT_COUNT_MAX 8U
#define WATCH_REASON_SIZE      CONTRACT_REASON_SIZE

struct watch_options {
    uint32_t start_ms;        /* from the fork to UP; a long log is replayed in this time */
    uint32_t checkin_ms;      /* a task that makes no turn for so long hangs */
    uint32_t stop_ms;         /* from the request to stop to the kill */
    uint32_t backoff_ms;      /* before the second restart in a row; doubles with each */
    uint32_t backoff_ms_max;  /* also: a child up for so long counts as healthy again */
    uint32_t crash_count;     /* so many … */
    uint32_t crash_window_ms; /* … in this time are a crash loop */
    uint32_t quiet_ms;
};

enum watch_cause {
    WATCH_CAUSE_EXIT = 1, /* status is the exit code */
    WATCH_CAUSE_SIGNAL,   /* status is the signal; not ours */
    WATCH_CAUSE_HANG,     /* task did not check in */
    WATCH_CAUSE_SLOW,     /* not up in time */
    WATCH_CAUSE_CONTRACT, /* broke the contract */
    WATCH_CAUSE_FORK,     /* could not be started */
    WATCH_CAUSE_END
};

struct watch_crash {
    uint64_t boot_ms;
    uint64_t wall_ms; /* for people */
    uint8_t cause;    /* enum watch_cause; 0: no crash */
    uint8_t task;     /* HANG: enum contract_task */
    int32_t status;
    bool counts; /* towards a crash loop: of this boot, and the operator has not forgiven it */
    char reason[WATCH_REASON_SIZE];
};

/* Survives a restart of the supervisor. A ring: the newest is items[(count - 1) % size]. */
struct watch_tally {
    uint64_t count; /* of all crashes ever */
    struct watch_crash items[WATCH_CRASH_COUNT];
};

enum watch_state {
    WATCH_STOPPED,
    WATCH_STARTING,
    WATCH_UP,
    WATCH_STOPPING, /* asked to end */
    WATCH_KILLED,   /* SIGKILL sent, not reaped yet */
    WATCH_BACKOFF
};

enum watch_event_type {
    WATCH_EVENT_START,      /* u.tally, as read from the disk: the child is wanted from now on */
    WATCH_EVENT_UNSTARTED,  /* u.reason: FORK could not be done */
    WATCH_EVENT_READY,      /* the child said UP */
    WATCH_EVENT_CHECKIN,    /* u.turns */
    WATCH_EVENT_FAILED,     /* u.reason: the child says why it is about to end */
    WATCH_EVENT_BROKEN,     /* u.reason: it broke the contract */
    WATCH_EVENT_CLOSED,     /* its end of the contract is closed: it should be about to end */
    WATCH_EVENT_EXIT,       /* u.exit: reaped */
    WATCH_EVENT_UNFIT,      /* u.reason: it cannot do what it is up for, and another host may */
    WATCH_EVENT_REVOKE,     /* u.reason: kill it, start another; no crash */
    WATCH_EVENT_STOP,       /* the child is not wanted any more */
    WATCH_EVENT_CLEAR_SAFE, /* the operator forgives all crashes so far */
    WATCH_EVENT_TICK
};

struct watch_event {
    enum watch_event_type type;
    uint64_t now_ms;  /* boot clock */
    uint64_t wall_ms; /* for the tally */
    uint64_t random;
    union {
        struct watch_tally tally;
        struct {
            bool signalled;
            int32_t status; /* exit code, or signal */
        } exit;
        uint64_t turns[CONTRACT_TASK_COUNT];
        char reason[WATCH_REASON_SIZE];
    } u;
};

enum watch_effect_type {
    WATCH_EFFECT_FORK,
    WATCH_EFFECT_TERM, /* STOP over the contract, and SIGTERM */
    WATCH_EFFECT_KILL,
    WATCH_EFFECT_UP,
    WATCH_EFFECT_DOWN,    /* it ended, or is being ended: once for each UP or start */
    WATCH_EFFECT_CRASHED, /* u.crash: log it, and make the tally durable */
    WATCH_EFFECT_SAFE_ON, /* u.reason */
    WATCH_EFFECT_SAFE_OFF,
    WATCH_EFFECT_STOPPED /* after STOP: no child is left */
};

struct watch_effect {
    enum watch_effect_type type;
    union {
        struct watch_crash crash;
        char reason[WATCH_REASON_SIZE];
    } u;
};

struct watch_effects {
    size_t count;
    struct watch_effect items[WATCH_EFFECT_COUNT_MAX];
};

struct watch {
    struct watch_options options;
    enum watch_state state;
    bool wanted;
    bool safe;
    bool shown;            /* DOWN is owed */
    uint64_t since_ms;     /* of the state */
    uint64_t until_ms;     /* of STARTING, STOPPING, BACKOFF */
    uint64_t closed_ms;    /* STARTING, UP: when it has to have ended; UINT64_MAX */
    uint32_t checkin_ms;   /* as it was when the child was started: how often it checks in */
    uint32_t crash_streak; /* crashes without a healthy time between */
    uint64_t turns[CONTRACT_TASK_COUNT];
    uint64_t turned_ms[CONTRACT_TASK_COUNT]; /* 0: has not checked in yet */
    uint8_t kill_cause;                      /* of KILLED; 0: not a crash */
    uint8_t kill_task;
    char kill_reason[WATCH_REASON_SIZE];
    char safe_reason[WATCH_REASON_SIZE];
    struct watch_tally tally;
};

void watch_init(struct watch *watch, const struct watch_options *options);
void watch_step(struct watch *watch,
                const struct watch_event *event,
                struct watch_effects *effects);
/* New options from the next event on (reload). A shorter checkin_ms is for the next child: this one
 * checks in as often as it was told when it started, and would be taken for one that hangs. */
void watch_set_options(struct watch *watch, const struct watch_options *options);
/* The limit for the child that is there. */
uint32_t watch_checkin_ms(const struct watch *watch);
/* When to send TICK; UINT64_MAX: never. */
uint64_t watch_deadline_ms(const struct watch *watch);
void watch_invariant(const struct watch *watch);
/* A killed child that is still there after this long is stuck in the kernel: it holds the virtual
 * IP and whatever it was about to send, and only a reset of the host ends it. */
bool watch_is_stuck(const struct watch *watch, uint64_t now_ms);

const char *watch_state_word(enum watch_state state);
const char *watch_cause_word(uint8_t cause);
const char *watch_task_word(uint8_t task);
/* The index-th crash, newest first, or NULL. */
const struct watch_crash *watch_tally_at(const struct watch_tally *tally, size_t index);
/* True for a tally that may have been written by us: bounds and NULs. */
bool watch_tally_is_legal(const struct watch_tally *tally);

#endif
