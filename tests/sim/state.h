/* SPDX-License-Identifier: Apache-2.0 */
/* state.h: the key/value state that the simulated storage folds its log into: some keys, for each
 * intent its one result, and the outbox. Changes travel in the production format (record.h). */
#ifndef TESTS_SIM_STATE_H
#define TESTS_SIM_STATE_H

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_KEY_COUNT        12U /* the upper half is written once only */
#define STATE_INTENT_COUNT     1024U
#define STATE_CHANGES_SIZE_MAX 512U
#define STATE_PAIR_COUNT_MAX   (STATE_KEY_COUNT + 2U * STATE_INTENT_COUNT)

enum outbox { OUTBOX_NONE, OUTBOX_WANTED, OUTBOX_ATTEMPTED, OUTBOX_DONE };

struct state_cell {
    uint64_t lsn; /* of the record that put it; 0: absent */
    uint16_t value;
};

struct state {
    struct state_cell keys[STATE_KEY_COUNT];
    struct state_cell results[STATE_INTENT_COUNT]; /* value: what was there before */
    uint8_t outbox[STATE_INTENT_COUNT];
    uint16_t intent_end; /* above the highest intent that has a result */
    uint64_t hash;       /* of all cells, whatever their order of writing */
};

enum state_table { STATE_KEYS = 'k', STATE_RESULTS = 'r', STATE_OUTBOX = 'o' };

struct state_change {
    enum state_table table;
    uint16_t index;
    struct state_cell cell;
};

/* Appends the change's bytes at at, which has room for STATE_CHANGE_SIZE; returns its size. */
#define STATE_CHANGE_SIZE 24U
size_t state_encode(const struct state_change *change, uint8_t *at);
/* Takes the first change off *bytes. False: the bytes are bad. */
bool state_decode(struct span *bytes, struct state_change *ret_change);
void state_set(struct state *state, const struct state_change *change);
/* Folds a payload. False: the bytes are bad. */
bool state_fold(struct state *state, struct span changes);
/* The pair number (from 0, in no meaningful order); false: past the end. */
bool state_pair(const struct state *state, uint64_t number, struct state_change *ret_change);

#endif
