#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "cache/last_refusals.h"

enum { SECOND_US = 1000000 };
static struct gw_last_refusals last;

static struct gw_cache_key key_of(uint8_t place, uint8_t mark, uint8_t host)
{
    struct gw_cache_key key = { .sha = { place, 0, 0, 0, mark }, .name_space = { 0, 0, 0, 0, host } };
    return key;
}

static enum gw_cache_refusal get(const struct gw_cache_key *key, uint64_t now_us, uint64_t *ago_s)
{
    return gw_last_refusals_get(&last, key, now_us, ago_s);
}

static void the_last_reason_is_remembered_with_its_time(void **state)
{
    const struct gw_cache_key key = key_of(1, 2, 3), other = key_of(2, 2, 3);
    uint64_t ago_s;
    (void)state;
    assert_int_equal(get(&key, 0, &ago_s), GW_CACHE_STORABLE);
    gw_last_refusals_note(&last, &key, GW_CACHE_PRIVATE, 5 * SECOND_US);
    gw_last_refusals_note(&last, &key, GW_CACHE_SET_COOKIE, 7 * SECOND_US);
    gw_last_refusals_note(&last, &other, GW_CACHE_STATUS, 9 * SECOND_US);
    assert_int_equal(get(&key, 10 * SECOND_US, &ago_s), GW_CACHE_SET_COOKIE);
    assert_int_equal(ago_s, 3);
    gw_last_refusals_remove(&last, &key);
    assert_int_equal(get(&key, 10 * SECOND_US, &ago_s), GW_CACHE_STORABLE);
    assert_int_equal(get(&other, 10 * SECOND_US, &ago_s), GW_CACHE_STATUS);
}

static void a_url_that_takes_anothers_place_takes_it_whole(void **state)
{
    const struct gw_cache_key first = key_of(5, 1, 1), second = key_of(5, 2, 1), host = key_of(5, 2, 9);
    uint64_t ago_s;
    (void)state;
    gw_last_refusals_note(&last, &first, GW_CACHE_PRIVATE, SECOND_US);
    gw_last_refusals_remove(&last, &second); /* another's */
    assert_int_equal(get(&first, SECOND_US, &ago_s), GW_CACHE_PRIVATE);
    gw_last_refusals_note(&last, &second, GW_CACHE_NO_STORE, SECOND_US);
    assert_int_equal(get(&first, SECOND_US, &ago_s), GW_CACHE_STORABLE);
    assert_int_equal(get(&second, SECOND_US, &ago_s), GW_CACHE_NO_STORE);
    assert_int_equal(get(&host, SECOND_US, &ago_s), GW_CACHE_STORABLE);
}

static void a_clock_of_many_days_wraps(void **state)
{
    const struct gw_cache_key key = key_of(7, 1, 1);
    uint64_t ago_s, memory_cache_end_us = ((UINT64_C(1) << 24) - 2) * SECOND_US;
    (void)state;
    gw_last_refusals_note(&last, &key, GW_CACHE_UNPARSABLE, memory_cache_end_us);
    assert_int_equal(get(&key, memory_cache_end_us + 5 * SECOND_US, &ago_s), GW_CACHE_UNPARSABLE);
    assert_int_equal(ago_s, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_reason_is_remembered_with_its_time),
        cmocka_unit_test(a_url_that_takes_anothers_place_takes_it_whole),
        cmocka_unit_test(a_clock_of_many_days_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
