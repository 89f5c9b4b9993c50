#include "unit/cache/heads.h"
#include "cache/key.h"

static struct gw_cache_key key_of(struct gw_key_maker *maker, const char *path, const char *query, const char *host)
{
    struct gw_cache_key key;
    gw_key_make(maker, GW_SLICE("GET"), gw_slice_of_string(path), gw_slice_of_string(query), GW_SLICE("default"),
                GW_SLICE("http"), gw_slice_of_string(host), &key);
    return key;
}

static int make_maker(void **state)
{
    *state = gw_key_maker_create();
    return *state ? 0 : -1;
}

static int free_maker(void **state)
{
    struct gw_key_maker *maker = *state;
    gw_key_maker_destroy(&maker);
    return maker != NULL;
}

static void the_digest_is_sha_256(void **state)
{
    static const uint8_t abc[32] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                     0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                     0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
    uint8_t digest[32];
    for (int i = 0; i < 3; i++) {
        gw_key_digest(*state, GW_SLICE("abc"), digest);
        assert_memory_equal(digest, abc, 32);
    }
}

static void the_key_is_the_digest_of_method_path_and_query(void **state)
{
    static const struct row {
        const char *path, *query, *text;
    } rows[] = {
        { "/reports", NULL, "GET:/reports:" }, { "/reports", "page=2", "GET:/reports:page=2" },
        { "/reports", "", "GET:/reports" },    { "/a:b", NULL, "GET:/a?b:" },
        { "/", "a:b?c", "GET:/:a:b?c" },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_cache_key key = key_of(*state, rows[i].path, rows[i].query, "example.org");
        uint8_t digest[32];
        gw_key_digest(*state, gw_slice_of_string(rows[i].text), digest);
        assert_memory_equal(key.sha, digest, 32);
        gw_key_digest(*state, GW_SLICE("default\nhttp\nexample.org"), digest);
        assert_memory_equal(key.name_space, digest, 32);
    }
}

static void different_targets_never_share_a_key(void **state)
{
    static const struct row {
        const char *path, *query;
    } rows[] = { { "/a", NULL },     { "/a", "" },    { "/a", ":" },    { "/a", "?" },    { "/a:", NULL },
                 { "/a:", "" },      { "/a:", ":" },  { "/a::", NULL }, { "/a:b", NULL }, { "/a", "b:" },
                 { "/a", "b" },      { "/a:b", "" },  { "/a:b", "c" },  { "/a", "b:c" },  { "/A", NULL },
                 { "/a%3Ab", NULL }, { "/a/", NULL }, { "/", "a" },     { "/", NULL } };
    struct gw_cache_key keys[GW_COUNT(rows)];
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        keys[i] = key_of(*state, rows[i].path, rows[i].query, "example.org");
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(keys[i].sha, keys[k].sha, 32);
    }
}

static void a_name_space_is_of_route_scheme_and_host(void **state)
{
    struct gw_slice get = GW_SLICE("GET"), path = GW_SLICE("/"), route = GW_SLICE("default"), http = GW_SLICE("http");
    struct gw_slice host = GW_SLICE("example.org");
    struct gw_cache_key first, other, again;
    gw_key_make(*state, get, path, GW_NO_SLICE, route, http, host, &first);
    gw_key_make(*state, get, path, GW_NO_SLICE, GW_SLICE("api"), http, host, &other);
    assert_memory_not_equal(first.name_space, other.name_space, 32);
    gw_key_make(*state, get, path, GW_NO_SLICE, route, GW_SLICE("https"), host, &other);
    assert_memory_not_equal(first.name_space, other.name_space, 32);
    gw_key_make(*state, get, path, GW_NO_SLICE, route, http, GW_SLICE("example.com"), &other);
    assert_memory_not_equal(first.name_space, other.name_space, 32);
    assert_memory_equal(first.sha, other.sha, 32);
    gw_key_make(*state, get, path, GW_NO_SLICE, route, http, GW_SLICE("Example.ORG"), &again);
    assert_memory_equal(&first, &again, sizeof first);
    gw_key_make(*state, get, path, GW_NO_SLICE, route, http, host, &again);
    assert_memory_equal(&first, &again, sizeof first);
}

static void the_schemes_own_port_is_no_part_of_the_host(void **state)
{
    static const struct row {
        const char *scheme, *host, *other;
        bool is_same;
    } rows[] = {
        { "http", "a.org", "a.org:80", true },    { "http", "a.org", "A.org:", true },
        { "http", "a.org", "a.org:0080", true },  { "https", "a.org", "a.org:443", true },
        { "http", "[::1]", "[::1]:80", true },    { "http", "a.org", "a.org:443", false },
        { "https", "a.org", "a.org:80", false },  { "http", "a.org", "a.org.", false },
        { "http", "a.org", "a.org:8080", false }, { "http", "a.org", "a.org:800", false },
        { "http", "[::1]", "[::1:80]", false },   { "http", "a.org", "a.org:80:80", false },
        { "http", "a.org.", "a.org.:80", true },
    };
    struct gw_cache_key one, other;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_key_make(*state, GW_SLICE("GET"), GW_SLICE("/"), GW_NO_SLICE, GW_NO_SLICE,
                    gw_slice_of_string(rows[i].scheme), gw_slice_of_string(rows[i].host), &one);
        gw_key_make(*state, GW_SLICE("GET"), GW_SLICE("/"), GW_NO_SLICE, GW_NO_SLICE,
                    gw_slice_of_string(rows[i].scheme), gw_slice_of_string(rows[i].other), &other);
        if ((memcmp(&one, &other, sizeof one) == 0) != rows[i].is_same)
            fail_msg("%s: %s and %s", rows[i].scheme, rows[i].host, rows[i].other);
    }
}

