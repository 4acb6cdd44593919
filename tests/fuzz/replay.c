/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c: the main of a fuzzer in a build without libFuzzer: feeds it its corpus, once.
 * Owns the list of corpus files (those given, else the folder that bears the program's name).
 * Never makes up input and never stops at a bad file name: it fails. */
#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLAY_SIZE_MAX      ((size_t)1024 * 1024) /* bytes of one corpus file: more is no unit test */
#define REPLAY_PATH_SIZE_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code replay_file(const char *path, struct err *err)
{
    AUTO_FREE uint8_t *data = mem_new(REPLAY_SIZE_MAX, 1);
    FILE *file = fopen(path, "rbe");
    size_t size;

    if (file == NULL || data == NULL) {
        if (file != NULL) {
            (void)fclose(file); /* only read */
        }
        return err_set(err, ERR_IO, "%s", path);
    }
    size = fread(data, 1, REPLAY_SIZE_MAX, file);
    (void)fclose(file);                       /* only read */
    (void)LLVMFuzzerTestOneInput(data, size); /* always 0: a finding crashes */
    return ERR_OK;
}

static enum err_code
replay_entry(const char *folder, const char *name, unsigned *ret_count, struct err *err)
{
    AUTO_BUF struct buf *path = NULL;
    enum err_code rc;

    if (name[0] == '.') {
        return ERR_OK;
    }
    rc = buf_new(REPLAY_PATH_SIZE_MAX, &path, err);
    if (rc == ERR_OK) {
        rc = buf_append_format(path, err, "%s/%s", folder, name);
    }
    if (rc == ERR_OK) {
        rc = replay_file(buf_text(path), err);
        *ret_count += 1;
    }
    return rc;
}

static enum err_code replay_folder(const char *folder, unsigned *ret_count, struct err *err)
{
    DIR *dir = opendir(folder);
    enum err_code rc = ERR_OK;

    if (dir == NULL) {
        return err_set(err, ERR_IO, "no corpus: %s", folder);
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL && rc == ERR_OK;
         entry = readdir(dir)) {
        rc = replay_entry(folder, entry->d_name, ret_count, err);
    }
    (void)closedir(dir); /* only read */
    return rc;
}

static enum err_code replay_corpus(const char *program, unsigned *ret_count, struct err *err)
{
    AUTO_BUF struct buf *folder = NULL;
    const char *source = getenv("srcdir");
    const char *slash = strrchr(program, '/');
    enum err_code rc = buf_new(REPLAY_PATH_SIZE_MAX, &folder, err);

    if (rc == ERR_OK) {
        rc = buf_append_format(folder, err, "%s/tests/fuzz/corpus/%s",
                               source == NULL ? "." : source, slash == NULL ? program : slash + 1);
    }
    return rc == ERR_OK ? replay_folder(buf_text(folder), ret_count, err) : rc;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    unsigned count = 0;
    enum err_code rc = argc > 1 ? ERR_OK : replay_corpus(argv[0], &count, &err);

    for (int i = 1; i < argc && rc == ERR_OK; i++) {
        rc = replay_file(argv[i], &err);
        count++;
    }
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    (void)printf("%u passed, 0 failed\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
