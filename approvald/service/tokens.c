/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c: checking API tokens, from memory.
 * Owns the tokens in memory, their look-up by hash and their rates.
 * Never keeps a secret: a check hashes what it is given and compares hashes. */
#include "approvald/service/tokens.h"
#include "approvald/service/answer.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "storage/storage.h"

#include <string.h>

struct slot {
    struct service_token token; /* spans point into stored */
    uint8_t hash[32];
    char *stored;    /* owned */
    uint64_t filled; /* boot ms when credit was last counted */
    uint64_t credit; /* thousandths of a call, times 60: rate_per_minute each ms */
};

struct tokens {
    size_t count;
    struct slot *slots[SERVICE_TOKEN_COUNT_MAX]; /* owned */
    const struct service_token *list[SERVICE_TOKEN_COUNT_MAX];
};

/* One call in the units of credit: a minute in ms. */
#define CALL_CREDIT UINT64_C(60000)

enum err_code tokens_new(struct tokens **ret_tokens, struct err *err)
{
    *ret_tokens = mem_new(1, sizeof **ret_tokens);
    return *ret_tokens == NULL ? err_set(err, ERR_NOMEM, "tokens") : ERR_OK;
}

static void slot_free(struct slot *slot)
{
    if (slot != NULL) {
        mem_free(slot->stored);
        mem_free(slot);
    }
}

void tokens_free(struct tokens *tokens)
{
    if (tokens == NULL) {
        return;
    }
    for (size_t i = 0; i < tokens->count; i++) {
        slot_free(tokens->slots[i]);
    }
    mem_free(tokens);
}

/* Credit for ten seconds of calls may be saved up, but at least for one call. */
static uint64_t credit_max(const struct service_token *token)
{
    uint64_t burst = (uint64_t)token->rate_per_minute * 10000;

    return burst > CALL_CREDIT ? burst : CALL_CREDIT;
}

static void fill(struct slot *slot, const struct token_record *record)
{
    struct service_token *token = &slot->token;

    memcpy(slot->hash, record->hash, sizeof slot->hash);
    *token = (struct service_token){.id = record->id,
                                    .name = record->name,
                                    .may_ask = record->may_ask,
                                    .may_decide = record->may_decide,
                                    .may_read = record->may_read,
                                    .user = record->user,
                                    .policy_count = record->policy_count,
                                    .rate_per_minute = record->rate_per_minute,
                                    .created_ms = record->created_ms,
                                    .expires_ms = record->expires_ms,
                                    .revoked = record->revoked};
    for (uint32_t i = 0; i < record->policy_count; i++) {
        token->policies[i] = record->policies[i];
    }
}

/* Its own place, a free one, or that of the oldest revoked token, which the writer deleted. */
static struct slot **find(struct tokens *tokens, uint64_t id)
{
    struct slot **oldest = NULL;

    for (size_t i = 0; i < tokens->count; i++) {
        struct slot **slot = &tokens->slots[i];

        if ((*slot)->token.id == id) {
            return slot;
        }
        if ((*slot)->token.revoked && (oldest == NULL || (*slot)->token.id < (*oldest)->token.id)) {
            oldest = slot;
        }
    }
    return tokens->count < SERVICE_TOKEN_COUNT_MAX ? &tokens->slots[tokens->count] : oldest;
}

/* A revocation needs no memory, so it always takes effect. */
static bool revoke(struct tokens *tokens, struct span stored)
{
    struct token_record record;

    if (codec_token_decode(stored, &record, NULL) != ERR_OK || !record.revoked) {
        return false;
    }
    for (size_t i = 0; i < tokens->count; i++) {
        if (tokens->slots[i]->token.id == record.id) {
            tokens->slots[i]->token.revoked = true;
            return true;
        }
    }
    return false;
}

enum err_code
tokens_adopt(struct tokens *tokens, struct span stored, uint64_t boot_ms, struct err *err)
{
    struct slot *slot;
    struct token_record record;
    struct slot **place;
    enum err_code rc;

    if (revoke(tokens, stored)) {
        return ERR_OK;
    }
    slot = mem_new(1, sizeof *slot);
    if (slot != NULL) {
        slot->stored = mem_copy_text(stored.data, stored.size);
    }
    if (slot == NULL || slot->stored == NULL) {
        slot_free(slot);
        return err_set(err, ERR_NOMEM, "token");
    }
    rc = codec_token_decode(span_of(slot->stored, stored.size), &record, err);
    if (rc != ERR_OK) {
        slot_free(slot);
        return rc;
    }
    place = find(tokens, record.id);
    if (place == NULL) {
        slot_free(slot);
        return err_set(err, ERR_FULL, "more than %d tokens", SERVICE_TOKEN_COUNT_MAX);
    }
    fill(slot, &record);
    slot->filled = boot_ms;
    slot->credit = credit_max(&slot->token);
    slot_free(*place);
    *place = slot;
    if (place == tokens->slots + tokens->count) {
        tokens->count++;
    }
    return ERR_OK;
}

