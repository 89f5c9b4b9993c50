/* peers.h: how many connections each client address has open, for server.max_connections_per_client.
 *
 * Bounds   One entry an address with open connections: at most server.max_connections.
 * Threads  Any; one lock, held for a look-up at open and close only. */
#ifndef GW_SERVER_PEERS_H
#define GW_SERVER_PEERS_H

#include "base/address.h"
#include "base/base.h"

struct gw_peers;

struct gw_peers *gw_peers_create(unsigned max_per_client) GW_MUST_CHECK; /* NULL when memory is out */
void gw_peers_destroy(struct gw_peers **peers);
/* False: the address has as many open as it may. */
bool gw_peers_enter(struct gw_peers *peers, const struct gw_address *address);
/* Once for each gw_peers_enter that gave true. */
void gw_peers_leave(struct gw_peers *peers, const struct gw_address *address);

#endif
