#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"

/* stderr is a pipe while something is logged. */
struct pipe_end {
    int read_end, kept_stderr;
    char text[16384];
};

static void redirect(struct pipe_end *end)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0); /* the writing end blocks, as a service manager's does */
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    end->read_end = ends[0];
    end->kept_stderr = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
}

static void restore(struct pipe_end *end)
{
    assert_true(dup2(end->kept_stderr, STDERR_FILENO) >= 0);
    close(end->kept_stderr);
    ssize_t length = read(end->read_end, end->text, sizeof end->text - 1);
    end->text[length > 0 ? length : 0] = 0;
    close(end->read_end);
}

/* "2026-01-02T03:04:05.678Z" */
static bool is_time(const char *text)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

static void a_json_line_holds_whatever_was_said(void **state)
{
    (void)state;
    struct pipe_end end;
    gw_log_setup(GW_LOG_INFO, true);
    redirect(&end);
    gw_log(GW_LOG_WARN, "upstream", "%s: \"%d\"\n\x01\xff\x7f", "http://b\\", 7);
    restore(&end);
    static const char start[] = "{\"time\":\"";
    assert_memory_equal(end.text, start, sizeof start - 1);
    assert_true(is_time(end.text + sizeof start - 1));
    assert_string_equal(end.text + sizeof start - 1 + 24,
                        "\",\"level\":\"warn\",\"area\":\"upstream\",\"message\":"
                        "\"http://b\\\\: \\\"7\\\"\\n\\u0001\xef\xbf\xbd\\u007f\"}\n");
}

static void a_text_line_holds_no_control_bytes(void **state)
{
    (void)state;
    struct pipe_end end;
    gw_log_setup(GW_LOG_INFO, false);
    redirect(&end);
    gw_log(GW_LOG_ERROR, "config", "a\nb\x1b[31mc\x7f");
    restore(&end);
    assert_true(is_time(end.text));
    assert_string_equal(end.text + 24, " error config: a?b?[31mc?\n");
}

static void what_is_below_the_level_is_not_said(void **state)
{
    static const enum gw_log_level levels[] = { GW_LOG_ERROR, GW_LOG_WARN, GW_LOG_INFO, GW_LOG_DEBUG };
    (void)state;
    for (unsigned least = 0; least < 4; least++) {
        struct pipe_end end;
        unsigned lines = 0;
        gw_log_setup(levels[least], true);
        redirect(&end);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(gw_log_is_on(levels[i]), i <= least);
            gw_log(levels[i], "area", "message");
        }
        restore(&end);
        for (const char *at = end.text; *at; at++)
            lines += *at == '\n';
        assert_int_equal(lines, least + 1);
    }
}

static void a_long_message_is_cut_and_the_line_still_ends(void **state)
{
    (void)state;
    struct pipe_end end;
    char message[5000];
    memset(message, 0x01, sizeof message - 1); /* six characters each, as JSON */
    message[sizeof message - 1] = 0;
    gw_log_setup(GW_LOG_INFO, true);
    redirect(&end);
    gw_log(GW_LOG_INFO, "area", "%s", message);
    restore(&end);
    size_t length = strlen(end.text);
    assert_in_range(length, 1024, PIPE_BUF); /* more could block */
    assert_string_equal(end.text + length - 3, "\"}\n");
}

static void a_reader_that_stopped_reading_loses_lines_and_stops_no_worker(void **state)
{
    (void)state;
    struct pipe_end end;
    char message[1024];
    memset(message, 0x01, sizeof message - 1);
    message[sizeof message - 1] = 0;
    gw_log_setup(GW_LOG_INFO, true);
    redirect(&end);
    for (int i = 0; i < 3000; i++) /* far more than a pipe holds: would hang here */
        gw_log(GW_LOG_INFO, "area", "%s", i % 3 ? "line" : message);
    restore(&end);
    assert_memory_equal(end.text, "{\"time\":", 8);
}

static void a_closed_stderr_is_no_error(void **state)
{
    (void)state;
    int kept = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    gw_log_setup(GW_LOG_INFO, true);
    gw_log(GW_LOG_INFO, "area", "nobody hears it");
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_holds_whatever_was_said),
        cmocka_unit_test(a_text_line_holds_no_control_bytes),
        cmocka_unit_test(what_is_below_the_level_is_not_said),
        cmocka_unit_test(a_long_message_is_cut_and_the_line_still_ends),
        cmocka_unit_test(a_reader_that_stopped_reading_loses_lines_and_stops_no_worker),
        cmocka_unit_test(a_closed_stderr_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
