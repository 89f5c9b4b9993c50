#include "unit/fetch/redis_stage.h"
#include "support/failing_malloc.h"

/* Fetches, coalescing, look-ups and the memory cache with their 1st, 2nd, 3rd … allocation failing: every reader gets
 * an end, what it gets is right, nothing is left behind. ASan checks that no memory is lost. */

static struct stage stage;

static bool set_the_stage(void)
{
    failing_malloc_suspend();
    memset(&stage, 0, sizeof stage);
    gw_log_setup(GW_LOG_ERROR, true);
    set_config(&stage);
    set_request(&stage);
    allow_storing(&stage);
    failing_malloc_go_on();
    if (create_parts(&stage)) {
        stage.request.lead.epoch = gw_memory_cache_epoch(stage.fetcher.memory_cache, &stage.request.key);
        return true;
    }
    free_stage(&stage);
    return false;
}

static void clear_the_stage(void)
{
    assert_true(gw_list_is_empty(&stage.fetcher.busy));
    assert_int_equal(stage.fetcher.collecting_bytes, 0);
    failing_malloc_suspend();
    assert_null(joinable(&stage)); /* every coalesced fetch has finished */
    failing_malloc_go_on();
    free_stage(&stage);
}

/* As an exchange does: leads if it can, else fetches alone. */
static bool begins(struct listener *listener)
{
    struct gw_coalescing_ask ask;
    bool leads = enter(&stage, &ask) == GW_COALESCING_LEAD;
    stage.request.lead.coalesced = leads ? ask.coalesced : NULL;
    enum gw_error error = gw_fetch_begin(&stage.fetcher, &stage.request, &listener->reader);
    if (error) {
        assert_int_equal(error, GW_ERROR_OVERLOADED);
        assert_null(listener->reader.fetch);
        assert_int_equal(listener->events, 0);
        if (leads)
            gw_coalescing_finish(&ask.coalesced);
    }
    return !error;
}

static bool joins(struct listener *listener)
{
    struct gw_coalescing_ask ask;
    enum gw_coalescing_role role = enter(&stage, &ask);
    if (role == GW_COALESCING_LEAD) /* the first one had to fetch alone */
        gw_coalescing_finish(&ask.coalesced);
    if (role != GW_COALESCING_JOIN || !gw_fetch_join(ask.fetch, &listener->reader))
        return false;
    gw_fetch_resume(&listener->reader);
    return true;
}

static void assert_told_an_end(const struct listener *listener, size_t body_bytes)
{
    assert_true(listener->is_over);
    assert_false(listener->is_body_wrong);
    size_t length = strlen(listener->log);
    bool is_whole = listener->entry || (length >= 4 && strcmp(listener->log + length - 4, " end") == 0);
    if (is_whole)
        assert_int_equal(listener->body_bytes, body_bytes);
    else
        assert_true(length > 3); /* an error's name, or "released" */
}

static void fetch_for_two(const char *fields, long length, size_t body_bytes)
{
    struct listener one = new_listener(), two = new_listener();
    size_t told = 0;
    if (!set_the_stage())
        return;
    if (begins(&one)) {
        bool joined = joins(&two);
        says_head(&stage, 200, fields, length);
        while (last_attempt(&stage)->runs && told < body_bytes) {
            size_t piece = body_bytes - told < 7000 ? body_bytes - told : 7000;
            failing_malloc_suspend(); /* the block is the transport's */
            bool is_heard = says_body_with(&stage, piece, failing_malloc_go_on);
            assert_true(is_heard || !last_attempt(&stage)->runs);
            told += piece;
            end_of_read(&stage);
        }
        ends(&stage);
        assert_told_an_end(&one, body_bytes);
        if (joined)
            assert_told_an_end(&two, body_bytes);
    }
    clear_the_stage();
}

static void a_fetch_without_memory_fails_cleanly(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(fetch_for_two("", 20000, 20000));                                           /* collected */
    EACH_ALLOCATION_FAILS(fetch_for_two("Vary: Accept\nCache-Control: max-age=9\n", CHUNKED, 50000)); /* growing */
    EACH_ALLOCATION_FAILS(fetch_for_two("", CHUNKED, 2 * MAX_OBJECT));                                /* outgrowing */
    EACH_ALLOCATION_FAILS(fetch_for_two("Cache-Control: no-store\n", CHUNKED, 20000));                /* passing */
    EACH_ALLOCATION_FAILS(fetch_for_two("", 0, 0));
}

static void try_again(void)
{
    struct listener one = new_listener();
    if (!set_the_stage())
        return;
    stage.backends[1].base_path = GW_SLICE("/needs/another/target");
    if (begins(&one)) {
        fails(&stage, GW_ERROR_CONNECT);
        if (!one.is_over) {
            says_head(&stage, 200, "", 0);
            ends(&stage);
        }
        assert_told_an_end(&one, 0);
    }
    clear_the_stage();
}

