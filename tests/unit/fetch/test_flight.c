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
#include "fetch/flight.h"

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
    struct gw_flights *flights;
    unsigned landed;
};

static void set_up(struct scene *scene)
{
    scene->landed = 0;
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(gw_mailbox_open(&scene->mailbox, &scene->loop), 0);
    scene->flights = gw_flights_create();
    assert_non_null(scene->flights);
}

static void tear_down(struct scene *scene)
{
    gw_mailbox_close(&scene->mailbox);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    gw_mailbox_free(&scene->mailbox);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    gw_flights_destroy(&scene->flights);
    assert_null(scene->flights);
}

static void on_landed(void *owner, const struct gw_flight_landing *landing)
{
    (void)landing;
    ((struct scene *)owner)->landed++;
}

static enum gw_flight_role enter(struct scene *scene, const struct gw_cache_key *key, unsigned worker,
                                 struct gw_flight_ask *ask)
{
    *ask = (struct gw_flight_ask) {
        .key = key, .worker = worker, .mailbox = &scene->mailbox, .on_landed = on_landed, .owner = scene
    };
    return gw_flight_enter(scene->flights, ask);
}

static void the_first_leads_its_worker_joins_and_others_wait(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_flight_ask leader, local, other, elsewhere;
    struct gw_cache_key key = key_of(1), another = key_of(2);
    int fetch;
    set_up(&scene);
    assert_int_equal(enter(&scene, &key, 0, &leader), GW_FLIGHT_LEAD);
    assert_int_equal(enter(&scene, &key, 0, &local), GW_FLIGHT_ALONE); /* no fetch yet */
    gw_flight_set_fetch(scene.flights, leader.flight, &fetch);
    assert_int_equal(enter(&scene, &key, 0, &local), GW_FLIGHT_LOCAL);
    assert_ptr_equal(local.fetch, &fetch);
    assert_int_equal(enter(&scene, &key, 1, &other), GW_FLIGHT_WAIT);
    assert_int_equal(enter(&scene, &another, 1, &elsewhere), GW_FLIGHT_LEAD);
    gw_flight_set_fetch(scene.flights, leader.flight, NULL);
    assert_int_equal(enter(&scene, &key, 0, &local), GW_FLIGHT_ALONE); /* too late to join */
    gw_flight_land(scene.flights, &leader.flight);
    assert_null(leader.flight);
    assert_int_equal(scene.landed, 0); /* by its mailbox, not within the call */
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(scene.landed, 1);
    gw_flight_land(scene.flights, &elsewhere.flight);
    tear_down(&scene);
}

static void the_same_path_in_another_name_space_is_another_flight(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_flight_ask one, two;
    struct gw_cache_key key = key_of(1), other = key;
    other.name_space[31] = 1;
    set_up(&scene);
    assert_int_equal(enter(&scene, &key, 0, &one), GW_FLIGHT_LEAD);
    assert_int_equal(enter(&scene, &other, 0, &two), GW_FLIGHT_LEAD);
    gw_flight_land(scene.flights, &one.flight);
    gw_flight_land(scene.flights, &two.flight);
    tear_down(&scene);
}

