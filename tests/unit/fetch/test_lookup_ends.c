#include "unit/fetch/redis_stage.h"

/* Questions to the store end when their answers are of no use any more: silence, a purge meanwhile, an answer that may
 * not be stored. */

#define FRESH "Cache-Control: max-age=60\nETag: \"1\"\n"

static void a_lock_that_stays_silent_though_the_look_answered_is_not_waited_for(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    unseen(both, &one);
    played_answer(&both->store, &both->store.calls[1]);
    passes(both->stage, 49);
    assert_int_equal(both->stage->attempt_count, 0);
    passes(both->stage, 1);
    assert_int_equal(both->stage->attempt_count, 1);
    says_head(both->stage, 200, "", 0);
    ends(both->stage);
    assert_heard(&one, "200 end", 0);
    tear_down_together(both);
}

static void an_answer_that_may_not_be_stored_ends_what_is_also_without_a_coalesced_lead(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    elsewhere_stores(both, FRESH, -30);
    struct gw_redis_cache_answer answer = elsewhere_looks(both);
    may_be_stored(both->stage);
    both->stage->request.cache.must_validate = true; /* the request's no-cache: the request shares nothing */
    both->stage->request.lead.stored = answer.entry;
    both->stage->request.lead.base_version = answer.base_version;
    begin(both->stage, &one);
    says_head(both->stage, 200, "Cache-Control: no-store\n", 0);
    ends(both->stage);
    store_answers(both);
    assert_heard(&one, "200 end", 0);
    assert_there(both, NOTHING_THERE);
    drop_stored(both->stage);
    tear_down_together(both);
}

static void what_is_purged_while_it_waits_neither_is_confirmed_nor_answers(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct stage *stage = both->stage;
    struct listener one = new_listener();
    stage->config.retries = 0;
    another_takes_the_lock(both);
    elsewhere_stores(both, FRESH, 5);
    miss(both, &one);
    store_answers(both); /* sees the stored value */
    elsewhere_purges(both);
    the_others_lock_expires(both);
    assert_string_equal(last_attempt(stage)->fields, "Host: one:8000\r\nAccept: text/plain\r\n");
    fails(stage, GW_ERROR_CONNECT);
    assert_heard(&one, gw_error_name(GW_ERROR_CONNECT), 0);
    tear_down_together(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_that_stays_silent_though_the_look_answered_is_not_waited_for),
        cmocka_unit_test(an_answer_that_may_not_be_stored_ends_what_is_also_without_a_coalesced_lead),
        cmocka_unit_test(what_is_purged_while_it_waits_neither_is_confirmed_nor_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
