/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_internal.h: what the handlers of deliveries share. Included by inbound*.c and
 * inbox_worker.c only. */
#ifndef APPROVALD_SLACK_INBOUND_INBOUND_INTERNAL_H
#define APPROVALD_SLACK_INBOUND_INBOUND_INTERNAL_H

#include "approvald/core/types.h"
#include "approvald/slack/inbound/inbound.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/people/directory_internal.h"
#include "approvald/slack/show/views_ask.h"
#include "approvald/slack/wire/payload.h"
#include "approvald/slack/wire/verify.h"
#include "approvald/slack/wire/webapi.h"
#include "base/crypto.h"

#include <sys/queue.h>

struct buf;
struct event;
struct home;
struct inbox_worker;
struct metric;
struct service_decide;
struct service_event_key;
struct view_place;

/* A Slack timestamp or another short word with its own memory. */
struct slack_word {
    char text[CORE_SLACK_TS_SIZE_MAX];
    size_t size;
};

/* What a person did in Slack: kept of each delivery, should it be owed to him. */
struct inbound_act {
    bool known; /* somebody waits for it, and it has an identity */
    enum payload_kind kind;
    uint8_t identity[CRYPTO_SHA256_SIZE]; /* the same for every delivery of the act */
    struct slack_id user;
    struct slack_id channel; /* where he did it, or empty */
};

/* Somebody whose act was not taken in time. */
struct owed {
    bool used;
    uint32_t under_way; /* deliveries of it whose work goes on: it may be accepted yet */
    struct inbound_act act;
    uint64_t due_ms; /* boot: Slack will have repeated it by then, if it does */
    uint64_t end_ms; /* boot: old news */
};
enum owed_end { OWED_TOLD, OWED_ACCEPTED, OWED_LOST, OWED_END_COUNT };

/* What a person has done with the form. */
enum ask_step {
    ASK_OPEN,   /* he wants one */
    ASK_CHOOSE, /* he chose a policy in it: its fields are to be shown */
    ASK_MEND,   /* he sent it, and the policy's fields do not take it: he is told why */
};

/* One delivery from its arrival until nothing of it is under way any more. */
struct inflight {
    TAILQ_ENTRY(inflight) link; /* in unanswered or answered */
    struct slack_inbound *inbound;
    slack_reply_fn *reply; /* NULL: answered, or the client has gone */
    void *arg;
    bool answered;        /* it is in the list of answered ones */
    uint32_t holds;       /* callbacks to come, and the handler itself */
    uint64_t begun_us;    /* for the histogram */
    uint64_t deadline_ms; /* boot: 503 when it comes first */
    uint64_t time_s;      /* wall: the signature's */
    enum slack_transport transport;
    bool owing; /* its act is owed, and waits for this delivery's end */
    struct inbound_act act;

    /* What handlers keep beyond the payload. */
    enum payload_kind kind;
    struct request_id id;
    struct slack_id user;
    struct slack_id user_team;
    struct slack_id channel;
    struct slack_word message_ts;
    struct slack_word thread_ts;
    char trigger[SLACK_TRIGGER_SIZE_MAX];
    size_t trigger_size;
    enum refusal refusal;   /* of a person who may not ask, or of a press in a Home */
    struct slack_word view; /* id of the modal, or empty */
    enum ask_step step;     /* why the policies are read */
    enum verdict verdict;   /* that the window to be opened is for */
    struct view_ask ask;    /* a submitted form; borrows from text */
    struct buf *text;  /* owned: an answer under construction, a response_url, a form; or NULL */
    struct buf *draft; /* owned: details of a form to be opened, or NULL */
    struct slack_id other; /* the substitute of a form */
    uint64_t begin_ms;     /* its dates, wall */
    uint64_t end_ms;
    uint32_t count; /* list: shown */
    uint32_t pages; /* list: read; show: Slack was asked who he is */
};
TAILQ_HEAD(inflights, inflight);

/* A sentence on its way to a person. */
enum saying_way { SAYING_RESPONSE, SAYING_EPHEMERAL, SAYING_DIRECT, SAYING_NOWHERE };
struct saying {
    struct slack_inbound *inbound;
    bool used;
    enum saying_way way;  /* under way, or the last one tried */
    const char *sentence; /* constant */
    struct slack_id user;
    struct slack_id channel;
};

enum inbound_refusal {
    INBOUND_CONTENT_TYPE,
    INBOUND_BODY,
    INBOUND_TOO_LARGE,
    INBOUND_FULL,
    INBOUND_UNAVAILABLE,
    INBOUND_BUDGET,
    INBOUND_REFUSAL_COUNT
};

