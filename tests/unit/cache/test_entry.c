#include "unit/cache/heads.h"
#include "cache/entry.h"

static const struct gw_cache_key key = { .sha = { 1 }, .name_space = { 2 } };
static const struct gw_cache_life life = { .age_s = 5, .freshness_s = 60 };

static struct gw_entry_setup setup_of(const struct gw_head *request, const struct gw_head *response)
{
    return (struct gw_entry_setup) {
        .key = &key,
        .scheme = GW_SLICE("http"),
        .host = GW_SLICE("Example.com"),
        .request = request,
        .response = response,
        .life = &life,
        .ban_sequence = 9,
        .now_us = 7000000,
    };
}

static struct gw_entry *entry_with(struct gw_arena *arena, const char *asked, int status, const char *answered,
                                   const struct gw_cache_life *its_life)
{
    struct gw_head request = request_head(arena, "GET", asked);
    struct gw_head response = response_head(arena, status, answered);
    struct gw_entry_setup setup = setup_of(&request, &response);
    request.path = GW_SLICE("/a");
    setup.life = its_life;
    struct gw_entry *entry = gw_entry_create(&setup);
    assert_non_null(entry);
    return entry;
}

static struct gw_entry *entry_of(struct gw_arena *arena, const char *asked, int status, const char *answered)
{
    return entry_with(arena, asked, status, answered, &life);
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
        { 200, "Retry-After: 9\nSet-Cookie: a=b", "HTTP/1.1 200 OK\r\nRetry-After: 9\r\n" },
        { 200,
          "TE: a\nProxy-Authenticate: a\nProxy-Authorization: a\nProxy-Authentication-Info: a\nProxy-Connection: "
          "a\nPROXY-Anything: a\nProxying: a",
          "HTTP/1.1 200 OK\r\nProxying: a\r\n" },
        /* RFC 9111 §5.2.2.4, §5.2.2.7: not to others, or not without validation */
        { 200, "Cache-Control: private=\"X-A, set-cookie\"\nX-A: 1\nX-B: 2\nx-a: 3",
          "HTTP/1.1 200 OK\r\nCache-Control: private=\"X-A, set-cookie\"\r\nX-B: 2\r\n" },
        { 200, "X-A: 1\nCache-Control: no-cache=\"x-a\"", "HTTP/1.1 200 OK\r\nCache-Control: no-cache=\"x-a\"\r\n" },
        { 200, "Vary: Accept\nCache-Control: private=\"vary\"", /* otherwise the entry would not say what selects it */
          "HTTP/1.1 200 OK\r\nVary: Accept\r\nCache-Control: private=\"vary\"\r\n" },
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
        gw_entry_unref(entry);
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
    assert_false(entry->vary_any);
    gw_entry_unref(entry);
}

static void a_dropped_field_is_not_stored(void **state)
{
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", "");
    struct gw_head response = response_head(&arena, 200, "Connection: X-Hop\nX-Hop: 1\nX-End: 2");
    gw_head_drop_hop_by_hop(&response);
    struct gw_entry_setup setup = setup_of(&request, &response);
    struct gw_entry *entry = gw_entry_create(&setup);
    assert_non_null(entry);
    assert_true(gw_slice_equal(entry->head_text, GW_SLICE("HTTP/1.1 200 OK\r\nX-End: 2\r\n")));
    gw_entry_unref(entry);
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
    struct gw_entry_setup setup = setup_of(&request, &response);
    setup.body = body;
    setup.body_bytes = 1000;
    struct gw_entry *entry = gw_entry_create(&setup);
    assert_non_null(entry);
    gw_block_unref(body); /* the entry's hold is its own */
    memset(entry->body->bytes, 'x', 1000);
    assert_int_equal(entry->body_bytes, 1000);
    assert_true(entry->cost_bytes >= sizeof *entry + 1000 + sizeof(struct gw_block) + entry->head_text.length);
    assert_true(entry->cost_bytes < sizeof *entry + 1000 + 256);
    assert_int_equal(entry->head.content_length, 1000);
    struct gw_entry *again = gw_entry_ref(entry);
    gw_entry_unref(entry);
    assert_int_equal(again->body->bytes[999], 'x');
    gw_entry_unref(again);
    gw_entry_unref(NULL);
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
    gw_entry_unref(entry);
    gw_arena_free(&arena);
}