/* All are compared, whichever matches: the time says nothing about a hash. */
static struct slot *match(struct tokens *tokens, const uint8_t hash[32])
{
    struct slot *found = NULL;

    for (size_t i = 0; i < tokens->count; i++) {
        if (crypto_equal(tokens->slots[i]->hash, hash, 32)) {
            found = tokens->slots[i];
        }
    }
    return found;
}

static bool take_credit(struct slot *slot, uint64_t boot_ms, uint32_t *ret_retry_s)
{
    uint64_t rate = slot->token.rate_per_minute;
    uint64_t passed_ms = boot_ms > slot->filled ? boot_ms - slot->filled : 0;
    uint64_t max = credit_max(&slot->token);

    /* A minute fills any bucket; more would only overflow. */
    passed_ms = passed_ms < CORE_MINUTE_MS ? passed_ms : CORE_MINUTE_MS;
    slot->credit += passed_ms * rate;
    slot->credit = slot->credit < max ? slot->credit : max;
    slot->filled = boot_ms;
    if (slot->credit >= CALL_CREDIT) {
        slot->credit -= CALL_CREDIT;
        return true;
    }
    *ret_retry_s = (uint32_t)((CALL_CREDIT - slot->credit) / (rate == 0 ? 1 : rate) / 1000 + 1);
    return false;
}

enum err_code service_token_check(struct service *service,
                                  struct span secret,
                                  const struct service_token **ret_token,
                                  uint32_t *ret_retry_s,
                                  struct err *err)
{
    uint8_t hash[32];
    struct slot *slot;

    *ret_retry_s = 0;
    if (secret.size > SERVICE_TOKEN_TEXT_SIZE) {
        return err_set(err, ERR_UNAUTHENTICATED, "this is no token of approvald");
    }
    crypto_sha256(secret.data, secret.size, hash);
    slot = match(service->tokens, hash);
    if (slot == NULL) {
        return err_set(err, ERR_UNAUTHENTICATED, "unknown token");
    }
    if (slot->token.revoked) {
        return err_set(err, ERR_UNAUTHENTICATED, "token %.*s is revoked",
                       SPAN_ARGS(slot->token.name));
    }
    if (slot->token.expires_ms > 0 && clock_wall_ms(service->clock) >= slot->token.expires_ms) {
        return err_set(err, ERR_EXPIRED, "token %.*s has expired", SPAN_ARGS(slot->token.name));
    }
    if (!take_credit(slot, clock_boot_ms(service->clock), ret_retry_s)) {
        return err_set(err, ERR_FULL, "token %.*s: more than %u calls a minute",
                       SPAN_ARGS(slot->token.name), slot->token.rate_per_minute);
    }
    *ret_token = &slot->token;
    return ERR_OK;
}

size_t service_token_list(const struct service *service, const struct service_token *const **ret)
{
    struct tokens *tokens = service->tokens;

    for (size_t i = 0; i < tokens->count; i++) {
        tokens->list[i] = &tokens->slots[i]->token;
    }
    *ret = tokens->list;
    return tokens->count;
}

struct load_visit {
    struct work *work;
    enum err_code rc;
};

static bool visit_token(void *arg, struct span key, struct span value)
{
    struct load_visit *visit = arg;

    (void)key; /* the token holds its id */
    visit->rc = answer_bytes(visit->work, value);
    return visit->rc == ERR_OK;
}

static enum err_code load_run(struct work *work)
{
    struct load_visit visit = {.work = work, .rc = ERR_OK};
    enum err_code rc;

    rc = storage_scan(work->txn, TABLE_TOKENS, SPAN_NONE, false, visit_token, &visit, work->err);
    return rc == ERR_OK ? visit.rc : rc;
}

static void load_answer(struct job *job, enum err_code rc, const struct err *err)
{
    struct service *service = job->service;
    struct err failed = ERR_INIT;
    struct unpack cursor;
    struct span bytes;

    answer_open(job, &cursor);
    while (rc == ERR_OK && answer_more(&cursor) && answer_next(&cursor, &bytes)) {
        rc = tokens_adopt(service->tokens, bytes, clock_boot_ms(service->clock), &failed);
        err = &failed;
    }
    done_job_answer(job, rc, err);
}

enum err_code
tokens_load(struct service *service, service_done_fn *done, void *arg, struct err *err)
{
    struct done_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, load_run, load_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct done_job *)base;
    job->done = done;
    base->arg = arg;
    base->reads = true;
    return job_submit_take(base, err);
}
