/* acceptor.h: one worker takes connections from the kernel's queues.
 *
 * Problem  When no descriptor is left, a listening socket stays readable and accept(2) fails. A loop that only tries
 *          again spins, and so does uv_listen: libuv closes its spare descriptor to turn clients away, and tries for
 *          ever if another thread takes that descriptor.
 * Shape    A uv_poll watches each listening socket, and this file calls accept itself. Before a connection is accepted,
 *          it takes one of the server's places (descriptors.clients_most). If no place is left, or accept fails because
 *          descriptors or memory are out, the worker stops watching and waits, and clients wait in the kernel's queue.
 *          The worker tries again when one of its own connections has closed, and every LOOK_AGAIN_MS.
 * Fair     If several workers wait, the one with the fewest connections goes first. Otherwise a worker that frees
 *          descriptors could take all of them for its own queue.
 * Room     While clients wait, connections that have been idle for a second are closed, as in a drain.
 * Threads  One worker's. */
#ifndef GW_SERVER_ACCEPTOR_H
#define GW_SERVER_ACCEPTOR_H

#include <uv.h>
#include "base/check.h"
#include "base/timer.h"
#include "server/listener.h"

struct gw_worker;

struct gw_listening { /* one listening socket of one worker */
    struct gw_magic magic;
    struct gw_worker *worker;
    int fd;
    bool is_admin, is_open;
    uv_poll_t poll;
};

struct gw_acceptor {
    struct gw_listening listening[GW_LISTENERS_MOST];
    bool is_waiting;
    struct gw_timer timer;
    uint64_t next_hurry_ms; /* when gw_connection_hurry_idle may run again */
};

/* Before the loop runs. */
void gw_acceptor_init(struct gw_worker *worker);
/* Takes the worker's sockets from worker->listeners and watches them. False: a socket cannot be watched. */
bool gw_acceptor_open(struct gw_worker *worker) GW_MUST_CHECK;
/* Accepts the clients that are in the queues now, as far as there are places, then closes the sockets. */
void gw_acceptor_finish(struct gw_worker *worker);
/* Closes the sockets. */
void gw_acceptor_close(struct gw_worker *worker);
/* A connection of this worker was closed: a client that waits may take its place. */
void gw_acceptor_on_room(struct gw_worker *worker);

#endif
