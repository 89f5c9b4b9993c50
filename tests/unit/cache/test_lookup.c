/* The look-up: each row of its table is walked, with a store, workers and another instance that are played here. */
#include "unit/cache/played_store.h"
#include "unit/cache/played_worker.h"
#include "cache/lookup.h"

enum { WAIT_MS = 1000, TIMEOUT_MS = 50, WORKERS = 2 };

#define FRESH "Cache-Control: max-age=60\nETag: \"1\""
#define STALE FRESH "\nAge: 70"
#define OLD   "Cache-Control: max-age=60, stale-while-revalidate=600\nAge: 70"

static const struct gw_cache_key key = { .sha = { 0x1b }, .name_space = { 0x0a } };

struct part { /* a worker */
    struct played_worker worker;
    struct gw_key_maker *keys;
    struct gw_redis_cache *redis_cache;
    struct gw_fetch_locks locks;
    struct gw_lookups lookups;
};

struct scene {
    struct gw_config config;
    struct gw_shard shard;
    struct gw_arena arena;
    struct gw_head head;
    struct gw_store store;
    struct gw_bans *bans;
    struct gw_memory_cache *memory_cache, *elsewhere_near;
    struct gw_coalescing *coalescing;
    struct part parts[WORKERS], elsewhere;
};

struct visitor {
    struct gw_lookup lookup;
    struct gw_cache_request request;
    unsigned looked, answers;
    enum gw_lookup_answer answer;
};

/* ---- the stage ---- */

static const struct gw_cache_rules rules = { .override_ttl_s = GW_DIRECTIVE_ABSENT, .keep_s = 600 };

static void open_part(struct scene *scene, struct part *part, struct gw_memory_cache *memory_cache, unsigned worker,
                      bool is_shared)
{
    open_worker(&part->worker);
    part->keys = gw_key_maker_create();
    if (is_shared)
        part->redis_cache = gw_redis_cache_create(&(struct gw_redis_cache_setup) { .store = &scene->store,
                                                                                   .memory_cache = memory_cache,
                                                                                   .bans = scene->bans,
                                                                                   .keys = part->keys,
                                                                                   .shard = &scene->shard,
                                                                                   .config = &scene->config });
    part->locks = (struct gw_fetch_locks) { .store = &scene->store,
                                            .timers = &part->worker.timers,
                                            .config = &scene->config };
    gw_fetch_locks_init(&part->locks);
    part->lookups = (struct gw_lookups) { .config = &scene->config,
                                          .memory_cache = memory_cache,
                                          .bans = scene->bans,
                                          .redis_cache = part->redis_cache,
                                          .locks = is_shared ? &part->locks : NULL,
                                          .coalescing = scene->coalescing,
                                          .timers = &part->worker.timers,
                                          .mailbox = &part->worker.mailbox,
                                          .shard = &scene->shard,
                                          .worker = worker };
    gw_random_init(&part->lookups.random);
}

static void close_part(struct part *part)
{
    messages_come(&part->worker);
    assert_false(has_timers(&part->worker.timers));
    if (part->redis_cache)
        gw_redis_cache_destroy(&part->redis_cache);
    gw_fetch_locks_free(&part->locks);
    gw_key_maker_destroy(&part->keys);
}

static struct scene *open_scene(bool is_shared)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    played_now_us = 5000000;
    scene->config = (struct gw_config) { .redis_prefix = GW_SLICE("gw:"),
                                         .redis_max_pending = 100,
                                         .redis_timeout_ms = TIMEOUT_MS,
                                         .flight_wait_ms = WAIT_MS,
                                         .max_header_bytes = 8192,
                                         .max_response_header_bytes = 8192 };
    open_arena(&scene->arena);
    scene->head = request_head(&scene->arena, "GET", "Accept: text/plain");
    scene->head.path = scene->head.target = GW_SLICE("/x");
    played_init(&scene->store);
    scene->bans = gw_bans_create();
    scene->memory_cache = gw_memory_cache_create(1 << 20, scene->bans);
    scene->elsewhere_near = gw_memory_cache_create(1 << 20, scene->bans);
    scene->coalescing = gw_coalescing_create();
    gw_memory_cache_set_mode(scene->memory_cache, is_shared ? GW_MEMORY_CACHE_SHARED : GW_MEMORY_CACHE_EMBEDDED);
    for (unsigned i = 0; i < WORKERS; i++)
        open_part(scene, &scene->parts[i], scene->memory_cache, i, is_shared);
    open_part(scene, &scene->elsewhere, scene->elsewhere_near, 0, true);
    return scene;
}

static void store_answers(struct scene *scene)
{
    unsigned made;
    do {
        made = scene->store.made;
        played_answer_all(&scene->store);
        for (unsigned i = 0; i < WORKERS; i++)
            messages_come(&scene->parts[i].worker);
    } while (scene->store.made != made);
}

