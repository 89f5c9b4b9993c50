#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/descriptors.h"

static void clients_and_backends_share_what_is_left(void **state)
{
    static const struct {
        unsigned allowed;
        struct gw_descriptors_need need;
        bool is_enough;
        unsigned clients, upstream, kept;
    } rows[] = {
        /* allowed, reserved, clients, upstream → enough, clients, upstream, kept */
        { 1000000, { 100, 20000, 4096 }, true, 20000, 979900, UINT_MAX }, /* more than enough: backends have the rest */
        { 24196, { 100, 20000, 4096 }, true, 20000, 4096, UINT_MAX },     /* just enough */
        { 24195, { 100, 20000, 4096 }, true, 19999, 4096, UINT_MAX },
        { 1000000, { 100, 3000, 1000000 }, true, 3000, 996900, 993900 },
        { 1024, { 64, 20000, 4096 }, true, 412, 548, 136 },  /* too little: 3 : 4, a quarter of these idle */
        { 256, { 56, 20000, 10 }, true, 190, 10, UINT_MAX }, /* backends never need more */
        { 256, { 56, 50, 4096 }, true, 50, 150, 100 },
        { 72, { 64, 20000, 4096 }, true, 4, 4, 1 },
        { 71, { 64, 20000, 4096 }, false, 0, 0, 0 },
        { 10, { 64, 20000, 4096 }, false, 0, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_descriptors descriptors = { .clients_most = 0 };
        assert_int_equal(gw_descriptors_share(&descriptors, rows[i].allowed, &rows[i].need), rows[i].is_enough);
        assert_int_equal(descriptors.clients_most, rows[i].clients);
        assert_int_equal(descriptors.upstream_most, rows[i].upstream);
        assert_int_equal(descriptors.kept_most, rows[i].kept);
    }
}

static void with_enough_descriptors_no_client_waits(void **state)
{
    static const struct gw_descriptors_need needs[] = { { 100, 20000, 4096 }, { 60, 300, 1000000 }, { 60, 1, 1 } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(needs); i++) {
        struct gw_descriptors descriptors = { .clients_most = 0 };
        unsigned enough = (unsigned)gw_descriptors_enough(&needs[i]);
        if (!gw_descriptors_share(&descriptors, enough, &needs[i]))
            continue; /* fewer than any process may have */
        assert_int_equal(descriptors.clients_most, needs[i].clients);
        if (gw_descriptors_share(&descriptors, enough - 8, &needs[i]))
            assert_true(descriptors.clients_most < needs[i].clients);
    }
}

static void connections_to_backends_are_counted(void **state)
{
    struct gw_descriptors descriptors = { .upstream_most = 16, .kept_most = 2 };
    (void)state;
    for (unsigned i = 0; i < 16; i++)
        assert_true(gw_descriptors_enter(&descriptors));
    assert_true(gw_descriptors_are_out(&descriptors));
    assert_false(gw_descriptors_enter(&descriptors));
    gw_descriptors_leave(&descriptors);
    assert_true(gw_descriptors_enter(&descriptors));
    assert_true(gw_descriptors_enter(NULL)); /* no bound */
}

static void idle_ones_are_counted_where_they_are_bounded(void **state)
{
    struct gw_descriptors few = { .kept_most = 2 }, many = { .kept_most = UINT_MAX };
    (void)state;
    gw_descriptors_add_kept(&few, 2);
    assert_false(gw_descriptors_may_keep(&few));
    gw_descriptors_add_kept(&few, -1);
    assert_true(gw_descriptors_may_keep(&few));
    gw_descriptors_add_kept(&many, 1000);
    assert_true(gw_descriptors_may_keep(&many));
    assert_true(gw_descriptors_may_keep(NULL));
}

static void the_process_knows_its_own(void **state)
{
    (void)state;
    unsigned open_now = gw_descriptors_count();
    assert_true(open_now >= 3);
    assert_true(gw_descriptors_raise() > open_now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_and_backends_share_what_is_left),
        cmocka_unit_test(with_enough_descriptors_no_client_waits),
        cmocka_unit_test(idle_ones_are_counted_where_they_are_bounded),
        cmocka_unit_test(connections_to_backends_are_counted),
        cmocka_unit_test(the_process_knows_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
