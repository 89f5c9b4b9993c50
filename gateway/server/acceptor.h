/* acceptor.h: one worker takes connections from the kernel's queues.
 *
 * Problem  Where no descriptor is left, a listening socket stays readable and accept(2) fails: a loop that only tries
 *          again spins, and so does uv_listen (libuv closes its spare descriptor to turn clients away, and tries for
 *          ever where another thread takes that one).
 * Shape    Each listening socket is watched by a uv_poll and accepted from by hand. Before a connection is accepted, a
 *          place is taken for it among server.descriptors.clients_most. Where none is left, or where accept fails for
 *          want of descriptors or memory, the worker stops watching and waits: clients wait in the kernel's queue. It
 *          tries again when one of its own connections has closed, and every LOOK_AGAIN_MS.
 * Fair     Of several workers that wait, the one with the fewest connections goes first: another worker that frees
 *          descriptors does not take them all for its own queue.
 * Room     While clients wait, connections that have been idle for a second are closed, as when draining.
 * Threads  One worker's. */
#ifndef GW_SERVER_ACCEPTOR_H
#define GW_SERVER_ACCEPTOR_H

#include <uv.h>
#include "base/timer.h"
#include "server/listener.h"

struct gw_worker;

struct gw_listening { /* one listening socket of one worker */
    struct gw_worker *worker;
    int fd;
    bool is_admin, is_open;
    uv_poll_t poll;
};

struct gw_acceptor {
    struct gw_listening listening[GW_LISTENERS_MOST];
    bool is_waiting;
    struct gw_timer timer;
    uint64_t next_hurry_ms; /* when idle connections may be hurried again */
};

/* Before the loop runs. */
void gw_acceptor_init(struct gw_worker *worker);
/* Takes the worker's sockets of worker->listeners, and listens. False when a socket cannot be watched. */
bool gw_acceptor_open(struct gw_worker *worker) GW_MUST_CHECK;
/* Accepts the clients that are in the queues now, as far as there are descriptors, then closes the sockets. */
void gw_acceptor_finish(struct gw_worker *worker);
/* Closes the sockets. */
void gw_acceptor_close(struct gw_worker *worker);
/* A connection of this worker was closed: somebody who waits may take its place. */
void gw_acceptor_on_room(struct gw_worker *worker);

#endif
