#include "unit/cache/heads.h"
#include "cache/vary_hints.h"

static struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 9 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

static void assert_remembers(const struct gw_vary_hints *hints, unsigned number, const char *expected)
{
    struct gw_cache_key key = key_of(number);
    struct gw_slice names;
    bool is_known = gw_vary_hints_get(hints, &key, &names);
    assert_int_equal(is_known, expected != NULL);
    if (expected)
        assert_true(gw_slice_equal(names, gw_slice_of_string(expected)));
}

static void put(struct gw_vary_hints *hints, unsigned number, const char *names)
{
    struct gw_cache_key key = key_of(number);
    gw_vary_hints_put(hints, &key, gw_slice_of_string(names));
}

static void forget(struct gw_vary_hints *hints, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    gw_vary_hints_remove(hints, &key);
}

static void what_was_put_last_is_remembered_until_it_is_forgotten(void **state)
{
    struct gw_vary_hints *hints = gw_vary_hints_create();
    (void)state;
    assert_non_null(hints);
    assert_remembers(hints, 0, NULL);
    put(hints, 0, "accept");
    put(hints, 1, "");
    assert_remembers(hints, 0, "accept");
    assert_remembers(hints, 1, ""); /* of side fields alone: not the same as nothing */
    put(hints, 0, "accept,accept-language");
    assert_remembers(hints, 0, "accept,accept-language");
    forget(hints, 0);
    assert_remembers(hints, 0, NULL);
    assert_remembers(hints, 1, "");
    gw_vary_hints_destroy(&hints);
    assert_null(hints);
}

static void names_that_are_too_long_are_not_remembered(void **state)
{
    struct gw_vary_hints *hints = gw_vary_hints_create();
    char names[GW_VARY_HINTS_NAMES_BYTES + 2];
    (void)state;
    assert_non_null(hints);
    memset(names, 'a', sizeof names);
    names[GW_VARY_HINTS_NAMES_BYTES + 1] = '\0';
    put(hints, 0, "accept");
    put(hints, 0, names);
    assert_remembers(hints, 0, NULL);
    names[GW_VARY_HINTS_NAMES_BYTES] = '\0';
    put(hints, 0, names);
    assert_remembers(hints, 0, names);
    gw_vary_hints_destroy(&hints);
}

static void a_place_that_is_taken_is_not_another_s(void **state)
{
    struct gw_vary_hints *hints = gw_vary_hints_create();
    (void)state;
    assert_non_null(hints);
    put(hints, 5, "accept");
    put(hints, 5 + GW_VARY_HINTS_SLOTS, "cookie");
    assert_remembers(hints, 5, NULL);
    forget(hints, 5);
    assert_remembers(hints, 5 + GW_VARY_HINTS_SLOTS, "cookie");
    gw_vary_hints_destroy(&hints);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_last_is_remembered_until_it_is_forgotten),
        cmocka_unit_test(names_that_are_too_long_are_not_remembered),
        cmocka_unit_test(a_place_that_is_taken_is_not_another_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
