/* A text that no client can send is a finding, which tells what to write instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "config/load.h"

/* Each with %s for the value, as it stands in JSON. */
static const char *const path_keys[] = {
    "{\"routes\": [{\"name\": \"a\", \"path\": \"%s\"}]}",
    "{\"limits\": {\"policies\": [{\"name\": \"a\", \"rate\": 1, \"burst\": 1, \"path\": \"%s\"}]}}",
    "{\"cache\": {\"bypass_paths\": [\"%s\"]}}",
    "{\"routes\": [{\"name\": \"a\", \"cache_bypass_paths\": [\"%s\"]}]}",
};
static const char *const host_keys[] = {
    "{\"routes\": [{\"name\": \"a\", \"host\": \"%s\"}]}",
    "{\"limits\": {\"policies\": [{\"name\": \"a\", \"rate\": 1, \"burst\": 1, \"host\": \"%s\"}]}}",
};
static const char *const method_keys[] = {
    "{\"routes\": [{\"name\": \"a\", \"methods\": [\"%s\"]}]}",
    "{\"limits\": {\"policies\": [{\"name\": \"a\", \"rate\": 1, \"burst\": 1, \"methods\": [\"%s\"]}]}}",
    "{\"cors\": {\"methods\": [\"GET\", \"%s\"]}}",
};
static const char *const field_keys[] = {
    "{\"limits\": {\"policies\": [{\"name\": \"a\", \"rate\": 1, \"burst\": 1, \"by\": \"header:%s\"}]}}",
    "{\"cache\": {\"bypass_fields\": [\"%s\"]}}",
    "{\"cache\": {\"targeted_fields\": [\"%s\"]}}",
    "{\"routes\": [{\"name\": \"a\", \"cache_bypass_fields\": [\"%s\"]}]}",
    "{\"cache\": {\"bypass_cookies\": [\"%s\"]}}",
    "{\"cors\": {\"headers\": [\"X-A\", \"%s\"]}}",
    "{\"cors\": {\"exposed_headers\": [\"X-A\", \"%s\"]}}",
};

struct row {
    const char *value;
    const char *error;   /* a part; NULL: it is valid */
    const char *warning; /* a part; NULL: none */
};

/* How the findings tell of the value; NULL: they don't. */
static const struct gw_complaint *find(const struct gw_findings *findings, bool is_warning)
{
    for (unsigned i = 0; i < findings->count; i++)
        if (findings->items[i].is_warning == is_warning)
            return &findings->items[i].complaint;
    return NULL;
}

static void expect(const char *json, const struct gw_complaint *told, const char *part)
{
    if (!told != !part || (part && !strstr(told->expected, part)))
        fail_msg("%s: told \"%s\", wanted \"%s\"", json, told ? told->expected : "nothing", part ? part : "nothing");
}

static void check(const char *const *keys, size_t key_count, const struct row *rows, size_t count)
{
    for (size_t k = 0; k < key_count; k++) {
        for (size_t i = 0; i < count; i++) {
            char json[512];
            struct gw_findings findings;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(json, sizeof(json), keys[k], rows[i].value);
#pragma GCC diagnostic pop
            struct gw_config *config = gw_load_text(json, &findings);
            expect(json, find(&findings, false), rows[i].error);
            expect(json, find(&findings, true), rows[i].warning);
            assert_int_equal(config != NULL, rows[i].error == NULL);
            if (config)
                gw_config_unref(config);
        }
    }
}

