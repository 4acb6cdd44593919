/* SPDX-License-Identifier: Apache-2.0 */
/* codec_windows.h: times at which nothing may be used, as a section of other records. Only
 * codec_*.c include it. */
#ifndef APPROVALD_CORE_CODEC_WINDOWS_H
#define APPROVALD_CORE_CODEC_WINDOWS_H

#include "approvald/core/codec_io.h"
#include "approvald/core/types.h"

bool codec_request_hold_set(const struct request_hold *hold);
bool codec_policy_windows_set(const struct policy_windows *windows);
void codec_request_hold_write(struct codec_writer *writer, const struct request_hold *hold);
void codec_request_hold_read(struct unpack *unpack, struct request_hold *ret_hold);
void codec_policy_windows_write(struct codec_writer *writer, const struct policy_windows *windows);
void codec_policy_windows_read(struct unpack *unpack, struct policy_windows *ret_windows);

#endif
