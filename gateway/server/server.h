/* server.h: what the workers of one process share about connections. Filled by main before the first worker starts. */
#ifndef GW_SERVER_SERVER_H
#define GW_SERVER_SERVER_H

#include <stdatomic.h>
#include "base/mailbox.h"
#include "config/config.h"
#include "server/peers.h"

struct gw_server {
    const struct gw_config *config;
    struct gw_mailbox *main_mailbox;
    struct gw_peers *peers; /* NULL: no bound per client */

    atomic_bool draining;
    atomic_uint connections; /* open, of all workers */
};

#endif
