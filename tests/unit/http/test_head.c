#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include "http/head.h"

struct scene {
    struct gw_arena arena;
    struct gw_head head;
};

static int set_up(void **state)
{
    static struct scene scene;
    gw_arena_init(&scene.arena, 1024, 1024 * 1024);
    gw_head_init(&scene.head);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    gw_arena_free(&scene->arena);
    return 0;
}

static void add(struct scene *scene, const char *name, const char *value)
{
    assert_true(gw_head_add(&scene->head, &scene->arena, gw_slice_of_string(name), gw_slice_of_string(value)));
}

static void assert_slice(struct gw_slice slice, const char *expected)
{
    if (!gw_slice_equal(slice, gw_slice_of_string(expected)))
        fail_msg("%.*s instead of %s", GW_SLICE_ARGS(slice), expected);
}

static void every_well_known_name_is_found_in_any_case(void **state)
{
    for (unsigned id = 1; id < GW_FIELD_COUNT; id++) {
        struct gw_slice text = gw_field_name_text((enum gw_field_name)id);
        char upper[64], other[64];
        assert_int_equal(gw_field_name_of(text), id);
        for (size_t i = 0; i < text.length; i++)
            upper[i] = (char)toupper(text.at[i]);
        assert_int_equal(gw_field_name_of(gw_slice_of(upper, text.length)), id);
        for (size_t i = 0; i < text.length; i++) { /* one letter differs, or one is missing */
            memcpy(other, text.at, text.length);
            other[i] = '_';
            assert_int_equal(gw_field_name_of(gw_slice_of(other, text.length)), GW_FIELD_OTHER);
        }
        assert_int_not_equal(gw_field_name_of(gw_slice_of(text.at, text.length - 1)), id);
    }
    assert_int_equal(gw_field_name_of(GW_SLICE("Content-Encoding")), GW_FIELD_CONTENT_ENCODING);
    assert_int_equal(gw_field_name_of(GW_SLICE("content-Language")), GW_FIELD_CONTENT_LANGUAGE);
    assert_int_equal(gw_field_name_of(GW_SLICE("")), GW_FIELD_OTHER);
    assert_int_equal(gw_field_name_of(GW_SLICE("x-a-name-that-is-longer-than-all-those-that-are-known")),
                     GW_FIELD_OTHER);
    (void)state;
}

static void methods_are_known_by_their_exact_name(void **state)
{
    assert_int_equal(gw_method_of(GW_SLICE("GET")), GW_METHOD_GET);
    assert_int_equal(gw_method_of(GW_SLICE("OPTIONS")), GW_METHOD_OPTIONS);
    assert_int_equal(gw_method_of(GW_SLICE("QUERY")), GW_METHOD_QUERY);
    assert_int_equal(gw_method_of(GW_SLICE("get")), GW_METHOD_OTHER);
    assert_int_equal(gw_method_of(GW_SLICE("GETS")), GW_METHOD_OTHER);
    assert_int_equal(gw_method_of(GW_SLICE("")), GW_METHOD_OTHER);
    assert_string_equal(gw_method_name(GW_METHOD_PATCH), "PATCH");
    assert_string_equal(gw_method_name(GW_METHOD_OTHER), "_OTHER");
    assert_true(gw_method_is_safe(GW_METHOD_HEAD));
    assert_true(gw_method_is_safe(GW_METHOD_QUERY));
    assert_true(gw_method_is_idempotent(GW_METHOD_QUERY));
    assert_false(gw_method_is_safe(GW_METHOD_PUT));
    assert_true(gw_method_is_idempotent(GW_METHOD_PUT));
    assert_false(gw_method_is_idempotent(GW_METHOD_POST));
    assert_false(gw_method_is_idempotent(GW_METHOD_OTHER));
    (void)state;
}

