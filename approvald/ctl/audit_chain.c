/* SPDX-License-Identifier: Apache-2.0 */
/* audit_chain.c: recomputes the hash chain of the audit log.
 * Owns the comparison of what is shown with what is hashed; never trusts a hash that it was shown,
 * never reads a file or a socket. */
#include "approvald/ctl/audit_chain.h"

#include "approvald/core/audit.h"
#include "approvald/core/request_id.h"
#include "base/assert.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>

#define AUDIT_BYTES_MAX ((size_t)64 << 10) /* of one entry: its texts are far shorter */

/* The hex text at name into memory of the caller (mem_free). */
static enum err_code take_hex(const struct json *entry,
                              const char *name,
                              uint8_t **ret_bytes,
                              size_t *ret_size,
                              struct err *err)
{
    struct span text = json_text(entry, name);
    uint8_t *bytes;

    if (text.size == 0 || text.size % 2 != 0 || text.size > 2 * AUDIT_BYTES_MAX) {
        return err_set(err, ERR_PROTOCOL, "no %s in hex", name);
    }
    bytes = mem_new(text.size / 2, 1);
    if (bytes == NULL) {
        return err_set(err, ERR_NOMEM, "audit entry");
    }
    if (!crypto_unhex(text, bytes, text.size / 2)) {
        mem_free(bytes);
        return err_set(err, ERR_PROTOCOL, "%s is not hex", name);
    }
    *ret_bytes = bytes;
    *ret_size = text.size / 2;
    return ERR_OK;
}

static enum err_code take_hash(const struct json *entry,
                               const char *name,
                               uint8_t ret_hash[CRYPTO_SHA256_SIZE],
                               struct err *err)
{
    return crypto_unhex(json_text(entry, name), ret_hash, CRYPTO_SHA256_SIZE)
               ? ERR_OK
               : err_set(err, ERR_PROTOCOL, "no %s of 64 hex digits", name);
}

/* The fields shown are those that were hashed. */
static enum err_code
compare_fields(const struct json *shown, const struct audit_entry *hashed, struct err *err)
{
    char at[TEXT_TIME_SIZE];
    char id[REQUEST_ID_TEXT_SIZE] = "";
    const struct {
        const char *name;
        const char *text; /* NULL: span */
        struct span span;
    } fields[] = {
        {"action", NULL, hashed->action},
        {"actor", NULL, hashed->actor},
        {"via", NULL, hashed->via},
        {"detail", NULL, hashed->detail},
        {"at", at, SPAN_NONE},
        {"request", id, SPAN_NONE},
    };
    uint64_t seq = 0;

    text_format_time(hashed->at_ms, at);
    if (hashed->has_id) {
        request_id_format(&hashed->id, id);
    }
    if (!json_u64(shown, "seq", &seq) || seq != hashed->seq) {
        return err_set(err, ERR_CORRUPT, "the number shown is not the one hashed");
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct span text = fields[i].text == NULL ? fields[i].span : span_text(fields[i].text);

        if (!span_equal(json_text(shown, fields[i].name), text)) {
            return err_set(err, ERR_CORRUPT, "the %s shown is not the one hashed", fields[i].name);
        }
    }
    return ERR_OK;
}

/* The link to the entry before, and to what an earlier run remembered. */
static enum err_code check_link(struct audit_chain *chain,
                                const struct audit_entry *entry,
                                const uint8_t previous[CRYPTO_SHA256_SIZE],
                                struct err *err)
{
    static const uint8_t zeros[CRYPTO_SHA256_SIZE];

    if (chain->count > 0 && entry->seq != chain->last + 1) {
        return err_set(err, ERR_CORRUPT, "entry %llu is missing",
                       (unsigned long long)chain->last + 1);
    }
    if (chain->count > 0 && memcmp(previous, chain->hash, CRYPTO_SHA256_SIZE) != 0) {
        return err_set(err, ERR_CORRUPT, "it does not follow from the entry before");
    }
    if (entry->seq == 1 && memcmp(previous, zeros, sizeof zeros) != 0) {
        return err_set(err, ERR_CORRUPT, "the first entry does not begin the chain");
    }
    return ERR_OK;
}

static enum err_code check_head(struct audit_chain *chain, uint64_t seq, struct err *err)
{
    if (chain->head_seq == 0 || seq != chain->head_seq) {
        return ERR_OK;
    }
    chain->head_seen = true;
    return memcmp(chain->hash, chain->head_hash, CRYPTO_SHA256_SIZE) == 0
               ? ERR_OK
               : err_set(err, ERR_CORRUPT, "it was another one in the run before: history changed");
}

static enum err_code
check_entry(struct audit_chain *chain, const struct json *shown, struct span bytes, struct err *err)
{
    struct audit_entry entry;
    uint8_t previous[CRYPTO_SHA256_SIZE];
    uint8_t hash[CRYPTO_SHA256_SIZE];
    enum err_code rc = audit_entry_decode(bytes, &entry, err);

    if (rc == ERR_OK) {
        rc = compare_fields(shown, &entry, err);
    }
    if (rc == ERR_OK) {
        rc = take_hash(shown, "previous", previous, err);
    }
    if (rc == ERR_OK) {
        rc = take_hash(shown, "hash", hash, err);
    }
    if (rc == ERR_OK) {
        rc = check_link(chain, &entry, previous, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    audit_chain(previous, bytes, chain->hash);
    if (memcmp(chain->hash, hash, sizeof hash) != 0) {
        return err_set(err, ERR_CORRUPT, "its hash is not the one of its bytes");
    }
    chain->first = chain->count == 0 ? entry.seq : chain->first;
    chain->last = entry.seq;
    chain->count++;
    return check_head(chain, entry.seq, err);
}

enum err_code audit_chain_add(struct audit_chain *chain, const struct json *entry, struct err *err)
{
    AUTO_FREE uint8_t *bytes = NULL;
    size_t size = 0;
    uint64_t seq = 0;
    enum err_code rc;

    ASSERT(chain != NULL);
    (void)json_u64(entry, "seq", &seq); /* for the message; check_entry insists on it */
    rc = take_hex(entry, "bytes", &bytes, &size, err);
    if (rc == ERR_OK) {
        rc = check_entry(chain, entry, span_of(bytes, size), err);
    }
    return rc == ERR_OK ? ERR_OK : err_wrap(err, rc, "entry %llu", (unsigned long long)seq);
}

enum err_code audit_chain_end(const struct audit_chain *chain, struct err *err)
{
    if (chain->head_seq == 0 || chain->head_seen) {
        return ERR_OK;
    }
    if (chain->count > 0 && chain->first > chain->head_seq) {
        return ERR_OK; /* retention removed it; what is left hangs together */
    }
    return err_set(err, ERR_CORRUPT,
                   "entry %llu was there in the run before and is gone: the log was cut",
                   (unsigned long long)chain->head_seq);
}
