#include "unit/cache/heads.h"
#include "cache/range.h"

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW_S INT64_C(784111777)

static void a_range_is_a_part_or_the_whole_or_cannot_be_satisfied(void **state)
{
    static const struct row {
        const char *method, *request;
        int status;
        const char *response;
        uint64_t body_bytes;
        const char *section;
        enum gw_range range;
        uint64_t first, length;
    } rows[] = {
        { "GET", "Range: bytes=0-0", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 0, 1 },
        { "GET", "Range: bytes=0-4", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 0, 5 },
        { "GET", "Range: bytes=3-6", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 3, 4 },
        { "GET", "Range: bytes=7-9", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 7, 3 },
        { "GET", "Range: bytes=5-", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 5, 5 },
        { "GET", "Range: bytes=9-", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 9, 1 },
        { "GET", "Range: bytes=0-", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 0, 10 },
        { "GET", "Range: bytes=0-9", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 0, 10 },
        { "GET", "Range: bytes=5-99", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 5, 5 },
        { "GET", "Range: bytes=-3", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 7, 3 },
        { "GET", "Range: bytes=-1", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 9, 1 },
        { "GET", "Range: bytes=-10", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 0, 10 },
        { "GET", "Range: bytes=-99", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 0, 10 },
        { "GET", "Range: bytes=5-99999999999999999999999", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 5,
          5 },
        { "GET", "Range: bytes=0003-0004", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 3, 2 },
        { "GET", "Range: bytes=-99999999999999999999999", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 0,
          10 },
        { "GET", "Range: bytes=0-18446744073709551615", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 0, 10 },
        { "GET", "Range: bytes=1-1,", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 1, 1 },
        { "GET", "Range: bytes=, 1-2 ,", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_PART, 1, 2 },
        { "GET", "Range: BYTES=2-4", 200, "ETag: \"a\"", 10, "9110 §14.1", GW_RANGE_PART, 2, 3 },
        { "GET", "Range: bytes=10-", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_UNSATISFIABLE, 0, 0 },
        { "GET", "Range: bytes=10-12", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_UNSATISFIABLE, 0, 0 },
        { "GET", "Range: bytes=99999999999999999999999-", 200, "ETag: \"a\"", 10, "9110 §14.1.2",
          GW_RANGE_UNSATISFIABLE, 0, 0 },
        { "GET", "Range: bytes=99999999999999999999998-99999999999999999999999", 200, "ETag: \"a\"", 10, "9110 §14.1.2",
          GW_RANGE_UNSATISFIABLE, 0, 0 },
        { "GET", "Range: bytes=18446744073709551615-", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_UNSATISFIABLE,
          0, 0 },
        { "GET", "Range: bytes=-0", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_UNSATISFIABLE, 0, 0 },
        { "GET", "Range: bytes=-00", 200, "ETag: \"a\"", 10, "9110 §14.1.2", GW_RANGE_UNSATISFIABLE, 0, 0 },
        { "GET", "Range: bytes=0-", 200, "ETag: \"a\"", 0, "9110 §14.1.2", GW_RANGE_UNSATISFIABLE, 0, 0 },
        { "GET", "Range: bytes=0-0", 200, "ETag: \"a\"", 0, "9110 §14.1.2", GW_RANGE_UNSATISFIABLE, 0, 0 },
        { "GET", "Range: bytes=-5", 200, "ETag: \"a\"", 0, "9110 §14.1.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=-0", 200, "ETag: \"a\"", 0, "9110 §14.1.2", GW_RANGE_UNSATISFIABLE, 0, 0 },
        { "GET", "Range: bytes=5-2", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=99999999999999999999999-99999999999999999999998", 200, "ETag: \"a\"", 10, "9110 §14.2",
          GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=a-b", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=5", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=-", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=--4", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=0 - 4", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=0-x", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=0x0-0x4", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=0-1, 4-5", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=0-1, x", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=+1-2", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=1-2-3", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=1-2;q=1", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: lines=0-1", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: 0-4", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes = 0-4", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range:", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=0-1\nRange: bytes=0-1", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "HEAD", "Range: bytes=0-1", 200, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=0-1", 404, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=0-1", 206, "ETag: \"a\"", 10, "9110 §14.2", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: \"a\"", 200, "ETag: \"a\"", 10, "9110 §13.1.5", GW_RANGE_PART, 2, 3 },
        { "GET", "Range: bytes=2-4\nIf-Range: \"b\"", 200, "ETag: \"a\"", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: W/\"a\"", 200, "ETag: W/\"a\"", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0,
          0 },
        { "GET", "Range: bytes=2-4\nIf-Range: W/\"a\"", 200, "ETag: \"a\"", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: \"a\"", 200, "ETag: W/\"a\"", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: \"a\"", 200, "", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: \"a\", \"b\"", 200, "ETag: \"a\"", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0,
          0 },
        { "GET", "Range: bytes=2-4\nIf-Range: a", 200, "ETag: a", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: \"a\"\nIf-Range: \"a\"", 200, "ETag: \"a\"", 10, "9110 §13.1.5",
          GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: ", 200, "ETag: \"a\"", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: \"a\"", 200, "ETag: \"a\"\nETag: \"a\"", 10, "9110 §13.1.5",
          GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: \"\"", 200, "ETag: \"\"", 10, "9110 §13.1.5", GW_RANGE_PART, 2, 3 },
        { "GET", "Range: bytes=2-4\nIf-Range: Sun, 06 Nov 1994 08:39:37 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT", 10, "9110 §13.1.5", GW_RANGE_PART, 2, 3 },
        { "GET", "Range: bytes=2-4\nIf-Range: Sunday, 06-Nov-94 08:39:37 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT", 10, "9110 §13.1.5", GW_RANGE_PART, 2, 3 },
        { "GET", "Range: bytes=2-4\nIf-Range: Sun, 06 Nov 1994 08:39:38 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: Sun, 06 Nov 1994 08:39:36 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: Sun, 06 Nov 1994 08:39:37 GMT", 200, "ETag: \"a\"", 10, "9110 §13.1.5",
          GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=2-4\nIf-Range: Sun, 06 Nov 1994 08:39:37 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT\nDate: Sun, 06 Nov 1994 08:39:38 GMT", 10, "9110 §13.1.5",
          GW_RANGE_PART, 2, 3 },
        { "GET", "Range: bytes=2-4\nIf-Range: Sun, 06 Nov 1994 08:39:37 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT\nDate: Sun, 06 Nov 1994 08:39:37 GMT", 10, "9110 §13.1.5",
          GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=99-\nIf-Range: \"b\"", 200, "ETag: \"a\"", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
        { "GET", "Range: bytes=99-\nIf-Range: \"a\"", 200, "ETag: \"a\"", 10, "9110 §13.1.5", GW_RANGE_UNSATISFIABLE, 0,
          0 },
        { "GET", "If-Range: \"b\"", 200, "ETag: \"a\"", 10, "9110 §13.1.5", GW_RANGE_WHOLE, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_range_part part = { 77, 77 };
        open_arena(&arena);
        struct gw_head asking = request_head(&arena, rows[i].method, rows[i].request);
        struct gw_head response = response_head(&arena, rows[i].status, rows[i].response);
        enum gw_range range = gw_range_of(&asking, &response, rows[i].body_bytes, NOW_S, &part);
        if (range != rows[i].range ||
            (range == GW_RANGE_PART && (part.first != rows[i].first || part.length != rows[i].length)))
            fail_msg("%s: %s [%s] of [%s]: %d, %llu + %llu", rows[i].section, rows[i].method, rows[i].request,
                     rows[i].response, (int)range, (unsigned long long)part.first, (unsigned long long)part.length);
        gw_arena_free(&arena);
    }
}

static void the_largest_body_has_a_last_byte(void **state)
{
    struct gw_arena arena;
    struct gw_range_part part;
    (void)state;
    open_arena(&arena);
    struct gw_head asking = request_head(&arena, "GET", "Range: bytes=18446744073709551614-");
    struct gw_head response = response_head(&arena, 200, "");
    assert_int_equal(gw_range_of(&asking, &response, UINT64_MAX, NOW_S, &part), GW_RANGE_PART);
    assert_true(part.first == UINT64_MAX - 1 && part.length == 1);
    gw_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_a_part_or_the_whole_or_cannot_be_satisfied),
        cmocka_unit_test(the_largest_body_has_a_last_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
