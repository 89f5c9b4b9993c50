#include "cache/vary_hints.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    uint64_t tag;
    uint8_t length; /* of the names, and 1; 0: free */
    char names[GW_VARY_HINTS_NAMES_BYTES];
};

struct gw_vary_hints {
    struct slot slots[GW_VARY_HINTS_SLOTS];
};

struct gw_vary_hints *gw_vary_hints_create(void)
{
    return calloc(1, sizeof(struct gw_vary_hints));
}

void gw_vary_hints_destroy(struct gw_vary_hints **hints)
{
    free(*hints);
    *hints = NULL;
}

/* Both are digests, so their bits are as good as any. */
static uint64_t vary_hints_tag_of(const struct gw_cache_key *key)
{
    uint64_t sha, name_space;
    memcpy(&sha, key->sha, sizeof sha);
    memcpy(&name_space, key->name_space, sizeof name_space);
    return sha ^ name_space;
}

bool gw_vary_hints_get(const struct gw_vary_hints *hints, const struct gw_cache_key *key, struct gw_slice *names)
{
    uint64_t tag = vary_hints_tag_of(key);
    const struct slot *slot = &hints->slots[tag % GW_VARY_HINTS_SLOTS];
    if (!slot->length || slot->tag != tag)
        return false;
    *names = gw_slice_of(slot->names, slot->length - 1u);
    return true;
}

void gw_vary_hints_put(struct gw_vary_hints *hints, const struct gw_cache_key *key, struct gw_slice names)
{
    uint64_t tag = vary_hints_tag_of(key);
    struct slot *slot = &hints->slots[tag % GW_VARY_HINTS_SLOTS];
    if (names.length > GW_VARY_HINTS_NAMES_BYTES) {
        gw_vary_hints_remove(hints, key);
        return;
    }
    slot->tag = tag;
    slot->length = (uint8_t)(names.length + 1);
    if (names.length)
        memcpy(slot->names, names.at, names.length);
}

void gw_vary_hints_remove(struct gw_vary_hints *hints, const struct gw_cache_key *key)
{
    uint64_t tag = vary_hints_tag_of(key);
    struct slot *slot = &hints->slots[tag % GW_VARY_HINTS_SLOTS];
    if (slot->tag == tag)
        slot->length = 0;
}
