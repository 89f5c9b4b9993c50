#include "unit/cache/heads.h"
#include "cache/entry.h"

static const struct gw_cache_key key = { .sha = { 1 }, .name_space = { 2 } };
static const struct gw_cache_life life = { .age_s = 5, .freshness_s = 60 };

static struct gw_entry *entry_of(struct gw_arena *arena, const char *asked, int status, const char *answered)
{
    struct gw_head request = request_head(arena, "GET", asked);
    struct gw_head response = response_head(arena, status, answered);
    struct gw_entry *entry = gw_entry_create(&key, &request, &response, NULL, 0, &life, 7000000);
    assert_non_null(entry);
    return entry;
}

static void an_entry_keeps_what_speaks_of_the_content(void **state)
{
    static const struct row {
        int status;
        const char *fields, *text;
    } rows[] = {
        /* RFC 9111 §3.1 */
        { 200, "Content-Type: text/plain\nX-A: 1\nX-A: 2",
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: 1\r\nX-A: 2\r\n" },
        { 200, "", "HTTP/1.1 200 OK\r\n" },
        { 599, "X-Empty:", "HTTP/1.1 599 \r\nX-Empty: \r\n" },
        { 200, "Age: 3\nContent-Length: 5\nX-Cache: HIT\nX-Cache-Age: 3\nX-Request-Id: r\nVia: 1.1 far",
          "HTTP/1.1 200 OK\r\nVia: 1.1 far\r\n" },
        { 200,
          "RateLimit: \"a\";r=1\nRateLimit-Policy: \"a\";q=1\nX-RateLimit-Limit: 1\nX-RateLimit-Remaining: "
          "0\nX-RateLimit-Reset: 1",
          "HTTP/1.1 200 OK\r\n" },
        { 200,
          "Connection: close\nKeep-Alive: timeout=5\nTransfer-Encoding: chunked\nTrailer: X\nUpgrade: "
          "h2c\nProxy-Authenticate: Basic",
          "HTTP/1.1 200 OK\r\n" },
        { 200, "Retry-After: 9\nSet-Cookie: a=b", "HTTP/1.1 200 OK\r\n" },
        { 503, "Retry-After: 9", "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 9\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_entry *entry = entry_of(&arena, "", rows[i].status, rows[i].fields);
        if (!gw_slice_equal(entry->head_text, gw_slice_of_string(rows[i].text)))
            fail_msg("row %zu: %.*s", i, GW_SLICE_ARGS(entry->head_text));
        assert_int_equal(entry->head.status, rows[i].status);
        gw_entry_drop(entry);
        gw_arena_free(&arena);
    }
}

static void an_entry_outlives_the_heads_it_was_made_of(void **state)
{
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    struct gw_entry *entry = entry_of(
        &arena, "Accept: a\nX-Original-URL: /x", 200,
        "ETag: \"e\"\nX-A: 1\nVary: Accept, Origin\nCache-Control: max-age=60\nX-Drop: 1");
    gw_arena_free(&arena);
    assert_true(gw_slice_equal(gw_head_value(&entry->head, GW_FIELD_ETAG), GW_SLICE("\"e\"")));
    assert_non_null(gw_head_find_named(&entry->head, GW_SLICE("x-a")));
    assert_null(gw_head_find(&entry->head, GW_FIELD_COOKIE));
    assert_int_equal(entry->vary_named, 2);
    assert_int_equal(entry->vary_values.count, 3);
    assert_true(gw_slice_equal(gw_head_value(&entry->vary_values, GW_FIELD_ACCEPT), GW_SLICE("a")));
    assert_null(gw_head_value(&entry->vary_values, GW_FIELD_ORIGIN).at);
    assert_true(gw_slice_equal(gw_head_value(&entry->vary_values, GW_FIELD_X_ORIGINAL_URL), GW_SLICE("/x")));
    assert_true(entry->terms.is_shareable && entry->terms.is_explicit && entry->terms.has_vary);
    assert_false(entry->vary_any);
    gw_entry_drop(entry);
}

static void a_dropped_field_is_not_stored(void **state)
{
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", "");
    struct gw_head response = response_head(&arena, 200, "Connection: X-Hop\nX-Hop: 1\nX-End: 2");
    gw_head_drop_hop_by_hop(&response);
    struct gw_entry *entry = gw_entry_create(&key, &request, &response, NULL, 0, &life, 0);
    assert_non_null(entry);
    assert_true(gw_slice_equal(entry->head_text, GW_SLICE("HTTP/1.1 200 OK\r\nX-End: 2\r\n")));
    gw_entry_drop(entry);
    gw_arena_free(&arena);
}

static void a_body_is_shared_and_counted(void **state)
{
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", ""), response = response_head(&arena, 200, "X-A: 1");
    struct gw_block *body = gw_block_create(1000);
    assert_non_null(body);
    struct gw_entry *entry = gw_entry_create(&key, &request, &response, body, 1000, &life, 0);
    assert_non_null(entry);
    gw_block_drop(body); /* the entry's hold is its own */
    memset(entry->body->bytes, 'x', 1000);
    assert_int_equal(entry->body_bytes, 1000);
    assert_true(entry->cost_bytes >= sizeof *entry + 1000 + sizeof(struct gw_block) + entry->head_text.length);
    assert_true(entry->cost_bytes < sizeof *entry + 1000 + 256);
    assert_int_equal(entry->head.content_length, 1000);
    struct gw_entry *again = gw_entry_share(entry);
    gw_entry_drop(entry);
    assert_int_equal(again->body->bytes[999], 'x');
    gw_entry_drop(again);
    gw_entry_drop(NULL);
    gw_arena_free(&arena);
}

static void age_grows_by_whole_seconds_from_what_it_was(void **state)
{
    static const struct row {
        uint64_t now_us;
        int64_t age_s;
    } rows[] = { { 7000000, 5 },
                 { 7999999, 5 },
                 { 8000000, 6 },
                 { 67000000, 65 },
                 { 6000000, 5 } /* another thread's earlier now */ };
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    struct gw_entry *entry = entry_of(&arena, "", 200, "");
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        assert_int_equal(gw_entry_age_s(entry, rows[i].now_us), rows[i].age_s);
    gw_entry_drop(entry);
    gw_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_keeps_what_speaks_of_the_content),
        cmocka_unit_test(an_entry_outlives_the_heads_it_was_made_of),
        cmocka_unit_test(a_dropped_field_is_not_stored),
        cmocka_unit_test(a_body_is_shared_and_counted),
        cmocka_unit_test(age_grows_by_whole_seconds_from_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
