#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/path.h"

static void a_path_is_what_a_backend_makes_of_it(void **state)
{
    static const struct {
        const char *path, *plain;
    } rows[] = {
        { "", "" },
        { "*", "*" },
        { "/", "/" },
        { "/login", "/login" },
        { "/a/b.html", "/a/b.html" },
        { "/%6Cogin", "/login" },
        { "/%6c%6F%67in", "/login" },
        { "/l%6", "/l%6" },
        { "/100%", "/100%" },
        { "/%zz%6Cx", "/%zzlx" },
        { "/%256C", "/%6C" }, /* once */
        { "/a%2Fb", "/a/b" },
        { "//login", "/login" },
        { "///a//b//", "/a/b/" },
        { "/./login", "/login" },
        { "/x/../login", "/login" },
        { "/x/%2e%2E/login", "/login" },
        { "/x%2F..%2flogin", "/login" },
        { "/../../login", "/login" },
        { "/a/b/..", "/a/" },
        { "/a/b/.", "/a/b/" },
        { "/..", "/" },
        { "/.", "/" },
        { "/a/...", "/a/..." },
        { "/.well-known/x", "/.well-known/x" },
        { "/a/..b/c", "/a/..b/c" },
        { "/caf%C3%A9", "/caf\xc3\xa9" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        gw_arena_init(&arena, 64, 4096);
        struct gw_slice plain = gw_path_plain(gw_slice_of_string(rows[i].path), &arena, NULL);
        if (!gw_slice_equal(plain, gw_slice_of_string(rows[i].plain)))
            fail_msg("%s became %.*s", rows[i].path, GW_SLICE_ARGS(plain));
        gw_arena_free(&arena);
    }
}

static void a_nul_is_a_byte_like_others(void **state)
{
    (void)state;
    struct gw_arena arena;
    gw_arena_init(&arena, 64, 4096);
    assert_true(gw_slice_equal(gw_path_plain(GW_SLICE("/a%00b"), &arena, NULL), GW_SLICE("/a\0b")));
    gw_arena_free(&arena);
}

static void a_path_may_lead_above_the_root(void **state)
{
    static const struct {
        const char *path;
        bool climbs;
    } rows[] = {
        { "/a/../b", false },
        { "/a/b/../../c", false },
        { "/a/..", false },
        { "/...", false },
        { "/..a/x", false },
        { "/..", true },
        { "/../login", true },
        { "/%2e%2E/login", true },
        { "/..%2flogin", true },
        { "//../login", true },
        { "/./../login", true },
        { "/a/../../login", true },
        { "/a%2F..%2F../login/x/y", true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_path_doubt doubt;
        gw_arena_init(&arena, 64, 4096);
        (void)gw_path_plain(gw_slice_of_string(rows[i].path), &arena, &doubt);
        if (doubt.climbs != rows[i].climbs)
            fail_msg("%s", rows[i].path);
        gw_arena_free(&arena);
    }
}

static void dot_segments_are_read_in_two_ways(void **state)
{
    static const struct {
        const char *path, *literal;
    } rows[] = {
        { "/search/..", "/search/.." },
        { "/search/%2e%2E%2Fx", "/search/../x" },
        { "//search///./x/", "/search/./x/" },
        { "/search", NULL },
        { "/%73earch//x", NULL },
        { "/.well-known", NULL },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_path_doubt doubt;
        gw_arena_init(&arena, 64, 4096);
        struct gw_slice plain = gw_path_plain(gw_slice_of_string(rows[i].path), &arena, &doubt);
        if (!rows[i].literal)
            assert_ptr_equal(doubt.literal.at, plain.at);
        else if (!gw_slice_equal(doubt.literal, gw_slice_of_string(rows[i].literal)))
            fail_msg("%s became %.*s", rows[i].path, GW_SLICE_ARGS(doubt.literal));
        gw_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_what_a_backend_makes_of_it),
        cmocka_unit_test(a_nul_is_a_byte_like_others),
        cmocka_unit_test(a_path_may_lead_above_the_root),
        cmocka_unit_test(dot_segments_are_read_in_two_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
