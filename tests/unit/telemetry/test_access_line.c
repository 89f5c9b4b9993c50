#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include "telemetry/access_line.h"

static const struct gw_route api = { .name = { "api", 3 } };

static struct gw_request_record a_request(void)
{
    return (struct gw_request_record) {
        .began_at_us = 5000000,
        .ended_at_us = 5001234,
        .began_wall_us = 1795557355123456, /* 2026-11-24T21:55:55.123456Z */
        .request_id = GW_SLICE("0af7"),
        .client = GW_SLICE("192.0.2.1"),
        .method_text = GW_SLICE("GET"),
        .method = GW_METHOD_GET,
        .target = GW_SLICE("/reports?a=1"),
        .version = GW_SLICE("HTTP/1.1"),
        .status = 200,
        .bytes_sent = 1234,
        .cache = GW_CACHE_LABEL_HIT,
        .limit = GW_LIMIT_LABEL_ALLOWED,
        .limit_remaining = 19,
        .route = &api,
    };
}

static void assert_line(struct gw_buffer *line, const char *expected)
{
    assert_false(line->overflowed);
    gw_buffer_put_char(line, '\0');
    assert_string_equal(line->at, expected);
    line->length = 0;
}

static void a_line_of_json_leaves_absent_things_out(void **state)
{
    char memory[2048];
    struct gw_buffer line = gw_buffer_over(memory, sizeof(memory));
    struct gw_access_line_clock clock = { .is_set = false };
    struct gw_request_record record = a_request();
    (void)state;
    gw_access_line_put_json(&line, &clock, &record);
    assert_line(&line, "{\"time\":\"2026-11-24T21:55:55.123Z\",\"request_id\":\"0af7\",\"client\":\"192.0.2.1\","
                       "\"method\":\"GET\",\"path\":\"/reports?a=1\",\"status\":200,\"bytes_sent\":1234,"
                       "\"bytes_received\":0,\"duration_ms\":1.234,\"cache\":\"hit\",\"limit\":\"allowed\","
                       "\"limit_remaining\":19,\"route\":\"api\"}\n");
    record = (struct gw_request_record) { .began_wall_us = 0, .status = 400, .error = GW_ERROR_MALFORMED };
    gw_access_line_put_json(&line, &clock, &record);
    assert_line(&line, "{\"time\":\"1970-01-01T00:00:00.000Z\",\"status\":400,\"bytes_sent\":0,\"bytes_received\":0,"
                       "\"duration_ms\":0.000,\"error\":\"malformed_request\"}\n");
}

static void a_line_of_json_names_the_backend_that_was_asked(void **state)
{
    char memory[2048];
    struct gw_buffer line = gw_buffer_over(memory, sizeof(memory));
    struct gw_access_line_clock clock = { .is_set = false };
    struct gw_request_record record = a_request();
    (void)state;
    record.upstream = GW_SLICE("http://b:8000");
    record.upstream_us = 12045;
    gw_access_line_put_json(&line, &clock, &record);
    gw_buffer_put_char(&line, '\0');
    assert_null(strstr(memory, "upstream"));
    line.length = 0;
    record.has_upstream = true;
    gw_access_line_put_json(&line, &clock, &record);
    gw_buffer_put_char(&line, '\0');
    assert_non_null(strstr(memory, "\"upstream\":\"http://b:8000\",\"upstream_ms\":12.045,"));
}

static void what_a_client_wrote_cannot_leave_its_string(void **state)
{
    char memory[4096];
    struct gw_buffer line = gw_buffer_over(memory, sizeof(memory));
    struct gw_access_line_clock clock = { .is_set = false };
    struct gw_request_record record = a_request();
    (void)state;
    record.target = gw_slice_of("/\"},\n\x1b[2J\\\0\xff\xc3\xa9", 15);
    record.user_agent = GW_SLICE("a\"b\r\nc");
    gw_access_line_put_json(&line, &clock, &record);
    assert_ptr_equal(memchr(line.at, '\n', line.length), line.at + line.length - 1);
    gw_buffer_put_char(&line, '\0');
    cJSON *json = cJSON_Parse(memory);
    assert_non_null(json);
    assert_string_equal(cJSON_GetObjectItem(json, "user_agent")->valuestring, "a\"b\r\nc");
    assert_memory_equal(cJSON_GetObjectItem(json, "path")->valuestring, "/\"},\n\x1b[2J\\", 10);
    cJSON_Delete(json);
}

