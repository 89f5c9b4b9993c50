/* address.h: IP addresses as sixteen bytes, and networks to compare them with.
 *
 * Data     IPv4 is held mapped (::ffff:a.b.c.d), so one form serves tables and comparisons. */
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
    uint8_t prefix_bits; /* of 128; IPv4's + 96 */
};

enum { GW_ADDRESS_TEXT_BYTES = 46 };

/* From a socket's address. False for other families (a UNIX socket): *address is then all zero. */
bool gw_address_of_socket(struct gw_address *address, const struct sockaddr *socket);
/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]", each with ":port" or zone cut off where `with_port`. */
bool gw_address_parse(struct gw_address *address, struct gw_slice text, bool with_port);
bool gw_address_is_ipv4(const struct gw_address *address);
/* IPv4 dotted, IPv6 as RFC 5952. Returns the length; `text` has GW_ADDRESS_TEXT_BYTES. */
size_t gw_address_print(const struct gw_address *address, char *text);
/* "192.0.2.0/24", "2001:db8::/32" or a single address. Host bits are cleared. */
bool gw_network_parse(struct gw_network *network, struct gw_slice text);
bool gw_network_has(const struct gw_network *network, const struct gw_address *address);

#endif