static void its_terms_and_its_bans_are_those_of_its_storing(void **state)
{
    const struct gw_cache_life stated = { 3, 90, { .is_explicit = true, .no_stale = true, .window_s = 60 } };
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    struct gw_entry *entry = entry_with(&arena, "", 200, "Cache-Control: max-age=1", &stated);
    assert_int_equal(entry->freshness_s, 90);
    assert_memory_equal(&entry->terms, &stated.terms, sizeof stated.terms);
    assert_int_equal(entry->ban_sequence, 9);
    assert_int_equal(atomic_load(&entry->bans_checked), 9);
    assert_false(atomic_load(&entry->is_outdated));
    gw_entry_unref(entry);
    gw_arena_free(&arena);
}

static void a_cookie_is_kept_by_its_terms_alone(void **state)
{
    const struct gw_cache_life redis_cache = { 0, 60, { .keeps_set_cookie = true } };
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    struct gw_entry *with = entry_with(&arena, "", 200, "Set-Cookie: a=b", &redis_cache);
    struct gw_entry *without = entry_of(&arena, "", 200, "Set-Cookie: a=b");
    struct gw_entry *named = entry_with(&arena, "", 200, "Set-Cookie: a=b\nCache-Control: private=\"set-cookie\"",
                                        &redis_cache);
    assert_non_null(gw_head_find(&with->head, GW_FIELD_SET_COOKIE));
    assert_null(gw_head_find(&without->head, GW_FIELD_SET_COOKIE));
    assert_null(gw_head_find(&named->head, GW_FIELD_SET_COOKIE));
    gw_entry_unref(with);
    gw_entry_unref(without);
    gw_entry_unref(named);
    gw_arena_free(&arena);
}

static void its_url_is_absolute(void **state)
{
    static const struct row {
        const char *scheme, *host, *path, *query, *url, *url_host, *path_and_query;
    } rows[] = {
        { "http", "example.com", "/a/B", NULL, "http://example.com/a/B", "example.com", "/a/B" },
        { "https", "EXAMPLE.com:8443", "/", "Q=1", "https://example.com:8443/?Q=1", "example.com:8443", "/?Q=1" },
        { "http", "[2001:DB8::1]", "/a", "", "http://[2001:db8::1]/a?", "[2001:db8::1]", "/a?" },
        { "http", "", "/a", NULL, "http:///a", "", "/a" }, /* HTTP/1.0 need not name one */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_head request = request_head(&arena, "GET", ""), response = response_head(&arena, 200, "");
        struct gw_entry_setup setup = setup_of(&request, &response);
        setup.scheme = gw_slice_of_string(rows[i].scheme);
        setup.host = gw_slice_of_string(rows[i].host);
        request.path = gw_slice_of_string(rows[i].path);
        request.query = gw_slice_of_string(rows[i].query);
        struct gw_entry *entry = gw_entry_create(&setup);
        assert_non_null(entry);
        assert_true(gw_slice_equal(entry->url, gw_slice_of_string(rows[i].url)));
        assert_true(gw_slice_equal(entry->host, gw_slice_of_string(rows[i].url_host)));
        assert_true(gw_slice_equal(entry->path_and_query, gw_slice_of_string(rows[i].path_and_query)));
        gw_entry_unref(entry);
        gw_arena_free(&arena);
    }
}

