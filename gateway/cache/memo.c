#include "cache/memo.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    uint64_t tag;
    uint8_t length; /* of the names, and 1; 0: free */
    char names[GW_MEMO_NAMES_BYTES];
};

struct gw_memo {
    struct slot slots[GW_MEMO_SLOTS];
};

struct gw_memo *gw_memo_create(void)
{
    return calloc(1, sizeof(struct gw_memo));
}

void gw_memo_destroy(struct gw_memo **memo)
{
    free(*memo);
    *memo = NULL;
}

/* Both are digests, so their bits are as good as any. */
static uint64_t tag_of(const struct gw_cache_key *key)
{
    uint64_t sha, name_space;
    memcpy(&sha, key->sha, sizeof sha);
    memcpy(&name_space, key->name_space, sizeof name_space);
    return sha ^ name_space;
}

bool gw_memo_get(const struct gw_memo *memo, const struct gw_cache_key *key, struct gw_slice *names)
{
    uint64_t tag = tag_of(key);
    const struct slot *slot = &memo->slots[tag % GW_MEMO_SLOTS];
    if (!slot->length || slot->tag != tag)
        return false;
    *names = gw_slice_of(slot->names, slot->length - 1u);
    return true;
}

void gw_memo_put(struct gw_memo *memo, const struct gw_cache_key *key, struct gw_slice names)
{
    uint64_t tag = tag_of(key);
    struct slot *slot = &memo->slots[tag % GW_MEMO_SLOTS];
    if (names.length > GW_MEMO_NAMES_BYTES) {
        gw_memo_forget(memo, key);
        return;
    }
    slot->tag = tag;
    slot->length = (uint8_t)(names.length + 1);
    if (names.length)
        memcpy(slot->names, names.at, names.length);
}

void gw_memo_forget(struct gw_memo *memo, const struct gw_cache_key *key)
{
    uint64_t tag = tag_of(key);
    struct slot *slot = &memo->slots[tag % GW_MEMO_SLOTS];
    if (slot->tag == tag)
        slot->length = 0;
}
