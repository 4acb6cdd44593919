/* SPDX-License-Identifier: Apache-2.0 */
/* unit.h: the main of every unit test program: UNIT_MAIN(suite, {"sentence", function}, …).
 * Case names are the sentences that they prove. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>

static inline int unit_run(const char *suite, const CU_TestInfo *tests)
{
    CU_pSuite registered;
    unsigned int failures;

    if (CU_initialize_registry() != CUE_SUCCESS) {
        return EXIT_FAILURE;
    }
    registered = CU_add_suite(suite, NULL, NULL);
    for (; registered != NULL && tests->pName != NULL; tests++) {
        if (CU_add_test(registered, tests->pName, tests->pTestFunc) == NULL) {
            registered = NULL;
        }
    }
    if (registered == NULL) {
        CU_cleanup_registry();
        return EXIT_FAILURE;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    (void)CU_basic_run_tests(); /* the count of failures says it all */
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(suite, ...)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        static const CU_TestInfo tests[] = {__VA_ARGS__, CU_TEST_INFO_NULL};                       \
                                                                                                   \
        return unit_run(suite, tests);                                                             \
    }

#endif
