/* Two workers' caches over a real Redis: skipped if none is installed. Every answer is checked against the played
 * backend, while its pages change and are purged. */
#include "unit/cache/heads.h"
#include "unit/store/real.h"
#include "base/random.h"
#include "cache/fetch_lock.h"
#include "cache/redis_cache.h"

enum {
    VIEWS = 2,
    ACTORS = 6 /* of each */,
    PAGES = 3,
    LANGUAGES = 20,
    ANSWERS = 4000,
    MOST_KEYS = PAGES * (2 + 2 * LANGUAGES)
};

/* The backend's answer for a page: which Vary, by its version. */
static const char *const varies[] = { "", "Vary: Accept-Language\n", "Vary: Accept-Language, Accept\n",
                                      "Vary: accept\n" };

struct world;

struct view {
    struct scene scene;
    struct gw_memory_cache *memory_cache;
    struct gw_key_maker *keys;
    struct gw_redis_cache *redis_cache;
};

struct actor { /* a client after the other */
    struct world *world;
    struct view *view;
    unsigned page, language;
    unsigned least; /* version: of the last purge that was acknowledged when the request came */
    struct gw_arena arena;
    char lines[64]; /* of its head */
    struct gw_head head;
    struct gw_cache_request request;
    struct gw_redis_cache_question *question;
    struct gw_entry *fetched; /* to be stored in so many turns */
    struct gw_base_version base_version;
    unsigned turns;
};

struct world {
    struct real real;
    struct gw_random random;
    struct view views[VIEWS];
    struct actor actors[VIEWS * ACTORS];
    unsigned says[PAGES], purged[PAGES]; /* versions of the backend's pages, and those that are purged */
    bool is_purging[PAGES];
    unsigned hits, misses;
};

static unsigned dice(struct world *world, unsigned sides)
{
    return (unsigned)(gw_random_next(&world->random) % sides);
}

static void open_view(struct world *world, struct view *view)
{
    scene_open(&view->scene, world->real.socket_url, "\"timeout\": \"10s\",", "");
    scene_open_store(&view->scene);
    until_up(&view->scene);
    view->memory_cache = gw_memory_cache_create(1 << 20, NULL);
    view->keys = gw_key_maker_create();
    assert_non_null(view->memory_cache);
    assert_non_null(view->keys);
    view->redis_cache = gw_redis_cache_create(&(struct gw_redis_cache_setup) { .store = view->scene.store,
                                                                               .timers = &view->scene.timers,
                                                                               .memory_cache = view->memory_cache,
                                                                               .keys = view->keys,
                                                                               .shard = view->scene.shard,
                                                                               .config = view->scene.config });
    assert_non_null(view->redis_cache);
}

static void close_view(struct view *view)
{
    gw_store_close(view->scene.store);
    gw_redis_cache_destroy(&view->redis_cache);
    gw_key_maker_destroy(&view->keys);
    gw_memory_cache_destroy(&view->memory_cache);
    scene_close(&view->scene);
}

static struct gw_cache_key key_of(unsigned page)
{
    return (struct gw_cache_key) { .name_space = { 7 }, .sha = { (uint8_t)page } };
}

/* The backend's answer now. The ETag says which version it is, and whose. */
static struct gw_entry *fetch(struct actor *actor)
{
    unsigned version = actor->world->says[actor->page];
    const char *vary = varies[version / 4 % GW_COUNT(varies)];
    bool is_selected = strstr(vary, "Language") != NULL;
    struct gw_cache_life life = { .freshness_s = 300, .terms.is_explicit = true };
    struct gw_cache_key key = key_of(actor->page);
    struct gw_arena arena;
    char lines[128];
    snprintf(lines, sizeof lines, "%sETag: %u %u", vary, version, is_selected ? actor->language : LANGUAGES);
    open_arena(&arena);
    struct gw_head response = response_head(&arena, 200, lines);
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = &key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("example.com"),
                                                                        .request = &actor->head,
                                                                        .response = &response,
                                                                        .life = &life,
                                                                        .now_us = gw_clock_monotonic_us() });
    gw_arena_free(&arena);
    assert_non_null(entry);
    return entry;
}