static void close_scene(struct scene *scene)
{
    struct gw_lead lead;
    for (unsigned i = 0; i < WORKERS; i++)
        messages_come(&scene->parts[i].worker);
    assert_true(gw_lead_begin(&scene->parts[0].lookups, &key, &lead)); /* nobody leads any more */
    gw_lead_finish(&lead);
    store_answers(scene);
    for (unsigned i = 0; i < WORKERS; i++)
        close_part(&scene->parts[i]);
    close_part(&scene->elsewhere);
    gw_coalescing_destroy(&scene->coalescing);
    gw_memory_cache_destroy(&scene->memory_cache);
    gw_memory_cache_destroy(&scene->elsewhere_near);
    gw_bans_destroy(&scene->bans);
    gw_arena_free(&scene->arena);
    free(scene);
}

/* ---- what lies there ---- */

static struct gw_entry *entry_of(struct scene *scene, const char *fields)
{
    struct gw_head response = response_head(&scene->arena, 200, fields);
    struct gw_cache_request request;
    struct gw_cache_life life;
    int64_t now_s = (int64_t)(gw_clock_wall_us() / 1000000);
    gw_policy_read_request(&request, &scene->head, &rules);
    assert_int_equal(gw_policy_may_store(&request, &scene->head, &response, &rules, now_s, now_s, &life),
                     GW_CACHE_STORABLE);
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = &key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("a.example"),
                                                                        .request = &scene->head,
                                                                        .response = &response,
                                                                        .life = &life,
                                                                        .now_us = played_now_us });
    assert_non_null(entry);
    return entry;
}

static void on_glance(void *owner, const struct gw_redis_cache_answer *answer)
{
    gw_entry_unref(answer->entry);
    *(struct gw_base_version *)owner = answer->base_version;
}

static void lies_in_memory(struct scene *scene, const char *fields)
{
    struct gw_entry *entry = entry_of(scene, fields);
    assert_true(gw_memory_cache_put(scene->memory_cache, entry, gw_memory_cache_epoch(scene->memory_cache, &key)));
    gw_entry_unref(entry);
}

/* By another instance, whatever else is due; fields NULL: a tombstone; "": a mark. */
static void elsewhere_stores(struct scene *scene, const char *fields)
{
    struct gw_cache_request request;
    struct gw_base_version base_version = { .kind = GW_BASE_UNKNOWN };
    struct gw_redis_cache *redis_cache = scene->elsewhere.redis_cache;
    unsigned next = scene->store.made;
    gw_policy_read_request(&request, &scene->head, &rules);
    assert_non_null(gw_redis_cache_ask(redis_cache, &key, &request, &scene->head, on_glance, &base_version));
    for (; next < scene->store.made; next++)
        played_answer(&scene->store, &scene->store.calls[next]);
    if (!fields) {
        struct gw_redis_cache_question *tombstone = gw_redis_cache_invalidate(redis_cache, &key, NULL, NULL);
        gw_redis_cache_cancel(&tombstone);
    } else if (!*fields) {
        gw_redis_cache_mark_hit_for_miss(redis_cache, &key, &base_version, 10000);
    } else {
        struct gw_entry *entry = entry_of(scene, fields);
        assert_true(gw_redis_cache_put(redis_cache, entry, &base_version, NULL, NULL));
        gw_entry_unref(entry);
    }
    for (; next < scene->store.made; next++)
        played_answer(&scene->store, &scene->store.calls[next]);
}

static struct played_value *lock_of(struct scene *scene)
{
    struct gw_key_text text;
    char name[PLAYED_KEY_BYTES];
    gw_key_text_of_lock(&text, scene->config.redis_prefix, &key);
    played_copy_key(name, text.slice);
    return played_at(&scene->store, name);
}

static void elsewhere_locks(struct scene *scene)
{
    struct gw_key_text text;
    char name[PLAYED_KEY_BYTES];
    struct played_bytes id = { .length = 16, .at = "of-another-one.." };
    gw_key_text_of_lock(&text, scene->config.redis_prefix, &key);
    played_copy_key(name, text.slice);
    played_put(&scene->store, name, &id, GW_FETCH_LOCK_MS);
}

/* ---- visitors ---- */

static bool walked[GW_LOOKUP_STATES][GW_LOOKUP_EVENTS];

/* Said beside what shows it. */
#define WALKS(in, when) (walked[GW_LOOKUP_##in][GW_LOOKUP_ON_##when] = true)

static void has_looked(void *owner)
{
    struct visitor *visitor = owner;
    visitor->looked++;
}

static void has_answer(void *owner, enum gw_lookup_answer answer)
{
    struct visitor *visitor = owner;
    visitor->answers++;
    visitor->answer = answer;
    gw_lookup_check(&visitor->lookup);
}

static void arrives(struct scene *scene, unsigned worker, struct visitor *visitor, const char *fields)
{
    struct gw_head head = request_head(&scene->arena, "GET", fields);
    *visitor = (struct visitor) { .looked = 0 };
    gw_policy_read_request(&visitor->request, &head, &rules);
    gw_lookup_init(&visitor->lookup, &(struct gw_lookup_ask) { .lookups = &scene->parts[worker].lookups,
                                                               .key = &key,
                                                               .request = &visitor->request,
                                                               .head = &scene->head,
                                                               .on_looked = has_looked,
                                                               .on_answer = has_answer,
                                                               .owner = visitor });
}

static bool looks(struct scene *scene, unsigned worker, struct visitor *visitor, const char *fields)
{
    arrives(scene, worker, visitor, fields);
    bool is_asked = gw_lookup_begin(&visitor->lookup, visitor->request.must_validate ? played_now_us : 0);
    gw_lookup_check(&visitor->lookup);
    return is_asked;
}

