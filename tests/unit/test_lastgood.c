/* SPDX-License-Identifier: Apache-2.0 */
/* test_lastgood.c: proves base/lastgood: what is kept comes back, and nothing else does.
 * Owns a scratch directory; never anything outside it. */
#include "base/buf.h"
#include "base/conf.h"
#include "base/lastgood.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "/etc/x/some.conf"
#define NOW_MS    1764169200000U

static const struct conf_option options[] = {
    {"", "dir", CONF_TEXT, "/var/lib/x", 1, 0, NULL, "A directory."},
    {"", "wait", CONF_DURATION, "5s", 0, 60000, NULL, "A time."},
    {"", "names", CONF_LIST, "a, b", 0, 8, NULL, "A list."},
    {"http", "on", CONF_BOOL, "true", 0, 0, NULL, "A flag."},
    {"hook", "url", CONF_TEXT, NULL, 1, 0, NULL, "A text that has to be given."},
    {NULL, NULL, CONF_TEXT, NULL, 0, 0, NULL, NULL},
};
static const char *const titled[] = {"hook", NULL};
static const struct conf_schema schema = {
    .options = options, .titled = titled, .section_count_max = 4};

static struct scratch scratch; /* of the case that runs */
static char path[256];

static void in_scratch(void (*test)(void))
{
    scratch_init(&scratch);
    scratch_file(&scratch, "copy", path);
    test();
    scratch_done(&scratch);
}

static struct conf *parse(const char *text)
{
    struct conf *conf = NULL;
    struct err err = ERR_INIT;

    if (conf_parse(&schema, "some.conf", text, &conf, &err) != ERR_OK) {
        CU_FAIL_FATAL("does not parse");
    }
    return conf;
}

static void keep(const char *text, uint64_t now_ms)
{
    struct conf *conf = parse(text);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(lastgood_write(path, FILE_NAME, conf, now_ms, &err), ERR_OK);
    conf_free(conf);
}

static enum err_code look(const char *file, char *ret_text, size_t size, uint64_t *ret_ms)
{
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = lastgood_read(path, file, &text, ret_ms, &err);

    if (rc == ERR_OK) {
        (void)snprintf(ret_text, size, "%s", buf_text(text));
    } else {
        CU_ASSERT(err.message[0] != '\0');
    }
    return rc;
}

static enum err_code reads(void)
{
    char text[4096];
    uint64_t ms;

    return look(FILE_NAME, text, sizeof text, &ms);
}

/* The whole file as it is. */
static size_t load(char *ret_bytes, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, ret_bytes, size);

    (void)close(fd); /* only read */
    CU_ASSERT_FATAL(got > 0);
    return (size_t)got;
}

static void store(const char *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CU_ASSERT_EQUAL_FATAL(write(fd, bytes, size), (ssize_t)size);
    (void)close(fd); /* a test's file */
}

static void what_is_kept_comes_back(void)
{
    char text[4096] = "";
    uint64_t ms = 0;
    struct conf *conf;
    struct stat about;

    keep("wait = 7s\nnames = {\"x y\", \"$z\"}\nhttp { on = false }\n"
         "hook \"it's\" { url = \"http://h/\" }\n",
         NOW_MS);
    CU_ASSERT_EQUAL_FATAL(look(FILE_NAME, text, sizeof text, &ms), ERR_OK);
    CU_ASSERT_EQUAL(ms, NOW_MS);
    conf = parse(text);
    CU_ASSERT_EQUAL(conf_number(conf_section(conf, ""), "wait"), 7000);
    CU_ASSERT_EQUAL(conf_list_count(conf_section(conf, ""), "names"), 2);
    CU_ASSERT_STRING_EQUAL(conf_list(conf_section(conf, ""), "names", 1), "$z");
    CU_ASSERT_FALSE(conf_bool(conf_section(conf, "http"), "on"));
    CU_ASSERT_STRING_EQUAL(conf_title(conf_titled(conf, "hook", 0)), "it's");
    conf_free(conf);
    CU_ASSERT_EQUAL_FATAL(stat(path, &about), 0);
    CU_ASSERT_EQUAL(about.st_mode & 07777, 0600);
}

/* So a later version, which may know an option no more or have another default, can read it. */
static void defaults_are_not_kept(void)
{
    char text[4096] = "";
    uint64_t ms;

    keep("dir = \"/var/lib/x\"\nwait = 6s\nnames = {\"a\", \"b\"}\n", NOW_MS);
    CU_ASSERT_EQUAL_FATAL(look(FILE_NAME, text, sizeof text, &ms), ERR_OK);
    CU_ASSERT_PTR_NULL(strstr(text, "dir"));
    CU_ASSERT_PTR_NULL(strstr(text, "names"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "wait = 6s"));
}

static void another_file_s_is_refused(void)
{
    char text[4096];
    uint64_t ms;

    keep("wait = 7s\n", NOW_MS);
    CU_ASSERT_EQUAL(look("/etc/x/other.conf", text, sizeof text, &ms), ERR_CONFLICT);
    CU_ASSERT_EQUAL(look("/etc/x/some.con", text, sizeof text, &ms), ERR_CONFLICT);
}

