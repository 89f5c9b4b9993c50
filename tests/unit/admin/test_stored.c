#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <stdlib.h>
#include "admin/stored.h"

enum { STORED_AT_S = 1000 }; /* CLOCK_MONOTONIC */

static const struct gw_cache_rules rules = { .default_ttl_s = 300,
                                             .override_ttl_s = GW_DIRECTIVE_ABSENT,
                                             .keep_s = 60 };
static struct gw_arena arena;
static struct gw_key_maker *keys;
static struct gw_inspect_order order;
static struct gw_cache_request request;
static struct gw_cache_key key;
static struct gw_stored stored;

static int set_up(void **state)
{
    (void)state;
    gw_arena_init(&arena, 1 << 12, 1 << 20);
    keys = gw_key_maker_create();
    assert_non_null(keys);
    gw_key_make(keys, GW_SLICE("GET"), GW_SLICE("/x"), GW_NO_SLICE, GW_SLICE("default"), GW_SLICE("http"),
                GW_SLICE("a"), &key);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gw_key_maker_destroy(&keys);
    gw_arena_free(&arena);
    return 0;
}

/* "Name: value\nName: value" */
static void add_fields(struct gw_head *head, const char *lines)
{
    struct gw_slice rest = gw_slice_of_string(lines);
    while (rest.length) {
        const char *end = memchr(rest.at, '\n', rest.length), *colon = memchr(rest.at, ':', rest.length);
        size_t length = end ? (size_t)(end - rest.at) : rest.length, name = (size_t)(colon - rest.at);
        struct gw_slice value = gw_slice_trim(gw_slice_of(colon + 1, length - name - 1));
        assert_true(gw_head_add(head, &arena, gw_slice_of(rest.at, name), value));
        rest = gw_slice_of(rest.at + length + (end != NULL), rest.length - length - (end != NULL));
    }
}

/* What is asked about: the GET of http://a/x with these fields, `after_s` after the responses were stored. */
static void ask_about(const char *lines, int64_t after_s)
{
    struct gw_complaint complaint;
    assert_true(gw_cache_pages_read_inspect(GW_SLICE("url=http://a/x"), &arena, &order, &complaint));
    if (lines)
        add_fields(&order.head, lines);
    gw_policy_read_request(&request, &order.head, &rules);
    stored = (struct gw_stored) { .order = &order,
                                  .route = GW_SLICE("default"),
                                  .query = GW_NO_SLICE,
                                  .key = &key,
                                  .request = &request,
                                  .prefix = GW_SLICE("gw:"),
                                  .now_us = (uint64_t)(STORED_AT_S + after_s) * 1000000,
                                  .memory_cache_mode = GW_MEMORY_CACHE_EMBEDDED };
}

/* As the answer to the GET with these fields. */
static struct gw_entry *make_entry(const char *request_lines, const char *lines)
{
    struct gw_head asked, response;
    struct gw_cache_request about;
    struct gw_cache_life life;
    struct gw_block *body = gw_block_create(5);
    gw_head_init(&asked);
    gw_head_init(&response);
    asked.method = GW_METHOD_GET;
    asked.path = GW_SLICE("/x");
    response.status = 200;
    if (request_lines)
        add_fields(&asked, request_lines);
    add_fields(&response, lines);
    gw_policy_read_request(&about, &asked, &rules);
    assert_int_equal(gw_policy_may_store(&about, &asked, &response, &rules, 100, 100, &life), GW_CACHE_STORABLE);
    struct gw_entry_setup setup = { .key = &key,
                                    .scheme = GW_SLICE("http"),
                                    .host = GW_SLICE("a"),
                                    .request = &asked,
                                    .response = &response,
                                    .body = body,
                                    .body_bytes = 5,
                                    .life = &life,
                                    .now_us = (uint64_t)STORED_AT_S * 1000000 };
    struct gw_entry *entry = gw_entry_create(&setup);
    assert_non_null(entry);
    gw_block_unref(body);
    return entry;
}

static cJSON *print(void)
{
    struct gw_buffer page = gw_buffer_create(1 << 18);
    assert_int_equal(gw_stored_put(&stored, &page), 200);
    gw_buffer_put_char(&page, '\0');
    cJSON *json = cJSON_Parse(page.at);
    assert_non_null(json);
    gw_buffer_destroy(&page);
    return json;
}

static const char *text_of(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!cJSON_IsString(item))
        fail_msg("no text called %s", name);
    return item->valuestring;
}

static int number_of(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!cJSON_IsNumber(item))
        fail_msg("no number called %s", name);
    return item->valueint;
}

static void assert_verdict(const cJSON *json, const char *part)
{
    if (!strstr(text_of(json, "verdict"), part))
        fail_msg("\"%s\", expected \"%s\"", text_of(json, "verdict"), part);
}

