/* SPDX-License-Identifier: Apache-2.0 */
/* exit.h: what approvalctl's exit codes mean; one table for the program, its help and its tests.
 * From 110 on, so that `run` can pass the codes of ordinary programs through. */
#ifndef APPROVALD_CTL_EXIT_H
#define APPROVALD_CTL_EXIT_H

#define CTL_EXIT_TABLE(X)                                                                          \
    X(CTL_OK, 0, "done; of wait: approved")                                                        \
    X(CTL_REJECTED, 110, "rejected")                                                               \
    X(CTL_EXPIRED, 111, "expired before it was decided")                                           \
    X(CTL_CANCELLED, 112, "cancelled")                                                             \
    X(CTL_LAPSED, 113, "approved, but not used in time")                                           \
    X(CTL_UNREACHABLE, 114, "approvald could not be reached or is not ready")                      \
    X(CTL_REFUSED, 115, "refused: not permitted, not known, or not what was approved")             \
    X(CTL_USAGE, 116, "the call is wrong: option, argument or value")                              \
    X(CTL_TIMEOUT, 117, "no outcome within --timeout")                                             \
    X(CTL_CONFLICT, 118, "already decided, claimed or used")                                       \
    X(CTL_INTERNAL, 119, "internal error")

/* Functions return them as int: run passes the codes of other programs through. */
enum ctl_exit {
#define CTL_EXIT_ENUM(code, number, text) code = (number),
    CTL_EXIT_TABLE(CTL_EXIT_ENUM)
#undef CTL_EXIT_ENUM
};

#endif