static void fields_are_found_by_name_in_order(void **state)
{
    struct scene *scene = *state;
    add(scene, "Vary", "a");
    add(scene, "X-Own", "1");
    add(scene, "vary", "b");
    add(scene, "x-own", "2");
    add(scene, "Etag", "");
    struct gw_field *vary = gw_head_find(&scene->head, GW_FIELD_VARY);
    assert_slice(vary->value, "a");
    assert_slice(gw_head_find_next(&scene->head, vary)->value, "b");
    assert_null(gw_head_find_next(&scene->head, gw_head_find_next(&scene->head, vary)));
    struct gw_field *own = gw_head_find_named(&scene->head, GW_SLICE("X-OWN"));
    assert_slice(own->value, "1");
    assert_slice(gw_head_find_next(&scene->head, own)->value, "2");
    assert_null(gw_head_find(&scene->head, GW_FIELD_HOST));
    assert_null(gw_head_value(&scene->head, GW_FIELD_HOST).at);
    assert_non_null(gw_head_value(&scene->head, GW_FIELD_ETAG).at);
    assert_null(gw_head_find_named(&scene->head, GW_SLICE("x-owner")));

    gw_head_find(&scene->head, GW_FIELD_VARY)->dropped = true;
    assert_slice(gw_head_value(&scene->head, GW_FIELD_VARY), "b");
    gw_head_drop(&scene->head, GW_FIELD_VARY);
    assert_null(gw_head_find(&scene->head, GW_FIELD_VARY));
}

static void fields_beyond_the_index_are_found_too(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 253; i++)
        add(scene, "Filler", "x");
    add(scene, "Age", "253");
    add(scene, "Etag", "254");
    for (int i = 0; i < 100; i++)
        add(scene, "Other", "y");
    add(scene, "Vary", "355");
    assert_slice(gw_head_value(&scene->head, GW_FIELD_AGE), "253");
    assert_slice(gw_head_value(&scene->head, GW_FIELD_ETAG), "254");
    assert_slice(gw_head_value(&scene->head, GW_FIELD_VARY), "355");
    assert_non_null(gw_head_find_named(&scene->head, GW_SLICE("other")));
    gw_head_drop(&scene->head, GW_FIELD_VARY);
    assert_null(gw_head_find(&scene->head, GW_FIELD_VARY));
}

static void tokens_are_found_in_all_fields_of_a_name(void **state)
{
    struct scene *scene = *state;
    add(scene, "Vary", "Accept, ORIGIN");
    add(scene, "Vary", "Cookie");
    assert_true(gw_head_has_token(&scene->head, GW_FIELD_VARY, GW_SLICE("origin")));
    assert_true(gw_head_has_token(&scene->head, GW_FIELD_VARY, GW_SLICE("cookie")));
    assert_false(gw_head_has_token(&scene->head, GW_FIELD_VARY, GW_SLICE("accept-encoding")));
    assert_false(gw_head_has_token(&scene->head, GW_FIELD_AGE, GW_SLICE("cookie")));
}

static void connection_takes_its_own_fields_away_but_none_that_matters(void **state)
{
    struct scene *scene = *state;
    static const char *const kept[] = { "Host",       "Content-Length", "Authorization",    "Cookie",
                                        "Set-Cookie", "Cache-Control",  "X-Forwarded-For",  "X-Forwarded-Proto",
                                        "Forwarded",  "X-Real-IP",      "X-Request-Id",     "Vary",
                                        "ETag",       "Content-Type",   "Content-Encoding", "Content-Language",
                                        "Location",   "Origin" };
    static const char *const gone[] = { "Keep-Alive",
                                        "TE",
                                        "Trailer",
                                        "Transfer-Encoding",
                                        "Upgrade",
                                        "Proxy-Connection",
                                        "Proxy-Authorization",
                                        "Proxy-Authenticate",
                                        "Proxy-Authentication-Info",
                                        "X-Own",
                                        "HTTP2-Settings" };
    char named[512] = "close";
    for (size_t i = 0; i < GW_COUNT(kept); i++) {
        add(scene, kept[i], "v");
        strcat(strcat(named, ", "), kept[i]);
    }
    for (size_t i = 0; i < GW_COUNT(gone); i++)
        add(scene, gone[i], "v");
    add(scene, "Connection", named);
    add(scene, "connection", "x-own,http2-settings");
    add(scene, "X-OWN", "again");
    add(scene, "Close", "a name like any other");
    gw_head_drop_hop_by_hop(&scene->head);
    for (size_t i = 0; i < GW_COUNT(kept); i++)
        if (!gw_head_find_named(&scene->head, gw_slice_of_string(kept[i])))
            fail_msg("%s is gone", kept[i]);
    for (size_t i = 0; i < GW_COUNT(gone); i++)
        if (gw_head_find_named(&scene->head, gw_slice_of_string(gone[i])))
            fail_msg("%s is still there", gone[i]);
    assert_null(gw_head_find(&scene->head, GW_FIELD_CONNECTION));
}

