#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include "limit/clients.h"

static const uint64_t start = 1000000000, second = 1000000;
static const struct gw_bucket_rate ten_a_second = { 10, 1000000, 20 };

/* Stands before the C library's, to let it fail. */
static bool memory_is_out;

void *aligned_alloc(size_t alignment, size_t bytes)
{
    void *memory = NULL;
    if (memory_is_out || posix_memalign(&memory, alignment, bytes) != 0)
        return NULL;
    return memory;
}

static struct gw_bucket_query query_of(uint32_t policy, uint64_t client, struct gw_bucket_rate rate)
{
    struct gw_bucket_query query = { .key = { .policy = policy, .length = 16 }, .rate = rate, .cost = 1 };
    memcpy(query.key.bytes, &client, sizeof client);
    return query;
}

static bool takes(struct gw_clients *clients, uint32_t policy, uint64_t client, uint64_t now_us)
{
    struct gw_bucket_query query = query_of(policy, client, ten_a_second);
    return gw_clients_take(clients, &query, 1, now_us);
}

static unsigned drain(struct gw_clients *clients, uint32_t policy, uint64_t client, uint64_t now_us)
{
    unsigned admitted = 0;
    while (takes(clients, policy, client, now_us))
        admitted++;
    return admitted;
}

static struct gw_clients *table(unsigned max_clients)
{
    struct gw_clients *clients = gw_clients_create(max_clients);
    assert_non_null(clients);
    return clients;
}

static void each_client_and_each_policy_has_a_bucket_of_its_own(void **state)
{
    (void)state;
    struct gw_clients *clients = table(1000);
    assert_int_equal(drain(clients, 1, 7, start), 20);
    assert_int_equal(drain(clients, 1, 8, start), 20);
    assert_int_equal(drain(clients, 2, 7, start), 20);
    assert_int_equal(drain(clients, 1, 7, start), 0);
    assert_int_equal(drain(clients, 1, 7, start + second), 10);
    assert_int_equal(gw_clients_count(clients), 3);
    gw_clients_destroy(&clients);
    assert_null(clients);
}

static void keys_of_any_length_are_told_apart(void **state)
{
    (void)state;
    struct gw_clients *clients = table(1000);
    for (uint8_t length = 0; length <= 32; length++)
        for (unsigned i = 0; i < 21; i++) {
            struct gw_bucket_query query = { .key = { .policy = 1, .length = length },
                                             .rate = ten_a_second,
                                             .cost = 1 };
            assert_int_equal(gw_clients_take(clients, &query, 1, start), i < 20);
        }
    assert_int_equal(gw_clients_count(clients), 33);
    gw_clients_destroy(&clients);
}

static void what_one_bucket_refuses_is_taken_from_none(void **state)
{
    (void)state;
    struct gw_clients *clients = table(100000);
    const struct gw_bucket_rate small = { 1, 1000000, 3 };
    for (uint64_t client = 0; client < 200; client++) { /* over many pairs of stripes */
        struct gw_bucket_query queries[] = { query_of(1, client, ten_a_second), query_of(2, client, small),
                                             query_of(3, client, ten_a_second) };
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(gw_clients_take(clients, queries, 3, start), i < 3);
        assert_true(queries[0].answer.allowed);
        assert_int_equal(queries[0].answer.remaining, 17);
        assert_false(queries[1].answer.allowed);
        assert_int_equal(queries[1].answer.remaining, 0);
        assert_int_equal(queries[1].answer.next_us, second);
        assert_int_equal(queries[2].answer.remaining, 17);
    }
    gw_clients_destroy(&clients);
}

static void a_refused_request_leaves_no_entry_behind(void **state)
{
    (void)state;
    struct gw_clients *clients = table(100000);
    const struct gw_bucket_rate route = { 1, 3600000000, 5 };
    for (uint64_t client = 0; client < 1000; client++) {
        struct gw_bucket_query queries[] = { query_of(1, client, ten_a_second), query_of(2, 0, route) };
        assert_int_equal(gw_clients_take(clients, queries, 2, start), client < 5);
    }
    assert_int_equal(gw_clients_count(clients), 6);
    gw_clients_destroy(&clients);
}

