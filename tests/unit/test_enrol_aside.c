/* SPDX-License-Identifier: Apache-2.0 */
/* test_enrol_aside.c: proves what root does to folders beside a store: aside.c, folder.c, leave.c.
 * Owns a folder of its own and, as root, a mount namespace. Never starts a service: the host that
 * it speaks of is a tree of files. */
#include "approvald/enrol/aside.h"
#include "approvald/enrol/files.h"
#include "approvald/enrol/folder.h"
#include "approvald/enrol/leave.h"
#include "base/buf.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_S 1700000000U

static char dir[64];
static char path_room[8][ENROL_PATH_SIZE];

/* DIR/name; a few at a time. */
static const char *at(const char *name)
{
    static size_t next;
    char *path = path_room[next++ % 8];

    (void)snprintf(path, ENROL_PATH_SIZE, "%s/%s", dir, name); /* fits */
    return path;
}

static void put(const char *name)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(files_write(at(name), span_text("x"), 0600, FILES_ANY_GROUP, &err), ERR_OK);
}

static void make(const char *name)
{
    CU_ASSERT_EQUAL(mkdir(at(name), 0700), 0);
}

static void begin(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/enrol-aside-XXXXXX"); /* fits */
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
}

static void end(void)
{
    char line[128];

    (void)snprintf(line, sizeof line, "rm -rf '%s'", dir); /* fits; the name is ours */
    CU_ASSERT_EQUAL(system(line), 0);
}

static void test_set_aside(void)
{
    struct stat info;
    struct err err = ERR_INIT;

    begin();
    make("data");
    put("data/state");
    make("taken");
    put("taken/file");
    make("kept"); /* as a try that was cut leaves it */
    CU_ASSERT_EQUAL(folder_set_aside(at("data"), at("taken"), &err), ERR_EXISTS);
    CU_ASSERT_TRUE(files_exist(at("data/state")));
    CU_ASSERT_EQUAL(folder_set_aside(at("data"), at("kept"), &err), ERR_OK);
    CU_ASSERT_TRUE(files_exist(at("kept/state")));
    CU_ASSERT_FALSE(files_exist(at("data/state")));
    CU_ASSERT_EQUAL_FATAL(stat(at("data"), &info), 0);
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0700);
    CU_ASSERT_EQUAL(info.st_uid, geteuid());
    end();
}

static void test_empty(void)
{
    struct err err = ERR_INIT;
    bool empty = false;

    begin();
    CU_ASSERT_EQUAL(folder_is_empty(at("none"), &empty, &err), ERR_OK);
    CU_ASSERT_TRUE(empty);
    make("data");
    make("data/lost+found");
    CU_ASSERT_EQUAL(folder_is_empty(at("data"), &empty, &err), ERR_OK);
    CU_ASSERT_TRUE(empty);
    put("data/state");
    CU_ASSERT_EQUAL(folder_is_empty(at("data"), &empty, &err), ERR_OK);
    CU_ASSERT_FALSE(empty);
    /* What cannot be looked into is not taken for empty. */
    CU_ASSERT_EQUAL(folder_is_empty(at("data/state"), &empty, &err), ERR_IO);
    end();
}

static void start(struct home *home, struct aside_place *place)
{
    *home = (struct home){.group = FILES_ANY_GROUP, .supervisor = FILES_ANY_GROUP};
    (void)snprintf(home->root, sizeof home->root, "%s", dir);            /* fits */
    (void)snprintf(home->folder, sizeof home->folder, "%s", at("pair")); /* fits */
    *place = (struct aside_place){.user = geteuid(), .group = getegid()};
    (void)snprintf(place->data, sizeof place->data, "%s", at("data")); /* fits */
    make("pair");
    make("data");
    put("data/state");
}

/* A kill in a write leaves its part, which may be one of a secret: it goes with the file, also
 * where there is none of that name yet. */
static void test_cut(void)
{
    struct home home;
    struct aside_place place;
    struct err err = ERR_INIT;

    begin();
    start(&home, &place);
    put("pair/link-ca.key");
    put("pair/link-ca.key.part");
    put("pair/enrol.key.part");
    put("pair/fence-own.part");
    CU_ASSERT_EQUAL(home_remove(&home, &err), ERR_OK);
    CU_ASSERT_FALSE(files_exist(at("pair"))); /* nothing was left in it */
    end();
}

