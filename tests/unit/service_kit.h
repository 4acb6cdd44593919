/* SPDX-License-Identifier: Apache-2.0 */
/* service_kit.h: a service on a real store in a scratch directory, with a clock that stands still,
 * and calls that wait for their answer. One thread besides the store's. */
#ifndef TESTS_UNIT_SERVICE_KIT_H
#define TESTS_UNIT_SERVICE_KIT_H

#include "approvald/service/service.h"
#include "base/clock.h"
#include "storage/disk.h"
#include "tests/lib/scratch.h"

#include <stdatomic.h>

#define KIT_TEXT_SIZE 16384
#define KIT_NAME_SIZE 32 /* of a user or a group */

struct service_kit {
    struct scratch scratch;
    struct storage *storage;
    struct metrics *metrics;
    struct service *service;
    struct clock clock;
    _Atomic uint64_t now_ms; /* both clocks */
    _Atomic int64_t jump_ms; /* of the wall clock alone */
    struct disk disk;        /* this host's, but for syncs that fail when the kit is broken */
    uint32_t open_count_max; /* for the next open */
    struct span step_up_key; /* likewise */
    uint32_t changed_count;  /* of the listener */
    struct request_id changed;
};

/* One answer, copied as far as tests look at it. */
struct kit_answer {
    bool done;
    bool replayed;
    bool deferred;
    bool has_request;
    enum err_code rc;
    enum refusal refusal;
    char message[ERR_MESSAGE_SIZE];
    struct request_id id;
    enum request_state state;
    enum request_use use;
    uint32_t revision;
    uint32_t decision_count;
    uint32_t policy_version;
    int32_t consume_result;
    uint64_t created_ms;
    uint64_t expires_ms;
    uint64_t lapses_ms;
    uint64_t effect_ms;
    uint64_t escalated_ms;
    char title[256];
    char text[KIT_TEXT_SIZE]; /* of text answers */
};

void service_kit_open(struct service_kit *kit);
/* With the policies applied. */
void service_kit_open_with(struct service_kit *kit, const char *policies);
void service_kit_close(struct service_kit *kit);
/* Closes and opens service and store. */
void service_kit_restart(struct service_kit *kit);
/* Until *done. */
void service_kit_wait(struct service_kit *kit, const bool *done);
void service_kit_pass(struct service_kit *kit, uint64_t ms);
/* From now on every sync fails: the fate of what is under way is unknown, nothing more is served.
 * Until the next open. */
void service_kit_break(struct service_kit *kit);
/* Ticks until nothing is due. */
void service_kit_tick(struct service_kit *kit);
void service_kit_tick_after(struct service_kit *kit, uint64_t ms);
/* As the service is driven: once a minute. */
void service_kit_run(struct service_kit *kit, uint64_t minutes);

/* Callbacks that fill a struct kit_answer. */
void kit_on_request(void *arg,
                    enum err_code rc,
                    const struct err *err,
                    const struct service_answer *answer);
void kit_on_text(void *arg, enum err_code rc, const struct err *err, struct span text);
void kit_on_done(void *arg, enum err_code rc, const struct err *err);

/* Calls that wait. */
struct kit_answer kit_apply(struct service_kit *kit, const char *text, bool dry_run, bool delete);
/* The policies are invalid, and the message says so. */
void kit_expect_refused(struct service_kit *kit, const char *text, const char *says);
struct kit_answer kit_create(struct service_kit *kit, const char *policy, const char *key);
/* It is accepted; what comes of it is the answer. */
struct kit_answer kit_create_as(struct service_kit *kit, const struct service_create *create);
/* Opens with the policies, and makes a request under one of them. */
struct kit_answer kit_open_asked(struct service_kit *kit, const char *policies, const char *policy);
struct kit_answer kit_get(struct service_kit *kit, const struct request_id *id);
/* facts: the user is known and in no group. */
struct service_decide
kit_press(const struct request_id *id, const char *user, enum verdict verdict, const char *event);
struct kit_answer kit_decide(struct service_kit *kit, const struct service_decide *decide);
struct kit_answer
kit_approve(struct service_kit *kit, const struct request_id *id, const char *user);
struct kit_answer kit_claim(struct service_kit *kit, const struct request_id *id, const char *key);
struct kit_answer kit_consume(struct service_kit *kit, const struct request_id *id, int32_t result);
struct kit_answer kit_cancel(struct service_kit *kit, const struct request_id *id);

/* How many presses wait in the inbox, and the first of them. */
struct kit_inbox {
    bool done;
    enum err_code rc;
    size_t count;
    uint64_t seq;
    uint32_t group_count;
    char user[KIT_NAME_SIZE];
    char requester[KIT_NAME_SIZE];
    char group[KIT_NAME_SIZE]; /* the first */
};
struct kit_inbox kit_inbox(struct service_kit *kit);
struct kit_answer
kit_resolve(struct service_kit *kit, uint64_t seq, const struct facts *facts, bool give_up);

/* Owed (or dead) rows of a request. */
struct kit_rows {
    bool done;
    bool ended;
    enum err_code rc;
    size_t count;
    struct {
        enum surface surface;
        char target[CORE_NAME_SIZE_MAX + 1];
        uint32_t wanted;
        uint32_t item_count;
        uint32_t first_kind;
        uint32_t first_id;
        char first_text[256];
    } rows[32];
};
struct kit_rows kit_owed(struct service_kit *kit, const struct request_id *id, bool dead);
size_t kit_owed_of(const struct kit_rows *rows, enum surface surface);

/* One attempt. */
struct kit_attempt {
    bool done;
    enum err_code rc;
    bool attempted;
    bool has_card;
    char card_ts[64];
    bool has_request;
    uint32_t revision;
    uint32_t item_id;
    uint32_t attempts;
};
struct service_row_key
kit_key(const struct request_id *id, enum surface surface, const char *target);
struct kit_attempt kit_begin(struct service_kit *kit, const struct service_row_key *key);
enum err_code kit_end(struct service_kit *kit,
                      const struct service_row_key *key,
                      const struct service_outcome *outcome);

/* The whole audit log is read and its chain verified; the number of entries, 0 when it is broken.
 * id: of one request, then only hashes of entries are verified. */
struct kit_audit {
    bool done;
    enum err_code rc;
    bool sound;
    bool more;
    size_t count;
    uint64_t next_seq;
    uint8_t head[32];
    char actions[KIT_TEXT_SIZE]; /* words, with spaces */
};
struct kit_audit kit_audit(struct service_kit *kit, const struct request_id *id);

extern const struct actor kit_asker; /* token "ci" */
extern const struct actor kit_root;

#endif
