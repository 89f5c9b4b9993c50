/* listener.h: the sockets that clients connect to. Before any worker starts, main opens one for each address and worker
 * (SO_REUSEPORT). First it binds a probe without SO_REUSEPORT, so that a second gateway on the same port is an error:
 * otherwise the kernel would silently give it a part of the clients. */
#ifndef GW_SERVER_LISTENER_H
#define GW_SERVER_LISTENER_H

#include "config/config.h"

enum { GW_LISTENERS_MOST = 8 }; /* addresses */

struct gw_listener {          /* one address */
    struct gw_listen address; /* with the port that the kernel chose for 0 */
    bool is_admin;
    int *sockets; /* one for each worker; -1: the worker has taken it */
    unsigned count;
};

struct gw_listeners {
    struct gw_listener items[GW_LISTENERS_MOST];
    unsigned count;
};

/* Opens all addresses of the configuration. False with a complaint (port in use, no permission, no such address); then
 * no socket is open. An address of a family that this machine does not have is left out if another address is left. */
bool gw_listeners_open(struct gw_listeners *listeners, const struct gw_config *config,
                       struct gw_complaint *complaint) GW_MUST_CHECK;
/* Closes the sockets that no worker has taken. */
void gw_listeners_close(struct gw_listeners *listeners);

#endif
