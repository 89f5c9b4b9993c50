/* connection.h: one client of HTTP/1 on a stream of bytes: its requests one after another, its pace, its end.
 *
 *   OPENING ──► IDLE ──► HEAD ──► RUNNING ──► LEAVING     What holds
 *      │         ▲                  │ │         │            OPENING    nothing was read; it is not counted as idle
 *      │         └───── kept ───────┘ │         │            IDLE       no exchange; all that was answered has left
 *      │                              ▼         ▼            HEAD       an exchange that has not begun; its head arrives
 *      └─ turned away ──────────► LINGERING ◄───┘            RUNNING    an exchange answers
 *                                     │                      LEAVING    no exchange; what it gave leaves; input is dropped
 *   CLOSED leads from each            ▼                      LINGERING  half-closed; input is thrown away
 *   phase to CLOSING.              CLOSING                   CLOSING    nobody counts it any more; it is about to be freed
 *
 * Shape    The stream (stream.h) reads and writes; h1_requests.h parses requests, has them answered, and says when a
 *          phase ends. What is decided here: how long each phase may last, and how the connection ends.
 * Bounds   Idle it is this struct and nothing else. What waits to be written: what an exchange gives before it hears "slow"
 *          (one block, or a stored body by reference).
 * Ends     After a whole response: the next request, or half-close, throw away what still comes, close, so that the
 *          client reads our answer before a reset can overtake it: server.linger_timeout at most, server.linger_silence
 *          without a byte, and server.max_lingering connections; in a drain, and while clients wait for a descriptor,
 *          two seconds, and one without a byte. What lingers counts as a connection. The same after a response that is
 *          not whole, if its framing shows that; else a reset.
 * Threads  One worker's. */
#ifndef GW_SERVER_CONNECTION_H
#define GW_SERVER_CONNECTION_H

#include "server/h1_requests.h"
#include "server/stream.h"
#include "server/worker.h"

/* The only ways from one phase to another. */
/* clang-format off */
#define GW_CONNECTION_MOVES(X) \
    /* in        when        then */ \
    X(OPENING,   ADMITTED,   IDLE) \
    X(OPENING,   ANSWERED,   LINGERING) /* turned away with a 503 */ \
    X(OPENING,   CLOSED,     CLOSING) \
    X(IDLE,      FIRST_BYTE, HEAD) \
    X(IDLE,      CLOSED,     CLOSING) \
    X(HEAD,      HEAD_READ,  RUNNING) /* or refused: it is malformed, or late */ \
    X(HEAD,      CLOSED,     CLOSING) \
    X(RUNNING,   KEPT,       IDLE) \
    X(RUNNING,   ANSWERED,   LINGERING) \
    X(RUNNING,   GIVEN,      LEAVING) /* the exchange has ended before all that it gave has left */ \
    X(RUNNING,   CLOSED,     CLOSING) \
    X(LEAVING,   ANSWERED,   LINGERING) \
    X(LEAVING,   CLOSED,     CLOSING) \
    X(LINGERING, CLOSED,     CLOSING)
/* clang-format on */

enum gw_connection_phase {
    GW_CONNECTION_OPENING,
    GW_CONNECTION_IDLE,
    GW_CONNECTION_HEAD,
    GW_CONNECTION_RUNNING,
    GW_CONNECTION_LEAVING,
    GW_CONNECTION_LINGERING,
    GW_CONNECTION_CLOSING,
    GW_CONNECTION_PHASES
};

enum gw_connection_event {
    GW_CONNECTION_ADMITTED,
    GW_CONNECTION_FIRST_BYTE,
    GW_CONNECTION_HEAD_READ,
    GW_CONNECTION_KEPT,
    GW_CONNECTION_GIVEN,
    GW_CONNECTION_ANSWERED,
    GW_CONNECTION_CLOSED,
    GW_CONNECTION_EVENTS
};

enum { GW_CONNECTION_MAGIC = 0x434f4e4e }; /* CONN */

struct gw_connection {
    struct gw_worker *worker;
    struct gw_list link; /* in worker->connections */
    struct gw_address peer;
    struct gw_magic magic;
    bool on_admin_port, is_counted; /* in server.peers */

    enum gw_connection_phase phase;
    struct gw_timer timer;
    uint64_t deadline_ms; /* of what is awaited in this phase; UINT64_MAX: none */
    uint64_t timer_at_ms; /* when the timer fires, if it runs: at the deadline or earlier */
    uint64_t linger_until_ms;
    struct gw_h1_requests h1;
    struct gw_stream stream;
};

/* Takes the descriptor of an accepted client, and its place in server.connections; open_before: how many there were
 * without it. Closes it at once (with 503 where that fits) when a bound is reached or memory is out. */
void gw_connection_open(struct gw_listening *listening, int fd, unsigned open_before);
/* Draining, or clients wait for a descriptor: an idle one ends soon, after a second of silence. */
void gw_connection_hurry_idle(struct gw_worker *worker);
/* The drain's time is over. */
void gw_connection_cut_all(struct gw_worker *worker);

/* ---- for h1_requests.c ---- */

/* The one way to change the phase. The deadline of the phase before ends with it. */
void gw_connection_move(struct gw_connection *connection, enum gw_connection_event event);
/* So much time for what is awaited; the phase says what happens when it has passed. */
void gw_connection_set_deadline(struct gw_connection *connection, uint64_t after_ms);
/* What was awaited has come: what else is awaited now? */
void gw_connection_clear_deadline(struct gw_connection *connection);
/* The next request may come. event: ADMITTED or KEPT. */
void gw_connection_await_request(struct gw_connection *connection, enum gw_connection_event event);
/* All that was to be said has left (ANSWERED): half-close, and wait for the client's end. */
void gw_connection_linger(struct gw_connection *connection);
void gw_connection_close(struct gw_connection *connection);
/* By a reset, so that the client sees an answer that is not whole (RFC 9112 §8). */
void gw_connection_cut(struct gw_connection *connection);

/* ---- for tests and checks ---- */

/* Next phase by the table, or GW_CONNECTION_PHASES if there is no row. */
enum gw_connection_phase gw_connection_next(enum gw_connection_phase phase, enum gw_connection_event event);
const char *gw_connection_phase_name(enum gw_connection_phase phase);
#ifdef GW_CHECKS
/* What holds in its phase. */
void gw_connection_check(const struct gw_connection *connection);
#define GW_CONNECTION_CHECK(connection) gw_connection_check(connection)
#else
#define GW_CONNECTION_CHECK(connection) ((void)0)
#endif

#endif
