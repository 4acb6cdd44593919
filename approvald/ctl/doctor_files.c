/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_files.c: the doctor's look at secrets, certificates and the disk.
 * Owns the thresholds; never prints what is in a secret file, never changes a file. */
#include "approvald/ctl/doctor.h"

#include "approvald/ctl/show.h"
#include "base/text.h"
#include "base/tls.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DAY_S             86400
#define CERT_WARN_S       (21 * (int64_t)DAY_S) /* time to renew by hand over a holiday */
#define DISK_FAIL_BYTES   ((uint64_t)256 << 20) /* near approvald's own head-room */
#define DISK_WARN_BYTES   ((uint64_t)1 << 30)   /* days of growth */
#define DOCTOR_VALUE_SIZE 4096

/* One line "key = value" of a dump; the value with or without quotes. */
static bool line_value(struct span line, const char *key, struct span *ret_value)
{
    size_t size = strlen(key);

    while (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
        line = span_of(line.data + 1, line.size - 1);
    }
    if (line.size <= size || memcmp(line.data, key, size) != 0 ||
        (line.data[size] != ' ' && line.data[size] != '=')) {
        return false;
    }
    line = span_of(line.data + size, line.size - size);
    while (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '=' || line.data[0] == '"')) {
        line = span_of(line.data + 1, line.size - 1);
    }
    while (line.size > 0 && (line.data[line.size - 1] == '"' || line.data[line.size - 1] == ' ')) {
        line.size--;
    }
    *ret_value = line;
    return line.size > 0;
}

bool doctor_value(const char *dump, const char *key, size_t index, char *ret_value, size_t size)
{
    struct span value = SPAN_NONE;
    bool found = false;

    while (*dump != '\0' && !found) {
        size_t length = strcspn(dump, "\n");

        found = line_value(span_of(dump, length), key, &value) && index-- == 0;
        dump += length + (dump[length] == '\n');
    }
    if (!found || value.size >= size) {
        return false;
    }
    memcpy(ret_value, value.data, value.size);
    ret_value[value.size] = '\0';
    return true;
}

/* As approvald/secret.c takes them: a group may read a file, as root's own has to be read so. */
static void check_secret(struct doctor *doctor, const char *key, const char *file)
{
    struct stat info;

    if (strchr(file, '/') == NULL) {
        doctor_say(doctor, DOCTOR_OK, "%s: %s is a credential of systemd", key, file);
    } else if (stat(file, &info) != 0) {
        doctor_say(doctor, DOCTOR_FAIL, "%s: %s: %s", key, file, strerrordesc_np(errno));
    } else if ((info.st_mode & S_IRWXO) != 0) {
        doctor_say(doctor, DOCTOR_FAIL, "%s: %s can be used by others: chmod o= %s", key, file,
                   file);
    } else if (info.st_size == 0) {
        doctor_say(doctor, DOCTOR_FAIL, "%s: %s is empty", key, file);
    } else {
        doctor_say(doctor, DOCTOR_OK, "%s: %s is closed to others", key, file);
    }
}

static void check_secrets(struct doctor *doctor, const char *dump)
{
    static const char *const keys[] = {"signing_secret_file", "previous_signing_secret_file",
                                       "bot_token_file",      "app_token_file",
                                       "step_up_key_file",    "tls_key",
                                       "secret_file"};
    char file[DOCTOR_VALUE_SIZE];

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        for (size_t n = 0; doctor_value(dump, keys[i], n, file, sizeof file); n++) {
            check_secret(doctor, keys[i], file);
        }
    }
}

static void check_certificate(struct doctor *doctor, const char *cert, const char *key)
{
    struct tls_server *server = NULL;
    struct err err = ERR_INIT;
    char span[SHOW_SPAN_SIZE];
    int64_t left_s;

    if (tls_server_new(cert, key, &server, &err) != ERR_OK) {
        doctor_say(doctor, DOCTOR_FAIL, "certificate: %s", err.message);
        return;
    }
    left_s = (int64_t)tls_server_not_after_s(server) - show_now_s();
    tls_server_free(server);
    show_span(left_s, span);
    if (left_s <= 0) {
        doctor_say(doctor, DOCTOR_FAIL, "certificate: %s has ended: renew it", cert);
    } else {
        doctor_say(doctor, left_s < CERT_WARN_S ? DOCTOR_WARN : DOCTOR_OK,
                   "certificate: %s ends in %s", cert, span);
    }
}

static void check_disk(struct doctor *doctor, const char *dir)
{
    struct statvfs info;
    uint64_t free_bytes;
    enum doctor_mark mark = DOCTOR_OK;

    if (statvfs(dir, &info) != 0) {
        doctor_say(doctor, DOCTOR_FAIL, "data directory: %s: %s", dir, strerrordesc_np(errno));
        return;
    }
    free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    if (free_bytes < DISK_WARN_BYTES) {
        mark = free_bytes < DISK_FAIL_BYTES ? DOCTOR_FAIL : DOCTOR_WARN;
    }
    doctor_say(doctor, mark, "disk: %llu MiB free under %s%s",
               (unsigned long long)(free_bytes >> 20), dir,
               mark == DOCTOR_OK ? "" : ": make room, writes are refused when it is short");
}

void doctor_files(struct doctor *doctor, const char *dump)
{
    char cert[DOCTOR_VALUE_SIZE];
    char key[DOCTOR_VALUE_SIZE];
    char dir[DOCTOR_VALUE_SIZE];

    check_secrets(doctor, dump);
    for (size_t n = 0; doctor_value(dump, "tls_certificate", n, cert, sizeof cert) &&
                       doctor_value(dump, "tls_key", n, key, sizeof key);
         n++) {
        check_certificate(doctor, cert, key);
    }
    if (doctor_value(dump, "data_dir", 0, dir, sizeof dir)) {
        check_disk(doctor, dir);
    }
}
