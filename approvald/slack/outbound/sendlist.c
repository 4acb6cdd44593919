/* SPDX-License-Identifier: Apache-2.0 */
/* sendlist.c: which owed rows are shown to the plan, and when.
 * Owns what has changed and how far the scan has come.
 * Never sends anything and never chooses: the plan keeps what is urgent (sendplan). */
#include "approvald/slack/outbound/sendlist.h"

#include "approvald/core/request_id.h"
#include "approvald/slack/outbound/sendplan.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static uint64_t boot_ms(const struct sendlist *list)
{
    return clock_boot_ms(list->options.clock);
}

static uint64_t wall_ms(const struct sendlist *list)
{
    return clock_wall_ms(list->options.clock);
}

void sendlist_init(struct sendlist *list, const struct sendlist_options *options)
{
    memset(list, 0, sizeof *list);
    list->options = *options;
}

/* Too many: everything will be scanned. */
void sendlist_mark(struct sendlist *list, const struct request_id *id)
{
    for (uint32_t i = 0; i < list->dirty_count; i++) {
        if (request_id_equal(&list->dirty[i], id)) {
            return;
        }
    }
    if (list->dirty_count == SLACK_SEND_DIRTY_COUNT_MAX) {
        list->scan_wanted = true;
        return;
    }
    list->dirty[list->dirty_count++] = *id;
}

void sendlist_hurry(struct sendlist *list)
{
    list->look_ms = 0;
}

void sendlist_scan(struct sendlist *list)
{
    list->scan_wanted = true;
}

/* Rows of a surface that nobody can send would only fill the plan. */
static bool is_sendable(const struct sendlist *list, const struct outbox_row *row)
{
    if (row->surface == SURFACE_PEOPLE) {
        return list->options.slack && list->options.people;
    }
    return row->surface == SURFACE_WEBHOOK ? list->options.webhook : list->options.slack;
}

static void put_row(struct sendlist *list, const struct outbox_row *row, bool ended)
{
    if (is_sendable(list, row) && !sendplan_put(list->options.plan, row, ended, wall_ms(list))) {
        list->overflow = true;
    }
}

static void
put_look(struct sendlist *list, const struct service_look *look, const struct outbox_row *rows)
{
    struct sendplan *plan = list->options.plan;

    sendplan_list_begin(plan, &look->request);
    for (size_t i = 0; i < look->row_count; i++) {
        put_row(list, &rows[i], look->ended);
    }
    sendplan_list_end(plan, &look->request, wall_ms(list));
}

/* Those that were not shown are asked for again. */
static void take_looks(struct sendlist *list, enum err_code rc, const struct service_looks *found)
{
    const struct outbox_row *rows = found->rows;

    for (size_t i = 0; i < found->count; i++) {
        put_look(list, &found->looks[i], rows);
        rows += found->looks[i].row_count;
    }
    for (uint32_t i = (uint32_t)found->count; i < list->looked_count; i++) {
        sendlist_mark(list, &list->looked[i]);
        list->look_ms = 0;
    }
    if (rc != ERR_OK) {
        list->list_ms = boot_ms(list) + SLACK_SEND_LOCAL_MS;
    }
}

/* The plan has enough at hand for a while. */
static bool lasts(const struct sendlist *list)
{
    return list->options.plan->count >= SLACK_SEND_ROW_COUNT_MAX / 2;
}

/* When the next page is due. A scan looks for what is more urgent than what is at hand; while much
 * is at hand it takes its time, as its pages would stand in front of presses all day when the
 * backlog is long. */
static uint64_t page_due_ms(const struct sendlist *list)
{
    return lasts(list) ? list->page_ms : 0;
}

static void take_page(struct sendlist *list, enum err_code rc, const struct service_rows *found)
{
    if (rc != ERR_OK) {
        list->scanning = false;
        list->scan_wanted = true;
        list->list_ms = boot_ms(list) + SLACK_SEND_LOCAL_MS;
        return;
    }
    for (size_t i = 0; i < found->count; i++) {
        put_row(list, &found->rows[i], found->ended[i]);
    }
    list->page_ms = boot_ms(list) + SLACK_SEND_PACE_MS;
    list->scanning = found->more && found->count > 0;
    if (list->scanning) {
        const struct outbox_row *last = &found->rows[found->count - 1];

        list->scan_on = true;
        list->after = (struct service_row_key){.request = last->request, .surface = last->surface};
        (void)snprintf(list->after.target, sizeof list->after.target, "%.*s",
                       SPAN_ARGS(last->target)); /* fits: the store bounds it so */
    }
}

