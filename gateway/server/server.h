/* server.h: what the workers of one process share about connections. Filled by main before the first worker starts. */
#ifndef GW_SERVER_SERVER_H
#define GW_SERVER_SERVER_H

#include <stdatomic.h>
#include "base/descriptors.h"
#include "base/mailbox.h"
#include "config/config.h"
#include "server/peers.h"

enum { GW_SERVER_SHED_MARGIN = 256 }; /* connections over server.max_connections that still hear why */

struct gw_server_place { /* a worker's, for the others to see */
    atomic_uint connections;
    atomic_bool waits; /* for a descriptor (acceptor.h) */
};

struct gw_server {
    const struct gw_config *config;
    struct gw_mailbox *main_mailbox;
    struct gw_peers *peers; /* NULL: no bound per client */
    struct gw_descriptors descriptors;
    struct gw_server_place *places; /* one a worker */

    atomic_bool draining;
    atomic_uint connections;    /* open, or about to be accepted, of all workers */
    atomic_uint lingering;      /* of these, those that only wait for their client's end */
    atomic_uint waiting;        /* workers that wait for a descriptor */
    atomic_ullong last_told_ms; /* when it was last logged that clients wait */
};

#endif
