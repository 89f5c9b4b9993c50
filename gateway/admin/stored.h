/* stored.h: a page for people: what is stored for a URL, in this process and in Redis, and how a request for it would
 * be answered.
 *
 * Reads    gw_memory_cache_list and gw_redis_cache_inspect have done the look-ups: nothing is fetched, filled or removed, and
 *          nothing counts as a use.
 * Failure  When memory is out or the buffer's bound is reached, the status is 500 with a page that says so.
 * Threads  Any worker may call this. Time is an argument. */
#ifndef GW_ADMIN_STORED_H
#define GW_ADMIN_STORED_H

#include "admin/cache_pages.h"
#include "cache/memory_cache.h"
#include "cache/redis_cache.h"

struct gw_stored { /* all borrowed */
    const struct gw_inspect_order *order;
    struct gw_slice route;
    struct gw_slice query; /* as in the key, by the route's rules about queries; at == NULL: none */
    const struct gw_cache_key *key;
    const struct gw_cache_request *request;
    const char *bypass; /* why the cache is off or bypassed for this request; NULL: it is neither */
    uint64_t now_us;

    enum gw_memory_cache_mode memory_cache_mode;
    struct gw_entry *memory_cache[GW_MEMORY_CACHE_VARIANTS];
    enum gw_ban_verdict memory_cache_bans[GW_MEMORY_CACHE_VARIANTS];
    unsigned memory_cache_count;
    bool memory_cache_hit_for_miss;
    enum gw_cache_refusal last_refusal; /* why this process' last answer was not stored; STORABLE: not known */
    uint64_t last_ago_s;

    bool has_store;                                     /* instances share a Redis */
    struct gw_slice prefix;                             /* of the keys in Redis */
    const struct gw_redis_cache_inspection *inspection; /* NULL: Redis was not asked, or did not answer in time */
};

/* Fills the page, indented, and returns the status:
 * {"verdict":…,"url":…,"route":…,"key":{…},"query":…,"request":{…},"near":[…],
 *  "last_refusal":{"detail":…,"why":…,"ago_s":…},"redis":{…}} */
int gw_stored_put(const struct gw_stored *stored, struct gw_buffer *page);

#endif
