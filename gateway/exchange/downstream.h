/* downstream.h: where the response of an exchange goes, as messages.
 *
 * Shape    interim* → head → body* → end → done, or done at any time. What is between a head and its end is gathered,
 *          and leaves with a flush, with the end, or when the downstream has gathered enough. An exchange does not know
 *          which version of HTTP its client speaks, nor which others answer on the same connection: how a message is
 *          framed, and what becomes of the connection after it, is for the downstream (server/h1_writer.h).
 * Pace     A call that returns false says that the client is slow: what was given is kept, pieces with a block by
 *          reference, others copied, and gw_exchange_on_writable will be called when everything has left. True says
 *          nothing about what was kept before.
 * Failure  Where memory for a head is out, the downstream says so in the head (is_lost).
 * Threads  One worker's. None of these calls runs an event of the exchange before it returns. */
#ifndef GW_EXCHANGE_DOWNSTREAM_H
#define GW_EXCHANGE_DOWNSTREAM_H

#include "base/chain.h"
#include "http/head.h"

struct gw_downstream;

enum gw_downstream_end {
    GW_DOWNSTREAM_WHOLE,  /* the response is whole, and all of it has left */
    GW_DOWNSTREAM_BROKEN, /* it is not whole: the client must see that, and should get what was given of it */
    GW_DOWNSTREAM_GONE,   /* nothing more of it can reach the client */
};

/* A final head. It carries: the status; the reason phrase of `head`, if the status is the head's own; the fields of
 * `head`, but for those that are dropped or left out, and for Content-Length, which `length` tells; then `added`. */
struct gw_downstream_head {
    int status;
    const struct gw_head *head;  /* the backend's, or one that is stored; NULL: the response is made here */
    const bool *left_out[2];     /* by enum gw_field_name: two sets of fields of `head` that are left out; NULL: none */
    struct gw_slice stored_text; /* status, reason and all fields of `head` as HTTP/1 writes them, made when it was
                                    stored ("HTTP/1.1 200 OK\r\nName: value\r\n"...); absent: there is none, or this
                                    head is not that one. To copy it is all that HTTP/1 needs; others need not read it */
    struct gw_slice added;       /* "Name: value\r\n"...: what the gateway says: lines as http/writer.h puts them,
                                    so that each has one name, ": " and one value */
    bool has_body;               /* false: for a HEAD, 204 and 304, whatever `length` says */
    uint64_t length;             /* of the body; without a body, what Content-Length tells; UINT64_MAX: not known */
    bool is_lost;                /* memory was out: in its place a 503 without fields and content is to be sent, or was.
                                    The exchange sets it where `added` lacks something, the downstream where the text
                                    of the head does. The status is 503 then, and there is no body. */
};

struct gw_downstream_table {
    /* A 1xx, at once; before the head. head: the backend's, or NULL. */
    bool (*interim)(struct gw_downstream *downstream, int status, const struct gw_head *head);
    /* Once. Borrowed, with all that it points at, until it has left or done is called. */
    void (*head)(struct gw_downstream *downstream, struct gw_downstream_head *head);
    /* A piece of the body, 1 byte at least. Without block it is borrowed for the call, and leaves with it. */
    bool (*body)(struct gw_downstream *downstream, struct gw_slice bytes, struct gw_block *block);
    bool (*flush)(struct gw_downstream *downstream);
    /* The body is whole. */
    bool (*end)(struct gw_downstream *downstream);
    /* The request's body may come: gw_exchange_on_body from the loop. */
    void (*want_body)(struct gw_downstream *downstream);
    /* The rest of the request's body is not wanted: it is read and thrown away while the answer leaves, so that a client
     * that reads only after it has sent everything gets its answer (RFC 9112 §9.6). Before the head. */
    void (*drop_body)(struct gw_downstream *downstream);
    /* The exchange is over, and its memory may be used for the next request; the caller does not touch it any more. */
    void (*done)(struct gw_downstream *downstream, enum gw_downstream_end end);
};

struct gw_downstream { /* a connection's (HTTP/1) or a stream's struct begins with this */
    const struct gw_downstream_table *table;
};

#endif
