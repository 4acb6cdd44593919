/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.h: lines of the doctor: what was looked at, how it is, what to do. */
#ifndef APPROVALD_CTL_DOCTOR_H
#define APPROVALD_CTL_DOCTOR_H

#include "approvald/ctl/ctl.h"

#include <stdint.h>

enum doctor_mark { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct json;

struct doctor {
    struct ctl *ctl;
    struct json *pair; /* owned: what the supervisor says; NULL: there is none, or no answer */
    uint32_t failed;
    uint32_t warned;
    uint32_t lines;
    bool broken; /* a line could not be printed */
};

/* Prints one line (with --json an object) and counts it. */
void doctor_say(struct doctor *doctor, enum doctor_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A warning when who ("approvald", "the supervisor") has crashed lately; status: what it says. */
void doctor_crash(struct doctor *doctor, const char *who, const struct json *status);
/* The checks of files and disk that the configuration names. dump: what approvald --dump-config
 * said. */
void doctor_files(struct doctor *doctor, const char *dump);
/* The checks of the pair; own: what approvald says of itself, or NULL. */
void doctor_pair(struct doctor *doctor, const struct json *own);
/* The value of a key in a dump, the index-th time it is set to a text; false: it is not. Pure. */
bool doctor_value(const char *dump, const char *key, size_t index, char *ret_value, size_t size);

#endif
