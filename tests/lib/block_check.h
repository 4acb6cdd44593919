/* SPDX-License-Identifier: Apache-2.0 */
/* block_check.h: does a message of ours keep Slack's limits, and is nothing in it forged? Written
 * apart from the code under test: it reads the JSON that would be sent. */
#ifndef TESTS_LIB_BLOCK_CHECK_H
#define TESTS_LIB_BLOCK_CHECK_H

#include "base/span.h"

#include <stdbool.h>

struct json;

/* NULL when all is well, else what is wrong (static text). */
const char *block_check(const struct json *message);
/* One text of mrkdwn: only tokens of ours between < and >, only the three entities, no control or
 * bidi characters, at most count_max code points, at least one. */
const char *block_check_mrkdwn(struct span text, size_t count_max);

#endif
