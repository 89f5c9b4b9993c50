#include "unit/exchange/played_fetch.h"

#include "exchange/engine.h"

/* What the exchange asks of a fetch and of a background refresh, and what an answer means for what is stored. The cache is
 * real, the fetch and Redis are played. */

#define FRESH "Cache-Control: max-age=60\nETag: \"1\""
#define STALE FRESH "\nAge: 70"
#define OLD   "Cache-Control: max-age=60, stale-while-revalidate=600\nAge: 70"

static enum gw_filter_result look_up(struct gw_exchange *exchange)
{
    (void)asks_cache(exchange);
    return GW_FILTER_CONTINUE;
}

static enum gw_filter_result answer(struct gw_exchange *exchange)
{
    if (!exchange->entry)
        return GW_FILTER_CONTINUE;
    gw_exchange_refresh(exchange);
    return GW_FILTER_ANSWERED;
}

static const struct gw_filter looks_up = { .name = "looks_up", .on_request = look_up, .on_answers = answer };

static int set_up(void **state)
{
    static const struct gw_filter *const filters[] = { &looks_up, NULL };
    played_fetch = (struct gw_fetch) { .reader = NULL };
    memset(&played_refresh, 0, sizeof played_refresh);
    *state = open_stage("{\"cache\": {\"enabled\": true}}", filters);
    open_cache(*state);
    return 0;
}

static int tear_down(void **state)
{
    close_stage(*state);
    assert_null(played_fetch.reader);
    return 0;
}

/* ---- what lies in Redis ---- */

static void on_glance(void *owner, const struct gw_redis_cache_answer *answer)
{
    *(struct gw_redis_cache_answer *)owner = *answer;
}

static struct gw_cache_rules rules_of(const struct stage *stage)
{
    return gw_exchange_cache_rules(&stage->context, stage->config->routes);
}

/* Of http://a.example/. */
static struct gw_cache_key key_of(struct stage *stage)
{
    struct gw_cache_key key;
    struct gw_arena arena;
    open_arena(&arena);
    gw_exchange_make_key(&stage->context, &arena, stage->config->routes, GW_SLICE("/"), GW_NO_SLICE, GW_SLICE("http"),
                         GW_SLICE("a.example"), &key);
    gw_arena_free(&arena);
    return key;
}

/* The caller must give the entry back. */
static struct gw_redis_cache_answer glance(struct stage *stage, struct gw_head *request)
{
    const struct gw_cache_rules rules = rules_of(stage);
    const struct gw_cache_key key = key_of(stage);
    struct gw_redis_cache_answer answer = { .entry = NULL };
    struct gw_cache_request allows;
    gw_policy_read_request(&allows, request, &rules);
    assert_non_null(gw_redis_cache_ask(stage->context.redis_cache, &key, &allows, request, on_glance, &answer));
    played_answer_all(&stage->store);
    return answer;
}

/* As another instance stores it: memory here has nothing. */
static void lies_in_redis(struct stage *stage, const char *fields)
{
    const struct gw_cache_rules rules = rules_of(stage);
    const struct gw_cache_key key = key_of(stage);
    int64_t now_s = (int64_t)(gw_clock_wall_us() / 1000000);
    struct gw_cache_request allows;
    struct gw_cache_life life;
    struct gw_arena arena;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", "Host: a.example");
    struct gw_head response = response_head(&arena, 200, fields);
    request.path = request.target = GW_SLICE("/");
    struct gw_redis_cache_answer seen = glance(stage, &request);
    gw_entry_unref(seen.entry);
    gw_policy_read_request(&allows, &request, &rules);
    assert_int_equal(gw_policy_may_store(&allows, &request, &response, &rules, now_s, now_s, &life), GW_CACHE_STORABLE);
    struct gw_entry *entry = entry_of(&key, &request, &response, &life);
    assert_true(gw_redis_cache_put(stage->context.redis_cache, entry, &seen.base_version, NULL, NULL));
    played_answer_all(&stage->store);
    gw_memory_cache_invalidate(stage->context.memory_cache, &key);
    gw_entry_unref(entry);
    gw_arena_free(&arena);
}

/* ---- a background refresh ---- */

static void a_refresh_asks_for_the_whole_over_what_was_seen(void **state)
{
    static const struct {
        const char *method, *fields;
    } rows[] = { { "GET", "" }, { "GET", "Range: bytes=0-1" }, { "HEAD", "" } };
    struct stage *stage = *state;
    lies_in_redis(stage, OLD);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_exchange *exchange = asks(stage, rows[i].method, "/", rows[i].fields);
        struct gw_cache_key key = exchange->key;
        uint64_t epoch = gw_memory_cache_epoch(stage->context.memory_cache, &key);
        struct gw_redis_cache_answer there = glance(stage, &exchange->request); /* its own question is answered first */
        assert_true(stage->client.is_done);
        assert_int_equal(played_refresh.begun, i + 1);
        const struct gw_fetch_request *asked = &played_refresh.request;
        assert_int_equal(asked->method, GW_METHOD_GET);
        assert_true(asked->may_store && asked->cache.may_store);
        assert_false(asked->cache.is_range);
        assert_non_null(asked->lead.coalesced);
        assert_non_null(asked->lead.stored);
        assert_int_equal(asked->lead.base_version.kind, GW_BASE_VERSION);
        assert_memory_equal(asked->lead.base_version.version, there.base_version.version,
                            sizeof there.base_version.version);
        assert_int_not_equal(epoch, 0);
        assert_int_equal(asked->lead.epoch, epoch);
        gw_entry_unref(there.entry);
        refresh_ends();
        gw_memory_cache_invalidate(stage->context.memory_cache, &key); /* the next one finds it in Redis, too */
    }
    assert_int_equal(gw_counter_read(&stage->context.shard->cache_background_refreshes), GW_COUNT(rows));
}

