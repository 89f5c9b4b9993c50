/* fake_store.h: gateway/store/store.h without a Redis: a world of virtual time with one bucket server in it.
 *
 * Shape    One source file of a program includes this; the program then needs no gw_store. A store is a connection: a
 *          call that is sent on it arrives in order after a random latency, is decided by the server's buckets at that
 *          instant on the server's own clock, and its answer comes back in order after another latency. A link that is
 *          down swallows both; a cut loses all pending calls. fake_run_until runs what is due, and the test's hooks
 *          among it; gw_clock is the world's.
 * Script   store->reply replaces the server's answer to the next call that arrives.
 * Memory   Allocations of gw_store_run stand between FAKE_STORE_ENTER and FAKE_STORE_LEAVE, for programs whose
 *          allocations fail on purpose. */
#ifndef GW_TESTS_FAKE_STORE_H
#define GW_TESTS_FAKE_STORE_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "limit/bucket.h"
#include "store/store.h"

#ifndef FAKE_STORE_ENTER
#define FAKE_STORE_ENTER() ((void)0)
#define FAKE_STORE_LEAVE() ((void)0)
#endif

enum { FAKE_KEYS = 8, FAKE_KEY_BYTES = 256, FAKE_NUMBERS = 4 * FAKE_KEYS, FAKE_BUCKETS = 1024 };

/* Also if NDEBUG is set. */
#define fake_must(holds)                                                                                               \
    do {                                                                                                               \
        if (!(holds)) {                                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds);                                                \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

struct fake_world;

struct gw_store_call {
    struct gw_store *store;
    gw_store_done *done;
    void *owner;
    unsigned key_count;
    char keys[FAKE_KEYS][FAKE_KEY_BYTES];
    uint64_t arguments[FAKE_NUMBERS];

    struct gw_store_call *next; /* of the store's pending ones */
    uint64_t sent_us, executed_us;
    bool is_executed, is_admitted;
    bool is_due; /* an event for it is queued */
    bool is_coming_back;
    bool is_over;
    struct gw_store_reply reply;
    int64_t numbers[FAKE_NUMBERS];
};

struct gw_store {
    struct fake_world *world;
    uint64_t least_us, most_us; /* latency, each way */
    unsigned max_pending;

    bool is_up, is_linked;
    uint64_t arrives_us, returns_us; /* of the last call, to keep the order */
    struct gw_store_call *pending;
    unsigned pending_count;
    uint64_t calls;
    const struct gw_store_reply *reply; /* used once in place of the server's answer */
    uint64_t clock_offset_us;           /* of this end's clock, and by how much that clock is too fast */
    int64_t clock_ppm;
    void *user;
};

struct fake_event {
    uint64_t at_us, number;
    struct gw_store_call *call; /* NULL: a hook */
    void (*hook)(void *context);
    void *context;
};

struct fake_bucket {
    char key[FAKE_KEY_BYTES];
    struct gw_bucket bucket;
};

struct fake_world {
    uint64_t now_us;
    int64_t server_offset_us; /* its clock's */
    uint64_t random;

    struct fake_event *heap;
    size_t count, room;
    uint64_t numbered;
    struct fake_bucket buckets[FAKE_BUCKETS];
    unsigned bucket_count;
    void (*on_executed)(struct fake_world *world, struct gw_store_call *call);
    void *user;
    uint64_t answered_us;      /* during done: when the server decided; 0: the answer is lost */
    struct fake_world *server; /* the world whose buckets count, if threads have a world each; NULL: its own */
    pthread_mutex_t *lock;     /* the server's */
};

static _Thread_local struct fake_world *fake_clock; /* the world whose time gw_clock gives, */
static _Thread_local const struct gw_store
    *fake_here; /* and whose end's clock counts, while one of its calls is done */

/* On the clock of a store's end. */
static inline uint64_t fake_local_us(const struct gw_store *store)
{
    uint64_t now_us = store->world->now_us;
    return now_us + store->clock_offset_us + (uint64_t)((int64_t)now_us * store->clock_ppm / 1000000);
}

uint64_t gw_clock_monotonic_us(void)
{
    return fake_here ? fake_local_us(fake_here) : fake_clock->now_us;
}

uint64_t gw_clock_wall_us(void)
{
    return fake_clock->now_us;
}

static inline uint64_t fake_random(struct fake_world *world, uint64_t below)
{
    world->random += 0x9e3779b97f4a7c15; /* splitmix64 */
    uint64_t mixed = world->random;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return below ? (mixed ^ mixed >> 31) % below : 0;
}

static inline void fake_world_init(struct fake_world *world, uint64_t now_us, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->now_us = now_us;
    world->random = seed;
    fake_clock = world;
}

/* ---- the queue of events ---- */

static inline bool fake_before(const struct fake_event *a, const struct fake_event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->number < b->number);
}

