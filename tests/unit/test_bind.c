/* SPDX-License-Identifier: Apache-2.0 */
/* test_bind.c: proves ctl/bind against vectors that were computed by hand (see each case).
 * Owns nothing but its cases; never runs a command. */
#include "approvald/ctl/bind.h"
#include "base/buf.h"
#include "tests/unit/unit.h"

#include <string.h>

static char word_deploy[] = "./deploy.sh";
static char word_api[] = "api";
static char word_joined[] = "./deploy.sh api";

static void hex_of(const struct bind *bind, char hex[65])
{
    uint8_t hash[CRYPTO_SHA256_SIZE];
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(bind_hash(bind, hash, &err), ERR_OK);
    crypto_hex(hash, sizeof hash, hex);
}

/* printf '17:approvald-bind-v1,8:/srv/app,1:2,11:./deploy.sh,3:api,1:0,' | sha256sum */
static void a_command_without_variables_has_the_documented_hash(void)
{
    char *argv[] = {word_deploy, word_api, NULL};
    struct bind bind = {.directory = "/srv/app", .argv = argv};
    char hex[65];

    hex_of(&bind, hex);
    CU_ASSERT_STRING_EQUAL(hex, "e37068522e17e890ddb328895dfbdc821008c384576521fc07433cc5342b8cba");
}

/* printf '17:approvald-bind-v1,1:/,1:1,11:./deploy.sh,1:2,5:A=b=c,3:B=\n,' | sha256sum */
static void variables_are_hashed_in_order_of_bytes(void)
{
    char *argv[] = {word_deploy, NULL};
    const char *forward[] = {"A=b=c", "B=\n"};
    const char *backward[] = {"B=\n", "A=b=c"};
    struct bind bind = {.directory = "/", .argv = argv, .envs = forward, .env_count = 2};
    char first[65];
    char second[65];

    hex_of(&bind, first);
    bind.envs = backward;
    hex_of(&bind, second);
    CU_ASSERT_STRING_EQUAL(first,
                           "d80d106636ad2104bb8f4cc3da424a13c5472dc56b584fd12c14b257e3d9474f");
    CU_ASSERT_STRING_EQUAL(first, second);
}

static void two_words_are_not_one_word_with_a_space(void)
{
    char *two[] = {word_deploy, word_api, NULL};
    char *one[] = {word_joined, NULL};
    struct bind bind = {.directory = "/", .argv = two};
    char first[65];
    char second[65];

    hex_of(&bind, first);
    bind.argv = one;
    hex_of(&bind, second);
    CU_ASSERT_STRING_NOT_EQUAL(first, second);
}

static void directory_counts(void)
{
    char *argv[] = {word_deploy, NULL};
    struct bind bind = {.directory = "/a", .argv = argv};
    char first[65];
    char second[65];

    hex_of(&bind, first);
    bind.directory = "/b";
    hex_of(&bind, second);
    CU_ASSERT_STRING_NOT_EQUAL(first, second);
}

static void a_variable_given_twice_or_without_a_name_is_refused(void)
{
    char *argv[] = {word_deploy, NULL};
    const char *twice[] = {"A=1", "A=2"};
    const char *bare[] = {"A"};
    const char *hidden[] = {"A\x1b[2K=1"};
    const char *neighbours[] = {"A=1", "AB=1", "A_=1"};
    struct bind bind = {.directory = "/", .argv = argv, .envs = twice, .env_count = 2};
    uint8_t hash[CRYPTO_SHA256_SIZE];
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(bind_hash(&bind, hash, &err), ERR_INVALID);
    bind.envs = bare;
    bind.env_count = 1;
    CU_ASSERT_EQUAL(bind_hash(&bind, hash, &err), ERR_INVALID);
    bind.envs = hidden;
    CU_ASSERT_EQUAL(bind_hash(&bind, hash, &err), ERR_INVALID);
    bind.envs = neighbours;
    bind.env_count = 3;
    CU_ASSERT_EQUAL(bind_hash(&bind, hash, &err), ERR_OK);
}

static void check_quoted(const char *word, const char *expected)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(1000, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(bind_quote(buf, word, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(buf), expected);
}

static void words_are_quoted_so_that_nothing_hides(void)
{
    check_quoted("./deploy.sh", "./deploy.sh");
    check_quoted("--all=x", "--all=x");
    check_quoted("", "''");
    check_quoted("a b", "'a b'");
    check_quoted("a;rm -rf /", "'a;rm -rf /'");
    check_quoted("$HOME", "'$HOME'");
    check_quoted("~root", "'~root'");
    check_quoted("it's", "$'it\\'s'");
    check_quoted("a\nb", "$'a\\x0ab'");
    check_quoted("\x1b[2Kok", "$'\\x1b[2Kok'");
    check_quoted("caf\xc3\xa9", "'caf\xc3\xa9'");
    check_quoted("\xe2\x80\xaetxt", "$'\\xe2\\x80\\xaetxt'"); /* right-to-left override */
    check_quoted("\xff", "$'\\xff'");
}

static void the_approver_reads_everything_that_is_hashed(void)
{
    AUTO_BUF struct buf *buf = NULL;
    char *argv[] = {word_deploy, word_api, NULL};
    const char *envs[] = {"STAGE=prod eu"};
    struct bind bind = {.directory = "/srv/app", .argv = argv, .envs = envs, .env_count = 1};
    uint8_t hash[CRYPTO_SHA256_SIZE];
    char code[BIND_CODE_SIZE];
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(1000, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(bind_hash(&bind, hash, &err), ERR_OK);
    bind_code(hash, code);
    CU_ASSERT_EQUAL(strlen(code), 8);
    CU_ASSERT_EQUAL(bind_describe(&bind, buf, &err), ERR_OK);
    CU_ASSERT_PTR_EQUAL(
        strstr(buf_text(buf), "./deploy.sh api\nin /srv/app\nwith STAGE='prod eu'\ncode "),
        buf_text(buf));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(buf), code));
}

UNIT_MAIN("bind",
          {"a command without variables has the documented hash",
           a_command_without_variables_has_the_documented_hash},
          {"variables are hashed in order of bytes", variables_are_hashed_in_order_of_bytes},
          {"two words are not one word with a space", two_words_are_not_one_word_with_a_space},
          {"the directory counts", directory_counts},
          {"a variable given twice or without a name is refused",
           a_variable_given_twice_or_without_a_name_is_refused},
          {"words are quoted so that nothing hides", words_are_quoted_so_that_nothing_hides},
          {"the approver reads everything that is hashed",
           the_approver_reads_everything_that_is_hashed})
