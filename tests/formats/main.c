/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: formats make|read DIR PART, formats written: makes and reads the parts of a fixture of
 * tests/data/formats; formats.py calls it.
 * Owns the list of parts. Never compares anything. */
#include "base/buf.h"
#include "base/err.h"
#include "storage/backup_format.h"
#include "storage/message.h"
#include "supervisor/contract.h"
#include "tests/formats/field.h"
#include "tests/formats/record.h"
#include "tests/formats/sample.h"
#include "tests/formats/store.h"
#include "tests/formats/wire.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_LIMIT (1024UL * 1024UL)

/* A part is one file, or a directory. */
typedef enum err_code make_bytes_fn(struct buf *bytes, struct err *err);
typedef enum err_code print_bytes_fn(FILE *out, struct span bytes, struct err *err);
typedef enum err_code make_fn(const char *path, struct err *err);
typedef enum err_code print_fn(FILE *out, const char *path, struct err *err);

static enum err_code make_store(const char *path, struct err *err)
{
    char backup[PATH_MAX];
    const char *slash = strrchr(path, '/');

    (void)snprintf(backup, sizeof backup, "%.*s/backup", (int)(slash - path), path); /* fits */
    return store_make(path, backup, err);
}

static const struct part {
    const char *name; /* of its file or directory */
    make_bytes_fn *make_bytes;
    print_bytes_fn *print_bytes;
    make_fn *make; /* NULL: another part makes it */
    print_fn *print;
} parts[] = {
    {"store", NULL, NULL, make_store, store_print},
    {"backup", NULL, NULL, NULL, store_backup_print},
    {"promise", NULL, NULL, store_promise_make, store_promise_print},
    {"supervisor", NULL, NULL, store_memory_make, store_memory_print},
    {"register", wire_register_make, wire_register_print, NULL, NULL},
    {"link", wire_link_make, wire_link_print, NULL, NULL},
    {"mirror", wire_mirror_make, wire_mirror_print, NULL, NULL},
    {"secrets", wire_secrets_make, wire_secrets_print, NULL, NULL},
};

static enum err_code write_file(const char *path, make_bytes_fn *make, struct err *err)
{
    AUTO_BUF struct buf *bytes = NULL;
    enum err_code rc = buf_new(FILE_SIZE_LIMIT, &bytes, err);
    FILE *file;

    if (rc == ERR_OK) {
        rc = make(bytes, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    file = fopen(path, "we");
    if (file == NULL || fwrite(buf_text(bytes), 1, buf_size(bytes), file) != buf_size(bytes) ||
        fclose(file) != 0) {
        return err_set(err, ERR_IO, "%s", path);
    }
    return ERR_OK;
}

static enum err_code read_file(const char *path, print_bytes_fn *print, FILE *out, struct err *err)
{
    AUTO_BUF struct buf *bytes = NULL;
    enum err_code rc = buf_new(FILE_SIZE_LIMIT, &bytes, err);
    FILE *file = fopen(path, "re");
    char chunk[4096];
    size_t size;

    if (file == NULL) {
        return err_set(err, ERR_NOT_FOUND, "%s", path);
    }
    while (rc == ERR_OK && (size = fread(chunk, 1, sizeof chunk, file)) > 0) {
        rc = buf_append(bytes, chunk, size, err);
    }
    (void)fclose(file); /* was only read */
    return rc == ERR_OK ? print(out, buf_span(bytes), err) : rc;
}

static enum err_code make_part(const struct part *part, const char *path, struct err *err)
{
    if (part->make_bytes != NULL) {
        return write_file(path, part->make_bytes, err);
    }
    if (part->make == NULL) {
        return ERR_OK;
    }
    if (mkdir(path, 0700) != 0) {
        return err_set(err, ERR_IO, "mkdir %s", path);
    }
    return part->make(path, err);
}

static enum err_code
print_hex_pair(void *arg, uint8_t table, struct span key, struct span value, struct err *err)
{
    (void)err;
    (void)fprintf(arg, "%c ", table);
    field_print_text(arg, key);
    (void)fputc(' ', arg);
    field_print_hex(arg, value);
    (void)fputc('\n', arg);
    return ERR_OK;
}

/* What this build writes, of everything that is the same each time, and the versions it says. */
static enum err_code print_written(FILE *out, struct err *err)
{
    enum err_code rc;

    (void)fprintf(out, "record %u\nlink %u to %u\n", RECORD_VERSION, MESSAGE_VERSION_MIN,
                  MESSAGE_VERSION_MAX);
    record_print_sizes(out);
    rc = sample_state(print_hex_pair, out, err);
    if (rc == ERR_OK) {
        rc = sample_tail(print_hex_pair, out, err);
    }
    for (size_t i = 0; rc == ERR_OK && i < sizeof parts / sizeof parts[0]; i++) {
        AUTO_BUF struct buf *bytes = NULL;

        if (parts[i].make_bytes == NULL) {
            continue;
        }
        rc = buf_new(FILE_SIZE_LIMIT, &bytes, err);
        if (rc == ERR_OK) {
            rc = parts[i].make_bytes(bytes, err);
        }
        if (rc == ERR_OK) {
            (void)fprintf(out, "%s ", parts[i].name);
            field_print_hex(out, buf_span(bytes));
            (void)fputc('\n', out);
        }
    }
    return rc;
}

static enum err_code
on_part(const struct part *part, const char *verb, const char *dir, struct err *err)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", dir, part->name); /* cut: it is not there */
    if (strcmp(verb, "make") == 0) {
        return make_part(part, path, err);
    }
    return part->print_bytes != NULL ? read_file(path, part->print_bytes, stdout, err)
                                     : part->print(stdout, path, err);
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    enum err_code rc = ERR_INVALID;

    if (argc == 2 && strcmp(argv[1], "written") == 0) {
        rc = print_written(stdout, &err);
    } else if (argc == 2 && strcmp(argv[1], "parts") == 0) {
        rc = ERR_OK;
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            (void)puts(parts[i].name);
        }
    } else if (argc == 4) {
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            if (strcmp(parts[i].name, argv[3]) == 0) {
                rc = on_part(&parts[i], argv[1], argv[2], &err);
            }
        }
    }
    if (rc != ERR_OK || fflush(stdout) != 0) {
        (void)fprintf(stderr, "formats: %s\n", err.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