static void a_copy_stands_alone_and_leaves_dropped_fields_out(void **state)
{
    struct scene *scene = *state;
    char text[] = "GET/a?qexampleNameValue";
    struct gw_head *head = &scene->head, copy;
    head->method = GW_METHOD_GET;
    head->method_text = gw_slice_of(text, 3);
    head->target = gw_slice_of(text + 3, 4);
    head->path = gw_slice_of(text + 3, 2);
    head->query = gw_slice_of(text + 6, 1);
    head->authority = gw_slice_of(text + 7, 7);
    assert_true(gw_head_add(head, &scene->arena, GW_SLICE("Age"), GW_SLICE("0")));
    assert_true(gw_head_add(head, &scene->arena, gw_slice_of(text + 14, 4), gw_slice_of(text + 18, 5)));
    assert_true(gw_head_add(head, &scene->arena, GW_SLICE("Vary"), GW_SLICE("")));
    gw_head_drop(head, GW_FIELD_AGE);

    struct gw_arena arena;
    gw_arena_init(&arena, 64, 4096);
    assert_true(gw_head_copy(&copy, head, &arena));
    memset(text, '#', sizeof text);
    assert_slice(copy.method_text, "GET");
    assert_slice(copy.target, "/a?q");
    assert_slice(copy.path, "/a");
    assert_slice(copy.query, "q");
    assert_slice(copy.authority, "example");
    assert_null(copy.reason.at);
    assert_int_equal(copy.count, 2);
    assert_slice(copy.fields[0].name, "Name");
    assert_slice(copy.fields[0].value, "Value");
    assert_non_null(gw_head_value(&copy, GW_FIELD_VARY).at);
    assert_null(gw_head_find(&copy, GW_FIELD_AGE));
    gw_arena_free(&arena);

    gw_arena_init(&arena, 16, 0);
    assert_false(gw_head_copy(&copy, head, &arena));
    gw_arena_free(&arena);
}

static void fields_are_written_without_framing_and_dropped_ones(void **state)
{
    struct scene *scene = *state;
    char memory[64];
    add(scene, "A", "b");
    add(scene, "Content-Length", "5");
    add(scene, "Transfer-Encoding", "chunked");
    add(scene, "Age", "1");
    add(scene, "C", "");
    gw_head_drop(&scene->head, GW_FIELD_AGE);
    struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory);
    gw_head_put_fields(&scene->head, &buffer);
    assert_slice(gw_buffer_slice(&buffer), "A: b\r\nC: \r\n");
    assert_false(buffer.overflowed);

    buffer = gw_buffer_over(memory, 8); /* a field that does not fit is left out whole */
    gw_head_put_fields(&scene->head, &buffer);
    assert_slice(gw_buffer_slice(&buffer), "A: b\r\n");
    assert_true(buffer.overflowed);
}

static void statuses_have_their_phrases(void **state)
{
    assert_slice(gw_status_reason(200), "OK");
    assert_slice(gw_status_reason(429), "Too Many Requests");
    assert_slice(gw_status_reason(504), "Gateway Timeout");
    assert_slice(gw_status_reason(299), "");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_well_known_name_is_found_in_any_case),
        cmocka_unit_test(methods_are_known_by_their_exact_name),
        cmocka_unit_test_setup_teardown(fields_are_found_by_name_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_beyond_the_index_are_found_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_are_found_in_all_fields_of_a_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connection_takes_its_own_fields_away_but_none_that_matters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_stands_alone_and_leaves_dropped_fields_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_are_written_without_framing_and_dropped_ones, set_up, tear_down),
        cmocka_unit_test(statuses_have_their_phrases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
