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

static struct replica_report link_report(bool up, bool in_sync)
{
    struct replica_report report = {.type = REPLICA_REPORT_LINK};

    report.u.link.up = up;
    report.u.link.in_sync = in_sync;
    return report;
}

static void a_link_that_went_down_in_between_is_seen(void)
{
    const bool said[][2] = {
        {true, false}, {true, true}, {false, false}, {true, false}, {true, true}};
    const bool seen[][2] = {{true, true}, {false, false}, {true, true}};
    struct replica_report report;
    struct link_mail mail;
    bool waiting = false;

    init(&mail);
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        report = link_report(said[i][0], said[i][1]);
        link_mail_report(&mail, &report);
    }
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        CU_ASSERT(link_mail_take_report(&mail, &report, &waiting));
        CU_ASSERT_EQUAL(report.u.link.up, seen[i][0]);
        CU_ASSERT_EQUAL(report.u.link.in_sync, seen[i][1]);
    }
    CU_ASSERT_FALSE(link_mail_take_report(&mail, &report, &waiting));
    link_mail_done(&mail);
}

UNIT_MAIN("link_mail",
          {"a link that went down in between is seen", a_link_that_went_down_in_between_is_seen},
          {"who waits is known when all is taken", who_waits_is_known_when_all_is_taken},
          {"taking data does not forget who waits for reports",
           taking_data_does_not_forget_who_waits_for_reports})
