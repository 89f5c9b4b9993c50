#include "unit/cache/heads.h"
#include "cache/vary.h"

static void a_selection_matches_requests_with_the_same_fields(void **state)
{
    static const struct row {
        const char *vary, *stored, *asking;
        bool matches;
    } rows[] = {
        /* RFC 9111 §4.1 */
        { "", "Accept: a", "Accept: b", true },
        { "Vary: Accept", "Accept: a", "Accept: a", true },
        { "Vary: Accept", "Accept: a", "Accept: A", false },
        { "Vary: accept", "ACCEPT: a", "Accept:   a ", true },
        { "Vary: Accept", "Accept: a", "", false },
        { "Vary: Accept", "", "Accept: a", false },
        { "Vary: Accept", "", "", true },         /* absent equals absent, */
        { "Vary: Accept", "", "Accept:", false }, /* and nothing else */
        { "Vary: Accept", "Accept:", "", false },
        { "Vary: Accept", "Accept:", "Accept:", true },
        { "Vary: Accept", "Accept: a\nAccept: b", "Accept: a, b", true },
        { "Vary: Accept", "Accept: a, b", "Accept: a\nX: y\nAccept: b", true },
        { "Vary: Accept", "Accept: a, b", "Accept: a", false },
        { "Vary: Accept", "Accept: a", "Accept: a\nAccept: b", false },
        { "Vary: Accept", "Accept: a, b", "Accept: a, \nAccept: b", false },
        { "Vary: Accept", "Accept: ab", "Accept: a", false },
        { "Vary: Accept", "Accept: a", "Accept: ab", false },
        { "Vary: Accept, X-Plan", "Accept: a\nX-Plan: gold", "X-Plan: gold\nAccept: a", true },
        { "Vary: Accept, X-Plan", "Accept: a\nX-Plan: gold", "Accept: a\nX-Plan: free", false },
        { "Vary: Accept\nVary: X-Plan", "X-Plan: gold", "X-Plan: free", false },
        { "Vary: X-Plan", "X-Plan: gold", "x-plan: gold\nX-Plane: free", true },
        { "Vary: Cookie", "", "Cookie: id=1", false },
        /* side fields select by themselves */
        { "", "", "X-Original-URL: /admin", false },
        { "", "X-Original-URL: /admin", "", false },
        { "", "X-Original-URL: /admin", "X-Original-URL: /admin", true },
        { "", "X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /b", false },
        { "", "X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /a\nX-Forwarded-Host: evil", false },
        { "", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", true },
        { "Vary: X-Forwarded-Proto", "X-Forwarded-Proto: https", "X-Forwarded-Proto: https", true },
        { "Vary: X-Forwarded-Proto", "X-Forwarded-Proto: https", "", false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_head selection;
        open_arena(&arena);
        struct gw_head response = response_head(&arena, 200, rows[i].vary);
        struct gw_head stored = request_head(&arena, "GET", rows[i].stored);
        struct gw_head asking = request_head(&arena, "GET", rows[i].asking);
        assert_true(gw_vary_select(&selection, &arena, &stored, &response));
        assert_true(gw_vary_matches(&selection, &stored, gw_vary_has_side_fields(&stored)));
        if (gw_vary_matches(&selection, &asking, gw_vary_has_side_fields(&asking)) != rows[i].matches)
            fail_msg("row %zu: %s | %s | %s", i, rows[i].vary, rows[i].stored, rows[i].asking);
        gw_arena_free(&arena);
    }
}

static void some_vary_never_matches(void **state)
{
    static const struct row {
        const char *fields;
        bool is_any;
    } rows[] = {
        { "", false },
        { "Vary:", false },
        { "Vary: Accept, Origin", false },
        { "Vary: Host, X-Forwarded-Proto", false },
        { "Vary: *", true },
        { "Vary: Accept, *", true },
        { "Vary: Accept\nVary: *", true },
        { "Vary: Accept Origin", true },
        { "Vary: \"Accept\"", true },
        { "Vary: X-Forwarded-For", true },
        { "Vary: x-real-ip", true },
        { "Vary: Accept, via", true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_head response = response_head(&arena, 200, rows[i].fields);
        if (gw_vary_is_any(&response) != rows[i].is_any)
            fail_msg("row %zu: %s", i, rows[i].fields);
        gw_arena_free(&arena);
    }
}

static void a_dropped_field_is_absent(void **state)
{
    struct gw_arena arena;
    struct gw_head selection;
    (void)state;
    open_arena(&arena);
    struct gw_head response = response_head(&arena, 200, "Vary: Accept");
    struct gw_head without = request_head(&arena, "GET", "");
    struct gw_head with = request_head(&arena, "GET", "Accept: a");
    gw_head_drop(&with, GW_FIELD_ACCEPT);
    assert_true(gw_vary_select(&selection, &arena, &with, &response));
    assert_int_equal(selection.count, 1);
    assert_null(selection.fields[0].value.at);
    assert_true(gw_vary_matches(&selection, &without, false));
    gw_arena_free(&arena);
}

static void selections_of_the_same_names_and_values_are_the_same(void **state)
{
    struct gw_arena arena;
    struct gw_head selections[4];
    static const char *const requests[] = { "Accept: a", "Accept: b", "", "Accept: a" };
    (void)state;
    open_arena(&arena);
    struct gw_head response = response_head(&arena, 200, "Vary: Accept");
    struct gw_head by_two = response_head(&arena, 200, "Vary: Accept, X-Plan");
    for (size_t i = 0; i < 4; i++) {
        struct gw_head request = request_head(&arena, "GET", requests[i]);
        assert_true(gw_vary_select(&selections[i], &arena, &request, &response));
    }
    assert_false(gw_vary_same(&selections[0], &selections[1]));
    assert_false(gw_vary_same(&selections[0], &selections[2]));
    assert_true(gw_vary_same(&selections[0], &selections[3]));
    assert_true(gw_vary_same_names(&selections[0], 1, &selections[1], 1));
    struct gw_head wider, request = request_head(&arena, "GET", "Accept: a");
    assert_true(gw_vary_select(&wider, &arena, &request, &by_two));
    assert_false(gw_vary_same_names(&selections[0], 1, &wider, 2));
    assert_false(gw_vary_same(&selections[0], &wider));
    gw_arena_free(&arena);
}

static void a_selection_past_the_bound_fails(void **state)
{
    struct gw_arena arena, small;
    struct gw_head selection;
    (void)state;
    open_arena(&arena);
    gw_arena_init(&small, 64, 0);
    struct gw_head response = response_head(&arena, 200, "Vary: Accept, Accept-Encoding, Origin");
    struct gw_head request = request_head(&arena, "GET", "Accept: a");
    assert_false(gw_vary_select(&selection, &small, &request, &response));
    gw_arena_free(&small);
    gw_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_selection_matches_requests_with_the_same_fields),
        cmocka_unit_test(some_vary_never_matches),
        cmocka_unit_test(a_dropped_field_is_absent),
        cmocka_unit_test(selections_of_the_same_names_and_values_are_the_same),
        cmocka_unit_test(a_selection_past_the_bound_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
