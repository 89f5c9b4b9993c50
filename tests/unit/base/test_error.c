#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/error.h"

static void every_error_answers_all_questions(void **state)
{
    (void)state;
    for (int i = 0; i < GW_ERROR_COUNT; i++) {
        enum gw_error error = (enum gw_error)i;
        const char *name = gw_error_name(error), *sentence = gw_error_sentence(error);
        assert_true(name && *name && sentence && *sentence);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name)); /* a label value */
        assert_true(sentence[0] >= 'A' && sentence[0] <= 'Z');
        assert_int_equal(sentence[strlen(sentence) - 1], '.');
        if (error == GW_ERROR_NONE)
            assert_int_equal(gw_error_status(error), 200);
        else
            assert_in_range(gw_error_status(error), 400, 599);
    }
}

static void no_two_errors_share_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < GW_ERROR_COUNT; i++)
        for (int j = i + 1; j < GW_ERROR_COUNT; j++)
            assert_string_not_equal(gw_error_name((enum gw_error)i), gw_error_name((enum gw_error)j));
}

static void only_what_a_backend_did_is_tried_again(void **state)
{
    (void)state;
    for (int i = 0; i < GW_ERROR_COUNT; i++) {
        enum gw_error error = (enum gw_error)i;
        if (gw_error_may_retry(error))
            assert_true(gw_error_status(error) == 502 || gw_error_status(error) == 504);
    }
    assert_true(gw_error_may_retry(GW_ERROR_CONNECT));
    assert_true(gw_error_may_retry(GW_ERROR_RESET));
    assert_false(gw_error_may_retry(GW_ERROR_RESPONSE_TIMEOUT)); /* the backend may be at work on the request */
    assert_false(gw_error_may_retry(GW_ERROR_TLS));
}

static void a_complaint_tells_place_found_and_expected(void **state)
{
    (void)state;
    struct gw_complaint complaint;
    char line[256];
    gw_complain(&complaint, "--workers", "many", "a number from %d to %d", 1, 256);
    gw_complaint_print(&complaint, line, sizeof line);
    assert_string_equal(line, "--workers: found \"many\", expected a number from 1 to 256");
    gw_complain(&complaint, "--config", NULL, "a file");
    gw_complaint_print(&complaint, line, sizeof line);
    assert_string_equal(line, "--config: expected a file");
}

static void a_complaint_cuts_what_does_not_fit(void **state)
{
    (void)state;
    struct gw_complaint complaint;
    char text[1000], line[40];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    gw_complain(&complaint, text, text, "%s", text);
    assert_int_equal(strlen(complaint.place), sizeof complaint.place - 1);
    assert_int_equal(strlen(complaint.found), sizeof complaint.found - 1);
    assert_int_equal(strlen(complaint.expected), sizeof complaint.expected - 1);
    gw_complaint_print(&complaint, line, sizeof line);
    assert_int_equal(strlen(line), sizeof line - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_answers_all_questions),
        cmocka_unit_test(no_two_errors_share_a_name),
        cmocka_unit_test(only_what_a_backend_did_is_tried_again),
        cmocka_unit_test(a_complaint_tells_place_found_and_expected),
        cmocka_unit_test(a_complaint_cuts_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
