#include "unit/exchange/played_fetch.h"

#include "filter/table.h"

/* Fetch Standard, CORS protocol: with cors.origins the gateway alone speaks; without, it speaks where the backend does not. */

#define ORIGIN    "Origin: https://app.example"
#define PREFLIGHT ORIGIN "\nAccess-Control-Request-Method: PUT\nAccess-Control-Request-Headers: x-one"

static const struct gw_filter *const filters[] = { &gw_filter_identify, &gw_filter_cors, NULL };

static struct stage *open_with(const char *json)
{
    played_fetch = (struct gw_fetch) { .reader = NULL };
    return open_stage(json, filters);
}

/* The backend says so much, where it is asked. */
static void answers(struct stage *stage, int code, const char *fields)
{
    if (!played_fetch.reader)
        return;
    tells_head(stage, code, fields, 0);
    tells_end();
}

static void says(const struct stage *stage, const char *name, const char *value)
{
    if (value)
        assert_string_equal(field(stage, name) ? field(stage, name) : "(nothing)", value);
    else
        assert_null(field(stage, name));
}

static void with_named_origins_the_gateway_alone_answers_preflights(void **state)
{
    static const struct {
        const char *origin;
        bool is_allowed;
    } rows[] = { { "https://app.example", true },
                 { "HTTPS://APP.example", true },
                 { "https://evil.example", false },
                 { "https://app.example.evil.example", false },
                 { "https://app.example:444", false },
                 { "http://app.example", false },
                 { "null", false } };
    struct stage *stage = open_with("{\"cors\": {\"origins\": [\"https://app.example\"], \"credentials\": true}}");
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char fields[256];
        snprintf(fields, sizeof fields, "Origin: %s\nAccess-Control-Request-Method: PUT", rows[i].origin);
        asks(stage, "OPTIONS", "/", fields);
        assert_int_equal(status(stage), 204);
        assert_int_equal(played_fetch.begun, 0);
        says(stage, "Access-Control-Allow-Origin", rows[i].is_allowed ? rows[i].origin : NULL);
        says(stage, "Access-Control-Allow-Credentials", rows[i].is_allowed ? "true" : NULL);
        assert_int_equal(field(stage, "Access-Control-Allow-Methods") != NULL, rows[i].is_allowed);
        assert_non_null(strstr(stage->client.fields, "\nVary: Origin")); /* also where it is not allowed */
    }
    close_stage(stage);
}

static void without_them_a_backend_that_speaks_cors_is_not_spoken_over(void **state)
{
    static const struct {
        const char *method, *request;
        int code; /* of the backend */
        const char *fields;
        int status;
        const char *allowed, *methods;
    } rows[] = {
        /* a preflight that the backend says nothing about is answered here */
        { "OPTIONS", PREFLIGHT, 200, "", 204, "*", "GET" },
        { "OPTIONS", PREFLIGHT, 405, "", 204, "*", "GET" },
        { "OPTIONS", PREFLIGHT, 503, "", 204, "*", "GET" },
        /* what it says stands, also a refusal */
        { "OPTIONS", PREFLIGHT, 200, "Access-Control-Allow-Origin: https://app.example", 200, "https://app.example",
          NULL },
        { "OPTIONS", PREFLIGHT, 400, "Access-Control-Allow-Methods: GET", 400, NULL, NULL },
        { "OPTIONS", PREFLIGHT, 200, "Vary: Accept, Origin", 200, NULL, NULL },
        /* no preflight: an OPTIONS of its own */
        { "OPTIONS", ORIGIN, 200, "", 200, "*", NULL },
        { "OPTIONS", "Access-Control-Request-Method: PUT", 200, "", 200, NULL, NULL },
        { "GET", ORIGIN, 200, "", 200, "*", NULL },
        { "GET", ORIGIN, 200, "Access-Control-Allow-Origin: *", 200, "*", NULL },
        { "GET", ORIGIN, 200, "Access-Control-Allow-Origin: null", 200, "null", NULL },
        { "GET", "", 200, "", 200, NULL, NULL },
    };
    struct stage *stage = open_with(NULL);
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        asks(stage, rows[i].method, "/", rows[i].request);
        answers(stage, rows[i].code, rows[i].fields);
        assert_int_equal(status(stage), rows[i].status);
        says(stage, "Access-Control-Allow-Origin", rows[i].allowed);
        assert_int_equal(field_count(stage, "Access-Control-Allow-Origin"), rows[i].allowed != NULL);
        if (rows[i].methods)
            assert_non_null(strstr(field(stage, "Access-Control-Allow-Methods"), rows[i].methods));
    }
    close_stage(stage);
}

/* What the backend was not asked about, a browser must not remember. */
static void a_preflight_that_a_failing_backend_cannot_answer_is_not_remembered(void **state)
{
    struct stage *stage = open_with(NULL);
    (void)state;
    asks(stage, "OPTIONS", "/", PREFLIGHT);
    answers(stage, 503, "");
    says(stage, "Access-Control-Max-Age", "0");
    asks(stage, "OPTIONS", "/", PREFLIGHT);
    tells_fail(GW_ERROR_CONNECT);
    assert_int_equal(status(stage), 204);
    says(stage, "Access-Control-Max-Age", "0");
    asks(stage, "OPTIONS", "/", PREFLIGHT);
    answers(stage, 404, "");
    assert_string_not_equal(field(stage, "Access-Control-Max-Age"), "0");
    close_stage(stage);
}

static void an_answer_that_names_an_origin_says_that_it_varies(void **state)
{
    struct stage *stage = open_with(NULL);
    (void)state;
    asks(stage, "GET", "/", ORIGIN);
    answers(stage, 200, "Access-Control-Allow-Origin: https://app.example");
    says(stage, "Vary", "Origin");
    asks(stage, "GET", "/", ORIGIN);
    answers(stage, 200, "Access-Control-Allow-Origin: https://app.example\nVary: Origin");
    assert_int_equal(field_count(stage, "Vary"), 1);
    close_stage(stage);
    stage = open_with("{\"cors\": {\"enabled\": false}}");
    asks(stage, "GET", "/", ORIGIN);
    answers(stage, 200, "");
    says(stage, "Access-Control-Allow-Origin", NULL);
    close_stage(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_named_origins_the_gateway_alone_answers_preflights),
        cmocka_unit_test(without_them_a_backend_that_speaks_cors_is_not_spoken_over),
        cmocka_unit_test(a_preflight_that_a_failing_backend_cannot_answer_is_not_remembered),
        cmocka_unit_test(an_answer_that_names_an_origin_says_that_it_varies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
