#include "unit/cache/heads.h"
#include "cache/memo.h"

static struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 9 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

static void assert_remembers(const struct gw_memo *memo, unsigned number, const char *expected)
{
    struct gw_cache_key key = key_of(number);
    struct gw_slice names;
    bool is_known = gw_memo_get(memo, &key, &names);
    assert_int_equal(is_known, expected != NULL);
    if (expected)
        assert_true(gw_slice_equal(names, gw_slice_of_string(expected)));
}

static void put(struct gw_memo *memo, unsigned number, const char *names)
{
    struct gw_cache_key key = key_of(number);
    gw_memo_put(memo, &key, gw_slice_of_string(names));
}

static void forget(struct gw_memo *memo, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    gw_memo_forget(memo, &key);
}

static void what_was_put_last_is_remembered_until_it_is_forgotten(void **state)
{
    struct gw_memo *memo = gw_memo_create();
    (void)state;
    assert_non_null(memo);
    assert_remembers(memo, 0, NULL);
    put(memo, 0, "accept");
    put(memo, 1, "");
    assert_remembers(memo, 0, "accept");
    assert_remembers(memo, 1, ""); /* of side fields alone: not the same as nothing */
    put(memo, 0, "accept,accept-language");
    assert_remembers(memo, 0, "accept,accept-language");
    forget(memo, 0);
    assert_remembers(memo, 0, NULL);
    assert_remembers(memo, 1, "");
    gw_memo_destroy(&memo);
    assert_null(memo);
}

static void names_that_are_too_long_are_not_remembered(void **state)
{
    struct gw_memo *memo = gw_memo_create();
    char names[GW_MEMO_NAMES_BYTES + 2];
    (void)state;
    assert_non_null(memo);
    memset(names, 'a', sizeof names);
    names[GW_MEMO_NAMES_BYTES + 1] = '\0';
    put(memo, 0, "accept");
    put(memo, 0, names);
    assert_remembers(memo, 0, NULL);
    names[GW_MEMO_NAMES_BYTES] = '\0';
    put(memo, 0, names);
    assert_remembers(memo, 0, names);
    gw_memo_destroy(&memo);
}

static void a_place_that_is_taken_is_not_another_s(void **state)
{
    struct gw_memo *memo = gw_memo_create();
    (void)state;
    assert_non_null(memo);
    put(memo, 5, "accept");
    put(memo, 5 + GW_MEMO_SLOTS, "cookie");
    assert_remembers(memo, 5, NULL);
    forget(memo, 5);
    assert_remembers(memo, 5 + GW_MEMO_SLOTS, "cookie");
    gw_memo_destroy(&memo);
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