/* ---- what becomes of one stored response ---- */

static void the_page_says_whether_a_stored_response_would_be_used_and_why(void **state)
{
    static const struct {
        const char *asked, *stored_for, *response; /* fields */
        int64_t after_s;
        enum gw_ban_verdict ban;
        const char *use, *why, *verdict; /* parts */
    } rows[] = {
        { NULL, NULL, "Cache-Control: max-age=60", 20, GW_BAN_NONE, "fresh", "younger",
          "Answered from this process' memory; fresh for 40 s more." },
        { NULL, NULL, "Cache-Control: max-age=60\nETag: \"1\"", 70, GW_BAN_NONE, "after validation", "no longer fresh",
          "asked to confirm" },
        { NULL, NULL, "Cache-Control: max-age=60, stale-if-error=60", 70, GW_BAN_NONE, "only if the backend fails",
          "no longer fresh", "if it fails" },
        { NULL, NULL, "Cache-Control: max-age=60, stale-while-revalidate=60", 70, GW_BAN_NONE,
          "stale, while it is refreshed", "stale-while-revalidate", "though stale" },
        { "Cache-Control: max-stale=30", NULL, "Cache-Control: max-age=60\nETag: \"1\"", 70, GW_BAN_NONE, "stale",
          "max-stale", "though stale" },
        { NULL, NULL, "Cache-Control: max-age=60\nETag: \"1\"", 120, GW_BAN_NONE, "no", "over",
          "The backend is asked: what is stored is not for this request" },
        { NULL, NULL, "Cache-Control: no-cache\nETag: \"1\"", 1, GW_BAN_NONE, "after validation", "it says no-cache",
          "asked to confirm" },
        { "Cache-Control: no-cache", NULL, "Cache-Control: max-age=60\nETag: \"1\"", 1, GW_BAN_NONE, "after validation",
          "the request says no-cache", "asked to confirm" },
        { "Cache-Control: max-age=5", NULL, "Cache-Control: max-age=60\nETag: \"1\"", 6, GW_BAN_NONE,
          "after validation", "younger one", "asked to confirm" },
        { NULL, NULL, "Cache-Control: max-age=60", 1, GW_BAN_HARD, "no", "purged", "The backend is asked" },
        { "Authorization: x", NULL, "Cache-Control: max-age=60", 1, GW_BAN_NONE, "no", "carries Authorization",
          "The backend is asked" },
        { "Cookie: a=b", NULL, "X-Says: nothing", 1, GW_BAN_NONE, "no", "carries a credential",
          "The backend is asked" },
        { "Accept-Language: de", "Accept-Language: fr", "Cache-Control: max-age=60\nVary: Accept-Language", 1,
          GW_BAN_NONE, "no", "other values", "The backend is asked" },
        { "Cache-Control: no-store", NULL, "Cache-Control: max-age=60", 1, GW_BAN_NONE, "no", "not asked",
          "The backend is asked, and the cache is not: it says no-store." },
        { "If-Match: \"1\"", NULL, "Cache-Control: max-age=60", 1, GW_BAN_NONE, "no", "not asked",
          "The backend is asked, and the cache is not: it has If-Match" },
        { "Cache-Control: only-if-cached, no-cache", NULL, "Cache-Control: max-age=60", 1, GW_BAN_HARD, "no", "purged",
          "Answered 504 (only-if-cached)" },
        { "Cache-Control: only-if-cached", NULL, "Cache-Control: max-age=60\nETag: \"1\"", 70, GW_BAN_NONE,
          "after validation", "no longer fresh", "Answered 504 (only-if-cached)" },
        { "Cache-Control: only-if-cached, no-store", NULL, "Cache-Control: max-age=60", 1, GW_BAN_NONE, "no",
          "not asked", "Answered 504 (only-if-cached): the cache is not asked: it says no-store." },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_entry *entry = make_entry(rows[i].stored_for, rows[i].response);
        ask_about(rows[i].asked, rows[i].after_s);
        stored.memory_cache[0] = entry;
        stored.memory_cache_bans[0] = rows[i].ban;
        stored.memory_cache_count = 1;
        cJSON *json = print();
        const cJSON *told = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "near"), 0);
        if (strcmp(text_of(told, "would_be_used"), rows[i].use) != 0 || !strstr(text_of(told, "why"), rows[i].why))
            fail_msg("row %zu: %s: %s", i, text_of(told, "would_be_used"), text_of(told, "why"));
        assert_verdict(json, rows[i].verdict);
        cJSON_Delete(json);
        gw_entry_unref(entry);
    }
}

