/* SPDX-License-Identifier: Apache-2.0 */
/* hung_disk.h: fdatasync of a test program, which hangs or fails as the test wants. */
#ifndef TESTS_UNIT_HUNG_DISK_H
#define TESTS_UNIT_HUNG_DISK_H

#include <stdbool.h>

/* From now on a sync waits while the disk hangs; then it fails with the number, unless it is 0. */
void disk_set(bool hangs, int failure);
/* Until that many syncs have begun since disk_set. */
void disk_await(unsigned count);
/* How many have begun since. */
unsigned disk_syncs(void);

#endif