static void a_second_try_without_memory_fails_cleanly(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(try_again());
}

/* ---- what is stored ---- */

static void make_stored(const char *fields, int64_t stale_s)
{
    failing_malloc_suspend();
    stage.request.lead.stored = entry_of(&stage, fields, stale_s);
    failing_malloc_go_on();
}

/* A stored response that may be confirmed or replaced, or may answer in place of the backend. */
static void validate_for_two(int status, const char *fields, size_t body_bytes)
{
    struct listener one = new_listener(), two = new_listener();
    if (!set_the_stage())
        return;
    make_stored("ETag: \"1\"\nLast-Modified: " STORED_DATE "\nSurrogate-Key: a b\nVary: Accept\n", 5);
    if (begins(&one)) {
        bool joined = joins(&two);
        says_head(&stage, status, fields, (long)body_bytes);
        if (last_attempt(&stage)->runs && stage.attempt_count == 2) /* the 304 was of no use */
            says_head(&stage, 200, "", 0);
        failing_malloc_suspend();
        if (body_bytes)
            (void)says_body_with(&stage, body_bytes, failing_malloc_go_on);
        failing_malloc_go_on();
        end_of_read(&stage);
        ends(&stage);
        size_t told = one.entry ? STORED_BYTES : stage.attempt_count == 2 ? 0 : body_bytes;
        assert_told_an_end(&one, told);
        if (joined)
            assert_told_an_end(&two, told);
    }
    let_go(&one);
    let_go(&two);
    drop_stored(&stage);
    clear_the_stage();
}

static void a_validation_without_memory_fails_cleanly(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(validate_for_two(304, "ETag: \"1\"\nCache-Control: max-age=60\nX-New: 1\n", 0));
    EACH_ALLOCATION_FAILS(validate_for_two(304, "ETag: \"2\"\n", 0));
    EACH_ALLOCATION_FAILS(validate_for_two(200, "ETag: \"2\"\n", 5000));
    EACH_ALLOCATION_FAILS(validate_for_two(503, "", 50));
}

/* ---- looking ---- */

static struct together both;
static gw_store_done *played_done;

static void done_with_failures(void *owner, const struct gw_store_reply *reply)
{
    failing_malloc_go_on();
    played_done(owner, reply);
    failing_malloc_suspend();
}

/* The memory of the played store does not fail. */
static void answers_come(void)
{
    failing_malloc_suspend();
    for (unsigned i = 0; i < both.store.made; i++) {
        struct gw_store_call *call = &both.store.calls[i];
        if (!call->is_due)
            continue;
        played_done = call->done;
        call->done = played_done ? done_with_failures : NULL;
        played_answer(&both.store, call);
    }
    failing_malloc_go_on();
}

static bool set_both_up(void)
{
    if (!set_the_stage())
        return false;
    memset(&both, 0, sizeof both);
    set_store_config(&stage.config);
    if (connect_stage(&both, &stage))
        return true;
    close_instance(&both.here);
    free_stage(&stage);
    return false;
}

static void clear_both(void)
{
    while (played_due(&both.store))
        answers_come();
    assert_null(lock_of(&both));
    close_instance(&both.here);
    gw_fetch_locks_free(&both.locks);
    clear_the_stage();
}

/* What lies in the store: nothing; a fresh response; one that must be confirmed. */
enum lies { NOTHING_LIES, FRESH_LIES, STALE_LIES };

static void lay_into_the_store(enum lies lies)
{
    failing_malloc_suspend();
    has_seen_nothing_there(&both);
    if (lies != NOTHING_LIES) {
        both.elsewhere = both.here;
        elsewhere_stores(&both, "Cache-Control: max-age=60\nETag: \"1\"\n", lies == FRESH_LIES ? -30 : 5);
    }
    failing_malloc_go_on();
}

static void all_is_answered(void)
{
    for (int turn = 0; turn < 4; turn++) {
        answers_come();
        messages_arrive(&stage);
    }
}

static void look_for_two(enum lies lies)
{
    struct listener one = new_listener(), two = new_listener();
    if (!set_both_up())
        return;
    lay_into_the_store(lies);
    fetches_may_be_refused = true;
    miss(&both, &one);
    miss(&both, &two);
    all_is_answered();
    for (unsigned at = 0; at < stage.attempt_count; at++) { /* a 304 may be followed by another attempt */
        struct attempt *attempt = &stage.attempts[at];
        bool validates = strstr(attempt->fields, "If-None-Match") != NULL;
        if (attempt->runs)
            attempt_says_head(attempt, validates ? 304 : 200, "ETag: \"1\"\nCache-Control: max-age=60\n", 0);
        attempt_ends(attempt);
    }
    all_is_answered();
    assert_told_an_end(&one, one.entry ? STORED_BYTES : 0);
    assert_told_an_end(&two, two.entry ? two.body_bytes : 0);
    let_go(&one);
    let_go(&two);
    clear_both();
}

