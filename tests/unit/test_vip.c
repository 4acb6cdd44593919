/* SPDX-License-Identifier: Apache-2.0 */
/* test_vip.c: proves supervisor/vip: no half of a dump is taken for the whole.
 * Owns its cases and a kernel: it defines socket, bind, sendto and recvfrom ahead of the C
 * library's. Never opens a socket. */
#undef _FORTIFY_SOURCE /* with it recvfrom is an inline function, which is not ours to define */

#include "supervisor/vip.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define WORD_COUNT_MAX 8

/* The kernel: what it says next, in order; 0 ends it. */
enum word { NOTHING, OVERFLOW, ADDRESS, OTHER, DONE, DONE_TORN, REFUSED };
static enum word words[WORD_COUNT_MAX];
static size_t said;
static unsigned asked; /* dumps */
static uint32_t sequence;
static int send_errno;

int socket(int domain, int type, int protocol)
{
    (void)type;
    (void)protocol;
    CU_ASSERT_EQUAL_FATAL(domain, AF_NETLINK);
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The C library's own types of arguments: pedantry wants them. */
int bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
    (void)fd;
    (void)addr;
    (void)len;
    return 0;
}

ssize_t
sendto(int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG addr, socklen_t addr_len)
{
    struct nlmsghdr header;

    (void)fd;
    (void)flags;
    (void)addr;
    (void)addr_len;
    if (send_errno != 0) {
        errno = send_errno;
        return -1;
    }
    memcpy(&header, buf, sizeof(header));
    asked += header.nlmsg_type == RTM_GETADDR;
    sequence = header.nlmsg_seq;
    return (ssize_t)n;
}

static size_t put(void *bytes, enum word word)
{
    struct {
        struct nlmsghdr header;
        union {
            struct nlmsgerr error;
            struct {
                struct ifaddrmsg body;
                struct rtattr attribute;
                struct in_addr address;
            } here;
        } u;
    } message = {.header = {.nlmsg_len = sizeof(message.header) + sizeof(message.u.here),
                            .nlmsg_type = RTM_NEWADDR,
                            .nlmsg_seq = sequence}};

    if (word == DONE || word == DONE_TORN) {
        message.header.nlmsg_type = NLMSG_DONE;
        message.header.nlmsg_flags = word == DONE_TORN ? NLM_F_DUMP_INTR : 0;
    } else if (word == REFUSED) {
        message.header.nlmsg_type = NLMSG_ERROR;
        message.header.nlmsg_len = sizeof(message.header) + sizeof(message.u.error);
        message.u.error.error = -EBUSY;
    } else {
        message.u.here.body.ifa_family = AF_INET;
        message.u.here.body.ifa_prefixlen = 24;
        message.u.here.body.ifa_index = 1;
        message.u.here.attribute.rta_type = IFA_LOCAL;
        message.u.here.attribute.rta_len = RTA_LENGTH(sizeof(struct in_addr));
        message.u.here.address.s_addr = htonl(word == ADDRESS ? 0xC000020A : 0xC000020B);
    }
    memcpy(bytes, &message, message.header.nlmsg_len);
    return message.header.nlmsg_len;
}

ssize_t recvfrom(int fd,
                 void *restrict buf,
                 size_t n,
                 int flags,
                 __SOCKADDR_ARG addr,
                 socklen_t *restrict addr_len)
{
    enum word word = said < WORD_COUNT_MAX ? words[said] : NOTHING;

    (void)fd;
    (void)n;
    (void)flags;
    (void)addr;
    (void)addr_len;
    if (word == NOTHING || word == OVERFLOW) {
        said += word == OVERFLOW;
        errno = word == OVERFLOW ? ENOBUFS : EAGAIN;
        return -1;
    }
    said++;
    return (ssize_t)put(buf, word);
}

static struct vip *begin(void)
{
    struct err err = ERR_INIT;
    struct vip *vip = NULL;

