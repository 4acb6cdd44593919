/* SPDX-License-Identifier: Apache-2.0 */
/* test_digest.c: proves supervisor/digest: what one supervisor says is what the other reads.
 * Owns nothing. Never needs a link. */
#include "supervisor/digest.h"
#include "tests/unit/unit.h"

#include <string.h>

static struct digest sample(void)
{
    struct digest digest = {.role = FAILOVER_PRIMARY,
                            .vrrp = KEEPALIVED_MASTER,
                            .serving = true,
                            .safe_mode = true,
                            .arbiter_known = true,
                            .arbiter_latency_ms = 70000,
                            .epoch = UINT64_MAX - 3,
                            .starts = 9,
                            .version = "1.2.3",
                            .reason = "leads epoch 7"};

    digest.alarms[FAILOVER_ALARM_UNPROTECTED] = true;
    digest.alarms[FAILOVER_ALARM_NEEDS_OPERATOR] = true;
    return digest;
}

static void what_is_said_is_read(void)
{
    struct digest said = sample();
    struct digest read;
    uint8_t bytes[DIGEST_SIZE_MAX];
    size_t size = digest_encode(&said, bytes);

    memset(&read, 0xff, sizeof read);
    CU_ASSERT_EQUAL_FATAL(digest_decode(span_of(bytes, size), &read, NULL), ERR_OK);
    CU_ASSERT_EQUAL(read.role, said.role);
    CU_ASSERT_EQUAL(read.vrrp, said.vrrp);
    CU_ASSERT(read.serving);
    CU_ASSERT(!read.maintenance);
    CU_ASSERT(read.safe_mode);
    CU_ASSERT(!read.vip_here);
    CU_ASSERT(read.arbiter_known);
    CU_ASSERT(!read.arbiter_reachable);
    CU_ASSERT_EQUAL(memcmp(read.alarms, said.alarms, sizeof read.alarms), 0);
    CU_ASSERT_EQUAL(read.arbiter_latency_ms, 70000);
    CU_ASSERT_EQUAL(read.epoch, said.epoch);
    CU_ASSERT_EQUAL(read.starts, 9);
    CU_ASSERT_STRING_EQUAL(read.version, "1.2.3");
    CU_ASSERT_STRING_EQUAL(read.reason, "leads epoch 7");
}

static void the_longest_fits(void)
{
    struct digest said = sample();
    struct digest read;
    uint8_t bytes[DIGEST_SIZE_MAX];
    size_t size;

    memset(said.version, 'v', sizeof said.version - 1);
    memset(said.reason, 'r', sizeof said.reason - 1);
    said.reason[sizeof said.reason - 1] = '\0';
    said.version[sizeof said.version - 1] = '\0';
    size = digest_encode(&said, bytes);
    CU_ASSERT(size <= sizeof bytes);
    CU_ASSERT_EQUAL_FATAL(digest_decode(span_of(bytes, size), &read, NULL), ERR_OK);
    CU_ASSERT_STRING_EQUAL(read.reason, said.reason);
    CU_ASSERT_STRING_EQUAL(read.version, said.version);
}

static void what_cannot_be_is_refused(void)
{
    struct digest said = sample();
    struct digest read;
    uint8_t bytes[DIGEST_SIZE_MAX + 1] = {0};
    uint8_t changed[DIGEST_SIZE_MAX + 1];
    size_t size = digest_encode(&said, bytes);
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 2}, {1, 99}, {2, 99}, {3, 0x40}, {4, 0x10}, {21, 200}, {23, 0xff}};

    for (size_t i = 0; i < size; i++) {
        CU_ASSERT_EQUAL(digest_decode(span_of(bytes, i), &read, NULL), ERR_PROTOCOL);
    }
    CU_ASSERT_EQUAL(digest_decode(span_of(bytes, size + 1), &read, NULL), ERR_PROTOCOL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memcpy(changed, bytes, sizeof changed);
        changed[wrong[i].at] = wrong[i].value;
        CU_ASSERT_EQUAL(digest_decode(span_of(changed, size), &read, NULL), ERR_PROTOCOL);
    }
}

static void control_characters_become_spaces(void)
{
    struct digest said = sample();
    struct digest read;
    uint8_t bytes[DIGEST_SIZE_MAX];

    memcpy(said.reason, "a\x1b[2Jb\n", 8);
    CU_ASSERT_EQUAL_FATAL(digest_decode(span_of(bytes, digest_encode(&said, bytes)), &read, NULL),
                          ERR_OK);
    CU_ASSERT_STRING_EQUAL(read.reason, "a [2Jb ");
}

UNIT_MAIN("digest",
          {"what is said is read", what_is_said_is_read},
          {"the longest fits", the_longest_fits},
          {"what cannot be is refused", what_cannot_be_is_refused},
          {"control characters become spaces", control_characters_become_spaces})
