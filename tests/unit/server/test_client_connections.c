#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include "server/client_connections.h"

static struct gw_address address_of(uint32_t number)
{
    struct gw_address address = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } };
    memcpy(address.bytes + 12, &number, 4);
    return address;
}

static void an_address_opens_as_many_as_it_may(void **state)
{
    (void)state;
    struct gw_client_connections *client_connections = gw_client_connections_create(3);
    struct gw_address one = address_of(1), two = address_of(2);
    for (int i = 0; i < 3; i++)
        assert_true(gw_client_connections_enter(client_connections, &one));
    assert_false(gw_client_connections_enter(client_connections, &one));
    assert_true(gw_client_connections_enter(client_connections, &two)); /* each its own */
    gw_client_connections_leave(client_connections, &one);
    assert_true(gw_client_connections_enter(client_connections, &one));
    assert_false(gw_client_connections_enter(client_connections, &one));
    for (int i = 0; i < 3; i++)
        gw_client_connections_leave(client_connections, &one);
    gw_client_connections_leave(client_connections, &two);
    for (int i = 0; i < 3; i++) /* forgotten: all three again */
        assert_true(gw_client_connections_enter(client_connections, &one));
    gw_client_connections_destroy(&client_connections);
    assert_null(client_connections);
    gw_client_connections_destroy(&client_connections);
}

static void an_address_that_was_refused_or_never_came_may_leave_without_harm(void **state)
{
    (void)state;
    struct gw_client_connections *client_connections = gw_client_connections_create(1);
    struct gw_address one = address_of(1);
    gw_client_connections_leave(client_connections, &one);
    assert_true(gw_client_connections_enter(client_connections, &one));
    assert_false(gw_client_connections_enter(client_connections, &one));
    gw_client_connections_leave(client_connections, &one);
    assert_true(gw_client_connections_enter(client_connections, &one));
    gw_client_connections_leave(client_connections, &one);
    gw_client_connections_destroy(&client_connections);
}

static void many_addresses_are_told_apart(void **state)
{
    enum { ADDRESSES = 20000 }; /* several in each slot */
    (void)state;
    struct gw_client_connections *client_connections = gw_client_connections_create(2);
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < ADDRESSES; i++) {
            struct gw_address address = address_of(i * 2654435761u);
            assert_true(gw_client_connections_enter(client_connections, &address));
        }
    for (uint32_t i = 0; i < ADDRESSES; i += 3) {
        struct gw_address address = address_of(i * 2654435761u);
        assert_false(gw_client_connections_enter(client_connections, &address));
        gw_client_connections_leave(client_connections, &address);
        gw_client_connections_leave(client_connections, &address);
    }
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        struct gw_address address = address_of(i * 2654435761u);
        assert_int_equal(gw_client_connections_enter(client_connections, &address), i % 3 == 0);
    }
    gw_client_connections_destroy(&client_connections);
}

enum { THREADS = 4, MOST = 5, TIMES = 3000 };

struct crowd {
    struct gw_client_connections *client_connections;
    atomic_int open, entered;
    atomic_bool too_many;
};

static void *come_and_go(void *context)
{
    struct crowd *crowd = context;
    struct gw_address address = address_of(7);
    for (int i = 0; i < TIMES; i++) {
        int held = 0;
        for (int n = 0; n < 3; n++) {
            if (!gw_client_connections_enter(crowd->client_connections, &address))
                continue;
            held++;
            atomic_fetch_add(&crowd->entered, 1);
            if (atomic_fetch_add(&crowd->open, 1) >= MOST)
                atomic_store(&crowd->too_many, true);
        }
        while (held--) {
            atomic_fetch_sub(&crowd->open, 1);
            gw_client_connections_leave(crowd->client_connections, &address);
        }
    }
    return NULL;
}

static void all_threads_together_open_as_many_as_one_address_may(void **state)
{
    (void)state;
    struct crowd crowd = { .client_connections = gw_client_connections_create(MOST) };
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(atomic_load(&crowd.too_many));
    assert_true(atomic_load(&crowd.entered) >= TIMES);
    struct gw_address address = address_of(7);
    for (int i = 0; i < MOST; i++) /* and none was lost */
        assert_true(gw_client_connections_enter(crowd.client_connections, &address));
    assert_false(gw_client_connections_enter(crowd.client_connections, &address));
    gw_client_connections_destroy(&crowd.client_connections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_opens_as_many_as_it_may),
        cmocka_unit_test(an_address_that_was_refused_or_never_came_may_leave_without_harm),
        cmocka_unit_test(many_addresses_are_told_apart),
        cmocka_unit_test(all_threads_together_open_as_many_as_one_address_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