/* Of an answer that is on its way to the store, the store itself tells; a purge or a write says that it is out of date. */
static void who_comes_after_a_detachment_leads_another_flight(void **state)
{
    static const struct {
        void (*detach)(struct gw_flights *flights, const struct gw_cache_key *key);
        bool is_storing, is_detached;
    } rows[] = {
        { gw_flight_detach, false, true },
        { gw_flight_detach, true, true },
        { gw_flight_detach_told, false, true },
        { gw_flight_detach_told, true, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct gw_flight_ask leader, waits, next;
        struct gw_cache_key key = key_of(1), other = key_of(2);
        int fetch;
        set_up(&scene);
        enter(&scene, &key, 0, &leader);
        gw_flight_set_fetch(scene.flights, leader.flight, &fetch);
        assert_int_equal(enter(&scene, &key, 1, &waits), GW_FLIGHT_WAIT);
        if (rows[i].is_storing)
            gw_flight_set_storing(scene.flights, leader.flight);
        rows[i].detach(scene.flights, &other);
        assert_int_equal(enter(&scene, &key, 0, &next), GW_FLIGHT_LOCAL);
        rows[i].detach(scene.flights, &key);
        assert_int_equal(enter(&scene, &key, 0, &next), rows[i].is_detached ? GW_FLIGHT_LEAD : GW_FLIGHT_LOCAL);
        if (rows[i].is_detached)
            gw_flight_land(scene.flights, &next.flight);
        assert_int_equal(scene.landed, 0);
        gw_flight_land(scene.flights, &leader.flight); /* who is in it is woken all the same */
        uv_run(&scene.loop, UV_RUN_ONCE);
        assert_int_equal(scene.landed, 1);
        tear_down(&scene);
    }
}

/* ---- requests that want the backend's word ---- */

enum { LONG_AGO = 1 };
static const uint64_t JUST_NOW = UINT64_MAX; /* after all that has begun */

struct visitor {
    struct gw_flight_ask ask;
    unsigned landed;
    struct gw_entry *entry;
    bool is_confirmed;
    struct gw_flight *flight;
};

static void visitor_on_landed(void *owner, const struct gw_flight_landing *landing)
{
    struct visitor *visitor = owner;
    visitor->landed++;
    visitor->entry = landing->entry;
    visitor->is_confirmed = landing->is_confirmed;
    visitor->flight = landing->flight;
}

static enum gw_flight_role comes(struct scene *scene, struct visitor *visitor, const struct gw_cache_key *key,
                                 unsigned worker, uint64_t came_at_us)
{
    *visitor = (struct visitor) { .landed = 0 };
    visitor->ask = (struct gw_flight_ask) { .key = key,
                                            .worker = worker,
                                            .came_at_us = came_at_us,
                                            .mailbox = &scene->mailbox,
                                            .on_landed = visitor_on_landed,
                                            .owner = visitor };
    return gw_flight_enter(scene->flights, &visitor->ask);
}

static struct gw_entry *new_entry(void)
{
    struct gw_entry *entry = calloc(1, sizeof *entry);
    assert_non_null(entry);
    atomic_init(&entry->holders, 1);
    return entry;
}

static void who_came_before_a_flight_began_shares_its_answer(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor leader, local, other, ordinary;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = new_entry();
    int fetch;
    set_up(&scene);
    assert_int_equal(comes(&scene, &leader, &key, 0, LONG_AGO), GW_FLIGHT_LEAD);
    gw_flight_set_fetch(scene.flights, leader.ask.flight, &fetch);
    assert_int_equal(comes(&scene, &local, &key, 0, LONG_AGO), GW_FLIGHT_LOCAL);
    assert_ptr_equal(local.ask.fetch, &fetch);
    assert_int_equal(comes(&scene, &other, &key, 1, LONG_AGO), GW_FLIGHT_WAIT);
    assert_int_equal(comes(&scene, &ordinary, &key, 1, 0), GW_FLIGHT_WAIT);
    assert_true(gw_flight_is_awaited(leader.ask.flight));
    gw_flight_set_answer(scene.flights, leader.ask.flight, entry, true);
    gw_flight_land(scene.flights, &leader.ask.flight);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(other.landed, 1);
    assert_ptr_equal(other.entry, entry);
    assert_true(other.is_confirmed);
    assert_int_equal(ordinary.landed, 1);
    assert_null(ordinary.entry); /* it looks what is stored */
    assert_int_equal(atomic_load(&entry->holders), 1);
    gw_entry_drop(entry);
    tear_down(&scene);
}

/* On any worker; the first of them leads, on the others' behalf. */
static void who_came_after_a_flight_began_shares_the_next_one(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor before, first, second, third, late;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *old = new_entry(), *entry = new_entry();
    int fetch;
    set_up(&scene);
    comes(&scene, &before, &key, 0, 0);
    gw_flight_set_fetch(scene.flights, before.ask.flight, &fetch);
    assert_int_equal(comes(&scene, &first, &key, 0, JUST_NOW), GW_FLIGHT_WAIT);
    assert_int_equal(comes(&scene, &second, &key, 0, JUST_NOW), GW_FLIGHT_WAIT);
    assert_int_equal(comes(&scene, &third, &key, 1, JUST_NOW), GW_FLIGHT_WAIT);
    assert_false(gw_flight_is_awaited(before.ask.flight)); /* its end is, not its answer */
    gw_flight_set_answer(scene.flights, before.ask.flight, old, false);
    gw_flight_land(scene.flights, &before.ask.flight);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(first.landed, 1);
    assert_null(first.entry);
    assert_non_null(first.flight);
    assert_int_equal(second.landed + third.landed, 0);
    assert_true(gw_flight_was_moved(second.ask.waiter));
    assert_false(gw_flight_was_moved(second.ask.waiter)); /* once */
    assert_true(gw_flight_is_awaited(first.flight));
    assert_int_equal(comes(&scene, &late, &key, 0, 0), GW_FLIGHT_WAIT); /* no fetch to join yet */
    gw_flight_set_fetch(scene.flights, first.flight, &fetch);
    gw_flight_set_answer(scene.flights, first.flight, entry, false);
    gw_flight_land(scene.flights, &first.flight);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_ptr_equal(second.entry, entry);
    assert_ptr_equal(third.entry, entry);
    assert_false(third.is_confirmed);
    assert_int_equal(late.landed, 1);
    assert_int_equal(first.landed + second.landed + third.landed, 3);
    assert_int_equal(atomic_load(&old->holders) + atomic_load(&entry->holders), 2);
    gw_entry_drop(old);
    gw_entry_drop(entry);
    tear_down(&scene);
}

static void whoever_was_to_lead_next_and_left_leaves_the_others_to_themselves(void **state)
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
            gw_flight_forget(scene.flights, &first.ask.waiter);
        gw_flight_land(scene.flights, &before.ask.flight);
        if (is_posted)
            gw_flight_forget(scene.flights, &first.ask.waiter); /* its letter is on the way */
        uv_run(&scene.loop, UV_RUN_ONCE);
        while (!second.landed)
            uv_run(&scene.loop, UV_RUN_ONCE);
        assert_int_equal(first.landed, 0);
        assert_int_equal(second.landed, 1);
        assert_true(is_posted ? second.flight == NULL : second.flight != NULL); /* it enters again, or leads */
        if (second.flight)
            gw_flight_land(scene.flights, &second.flight);
        assert_int_equal(comes(&scene, &first, &key, 0, 0), GW_FLIGHT_LEAD); /* none is left */
        gw_flight_land(scene.flights, &first.ask.flight);
        tear_down(&scene);
    }
}