/* However it is cut, and whatever bit is flipped, it is not taken. */
static void torn_and_flipped_is_refused(void)
{
    char bytes[4096];
    size_t size;

    keep("wait = 7s\nhook \"a\" { url = \"http://h/\" }\n", NOW_MS);
    size = load(bytes, sizeof bytes);
    for (size_t cut = 0; cut < size; cut++) {
        store(bytes, cut);
        CU_ASSERT_EQUAL(reads(), ERR_CORRUPT);
    }
    for (size_t i = 0; i < size; i++) {
        uint64_t ms = 0;
        char text[4096];
        enum err_code rc;

        bytes[i] = (char)(bytes[i] ^ 1);
        store(bytes, size);
        rc = look(FILE_NAME, text, sizeof text, &ms);
        /* Its time is not under the hash: a wrong one is told, and changes nothing. */
        CU_ASSERT(rc == ERR_CORRUPT || (rc == ERR_OK && ms != NOW_MS));
        bytes[i] = (char)(bytes[i] ^ 1);
    }
    store(bytes, size);
    CU_ASSERT_EQUAL(reads(), ERR_OK);
    bytes[size] = '\n';
    store(bytes, size + 1);
    CU_ASSERT_EQUAL(reads(), ERR_CORRUPT);
}

static void what_others_may_write_is_refused(void)
{
    char other[sizeof path + 8];

    keep("wait = 7s\n", NOW_MS);
    CU_ASSERT_EQUAL(chmod(path, 0620), 0);
    CU_ASSERT_EQUAL(reads(), ERR_DENIED);
    CU_ASSERT_EQUAL(chmod(path, 0600), 0);
    (void)snprintf(other, sizeof other, "%s.real", path);
    CU_ASSERT_EQUAL_FATAL(rename(path, other), 0);
    CU_ASSERT_EQUAL_FATAL(symlink(other, path), 0);
    CU_ASSERT_EQUAL(reads(), ERR_IO);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_EQUAL(reads(), ERR_DENIED); /* and does not wait for a writer */
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(unlink(other), 0);
    CU_ASSERT_EQUAL(reads(), ERR_NOT_FOUND);
}

static void the_same_again_is_left_alone(void)
{
    struct stat first;
    struct stat second;
    char text[4096];
    char bytes[4096];
    uint64_t ms = 0;
    size_t size;

    keep("wait = 7s\n", NOW_MS);
    CU_ASSERT_EQUAL_FATAL(stat(path, &first), 0);
    keep("wait = 7s\n", NOW_MS + 5);
    CU_ASSERT_EQUAL_FATAL(stat(path, &second), 0);
    CU_ASSERT_EQUAL(first.st_ino, second.st_ino);
    CU_ASSERT_EQUAL(look(FILE_NAME, text, sizeof text, &ms), ERR_OK);
    CU_ASSERT_EQUAL(ms, NOW_MS); /* since when it has served */
    keep("wait = 8s\n", NOW_MS + 6);
    CU_ASSERT_EQUAL(look(FILE_NAME, text, sizeof text, &ms), ERR_OK);
    CU_ASSERT_EQUAL(ms, NOW_MS + 6);
    size = load(bytes, sizeof bytes);
    store(bytes, size - 1); /* torn: the same options are written again */
    keep("wait = 8s\n", NOW_MS + 7);
    CU_ASSERT_EQUAL(look(FILE_NAME, text, sizeof text, &ms), ERR_OK);
    CU_ASSERT_EQUAL(ms, NOW_MS + 7);
}

/* Where it cannot be written the former one stays, and the rest of a former try is no obstacle. */
static void a_failed_write_leaves_the_former(void)
{
    struct conf *conf = parse("wait = 9s\n");
    struct err err = ERR_INIT;
    char fresh[sizeof path + 8];
    char missing[] = "/tmp/lastgood-is-not-there/copy";
    char text[4096];
    uint64_t ms;

    keep("wait = 7s\n", NOW_MS);
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    CU_ASSERT_EQUAL_FATAL(mkdir(fresh, 0700), 0);
    CU_ASSERT_EQUAL(lastgood_write(path, FILE_NAME, conf, NOW_MS, &err), ERR_IO);
    CU_ASSERT_EQUAL(look(FILE_NAME, text, sizeof text, &ms), ERR_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "wait = 7s"));
    CU_ASSERT_EQUAL_FATAL(rmdir(fresh), 0);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", fresh), 0);
    CU_ASSERT_EQUAL(lastgood_write(path, FILE_NAME, conf, NOW_MS, &err), ERR_OK);
    CU_ASSERT_EQUAL(lastgood_write(missing, FILE_NAME, conf, NOW_MS, &err), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(lastgood_write("relative", FILE_NAME, conf, NOW_MS, &err), ERR_INVALID);
    conf_free(conf);
}

