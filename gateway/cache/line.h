/* line.h: a connection to Redis on which messages come unasked.
 *
 * Problem  hiredis' asynchronous contexts want an answer for each command: 0.14 drops a PONG on a subscribed one,
 *          and an answer to nothing ends the process. And its replies believe every length that the other side
 *          writes.
 * Shape    hiredis' plain context, not blocking, on a uv_poll; its reader with constructors of its own, that keep
 *          one reply and hand over the keys of an invalidation one by one as they are read: no allocation.
 * Bounds   What is not a whole reply yet: GW_LINE_BYTES; beyond, the connection is lost. Commands are few and small.
 * Threads  One loop's. */
#ifndef GW_CACHE_LINE_H
#define GW_CACHE_LINE_H

#include <uv.h>
#include "config/config.h"
#include "store/tls.h"

enum { GW_LINE_BYTES = 64 * 1024, GW_LINE_TEXT_BYTES = 128, GW_LINE_ARGUMENTS = 12 };

enum gw_line_kind {
    GW_LINE_TEXT, /* a status, a string */
    GW_LINE_ERROR,
    GW_LINE_INTEGER,
    GW_LINE_NIL,
    GW_LINE_SUBSCRIBED,
    GW_LINE_MESSAGE, /* its keys have been handed over */
    GW_LINE_OTHER,
};

struct gw_line_reply {
    enum gw_line_kind kind;
    int64_t integer;
    bool is_of_all;                /* MESSAGE: of nothing, that is, of every key */
    char text[GW_LINE_TEXT_BYTES]; /* TEXT, ERROR: its beginning; terminated */
};

struct gw_line_wire;

struct gw_line {
    const struct gw_redis_node *node;
    struct gw_tls *tls; /* borrowed */
    /* All from the loop, not from within a call. */
    void (*on_up)(void *context);                       /* connected */
    void (*on_key)(void *context, struct gw_slice key); /* may not close the line */
    void (*on_reply)(void *context, const struct gw_line_reply *reply);
    void (*on_down)(void *context, const char *why); /* once for each gw_line_open that was true; closed already */
    void *context;

    struct gw_line_wire *wire; /* NULL: closed */
    struct gw_line_reply reply;
};

/* Connects to a literal address (or the node's socket). False: not begun, on_down does not run. */
bool gw_line_open(struct gw_line *line, uv_loop_t *loop, const char *address) GW_MUST_CHECK;
/* on_down does not run. A closed one may be closed. */
void gw_line_close(struct gw_line *line);
/* A command. False: the line is not up, or memory is out. */
bool gw_line_send(struct gw_line *line, const struct gw_slice *arguments, unsigned count);

#endif
