/* SPDX-License-Identifier: Apache-2.0 */
/* state.c: the folded state.
 * Owns how changes become cells. Never knows what is committed. */
#include "tests/sim/state.h"

#include "base/assert.h"
#include "storage/record.h"
#include "tests/sim/prng.h"

#include <string.h>

static uint64_t cell_hash(enum state_table table, uint16_t index, const struct state_cell *cell)
{
    uint64_t where = (uint64_t)table << 32 | index;

    return cell->lsn == 0 ? 0 : prng_mix(prng_mix(where + 1) ^ cell->lsn << 20 ^ cell->value);
}

size_t state_encode(const struct state_change *change, uint8_t *at)
{
    uint8_t key[3] = {(uint8_t)change->table, (uint8_t)change->index,
                      (uint8_t)(change->index >> 8)};
    uint8_t value[10];
    struct change bytes = {.op = CHANGE_PUT, .key = span_of(key, 3), .value = span_of(value, 10)};

    memcpy(value, &change->cell.lsn, 8);
    memcpy(value + 8, &change->cell.value, 2);
    change_encode(at, &bytes);
    return change_size(3, 10);
}

bool state_decode(struct span *bytes, struct state_change *ret_change)
{
    struct change change;
    const uint8_t *key;

    if (change_decode(bytes, &change, NULL) != ERR_OK || change.op != CHANGE_PUT ||
        change.key.size != 3 || change.value.size != 10) {
        return false;
    }
    key = (const uint8_t *)change.key.data;
    ret_change->table = (enum state_table)key[0];
    ret_change->index = (uint16_t)(key[1] | key[2] << 8);
    memcpy(&ret_change->cell.lsn, change.value.data, 8);
    memcpy(&ret_change->cell.value, change.value.data + 8, 2);
    if (ret_change->table == STATE_KEYS) {
        return ret_change->index < STATE_KEY_COUNT;
    }
    return (ret_change->table == STATE_RESULTS || ret_change->table == STATE_OUTBOX) &&
           ret_change->index < STATE_INTENT_COUNT;
}

static void
set_cell(struct state *state, struct state_cell *cell, const struct state_change *change)
{
    state->hash ^= cell_hash(change->table, change->index, cell);
    *cell = change->cell;
    state->hash ^= cell_hash(change->table, change->index, cell);
}

void state_set(struct state *state, const struct state_change *change)
{
    struct state_cell outbox = {.lsn = 1};

    switch (change->table) {
    case STATE_KEYS:
        set_cell(state, &state->keys[change->index], change);
        break;
    case STATE_RESULTS:
        set_cell(state, &state->results[change->index], change);
        if (change->index >= state->intent_end) {
            state->intent_end = (uint16_t)(change->index + 1);
        }
        break;
    case STATE_OUTBOX:
        outbox.value = state->outbox[change->index];
        state->hash ^= outbox.value == 0 ? 0 : cell_hash(STATE_OUTBOX, change->index, &outbox);
        state->outbox[change->index] = (uint8_t)change->cell.value;
        outbox.value = change->cell.value;
        state->hash ^= outbox.value == 0 ? 0 : cell_hash(STATE_OUTBOX, change->index, &outbox);
        break;
    }
}

bool state_fold(struct state *state, struct span changes)
{
    struct state_change change;

    while (changes.size > 0) {
        if (!state_decode(&changes, &change)) {
            return false;
        }
        state_set(state, &change);
    }
    return true;
}

bool state_pair(const struct state *state, uint64_t number, struct state_change *ret_change)
{
    if (number < STATE_KEY_COUNT) {
        *ret_change = (struct state_change){
            .table = STATE_KEYS, .index = (uint16_t)number, .cell = state->keys[number]};
        return true;
    }
    number -= STATE_KEY_COUNT;
    if (number < state->intent_end) {
        *ret_change = (struct state_change){
            .table = STATE_RESULTS, .index = (uint16_t)number, .cell = state->results[number]};
        return true;
    }
    number -= state->intent_end;
    if (number < state->intent_end) {
        *ret_change = (struct state_change){.table = STATE_OUTBOX,
                                            .index = (uint16_t)number,
                                            .cell = {.lsn = 1, .value = state->outbox[number]}};
        return true;
    }
    return false;
}