    asked = 0;
    send_errno = 0;
    CU_ASSERT_EQUAL_FATAL(vip_new("192.0.2.10/24", "lo", &vip, &err), ERR_OK);
    CU_ASSERT_EQUAL(asked, 1);
    return vip;
}

static enum err_code hear(struct vip *vip, const enum word spoken[WORD_COUNT_MAX])
{
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    memcpy(words, spoken, sizeof(words));
    said = 0;
    do {
        rc = vip_read(vip, &err);
    } while (rc == ERR_OK && said < WORD_COUNT_MAX && words[said] != NOTHING);
    return rc;
}

#define HEAR(vip, ...) hear((vip), (const enum word[WORD_COUNT_MAX]){__VA_ARGS__})

static void a_dump_says_whether_it_is_here(void)
{
    struct vip *vip = begin();

    CU_ASSERT_EQUAL(HEAR(vip, OTHER, ADDRESS, DONE), ERR_OK);
    CU_ASSERT_TRUE(vip_is_here(vip));
    CU_ASSERT_EQUAL(HEAR(vip, OVERFLOW), ERR_OK);
    CU_ASSERT_EQUAL(asked, 2);
    CU_ASSERT_EQUAL(HEAR(vip, OTHER, DONE), ERR_OK);
    CU_ASSERT_FALSE(vip_is_here(vip));
    vip_free(vip);
}

static void what_is_lost_during_a_dump_is_dumped_again_when_it_has_ended(void)
{
    struct vip *vip = begin();

    CU_ASSERT_EQUAL(HEAR(vip, ADDRESS, DONE, OVERFLOW, OVERFLOW), ERR_OK);
    CU_ASSERT_EQUAL(asked, 2); /* one at a time: the kernel refuses a second one */
    CU_ASSERT_EQUAL(HEAR(vip, OTHER, DONE), ERR_OK);
    CU_ASSERT_TRUE(vip_is_here(vip)); /* a half says nothing */
    CU_ASSERT_EQUAL(asked, 3);
    CU_ASSERT_EQUAL(HEAR(vip, OTHER, DONE), ERR_OK);
    CU_ASSERT_FALSE(vip_is_here(vip));
    CU_ASSERT_EQUAL(asked, 3);
    vip_free(vip);
}

static void a_dump_that_was_torn_is_made_again(void)
{
    struct vip *vip = begin();

    CU_ASSERT_EQUAL(HEAR(vip, ADDRESS, DONE, OVERFLOW, OTHER, DONE_TORN), ERR_OK);
    CU_ASSERT_TRUE(vip_is_here(vip));
    CU_ASSERT_EQUAL(asked, 3);
    vip_free(vip);
}

static void what_could_not_be_asked_for_is_asked_for_with_the_next_look(void)
{
    struct vip *vip = begin();

    CU_ASSERT_EQUAL(HEAR(vip, REFUSED), ERR_IO);
    CU_ASSERT_EQUAL(HEAR(vip, NOTHING), ERR_OK);
    CU_ASSERT_EQUAL(asked, 2);
    send_errno = ENOBUFS;
    CU_ASSERT_EQUAL(HEAR(vip, DONE, OVERFLOW), ERR_IO);
    send_errno = 0;
    CU_ASSERT_EQUAL(HEAR(vip, NOTHING), ERR_OK);
    CU_ASSERT_EQUAL(asked, 3);
    vip_free(vip);
}

UNIT_MAIN("vip",
          {"a dump says whether it is here", a_dump_says_whether_it_is_here},
          {"what is lost during a dump is dumped again when it has ended",
           what_is_lost_during_a_dump_is_dumped_again_when_it_has_ended},
          {"a dump that was torn is made again", a_dump_that_was_torn_is_made_again},
          {"what could not be asked for is asked for with the next look",
           what_could_not_be_asked_for_is_asked_for_with_the_next_look})