/* A user who has the folder above could put a link there: what it leads to is not touched. */
static void test_links(void)
{
    struct err err = ERR_INIT;

    begin();
    make("victim");
    put("victim/precious");
    CU_ASSERT_EQUAL(symlink(at("victim"), at("link")), 0);
    CU_ASSERT_EQUAL(folder_make(at("link"), geteuid(), getegid(), &err), ERR_EXISTS);
    CU_ASSERT_EQUAL(folder_remove(at("link"), &err), ERR_OK);
    CU_ASSERT_FALSE(files_exist(at("link")));
    CU_ASSERT_TRUE(files_exist(at("victim/precious")));
    make("made");
    put("made/file");
    CU_ASSERT_EQUAL(symlink(at("victim/precious"), at("made/link")), 0);
    CU_ASSERT_EQUAL(folder_remove(at("made"), &err), ERR_OK);
    CU_ASSERT_FALSE(files_exist(at("made")));
    CU_ASSERT_TRUE(files_exist(at("victim/precious")));
    CU_ASSERT_EQUAL(folder_remove(at("made"), &err), ERR_OK); /* it is not there */
    end();
}

static void test_leave_link(void)
{
    struct home home;
    struct aside_place place;
    struct leave leave;
    char kept[ENROL_PATH_SIZE];
    struct err err = ERR_INIT;

    begin();
    start(&home, &place);
    make("victim");
    put("victim/precious");
    CU_ASSERT_EQUAL_FATAL(leave_begin(&home, &place, NOW_S, true, &leave, &err), ERR_OK);
    CU_ASSERT_EQUAL(symlink(at("victim"), at("data.alone-1700000000")), 0);
    CU_ASSERT_EQUAL(leave_run(&home, &leave, kept, &err), ERR_OK);
    CU_ASSERT_TRUE(files_exist(at("victim/precious")));
    CU_ASSERT_TRUE(files_exist(at("data.of-pair-1700000000/state")));
    CU_ASSERT_TRUE(files_exist(at("data")));
    CU_ASSERT_FALSE(files_exist(at("data/state")));
    end();
}

/* Of a service that nobody here knows how to stop: what it answers would be in neither store. */
static void test_in_use(void)
{
    struct home home;
    struct aside_place place;
    struct leave leave;
    char kept[ENROL_PATH_SIZE];
    struct err err = ERR_INIT;
    int file;

    begin();
    start(&home, &place);
    put("data/lock");
    file = open(at("data/lock"), O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(flock(file, LOCK_EX | LOCK_NB), 0);
    CU_ASSERT_EQUAL(aside_store(&home, &place, "before-pair", NOW_S, kept, &err), ERR_BUSY);
    CU_ASSERT_EQUAL_FATAL(leave_begin(&home, &place, NOW_S, true, &leave, &err), ERR_OK);
    CU_ASSERT_EQUAL(leave_run(&home, &leave, kept, &err), ERR_BUSY);
    CU_ASSERT_FALSE(leave_is_begun(&home));
    CU_ASSERT_TRUE(files_exist(at("data/state")));
    CU_ASSERT_EQUAL(close(file), 0);
    CU_ASSERT_EQUAL(aside_store(&home, &place, "before-pair", NOW_S, kept, &err), ERR_OK);
    CU_ASSERT_FALSE(files_exist(at("data/state")));
    end();
}

static bool may_mount(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void refuse_mount(const struct home *home, const struct aside_place *place)
{
    char kept[ENROL_PATH_SIZE];
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(folder_may_move(place->data, &err), ERR_DENIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "mount point"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "data_dir")); /* what to do */
    CU_ASSERT_EQUAL(aside_store(home, place, "before-pair", NOW_S, kept, &err), ERR_DENIED);
    CU_ASSERT_FALSE(files_exist(kept));
    CU_ASSERT_EQUAL(folder_set_aside(place->data, at("kept"), &err), ERR_DENIED);
    CU_ASSERT_FALSE(files_exist(at("kept")));
    CU_ASSERT_TRUE(files_exist(at("data/state")));
}

static void test_mount(void)
{
    struct home home;
    struct aside_place place;
    struct err err = ERR_INIT;

    if (!may_mount()) {
        (void)printf("(not root: skipped) ");
        return;
    }
    begin();
    start(&home, &place);
    CU_ASSERT_EQUAL(folder_may_move(place.data, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(mount(place.data, place.data, NULL, MS_BIND, NULL), 0);
    refuse_mount(&home, &place); /* of the same file system */
    CU_ASSERT_EQUAL(umount(place.data), 0);
    CU_ASSERT_EQUAL_FATAL(mount("none", place.data, "tmpfs", 0, NULL), 0);
    put("data/state");
    refuse_mount(&home, &place);
    CU_ASSERT_EQUAL(umount(place.data), 0);
    end();
}

UNIT_MAIN("enrol_aside",
          {"a store is set aside and an empty folder takes its place", test_set_aside},
          {"what mkfs makes is nothing, and what cannot be read is not empty", test_empty},
          {"what a kill has left of a file goes with it", test_cut},
          {"root follows no link when it makes or removes a folder", test_links},
          {"a leave follows no link when it removes a former try", test_leave_link},
          {"what an approvald runs on stays where it is", test_in_use},
          {"a mount point is refused before anything is done", test_mount})
