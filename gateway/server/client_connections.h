/* client_connections.h: how many connections each client address has open, for server.max_connections_per_client.
 *
 * Bounds   One entry for each address with open connections: at most server.max_connections.
 * Threads  Any. One lock is held for one search, when a connection opens and when it closes. */
#ifndef GW_SERVER_CLIENT_CONNECTIONS_H
#define GW_SERVER_CLIENT_CONNECTIONS_H

#include "base/address.h"
#include "base/base.h"

struct gw_client_connections;

struct gw_client_connections *
gw_client_connections_create(unsigned max_per_client) GW_MUST_CHECK; /* NULL when memory is out */
void gw_client_connections_destroy(struct gw_client_connections **client_connections);
/* Counts a connection. False: the address has as many open connections as it may, or memory is out. */
bool gw_client_connections_enter(struct gw_client_connections *client_connections, const struct gw_address *address);
/* Call it once for each gw_client_connections_enter that returned true. */
void gw_client_connections_leave(struct gw_client_connections *client_connections, const struct gw_address *address);

#endif
