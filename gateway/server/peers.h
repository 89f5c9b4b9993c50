/* peers.h: how many connections each client address has open, for server.max_connections_per_client.
 *
 * Bounds   One entry for each address with open connections: at most server.max_connections.
 * Threads  Any. One lock is held for one search, when a connection opens and when it closes. */
#ifndef GW_SERVER_PEERS_H
#define GW_SERVER_PEERS_H

#include "base/address.h"
#include "base/base.h"

struct gw_peers;

struct gw_peers *gw_peers_create(unsigned max_per_client) GW_MUST_CHECK; /* NULL when memory is out */
void gw_peers_destroy(struct gw_peers **peers);
/* Counts a connection. False: the address has as many open connections as it may, or memory is out. */
bool gw_peers_enter(struct gw_peers *peers, const struct gw_address *address);
/* Call it once for each gw_peers_enter that returned true. */
void gw_peers_leave(struct gw_peers *peers, const struct gw_address *address);

#endif