static void a_path_that_no_request_has_is_an_error(void **state)
{
    static const struct row rows[] = {
        { "/login*", "\"/login\" matches", NULL },
        { "/users/*", "\"/users\" matches", NULL },
        { "/users/**", "\"/users\" matches", NULL },
        { "/*/x", "\"/\" matches", NULL },
        { "/items/{id}", "\"/items\" matches", NULL },
        { "/items/<int:id>", "\"/items\" matches", NULL },
        { "/a/.*", "without wildcards", NULL },
        { "^/a", "begins with /", NULL },
        { "~ ^/a", "begins with /", NULL },
        { "/a\\\\d+", "without wildcards", NULL },
        { "a", "begins with /", NULL },
        { "*", "begins with /", NULL },
        { "http://h/a", "without scheme and host", NULL },
        { "/a?b=1", "has no query", NULL },
        { "/a#b", "no fragment", NULL },
        { "/a//b", "no empty segment", NULL },
        { "/a/../b", "which clients resolve", NULL },
        { "/a/.", "which clients resolve", NULL },
        { "/.well-known", NULL, NULL },
        { "/..a", NULL, NULL },
        { "/a b", "\"/a%20b\"", NULL },
        { "/a%2", "two hexadecimal digits", NULL },
        { "/%zz", "two hexadecimal digits", NULL },
        { "/%61dmin", "a path as clients send it: \"/admin\"", NULL },
        { "/caf%c3%a9", "\"/caf%C3%A9\"", NULL },
        { "/caf\\u00e9", "\"/caf%C3%A9\"", NULL },
        { "/caf%C3%A9", NULL, NULL },
        { "/a%2Fb", NULL, NULL },
        { "/gateway", "the gateway's own pages", NULL },
        { "/gateway/health", "the gateway's own pages", NULL },
        { "/gateways", NULL, NULL },
        { "/users/:id", NULL, "\"/users\" would match" },
        { "/a/[0-9]+", NULL, "\"/a\" would match" },
        { "/a|/b", NULL, "not as a pattern" },
        { "/login$", NULL, "\"/login\" would match" },
        { "/v1/$metadata", NULL, NULL },
        { "/v1/items:batch", NULL, NULL },
        { "/c++", NULL, NULL },
        { "/a;v=1/(x)!'&=@~,", NULL, NULL },
    };
    (void)state;
    check(path_keys, GW_COUNT(path_keys), rows, GW_COUNT(rows));
}

static void a_path_has_no_spaces_at_its_ends(void **state)
{
    static const struct row rows[] = { { "/a ", "no spaces at its ends", NULL },
                                       { " /a", "no spaces at its ends", NULL },
                                       { " ", "no spaces at its ends", NULL } };
    (void)state;
    check(path_keys, 2, rows, GW_COUNT(rows)); /* the items of a list are trimmed */
}

static void a_host_that_no_request_names_is_an_error(void **state)
{
    static const struct row rows[] = {
        { "https://a.org", "without scheme", NULL },
        { "a.org/x", "without scheme, port and path", NULL },
        { "a.org:8080", "a host without port", NULL },
        { "*", "leave it out for any host", NULL },
        { "*.", "leave it out", NULL },
        { "api.*.org", "*.example.org", NULL },
        { "*a.org", "*.example.org", NULL },
        { "a..org", "a host", NULL },
        { ".a.org", "a host", NULL },
        { "a.org.", "a host", NULL },
        { "a.org ", "a host", NULL },
        { "u@a.org", "a host", NULL },
        { "b\\u00fccher.org", "punycode", NULL },
        { "::1", "in brackets", NULL },
        { "[0:0::1]", "short form", NULL },
        { "[::1]:80", "without port", NULL },
        { "[::1]", NULL, NULL },
        { "A.org", NULL, NULL },
        { "*.A.org", NULL, NULL },
        { "127.0.0.1", NULL, NULL },
        { "my_service", NULL, NULL },
    };
    (void)state;
    check(host_keys, GW_COUNT(host_keys), rows, GW_COUNT(rows));
}

static void a_method_that_nobody_sends_is_told(void **state)
{
    static const struct row rows[] = {
        { "get", "in upper case", NULL },
        { "Get", "in upper case", NULL },
        { "GET POST", "in upper case", NULL },
        { "GET|POST", "one method", NULL },
        { "ANY", "leave the list out", NULL },
        { "CONNECT", "CONNECT is not", NULL },
        { "GTE", NULL, "did you mean \"GET\"?" },
        { "PSOT", NULL, "did you mean \"POST\"?" },
        { "DELTE", NULL, "did you mean \"DELETE\"?" },
        { "REFRESH", NULL, "only requests with exactly this word" },
        { "M-SEARCH", NULL, "not a registered method" },
        { "QUERY", NULL, NULL },
        { "PROPFIND", NULL, NULL },
        { "OPTIONS", NULL, NULL },
    };
    (void)state;
    check(method_keys, GW_COUNT(method_keys), rows, GW_COUNT(rows));
}