static void a_softly_purged_response_is_stale_as_of_now(void **state)
{
    struct gw_entry *entry = make_entry(NULL, "Cache-Control: max-age=60\nETag: \"1\"");
    (void)state;
    ask_about(NULL, 20);
    atomic_store(&entry->is_outdated, true); /* as gw_bans_check leaves it */
    stored.memory_cache[0] = entry;
    stored.memory_cache_bans[0] = GW_BAN_SOFT;
    stored.memory_cache_count = 1;
    cJSON *json = print();
    const cJSON *told = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "near"), 0);
    assert_string_equal(text_of(told, "would_be_used"), "after validation");
    assert_string_equal(text_of(told, "why"), "it was purged softly");
    assert_string_equal(text_of(told, "ban"), "soft");
    assert_int_equal(number_of(told, "ttl_s"), 0);
    assert_int_equal(number_of(told, "freshness_s"), 60);
    cJSON_Delete(json);
    gw_entry_unref(entry);
}

static void a_stored_response_is_shown_with_its_life_selection_and_tags(void **state)
{
    struct gw_entry *entry = make_entry("Accept-Language: de", "Cache-Control: max-age=60, stale-if-error=90\nAge: 5\n"
                                                               "Vary: Accept-Language, X-A\nSurrogate-Key: one two\n"
                                                               "Cache-Tag: three");
    (void)state;
    ask_about("Accept-Language: de", 70);
    stored.memory_cache[0] = entry;
    stored.memory_cache_count = 1;
    cJSON *json = print();
    const cJSON *told = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "near"), 0);
    assert_int_equal(number_of(told, "status"), 200);
    assert_int_equal(number_of(told, "age_s"), 75);
    assert_int_equal(number_of(told, "ttl_s"), -15);
    assert_int_equal(number_of(told, "stale_if_error_s"), 90);
    assert_int_equal(number_of(told, "body_bytes"), 5);
    assert_string_equal(text_of(told, "stored_for"), "http://a/x");
    const cJSON *selection = cJSON_GetObjectItem(told, "selected_by");
    assert_int_equal(cJSON_GetArraySize(selection), 2);
    assert_string_equal(text_of(cJSON_GetArrayItem(selection, 0), "field"), "accept-language");
    assert_string_equal(text_of(cJSON_GetArrayItem(selection, 0), "value"), "de");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(selection, 1), "value")));
    const cJSON *tags = cJSON_GetObjectItem(told, "tags");
    assert_int_equal(cJSON_GetArraySize(tags), 3);
    assert_string_equal(cJSON_GetArrayItem(tags, 2)->valuestring, "three");
    cJSON_Delete(json);
    gw_entry_unref(entry);
}

/* ---- Redis ---- */

static void the_page_says_what_lies_in_redis(void **state)
{
    static const struct {
        struct gw_redis_cache_inspection inspection;
        const char *kind, *verdict;
    } rows[] = {
        { { .is_known = true }, "none", "The backend is asked: nothing is stored." },
        { { .is_known = true, .is_there = true, .base = GW_FRAME_TOMBSTONE, .left_ms = 9000 }, "tombstone", "purged" },
        { { .is_known = true, .is_there = true, .base = GW_FRAME_MARK, .is_hit_for_miss = true, .left_ms = 9000 },
          "hit-for-miss",
          "hit-for-miss" },
        { { .is_known = true, .is_there = true, .base = GW_FRAME_MARK, .left_ms = 9000 },
          "hit-for-miss",
          "nothing is stored" }, /* it is for requests with a credential */
        { { .is_known = true, .is_there = true, .base = GW_FRAME_FOREIGN, .left_ms = -1 }, "foreign", "none of this" },
        { { .is_known = true, .is_there = true, .base = GW_FRAME_CORRUPT, .left_ms = -1 }, "corrupt", "none of this" },
        { { .is_known = true,
            .is_there = true,
            .base = GW_FRAME_INDEX,
            .left_ms = 9000,
            .names = { "x-a", 3 },
            .variants = 2 },
          "index",
          "other variants" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        ask_about(NULL, 1);
        stored.has_store = true;
        stored.inspection = &rows[i].inspection;
        cJSON *json = print();
        const cJSON *redis = cJSON_GetObjectItem(json, "redis");
        assert_string_equal(text_of(redis, "kind"), rows[i].kind);
        assert_verdict(json, rows[i].verdict);
        if (rows[i].inspection.is_there)
            assert_int_equal(number_of(redis, "ttl_ms"), rows[i].inspection.left_ms);
        if (rows[i].inspection.variants)
            assert_string_equal(text_of(redis, "names"), "x-a");
        cJSON_Delete(json);
    }
}

static void what_redis_does_not_answer_is_not_claimed(void **state)
{
    static const struct gw_redis_cache_inspection unknown = { .is_known = false };
    const struct gw_redis_cache_inspection *inspections[] = { NULL, &unknown };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(inspections); i++) {
        ask_about(NULL, 1);
        stored.has_store = true;
        stored.inspection = inspections[i];
        cJSON *json = print();
        const cJSON *redis = cJSON_GetObjectItem(json, "redis");
        assert_true(cJSON_IsFalse(cJSON_GetObjectItem(redis, "known")));
        assert_null(cJSON_GetObjectItem(redis, "kind"));
        assert_verdict(json, "Redis did not answer");
        cJSON_Delete(json);
    }
}

