/* look.h: what a fetch asks the store before it asks a backend: the lease of its key, and what lies there. For fetch.c.
 *
 *          begin ─► both asked at once ─► found, fresh             ─► FOUND
 *            ▲                         ├► lease taken, or not told ─► ASK
 *            │  20…50 ms               ├► marked hit-for-miss      ─► ALONE
 *            └─────────────────────────┴► lease elsewhere (a refresh: NOTHING; cache.flight_wait over: ASK)
 *
 * Where the request wants the backend's word (must_validate), nothing stored is FOUND, and no lease is asked for.
 *
 * The store's silence is bounded by redis.timeout, once: then ASK. */
#ifndef GW_FETCH_LOOK_H
#define GW_FETCH_LOOK_H

#include "fetch/state.h"

enum gw_look_result {
    GW_LOOK_ASK,     /* the backend; the lease, if there is one, is kept until gw_look_end */
    GW_LOOK_ALONE,   /* the backend, for the first reader alone: answers under this key are not shared */
    GW_LOOK_FOUND,   /* fetch->found */
    GW_LOOK_NOTHING, /* another refreshes it */
};

/* Of a fetch that was just made. */
void gw_look_init(struct gw_fetch *fetch);
/* May this fetch look at all? */
bool gw_look_is_due(const struct gw_fetch *fetch);
/* gw_fetch_looked runs once, from the loop, unless gw_look_end comes first. False: the store is away; ask. */
bool gw_look_begin(struct gw_fetch *fetch) GW_MUST_CHECK;
/* Drops what is asked, and leaves the lease. Any time, any number of times. */
void gw_look_end(struct gw_fetch *fetch);

/* fetch.c's. */
void gw_fetch_looked(struct gw_fetch *fetch, enum gw_look_result result);

#endif
