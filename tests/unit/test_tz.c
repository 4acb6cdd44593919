/* SPDX-License-Identifier: Apache-2.0 */
/* test_tz.c: proves base/tz, the reader of time zones where Python's (tests/ctl/test_zones.py)
 * cannot be asked: bytes that are no zone, files that are no file, memory that is not there. Owns
 * nothing but its cases. Never depends on what zones this machine has. */
#include "base/buf.h"
#include "base/limits.h"
#include "base/tz.h"
#include "base/tz_load.h"
#include "base/tz_rule.h"
#include "tests/lib/scratch.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPRING UINT64_C(1774746000) /* 2026-03-29 01:00 UTC: 02:00 becomes 03:00 */
#define AUTUMN UINT64_C(1792890000) /* 2026-10-25 01:00 UTC: 03:00 becomes 02:00 */
#define CET    "CET-1CEST,M3.5.0,M10.5.0/3"

/* A zone of one type of local time, and the rule. */
static size_t make(char room[512], const char *rule)
{
    static const char first[] = "TZif2";
    size_t size = 0;

    memset(room, 0, 512);
    for (int i = 0; i < 2; i++) {
        memcpy(room + size, first, sizeof first - 1);
        room[size + 39] = 1; /* types */
        room[size + 43] = 4; /* bytes of names */
        memcpy(room + size + 44 + 6, "LMT", 4);
        size += 44 + 6 + 4;
    }
    size += (size_t)snprintf(room + size, 512 - size, "\n%s\n", rule);
    return size;
}

static void clocks_are_set_forward_and_back(void)
{
    char room[512];
    size_t size = make(room, CET);
    struct tz *tz = NULL;

    CU_ASSERT_EQUAL_FATAL(tz_parse(span_of(room, size), &tz, NULL), ERR_OK);
    CU_ASSERT(tz_offset_s(tz, SPRING - 1) == 3600 && tz_offset_s(tz, SPRING) == 7200);
    CU_ASSERT(tz_offset_s(tz, AUTUMN - 1) == 7200 && tz_offset_s(tz, AUTUMN) == 3600);
    CU_ASSERT_EQUAL(tz_change_s(tz, SPRING - 1), SPRING);
    CU_ASSERT_EQUAL(tz_change_s(tz, SPRING), AUTUMN);
    tz_free(tz);
}

/* With one bit changed it is refused, or a zone that can be asked. */
static void change_bit(char *room, size_t size, size_t at, unsigned bit)
{
    struct tz *tz = NULL;

    room[at] = (char)(room[at] ^ (1 << bit));
    if (tz_parse(span_of(room, size), &tz, NULL) == ERR_OK) {
        CU_ASSERT(tz_change_s(tz, 0) > 0);
    }
    tz_free(tz);
    room[at] = (char)(room[at] ^ (1 << bit));
}

static void whatever_is_cut_or_changed_is_refused_or_sound(void)
{
    char room[512];
    size_t size = make(room, CET);

    for (size_t at = 0; at < size; at++) {
        struct tz *tz = NULL;

        CU_ASSERT_EQUAL(tz_parse(span_of(room, at), &tz, NULL), ERR_CORRUPT);
        for (unsigned bit = 0; bit < 8; bit++) {
            change_bit(room, size, at, bit);
        }
    }
}

