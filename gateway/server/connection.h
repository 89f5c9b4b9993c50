/* connection.h: one HTTP/1 connection over a stream of bytes: its phases, its deadlines, its end.
 *
 *   OPENING ──► IDLE ──► HEAD ──► RUNNING ──► LEAVING     What holds
 *      │         ▲                  │ │         │            OPENING    nothing was read; it does not count as idle
 *      │         └───── kept ───────┘ │         │            IDLE       no exchange; every answer has left
 *      │                              ▼         ▼            HEAD       an exchange that has not begun; its head arrives
 *      └─ turned away ──────────► LINGERING ◄───┘            RUNNING    an exchange answers
 *                                     │                      LEAVING    no exchange; its answer leaves; input is dropped
 *   CLOSED leads from each            ▼                      LINGERING  half-closed; input is thrown away
 *   phase to CLOSING.              CLOSING                   CLOSING    it counts nowhere and is about to be freed
 *
 * Shape    The stream (stream.h) reads and writes bytes. h1_requests.h parses requests, begins their exchanges and tells
 *          when a phase ends. This file decides how long each phase may last and how the connection ends.
 * Bounds   An idle connection is this struct and nothing else. Unsent bytes: those that an exchange gives before a write
 *          returns false (one block, or a stored body by reference).
 * Ends     After a whole response, the connection waits for the next request or lingers: it half-closes, throws away
 *          bytes that still come, and closes when the client does, so that no reset reaches the client before it has
 *          read our answer. It lingers at most for server.linger_timeout, at most for server.linger_silence without a
 *          byte, and at most server.max_lingering connections do so. In a drain, and while clients wait for a
 *          descriptor, it lingers two seconds, and one second without a byte. A connection that lingers counts as a
 *          connection. After a response that is not whole, it lingers if the framing shows that the response is not
 *          whole; otherwise it is reset.
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
    uint64_t deadline_ms; /* of the event that is awaited in this phase; UINT64_MAX: none */
    uint64_t timer_at_ms; /* when the timer fires, if it runs: at the deadline or earlier */
    uint64_t linger_until_ms;
    struct gw_h1_requests h1;
    struct gw_stream stream;
};

/* Takes the descriptor of an accepted client, and its place in server->connections; open_before: how many connections
 * there were without it. Closes it at once (with a 503 if the socket takes it) when a bound is reached or memory is
 * out. */
void gw_connection_open(struct gw_listening *listening, int fd, unsigned open_before);
/* A drain begins, or clients wait for a descriptor: idle connections end after one second without a byte, and lingering
 * ones after two seconds at most. */
void gw_connection_hurry_idle(struct gw_worker *worker);
/* The time for the drain is over: ends every connection and its exchange. */
void gw_connection_cut_all(struct gw_worker *worker);

/* ---- for h1_requests.c ---- */

/* The only function that changes the phase. The deadline of the old phase ends. */
void gw_connection_move(struct gw_connection *connection, enum gw_connection_event event);
/* Sets the deadline of the awaited event. The phase decides what happens if the deadline passes. */
void gw_connection_set_deadline(struct gw_connection *connection, uint64_t after_ms);
/* The awaited event has come: sets the deadline of the next one (bytes to leave, or the body), or none. */
void gw_connection_clear_deadline(struct gw_connection *connection);
/* Waits for the next request, whose bytes may be in the carry already. event: ADMITTED or KEPT. */
void gw_connection_await_request(struct gw_connection *connection, enum gw_connection_event event);
/* The whole answer has left (ANSWERED): half-closes, and waits until the client closes. */
void gw_connection_linger(struct gw_connection *connection);
/* A byte came while lingering, or a drain began: sets the deadline anew. */
void gw_connection_set_linger_deadline(struct gw_connection *connection);
void gw_connection_close(struct gw_connection *connection);
/* Closes by a reset, so that the client sees that its answer is not whole (RFC 9112 §8). */
void gw_connection_cut(struct gw_connection *connection);

/* ---- for tests and checks ---- */

/* Next phase by the table, or GW_CONNECTION_PHASES if there is no row. */
enum gw_connection_phase gw_connection_next(enum gw_connection_phase phase, enum gw_connection_event event);
const char *gw_connection_phase_name(enum gw_connection_phase phase);
/* Checks what must hold in the connection's phase: GW_CHECK(gw_connection_check(connection)). Returns true. */
bool gw_connection_check(const struct gw_connection *connection);

#endif
