#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/base.h"
#include "base/clock.h"
#include "base/random.h"
#include "cache/coalescing.h"

/* ---- one thread that plays several workers ---- */

static struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 3 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

struct scene {
    uv_loop_t loop;
    struct gw_mailbox mailbox;
    struct gw_coalescing *coalescing;
    unsigned landed;
};

static void set_up(struct scene *scene)
{
    scene->landed = 0;
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(gw_mailbox_open(&scene->mailbox, &scene->loop), 0);
    scene->coalescing = gw_coalescing_create();
    assert_non_null(scene->coalescing);
}

static void tear_down(struct scene *scene)
{
    gw_mailbox_close(&scene->mailbox);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    gw_mailbox_free(&scene->mailbox);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    gw_coalescing_destroy(&scene->coalescing);
    assert_null(scene->coalescing);
}

static void on_event(void *owner, const struct gw_coalescing_event *landing)
{
    (void)landing;
    ((struct scene *)owner)->landed++;
}

static enum gw_coalescing_role enter(struct scene *scene, const struct gw_cache_key *key, unsigned worker,
                                     struct gw_coalescing_ask *ask)
{
    *ask = (struct gw_coalescing_ask) {
        .key = key, .worker = worker, .mailbox = &scene->mailbox, .on_event = on_event, .owner = scene
    };
    return gw_coalescing_start(scene->coalescing, ask);
}

static void the_first_leads_its_worker_joins_and_others_wait(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_coalescing_ask leader, local, other, elsewhere;
    struct gw_cache_key key = key_of(1), another = key_of(2);
    int fetch;
    set_up(&scene);
    assert_int_equal(enter(&scene, &key, 0, &leader), GW_COALESCING_LEAD);
    gw_coalescing_set_fetch(leader.coalesced, &fetch);
    assert_int_equal(enter(&scene, &key, 0, &local), GW_COALESCING_JOIN);
    assert_ptr_equal(local.fetch, &fetch);
    assert_int_equal(enter(&scene, &key, 1, &other), GW_COALESCING_WAIT);
    assert_int_equal(enter(&scene, &another, 1, &elsewhere), GW_COALESCING_LEAD);
    gw_coalescing_finish(&leader.coalesced);
    assert_null(leader.coalesced);
    assert_int_equal(scene.landed, 0); /* by its mailbox, not within the call */
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(scene.landed, 1);
    gw_coalescing_finish(&elsewhere.coalesced);
    tear_down(&scene);
}

static void the_same_path_in_another_name_space_is_another_fetch(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_coalescing_ask one, two;
    struct gw_cache_key key = key_of(1), other = key;
    other.name_space[31] = 1;
    set_up(&scene);
    assert_int_equal(enter(&scene, &key, 0, &one), GW_COALESCING_LEAD);
    assert_int_equal(enter(&scene, &other, 0, &two), GW_COALESCING_LEAD);
    gw_coalescing_finish(&one.coalesced);
    gw_coalescing_finish(&two.coalesced);
    tear_down(&scene);
}

/* An answer that is on its way to the store is found by the store itself; a purge or a write says that it is out of
 * date. */
