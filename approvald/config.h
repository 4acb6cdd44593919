/* SPDX-License-Identifier: Apache-2.0 */
/* config.h: approvald's configuration: the table of options, and the secrets that its files hold.
 * Secrets come from files only, never from arguments or the environment. */
#ifndef APPROVALD_CONFIG_H
#define APPROVALD_CONFIG_H

#include "base/conf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_WEBHOOK_COUNT_MAX 64   /* destinations of one host */
#define CONFIG_SECRET_SIZE_MAX   4096 /* bytes: keys have 32 to 512 */

struct config;
struct lastgood;
struct proxies;

struct config_webhook {
    const char *name;
    const char *url;
    struct span secret;
    bool allow_inward;
};

const struct conf_schema *config_schema(void);

/* Parses file (and file.d), checks what belongs together and reads the secrets. Errors
 * name file and line, or the secret's file. Blocks (disk). */
enum err_code
config_load(const char *file, struct config **ret_config, struct err *err) WARN_UNUSED;
/* The options alone: for work on a store while nothing runs, where secrets may be missing (those of
 * the running unit) and are not wanted. Such a config is for config_text and config_number. */
enum err_code
config_load_text(const char *file, struct config **ret_config, struct err *err) WARN_UNUSED;
/* For a start: as config_load, but where file is broken the copy at last_good (lastgood.h; NULL:
 * none is kept) stands in, and config_last_good says so. When that cannot either, the error names
 * both reasons. last_good is borrowed for the config's life. */
enum err_code config_start(const char *file,
                           const char *last_good,
                           struct config **ret_config,
                           struct err *err) WARN_UNUSED;
/* This configuration has proven itself: the next start may fall back on it. One that stands in
 * itself, or has no place, is not kept. From a thread: does not block. */
void config_keep(const struct config *config);
/* Of a reload: the new one is kept where the old one was; but no more in this process once
 * something has changed that only a start puts in force (untried): that has yet to prove itself. */
void config_keep_as(struct config *config, const struct config *old, bool untried);
/* Wipes the secrets. NULL is allowed. */
void config_free(struct config *config);

/* All borrowed from the config. */
const struct conf *config_conf(const struct config *config);
const char *config_file(const struct config *config);
const struct lastgood *config_last_good(const struct config *config);
/* Text, number and flag of an option by section ("" is the top level). */
const char *config_text(const struct config *config, const char *section, const char *name);
uint64_t config_number(const struct config *config, const char *section, const char *name);

const struct proxies *config_trusted_proxies(const struct config *config);

/* Slack is set up when there is a bot token. */
bool config_has_slack(const struct config *config);
struct span config_step_up_key(const struct config *config);     /* empty: no one-time codes */
struct span config_signing_secret(const struct config *config);  /* empty: not over HTTP */
struct span config_previous_secret(const struct config *config); /* may be empty */
struct span config_bot_token(const struct config *config);
struct span config_app_token(const struct config *config); /* empty: no Socket Mode */
size_t config_webhooks(const struct config *config, const struct config_webhook **ret_webhooks);

/* Calls name(arg, section, option) for each option that differs and takes effect only at a start.
 */
void config_compare(const struct config *old,
                    const struct config *new,
                    void (*name)(void *arg, const char *section, const char *option),
                    void *arg);

#endif
