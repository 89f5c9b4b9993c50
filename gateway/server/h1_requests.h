/* h1_requests.h: the requests of one HTTP/1 connection, one after another, and their answers.
 *
 * Shape    Bytes are parsed as they come. At the first byte of a head, an exchange is taken from the worker. While the
 *          exchange runs, bytes that it does not want yet (its body, the next requests) are kept in a bounded carry.
 *          The exchange answers through a writer (h1_writer.h). When the exchange is done, the connection is kept,
 *          half-closed or cut.
 * Kept     The connection is kept for the next request if the client wishes it, the whole request was read, the response
 *          is whole and its framing tells its end, server.max_requests_per_connection is not reached, and no drain has
 *          begun.
 * Bounds   carry: one block and one read. Without a request, this struct is all the memory that is used.
 * Threads  One worker's. */
#ifndef GW_SERVER_H1_REQUESTS_H
#define GW_SERVER_H1_REQUESTS_H

#include "base/chain.h"
#include "http/parser.h"
#include "server/h1_writer.h"

struct gw_connection;
struct gw_exchange;
struct gw_stream;

struct gw_h1_requests { /* a connection's */
    struct gw_h1_sink sink;

    bool in_parse;
    bool body_wanted;             /* the exchange wants more of the request's body */
    bool is_dropping;             /* bytes that come while the answer leaves are thrown away */
    unsigned count;               /* requests whose head was read */
    struct gw_exchange *exchange; /* of the request under way; NULL: none */
    struct gw_h1_writer *writer;  /* of the response, in the exchange's arena */
    struct gw_chain carry;        /* bytes that were read before they were wanted */
    struct gw_parser parser;
};

void gw_h1_requests_init(struct gw_h1_requests *requests, const struct gw_parser_limits *limits);
/* The stream's on_read (stream.h) of a connection. May end the connection. */
void gw_h1_requests_on_read(struct gw_stream *stream, struct gw_slice bytes, struct gw_block *block);
/* Parses the carry as far as the phase allows, then reads on from the stream. */
void gw_h1_requests_go_on(struct gw_connection *connection);
/* No more of the request can be read: it is not HTTP, or its head or the wanted body has not come in time. */
void gw_h1_requests_fail(struct gw_connection *connection, enum gw_error error);
/* Gives the exchange back, if there is one. The exchange must have ended, or not have begun. */
void gw_h1_requests_put_exchange(struct gw_h1_requests *requests);
/* Checks what must hold in the connection's phase: GW_CHECK(gw_h1_requests_check(connection)). Returns true. */
bool gw_h1_requests_check(const struct gw_connection *connection);

#endif