static void who_waits_for_the_end_of_a_detached_flight_shares_the_one_that_began_since(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor before, waits, next;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = new_entry();
    set_up(&scene);
    comes(&scene, &before, &key, 0, 0);
    assert_int_equal(comes(&scene, &waits, &key, 0, JUST_NOW), GW_FLIGHT_WAIT);
    gw_flight_detach(scene.flights, &key);
    assert_int_equal(comes(&scene, &next, &key, 1, 0), GW_FLIGHT_LEAD);
    gw_flight_land(scene.flights, &before.ask.flight);
    assert_true(gw_flight_is_awaited(next.ask.flight));
    gw_flight_set_answer(scene.flights, next.ask.flight, entry, false);
    gw_flight_land(scene.flights, &next.ask.flight);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(waits.landed, 1);
    assert_ptr_equal(waits.entry, entry);
    gw_entry_drop(entry);
    tear_down(&scene);
}

/* ---- leaving ---- */

static void who_forgot_is_not_woken(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_flight_ask leader, before, after, stays;
    struct gw_cache_key key = key_of(1);
    set_up(&scene);
    assert_false(gw_flight_is_awaited(NULL));
    enter(&scene, &key, 0, &leader);
    assert_false(gw_flight_is_awaited(leader.flight));
    assert_int_equal(enter(&scene, &key, 1, &before), GW_FLIGHT_WAIT);
    assert_int_equal(enter(&scene, &key, 1, &after), GW_FLIGHT_WAIT);
    assert_int_equal(enter(&scene, &key, 1, &stays), GW_FLIGHT_WAIT);
    gw_flight_forget(scene.flights, &before.waiter);
    assert_null(before.waiter);
    gw_flight_forget(scene.flights, &before.waiter); /* nothing is allowed */
    assert_true(gw_flight_is_awaited(leader.flight));
    gw_flight_land(scene.flights, &leader.flight);
    gw_flight_forget(scene.flights, &after.waiter); /* its letter is on the way */
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(scene.landed, 1);
    tear_down(&scene);
}

