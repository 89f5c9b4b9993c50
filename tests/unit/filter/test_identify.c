#include "unit/exchange/played_fetch.h"

#include "filter/table.h"

/* Who asks, and what of it is believed; the backend gets what is believed (played_fetch.fields). */

static const struct gw_filter *const filters[] = { &gw_filter_identify, NULL };

static int set_up(void **state)
{
    played_fetch = (struct gw_fetch) { .reader = NULL };
    *state = open_stage("{\"server\": {\"trusted_proxies\": [\"10.0.0.0/8\"], \"max_body_bytes\": 100}}", filters);
    return 0;
}

static int tear_down(void **state)
{
    close_stage(*state);
    return 0;
}

static struct gw_exchange *comes(struct stage *stage, const char *peer, const char *fields)
{
    char all[1024];
    snprintf(all, sizeof all, "Host: a.example\n%s", fields);
    struct gw_exchange *exchange = arrives(stage, peer, "GET", "/", all);
    gw_exchange_begin(exchange);
    assert_int_equal(exchange->state, GW_EXCHANGE_FETCHING);
    return exchange;
}

static void is_answered(void)
{
    played_fetch.head.status = 0;
    tells_fail(GW_ERROR_CONNECT);
}

static void only_a_trusted_peer_is_believed(void **state)
{
    static const struct {
        const char *peer, *fields, *client, *scheme, *host;
    } rows[] = {
        { "192.0.2.1", "", "192.0.2.1", "http", "a.example" },
        { "192.0.2.1", "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: b.example",
          "192.0.2.1", "http", "a.example" },
        { "192.0.2.1", "Forwarded: for=203.0.113.9;proto=https;host=b.example", "192.0.2.1", "http", "a.example" },
        { "10.0.0.1", "", "10.0.0.1", "http", "a.example" },
        { "10.0.0.1", "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: b.example",
          "203.0.113.9", "https", "b.example" },
        { "10.0.0.1", "Forwarded: for=203.0.113.9;proto=https;host=b.example", "203.0.113.9", "https", "b.example" },
        /* the nearest hops first: what stands before an address that is not trusted, anybody may have written */
        { "10.0.0.1", "X-Forwarded-For: 198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9", "http", "a.example" },
        { "10.0.0.1", "X-Forwarded-For: 198.51.100.1, unknown, 10.0.0.2", "10.0.0.2", "http", "a.example" },
        { "10.0.0.1", "X-Forwarded-Proto: gopher\nX-Forwarded-Host: a b", "10.0.0.1", "http", "a.example" },
        { "10.0.0.1", "X-Forwarded-Proto: HTTPS, http", "10.0.0.1", "https", "a.example" },
        { "10.0.0.1", "X-Forwarded-Ssl: on", "10.0.0.1", "https", "a.example" },
        { "10.0.0.1", "X-Forwarded-Ssl: on\nX-Forwarded-Proto: http", "10.0.0.1", "http", "a.example" },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char line[128];
        comes(stage, rows[i].peer, rows[i].fields);
        snprintf(line, sizeof line, "X-Forwarded-Proto: %s\r\nX-Forwarded-Host: %s\r\n", rows[i].scheme, rows[i].host);
        assert_non_null(strstr(played_fetch.fields, line));
        assert_int_equal(stage->exchange->identity.client_text.length, strlen(rows[i].client));
        assert_memory_equal(stage->exchange->identity.client_text.at, rows[i].client, strlen(rows[i].client));
        is_answered();
    }
}

static void what_an_untrusted_peer_says_on_the_side_reaches_no_backend(void **state)
{
    static const char *const names[] = { "X-Real-IP",       "True-Client-IP",         "CF-Connecting-IP",
                                         "X_Forwarded_For", "HTTP_X_FORWARDED_FOR",   "X-Original-URL",
                                         "X-Rewrite-URL",   "X-HTTP-Method-Override", "X-Forwarded-Prefix",
                                         "X-Client-IP",     "Fastly-Client-IP" };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(names); i++) {
        char fields[128], line[80];
        snprintf(fields, sizeof fields, "%s: evil\nX-Kept: 1", names[i]);
        snprintf(line, sizeof line, "%s: evil\r\n", names[i]);
        comes(stage, "192.0.2.1", fields);
        assert_null(strstr(played_fetch.fields, line));
        assert_non_null(strstr(played_fetch.fields, "X-Kept: 1\r\n"));
        is_answered();
        bool is_disguised = strchr(names[i], '_');
        comes(stage, "10.0.0.1",
              fields); /* a proxy lets its clients' disguised ones through: these are never believed */
        assert_int_equal(strstr(played_fetch.fields, line) != NULL, !is_disguised);
        is_answered();
    }
}

static void each_request_has_an_id_of_its_own_or_its_clients(void **state)
{
    static const struct {
        const char *fields;
        bool is_taken;
    } rows[] = {
        { "X-Request-Id: abc-123", true }, { "X-Request-Id: a b", false }, { "X-Request-Id: ", false }, { "", false }
    };
    struct stage *stage = *state;
    char last[64] = "";
    for (size_t i = 0; i < 2 * GW_COUNT(rows); i++) {
        comes(stage, "192.0.2.1", rows[i % GW_COUNT(rows)].fields);
        struct gw_slice id = stage->exchange->identity.request_id;
        assert_int_equal(gw_slice_equal(id, GW_SLICE("abc-123")), rows[i % GW_COUNT(rows)].is_taken);
        if (!rows[i % GW_COUNT(rows)].is_taken) {
            assert_int_equal(id.length, 32);
            assert_memory_not_equal(last, id.at, 32);
            memcpy(last, id.at, 32);
        }
        is_answered();
        assert_int_equal(field_count(stage, "X-Request-Id"), 1);
    }
}

static void a_body_that_is_announced_too_large_is_refused_at_once(void **state)
{
    static const struct {
        uint64_t length;
        int status;
    } rows[] = { { 101, 413 }, { 100, 0 }, { UINT64_MAX, 413 } };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_exchange *exchange = arrives(stage, "192.0.2.1", "POST", "/", "Host: a.example");
        exchange->arrival.has_body = exchange->arrival.has_length = true;
        exchange->arrival.length = rows[i].length;
        gw_exchange_begin(exchange);
        assert_int_equal(status(stage), rows[i].status);
        if (!rows[i].status)
            is_answered();
    }
}

#define IDENTIFY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IDENTIFY_TEST(only_a_trusted_peer_is_believed),
        IDENTIFY_TEST(what_an_untrusted_peer_says_on_the_side_reaches_no_backend),
        IDENTIFY_TEST(each_request_has_an_id_of_its_own_or_its_clients),
        IDENTIFY_TEST(a_body_that_is_announced_too_large_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
