#include "unit/exchange/played_fetch.h"

#include "filter/table.h"

/* Is the answer here? What the client is told of that; the memory cache and the one in the played Redis are the real ones. */

static const struct gw_filter *const filters[] = { &gw_filter_identify, &gw_filter_cache, NULL };

static int set_up(void **state)
{
    played_fetch = (struct gw_fetch) { .reader = NULL };
    *state = open_stage(
        "{\"cache\": {\"enabled\": true, \"bypass_paths\": [\"/never\"], \"bypass_cookies\": [\"session\"], "
        "\"bypass_fields\": [\"X-Fresh\"]}}",
        filters);
    open_cache(*state);
    return 0;
}

static int tear_down(void **state)
{
    close_stage(*state);
    return 0;
}

/* Redis has nothing, and the backend answers. */
static void is_fetched(struct stage *stage)
{
    played_answer_all(&stage->store);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_FETCHING);
    tells_head(stage, 200, "", 0);
    tells_end();
    assert_int_equal(status(stage), 200);
}

static void each_answer_says_whether_the_cache_was_asked_and_why_not(void **state)
{
    static const struct {
        const char *method, *target, *fields, *label, *status;
        bool is_asked; /* Redis */
    } rows[] = {
        { "GET", "/", "", "MISS", "visara; fwd=uri-miss", true },
        { "HEAD", "/", "", "MISS", "visara; fwd=uri-miss", true },
        { "POST", "/p", "", "BYPASS", "visara; fwd=method", false },
        { "OPTIONS", "/", "", "BYPASS", "visara; fwd=method", false },
        { "GET", "/never/this", "", "BYPASS", "visara; fwd=bypass; detail=rule", false },
        { "GET", "/a/../never/this", "", "BYPASS", "visara; fwd=bypass; detail=rule",
          false }, /* as a backend may read it */
        { "GET", "/never/../this", "", "BYPASS", "visara; fwd=bypass; detail=rule", false },
        { "GET", "/", "Cookie: a=b; session=1", "BYPASS", "visara; fwd=bypass; detail=rule", false },
        { "GET", "/", "Cookie: a=session; mysession=1", "MISS", "visara; fwd=uri-miss", true },
        { "GET", "/", "x-fresh: yes", "BYPASS", "visara; fwd=bypass; detail=rule", false },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        unsigned before = stage->store.made;
        asks(stage, rows[i].method, rows[i].target, rows[i].fields);
        assert_int_equal(stage->store.made > before, rows[i].is_asked);
        if (strcmp(rows[i].method, "POST") == 0) { /* and ends what is stored */
            tells_head(stage, 200, "", 0);
            played_answer_all(&stage->store);
            tells_end();
        } else {
            is_fetched(stage);
        }
        assert_string_equal(field(stage, "X-Cache"), rows[i].label);
        assert_memory_equal(field(stage, "Cache-Status"), rows[i].status, strlen(rows[i].status));
        assert_null(field(stage, "Age"));
    }
}

/* That is answered by the filter of limits, whatever is stored: nobody needs to be asked. */
static void what_a_limit_has_refused_already_asks_nobody(void **state)
{
    struct stage *stage = *state;
    struct gw_exchange *exchange = arrives(stage, "192.0.2.1", "GET", "/", "Host: a.example");
    exchange->limit.verdict = GW_LIMIT_REFUSED;
    gw_exchange_begin(exchange);
    assert_int_equal(stage->store.made, 0);
    tells_head(stage, 200, "", 0);
    tells_end();
    assert_null(field(stage, "X-Cache"));
}

static void only_if_cached_gets_what_is_stored_or_a_504(void **state)
{
    struct stage *stage = *state;
    asks(stage, "GET", "/", "Cache-Control: only-if-cached");
    played_answer_all(&stage->store);
    assert_int_equal(status(stage), 504);
    assert_null(field(stage, "X-Cache"));
    assert_int_equal(played_fetch.begun, 0);
}

static void on_nothing(void *owner, const struct gw_coalescing_event *event)
{
    (void)owner;
    (void)event;
}

/* A fetch of this key by somebody else begins. fetch: the one that requests of this worker may join; NULL: none. */
static struct gw_coalesced *another_leads(struct stage *stage, const struct gw_cache_key *key, struct gw_fetch *fetch)
{
    struct gw_coalescing_ask ask = { .key = key, .worker = fetch ? 0 : 1, .on_event = on_nothing };
    assert_int_equal(gw_coalescing_start(stage->context.lookups.coalescing, &ask), GW_COALESCING_LEAD);
    gw_coalescing_set_fetch(ask.coalesced, fetch ? fetch : (void *)stage);
    return ask.coalesced;
}

