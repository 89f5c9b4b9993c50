#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "http/reference.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct gw_reference base = { /* http://a/b/c/d;p?q, as in RFC 3986 §5.4 */
                                          .scheme = { "http", 4 },
                                          .authority = { "a", 1 },
                                          .path = { "/b/c/d;p", 8 },
                                          .query = { "q", 1 }
};

struct row {
    const char *text, *expected; /* NULL: refused */
};

static const char *print(char *text, size_t size, const struct gw_reference *target)
{
    int length = snprintf(text, size, "%.*s://%.*s%.*s%s%.*s", GW_SLICE_ARGS(target->scheme),
                          GW_SLICE_ARGS(target->authority), GW_SLICE_ARGS(target->path), target->query.at ? "?" : "",
                          GW_SLICE_ARGS(target->query));
    assert_true(length >= 0 && (size_t)length < size);
    return text;
}

/* The text stands alone in memory of its exact size, so that a byte read too far is seen. */
static void check_bytes(const struct gw_reference *from, struct gw_slice text, const char *expected)
{
    struct gw_arena arena;
    struct gw_reference target;
    char said[512], *copy = malloc(text.length + !text.length);
    assert_non_null(copy);
    memcpy(copy, text.at, text.length);
    gw_arena_init(&arena, 256, 4096);
    bool is_resolved = gw_reference_resolve(&target, &arena, from, gw_slice_of(copy, text.length));
    const char *got = is_resolved ? print(said, sizeof said, &target) : "(refused)";
    if (strcmp(got, expected ? expected : "(refused)") != 0)
        fail_msg("\"%.*s\" is %s instead of %s", GW_SLICE_ARGS(text), got, expected ? expected : "(refused)");
    gw_arena_free(&arena);
    free(copy);
}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_bytes(&base, gw_slice_of_string(rows[i].text), rows[i].expected);
}

static void references_mean_what_rfc_3986_says_they_normally_do(void **state)
{
    static const struct row rows[] = {
        /* §5.4.1; the fragment is left out, and an empty path of an http URI is "/" (RFC 9110 §4.2.3) */
        { "g:h", NULL },
        { "g", "http://a/b/c/g" },
        { "./g", "http://a/b/c/g" },
        { "g/", "http://a/b/c/g/" },
        { "/g", "http://a/g" },
        { "//g", "http://g/" },
        { "?y", "http://a/b/c/d;p?y" },
        { "g?y", "http://a/b/c/g?y" },
        { "#s", "http://a/b/c/d;p?q" },
        { "g#s", "http://a/b/c/g" },
        { "g?y#s", "http://a/b/c/g?y" },
        { ";x", "http://a/b/c/;x" },
        { "g;x", "http://a/b/c/g;x" },
        { "g;x?y#s", "http://a/b/c/g;x?y" },
        { "", "http://a/b/c/d;p?q" },
        { ".", "http://a/b/c/" },
        { "./", "http://a/b/c/" },
        { "..", "http://a/b/" },
        { "../", "http://a/b/" },
        { "../g", "http://a/b/g" },
        { "../..", "http://a/" },
        { "../../", "http://a/" },
        { "../../g", "http://a/g" },
    };
    (void)state;
    check(rows, COUNT(rows));
}

static void references_mean_what_rfc_3986_says_they_abnormally_do(void **state)
{
    static const struct row rows[] = {
        /* §5.4.2 */
        { "../../../g", "http://a/g" },
        { "../../../../g", "http://a/g" },
        { "/./g", "http://a/g" },
        { "/../g", "http://a/g" },
        { "g.", "http://a/b/c/g." },
        { ".g", "http://a/b/c/.g" },
        { "g..", "http://a/b/c/g.." },
        { "..g", "http://a/b/c/..g" },
        { "./../g", "http://a/b/g" },
        { "./g/.", "http://a/b/c/g/" },
        { "g/./h", "http://a/b/c/g/h" },
        { "g/../h", "http://a/b/c/h" },
        { "g;x=1/./y", "http://a/b/c/g;x=1/y" },
        { "g;x=1/../y", "http://a/b/c/y" },
        { "g?y/./x", "http://a/b/c/g?y/./x" },
        { "g?y/../x", "http://a/b/c/g?y/../x" },
        { "g#s/./x", "http://a/b/c/g" },
        { "g#s/../x", "http://a/b/c/g" },
        { "http:g", NULL }, /* strictly: a URI of its own, and none with an authority */
    };
    (void)state;
    check(rows, COUNT(rows));
}