static enum gw_lookup_answer claims(struct visitor *visitor)
{
    enum gw_lookup_answer answer = gw_lookup_claim(&visitor->lookup);
    gw_lookup_check(&visitor->lookup);
    return answer;
}

/* It has looked; nothing else that is due is answered. */
static void has_seen(struct scene *scene, unsigned worker, struct visitor *visitor, const char *fields)
{
    unsigned next = scene->store.made;
    assert_true(looks(scene, worker, visitor, fields));
    for (; next < scene->store.made; next++)
        played_answer(&scene->store, &scene->store.calls[next]);
    assert_int_equal(visitor->looked, 1);
}

/* It looked, saw nothing, and claimed; the store has not answered the claim. */
static void misses(struct scene *scene, unsigned worker, struct visitor *visitor)
{
    has_seen(scene, worker, visitor, "");
    assert_int_equal(claims(visitor), GW_LOOKUP_WAIT);
}

static void assert_is(const struct visitor *visitor, enum gw_lookup_state state)
{
    assert_string_equal(gw_lookup_state_name(visitor->lookup.state), gw_lookup_state_name(state));
    gw_lookup_check(&visitor->lookup);
}

static void assert_told(const struct visitor *visitor, enum gw_lookup_answer answer)
{
    assert_is(visitor, GW_LOOKUP_DECIDED);
    assert_int_equal(visitor->answers, 1);
    assert_int_equal(visitor->answer, answer);
}

/* ---- looking ---- */

static void a_memory_hit_is_looked_at_once(void **state)
{
    (void)state;
    struct scene *scene = open_scene(false);
    struct visitor one;
    struct gw_entry *entry = entry_of(scene, FRESH);
    assert_true(gw_memory_cache_put(scene->memory_cache, entry, gw_memory_cache_epoch(scene->memory_cache, &key)));
    assert_false(looks(scene, 0, &one, ""));
    WALKS(IDLE, LOOKED);
    assert_is(&one, GW_LOOKUP_LOOKED);
    assert_ptr_equal(one.lookup.entry, entry);
    assert_int_equal(one.lookup.source, GW_LOOKUP_MEMORY);
    assert_int_equal(one.lookup.reuse, GW_REUSE_FRESH);
    gw_lookup_cancel(&one.lookup);
    gw_entry_unref(entry);
    close_scene(scene);
}

static void without_a_store_a_miss_leads_at_once_and_the_next_joins(void **state)
{
    (void)state;
    struct scene *scene = open_scene(false);
    struct visitor one, two, three;
    int fetch;
    assert_false(looks(scene, 0, &one, ""));
    assert_int_equal(claims(&one), GW_LOOKUP_LEAD);
    WALKS(LOOKED, CLAIMED);
    WALKS(CLAIMING, FETCHES);
    WALKS(LOCKING, DECIDED);
    assert_false(looks(scene, 0, &two, ""));
    assert_false(looks(scene, 1, &three, ""));
    gw_coalescing_set_fetch(one.lookup.lead.coalesced, &fetch);
    assert_int_equal(claims(&two), GW_LOOKUP_JOIN);
    WALKS(CLAIMING, DECIDED);
    assert_ptr_equal(two.lookup.fetch, &fetch);
    assert_int_equal(claims(&three), GW_LOOKUP_WAIT);
    WALKS(CLAIMING, FOLLOWS);
    assert_is(&three, GW_LOOKUP_WAITING);
    /* It is not for the second one: once more with others, which wait for nothing here, then alone. */
    gw_lookup_release(&two.lookup, true);
    assert_int_equal(claims(&two), GW_LOOKUP_JOIN);
    WALKS(DECIDED, CLAIMED);
    gw_lookup_release(&two.lookup, true);
    assert_int_equal(claims(&two), GW_LOOKUP_ALONE);
    gw_lead_finish(&one.lookup.lead);
    messages_come(&scene->parts[1].worker); /* nothing was stored: the other worker's leads */
    assert_told(&three, GW_LOOKUP_LEAD);
    WALKS(WAITING, WOKEN);
    WALKS(RETURNING, LOOKED);
    gw_lookup_cancel(&one.lookup);
    gw_lookup_cancel(&two.lookup);
    gw_lookup_cancel(&three.lookup);
    close_scene(scene);
}

/* Its answer may be a part. */
static void a_range_leads_no_other_request(void **state)
{
    (void)state;
    struct scene *scene = open_scene(false);
    struct visitor range, other;
    assert_false(looks(scene, 0, &range, "Range: bytes=0-1"));
    assert_int_equal(claims(&range), GW_LOOKUP_ALONE);
    assert_false(looks(scene, 0, &other, ""));
    assert_int_equal(claims(&other), GW_LOOKUP_LEAD);
    gw_lookup_cancel(&range.lookup);
    gw_lookup_cancel(&other.lookup);
    close_scene(scene);
}

