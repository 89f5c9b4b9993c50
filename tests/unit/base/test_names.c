#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/base.h"
#include "base/names.h"

static void a_name_is_of_the_set_by_itself_by_its_start_or_by_its_end(void **state)
{
    static const struct gw_slice patterns[] = { { "X-Api-Key", 9 }, { "*Token", 6 }, { "X-Auth*", 7 },
                                                { "*Id", 3 },       { "ab", 2 },     { "Q*", 2 } };
    static const struct row {
        const char *name;
        bool is_in;
    } rows[] = {
        { "X-Api-Key", true },      { "x-api-key", true },   { "X_API_KEY", true },   { "X-Api-Keys", false },
        { "AX-Api-Key", false },    { "X-Api-Ke", false },   { "Token", true },       { "access_token", true },
        { "Private-Token", true },  { "Tokens", false },     { "oken", false },       { "X-Auth", true },
        { "x_auth_request", true }, { "X-Aut", false },      { "AX-Auth", false },    { "id", true },
        { "X-Scope-OrgID", true },  { "d", false },          { "ab", true },          { "AB", true },
        { "abc", false },           { "q", true },           { "quite", true },       { "", false },
        { "Accept", false },        { "User-Agent", false }, { "X-Api\rKey", false },
    };
    struct gw_names names;
    (void)state;
    gw_names_init(&names, patterns, GW_COUNT(patterns));
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        size_t length = strlen(rows[i].name);
        char *copy = malloc(length + !length); /* of its exact size: a byte read beyond is seen */
        memcpy(copy, rows[i].name, length);
        if (gw_names_has(&names, gw_slice_of(copy, length)) != rows[i].is_in)
            fail_msg("%s: not %d", rows[i].name, rows[i].is_in);
        free(copy);
    }
}

/* As many patterns as the table can hold, so that chains are long: each name matches its own pattern and no other. */
static void as_many_patterns_as_there_may_be_are_all_found(void **state)
{
    static struct gw_slice patterns[GW_NAMES_MOST + 1];
    static char texts[GW_NAMES_MOST + 1][16];
    struct gw_names names;
    (void)state;
    for (unsigned i = 0; i <= GW_NAMES_MOST; i++) {
        snprintf(texts[i], sizeof texts[i], i % 3 == 0 ? "X-N%03u*" : i % 3 == 1 ? "*N%03u" : "X-N%03u", i);
        patterns[i] = gw_slice_of_string(texts[i]);
    }
    gw_names_init(&names, patterns, GW_NAMES_MOST + 1);
    for (unsigned i = 0; i <= GW_NAMES_MOST; i++) {
        char name[16];
        snprintf(name, sizeof name, "x_n%03u", i);
        assert_int_equal(gw_names_has(&names, gw_slice_of_string(name)), i < GW_NAMES_MOST);
        snprintf(name, sizeof name, "y-n%03ub", i);
        assert_false(gw_names_has(&names, gw_slice_of_string(name)));
    }
}

static void an_empty_set_has_nothing(void **state)
{
    struct gw_names names;
    (void)state;
    gw_names_init(&names, NULL, 0);
    assert_false(gw_names_has(&names, GW_SLICE("X-Api-Key")));
    assert_false(gw_names_has(&names, GW_SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_of_the_set_by_itself_by_its_start_or_by_its_end),
        cmocka_unit_test(as_many_patterns_as_there_may_be_are_all_found),
        cmocka_unit_test(an_empty_set_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
