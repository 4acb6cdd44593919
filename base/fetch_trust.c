/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_trust.c: in which form the system's list of authorities is read.
 * Owns the comparison of the two. Never judges a certificate.
 * Debian keeps the list twice. Of the file OpenSSL reads all, for each connection: 25 ms in which
 * the loop stands still, and 3 MB as long as the connection lives. In the directory it looks for
 * the one that it needs. */
#include "base/fetch_trust.h"

#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 256 /* those of PEM have 64 and a newline */
#define HASH_SIZE 8U

static bool count_in_file(const char *path, size_t *ret_count)
{
    static const char begin[] = "-----BEGIN ";
    FILE *file = fopen(path, "re");
    char line[LINE_SIZE];
    size_t count = 0;
    bool whole;

    if (file == NULL) {
        return errno == ENOENT;
    }
    while (count <= FETCH_TRUST_COUNT_MAX && fgets(line, sizeof line, file) != NULL) {
        count += strncmp(line, begin, sizeof begin - 1) == 0 ? 1 : 0;
    }
    whole = ferror(file) == 0 && count <= FETCH_TRUST_COUNT_MAX;
    (void)fclose(file); /* only read */
    *ret_count = count;
    return whole;
}

/* As openssl rehash makes it: eight digits, a dot and a number. */
static bool is_hash(const char *name)
{
    size_t hash = strspn(name, "0123456789abcdef");
    size_t number =
        hash == HASH_SIZE && name[hash] == '.' ? strspn(name + HASH_SIZE + 1, "0123456789") : 0;

    return number > 0 && name[HASH_SIZE + 1 + number] == '\0';
}

static size_t count_in_directory(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    size_t count = 0;

    if (directory == NULL) {
        return 0;
    }
    while (count <= FETCH_TRUST_COUNT_MAX && (entry = readdir(directory)) != NULL) {
        count += is_hash(entry->d_name) ? 1 : 0;
    }
    (void)closedir(directory); /* only read */
    return count;
}

bool fetch_trust_by_hash(const char *file, const char *directory)
{
    size_t in_file = 0;
    size_t in_directory = directory == NULL ? 0 : count_in_directory(directory);

    return in_directory > 0 && (file == NULL || count_in_file(file, &in_file)) &&
           in_directory >= in_file;
}
