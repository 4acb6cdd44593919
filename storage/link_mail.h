/* SPDX-License-Identifier: Apache-2.0 */
/* link_mail.h: what the caller's thread and the replication thread have for each other: commands
 * and data to send one way, reports, data received and the status the other. Bounded, copied, under
 * one lock that is held for a few instructions. Nothing here waits. */
#ifndef STORAGE_LINK_MAIL_H
#define STORAGE_LINK_MAIL_H

#include "base/err.h"
#include "base/span.h"
#include "storage/limits.h"
#include "storage/link_buf.h"
#include "storage/pair.h"
#include "storage/replica.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_mail {
    pthread_mutex_t lock;
    struct replica_event commands[LINK_COMMAND_COUNT_MAX];
    size_t command_first;
    size_t command_count;
    struct replica_report reports[LINK_REPORT_COUNT_MAX];
    size_t report_first;
    size_t report_count;
    struct link_buf data_out; /* pieces: u32 size, bytes */
    struct link_buf data_in;
    bool up;      /* a link that takes data */
    bool waiting; /* the link's thread waits for room in what the caller has to take */
    bool stop;
    struct storage_pair_status status;
};

enum err_code link_mail_init(struct link_mail *mail, struct err *err) WARN_UNUSED;
/* Also after a link_mail_init that failed. */
void link_mail_done(struct link_mail *mail);

/* The caller's thread. A command is never lost: more of them at once than fit would be a caller
 * that does not wait for reports (asserted). */
void link_mail_command(struct link_mail *mail, const struct replica_event *command);
/* ERR_UNAVAILABLE: no link; ERR_FULL. */
enum err_code link_mail_send(struct link_mail *mail, struct span data, struct err *err) WARN_UNUSED;
void link_mail_stop(struct link_mail *mail);
/* The oldest report; false: none. Sets *ret_waiting when the other thread has waited for this, and
 * never clears it: it is asked when all has been taken. */
bool link_mail_take_report(struct link_mail *mail,
                           struct replica_report *ret_report,
                           bool *ret_waiting) WARN_UNUSED;
/* The oldest piece of data into room, which has MESSAGE_DATA_SIZE_MAX bytes. */
bool link_mail_take_data(struct link_mail *mail, uint8_t *room, size_t *ret_size, bool *ret_waiting)
    WARN_UNUSED;
void link_mail_status(struct link_mail *mail, struct storage_pair_status *ret_status);

/* The replication thread. */
bool link_mail_stopped(struct link_mail *mail);
bool link_mail_take_command(struct link_mail *mail, struct replica_event *ret_command) WARN_UNUSED;
/* The oldest piece of data to send, as link_mail_take_data. */
bool link_mail_take_sent(struct link_mail *mail, uint8_t *room, size_t *ret_size) WARN_UNUSED;
/* Data is taken only while the link is up; when it goes down, what waits is dropped. */
void link_mail_set_up(struct link_mail *mail, bool up);
/* A step may be made whose reports (and data) will fit; else remembers that somebody waits. */
bool link_mail_has_room(struct link_mail *mail, bool data);
/* LINK replaces a LINK that is the newest one, unless the link went up or down in between (for
 * which a frame was handled, and so there was room). There is room (asserted). */
void link_mail_report(struct link_mail *mail, const struct replica_report *report);
void link_mail_receive(struct link_mail *mail, struct span data);
/* Counts the turn. */
void link_mail_publish(struct link_mail *mail, const struct storage_pair_status *status);

#endif
