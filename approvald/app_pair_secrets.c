/* SPDX-License-Identifier: Apache-2.0 */
/* app_pair_secrets.c: tells the other host the marks of this host's secrets, and the admin where
 * the two differ. Owns when they are told and what was heard. Never acts on a difference: a host
 * with another key is better than none. */
#include "approvald/app_pair_internal.h"
#include "base/json.h"
#include "base/log.h"
#include "storage/pair.h"

#include <string.h>

/* Best effort over the link: the next one says the same. A link that comes up, and a reload, are
 * told at once. */
#define TELL_MS  60000U
#define AGAIN_MS 1000U /* the link had no room */

void pair_secrets_read(struct app *app)
{
    struct pair_secrets *ours = &app->pair->secrets;
    const struct pair_secrets before = *ours;
    const struct config *config = app->config;
    struct span cluster = span_of((const char *)app->pair->configure.cluster_id, CONTRACT_ID_SIZE);
    const struct config_webhook *webhooks;
    size_t count = config_webhooks(config, &webhooks);

    *ours = (struct pair_secrets){.count = 0};
    if (app->serving == APP_RESTING) {
        pair_secrets_add(ours, PAIR_SECRET_STEP_UP, cluster, SPAN_NONE, config_step_up_key(config));
    } else { /* it goes on with the key that it began to serve with */
        ours->there[PAIR_SECRET_STEP_UP] = before.there[PAIR_SECRET_STEP_UP];
        memcpy(ours->marks[PAIR_SECRET_STEP_UP], before.marks[PAIR_SECRET_STEP_UP], PAIR_MARK_SIZE);
    }
    pair_secrets_add(ours, PAIR_SECRET_SIGNING, cluster, SPAN_NONE, config_signing_secret(config));
    pair_secrets_add(ours, PAIR_SECRET_BOT, cluster, SPAN_NONE, config_bot_token(config));
    pair_secrets_add(ours, PAIR_SECRET_APP, cluster, SPAN_NONE, config_app_token(config));
    for (size_t i = 0; i < count; i++) {
        pair_secrets_add(ours, PAIR_SECRET_WEBHOOKS, cluster, span_text(webhooks[i].name),
                         webhooks[i].secret);
    }
    app->pair->secrets_ms = 0;
}

void pair_secrets_tick(struct app *app, uint64_t now_ms)
{
    struct pair *pair = app->pair;
    uint8_t bytes[PAIR_SECRETS_SIZE_MAX];
    struct span data;

    if (!pair->link.up || now_ms < pair->secrets_ms) {
        return;
    }
    data = span_of((const char *)bytes, pair_secrets_encode(&pair->secrets, bytes));
    pair->secrets_ms =
        now_ms + (storage_peer_send(app->storage, data, NULL) == ERR_OK ? TELL_MS : AGAIN_MS);
}

/* Each difference, when it is new. */
static void log_changes(const struct pair *pair, const struct pair_secrets *before)
{
    for (enum pair_secret i = 0; i < PAIR_SECRET_COUNT; i++) {
        enum pair_likeness likeness = pair_secrets_compare(&pair->secrets, &pair->peer_secrets, i);

        if (likeness != pair_secrets_compare(&pair->secrets, before, i) &&
            pair_likeness_hurts(likeness)) {
            log_fields(LOG_LEVEL_ERROR, "pair", "secrets_differ",
                       LOG_TEXT("option", pair_secret_word(i)),
                       LOG_TEXT("how", pair_likeness_word(likeness)),
                       LOG_TEXT("hint", "the same file belongs on both hosts"));
        }
    }
}

void pair_secrets_heard(struct app *app, struct span data)
{
    struct pair *pair = app->pair;
    struct pair_secrets before = pair->peer_secrets;
    struct err err = ERR_INIT;

    if (pair_secrets_decode(data, &pair->peer_secrets, &err) == ERR_OK) {
        log_changes(pair, &before);
    } else {
        log_err(LOG_LEVEL_WARNING, "pair", "peer_message", &err);
    }
}

void pair_secrets_link(struct pair *pair, bool up)
{
    if (up != pair->link.up) {
        pair->secrets_ms = 0;
    }
    if (!up) {
        pair->peer_secrets = (struct pair_secrets){.count = 0};
    }
}

uint32_t app_pair_secrets_differ(const struct app *app)
{
    uint32_t count = 0;

    for (enum pair_secret i = 0; app_pair_is_paired(app) && i < PAIR_SECRET_COUNT; i++) {
        count += pair_likeness_hurts(
                     pair_secrets_compare(&app->pair->secrets, &app->pair->peer_secrets, i))
                     ? 1
                     : 0;
    }
    return count;
}

void app_pair_secrets(const struct app *app, struct json *pair)
{
    struct json *list = json_add_array(pair, "secrets");

    for (enum pair_secret i = 0; i < PAIR_SECRET_COUNT; i++) {
        struct json *item = json_add_object(list, NULL);

        json_add_text(item, "option", span_text(pair_secret_word(i)));
        json_add_text(item, "state",
                      span_text(pair_likeness_word(
                          pair_secrets_compare(&app->pair->secrets, &app->pair->peer_secrets, i))));
    }
}
