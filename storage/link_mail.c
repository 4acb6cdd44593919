/* SPDX-License-Identifier: Apache-2.0 */
/* link_mail.c: the hand-over between the caller's thread and the replication thread.
 * Owns two rings, two byte queues and the lock around them.
 * Never calls anybody with the lock held, never loses a command or a report. */
#include "storage/link_mail.h"

#include "base/assert.h"
#include "storage/message.h"

#include <string.h>

#define PIECE_HEADER_SIZE sizeof(uint32_t)

static void lock(struct link_mail *mail)
{
    int failed = pthread_mutex_lock(&mail->lock);

    ASSERT(failed == 0);
}

static void unlock(struct link_mail *mail)
{
    int failed = pthread_mutex_unlock(&mail->lock);

    ASSERT(failed == 0);
}

enum err_code link_mail_init(struct link_mail *mail, struct err *err)
{
    enum err_code rc;

    memset(mail, 0, sizeof *mail);
    (void)pthread_mutex_init(&mail->lock, NULL); /* cannot fail with these arguments on Linux */
    rc = link_buf_init(&mail->data_out, LINK_DATA_SIZE, err);
    if (rc == ERR_OK) {
        rc = link_buf_init(&mail->data_in, LINK_DATA_SIZE, err);
    }
    return rc;
}

void link_mail_done(struct link_mail *mail)
{
    link_buf_done(&mail->data_out);
    link_buf_done(&mail->data_in);
    (void)pthread_mutex_destroy(&mail->lock); /* nobody holds it */
}

void link_mail_command(struct link_mail *mail, const struct replica_event *command)
{
    size_t last;

    lock(mail);
    last = (mail->command_first + mail->command_count - 1) % LINK_COMMAND_COUNT_MAX;
    if (mail->command_count > 0 && command->type == REPLICA_EVENT_REGISTER &&
        mail->commands[last].type == REPLICA_EVENT_REGISTER) {
        mail->commands[last] = *command; /* the register says only what it says last */
    } else {
        ASSERT(mail->command_count < LINK_COMMAND_COUNT_MAX);
        mail->command_count++;
        mail->commands[(last + 1) % LINK_COMMAND_COUNT_MAX] = *command;
    }
    unlock(mail);
}

bool link_mail_take_command(struct link_mail *mail, struct replica_event *ret_command)
{
    bool due;

    lock(mail);
    due = mail->command_count > 0;
    if (due) {
        *ret_command = mail->commands[mail->command_first];
        mail->command_first = (mail->command_first + 1) % LINK_COMMAND_COUNT_MAX;
        mail->command_count--;
    }
    unlock(mail);
    return due;
}

static bool fits_piece(const struct link_buf *buf, size_t size)
{
    return link_buf_room(buf) >= PIECE_HEADER_SIZE + size;
}

static void put_piece(struct link_buf *buf, struct span data)
{
    uint32_t size = (uint32_t)data.size;
    uint8_t *at = link_buf_extend(buf, PIECE_HEADER_SIZE + data.size);

    ASSERT(data.size <= MESSAGE_DATA_SIZE_MAX);
    memcpy(at, &size, PIECE_HEADER_SIZE);
    if (size > 0) {
        memcpy(at + PIECE_HEADER_SIZE, data.data, data.size);
    }
}

static bool take_piece(struct link_buf *buf, uint8_t *room, size_t *ret_size)
{
    struct span bytes = link_buf_span(buf);
    uint32_t size;

    if (bytes.size == 0) {
        return false;
    }
    ASSERT(bytes.size >= PIECE_HEADER_SIZE);
    memcpy(&size, bytes.data, PIECE_HEADER_SIZE);
    ASSERT(size <= MESSAGE_DATA_SIZE_MAX && bytes.size >= PIECE_HEADER_SIZE + size);
    memcpy(room, bytes.data + PIECE_HEADER_SIZE, size);
    link_buf_consume(buf, PIECE_HEADER_SIZE + size);
    *ret_size = size;
    return true;
}

enum err_code link_mail_send(struct link_mail *mail, struct span data, struct err *err)
{
    enum err_code rc = ERR_OK;