static void a_request_after_a_detachment_leads_another_fetch(void **state)
{
    static const struct {
        void (*detach)(struct gw_coalescing *coalescing, const struct gw_cache_key *key);
        bool is_storing, is_detached;
    } rows[] = {
        { gw_coalescing_detach, false, true },
        { gw_coalescing_detach, true, true },
        { gw_coalescing_detach_told, false, true },
        { gw_coalescing_detach_told, true, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct gw_coalescing_ask leader, waits, next;
        struct gw_cache_key key = key_of(1), other = key_of(2);
        int fetch;
        set_up(&scene);
        enter(&scene, &key, 0, &leader);
        gw_coalescing_set_fetch(leader.coalesced, &fetch);
        assert_int_equal(enter(&scene, &key, 1, &waits), GW_COALESCING_WAIT);
        if (rows[i].is_storing)
            gw_coalescing_set_storing(leader.coalesced);
        rows[i].detach(scene.coalescing, &other);
        assert_int_equal(enter(&scene, &key, 0, &next), GW_COALESCING_JOIN);
        rows[i].detach(scene.coalescing, &key);
        assert_int_equal(enter(&scene, &key, 0, &next), rows[i].is_detached ? GW_COALESCING_LEAD : GW_COALESCING_JOIN);
        if (rows[i].is_detached)
            gw_coalescing_finish(&next.coalesced);
        assert_int_equal(scene.landed, 0);
        gw_coalescing_finish(&leader.coalesced); /* requests that wait in it are woken all the same */
        uv_run(&scene.loop, UV_RUN_ONCE);
        assert_int_equal(scene.landed, 1);
        tear_down(&scene);
    }
}

/* ---- requests that want the backend's word ---- */

enum { LONG_AGO = 1 };
static const uint64_t JUST_NOW = UINT64_MAX; /* after all that has begun */

struct visitor {
    struct gw_coalescing_ask ask;
    unsigned landed;
    struct gw_entry *entry;
    enum gw_coalescing_source source;
    bool was_elsewhere;
    void *fetch;
    struct gw_coalesced *coalesced;
};

static void visitor_on_landed(void *owner, const struct gw_coalescing_event *landing)
{
    struct visitor *visitor = owner;
    visitor->landed++;
    visitor->entry = landing->entry;
    visitor->source = landing->source;
    visitor->was_elsewhere = landing->was_elsewhere;
    visitor->fetch = landing->fetch;
    visitor->coalesced = landing->coalesced;
}

static enum gw_coalescing_role comes(struct scene *scene, struct visitor *visitor, const struct gw_cache_key *key,
                                     unsigned worker, uint64_t came_at_us)
{
    *visitor = (struct visitor) { .landed = 0 };
    visitor->ask = (struct gw_coalescing_ask) { .key = key,
                                                .worker = worker,
                                                .came_at_us = came_at_us,
                                                .mailbox = &scene->mailbox,
                                                .on_event = visitor_on_landed,
                                                .owner = visitor };
    return gw_coalescing_start(scene->coalescing, &visitor->ask);
}

static struct gw_entry *new_entry(void)
{
    struct gw_entry *entry = calloc(1, sizeof *entry);
    assert_non_null(entry);
    atomic_init(&entry->refs, 1);
    return entry;
}

static void a_request_that_came_before_a_fetch_began_shares_its_answer(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor leader, local, other, ordinary;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = new_entry();
    int fetch;
    set_up(&scene);
    assert_int_equal(comes(&scene, &leader, &key, 0, LONG_AGO), GW_COALESCING_LEAD);
    gw_coalescing_set_fetch(leader.ask.coalesced, &fetch);
    assert_int_equal(comes(&scene, &local, &key, 0, LONG_AGO), GW_COALESCING_JOIN);
    assert_ptr_equal(local.ask.fetch, &fetch);
    assert_int_equal(comes(&scene, &other, &key, 1, LONG_AGO), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &ordinary, &key, 1, 0), GW_COALESCING_WAIT);
    assert_true(gw_coalescing_is_awaited(leader.ask.coalesced));
    gw_coalescing_set_answer(leader.ask.coalesced, entry, GW_COALESCING_CONFIRMED, false);
    gw_coalescing_finish(&leader.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(other.landed, 1);
    assert_ptr_equal(other.entry, entry);
    assert_int_equal(other.source, GW_COALESCING_CONFIRMED);
    assert_int_equal(ordinary.landed, 1);
    assert_null(ordinary.entry); /* it looks up what is stored */
    assert_int_equal(atomic_load(&entry->refs), 1);
    gw_entry_unref(entry);
    tear_down(&scene);
}

/* On any worker; the first of these requests leads the next fetch for all of them. */
static void a_request_that_came_after_a_fetch_began_shares_the_next_one(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor before, first, second, third, late;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *old = new_entry(), *entry = new_entry();
    int fetch;
    set_up(&scene);
    comes(&scene, &before, &key, 0, 0);
    gw_coalescing_set_fetch(before.ask.coalesced, &fetch);
    assert_int_equal(comes(&scene, &first, &key, 0, JUST_NOW), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &second, &key, 0, JUST_NOW), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &third, &key, 1, JUST_NOW), GW_COALESCING_WAIT);
    assert_false(gw_coalescing_is_awaited(before.ask.coalesced)); /* its end is, not its answer */
    gw_coalescing_set_answer(before.ask.coalesced, old, GW_COALESCING_FETCHED, false);
    gw_coalescing_finish(&before.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(first.landed, 1);
    assert_null(first.entry);
    assert_non_null(first.coalesced);
    assert_int_equal(second.landed + third.landed, 0);
    assert_true(gw_coalescing_may_wait_on(second.ask.waiter));
    assert_false(gw_coalescing_may_wait_on(second.ask.waiter)); /* once */
    assert_true(gw_coalescing_is_awaited(first.coalesced));
    assert_int_equal(comes(&scene, &late, &key, 0, 0), GW_COALESCING_WAIT); /* no fetch to join yet */
    gw_coalescing_set_fetch(first.coalesced, &fetch);
    gw_coalescing_set_answer(first.coalesced, entry, GW_COALESCING_FETCHED, false);
    gw_coalescing_finish(&first.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_ptr_equal(second.entry, entry);
    assert_ptr_equal(third.entry, entry);
    assert_int_equal(third.source, GW_COALESCING_FETCHED);
    assert_int_equal(late.landed, 1);
    assert_int_equal(first.landed + second.landed + third.landed, 3);
    assert_int_equal(atomic_load(&old->refs) + atomic_load(&entry->refs), 2);
    gw_entry_unref(old);
    gw_entry_unref(entry);
    tear_down(&scene);
}

static void a_next_leader_that_left_leaves_the_others_to_themselves(void **state)
{
    (void)state;
    for (unsigned is_posted = 0; is_posted < 2; is_posted++) {
        struct scene scene;
        struct visitor before, first, second;
        struct gw_cache_key key = key_of(1);
        set_up(&scene);
        comes(&scene, &before, &key, 0, 0);
        comes(&scene, &first, &key, 1, JUST_NOW);
        comes(&scene, &second, &key, 1, JUST_NOW);
        if (!is_posted)
            gw_coalescing_cancel(&first.ask.waiter);
        gw_coalescing_finish(&before.ask.coalesced);
        if (is_posted)
            gw_coalescing_cancel(&first.ask.waiter); /* its message is on the way */
        uv_run(&scene.loop, UV_RUN_ONCE);
        while (!second.landed)
            uv_run(&scene.loop, UV_RUN_ONCE);
        assert_int_equal(first.landed, 0);
        assert_int_equal(second.landed, 1);
        assert_true(is_posted ? second.coalesced == NULL : second.coalesced != NULL); /* it enters again, or leads */
        if (second.coalesced)
            gw_coalescing_finish(&second.coalesced);
        assert_int_equal(comes(&scene, &first, &key, 0, 0), GW_COALESCING_LEAD); /* none is left */
        gw_coalescing_finish(&first.ask.coalesced);
        tear_down(&scene);
    }
}

static void a_successor_of_a_detached_fetch_shares_the_one_that_began_since(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor before, waits, next;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = new_entry();
    set_up(&scene);
    comes(&scene, &before, &key, 0, 0);
    assert_int_equal(comes(&scene, &waits, &key, 0, JUST_NOW), GW_COALESCING_WAIT);
    gw_coalescing_detach(scene.coalescing, &key);
    assert_int_equal(comes(&scene, &next, &key, 1, 0), GW_COALESCING_LEAD);
    gw_coalescing_finish(&before.ask.coalesced);
    assert_true(gw_coalescing_is_awaited(next.ask.coalesced));
    gw_coalescing_set_answer(next.ask.coalesced, entry, GW_COALESCING_FETCHED, false);
    gw_coalescing_finish(&next.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(waits.landed, 1);
    assert_ptr_equal(waits.entry, entry);
    gw_entry_unref(entry);
    tear_down(&scene);
}

/* The fetch before was on its way to the store; of the next one nothing is yet. */
static void what_the_store_tells_while_the_next_fetch_runs_detaches_that(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor before, next, late;
    struct gw_cache_key key = key_of(1);
    set_up(&scene);
    comes(&scene, &before, &key, 0, 0);
    assert_int_equal(comes(&scene, &next, &key, 0, JUST_NOW), GW_COALESCING_WAIT);
    gw_coalescing_set_storing(before.ask.coalesced);
    gw_coalescing_finish(&before.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_non_null(next.coalesced);
    gw_coalescing_detach_told(scene.coalescing, &key);
    assert_int_equal(comes(&scene, &late, &key, 0, 0), GW_COALESCING_LEAD);
    gw_coalescing_finish(&late.ask.coalesced);
    gw_coalescing_finish(&next.coalesced);
    tear_down(&scene);
}

/* ---- before the fetch has begun ---- */

static void a_fetch_that_begins_is_joined_by_the_waiters_of_its_worker(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor leader, local, reload, other, late;
    struct gw_cache_key key = key_of(1);
    int fetch;
    set_up(&scene);
    assert_int_equal(comes(&scene, &leader, &key, 0, 0), GW_COALESCING_LEAD);
    assert_int_equal(comes(&scene, &local, &key, 0, 0), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &reload, &key, 0, LONG_AGO), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &other, &key, 1, 0), GW_COALESCING_WAIT);
    gw_coalescing_set_fetch(leader.ask.coalesced,
                            &fetch); /* within the call: the fetch may end before a message comes */
    assert_ptr_equal(local.fetch, &fetch);
    assert_ptr_equal(reload.fetch, &fetch);
    assert_int_equal(other.landed, 0);
    assert_int_equal(comes(&scene, &late, &key, 0, 0), GW_COALESCING_JOIN);
    gw_coalescing_finish(&leader.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(other.landed, 1);
    assert_int_equal(local.landed + reload.landed, 2); /* once each */
    tear_down(&scene);
}

static void a_leader_that_leaves_passes_the_lead_on_to_the_first_that_may_have_it(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor leader, part, first, second, late;
    struct gw_cache_key key = key_of(1);
    int fetch;
    set_up(&scene);
    comes(&scene, &leader, &key, 0, 0);
    part = (struct visitor) { .ask = { .key = &key,
                                       .never_leads = true,
                                       .mailbox = &scene.mailbox,
                                       .on_event = visitor_on_landed,
                                       .owner = &part } };
    assert_int_equal(gw_coalescing_start(scene.coalescing, &part.ask), GW_COALESCING_WAIT);
    comes(&scene, &first, &key, 1, 0);
    comes(&scene, &second, &key, 1, 0);
    gw_coalescing_pass_on(&leader.ask.coalesced);
    assert_null(leader.ask.coalesced);
    assert_int_equal(comes(&scene, &late, &key, 1, 0), GW_COALESCING_WAIT); /* the leader does not know it yet */
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_non_null(first.coalesced);
    assert_int_equal(part.landed + second.landed + late.landed, 0);
    gw_coalescing_set_fetch(first.coalesced, &fetch);
    assert_ptr_equal(second.fetch, &fetch);
    assert_ptr_equal(late.fetch, &fetch);
    gw_coalescing_finish(&first.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(part.landed, 1);
    tear_down(&scene);
}

static void without_anybody_to_pass_it_on_to_it_ends(void **state)
{
    (void)state;
    for (unsigned is_detached = 0; is_detached < 2; is_detached++) {
        struct scene scene;
        struct visitor leader, waits, next;
        struct gw_cache_key key = key_of(1);
        set_up(&scene);
        comes(&scene, &leader, &key, 0, 0);
        if (is_detached) { /* out of date: each waiting request looks again */
            comes(&scene, &waits, &key, 0, 0);
            gw_coalescing_detach(scene.coalescing, &key);
        }
        gw_coalescing_pass_on(&leader.ask.coalesced);
        assert_null(leader.ask.coalesced);
        if (is_detached) {
            uv_run(&scene.loop, UV_RUN_ONCE);
            assert_int_equal(waits.landed, 1);
            assert_null(waits.coalesced);
        }
        assert_int_equal(comes(&scene, &next, &key, 0, 0), GW_COALESCING_LEAD);
        gw_coalescing_finish(&next.ask.coalesced);
        tear_down(&scene);
    }
}

static void what_the_leader_found_in_the_store_is_handed_to_those_that_may_take_it(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor leader, ordinary, reload;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = new_entry();
    set_up(&scene);
    comes(&scene, &leader, &key, 0, 0);
    comes(&scene, &ordinary, &key, 0, 0);
    comes(&scene, &reload, &key, 1, LONG_AGO);
    gw_coalescing_set_answer(leader.ask.coalesced, entry, GW_COALESCING_STORED, true);
    gw_coalescing_finish(&leader.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_ptr_equal(ordinary.entry, entry);
    assert_int_equal(ordinary.source, GW_COALESCING_STORED);
    assert_true(ordinary.was_elsewhere);
    assert_int_equal(reload.landed, 1);
    assert_null(reload.entry); /* the time when the fetch was asked for is not known */
    assert_int_equal(atomic_load(&entry->refs), 1);
    gw_entry_unref(entry);
    tear_down(&scene);
}

/* ---- leaving ---- */

static void a_cancelled_waiter_is_not_woken(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_coalescing_ask leader, before, after, stays;
    struct gw_cache_key key = key_of(1);
    set_up(&scene);
    assert_false(gw_coalescing_is_awaited(NULL));
    enter(&scene, &key, 0, &leader);
    assert_false(gw_coalescing_is_awaited(leader.coalesced));
    assert_int_equal(enter(&scene, &key, 1, &before), GW_COALESCING_WAIT);
    assert_int_equal(enter(&scene, &key, 1, &after), GW_COALESCING_WAIT);
    assert_int_equal(enter(&scene, &key, 1, &stays), GW_COALESCING_WAIT);
    gw_coalescing_cancel(&before.waiter);
    assert_null(before.waiter);
    gw_coalescing_cancel(&before.waiter); /* nothing is allowed */
    assert_true(gw_coalescing_is_awaited(leader.coalesced));
    gw_coalescing_finish(&leader.coalesced);
    gw_coalescing_cancel(&after.waiter); /* its message is on the way */
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(scene.landed, 1);
    tear_down(&scene);
}

static void a_finished_fetch_can_be_led_again(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_coalescing_ask ask;
    struct gw_cache_key key = key_of(1);
    set_up(&scene);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(enter(&scene, &key, i % 3, &ask), GW_COALESCING_LEAD);
        gw_coalescing_finish(&ask.coalesced);
    }
    tear_down(&scene);
}

static void many_fetches_are_told_apart(void **state)
{
    enum { FLIGHTS = 5000 };
    (void)state;
    struct scene scene;
    struct gw_coalesced **coalescing = calloc(FLIGHTS, sizeof(struct gw_coalesced *));
    set_up(&scene);
    for (unsigned i = 0; i < FLIGHTS; i++) {
        struct gw_cache_key key = key_of(i);
        struct gw_coalescing_ask ask;
        assert_int_equal(enter(&scene, &key, 0, &ask), GW_COALESCING_LEAD);
        coalescing[i] = ask.coalesced;
        gw_coalescing_set_fetch(ask.coalesced, &coalescing[i]);
    }
    for (unsigned i = 0; i < FLIGHTS; i++) {
        struct gw_cache_key key = key_of(i);
        struct gw_coalescing_ask ask;
        assert_int_equal(enter(&scene, &key, 0, &ask), GW_COALESCING_JOIN);
        assert_ptr_equal(ask.fetch, &coalescing[i]);
        gw_coalescing_finish(&coalescing[i]);
    }
    free(coalescing);
    tear_down(&scene);
}

/* ---- real workers ---- */

enum { WORKERS = 4, CLIENTS = 16, KEYS = 5, ROUNDS = 2000 };

struct club { /* all workers */
    struct gw_coalescing *coalescing;
    atomic_int leaders[KEYS]; /* at this moment */
    atomic_bool two_leaders, wrong_fetch;
    atomic_uint led, joined, waited, woken, forgotten, at_work;
    atomic_uint begun; /* workers: none is done before the last one starts */
};

struct worker {
    struct club *club;
    unsigned index;
    uv_thread_t thread;
    uv_loop_t loop;
    struct gw_mailbox mailbox;
    uv_idle_t idle;
    struct gw_random random;
    struct client *clients;
    unsigned left; /* clients with rounds left */
};

struct client { /* plays an exchange: at each turn of the loop it takes a step */
    struct worker *worker;
    unsigned key, rounds;
    unsigned steps; /* until it finishes, or cancels */
    struct gw_coalesced *coalesced;
    struct gw_coalescing_waiter *waiter;
    bool landed;
    bool asks_store; /* leads, and its fetch has not begun */
};

static void client_leads(struct client *client, struct gw_coalesced *coalesced)
{
    struct club *club = client->worker->club;
    if (atomic_fetch_add(&club->leaders[client->key], 1) != 0)
        atomic_store(&club->two_leaders, true);
    client->coalesced = coalesced;
    client->asks_store = gw_random_next(&client->worker->random) % 4 == 0;
    if (!client->asks_store)
        gw_coalescing_set_fetch(client->coalesced, client);
    atomic_fetch_add(&club->led, 1);
}

static void client_on_landed(void *owner, const struct gw_coalescing_event *landing)
{
    struct client *client = owner;
    client->waiter = NULL;
    client->landed = !landing->coalesced;
    atomic_fetch_add(&client->worker->club->woken, 1);
    if (landing->coalesced)
        client_leads(client, landing->coalesced);
}

static void client_enters(struct client *client)
{
    struct worker *worker = client->worker;
    struct club *club = worker->club;
    client->key = (unsigned)(gw_random_next(&worker->random) % KEYS);
    client->steps = (unsigned)(gw_random_next(&worker->random) % 4);
    struct gw_cache_key key = key_of(client->key);
    bool wants_word = gw_random_next(&worker->random) % 16 == 0;
    struct gw_coalescing_ask ask = { .key = &key,
                                     .worker = worker->index,
                                     .came_at_us = wants_word ? gw_clock_monotonic_us() : 0,
                                     .mailbox = &worker->mailbox,
                                     .on_event = client_on_landed,
                                     .owner = client };
    switch (gw_coalescing_start(club->coalescing, &ask)) {
    case GW_COALESCING_LEAD:
        client_leads(client, ask.coalesced);
        return;
    case GW_COALESCING_JOIN: { /* its fetch is the leader's here */
        struct client *leader = ask.fetch;
        if (leader->worker != worker || leader->key != client->key || !leader->coalesced)
            atomic_store(&club->wrong_fetch, true);
        atomic_fetch_add(&club->joined, 1);
        break;
    }
    case GW_COALESCING_WAIT:
        client->waiter = ask.waiter;
        client->landed = false;
        atomic_fetch_add(&club->waited, 1);
        return;
    case GW_COALESCING_ALONE:
        break;
    }
    client->rounds--;
}

static void client_steps(struct client *client)
{
    struct club *club = client->worker->club;
    if (client->coalesced) {
        if (client->steps && client->steps--)
            return;
        if (client->asks_store && gw_random_next(&client->worker->random) % 2) {
            client->asks_store = false;
            gw_coalescing_set_fetch(client->coalesced, client);
            return;
        }
        atomic_fetch_sub(&club->leaders[client->key], 1);
        if (client->asks_store)
            gw_coalescing_pass_on(&client->coalesced);
        else
            gw_coalescing_finish(&client->coalesced);
        client->rounds--;
    } else if (client->waiter) {
        bool is_patient = gw_random_next(&client->worker->random) % 10000; /* else its client goes away */
        if (is_patient)
            return;
        gw_coalescing_cancel(&client->waiter);
        atomic_fetch_add(&club->forgotten, 1);
        client->landed = false;
        client->rounds--;
    } else if (client->landed) {
        client->landed = false;
        client->rounds--;
    } else {
        client_enters(client);
    }
}

static void on_idle(uv_idle_t *idle)
{
    struct worker *worker = idle->data;
    unsigned left = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (worker->clients[i].rounds)
            client_steps(&worker->clients[i]);
        left += worker->clients[i].rounds > 0;
    }
    if (left == 0 && worker->left) {
        worker->left = 0;
        atomic_fetch_sub(&worker->club->at_work, 1);
    }
    if (atomic_load(&worker->club->at_work) == 0)
        uv_idle_stop(idle);
}

static void run_worker(void *context)
{
    struct worker *worker = context;
    atomic_fetch_add(&worker->club->begun, 1);
    while (atomic_load(&worker->club->begun) < WORKERS)
        uv_sleep(0);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
}

static void open_worker(struct worker *worker, struct club *club, unsigned index)
{
    *worker = (struct worker) { .club = club, .index = index, .left = 1 };
    worker->clients = calloc(CLIENTS, sizeof *worker->clients);
    for (unsigned i = 0; i < CLIENTS; i++)
        worker->clients[i] = (struct client) { .worker = worker, .rounds = ROUNDS };
    gw_random_init(&worker->random);
    assert_int_equal(uv_loop_init(&worker->loop), 0);
    assert_int_equal(gw_mailbox_open(&worker->mailbox, &worker->loop), 0);
    uv_unref((uv_handle_t *)&worker->mailbox.async); /* the loop ends with its idle handle */
    assert_int_equal(uv_idle_init(&worker->loop, &worker->idle), 0);
    worker->idle.data = worker;
    assert_int_equal(uv_idle_start(&worker->idle, on_idle), 0);
}

static void close_worker(struct worker *worker)
{
    gw_mailbox_close(&worker->mailbox); /* messages for requests that wait no longer are delivered here */
    uv_close((uv_handle_t *)&worker->idle, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    gw_mailbox_free(&worker->mailbox);
    assert_int_equal(uv_loop_close(&worker->loop), 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_true(worker->clients[i].rounds == 0 && !worker->clients[i].coalesced && !worker->clients[i].waiter);
    free(worker->clients);
}

/* The test ends only if no request is left waiting. */
static void workers_that_race_have_one_leader_a_key_and_no_waiter_is_left(void **state)
{
    (void)state;
    struct club club = { .coalescing = gw_coalescing_create(), .at_work = WORKERS };
    static struct worker workers[WORKERS];
    assert_non_null(club.coalescing);
    for (unsigned i = 0; i < WORKERS; i++)
        open_worker(&workers[i], &club, i);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(uv_thread_create(&workers[i].thread, run_worker, &workers[i]), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(uv_thread_join(&workers[i].thread), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        close_worker(&workers[i]);
    assert_false(atomic_load(&club.two_leaders));
    assert_false(atomic_load(&club.wrong_fetch));
    assert_int_equal(atomic_load(&club.waited), atomic_load(&club.woken) + atomic_load(&club.forgotten));
    for (unsigned i = 0; i < KEYS; i++) {
        assert_int_equal(atomic_load(&club.leaders[i]), 0);
        struct gw_cache_key key = key_of(i);
        struct gw_coalescing_ask ask = { .key = &key };
        assert_int_equal(gw_coalescing_start(club.coalescing, &ask), GW_COALESCING_LEAD); /* none is left either */
        gw_coalescing_finish(&ask.coalesced);
    }
    gw_coalescing_destroy(&club.coalescing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_leads_its_worker_joins_and_others_wait),
        cmocka_unit_test(the_same_path_in_another_name_space_is_another_fetch),
        cmocka_unit_test(a_request_after_a_detachment_leads_another_fetch),
        cmocka_unit_test(a_request_that_came_before_a_fetch_began_shares_its_answer),
        cmocka_unit_test(a_request_that_came_after_a_fetch_began_shares_the_next_one),
        cmocka_unit_test(a_next_leader_that_left_leaves_the_others_to_themselves),
        cmocka_unit_test(a_successor_of_a_detached_fetch_shares_the_one_that_began_since),
        cmocka_unit_test(what_the_store_tells_while_the_next_fetch_runs_detaches_that),
        cmocka_unit_test(a_fetch_that_begins_is_joined_by_the_waiters_of_its_worker),
        cmocka_unit_test(a_leader_that_leaves_passes_the_lead_on_to_the_first_that_may_have_it),
        cmocka_unit_test(without_anybody_to_pass_it_on_to_it_ends),
        cmocka_unit_test(what_the_leader_found_in_the_store_is_handed_to_those_that_may_take_it),
        cmocka_unit_test(a_cancelled_waiter_is_not_woken),
        cmocka_unit_test(a_finished_fetch_can_be_led_again),
        cmocka_unit_test(many_fetches_are_told_apart),
        cmocka_unit_test(workers_that_race_have_one_leader_a_key_and_no_waiter_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
