/* SPDX-License-Identifier: Apache-2.0 */
/* service_kit_read.c: what waits in the inbox of a service_kit, and its whole audit log.
 * Owns the copies. Never looks inside the service. */
#include "approvald/core/audit.h"
#include "tests/unit/service_kit.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

static void copy(char target[KIT_NAME_SIZE], struct span text)
{
    (void)snprintf(target, KIT_NAME_SIZE, "%.*s", SPAN_ARGS(text));
}

static void on_inbox(void *arg,
                     enum err_code rc,
                     const struct err *err,
                     const struct service_inbox_entry *entries,
                     size_t count)
{
    struct kit_inbox *inbox = arg;

    (void)err; /* the code says enough */
    inbox->done = true;
    inbox->rc = rc;
    inbox->count = count;
    if (count > 0) {
        inbox->seq = entries[0].seq;
        inbox->group_count = entries[0].group_count;
        copy(inbox->user, entries[0].user);
        copy(inbox->requester, entries[0].requester);
    }
    if (count > 0 && entries[0].group_count > 0) {
        copy(inbox->group, entries[0].groups[0]);
    }
}

struct kit_inbox kit_inbox(struct service_kit *kit)
{
    struct kit_inbox inbox = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_inbox_list(kit->service, 0, 10, on_inbox, &inbox, &err), ERR_OK);
    service_kit_wait(kit, &inbox.done);
    return inbox;
}

struct kit_answer
kit_resolve(struct service_kit *kit, uint64_t seq, const struct facts *facts, bool give_up)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(
        service_inbox_resolve(kit->service, seq, facts, give_up, kit_on_request, &answer, &err),
        ERR_OK);
    service_kit_wait(kit, &answer.done);
    return answer;
}

struct audit_walk {
    struct kit_audit *out;
    bool chained;
};

static void add_word(struct kit_audit *out, struct span word)
{
    size_t size = strlen(out->actions);

    /* What does not fit is not looked at by any test. */
    (void)snprintf(out->actions + size, sizeof out->actions - size, "%.*s ", SPAN_ARGS(word));
}

static void on_audit(void *arg,
                     enum err_code rc,
                     const struct err *err,
                     const struct service_audit_entry *entries,
                     size_t count,
                     bool more)
{
    struct audit_walk *walk = arg;
    struct kit_audit *out = walk->out;

    (void)err; /* the code says enough */
    out->done = true;
    out->rc = rc;
    out->more = more;
    for (size_t i = 0; i < count; i++) {
        uint8_t hash[32];
        if (walk->chained && (out->count > 0 || i > 0)) {
            out->sound = out->sound && memcmp(out->head, entries[i].previous, 32) == 0;
        }
        audit_chain(entries[i].previous, entries[i].bytes, hash);
        out->sound = out->sound && memcmp(hash, entries[i].hash, 32) == 0;
        memcpy(out->head, entries[i].hash, 32);
        out->next_seq = entries[i].seq + 1;
        add_word(out, entries[i].action);
    }
    out->count += count;
}

struct kit_audit kit_audit(struct service_kit *kit, const struct request_id *id)
{
    struct kit_audit audit = {.sound = true, .next_seq = 1};
    struct audit_walk walk = {.out = &audit, .chained = id == NULL};
    struct err err = ERR_INIT;

    do {
        audit.done = false;
        CU_ASSERT_EQUAL_FATAL(
            service_audit_list(kit->service, audit.next_seq, id, 10, on_audit, &walk, &err),
            ERR_OK);
        service_kit_wait(kit, &audit.done);
    } while (audit.rc == ERR_OK && audit.more);
    return audit;
}