static void what_another_worker_stored_between_look_and_claim_is_seen(void **state)
{
    static const struct row {
        const char *lies;
        enum gw_lookup_answer answer;
        unsigned refs; /* of the memory cache, and of the look-up */
    } rows[] = { { FRESH, GW_LOOKUP_ENTRY, 2 }, { STALE, GW_LOOKUP_LEAD, 1 }, { NULL, GW_LOOKUP_LEAD, 0 } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(false);
        struct visitor one;
        struct gw_entry *list[GW_MEMORY_CACHE_VARIANTS] = { NULL };
        assert_false(looks(scene, 0, &one, ""));
        if (rows[i].lies)
            lies_in_memory(scene, rows[i].lies);
        assert_int_equal(claims(&one), rows[i].answer);
        unsigned count = gw_memory_cache_list(scene->memory_cache, &key, list);
        assert_int_equal(count, rows[i].lies != NULL);
        if (count) {
            assert_int_equal(atomic_load(&list[0]->refs), rows[i].refs + 1);
            gw_entry_unref(list[0]);
        }
        gw_lookup_cancel(&one.lookup);
        close_scene(scene);
    }
}

static void without_a_store_what_was_purged_during_a_wait_is_not_confirmed(void **state)
{
    (void)state;
    struct scene *scene = open_scene(false);
    struct visitor leader, waits;
    lies_in_memory(scene, STALE);
    assert_false(looks(scene, 0, &leader, ""));
    assert_int_equal(claims(&leader), GW_LOOKUP_VALIDATE);
    assert_false(looks(scene, 1, &waits, ""));
    assert_non_null(waits.lookup.lead.stored);
    assert_int_equal(claims(&waits), GW_LOOKUP_WAIT);
    gw_memory_cache_invalidate(scene->memory_cache, &key);
    gw_lookup_cancel(&leader.lookup);
    messages_come(&scene->parts[1].worker);
    assert_told(&waits, GW_LOOKUP_LEAD);
    assert_null(waits.lookup.lead.stored);
    gw_lookup_cancel(&waits.lookup);
    close_scene(scene);
}

static void what_lies_in_the_store_answers_is_confirmed_or_says_that_nothing_is_shared(void **state)
{
    static const struct row {
        const char *lies, *request;
        bool is_entry;
        enum gw_reuse reuse;
        enum gw_lookup_answer answer; /* once the store has answered the claim, too */
    } rows[] = {
        { FRESH, "", true, GW_REUSE_FRESH, GW_LOOKUP_ENTRY },
        { OLD, "", true, GW_REUSE_REVALIDATING, GW_LOOKUP_ENTRY },
        { STALE, "", false, GW_REUSE_NO, GW_LOOKUP_VALIDATE },
        { FRESH, "Cache-Control: no-cache", false, GW_REUSE_NO, GW_LOOKUP_VALIDATE },
        { FRESH, "Cache-Control: no-store", false, GW_REUSE_NO, GW_LOOKUP_ALONE },
        { FRESH, "Authorization: Basic x", false, GW_REUSE_NO, GW_LOOKUP_ALONE },
        { "", "", false, GW_REUSE_NO, GW_LOOKUP_ALONE },
        { NULL, "", false, GW_REUSE_NO, GW_LOOKUP_LEAD },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(true);
        struct visitor one;
        elsewhere_stores(scene, rows[i].lies);
        bool is_asked = looks(scene, 0, &one, rows[i].request);
        if (is_asked) {
            WALKS(IDLE, ASKED);
            assert_is(&one, GW_LOOKUP_LOOKING);
            store_answers(scene);
            WALKS(LOOKING, LOOKED);
            assert_int_equal(one.looked, 1);
        }
        assert_is(&one, GW_LOOKUP_LOOKED);
        assert_int_equal(one.lookup.entry != NULL, rows[i].is_entry);
        if (rows[i].is_entry) {
            assert_int_equal(one.lookup.reuse, rows[i].reuse);
            assert_int_equal(one.lookup.source, GW_LOOKUP_STORE);
        } else {
            enum gw_lookup_answer answer = claims(&one);
            if (answer == GW_LOOKUP_WAIT) {
                store_answers(scene);
                assert_told(&one, rows[i].answer);
            } else {
                assert_int_equal(answer, rows[i].answer);
            }
        }
        gw_lookup_cancel(&one.lookup);
        close_scene(scene);
    }
}

/* ---- the lock ---- */

static void a_miss_asks_for_the_lock_once_and_reads_nothing_again(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    misses(scene, 0, &one);
    assert_is(&one, GW_LOOKUP_LOCKING);
    assert_int_equal(scene->store.made, 2); /* a look (PTTL and GET are one call here), and the lock */
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_LEAD);
    assert_int_equal(scene->store.made, 2);
    assert_non_null(lock_of(scene));
    gw_lead_finish(&one.lookup.lead);
    store_answers(scene);
    assert_null(lock_of(scene));
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void where_something_else_lies_there_by_now_it_looks_again(void **state)
{
    static const struct row {
        const char *lies;
        bool is_stored;
        enum gw_lookup_answer answer;
    } rows[] = { { FRESH, false, GW_LOOKUP_ENTRY },
                 { STALE, true, GW_LOOKUP_VALIDATE },
                 { OLD, true, GW_LOOKUP_LEAD }, /* it asks anyway, and has no validator */
                 { "", false, GW_LOOKUP_ALONE },
                 { NULL, false, GW_LOOKUP_LEAD } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(true);
        struct visitor one;
        misses(scene, 0, &one);
        elsewhere_stores(scene, rows[i].lies);
        store_answers(scene);
        assert_told(&one, rows[i].answer);
        assert_int_equal(one.lookup.lead.stored != NULL, rows[i].is_stored);
        assert_int_equal(one.lookup.lead.lock != NULL,
                         rows[i].answer == GW_LOOKUP_LEAD || rows[i].answer == GW_LOOKUP_VALIDATE);
        gw_lookup_cancel(&one.lookup);
        close_scene(scene);
    }
}

