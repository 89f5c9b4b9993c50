#include "unit/cache/heads.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/random.h"
#include "cache/accept_encoding.h"

/* The value of the only remaining field; the absent slice if there is none. */
static struct gw_slice normal(struct gw_arena *arena, const char *lines)
{
    struct gw_head request = request_head(arena, "GET", lines);
    gw_accept_encoding_put_normal(&request, arena);
    struct gw_field *left = gw_head_find(&request, GW_FIELD_ACCEPT_ENCODING);
    assert_true(!left || !gw_head_find_next(&request, left));
    return left ? left->value : GW_NO_SLICE;
}

static void one_wish_has_one_spelling(void **state)
{
    static const struct row {
        const char *value, *normal;
    } rows[] = {
        /* what clients send: Chromium and Firefox, curl, node, httpx, requests, Ruby, Apache's, videos in Chromium, wget */
        { "gzip, deflate, br, zstd", "gzip, deflate, br, zstd" },
        { "deflate, gzip, br, zstd", "gzip, deflate, br, zstd" },
        { "br, gzip, deflate", "gzip, deflate, br" },
        { "gzip, deflate", "gzip, deflate" },
        { "gzip,deflate", "gzip, deflate" },
        { "gzip;q=1.0,deflate;q=0.6,identity;q=0.3", "gzip, deflate;q=0.9" },
        { "gzip,x-gzip,deflate", "gzip, deflate" },
        { "identity;q=1, *;q=0", "identity" },
        { "identity", "identity" },
        { "gzip, deflate, br, zstd, dcb, dcz", "gzip, deflate, br, zstd" },
        /* refused: it must not be found in the text */
        { "gzip;q=0", "identity" },
        { "gzip;q=0, identity", "identity" },
        { "gzip;q=0.000, br", "br" },
        { "gzip ;\tQ=0 , br", "br" },
        { "x-gzip;q=0, gzip", "identity" }, /* the same coding */
        { "gzip, gzip;q=0", "identity" },
        { "identity;q=0", "identity" }, /* nothing is acceptable: what backends then send */
        { "identity;q=0, gzip", "gzip" },
        { "*;q=0", "identity" },
        { "*;q=0, gzip", "gzip" },
        { "*;q=0, identity;q=0.5, gzip;q=0", "identity" },
        /* all that are not named */
        { "*", "gzip, deflate, br, zstd" },
        { "*, gzip;q=0", "deflate, br, zstd" },
        { "*;q=0.1, br", "br, gzip;q=0.9, deflate;q=0.9, zstd;q=0.9" },
        { "*, identity;q=0", "gzip, deflate, br, zstd" },
        { "compress, *;q=0.5", "gzip, deflate, br, zstd" },
        /* preferences: their order counts, not their number */
        { "gzip;q=0.5, br", "br, gzip;q=0.9" },
        { "gzip;q=0.1, br;q=0.2", "br, gzip;q=0.9" },
        { "br;q=0.002, gzip;q=0.001", "br, gzip;q=0.9" },
        { "gzip;q=0.5, br;q=0.50", "gzip, br" },
        { "zstd;q=0.9, br;q=0.8, gzip;q=0.7, deflate;q=0.6", "zstd, br;q=0.9, gzip;q=0.8, deflate;q=0.7" },
        { "identity, gzip;q=0.5", "identity" }, /* less preferred than none */
        { "identity;q=0.5, gzip, br;q=0.4", "gzip" },
        { "identity, gzip", "gzip" },
        /* unknown codings, and elements that cannot be parsed */
        { "gzip, x0", "gzip" },
        { "x0", "identity" },
        { "compress, x-compress, bzip2, xz", "identity" },
        { "gzipped, ungzip", "identity" },
        { "gzip;q=2", "identity" },
        { "gzip;q=0.1234, br", "br" },
        { "gzip;q=1;x=2, br", "br" },
        { "gzip;level=9", "identity" },
        { "gzip;q=.5", "identity" },
        { "gzip;q=-1", "identity" },
        { "gzip;q = 0, br", "br" },
        { "gzip;", "identity" },
        { ";q=1", "identity" },
        { "gzip;q=1.001", "identity" },
        { "gz ip", "identity" },
        { "\"gzip\"", "identity" },
        { "\"gzip, br", "identity" },
        { "gzip;q=0.", "identity" },
        { "gzip;q=1., br;q=1.000", "gzip, br" },
        { "GZip, BR", "gzip, br" },
        { "", "identity" }, /* no coding at all, RFC 9110 §12.5.3 */
        { " , ,", "identity" },
    };
    (void)state;
    for (size_t i = 0; i < 2 * GW_COUNT(rows); i++) { /* the second time known */
        const struct row *row = &rows[i / 2];
        struct gw_arena arena;
        char lines[128];
        open_arena(&arena);
        snprintf(lines, sizeof lines, "Accept-Encoding: %s", row->value);
        struct gw_slice once = normal(&arena, lines);
        if (!gw_slice_equal(once, gw_slice_of_string(row->normal)))
            fail_msg("row %zu: %s: %.*s", i / 2, row->value, GW_SLICE_ARGS(once));
        gw_arena_free(&arena);
    }
}