static void parts_may_not_slide_from_one_into_the_next(void **state)
{
    struct gw_slice get = GW_SLICE("GET"), path = GW_SLICE("/");
    struct gw_cache_key first, other;
    gw_key_make(*state, get, path, GW_NO_SLICE, GW_SLICE("ab"), GW_SLICE("http"), GW_SLICE("c"), &first);
    gw_key_make(*state, get, path, GW_NO_SLICE, GW_SLICE("a"), GW_SLICE("bhttp"), GW_SLICE("c"), &other);
    assert_memory_not_equal(first.name_space, other.name_space, 32);
    gw_key_make(*state, get, path, GW_NO_SLICE, GW_NO_SLICE, GW_NO_SLICE, GW_NO_SLICE, &other); /* HTTP/1.0, no Host */
    assert_memory_not_equal(first.name_space, other.name_space, 32);
}

static void long_targets_and_hosts_are_digested_whole(void **state)
{
    char path[3001], host[1001];
    for (size_t length = 490; length < 3000; length += 251) {
        memset(path, 'a', length);
        path[0] = '/';
        path[length] = '\0';
        memset(host, 'H', length % 1000);
        host[length % 1000] = '\0';
        struct gw_cache_key first = key_of(*state, path, "q", host);
        path[length - 1] = 'b';
        struct gw_cache_key other = key_of(*state, path, "q", host);
        assert_memory_not_equal(first.sha, other.sha, 32);
        assert_memory_equal(first.name_space, other.name_space, 32);
        path[length / 2] = ':';
        struct gw_cache_key colon = key_of(*state, path, "q", host);
        assert_memory_not_equal(colon.sha, other.sha, 32);
    }
}

static void a_key_prints_as_hex(void **state)
{
    struct gw_cache_key key = { .sha = { 0x00, 0x01, 0x9f, 0xff } };
    char hex[GW_KEY_HEX_BYTES + 1] = { 0 };
    (void)state;
    gw_key_print(&key, hex);
    assert_string_equal(hex, "00019fff"
                             "00000000000000000000000000000000000000000000000000000000");
}

static void a_key_has_a_text_in_a_shared_store_that_leads_back(void **state)
{
    static const char text[] = "gw:cache:00ab000000000000000000000000000000000000000000000000000000000000:"
                               "{00019fff000000000000000000000000000000000000000000000000000000ef}";
    static const char *const others[] = {
        "gw:lock:", "xx:cache:00ab", "gw:cache:00AB", "gw:cachE:00ab", "gw:cache:00ag",
    };
    struct gw_cache_key key = { .sha = { 0x00, 0x01, 0x9f, 0xff }, .name_space = { 0x00, 0xab } }, read;
    char bytes[sizeof text] = { 0 };
    (void)state;
    key.sha[31] = 0xef;
    assert_int_equal(sizeof text - 1, 3 + GW_KEY_TEXT_BYTES);
    gw_key_put_text(&key, GW_SLICE("gw:"), bytes);
    assert_string_equal(bytes, text);
    assert_true(gw_key_read_text(&read, GW_SLICE("gw:"), gw_slice_of_string(text)));
    assert_memory_equal(&read, &key, sizeof key);
    for (size_t i = 0; i < sizeof text - 1; i++)
        assert_false(gw_key_read_text(&read, GW_SLICE("gw:"), gw_slice_of(text, i)));
    assert_false(gw_key_read_text(&read, GW_SLICE("gw:"), gw_slice_of(text, sizeof text)));
    assert_false(gw_key_read_text(&read, GW_SLICE("g:"), gw_slice_of_string(text)));
    for (size_t i = 0; i < GW_COUNT(others); i++) {
        memcpy(bytes, text, sizeof text);
        memcpy(bytes, others[i], strlen(others[i]));
        assert_false(gw_key_read_text(&read, GW_SLICE("gw:"), gw_slice_of_string(bytes)));
    }
    for (size_t at = 73; at < 140; at += 66) { /* ':' and '}' */
        memcpy(bytes, text, sizeof text);
        bytes[at] = '0';
        assert_false(gw_key_read_text(&read, GW_SLICE("gw:"), gw_slice_of_string(bytes)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_sha_256),
        cmocka_unit_test(the_key_is_the_digest_of_method_path_and_query),
        cmocka_unit_test(different_targets_never_share_a_key),
        cmocka_unit_test(a_name_space_is_of_route_scheme_and_host),
        cmocka_unit_test(the_schemes_own_port_is_no_part_of_the_host),
        cmocka_unit_test(parts_may_not_slide_from_one_into_the_next),
        cmocka_unit_test(long_targets_and_hosts_are_digested_whole),
        cmocka_unit_test(a_key_prints_as_hex),
        cmocka_unit_test(a_key_has_a_text_in_a_shared_store_that_leads_back),
    };
    return cmocka_run_group_tests(tests, make_maker, free_maker);
}