/* The time for the fetch that it joined ends with that: then it waits for the next one as long as any other. */
static void who_is_released_from_one_fetch_waits_for_the_next_in_full(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key;
    unsigned wait_ms = stage->config->flight_wait_ms;
    asks(stage, "GET", "/", "");
    key = stage->exchange->key;
    is_fetched(stage);
    struct gw_coalesced *first = another_leads(stage, &key, &played_fetch);
    asks(stage, "GET", "/", "");
    played_answer_all(&stage->store);
    assert_int_equal(played_fetch.joined, 1);
    passes(stage, wait_ms / 2);
    gw_coalescing_finish(&first);
    struct gw_coalesced *next = another_leads(stage, &key, NULL);
    tells_released(true);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    stage_said[0] = '\0';
    passes(stage, wait_ms - 1);
    assert_string_equal(stage_said, "");
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    assert_int_equal(played_fetch.begun, 1);
    passes(stage, 1);
    is_fetched(stage);
    assert_int_equal(played_fetch.begun, 2);
    gw_coalescing_finish(&next);
}

static void put(struct stage *stage, const struct gw_cache_life *life)
{
    struct gw_head response = response_head(&stage->exchange->arena, 200, "X-Backend: stored");
    struct gw_block *block = gw_block_create(4);
    memcpy(block->bytes, "kept", 4);
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = &stage->exchange->key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("a.example"),
                                                                        .request = &stage->exchange->request,
                                                                        .response = &response,
                                                                        .body = block,
                                                                        .body_bytes = 4,
                                                                        .life = life,
                                                                        .now_us = played_now_us });
    assert_non_null(entry);
    assert_true(gw_memory_cache_put(stage->context.memory_cache, entry,
                                    gw_memory_cache_epoch(stage->context.memory_cache, &stage->exchange->key)));
    gw_entry_unref(entry);
    gw_block_unref(block);
}

static void what_is_in_memory_answers_at_once_with_its_age(void **state)
{
    static const struct gw_cache_life life = { .freshness_s = 300, .age_s = 7 };
    struct stage *stage = *state;
    gw_memory_cache_set_mode(stage->context.memory_cache,
                             GW_MEMORY_CACHE_EMBEDDED); /* else only what Redis has is kept */
    asks(stage, "GET", "/", "");
    is_fetched(stage);
    put(stage, &life);
    unsigned before = stage->store.made;
    passes(stage, 5000);
    asks(stage, "GET", "/", "");
    assert_int_equal(status(stage), 200);
    assert_string_equal(body(stage), "kept");
    assert_string_equal(field(stage, "X-Cache"), "HIT");
    assert_string_equal(field(stage, "Age"), "12");
    assert_string_equal(field(stage, "X-Cache-Age"), "12");
    assert_memory_equal(field(stage, "Cache-Status"), "visara; hit; ttl=288", 20);
    assert_int_equal(stage->store.made, before);
    assert_int_equal(gw_counter_read(&stage->context.shard->cache_memory_hits), 1);
}

static void what_is_stale_is_refreshed_unless_its_client_has_asked_for_it(void **state)
{
    static const struct gw_cache_life life = { .freshness_s = 300,
                                               .age_s = 290,
                                               .terms = { .stale_while_revalidate_s = 600, .window_s = 600 } };
    static const struct {
        const char *fields;
        unsigned after_s;
        const char *label;
        bool is_refreshed;
    } rows[] = {
        { "", 0, "HIT", false },
        { "Cache-Control: max-stale=100", 20, "STALE", false },
        { "Cache-Control: max-stale", 0, "STALE", false },
        { "", 0, "STALE", true }, /* stale-while-revalidate */
    };
    struct stage *stage = *state;
    gw_memory_cache_set_mode(stage->context.memory_cache, GW_MEMORY_CACHE_EMBEDDED);
    asks(stage, "GET", "/", "");
    is_fetched(stage);
    put(stage, &life);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        unsigned before = played_refresh.begun;
        passes(stage, rows[i].after_s * 1000);
        asks(stage, "GET", "/", rows[i].fields);
        assert_string_equal(body(stage), "kept");
        assert_string_equal(field(stage, "X-Cache"), rows[i].label);
        assert_int_equal(played_refresh.begun - before, rows[i].is_refreshed);
        refresh_ends();
    }
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(each_answer_says_whether_the_cache_was_asked_and_why_not),
        CACHE_TEST(what_a_limit_has_refused_already_asks_nobody),
        CACHE_TEST(only_if_cached_gets_what_is_stored_or_a_504),
        CACHE_TEST(who_is_released_from_one_fetch_waits_for_the_next_in_full),
        CACHE_TEST(what_is_in_memory_answers_at_once_with_its_age),
        CACHE_TEST(what_is_stale_is_refreshed_unless_its_client_has_asked_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
