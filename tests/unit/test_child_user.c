/* SPDX-License-Identifier: Apache-2.0 */
/* test_child_user.c: proves supervisor/child_user: who may start a child as another user can become
 * that user and no other one. Owns its cases; what cannot be taken back is done in processes of
 * their own. Never passes without root silently: it says that it has proved nothing. */
#include "supervisor/child.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWN   4321U /* nobody's */
#define CHILD 4322U
#define OTHER 4323U

static bool is_root(void)
{
    if (geteuid() != 0) {
        (void)printf("not proved: only root can change users\n");
    }
    return geteuid() == 0;
}

/* A user of its own that may change users, as under the unit. */
static bool be_supervisor(void)
{
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && setgroups(0, NULL) == 0 &&
           setresgid(OWN, OWN, OWN) == 0 && setresuid(OWN, OWN, OWN) == 0;
}

static bool has_all_capabilities(void)
{
    struct {
        uint32_t version;
        int pid;
    } header = {.version = 0x20080522};
    struct {
        uint32_t effective, permitted, inheritable;
    } sets[2] = {{0}};

    if (syscall(SYS_capget, &header, sets) != 0) {
        return false;
    }
    sets[0].effective = sets[0].permitted;
    return syscall(SYS_capset, &header, sets) == 0;
}

static bool is_refused(long result)
{
    return result == -1 && errno == EPERM;
}

/* What was narrowed to CHILD: 0, or the number of the first thing that is not so. */
static int look_narrow(void)
{
    gid_t groups[] = {OTHER};
    const bool facts[] = {
        is_refused(syscall(SYS_setresuid, 0, 0, 0)),
        is_refused(syscall(SYS_setresuid, -1, 0, -1)),
        is_refused(syscall(SYS_setresuid, -1, OTHER, -1)),
        is_refused(syscall(SYS_setresuid, OWN, CHILD, OTHER)),
        is_refused(syscall(SYS_setresuid, 0x100000000L, -1, -1)), /* the kernel reads 0 */
        is_refused(syscall(SYS_setuid, 0)),
        is_refused(syscall(SYS_setreuid, 0, 0)),
        is_refused(syscall(SYS_setfsuid, 0)),
        is_refused(syscall(SYS_setresgid, 0, 0, 0)),
        is_refused(syscall(SYS_setresgid, -1, -1, OTHER)),
        is_refused(syscall(SYS_setgid, OTHER)),
        is_refused(syscall(SYS_setregid, OTHER, OTHER)),
        is_refused(syscall(SYS_setfsgid, OTHER)),
        is_refused(syscall(SYS_setgroups, 1, groups)),
        syscall(SYS_setgroups, 0, NULL) == 0,
        syscall(SYS_setresuid, -1, CHILD, -1) == 0,
        syscall(SYS_setresuid, -1, OWN, -1) == 0,
        syscall(SYS_setresgid, CHILD, CHILD, CHILD) == 0,
        syscall(SYS_setresuid, CHILD, CHILD, CHILD) == 0,
    };

    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        if (!facts[i]) {
            return (int)i + 1;
        }
    }
    return 0;
}

/* Other groups are the child's too: then they can be taken, and users are as narrow. */
static int look_grouped(void)
{
    gid_t groups[] = {OTHER};

    return is_refused(syscall(SYS_setresuid, 0, 0, 0)) && syscall(SYS_setgroups, 1, groups) == 0
               ? 0
               : 1;
}

/* What look says in a process that was narrowed to user; 100: it came to nothing before. */
static int narrowed(const struct child_user *user, int (*look)(void))
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        struct err err = ERR_INIT;

        if (!be_supervisor() || !has_all_capabilities() ||
            child_user_narrow(user, &err) != ERR_OK) {
            _exit(100);
        }
        _exit(look());
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void no_other_user_can_be_become_root_least_of_all(void)
{
    const struct child_user user = {.change = true, .uid = CHILD, .gid = CHILD};

    if (is_root()) {
        CU_ASSERT_EQUAL(narrowed(&user, look_narrow), 0);
    }
}

static void groups_are_open_only_where_the_child_has_more_than_its_own(void)
{
    const struct child_user user = {
        .change = true, .uid = CHILD, .gid = CHILD, .group_count = 2, .groups = {CHILD, OTHER}};

    if (is_root()) {
        CU_ASSERT_EQUAL(narrowed(&user, look_grouped), 0);
    }
}

static void who_stays_who_he_is_is_not_narrowed(void)
{
    const struct child_user user = {.change = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(child_user_narrow(&user, &err), ERR_OK);
    CU_ASSERT_EQUAL(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), 0);
}

static void a_user_is_found_with_its_groups(void)
{
    struct child_user user;
    struct err err = ERR_INIT;
    const struct passwd *nobody = getpwnam("nobody");

    CU_ASSERT_EQUAL(child_user_find("", &user, &err), ERR_OK);
    CU_ASSERT_FALSE(user.change);
    CU_ASSERT_EQUAL(child_user_find("nobody-of-that-name", &user, &err), ERR_NOT_FOUND);
    if (nobody == NULL || nobody->pw_uid == geteuid()) {
        return;
    }
    if (geteuid() != 0) {
        CU_ASSERT_EQUAL(child_user_find("nobody", &user, &err), ERR_DENIED);
        return;
    }
    CU_ASSERT_EQUAL(child_user_find("nobody", &user, &err), ERR_OK);
    CU_ASSERT_TRUE(user.change);
    CU_ASSERT_EQUAL(user.uid, nobody->pw_uid);
    CU_ASSERT_EQUAL(user.gid, nobody->pw_gid);
    CU_ASSERT_EQUAL(user.group_count, 0); /* its own alone */
}

UNIT_MAIN("child_user",
          {"a user is found with its groups", a_user_is_found_with_its_groups},
          {"no other user can be become, root least of all",
           no_other_user_can_be_become_root_least_of_all},
          {"groups are open only where the child has more than its own",
           groups_are_open_only_where_the_child_has_more_than_its_own},
          {"who stays who he is is not narrowed", who_stays_who_he_is_is_not_narrowed})