/* Redis that is slow, and not silent, has its whole time for each question. */
static void the_second_look_has_its_own_time(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    misses(scene, 0, &one);
    struct gw_store_call *lock = &scene->store.calls[scene->store.made - 1];
    elsewhere_stores(scene, FRESH);
    time_passes(&scene->parts[0].worker, TIMEOUT_MS - 1);
    unsigned made = scene->store.made;
    played_answer(&scene->store, lock); /* something else lies there */
    assert_int_equal(scene->store.made, made + 1);
    time_passes(&scene->parts[0].worker, TIMEOUT_MS - 1);
    assert_is(&one, GW_LOOKUP_LOCKING);
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_ENTRY);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void another_instance_is_waited_for_by_asking_for_the_lock_alone(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_locks(scene);
    misses(scene, 0, &one);
    for (int i = 0; i < 5; i++) {
        store_answers(scene);
        assert_is(&one, GW_LOOKUP_PAUSING);
        WALKS(LOCKING, ELSEWHERE);
        unsigned made = scene->store.made;
        time_passes(&scene->parts[0].worker, 19);
        assert_int_equal(scene->store.made, made);
        time_passes(&scene->parts[0].worker, 31);
        assert_int_equal(scene->store.made, made + 1);
        assert_is(&one, GW_LOOKUP_LOCKING);
        WALKS(PAUSING, DUE);
    }
    elsewhere_stores(scene, FRESH);
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_ENTRY);
    assert_int_equal(one.lookup.waited, GW_LOOKUP_WAITED_FOR_INSTANCE);
    assert_int_equal(gw_counter_read(&scene->shard.cache_collapsed_instances), 1);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void another_instance_is_waited_for_no_longer_than_flight_wait(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_locks(scene);
    misses(scene, 0, &one);
    uint64_t began_us = played_now_us;
    while (!one.answers) {
        store_answers(scene);
        time_passes(&scene->parts[0].worker, 5);
        assert_true(played_now_us - began_us < 2 * WAIT_MS * 1000);
    }
    assert_in_range((played_now_us - began_us) / 1000, WAIT_MS, WAIT_MS + 60);
    assert_told(&one, GW_LOOKUP_LEAD);
    assert_null(one.lookup.lead.lock);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void a_key_whose_answers_are_not_shared_waits_for_no_other_instance(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_locks(scene);
    misses(scene, 0, &one);
    elsewhere_stores(scene, ""); /* and it has the lock still */
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_ALONE);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void a_reload_waits_for_no_other_instance(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_locks(scene);
    looks(scene, 0, &one, "Cache-Control: no-cache");
    store_answers(scene);
    assert_int_equal(claims(&one), GW_LOOKUP_LEAD);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

/* ---- a silent store ---- */

static void a_silent_store_is_waited_for_once(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor looking, locking, returning, leader;
    looks(scene, 0, &looking, "");
    gw_lookup_give_up(&looking.lookup); /* the owner's deadline */
    assert_is(&looking, GW_LOOKUP_LOOKED);
    unsigned made = scene->store.made;
    assert_int_equal(claims(&looking), GW_LOOKUP_LEAD);
    assert_int_equal(scene->store.made, made);
    assert_int_equal(looking.looked, 0);
    gw_lookup_cancel(&looking.lookup);
    misses(scene, 0, &locking);
    time_passes(&scene->parts[0].worker, TIMEOUT_MS - 1);
    assert_int_equal(locking.answers, 0);
    time_passes(&scene->parts[0].worker, 1);
    assert_told(&locking, GW_LOOKUP_LEAD);
    made = scene->store.made;
    gw_lookup_release(&locking.lookup, true);
    assert_int_equal(claims(&locking), GW_LOOKUP_LEAD);
    assert_int_equal(scene->store.made, made);
    gw_lookup_cancel(&locking.lookup);
    store_answers(scene); /* too late: what was taken is given back */
    assert_null(lock_of(scene));
    misses(scene, 1, &leader);
    misses(scene, 0, &returning);
    gw_lead_finish(&leader.lookup.lead);
    messages_come(&scene->parts[0].worker);
    assert_is(&returning, GW_LOOKUP_RETURNING);
    time_passes(&scene->parts[0].worker, TIMEOUT_MS);
    assert_told(&returning, GW_LOOKUP_LEAD);
    gw_lookup_cancel(&returning.lookup);
    gw_lookup_cancel(&leader.lookup);
    close_scene(scene);
}

static void after_a_wait_for_another_fetch_a_silent_store_is_asked_again(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, waits;
    misses(scene, 0, &leader);
    looks(scene, 1, &waits, "");
    gw_lookup_give_up(&waits.lookup);
    assert_int_equal(claims(&waits), GW_LOOKUP_WAIT);
    store_answers(scene);
    elsewhere_stores(scene, FRESH); /* the fetch does */
    gw_lead_finish(&leader.lookup.lead);
    messages_come(&scene->parts[1].worker);
    assert_is(&waits, GW_LOOKUP_RETURNING);
    store_answers(scene);
    assert_told(&waits, GW_LOOKUP_ENTRY);
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&waits.lookup);
    close_scene(scene);
}

/* The whole may be stored, but over nothing unknown. */
static void a_range_asks_over_what_its_answer_would_be_stored(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    scene->store.is_up = false;
    assert_false(looks(scene, 0, &one, "Range: bytes=0-1"));
    scene->store.is_up = true;
    assert_int_equal(claims(&one), GW_LOOKUP_WAIT);
    assert_int_equal(one.lookup.lead.base_version.kind, GW_BASE_UNKNOWN);
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_ALONE);
    assert_int_equal(one.lookup.lead.base_version.kind, GW_BASE_ABSENT);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void a_store_that_is_away_is_not_asked(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    scene->store.is_up = false;
    assert_false(looks(scene, 0, &one, ""));
    assert_int_equal(claims(&one), GW_LOOKUP_LEAD);
    gw_lookup_cancel(&one.lookup);
    scene->store.is_up = true;
    misses(scene, 0, &one);
    played_lose_all(&scene->store); /* the lock's answer is lost with the connection */
    assert_told(&one, GW_LOOKUP_LEAD);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

/* ---- those that follow ---- */

static void followers_join_when_the_fetch_begins(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, here, there;
    int fetch;
    misses(scene, 0, &leader);
    misses(scene, 0, &here);
    misses(scene, 1, &there);
    assert_is(&here, GW_LOOKUP_WAITING);
    store_answers(scene);
    assert_told(&leader, GW_LOOKUP_LEAD);
    assert_int_equal(here.answers + there.answers, 0);
    gw_coalescing_set_fetch(leader.lookup.lead.coalesced, &fetch);
    assert_told(&here, GW_LOOKUP_JOIN);
    WALKS(WAITING, DECIDED);
    assert_ptr_equal(here.lookup.fetch, &fetch);
    assert_int_equal(there.answers, 0);
    elsewhere_stores(scene, FRESH); /* the fetch does */
    gw_lead_finish(&leader.lookup.lead);
    store_answers(scene);
    assert_told(&there, GW_LOOKUP_ENTRY);
    WALKS(RETURNING, DECIDED);
    assert_int_equal(there.lookup.waited, GW_LOOKUP_WAITED_FOR_PROCESS);
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&here.lookup);
    gw_lookup_cancel(&there.lookup);
    close_scene(scene);
}

static void what_the_leader_finds_in_the_store_answers_its_followers(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, here, there;
    misses(scene, 0, &leader);
    misses(scene, 0, &here);
    misses(scene, 1, &there);
    elsewhere_stores(scene, FRESH);
    store_answers(scene);
    assert_told(&leader, GW_LOOKUP_ENTRY);
    assert_told(&here, GW_LOOKUP_ENTRY);
    assert_told(&there, GW_LOOKUP_ENTRY);
    assert_ptr_equal(here.lookup.entry, leader.lookup.entry);
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&here.lookup);
    gw_lookup_cancel(&there.lookup);
    close_scene(scene);
}

