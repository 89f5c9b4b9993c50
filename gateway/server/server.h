/* server.h: the state of connections that all workers of a process share. Main fills it before the first worker
 * starts. */
#ifndef GW_SERVER_SERVER_H
#define GW_SERVER_SERVER_H

#include <stdatomic.h>
#include "base/descriptors.h"
#include "base/mailbox.h"
#include "config/config.h"
#include "server/client_connections.h"

enum { GW_SERVER_SHED_MARGIN = 256 }; /* connections over server.max_connections that still get a 503 */

struct gw_server_place { /* of one worker; the other workers read it */
    atomic_uint connections;
    atomic_bool waits; /* for a place (acceptor.h) */
};

struct gw_server {
    const struct gw_config *config;
    struct gw_mailbox *main_mailbox;
    struct gw_client_connections *client_connections; /* NULL: no bound per client */
    struct gw_descriptors descriptors;
    struct gw_server_place *places; /* one a worker */

    atomic_bool draining;
    atomic_uint connections;    /* of all workers: open, or about to be accepted */
    atomic_uint lingering;      /* those of them that only wait for their client to close */
    atomic_uint waiting;        /* workers that wait for a place */
    atomic_ullong last_told_ms; /* when "new clients wait" was last logged */
};

#endif
