/* SPDX-License-Identifier: Apache-2.0 */
/* locked.c: mlockall, on first use.
 * Owns nothing. Never locks under a limit: it counts what is reserved and not what is used, and
 * what fails then is somebody's malloc. The unit's slice bounds what is used. */
#include "supervisor/locked.h"

#include <errno.h>
#include <link.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The first object is the program itself. */
static int read_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)arg;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t begin = (info->dlpi_addr + header->p_vaddr) & ~(page - 1);
        uintptr_t end = info->dlpi_addr + header->p_vaddr + header->p_memsz;

        if (header->p_type == PT_LOAD && (header->p_flags & PF_W) == 0) {
            /* Kernels before 5.14 cannot: then it comes when it is used first. */
            (void)madvise((void *)begin, end - begin, MADV_POPULATE_READ);
        }
    }
    return 1;
}

static bool has_capability(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(SYS_capget, &header, have) == 0 &&
           (have[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

static bool is_unlimited(void)
{
    struct rlimit unlimited = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    struct rlimit found;

    return getrlimit(RLIMIT_MEMLOCK, &found) == 0 &&
           (found.rlim_cur == RLIM_INFINITY || setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0);
}

enum err_code locked_all(struct err *err)
{
    if (!is_unlimited() && !has_capability()) {
        return err_set(err, ERR_DENIED, "memory is not locked: LimitMEMLOCK is not infinity");
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        return err_set_errno(err, ERR_DENIED, errno, "memory is not locked");
    }
    (void)dl_iterate_phdr(read_program, NULL);
    return ERR_OK;
}
