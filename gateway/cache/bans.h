/* bans.h: purges that are about more than one key: by path, by prefix, by tag, of all (docs/caching.md: "Invalidation").
 *
 * Problem  A client that purges a prefix or a tag does not know the keys behind it. And a fetch that began before the
 *          purge may store after it, on any instance.
 * Shape    Each ban has a number (a sequence), larger than every one before it. An entry carries the last number its
 *          instance knew before it was fetched: every ban with a larger one that matches it ends it (hard), or makes it
 *          stale as of now (soft). A ban searches for no entries; an entry is compared when a request asks for it.
 * Numbers  Where a store is shared its log gives them (redis/purge.lua), by the store's clock and at least GW_BANS_STEP
 *          apart; no gateway's clock enters them, for entries carry them to other instances. A ban that could not be
 *          sent gets one between two of the log's: it ends what this instance fetched before it, and lies below all
 *          that the log gives later. Where nothing is shared the clock gives them.
 * Floor    Bans that are no longer told of one by one: an entry that was last compared (or fetched) before the floor
 *          counts as purged hard. It rises as the oldest of GW_BANS_MAX leaves, where a ban cannot be kept for want of
 *          memory, and where the log has lost bans that an instance knew.
 * Cost     A hit reads one number where no ban came since it was last compared. Else up to GW_BANS_MAX comparisons under
 *          a lock that readers share; nothing is allocated, no other lock is taken.
 * Threads  Any. */
#ifndef GW_CACHE_BANS_H
#define GW_CACHE_BANS_H

#include <stdint.h>
#include "base/base.h"
#include "base/slice.h"

struct gw_entry;
struct gw_bans;

enum { GW_BANS_MAX = 1024, GW_BAN_TEXT_BYTES = 2048, GW_BANS_STEP = 65536 /* 65.5 ms; as in redis/purge.lua */ };
#define GW_BANS_LAST (UINT64_C(1) << 52) /* numbers of the log are smaller */

enum gw_ban_kind {
    GW_BAN_ALL = 'A',
    GW_BAN_URL = 'U',    /* path and query, exactly */
    GW_BAN_PREFIX = 'P', /* how path and query begin */
    GW_BAN_TAG = 'T',    /* one of the response's tags, exactly */
};

struct gw_ban {
    enum gw_ban_kind kind;
    bool is_soft;
    struct gw_slice host; /* with its port unless it is the scheme's own, in lower case; empty: any. Not for tags */
    struct gw_slice text; /* GW_BAN_TEXT_BYTES at most, with the host */
};

enum gw_ban_verdict { GW_BAN_NONE, GW_BAN_SOFT, GW_BAN_HARD };

struct gw_bans *gw_bans_create(void) GW_MUST_CHECK; /* NULL when memory is out */
void gw_bans_destroy(struct gw_bans **bans);
/* The last number that is known; to be noted before a fetch (or the look-up before it). One relaxed read. */
uint64_t gw_bans_sequence(const struct gw_bans *bans);
/* What the bans say of it; sets entry->is_outdated by a soft one, and bans_checked. SOFT also for what is outdated
 * already; what is HARD once stays so. */
enum gw_ban_verdict gw_bans_check(struct gw_bans *bans, struct gw_entry *entry);
/* A ban of this process alone. Where nothing is shared it is numbered by the clock (now_us: µs of the epoch), else
 * between the log's last and next number: there is room for GW_BANS_STEP - 1 in a row, and those beyond do not end what
 * was fetched since the last that had room. False: too long, or memory is out; then everything is banned instead. */
bool gw_bans_add(struct gw_bans *bans, const struct gw_ban *ban, uint64_t now_us) GW_MUST_CHECK;

enum gw_bans_taken {
    GW_BANS_ALL_TAKEN,
    GW_BANS_MORE,     /* there are more in the log: ask again */
    GW_BANS_NONSENSE, /* it does not parse; nothing was taken */
};
/* What redis/purge.lua answered: the bans after those known here, and the floor. A ban of a kind that is not known here
 * is one of all, hard. *changed: something was new. */
enum gw_bans_taken gw_bans_take(struct gw_bans *bans, struct gw_slice packed, bool *changed) GW_MUST_CHECK;
/* The log's number up to which all was taken, to be told to purge.lua; 0: none. */
uint64_t gw_bans_known(struct gw_bans *bans);
/* May the caller ask the log now? Not if another thread was told so less than least_us ago. */
bool gw_bans_claim_poll(struct gw_bans *bans, uint64_t now_us, uint64_t least_us);
/* As purge.lua gets it: kind, softness, host and text in one piece; what gw_bans_take reads again. 0: too long. */
size_t gw_bans_pack(const struct gw_ban *ban, char packed[GW_BAN_TEXT_BYTES + 16]);

#endif
