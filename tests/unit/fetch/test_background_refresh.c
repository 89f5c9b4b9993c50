#include "unit/fetch/redis_stage.h"

/* A background refresh whose stored response and fetch lock are shared with another instance: it looks at the store before
 * a backend is asked. A refresh without a store is in test_stale.c. */

#define FRESH "Cache-Control: max-age=60\nETag: \"1\"\n"

static void a_refresh_with_the_lock_elsewhere_ends_at_once(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct stage *stage = both->stage;
    struct listener one = new_listener();
    another_takes_the_lock(both);
    elsewhere_stores(both, FRESH, 5);
    refresh(stage);
    miss(both, &one);
    assert_false(is_idle(stage));
    store_answers(both);
    assert_true(is_idle(stage));
    assert_heard(&one, "", 0); /* it leads in place of the refresh */
    assert_null(one.reader.fetch);
    leaves(&one);
    assert_true(no_request_leads(both));
    passes(stage, 2000);
    assert_int_equal(stage->attempt_count, 0);
    assert_true(is_locked_elsewhere(both));
    tear_down_together(both);
}

static void a_refresh_that_finds_it_done_ends(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    elsewhere_stores(both, FRESH, -30);
    refresh(both->stage);
    store_answers(both);
    assert_true(is_idle(both->stage));
    assert_null(joinable(both->stage));
    assert_int_equal(both->stage->attempt_count, 0);
    store_answers(both);
    assert_null(lock_of(both));
    tear_down_together(both);
}

static void a_refresh_that_meets_a_503_leaves_what_lies_in_the_store(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    elsewhere_stores(both, FRESH, 5);
    refresh(both->stage);
    store_answers(both);
    says_head(both->stage, 503, "Cache-Control: max-age=60\n", 4);
    assert_true(is_idle(both->stage));
    store_answers(both);
    assert_null(lock_of(both));
    assert_there(both, STALE_THERE);
    tear_down_together(both);
}

static struct gw_slice put_text(char **at, const char *text)
{
    struct gw_slice slice = gw_slice_of(*at, strlen(text));
    memcpy(*at, text, slice.length);
    *at += slice.length;
    return slice;
}

/* The exchange is over by then, and the memory of its request is used for something else. */
static void a_refresh_that_looks_needs_nothing_that_it_was_lent(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct stage *stage = both->stage;
    struct gw_fetch_request *request = &stage->request;
    struct gw_head own = stage->request_head;
    char texts[256], *at = texts;
    request->method_text = put_text(&at, "GET");
    request->path = put_text(&at, "/lent");
    request->query = put_text(&at, "q=1");
    request->scheme = put_text(&at, "http");
    request->host = put_text(&at, "lent.example");
    request->fields = put_text(&at, "X-Lent: 1\r\n");
    stage->config.preserve_host = GW_PRESERVE_HOST_YES;
    elsewhere_stores(both, FRESH, 5);
    struct gw_redis_cache_answer seen = elsewhere_looks(both);
    struct gw_entry *entry = seen.entry;
    assert_non_null(entry);
    request->lead.stored = entry;
    request->lead.base_version = seen.base_version;
    unsigned holds = atomic_load(&entry->refs);
    refresh(stage);
    assert_int_equal(stage->attempt_count, 0);
    assert_int_equal(atomic_load(&entry->refs), holds + 1);
    gw_entry_unref(entry);
    request->lead.stored = NULL;
    memset(texts, '?', sizeof texts);
    memset(&stage->request_head, 0, sizeof stage->request_head);
    store_answers(both);
    struct attempt *attempt = last_attempt(stage);
    assert_string_equal(attempt->method, "GET");
    assert_string_equal(attempt->target, "/lent?q=1");
    assert_non_null(strstr(attempt->fields, "Host: lent.example\r\n"));
    assert_non_null(strstr(attempt->fields, "X-Lent: 1\r\n"));
    assert_non_null(strstr(attempt->fields, "If-None-Match: \"1\"\r\n"));
    stage->request_head = own;
    says_head(stage, 304, FRESH, 0);
    ends(stage);
    store_answers(both);
    assert_true(is_idle(stage));
    assert_there(both, FRESH_THERE);
    tear_down_together(both);
}

static void a_drain_ends_a_refresh_that_looks(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    refresh(both->stage);
    gw_fetcher_cancel_unread(&both->stage->fetcher);
    assert_true(is_idle(both->stage));
    assert_null(joinable(both->stage));
    tear_down_together(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refresh_with_the_lock_elsewhere_ends_at_once),
        cmocka_unit_test(a_refresh_that_finds_it_done_ends),
        cmocka_unit_test(a_refresh_that_meets_a_503_leaves_what_lies_in_the_store),
        cmocka_unit_test(a_refresh_that_looks_needs_nothing_that_it_was_lent),
        cmocka_unit_test(a_drain_ends_a_refresh_that_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
