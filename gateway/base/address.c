#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void address_map_ipv4(struct gw_address *address, const void *four)
{
    memcpy(address->bytes, mapped_prefix, 12);
    memcpy(address->bytes + 12, four, 4);
}

bool gw_address_of_socket(struct gw_address *address, const struct sockaddr *socket)
{
    if (socket->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, socket, sizeof ipv4);
        address_map_ipv4(address, &ipv4.sin_addr);
        return true;
    }
    if (socket->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, socket, sizeof ipv6);
        memcpy(address->bytes, &ipv6.sin6_addr, 16);
        return true;
    }
    memset(address->bytes, 0, 16);
    return false;
}

static bool address_parse_plain(struct gw_address *address, struct gw_slice text)
{
    char terminated[GW_ADDRESS_TEXT_BYTES];
    uint8_t four[4];
    if (text.length == 0 || text.length >= sizeof terminated || memchr(text.at, 0, text.length))
        return false;
    memcpy(terminated, text.at, text.length);
    terminated[text.length] = 0;
    if (inet_pton(AF_INET, terminated, four) == 1) {
        address_map_ipv4(address, four);
        return true;
    }
    return inet_pton(AF_INET6, terminated, address->bytes) == 1;
}

static struct gw_slice address_before(struct gw_slice text, char c)
{
    const char *at = text.length ? memchr(text.at, c, text.length) : NULL;
    return at ? gw_slice_of(text.at, (size_t)(at - text.at)) : text;
}

/* A number, or an obfuscated port such as "_x" (RFC 7239 §6). */
static bool address_is_port(struct gw_slice text)
{
    uint64_t number;
    if (text.length > 1 && text.at[0] == '_')
        return true;
    return text.length <= 5 && gw_slice_to_uint64(text, &number) && number <= 65535;
}

static struct gw_slice address_rest_after(struct gw_slice text, size_t skip)
{
    return gw_slice_of(text.at + skip, text.length - skip);
}

bool gw_address_parse(struct gw_address *address, struct gw_slice text, bool with_port)
{
    if (text.length >= 2 && text.at[0] == '[') {
        struct gw_slice inside = address_before(gw_slice_of(text.at + 1, text.length - 1), ']');
        size_t after = inside.length + 2;
        if (after > text.length)
            return false;
        if (after < text.length &&
            !(with_port && text.at[after] == ':' && address_is_port(address_rest_after(text, after + 1))))
            return false;
        return address_parse_plain(address, address_before(inside, '%'));
    }
    const char *colon = text.length ? memchr(text.at, ':', text.length) : NULL;
    bool one_colon = colon && !memchr(colon + 1, ':', text.length - (size_t)(colon + 1 - text.at));
    if (with_port && one_colon) {
        struct gw_slice address_alone = address_before(text, ':');
        if (!address_is_port(address_rest_after(text, address_alone.length + 1)))
            return false;
        text = address_alone;
    }
    return address_parse_plain(address, address_before(text, '%'));
}

bool gw_address_is_ipv4(const struct gw_address *address)
{
    return memcmp(address->bytes, mapped_prefix, 12) == 0;
}

size_t gw_address_print(const struct gw_address *address, char *text)
{
    if (!gw_address_is_ipv4(address)) {
        if (!inet_ntop(AF_INET6, address->bytes, text, GW_ADDRESS_TEXT_BYTES))
            text[0] = 0;
        return strlen(text);
    }
    /* Each request prints the address of its client. inet_ntop uses printf, which would be a tenth of all instructions
     * of a cache hit. */
    char *at = text;
    for (unsigned i = 12; i < 16; i++) {
        unsigned octet = address->bytes[i];
        if (octet >= 100)
            *at++ = (char)('0' + octet / 100);
        if (octet >= 10)
            *at++ = (char)('0' + octet / 10 % 10);
        *at++ = (char)('0' + octet % 10);
        *at++ = '.';
    }
    *--at = 0;
    return (size_t)(at - text);
}

static void address_clear_host_bits(struct gw_address *address, unsigned prefix_bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = prefix_bits > 8 * i ? prefix_bits - 8 * i : 0;
        if (kept < 8)
            address->bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
}

bool gw_network_parse(struct gw_network *network, struct gw_slice text)
{
    struct gw_slice host = address_before(text, '/');
    if (!gw_address_parse(&network->address, host, false))
        return false;
    bool ipv4 = gw_address_is_ipv4(&network->address) && !memchr(host.at, ':', host.length);
    uint64_t bits = ipv4 ? 32 : 128;
    if (host.length < text.length) {
        struct gw_slice digits = gw_slice_of(text.at + host.length + 1, text.length - host.length - 1);
        if (!gw_slice_to_uint64(digits, &bits) || bits > (ipv4 ? 32u : 128u))
            return false;
    }
    network->prefix_bits = (uint8_t)(bits + (ipv4 ? 96 : 0));
    address_clear_host_bits(&network->address, network->prefix_bits);
    return true;
}

bool gw_network_has(const struct gw_network *network, const struct gw_address *address)
{
    unsigned whole = network->prefix_bits / 8, rest = network->prefix_bits % 8;
    if (memcmp(network->address.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->address.bytes[whole] ^ address->bytes[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

bool gw_networks_have(const struct gw_network *networks, unsigned count, const struct gw_address *address)
{
    for (unsigned i = 0; i < count; i++)
        if (gw_network_has(&networks[i], address))
            return true;
    return false;
}
