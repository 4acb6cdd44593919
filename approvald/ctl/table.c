/* SPDX-License-Identifier: Apache-2.0 */
/* table.c: columns of foreign text.
 * Owns the escaped cells; never asks the terminal anything, never prints an unescaped byte. */
#include "approvald/ctl/table.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>

#define TABLE_SIZE_MAX ((size_t)32 << 20) /* bytes: more than a server sends */
#define TABLE_CELL_MAX ((size_t)1 << 31)  /* columns of a cell in a pipe: nothing is cut */
#define TABLE_GAP      2
#define TABLE_NARROW   8 /* columns: a cell is not cut below this */

struct table {
    const char *const *titles; /* borrowed */
    size_t column_count;
    size_t width;
    struct buf *cells; /* owned: each escaped, ended by a NUL */
    size_t cell_count;
    size_t widths[TABLE_COLUMN_MAX];
};

enum err_code
table_new(const char *const *titles, size_t width, struct table **ret_table, struct err *err)
{
    struct table *table = mem_new(1, sizeof *table);
    enum err_code rc;

    if (table == NULL) {
        return err_set(err, ERR_NOMEM, "table");
    }
    rc = buf_new(TABLE_SIZE_MAX, &table->cells, err);
    if (rc != ERR_OK) {
        mem_free(table);
        return rc;
    }
    table->titles = titles;
    table->width = width;
    while (titles[table->column_count] != NULL) {
        ASSERT(table->column_count < TABLE_COLUMN_MAX);
        table->widths[table->column_count] = text_count(span_text(titles[table->column_count]));
        table->column_count++;
    }
    *ret_table = table;
    return ERR_OK;
}

void table_free(struct table *table)
{
    if (table != NULL) {
        buf_free(table->cells);
        mem_free(table);
    }
}

void table_free_guard(struct table **slot)
{
    table_free(*slot);
}

enum err_code table_cell(struct table *table, struct span text, struct err *err)
{
    size_t column = table->cell_count % table->column_count;
    size_t begin = buf_size(table->cells);
    enum err_code rc = text_escape_terminal(table->cells, text, TABLE_CELL_MAX, err);
    size_t count;

    if (rc == ERR_OK) {
        count = text_count(span_of(buf_text(table->cells) + begin, buf_size(table->cells) - begin));
        table->widths[column] = count > table->widths[column] ? count : table->widths[column];
        rc = buf_append(table->cells, "", 1, err);
    }
    table->cell_count += rc == ERR_OK;
    return rc;
}

static size_t row_width(const size_t *widths, size_t count)
{
    size_t sum = TABLE_GAP * (count - 1);

    for (size_t i = 0; i < count; i++) {
        sum += widths[i];
    }
    return sum;
}

/* Takes columns from the widest until a row fits. */
static void fit(const struct table *table, size_t *widths)
{
    size_t over = row_width(widths, table->column_count);

    while (table->width > 0 && over > table->width) {
        size_t widest = 0;

        for (size_t i = 1; i < table->column_count; i++) {
            widest = widths[i] > widths[widest] ? i : widest;
        }
        if (widths[widest] <= TABLE_NARROW) {
            return;
        }
        widths[widest]--;
        over--;
    }
}

/* Prints one cell; the last of a row is not padded. */
static enum err_code print_cell(const char *text, size_t width, bool last, struct err *err)
{
    AUTO_BUF struct buf *cut = NULL;
    struct span whole = span_text(text);
    size_t count = text_count(whole);
    enum err_code rc = buf_new(whole.size + 8, &cut, err);

    if (rc == ERR_OK && count > width) {
        rc = buf_append_span(cut, text_prefix(whole, width - 1), err);
        if (rc == ERR_OK) {
            rc = buf_append_text(cut, "…", err);
        }
        count = width;
    } else if (rc == ERR_OK) {
        rc = buf_append_span(cut, whole, err);
    }
    if (rc == ERR_OK) {
        int pad = last ? 0 : (int)(width - count + TABLE_GAP);

        (void)printf("%s%*s", buf_text(cut), pad, ""); /* main looks at ferror */
    }
    return rc;
}

static enum err_code print_row(const struct table *table,
                               const size_t *widths,
                               const char *const *texts,
                               struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < table->column_count && rc == ERR_OK; i++) {
        rc = print_cell(texts[i], widths[i], i + 1 == table->column_count, err);
    }
    (void)putchar('\n'); /* main looks at ferror */
    return rc;
}

enum err_code table_print(const struct table *table, const char *none, struct err *err)
{
    size_t widths[TABLE_COLUMN_MAX];
    const char *at = buf_text(table->cells);
    enum err_code rc;

    ASSERT(table->cell_count % table->column_count == 0);
    if (table->cell_count == 0) {
        (void)printf("%s\n", none); /* main looks at ferror */
        return ERR_OK;
    }
    memcpy(widths, table->widths, sizeof widths);
    fit(table, widths);
    rc = print_row(table, widths, table->titles, err);
    for (size_t cell = 0; cell < table->cell_count && rc == ERR_OK;) {
        const char *texts[TABLE_COLUMN_MAX];

        for (size_t i = 0; i < table->column_count; i++, cell++) {
            texts[i] = at;
            at += strlen(at) + 1;
        }
        rc = print_row(table, widths, texts, err);
    }
    return rc;
}
