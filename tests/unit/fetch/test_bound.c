#include "unit/fetch/stage.h"

/* Answers longer than the bound for storing, or than what a worker may collect at once. */

/* An answer that is too long to be stored goes on at the first reader's pace, every byte once and in order, whenever
 * that reader was slow. */
static void an_answer_that_outgrows_the_bound_passes_without_a_gap(void **state)
{
    static const size_t pieces[] = { 1000, 9000, 30000, MAX_OBJECT, 2 * MAX_OBJECT + 7 };
    static const char *const when[] = { NULL, "head", "body", "flush" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(pieces) * GW_COUNT(when) * 2; i++) {
        size_t piece = pieces[i / 2 % GW_COUNT(pieces)], whole = 4 * MAX_OBJECT, told = 0;
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener();
        one.pauses_at = when[i / 2 / GW_COUNT(pieces)];
        lead(stage, &one);
        join(stage, &two);
        says_head(stage, 200, "", CHUNKED);
        unsigned resumes = 0;
        while (told < whole) {
            size_t next = whole - told < piece ? whole - told : piece;
            if (says_body(stage, next)) {
                told += next;
                if (i % 2) /* the end of a read need not come after each piece */
                    end_of_read(stage);
            } else {
                assert_true(one.reader.paused && resumes++ < 1000);
                gw_fetch_resume(&one.reader);
            }
            assert_true(stage->fetcher.collecting_bytes <= 3 * (MAX_OBJECT + piece));
        }
        if (i % 2 == 0)
            end_of_read(stage);
        ends(stage);
        while (!one.is_over) {
            assert_true(one.reader.paused && resumes++ < 1000);
            gw_fetch_resume(&one.reader);
        }
        assert_heard(&one, "200 end", whole);
        assert_heard(&two, "released", 0);
        assert_not_stored(stage);
        assert_not_stored_since(stage, GW_CACHE_TOO_LARGE, 1);
        tear_down(stage);
    }
}

static void an_answer_outgrows_the_bound_while_its_reader_sleeps(void **state)
{
    static const int ends_how[] = { 0, 1, 2 }; /* the answer ends, the answer fails, the reader leaves */
    (void)state;
    for (size_t i = 0; i < GW_COUNT(ends_how); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        lead(stage, &one);
        says_head(stage, 200, "", UNTIL_CLOSE);
        says_body(stage, 100);
        end_of_read(stage);
        gw_fetch_pause(&one.reader);
        while (says_body(stage, 9000))
            end_of_read(stage);
        assert_true(last_attempt(stage)->paused);
        size_t told = last_attempt(stage)->told_bytes;
        assert_in_range(told, MAX_OBJECT + 1, MAX_OBJECT + 9100);
        assert_heard(&one, "200", 100);
        if (ends_how[i] == 0) {
            ends(stage); /* the end lay in the same read */
            gw_fetch_resume(&one.reader);
            assert_heard(&one, "200 end", told);
        } else if (ends_how[i] == 1) {
            fails(stage, GW_ERROR_RESET);
            assert_heard(&one, "200 upstream_reset", 100);
        } else {
            gw_fetch_leave(&one.reader);
            assert_true(last_attempt(stage)->cancelled);
        }
        assert_not_stored(stage);
        tear_down(stage);
    }
}

static void an_answer_that_outgrows_the_bound_with_no_reader_left_is_given_up(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    lead(stage, &one);
    join(stage, &two);
    says_head(stage, 200, "", CHUNKED);
    gw_fetch_leave(&one.reader);
    while (says_body(stage, 9000))
        end_of_read(stage);
    assert_true(last_attempt(stage)->cancelled);
    assert_heard(&two, "released", 0); /* its head had not been reported */
    tear_down(stage);
}

static void a_worker_collects_only_so_much_at_once(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    stage->fetcher.collecting_bound = 50000;
    lead(stage, &one);
    says_head(stage, 200, "", 40000);
    assert_int_equal(stage->fetcher.collecting_bytes, 40000);
    struct attempt *first = last_attempt(stage);
    stage->request.key.sha[0] = 9;
    lead(stage, &two);
    says_head(stage, 200, "", 20000); /* no room: passes */
    assert_heard(&two, "200", 0);
    assert_int_equal(stage->fetcher.collecting_bytes, 40000);
    says_all(stage, 20000);
    ends(stage);
    assert_heard(&two, "200 end", 20000);
    gw_fetch_leave(&one.reader);
    assert_true(first->runs);
    gw_fetcher_cancel_unread(&stage->fetcher);
    assert_true(first->cancelled);
    assert_int_equal(stage->fetcher.collecting_bytes, 0);
    tear_down(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_outgrows_the_bound_passes_without_a_gap),
        cmocka_unit_test(an_answer_outgrows_the_bound_while_its_reader_sleeps),
        cmocka_unit_test(an_answer_that_outgrows_the_bound_with_no_reader_left_is_given_up),
        cmocka_unit_test(a_worker_collects_only_so_much_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
