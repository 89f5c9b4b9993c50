#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "base/base.h"
#include "base/counter.h"
#include "base/list.h"

enum { TIMES = 20000, THREADS = 4 };

struct counters {
    gw_counter own, shared;
};

static void *count_shared(void *context)
{
    struct counters *counters = context;
    for (int i = 0; i < TIMES; i++)
        gw_counter_add_shared(&counters->shared, 1);
    return NULL;
}

static void *count_own(void *context)
{
    struct counters *counters = context;
    for (int i = 0; i < TIMES; i++) {
        gw_counter_add(&counters->own, 3);
        gw_counter_subtract(&counters->own, 2);
    }
    return NULL;
}

static void a_counter_of_one_thread_is_read_by_another_and_never_goes_back(void **state)
{
    (void)state;
    struct counters counters = { 0 };
    pthread_t writer;
    uint64_t last = 0;
    assert_int_equal(pthread_create(&writer, NULL, count_own, &counters), 0);
    while (last < TIMES) {
        uint64_t now = gw_counter_read(&counters.own);
        assert_true(now + 2 >= last); /* between a step up by 3 and one down by 2 */
        assert_true(now <= TIMES + 2);
        last = now > last ? now : last;
        if (now == TIMES)
            break;
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(gw_counter_read(&counters.own), TIMES);
}

static void a_shared_counter_misses_nothing_of_many_threads(void **state)
{
    (void)state;
    struct counters counters = { 0 };
    pthread_t writers[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, count_shared, &counters), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    assert_int_equal(gw_counter_read(&counters.shared), TIMES * THREADS);
}

struct member {
    struct gw_list link;
    int number;
};

static void a_ring_keeps_its_order_and_forgets_a_removed_member(void **state)
{
    (void)state;
    struct gw_list list;
    struct member members[4] = { { .number = 1 }, { .number = 2 }, { .number = 3 }, { .number = 4 } };
    int expected[] = { 4, 2, 3 }, at = 0;
    gw_list_init(&list);
    assert_true(gw_list_is_empty(&list));
    for (int i = 0; i < 3; i++)
        gw_list_push_back(&list, &members[i].link);
    gw_list_push_front(&list, &members[3].link);
    gw_list_remove(&members[0].link);
    gw_list_remove(&members[0].link); /* does no harm */
    gw_list_each(link, &list) assert_int_equal(GW_CONTAINER(link, struct member, link)->number, expected[at++]);
    assert_int_equal(at, 3);
    gw_list_each_safe(link, &list) gw_list_remove(link);
    assert_true(gw_list_is_empty(&list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_of_one_thread_is_read_by_another_and_never_goes_back),
        cmocka_unit_test(a_shared_counter_misses_nothing_of_many_threads),
        cmocka_unit_test(a_ring_keeps_its_order_and_forgets_a_removed_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