static void check_answer(const struct actor *actor, const struct gw_entry *entry)
{
    unsigned version, language;
    char text[32];
    struct gw_slice tag = gw_head_value(&entry->head, GW_FIELD_ETAG);
    snprintf(text, sizeof text, "%.*s", GW_SLICE_ARGS(tag));
    assert_int_equal(sscanf(text, "%u %u", &version, &language), 2);
    if (version < actor->least)
        fail_msg("page %u: version %u, and %u was purged before the question", actor->page, version, actor->least - 1);
    assert_true(language == actor->language || language == LANGUAGES);
}

static void end_client(struct actor *actor)
{
    gw_arena_free(&actor->arena);
    actor->question = NULL;
    actor->view = NULL;
}

static void on_answer(void *owner, const struct gw_redis_cache_answer *answer)
{
    struct actor *actor = owner;
    actor->question = NULL;
    if (answer->entry) {
        check_answer(actor, answer->entry);
        actor->world->hits++;
        gw_entry_unref(answer->entry);
        end_client(actor);
        return;
    }
    actor->world->misses++;
    actor->fetched = fetch(actor);
    actor->base_version = answer->base_version;
    actor->turns = dice(actor->world, 6);
}

static void begin_client(struct world *world, struct actor *actor, struct view *view)
{
    static const struct gw_cache_rules rules = { .default_ttl_s = 300, .override_ttl_s = GW_DIRECTIVE_ABSENT };
    *actor = (struct actor) { .world = world, .view = view, .page = dice(world, PAGES) };
    struct gw_cache_key key = key_of(actor->page);
    actor->language = dice(world, 4) ? dice(world, 2) : dice(world, LANGUAGES);
    actor->least = world->purged[actor->page];
    open_arena(&actor->arena);
    snprintf(actor->lines, sizeof actor->lines, "Accept-Language: l%u", actor->language);
    actor->head = request_head(&actor->arena, "GET", actor->lines);
    actor->head.path = GW_SLICE("/page");
    gw_policy_read_request(&actor->request, &actor->head, &rules);
    actor->question = gw_redis_cache_ask(view->redis_cache, &key, &actor->request, &actor->head, on_answer, actor);
    assert_non_null(actor->question);
}

static void move_on(struct world *world, unsigned number)
{
    struct actor *actor = &world->actors[number];
    if (!actor->view) {
        begin_client(world, actor, &world->views[number % VIEWS]);
    } else if (actor->fetched && !actor->turns--) {
        (void)gw_redis_cache_put(actor->view->redis_cache, actor->fetched, &actor->base_version, NULL, NULL);
        gw_entry_unref(actor->fetched);
        actor->fetched = NULL;
        end_client(actor);
    } else if (actor->question && !dice(world, 200)) {
        gw_redis_cache_cancel(&actor->question);
        end_client(actor);
    }
}

static void on_purged(void *owner, const struct gw_redis_cache_answer *answer)
{
    struct world *world = ((struct actor *)owner)->world;
    unsigned page = ((struct actor *)owner)->page;
    (void)answer;
    world->purged[page] = world->says[page];
    world->is_purging[page] = false;
}

static void purge(struct world *world, unsigned page)
{
    static struct actor ban_logs[PAGES];
    struct gw_cache_key key = key_of(page);
    if (world->is_purging[page])
        return;
    ban_logs[page] = (struct actor) { .world = world, .page = page };
    world->says[page]++;
    world->is_purging[page] = true;
    assert_non_null(
        gw_redis_cache_invalidate(world->views[dice(world, VIEWS)].redis_cache, &key, on_purged, &ban_logs[page]));
}

