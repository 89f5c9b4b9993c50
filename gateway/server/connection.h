/* connection.h: one client: its socket, its requests one after another, its pace.
 *
 * Shape    Bytes are parsed as they come. At the end of a head an exchange begins; while it runs, what the client
 *          already sends is read on into a bounded carry, so that a vanished client is noticed at once. Answers
 *          leave in order: writes that do not go at once wait in `out`, by reference, and the exchange pauses its
 *          source.
 * Bounds   carry: one block and one read; out: what an exchange hands over before it hears "slow" (one block, or a
 *          stored body by reference). Idle it is this struct and nothing else.
 * Ends     KEEP: the next request. CLOSE and BREAK: half-close, throw away what still comes, close, so that the client
 *          reads our answer before a reset can overtake it: server.linger_timeout at most, server.linger_silence
 *          without a byte, and server.max_lingering connections; in a drain, and while clients wait for a descriptor,
 *          two seconds, and one without a byte. What lingers counts as a connection. CUT: reset. */
#ifndef GW_SERVER_CONNECTION_H
#define GW_SERVER_CONNECTION_H

#include "server/worker.h"

struct gw_connection;

/* Takes the descriptor of an accepted client, and its place in server.connections; open_before: how many there were
 * without it. Closes it at once (with 503 where that fits) when a bound is reached or memory is out. */
void gw_connection_open(struct gw_listening *listening, int fd, unsigned open_before);
/* Draining, or clients wait for a descriptor: an idle one ends soon, after a second of silence. */
void gw_connection_hurry_idle(struct gw_worker *worker);
/* The drain's time is over. */
void gw_connection_cut_all(struct gw_worker *worker);

#endif
