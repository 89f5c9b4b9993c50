/* downstream.h: what an exchange asks of the connection that it answers on.
 *
 * Threads  One worker's. None of these calls runs an event of the exchange before it returns. */
#ifndef GW_EXCHANGE_DOWNSTREAM_H
#define GW_EXCHANGE_DOWNSTREAM_H

#include "base/chain.h"

struct gw_downstream;

enum gw_downstream_end {
    GW_DOWNSTREAM_KEEP,  /* the response is whole; the next request may come */
    GW_DOWNSTREAM_CLOSE, /* the response is whole, the connection ends after it */
    GW_DOWNSTREAM_BREAK, /* it is not whole, and its framing says so: what was written reaches the client, then FIN */
    GW_DOWNSTREAM_CUT,   /* it is not whole, or its client is gone: RST, never a clean end */
};

struct gw_downstream_table {
    /* Writes in order. What does not go at once is kept: pieces with a block by reference, others copied. False: the
     * client is slow, and gw_exchange_on_writable will be called when everything has left. */
    bool (*write)(struct gw_downstream *downstream, const struct gw_piece *pieces, unsigned count);
    /* The request's body may come: gw_exchange_on_body from the loop. */
    void (*want_body)(struct gw_downstream *downstream);
    /* The rest of the request's body is not wanted: it is read and thrown away while the answer leaves, so that a client
     * that reads only after it has sent everything gets its answer (RFC 9112 §9.6). The connection ends after it. */
    void (*drop_body)(struct gw_downstream *downstream);
    /* The exchange is over and may be used again by the connection's next request; the caller does not touch it any
     * more. */
    void (*done)(struct gw_downstream *downstream, enum gw_downstream_end end);
};

struct gw_downstream { /* a connection's struct begins with this */
    const struct gw_downstream_table *table;
};

#endif