static void a_path_is_resolved_segment_by_segment(void **state)
{
    static const struct row rows[] = {
        { "/x//y", "http://a/x//y" },
        { "/x//../y", "http://a/x/y" }, /* an empty segment is one */
        { "/x/y/../../z", "http://a/z" },
        { "/x/..", "http://a/" },
        { "/..", "http://a/" },
        { "/.", "http://a/" },
        { "/", "http://a/" },
        { "/x/...", "http://a/x/..." },
        { "%2e%2e/g", "http://a/b/c/%2e%2e/g" }, /* as sent */
        { "./g:h", "http://a/b/c/g:h" },
        { "g/h:i", "http://a/b/c/g/h:i" },
        { "?a:b", "http://a/b/c/d;p?a:b" },
        { "#a:b", "http://a/b/c/d;p?q" },
        { "?", "http://a/b/c/d;p?" },
        { "?#", "http://a/b/c/d;p?" },
        { "#", "http://a/b/c/d;p?q" },
        { "#a#b?c", "http://a/b/c/d;p?q" },
        { "g?a?b", "http://a/b/c/g?a?b" },
    };
    (void)state;
    check(rows, COUNT(rows));
}

static void a_reference_with_an_authority_leaves_all_of_the_base_behind(void **state)
{
    static const struct row rows[] = {
        { "http://b", "http://b/" },
        { "http://b/", "http://b/" },
        { "http://b?x", "http://b/?x" },
        { "http://b#x", "http://b/" },
        { "https://b:8443/x/../y?z#f", "https://b:8443/y?z" },
        { "HTTP://B/X", "http://B/X" },
        { "HtTpS://b/x", "https://b/x" },
        { "//b/x", "http://b/x" },
        { "//b?x", "http://b/?x" },
        { "http://[::1]:80/x", "http://[::1]:80/x" },
        { "http://b:/x", "http://b:/x" },
    };
    (void)state;
    check(rows, COUNT(rows));
}

/* As a request line may hold them; they are compared with what is stored byte for byte. */
static void what_browsers_leave_raw_stays_raw(void **state)
{
    static const struct row rows[] = {
        { "/g[h]{i}|^`", "http://a/g[h]{i}|^`" },
        { "../{g}?[h]\\", "http://a/b/{g}?[h]\\" },
        { "g?%zz", "http://a/b/c/g?%zz" },
        { "?%", "http://a/b/c/d;p?%" },
        { "g?\xc3\xa4#[]", "http://a/b/c/g?\xc3\xa4" },
    };
    (void)state;
    check(rows, COUNT(rows));
}

