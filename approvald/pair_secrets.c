/* SPDX-License-Identifier: Apache-2.0 */
/* pair_secrets.c: marks of this host's secrets, and their comparison with the other host's.
 * Owns the form of a mark. Never keeps, says or logs a secret; decides nothing: people are told. */
#include "approvald/pair_secrets.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/pack.h"

#include <assert.h>
#include <string.h>

#define FORMAT 1U

static_assert(PAIR_MARK_SIZE <= CRYPTO_SHA256_SIZE, "a mark is a part of the MAC");

const char *pair_secret_word(enum pair_secret which)
{
    switch (which) {
    case PAIR_SECRET_STEP_UP:
        return "step_up_key_file";
    case PAIR_SECRET_SIGNING:
        return "slack.signing_secret_file";
    case PAIR_SECRET_BOT:
        return "slack.bot_token_file";
    case PAIR_SECRET_APP:
        return "slack.app_token_file";
    case PAIR_SECRET_WEBHOOKS:
        return "webhook.secret_file";
    case PAIR_SECRET_COUNT:
        break;
    }
    return "";
}

const char *pair_likeness_word(enum pair_likeness likeness)
{
    switch (likeness) {
    case PAIR_LIKENESS_UNKNOWN:
        return "unknown";
    case PAIR_LIKENESS_UNUSED:
        return "unused";
    case PAIR_LIKENESS_SAME:
        return "same";
    case PAIR_LIKENESS_DIFFERS:
        return "differs";
    case PAIR_LIKENESS_MISSING_HERE:
        return "missing_here";
    case PAIR_LIKENESS_MISSING_THERE:
        return "missing_there";
    }
    return "";
}

bool pair_likeness_hurts(enum pair_likeness likeness)
{
    switch (likeness) {
    case PAIR_LIKENESS_UNKNOWN:
    case PAIR_LIKENESS_UNUSED:
    case PAIR_LIKENESS_SAME:
        return false;
    case PAIR_LIKENESS_DIFFERS:
    case PAIR_LIKENESS_MISSING_HERE:
    case PAIR_LIKENESS_MISSING_THERE:
        return true;
    }
    return false;
}

void pair_secrets_add(struct pair_secrets *secrets,
                      enum pair_secret which,
                      struct span cluster_id,
                      struct span about,
                      struct span secret)
{
    const struct span parts[] = {SPAN_LITERAL("approvald: is this the same secret? "),
                                 span_text(pair_secret_word(which)), SPAN_LITERAL(" "), cluster_id,
                                 about};
    uint8_t mac[CRYPTO_SHA256_SIZE];

    ASSERT(which < PAIR_SECRET_COUNT);
    secrets->count = PAIR_SECRET_COUNT;
    if (secret.size == 0) {
        return;
    }
    secrets->there[which] = true;
    if (which == PAIR_SECRET_APP) {
        return;
    }
    crypto_hmac_sha256(secret, parts, sizeof parts / sizeof parts[0], mac);
    for (size_t i = 0; i < PAIR_MARK_SIZE; i++) {
        secrets->marks[which][i] ^= mac[i]; /* in any order */
    }
}

size_t pair_secrets_encode(const struct pair_secrets *secrets, uint8_t at[PAIR_SECRETS_SIZE_MAX])
{
    uint8_t *end = at;

    *end++ = PAIR_SECRETS_KIND;
    *end++ = FORMAT;
    *end++ = PAIR_SECRET_COUNT;
    for (size_t i = 0; i < PAIR_SECRET_COUNT; i++) {
        *end++ = secrets->there[i] ? 1 : 0;
        memcpy(end, secrets->marks[i], PAIR_MARK_SIZE);
        end += PAIR_MARK_SIZE;
    }
    return (size_t)(end - at);
}

enum err_code
pair_secrets_decode(struct span data, struct pair_secrets *ret_secrets, struct err *err)
{
    struct pair_secrets secrets = {.count = 0};
    struct unpack in;
    uint8_t kind;
    uint8_t format;
    uint8_t count;
    bool good = true;

    unpack_init(&in, data);
    kind = unpack_u8(&in);
    format = unpack_u8(&in);
    count = unpack_u8(&in);
    for (size_t i = 0; i < count; i++) {
        uint8_t there = unpack_u8(&in);
        struct span mark = unpack_bytes(&in, PAIR_MARK_SIZE);

        good = good && unpack_ok(&in) && there <= 1;
        if (good && i < PAIR_SECRET_COUNT) { /* beyond: of a newer host */
            secrets.there[i] = there == 1;
            memcpy(secrets.marks[i], mark.data, PAIR_MARK_SIZE);
            secrets.count = i + 1;
        }
    }
    if (!unpack_done(&in) || !good || kind != PAIR_SECRETS_KIND || format != FORMAT) {
        return err_set(err, ERR_PROTOCOL, "the other host's marks are not to be understood");
    }
    *ret_secrets = secrets;
    return ERR_OK;
}

enum pair_likeness pair_secrets_compare(const struct pair_secrets *ours,
                                        const struct pair_secrets *theirs,
                                        enum pair_secret which)
{
    ASSERT(which < PAIR_SECRET_COUNT);
    if (which >= ours->count || which >= theirs->count) {
        return PAIR_LIKENESS_UNKNOWN;
    }
    if (ours->there[which] != theirs->there[which]) {
        return ours->there[which] ? PAIR_LIKENESS_MISSING_THERE : PAIR_LIKENESS_MISSING_HERE;
    }
    if (!ours->there[which]) {
        return PAIR_LIKENESS_UNUSED;
    }
    return crypto_equal(ours->marks[which], theirs->marks[which], PAIR_MARK_SIZE)
               ? PAIR_LIKENESS_SAME
               : PAIR_LIKENESS_DIFFERS;
}