static void several_lines_are_one_and_none_stays_none(void **state)
{
    static const struct row {
        const char *lines, *normal;
    } rows[] = {
        { "", NULL },
        { "Accept: gzip", NULL },
        { "Accept-Encoding: br\nX: y\naccept-encoding: gzip", "gzip, br" },
        { "Accept-Encoding: gzip\nAccept-Encoding: gzip;q=0", "identity" },
        { "Accept-Encoding: gzip\nAccept-Encoding:", "gzip" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_slice once = normal(&arena, rows[i].lines);
        assert_int_equal(once.at == NULL, rows[i].normal == NULL);
        assert_true(gw_slice_equal(once, gw_slice_of_string(rows[i].normal)));
        gw_arena_free(&arena);
    }
}

/* Made of pieces that have a meaning; in memory of its exact size, so that a byte read beyond its end is found. */
static struct gw_slice make_value(struct gw_random *random)
{
    static const char *const pieces[] = { "gzip", "BR", "*",     "identity", "deflate", "zstd", ",",  ", ", " ",  ";",
                                          "; ",   "q=", ";q=0.", "0",        "1",       "7",    ".5", "=",  "\"", "x" };
    char text[256] = "";
    for (unsigned count = (unsigned)(gw_random_next(random) % 24); count; count--)
        strcat(text, pieces[gw_random_next(random) % GW_COUNT(pieces)]);
    struct gw_slice value = gw_slice_trim(gw_slice_of_string(text));
    char *copy = malloc(value.length ? value.length : 1);
    assert_non_null(copy);
    if (value.length)
        memcpy(copy, value.at, value.length);
    return gw_slice_of(copy, value.length);
}

static void what_is_normal_stays_so(void **state)
{
    struct gw_random random;
    struct gw_arena arena;
    (void)state;
    gw_random_init(&random);
    open_arena(&arena);
    for (unsigned turn = 0; turn < 50000; turn++) {
        struct gw_slice value = make_value(&random);
        struct gw_head request;
        gw_head_init(&request);
        assert_true(gw_head_add(&request, &arena, GW_SLICE("Accept-Encoding"), value));
        gw_accept_encoding_put_normal(&request, &arena);
        struct gw_slice once = gw_head_value(&request, GW_FIELD_ACCEPT_ENCODING);
        assert_in_range(once.length, 2, GW_ACCEPT_ENCODING_BYTES);
        gw_accept_encoding_put_normal(&request, &arena);
        struct gw_slice again = gw_head_value(&request, GW_FIELD_ACCEPT_ENCODING);
        if (!gw_slice_equal(again, once))
            fail_msg("%.*s: %.*s: %.*s", GW_SLICE_ARGS(value), GW_SLICE_ARGS(once), GW_SLICE_ARGS(again));
        gw_arena_reset(&arena);
        free((char *)(uintptr_t)value.at);
    }
    gw_arena_free(&arena);
}

static void without_memory_the_field_goes(void **state)
{
    struct gw_arena arena, none;
    (void)state;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", "Accept-Encoding: br, gzip");
    gw_arena_init(&none, 0, 0);
    gw_accept_encoding_put_normal(&request, &none);
    assert_null(gw_head_find(&request, GW_FIELD_ACCEPT_ENCODING));
    gw_arena_free(&none);
    gw_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_wish_has_one_spelling),
        cmocka_unit_test(several_lines_are_one_and_none_stays_none),
        cmocka_unit_test(what_is_normal_stays_so),
        cmocka_unit_test(without_memory_the_field_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
