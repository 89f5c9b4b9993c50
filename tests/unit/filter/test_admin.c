#include "unit/exchange/played_fetch.h"

#include "admin/pages.h"
#include "filter/table.h"

/* The gateway's own pages, purge and inspection; Redis is played, and so is the ban log. */

static struct {
    gw_purge_done *done;
    void *owner;
    unsigned bans, cancels;
    bool is_refused;
} banned;

struct gw_purge *gw_ban_log_add(struct gw_ban_log *ban_log, const struct gw_ban *ban, gw_purge_done *done, void *owner)
{
    (void)ban_log;
    (void)ban;
    banned.bans++;
    banned.done = done;
    banned.owner = owner;
    return banned.is_refused ? NULL : (struct gw_purge *)(void *)&banned;
}

void gw_ban_log_cancel(struct gw_purge **purge)
{
    banned.cancels += *purge != NULL;
    *purge = NULL;
}

bool gw_ban_log_is_current(const struct gw_ban_log *ban_log)
{
    (void)ban_log;
    return true;
}

struct gw_ban_log *gw_ban_log_create(const struct gw_ban_log_setup *setup)
{
    (void)setup;
    return NULL;
}

void gw_ban_log_close(struct gw_ban_log *ban_log)
{
    (void)ban_log;
}

void gw_ban_log_destroy(struct gw_ban_log **ban_log)
{
    *ban_log = NULL;
}

static const struct gw_filter *const filters[] = { &gw_filter_identify, &gw_filter_admin, NULL };

#define TOKEN "Authorization: Bearer a-long-enough-token"

static int set_up(void **state)
{
    static struct gw_admin admin;
    memset(&banned, 0, sizeof banned);
    played_fetch = (struct gw_fetch) { .reader = NULL };
    struct stage *stage = open_stage(
        "{\"cache\": {\"enabled\": true}, \"admin\": {\"token\": \"a-long-enough-token\"}}", filters);
    open_cache(stage);
    admin = (struct gw_admin) { .config = stage->config, .metrics = stage->metrics };
    stage->context.admin = &admin;
    stage->context.ban_log = (struct gw_ban_log *)(void *)&banned;
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    stage->context.ban_log = NULL;
    close_stage(stage);
    return 0;
}

static void a_page_is_for_those_who_may_see_it(void **state)
{
    static const struct {
        const char *method, *target, *fields;
        int status; /* 0: it is not the gateway's */
    } rows[] = {
        { "GET", "/gateway/health", "", 200 },
        { "HEAD", "/gateway/health", "", 200 },
        { "POST", "/gateway/health", "", 405 },
        { "GET", "/gateway/metrics", "", 200 },
        { "GET", "/gateway", "", 404 },
        { "GET", "/gateway/", "", 404 },
        { "GET", "/gateway/nothing", "", 404 },
        { "GET", "/gatewayed", "", 0 },
        { "POST", "/gateway/cache/purge?all=1", "", 401 },
        { "POST", "/gateway/cache/purge?all=1", "Authorization: Bearer a-long-enough-tokem", 401 },
        { "GET", "/gateway/cache/purge?all=1", TOKEN, 405 },
        { "POST", "/gateway/cache/purge", TOKEN, 400 },
        { "POST", "/gateway/cache/purge?url=nonsense", TOKEN, 400 },
        { "POST", "/gateway/cache/inspect?url=http://a.example/", TOKEN, 405 },
        { "GET", "/gateway/cache/inspect", TOKEN, 400 },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        asks(stage, rows[i].method, rows[i].target, rows[i].fields);
        assert_int_equal(status(stage), rows[i].status);
        assert_int_equal(stage->exchange->deciding.is_admin, rows[i].status != 0);
        if (!rows[i].status)
            tells_fail(GW_ERROR_CONNECT);
        else if (rows[i].status == 405)
            assert_non_null(field(stage, "Allow"));
    }
    assert_int_equal(banned.bans, 0);
    assert_int_equal(gw_counter_read(&stage->context.shard->admin_requests), GW_COUNT(rows) - 1);
}

enum redis { ANSWERS, SILENT, AWAY, CLIENT_LEAVES };

static unsigned tombstones(const struct stage *stage)
{
    unsigned count = 0;
    for (unsigned i = 0; i < stage->store.made; i++)
        count += strncmp(stage->store.calls[i].keys[0], "gw:cache:", 9) == 0;
    return count;
}