static void a_landed_flight_can_be_led_again(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_flight_ask ask;
    struct gw_cache_key key = key_of(1);
    set_up(&scene);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(enter(&scene, &key, i % 3, &ask), GW_FLIGHT_LEAD);
        gw_flight_land(scene.flights, &ask.flight);
    }
    tear_down(&scene);
}

static void many_flights_are_told_apart(void **state)
{
    enum { FLIGHTS = 5000 };
    (void)state;
    struct scene scene;
    struct gw_flight **flights = calloc(FLIGHTS, sizeof(struct gw_flight *));
    set_up(&scene);
    for (unsigned i = 0; i < FLIGHTS; i++) {
        struct gw_cache_key key = key_of(i);
        struct gw_flight_ask ask;
        assert_int_equal(enter(&scene, &key, 0, &ask), GW_FLIGHT_LEAD);
        flights[i] = ask.flight;
        gw_flight_set_fetch(scene.flights, ask.flight, &flights[i]);
    }
    for (unsigned i = 0; i < FLIGHTS; i++) {
        struct gw_cache_key key = key_of(i);
        struct gw_flight_ask ask;
        assert_int_equal(enter(&scene, &key, 0, &ask), GW_FLIGHT_LOCAL);
        assert_ptr_equal(ask.fetch, &flights[i]);
        gw_flight_land(scene.flights, &flights[i]);
    }
    free(flights);
    tear_down(&scene);
}

/* ---- real workers ---- */

enum { WORKERS = 4, CLIENTS = 16, KEYS = 5, ROUNDS = 2000 };

struct club { /* all workers */
    struct gw_flights *flights;
    atomic_int leaders[KEYS]; /* at this moment */
    atomic_bool two_leaders, wrong_fetch;
    atomic_uint led, joined, waited, woken, forgotten, at_work;
    atomic_uint begun; /* workers: nobody is done before the last one starts */
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
    unsigned steps; /* until it lands, or forgets */
    struct gw_flight *flight;
    struct gw_flight_waiter *waiter;
    bool landed;
};

static void client_leads(struct client *client, struct gw_flight *flight)
{
    struct club *club = client->worker->club;
    if (atomic_fetch_add(&club->leaders[client->key], 1) != 0)
        atomic_store(&club->two_leaders, true);
    client->flight = flight;
    gw_flight_set_fetch(club->flights, client->flight, client);
    atomic_fetch_add(&club->led, 1);
}

static void client_on_landed(void *owner, const struct gw_flight_landing *landing)
{
    struct client *client = owner;
    client->waiter = NULL;
    client->landed = !landing->flight;
    atomic_fetch_add(&client->worker->club->woken, 1);
    if (landing->flight)
        client_leads(client, landing->flight);
}

