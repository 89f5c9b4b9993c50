#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cache/query_string.h"

enum { MOST_PATTERNS = 3 };

static struct gw_strings strings_of(const char *const *patterns, struct gw_slice *items)
{
    struct gw_strings strings = { .items = items };
    while (strings.count < MOST_PATTERNS && patterns[strings.count]) {
        items[strings.count] = gw_slice_of_string(patterns[strings.count]);
        strings.count++;
    }
    return strings;
}

static const struct gw_slice credential_names[] = { { "*Token", 6 }, { "api-key", 7 } };
static struct gw_names credentials;

static int name_credentials(void **state)
{
    (void)state;
    gw_names_init(&credentials, credential_names, 2);
    return 0;
}

struct row {
    const char *query, *ignore[MOST_PATTERNS];
    bool sort;
    const char *expected; /* NULL: absent */
};

static bool same(struct gw_slice got, const char *expected)
{
    return expected ? got.at && gw_slice_equal(got, gw_slice_of_string(expected)) : !got.at;
}

/* The query stands alone in memory of its exact size, so that a byte read too far is seen. */
static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gw_slice items[MOST_PATTERNS], query = gw_slice_of_string(rows[i].query);
        struct gw_strings ignore = strings_of(rows[i].ignore, items);
        struct gw_arena arena;
        char *copy = rows[i].query ? malloc(query.length + !query.length) : NULL;
        gw_arena_init(&arena, 1024, 65536);
        if (copy && query.length)
            memcpy(copy, query.at, query.length);
        query.at = copy;
        struct gw_slice got = gw_query_string_normalise(query, &ignore, &credentials, rows[i].sort, &arena);
        if (!same(got, rows[i].expected))
            fail_msg("row %zu, %s: %.*s%s instead of %s", i, rows[i].query, GW_SLICE_ARGS(got),
                     got.at ? "" : "(absent)", rows[i].expected ? rows[i].expected : "(absent)");
        gw_arena_free(&arena);
        free(copy);
    }
}

#define X16 "xxxxxxxxxxxxxxxx"