static void a_rule_is_strict(void)
{
    static const char *const good[] = {
        "UTC0", "<-03>3", "ABC-24:59:59", "ABC3EDT4,0/0,J365/23", "AAA1BBB,J60/-167,59/167", CET};
    static const char *const bad[] = {"",
                                      "U0",
                                      "UTC",
                                      "UTC25",
                                      "UTC0 ",
                                      "<UTC0",
                                      "<+1>1",
                                      "UTC0EDT",
                                      "UTC0EDT,1",
                                      "UTC0EDT,1,",
                                      "UTC0EDT,1,2,3",
                                      "A1A0",
                                      "UTC0EDT,M0.1.1,M1.1.1",
                                      "UTC0EDT,M13.1.1,M1.1.1",
                                      "UTC0EDT,M1.6.1,M1.1.1",
                                      "UTC0EDT,M1.1.7,M1.1.1",
                                      "UTC0EDT,J0,J1",
                                      "UTC0EDT,366,J1",
                                      "UTC0EDT,0/168,J1",
                                      "UTC0EDT,0/1:60,J1",
                                      "UTC0001",
                                      ":UTC0",
                                      "UTC-\xff",
                                      "UTC0\nEDT"};
    struct tz_rule rule;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_EQUAL(tz_rule_parse(span_text(good[i]), &rule, NULL), ERR_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(tz_rule_parse(span_text(bad[i]), &rule, NULL), ERR_CORRUPT);
    }
}

static void put(const char *folder, const char *name, const char *bytes, size_t size)
{
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wbe");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, file), size);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static enum err_code load(const char *folder, const char *name)
{
    struct tz *tz = NULL;
    enum err_code rc = tz_load(folder, span_text(name), &tz, NULL);

    CU_ASSERT_EQUAL(rc == ERR_OK, tz != NULL);
    tz_free(tz);
    return rc;
}

static void a_file_is_read_within_its_bounds(void)
{
    static char large[TZ_SIZE_MAX + 1];
    char room[512];
    size_t size = make(room, CET);
    struct scratch scratch;
    char path[512];

    scratch_init(&scratch);
    put(scratch.path, "Here", room, size);
    put(scratch.path, "Empty", room, 0);
    put(scratch.path, "Large", large, sizeof large);
    (void)snprintf(path, sizeof path, "%s/Pipe", scratch.path);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    (void)snprintf(path, sizeof path, "%s/Folder", scratch.path);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/Link", scratch.path);
    CU_ASSERT_EQUAL(symlink("Here", path), 0);
    CU_ASSERT_EQUAL(load(scratch.path, "Here"), ERR_OK);
    CU_ASSERT_EQUAL(load(scratch.path, "Link"), ERR_OK);
    CU_ASSERT_EQUAL(load(scratch.path, "Empty"), ERR_CORRUPT);
    CU_ASSERT_EQUAL(load(scratch.path, "Large"), ERR_CORRUPT);
    CU_ASSERT_EQUAL(load(scratch.path, "Pipe"), ERR_NOT_FOUND); /* and nobody waits for a writer */
    CU_ASSERT_EQUAL(load(scratch.path, "Folder"), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(load(scratch.path, "Nothing"), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(load(scratch.path, "Here/More"), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(load(scratch.path, "../Here"), ERR_INVALID);
    CU_ASSERT_EQUAL(load("/nowhere", "UTC"), ERR_OK); /* needs no file */
    (void)snprintf(path, sizeof path, "%s/Folder", scratch.path);
    CU_ASSERT_EQUAL(rmdir(path), 0);
    scratch_done(&scratch);
}

static enum err_code parse(void *arg)
{
    const struct span *bytes = arg;
    struct tz *tz = NULL;
    enum err_code rc = tz_parse(*bytes, &tz, NULL);

    tz_free(tz);
    return rc;
}

static void without_memory_nothing_is_half_made(void)
{
    char room[512];
    size_t size = make(room, CET);
    struct span bytes = span_of(room, size);

    CU_ASSERT(starve_each(parse, &bytes) >= 3);
}

UNIT_MAIN("tz",
          {"clocks are set forward and back", clocks_are_set_forward_and_back},
          {"whatever is cut or changed is refused or sound",
           whatever_is_cut_or_changed_is_refused_or_sound},
          {"a rule is strict", a_rule_is_strict},
          {"a file is read within its bounds", a_file_is_read_within_its_bounds},
          {"without memory nothing is half made", without_memory_nothing_is_half_made})