static void a_look_without_memory_fails_cleanly(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(look_for_two(NOTHING_LIES));
    EACH_ALLOCATION_FAILS(look_for_two(FRESH_LIES));
    EACH_ALLOCATION_FAILS(look_for_two(STALE_LIES));
}

/* ---- coalescing ---- */

static void on_event(void *owner, const struct gw_coalescing_event *event)
{
    (void)event;
    ++*(unsigned *)owner;
}

static void wait_for_another_worker(void)
{
    struct gw_coalescing *coalescing = gw_coalescing_create();
    if (!coalescing)
        return;
    struct gw_cache_key key = { .sha = { 1 } };
    struct gw_coalescing_ask leader = { .key = &key, .worker = 0 }, asks[3];
    bool leads = gw_coalescing_start(coalescing, &leader) == GW_COALESCING_LEAD;
    unsigned waiters = 0, woken = 0;
    open_worker(&stage.worker);
    for (unsigned i = 0; i < GW_COUNT(asks) && leads; i++) {
        asks[i] = (struct gw_coalescing_ask) {
            .key = &key, .worker = 1, .mailbox = &stage.worker.mailbox, .on_event = on_event, .owner = &woken
        };
        enum gw_coalescing_role role = gw_coalescing_start(coalescing, &asks[i]);
        assert_true(role == GW_COALESCING_WAIT || role == GW_COALESCING_ALONE);
        waiters += role == GW_COALESCING_WAIT;
    }
    gw_coalescing_finish(&leader.coalesced);
    messages_arrive(&stage);
    assert_int_equal(woken, waiters);
    gw_coalescing_destroy(&coalescing);
}

static void a_request_without_memory_to_share_fetches_alone(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(wait_for_another_worker());
}

/* ---- the memory cache ---- */

static struct gw_entry *entry_for(const struct gw_cache_key *key, struct gw_head *request, struct gw_head *response)
{
    static const struct gw_cache_life life = { .freshness_s = 60 };
    struct gw_block *body = gw_block_create(3000);
    if (!body)
        return NULL;
    memset(body->bytes, 'x', 3000);
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("example.org"),
                                                                        .request = request,
                                                                        .response = response,
                                                                        .body = body,
                                                                        .body_bytes = 3000,
                                                                        .life = &life });
    gw_block_unref(body);
    return entry;
}

static void store_and_look_up(struct gw_head *request, struct gw_head *response)
{
    static const struct gw_cache_rules rules = { .default_ttl_s = 300, .override_ttl_s = GW_DIRECTIVE_ABSENT };
    struct gw_memory_cache *memory_cache = gw_memory_cache_create(1 << 20, NULL);
    struct gw_cache_request allowed;
    if (!memory_cache)
        return;
    gw_policy_read_request(&allowed, request, &rules);
    for (uint8_t i = 0; i < 4; i++) {
        struct gw_cache_key key = { .sha = { i } };
        struct gw_memory_cache_answer answer;
        struct gw_entry *entry = entry_for(&key, request, response);
        bool stored = entry && gw_memory_cache_put(memory_cache, entry, gw_memory_cache_epoch(memory_cache, &key));
        gw_entry_unref(entry);
        gw_memory_cache_get(memory_cache, &key, &allowed, request, 0, &answer);
        assert_int_equal(answer.entry && answer.reuse == GW_REUSE_FRESH, stored);
        gw_entry_unref(answer.entry);
        key.sha[1] = 1;
        gw_memory_cache_mark_hit_for_miss(memory_cache, &key, 0, 1000000);
        gw_memory_cache_invalidate(memory_cache, &key);
    }
    gw_memory_cache_destroy(&memory_cache);
}

static void a_cache_without_memory_stores_nothing_and_finds_nothing(void **state)
{
    (void)state;
    struct gw_arena arena;
    struct gw_head request, response;
    gw_arena_init(&arena, 4096, 65536);
    gw_head_init(&request);
    gw_head_init(&response);
    request.method = GW_METHOD_GET;
    request.method_text = GW_SLICE("GET");
    response.status = 200;
    assert_true(gw_head_add(&request, &arena, GW_SLICE("Accept"), GW_SLICE("a")));
    assert_true(gw_head_add(&response, &arena, GW_SLICE("Vary"), GW_SLICE("Accept")));
    EACH_ALLOCATION_FAILS(store_and_look_up(&request, &response));
    gw_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fetch_without_memory_fails_cleanly),
        cmocka_unit_test(a_second_try_without_memory_fails_cleanly),
        cmocka_unit_test(a_validation_without_memory_fails_cleanly),
        cmocka_unit_test(a_look_without_memory_fails_cleanly),
        cmocka_unit_test(a_request_without_memory_to_share_fetches_alone),
        cmocka_unit_test(a_cache_without_memory_stores_nothing_and_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