static void a_line_of_text_is_for_people(void **state)
{
    char memory[2048];
    struct gw_buffer line = gw_buffer_over(memory, sizeof(memory));
    struct gw_access_line_clock clock = { .is_set = false };
    struct gw_request_record record = a_request();
    (void)state;
    gw_access_line_put_text(&line, &clock, &record);
    assert_line(&line, "2026-11-24T21:55:55.123Z 192.0.2.1 \"GET /reports?a=1 HTTP/1.1\" 200 1234B 1.2ms cache=hit "
                       "limit=allowed upstream=- id=0af7\n");
    record = (struct gw_request_record) { .error = GW_ERROR_REQUEST_TIMEOUT, .status = 408, .ended_at_us = 250 };
    gw_access_line_put_text(&line, &clock, &record);
    assert_line(&line, "1970-01-01T00:00:00.000Z - \"- - -\" 408 0B 0.3ms cache=- limit=- upstream=- id=- "
                       "error=request_timeout\n");
}

static void no_control_byte_reaches_a_terminal(void **state)
{
    char target[256], memory[4096];
    struct gw_buffer line = gw_buffer_over(memory, sizeof(memory));
    struct gw_access_line_clock clock = { .is_set = false };
    struct gw_request_record record = a_request();
    (void)state;
    for (unsigned i = 0; i < sizeof(target); i++)
        target[i] = (char)i;
    record.target = gw_slice_of(target, sizeof(target));
    record.request_id = GW_SLICE("x\x1b]0;y\x07z");
    gw_access_line_put_text(&line, &clock, &record);
    for (size_t i = 0; i + 1 < line.length; i++)
        assert_in_range((unsigned char)line.at[i], 0x20, 0x7e);
    assert_int_equal(line.at[line.length - 1], '\n');
    gw_buffer_put_char(&line, '\0');
    assert_non_null(strstr(memory, " id=x\\x1b]0;y\\x07z\n"));
    assert_non_null(strstr(memory, " !\\x22#")); /* a quote does not end the request line */
    assert_non_null(strstr(memory, "[\\x5c]"));
}

static void the_second_is_printed_anew_when_it_changes(void **state)
{
    static const struct row {
        int64_t wall_us;
        const char *time;
    } rows[] = { { 1795557355999999, "2026-11-24T21:55:55.999Z " },
                 { 1795557356000000, "2026-11-24T21:55:56.000Z " },
                 { 1795557355000999, "2026-11-24T21:55:55.000Z " }, /* began earlier, ended later */
                 { 951782400000000, "2000-02-29T00:00:00.000Z " },
                 { -5, "1970-01-01T00:00:00.000Z " } };
    struct gw_access_line_clock clock = { .is_set = false };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char memory[512];
        struct gw_buffer line = gw_buffer_over(memory, sizeof(memory));
        gw_access_line_put_text(&line, &clock, &(struct gw_request_record) { .began_wall_us = rows[i].wall_us });
        assert_memory_equal(line.at, rows[i].time, strlen(rows[i].time));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_json_leaves_absent_things_out),
        cmocka_unit_test(a_line_of_json_names_the_backend_that_was_asked),
        cmocka_unit_test(what_a_client_wrote_cannot_leave_its_string),
        cmocka_unit_test(a_line_of_text_is_for_people),
        cmocka_unit_test(no_control_byte_reaches_a_terminal),
        cmocka_unit_test(the_second_is_printed_anew_when_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