/* It is for the leader what it is not for each follower: other directives, a moment later. */
static void what_the_leader_finds_is_judged_by_each_followers_own_rules(void **state)
{
    enum { SOON_S = 1, WHEN_STALE_S = 61 };
    static const struct row {
        const char *follower;
        unsigned after_s;
        bool is_taken; /* as it is handed over; else the follower looks again */
        enum gw_reuse reuse;
    } rows[] = {
        { "", SOON_S, true, GW_REUSE_FRESH },
        { "Cache-Control: max-age=0", SOON_S, false, GW_REUSE_NO },
        { "Cache-Control: no-cache", SOON_S, false, GW_REUSE_NO },
        { "Cache-Control: min-fresh=60", SOON_S, false, GW_REUSE_NO },
        { "", WHEN_STALE_S, false, GW_REUSE_NO },
        { "Cache-Control: max-stale", WHEN_STALE_S, true, GW_REUSE_STALE },
        { "Cache-Control: max-stale=9", WHEN_STALE_S, true, GW_REUSE_STALE },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(true);
        struct visitor leader, follower;
        misses(scene, 0, &leader);
        arrives(scene, 1, &follower, rows[i].follower);
        assert_true(gw_lookup_begin(&follower.lookup, 0)); /* it waits for what is stored, too */
        played_answer(&scene->store, &scene->store.calls[scene->store.made - 1]);
        assert_int_equal(claims(&follower), GW_LOOKUP_WAIT);
        elsewhere_stores(scene, FRESH);
        while (!leader.answers)
            played_answer_all(&scene->store);
        assert_told(&leader, GW_LOOKUP_ENTRY);
        played_now_us += rows[i].after_s * UINT64_C(1000000);
        messages_come(&scene->parts[1].worker);
        if (rows[i].is_taken) {
            assert_told(&follower, GW_LOOKUP_ENTRY);
            assert_int_equal(follower.lookup.reuse, rows[i].reuse);
            assert_int_equal(follower.lookup.source, GW_LOOKUP_STORE); /* handed over, not found in memory since */
        } else {
            assert_is(&follower, GW_LOOKUP_RETURNING);
        }
        gw_lookup_cancel(&leader.lookup);
        gw_lookup_cancel(&follower.lookup);
        close_scene(scene);
    }
}

