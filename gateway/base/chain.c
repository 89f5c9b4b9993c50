#include "base/chain.h"

#include <stdlib.h>

enum { SHORT_BYTES = 2048, FIRST_PIECES = 4 };

static bool chain_make_room(struct gw_chain *chain)
{
    if (chain->count < chain->capacity)
        return true;
    unsigned capacity = chain->capacity ? chain->capacity * 2 : FIRST_PIECES;
    struct gw_piece *pieces = malloc(capacity * sizeof *pieces);
    if (!pieces)
        return false;
    for (unsigned i = 0; i < chain->count; i++)
        pieces[i] = *gw_chain_at(chain, i);
    free(chain->pieces);
    chain->pieces = pieces;
    chain->first = 0;
    chain->capacity = capacity;
    return true;
}

bool gw_chain_push(struct gw_chain *chain, struct gw_slice bytes, struct gw_block *block)
{
    if (bytes.length == 0)
        return true;
    if (!chain_make_room(chain))
        return false;
    if (!block || bytes.length < SHORT_BYTES) {
        block = gw_block_create(bytes.length);
        if (!block)
            return false;
        memcpy(block->bytes, bytes.at, bytes.length);
        bytes.at = block->bytes;
    } else {
        gw_block_ref(block);
    }
    chain->count++;
    *gw_chain_at(chain, chain->count - 1) = (struct gw_piece) { bytes, block };
    chain->length += bytes.length;
    chain->kept_bytes += block->capacity;
    return true;
}

void gw_chain_consume(struct gw_chain *chain, size_t length)
{
    chain->length -= length;
    while (length) {
        struct gw_piece *piece = gw_chain_at(chain, 0);
        if (length < piece->bytes.length) {
            piece->bytes.at += length;
            piece->bytes.length -= length;
            return;
        }
        length -= piece->bytes.length;
        chain->kept_bytes -= piece->block->capacity;
        gw_block_unref(piece->block);
        chain->first = (chain->first + 1) % chain->capacity;
        chain->count--;
    }
}

void gw_chain_free(struct gw_chain *chain)
{
    gw_chain_consume(chain, chain->length);
    free(chain->pieces);
    *chain = (struct gw_chain) { .pieces = NULL };
}
