/* SPDX-License-Identifier: Apache-2.0 */
/* fence.h: switches the other host off and says when that is certain (arbiter "fence", rule E).
 * Pure: no I/O, no time of its own, no randomness.
 *
 * The register is the mirrored one (mirror.h). Where "manual" waits for an operator who has made
 * sure that the other host is off, this core asks fence devices: "off" of each, then "status" of
 * each. It gives the same word, and nothing more: whoever is OUTDATED is not helped by it.
 *
 * F1 The word is given only in an attempt in which every device took "off" (exit code 0), and then
 *    every device said "off" (exit code 2) to a "status" that was asked behind the last "off".
 * F2 Whatever else happens (another exit code, a signal, no answer in time, no helper) is no
 *    confirmation. The attempt has failed, which is told, and another one begins from the start.
 * F3 An attempt belongs to one silence: it begins while the link is down and ends, whatever it has
 *    achieved, when the link is up. An answer counts for the question that is under way only.
 * F4 Only a device that has said "on" while the other host was heard may say "off": one that says
 *    "off" of a host that is heard (a wrong plug) is not believed, and nothing is switched off by
 *    it.
 * F5 It begins only when the failover core wants it: that was in sync without a break in this life.
 *    A host that has started waits for the other one, or for the operator.
 *
 * Why it is enough that the other host was off at some moment of the silence, and may be on again
 * when the word is given: its supervisor has started since, so it is OUTDATED, and it knows no
 * register before ours has answered it; that needs the link, whose return ends the attempt (F3). So
 * an answer that comes late, a supervisor that was frozen, and a host that is switched on again by
 * hand do no harm.
 *
 * Both hosts see a cut link. Who leads waits wait_ms, the other one delay_ms more: the first has
 * switched off the second before that one begins. When it has not, both go off: nobody leads, and
 * when they are on again each waits for the other one or the operator.
 *
 * A supervisor that ends in the middle forgets the attempt: the helper then kills the agent. What
 * the device does late switches a host off that might have led, which costs time and no record. */
#ifndef SUPERVISOR_ARBITER_FENCE_H
#define SUPERVISOR_ARBITER_FENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FENCE_DEVICE_COUNT_MAX 4U  /* a host has two power supplies, some have four */
#define FENCE_NAME_SIZE        32U /* of a device, as a file's */
#define FENCE_REASON_SIZE      160U
#define FENCE_EFFECT_COUNT_MAX 4U
/* Between two attempts: each pause doubles the one before. */
#define FENCE_PAUSE_MS_MAX 60000U

/* As fence agents end. */
#define FENCE_CODE_OK  0 /* off: done; status: the host is on */
#define FENCE_CODE_OFF 2 /* status: the host is off */

enum fence_action { FENCE_ACTION_OFF, FENCE_ACTION_STATUS };

struct fence_options {
    size_t device_count; /* all of them have to be off: one for each power supply */
    char devices[FENCE_DEVICE_COUNT_MAX][FENCE_NAME_SIZE];
    uint32_t wait_ms;    /* the link may come back */
    uint32_t leave_ms;   /* instead, when the other host has said that it is being stopped */
    uint32_t delay_ms;   /* more, on the host that does not lead */
    uint32_t run_ms;     /* for one question */
    uint32_t pause_ms;   /* after the first failed attempt */
    uint32_t monitor_ms; /* between two looks at the devices while nothing is wanted */
};

enum fence_event_type {
    FENCE_EVENT_WANT,    /* u.want: the failover core does (not) want the other host off */
    FENCE_EVENT_LINK,    /* u.up: the connection to the other host */
    FENCE_EVENT_LEAVING, /* the other host says that it is being stopped: restarted, most likely */
    FENCE_EVENT_RESULT,  /* u.result: how the agent ended */
    FENCE_EVENT_TICK
};

struct fence_result {
    uint64_t number; /* of the question */
    bool exited;     /* by itself; false: killed, or never started */
    int code;        /* its exit code */
    char text[FENCE_REASON_SIZE];
};

struct fence_event {
    enum fence_event_type type;
    uint64_t now_ms;
    union {
        struct {
            bool on;
            bool leads; /* this host does */
        } want;
        bool up;
        struct fence_result result;
    } u;
};

enum fence_effect_type {
    FENCE_EFFECT_CANCEL, /* the question under way is given up: its agent is to be killed */
    FENCE_EFFECT_ASK,    /* u.ask: run the agent, then EVENT_RESULT */
    FENCE_EFFECT_OFF,    /* the other host was switched off, and is off: the operator's word */
    FENCE_EFFECT_TELL    /* phase and reason have changed */
};

struct fence_effect {
    enum fence_effect_type type;
    struct {
        uint64_t number;
        size_t device;
        enum fence_action action;
    } ask;
};

struct fence_effects {
    size_t count;
    struct fence_effect items[FENCE_EFFECT_COUNT_MAX];
};

enum fence_phase {
    FENCE_READY,   /* nothing wanted; each device answers and is believed */
    FENCE_TROUBLE, /* nothing wanted; some device would not do: the reason */
    FENCE_RUNNING, /* under way */
    FENCE_FAILED,  /* not confirmed: the reason; another attempt follows */
    FENCE_DONE,    /* confirmed off */
    FENCE_WAITING  /* the other host was stopped: it is given its time */
};

enum fence_step {
    FENCE_STEP_NONE,
    FENCE_STEP_WAIT,  /* for the link, and for the other host to be first */
    FENCE_STEP_OFF,   /* "off" of each device in turn */
    FENCE_STEP_CHECK, /* "status" of each */
    FENCE_STEP_PAUSE, /* after a failed attempt */
    FENCE_STEP_DONE
};

/* What is known of a device. */
struct fence_device {
    bool known;        /* it has been asked, and answered or failed to */
    bool seen;         /* it has said "on" while the other host was heard (F4) */
    bool doubt;        /* it has said "off" of a host that was heard, once: asked again */
    bool denied;       /* it has, twice in a row */
    bool on;           /* what it said last; only when it answered: problem is empty */
    uint64_t asked_ms; /* when it answered last, or failed to */
    char problem[FENCE_REASON_SIZE]; /* why it did not answer; "": it did */
};

struct fence {
    struct fence_options options;
    enum fence_step step;
    bool up;
    bool wanted;
    bool leads;
    bool left;         /* the other host was being stopped when it was heard last */
    bool asked;        /* a question is under way */
    bool looking;      /* that is no part of an attempt */
    uint64_t number;   /* of the last question */
    size_t device;     /* of it */
    uint64_t until_ms; /* it has to be answered */
    uint64_t due_ms;   /* WAIT, PAUSE: until then */
    uint64_t look_ms;  /* the next look at the devices */
    uint32_t pause_ms;
    uint32_t tries; /* failed in this silence */
    struct fence_device devices[FENCE_DEVICE_COUNT_MAX];
    char failure[FENCE_REASON_SIZE]; /* of the last attempt */
    enum fence_phase phase;          /* as told */
    char reason[FENCE_REASON_SIZE];
};

void fence_init(struct fence *fence, const struct fence_options *options);
void fence_step(struct fence *fence,
                const struct fence_event *event,
                struct fence_effects *effects);
uint64_t fence_deadline_ms(const struct fence *fence); /* of the next TICK; UINT64_MAX: none */
void fence_invariant(const struct fence *fence);
const char *fence_phase_word(enum fence_phase phase);
const char *fence_action_word(enum fence_action action); /* as agents know it */

#endif