static void a_shadow_bucket_answers_but_refuses_nothing(void **state)
{
    (void)state;
    struct gw_clients *clients = table(1000);
    struct gw_bucket_query queries[] = { query_of(1, 1, ten_a_second),
                                         query_of(2, 1, (struct gw_bucket_rate) { 1, 1000000, 2 }) };
    queries[1].shadow = true;
    for (unsigned i = 0; i < 20; i++) {
        assert_true(gw_clients_take(clients, queries, 2, start));
        assert_int_equal(queries[1].answer.allowed, i < 2);
    }
    assert_false(gw_clients_take(clients, queries, 2, start));
    assert_true(gw_clients_take(clients, queries, 2, start + second));
    assert_true(queries[1].answer.allowed);
    assert_int_equal(queries[1].answer.remaining, 0);
    gw_clients_destroy(&clients);
}

static void a_late_instant_gives_nothing_away(void **state)
{
    (void)state;
    struct gw_clients *clients = table(1000);
    assert_int_equal(drain(clients, 1, 1, start), 20);
    for (unsigned i = 0; i < 1000; i++) {
        assert_false(takes(clients, 1, 1, start - second)); /* read its clock, then waited */
        assert_false(takes(clients, 1, 1, start));
    }
    gw_clients_destroy(&clients);
}

static void the_table_never_holds_more_than_its_bound(void **state)
{
    (void)state;
    static const unsigned bounds[] = { 16, 17, 100, 1000, 2048, 5003 };
    for (size_t i = 0; i < GW_COUNT(bounds); i++) {
        struct gw_clients *clients = table(bounds[i]);
        for (uint64_t client = 0; client < 20000; client++) {
            assert_true(takes(clients, 1, client, start));
            assert_true(client % 97 || gw_clients_count(clients) <= bounds[i]);
        }
        assert_int_equal(gw_clients_count(clients), bounds[i]); /* at one instant nothing is full again: all is used */
        gw_clients_destroy(&clients);
    }
}

static void a_bound_too_small_for_one_request_counts_as_the_least(void **state)
{
    (void)state;
    struct gw_clients *clients = table(0);
    for (uint64_t client = 0; client < 100; client++) {
        struct gw_bucket_query queries[GW_BUCKET_QUERIES_MOST];
        for (uint32_t policy = 0; policy < GW_BUCKET_QUERIES_MOST; policy++)
            queries[policy] = query_of(policy, client, ten_a_second);
        for (unsigned i = 0; i < 21; i++) /* one client's eight buckets fit side by side */
            assert_int_equal(gw_clients_take(clients, queries, GW_BUCKET_QUERIES_MOST, start), i < 20);
    }
    assert_int_equal(gw_clients_count(clients), GW_CLIENTS_LEAST);
    gw_clients_destroy(&clients);
}

static void full_buckets_are_replaced_before_memory_grows(void **state)
{
    (void)state;
    struct gw_clients *clients = table(100000);
    for (uint64_t client = 0; client < 100000; client++) /* ten new ones in the 100 ms until a bucket is full again */
        assert_true(takes(clients, 1, client, start + client * 10000));
    assert_true(gw_clients_count(clients) <= 64 * 8);
    gw_clients_destroy(&clients);
}

static void a_drained_client_stays_out_among_a_million_addresses(void **state)
{
    (void)state;
    struct gw_clients *clients = table(100000);
    unsigned admitted = 0;
    uint64_t now = start;
    for (uint64_t client = 1; client <= 1000000; client++) {
        now += 1; /* a million in a second */
        assert_true(takes(clients, 1, client, now));
        if (client % 500 == 0)
            admitted += drain(clients, 1, 0, now);
    }
    assert_true(admitted >= 20 + 9 && admitted <= 20 + 10);
    assert_true(gw_clients_count(clients) <= 100000);
    gw_clients_destroy(&clients);
}

static void a_forgotten_client_gets_a_burst_and_no_more(void **state)
{
    (void)state;
    struct gw_clients *clients = table(16);
    assert_int_equal(drain(clients, 1, 0, start), 20);
    for (uint64_t client = 1; client <= 100; client++)
        drain(clients, 1, client, start + client); /* all drained as it is: one nearest to full must leave */
    unsigned again = drain(clients, 1, 0, start + 101);
    assert_true(again == 0 || again == 20);
    assert_int_equal(drain(clients, 1, 0, start + 101), 0);
    gw_clients_destroy(&clients);
}

static int give_memory_back(void **state)
{
    (void)state;
    memory_is_out = false;
    return 0;
}

