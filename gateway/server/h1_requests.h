/* h1_requests.h: what a client of HTTP/1 asks on its connection, and what it is answered: one request after another.
 *
 * Shape    Bytes are parsed as they come. At the first byte of a head an exchange is taken; while it runs, what the
 *          client already sends (the next requests) is read on into a bounded carry. The exchange answers through a
 *          writer (h1_writer.h); when it is done, the connection is kept, half-closed or cut.
 * Kept     for the next request: where the client wishes it, the whole request was read, the response is whole and its
 *          framing tells its end, server.max_requests_per_connection is not reached, and no drain has begun.
 * Bounds   carry: one block and one read. Idle it is this struct and nothing else.
 * Threads  One worker's. */
#ifndef GW_SERVER_H1_REQUESTS_H
#define GW_SERVER_H1_REQUESTS_H

#include "base/chain.h"
#include "http/parser.h"
#include "server/h1_writer.h"

struct gw_connection;
struct gw_exchange;

struct gw_h1_requests { /* a connection's */
    struct gw_h1_sink sink;

    bool in_parse;
    bool body_wanted;             /* by the exchange */
    bool is_dropping;             /* what comes while the answer leaves is thrown away */
    unsigned count;               /* requests whose head was read */
    struct gw_exchange *exchange; /* of the request under way; NULL: none */
    struct gw_h1_writer *writer;  /* of its response, in its arena */
    struct gw_chain carry;        /* read too early */
    struct gw_parser parser;
};

void gw_h1_requests_init(struct gw_h1_requests *requests, const struct gw_parser_limits *limits);
/* Bytes of the client. Borrowed for the call, as in stream.h. May end the connection. */
void gw_h1_requests_read(struct gw_connection *connection, struct gw_slice bytes, struct gw_block *block);
/* What was read too early, then what comes. */
void gw_h1_requests_go_on(struct gw_connection *connection);
/* The head, or the body that was asked for, has not come in time. */
void gw_h1_requests_on_late(struct gw_connection *connection);
/* Gives the exchange back, if there is one; it has ended, or not begun. */
void gw_h1_requests_put_exchange(struct gw_h1_requests *requests);
#ifdef GW_CHECKS
/* What holds in the connection's phase. */
void gw_h1_requests_check(const struct gw_connection *connection);
#endif

#endif