    ASSERT(data.size <= MESSAGE_DATA_SIZE_MAX);
    lock(mail);
    if (!mail->up) {
        rc = err_set(err, ERR_UNAVAILABLE, "the other host is not connected");
    } else if (!fits_piece(&mail->data_out, data.size)) {
        rc = err_set(err, ERR_FULL, "%lu bytes wait for the link", LINK_DATA_SIZE);
    } else {
        put_piece(&mail->data_out, data);
    }
    unlock(mail);
    return rc;
}

bool link_mail_take_sent(struct link_mail *mail, uint8_t *room, size_t *ret_size)
{
    bool due;

    lock(mail);
    due = take_piece(&mail->data_out, room, ret_size);
    unlock(mail);
    return due;
}

void link_mail_set_up(struct link_mail *mail, bool up)
{
    lock(mail);
    mail->up = up;
    if (!up) {
        link_buf_clear(&mail->data_out);
    }
    unlock(mail);
}

void link_mail_stop(struct link_mail *mail)
{
    lock(mail);
    mail->stop = true;
    unlock(mail);
}

bool link_mail_stopped(struct link_mail *mail)
{
    bool stop;

    lock(mail);
    stop = mail->stop;
    unlock(mail);
    return stop;
}

bool link_mail_has_room(struct link_mail *mail, bool data)
{
    bool room;

    lock(mail);
    room = LINK_REPORT_COUNT_MAX - mail->report_count >= 2UL * REPLICA_EFFECT_COUNT_MAX &&
           (!data || fits_piece(&mail->data_in, MESSAGE_DATA_SIZE_MAX));
    mail->waiting = !room;
    unlock(mail);
    return room;
}

/* The newest report says all that this one replaces. A link that went down and came up again is
 * another one: who had something under way on it must see both. */
static bool is_newer(const struct replica_report *report, const struct replica_report *last)
{
    return report->type == REPLICA_REPORT_LINK && last->type == REPLICA_REPORT_LINK &&
           report->u.link.up == last->u.link.up;
}

void link_mail_report(struct link_mail *mail, const struct replica_report *report)
{
    size_t last;

    lock(mail);
    last = (mail->report_first + mail->report_count - 1) % LINK_REPORT_COUNT_MAX;
    if (mail->report_count > 0 && is_newer(report, &mail->reports[last])) {
        mail->reports[last] = *report;
    } else {
        ASSERT(mail->report_count < LINK_REPORT_COUNT_MAX);
        mail->report_count++;
        mail->reports[(last + 1) % LINK_REPORT_COUNT_MAX] = *report;
    }
    unlock(mail);
}

void link_mail_receive(struct link_mail *mail, struct span data)
{
    lock(mail);
    put_piece(&mail->data_in, data);
    unlock(mail);
}

bool link_mail_take_report(struct link_mail *mail,
                           struct replica_report *ret_report,
                           bool *ret_waiting)
{
    bool due;

    lock(mail);
    due = mail->report_count > 0;
    if (due) {
        *ret_report = mail->reports[mail->report_first];
        mail->report_first = (mail->report_first + 1) % LINK_REPORT_COUNT_MAX;
        mail->report_count--;
        *ret_waiting = *ret_waiting || mail->waiting;
    }
    unlock(mail);
    return due;
}

bool link_mail_take_data(struct link_mail *mail, uint8_t *room, size_t *ret_size, bool *ret_waiting)
{
    bool due;

    lock(mail);
    due = take_piece(&mail->data_in, room, ret_size);
    *ret_waiting = *ret_waiting || (due && mail->waiting);
    unlock(mail);
    return due;
}

void link_mail_publish(struct link_mail *mail, const struct storage_pair_status *status)
{
    uint64_t turn_count;

    lock(mail);
    turn_count = mail->status.turn_count + 1;
    mail->status = *status;
    mail->status.turn_count = turn_count;
    unlock(mail);
}

void link_mail_status(struct link_mail *mail, struct storage_pair_status *ret_status)
{
    lock(mail);
    *ret_status = mail->status;
    unlock(mail);
}
