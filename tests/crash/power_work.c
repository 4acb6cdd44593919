/* SPDX-License-Identifier: Apache-2.0 */
/* power_work.c: numbered jobs whose effect on the store can be computed.
 * Owns what job n does. Never depends on time, order of threads, or an earlier run. */
#include "tests/crash/power_work.h"

#include "base/assert.h"
#include "tests/crash/power_model.h"
#include "tests/lib/store_kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY_COUNT      64U
#define CHANGE_COUNT   6U
#define TABLE_KEYS     1
#define TABLE_LAST     2
#define VALUE_SIZE_MAX 60000U

struct plan {
    uint32_t key;
    uint32_t size; /* 0: delete */
    uint64_t word; /* repeated */
};

bool work_fails(uint64_t number)
{
    return number % 17 == 0;
}

static void plan_change(uint64_t number, uint32_t index, struct plan *ret_plan)
{
    uint64_t seed = number * CHANGE_COUNT + index;
    uint64_t draw = power_mix(&seed);

    ret_plan->word = power_mix(&seed);
    ret_plan->key = (uint32_t)(draw % KEY_COUNT);
    ret_plan->size = (uint32_t)(8 + (draw >> 16) % 1500);
    if ((draw >> 48) % 64 == 0) {
        ret_plan->size = VALUE_SIZE_MAX - ret_plan->size;
    } else if ((draw >> 48) % 8 == 1) {
        ret_plan->size = 0;
    }
}

static uint32_t plan_count(uint64_t number)
{
    uint64_t seed = number;

    return 1 + (uint32_t)(power_mix(&seed) % CHANGE_COUNT);
}

static void fill(const struct plan *plan, char *bytes)
{
    for (uint32_t at = 0; at < plan->size; at++) {
        bytes[at] = (char)(plan->word >> (at % 8 * 8));
    }
}

enum err_code work_run(struct storage_txn *txn, void *arg, struct err *err)
{
    const struct work_job *job = arg;
    uint64_t number = job->number;
    char bytes[VALUE_SIZE_MAX];
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < plan_count(number); i++) {
        struct plan plan;
        char key[16];

        plan_change(number, i, &plan);
        fill(&plan, bytes);
        (void)snprintf(key, sizeof key, "k%02" PRIu32, plan.key);
        rc = plan.size == 0
                 ? storage_delete(txn, TABLE_KEYS, span_text(key), err)
                 : storage_put(txn, TABLE_KEYS, span_text(key), span_of(bytes, plan.size), err);
    }
    if (rc == ERR_OK && work_fails(number)) {
        rc = err_set(err, ERR_CONFLICT, "a job that fails");
    }
    if (rc == ERR_OK) {
        rc = storage_put(txn, TABLE_LAST, SPAN_LITERAL("last"), span_of(&number, sizeof number),
                         err);
    }
    return rc;
}

struct check {
    struct plan expected[KEY_COUNT];
    struct kit_job job;
    uint64_t last;
    uint32_t seen_count;
    uint32_t expected_count;
    const char *reason;
};

static void fold(struct check *check)
{
    memset(check->expected, 0, sizeof check->expected);
    for (uint64_t number = 1; number <= check->last; number++) {
        for (uint32_t i = 0; !work_fails(number) && i < plan_count(number); i++) {
            struct plan plan;

            plan_change(number, i, &plan);
            check->expected[plan.key] = plan;
        }
    }
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        check->expected_count += check->expected[i].size > 0 ? 1 : 0;
    }
}

static bool visit(void *arg, struct span key, struct span value)
{
    struct check *check = arg;
    char bytes[VALUE_SIZE_MAX];
    uint32_t index;

    if (key.size != 3 || key.data[0] != 'k') {
        check->reason = "a key that no job made";
        return false;
    }
    index = (uint32_t)(key.data[1] - '0') * 10 + (uint32_t)(key.data[2] - '0');
    if (index >= KEY_COUNT || value.size != check->expected[index].size) {
        check->reason = "a value of another size, or one that was deleted";
        return false;
    }
    fill(&check->expected[index], bytes);
    check->reason = memcmp(bytes, value.data, value.size) == 0 ? NULL : "a value of another job";
    check->seen_count++;
    return check->reason == NULL;
}

static enum err_code read_all(struct storage_txn *txn, void *arg, struct err *err)
{
    struct check *check = arg;
    struct span last;
    enum err_code rc = storage_get(txn, TABLE_LAST, SPAN_LITERAL("last"), &last, err);

    if (rc == ERR_OK && last.size == sizeof check->last) {
        memcpy(&check->last, last.data, sizeof check->last);
    }
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        return rc;
    }
    fold(check);
    return storage_scan(txn, TABLE_KEYS, SPAN_NONE, false, visit, check, err);
}

static void read_done(void *arg, enum err_code rc, const struct err *err)
{
    struct check *check = arg;

    kit_done(&check->job, rc, err);
}

bool work_check(struct storage *storage, uint64_t *ret_last, const char **ret_reason)
{
    struct check check = {.reason = NULL};

    if (storage_read(storage, read_all, read_done, &check, &check.job.err) != ERR_OK ||
        !kit_wait(storage, &check.job, 30000) || check.job.rc != ERR_OK) {
        *ret_reason = "the read failed";
        return false;
    }
    if (check.reason == NULL && check.seen_count != check.expected_count) {
        check.reason = "a key is missing";
    }
    *ret_last = check.last;
    *ret_reason = check.reason;
    return check.reason == NULL;
}
