/* SPDX-License-Identifier: Apache-2.0 */
/* test_config.c: proves approvald/config and approvald/secret on files in a scratch directory.
 * Owns that directory's files; never reads a configuration of the host. */
#include "approvald/config.h"
#include "approvald/secret.h"
#include "base/buf.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE 256

struct place {
    struct scratch scratch;
    char file[PATH_SIZE];
    char secret[PATH_SIZE];
};

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "we");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(text, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
    CU_ASSERT_EQUAL(chmod(path, mode), 0);
}

static void setup(struct place *place)
{
    scratch_init(&place->scratch);
    (void)snprintf(place->file, sizeof(place->file), "%s/approvald.conf", place->scratch.path);
    (void)snprintf(place->secret, sizeof(place->secret), "%s/secret", place->scratch.path);
}

static void teardown(struct place *place)
{
    scratch_done(&place->scratch);
}

static enum err_code
load(struct place *place, const char *text, struct config **config, struct err *err)
{
    write_file(place->file, text, 0600);
    return config_load(place->file, config, err);
}

static void an_empty_file_is_a_complete_configuration(void)
{
    struct place place;
    struct config *config = NULL;
    struct err err = ERR_INIT;

    setup(&place);
    CU_ASSERT_EQUAL_FATAL(load(&place, "", &config, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(config_text(config, "", "data_dir"), "/var/lib/approvald");
    CU_ASSERT_EQUAL(config_number(config, "", "drain"), 10000);
    CU_ASSERT(!config_has_slack(config));
    config_free(config);
    teardown(&place);
}

static void what_is_dumped_loads_again(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct place place;
    struct config *config = NULL;
    struct err err = ERR_INIT;

    setup(&place);
    CU_ASSERT_EQUAL_FATAL(
        load(&place, "http { listen = {\"[::1]:1\", \"127.0.0.1:2\"} }", &config, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(buf_new(100000, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(conf_dump(config_conf(config), buf, &err), ERR_OK);
    config_free(config);
    config = NULL;
    CU_ASSERT_EQUAL_FATAL(load(&place, buf_text(buf), &config, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(conf_list(conf_section(config_conf(config), "http"), "listen", 1),
                           "127.0.0.1:2");
    config_free(config);
    teardown(&place);
}

static void mistakes_are_named_with_file_and_line(void)
{
    static const struct {
        const char *text;
        const char *where;
        const char *what;
    } cases[] = {
        {"\nnonsense = 1\n", "approvald.conf:2", "nonsense"},
        {"http {\n    connections = 3\n}\n", "approvald.conf:2", "connections"},
        {"\n\nhttp {\n    tls_listen = {\"127.0.0.1:1\"}\n}\n", "approvald.conf:3",
         "tls_certificate"},
        {"slack {\n    bot_token_file = \"/nonexistent/token\"\n}\n", "approvald.conf:1",
         "/nonexistent/token"},
        {"\nhttp {\n    trusted_proxies = {\"10.0.0.1\", \"10.0.0.1/8\"}\n}\n", "approvald.conf:2",
         "10.0.0.1/8"},
        {"http {\n    trusted_proxies = {\"proxy.example\"}\n}\n", "trusted_proxies",
         "proxy.example"},
        {"webhook ci {\n    url = \"https://a.example/\"\n}\n", "approvald.conf:1", "secret_file"},
    };
    struct place place;
    struct config *config = NULL;

    setup(&place);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;

        CU_ASSERT_NOT_EQUAL(load(&place, cases[i].text, &config, &err), ERR_OK);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, cases[i].where));
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, cases[i].what));
    }
    CU_ASSERT_PTR_NULL(config);
    teardown(&place);
}

static void secrets_are_read_and_belong_together(void)
{
    char text[5 * PATH_SIZE];
    struct place place;
    struct config *config = NULL;
    const struct config_webhook *webhooks = NULL;
    struct err err = ERR_INIT;

    setup(&place);
    write_file(place.secret, "top-secret\n", 0600);
    (void)snprintf(text, sizeof(text), "slack { bot_token_file = \"%s\" }", place.secret);
    CU_ASSERT_EQUAL(load(&place, text, &config, &err), ERR_INVALID);
    (void)snprintf(text, sizeof(text), "slack { app_token_file = \"%s\" }", place.secret);
    CU_ASSERT_EQUAL(load(&place, text, &config, &err), ERR_INVALID);
    (void)snprintf(text, sizeof(text), "slack { bot_token_file = \"%s\" app_token_file = \"%s\" }",
                   place.secret, place.secret);
    CU_ASSERT_EQUAL_FATAL(load(&place, text, &config, &err), ERR_OK);
    CU_ASSERT(span_is(config_app_token(config), "top-secret"));
    CU_ASSERT_EQUAL(config_signing_secret(config).size, 0);
    config_free(config);
    (void)snprintf(text, sizeof(text),
                   "slack { bot_token_file = \"%s\" signing_secret_file = \"%s\" }\n"
                   "webhook ci { url = \"https://a.example/\" secret_file = \"%s\" }",
                   place.secret, place.secret, place.secret);
    CU_ASSERT_EQUAL_FATAL(load(&place, text, &config, &err), ERR_OK);
    CU_ASSERT(config_has_slack(config));
    CU_ASSERT(span_is(config_bot_token(config), "top-secret"));
    CU_ASSERT_EQUAL_FATAL(config_webhooks(config, &webhooks), 1);
    CU_ASSERT_STRING_EQUAL(webhooks[0].name, "ci");
    CU_ASSERT(span_is(webhooks[0].secret, "top-secret"));
    config_free(config);
    teardown(&place);
}

static void a_secret_that_others_can_read_is_refused(void)
{
    struct place place;
    struct buf *secret = NULL;
    struct err err = ERR_INIT;

    setup(&place);
    write_file(place.secret, "x", 0604);
    CU_ASSERT_EQUAL(secret_load(place.secret, 100, &secret, &err), ERR_DENIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "chmod"));
    write_file(place.secret, "\n\n", 0600);
    CU_ASSERT_EQUAL(secret_load(place.secret, 100, &secret, &err), ERR_INVALID);
    write_file(place.secret, "0123456789", 0600);
    CU_ASSERT_EQUAL(secret_load(place.secret, 9, &secret, &err), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(secret_load(place.scratch.path, 9, &secret, &err), ERR_INVALID);
    CU_ASSERT_PTR_NULL(secret);
    teardown(&place);
}

static void a_bare_name_is_a_credential(void)
{
    struct place place;
    struct buf *secret = NULL;
    struct err err = ERR_INIT;

    setup(&place);
    write_file(place.secret, "from systemd", 0400);
    CU_ASSERT_EQUAL(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    CU_ASSERT_EQUAL(secret_load("secret", 100, &secret, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(setenv("CREDENTIALS_DIRECTORY", place.scratch.path, 1), 0);
    CU_ASSERT_EQUAL_FATAL(secret_load("secret", 100, &secret, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(secret), "from systemd");
    secret_free(secret);
    CU_ASSERT_EQUAL(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    teardown(&place);
}

static void count_change(void *arg, const char *section, const char *option)
{
    uint32_t *count = arg;

    *count += 1;
    CU_ASSERT(strcmp(section, "storage") == 0 || strcmp(section, "http") == 0);
    CU_ASSERT(strcmp(option, "headroom") == 0 || strcmp(option, "listen") == 0);
}

static void what_needs_a_restart_is_named(void)
{
    struct place place;
    struct config *old = NULL;
    struct config *new = NULL;
    struct err err = ERR_INIT;
    uint32_t count = 0;

    setup(&place);
    CU_ASSERT_EQUAL_FATAL(load(&place, "", &old, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(load(&place,
                               "log_level = \"debug\"\nstorage { headroom = 200M }\n"
                               "http { listen = {\"127.0.0.1:1\"} }",
                               &new, &err),
                          ERR_OK);
    config_compare(old, new, count_change, &count);
    CU_ASSERT_EQUAL(count, 2);
    config_free(old);
    config_free(new);
    teardown(&place);
}

UNIT_MAIN("config",
          {"an empty file is a complete configuration", an_empty_file_is_a_complete_configuration},
          {"what is dumped loads again", what_is_dumped_loads_again},
          {"mistakes are named with file and line", mistakes_are_named_with_file_and_line},
          {"secrets are read and belong together", secrets_are_read_and_belong_together},
          {"a secret that others can read is refused", a_secret_that_others_can_read_is_refused},
          {"a bare name is a credential", a_bare_name_is_a_credential},
          {"what needs a restart is named", what_needs_a_restart_is_named})
