/* SPDX-License-Identifier: Apache-2.0 */
/* child_user.c: the user that the child becomes, and that this process may become no other.
 * Owns the filter of the calls that change users. Never starts anything. */
#include "base/assert.h"
#include "supervisor/child.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#else
#error "the numbers of this architecture's system calls have to be filtered: see child_user_narrow"
#endif

#define FILTER_SIZE_MAX 64
#define X32_BIT         0x40000000U /* x86-64's second set of numbers; nobody else has so high ones */
#define UNCHANGED       UINT32_MAX

static bool may_change_user(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {{0}};
    uint32_t wanted = CAP_TO_MASK(CAP_SETUID) | CAP_TO_MASK(CAP_SETGID);

    static_assert(CAP_TO_INDEX(CAP_SETUID) == 0 && CAP_TO_INDEX(CAP_SETGID) == 0, "one word");
    return syscall(SYS_capget, &header, have) == 0 && (have[0].effective & wanted) == wanted;
}

enum err_code child_user_find(const char *name, struct child_user *ret_user, struct err *err)
{
    const struct passwd *entry;

    memset(ret_user, 0, sizeof(*ret_user));
    if (name[0] == '\0') {
        return ERR_OK;
    }
    entry = getpwnam(name);
    if (entry == NULL) {
        return err_set(err, ERR_NOT_FOUND, "user %s: there is none", name);
    }
    if (entry->pw_uid == geteuid()) {
        return ERR_OK;
    }
    if (!may_change_user()) {
        return err_set(err, ERR_DENIED,
                       "user %s: a program is started as another user by root, or with the "
                       "capabilities SETUID and SETGID",
                       name);
    }
    ret_user->group_count = CHILD_GROUP_COUNT_MAX;
    if (getgrouplist(name, entry->pw_gid, ret_user->groups, &ret_user->group_count) < 0) {
        return err_set(err, ERR_TOO_LARGE, "user %s: in too many groups", name);
    }
    if (ret_user->group_count == 1) { /* its own, which it has without that */
        ret_user->group_count = 0;
    }
    ret_user->change = true;
    ret_user->uid = entry->pw_uid;
    ret_user->gid = entry->pw_gid;
    return ERR_OK;
}

/* -- the filter ------------------------------------------------------------------------------ */

struct filter {
    size_t count;
    struct sock_filter items[FILTER_SIZE_MAX];
};

static void add(struct filter *filter, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
    ASSERT(filter->count < FILTER_SIZE_MAX);
    filter->items[filter->count++] =
        (struct sock_filter){.code = code, .k = value, .jt = yes, .jf = no};
}

static void add_load(struct filter *filter, size_t offset)
{
    add(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void add_end(struct filter *filter, bool allow)
{
    add(filter, BPF_RET | BPF_K, allow ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

/* What the kernel looks at of an argument: its low half, which lies first. */
static void add_load_argument(struct filter *filter, size_t argument)
{
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half first");
    add_load(filter, offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
}

static void add_refused(struct filter *filter, long number)
{
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
    add_end(filter, false);
}

/* Each of the three ids is one of two, or stays. */
static void add_ids(struct filter *filter, long number, const uint32_t ids[2])
{
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3 * 5 + 1); /* all that follows */
    for (size_t i = 0; i < 3; i++) {
        add_load_argument(filter, i);
        add(filter, BPF_JMP | BPF_JEQ | BPF_K, UNCHANGED, 3, 0);
        add(filter, BPF_JMP | BPF_JEQ | BPF_K, ids[0], 2, 0);
        add(filter, BPF_JMP | BPF_JEQ | BPF_K, ids[1], 1, 0);
        add_end(filter, false);
    }
    add_end(filter, true);
}

/* None at all: what a list has in it is not to be seen from here. */
static void add_no_groups(struct filter *filter)
{
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_setgroups, 0, 4); /* all that follows */
    add_load_argument(filter, 0);
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
    add_end(filter, true);
    add_end(filter, false);
}

static void make_filter(const struct child_user *user, struct filter *filter)
{
    static const long refused[] = {SYS_setuid,   SYS_setgid,   SYS_setreuid,
                                   SYS_setregid, SYS_setfsuid, SYS_setfsgid};
    const uint32_t users[2] = {geteuid(), user->uid};
    const uint32_t groups[2] = {getegid(), user->gid};

    filter->count = 0;
    add_load(filter, offsetof(struct seccomp_data, arch));
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0);
    add_end(filter, false);
    add_load(filter, offsetof(struct seccomp_data, nr));
    add(filter, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    add_end(filter, false);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        add_refused(filter, refused[i]);
    }
    if (user->group_count == 0) {
        add_no_groups(filter);
    }
    add_ids(filter, SYS_setresuid, users);
    add_ids(filter, SYS_setresgid, groups);
    add_end(filter, true);
}

enum err_code child_user_narrow(const struct child_user *user, struct err *err)
{
    struct filter filter;
    struct sock_fprog program = {.filter = filter.items};

    if (!user->change) {
        return ERR_OK;
    }
    make_filter(user, &filter);
    program.len = (unsigned short)filter.count; /* at most FILTER_SIZE_MAX */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
        return err_set_errno(err, ERR_DENIED, errno, "users that are none of ours: no filter");
    }
    return ERR_OK;
}
