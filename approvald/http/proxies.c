/* SPDX-License-Identifier: Apache-2.0 */
/* proxies.c: trusted proxies and the address of the client behind them.
 * Owns the reading of X-Forwarded-For and Forwarded.
 * Never believes a word that no trusted proxy has written, never resolves a name. */
#include "approvald/http/proxies.h"

#include "approvald/http/wire.h"
#include "base/assert.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ADDRESS_BITS 128
#define IPV4_BITS    32

static_assert(PROXIES_ADDRESS_SIZE == INET6_ADDRSTRLEN, "an address fits");

struct address {
    uint8_t bytes[16];
    bool is_ipv4;
};

static bool parse_text(const char *text, struct address *ret_address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct address address = {.is_ipv4 = inet_pton(AF_INET, text, address.bytes + 12) == 1};

    if (address.is_ipv4) {
        memcpy(address.bytes, mapped, sizeof mapped);
    } else if (inet_pton(AF_INET6, text, address.bytes) != 1) {
        return false;
    } else {
        address.is_ipv4 = memcmp(address.bytes, mapped, sizeof mapped) == 0;
    }
    *ret_address = address;
    return true;
}

static bool parse_span(struct span span, struct address *ret_address)
{
    char text[PROXIES_ADDRESS_SIZE];

    if (span.size == 0 || span.size >= sizeof text) {
        return false;
    }
    memcpy(text, span.data, span.size);
    text[span.size] = '\0';
    return parse_text(text, ret_address);
}

static void format(const struct address *address, char text[PROXIES_ADDRESS_SIZE])
{
    const char *done = address->is_ipv4
                           ? inet_ntop(AF_INET, address->bytes + 12, text, PROXIES_ADDRESS_SIZE)
                           : inet_ntop(AF_INET6, address->bytes, text, PROXIES_ADDRESS_SIZE);

    ASSERT(done != NULL); /* any address fits */
}

static bool bit_of(const uint8_t bytes[16], uint32_t index)
{
    return (bytes[index / 8] >> (7 - index % 8) & 1) != 0;
}

static bool is_clean(const struct proxies_net *net)
{
    for (uint32_t i = net->bits; i < ADDRESS_BITS; i++) {
        if (bit_of(net->bytes, i)) {
            return false;
        }
    }
    return true;
}

enum err_code proxies_add(struct proxies *proxies, const char *text, struct err *err)
{
    const char *slash = strchr(text, '/');
    size_t size = slash == NULL ? strlen(text) : (size_t)(slash - text);
    struct address address;
    struct proxies_net net;
    uint64_t bits = 0;
    uint32_t bits_max;

    if (proxies->count == HTTP_PROXY_COUNT_MAX) {
        return err_set(err, ERR_FULL, "more than %d trusted proxies", HTTP_PROXY_COUNT_MAX);
    }
    if (!parse_span(span_of(text, size), &address)) {
        return err_set(err, ERR_INVALID, "\"%s\" is no address and no network", text);
    }
    bits_max = address.is_ipv4 ? IPV4_BITS : ADDRESS_BITS;
    bits = bits_max;
    if (slash != NULL && (!text_parse_u64(span_text(slash + 1), &bits) || bits > bits_max)) {
        return err_set(err, ERR_INVALID, "\"%s\": the prefix has to be 1 to %u bits", text,
                       bits_max);
    }
    if (bits == 0) {
        return err_set(err, ERR_INVALID, "\"%s\" would let everybody name any address", text);
    }
    memcpy(net.bytes, address.bytes, sizeof net.bytes);
    net.bits = ADDRESS_BITS - bits_max + (uint32_t)bits;
    if (!is_clean(&net)) {
        return err_set(err, ERR_INVALID, "\"%s\": bits behind the prefix are set", text);
    }
    proxies->nets[proxies->count++] = net;
    return ERR_OK;
}

static bool is_in(const struct proxies_net *net, const struct address *address)
{
    for (uint32_t i = 0; i < net->bits; i++) {
        if (bit_of(net->bytes, i) != bit_of(address->bytes, i)) {
            return false;
        }
    }
    return true;
}

