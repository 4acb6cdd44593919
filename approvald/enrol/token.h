/* SPDX-License-Identifier: Apache-2.0 */
/* token.h: the join token: what the joining host has to know, as one word to copy. It holds a
 * secret. Pure. */
#ifndef APPROVALD_ENROL_TOKEN_H
#define APPROVALD_ENROL_TOKEN_H

#include "approvald/enrol/limits.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers on the wire and in files: only ever appended. */
enum enrol_role {
    ENROL_ROLE_HOST = 1, /* host 2 */
    ENROL_ROLE_ARBITER = 2,
};

/* "host", "arbiter". */
const char *enrol_role_name(enum enrol_role role);

#define TOKEN_ADDRESS_SIZE  46  /* the longest literal address with its NUL */
#define TOKEN_TEXT_SIZE_MAX 256 /* with the NUL; the longest token has 160 */

struct token {
    enum enrol_role role;
    char address[TOKEN_ADDRESS_SIZE]; /* a literal, of the host that offers */
    uint16_t port;
    uint8_t secret[ENROL_SECRET_SIZE];
    uint8_t fingerprint[X509_HASH_SIZE]; /* of the certificate that it shows */
    bool fence; /* the pair has fence devices: who joins has to know them (message.h) */
};

/* It begins with "apvjoin1.", or with "apvjoin2." where the pair has fence devices: an approvalctl
 * that knows none refuses it at once, before anybody is asked. */
void token_format(const struct token *token, char ret_text[TOKEN_TEXT_SIZE_MAX]);
/* Blanks around it are allowed. ERR_INVALID says what is wrong and never shows the text: not a
 * token, cut or mistyped (it bears a checksum), of a later version. */
enum err_code token_parse(struct span text, struct token *ret_token, struct err *err) WARN_UNUSED;

#endif
