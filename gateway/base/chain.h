/* chain.h: a queue of pieces of bytes, such as bytes that are still to be written or that were read too early.
 *
 * Memory   Each piece has a reference to its block. A short piece (< 2 KiB) is copied into a block of its own size, so
 *          that it does not keep 64 KiB; a piece without a block (block == NULL) is always copied.
 * Bounds   A chain has none: its owner looks at kept_bytes (whole blocks) and stops the source of the bytes. */
#ifndef GW_BASE_CHAIN_H
#define GW_BASE_CHAIN_H

#include "base/block.h"

struct gw_piece {
    struct gw_slice bytes;
    struct gw_block *block;
};

struct gw_chain {
    struct gw_piece *pieces;
    unsigned first, count, capacity;
    size_t length;     /* in bytes */
    size_t kept_bytes; /* the sum of the blocks' capacities */
};

/* Adds a piece and takes a reference to its block; the caller keeps its own. False when memory is out: nothing was
 * added. */
bool gw_chain_push(struct gw_chain *chain, struct gw_slice bytes, struct gw_block *block) GW_MUST_CHECK;
/* The i-th piece from the front, i < count. */
static inline struct gw_piece *gw_chain_at(const struct gw_chain *chain, unsigned i)
{
    return &chain->pieces[(chain->first + i) % chain->capacity];
}
/* Removes `length` bytes at the front; the chain must have that many. */
void gw_chain_consume(struct gw_chain *chain, size_t length);
/* Removes all pieces and frees the chain's memory. The chain may be used again. An all-zero chain is an empty one. */
void gw_chain_free(struct gw_chain *chain);

#endif