static void without_memory_known_clients_are_still_limited(void **state)
{
    (void)state;
    memory_is_out = true;
    struct gw_clients *clients = gw_clients_create(1000);
    assert_null(clients);
    gw_clients_destroy(&clients);

    memory_is_out = false;
    clients = table(1000);
    memory_is_out = true;
    assert_true(takes(clients, 1, 1, start)); /* no entry at all: answered, not remembered */
    assert_int_equal(gw_clients_count(clients), 0);

    memory_is_out = false;
    assert_int_equal(drain(clients, 1, 1, start), 20);
    memory_is_out = true;
    for (uint64_t client = 2; client < 100; client++)
        assert_true(takes(clients, 1, client, start)); /* the others' entries are used again */
    assert_false(takes(clients, 1, 1, start));
    assert_int_equal(gw_clients_count(clients), 8);
    gw_clients_destroy(&clients);
}

/* As a question does: reserved, answered by a bucket that is empty again at once. */
static bool asks_in_vain(struct gw_clients *clients, uint64_t client, uint64_t now_us)
{
    struct gw_bucket_query query = query_of(1, client, ten_a_second);
    if (!gw_clients_reserve(clients, &query, 1, now_us))
        return false;
    assert_true(query.is_asked);
    gw_clients_settle(clients, &query,
                      &(struct gw_client_settlement) {
                          .outcome = GW_BUCKET_NOT_TAKEN, .level = { now_us + 2 * second, 0 }, .sent_us = now_us },
                      now_us);
    return true;
}

static void a_bound_and_a_local_bucket_are_two_things(void **state)
{
    (void)state;
    struct gw_clients *clients = table(1000);
    assert_true(asks_in_vain(clients, 1, start));
    assert_false(asks_in_vain(clients, 1, start + 99999)); /* empty: a token each 100 ms */
    assert_true(asks_in_vain(clients, 1, start + 100000));
    assert_int_equal(drain(clients, 1, 1, start + 100000), 20);
    assert_true(asks_in_vain(clients, 1, start + 2 * second));
    assert_int_equal(gw_clients_count(clients), 1);
    gw_clients_destroy(&clients);
}

/* A reservation does not keep an entry, and an answer that comes too late for it settles nothing of the next one's. */
static void a_forgotten_reservation_does_no_harm(void **state)
{
    (void)state;
    struct gw_clients *clients = table(16);
    struct gw_bucket_query queries[20];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 20; i++) {
            queries[i] = query_of(1, 0, ten_a_second);
            assert_true(gw_clients_reserve(clients, &queries[i], 1, start + round));
        }
        assert_false(gw_clients_reserve(clients, &queries[0], 1, start + round));
        for (uint64_t client = 1; client <= 100; client++)
            drain(clients, 1, client, start + round);
        assert_true(asks_in_vain(clients, 0, start + round)); /* forgotten: asked once more */
        for (unsigned i = 0; i < 20; i++)
            gw_clients_settle(clients, &queries[i], &(struct gw_client_settlement) { .outcome = GW_BUCKET_LOST },
                              start + round);
        assert_false(asks_in_vain(clients, 0, start + round)); /* nothing was put back */
        for (uint64_t client = 101; client <= 200; client++)
            drain(clients, 1, client, start + round);
    }
    assert_int_equal(gw_clients_count(clients), 16);
    gw_clients_destroy(&clients);
}

static void what_is_charged_unseen_is_remembered(void **state)
{
    (void)state;
    struct gw_clients *clients = table(1000);
    struct gw_bucket_query query = query_of(1, 1, ten_a_second);
    for (unsigned i = 0; i < 30; i++) /* more than there is: as far as it goes */
        gw_clients_settle(clients, &query,
                          &(struct gw_client_settlement) { .outcome = GW_BUCKET_LOST, .is_charged = true }, start);
    assert_int_equal(drain(clients, 1, 1, start), 0);
    assert_int_equal(drain(clients, 1, 1, start + second), 10);
    query.always = true;
    assert_true(gw_clients_take(clients, &query, 1, start + second));
    assert_true(query.answer.allowed);
    assert_int_equal(query.answer.remaining, 0);
    gw_clients_destroy(&clients);
}

enum { THREADS = 4, ASKS_PER_THREAD = 20000, SHARED_CLIENTS = 40 };

struct crowd {
    struct gw_clients *clients;
    unsigned number;
    uint64_t admitted[SHARED_CLIENTS];
};

