/* SPDX-License-Identifier: Apache-2.0 */
/* words.c: the words of states, uses and refusals.
 * Owns the stable words of the API and the sentences that people read.
 * Never chooses a refusal. */
#include "approvald/core/approval.h"

static const struct {
    const char *word;
    const char *sentence;
} refusals[] = {
#define REFUSAL_WORDS(code, word, sentence) [code] = {(word), (sentence)},
    REFUSAL_TABLE(REFUSAL_WORDS)
#undef REFUSAL_WORDS
};

#define REFUSAL_COUNT (sizeof refusals / sizeof refusals[0])

const char *refusal_word(enum refusal refusal)
{
    return (size_t)refusal < REFUSAL_COUNT ? refusals[refusal].word : "";
}

const char *refusal_sentence(enum refusal refusal)
{
    return (size_t)refusal < REFUSAL_COUNT ? refusals[refusal].sentence : "";
}

const char *request_state_word(enum request_state state)
{
    switch (state) {
    case REQUEST_PENDING:
        return "pending";
    case REQUEST_APPROVED:
        return "approved";
    case REQUEST_REJECTED:
        return "rejected";
    case REQUEST_EXPIRED:
        return "expired";
    case REQUEST_CANCELLED:
        return "cancelled";
    }
    return "";
}

const char *request_use_word(enum request_use use)
{
    switch (use) {
    case USE_NONE:
        return "none";
    case USE_UNUSED:
        return "unused";
    case USE_CLAIMED:
        return "claimed";
    case USE_CONSUMED:
        return "consumed";
    case USE_LAPSED:
        return "lapsed";
    }
    return "";
}
