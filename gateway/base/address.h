/* address.h: IP addresses as sixteen bytes, and networks to compare them with.
 *
 * Data     An IPv4 address is held in its mapped form (::ffff:a.b.c.d), so that tables and comparisons see one form. */
#ifndef GW_BASE_ADDRESS_H
#define GW_BASE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/buffer.h"
#include "base/slice.h"

struct gw_address {
    uint8_t bytes[16];
};

struct gw_network {
    struct gw_address address;
    uint8_t prefix_bits; /* of 128 bits; for IPv4, 96 + the bits of its prefix */
};

enum { GW_ADDRESS_TEXT_BYTES = 46 };

/* The IP address of a socket's address. False for other families (a UNIX socket): *address is all zero then. */
bool gw_address_of_socket(struct gw_address *address, const struct sockaddr *socket);
/* Reads "192.0.2.1", "2001:db8::1" or "[2001:db8::1]". A zone ("%eth0") is cut off, and `with_port` also a ":port".
 * False: the text is no such address. */
bool gw_address_parse(struct gw_address *address, struct gw_slice text, bool with_port);
bool gw_address_is_ipv4(const struct gw_address *address);
/* Writes IPv4 in dotted form and IPv6 as in RFC 5952, with a NUL behind it. Returns the length; `text` has room for
 * GW_ADDRESS_TEXT_BYTES. */
size_t gw_address_print(const struct gw_address *address, char *text);
/* Reads "192.0.2.0/24", "2001:db8::/32" or a single address. Host bits are cleared. False: the text is none of
 * these. */
bool gw_network_parse(struct gw_network *network, struct gw_slice text);
bool gw_network_has(const struct gw_network *network, const struct gw_address *address);
/* Is the address in one of the networks? */
bool gw_networks_have(const struct gw_network *networks, unsigned count, const struct gw_address *address);

#endif
