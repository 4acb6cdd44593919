/* SPDX-License-Identifier: Apache-2.0 */
/* test_learn.c: proves ctl/learn: what the places of secrets hold is known, what could not be read
 * is said.
 * Owns a scratch directory. Never reads this host's own secrets. */
#include "approvald/ctl/learn.h"
#include "approvald/ctl/scrub.h"
#include "base/buf.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct scratch scratch;
static struct learn learn;
static struct err err = ERR_INIT;
static char credentials[256];

static void start(void)
{
    scratch_init(&scratch);
    scratch_file(&scratch, "credentials", credentials);
    learn = (struct learn){.credentials = credentials};
    CU_ASSERT_EQUAL_FATAL(scrub_new(&learn.scrub, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(buf_new(8192, &learn.missed, &err), ERR_OK);
}

static void end(void)
{
    scrub_free(learn.scrub);
    buf_free(learn.missed);
    scratch_done(&scratch);
}

static void make_folder(const char *name)
{
    char path[256];

    scratch_file(&scratch, name, path);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
}

/* With its files; scratch_done does not go into folders. */
static void drop_folder(const char *name, const char *file)
{
    char path[300];
    char folder[256];

    scratch_file(&scratch, name, folder);
    (void)snprintf(path, sizeof path, "%s/%s", folder, file); /* fits */
    (void)unlink(path);                                       /* some folders have none */
    CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void learn_dump(const char *format, const char *name)
{
    char dump[1024];
    char path[256];

    scratch_file(&scratch, name, path);
    (void)snprintf(dump, sizeof dump, "%s\"%s\"\n", format, path); /* fits */
    CU_ASSERT_EQUAL(learn_config(&learn, dump, &err), ERR_OK);
}

static bool is_known(const char *secret)
{
    AUTO_BUF struct buf *buf = NULL;
    char text[256];
    uint64_t count = 0;

    (void)snprintf(text, sizeof text, "<%s>", secret); /* fits */
    CU_ASSERT_EQUAL_FATAL(buf_new(1024, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(scrub_append(learn.scrub, span_text(text), buf, &count, &err), ERR_OK);
    return strcmp(buf_text(buf), "<" SCRUB_MARK ">") == 0;
}

static void files_that_are_named_are_known(void)
{
    start();
    scratch_write(&scratch, "signing", "0123456789abcdef0123456789abcdef\n");
    learn_dump("slack {\n    signing_secret_file = ", "signing");
    CU_ASSERT_TRUE(is_known("0123456789abcdef0123456789abcdef"));
    CU_ASSERT_STRING_EQUAL(buf_text(learn.missed), "");
    end();
}

static void of_a_user_the_password_alone_is_known_too(void)
{
    start();
    scratch_write(&scratch, "user", "approvald:et:cd-password\r\n");
    learn_dump("    user_file = ", "user");
    CU_ASSERT_TRUE(is_known("et:cd-password"));
    CU_ASSERT_TRUE(is_known("approvald:et:cd-password"));
    CU_ASSERT_FALSE(is_known("approvald"));
    end();
}

static void a_name_is_the_credential_of_any_unit(void)
{
    start();
    CU_ASSERT_EQUAL(learn_config(&learn, "bot_token_file = \"slack-bot\"\n", &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(learn.missed),
                           "slack-bot (a credential of systemd's that is not loaded)");
    buf_clear(learn.missed);
    make_folder("credentials");
    make_folder("credentials/approvald-supervisor.service");
    make_folder("credentials/other.service");
    scratch_write(&scratch, "credentials/approvald-supervisor.service/slack-bot",
                  "a-plain-token\n");
    CU_ASSERT_EQUAL(learn_config(&learn, "bot_token_file = \"slack-bot\"\n", &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(learn.missed), "");
    CU_ASSERT_TRUE(is_known("a-plain-token"));
    drop_folder("credentials/approvald-supervisor.service", "slack-bot");
    drop_folder("credentials/other.service", "");
    drop_folder("credentials", "");
    end();
}

static void the_password_of_the_proxy_is_known(void)
{
    start();
    CU_ASSERT_EQUAL(
        learn_config(&learn,
                     "slack {\n    proxy = \"http://svc:Pa,ss;1@proxy:3128\"\n"
                     "    no_proxy = \"a:not-secret@b\"\n}\n"
                     "slack {\n    proxy = \"svc:sla/sh@proxy\"\n}\nslack {\n    proxy = "
                     "\"none\"\n}\nslack {\n    proxy = \"http://name-only@proxy\"\n}\n",
                     &err),
        ERR_OK);
    CU_ASSERT_TRUE(is_known("Pa,ss;1"));
    CU_ASSERT_TRUE(is_known("sla/sh"));
    CU_ASSERT_FALSE(is_known("not-secret"));
    CU_ASSERT_FALSE(is_known("name-only"));
    CU_ASSERT_STRING_EQUAL(buf_text(learn.missed), "");
    end();
}

static void what_is_in_a_folder_is_known_without_its_name(void)
{
    char path[256];

    start();
    make_folder("secrets");
    scratch_write(&scratch, "secrets/token", "approvald:a-plain-token\n");
    scratch_file(&scratch, "secrets", path);
    CU_ASSERT_EQUAL(learn_folder(&learn, path, LEARN_USER, &err), ERR_OK);
    CU_ASSERT_TRUE(is_known("approvald:a-plain-token"));
    CU_ASSERT_TRUE(is_known("a-plain-token"));
    drop_folder("secrets", "token");
    CU_ASSERT_EQUAL(learn_folder(&learn, path, LEARN_USER, &err), ERR_OK); /* it is gone */
    CU_ASSERT_STRING_EQUAL(buf_text(learn.missed), "");
    end();
}

static void of_a_device_all_but_its_address_is_known(void)
{
    char path[256];

    start();
    scratch_write(&scratch, "peer",
                  "agent=fence_ipmilan\nip=192.0.2.102\nusername=approvald\n password = bmc=pass \n"
                  "# community=formerly\nhexadecimal_kg=0123abcd");
    scratch_file(&scratch, "peer", path);
    CU_ASSERT_EQUAL(learn_file(&learn, path, LEARN_DEVICE, &err), ERR_OK);
    CU_ASSERT_TRUE(is_known("bmc=pass"));
    CU_ASSERT_TRUE(is_known("formerly"));
    CU_ASSERT_TRUE(is_known("0123abcd"));
    CU_ASSERT_FALSE(is_known("approvald"));
    CU_ASSERT_FALSE(is_known("192.0.2.102"));
    CU_ASSERT_FALSE(is_known("fence_ipmilan"));
    end();
}

static void of_a_folder_with_keys_only_these_are_known(void)
{
    char path[256];

    start();
    make_folder("pair");
    scratch_write(
        &scratch, "pair/ca.key",
        "-----BEGIN EC PRIVATE KEY-----\nMHc/planted+Bytes\n-----END EC PRIVATE KEY-----\n");
    scratch_file(&scratch, "pair", path);
    CU_ASSERT_EQUAL(learn_folder(&learn, path, LEARN_KEY, &err), ERR_OK);
    CU_ASSERT_TRUE(is_known("MHc/planted+Bytes"));
    scratch_write(&scratch, "pair/ca.key", "interface = \"eth0\"\n");
    CU_ASSERT_EQUAL(learn_folder(&learn, path, LEARN_KEY, &err), ERR_OK);
    CU_ASSERT_FALSE(is_known("interface = \"eth0\""));
    CU_ASSERT_STRING_EQUAL(buf_text(learn.missed), "");
    drop_folder("pair", "ca.key");
    end();
}

static void of_a_webhook_the_path_is_known(void)
{
    start();
    CU_ASSERT_EQUAL(
        learn_config(&learn,
                     "webhook \"a\" {\n    url = \"https://h.example/services/T0/B0/word\"\n}\n"
                     "webhook \"b\" {\n    url = \"https://h.example/approvals\"\n}\n"
                     "webhook \"c\" {\n    url = \"https://h.example\"\n}\n"
                     "slack {\n    api_url = \"https://slack.com/api/of/all/apps/\"\n}\n",
                     &err),
        ERR_OK);
    CU_ASSERT_TRUE(is_known("services/T0/B0/word"));
    CU_ASSERT_FALSE(is_known("approvals"));
    CU_ASSERT_FALSE(is_known("api/of/all/apps/"));
    CU_ASSERT_FALSE(is_known("h.example"));
    end();
}

static void what_cannot_be_read_is_said(void)
{
    char large[LEARN_FILE_SIZE_MAX + 2];
    char path[256];

    start();
    learn_dump("tls_key = ", "nowhere");
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(learn.missed), "/nowhere (No such file or directory)"));
    learn_dump("key = ", "");
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(learn.missed), "), /"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(learn.missed), "/ (not a plain file)"));
    memset(large, 'a', sizeof large - 1);
    memcpy(large, "its-front\n", 10);
    large[sizeof large - 1] = '\0';
    scratch_write(&scratch, "large", large);
    learn_dump("key = ", "large");
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(learn.missed), "/large (larger than a secret)"));
    CU_ASSERT_TRUE(is_known("its-front"));
    /* Another option that only begins so names none. */
    buf_clear(learn.missed);
    CU_ASSERT_EQUAL(learn_config(&learn, "keyring = \"x\"\nkey = \"\"\n", &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(learn.missed), "");
    scratch_file(&scratch, "pipe", path);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    learn_dump("key = ", "pipe"); /* and nobody waits for its other end */
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(learn.missed), "/pipe (not a plain file)"));
    end();
}

UNIT_MAIN("learn",
          {"files that are named are known", files_that_are_named_are_known},
          {"of a user the password alone is known too", of_a_user_the_password_alone_is_known_too},
          {"a name is the credential of any unit", a_name_is_the_credential_of_any_unit},
          {"the password of the proxy is known", the_password_of_the_proxy_is_known},
          {"what is in a folder is known without its name",
           what_is_in_a_folder_is_known_without_its_name},
          {"of a device all but its address is known", of_a_device_all_but_its_address_is_known},
          {"of a folder with keys only these are known",
           of_a_folder_with_keys_only_these_are_known},
          {"of a webhook the path is known", of_a_webhook_the_path_is_known},
          {"what cannot be read is said", what_cannot_be_read_is_said})
