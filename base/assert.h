/* SPDX-License-Identifier: Apache-2.0 */
/* assert.h: programmer errors stop the process. Always compiled in: a crash costs availability,
 * never correctness. Never assert on bytes from a socket, a disk or a user. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

__attribute__((noreturn, cold)) static inline void
assert_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "assertion failed: %s (%s:%d)\n", expression, file, line);
    abort();
}

/* An expression, so that an assertion adds no level of nesting. */
#define ASSERT(expression)                                                                         \
    (__builtin_expect(!(expression), 0) ? assert_failed(#expression, __FILE__, __LINE__) : (void)0)

#endif
