/* SPDX-License-Identifier: Apache-2.0 */
/* crash_internal.h: what the crash files share. For crash*.c only. */
#ifndef BASE_CRASH_INTERNAL_H
#define BASE_CRASH_INTERNAL_H

/* Where the next report goes besides standard error; stays open as long as the process. */
void crash_set_fd(int fd);

#endif