static inline void fake_push(struct fake_world *world, struct fake_event event)
{
    if (world->count == world->room) {
        world->room = world->room ? 2 * world->room : 1024;
        world->heap = realloc(world->heap, world->room * sizeof *world->heap);
        fake_must(world->heap);
    }
    event.number = world->numbered++;
    size_t at = world->count++;
    for (; at && fake_before(&event, &world->heap[(at - 1) / 2]); at = (at - 1) / 2)
        world->heap[at] = world->heap[(at - 1) / 2];
    world->heap[at] = event;
}

static inline struct fake_event fake_pop(struct fake_world *world)
{
    struct fake_event first = world->heap[0], last = world->heap[--world->count];
    size_t at = 0;
    for (size_t child = 1; child < world->count; child = 2 * at + 1) {
        if (child + 1 < world->count && fake_before(&world->heap[child + 1], &world->heap[child]))
            child++;
        if (!fake_before(&world->heap[child], &last))
            break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = last;
    return first;
}

static inline void fake_at(struct fake_world *world, uint64_t at_us, void (*hook)(void *context), void *context)
{
    fake_push(world, (struct fake_event) { .at_us = at_us, .hook = hook, .context = context });
}

/* ---- the server ---- */

static inline struct gw_bucket *fake_bucket(struct fake_world *world, const char *key)
{
    if (world->server)
        world = world->server;
    uint64_t hash = 1469598103934665603u;
    for (const char *c = key; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    unsigned at = (unsigned)(hash % FAKE_BUCKETS);
    while (world->buckets[at].key[0] && strcmp(world->buckets[at].key, key) != 0)
        at = (at + 1) % FAKE_BUCKETS;
    if (!world->buckets[at].key[0]) {
        fake_must(++world->bucket_count < FAKE_BUCKETS);
        snprintf(world->buckets[at].key, FAKE_KEY_BYTES, "%s", key);
    }
    return &world->buckets[at].bucket;
}

static inline void fake_flush_all(struct fake_world *world)
{
    for (unsigned i = 0; i < FAKE_BUCKETS; i++)
        world->buckets[i].bucket = (struct gw_bucket) { 0 };
}

static inline uint64_t fake_server_us(const struct fake_world *world)
{
    return world->now_us + (uint64_t)world->server_offset_us;
}

/* What the script would answer now, without taking. */
static inline struct gw_bucket_answer fake_look(struct fake_world *world, const char *key,
                                                const struct gw_bucket_rate *rate, uint64_t cost)
{
    struct gw_bucket copy = *fake_bucket(world, key);
    return gw_bucket_look(&copy, rate, cost, fake_server_us(world));
}

static inline void fake_execute(struct gw_store_call *call)
{
    struct fake_world *world = call->store->world;
    struct gw_bucket_answer answers[FAKE_KEYS];
    bool all = true;
    if (world->lock)
        pthread_mutex_lock(world->lock);
    for (int take = 0; take < 2; take++) {
        for (unsigned i = 0; i < call->key_count; i++) {
            const uint64_t *a = call->arguments + 4 * i;
            struct gw_bucket_rate rate = { a[0], a[1], a[2] };
            struct gw_bucket *bucket = fake_bucket(world, call->keys[i]);
            answers[i] = take && all ? gw_bucket_take(bucket, &rate, a[3], fake_server_us(world))
                                     : gw_bucket_look(bucket, &rate, a[3], fake_server_us(world));
        }
        for (unsigned i = 0; i < call->key_count; i++)
            all = all && answers[i].allowed;
    }
    if (world->lock)
        pthread_mutex_unlock(world->lock);
    for (unsigned i = 0; i < call->key_count; i++) {
        call->numbers[4 * i] = answers[i].allowed;
        call->numbers[4 * i + 1] = (int64_t)answers[i].remaining;
        call->numbers[4 * i + 2] = (int64_t)answers[i].next_us;
        call->numbers[4 * i + 3] = (int64_t)answers[i].full_after_us;
    }
    call->is_executed = true;
    call->is_admitted = all;
    call->executed_us = world->now_us;
    if (world->on_executed)
        world->on_executed(world, call);
}

/* ---- a connection ---- */

static inline void fake_store_init(struct gw_store *store, struct fake_world *world, uint64_t least_us,
                                   uint64_t most_us)
{
    *store = (struct gw_store) { .world = world,
                                 .least_us = least_us,
                                 .most_us = most_us,
                                 .max_pending = 100000,
                                 .is_up = true,
                                 .is_linked = true };
}

static inline uint64_t fake_travel(struct gw_store *store, uint64_t not_before_us)
{
    uint64_t at_us = store->world->now_us + store->least_us +
                     fake_random(store->world, store->most_us - store->least_us + 1);
    return at_us > not_before_us ? at_us : not_before_us;
}

static inline void fake_finish(struct gw_store_call *call, const struct gw_store_reply *reply)
{
    struct gw_store_call **link = &call->store->pending;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    call->store->pending_count--;
    call->is_over = true;
    fake_here = call->store;
    call->store->world->answered_us = reply->result == GW_STORE_LOST ? 0 : call->executed_us;
    if (call->done)
        call->done(call->owner, reply);
    call->store->world->answered_us = 0;
    fake_here = NULL;
    if (!call->is_due)
        free(call);
}

/* Loses all pending calls; those on their way may arrive all the same. */
static inline void fake_cut(struct gw_store *store)
{
    static const struct gw_store_reply lost = { .result = GW_STORE_LOST };
    store->is_up = false;
    while (store->pending)
        fake_finish(store->pending, &lost);
}

static inline void fake_arrive(struct gw_store_call *call)
{
    struct gw_store *store = call->store;
    call->is_due = false;
    if (store->is_linked && store->reply) {
        call->reply = *store->reply;
        store->reply = NULL;
    } else if (store->is_linked) {
        fake_execute(call);
        call->reply = (struct gw_store_reply) { .result = GW_STORE_INTEGERS,
                                                .integers = call->numbers,
                                                .integer_count = 4 * call->key_count };
    }
    if (call->is_over) {
        free(call);
    } else if (store->is_linked) {
        store->returns_us = fake_travel(store, store->returns_us);
        call->is_due = call->is_coming_back = true;
        fake_push(store->world, (struct fake_event) { .at_us = store->returns_us, .call = call });
    }
}

static inline void fake_return(struct gw_store_call *call)
{
    call->is_due = false;
    if (call->is_over)
        free(call);
    else if (call->store->is_linked)
        fake_finish(call, &call->reply);
}

static inline void fake_run_until(struct fake_world *world, uint64_t until_us)
{
    while (world->count && world->heap[0].at_us <= until_us) {
        struct fake_event event = fake_pop(world);
        world->now_us = event.at_us;
        if (!event.call)
            event.hook(event.context);
        else if (event.call->is_coming_back)
            fake_return(event.call);
        else
            fake_arrive(event.call);
    }
    world->now_us = until_us;
}

static inline void fake_world_end(struct fake_world *world)
{
    while (world->count) {
        struct gw_store_call *call = fake_pop(world).call;
        if (call) {
            fake_must(call->is_over);
            free(call);
        }
    }
    free(world->heap);
    world->heap = NULL;
}

/* ---- store.h ---- */

bool gw_store_is_up(const struct gw_store *store)
{
    return store->is_up;
}

static inline uint64_t fake_number(struct gw_slice digits)
{
    uint64_t number = 0;
    fake_must(gw_slice_to_uint64(digits, &number));
    return number;
}

struct gw_store_call *gw_store_run(struct gw_store *store, enum gw_store_script script, const struct gw_slice *keys,
                                   unsigned key_count, const struct gw_slice *arguments, unsigned argument_count,
                                   struct gw_slice payload_bytes, struct gw_block *payload, gw_store_done *done,
                                   void *owner)
{
    fake_must(script == GW_STORE_TOKEN_BUCKET && key_count && key_count <= FAKE_KEYS &&
              argument_count == 4 * key_count);
    fake_must(!payload_bytes.length && !payload);
    if (!store->is_up || store->pending_count >= store->max_pending)
        return NULL;
    FAKE_STORE_ENTER();
    struct gw_store_call *call = calloc(1, sizeof *call);
    fake_must(call);
    *call = (struct gw_store_call) { .store = store, .done = done, .owner = owner, .key_count = key_count };
    for (unsigned i = 0; i < key_count; i++)
        snprintf(call->keys[i], FAKE_KEY_BYTES, "%.*s", GW_SLICE_ARGS(keys[i]));
    for (unsigned i = 0; i < argument_count; i++)
        call->arguments[i] = fake_number(arguments[i]);
    call->sent_us = store->world->now_us;
    call->next = store->pending;
    store->pending = call;
    store->pending_count++;
    store->calls++;
    store->arrives_us = fake_travel(store, store->arrives_us);
    call->is_due = true;
    fake_push(store->world, (struct fake_event) { .at_us = store->arrives_us, .call = call });
    FAKE_STORE_LEAVE();
    return call;
}

#endif
