/* SPDX-License-Identifier: Apache-2.0 */
/* test_conf.c: proves base/conf.
 * Owns a folder under the system's temporary one for the cases that need files.
 * Never reads a configuration of this host. */
#include "base/buf.h"
#include "base/conf.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct conf_option options[] = {
    {"", "data_dir", CONF_TEXT, "/var/lib/approvald", 1, 100, NULL, "Where state lives."},
    {"", "workers", CONF_NUMBER, "4", 1, 64, NULL, "How many."},
    {"http", "listen", CONF_LIST, "127.0.0.1:8080, [::1]:8080", 1, 4, NULL, "Addresses."},
    {"http", "body_max", CONF_SIZE, "1M", 1024, 1 << 24, NULL, "Largest body."},
    {"http", "idle", CONF_DURATION, "30s", 100, 86400000, NULL, "Idle time."},
    {"http", "tls", CONF_BOOL, "true", 0, 0, NULL, "Speak TLS."},
    {"policy", "approvers", CONF_LIST, NULL, 1, 3, NULL, "Who may approve."},
    {"policy", "mode", CONF_CHOICE, "any", 0, 0, "any all quorum", "How many of them."},
    {NULL, NULL, CONF_TEXT, NULL, 0, 0, NULL, NULL}};
static const char *const titled[] = {"policy", NULL};
static const struct conf_schema schema = {
    .options = options, .titled = titled, .section_count_max = 3};

static struct conf *parse(const char *text)
{
    struct conf *conf = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = conf_parse(&schema, "t.conf", text, &conf, &err);

    if (rc != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
    }
    CU_ASSERT_EQUAL_FATAL(rc, ERR_OK);
    return conf;
}

static void check_refused(const char *text, const char *message)
{
    struct conf *conf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(conf_parse(&schema, "t.conf", text, &conf, &err), ERR_INVALID);
    CU_ASSERT_PTR_NULL(conf);
    CU_ASSERT_STRING_EQUAL(err.message, message);
}

static void defaults_fill_what_is_not_given(void)
{
    struct conf *conf = parse("");
    const struct conf_section *http = conf_section(conf, "http");

    CU_ASSERT_STRING_EQUAL(conf_text(conf_section(conf, ""), "data_dir"), "/var/lib/approvald");
    CU_ASSERT_EQUAL(conf_number(conf_section(conf, ""), "workers"), 4);
    CU_ASSERT_EQUAL(conf_list_count(http, "listen"), 2);
    CU_ASSERT_STRING_EQUAL(conf_list(http, "listen", 1), "[::1]:8080");
    CU_ASSERT_EQUAL(conf_number(http, "body_max"), 1 << 20);
    CU_ASSERT_EQUAL(conf_number(http, "idle"), 30000);
    CU_ASSERT(conf_bool(http, "tls"));
    CU_ASSERT_PTR_NULL(conf_titled(conf, "policy", 0));
    conf_free(conf);
}

static void sections_are_merged_or_titled(void)
{
    struct conf *conf = parse("data_dir = '/srv/a b' // another\n"
                              "workers = \"8\"\n"
                              "/* and { \" a\n third */\n"
                              "http {\n idle = 5m\n listen = {\"x\"}\n"
                              " listen += {\"b\", \"c\"}\n body_max = 4K }\n"
                              "http { tls = false }\n"
                              "policy \"prod deploy\" { approvers = {\"U1\", \"U2\"} }\n"
                              "policy test {\n approvers = {U3}\n mode = all }\n");
    const struct conf_section *http = conf_section(conf, "http");
    const struct conf_section *first = conf_titled(conf, "policy", 0);
    const struct conf_section *second = conf_titled(conf, "policy", 1);

    CU_ASSERT_STRING_EQUAL(conf_text(conf_section(conf, ""), "data_dir"), "/srv/a b");
    CU_ASSERT_EQUAL(conf_number(conf_section(conf, ""), "workers"), 8);
    CU_ASSERT_EQUAL(conf_number(http, "idle"), 300000);
    CU_ASSERT_EQUAL(conf_number(http, "body_max"), 4096);
    CU_ASSERT_FALSE(conf_bool(http, "tls"));
    CU_ASSERT_EQUAL(conf_list_count(http, "listen"), 3);
    CU_ASSERT_STRING_EQUAL(conf_where(http), "t.conf:5");
    CU_ASSERT_STRING_EQUAL(conf_title(first), "prod deploy");
    CU_ASSERT_STRING_EQUAL(conf_where(first), "t.conf:11");
    CU_ASSERT_EQUAL(conf_list_count(first, "approvers"), 2);
    CU_ASSERT_STRING_EQUAL(conf_text(first, "mode"), "any");
    CU_ASSERT_STRING_EQUAL(conf_title(second), "test");
    CU_ASSERT_STRING_EQUAL(conf_where(second), "t.conf:12");
    CU_ASSERT_STRING_EQUAL(conf_text(second, "mode"), "all");
    CU_ASSERT_PTR_NULL(conf_titled(conf, "policy", 2));
    conf_free(conf);
}

