/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: every limit of the setting up of a pair, with the reason for its value. */
#ifndef APPROVALD_ENROL_LIMITS_H
#define APPROVALD_ENROL_LIMITS_H

#include "base/x509.h"

#include <assert.h>

/* A token holds for so long: time to walk to the other machine, not to forget it in a chat. */
#define ENROL_OFFER_S 900U
/* Wrong proofs of one offer. Who does not know the token cannot even name the offer, so each is a
 * mistake of its owner's or an attack with half of it. */
#define ENROL_TRIES_MAX 8U
/* 128 random bits: nobody guesses them in fifteen minutes, nor in as many years. */
#define ENROL_SECRET_SIZE 16U

/* One conversation, from accept to the last byte: a slow link needs one second, and who says
 * nothing keeps the others waiting for no longer. */
#define ENROL_TALK_MS 8000U
/* Connections that wait while one is served: two joiners, and strangers. */
#define ENROL_BACKLOG 8

/* Bytes of a request: a public key, a signature and two hashes are 300. */
#define ENROL_REQUEST_SIZE_MAX 512U
/* Bytes of a reply: four certificates of two authorities, two keys, the plan, two fence devices. */
#define ENROL_REPLY_SIZE_MAX 32768U

/* Bytes of one PEM file of ours: a bundle of two authorities has 1.5 KiB. */
#define ENROL_PEM_SIZE_MAX 8192U
/* Bytes of the plan as text: twelve short lines. */
#define ENROL_PLAN_SIZE_MAX 2048U
/* Bytes of the name of a fence agent's option with its NUL: the longest that the agents of Debian
 * have is 30. */
#define DEVICE_KEY_SIZE 48U
/* And of its value: a password, a path, an address; the longest of a BMC has 20. */
#define DEVICE_VALUE_SIZE 256U
/* And of an agent's name: the longest of Debian has 26, and the helper's path has 256. */
#define DEVICE_AGENT_SIZE 128U
/* Options of one fence device: the agents take 60 in all, of which an admin sets five. */
#define DEVICE_OPTION_COUNT_MAX 24U
/* Secrets among them: as many as the helper hides (AGENT_SECRET_MAX). */
#define DEVICE_SECRET_COUNT_MAX 16U
/* Bytes of a device's file: all of them at their longest; the helper reads 8191. */
#define DEVICE_TEXT_SIZE_MAX 8000U

/* Bytes of a configuration that is written: keepalived's, the longest, has 2 KiB. */
#define ENROL_TEXT_SIZE_MAX 16384U
/* Bytes of a path with its NUL: what the supervisor's contract takes. */
#define ENROL_PATH_SIZE 256U

#define ENROL_DAY_S UINT64_C(86400)
/* An authority outlives the machines. */
#define ENROL_AUTHORITY_S (3653 * ENROL_DAY_S)
/* A host's certificate is renewed by itself when a third of this is left: four months in which a
 * renewal that fails is noticed. */
#define ENROL_LEAF_S (365 * ENROL_DAY_S)
/* The arbiter is a box that nobody logs in to, and has no authority's key to renew with: its
 * certificate holds as long as the authority, which a rotation replaces. */
#define ENROL_ARBITER_S ENROL_AUTHORITY_S
/* The hosts' clocks may differ when they are set up: certificates begin so much earlier. */
#define ENROL_BACKDATE_S ENROL_DAY_S

static_assert(4 * ENROL_PEM_SIZE_MAX + ENROL_PLAN_SIZE_MAX > ENROL_REPLY_SIZE_MAX,
              "each file is bounded by itself, and all of them by the reply");
static_assert(DEVICE_OPTION_COUNT_MAX * (DEVICE_KEY_SIZE + DEVICE_VALUE_SIZE) + 160 <
                  DEVICE_TEXT_SIZE_MAX,
              "every device that is taken can be written");
static_assert(2 * DEVICE_TEXT_SIZE_MAX + ENROL_PLAN_SIZE_MAX + 8192 < ENROL_REPLY_SIZE_MAX,
              "two devices fit beside what a pair's authorities have");
static_assert(ENROL_REQUEST_SIZE_MAX > X509_PUBLIC_SIZE + X509_PROOF_SIZE_MAX + 100,
              "a request fits");

#endif