static void what_no_request_line_could_hold_is_refused(void **state)
{
    static const char *const texts[] = {
        "ftp://a/x",
        "mailto:a@b",
        "javascript:alert(1)",
        "urn:x",
        "http:",
        "http:/x",
        "http:x",
        "https:?x",
        "httpx://a/",
        "http", /* see below */
        ":",
        ":x",
        "1:x",
        "http://",
        "http:///x",
        "//",
        "///x",
        "//u@a/x",
        "http://u@a/x",
        "http://u:p@a/x",
        "http://a@/x",
        "http://a:b@c:1/",
        "http://a:99999/",
        "http://a:0/",
        "http://a:x/",
        "http://a b/",
        "http://a\\b/",
        "//a\\@b/",
        "http://[::1/x",
        "http://[x]/",
        "http://a%zz/x",
        "g h",
        "g\th",
        "g\nh",
        "/%",
        "/%2",
        "/%zz",
        "g?a b",
        "g\\h",
        "\\\\b\\x",
        "/g<h",
        "\xc3\xa4",
        "/\xff",
        "/g\"h",
        "http://a/\x7f",
        " /g",
        "/g ",
        "\t//b/",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        check_bytes(&base, gw_slice_of_string(texts[i]), strcmp(texts[i], "http") == 0 ? "http://a/b/c/http" : NULL);
    check_bytes(&base, gw_slice_of("/a\0b", 4), NULL);
    check_bytes(&base, gw_slice_of("\0", 1), NULL);
}

static void an_absent_reference_is_none(void **state)
{
    struct gw_arena arena;
    struct gw_reference target;
    (void)state;
    gw_arena_init(&arena, 256, 4096);
    assert_false(gw_reference_resolve(&target, &arena, &base, GW_NO_SLICE));
    gw_arena_free(&arena);
}

static void the_bases_own_parts_are_taken_where_the_reference_has_none(void **state)
{
    static const struct {
        const char *path, *query, *text, *expected;
    } rows[] = {
        { "/", NULL, "", "http://a/" },
        { "/", NULL, "g", "http://a/g" },
        { "/", NULL, "..", "http://a/" },
        { "/x", "", "", "http://a/x?" },
        { "/x", "q", "g", "http://a/g" }, /* its query goes with its path */
        { "/x/", "q", "g", "http://a/x/g" },
        { "/x/", NULL, "#f", "http://a/x/" },
        { "/x/../y", NULL, "../g", "http://a/g" }, /* dots of the base, too */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct gw_reference from = { .scheme = GW_SLICE("http"),
                                           .authority = GW_SLICE("a"),
                                           .path = gw_slice_of_string(rows[i].path),
                                           .query = gw_slice_of_string(rows[i].query) };
        check_bytes(&from, gw_slice_of_string(rows[i].text), rows[i].expected);
    }
}

static void at_the_arenas_bound_it_is_refused(void **state)
{
    char text[300];
    struct gw_arena arena;
    struct gw_reference target;
    (void)state;
    memset(text, 'x', sizeof text);
    gw_arena_init(&arena, 64, 0);
    assert_false(gw_reference_resolve(&target, &arena, &base, gw_slice_of(text, sizeof text)));
    assert_true(gw_reference_resolve(&target, &arena, &base, GW_SLICE("g"))); /* what fits is still resolved */
    gw_arena_free(&arena);
    gw_arena_init(&arena, 64, 4096);
    assert_true(gw_reference_resolve(&target, &arena, &base, gw_slice_of(text, sizeof text)));
    assert_int_equal(target.path.length, 5 + sizeof text);
    gw_arena_free(&arena);
}

/* ---- origins ---- */

static void an_origin_is_scheme_host_and_port(void **state)
{
    static const struct {
        const char *scheme, *authority, *other_scheme, *other_authority;
        bool same;
    } rows[] = {
        { "http", "a", "http", "a", true },
        { "http", "a", "http", "A", true }, /* hosts in any case */
        { "http", "a", "HTTP", "a", true },
        { "http", "a", "http", "a:80", true }, /* a scheme's own port may be left out */
        { "http", "a", "http", "a:", true },
        { "https", "a", "https", "a:443", true },
        { "http", "a", "http", "a:443", false },
        { "https", "a", "https", "a:80", false },
        { "http", "a:8080", "http", "a:8080", true },
        { "http", "a:8080", "http", "a", false },
        { "http", "a", "https", "a", false },
        { "http", "a:443", "https", "a", false }, /* the same port of another scheme */
        { "http", "a", "http", "b", false },
        { "http", "a", "http", "a.", false },
        { "http", "a", "http", "aa", false },
        { "http", "a.example", "http", "b.example", false },
        { "http", "[::1]", "http", "[::1]:80", true },
        { "http", "[::A]", "http", "[::a]", true },
        { "http", "[::1]", "http", "[::2]", false },
        { "http", "a:1", "http", "a:2", false },
        { "http", "u@a", "http", "a", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gw_reference one = { .scheme = gw_slice_of_string(rows[i].scheme),
                                    .authority = gw_slice_of_string(rows[i].authority) };
        struct gw_reference other = { .scheme = gw_slice_of_string(rows[i].other_scheme),
                                      .authority = gw_slice_of_string(rows[i].other_authority) };
        if (gw_reference_same_origin(&one, &other) != rows[i].same ||
            gw_reference_same_origin(&other, &one) != rows[i].same)
            fail_msg("row %zu: %s://%s and %s://%s", i, rows[i].scheme, rows[i].authority, rows[i].other_scheme,
                     rows[i].other_authority);
    }
}

/* ---- any ---- */

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    return *random ^= *random << 17;
}

static size_t make_text(char *text, size_t most, uint64_t *random)
{
    static const char *const pieces[] = { "/",     "//",   ".",       "..",  "/..", "a",   "b",    "g",
                                          ":",     "?",    "#",       "@",   "\\",  "%41", "%",    "http",
                                          "https", "HTTP", "http://", "//a", ":80", "[",   "]",    "\xff",
                                          " ",     "",     ";",       "\n",  "../", "./",  "a:80", "x.example" };
    size_t length = 0;
    for (uint64_t count = next_random(random) % 9; count > 0; count--) {
        const char *piece = pieces[next_random(random) % COUNT(pieces)];
        size_t bytes = strlen(piece);
        if (length + bytes > most)
            break;
        memcpy(text + length, piece, bytes);
        length += bytes;
    }
    return length;
}

static bool begins_with(const char *text, size_t length, const char *start)
{
    struct gw_slice head = gw_slice_of(text, length < strlen(start) ? length : strlen(start));
    return gw_slice_equal_nocase(head, gw_slice_of_string(start));
}

static void assert_has_no_dots(struct gw_slice path)
{
    assert_true(path.length > 0 && path.at[0] == '/');
    for (size_t at = 0; at < path.length;) {
        size_t end = at + 1;
        while (end < path.length && path.at[end] != '/')
            end++;
        struct gw_slice segment = gw_slice_of(path.at + at + 1, end - at - 1);
        assert_false(gw_slice_equal(segment, GW_SLICE(".")) || gw_slice_equal(segment, GW_SLICE("..")));
        at = end;
    }
    assert_null(memchr(path.at, '?', path.length));
    assert_null(memchr(path.at, '#', path.length));
}

/* Nothing but "//" in its place leads to another authority, and what was resolved resolves to itself. */
static void whatever_comes_is_refused_or_has_an_origin_that_can_be_compared(void **state)
{
    uint64_t random = 88172645463325252u;
    unsigned resolved = 0;
    (void)state;
    for (unsigned round = 0; round < 50000; round++) {
        struct gw_arena arena;
        struct gw_reference target, again;
        char scratch[80], said[256], repeated[256];
        size_t length = make_text(scratch, sizeof scratch, &random);
        char *text = malloc(length + !length);
        assert_non_null(text);
        memcpy(text, scratch, length);
        gw_arena_init(&arena, 256, 4096);
        if (gw_reference_resolve(&target, &arena, &base, gw_slice_of(text, length))) {
            bool may_leave = begins_with(text, length, "//") || begins_with(text, length, "http://") ||
                             begins_with(text, length, "https://");
            resolved++;
            assert_has_no_dots(target.path);
            if (!may_leave)
                assert_true(gw_slice_equal(target.authority, base.authority) &&
                            gw_reference_same_origin(&target, &base));
            assert_null(target.authority.length ? memchr(target.authority.at, '@', target.authority.length) : NULL);
            print(said, sizeof said, &target);
            assert_true(gw_reference_resolve(&again, &arena, &base, gw_slice_of_string(said)));
            assert_string_equal(print(repeated, sizeof repeated, &again), said);
            assert_true(gw_reference_same_origin(&again, &target));
        }
        gw_arena_free(&arena);
        free(text);
    }
    assert_true(resolved > 5000); /* the pieces make sense often enough */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_mean_what_rfc_3986_says_they_normally_do),
        cmocka_unit_test(references_mean_what_rfc_3986_says_they_abnormally_do),
        cmocka_unit_test(a_path_is_resolved_segment_by_segment),
        cmocka_unit_test(a_reference_with_an_authority_leaves_all_of_the_base_behind),
        cmocka_unit_test(what_browsers_leave_raw_stays_raw),
        cmocka_unit_test(what_no_request_line_could_hold_is_refused),
        cmocka_unit_test(an_absent_reference_is_none),
        cmocka_unit_test(the_bases_own_parts_are_taken_where_the_reference_has_none),
        cmocka_unit_test(at_the_arenas_bound_it_is_refused),
        cmocka_unit_test(an_origin_is_scheme_host_and_port),
        cmocka_unit_test(whatever_comes_is_refused_or_has_an_origin_that_can_be_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
