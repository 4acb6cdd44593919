/* SPDX-License-Identifier: Apache-2.0 */
/* freeze_kit.h: change freezes of a service kit, for the tests that look at them. */
#ifndef TESTS_UNIT_FREEZE_KIT_H
#define TESTS_UNIT_FREEZE_KIT_H

#include "approvald/service/freezes.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define HOUR UINT64_C(3600000)
#define DAY  (24 * HOUR)
#define POLICY(more)                                                                               \
    "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\"} lapses_after = 1h " more " }\n"

static inline struct freeze
freeze_of(const struct service_kit *kit, const char *name, uint64_t for_ms)
{
    return (struct freeze){.name = span_text(name),
                           .from_ms = kit->now_ms,
                           .to_ms = kit->now_ms + for_ms,
                           .glass_passes = true,
                           .reason = SPAN_LITERAL("stocktaking")};
}

static inline struct kit_answer add(struct service_kit *kit, const struct freeze *freeze)
{
    struct kit_answer answer = {.done = false};

    CU_ASSERT_EQUAL(service_freeze_add(kit->service, &kit_root, freeze, kit_on_done, &answer, NULL),
                    ERR_OK);
    service_kit_wait(kit, &answer.done);
    return answer;
}

static inline struct kit_answer drop(struct service_kit *kit, const char *name)
{
    struct kit_answer answer = {.done = false};

    CU_ASSERT_EQUAL(
        service_freeze_remove(kit->service, &kit_root, span_text(name), kit_on_done, &answer, NULL),
        ERR_OK);
    service_kit_wait(kit, &answer.done);
    return answer;
}

static inline bool says(struct service_kit *kit, const struct request_id *id, const char *word)
{
    return strstr(kit_audit(kit, id).actions, word) != NULL;
}

static inline uint32_t revision_of(struct service_kit *kit, const struct request_id *id)
{
    return kit_get(kit, id).revision;
}

/* The kit is open afterwards. */
static inline struct request_id ask(struct service_kit *kit, const char *text)
{
    service_kit_open(kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(kit, text, false, false).rc, ERR_OK);
    return kit_create(kit, "deploy", "").id;
}

#endif