struct slack_inbound {
    struct service *service;     /* borrowed */
    struct webapi *webapi;       /* borrowed */
    struct directory *directory; /* borrowed */
    struct home *home;           /* borrowed, or NULL */
    const struct clock *clock;   /* borrowed */
    struct event_base *base;     /* borrowed */
    char *secret;                /* owned, wiped */
    size_t secret_size;
    char *previous; /* owned, wiped, or NULL */
    size_t previous_size;
    struct inflight *pool; /* owned */
    struct inflights spare;
    struct inflights unanswered; /* oldest first: all have the same budget */
    struct inflights answered;
    struct event *budget_timer;  /* owned */
    struct inbox_worker *worker; /* owned */
    struct saying sayings[SLACK_SAYING_COUNT_MAX];
    struct owed owed[SLACK_OWED_COUNT_MAX];
    struct event *owed_timer; /* owned */
    bool owed_asking;         /* the store is being asked whether it works */
    uint64_t owed_asked_ms;   /* boot */

    uint64_t last_ms[SLACK_TRANSPORT_COUNT]; /* wall */

    struct metric *arrivals[SLACK_TRANSPORT_COUNT];
    struct metric *last_seconds[SLACK_TRANSPORT_COUNT];
    struct metric *deliveries[PAYLOAD_KIND_COUNT];
    struct metric *unsigned_metric[VERIFY_RESULT_COUNT];
    struct metric *refused[INBOUND_REFUSAL_COUNT];
    struct metric *retries;
    struct metric *app_rate_limited;
    struct metric *reply_seconds;
    struct metric *modal_failures;
    struct metric *owed_ends[OWED_END_COUNT];
};

/* Replies; each does nothing when the delivery is answered already. */
void inbound_reply_empty(struct inflight *flight);
void inbound_reply_json(struct inflight *flight, struct span json);
void inbound_reply_text(struct inflight *flight, struct span text);
/* {"type":"about:blank","title":…,"status":…,"detail":…} */
void inbound_reply_problem(struct inflight *flight, uint32_t status, const char *detail);
/* 503: it is not durable here; Slack shows a warning and the person presses again. */
void inbound_reply_busy(struct inflight *flight, enum inbound_refusal why);

/* A hold for each callback to come; the last drop gives the place back. */
void inflight_hold(struct inflight *flight);
void inflight_drop(struct inflight *flight);
/* Opens a modal (body: views.open's); done gets the flight, which is held until then. */
enum err_code inflight_open_view(struct inflight *flight,
                                 struct span body,
                                 webapi_done_fn *done,
                                 struct err *err) WARN_UNUSED;
/* Changes one that is open (body: views.update's). */
enum err_code inflight_update_view(struct inflight *flight,
                                   struct span body,
                                   webapi_done_fn *done,
                                   struct err *err) WARN_UNUSED;
/* Copies what a handler needs after the payload is gone. False: a field is longer than Slack's. */
bool inflight_keep(struct inflight *flight, const struct payload *payload);
static inline struct span slack_word_span(const struct slack_word *word)
{
    return span_of(word->text, word->size);
}
/* The person of the delivery, over Slack. */
struct actor inflight_actor(const struct inflight *flight);
/* ERR_OK or a refusal that was spoken about: durable, so 200. */
bool inbound_is_durable(enum err_code rc);

/* The timer of the oldest unanswered delivery. */
void inbound_on_budget(int fd, short what, void *arg);

/* Handlers. Each replies, or holds the delivery for a callback that will. */
typedef void inbound_handler_fn(struct inflight *flight, const struct payload *payload);
inbound_handler_fn inbound_on_press;      /* block_actions */
inbound_handler_fn inbound_on_submission; /* view_submission */
inbound_handler_fn inbound_on_command;    /* slash commands */
inbound_handler_fn inbound_on_event;      /* event_callback */
inbound_handler_fn inbound_ask;           /* a shortcut or a command that opens the form */
inbound_handler_fn inbound_on_choice;     /* a policy is chosen in the form */
inbound_handler_fn inbound_on_ask;        /* view_submission of the form */

inbound_handler_fn inbound_on_away_form; /* view_submission of the form of out of office */
inbound_handler_fn inbound_on_code;      /* view_submission of a one-time code */
inbound_handler_fn inbound_show_details; /* a press on Details; its id is in the flight */
/* Opens the window that asks for one, for the press of the delivery. */
void inbound_ask_code(struct inflight *flight, const struct request *request);
/* A button of out of office in a Home; false: it is another one. */
bool inbound_on_away(struct inflight *flight,
                     const struct payload *payload,
                     const struct service_event_key *key);

