/* purger.h: bans as instances share them through the store, as one worker sees it (redis/purge.lua).
 *
 * Shape    A ban is numbered by the script and answered with all that is new; who polls (each worker, every
 *          GW_PURGER_POLL_MS, unless another worker of this process did so a moment ago) gets the same answer. So an
 *          instance knows of a ban within that time, and no look-up pays for it.
 * Outage   A ban that cannot be sent is an error to who asked for it, and is taken here all the same; without the store
 *          nothing is read from it, and after the outage the near cache is flushed and the poll comes first.
 * Threads  One worker's; the bans are shared. */
#ifndef GW_CACHE_PURGER_H
#define GW_CACHE_PURGER_H

#include "base/timer.h"
#include "cache/bans.h"
#include "store/store.h"

struct gw_purger;
struct gw_purge;

enum { GW_PURGER_POLL_MS = 50 };

/* From the loop, once. false: the store has not acknowledged it. */
typedef void gw_purge_done(void *owner, bool is_everywhere);

struct gw_purger_setup {
    struct gw_store *store;
    struct gw_timers *timers;
    struct gw_bans *bans;
    const struct gw_config *config;
    void (*on_ban)(void *context); /* a ban has come: who asks from now on does not join older fetches */
    void *context;
};

/* NULL when memory is out. Polls from now on. */
struct gw_purger *gw_purger_create(const struct gw_purger_setup *setup) GW_MUST_CHECK;
/* No more polls; before the store is closed. */
void gw_purger_close(struct gw_purger *purger);
/* After the store is closed. */
void gw_purger_destroy(struct gw_purger **purger);
/* NULL: it could not be sent; done does not run. */
struct gw_purge *gw_purger_ban(struct gw_purger *purger, const struct gw_ban *ban, gw_purge_done *done, void *owner);
/* done will not run; the ban is sent all the same. Takes *purge; NULL is allowed. */
void gw_purger_forget(struct gw_purge **purge);

#endif