static bool is_trusted(const struct proxies *proxies, const struct address *address)
{
    for (uint32_t i = 0; i < proxies->count; i++) {
        if (is_in(&proxies->nets[i], address)) {
            return true;
        }
    }
    return false;
}

static struct span span_rest(struct span text, size_t offset)
{
    ASSERT(offset <= text.size);
    return span_of(text.data + offset, text.size - offset);
}

static struct span trim(struct span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = span_rest(text, 1);
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/* Cuts what stands behind the last separator off the end. */
static struct span cut_last(struct span *text, char separator)
{
    size_t start = text->size;
    struct span last;

    while (start > 0 && text->data[start - 1] != separator) {
        start--;
    }
    last = span_rest(*text, start);
    text->size = start > 0 ? start - 1 : 0;
    return trim(last);
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80" */
static bool parse_node(struct span node, struct address *ret_address)
{
    const char *colon = node.size == 0 ? NULL : memchr(node.data, ':', node.size);
    const char *close = node.size == 0 ? NULL : memchr(node.data, ']', node.size);

    if (close != NULL && node.data[0] == '[') {
        struct span port = span_rest(node, (size_t)(close - node.data) + 1);

        return (port.size == 0 || port.data[0] == ':') &&
               parse_span(span_of(node.data + 1, (size_t)(close - node.data) - 1), ret_address);
    }
    if (colon != NULL &&
        memchr(colon + 1, ':', node.size - (size_t)(colon + 1 - node.data)) == NULL) {
        node.size = (size_t)(colon - node.data);
    }
    return parse_span(node, ret_address);
}

/* The node of for=… in one element of Forwarded; empty when there is none, or more than one. */
static struct span forwarded_for(struct span element)
{
    struct span found = SPAN_NONE;
    size_t count = 0;

    while (element.size > 0) {
        struct span pair = cut_last(&element, ';');

        if (pair.size >= 4 && strncasecmp(pair.data, "for=", 4) == 0) {
            found = span_rest(pair, 4);
            count++;
        }
    }
    if (found.size >= 2 && found.data[0] == '"' && found.data[found.size - 1] == '"') {
        found = span_of(found.data + 1, found.size - 2);
    }
    return count == 1 ? found : SPAN_NONE;
}

/* The hops that one kind of header names, from the nearest on. */
struct hops {
    const struct wire_head *head;
    const char *name;
    bool is_forwarded;
    uint32_t index; /* of the field before which to go on */
    struct span rest;
    uint32_t count;
};

static bool is_field(const struct wire_header *header, const char *name)
{
    return header->name.size == strlen(name) &&
           strncasecmp(header->name.data, name, header->name.size) == 0;
}

/* False: there is no further one, or it cannot be read. */
static bool next_hop(struct hops *hops, struct address *ret_address)
{
    struct span element;

    while (hops->rest.size == 0) {
        if (hops->index == 0) {
            return false;
        }
        hops->index--;
        if (is_field(&hops->head->headers[hops->index], hops->name)) {
            hops->rest = hops->head->headers[hops->index].value;
        }
    }
    hops->count++;
    element = cut_last(&hops->rest, ',');
    return hops->count <= HTTP_HOP_COUNT_MAX &&
           parse_node(hops->is_forwarded ? forwarded_for(element) : element, ret_address);
}

static bool has(const struct wire_head *head, const char *name)
{
    for (uint32_t i = 0; i < head->header_count; i++) {
        if (is_field(&head->headers[i], name)) {
            return true;
        }
    }
    return false;
}

void proxies_resolve(const struct proxies *proxies,
                     const struct wire_head *head,
                     char address[PROXIES_ADDRESS_SIZE])
{
    bool is_forwarded = has(head, "Forwarded");
    struct hops hops = {.head = head,
                        .name = is_forwarded ? "Forwarded" : "X-Forwarded-For",
                        .is_forwarded = is_forwarded,
                        .index = head->header_count};
    struct address known;

    if (proxies->count == 0 || !parse_text(address, &known) ||
        (is_forwarded && has(head, "X-Forwarded-For"))) {
        return;
    }
    while (is_trusted(proxies, &known) && next_hop(&hops, &known)) {
        format(&known, address);
    }
}
