/* SPDX-License-Identifier: Apache-2.0 */
/* table.h: columns of foreign text for a terminal or a pipe. All text is escaped; on a terminal the
 * widest column is cut until a row fits. */
#ifndef APPROVALD_CTL_TABLE_H
#define APPROVALD_CTL_TABLE_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>

struct table;

#define TABLE_COLUMN_MAX 10

/* titles: NULL-ended, borrowed. width: columns of the terminal; 0: a pipe, nothing is cut. */
enum err_code table_new(const char *const *titles,
                        size_t width,
                        struct table **ret_table,
                        struct err *err) WARN_UNUSED;
void table_free(struct table *table); /* NULL is allowed */
void table_free_guard(struct table **slot);
#define AUTO_TABLE __attribute__((cleanup(table_free_guard)))

/* Adds the next cell of the current row; copied. A row is full after as many cells as titles. */
enum err_code table_cell(struct table *table, struct span text, struct err *err) WARN_UNUSED;
/* Prints titles and rows on standard output, or the sentence when there are no rows. */
enum err_code table_print(const struct table *table, const char *none, struct err *err) WARN_UNUSED;

#endif