static void mistakes_are_told_with_file_and_line(void)
{
    check_refused("workers = 4\nworker = 5\n", "t.conf:2: no such option 'worker'");
    check_refused("http {\n listne = {a}\n}", "t.conf:2: no such option 'listne'");
    check_refused("\n\nworkers = 65", "t.conf:3: workers: 65 is not within 1 and 64");
    check_refused("workers = 0x8", "t.conf:1: workers: \"0x8\" is not an integer");
    check_refused("workers = -1", "t.conf:1: workers: \"-1\" is not an integer");
    check_refused("http { tls = yes }", "t.conf:1: tls: \"yes\" is neither true nor false");
    check_refused("http { idle = 30 }",
                  "t.conf:1: idle: \"30\" is not an integer with ms, s, m, h or d behind it");
    check_refused("http { idle = 99999999999999999999d }",
                  "t.conf:1: idle: \"99999999999999999999d\" is not an integer with ms, s, m, h "
                  "or d behind it");
    check_refused("http { body_max = 1k }",
                  "t.conf:1: body_max: \"1k\" is not an integer with nothing, K, M or G behind it");
    check_refused("data_dir = \"\"", "t.conf:1: data_dir: 0 bytes are not within 1 and 100");
    check_refused("policy a { approvers = {x}\nmode = some }",
                  "t.conf:2: mode: \"some\" is not one of: any all quorum");
    check_refused("\npolicy a {\n mode = any\n}", "t.conf:2: policy.approvers: must be given");
    check_refused("\nhttp { listen = {} }",
                  "t.conf:2: http.listen: 0 texts are not within 1 and 4");
    check_refused("http { listen = {a,b,c,d,e} }",
                  "t.conf:1: http.listen: 5 texts are not within 1 and 4");
    check_refused("policy a { approvers = {x} }\npolicy a { approvers = {y} }",
                  "t.conf:2: found duplicate title 'a'");
    check_refused("policy a { approvers = {x} } policy b { approvers = {x} }\n"
                  "policy c { approvers = {x} } policy d { approvers = {x} }",
                  "t.conf:2: more than 3 sections policy");
    check_refused("http {\n", "t.conf:2: section or list without end");
    check_refused("}", "t.conf:1: closing brace without an opening one");
    check_refused("data_dir = \"a\nb\n", "t.conf:1: string without end");
    check_refused("\n/* a\nb\n", "t.conf:2: comment without end");
    check_refused("data_dir = \"\\8\"", "t.conf:1: numeric escape (use \\xNN)");
    check_refused("data_dir = \"${HOME}\"",
                  "t.conf:1: environment variables are not read here (write \\$)");
    check_refused("data_dir = ${HOME}", "t.conf:1: environment variables are not read here");
    check_refused("a\x01", "t.conf:1: control character");
    check_refused("data_dir = \"\xff\"", "t.conf: not UTF-8");
    check_refused("\ninclude(\"x\")", "t.conf:2: no include here");
    check_refused("include x", "t.conf:1: write include(\"FILE\")");
}

/* libConfuse's lexer is global: a bad text must not colour the next. */
static void a_bad_text_leaves_no_trace(void)
{
    static const char *const bad[] = {"data_dir = \"x",
                                      "http { tls = ",
                                      "data_dir = 'x",
                                      "/* x",
                                      "http { listen = {\"a\", ",
                                      "policy \"a\" {",
                                      "data_dir = = =",
                                      "http http",
                                      "workers",
                                      "= 3",
                                      "{",
                                      "("};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct conf *conf = NULL;
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL(conf_parse(&schema, "bad", bad[i], &conf, &err), ERR_INVALID);
        CU_ASSERT(err.message[0] != '\0');
        conf = parse("workers = 9");
        CU_ASSERT_EQUAL(conf_number(conf_section(conf, ""), "workers"), 9);
        conf_free(conf);
    }
}

