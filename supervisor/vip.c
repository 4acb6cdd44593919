/* SPDX-License-Identifier: Apache-2.0 */
/* vip.c: rtnetlink for one address.
 * Owns the netlink socket and what is known of the address. Never adds an address: keepalived does.
 * Never decides when to remove one. */
#include "supervisor/vip.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_SIZE 16384 /* the kernel's messages of one dump step have at most 8 KiB on x86 */
#define PASS_MAX     64    /* datagrams in one turn of the loop */

struct vip {
    int fd; /* owned */
    int family;
    uint8_t prefix;
    size_t size; /* bytes of the address */
    uint8_t address[sizeof(struct in6_addr)];
    char interface[IF_NAMESIZE];
    uint32_t index; /* of the interface where it was seen last */
    bool here;
    bool seen; /* during the dump under way */
    bool dumping;
    bool again; /* what the dump under way says is not the whole */
    uint32_t dump_sequence;
    uint32_t sequence;
};

struct request {
    struct nlmsghdr header;
    struct ifaddrmsg body;
    uint8_t attributes[RTA_SPACE(sizeof(struct in6_addr))];
};

static enum err_code parse_address(struct vip *vip, const char *address, struct err *err)
{
    const char *slash = strchr(address, '/');
    char text[INET6_ADDRSTRLEN];
    size_t size = slash == NULL ? 0 : (size_t)(slash - address);
    uint64_t prefix;

    if (size == 0 || size >= sizeof(text) || !text_parse_u64(span_text(slash + 1), &prefix)) {
        return err_set(err, ERR_INVALID, "vip: %s: has to be an address with its prefix", address);
    }
    memcpy(text, address, size);
    text[size] = '\0';
    vip->family = strchr(text, ':') == NULL ? AF_INET : AF_INET6;
    vip->size = vip->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    if (inet_pton(vip->family, text, vip->address) != 1 || prefix > vip->size * 8) {
        return err_set(err, ERR_INVALID, "vip: %s: has to be an address with its prefix", address);
    }
    vip->prefix = (uint8_t)prefix;
    return ERR_OK;
}

static enum err_code send_request(struct vip *vip, struct request *request, struct err *err)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    request->header.nlmsg_seq = ++vip->sequence;
    if (sendto(vip->fd, request, request->header.nlmsg_len, MSG_DONTWAIT,
               (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
        return err_set_errno(err, errno == EPERM ? ERR_DENIED : ERR_IO, errno, "vip: netlink");
    }
    return ERR_OK;
}

static enum err_code dump(struct vip *vip, struct err *err)
{
    struct request request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
                   .nlmsg_type = RTM_GETADDR,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.ifa_family = (uint8_t)vip->family},
    };

    /* The kernel refuses a second one beside it. */
    vip->again = vip->dumping;
    if (vip->dumping) {
        return ERR_OK;
    }
    vip->seen = false;
    vip->again = true; /* unless it can be asked */
    if (send_request(vip, &request, err) != ERR_OK) {
        return err->code;
    }
    vip->again = false;
    vip->dumping = true;
    vip->dump_sequence = vip->sequence;
    return ERR_OK;
}

static enum err_code open_socket(struct vip *vip, struct err *err)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};

    vip->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (vip->fd < 0 || bind(vip->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        return err_set_errno(err, ERR_IO, errno, "vip: netlink");
    }
    return dump(vip, err);
}

enum err_code
vip_new(const char *address, const char *interface, struct vip **ret_vip, struct err *err)
{
    struct vip *vip = mem_new(1, sizeof(*vip));
    enum err_code rc;

    if (vip == NULL) {
        return err_set(err, ERR_NOMEM, "vip");
    }
    vip->fd = -1;
    (void)snprintf(vip->interface, sizeof(vip->interface), "%s", interface); /* at most 15 bytes */
    rc = parse_address(vip, address, err);
    if (rc == ERR_OK) {
        rc = open_socket(vip, err);
    }
    if (rc != ERR_OK) {
        vip_free(vip);
        return rc;
    }
    *ret_vip = vip;
    return ERR_OK;
}

void vip_free(struct vip *vip)
{
    if (vip != NULL) {
        if (vip->fd >= 0) {
            (void)close(vip->fd);
        }
        mem_free(vip);
    }
}

int vip_fd(const struct vip *vip)
{
    return vip->fd;
}

bool vip_is_here(const struct vip *vip)
{
    return vip->here;
}

/* Is the message about our address? The interface does not matter: anywhere is here. */
static bool is_ours(const struct vip *vip, struct nlmsghdr *header)
{
    struct ifaddrmsg *body = NLMSG_DATA(header);
    struct rtattr *at;
    size_t left;

    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*body)) || body->ifa_family != vip->family) {
        return false;
    }
    at = IFA_RTA(body);
    left = header->nlmsg_len - NLMSG_LENGTH(sizeof(*body));
    while (RTA_OK(at, left)) {
        uint16_t wanted = vip->family == AF_INET ? IFA_LOCAL : IFA_ADDRESS;

        if (at->rta_type == wanted && RTA_PAYLOAD(at) == vip->size &&
            memcmp(RTA_DATA(at), vip->address, vip->size) == 0) {
            return true;
        }
        at = RTA_NEXT(at, left);
    }
    return false;
}

