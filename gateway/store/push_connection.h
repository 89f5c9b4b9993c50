/* push_connection.h: a connection to Redis on which messages come without a question.
 *
 * Problem  hiredis' asynchronous contexts expect an answer for each command: 0.14 drops a PONG on a subscribed
 *          connection, and an answer without a command ends the process. And hiredis' replies believe every length that
 *          the other side writes.
 * Shape    hiredis' plain context, not blocking, on a uv_poll. Its reader has constructors of its own, which keep one
 *          reply and hand over the keys of an invalidation one by one as they are read: no allocation.
 * Bounds   An unfinished reply may have GW_PUSH_BYTES; a longer one ends the connection. Commands are few and small.
 * Threads  One loop's. */
#ifndef GW_STORE_PUSH_CONNECTION_H
#define GW_STORE_PUSH_CONNECTION_H

#include <uv.h>
#include "base/slice.h"
#include "config/config.h"

enum { GW_PUSH_BYTES = 64 * 1024, GW_PUSH_TEXT_BYTES = 128 };

enum gw_push_kind {
    GW_PUSH_TEXT, /* a status, a string */
    GW_PUSH_ERROR,
    GW_PUSH_INTEGER,
    GW_PUSH_NIL,
    GW_PUSH_SUBSCRIBED,
    GW_PUSH_MESSAGE, /* its keys have been handed over */
    GW_PUSH_OTHER,
};

struct gw_push_reply {
    enum gw_push_kind kind;
    int64_t integer;
    bool is_of_all;                /* MESSAGE: it names no key, which means every key */
    char text[GW_PUSH_TEXT_BYTES]; /* TEXT, ERROR: the beginning of the text, with a NUL */
};

struct gw_push_wire;
struct gw_tls;

struct gw_push_connection {
    const struct gw_redis_node *node;
    struct gw_tls *tls; /* borrowed */
    /* All of these run from the loop, never within a call of this header's functions. */
    void (*on_up)(void *context);                       /* connected */
    void (*on_key)(void *context, struct gw_slice key); /* must not close the connection */
    void (*on_reply)(void *context, const struct gw_push_reply *reply);
    /* Once for each gw_push_connection_open that returned true. The connection is closed already. */
    void (*on_down)(void *context, const char *why);
    void *context;

    struct gw_push_wire *wire; /* NULL: closed */
    struct gw_push_reply reply;
};

/* Connects to a literal address (or the node's socket). False: the attempt did not begin, and on_down does not run. */
bool gw_push_connection_open(struct gw_push_connection *connection, uv_loop_t *loop, const char *address) GW_MUST_CHECK;
/* on_down does not run. A closed connection may be closed again. */
void gw_push_connection_close(struct gw_push_connection *connection);
/* Sends a command in RESP (resp.h). False: it is not connected, or memory is out. */
bool gw_push_connection_send(struct gw_push_connection *connection, struct gw_slice command);

#endif