static void tags_are_separated_by_one_space(void **state)
{
    static const struct row {
        const char *fields, *tags;
    } rows[] = {
        { "", "" },
        { "Surrogate-Key:", "" },
        { "Surrogate-Key: a b", "a b" },
        { "surrogate-key: a\t  b", "a b" },
        { "Surrogate-Key: a,b c", "a,b c" },
        { "Cache-Tag: a,b ,, c", "a b c" },
        { "Cache-Tag: a b,c", "a b c" }, /* a tag has no white space */
        { "Cache-Tag: c\nSurrogate-Key: a\nSurrogate-Key: b\nCACHE-TAG: d,", "a b c d" },
        { "Cache-Control: private=\"Surrogate-Key\"\nSurrogate-Key: a", "a" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_entry *entry = entry_of(&arena, "", 200, rows[i].fields);
        if (!gw_slice_equal(entry->tags, gw_slice_of_string(rows[i].tags)))
            fail_msg("row %zu: %.*s", i, GW_SLICE_ARGS(entry->tags));
        gw_entry_unref(entry);
        gw_arena_free(&arena);
    }
}

static void tags_beyond_the_bound_are_left_out(void **state)
{
    enum { LONG = GW_ENTRY_TAG_BYTES - 4 };
    static char many[32 + 2 * (GW_ENTRY_TAGS + 2)] = "Surrogate-Key:", large[LONG + 64] = "Surrogate-Key: ";
    struct gw_arena arena;
    (void)state;
    open_arena(&arena);
    for (unsigned i = 0; i < GW_ENTRY_TAGS + 2; i++)
        strcat(many, " a");
    memset(large + 15, 'a', LONG);
    strcat(large, " bcd ef g"); /* "bcd" just fits, "ef" does not, and nothing behind it */
    struct gw_entry *first = entry_of(&arena, "", 200, many), *second = entry_of(&arena, "", 200, large);
    assert_int_equal(first->tags.length, 2 * GW_ENTRY_TAGS - 1);
    assert_int_equal(second->tags.length, GW_ENTRY_TAG_BYTES);
    assert_memory_equal(second->tags.at + LONG, " bcd", 4);
    gw_entry_unref(first);
    gw_entry_unref(second);
    gw_arena_free(&arena);
}

/* RFC 9111 §3.2 */
static void an_update_replaces_the_fields_that_it_has(void **state)
{
    static const struct row {
        const char *stored, *update, *merged; /* Set-Cookie is kept by the stored terms in the last rows */
        bool keeps_set_cookie;
    } rows[] = {
        { "X-A: 1", "", "X-A: 1\r\n", false },
        { "", "X-A: 1", "X-A: 1\r\n", false },
        { "", "", "", false },
        { "X-A: 1\nX-B: 2\nX-A: 3", "x-a: 4\nX-C: 5\nX-A: 6", "X-B: 2\r\nx-a: 4\r\nX-C: 5\r\nX-A: 6\r\n", false },
        { "ETag: \"a\"\nDate: a", "Date: b\nETag: W/\"a\"\nExpires: 0", "Date: b\r\nETag: W/\"a\"\r\nExpires: 0\r\n",
          false },
        { "Content-Encoding: gzip\nContent-Digest: a\nRepr-Digest: a\nContent-Type: a\nContent-MD5: a",
          "Content-Encoding: br\nContent-Digest: b\nRepr-Digest: b\nContent-Type: b\nContent-MD5: b\n"
          "Content-Length: 5\nContent-Range: bytes 0-1/2\nTransfer-Encoding: chunked",
          "Content-Encoding: gzip\r\nContent-Digest: a\r\nRepr-Digest: a\r\nContent-Type: b\r\nContent-MD5: b\r\n",
          false },
        { "X-A: 1", "Connection: X-A\nKeep-Alive: 1\nProxy-X: 1\nAge: 5\nX-Cache: HIT\nX-A: 2", "X-A: 1\r\nAge: 5\r\n",
          false },
        { "X-A: 1", "X-A: 2\nCache-Control: private=\"x-a\"", "X-A: 1\r\nCache-Control: private=\"x-a\"\r\n", false },
        { "", "Set-Cookie: c=d", "", false },
        { "Set-Cookie: a=b", "Set-Cookie: c=d", "Set-Cookie: c=d\r\n", true },
        { "Set-Cookie: a=b", "X-A: 1", "Set-Cookie: a=b\r\nX-A: 1\r\n", true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_cache_life its_life = { 0, 60, { .keeps_set_cookie = rows[i].keeps_set_cookie } };
        struct gw_arena arena;
        struct gw_head merged;
        char memory[512];
        struct gw_buffer text = gw_buffer_over(memory, sizeof memory);
        open_arena(&arena);
        struct gw_entry *stored = entry_with(&arena, "", 404, rows[i].stored, &its_life);
        struct gw_head update = response_head(&arena, 304, rows[i].update);
        gw_head_drop_hop_by_hop(&update);
        stored->body_bytes = 17;
        assert_true(gw_entry_merge(&merged, &arena, stored, &update, 4096));
        gw_head_put_fields(&merged, &text);
        if (!gw_slice_equal(gw_slice_of(text.at, text.length), gw_slice_of_string(rows[i].merged)))
            fail_msg("row %zu: %.*s", i, (int)text.length, text.at);
        assert_int_equal(merged.status, 404);
        assert_true(gw_slice_equal(merged.reason, GW_SLICE("Not Found")));
        assert_int_equal(merged.framing, GW_FRAMING_LENGTH);
        assert_int_equal(merged.content_length, 17);
        for (unsigned j = 0; j < merged.count; j++)
            assert_non_null(gw_head_find_named(&merged, merged.fields[j].name));
        gw_entry_unref(stored);
        gw_arena_free(&arena);
    }
}

static void an_update_past_the_bound_fails(void **state)
{
    struct gw_arena arena, small;
    struct gw_head merged;
    (void)state;
    open_arena(&arena);
    gw_arena_init(&small, 64, 0);
    struct gw_entry *stored = entry_of(&arena, "", 200, "X-A: 1");
    struct gw_head update = response_head(&arena, 304, "X-B: 1");
    assert_false(gw_entry_merge(&merged, &small, stored, &update, 4096));
    gw_entry_unref(stored);
    gw_arena_free(&small);
    gw_arena_free(&arena);
}

/* "HTTP/1.1 200 OK", the two fields and the empty line: 17 + 8 + 8 + 2 bytes. */
static void what_an_update_makes_larger_than_a_response_may_be_is_none(void **state)
{
    struct gw_arena arena;
    struct gw_head merged, many;
    (void)state;
    open_arena(&arena);
    struct gw_entry *stored = entry_of(&arena, "", 200, "X-A: 1");
    struct gw_head update = response_head(&arena, 304, "X-B: 1");
    assert_true(gw_entry_merge(&merged, &arena, stored, &update, 35));
    assert_false(gw_entry_merge(&merged, &arena, stored, &update, 34));
    many = update;
    for (unsigned i = 2; i < GW_ENTRY_MERGED_FIELDS; i++)
        assert_true(gw_head_add(&many, &arena, GW_SLICE("X-B"), GW_SLICE("2")));
    assert_true(gw_entry_merge(&merged, &arena, stored, &many, 65536));
    assert_true(gw_head_add(&many, &arena, GW_SLICE("X-B"), GW_SLICE("2")));
    assert_false(gw_entry_merge(&merged, &arena, stored, &many, 65536));
    gw_entry_unref(stored);
    gw_arena_free(&arena);
}

static void an_entry_is_of_use_by_its_age_its_vary_and_its_bans(void **state)
{
    static const struct row {
        const char *answered, *asking;
        uint64_t after_s;
        bool is_outdated;
        enum gw_reuse reuse;
    } rows[] = {
        /* fresh for 60 s, 5 s old; of use for 30 s more */
        { "", "", 0, false, GW_REUSE_FRESH },
        { "", "", 54, false, GW_REUSE_FRESH },
        { "", "", 55, false, GW_REUSE_VALIDATED },
        { "", "", 0, true, GW_REUSE_VALIDATED },
        { "Vary: Accept", "Accept: a", 0, false, GW_REUSE_FRESH },
        { "Vary: Accept", "Accept: b", 0, false, GW_REUSE_NO },
        { "Vary: *", "Accept: a", 0, false, GW_REUSE_NO },
    };
    const struct gw_cache_life explicit_life = { 5,
                                                 60,
                                                 { .is_explicit = true, .has_validator = true, .window_s = 30 } };
    const struct gw_cache_rules rules = { .override_ttl_s = GW_DIRECTIVE_ABSENT };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_cache_request request;
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_entry *entry = entry_with(&arena, "Accept: a", 200, rows[i].answered, &explicit_life);
        struct gw_head asking = request_head(&arena, "GET", rows[i].asking);
        uint64_t now_us = 7000000 + rows[i].after_s * 1000000;
        gw_policy_read_request(&request, &asking, &rules);
        atomic_store(&entry->is_outdated, rows[i].is_outdated);
        if (gw_entry_reuse(entry, &request, &asking, now_us) != rows[i].reuse)
            fail_msg("row %zu", i);
        assert_false(gw_entry_is_over(entry, now_us));
        assert_false(gw_entry_is_over(entry, 7000000 + UINT64_C(84000000)));
        assert_true(gw_entry_is_over(entry, 7000000 + UINT64_C(85000000)));
        gw_entry_unref(entry);
        gw_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_keeps_what_speaks_of_the_content),
        cmocka_unit_test(an_entry_outlives_the_heads_it_was_made_of),
        cmocka_unit_test(a_dropped_field_is_not_stored),
        cmocka_unit_test(a_body_is_shared_and_counted),
        cmocka_unit_test(age_grows_by_whole_seconds_from_what_it_was),
        cmocka_unit_test(its_terms_and_its_bans_are_those_of_its_storing),
        cmocka_unit_test(a_cookie_is_kept_by_its_terms_alone),
        cmocka_unit_test(its_url_is_absolute),
        cmocka_unit_test(tags_are_separated_by_one_space),
        cmocka_unit_test(tags_beyond_the_bound_are_left_out),
        cmocka_unit_test(an_update_replaces_the_fields_that_it_has),
        cmocka_unit_test(an_update_past_the_bound_fails),
        cmocka_unit_test(what_an_update_makes_larger_than_a_response_may_be_is_none),
        cmocka_unit_test(an_entry_is_of_use_by_its_age_its_vary_and_its_bans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