static void one_that_waited_too_long_is_alone(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, there, here;
    misses(scene, 0, &leader);
    misses(scene, 0, &here);
    misses(scene, 1, &there);
    time_passes(&scene->parts[1].worker, WAIT_MS);
    assert_told(&there, GW_LOOKUP_ALONE);
    WALKS(WAITING, LATE);
    played_now_us -= WAIT_MS * 1000;
    store_answers(scene);
    time_passes(&scene->parts[0].worker, WAIT_MS); /* the fetch of its own worker has not begun */
    assert_int_equal(here.answers, 0);
    time_passes(&scene->parts[0].worker, WAIT_MS);
    assert_told(&here, GW_LOOKUP_ALONE);
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&here.lookup);
    gw_lookup_cancel(&there.lookup);
    close_scene(scene);
}

/* ---- refreshes ---- */

static void a_refresh_leads_or_is_over(void **state)
{
    static const struct row {
        const char *lies;
        bool is_locked;
        enum gw_lookup_answer answer;
    } rows[] = { { STALE, false, GW_LOOKUP_VALIDATE }, { OLD, false, GW_LOOKUP_LEAD },
                 { NULL, false, GW_LOOKUP_LEAD },      { STALE, true, GW_LOOKUP_WAIT },
                 { FRESH, false, GW_LOOKUP_ENTRY },    { FRESH, true, GW_LOOKUP_ENTRY } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(true);
        struct visitor one;
        struct gw_lead lead, second;
        elsewhere_stores(scene, rows[i].lies);
        if (rows[i].is_locked)
            elsewhere_locks(scene);
        arrives(scene, 0, &one, "");
        assert_true(gw_lookup_refresh_asks(&scene->parts[0].lookups));
        assert_true(gw_lead_begin(&scene->parts[0].lookups, &key, &lead));
        assert_false(gw_lead_begin(&scene->parts[0].lookups, &key, &second));
        assert_int_equal(gw_lookup_refresh(&one.lookup, &lead), GW_LOOKUP_WAIT);
        WALKS(IDLE, REFRESHES);
        assert_is(&one, GW_LOOKUP_LOCKING);
        store_answers(scene);
        assert_told(&one, rows[i].answer);
        gw_lookup_cancel(&one.lookup);
        close_scene(scene);
    }
}

/* ---- cancelling ---- */

static void it_can_be_cancelled_in_every_state(void **state)
{
    (void)state;
    for (enum gw_lookup_state at = GW_LOOKUP_IDLE; at < GW_LOOKUP_STATES; at++) {
        struct scene *scene = open_scene(true);
        struct visitor one, other;
        bool is_second = at == GW_LOOKUP_WAITING || at == GW_LOOKUP_RETURNING;
        if (at == GW_LOOKUP_CLAIMING) { /* within a call */
            close_scene(scene);
            continue;
        }
        arrives(scene, 0, &one, "");
        arrives(scene, 1, &other, "");
        if (at == GW_LOOKUP_PAUSING)
            elsewhere_locks(scene);
        if (is_second)
            misses(scene, 1, &other);
        if (at >= GW_LOOKUP_CLAIMING)
            misses(scene, 0, &one);
        else if (at > GW_LOOKUP_IDLE)
            looks(scene, 0, &one, "");
        if (at == GW_LOOKUP_RETURNING) {
            gw_lookup_cancel(&other.lookup); /* the lead is passed on */
            messages_come(&scene->parts[0].worker);
            assert_non_null(one.lookup.lead.coalesced);
        }
        if (at == GW_LOOKUP_LOOKED || at == GW_LOOKUP_PAUSING || at == GW_LOOKUP_DECIDED)
            store_answers(scene);
        assert_is(&one, at);
        gw_lookup_cancel(&one.lookup);
        gw_lookup_cancel(&one.lookup);
        assert_is(&one, GW_LOOKUP_IDLE);
        gw_lookup_cancel(&other.lookup);
        store_answers(scene);
        time_passes(&scene->parts[0].worker, 2 * WAIT_MS);
        assert_int_equal(one.answers, at == GW_LOOKUP_DECIDED);
        assert_int_equal(lock_of(scene) != NULL, at == GW_LOOKUP_PAUSING);
        close_scene(scene);
    }
}

static void a_purge_by_tag_between_look_and_claim_ends_what_was_seen(void **state)
{
    static const struct gw_ban all = { .kind = GW_BAN_ALL };
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_stores(scene, STALE);
    looks(scene, 0, &one, "");
    store_answers(scene);
    assert_non_null(one.lookup.lead.stored);
    assert_true(gw_bans_add(scene->bans, &all, 1000));
    assert_int_equal(claims(&one), GW_LOOKUP_WAIT);
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_LEAD);
    assert_null(one.lookup.lead.stored);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