static void the_name_of_a_field_is_no_pattern(void **state)
{
    static const struct row rows[] = {
        { "X-Key:", "", NULL },  { "X Key", "", NULL },   { "X-Key: 1", "", NULL }, { "X-Key*", "", NULL },
        { "X-*-Key", "", NULL }, { "^X-Key", "", NULL },  { "X-Key$", "", NULL },   { "X-Key|X-Token", "", NULL },
        { "X-Key", NULL, NULL }, { "$WSRA", NULL, NULL },
    };
    (void)state;
    check(field_keys, GW_COUNT(field_keys), rows, GW_COUNT(rows));
}

static void a_parameter_is_no_regular_expression(void **state)
{
    static const char *const keys[] = { "{\"cache\": {\"ignore_query\": [\"%s\"]}}" };
    static const struct row rows[] = {
        { "utm_.*", "utm_* is every", NULL },
        { "^utm_", "utm_* is every", NULL },
        { "utm$", "utm_* is every", NULL },
        { "a|b", "utm_* is every", NULL },
        { "a=", "the name of a query parameter", NULL },
        { "?a", "the name of a query parameter", NULL },
        { "*_id", "with * at its end", NULL },
        { "\\u00e4", "as clients send it", NULL },
        { "%75tm", "as clients send it", NULL },
        { "a%5b", "as clients send it", NULL },
        { "a%5B%5D", NULL, NULL },
        { "utm_*", NULL, NULL },
        { "*", NULL, NULL },
        { "filter[name]", NULL, NULL },
        { "a.b", NULL, NULL },
    };
    (void)state;
    check(keys, 1, rows, GW_COUNT(rows));
}

static void an_origin_is_as_browsers_send_it(void **state)
{
    static const char *const keys[] = { "{\"cors\": {\"origins\": [\"%s\"]}}" };
    static const struct row rows[] = {
        { "https://a.org/", "without a path", NULL },
        { "https://*.a.org", "without wildcards", NULL },
        { "*.a.org", "without wildcards", NULL },
        { "a.org", "an origin", NULL },
        { "https://a.org:443", "usual one", NULL },
        { "http://a.org:80", "usual one", NULL },
        { "http://a.org:", "a port", NULL },
        { "http://a.org:x", "a port", NULL },
        { "http://a.org:080", "a port", NULL },
        { "http://[::1]:80", "usual one", NULL },
        { "http://[::1]", NULL, NULL },
        { "https://a.org:80", NULL, NULL },
        { "http://localhost:3000", NULL, NULL },
        { "capacitor://localhost", NULL, NULL },
    };
    (void)state;
    check(keys, 1, rows, GW_COUNT(rows));
}

