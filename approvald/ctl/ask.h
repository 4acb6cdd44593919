/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h: makes a request out of the options that `request` and `run` share. */
#ifndef APPROVALD_CTL_ASK_H
#define APPROVALD_CTL_ASK_H

#include "approvald/ctl/ctl.h"

#define ASK_KEY_SIZE 40
#define ASK_ID_SIZE  64

struct json;

struct ask {
    const char *title;   /* when --title is not given; NULL: it must be */
    const char *target;  /* when --target is not given; NULL: none */
    const char *details; /* NULL: none */
    const char *hash;    /* hex of the bind hash, or NULL */
};

/* Asks, once for one intent however often the call is repeated. */
int ask_create(struct ctl *ctl, const struct ask *ask, const struct client_reply **ret_reply);
/* The id of a request in a reply. */
int ask_id(const struct ctl *ctl, const struct client_reply *reply, char ret_id[ASK_ID_SIZE]);
/* A name for one intent that nobody has used before. */
void ask_new_key(char ret_key[ASK_KEY_SIZE]);

/* POST /v1/requests/ID/ACT with the tree as body, which is freed. deadline_ms: limit of all
 * attempts; 0: the client's. */
int ask_act(struct ctl *ctl,
            const char *id,
            const char *act,
            uint32_t deadline_ms,
            struct json *body_take,
            const struct client_reply **ret_reply);
/* Adds a text that is given; CTL_USAGE when it is not UTF-8. */
int ask_add_text(const struct ctl *ctl, struct json *body, const char *name, const char *text);

#endif
