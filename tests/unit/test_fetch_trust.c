/* SPDX-License-Identifier: Apache-2.0 */
/* test_fetch_trust.c: proves base/fetch_trust: the directory stands for the file only where no
 * authority is lost by it. Owns a scratch directory; never reads the system's own. */
#include "base/fetch_trust.h"
#include "base/limits.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define BEGIN "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

static struct scratch scratch; /* of the case that runs */
static char file[256];

static void set_up(void)
{
    scratch_init(&scratch);
    scratch_file(&scratch, "bundle.crt", file);
}

static bool is_enough(void)
{
    return fetch_trust_by_hash(file, scratch.path);
}

static void a_directory_with_all_of_them_is_enough(void)
{
    set_up();
    scratch_write(&scratch, "bundle.crt", "# two\n" BEGIN "\n" BEGIN);
    scratch_write(&scratch, "0a1b2c3d.0", "");
    CU_ASSERT(!is_enough());
    scratch_write(&scratch, "0a1b2c3d.1", "");
    CU_ASSERT(is_enough());
    scratch_write(&scratch, "ffffffff.10", "");
    CU_ASSERT(is_enough());
    scratch_done(&scratch);
}

static void what_was_added_to_the_file_alone_is_not_lost(void)
{
    set_up();
    scratch_write(&scratch, "0a1b2c3d.0", "");
    scratch_write(&scratch, "bundle.crt", BEGIN);
    CU_ASSERT(is_enough());
    scratch_write(&scratch, "bundle.crt", BEGIN "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n");
    CU_ASSERT(!is_enough());
    scratch_done(&scratch);
}

static void other_names_are_no_certificates(void)
{
    static const char *const names[] = {"0a1b2c3d",    "0a1b2c3d.",   "0a1b2c3d.r0",
                                        "0a1b2c3d.0x", "0a1b2c3.0",   "0a1b2c3d4.0",
                                        "0A1B2C3D.0",  "some-ca.pem", "0a1b2c3d.-1"};

    set_up();
    scratch_write(&scratch, "bundle.crt", BEGIN);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        scratch_write(&scratch, names[i], BEGIN);
        CU_ASSERT(!is_enough());
    }
    scratch_done(&scratch);
}

static void what_is_not_there_decides_nothing(void)
{
    set_up();
    CU_ASSERT(!is_enough()); /* neither has one: curl says what is missing */
    CU_ASSERT(!fetch_trust_by_hash(NULL, NULL));
    scratch_write(&scratch, "bundle.crt", BEGIN);
    CU_ASSERT(!fetch_trust_by_hash(file, NULL));
    CU_ASSERT(!fetch_trust_by_hash(file, "/nonexistent/certs"));
    scratch_write(&scratch, "0a1b2c3d.0", "");
    CU_ASSERT(fetch_trust_by_hash(NULL, scratch.path));
    CU_ASSERT(fetch_trust_by_hash("/nonexistent/bundle.crt", scratch.path));
    CU_ASSERT(!fetch_trust_by_hash(scratch.path, scratch.path)); /* cannot be read */
    scratch_done(&scratch);
}

static void too_many_are_not_counted(void)
{
    char path[256];
    FILE *out;

    set_up();
    scratch_file(&scratch, "bundle.crt", path);
    scratch_write(&scratch, "0a1b2c3d.0", "");
    out = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    for (size_t i = 0; i <= FETCH_TRUST_COUNT_MAX; i++) {
        CU_ASSERT(fputs(BEGIN, out) >= 0);
    }
    CU_ASSERT_EQUAL(fclose(out), 0);
    CU_ASSERT(!is_enough());
    scratch_done(&scratch);
}

UNIT_MAIN("fetch_trust",
          {"a directory with all of them is enough", a_directory_with_all_of_them_is_enough},
          {"what was added to the file alone is not lost",
           what_was_added_to_the_file_alone_is_not_lost},
          {"other names are no certificates", other_names_are_no_certificates},
          {"what is not there decides nothing", what_is_not_there_decides_nothing},
          {"too many are not counted", too_many_are_not_counted})