static void a_star_leaves_a_parameter_that_names_a_credential(void **state)
{
    static const struct row rows[] = {
        { "api_key=a&b=1", { "*" }, false, "api_key=a" },
        { "b=1&access_token=a&c", { "*" }, true, "access_token=a" },
        { "api%5Fkey=a&b=1", { "*" }, false, "api%5Fkey=a" },
        { "%61pi-key=a&b=1", { "*" }, false, "%61pi-key=a" },
        { "api%key=a", { "*" }, false, NULL }, /* decodes to nothing else */
        { "api-key%=a", { "*" }, false, NULL },
        { "api_token=a&api_x=1", { "api_*" }, false, "api_token=a" },
        { "API-KEY", { "*" }, false, "API-KEY" },
        { "api_key=a&b=1", { "api_key" }, false, "b=1" }, /* written in full: it is meant */
        { "api_key=a&b=1", { "*", "api_key" }, false, NULL },
        /* too long to be decoded, by one: it may have any name */
        { "%61" X16 X16 X16 X16 X16 X16 X16 X16 "=1", { "*" }, false, "%61" X16 X16 X16 X16 X16 X16 X16 X16 "=1" },
        { "%61" X16 X16 X16 X16 X16 X16 X16 "123456789012345=1", { "*" }, false, NULL },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void ignored_parameters_leave_and_all_others_stay_as_they_came(void **state)
{
    static const struct row rows[] = {
        { "a=1&b=2&c=3", { "b" }, false, "a=1&c=3" },
        { "a=1&b=2&c=3", { "c", "a" }, false, "b=2" },
        { "b&b=&b=1&bb=1&B=1&ab=1", { "b" }, false, "bb=1&B=1&ab=1" }, /* the name alone, whole, in its case */
        { "x=b&y=b=1", { "b" }, false, "x=b&y=b=1" },                  /* not a name but a value */
        { "%62=1&b+=1", { "b" }, false, "%62=1&b+=1" },                /* as sent, not as meant */
        { "utm_source=n&q=1&utm_=2&utm=3&utm_x", { "utm_*" }, false, "q=1&utm=3" },
        { "q=1&xutm_a=2", { "utm_*" }, false, "q=1&xutm_a=2" },
        { "ut*m=1&utm=2", { "ut*m" }, false, "utm=2" }, /* a star means any rest only at the end */
        { "fbclid=1&gclid=2&q=3&utm_a=4", { "fbclid", "gclid", "utm_*" }, false, "q=3" },
        { "b=1&a=2", { "x" }, false, "b=1&a=2" },     /* nothing is sorted unasked */
        { "b=1;a=2&b=3", { "b" }, false, "b=1;a=2" }, /* some backends read this as a parameter of another name */
        { "utm_a=1;b=2&utm_b%3Bc=1", { "utm_*" }, true, "utm_a=1;b=2" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void where_nothing_is_left_the_query_is_absent(void **state)
{
    static const struct row rows[] = {
        { "a=1", { "a" }, false, NULL },       { "a=1&a=2&a", { "a" }, true, NULL },
        { "a=1&b&&=c", { "*" }, false, NULL }, { "a=1;b=2", { "*" }, false, NULL },
        { "", { "*" }, false, NULL },          { "utm_a&utm_b", { "utm_*" }, true, NULL },
        { NULL, { "*" }, true, NULL }, /* as it is where there was none */
        { NULL, { NULL }, false, NULL },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void a_question_mark_alone_is_not_an_absent_query(void **state)
{
    static const struct row rows[] = {
        { "", { NULL }, false, "" },
        { "", { NULL }, true, "" },
        { "", { "a" }, false, "" },
        { "", { "a" }, true, "" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void empty_parameters_are_parameters(void **state)
{
    static const struct row rows[] = {
        { "a&&b", { "x" }, false, "a&&b" },
        { "a&&b", { "a" }, false, "&b" },
        { "a&&b", { "b" }, false, "a&" },
        { "&", { "x" }, false, "&" },
        { "&a&", { "a" }, false, "&" },
        { "b&&a&", { NULL }, true, "&&a&b" },
        { "=2&a=1&=1", { NULL }, true, "=2&=1&a=1" }, /* of the empty name, in their order */
        { "a&b", { "a", "b" }, true, NULL },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void sorting_goes_by_name_and_keeps_the_order_within_one(void **state)
{
    static const struct row rows[] = {
        { "b=1&a=1", { NULL }, true, "a=1&b=1" },
        { "b=2&a=1&b=1", { NULL }, true, "a=1&b=2&b=1" },
        { "a=2&a&a=1&a=", { NULL }, true, "a=2&a&a=1&a=" },
        { "aa=1&a=2&ab=0&a-=1", { NULL }, true, "a=2&a-=1&aa=1&ab=0" },
        { "a%20=1&a=1&A=1", { NULL }, true, "A=1&a=1&a%20=1" },
        { "\xff=1&z=1&~=1", { NULL }, true, "z=1&~=1&\xff=1" },
        { "c=1&utm_x=0&b=1&a=1", { "utm_*" }, true, "a=1&b=1&c=1" },
        { "a=1&b=1", { NULL }, true, "a=1&b=1" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void without_a_rule_the_query_is_not_even_copied(void **state)
{
    static const char text[] = "b=1&a=2";
    const struct gw_strings none = { .count = 0 };
    struct gw_arena arena;
    (void)state;
    gw_arena_init(&arena, 0, 0);
    struct gw_slice got = gw_query_string_normalise(gw_slice_of(text, sizeof text - 1), &none, &credentials, false,
                                                    &arena);
    assert_ptr_equal(got.at, text);
    assert_int_equal(got.length, sizeof text - 1);
    gw_arena_free(&arena);
}

static void at_the_arenas_bound_the_query_is_as_it_came(void **state)
{
    struct gw_slice items[1] = { GW_SLICE("a") };
    const struct gw_strings ignore = { .items = items, .count = 1 };
    struct gw_arena arena;
    char query[200];
    (void)state;
    memset(query, 'b', sizeof query);
    query[sizeof query - 2] = '&';
    query[sizeof query - 1] = 'a';
    gw_arena_init(&arena, 16, 0);
    struct gw_slice got = gw_query_string_normalise(gw_slice_of(query, sizeof query), &ignore, &credentials, true,
                                                    &arena);
    assert_ptr_equal(got.at, query);
    assert_int_equal(got.length, sizeof query);
    gw_arena_free(&arena);
}

/* ---- many ---- */

enum { MANY = 3 * GW_QUERY_SORTED, MANY_BYTES = 8 * MANY };

/* count parameters "p0999&p0998&…", falling; `between` after each. */
static size_t print_falling(char *text, unsigned count, const char *between)
{
    size_t length = 0;
    for (unsigned i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, MANY_BYTES - length, "%sp%03u%s", i ? "&" : "", 999 - i, between);
    return length;
}

static bool is_rising(struct gw_slice query)
{
    for (size_t at = 0; at + 9 < query.length; at += 5)
        if (memcmp(query.at + at, query.at + at + 5, 4) >= 0)
            return false;
    return true;
}

static void more_parameters_than_are_sorted_stay_in_their_order(void **state)
{
    static const struct {
        unsigned count;
        bool ignores; /* as many others between them */
        bool sorted;
    } rows[] = {
        { GW_QUERY_SORTED - 1, false, true },  { GW_QUERY_SORTED, false, true },
        { GW_QUERY_SORTED + 1, false, false }, { GW_QUERY_SORTED, true, true }, /* only parameters that stay count */
        { GW_QUERY_SORTED + 1, true, false },  { MANY, false, false },
    };
    static char text[MANY_BYTES], expected[MANY_BYTES];
    struct gw_slice items[1] = { GW_SLICE("x*") };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        const struct gw_strings ignore = { .items = items, .count = rows[i].ignores };
        size_t kept = print_falling(expected, rows[i].count, "");
        size_t length = print_falling(text, rows[i].count, rows[i].ignores ? "&x" : "");
        struct gw_arena arena;
        gw_arena_init(&arena, 1024, 65536);
        struct gw_slice got = gw_query_string_normalise(gw_slice_of(text, length), &ignore, &credentials, true, &arena);
        assert_int_equal(got.length, kept);
        if (rows[i].sorted)
            assert_true(is_rising(got));
        else
            assert_memory_equal(got.at, expected, kept);
        gw_arena_free(&arena);
    }
}

/* ---- any ---- */

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    return *random ^= *random << 17;
}

/* Names a…e, each once, each with a value of its own: the key is the same in any order. */
static void any_order_of_different_names_is_one_query(void **state)
{
    uint64_t random = 88172645463325252u;
    const struct gw_strings none = { .count = 0 };
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        unsigned order[5] = { 0, 1, 2, 3, 4 };
        char text[32];
        size_t length = 0;
        for (unsigned i = 4; i > 0; i--) {
            unsigned j = (unsigned)(next_random(&random) % (i + 1)), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        for (unsigned i = 0; i < 5; i++)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%c=%u", i ? "&" : "",
                                       (char)('a' + order[i]), order[i]);
        struct gw_arena arena;
        gw_arena_init(&arena, 256, 1024);
        assert_true(same(gw_query_string_normalise(gw_slice_of(text, length), &none, &credentials, true, &arena),
                         "a=0&b=1&c=2&d=3&e=4"));
        gw_arena_free(&arena);
    }
}

static void what_is_normalised_stays_so(void **state)
{
    static const char letters[] = "aab=&&%*";
    static struct gw_slice items[2] = { { "a", 1 }, { "bb*", 3 } };
    const struct gw_strings ignore = { .items = items, .count = 2 };
    uint64_t random = 2463534242u;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char text[24];
        size_t length = next_random(&random) % sizeof text;
        bool sort = next_random(&random) % 2;
        struct gw_arena arena;
        for (size_t i = 0; i < length; i++)
            text[i] = letters[next_random(&random) % (sizeof letters - 1)];
        gw_arena_init(&arena, 256, 1024);
        struct gw_slice once = gw_query_string_normalise(gw_slice_of(text, length), &ignore, &credentials, sort,
                                                         &arena);
        struct gw_slice twice = gw_query_string_normalise(once, &ignore, &credentials, sort, &arena);
        assert_true(once.length <= length);
        assert_int_equal(once.at == NULL, twice.at == NULL);
        assert_true(gw_slice_equal(once, twice));
        gw_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_star_leaves_a_parameter_that_names_a_credential),
        cmocka_unit_test(ignored_parameters_leave_and_all_others_stay_as_they_came),
        cmocka_unit_test(where_nothing_is_left_the_query_is_absent),
        cmocka_unit_test(a_question_mark_alone_is_not_an_absent_query),
        cmocka_unit_test(empty_parameters_are_parameters),
        cmocka_unit_test(sorting_goes_by_name_and_keeps_the_order_within_one),
        cmocka_unit_test(without_a_rule_the_query_is_not_even_copied),
        cmocka_unit_test(at_the_arenas_bound_the_query_is_as_it_came),
        cmocka_unit_test(more_parameters_than_are_sorted_stay_in_their_order),
        cmocka_unit_test(any_order_of_different_names_is_one_query),
        cmocka_unit_test(what_is_normalised_stays_so),
    };
    return cmocka_run_group_tests(tests, name_credentials, NULL);
}