static void a_route_that_no_request_reaches_is_an_error(void **state)
{
    static const struct {
        const char *routes; /* the objects' rest, each after a name */
        const char *taker;  /* NULL: all are reached */
    } rows[] = {
        { "{\"name\": \"a\", \"path\": \"/api\"}, {\"name\": \"b\", \"path\": \"/api/v2\"}", "called a" },
        { "{\"name\": \"a\", \"path\": \"/api/v2\"}, {\"name\": \"b\", \"path\": \"/api\"}", NULL },
        { "{\"name\": \"a\", \"path\": \"/api\"}, {\"name\": \"b\", \"path\": \"/api/\"}", "called a" },
        { "{\"name\": \"a\", \"path\": \"/api\"}, {\"name\": \"b\", \"path\": \"/apis\"}", NULL },
        { "{\"name\": \"a\", \"path\": \"/x\", \"methods\": \"GET\"}, {\"name\": \"b\", \"path\": \"/x\"}", NULL },
        { "{\"name\": \"a\", \"path\": \"/x\"}, {\"name\": \"b\", \"path\": \"/x\", \"methods\": \"GET\"}",
          "called a" },
        { "{\"name\": \"a\", \"path\": \"/x\", \"methods\": \"GET\"}, {\"name\": \"b\", \"path\": \"/x\", \"methods\": "
          "\"POST\"}, {\"name\": \"c\", \"path\": \"/x\", \"methods\": \"GET,POST\"}",
          "called b" },
        { "{\"name\": \"a\", \"path\": \"/x\", \"host\": \"h\"}, {\"name\": \"b\", \"path\": \"/x\"}", NULL },
        { "{\"name\": \"a\", \"host\": \"*.h\"}, {\"name\": \"b\", \"host\": \"a.h\", \"path\": \"/x\"}", "called a" },
        { "{\"name\": \"a\", \"host\": \"*.h\"}, {\"name\": \"b\", \"host\": \"*.a.h\"}", "called a" },
        { "{\"name\": \"a\", \"host\": \"*.h\"}, {\"name\": \"b\", \"host\": \"h\"}", NULL },
        { "{\"name\": \"a\", \"host\": \"*.h\"}, {\"name\": \"b\", \"host\": \"ah\"}", NULL },
        { "{\"name\": \"a\", \"host\": \"A.h\"}, {\"name\": \"b\", \"host\": \"a.H\", \"path\": \"/x\"}", "called a" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char json[512];
        struct gw_complaint complaint;
        snprintf(json, sizeof(json), "{\"routes\": [%s]}", rows[i].routes);
        struct gw_config *config = gw_config_of(json, &complaint);
        print_message("%s\n  %s\n", json, complaint.expected);
        assert_int_equal(config == NULL, rows[i].taker != NULL);
        if (config)
            gw_config_unref(config);
        else
            assert_non_null(strstr(complaint.expected, rows[i].taker));
    }
}

/* The finding quotes the text as written and tells what to write; it never has the form in which paths are compared. */
static void expect_whole_path(const struct gw_complaint *complaint, const char *path, const char *bypass)
{
    char expected[128];
    size_t length = strlen(path) - (path[strlen(path) - 1] == '/');
    snprintf(expected, sizeof(expected), "a path below the route's own, whole: \"%.*s%s\"", (int)length, path, bypass);
    assert_string_equal(complaint->found, bypass);
    assert_string_equal(complaint->expected, expected);
}

static void a_routes_bypass_is_below_the_routes_own_path(void **state)
{
    static const struct {
        const char *path, *bypass;
        bool good;
    } rows[] = {
        { "/api", "/api/me", true },   { "/api", "/me", false },           { "/api", "/", true },
        { "", "/me", true },           { "/api/v1", "/api", true },        { "/api/", "/apis", false },
        { "/a%20b", "/x%20y", false }, { "/a%20b", "/a%20b/x%20y", true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char json[256];
        struct gw_complaint complaint;
        snprintf(json, sizeof(json),
                 "{\"routes\": [{\"name\": \"a\", \"path\": \"%s\", \"cache_bypass_paths\": [\"%s\"]}]}", rows[i].path,
                 rows[i].bypass);
        struct gw_config *config = gw_config_of(json, &complaint);
        assert_int_equal(config != NULL, rows[i].good);
        if (config)
            gw_config_unref(config);
        else
            expect_whole_path(&complaint, rows[i].path, rows[i].bypass);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_that_no_request_has_is_an_error),
        cmocka_unit_test(a_path_has_no_spaces_at_its_ends),
        cmocka_unit_test(a_host_that_no_request_names_is_an_error),
        cmocka_unit_test(a_method_that_nobody_sends_is_told),
        cmocka_unit_test(the_name_of_a_field_is_no_pattern),
        cmocka_unit_test(a_parameter_is_no_regular_expression),
        cmocka_unit_test(an_origin_is_as_browsers_send_it),
        cmocka_unit_test(a_route_that_no_request_reaches_is_an_error),
        cmocka_unit_test(a_routes_bypass_is_below_the_routes_own_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
