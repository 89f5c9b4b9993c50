/* text.h: a key as the store knows it (redis/README.md): of the base, of one of its variants, of its lock. The braces
 * of the base (cache/key.h) keep all of them in one slot of a Redis Cluster. */
#ifndef GW_CACHE_TEXT_H
#define GW_CACHE_TEXT_H

#include "cache/frame.h"
#include "cache/key.h"

enum { GW_TEXT_PREFIX_BYTES = 32 /* at most: config */ };

struct gw_text {
    struct gw_slice slice; /* of bytes: not to be copied */
    char bytes[GW_TEXT_PREFIX_BYTES + GW_KEY_TEXT_BYTES + 1 + 2 * GW_FRAME_VARIANT_BYTES];
};

/* "<prefix>cache:<name space>:{<sha>}" */
void gw_text_of_base(struct gw_text *text, struct gw_slice prefix, const struct gw_cache_key *key);
/* "<base>:<variant in hex>" */
void gw_text_of_variant(struct gw_text *text, struct gw_slice prefix, const struct gw_cache_key *key,
                        const uint8_t variant[GW_FRAME_VARIANT_BYTES]);
/* "<prefix>lock:<name space>:{<sha>}" */
void gw_text_of_lock(struct gw_text *text, struct gw_slice prefix, const struct gw_cache_key *key);

#endif