static void a_purge_is_answered_when_redis_has_it_or_is_late(void **state)
{
    static const struct {
        const char *query;
        enum redis redis;
        int status; /* 0: nobody is there to be answered */
        unsigned tombstones;
        const char *said;
    } rows[] = {
        { "url=http://a.example/x", ANSWERS, 200, 2, "\"everywhere\":true" }, /* its keys for http and https */
        { "url=http://a.example/x", SILENT, 202, 2, "\"everywhere\":false" },
        { "url=http://a.example/x", AWAY, 202, 0, "\"everywhere\":false" },
        { "url=http://a.example/x", CLIENT_LEAVES, 0, 2, NULL },
        { "all=1", ANSWERS, 200, 0, "\"everywhere\":true" },
        { "tag=t", SILENT, 202, 0, "\"everywhere\":false" },
        { "prefix=http://a.example/x", AWAY, 202, 0, "\"everywhere\":false" },
        { "all=1", CLIENT_LEAVES, 0, 0, NULL },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        bool is_ban = strncmp(rows[i].query, "url=", 4) != 0;
        char target[128];
        if (i)
            assert_int_equal(set_up(state), 0);
        struct stage *stage = *state;
        snprintf(target, sizeof target, "/gateway/cache/purge?%s", rows[i].query);
        stage->store.is_up = rows[i].redis != AWAY;
        banned.is_refused = rows[i].redis == AWAY;
        asks(stage, "POST", target, TOKEN);
        assert_int_equal(tombstones(stage), rows[i].tombstones);
        assert_int_equal(banned.bans, is_ban);
        if (rows[i].redis == ANSWERS && is_ban)
            banned.done(banned.owner, true);
        else if (rows[i].redis == ANSWERS)
            played_answer_all(&stage->store);
        else if (rows[i].redis == SILENT)
            passes(stage, stage->config->redis_timeout_ms);
        else if (rows[i].redis == CLIENT_LEAVES)
            gw_exchange_on_gone(stage->exchange, GW_ERROR_CLIENT_GONE);
        assert_true(stage->client.is_done);
        assert_int_equal(status(stage), rows[i].status);
        if (rows[i].said)
            assert_non_null(strstr(body(stage), rows[i].said));
        assert_int_equal(banned.cancels, is_ban && rows[i].redis != ANSWERS && rows[i].redis != AWAY);
        put_exchange(stage);
        played_answer_all(&stage->store); /* too late: nobody is told */
        if (i + 1 < GW_COUNT(rows))
            assert_int_equal(tear_down(state), 0);
    }
}

static void an_inspection_says_what_redis_says_or_that_it_said_nothing(void **state)
{
    static const enum redis rows[] = { ANSWERS, SILENT, AWAY, CLIENT_LEAVES };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        stage->store.is_up = rows[i] != AWAY;
        asks(stage, "GET", "/gateway/cache/inspect?url=http://a.example/x", TOKEN);
        if (rows[i] == ANSWERS)
            played_answer_all(&stage->store);
        else if (rows[i] == SILENT)
            passes(stage, stage->config->redis_timeout_ms);
        else if (rows[i] == CLIENT_LEAVES)
            gw_exchange_on_gone(stage->exchange, GW_ERROR_CLIENT_GONE);
        assert_true(stage->client.is_done);
        assert_int_equal(status(stage), rows[i] == CLIENT_LEAVES ? 0 : 200);
        assert_int_equal(stage->exchange->deciding.taken_by != NULL, rows[i] != AWAY);
        put_exchange(stage);
        played_answer_all(&stage->store);
    }
}

static struct gw_entry *lies_in_memory(struct stage *stage)
{
    static const struct gw_cache_life life = { .freshness_s = 300 };
    struct gw_cache_key key;
    struct gw_arena arena;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", "Host: a.example"), response = response_head(&arena, 200, "");
    request.path = request.target = GW_SLICE("/x");
    gw_exchange_make_key(&stage->context, &arena, stage->config->routes, request.path, GW_NO_SLICE, GW_SLICE("http"),
                         GW_SLICE("a.example"), &key);
    struct gw_entry *entry = entry_of(&key, &request, &response, &life);
    gw_memory_cache_set_mode(stage->context.memory_cache, GW_MEMORY_CACHE_EMBEDDED);
    assert_true(gw_memory_cache_put(stage->context.memory_cache, entry,
                                    gw_memory_cache_epoch(stage->context.memory_cache, &key)));
    gw_arena_free(&arena);
    return entry;
}

static void an_inspection_keeps_nothing_of_what_it_shows(void **state)
{
    struct stage *stage = *state;
    struct gw_entry *entry = lies_in_memory(stage);
    assert_int_equal(atomic_load(&entry->refs), 2); /* the memory cache's, and the test's */
    asks(stage, "GET", "/gateway/cache/inspect?url=http://a.example/x", TOKEN);
    played_answer_all(&stage->store);
    assert_int_equal(status(stage), 200);
    assert_non_null(strstr(body(stage), "\"stored_for\""));
    put_exchange(stage);
    assert_int_equal(atomic_load(&entry->refs), 2);
    gw_entry_unref(entry);
}

#define ADMIN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ADMIN_TEST(a_page_is_for_those_who_may_see_it),
        ADMIN_TEST(a_purge_is_answered_when_redis_has_it_or_is_late),
        ADMIN_TEST(an_inspection_says_what_redis_says_or_that_it_said_nothing),
        ADMIN_TEST(an_inspection_keeps_nothing_of_what_it_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
