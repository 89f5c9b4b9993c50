#include "cache/last_refusals.h"

#include <string.h>

/* key << 32 | reason << 24 | second */
enum { KEY_SHIFT = 32, REASON_SHIFT = 24 };
#define SECONDS_MASK UINT64_C(0xffffff)

_Static_assert(GW_CACHE_REFUSAL_COUNT <= 256, "a reason is eight bits");

static uint32_t last_refusals_word_of(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Both digests: one URL under many hosts has many places. */
static _Atomic uint64_t *last_refusals_place_of(struct gw_last_refusals *last, const struct gw_cache_key *key)
{
    return &last->slots[(last_refusals_word_of(key->sha) ^ last_refusals_word_of(key->name_space)) %
                        GW_LAST_REFUSALS_SLOTS];
}

static uint64_t last_refusals_mark_of(const struct gw_cache_key *key)
{
    return (uint64_t)(last_refusals_word_of(key->sha + 4) ^ last_refusals_word_of(key->name_space + 4)) << KEY_SHIFT;
}

static uint64_t last_refusals_seconds_of(uint64_t now_us)
{
    return now_us / 1000000 & SECONDS_MASK;
}

void gw_last_refusals_note(struct gw_last_refusals *last, const struct gw_cache_key *key, enum gw_cache_refusal refusal,
                           uint64_t now_us)
{
    uint64_t word = last_refusals_mark_of(key) | (uint64_t)refusal << REASON_SHIFT | last_refusals_seconds_of(now_us);
    atomic_store_explicit(last_refusals_place_of(last, key), word, memory_order_relaxed);
}

static uint64_t last_refusals_find(struct gw_last_refusals *last, const struct gw_cache_key *key)
{
    uint64_t word = atomic_load_explicit(last_refusals_place_of(last, key), memory_order_relaxed);
    return word >> KEY_SHIFT == last_refusals_mark_of(key) >> KEY_SHIFT ? word : 0;
}

void gw_last_refusals_remove(struct gw_last_refusals *last, const struct gw_cache_key *key)
{
    if (last_refusals_find(last, key))
        atomic_store_explicit(last_refusals_place_of(last, key), 0, memory_order_relaxed);
}

enum gw_cache_refusal gw_last_refusals_get(struct gw_last_refusals *last, const struct gw_cache_key *key,
                                           uint64_t now_us, uint64_t *ago_s)
{
    uint64_t word = last_refusals_find(last, key);
    *ago_s = (last_refusals_seconds_of(now_us) - (word & SECONDS_MASK)) & SECONDS_MASK;
    return (enum gw_cache_refusal)(word >> REASON_SHIFT & 0xff);
}
