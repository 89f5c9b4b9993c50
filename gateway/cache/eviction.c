#include "cache/eviction.h"

#include <stdlib.h>

enum {
    WAYS = 4,
    UNIT_BYTES = 256, /* of a ghost's age, which wraps at a TiB */
};

struct gw_eviction_ghost {
    uint32_t digest;
    uint32_t left_at; /* of remembered_bytes, in UNIT_BYTES */
};

bool gw_eviction_init(struct gw_eviction *eviction, size_t ghosts)
{
    *eviction = (struct gw_eviction) { .ghosts = calloc(ghosts, sizeof(*eviction->ghosts)), .ghost_mask = ghosts - 1 };
    gw_list_init(&eviction->small.places);
    gw_list_init(&eviction->main.places);
    return eviction->ghosts != NULL;
}

void gw_eviction_reset(struct gw_eviction *eviction)
{
    free(eviction->ghosts);
    eviction->ghosts = NULL;
}

/* ---- queues ---- */

static struct gw_eviction_queue *eviction_queue_of(struct gw_eviction *eviction, const struct gw_eviction_place *place)
{
    return place->is_main ? &eviction->main : &eviction->small;
}

static void eviction_enqueue(struct gw_eviction *eviction, struct gw_eviction_place *place)
{
    struct gw_eviction_queue *queue = eviction_queue_of(eviction, place);
    gw_list_push_front(&queue->places, &place->link);
    queue->bytes += place->bytes;
}

static void eviction_dequeue(struct gw_eviction *eviction, struct gw_eviction_place *place)
{
    gw_list_remove(&place->link);
    eviction_queue_of(eviction, place)->bytes -= place->bytes;
}

static struct gw_eviction_place *eviction_last_of(const struct gw_eviction_queue *queue)
{
    return gw_list_is_empty(&queue->places) ? NULL
                                            : GW_CONTAINER(queue->places.previous, struct gw_eviction_place, link);
}

/* ---- ghosts ---- */

/* Where a hash may lie, and its digest: other bits than those that choose the bucket. */
static struct gw_eviction_ghost *eviction_bucket_of(const struct gw_eviction *eviction, uint64_t hash, uint32_t *digest)
{
    *digest = (uint32_t)(hash >> 28);
    return &eviction->ghosts[hash & eviction->ghost_mask & ~(size_t)(WAYS - 1)];
}

static uint32_t eviction_age_of(const struct gw_eviction *eviction, const struct gw_eviction_ghost *ghost)
{
    return (uint32_t)(eviction->remembered_bytes / UNIT_BYTES) - ghost->left_at;
}

static void eviction_remember(struct gw_eviction *eviction, const struct gw_eviction_place *place)
{
    uint32_t digest;
    struct gw_eviction_ghost *ways = eviction_bucket_of(eviction, place->hash, &digest), *ghost = ways;
    for (unsigned i = 1; i < WAYS && ghost->digest != digest; i++)
        if (ways[i].digest == digest || eviction_age_of(eviction, &ways[i]) > eviction_age_of(eviction, ghost))
            ghost = &ways[i];
    *ghost = (struct gw_eviction_ghost) { .digest = digest,
                                          .left_at = (uint32_t)(eviction->remembered_bytes / UNIT_BYTES) };
    eviction->remembered_bytes += place->bytes;
}

/* Has it left lately? Says so once. */
static bool eviction_recall(const struct gw_eviction *eviction, const struct gw_eviction_place *place)
{
    uint32_t digest;
    struct gw_eviction_ghost *ways = eviction_bucket_of(eviction, place->hash, &digest);
    for (unsigned i = 0; i < WAYS; i++) {
        if (ways[i].digest != digest)
            continue;
        ways[i].digest = 0;
        return eviction_age_of(eviction, &ways[i]) <= (eviction->small.bytes + eviction->main.bytes) / UNIT_BYTES;
    }
    return false;
}

/* ---- the way through ---- */

void gw_eviction_enter(struct gw_eviction *eviction, struct gw_eviction_place *place)
{
    place->is_main |= eviction_recall(eviction, place);
    eviction_enqueue(eviction, place);
}

/* To the head of the main queue: out of the small one for all its uses, round the main one for one of them. */
static void eviction_spare(struct gw_eviction *eviction, struct gw_eviction_place *place)
{
    eviction_dequeue(eviction, place);
    place->uses = place->is_main ? (uint8_t)(place->uses - 1) : 0;
    place->is_main = true;
    eviction_enqueue(eviction, place);
}

struct gw_eviction_place *gw_eviction_choose(struct gw_eviction *eviction, gw_eviction_is_over *is_over,
                                             uint64_t now_us)
{
    struct gw_eviction_place *place = eviction_last_of(&eviction->main), *least = NULL;
    unsigned least_uses = GW_EVICTION_USES + 1;
    if (place && is_over(place, now_us)) /* while newcomers leave, this queue is not looked at */
        return place;
    for (int i = 0; i < GW_EVICTION_LOOKED_AT; i++) {
        bool is_small_over = eviction->small.bytes * (GW_EVICTION_SMALL_PART - 1) > eviction->main.bytes;
        place = eviction_last_of(is_small_over ? &eviction->small : &eviction->main);
        if (!place || is_over(place, now_us) || place->uses < (place->is_main ? 1 : GW_EVICTION_USES_TO_STAY))
            return place;
        if (place->uses < least_uses) {
            least_uses = place->uses;
            least = place;
        }
        eviction_spare(eviction, place);
    }
    return least;
}

void gw_eviction_leave(struct gw_eviction *eviction, struct gw_eviction_place *place, enum gw_eviction_leave why)
{
    if ((why == GW_EVICTION_FOR_ROOM && !place->is_main) ||
        (why == GW_EVICTION_FOR_NOW && (place->is_main || place->uses > 0)))
        eviction_remember(eviction, place);
    eviction_dequeue(eviction, place);
}