static void a_dump_reads_back_the_same(void)
{
    AUTO_BUF struct buf *first = NULL;
    AUTO_BUF struct buf *second = NULL;
    struct err err = ERR_INIT;
    struct conf *conf = parse("data_dir = \"a\\\"b\\\\c\\x07\\${X} 'q' \xc3\xbc\"\n"
                              "policy \"it's $\" { approvers = {\"x, y\", \"{z}\", \"\"} }\n");

    CU_ASSERT_EQUAL_FATAL(buf_new(10000, &first, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(buf_new(10000, &second, &err), ERR_OK);
    CU_ASSERT_EQUAL(conf_dump(conf, first, &err), ERR_OK);
    conf_free(conf);
    conf = parse(buf_text(first));
    CU_ASSERT_STRING_EQUAL(conf_text(conf_section(conf, ""), "data_dir"),
                           "a\"b\\c\x07${X} 'q' \xc3\xbc");
    CU_ASSERT_STRING_EQUAL(conf_title(conf_titled(conf, "policy", 0)), "it's $");
    CU_ASSERT_STRING_EQUAL(conf_list(conf_titled(conf, "policy", 0), "approvers", 0), "x, y");
    CU_ASSERT_EQUAL(conf_list_count(conf_titled(conf, "policy", 0), "approvers"), 3);
    CU_ASSERT_EQUAL(conf_dump(conf, second, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(first), buf_text(second));
    conf_free(conf);
}

static void the_table_names_every_option(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(10000, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(conf_describe(&schema, buf, &err), ERR_OK);
    for (const struct conf_option *at = options; at->name != NULL; at++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(buf), at->help));
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(buf), "| policy \"TITLE\" | approvers | list | must be "
                                                 "given | 1 to 3 | Who may approve. |\n"));
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[200];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(text, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void remove_files(const char *folder, const char *const *names)
{
    char path[200];

    for (; *names != NULL; names++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, *names);
        CU_ASSERT_EQUAL(remove(path), 0);
    }
    CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void files_are_read_in_order_and_includes_in_their_place(void)
{
    static const char *const names[] = {"main.conf",
                                        "part",
                                        "deep",
                                        "main.conf.d/10-a.conf",
                                        "main.conf.d/20-b.conf",
                                        "main.conf.d/30-c.txt",
                                        "main.conf.d",
                                        NULL};
    char folder[] = "/tmp/test_conf.XXXXXX";
    char path[200];
    char want[300];
    struct conf *conf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/main.conf.d", folder);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    write_file(folder, "main.conf",
               "workers = 1\ndata_dir = a\ninclude(\"part\") http { idle = 1s }\ndata_dir = d\n");
    write_file(folder, "part", "workers = 2\nhttp {\n idle = 2s\n}\ninclude(\"deep\")\n");
    write_file(folder, "deep", "data_dir = c\nhttp { tls = false }");
    write_file(folder, "main.conf.d/20-b.conf", "workers = 20\n");
    write_file(folder, "main.conf.d/10-a.conf", "workers = 10\nhttp { body_max = 2K }\n");
    write_file(folder, "main.conf.d/30-c.txt", "workers = 30\n");
    (void)snprintf(path, sizeof path, "%s/main.conf", folder);
    CU_ASSERT_EQUAL_FATAL(conf_load(&schema, path, &conf, &err), ERR_OK);
    CU_ASSERT_EQUAL(conf_number(conf_section(conf, ""), "workers"), 20);
    CU_ASSERT_STRING_EQUAL(conf_text(conf_section(conf, ""), "data_dir"), "d");
    CU_ASSERT_EQUAL(conf_number(conf_section(conf, "http"), "idle"), 1000);
    CU_ASSERT_EQUAL(conf_number(conf_section(conf, "http"), "body_max"), 2048);
    CU_ASSERT_FALSE(conf_bool(conf_section(conf, "http"), "tls"));
    conf_free(conf);
    conf = NULL;
    write_file(folder, "main.conf", "workers = 1\ninclude(\"part\")\nhttp {\n idel = 1s }\n");
    CU_ASSERT_EQUAL(conf_load(&schema, path, &conf, &err), ERR_INVALID);
    (void)snprintf(want, sizeof want, "%s:4: no such option 'idel'", path);
    CU_ASSERT_STRING_EQUAL(err.message, want);
    write_file(folder, "part", "\ninclude(\"part\")");
    CU_ASSERT_EQUAL(conf_load(&schema, path, &conf, &err), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/part:2: includes are nested too deep"));
    write_file(folder, "part", "include(\"nowhere\")");
    CU_ASSERT_EQUAL(conf_load(&schema, path, &conf, &err), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/part:1: include: "));
    remove_files(folder, names);
    CU_ASSERT_EQUAL(conf_load(&schema, path, &conf, &err), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NULL(conf);
}

/* Does the option differ between the two texts, either way round? */
static bool differs(const char *one, const char *other, const char *section, const char *name)
{
    struct conf *a = parse(one);
    struct conf *b = parse(other);
    bool found = conf_differs(a, b, section, name);

    CU_ASSERT_EQUAL(conf_differs(b, a, section, name), found);
    conf_free(a);
    conf_free(b);
    return found;
}

static void a_value_of_each_type_is_compared(void)
{
    CU_ASSERT(differs("", "data_dir = x", "", "data_dir"));
    CU_ASSERT(differs("workers = 5", "", "", "workers"));
    CU_ASSERT(differs("http { body_max = 2K }", "http { body_max = 2049 }", "http", "body_max"));
    CU_ASSERT(differs("http { idle = 1s }", "http { idle = 1001ms }", "http", "idle"));
    CU_ASSERT(differs("http { tls = false }", "", "http", "tls"));
    CU_ASSERT(differs("http { listen = {a, b} }", "http { listen = {b, a} }", "http", "listen"));
    CU_ASSERT(differs("http { listen = {a, b} }", "http { listen = {a} }", "http", "listen"));
    CU_ASSERT(differs("http { listen = {a, b} }", "", "http", "listen"));
}

static void the_same_value_written_otherwise_is_no_difference(void)
{
    CU_ASSERT_FALSE(differs("", "data_dir = \"/var/lib/approvald\"", "", "data_dir"));
    CU_ASSERT_FALSE(differs("workers = 4", "", "", "workers"));
    CU_ASSERT_FALSE(
        differs("http { body_max = 2K }", "http { body_max = 2048 }", "http", "body_max"));
    CU_ASSERT_FALSE(differs("http { idle = 60s }", "http { idle = 1m }", "http", "idle"));
    CU_ASSERT_FALSE(differs("http { tls = true }", "", "http", "tls"));
    CU_ASSERT_FALSE(differs("http { listen = {a} listen += {b} }", "http { listen = {\"a\", b} }",
                            "http", "listen"));
    /* Only the option that is asked for. */
    CU_ASSERT_FALSE(
        differs("workers = 5 data_dir = x", "workers = 6 data_dir = x", "", "data_dir"));
}

static enum err_code parse_starved(void *arg)
{
    struct conf *conf = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = conf_parse(&schema, "t", arg, &conf, &err);

    conf_free(conf);
    return rc;
}

static void any_failed_allocation_is_told(void)
{
    static char text[] = "workers = 5 policy a { approvers = {x, y} } http { tls = false }";

    CU_ASSERT(starve_each(parse_starved, text) > 30);
}

UNIT_MAIN("conf",
          {"defaults fill what is not given", defaults_fill_what_is_not_given},
          {"sections are merged or titled", sections_are_merged_or_titled},
          {"mistakes are told with file and line", mistakes_are_told_with_file_and_line},
          {"a bad text leaves no trace", a_bad_text_leaves_no_trace},
          {"a dump reads back the same", a_dump_reads_back_the_same},
          {"the table names every option", the_table_names_every_option},
          {"a value of each type is compared", a_value_of_each_type_is_compared},
          {"the same value written otherwise is no difference",
           the_same_value_written_otherwise_is_no_difference},
          {"files are read in order and includes in their place",
           files_are_read_in_order_and_includes_in_their_place},
          {"any failed allocation is told", any_failed_allocation_is_told})