static void end_list(struct sendlist *list, enum err_code rc, const struct err *err)
{
    ASSERT(list->listing);
    list->listing = false;
    if (rc != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, "slack", "outbox_list_failed", err);
    }
    list->options.listed(list->options.arg);
}

static void
on_scanned(void *arg, enum err_code rc, const struct err *err, const struct service_rows *found)
{
    struct sendlist *list = arg;

    take_page(list, rc, found);
    end_list(list, rc, err);
}

static void
on_looked(void *arg, enum err_code rc, const struct err *err, const struct service_looks *found)
{
    struct sendlist *list = arg;

    take_looks(list, rc, found);
    end_list(list, rc, err);
}

static void scan(struct sendlist *list)
{
    struct err err = ERR_INIT;
    enum err_code rc =
        service_outbox_list(list->options.service, list->scan_on ? &list->after : NULL, NULL, false,
                            SLACK_SEND_PAGE_COUNT, on_scanned, list, &err);

    list->listing = rc == ERR_OK;
    if (rc != ERR_OK) {
        take_page(list, rc, NULL);
    }
}

/* The oldest of what has changed, in one question. */
static void look(struct sendlist *list)
{
    uint32_t count =
        list->dirty_count < SERVICE_LOOK_COUNT_MAX ? list->dirty_count : SERVICE_LOOK_COUNT_MAX;
    struct err err = ERR_INIT;
    enum err_code rc;

    memcpy(list->looked, list->dirty, count * sizeof list->dirty[0]);
    list->looked_count = count;
    list->dirty_count -= count;
    memmove(list->dirty, list->dirty + count, list->dirty_count * sizeof list->dirty[0]);
    rc = service_outbox_look(list->options.service, list->looked, count, on_looked, list, &err);
    list->listing = rc == ERR_OK;
    if (rc != ERR_OK) {
        take_looks(list, rc, &(struct service_looks){.count = 0});
    }
}

static void begin_scan(struct sendlist *list, uint64_t now_ms)
{
    list->scanning = true;
    list->scan_on = false;
    list->scan_wanted = false;
    list->overflow = false;
    list->scan_ms = now_ms + SLACK_SEND_SCAN_MS;
}

void sendlist_next(struct sendlist *list)
{
    uint64_t now_ms = boot_ms(list);
    bool drained = list->overflow && !lasts(list);

    if (list->listing || now_ms < list->list_ms) {
        return;
    }
    if (list->dirty_count > 0 && now_ms >= list->look_ms) {
        look(list);
        list->look_ms = list->dirty_count == 0 ? now_ms + SLACK_SEND_GATHER_MS : 0;
        return;
    }
    if (!list->scanning && (list->scan_wanted || drained || now_ms >= list->scan_ms)) {
        begin_scan(list, now_ms);
    }
    if (list->scanning && now_ms >= page_due_ms(list)) {
        scan(list);
    }
}

uint64_t sendlist_due_ms(const struct sendlist *list)
{
    uint64_t due_ms = list->scan_ms;

    if (list->listing) {
        return UINT64_MAX;
    }
    if (list->scanning || list->scan_wanted) {
        due_ms = page_due_ms(list);
    }
    if (list->dirty_count > 0 && list->look_ms < due_ms) {
        due_ms = list->look_ms;
    }
    return due_ms > list->list_ms ? due_ms : list->list_ms;
}

uint64_t sendlist_look_ms(const struct sendlist *list)
{
    return list->look_ms;
}

bool sendlist_is_clean(const struct sendlist *list)
{
    return !list->listing && list->dirty_count == 0;
}

bool sendlist_is_busy(const struct sendlist *list)
{
    return list->listing;
}
