/* trail.h: reads from X-Forwarded-For or Forwarded (RFC 7239) through which hops a request came. Pure. The caller
 * decides which hops it trusts.
 *
 * Source   Where the request has X-Forwarded-For, -Proto or -Host, Forwarded is not read: most proxies that write the
 *          X- fields forward a Forwarded field as their client sent it.
 * Order    The first hop is the farthest. Several lines are one list, and empty elements are skipped (RFC 9110 §5.6.1).
 *          A comma ends an element of X-Forwarded-For even between quotes, so that a client's quote cannot hide what a
 *          proxy adds behind it. */
#ifndef GW_HTTP_TRAIL_H
#define GW_HTTP_TRAIL_H

#include "base/address.h"
#include "http/head.h"

enum gw_trail_source { GW_TRAIL_NONE, GW_TRAIL_X_FORWARDED, GW_TRAIL_FORWARDED };

struct gw_trail {
    enum gw_trail_source source;
    const struct gw_head *head;
    const struct gw_field *field;
    struct gw_slice rest;
};

struct gw_trail_hop {
    bool is_well_formed; /* false: nothing of this hop counts */
    bool has_address;    /* false: "unknown", "_hidden", a host's name, or no for= */
    struct gw_address address;
    struct gw_slice proto, host; /* of Forwarded, not checked; absent where Forwarded does not have them */
};

struct gw_trail gw_trail_of(const struct gw_head *request);
/* The next hop. False at the end. */
bool gw_trail_next(struct gw_trail *trail, struct gw_trail_hop *hop);

#endif