static void a_refresh_that_cannot_begin_leaves_the_key_to_others(void **state)
{
    struct stage *stage = *state;
    struct gw_lead lead;
    lies_in_redis(stage, OLD);
    played_refresh.begin_error = GW_ERROR_OVERLOADED;
    struct gw_exchange *exchange = asks(stage, "GET", "/", "");
    played_answer_all(&stage->store);
    assert_int_equal(status(stage), 200);
    assert_int_equal(gw_counter_read(&stage->context.shard->cache_background_refreshes), 0);
    assert_true(gw_lead_begin(&stage->context.lookups, &exchange->key, &lead));
    gw_lead_finish(&lead);
}

/* ---- a HEAD's answer about what is stored ---- */

static void a_heads_answer_tells_of_what_is_stored_only_where_it_is_a_200(void **state)
{
    static const struct {
        int status;
        const char *fields;
        bool is_kept;
        enum gw_reuse reuse;
    } rows[] = {
        { 200, "Cache-Control: max-age=60\nETag: \"1\"", true, GW_REUSE_FRESH },
        { 200, "Cache-Control: max-age=60\nETag: \"2\"", false, GW_REUSE_NO },
        { 404, "Cache-Control: max-age=60\nETag: \"1\"", true, GW_REUSE_VALIDATED },
        { 404, "Cache-Control: max-age=60\nETag: \"2\"", true, GW_REUSE_VALIDATED },
        { 503, "", true, GW_REUSE_VALIDATED },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        lies_in_redis(stage, STALE);
        struct gw_exchange *exchange = asks(stage, "HEAD", "/", "");
        played_answer_all(&stage->store);
        assert_int_equal(exchange->state, GW_EXCHANGE_FETCHING);
        assert_non_null(exchange->lookup.lead.stored);
        tells_head(stage, rows[i].status, rows[i].fields, 0);
        tells_end();
        played_answer_all(&stage->store);
        assert_int_equal(status(stage), rows[i].status);
        struct gw_head request = request_head(&exchange->arena, "GET", "Host: a.example");
        struct gw_redis_cache_answer left = glance(stage, &request);
        assert_int_equal(left.entry != NULL, rows[i].is_kept);
        if (left.entry)
            assert_int_equal(left.reuse, rows[i].reuse);
        gw_entry_unref(left.entry);
    }
}

/* ---- a fetch whose answer is not for this request ---- */

static void on_nothing(void *owner, const struct gw_coalescing_event *event)
{
    (void)owner;
    (void)event;
}

/* fetch: the one that requests of this worker may join; NULL: it runs on another worker. */
static struct gw_coalesced *another_leads(struct stage *stage, struct gw_fetch *fetch)
{
    struct gw_coalescing_ask ask = { .key = &stage->exchange->key, .worker = fetch ? 0 : 1, .on_event = on_nothing };
    assert_int_equal(gw_coalescing_start(stage->context.lookups.coalescing, &ask), GW_COALESCING_LEAD);
    gw_coalescing_set_fetch(ask.coalesced, fetch ? fetch : (void *)stage);
    return ask.coalesced;
}

/* What is fetched for others says nothing of its freshness, most likely: so it is not for a request with a credential. */
static void a_released_request_shares_once_more_if_the_next_answer_may_be_for_it(void **state)
{
    static const struct {
        const char *fields;
        bool may_share_another, waits;
    } rows[] = {
        { "", true, true },
        { "", false, false },
        { "Cookie: a=b", true, false },
        { "Cookie: a=b", false, false },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        played_fetch.begun = played_fetch.joined = 0;
        struct gw_exchange *exchange = asks(stage, "GET", "/", rows[i].fields);
        struct gw_coalesced *first = another_leads(stage, &played_fetch);
        played_answer_all(&stage->store);
        assert_int_equal(played_fetch.joined, 1);
        gw_coalescing_finish(&first);
        struct gw_coalesced *next = another_leads(stage, NULL);
        tells_released(rows[i].may_share_another);
        played_answer_all(&stage->store);
        assert_int_equal(exchange->state, rows[i].waits ? GW_EXCHANGE_WAITING : GW_EXCHANGE_FETCHING);
        assert_int_equal(played_fetch.begun, !rows[i].waits);
        gw_exchange_on_gone(exchange, GW_ERROR_CLIENT_GONE);
        gw_coalescing_finish(&next);
    }
}

#define FETCHING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FETCHING_TEST(a_refresh_asks_for_the_whole_over_what_was_seen),
        FETCHING_TEST(a_refresh_that_cannot_begin_leaves_the_key_to_others),
        FETCHING_TEST(a_heads_answer_tells_of_what_is_stored_only_where_it_is_a_200),
        FETCHING_TEST(a_released_request_shares_once_more_if_the_next_answer_may_be_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
