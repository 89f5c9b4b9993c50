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
        { "Vary: Accept", "Accept: a, b", "Accept: a, \nAccept: b", false }, /* the backend may see the difference */
        { "Vary: X-Plan", "X-Plan: a, b", "X-Plan: a, \nX-Plan: b", false },
        { "Vary: Accept", "Accept: ab", "Accept: a", false },
        { "Vary: Accept", "Accept: a", "Accept: ab", false },
        { "Vary: Accept, X-Plan", "Accept: a\nX-Plan: gold", "X-Plan: gold\nAccept: a", true },
        { "Content-Encoding: gzip", "Accept-Encoding: gzip", "Accept-Encoding: gzip", true }, /* not in Vary */
        { "Content-Encoding: gzip", "Accept-Encoding: gzip", "Accept-Encoding: identity", false },
        { "Content-Encoding: gzip", "Accept-Encoding: gzip", "", false },
        { "Content-Encoding: gzip\nVary: Accept", "Accept-Encoding: gzip", "Accept-Encoding: br", false },
        { "Content-Encoding: gzip\nVary: accept-encoding", "Accept-Encoding: gzip", "Accept-Encoding: gzip", true },
        { "X-Plan: gold", "Accept-Encoding: gzip", "Accept-Encoding: identity", true },
        { "Vary: Accept, X-Plan", "Accept: a\nX-Plan: gold", "Accept: a\nX-Plan: free", false },
        { "Vary: Accept\nVary: X-Plan", "X-Plan: gold", "X-Plan: free", false },
        { "Vary: X-Plan", "X-Plan: gold", "x-plan: gold\nX-Plane: free", true },
        { "Vary: Cookie", "", "Cookie: id=1", false },
        { "Vary: , Accept,,accept ,", "Accept: a", "Accept: a", true },
        { "Vary: , Accept,,accept ,", "Accept: a", "Accept: b", false },
        /* as it came: so the backend sees it */
        { "Vary: Accept", "Accept: a, b", "Accept: a,b", false },
        { "Vary: Accept", "Accept: a;q=1", "Accept: a; q=1", false },
        { "Vary: X-Plan", "X-Plan: a, b", "X-Plan: a,b", false },
        { "Vary: Accept-Charset", "Accept-Charset: utf-8", "Accept-Charset: UTF-8", false },
        { "Vary: Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: br, gzip", false },
        { "Vary: Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: gzip, br", true },
        { "Vary: Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: gzip, br;q=0.5", false },
        { "Vary: Accept-Encoding", "Accept-Encoding: gzip", "Accept-Encoding: identity", false },
        { "Vary: Accept-Encoding", "Accept-Encoding:", "", false },
        { "Vary: Accept-Language", "Accept-Language: de, en", "Accept-Language: DE, EN", false },
        { "Vary: Accept-Language", "Accept-Language: de, en", "Accept-Language: en, de", false },
        { "Vary: User-Agent", "User-Agent: a (b, c)", "User-Agent: a (b,c)", false },
        /* side fields select by themselves */
        { "", "", "X-Original-URL: /admin", false },
        { "", "X-Original-URL: /admin", "", false },
        { "", "X-Original-URL: /admin", "X-Original-URL: /admin", true },
        { "", "X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /b", false },
        { "", "X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /a\nX-Forwarded-Host: evil", false },
        { "", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", true },
        { "Vary: X-Forwarded-Proto", "X-Forwarded-Proto: https", "X-Forwarded-Proto: https", true },
        { "Vary: X-Forwarded-Proto", "X-Forwarded-Proto: https", "", false },
        { "Vary: X-Forwarded-Proto", "", "X-Forwarded-Proto: https", false },
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

static void origin_selects_by_itself_where_that_is_wanted(void **state)
{
    static const struct row {
        const char *vary, *stored, *asking;
        bool matches, matches_else; /* where it is not wanted */
    } rows[] = {
        { "", "", "", true, true },
        { "", "Origin: a", "Origin: a", true, true },
        { "", "Origin: a", "Origin: b", false, true },
        { "", "Origin: a", "", false, true },
        { "", "", "Origin: a", false, true },
        { "Vary: Origin", "Origin: a", "Origin: a", true, true },
        { "Vary: Origin", "Origin: a", "Origin: b", false, false },
        { "Vary: Origin", "", "Origin: a", false, false },
        { "Vary: Origin", "", "", true, true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        for (int wanted = 0; wanted < 2; wanted++) {
            struct gw_arena arena;
            struct gw_head selection;
            open_arena(&arena);
            struct gw_head response = response_head(&arena, 200, rows[i].vary);
            struct gw_head stored = request_head(&arena, "GET", rows[i].stored);
            struct gw_head asking = request_head(&arena, "GET", rows[i].asking);
            stored.origin_selects = asking.origin_selects = wanted;
            assert_true(gw_vary_select(&selection, &arena, &stored, &response));
            bool expected = wanted ? rows[i].matches : rows[i].matches_else;
            if (gw_vary_matches(&selection, &asking, gw_vary_has_side_fields(&asking)) != expected)
                fail_msg("row %zu, %d: %s | %s | %s", i, wanted, rows[i].vary, rows[i].stored, rows[i].asking);
            /* whatever Vary says: the answers of a URL are variants by one set of names */
            assert_int_equal(gw_vary_measure(&stored, &response).named, !wanted && rows[i].vary[0]);
            gw_arena_free(&arena);
        }
}

static void a_long_value_matches_itself_alone(void **state)
{
    enum { LONG = 1024 };
    static const struct row {
        size_t bytes;
        const char *stored, *asking; /* what comes behind the bytes */
        bool matches;
    } rows[] = {
        { LONG, ", b", ", b", true },   { LONG, ", b", "\nAccept: b", true },
        { LONG, ", b", ",b", false },   { LONG, ", b", "\nAccept: c", false },
        { LONG, ", b", ",  b", false }, { LONG, ", b, c", "\nAccept: b\nAccept: c", true },
        { LONG, "", "a", false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_head selection;
        char stored_text[LONG + 64] = "Accept: ", asking_text[LONG + 64] = "Accept: ";
        open_arena(&arena);
        memset(stored_text + 8, 'a', rows[i].bytes);
        strcpy(asking_text, stored_text);
        strcat(stored_text, rows[i].stored);
        strcat(asking_text, rows[i].asking);
        struct gw_head response = response_head(&arena, 200, "Vary: Accept");
        struct gw_head stored = request_head(&arena, "GET", stored_text);
        struct gw_head asking = request_head(&arena, "GET", asking_text);
        assert_true(gw_vary_select(&selection, &arena, &stored, &response));
        assert_true(gw_vary_matches(&selection, &stored, false));
        if (gw_vary_matches(&selection, &asking, false) != rows[i].matches)
            fail_msg("row %zu", i);
        gw_arena_free(&arena);
    }
}

static void each_name_is_selected_once_in_lower_case(void **state)
{
    static const struct row {
        const char *vary, *request, *names;
        unsigned named, fields;
    } rows[] = {
        { "", "", "", 0, 0 },
        { "Vary:", "Accept: a", "", 0, 0 },
        { "Vary: Accept, accept\nVary: X-Plan,ACCEPT", "Accept: a", "accept,x-plan", 2, 2 },
        { "Vary: X-Plan", "X-Original-URL: /a\nX-Host: b", "x-plan", 1, 3 },
        { "Vary: X-Host, Accept", "X-Original-URL: /a\nX-Host: b", "x-host,accept", 2, 3 },
        { "", "X-Host: b", "", 0, 1 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_head selection, by_names;
        char names[64];
        open_arena(&arena);
        struct gw_head response = response_head(&arena, 200, rows[i].vary);
        struct gw_head request = request_head(&arena, "GET", rows[i].request);
        struct gw_vary_size size = gw_vary_measure(&request, &response);
        assert_true(gw_vary_select(&selection, &arena, &request, &response));
        assert_int_equal(size.named, rows[i].named);
        assert_int_equal(size.fields, rows[i].fields);
        assert_int_equal(selection.count, rows[i].fields);
        struct gw_slice printed = gw_slice_of(names, gw_vary_print_names(&selection, size.named, names, sizeof names));
        if (!gw_slice_equal(printed, gw_slice_of_string(rows[i].names)))
            fail_msg("row %zu: %.*s", i, GW_SLICE_ARGS(printed));
        if (printed.length) {
            assert_int_equal(gw_vary_print_names(&selection, size.named, names, printed.length), printed.length);
            assert_true(gw_vary_print_names(&selection, size.named, names, printed.length - 1) == SIZE_MAX);
        }
        assert_true(gw_vary_select_by_names(&by_names, &arena, &request, gw_slice_of_string(rows[i].names)));
        assert_true(gw_vary_same(&by_names, &selection));
        gw_arena_free(&arena);
    }
}

static void a_selection_finds_its_fields_by_name(void **state)
{
    struct gw_arena arena;
    struct gw_head selection;
    (void)state;
    open_arena(&arena);
    struct gw_head response = response_head(&arena, 200, "Vary: X-Plan, Accept, Accept-Encoding");
    struct gw_head request = request_head(&arena, "GET", "Accept: a\nX-Plan: gold\nAccept-Encoding: gzip, br");
    assert_true(gw_vary_select(&selection, &arena, &request, &response));
    assert_true(gw_slice_equal(gw_head_value(&selection, GW_FIELD_ACCEPT_ENCODING), GW_SLICE("gzip, br")));
    assert_true(gw_slice_equal(gw_head_value(&selection, GW_FIELD_ACCEPT), GW_SLICE("a")));
    assert_non_null(gw_head_find_named(&selection, GW_SLICE("x-plan")));
    assert_null(gw_head_find(&selection, GW_FIELD_COOKIE));
    gw_arena_free(&arena);
}

static void selections_of_one_digest_are_the_same(void **state)
{
    static const char *const varies[] = { "", "Vary: Accept", "Vary: ACCEPT, Origin", "Vary: Accept, X-Plan" };
    static const char *const requests[] = {
        "",          "Accept:",  "Accept: a", "Accept: a\nOrigin: b", "Accept: a\nX-Plan: b", "Accept: aOriginb",
        "X-Host: a", "X-Plan: a"
    };
    enum { COUNT = GW_COUNT(varies) * GW_COUNT(requests) };
    struct gw_head selections[COUNT];
    uint8_t digests[COUNT][32];
    struct gw_key_maker *maker = gw_key_maker_create();
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    assert_non_null(maker);
    for (size_t i = 0; i < COUNT; i++) {
        struct gw_head response = response_head(&arena, 200, varies[i % GW_COUNT(varies)]);
        struct gw_head request = request_head(&arena, "GET", requests[i / GW_COUNT(varies)]);
        assert_true(gw_vary_select(&selections[i], &arena, &request, &response));
        gw_vary_digest(maker, &selections[i], digests[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++)
            assert_int_equal(memcmp(digests[i], digests[j], 32) == 0, gw_vary_same(&selections[i], &selections[j]));
    gw_key_maker_destroy(&maker);
    gw_arena_free(&arena);
}

/* Lengths near the one from which the text begins with a digest of its first part (redis/README.md). */
static void a_long_selection_has_a_digest_of_its_own(void **state)
{
    uint8_t digests[3000][32];
    static char value[3000];
    struct gw_key_maker *maker = gw_key_maker_create();
    struct gw_field field = { .name = GW_SLICE("x") };
    struct gw_head selection;
    (void)state;
    assert_non_null(maker);
    memset(value, 'a', sizeof value);
    gw_head_init(&selection);
    selection.fields = &field;
    selection.count = 1;
    for (size_t i = 0; i < GW_COUNT(digests); i++) {
        field.value = gw_slice_of(value, i);
        gw_vary_digest(maker, &selection, digests[i]);
        assert_true(i == 0 || memcmp(digests[i], digests[i - 1], 32) != 0);
        if (i == 0)
            continue;
        uint8_t other[32];
        value[i / 2] = 'b';
        gw_vary_digest(maker, &selection, other);
        assert_memory_not_equal(other, digests[i], 32);
        value[i / 2] = 'a';
    }
    gw_key_maker_destroy(&maker);
}

static void the_digest_is_of_the_text_in_the_readme(void **state)
{
    static const char text[] = "\0\x06\0\0\0accept\x01\0\0\0a\x06\0\0\0x-plan\xff\xff\xff\xff";
    uint8_t digest[32], expected[32];
    struct gw_key_maker *maker = gw_key_maker_create();
    struct gw_head selection;
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    assert_non_null(maker);
    struct gw_head response = response_head(&arena, 200, "Vary: Accept, X-Plan");
    struct gw_head request = request_head(&arena, "GET", "Accept: a");
    assert_true(gw_vary_select(&selection, &arena, &request, &response));
    gw_vary_digest(maker, &selection, digest);
    gw_key_digest(maker, gw_slice_of(text, sizeof text - 1), expected);
    assert_memory_equal(digest, expected, 32);
    gw_key_maker_destroy(&maker);
    gw_arena_free(&arena);
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
        { "Vary: ,,Accept,,\nVary: , *", true },
        { "Vary: *,Accept", true },
        { "Vary: a\nVary: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"
          "\nVary: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a",
          false }, /* 64 */
        { "Vary: a,b\nVary: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"
          "\nVary: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a",
          true },
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
    assert_false(gw_vary_select_by_names(&selection, &small, &request, GW_SLICE("accept,accept-encoding,origin")));
    gw_arena_free(&small);
    gw_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_selection_matches_requests_with_the_same_fields),
        cmocka_unit_test(a_long_value_matches_itself_alone),
        cmocka_unit_test(each_name_is_selected_once_in_lower_case),
        cmocka_unit_test(a_selection_finds_its_fields_by_name),
        cmocka_unit_test(selections_of_one_digest_are_the_same),
        cmocka_unit_test(a_long_selection_has_a_digest_of_its_own),
        cmocka_unit_test(the_digest_is_of_the_text_in_the_readme),
        cmocka_unit_test(some_vary_never_matches),
        cmocka_unit_test(origin_selects_by_itself_where_that_is_wanted),
        cmocka_unit_test(a_dropped_field_is_absent),
        cmocka_unit_test(selections_of_the_same_names_and_values_are_the_same),
        cmocka_unit_test(a_selection_past_the_bound_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
