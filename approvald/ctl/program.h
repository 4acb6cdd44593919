/* SPDX-License-Identifier: Apache-2.0 */
/* program.h: the approvald program, asked about its own configuration. */
#ifndef APPROVALD_CTL_PROGRAM_H
#define APPROVALD_CTL_PROGRAM_H

#include "base/err.h"

struct buf;
struct ctl;

#define PROGRAM_OUTPUT_MAX ((size_t)1 << 20) /* bytes: a configuration is far shorter */

/* Becomes "approvald WHAT"; with --config, that file is asked about. Returns only when that fails:
 * the error, in *err. */
const struct err *program_exec(const struct ctl *ctl, const char *what, struct err *err);

/* The same for an option with a value. */
const struct err *
program_exec_with(const struct ctl *ctl, const char *what, const char *value, struct err *err);

/* The same for approvald-supervisor and its configuration. */
const struct err *program_exec_supervisor(const struct ctl *ctl, const char *what, struct err *err);

/* Runs it and waits: what it says (both streams) is added to output; *ret_code is its exit code. */
enum err_code program_capture(const struct ctl *ctl,
                              const char *what,
                              struct buf *output,
                              int *ret_code,
                              struct err *err) WARN_UNUSED;

/* The same for any program, found by $PATH. ERR_TOO_LARGE: it says more than fits output. */
enum err_code program_run(const char *const *argv,
                          struct buf *output,
                          int *ret_code,
                          struct err *err) WARN_UNUSED;

/* The same; its standard output is output_fd, its standard error ours. */
enum err_code
program_write(const char *const *argv, int output_fd, int *ret_code, struct err *err) WARN_UNUSED;

#endif
