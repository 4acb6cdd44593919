/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_audit.c: audit list, audit verify.
 * Owns the head file; never believes a hash: audit_chain recomputes it. */
#include "approvald/ctl/audit_chain.h"
#include "approvald/ctl/command.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AUDIT_PAGE       100U
#define AUDIT_HEAD_SIZE  128 /* bytes of a head file: a number, a space, 64 hex digits */
#define AUDIT_SHOW_COUNT 50

static int get_page(struct ctl *ctl,
                    uint64_t from,
                    uint64_t limit,
                    const char *id,
                    const struct client_reply **ret_reply)
{
    AUTO_BUF struct buf *path = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(1024, &path, &err);

    if (rc == ERR_OK) {
        rc =
            buf_append_format(path, &err, "/v1/audit?from=%" PRIu64 "&limit=%" PRIu64, from, limit);
    }
    if (rc == ERR_OK) {
        rc = ctl_query(path, "request", id, &err);
    }
    return rc == ERR_OK ? ctl_get(ctl, buf_text(path), ret_reply) : ctl_fail_err(ctl, &err);
}

int cmd_audit_list(struct ctl *ctl)
{
    static const struct ctl_column columns[] = {
        {"SEQ", "seq"}, {"AT", "at"},           {"ACTION", "action"}, {"ACTOR", "actor"},
        {"VIA", "via"}, {"REQUEST", "request"}, {"DETAIL", "detail"}, {NULL, NULL},
    };
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    uint64_t from = 1;
    uint64_t limit = AUDIT_SHOW_COUNT;
    enum err_code rc = options_number(&ctl->options, OPTION_FROM, UINT64_MAX / 2, &from, &err);
    int code;

    if (rc == ERR_OK) {
        rc = options_number(&ctl->options, OPTION_LIMIT, AUDIT_PAGE, &limit, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = get_page(ctl, from, limit, options_text(&ctl->options, OPTION_ID), &reply);
    return code == CTL_OK ? ctl_print_reply(ctl, reply, "entries", columns, "No entries.") : code;
}

/* "SEQ HASH\n". A head file that is not there yet is an empty one. */
static enum err_code read_head(const char *file, struct audit_chain *chain, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    const char *space;
    enum err_code rc;

    if (access(file, F_OK) != 0) {
        return ERR_OK;
    }
    rc = ctl_read_file(file, AUDIT_HEAD_SIZE, &buf, err);
    if (rc != ERR_OK) {
        return rc;
    }
    space = strchr(buf_text(buf), ' ');
    if (space == NULL ||
        !text_parse_u64(span_of(buf_text(buf), (size_t)(space - buf_text(buf))),
                        &chain->head_seq) ||
        !crypto_unhex(span_of(space + 1, strcspn(space + 1, "\n")), chain->head_hash,
                      sizeof chain->head_hash)) {
        return err_set(err, ERR_INVALID, "%s is not a head file", file);
    }
    return ERR_OK;
}

/* Written beside and renamed, so that a crash leaves the old head or the new one. */
static enum err_code write_head(const char *file, const struct audit_chain *chain, struct err *err)
{
    AUTO_BUF struct buf *beside = NULL;
    char hex[2 * CRYPTO_SHA256_SIZE + 1];
    enum err_code rc = buf_new(4096, &beside, err);
    FILE *stream;
    bool written;

    if (rc == ERR_OK) {
        rc = buf_append_format(beside, err, "%s.new", file);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    crypto_hex(chain->hash, sizeof chain->hash, hex);
    stream = fopen(buf_text(beside), "we");
    if (stream == NULL) {
        return err_set_errno(err, ERR_IO, errno, "%s", buf_text(beside));
    }
    written = fprintf(stream, "%" PRIu64 " %s\n", chain->last, hex) > 0;
    written = fclose(stream) == 0 && written;
    if (!written || rename(buf_text(beside), file) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", file);
    }
    return ERR_OK;
}

static enum err_code add_page(struct audit_chain *chain, const struct json *page, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(json_get(page, "entries")); at != NULL && rc == ERR_OK;
         at = json_next(at)) {
        rc = audit_chain_add(chain, at, err);
    }
    return rc;
}

/* Reads page after page until an empty one. */
static int walk(struct ctl *ctl, uint64_t from, struct audit_chain *chain)
{
    uint64_t before;

    do {
        const struct client_reply *reply = NULL;
        struct err err = ERR_INIT;
        int code = get_page(ctl, from, AUDIT_PAGE, NULL, &reply);

        if (code != CTL_OK) {
            return code;
        }
        ASSERT(reply != NULL);
        before = chain->count;
        if (add_page(chain, reply->json, &err) != ERR_OK) {
            return ctl_fail(ctl, CTL_INTERNAL, &err);
        }
        from = chain->last + 1;
    } while (chain->count > before);
    return CTL_OK;
}

static int report(const struct ctl *ctl, const struct audit_chain *chain)
{
    char hex[2 * CRYPTO_SHA256_SIZE + 1];

    crypto_hex(chain->hash, sizeof chain->hash, hex);
    if (ctl->json) {
        (void)printf("{\"ok\":true,\"entries\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64
                     ",\"hash\":\"%s\"}\n",
                     chain->count, chain->first, chain->last, hex);
    } else if (chain->count == 0) {
        (void)printf("The audit log is empty.\n");
    } else {
        (void)printf("ok: %" PRIu64 " entries, %" PRIu64 " to %" PRIu64 ", newest hash %s\n",
                     chain->count, chain->first, chain->last, hex);
    }
    return CTL_OK;
}

int cmd_audit_verify(struct ctl *ctl)
{
    const char *file = options_text(&ctl->options, OPTION_HEAD_FILE);
    struct audit_chain chain = {0};
    struct err err = ERR_INIT;
    uint64_t from = 1;
    enum err_code rc = file == NULL ? ERR_OK : read_head(file, &chain, &err);
    int code;

    from = chain.head_seq > 0 ? chain.head_seq : from;
    if (rc == ERR_OK) {
        rc = options_number(&ctl->options, OPTION_FROM, UINT64_MAX / 2, &from, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = walk(ctl, from, &chain);
    if (code != CTL_OK) {
        return code;
    }
    rc = audit_chain_end(&chain, &err);
    if (rc == ERR_OK && file != NULL && chain.count > 0) {
        rc = write_head(file, &chain, &err);
    }
    return rc == ERR_OK ? report(ctl, &chain) : ctl_fail(ctl, CTL_INTERNAL, &err);
}