/* Threads of several would write into one another's file. */
static void the_newest_of_many_is_kept(void)
{
    char fresh[300];
    char text[200] = "";
    uint64_t ms = 0;

    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    for (int i = 1; i <= 50; i++) {
        char said[32];
        struct conf *conf;

        (void)snprintf(said, sizeof said, "wait = %ds\n", i);
        conf = parse(said);
        lastgood_keep(path, FILE_NAME, conf);
        conf_free(conf);
    }
    for (int i = 0; i < 2000 && strstr(text, "wait = 50s") == NULL; i++) {
        (void)usleep(5000);
        if (access(path, R_OK) == 0) {
            CU_ASSERT_EQUAL(look(FILE_NAME, text, sizeof text, &ms),
                            ERR_OK); /* whole at any time */
        }
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "wait = 50s"));
    CU_ASSERT_NOT_EQUAL(access(fresh, F_OK), 0);
}

struct loader {
    enum err_code file_rc; /* what its file is like */
    uint32_t file_count;
    uint32_t copy_count;
    bool copy_refused;
};

static enum err_code load_counted(void *arg, const char *text, struct err *err)
{
    struct loader *loader = arg;

    loader->file_count += text == NULL;
    loader->copy_count += text != NULL;
    if (text == NULL) {
        return loader->file_rc == ERR_OK ? ERR_OK
                                         : err_set(err, loader->file_rc, "a.conf:3: wrong");
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "wait = 7s"));
    return loader->copy_refused ? err_set(err, ERR_INVALID, "copy:2: no such option") : ERR_OK;
}

static void a_copy_stands_in_for_a_broken_file_alone(void)
{
    struct loader good = {.file_rc = ERR_OK};
    struct loader broken = {.file_rc = ERR_INVALID};
    struct loader poor = {.file_rc = ERR_NOMEM};
    struct lastgood used;
    struct err err = ERR_INIT;

    keep("wait = 7s\n", NOW_MS);
    CU_ASSERT_EQUAL(lastgood_start(path, FILE_NAME, load_counted, &good, &used, &err), ERR_OK);
    CU_ASSERT_EQUAL(used.kept_ms, 0);
    CU_ASSERT_EQUAL(good.copy_count, 0);
    CU_ASSERT_EQUAL(lastgood_start(path, FILE_NAME, load_counted, &broken, &used, &err), ERR_OK);
    CU_ASSERT_EQUAL(used.kept_ms, NOW_MS);
    CU_ASSERT_STRING_EQUAL(used.why.message, "a.conf:3: wrong");
    CU_ASSERT_EQUAL(lastgood_start(path, FILE_NAME, load_counted, &poor, &used, &err), ERR_NOMEM);
    CU_ASSERT_EQUAL(poor.copy_count, 0);
    CU_ASSERT_EQUAL(lastgood_start(NULL, FILE_NAME, load_counted, &broken, &used, &err),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(lastgood_start("", FILE_NAME, load_counted, &broken, &used, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(broken.copy_count, 1);
}

static void the_error_names_both(void)
{
    struct loader broken = {.file_rc = ERR_INVALID, .copy_refused = true};
    struct lastgood used;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(lastgood_start(path, FILE_NAME, load_counted, &broken, &used, &err),
                    ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(err.message, "a.conf:3: wrong"); /* there is no copy */
    keep("wait = 7s\n", NOW_MS);
    CU_ASSERT_EQUAL(lastgood_start(path, FILE_NAME, load_counted, &broken, &used, &err),
                    ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "a.conf:3: wrong"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "copy:2: no such option"));
    CU_ASSERT_EQUAL(broken.copy_count, 1);
}

#define IN_SCRATCH(name)                                                                           \
    static void name##_in_scratch(void)                                                            \
    {                                                                                              \
        in_scratch(name);                                                                          \
    }
IN_SCRATCH(what_is_kept_comes_back)
IN_SCRATCH(defaults_are_not_kept)
IN_SCRATCH(another_file_s_is_refused)
IN_SCRATCH(torn_and_flipped_is_refused)
IN_SCRATCH(what_others_may_write_is_refused)
IN_SCRATCH(the_same_again_is_left_alone)
IN_SCRATCH(a_failed_write_leaves_the_former)
IN_SCRATCH(a_copy_stands_in_for_a_broken_file_alone)
IN_SCRATCH(the_error_names_both)
IN_SCRATCH(the_newest_of_many_is_kept)

UNIT_MAIN("lastgood",
          {"what is kept comes back", what_is_kept_comes_back_in_scratch},
          {"defaults are not kept", defaults_are_not_kept_in_scratch},
          {"another file's is refused", another_file_s_is_refused_in_scratch},
          {"torn and flipped is refused", torn_and_flipped_is_refused_in_scratch},
          {"what others may write is refused", what_others_may_write_is_refused_in_scratch},
          {"the same again is left alone", the_same_again_is_left_alone_in_scratch},
          {"a failed write leaves the former", a_failed_write_leaves_the_former_in_scratch},
          {"the newest of many is kept", the_newest_of_many_is_kept_in_scratch},
          {"a copy stands in for a broken file alone",
           a_copy_stands_in_for_a_broken_file_alone_in_scratch},
          {"the error names both", the_error_names_both_in_scratch})
