/* frame.h: a value below <prefix>cache: in the store, read and written (redis/README.md is the format: 2).
 *
 * Shape    A header of 40 bytes: what it is, its version, its life, a check of what follows. A tombstone and a
 *          hit-for-miss mark are no more than that; a frame goes on with a response, its terms and what selected it; an
 *          index with the names of the request fields that select among a URL's variants, and a list of these, which
 *          store.lua keeps and the check does not cover.
 * Variants A response that nothing selects lies at the base key. One that Vary (or a side field, cache/vary.h) selects
 *          lies at a key of its own below it, and counts only if the base is an index whose version is the generation
 *          that it carries: so whatever is written over the base ends all variants at once.
 * Clocks   No gateway's clock enters it. It holds the age and the life that it was stored with; a reader asks the store
 *          how much of that life is left (gw_frame_elapsed_ms).
 * Failure  Any bytes may lie there. Each length is checked before it is used, each field must be one that a message could
 *          hold, and the selection must be the one that the response's Vary asks for. A value is read whole, or it is
 *          corrupt.
 * Threads  Pure. */
#ifndef GW_CACHE_FRAME_H
#define GW_CACHE_FRAME_H

#include "cache/entry.h"

enum {
    GW_FRAME_VERSION_BYTES = 8,
    GW_FRAME_SHORT_BYTES = 40,                     /* a tombstone, a mark */
    GW_FRAME_NAMES_BYTES = 512,                    /* of an index; a response whose Vary is longer is not shared */
    GW_FRAME_VARIANT_BYTES = GW_KEY_VARIANT_BYTES, /* how an index names a variant */
    GW_FRAME_VARIANTS = 16,                        /* of one URL; the one stored longest ago leaves (store.lua) */
    GW_FRAME_FIELDS = 256, /* fields and selection together; a response with more is not shared */
};
#define GW_FRAME_LIFE_MAX_MS ((int64_t)INT32_MAX)

enum gw_frame_kind {
    GW_FRAME_FOREIGN, /* none of ours: it has no version, and may be written over */
    GW_FRAME_CORRUPT, /* has a version */
    GW_FRAME_RESPONSE,
    GW_FRAME_TOMBSTONE,
    GW_FRAME_MARK, /* hit-for-miss */
    GW_FRAME_INDEX,
};

struct gw_frame { /* a header; nothing but the kind is set for a foreign one, and the version for a corrupt one */
    enum gw_frame_kind kind;
    uint8_t version[GW_FRAME_VERSION_BYTES];
    int64_t life_ms;     /* with which it was stored, or more: then its key was not to live shorter */
    int64_t age_s;       /* RESPONSE: when stored. MARK: not 0 where it is for requests with a credential alone */
    int64_t freshness_s; /* MARK: how long it holds */
    uint8_t generation[GW_FRAME_VERSION_BYTES]; /* RESPONSE: of its index; zero at a base key */
    struct gw_slice names;    /* INDEX: "accept-encoding,accept-language", in the order of Vary, of the value's bytes */
    struct gw_slice variants; /* INDEX: GW_FRAME_VARIANT_BYTES each, the one stored last first; of the value's bytes */
};

/* XXH64 (redis/README.md). It finds values that were truncated or patched by mistake; it is no guard against an attacker.
 * It exists for every language, and takes some 10 GB/s in plain C. gw_hash is not the same on every machine. */
uint64_t gw_frame_check(const void *bytes, size_t length, uint64_t seed);
/* A little-endian number, as the values hold them. */
uint64_t gw_frame_read_number(const uint8_t *at, unsigned bytes);

/* Reads the header and compares the check: all bytes are looked at. */
void gw_frame_read(struct gw_frame *frame, struct gw_slice value);
/* The header's version alone, unchecked; false for a foreign value. */
bool gw_frame_read_version(struct gw_slice value, uint8_t version[GW_FRAME_VERSION_BYTES]);
/* Since it was stored, by what the store said is left of its life (PTTL); negative: it cannot be told (no expiry, or
 * one that was changed by hand): a miss. */
int64_t gw_frame_elapsed_ms(const struct gw_frame *frame, int64_t left_ms);
/* From a RESPONSE, whose bytes and header these are, an entry as it stands elapsed_ms after its storing, at now_us; its
 * terms are those it was stored with.
 * Copies all; held once. False: corrupt. True with *entry == NULL: memory is out. */
bool gw_frame_decode(struct gw_slice value, const struct gw_frame *frame, const struct gw_cache_key *key,
                     int64_t elapsed_ms, uint64_t now_us, struct gw_entry **entry) GW_MUST_CHECK;

/* How long it may lie in the store: what is left of its freshness and its window (policy.h), at most
 * GW_FRAME_LIFE_MAX_MS; 0: nothing is. */
int64_t gw_frame_life_ms(const struct gw_entry *entry, uint64_t now_us);
/* The whole value in a block of its exact size, held once. NULL: memory is out, or the format cannot hold it. */
struct gw_block *gw_frame_encode(const struct gw_entry *entry, const uint8_t version[GW_FRAME_VERSION_BYTES],
                                 const uint8_t generation[GW_FRAME_VERSION_BYTES], int64_t life_ms,
                                 int64_t age_s) GW_MUST_CHECK;
/* An index without variants: store.lua adds them. How many bytes; 0: the names are too many. */
size_t gw_frame_encode_index(char value[GW_FRAME_SHORT_BYTES + 2 + GW_FRAME_NAMES_BYTES],
                             const uint8_t version[GW_FRAME_VERSION_BYTES], int64_t life_ms, struct gw_slice names);
void gw_frame_encode_tombstone(char value[GW_FRAME_SHORT_BYTES], const uint8_t version[GW_FRAME_VERSION_BYTES],
                               int64_t life_ms);
/* It holds as long as it lives; for_credentials: for requests with a credential alone. */
void gw_frame_encode_mark(char value[GW_FRAME_SHORT_BYTES], const uint8_t version[GW_FRAME_VERSION_BYTES],
                          int64_t life_ms, bool for_credentials);

#endif
