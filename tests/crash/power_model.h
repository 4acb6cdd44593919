/* SPDX-License-Identifier: Apache-2.0 */
/* power_model.h: what a disk may hold after a power loss, given a trace of file calls.
 *
 * The rule: bytes are durable when a sync of their file began after their write and has succeeded.
 * Until then each 512-byte sector of each write is there or not, whatever the others do. A size is
 * as durable as bytes. Names (create, rename, unlink) after the last sync of the directory are kept
 * up to a point and lost from there on. */
#ifndef TESTS_CRASH_POWER_MODEL_H
#define TESTS_CRASH_POWER_MODEL_H

#include "tests/lib/io_tap.h"

#include <stddef.h>
#include <stdint.h>

struct power_model;

struct power_model *power_model_new(void);
void power_model_free(struct power_model *model);
/* Takes the trace's events up to (not including) position; positions only grow. */
void power_model_advance(struct power_model *model, const struct tap_trace *trace, size_t position);
/* Writes one possible content of the disk into the empty directory dir; *seed chooses which. */
void power_model_write(struct power_model *model, const char *dir, uint64_t *seed);
/* Unsynced sectors in all images so far that were lost, and kept. */
void power_model_counts(const struct power_model *model, uint64_t *ret_lost, uint64_t *ret_kept);
/* A small generator that tests share. */
uint64_t power_mix(uint64_t *seed);

#endif