/* ---- the epoch: a purge since then keeps an answer out of memory ---- */

static void the_epoch_is_that_of_the_look_that_saw_what_is_stored(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, waits;
    elsewhere_stores(scene, STALE);
    has_seen(scene, 0, &leader, "");
    has_seen(scene, 1, &waits, "");
    assert_non_null(waits.lookup.lead.stored);
    uint64_t epoch = waits.lookup.lead.epoch;
    assert_int_equal(claims(&leader), GW_LOOKUP_WAIT);
    assert_int_equal(claims(&waits), GW_LOOKUP_WAIT);
    store_answers(scene);
    gw_memory_cache_invalidate(scene->memory_cache, &key);
    scene->store.is_up = false; /* so what it saw before the purge is all that it knows */
    gw_lead_finish(&leader.lookup.lead);
    messages_come(&scene->parts[1].worker);
    assert_told(&waits, GW_LOOKUP_VALIDATE);
    assert_int_equal(waits.lookup.lead.epoch, epoch);
    assert_int_not_equal(gw_memory_cache_epoch(scene->memory_cache, &key), epoch);
    scene->store.is_up = true;
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&waits.lookup);
    close_scene(scene);
}

static void a_second_look_at_the_store_takes_a_new_epoch(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    misses(scene, 0, &one);
    uint64_t epoch = one.lookup.lead.epoch;
    gw_memory_cache_invalidate(scene->memory_cache, &key);
    elsewhere_stores(scene, STALE); /* after the purge */
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_VALIDATE);
    assert_int_equal(one.lookup.lead.epoch, gw_memory_cache_epoch(scene->memory_cache, &key));
    assert_int_not_equal(one.lookup.lead.epoch, epoch);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void each_row_was_walked(void **state)
{
    static const struct {
        enum gw_lookup_state in, then;
        enum gw_lookup_event when;
    } rows[] = {
#define ROW(in, when, then, by) { GW_LOOKUP_##in, GW_LOOKUP_##then, GW_LOOKUP_ON_##when },
        GW_LOOKUP_MOVES(ROW)
#undef ROW
    };
    unsigned moves = 0;
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        if (!walked[rows[i].in][rows[i].when])
            fail_msg("%s by %d", gw_lookup_state_name(rows[i].in), (int)rows[i].when);
        assert_int_equal(gw_lookup_next(rows[i].in, rows[i].when), rows[i].then);
    }
    for (int in = 0; in < GW_LOOKUP_STATES; in++)
        for (int when = 0; when < GW_LOOKUP_EVENTS; when++) {
            enum gw_lookup_state then = gw_lookup_next((enum gw_lookup_state)in, (enum gw_lookup_event)when);
            moves += then != GW_LOOKUP_STATES;
            assert_true(then != GW_LOOKUP_STATES || !walked[in][when]);
        }
    assert_int_equal(moves, GW_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_memory_hit_is_looked_at_once),
        cmocka_unit_test(without_a_store_a_miss_leads_at_once_and_the_next_joins),
        cmocka_unit_test(a_range_leads_no_other_request),
        cmocka_unit_test(what_another_worker_stored_between_look_and_claim_is_seen),
        cmocka_unit_test(without_a_store_what_was_purged_during_a_wait_is_not_confirmed),
        cmocka_unit_test(what_lies_in_the_store_answers_is_confirmed_or_says_that_nothing_is_shared),
        cmocka_unit_test(a_miss_asks_for_the_lock_once_and_reads_nothing_again),
        cmocka_unit_test(where_something_else_lies_there_by_now_it_looks_again),
        cmocka_unit_test(the_second_look_has_its_own_time),
        cmocka_unit_test(another_instance_is_waited_for_by_asking_for_the_lock_alone),
        cmocka_unit_test(another_instance_is_waited_for_no_longer_than_flight_wait),
        cmocka_unit_test(a_key_whose_answers_are_not_shared_waits_for_no_other_instance),
        cmocka_unit_test(a_reload_waits_for_no_other_instance),
        cmocka_unit_test(a_silent_store_is_waited_for_once),
        cmocka_unit_test(after_a_wait_for_another_fetch_a_silent_store_is_asked_again),
        cmocka_unit_test(a_range_asks_over_what_its_answer_would_be_stored),
        cmocka_unit_test(a_store_that_is_away_is_not_asked),
        cmocka_unit_test(followers_join_when_the_fetch_begins),
        cmocka_unit_test(what_the_leader_finds_in_the_store_answers_its_followers),
        cmocka_unit_test(what_the_leader_finds_is_judged_by_each_followers_own_rules),
        cmocka_unit_test(one_that_waited_too_long_is_alone),
        cmocka_unit_test(a_refresh_leads_or_is_over),
        cmocka_unit_test(it_can_be_cancelled_in_every_state),
        cmocka_unit_test(a_purge_by_tag_between_look_and_claim_ends_what_was_seen),
        cmocka_unit_test(the_epoch_is_that_of_the_look_that_saw_what_is_stored),
        cmocka_unit_test(a_second_look_at_the_store_takes_a_new_epoch),
        cmocka_unit_test(each_row_was_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
