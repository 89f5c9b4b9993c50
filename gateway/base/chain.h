/* chain.h: a queue of byte pieces by reference: what is to be written, or was read too early.
 *
 * Memory   Each piece keeps its block. A short piece (< 2 KiB) is copied to a block of its own size instead, so that
 *          it does not keep 64 KiB; a piece without block (block == NULL) is always copied.
 * Bounds   The owner's: it looks at kept_bytes (whole blocks) and stops the source. */
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
    size_t length;     /* bytes */
    size_t kept_bytes; /* whole blocks behind them */
};

/* Shares the block (the caller keeps its own hold). False when memory is out: nothing was added. */
bool gw_chain_push(struct gw_chain *chain, struct gw_slice bytes, struct gw_block *block) GW_MUST_CHECK;
/* The i-th piece from the front, i < count. */
static inline struct gw_piece *gw_chain_at(const struct gw_chain *chain, unsigned i)
{
    return &chain->pieces[(chain->first + i) % chain->capacity];
}
/* Drops `length` bytes from the front. */
void gw_chain_consume(struct gw_chain *chain, size_t length);
/* Drops everything; frees. The chain may be used again. An all-zero chain is an empty one. */
void gw_chain_free(struct gw_chain *chain);

#endif
