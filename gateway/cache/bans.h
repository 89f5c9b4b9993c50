/* bans.h: purges that are about more than one key (CACHE.md: "Invalidation"): by path, by prefix, by tag, of all.
 *
 * Problem  Who purges a prefix or a tag does not know the keys behind it, and a fetch that began before the purge may
 *          store after it, on any instance.
 * Shape    Each ban has a number (a sequence), larger than every one before it. An entry carries the last number its
 *          instance knew before it was fetched: every ban with a larger one that matches it ends it (hard), or makes it
 *          stale as of now (soft). Nothing is searched for; an entry is compared when somebody asks for it.
 * Bounds   The latest GW_BANS_MAX. One that is left out raises the floor: an entry from before the floor counts as
 *          purged hard.
 * Cost     A hit reads one number where no ban came since it was last compared.
 * Threads  Any. */
#ifndef GW_CACHE_BANS_H
#define GW_CACHE_BANS_H

#include <stdint.h>
#include "base/base.h"
#include "base/slice.h"

struct gw_entry;
struct gw_bans;

enum { GW_BANS_MAX = 1024, GW_BAN_TEXT_BYTES = 2048 };

enum gw_ban_kind {
    GW_BAN_ALL = 'A',
    GW_BAN_URL = 'U',    /* path and query, exactly */
    GW_BAN_PREFIX = 'P', /* how path and query begin */
    GW_BAN_TAG = 'T',    /* one of the response's tags, exactly */
};

struct gw_ban {
    enum gw_ban_kind kind;
    bool is_soft;
    struct gw_slice host; /* with its port where the URL has one, in lower case; empty: any. Not for tags */
    struct gw_slice text; /* GW_BAN_TEXT_BYTES at most, with the host */
};

enum gw_ban_verdict { GW_BAN_NONE, GW_BAN_SOFT, GW_BAN_HARD };

struct gw_bans *gw_bans_create(void) GW_MUST_CHECK; /* NULL when memory is out */
void gw_bans_destroy(struct gw_bans **bans);
/* The last number that is known; to be noted before a fetch (or the look-up before it). One relaxed read. */
uint64_t gw_bans_sequence(const struct gw_bans *bans);
/* What the bans say of it; sets entry->is_outdated by a soft one, and bans_checked. */
enum gw_ban_verdict gw_bans_check(struct gw_bans *bans, struct gw_entry *entry);
/* Where nothing is shared: numbers the ban by the clock (µs of the epoch), and takes it. False: too long, or memory is
 * out; then everything is banned instead. */
bool gw_bans_add(struct gw_bans *bans, const struct gw_ban *ban, uint64_t now_us) GW_MUST_CHECK;
/* What redis/purge.lua answered: the bans after those known here, and the floor. False: it does not parse; nothing was
 * taken. *changed: something was new. */
bool gw_bans_take(struct gw_bans *bans, struct gw_slice packed, bool *changed) GW_MUST_CHECK;
/* As purge.lua gets it: kind, softness, host and text in one piece; what gw_bans_take reads again. 0: too long. */
size_t gw_bans_pack(const struct gw_ban *ban, char packed[GW_BAN_TEXT_BYTES + 16]);

#endif
