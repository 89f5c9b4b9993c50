#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base.h"
#include "store/instances.h"

static void more_are_believed_at_once_and_fewer_after_two_minutes(void **state)
{
    enum { S = 1000000 };
    static const struct {
        uint64_t at_us;
        unsigned count, believed;
        bool is_more;
    } rows[] = {
        { 0, 1, 1, false },       { 1 * S, 3, 3, true },        { 2 * S, 2, 3, false }, /* from here on fewer */
        { 62 * S, 1, 3, false },  { 122 * S - 1, 2, 3, false }, /* a microsecond short of two minutes */
        { 122 * S, 2, 2, false }, { 123 * S, 1, 2, false },     { 200 * S, 2, 2, false }, /* all are back: the two minutes begin anew */
        { 250 * S, 1, 2, false }, { 369 * S, 1, 2, false },     { 370 * S, 1, 1, false }, { 371 * S, 5, 5, true },
        { 372 * S, 4, 5, false }, { 373 * S, 6, 6, true }, /* a higher count ends the wait, too */
        { 500 * S, 4, 6, false }, { 620 * S, 4, 4, false },
    };
    struct gw_instances counted = { .believed = 1 };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        assert_int_equal(gw_instances_take(&counted, rows[i].count, rows[i].at_us), rows[i].is_more);
        assert_int_equal(counted.believed, rows[i].believed);
    }
}

/* expected_instances is the number before the first count: a lower number of live instances is no reason for larger
 * shares. */
static void fewer_than_expected_are_not_believed_at_once_either(void **state)
{
    struct gw_instances counted = { .believed = 7 };
    (void)state;
    assert_false(gw_instances_take(&counted, 2, 0));
    assert_int_equal(counted.believed, 7);
    assert_false(gw_instances_take(&counted, 2, GW_INSTANCES_FEWER_AFTER_US + 1));
    assert_int_equal(counted.believed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_are_believed_at_once_and_fewer_after_two_minutes),
        cmocka_unit_test(fewer_than_expected_are_not_believed_at_once_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
