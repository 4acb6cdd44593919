/* SPDX-License-Identifier: Apache-2.0 */
/* sup_certificates.c: when the certificates end that this host shows to the other one and to etcd,
 * and those that it trusts. Owns nothing but these times. Never reads a key, never renews: the
 * timer does and has us reload. Blocks (small files): at a start and at a reload only, as the
 * configuration's reading does. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/x509.h"
#include "supervisor/sup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FILE_SIZE_MAX ((size_t)65536) /* bytes: a chain has some 8 KiB */

/* Of one file, or 0: who looks for what is wrong with it asks the doctor. */
static uint64_t end_of(const char *path)
{
    AUTO_CLOSE int fd = path[0] == '\0' ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    uint64_t end_s = 0;
    char *room = NULL;
    ssize_t got;

    if (fd < 0 || buf_new(FILE_SIZE_MAX, &text, &err) != ERR_OK ||
        buf_extend(text, FILE_SIZE_MAX, &room, &err) != ERR_OK) {
        return 0;
    }
    got = read(fd, room, FILE_SIZE_MAX);
    buf_truncate(text, got > 0 ? (size_t)got : 0);
    return x509_first_end(buf_span(text), &end_s, &err) == ERR_OK ? end_s : 0;
}

void sup_certificates_read(struct sup *sup)
{
    static const struct {
        enum contract_end end;
        const char *section;
        const char *name;
    } files[] = {
        {CONTRACT_END_PAIR, "pair", "certificate"},
        {CONTRACT_END_PAIR_CA, "pair", "ca"},
        {CONTRACT_END_ARBITER_CLIENT, "arbiter", "certificate"},
        {CONTRACT_END_ARBITER_CA, "arbiter", "ca"},
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        sup->ends_s[files[i].end] =
            end_of(sup_config_text(sup->config, files[i].section, files[i].name));
    }
}

void sup_certificates_tell(const struct sup *sup, uint64_t ret_ends_s[CONTRACT_END_COUNT])
{
    struct arbiter_status status;

    memcpy(ret_ends_s, sup->ends_s, sizeof(sup->ends_s));
    if (sup->arbiter != NULL) {
        arbiter_status(sup->arbiter, &status);
        ret_ends_s[CONTRACT_END_ARBITER] = status.not_after_s;
    }
}
