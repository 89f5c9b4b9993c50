/* listener.h: the sockets that clients connect to. Main opens one per address and worker (SO_REUSEPORT) before any
 * worker starts, after a plain probe bind, so that a second gateway on the same port is an error and not a silent
 * share. */
#ifndef GW_SERVER_LISTENER_H
#define GW_SERVER_LISTENER_H

#include "config/config.h"

enum { GW_LISTENERS_MOST = 8 }; /* addresses */

struct gw_listener {          /* one address */
    struct gw_listen address; /* with the port that was given for 0 */
    bool is_admin;
    int *sockets; /* one a worker; -1 once a worker took it */
    unsigned count;
};

struct gw_listeners {
    struct gw_listener items[GW_LISTENERS_MOST];
    unsigned count;
};

/* All of the configuration's addresses. False with a complaint (port in use, no permission, no such address); then
 * nothing is open. An address of a family that this machine does not have is left out as long as another one is
 * left. */
bool gw_listeners_open(struct gw_listeners *listeners, const struct gw_config *config,
                       struct gw_complaint *complaint) GW_MUST_CHECK;
/* Closes what no worker took. */
void gw_listeners_close(struct gw_listeners *listeners);

#endif
