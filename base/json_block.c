/* SPDX-License-Identifier: Apache-2.0 */
/* json_block.c: pieces of memory for one parsed tree, cut from one block.
 * Owns which block a thread fills. Never grows a block, never gives a piece back by itself. */
#include "base/json_block.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#define PIECE_ALIGN alignof(max_align_t)

struct block {
    size_t size; /* of bytes */
    size_t used;
    alignas(max_align_t) char bytes[];
};

static _Thread_local struct block *filling;

static size_t aligned(size_t size)
{
    return (size + PIECE_ALIGN - 1) / PIECE_ALIGN * PIECE_ALIGN;
}

void *json_block_allocate(size_t size)
{
    struct block *block = filling;
    void *piece;

    if (block == NULL) {
        return mem_new(1, size);
    }
    if (size > SIZE_MAX - PIECE_ALIGN || aligned(size) > block->size - block->used) {
        return NULL;
    }
    piece = block->bytes + block->used;
    block->used += aligned(size);
    return piece;
}

static bool is_inside(const struct block *block, const void *piece)
{
    uintptr_t start = (uintptr_t)block->bytes;

    return (uintptr_t)piece >= start && (uintptr_t)piece < start + block->size;
}

void json_block_release(void *piece)
{
    if (filling == NULL || !is_inside(filling, piece)) {
        mem_free(piece);
    }
}

/* A node for each value; a text for each name, and for each value that is a string or, for a
 * moment, a number: all of them together have no more bytes than the whole, and a NUL each. */
void *json_block_begin(const struct json_scan_count *count, size_t node_size, size_t text_size)
{
    size_t size = count->values * (aligned(node_size) + PIECE_ALIGN) + count->names * PIECE_ALIGN +
                  text_size + PIECE_ALIGN;
    struct block *block = mem_new(1, sizeof *block + size);

    ASSERT(filling == NULL);
    if (block != NULL) {
        block->size = size;
        filling = block;
    }
    return block;
}

void json_block_end(void)
{
    filling = NULL;
}

void *json_block_first(void *block)
{
    return ((struct block *)block)->bytes;
}

void *json_block_of(void *first)
{
    return (char *)first - offsetof(struct block, bytes);
}

void json_block_free(void *block)
{
    mem_free(block);
}
