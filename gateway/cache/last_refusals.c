#include "cache/last_refusals.h"

#include <string.h>

/* key << 32 | reason << 24 | second */
enum { KEY_SHIFT = 32, REASON_SHIFT = 24 };
#define SECONDS_MASK UINT64_C(0xffffff)

_Static_assert(GW_CACHE_REFUSAL_COUNT <= 256, "a reason is eight bits");

/* The slot of a key, and what its word begins with. Both digests count, so one URL under many hosts has many places. */
static _Atomic uint64_t *last_refusals_find(struct gw_last_refusals *last, const struct gw_cache_key *key,
                                            uint64_t *mark)
{
    uint32_t sha[2], name_space[2];
    memcpy(sha, key->sha, sizeof sha);
    memcpy(name_space, key->name_space, sizeof name_space);
    *mark = (uint64_t)(sha[1] ^ name_space[1]) << KEY_SHIFT;
    return &last->slots[(sha[0] ^ name_space[0]) % GW_LAST_REFUSALS_SLOTS];
}

static uint64_t last_refusals_seconds_of(uint64_t now_us)
{
    return now_us / 1000000 & SECONDS_MASK;
}

void gw_last_refusals_note(struct gw_last_refusals *last, const struct gw_cache_key *key, enum gw_cache_refusal refusal,
                           uint64_t now_us)
{
    uint64_t mark;
    _Atomic uint64_t *slot = last_refusals_find(last, key, &mark);
    uint64_t word = mark | (uint64_t)refusal << REASON_SHIFT | last_refusals_seconds_of(now_us);
    atomic_store_explicit(slot, word, memory_order_relaxed);
}

void gw_last_refusals_remove(struct gw_last_refusals *last, const struct gw_cache_key *key)
{
    uint64_t mark;
    _Atomic uint64_t *slot = last_refusals_find(last, key, &mark);
    uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);
    if (word && word >> KEY_SHIFT == mark >> KEY_SHIFT)
        atomic_store_explicit(slot, 0, memory_order_relaxed);
}

enum gw_cache_refusal gw_last_refusals_get(struct gw_last_refusals *last, const struct gw_cache_key *key,
                                           uint64_t now_us, uint64_t *ago_s)
{
    uint64_t mark;
    uint64_t word = atomic_load_explicit(last_refusals_find(last, key, &mark), memory_order_relaxed);
    if (word >> KEY_SHIFT != mark >> KEY_SHIFT)
        word = 0;
    *ago_s = (last_refusals_seconds_of(now_us) - (word & SECONDS_MASK)) & SECONDS_MASK;
    return (enum gw_cache_refusal)(word >> REASON_SHIFT & 0xff);
}
