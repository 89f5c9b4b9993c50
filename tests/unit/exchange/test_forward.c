#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include "exchange/forward.h"

struct scene {
    struct gw_config config;
    struct gw_exchange exchange;
    char memory[4096];
    struct gw_buffer out;
};

/* fields: "Name: value\n"… of the client, as the filters left them. */
static struct scene *set_up(const char *peer, const char *fields)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct gw_exchange *exchange = &scene->exchange;
    exchange->config = &scene->config;
    gw_arena_init(&exchange->arena, 4096, 65536);
    gw_head_init(&exchange->request);
    exchange->arrival.protocol = GW_SLICE("HTTP/1.1");
    exchange->identity.scheme = GW_SLICE("http");
    exchange->identity.host = GW_SLICE("example.org");
    exchange->identity.request_id = GW_SLICE("id-1");
    assert_true(gw_address_parse(&exchange->identity.peer, gw_slice_of_string(peer), false));
    for (const char *at = fields; *at;) {
        const char *colon = strchr(at, ':'), *end = strchr(at, '\n');
        assert_true(gw_head_add(&exchange->request, &exchange->arena, gw_slice_of(at, (size_t)(colon - at)),
                                gw_slice_of(colon + 2, (size_t)(end - colon - 2))));
        at = end + 1;
    }
    scene->out = gw_buffer_over(scene->memory, sizeof scene->memory - 1);
    return scene;
}

static void tear_down(struct scene *scene)
{
    gw_arena_free(&scene->exchange.arena);
    free(scene);
}

static const char *forwarded_what(struct scene *scene, enum gw_forward_what what)
{
    scene->out.length = 0;
    gw_forward_put_fields(&scene->exchange, what, &scene->out);
    assert_false(scene->out.overflowed);
    scene->memory[scene->out.length] = 0;
    return scene->memory;
}

static const char *forwarded(struct scene *scene)
{
    return forwarded_what(scene, GW_FORWARD_AS_ASKED);
}

static void the_backend_gets_the_fields_in_their_order_and_what_the_gateway_says(void **state)
{
    (void)state;
    struct scene *scene = set_up("192.0.2.7", "Host: example.org\nAccept: a\nX-Other: 1\nAccept: b\n");
    assert_string_equal(forwarded(scene), "Accept: a\r\nX-Other: 1\r\nAccept: b\r\n"
                                          "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
                                          "X-Forwarded-Host: example.org\r\nX-Request-Id: id-1\r\n"
                                          "Via: 1.1 visara-gateway\r\n");
    tear_down(scene);
}

static void what_is_dropped_or_written_elsewhere_is_not_forwarded(void **state)
{
    (void)state;
    struct scene *scene = set_up("192.0.2.7",
                                 "Host: a\nContent-Length: 5\nExpect: 100-continue\nConnection: x-hop\n"
                                 "X-Hop: 1\nTransfer-Encoding: chunked\nTE: trailers\nX-Request-Id: theirs\n"
                                 "X-Forwarded-Proto: https\nX-Forwarded-Host: evil\nKept: 1\n");
    gw_head_drop_hop_by_hop(&scene->exchange.request);
    assert_string_equal(forwarded(scene), "Kept: 1\r\n"
                                          "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
                                          "X-Forwarded-Host: example.org\r\nX-Request-Id: id-1\r\n"
                                          "Via: 1.1 visara-gateway\r\n");
    tear_down(scene);
}

