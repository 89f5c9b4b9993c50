/* Coalescing: clients of workers that are threads come, wait, leave and fetch by chance. */
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

static struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 3 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

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
    bool told;
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

static void client_on_event(void *owner, const struct gw_coalescing_event *event)
{
    struct client *client = owner;
    client->waiter = NULL;
    client->told = !event->coalesced;
    atomic_fetch_add(&client->worker->club->woken, 1);
    if (event->coalesced)
        client_leads(client, event->coalesced);
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
                                     .on_event = client_on_event,
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
        client->told = false;
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
        client->told = false;
        client->rounds--;
    } else if (client->told) {
        client->told = false;
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
        cmocka_unit_test(workers_that_race_have_one_leader_a_key_and_no_waiter_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
