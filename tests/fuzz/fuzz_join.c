/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_join.c: foreign bytes as what joiner and issuer say, as a token, a plan, an offer's file and
 * a fence device. The first byte chooses. Owns a fixed key; never lets pass what does not come out
 * the same again. */
#include "approvald/enrol/device.h"
#include "approvald/enrol/message.h"
#include "approvald/enrol/plan.h"
#include "approvald/enrol/token.h"
#include "base/assert.h"
#include "base/buf.h"
#include "supervisor/arbiter/agent.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[CRYPTO_SHA256_SIZE];
static const uint8_t transcript[X509_HASH_SIZE];

static struct buf *room(void)
{
    struct buf *buf = NULL;

    ASSERT(buf_new((size_t)1 << 20, &buf, NULL) == ERR_OK);
    return buf;
}

static void try_request(struct span bytes)
{
    AUTO_BUF struct buf *again = room();
    struct request request;

    if (request_decode(bytes, &request, NULL) == ERR_OK) {
        ASSERT(request_encode(&request, again, NULL) == ERR_OK);
        ASSERT(span_equal(buf_span(again), bytes));
    }
}

static void try_reply(struct span bytes)
{
    AUTO_BUF struct buf *again = room();
    struct reply reply;

    if (reply_decode(bytes, key, transcript, &reply, NULL) == ERR_OK) {
        ASSERT(reply_encode(&reply, key, transcript, again, NULL) == ERR_OK);
        ASSERT(span_equal(buf_span(again), bytes));
    }
}

static void try_token(struct span text)
{
    struct token token;
    struct token back;
    char again[TOKEN_TEXT_SIZE_MAX];

    if (token_parse(text, &token, NULL) == ERR_OK) {
        token_format(&token, again);
        ASSERT(token_parse(span_text(again), &back, NULL) == ERR_OK);
        ASSERT(strcmp(token.address, back.address) == 0);
        ASSERT(token.port == back.port);
        ASSERT(token.fence == back.fence);
    }
}

static void try_plan(struct span text)
{
    AUTO_BUF struct buf *again = room();
    struct plan plan;
    struct plan back;

    if (plan_parse(text, &plan, NULL) == ERR_OK) {
        ASSERT(plan_format(&plan, again, NULL) == ERR_OK);
        ASSERT(plan_parse(buf_span(again), &back, NULL) == ERR_OK);
        ASSERT(plan_equal(&plan, &back));
    }
}

static void try_offer(struct span bytes)
{
    AUTO_BUF struct buf *again = room();
    struct offer offer;

    if (offer_decode(bytes, &offer, NULL) == ERR_OK) {
        ASSERT(offer_encode(&offer, again, NULL) == ERR_OK);
        ASSERT(span_equal(buf_span(again), bytes));
    }
}

/* What is taken as a device the helper takes too, with the same number of options. */
static void try_device(struct span text)
{
    AUTO_BUF struct buf *again = room();
    struct device device;
    struct device back;
    struct agent_device agent;
    size_t count = 0;

    if (device_parse(text, &device, NULL) != ERR_OK) {
        return;
    }
    ASSERT(device_format(&device, again, NULL) == ERR_OK);
    ASSERT(device_parse(buf_span(again), &back, NULL) == ERR_OK);
    ASSERT(device_equal(&device, &back));
    ASSERT(agent_device_parse(buf_text(again), buf_size(again), &agent, NULL) == ERR_OK);
    for (size_t i = 0; i < agent.size; i++) {
        count += agent.input[i] == '\n' ? 1 : 0;
    }
    ASSERT(count + 1 == device.count); /* the agent's name is not told to the agent */
    ASSERT(strncmp(agent.path, DEVICE_AGENTS "fence_", sizeof DEVICE_AGENTS "fence_" - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct span) = {try_request, try_reply, try_token,
                                                 try_plan,    try_offer, try_device};

    if (size > 0) {
        tries[data[0] % (sizeof tries / sizeof tries[0])](span_of(data + 1, size - 1));
    }
    return 0;
}