static void take_address(struct vip *vip, struct nlmsghdr *header)
{
    struct ifaddrmsg *body = NLMSG_DATA(header);

    if (!is_ours(vip, header)) {
        return;
    }
    if (header->nlmsg_type == RTM_NEWADDR) {
        vip->here = true;
        vip->seen = true;
        vip->index = body->ifa_index;
        vip->prefix = body->ifa_prefixlen;
    } else if (body->ifa_index == vip->index) {
        vip->here = false;
        vip->seen = false;
    }
}

static bool is_of_dump(const struct vip *vip, const struct nlmsghdr *header)
{
    return vip->dumping && header->nlmsg_seq == vip->dump_sequence;
}

/* What was lost meanwhile may be our address: only a dump without a gap says that it is not here.
 */
static enum err_code end_dump(struct vip *vip, struct err *err)
{
    vip->dumping = false;
    if (vip->again) {
        return dump(vip, err);
    }
    vip->here = vip->seen;
    return ERR_OK;
}

static enum err_code take_message(struct vip *vip, struct nlmsghdr *header, struct err *err)
{
    const struct nlmsgerr *answer = NLMSG_DATA(header);

    if (is_of_dump(vip, header) && (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) {
        vip->again = true; /* something changed while it was made */
    }
    switch (header->nlmsg_type) {
    case RTM_NEWADDR:
    case RTM_DELADDR:
        take_address(vip, header);
        return ERR_OK;
    case NLMSG_DONE:
        return is_of_dump(vip, header) ? end_dump(vip, err) : ERR_OK;
    case NLMSG_ERROR:
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*answer)) || answer->error == 0 ||
            answer->error == -EADDRNOTAVAIL) {
            return ERR_OK; /* done, or gone already */
        }
        if (is_of_dump(vip, header)) {
            vip->dumping = false;
            vip->again = true;
        }
        return err_set_errno(err, answer->error == -EPERM ? ERR_DENIED : ERR_IO, -answer->error,
                             "vip: the kernel refuses");
    default:
        return ERR_OK;
    }
}

static enum err_code take_datagram(struct vip *vip, void *bytes, size_t size, struct err *err)
{
    struct nlmsghdr *header = bytes;
    enum err_code rc = ERR_OK;
    uint32_t left = (uint32_t)size; /* at most RECEIVE_SIZE */

    while (rc == ERR_OK && NLMSG_OK(header, left)) {
        rc = take_message(vip, header, err);
        header = NLMSG_NEXT(header, left);
    }
    return rc;
}

enum err_code vip_read(struct vip *vip, struct err *err)
{
    union {
        struct nlmsghdr align;
        char bytes[RECEIVE_SIZE];
    } room;
    enum err_code rc = vip->again && !vip->dumping ? dump(vip, err) : ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < PASS_MAX; i++) {
        struct sockaddr_nl from = {.nl_family = AF_NETLINK};
        socklen_t from_size = sizeof(from);
        ssize_t size = recvfrom(vip->fd, &room, sizeof(room), MSG_DONTWAIT,
                                (struct sockaddr *)&from, &from_size);

        if (size < 0 && errno == ENOBUFS) {
            return dump(vip, err); /* something was missed */
        }
        if (size < 0) {
            return errno == EAGAIN || errno == EINTR
                       ? ERR_OK
                       : err_set_errno(err, ERR_IO, errno, "vip: netlink");
        }
        if (from.nl_pid == 0) { /* the kernel, nobody else */
            rc = take_datagram(vip, &room, (size_t)size, err);
        }
    }
    return rc;
}

enum err_code vip_remove(struct vip *vip, struct err *err)
{
    struct request request = {
        .header = {.nlmsg_type = RTM_DELADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .body = {.ifa_family = (uint8_t)vip->family, .ifa_prefixlen = vip->prefix},
    };
    struct rtattr *attribute = (struct rtattr *)(void *)request.attributes;

    ASSERT(vip->size <= sizeof(struct in6_addr));
    request.body.ifa_index = vip->here ? vip->index : if_nametoindex(vip->interface);
    attribute->rta_type = IFA_LOCAL;
    attribute->rta_len = (uint16_t)RTA_LENGTH(vip->size);
    memcpy(RTA_DATA(attribute), vip->address, vip->size);
    request.header.nlmsg_len =
        (uint32_t)(NLMSG_LENGTH(sizeof(struct ifaddrmsg)) + RTA_SPACE(vip->size));
    return send_request(vip, &request, err);
}