static const struct gw_bucket_rate own_rate = { 1, 3600000000, 700 }, route_rate = { 1, 3600000000, 9000 };

/* Each request takes from its client's bucket and from one that all share, named in either order. */
static void *hammer(void *context)
{
    struct crowd *crowd = context;
    for (unsigned i = 0; i < ASKS_PER_THREAD; i++) {
        unsigned client = (i * 7 + crowd->number) % SHARED_CLIENTS;
        struct gw_bucket_query own = query_of(1, client, own_rate), route = query_of(2, 0, route_rate);
        struct gw_bucket_query queries[] = { i % 2 ? own : route, i % 2 ? route : own };
        crowd->admitted[client] += gw_clients_take(crowd->clients, queries, 2, start - (i + crowd->number) % 3);
    }
    return NULL;
}

static void run_crowd(struct gw_clients *clients, void *(*body)(void *), struct crowd *crowds)
{
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd) { .clients = clients, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, body, &crowds[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void all_threads_together_are_admitted_exactly_the_burst(void **state)
{
    (void)state;
    struct crowd crowds[THREADS];
    struct gw_clients *clients = table(100000);
    run_crowd(clients, hammer, crowds);
    uint64_t total = 0;
    for (unsigned client = 0; client < SHARED_CLIENTS; client++) {
        uint64_t admitted = 0;
        for (unsigned i = 0; i < THREADS; i++)
            admitted += crowds[i].admitted[client];
        struct gw_bucket_query query = query_of(1, client, own_rate);
        query.cost = 700 - admitted; /* what must be left, to the token: a refused request took nothing here */
        assert_true(admitted <= 700);
        assert_true(gw_clients_take(clients, &query, 1, start));
        assert_int_equal(query.answer.remaining, 0);
        total += admitted;
    }
    assert_int_equal(total, 9000);
    assert_int_equal(gw_clients_count(clients), SHARED_CLIENTS + 1);
    gw_clients_destroy(&clients);
}

/* Every thread comes with addresses of its own, and one that all share. */
static void *crowd_in(void *context)
{
    struct crowd *crowd = context;
    for (uint64_t i = 0; i < ASKS_PER_THREAD; i++) {
        takes(crowd->clients, 1, (i + 1) << 8 | crowd->number, start);
        crowd->admitted[0] += i % 16 == 0 && takes(crowd->clients, 1, 0, start);
    }
    return NULL;
}

static void a_bounded_table_stays_exact_while_threads_crowd_it(void **state)
{
    (void)state;
    struct crowd crowds[THREADS];
    struct gw_clients *clients = table(5000);
    run_crowd(clients, crowd_in, crowds);
    uint64_t admitted = 0;
    for (unsigned i = 0; i < THREADS; i++)
        admitted += crowds[i].admitted[0];
    assert_int_equal(admitted, 20);
    assert_int_equal(gw_clients_count(clients), 5000);
    gw_clients_destroy(&clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_and_each_policy_has_a_bucket_of_its_own),
        cmocka_unit_test(keys_of_any_length_are_told_apart),
        cmocka_unit_test(what_one_bucket_refuses_is_taken_from_none),
        cmocka_unit_test(a_refused_request_leaves_no_entry_behind),
        cmocka_unit_test(a_shadow_bucket_answers_but_refuses_nothing),
        cmocka_unit_test(a_late_instant_gives_nothing_away),
        cmocka_unit_test(the_table_never_holds_more_than_its_bound),
        cmocka_unit_test(a_bound_too_small_for_one_request_counts_as_the_least),
        cmocka_unit_test(full_buckets_are_replaced_before_memory_grows),
        cmocka_unit_test(a_drained_client_stays_out_among_a_million_addresses),
        cmocka_unit_test(a_forgotten_client_gets_a_burst_and_no_more),
        cmocka_unit_test_teardown(without_memory_known_clients_are_still_limited, give_memory_back),
        cmocka_unit_test(a_bound_and_a_local_bucket_are_two_things),
        cmocka_unit_test(a_forgotten_reservation_does_no_harm),
        cmocka_unit_test(what_is_charged_unseen_is_remembered),
        cmocka_unit_test(all_threads_together_are_admitted_exactly_the_burst),
        cmocka_unit_test(a_bounded_table_stays_exact_while_threads_crowd_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
