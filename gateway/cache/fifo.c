#include "cache/fifo.h"

#include <stdlib.h>

enum {
    WAYS = 4,
    UNIT_BYTES = 256, /* of a ghost's age, which wraps at a TiB */
};

struct gw_fifo_ghost {
    uint32_t digest;
    uint32_t left_at; /* of remembered_bytes, in UNIT_BYTES */
};

bool gw_fifo_init(struct gw_fifo *fifo, size_t ghosts)
{
    *fifo = (struct gw_fifo) { .ghosts = calloc(ghosts, sizeof(*fifo->ghosts)), .ghost_mask = ghosts - 1 };
    gw_list_init(&fifo->small.places);
    gw_list_init(&fifo->main.places);
    return fifo->ghosts != NULL;
}

void gw_fifo_reset(struct gw_fifo *fifo)
{
    free(fifo->ghosts);
    fifo->ghosts = NULL;
}

/* ---- queues ---- */

static struct gw_fifo_queue *queue_of(struct gw_fifo *fifo, const struct gw_fifo_place *place)
{
    return place->is_main ? &fifo->main : &fifo->small;
}

static void enqueue(struct gw_fifo *fifo, struct gw_fifo_place *place)
{
    struct gw_fifo_queue *queue = queue_of(fifo, place);
    gw_list_push_front(&queue->places, &place->link);
    queue->bytes += place->bytes;
}

static void dequeue(struct gw_fifo *fifo, struct gw_fifo_place *place)
{
    gw_list_remove(&place->link);
    queue_of(fifo, place)->bytes -= place->bytes;
}

static struct gw_fifo_place *last_of(const struct gw_fifo_queue *queue)
{
    return gw_list_is_empty(&queue->places) ? NULL : GW_CONTAINER(queue->places.previous, struct gw_fifo_place, link);
}

/* ---- ghosts ---- */

/* Other bits than those that choose the bucket. */
static uint32_t digest_of(uint64_t hash)
{
    return (uint32_t)(hash >> 28);
}

static struct gw_fifo_ghost *bucket_of(const struct gw_fifo *fifo, uint64_t hash)
{
    return &fifo->ghosts[hash & fifo->ghost_mask & ~(size_t)(WAYS - 1)];
}

static uint32_t age_of(const struct gw_fifo *fifo, const struct gw_fifo_ghost *ghost)
{
    return (uint32_t)(fifo->remembered_bytes / UNIT_BYTES) - ghost->left_at;
}

static void remember(struct gw_fifo *fifo, const struct gw_fifo_place *place)
{
    struct gw_fifo_ghost *ways = bucket_of(fifo, place->hash), *ghost = ways;
    uint32_t digest = digest_of(place->hash);
    for (unsigned i = 1; i < WAYS && ghost->digest != digest; i++)
        if (ways[i].digest == digest || age_of(fifo, &ways[i]) > age_of(fifo, ghost))
            ghost = &ways[i];
    *ghost = (struct gw_fifo_ghost) { .digest = digest, .left_at = (uint32_t)(fifo->remembered_bytes / UNIT_BYTES) };
    fifo->remembered_bytes += place->bytes;
}

/* Has it left lately? Says so once. */
static bool recall(const struct gw_fifo *fifo, const struct gw_fifo_place *place)
{
    struct gw_fifo_ghost *ways = bucket_of(fifo, place->hash);
    uint32_t digest = digest_of(place->hash);
    for (unsigned i = 0; i < WAYS; i++) {
        if (ways[i].digest != digest)
            continue;
        ways[i].digest = 0;
        return age_of(fifo, &ways[i]) <= (fifo->small.bytes + fifo->main.bytes) / UNIT_BYTES;
    }
    return false;
}

/* ---- the way through ---- */

void gw_fifo_enter(struct gw_fifo *fifo, struct gw_fifo_place *place)
{
    place->is_main |= recall(fifo, place);
    enqueue(fifo, place);
}

/* To the head of the main queue: out of the small one for all its uses, round the main one for one of them. */
static void spare(struct gw_fifo *fifo, struct gw_fifo_place *place)
{
    dequeue(fifo, place);
    place->uses = place->is_main ? (uint8_t)(place->uses - 1) : 0;
    place->is_main = true;
    enqueue(fifo, place);
}

struct gw_fifo_place *gw_fifo_choose(struct gw_fifo *fifo, gw_fifo_is_over *is_over, uint64_t now_us)
{
    struct gw_fifo_place *place = last_of(&fifo->main), *least = NULL;
    unsigned least_uses = GW_FIFO_USES + 1;
    if (place && is_over(place, now_us)) /* while newcomers leave, nobody looks here */
        return place;
    for (int i = 0; i < GW_FIFO_LOOKED_AT; i++) {
        bool is_small_over = fifo->small.bytes * (GW_FIFO_SMALL_PART - 1) > fifo->main.bytes;
        place = last_of(is_small_over ? &fifo->small : &fifo->main);
        if (!place || is_over(place, now_us) || place->uses < (place->is_main ? 1 : GW_FIFO_USES_TO_STAY))
            return place;
        if (place->uses < least_uses) {
            least_uses = place->uses;
            least = place;
        }
        spare(fifo, place);
    }
    return least;
}

void gw_fifo_leave(struct gw_fifo *fifo, struct gw_fifo_place *place, enum gw_fifo_leave why)
{
    if ((why == GW_FIFO_FOR_ROOM && !place->is_main) || (why == GW_FIFO_FOR_NOW && (place->is_main || place->uses > 0)))
        remember(fifo, place);
    dequeue(fifo, place);
}