static void forwarded_for_keeps_only_what_a_trusted_peer_said(void **state)
{
    static const struct {
        const char *peer, *fields;
        bool trusted;
        const char *line;
    } rows[] = {
        { "192.0.2.7", "", false, "X-Forwarded-For: 192.0.2.7\r\n" },
        { "192.0.2.7", "X-Forwarded-For: 10.0.0.1\n", false, "X-Forwarded-For: 192.0.2.7\r\n" },
        { "192.0.2.7", "X-Forwarded-For: 10.0.0.1\n", true, "X-Forwarded-For: 10.0.0.1, 192.0.2.7\r\n" },
        { "192.0.2.7", "X-Forwarded-For: 10.0.0.1, 10.0.0.2\nX-Forwarded-For: 10.0.0.3\n", true,
          "X-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.7\r\n" },
        { "2001:db8::7", "", true, "X-Forwarded-For: 2001:db8::7\r\n" },
        { "::ffff:192.0.2.7", "", true, "X-Forwarded-For: 192.0.2.7\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = set_up(rows[i].peer, rows[i].fields);
        scene->exchange.identity.peer_is_trusted = rows[i].trusted;
        const char *text = forwarded(scene), *at = strstr(text, "X-Forwarded-For");
        assert_non_null(at);
        assert_memory_equal(at, rows[i].line, strlen(rows[i].line));
        assert_null(strstr(at + 1, "X-Forwarded-For")); /* one line */
        tear_down(scene);
    }
}

static void forwarded_is_written_where_it_is_asked_for(void **state)
{
    static const struct {
        const char *peer, *host, *line;
    } rows[] = {
        { "192.0.2.7", "example.org", "Forwarded: for=192.0.2.7;proto=https;host=\"example.org\"\r\n" },
        { "2001:db8::7", "example.org:8080",
          "Forwarded: for=\"[2001:db8::7]\";proto=https;host=\"example.org:8080\"\r\n" }, /* RFC 7239 §6 */
        { "192.0.2.7", "[2001:db8::1]", "Forwarded: for=192.0.2.7;proto=https;host=\"[2001:db8::1]\"\r\n" },
        { "192.0.2.7", "", "Forwarded: for=192.0.2.7;proto=https\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = set_up(rows[i].peer, "");
        scene->exchange.identity.scheme = GW_SLICE("https");
        scene->exchange.identity.host = gw_slice_of_string(rows[i].host);
        assert_null(strstr(forwarded(scene), "\nForwarded:"));
        scene->config.forwarded = true;
        assert_non_null(strstr(forwarded(scene), rows[i].line));
        tear_down(scene);
    }
}

/* X-Forwarded-* and Forwarded never disagree: both are written from what the key holds. */
static void a_trusted_peers_hops_stand_before_ours_and_say_what_is_keyed(void **state)
{
    static const struct {
        const char *fields;
        bool always; /* backend.forwarded */
        const char *x, *forwarded;
    } rows[] = {
#define TAIL ";proto=https;host=\"example.org\""
        { "Forwarded: for=10.0.0.1;proto=http;host=evil\n", false, "10.0.0.1, 192.0.2.7",
          "for=10.0.0.1" TAIL ", for=192.0.2.7" TAIL },
        { "Forwarded: for=\"[2001:db8::1]:80\", for=_hidden;proto=http\nForwarded: for=10.0.0.2\n", true,
          "2001:db8::1, unknown, 10.0.0.2, 192.0.2.7",
          "for=\"[2001:db8::1]\"" TAIL ", for=unknown" TAIL ", for=10.0.0.2" TAIL ", for=192.0.2.7" TAIL },
        { "X-Forwarded-For: 10.0.0.1\nForwarded: for=10.0.0.9;proto=http\n", false, "10.0.0.1, 192.0.2.7", NULL },
        { "X-Forwarded-For: 10.0.0.1\nForwarded: for=10.0.0.9;proto=http\n", true, "10.0.0.1, 192.0.2.7",
          "for=10.0.0.1" TAIL ", for=192.0.2.7" TAIL },
        { "Accept: a\n", true, "192.0.2.7", "for=192.0.2.7" TAIL },
#undef TAIL
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = set_up("192.0.2.7", rows[i].fields);
        char line[512];
        scene->exchange.identity.peer_is_trusted = true;
        scene->exchange.identity.scheme = GW_SLICE("https");
        scene->config.forwarded = rows[i].always;
        const char *text = forwarded(scene);
        snprintf(line, sizeof line, "X-Forwarded-For: %s\r\n", rows[i].x);
        assert_non_null(strstr(text, line));
        assert_null(strstr(text, "evil"));
        snprintf(line, sizeof line, "\nForwarded: %s\r\n", rows[i].forwarded ? rows[i].forwarded : "");
        const char *first = strstr(text, "\nForwarded:");
        assert_int_equal(first != NULL, rows[i].forwarded != NULL);
        if (first) {
            assert_memory_equal(first, line, strlen(line));
            assert_null(strstr(first + 1, "\nForwarded:"));
        }
        tear_down(scene);
    }
}

static void other_words_for_scheme_and_host_say_what_is_keyed(void **state)
{
    static const struct {
        const char *scheme, *host, *expected;
    } rows[] = {
        { "https", "shop.test",
          "X-Forwarded-Ssl: on\r\nFront-End-Https: on\r\nX-Forwarded-Port: 443\r\n"
          "X-Forwarded-Scheme: https\r\nX-Scheme: https\r\nX-Original-Host: shop.test\r\n" },
        { "http", "shop.test",
          "X-Forwarded-Ssl: off\r\nFront-End-Https: off\r\nX-Forwarded-Port: 80\r\n"
          "X-Forwarded-Scheme: http\r\nX-Scheme: http\r\nX-Original-Host: shop.test\r\n" },
        { "http", "[::1]:81",
          "X-Forwarded-Ssl: off\r\nFront-End-Https: off\r\nX-Forwarded-Port: 81\r\n"
          "X-Forwarded-Scheme: http\r\nX-Scheme: http\r\nX-Original-Host: [::1]:81\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = set_up("192.0.2.7", "X-Forwarded-Ssl: maybe\nFront-End-Https: x\nX-Forwarded-Port: 8\n"
                                                  "X-Forwarded-Scheme: ftp\nX-Scheme: ftp\nX-Original-Host: evil\n"
                                                  "X-Forwarded-Server: evil\nX-Host: evil\nCF-Visitor: evil\n");
        scene->exchange.identity.peer_is_trusted = true;
        scene->exchange.identity.scheme = gw_slice_of_string(rows[i].scheme);
        scene->exchange.identity.host = gw_slice_of_string(rows[i].host);
        const char *text = forwarded(scene);
        assert_memory_equal(text, rows[i].expected, strlen(rows[i].expected));
        assert_null(strstr(text, "evil"));
        tear_down(scene);
    }
}

static void without_a_host_none_is_made_up(void **state)
{
    (void)state;
    struct scene *scene = set_up("192.0.2.7", "");
    scene->exchange.identity.host = GW_NO_SLICE;
    assert_null(strstr(forwarded(scene), "X-Forwarded-Host"));
    tear_down(scene);
}

static void the_cache_asks_without_the_clients_conditionals_and_for_itself_without_its_range(void **state)
{
    static const char fields[] = "If-None-Match: \"1\"\nIf-Modified-Since: x\nIf-Range: y\nRange: bytes=0-1\n"
                                 "If-Match: \"2\"\nIf-Unmodified-Since: z\nAccept: a\n";
    static const struct {
        enum gw_forward_what what;
        const char *forwarded;
    } rows[] = {
        { GW_FORWARD_AS_ASKED, "If-None-Match: \"1\"\r\nIf-Modified-Since: x\r\nIf-Range: y\r\nRange: bytes=0-1\r\n"
                               "If-Match: \"2\"\r\nIf-Unmodified-Since: z\r\nAccept: a\r\nX-Forwarded-For" },
        /* If-Match and If-Unmodified-Since are never answered from the cache: they stay the backend's to judge */
        { GW_FORWARD_FULL,
          "Range: bytes=0-1\r\nIf-Match: \"2\"\r\nIf-Unmodified-Since: z\r\nAccept: a\r\nX-Forwarded-For" },
        { GW_FORWARD_WHOLE, "If-Match: \"2\"\r\nIf-Unmodified-Since: z\r\nAccept: a\r\nX-Forwarded-For" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = set_up("192.0.2.7", fields);
        assert_memory_equal(forwarded_what(scene, rows[i].what), rows[i].forwarded, strlen(rows[i].forwarded));
        tear_down(scene);
    }
}

static void via_tells_the_clients_version_after_those_before(void **state)
{
    (void)state;
    struct scene *scene = set_up("192.0.2.7", "Via: 1.1 other\n");
    const char *text = forwarded(scene);
    const char *theirs = strstr(text, "Via: 1.1 other\r\n"), *ours = strstr(text, "Via: 1.1 visara-gateway\r\n");
    assert_true(theirs && ours && theirs < ours);
    scene->exchange.arrival.protocol = GW_SLICE("HTTP/1.0");
    assert_non_null(strstr(forwarded(scene), "Via: 1.0 visara-gateway\r\n"));
    scene->exchange.arrival.protocol = GW_SLICE("HTTP/2.0");
    assert_non_null(strstr(forwarded(scene), "Via: 2.0 visara-gateway\r\n"));
    tear_down(scene);
}

static void what_does_not_fit_is_told_to_the_caller(void **state)
{
    (void)state;
    struct scene *scene = set_up("192.0.2.7", "Accept: a\n");
    for (size_t room = 0; room < strlen(forwarded(scene)); room += 7) {
        struct gw_buffer small = gw_buffer_over(scene->memory, room);
        gw_forward_put_fields(&scene->exchange, GW_FORWARD_AS_ASKED, &small);
        assert_true(small.overflowed);
    }
    tear_down(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_backend_gets_the_fields_in_their_order_and_what_the_gateway_says),
        cmocka_unit_test(what_is_dropped_or_written_elsewhere_is_not_forwarded),
        cmocka_unit_test(forwarded_for_keeps_only_what_a_trusted_peer_said),
        cmocka_unit_test(forwarded_is_written_where_it_is_asked_for),
        cmocka_unit_test(a_trusted_peers_hops_stand_before_ours_and_say_what_is_keyed),
        cmocka_unit_test(other_words_for_scheme_and_host_say_what_is_keyed),
        cmocka_unit_test(without_a_host_none_is_made_up),
        cmocka_unit_test(the_cache_asks_without_the_clients_conditionals_and_for_itself_without_its_range),
        cmocka_unit_test(via_tells_the_clients_version_after_those_before),
        cmocka_unit_test(what_does_not_fit_is_told_to_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
