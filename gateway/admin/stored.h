/* stored.h: what is stored for a URL, in this process and in Redis, and what a request for it would be answered: one
 * page for a person.
 *
 * Reads    gw_near_list and gw_shared_inspect have looked: nothing is fetched, filled or removed, and nothing counts as
 *          a use.
 * Failure  500 with a page that says so when memory is out or the buffer's bound is reached.
 * Threads  Any worker's. Time is an argument. */
#ifndef GW_ADMIN_STORED_H
#define GW_ADMIN_STORED_H

#include "admin/cache_pages.h"
#include "cache/near.h"
#include "cache/shared.h"

struct gw_stored { /* all borrowed */
    const struct gw_inspect_order *order;
    struct gw_slice route;
    struct gw_slice query; /* as keyed: by the route's rules about queries; at == NULL: none */
    const struct gw_cache_key *key;
    const struct gw_cache_request *request;
    const char *bypass; /* why the cache is not asked, whatever the request says; NULL: it is */
    uint64_t now_us;

    enum gw_near_mode near_mode;
    struct gw_entry *near[GW_NEAR_VARIANTS];
    enum gw_ban_verdict near_bans[GW_NEAR_VARIANTS];
    unsigned near_count;
    bool near_hit_for_miss;
    enum gw_cache_refusal last_refusal; /* of this process' last answer; STORABLE: none is known */
    uint64_t last_ago_s;

    bool has_store;                      /* instances share a Redis */
    struct gw_slice prefix;              /* of its keys */
    const struct gw_shared_sight *sight; /* NULL: it was not asked, or did not answer in time */
};

/* {"verdict":…,"url":…,"route":…,"key":{…},"query":…,"request":{…},"near":[…],"last_refusal":{"detail":…,"why":…,"ago_s":…},"redis":{…}}, indented; fills the page and
 * returns the status. */
int gw_stored_put(const struct gw_stored *stored, struct gw_buffer *page);

#endif