static void client_enters(struct client *client)
{
    struct worker *worker = client->worker;
    struct club *club = worker->club;
    client->key = (unsigned)(gw_random_next(&worker->random) % KEYS);
    client->steps = (unsigned)(gw_random_next(&worker->random) % 4);
    struct gw_cache_key key = key_of(client->key);
    bool wants_word = gw_random_next(&worker->random) % 16 == 0;
    struct gw_flight_ask ask = { .key = &key,
                                 .worker = worker->index,
                                 .came_at_us = wants_word ? gw_clock_monotonic_us() : 0,
                                 .mailbox = &worker->mailbox,
                                 .on_landed = client_on_landed,
                                 .owner = client };
    switch (gw_flight_enter(club->flights, &ask)) {
    case GW_FLIGHT_LEAD:
        client_leads(client, ask.flight);
        return;
    case GW_FLIGHT_LOCAL: { /* its fetch is the leader's here */
        struct client *leader = ask.fetch;
        if (leader->worker != worker || leader->key != client->key || !leader->flight)
            atomic_store(&club->wrong_fetch, true);
        atomic_fetch_add(&club->joined, 1);
        break;
    }
    case GW_FLIGHT_WAIT:
        client->waiter = ask.waiter;
        client->landed = false;
        atomic_fetch_add(&club->waited, 1);
        return;
    case GW_FLIGHT_ALONE:
        break;
    }
    client->rounds--;
}

static void client_steps(struct client *client)
{
    struct club *club = client->worker->club;
    if (client->flight) {
        if (client->steps--)
            return;
        atomic_fetch_sub(&club->leaders[client->key], 1);
        gw_flight_land(club->flights, &client->flight);
        client->rounds--;
    } else if (client->waiter) {
        bool is_patient = gw_random_next(&client->worker->random) % 10000; /* else its client goes away */
        if (is_patient)
            return;
        gw_flight_forget(club->flights, &client->waiter);
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
    gw_mailbox_close(&worker->mailbox); /* letters that nobody waits for any more are delivered here */
    uv_close((uv_handle_t *)&worker->idle, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    gw_mailbox_free(&worker->mailbox);
    assert_int_equal(uv_loop_close(&worker->loop), 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_true(worker->clients[i].rounds == 0 && !worker->clients[i].flight && !worker->clients[i].waiter);
    free(worker->clients);
}

/* That it ends at all is the proof that nobody is left waiting. */
static void workers_that_race_have_one_leader_a_key_and_nobody_is_left_waiting(void **state)
{
    (void)state;
    struct club club = { .flights = gw_flights_create(), .at_work = WORKERS };
    static struct worker workers[WORKERS];
    assert_non_null(club.flights);
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
        struct gw_flight_ask ask = { .key = &key };
        assert_int_equal(gw_flight_enter(club.flights, &ask), GW_FLIGHT_LEAD); /* no flight is left either */
        gw_flight_land(club.flights, &ask.flight);
    }
    gw_flights_destroy(&club.flights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_leads_its_worker_joins_and_others_wait),
        cmocka_unit_test(the_same_path_in_another_name_space_is_another_flight),
        cmocka_unit_test(who_comes_after_a_detachment_leads_another_flight),
        cmocka_unit_test(who_came_before_a_flight_began_shares_its_answer),
        cmocka_unit_test(who_came_after_a_flight_began_shares_the_next_one),
        cmocka_unit_test(whoever_was_to_lead_next_and_left_leaves_the_others_to_themselves),
        cmocka_unit_test(who_waits_for_the_end_of_a_detached_flight_shares_the_one_that_began_since),
        cmocka_unit_test(who_forgot_is_not_woken),
        cmocka_unit_test(a_landed_flight_can_be_led_again),
        cmocka_unit_test(many_flights_are_told_apart),
        cmocka_unit_test(workers_that_race_have_one_leader_a_key_and_nobody_is_left_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
