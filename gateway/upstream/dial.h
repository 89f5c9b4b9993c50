/* dial.h: from a host and a port to a connected socket.
 *
 * Shape    The name is resolved, then its addresses are tried in turn. The next address is tried when one fails or has
 *          used its share of the time (time left / addresses left), so that a first address that swallows packets does
 *          not use up all of it.
 * Time     timeout_ms bounds the whole dial.
 * Memory   The caller's; it must stay until on_done or on_gone has run.
 * Threads  One worker's. */
#ifndef GW_UPSTREAM_DIAL_H
#define GW_UPSTREAM_DIAL_H

#include <uv.h>
#include "base/check.h"
#include "base/error.h"
#include "base/timer.h"
#include "base/resolver.h"

struct gw_dial {
    struct gw_magic magic; /* from gw_dial_begin to on_done or on_gone */
    /* Set by the caller. Exactly one of the two runs, once, on the loop, never before gw_dial_begin has returned. */
    void (*on_done)(struct gw_dial *dial, enum gw_error error); /* NONE: tcp is connected; else tcp is closed already */
    void (*on_gone)(struct gw_dial *dial);                      /* after gw_dial_cancel: tcp is closed */
    uv_tcp_t *tcp;                                              /* its `data` belongs to the dial until then */

    struct gw_timers *timers;
    uint16_t port;
    uint64_t until_ms; /* of the loop's clock */
    uv_connect_t request;
    struct gw_resolver_question question;
    struct gw_timer timer;
    struct gw_resolver_addresses addresses;
    unsigned next; /* address to try */
    enum gw_error error;
    bool is_cancelled, is_over; /* is_over: no further address is tried */
};

/* NONE, or OVERLOADED: then nothing happened. `host` ends with a NUL. */
enum gw_error gw_dial_begin(struct gw_dial *dial, struct gw_resolver *resolver, struct gw_timers *timers,
                            struct gw_slice host, uint16_t port, uint64_t timeout_ms) GW_MUST_CHECK;
/* Allowed between gw_dial_begin and on_done. */
void gw_dial_cancel(struct gw_dial *dial);

#endif
