/* ban_log.h: bans as instances share them through the store, as one worker sees it (redis/purge.lua).
 *
 * Shape    The script numbers a ban and answers with all bans that are new. A worker polls each GW_BAN_LOG_POLL_MS, unless
 *          another worker of this process did so a moment ago, and gets the same kind of answer. So an instance knows of
 *          a ban within twice that time, and no look-up pays for it. A long log comes in parts, one asked for after the
 *          other. If client tracking tells that the log has changed (gw_ban_log_on_change), one worker polls at once, and
 *          the instance knows of the ban one round trip later. The poll finds what no message told.
 * Outage   A ban that cannot be sent, or is not acknowledged, is an error for the client that asked for it. It counts on
 *          this instance all the same (bans.h says how it is numbered). Without the store nothing is read from the log.
 *          After the outage the memory cache is flushed, and a poll is sent as soon as the store is up (within 16 ms).
 * Failure  An answer that does not parse is said in the log once, and bans everything here each time: without the bans it
 *          is unknown what may be used.
 * Threads  One worker's; the bans are shared. */
#ifndef GW_CACHE_BAN_LOG_H
#define GW_CACHE_BAN_LOG_H

#include "base/mailbox.h"
#include "base/timer.h"
#include "cache/bans.h"
#include "store/store.h"

struct gw_ban_log;
struct gw_purge;

enum { GW_BAN_LOG_POLL_MS = 50 };

/* From the loop, once; the purge is gone when it returns: forget it. False: the store has not acknowledged it. True:
 * it is known here, and elsewhere after the next poll. */
typedef void gw_purge_done(void *owner, bool is_everywhere);

struct gw_ban_log_setup {
    struct gw_store *store;
    struct gw_timers *timers;
    struct gw_mailbox *mailbox; /* this worker's; NULL: gw_ban_log_on_change is not called */
    struct gw_bans *bans;
    const struct gw_config *config;
    /* A ban has come, perhaps from another worker: requests from now on must not join older fetches. From the loop,
     * before done; once for several bans. May be NULL. */
    void (*on_ban)(void *context);
    void *context;
};

/* NULL when memory is out. Polls from now on. */
struct gw_ban_log *gw_ban_log_create(const struct gw_ban_log_setup *setup) GW_MUST_CHECK;
/* The log has changed: sends a poll after this call. Any thread, while the mailbox is open. */
void gw_ban_log_on_change(struct gw_ban_log *ban_log);
/* No more polls, and no on_ban. Call it before the store is closed; closing the store answers the pending purges. */
void gw_ban_log_close(struct gw_ban_log *ban_log);
/* After the store is closed. Takes *ban_log; NULL is allowed. */
void gw_ban_log_destroy(struct gw_ban_log **ban_log);
/* Has the log been read since the store came up? Until then, a look-up could find what has been purged. */
bool gw_ban_log_is_current(const struct gw_ban_log *ban_log);
/* NULL: it could not be sent, but was taken here (gw_bans_add: what is too long bans all); done does not run. */
struct gw_purge *gw_ban_log_add(struct gw_ban_log *ban_log, const struct gw_ban *ban, gw_purge_done *done, void *owner);
/* done will not run; the ban is still sent. Takes *purge; NULL is allowed. */
void gw_ban_log_cancel(struct gw_purge **purge);

#endif
