/* SPDX-License-Identifier: Apache-2.0 */
/* codec_clocks.h: what time does, as the last section of the stored request and policy. Only the
 * codecs of those two include it. A record without times has no such section, so that older
 * software reads it. Pure. */
#ifndef APPROVALD_CORE_CODEC_CLOCKS_H
#define APPROVALD_CORE_CODEC_CLOCKS_H

#include "approvald/core/codec_io.h"
#include "approvald/core/types.h"

/* There is something to write. */
bool codec_request_clocks_set(const struct request_clocks *clocks);
bool codec_policy_clocks_set(const struct policy_clocks *clocks);

void codec_request_clocks_write(struct codec_writer *writer, const struct request_clocks *clocks);
void codec_policy_clocks_write(struct codec_writer *writer, const struct policy_clocks *clocks);
/* A section that says nothing was not written by us: the cursor fails. */
void codec_request_clocks_read(struct unpack *unpack, struct request_clocks *ret_clocks);
void codec_policy_clocks_read(struct unpack *unpack, struct policy_clocks *ret_clocks);

#endif
