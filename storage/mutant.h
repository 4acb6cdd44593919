/* SPDX-License-Identifier: Apache-2.0 */
/* mutant.h: rules that can be switched off on purpose, to prove that the tests notice. A program
 * built with -DMUTANT_<name> breaks that one rule; all others, and every build for users,
 * keep every rule. */
#ifndef STORAGE_MUTANT_H
#define STORAGE_MUTANT_H

/* 1 when MUTANT_<name> is defined (as 1, or as nothing), else 0. */
#define MUTANT_PICK(ignored, value, ...) value
#define MUTANT_TEST(...)                 MUTANT_PICK(__VA_ARGS__, 0, 0)
#define MUTANT_COMMA_                    ~, 1
#define MUTANT_COMMA_1                   ~, 1
#define MUTANT_GLUE(token)               MUTANT_TEST(MUTANT_COMMA_##token, 0)
#define MUTANT_EXPAND(token)             MUTANT_GLUE(token)
#define MUTANT(name)                     MUTANT_EXPAND(MUTANT_##name)

#endif
