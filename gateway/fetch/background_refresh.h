/* background_refresh.h: a background refresh: a fetch without a reader, for the cache alone.
 *
 * Shape    If instances share the Redis cache, it is asked first (cache/lookup.h): does another instance refresh this entry,
 *          and is what lies there still stale? For that time, what the exchange lent is copied. Otherwise the fetch
 *          begins at once.
 * Life     A refresh ends when its fetch has begun or is not needed. The end of a drain ends it (gw_fetcher_cancel_unread).
 * Threads  One worker's. */
#ifndef GW_FETCH_BACKGROUND_REFRESH_H
#define GW_FETCH_BACKGROUND_REFRESH_H

#include "fetch/fetch.h"

/* As gw_fetch_begin without a reader. GW_ERROR_NONE: coalesced and lock are taken, and the fetch has begun, will begin, or
 * is not needed. Otherwise nothing happened. */
enum gw_error gw_background_refresh_begin(struct gw_fetcher *fetcher, const struct gw_fetch_request *request);

/* For fetch.c. */
void gw_background_refresh_init(struct gw_fetcher *fetcher);
void gw_background_refresh_cancel_all(struct gw_fetcher *fetcher);

#endif
