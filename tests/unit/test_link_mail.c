/* SPDX-License-Identifier: Apache-2.0 */
/* test_link_mail.c: proves storage/link_mail: what the two threads have for each other, and who is
 * to be woken.
 * Owns nothing but its cases; one thread plays both. Never waits. */
#include "storage/link_mail.h"
#include "storage/message.h"
#include "tests/unit/unit.h"

#include <string.h>

static uint8_t room[MESSAGE_DATA_SIZE_MAX];

static void init(struct link_mail *mail)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(link_mail_init(mail, &err), ERR_OK);
}

/* Until the replication thread has to wait. */
static void fill(struct link_mail *mail)
{
    while (link_mail_has_room(mail, true)) {
        link_mail_receive(mail, span_of(room, sizeof room));
    }
}

static void who_waits_is_known_when_all_is_taken(void)
{
    struct link_mail mail;
    bool waiting = false;
    size_t size = 0;
    int count = 0;

    init(&mail);
    fill(&mail);
    while (link_mail_take_data(&mail, room, &size, &waiting)) {
        count++;
    }
    CU_ASSERT(count > 1);
    CU_ASSERT(waiting);
    link_mail_done(&mail);
}

static void taking_data_does_not_forget_who_waits_for_reports(void)
{
    struct replica_report report = {.type = REPLICA_REPORT_SEALED};
    struct link_mail mail;
    bool waiting = false;
    size_t size = 0;

    init(&mail);
    while (link_mail_has_room(&mail, false)) {
        link_mail_report(&mail, &report);
    }
    CU_ASSERT(link_mail_take_report(&mail, &report, &waiting));
    CU_ASSERT(waiting);
    CU_ASSERT_FALSE(link_mail_take_data(&mail, room, &size, &waiting));
    CU_ASSERT(waiting);
    link_mail_done(&mail);
}

UNIT_MAIN("link_mail",
          {"who waits is known when all is taken", who_waits_is_known_when_all_is_taken},
          {"taking data does not forget who waits for reports",
           taking_data_does_not_forget_who_waits_for_reports})
