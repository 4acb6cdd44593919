/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: every limit of the supervisor, with the reason for its value. */
#ifndef SUPERVISOR_LIMITS_H
#define SUPERVISOR_LIMITS_H

#include "supervisor/contract.h"

#include <assert.h>

/* Listening sockets handed to approvald: its section http allows 4 + 4 + 4 addresses and one path;
 * the pair link is one more. */
#define SUP_SOCKET_COUNT_MAX 16
/* Bytes of one "NAME ADDRESS". */
#define SUP_ADDRESS_SIZE 128
/* What approvald --print-sockets may say, and how long it may take: it reads a few small files. */
#define SUP_PRINT_SIZE_MAX 4096
#define SUP_PRINT_MS       5000

/* A killed child is waited for so long where nothing else may happen meanwhile. */
#define SUP_CHILD_END_MS 1000

/* The operator's connections to the control socket at once: a person, approvalctl's watch, and a
 * monitoring agent; more are told no. */
#define SUP_CONTROL_COUNT_MAX 8
/* Bytes of a request: the longest command has 60. */
#define SUP_CONTROL_LINE_MAX 512
/* Bytes of an answer: a status with sixteen crashes of 160 bytes, each byte escaped as \u0000, fits
 * twice, and a socket's buffer takes it whole. */
#define SUP_CONTROL_ANSWER_MAX 32768
/* A client that neither asks nor reads for so long is dropped. */
#define SUP_CONTROL_IDLE_MS 10000
/* A switchover is answered when it has happened or failed; longer than handover_ms may be. */
#define SUP_CONTROL_WAIT_MS 60000

/* Bytes of what the fence helper answers: a word, an exit code and AGENT_TEXT_SIZE. */
#define SUP_FENCE_LINE_MAX 255

/* The virtual IP is at a wrong place for so long, in looks of SUP_HOUSE_MS, before that is an
 * alarm: VRRP and a handover take two seconds at most. */
#define SUP_VIP_WRONG_COUNT 5

/* Between two reads of the register while nothing depends on one: that the arbiter is lost is to be
 * known before it is needed. A read costs etcd a round trip of a few hundred bytes and no write. */
#define SUP_IDLE_READ_MS 5000

/* Events in one turn of the loop, before the loop may look at descriptors again. A step may cause a
 * step: a chain longer than this is a mistake. */
#define SUP_EVENT_COUNT_MAX 64
/* Effects of the failover core that wait for the disk. Each kind comes once in a while: a CAS at a
 * time, a handful of messages in a child's life, replies to two dozen operators at most. More means
 * that the disk has hung for minutes: then everything is given up. */
#define SUP_ACT_COUNT_MAX 64
/* At the end a save that hangs is waited for so long. */
#define SUP_SAVE_END_MS 1000
/* Messages read from the child in one turn. */
#define SUP_MESSAGE_PASS_MAX 64
/* Messages of the child that wait at most: its socket buffer, 208 KiB, counts no less than 768
 * bytes for each. */
#define SUP_MESSAGE_BACKLOG_MAX 512

static_assert(SUP_CONTROL_LINE_MAX < SUP_CONTROL_ANSWER_MAX, "an answer can name its question");
static_assert(SUP_SOCKET_COUNT_MAX >= 4 + 4 + 4 + 1 + 1, "every address of the section http fits");

#endif
