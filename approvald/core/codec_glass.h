/* SPDX-License-Identifier: Apache-2.0 */
/* codec_glass.h: the broken glass, as a section of other records. A section is written only when it
 * says something. Only codec_*.c include it. */
#ifndef APPROVALD_CORE_CODEC_GLASS_H
#define APPROVALD_CORE_CODEC_GLASS_H

#include "approvald/core/codec_io.h"
#include "approvald/core/types.h"

bool codec_request_glass_set(const struct request_glass *glass);
bool codec_policy_glass_set(const struct policy_glass *glass);
void codec_request_glass_write(struct codec_writer *writer, const struct request_glass *glass);
void codec_request_glass_read(struct unpack *unpack, struct request_glass *ret_glass);
void codec_policy_glass_write(struct codec_writer *writer, const struct policy_glass *glass);
void codec_policy_glass_read(struct unpack *unpack, struct policy_glass *ret_glass);

#endif
