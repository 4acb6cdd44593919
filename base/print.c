/* SPDX-License-Identifier: Apache-2.0 */
/* print.c: what a program shows before it ends.
 * Owns the way from a buffer to a stream, and its bound.
 * Never chooses the stream nor an exit code: the programs do. */
#include "base/print.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/limits.h"

#include <errno.h>

enum err_code print_made(FILE *out,
                         enum err_code (*make)(const void *arg, struct buf *buf, struct err *err),
                         const void *arg,
                         struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    enum err_code rc;

    ASSERT(out != NULL);
    ASSERT(make != NULL);
    rc = buf_new(PRINT_SIZE_MAX, &buf, err);
    if (rc == ERR_OK) {
        rc = make(arg, buf, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (fputs(buf_text(buf), out) < 0 || fflush(out) != 0) {
        return err_set_errno(err, ERR_IO, errno, "output");
    }
    return ERR_OK;
}

static enum err_code make_conf(const void *arg, struct buf *buf, struct err *err)
{
    return conf_dump(arg, buf, err);
}

enum err_code print_conf(FILE *out, const struct conf *conf, struct err *err)
{
    return print_made(out, make_conf, conf, err);
}

static enum err_code make_options(const void *arg, struct buf *buf, struct err *err)
{
    return conf_describe(arg, buf, err);
}

enum err_code print_options(FILE *out, const struct conf_schema *schema, struct err *err)
{
    return print_made(out, make_options, schema, err);
}