/* inbound_submission.c */
/* Identity of a submission: the view and its person; the time is the view's own, so that a repeated
 * delivery has the same. False: a field is longer than any of Slack's. */
bool inbound_submission_key(const struct inflight *flight,
                            const struct payload *payload,
                            char text[SLACK_EVENT_KEY_SIZE_MAX],
                            struct service_event_key *ret_key);
/* What a submitted window about a request decides, but for the decision itself: who, where, his
 * facts and the key, whose bytes are in text. False: a field is missing or too long, and that is
 * answered. */
bool inbound_decide_begin(struct inflight *flight,
                          const struct payload *payload,
                          const struct view_place *place,
                          char text[SLACK_EVENT_KEY_SIZE_MAX],
                          struct service_decide *ret_decide);

/* inbound_facts.c: what has to be known of a person to judge his right to decide a request. */
struct inbound_about {
    struct span user;
    struct span team;      /* of a signed payload, or empty */
    struct span requester; /* empty: it does not matter which groups he is in */
    const struct span *groups;
    uint32_t group_count; /* at most CORE_POLICY_GROUP_COUNT_MAX */
    /* Those for whom he stands in are looked at as well. */
};
/* What is known now; borrowed as by directory_facts. */
void inbound_facts(struct slack_inbound *inbound,
                   const struct inbound_about *about,
                   struct facts *ret_facts);
/* As directory_fetch, of all that it needs. */
enum err_code inbound_fetch_facts(struct slack_inbound *inbound,
                                  const struct inbound_about *about,
                                  directory_done_fn *done,
                                  void *arg,
                                  struct err *err) WARN_UNUSED;

/* inbound_say.c: an ephemeral sentence, best effort: by response_url, else chat.postEphemeral, else
 * as a direct message. It has to be constant: its ways are tried one after the other. */
void inbound_say(struct slack_inbound *inbound,
                 const struct payload *payload,
                 const char *sentence);
/* The same when the payload is gone: the response_url is kept in flight->text. */
void inbound_tell(struct inflight *flight, const char *sentence);
/* The same to somebody who is named; false: too many are under way. */
bool inbound_say_to(struct slack_inbound *inbound,
                    const struct slack_id *user,
                    const struct slack_id *channel,
                    const char *sentence);

/* inbound_owed.c: what is kept of an act; not known: nobody waits for it. */
void inbound_act_read(const struct payload *payload, struct inbound_act *ret_act);
bool inbound_owed_has_room(struct slack_inbound *inbound);
/* It was not taken in time. flight: its work goes on until inbound_owed_end; NULL: it never began.
 */
void inbound_owed_add(struct slack_inbound *inbound,
                      const struct inbound_act *act,
                      enum slack_transport transport,
                      struct inflight *flight);
/* There was no place for it. payload is taken. */
void inbound_owed_unplaced(struct slack_inbound *inbound,
                           struct payload *payload,
                           enum slack_transport transport);
/* A delivery of it is durable: nothing is owed any more. */
void inbound_owed_accept(struct inflight *flight);
/* Its person sees what came of it by another way than the reply, however late that is. */
void inbound_owed_answer(struct inflight *flight);
/* Nothing of the delivery is under way any more. */
void inbound_owed_end(struct inflight *flight);
void inbound_on_owed(int fd, short what, void *arg);
void inbound_owed_metrics(struct slack_inbound *inbound, struct metrics *metrics);

/* Puts another view in the place of the one submitted: the sentence, and how the request stands;
 * request may be NULL. */
void inbound_reply_view(struct inflight *flight,
                        const struct request *request,
                        const char *sentence);
/* What is wrong with a field of the window submitted, at the field; what was typed stays. */
void inbound_reply_field(struct inflight *flight, const char *block, const char *sentence);
/* A durable ephemeral sentence about the delivery's request. */
void inbound_notice(struct inflight *flight, const char *sentence);

/* inbox_worker.c */
enum err_code inbox_worker_new(struct slack_inbound *inbound,
                               struct inbox_worker **ret_worker,
                               struct err *err) WARN_UNUSED;
void inbox_worker_free(struct inbox_worker *worker);
/* Looks at the inbox now and from time to time. */
void inbox_worker_start(struct inbox_worker *worker);
/* An entry was added: look at once. */
void inbox_worker_poke(struct inbox_worker *worker);

#endif
