/* SPDX-License-Identifier: Apache-2.0 */
/* json_block.h: the memory of a parsed tree is one block. cJSON asks for one or two pieces for each
 * value, and a press has sixty: they are cut off one after the other, and given back together. For
 * json.c. */
#ifndef BASE_JSON_BLOCK_H
#define BASE_JSON_BLOCK_H

#include "base/json_scan.h"

#include <stddef.h>

/* cJSON's allocator: from the block that this thread fills, or else from base/mem. */
void *json_block_allocate(size_t size);
/* A piece of the block that this thread fills stays in it. */
void json_block_release(void *piece);

/* This thread fills a block of its own from here on: with room for a tree of so many nodes of
 * node_size whose text has text_size bytes. NULL: no memory. */
void *json_block_begin(const struct json_scan_count *count, size_t node_size, size_t text_size);
/* It does not any more. */
void json_block_end(void);
/* The first piece of a block, and the block that begins with this piece. */
void *json_block_first(void *block);
void *json_block_of(void *first);
void json_block_free(void *block);

#endif
