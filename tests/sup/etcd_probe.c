/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_probe.c: drives arbiter_etcd by lines, for tests/sup/test_etcd.py.
 * Usage: etcd_probe CLUSTER TIMEOUT_MS CA CERTIFICATE KEY ENDPOINT… ("-" for no CA, certificate,
 * key; user and password from ETCD_USER and ETCD_PASSWORD). Lines on standard input:
 *   read
 *   cas REVISION EPOCH PRIMARY NONCE      instead of the value that was told last
 *   both REVISION EPOCH PRIMARY NONCE     a read and a CAS at once
 * Each answer is a line: REQUEST OUTCOME revision=… epoch=… primary=… nonce=… head=… id=… then
 * "# " and the problem. Owns one arbiter. Never decides anything. */
#include "base/crypto.h"
#include "base/text.h"
#include "supervisor/arbiter/arbiter.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe {
    struct event_base *base;
    struct arbiter *arbiter;
    struct register_value told; /* the last value of an answer */
    uint8_t cluster_id[REGISTER_ID_SIZE];
    int waiting;
};

static void on_answer(void *arg, enum arbiter_request request, const struct failover_answer *answer)
{
    static const char *const words[] = {
        [FAILOVER_DONE] = "done",         [FAILOVER_ABSENT] = "absent",
        [FAILOVER_CONFLICT] = "conflict", [FAILOVER_NOT_SENT] = "not-sent",
        [FAILOVER_UNKNOWN] = "unknown",   [FAILOVER_REFUSED] = "refused"};
    struct probe *probe = arg;
    struct arbiter_status status;

    arbiter_status(probe->arbiter, &status);
    printf("%s %s revision=%" PRIu64 " epoch=%" PRIu64 " primary=%u nonce=%" PRIu64 " head=%" PRIu64
           " id=%" PRIu64 " # %s\n",
           request == ARBITER_READ ? "read" : "cas", words[answer->outcome], answer->revision,
           answer->value.epoch, answer->value.primary, answer->value.nonce, answer->revision_head,
           answer->arbiter_id, status.problem);
    if (answer->outcome == FAILOVER_DONE || answer->outcome == FAILOVER_CONFLICT) {
        probe->told = answer->value;
    }
    probe->waiting--;
    if (probe->waiting == 0) {
        (void)event_base_loopbreak(probe->base); /* the loop is running */
    }
}

static const char *or_null(const char *text)
{
    return text != NULL && strcmp(text, "-") == 0 ? NULL : text;
}

/* The number behind the next space. */
static uint64_t next_number(const char **line)
{
    const char *space = strchr(*line, ' ');
    uint64_t number = 0;
    size_t size;

    if (space == NULL) {
        return 0;
    }
    *line = space + 1;
    size = strcspn(*line, " \n");
    return text_parse_u64(span_of(*line, size), &number) ? number : 0;
}

static void cas(struct probe *probe, const char *line)
{
    struct failover_cas swap = {.value.lineage = 1, .before = probe->told};
    struct register_value *value = &swap.value;
    uint64_t primary;

    memcpy(value->cluster_id, probe->cluster_id, REGISTER_ID_SIZE);
    swap.revision = next_number(&line);
    value->epoch = next_number(&line);
    primary = next_number(&line);
    value->nonce = next_number(&line);
    if (primary < 1 || primary > 2) {
        (void)fputs("etcd_probe: bad line\n", stderr);
        exit(2);
    }
    value->primary = (uint8_t)primary;
    value->isr[primary - 1].present = true;
    memset(value->isr[primary - 1].store_id, 0xab, REGISTER_ID_SIZE);
    if (probe->told.epoch == 0) {
        swap.before = *value; /* which is nowhere yet */
    }
    probe->waiting++;
    arbiter_cas(probe->arbiter, &swap);
}

static void run(struct probe *probe, const char *line)
{
    if (strncmp(line, "read", 4) == 0 || strncmp(line, "both", 4) == 0) {
        probe->waiting++;
        arbiter_read(probe->arbiter);
    }
    if (strncmp(line, "cas", 3) == 0 || strncmp(line, "both", 4) == 0) {
        cas(probe, line);
    }
    (void)event_base_dispatch(probe->base); /* ends by loopbreak */
    (void)fflush(stdout);                   /* the reader notices */
}

int main(int argc, char **argv)
{
    struct probe probe = {.base = event_base_new()};
    struct arbiter_etcd_options options = {.base = probe.base, .answer = on_answer, .arg = &probe};
    struct err err = ERR_INIT;
    uint64_t timeout_ms = 0;
    char line[256];

    if (argc < 7 || argc > 9 || !crypto_unhex(span_text(argv[1]), probe.cluster_id, 16) ||
        !text_parse_u64(span_text(argv[2]), &timeout_ms)) {
        (void)fputs("usage: see the file's head\n", stderr);
        return 2;
    }
    memcpy(options.cluster_id, probe.cluster_id, REGISTER_ID_SIZE);
    options.timeout_ms = (uint32_t)timeout_ms;
    options.ca = or_null(argv[3]);
    options.certificate = or_null(argv[4]);
    options.key = or_null(argv[5]);
    options.user = getenv("ETCD_USER");
    options.password = getenv("ETCD_PASSWORD");
    for (int i = 6; i < argc; i++) {
        options.endpoints[options.endpoint_count++] = argv[i];
    }
    if (arbiter_etcd_new(&options, &probe.arbiter, &err) != ERR_OK) {
        (void)fprintf(stderr, "etcd_probe: %s\n", err.message);
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        run(&probe, line);
    }
    arbiter_free(probe.arbiter);
    event_base_free(probe.base);
    return 0;
}