static void the_memory_cache_is_read_before_redis_unless_its_entry_must_be_confirmed(void **state)
{
    static const struct {
        enum gw_memory_cache_mode mode;
        int64_t after_s;
        const char *verdict;
    } rows[] = {
        { GW_MEMORY_CACHE_SHARED, 1, "Answered from this process' memory; fresh for 59 s more." },
        { GW_MEMORY_CACHE_SHARED, 70, "Answered from Redis; fresh for 530 s more." },
        { GW_MEMORY_CACHE_CLOSED, 1, "Answered from Redis; fresh for 599 s more." },
    };
    struct gw_entry *memory_cache = make_entry(NULL, "Cache-Control: max-age=60\nETag: \"1\"");
    struct gw_entry *redis_cache = make_entry(NULL, "Cache-Control: max-age=600\nETag: \"2\"");
    const struct gw_redis_cache_inspection inspection = { .is_known = true,
                                                          .is_there = true,
                                                          .base = GW_FRAME_RESPONSE,
                                                          .left_ms = 1,
                                                          .entry = redis_cache,
                                                          .entry_left_ms = 1 };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        ask_about(NULL, rows[i].after_s);
        stored.has_store = true;
        stored.memory_cache_mode = rows[i].mode;
        stored.memory_cache[0] = memory_cache;
        stored.memory_cache_count = 1;
        stored.inspection = &inspection;
        cJSON *json = print();
        assert_verdict(json, rows[i].verdict);
        assert_string_equal(text_of(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "redis"), "entry"), "would_be_used"),
                            "fresh");
        cJSON_Delete(json);
    }
    gw_entry_unref(memory_cache);
    gw_entry_unref(redis_cache);
}

/* ---- the rest ---- */

static void the_key_is_shown_as_it_lies_in_redis(void **state)
{
    char expected[8 + GW_KEY_TEXT_BYTES + 1] = "gw:";
    (void)state;
    gw_key_put_text(&key, GW_SLICE("gw:"), expected);
    expected[3 + GW_KEY_TEXT_BYTES] = '\0';
    ask_about(NULL, 1);
    stored.has_store = true;
    stored.query = GW_SLICE("a=1");
    cJSON *json = print();
    assert_string_equal(text_of(cJSON_GetObjectItem(json, "key"), "redis"), expected);
    assert_string_equal(text_of(json, "query"), "a=1");
    assert_string_equal(text_of(json, "url"), "http://a/x");
    cJSON_Delete(json);
    ask_about(NULL, 1);
    json = print();
    assert_null(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "key"), "redis"));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "redis")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "query")));
    cJSON_Delete(json);
}

static void a_rule_that_bypasses_the_cache_is_named(void **state)
{
    (void)state;
    ask_about(NULL, 1);
    stored.bypass = "cache.bypass_paths";
    cJSON *json = print();
    const cJSON *told = cJSON_GetObjectItem(json, "request");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(told, "looked_up")));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(told, "answer_may_be_stored")));
    assert_string_equal(text_of(told, "why_not"), "cache.bypass_paths");
    assert_verdict(json, "the cache is not: cache.bypass_paths.");
    cJSON_Delete(json);
}

static void a_page_that_its_buffer_does_not_hold_is_a_500(void **state)
{
    struct gw_buffer page = gw_buffer_create(64);
    (void)state;
    ask_about(NULL, 1);
    assert_int_equal(gw_stored_put(&stored, &page), 500);
    gw_buffer_destroy(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_whether_a_stored_response_would_be_used_and_why),
        cmocka_unit_test(a_softly_purged_response_is_stale_as_of_now),
        cmocka_unit_test(a_stored_response_is_shown_with_its_life_selection_and_tags),
        cmocka_unit_test(the_page_says_what_lies_in_redis),
        cmocka_unit_test(what_redis_does_not_answer_is_not_claimed),
        cmocka_unit_test(the_memory_cache_is_read_before_redis_unless_its_entry_must_be_confirmed),
        cmocka_unit_test(the_key_is_shown_as_it_lies_in_redis),
        cmocka_unit_test(a_rule_that_bypasses_the_cache_is_named),
        cmocka_unit_test(a_page_that_its_buffer_does_not_hold_is_a_500),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
