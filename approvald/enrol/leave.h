/* SPDX-License-Identifier: Apache-2.0 */
/* leave.h: the way of a host out of its pair, step by step, each of which may be the last one
 * before a crash. What is under way is written down in the folder of the pair ("leaving") before
 * anything is done; as long as that file is there, the supervisor's unit does not start, so nobody
 * is answered by half of it, and leave_run goes on where the former one ended:
 *
 *   1 the services are stopped          what was accepted is answered
 *   2 DATA.alone-TIME is made           the store of a single host, out of the stopped one
 *   3 DATA becomes DATA.of-pair-TIME    from here on there is no way back
 *   4 DATA.alone-TIME becomes DATA
 *   5 configurations, keys and the plan are removed, "leaving" last
 *   6 the service is started
 *
 * Blocks. */
#ifndef APPROVALD_ENROL_LEAVE_H
#define APPROVALD_ENROL_LEAVE_H

#include "approvald/enrol/aside.h"

#include <stdbool.h>

struct leave {
    struct aside_place place; /* data "": there is no store */
    uint64_t begun_s;         /* names what is kept */
    bool empty;               /* a new, empty store is wanted (--force) */
};

/* Is one under way, begun and not ended? */
bool leave_is_begun(const struct home *home);
/* Keeps others out, until *ret_file is closed or the process ends. ERR_BUSY: another one is at it.
 */
enum err_code leave_lock(const struct home *home, int *ret_file, struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND: none is. */
enum err_code
leave_load(const struct home *home, struct leave *ret_leave, struct err *err) WARN_UNUSED;
/* Writes down what is to be done. Of a host itself, not below another root. */
enum err_code leave_begin(const struct home *home,
                          const struct aside_place *place,
                          uint64_t now_s,
                          bool empty,
                          struct leave *ret_leave,
                          struct err *err) WARN_UNUSED;
/* Steps 1 to 5. *ret_kept: where the store of the pair is, "": there was none. After an error
 * before step 3 all is as before, the service runs and nothing is under way (leave_is_begun); after
 * it, repeat. */
enum err_code leave_run(const struct home *home,
                        const struct leave *leave,
                        char ret_kept[ENROL_PATH_SIZE],
                        struct err *err) WARN_UNUSED;
/* Step 6; of one that was cut behind step 5 too. */
enum err_code leave_start(const struct home *home, struct err *err) WARN_UNUSED;

#endif
