#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include "admin/cache_pages.h"

static struct gw_arena arena;
static struct gw_complaint complaint;

static int set_up(void **state)
{
    (void)state;
    gw_arena_init(&arena, 1 << 12, 1 << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gw_arena_free(&arena);
    return 0;
}

static void assert_slice(struct gw_slice slice, const char *expected, const char *about)
{
    if (expected ? gw_slice_equal(slice, gw_slice_of_string(expected)) && slice.at : !slice.at)
        return;
    print_error("%s: \"%.*s\", expected \"%s\"\n", about, GW_SLICE_ARGS(slice), expected ? expected : "(absent)");
    fail();
}

/* ---- a purge ---- */

static void a_purge_names_a_url_a_prefix_a_tag_or_all(void **state)
{
    static const struct {
        const char *query;
        enum gw_ban_kind kind;
        bool is_soft;
        const char *text, *scheme, *host, *path, *url_query; /* NULL: absent */
    } rows[] = {
        { "url=http://a.example/x", GW_BAN_URL, false, "http://a.example/x", "http", "a.example", "/x", NULL },
        { "url=http%3A%2F%2Fa.example%2Fx%3Fb%3D1%26c%3D2&soft=1", GW_BAN_URL, true, "http://a.example/x?b=1&c=2",
          "http", "a.example", "/x", "b=1&c=2" },
        { "url=HTTPS://A.Example:8443?q", GW_BAN_URL, false, "HTTPS://A.Example:8443?q", "https", "a.example:8443", "/",
          "q" },
        { "url=http://[::1]:81", GW_BAN_URL, false, "http://[::1]:81", "http", "[::1]:81", "/", NULL },
        { "url=http://[::1]:80", GW_BAN_URL, false, "http://[::1]:80", "http", "[::1]", "/", NULL },
        { "url=https://A.org:443/b", GW_BAN_URL, false, "https://A.org:443/b", "https", "a.org", "/b", NULL },
        { "url=https://A.org:80/b", GW_BAN_URL, false, "https://A.org:80/b", "https", "a.org:80", "/b", NULL },
        { "url=http://a/x?", GW_BAN_URL, false, "http://a/x?", "http", "a", "/x", "" },
        { "url=/any%2520host?x=1", GW_BAN_URL, false, "/any%20host?x=1", NULL, NULL, "/any%20host", "x=1" },
        { "url=/a+b", GW_BAN_URL, false, "/a+b", NULL, NULL, "/a+b", NULL },
        { "soft=0&prefix=/items/", GW_BAN_PREFIX, false, "/items/", NULL, NULL, "/items/", NULL },
        { "prefix=http://a.example", GW_BAN_PREFIX, false, "http://a.example", "http", "a.example", "/", NULL },
        { "prefix=http://A/x?y=%25", GW_BAN_PREFIX, false, "http://A/x?y=%", "http", "a", "/x?y=%", NULL },
        { "&tag=item-1&&soft=1&", GW_BAN_TAG, true, "item-1", NULL, NULL, NULL, NULL },
        { "tag=%C3%A9", GW_BAN_TAG, false, "\xc3\xa9", NULL, NULL, NULL, NULL },
        { "all=1", GW_BAN_ALL, false, "1", NULL, NULL, NULL, NULL },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_purge_order order;
        if (!gw_cache_pages_read_purge(gw_slice_of_string(rows[i].query), &arena, &order, &complaint))
            fail_msg("%s: %s, expected %s", rows[i].query, complaint.place, complaint.expected);
        assert_int_equal(order.kind, rows[i].kind);
        assert_int_equal(order.is_soft, rows[i].is_soft);
        assert_slice(order.text, rows[i].text, rows[i].query);
        assert_slice(order.url.scheme, rows[i].scheme, rows[i].query);
        assert_slice(order.url.host, rows[i].host, rows[i].query);
        assert_slice(order.url.path, rows[i].path, rows[i].query);
        assert_slice(order.url.query, rows[i].url_query, rows[i].query);
    }
}

static void what_is_no_purge_is_told_by_its_parameter(void **state)
{
    static const struct {
        const char *query, *place, *expected; /* a part of it */
    } rows[] = {
        { "", "query", "exactly one of url, prefix, tag and all=1" },
        { "soft=1", "query", "exactly one of" },
        { "url=/a&prefix=/b", "parameter prefix", "exactly one of" },
        { "url=/a&url=/b", "parameter url", "exactly one of" },
        { "all=1&all=1", "parameter all", "exactly one of" },
        { "uri=/a", "parameter uri", "exactly one of" },
        { "=/a", "parameter ", "exactly one of" },
        { "url", "parameter url", "http://host/path?query" },
        { "url=", "parameter url", "http://host/path?query" },
        { "url=a/b", "parameter url", "http://host/path?query" },
        { "url=ftp://a/b", "parameter url", "http://host/path?query" },
        { "url=http:/a/b", "parameter url", "http://host/path?query" },
        { "url=http:///b", "parameter url", "http://host/path?query" },
        { "url=http://u@a/b", "parameter url", "http://host/path?query" },
        { "url=http://a:99999/b", "parameter url", "http://host/path?query" },
        { "url=http://a/b%20c", "parameter url", "http://host/path?query" },
        { "url=http://a/b%2523%23c", "parameter url", "http://host/path?query" },
        { "url=/a%25", "parameter url", "http://host/path?query" },
        { "prefix=items", "parameter prefix", "/path for every host" },
        { "prefix=", "parameter prefix", "/path for every host" },
        { "prefix=/a%23b", "parameter prefix", "/path for every host" },
        { "prefix=http://a?x", "parameter prefix", "/path for every host" },
        { "tag=", "parameter tag", "one tag" },
        { "tag=a%20b", "parameter tag", "one tag" },
        { "tag=a,b", "parameter tag", "one tag" },
        { "all=yes", "parameter all", "1" },
        { "all", "parameter all", "1" },
        { "all=1&soft=yes", "parameter soft", "0 or 1" },
        { "tag=a%", "query", "percent-encodings" },
        { "tag=a%2", "query", "percent-encodings" },
        { "tag=a%zz", "query", "percent-encodings" },
        { "tag=a%00b", "query", "percent-encodings" },
        { "t%6=a", "query", "percent-encodings" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_purge_order order;
        if (gw_cache_pages_read_purge(gw_slice_of_string(rows[i].query), &arena, &order, &complaint))
            fail_msg("%s was taken", rows[i].query);
        if (strcmp(complaint.place, rows[i].place) != 0 || !strstr(complaint.expected, rows[i].expected))
            fail_msg("%s: %s, expected %s", rows[i].query, complaint.place, complaint.expected);
    }
}

static void a_tag_is_as_long_as_a_ban_may_be(void **state)
{
    char query[GW_BAN_TEXT_BYTES + 16];
    struct gw_purge_order order;
    (void)state;
    memset(query, 'x', sizeof query);
    memcpy(query, "tag=", 4);
    assert_true(gw_cache_pages_read_purge(gw_slice_of(query, 4 + GW_BAN_TEXT_BYTES), &arena, &order, &complaint));
    assert_int_equal(order.text.length, GW_BAN_TEXT_BYTES);
    assert_false(gw_cache_pages_read_purge(gw_slice_of(query, 5 + GW_BAN_TEXT_BYTES), &arena, &order, &complaint));
    assert_string_equal(complaint.expected, "2048 bytes at most");
}

static void a_query_is_read_whole_or_complained_of_in_any_memory(void **state)
{
    static const char query[] = "url=http://a.example/long/path?with=a%2520query&soft=1";
    unsigned taken = 0, refused = 0;
    (void)state;
    for (size_t bound = 0; bound < 2048; bound += 8) {
        struct gw_arena small;
        struct gw_purge_order order;
        gw_arena_init(&small, 16, bound);
        if (gw_cache_pages_read_purge(gw_slice_of(query, sizeof query - 1), &small, &order, &complaint)) {
            assert_slice(order.url.host, "a.example", query);
            taken++;
        } else {
            assert_true(complaint.place[0] != '\0');
            refused++;
        }
        gw_arena_free(&small);
    }
    assert_true(taken > 0 && refused > 0);
}

/* ---- an inspection ---- */

static void an_inspection_is_about_the_get_of_a_url(void **state)
{
    struct gw_inspect_order order;
    (void)state;
    assert_true(gw_cache_pages_read_inspect(
        GW_SLICE("header=User-Agent:%20de&url=http://A/x?y=1&header=Cookie:a=b&header=Connection:x-a&header=X-A:1"),
        &arena, &order, &complaint));
    assert_slice(order.text, "http://A/x?y=1", "url");
    assert_slice(order.head.authority, "a", "host");
    assert_slice(order.head.path, "/x", "path");
    assert_slice(order.head.query, "y=1", "query");
    assert_int_equal(order.head.method, GW_METHOD_GET);
    assert_slice(gw_head_value(&order.head, GW_FIELD_USER_AGENT), "de", "User-Agent");
    assert_slice(gw_head_value(&order.head, GW_FIELD_COOKIE), "a=b", "Cookie");
    assert_null(gw_head_find_named(&order.head, GW_SLICE("X-A"))); /* as an exchange would have it: hop-by-hop */
}

static void what_is_no_inspection_is_told_by_its_parameter(void **state)
{
    static const struct {
        const char *query, *place, *expected;
    } rows[] = {
        { "", "query", "url=http://host/path?query" },
        { "header=A:b", "query", "url=http://host/path?query" },
        { "url=/path", "parameter url", "http://host/path?query" },
        { "url=http://a/b%20c", "parameter url", "http://host/path?query" },
        { "url=http://a/&url=http://b/", "parameter url", "url once" },
        { "url=http://a/&soft=1", "parameter soft", "url once" },
        { "url=http://a/&header=no-colon", "parameter header", "Name: value" },
        { "url=http://a/&header=:x", "parameter header", "Name: value" },
        { "url=http://a/&header=a%20b:x", "parameter header", "Name: value" },
        { "url=http://a/&header=a:x%0Ay", "parameter header", "a value" },
        { "url=http://a/&header=%", "query", "percent-encodings" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_inspect_order order;
        if (gw_cache_pages_read_inspect(gw_slice_of_string(rows[i].query), &arena, &order, &complaint))
            fail_msg("%s was taken", rows[i].query);
        if (strcmp(complaint.place, rows[i].place) != 0 || !strstr(complaint.expected, rows[i].expected))
            fail_msg("%s: %s, expected %s", rows[i].query, complaint.place, complaint.expected);
    }
}

static void an_inspection_has_a_bounded_number_of_headers(void **state)
{
    char query[1024] = "url=http://a/";
    struct gw_inspect_order order;
    (void)state;
    for (unsigned i = 0; i <= GW_INSPECT_HEADERS; i++) {
        assert_true(gw_cache_pages_read_inspect(gw_slice_of_string(query), &arena, &order, &complaint));
        assert_int_equal(order.head.count, i);
        snprintf(query + strlen(query), sizeof query - strlen(query), "&header=A:%u", i);
    }
    assert_false(gw_cache_pages_read_inspect(gw_slice_of_string(query), &arena, &order, &complaint));
    assert_string_equal(complaint.expected, "32 headers at most");
}

/* ---- the token ---- */

static void a_token_is_one_bearer_credential(void **state)
{
    static const struct {
        const char *values[2];
        bool is_known;
    } rows[] = {
        { { "Bearer secret-of-16-byte" }, true },
        { { "bEARER secret-of-16-byte" }, true },
        { { "Bearer   secret-of-16-byte" }, true },
        { { NULL }, false },
        { { "" }, false },
        { { "Bearer" }, false },
        { { "Bearer " }, false },
        { { "Bearer secret-of-16-byt" }, false },
        { { "Bearer secret-of-16-bytX" }, false },
        { { "Bearer Xecret-of-16-byte" }, false },
        { { "Bearer secret-of-16-bytesecret-of-16-byte" }, false },
        { { "Bearersecret-of-16-byte" }, false },
        { { "Basic secret-of-16-byte" }, false },
        { { "secret-of-16-byte" }, false },
        { { "Bearer secret-of-16-byte", "Bearer secret-of-16-byte" }, false },
        { { "Bearer x", "Bearer secret-of-16-byte" }, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_head head;
        gw_head_init(&head);
        for (unsigned v = 0; v < 2 && rows[i].values[v]; v++)
            assert_true(gw_head_add(&head, &arena, GW_SLICE("Authorization"), gw_slice_of_string(rows[i].values[v])));
        if (gw_cache_pages_knows_token(&head, GW_SLICE("secret-of-16-byte")) != rows[i].is_known)
            fail_msg("row %zu", i);
    }
}

/* ---- answers ---- */

static void a_purge_is_answered_with_what_was_purged_and_how_far(void **state)
{
    static const struct {
        const char *query;
        enum gw_purge_reach reach;
        int status;
        const char *page; /* how it begins */
    } rows[] = {
        { "prefix=/items/", GW_PURGE_EVERYWHERE, 200,
          "{\"purged\":{\"prefix\":\"/items/\"},\"soft\":false,\"everywhere\":true}\n" },
        { "all=1&soft=1", GW_PURGE_EVERYWHERE, 200, "{\"purged\":{\"all\":true},\"soft\":true,\"everywhere\":true}\n" },
        { "url=http://a/b", GW_PURGE_LATER, 202,
          "{\"purged\":{\"url\":\"http://a/b\"},\"soft\":false,\"everywhere\":false,\"detail\":\"Redis has not "
          "acknowledged it. It is done on this instance and is sent again" },
        { "tag=a%22%FF", GW_PURGE_HERE, 202,
          "{\"purged\":{\"tag\":\"a\\\"\xef\xbf\xbd\"},\"soft\":false,\"everywhere\":false,\"detail\":\"Redis has not "
          "acknowledged it. It is done on this instance and is not sent again" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_purge_order order;
        assert_true(gw_cache_pages_read_purge(gw_slice_of_string(rows[i].query), &arena, &order, &complaint));
        struct gw_buffer page = gw_buffer_create(1 << 16);
        assert_int_equal(gw_cache_pages_put_purge(&order, rows[i].reach, &page), rows[i].status);
        if (!gw_slice_starts_with(gw_buffer_slice(&page), gw_slice_of_string(rows[i].page)))
            fail_msg("%.*s", GW_SLICE_ARGS(gw_buffer_slice(&page)));
        gw_buffer_destroy(&page);
    }
}

static void a_problem_is_json_whatever_is_told(void **state)
{
    struct gw_buffer page = gw_buffer_create(1 << 12);
    (void)state;
    gw_cache_pages_put_problem(400, "invalid_query", GW_SLICE("found \"\n\xff\""), GW_SLICE("id-1"), &page);
    gw_buffer_put_char(&page, '\0');
    cJSON *json = cJSON_Parse(page.at);
    assert_non_null(json);
    assert_string_equal(cJSON_GetObjectItem(json, "title")->valuestring, "Bad Request");
    assert_int_equal(cJSON_GetObjectItem(json, "status")->valueint, 400);
    assert_string_equal(cJSON_GetObjectItem(json, "error")->valuestring, "invalid_query");
    assert_string_equal(cJSON_GetObjectItem(json, "detail")->valuestring, "found \"\n\xef\xbf\xbd\"");
    assert_string_equal(cJSON_GetObjectItem(json, "request_id")->valuestring, "id-1");
    cJSON_Delete(json);
    gw_buffer_destroy(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_purge_names_a_url_a_prefix_a_tag_or_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_purge_is_told_by_its_parameter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tag_is_as_long_as_a_ban_may_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_query_is_read_whole_or_complained_of_in_any_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_inspection_is_about_the_get_of_a_url, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_inspection_is_told_by_its_parameter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_inspection_has_a_bounded_number_of_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_is_one_bearer_credential, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_purge_is_answered_with_what_was_purged_and_how_far, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_problem_is_json_whatever_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