static void end_actors(struct world *world)
{
    for (unsigned i = 0; i < GW_COUNT(world->actors); i++) {
        struct actor *actor = &world->actors[i];
        gw_redis_cache_cancel(&actor->question);
        gw_entry_unref(actor->fetched);
        if (actor->view)
            end_client(actor);
    }
}

static void nothing_older_than_the_last_purge_is_answered(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    (void)state;
    assert_non_null(world);
    real_start(&world->real);
    gw_random_init(&world->random);
    for (unsigned i = 0; i < VIEWS; i++)
        open_view(world, &world->views[i]);
    while (world->hits + world->misses < ANSWERS) {
        for (unsigned i = 0; i < GW_COUNT(world->actors); i++)
            move_on(world, i);
        if (!dice(world, 10))
            purge(world, dice(world, PAGES));
        if (!dice(world, 200))
            ask_real(&world->real, "SCRIPT FLUSH");
        for (unsigned i = 0; i < VIEWS; i++)
            uv_run(&world->views[i].scene.loop, UV_RUN_NOWAIT);
    }
    assert_in_range(strtol(ask_real(&world->real, "DBSIZE"), NULL, 10), 1, MOST_KEYS);
    assert_true(world->hits > ANSWERS / 20);
    assert_true(world->misses > ANSWERS / 20);
    for (unsigned i = 0; i < VIEWS; i++)
        assert_int_equal(gw_counter_read(&world->views[i].scene.shard->cache_corrupt), 0);
    for (unsigned page = 0; page < PAGES; page++)
        until(&world->views[0].scene, (uv_run(&world->views[1].scene.loop, UV_RUN_NOWAIT), !world->is_purging[page]));
    end_actors(world);
    for (unsigned i = 0; i < VIEWS; i++)
        close_view(&world->views[i]);
    real_stop(&world->real);
    free(world);
}

struct leased {
    unsigned answers;
    enum gw_fetch_lock_result result;
};

static const struct gw_base_version nothing = { .kind = GW_BASE_UNKNOWN };

static void on_lock(void *owner, enum gw_fetch_lock_result result, bool is_changed)
{
    (void)is_changed;
    struct leased *leased = owner;
    leased->answers++;
    leased->result = result;
}

static void a_fetch_lock_is_of_one_alone_and_lives_on_while_it_is_held(void **state)
{
    struct real real;
    struct scene scene;
    struct leased first = { .answers = 0 }, second = { .answers = 0 };
    struct gw_cache_key key = key_of(1);
    (void)state;
    real_start(&real);
    scene_open(&scene, real.socket_url, "\"timeout\": \"10s\",", "");
    scene_open_store(&scene);
    until_up(&scene);
    struct gw_fetch_locks locks = { .store = scene.store, .timers = &scene.timers, .config = scene.config };
    gw_fetch_locks_init(&locks);
    struct gw_fetch_lock *held = gw_fetch_lock_take(&locks, &key, &nothing, on_lock, &first);
    struct gw_fetch_lock *other = gw_fetch_lock_take(&locks, &key, &nothing, on_lock, &second);
    assert_non_null(held);
    assert_non_null(other);
    until(&scene, first.answers && second.answers);
    assert_int_equal(first.result, GW_FETCH_LOCK_TAKEN);
    assert_int_equal(second.result, GW_FETCH_LOCK_ELSEWHERE);
    assert_string_equal(ask_real(&real, "DBSIZE"), "1");
    ask_real(&real, "CONFIG RESETSTAT");
    until(&scene, strstr(ask_real(&real, "INFO commandstats"), "cmdstat_pexpire"));
    gw_fetch_lock_release(&held);
    until(&scene, strcmp(ask_real(&real, "DBSIZE"), "0") == 0);
    scene_close(&scene);
    gw_fetch_locks_free(&locks);
    real_stop(&real);
}

int main(void)
{
    if (!real_is_installed()) {
        printf("redis-server is not installed\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_older_than_the_last_purge_is_answered),
        cmocka_unit_test(a_fetch_lock_is_of_one_alone_and_lives_on_while_it_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
