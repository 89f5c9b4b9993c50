/* coherence.h: main's pair of connections that keeps every instance's near cache coherent: one tracks (CLIENT TRACKING ON BCAST PREFIX <prefix>cache:
 * PREFIX <prefix>purge: REDIRECT <id of the other>), one is subscribed to __redis__:invalidate (CACHE.md: "Near cache").
 *
 * Life     Each second: SUBSCRIBE again on the subscriber, PING on the tracker; no answer within redis.timeout x 4: lost. Either lost: the near cache is flushed
 *          whole (its global epoch raised) and closed for fills; both are opened again; when established, flushed once more and open. A server that refuses tracking: the near
 *          cache stays closed.
 * Threads  Main's loop; near.h is shared. */
#ifndef GW_CACHE_COHERENCE_H
#define GW_CACHE_COHERENCE_H

#include "cache/near.h"
#include "store/breaker.h"
#include "base/timer.h"
#include "config/config.h"

struct gw_coherence;

struct gw_coherence_setup {
    uv_loop_t *loop;
    struct gw_timers *timers;
    struct gw_near *near;
    struct gw_breaker *breaker; /* of the cache's node */
    const struct gw_redis_node *node;
    const struct gw_config *config;
};

struct gw_coherence *gw_coherence_open(const struct gw_coherence_setup *setup) GW_MUST_CHECK;
void gw_coherence_close(struct gw_coherence *coherence);
void gw_coherence_free(struct gw_coherence **coherence);
/* Is the pair established? Any thread. */
bool gw_coherence_is_up(const struct gw_coherence *coherence);

#endif
