/* h1.h: what the files of the HTTP/1 transport share: transport_h1.c (connections and calls), h1_request.c (writing),
 * h1_response.c (reading).
 *
 * Shape    A connection embeds all that a call needs, so a call on a kept connection allocates nothing and costs a
 *          write and a read.
 *
 *            gw_dial ──► busy ──► idle ──► busy … ──► closing
 *
 *          A connection with a call is busy. An idle connection goes on reading, so that its end is noticed. Every way
 *          out leads through gw_h1_close. The socket's close callback frees the memory, so it is never freed within a
 *          call stack.
 * Events   An owner may cancel, begin or send from within any event. So after raising an event, the code checks that
 *          connection->call is still the same call before it touches the connection again. A connection is given back
 *          to its pool before on_end, and is not touched afterwards.
 * Threads  One worker's. */
#ifndef GW_UPSTREAM_H1_H
#define GW_UPSTREAM_H1_H

#include "base/buffer.h"
#include "base/check.h"
#include "http/parser.h"
#include "upstream/dial.h"
#include "upstream/pool.h"
#include "upstream/transport.h"

enum { GW_H1_INTERIMS = 32 };

struct gw_h1 {
    struct gw_magic magic;
    struct gw_transport base;
    struct gw_transport_setup setup;
    struct gw_resolver resolver;
    struct gw_pool_set pools;
    bool is_closing;

    struct gw_buffer scratch; /* where a request's head is put together; no other part keeps bytes of it */
    uv_idle_t deferrer;       /* runs while `deferred` has members */
    struct gw_list deferred;  /* connections that have work for the next turn of the loop */
};

/* How far the request is. */
enum gw_h1_request {
    GW_H1_HEAD,     /* nothing is written; still connecting, or the first piece of the body is awaited */
    GW_H1_CONTINUE, /* the head is sent, the body waits for 100 */
    GW_H1_BODY,     /* the body flows as the owner gives it */
    GW_H1_SENT,     /* the kernel has every byte */
    GW_H1_DROPPED,  /* the request will not be completed: an early answer, or the backend does not take the request */
};

enum { GW_H1_CONNECTION_MAGIC = 0x4831434e }; /* H1CN */

struct gw_h1_connection {
    struct gw_magic magic;
    uv_tcp_t tcp; /* data: the dial's until connected, then the connection */
    struct gw_h1 *transport;
    struct gw_pool *pool;
    struct gw_parser_limits limits;

    struct gw_list link;     /* in pool->idle */
    struct gw_list deferred; /* in transport->deferred */
    struct gw_call *call;    /* NULL: idle or closing */
    struct gw_timer timer;   /* for what the call waits for now; set by gw_h1_watch */
    bool is_dialing, is_connected, is_closing, is_reading;
    enum gw_error failing; /* raised as on_fail from the loop */
    struct gw_dial dial;

    /* request */
    enum gw_h1_request request;
    struct gw_piece piece;  /* of the body: waiting to be written, or being written */
    bool is_corked;         /* within on_want_body: the given pieces leave in one write afterwards */
    bool is_writing;        /* a uv_write is under way */
    bool is_write_failed;   /* the backend has closed or reset the connection */
    bool is_body_ended;     /* the owner ended the body */
    bool is_last_chunk_out; /* with what was written, or is being written */
    uint64_t body_left;     /* bytes of Content-Length that the owner has still to give */
    size_t queued_bytes;    /* of the uv_write, at the last check */
    uv_write_t write;
    char *head_copy;     /* the part of the head that the kernel did not take at once */
    char chunk_line[24]; /* size CRLF */

    /* response */
    struct gw_parser parser;
    struct gw_head *head; /* in call->arena */
    struct gw_piece rest; /* read, but not parsed, when the owner paused */
    bool is_paused;
    bool is_unparsed;  /* the parser stopped before it had reported everything */
    bool is_answering; /* the final head was reported */
    bool is_keepable;  /* as the responses say; a careless response makes it false */
    unsigned interims;
};

/* transport_h1.c */

/* Ends the call with on_fail and closes the connection. */
void gw_h1_fail(struct gw_h1_connection *connection, enum gw_error error);
/* Does the same, from the loop. */
void gw_h1_fail_later(struct gw_h1_connection *connection, enum gw_error error);
/* The response is complete: gives the connection back or closes it, then raises on_end. */
void gw_h1_complete(struct gw_h1_connection *connection, bool may_keep);
/* Closes the connection, which has no call. */
void gw_h1_close(struct gw_h1_connection *connection);
/* Handles the connection from the loop soon. */
void gw_h1_defer(struct gw_h1_connection *connection);
/* Sets the timer for what the call waits for now. */
void gw_h1_watch(struct gw_h1_connection *connection);

/* h1_request.c */

/* The connection is open and has a call: writes the request, or asks for the first piece of the body. If the call has a
 * body, this must be called from the loop. */
void gw_h1_request_start(struct gw_h1_connection *connection);
/* The body no longer waits for 100. */
void gw_h1_request_continue(struct gw_h1_connection *connection);
/* The rest of the request is no longer wanted. */
void gw_h1_request_drop(struct gw_h1_connection *connection);
/* Has the current write made progress since the last call of this function? */
bool gw_h1_request_progressed(struct gw_h1_connection *connection);
bool gw_h1_request_send(struct gw_h1_connection *connection, struct gw_slice bytes, struct gw_block *block);
void gw_h1_request_end_body(struct gw_h1_connection *connection);
/* Frees the request's memory; the socket is closed already. */
void gw_h1_request_free(struct gw_h1_connection *connection);

/* h1_response.c */

/* Call it before a request. False when the arena is out of memory. */
bool gw_h1_response_begin(struct gw_h1_connection *connection) GW_MUST_CHECK;
/* False when the socket cannot be read. */
bool gw_h1_response_read(struct gw_h1_connection *connection) GW_MUST_CHECK;
void gw_h1_response_stop_reading(struct gw_h1_connection *connection);
/* Called from the loop: goes on with the bytes that were left when the owner paused. */
void gw_h1_response_go_on(struct gw_h1_connection *connection);
void gw_h1_response_free(struct gw_h1_connection *connection);

#endif
