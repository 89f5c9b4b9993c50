/* redis_stage.h: a stage whose fetcher shares a played store (tests/unit/cache/played_store.h) with another instance:
 * which instance holds the fetch lock of a key, and what lies there. Each reader has a look-up (cache/lookup.h), as an exchange has:
 * the fetch begins with its result. */
#ifndef GW_TESTS_UNIT_FETCH_REDIS_STAGE_H
#define GW_TESTS_UNIT_FETCH_REDIS_STAGE_H

#include "unit/cache/played_store.h"
#include "unit/fetch/stored.h"

struct instance { /* one worker's view of the store */
    struct gw_memory_cache *memory_cache;
    struct gw_key_maker *keys;
    struct gw_redis_cache *redis_cache;
};

struct together {
    struct stage *stage;
    struct gw_store store;
    struct gw_fetch_locks locks;
    struct instance here, elsewhere;
    struct gw_shard elsewhere_shard;
};

static inline bool open_instance(struct together *both, struct instance *instance, struct gw_memory_cache *memory_cache,
                                 struct gw_shard *shard)
{
    if (!memory_cache)
        return false;
    instance->memory_cache = memory_cache;
    gw_memory_cache_set_mode(memory_cache, GW_MEMORY_CACHE_SHARED);
    instance->keys = gw_key_maker_create();
    if (!instance->keys)
        return false;
    instance->redis_cache = gw_redis_cache_create(&(struct gw_redis_cache_setup) { .store = &both->store,
                                                                                   .memory_cache = memory_cache,
                                                                                   .bans = both->stage->fetcher.bans,
                                                                                   .keys = instance->keys,
                                                                                   .shard = shard,
                                                                                   .config = &both->stage->config });
    return instance->redis_cache != NULL;
}

static inline void close_instance(struct instance *instance)
{
    if (instance->redis_cache)
        gw_redis_cache_destroy(&instance->redis_cache);
    gw_key_maker_destroy(&instance->keys);
}

static inline void set_store_config(struct gw_config *config)
{
    config->redis_prefix = GW_SLICE("gw:");
    config->redis_max_pending = 100;
}

static inline bool connect_stage(struct together *both, struct stage *stage)
{
    both->stage = stage;
    played_init(&both->store);
    both->locks = (struct gw_fetch_locks) { .store = &both->store,
                                            .timers = &stage->worker.timers,
                                            .config = &stage->config };
    gw_fetch_locks_init(&both->locks);
    stage->lookups.locks = &both->locks;
    if (!open_instance(both, &both->here, stage->fetcher.memory_cache, &stage->shard))
        return false;
    stage->fetcher.redis_cache = stage->lookups.redis_cache = both->here.redis_cache;
    return true;
}

static inline struct together *set_up_together(void)
{
    struct together *both = calloc(1, sizeof *both);
    assert_non_null(both);
    struct stage *stage = set_up();
    set_store_config(&stage->config);
    assert_true(connect_stage(both, stage));
    assert_true(open_instance(both, &both->elsewhere, gw_memory_cache_create(1 << 20, NULL), &both->elsewhere_shard));
    return both;
}

/* Calls that were cancelled and are on their way may still answer; nothing is left after that. */
static inline void tear_down_together(struct together *both)
{
    while (played_due(&both->store))
        played_answer_all(&both->store);
    close_instance(&both->here);
    close_instance(&both->elsewhere);
    gw_memory_cache_destroy(&both->elsewhere.memory_cache);
    gw_fetch_locks_free(&both->locks);
    tear_down(both->stage);
    free(both);
}

/* ---- the fetch lock ---- */

static inline struct played_value *lock_of(struct together *both)
{
    struct gw_key_text text;
    char name[PLAYED_KEY_BYTES];
    gw_key_text_of_lock(&text, both->stage->config.redis_prefix, &both->stage->request.key);
    played_copy_key(name, text.slice);
    return played_at(&both->store, name);
}

static inline void another_takes_the_lock(struct together *both)
{
    struct gw_key_text text;
    char name[PLAYED_KEY_BYTES];
    struct played_bytes id = { .length = 16 };
    memcpy(id.at, "of-the-other-one", 16);
    gw_key_text_of_lock(&text, both->stage->config.redis_prefix, &both->stage->request.key);
    played_copy_key(name, text.slice);
    played_put(&both->store, name, &id, GW_FETCH_LOCK_MS);
}

static inline bool is_locked_elsewhere(struct together *both)
{
    struct played_value *lock = lock_of(both);
    return lock && memcmp(lock->bytes.at, "of-the-other-one", 16) == 0;
}

/* ---- what another instance does ---- */

struct glance {
    bool is_answered;
    struct gw_redis_cache_answer answer;
};

static inline void on_glance(void *owner, const struct gw_redis_cache_answer *answer)
{
    struct glance *glance = owner;
    glance->is_answered = true;
    glance->answer = *answer;
}

/* The store answers only this look-up, whatever else is due. The caller must give the entry back. */
static inline struct gw_redis_cache_answer elsewhere_looks(struct together *both)
{
    struct stage *stage = both->stage;
    struct gw_cache_request request;
    struct glance glance = { .is_answered = false };
    unsigned next = both->store.made;
    gw_policy_read_request(&request, &stage->request_head, &stage->request.rules);
    assert_non_null(gw_redis_cache_ask(both->elsewhere.redis_cache, &stage->request.key, &request, &stage->request_head,
                                       on_glance, &glance));
    for (; next < both->store.made; next++)
        played_answer(&both->store, &both->store.calls[next]);
    assert_true(glance.is_answered);
    return glance.answer;
}

/* The answer of another instance's backend; stale by stale_s, or fresh (negative). */
static inline void elsewhere_stores(struct together *both, const char *fields, int64_t stale_s)
{
    struct gw_redis_cache_answer answer = elsewhere_looks(both);
    struct gw_entry *entry = entry_of(both->stage, fields, stale_s);
    unsigned next = both->store.made;
    gw_entry_unref(answer.entry);
    assert_true(gw_redis_cache_put(both->elsewhere.redis_cache, entry, &answer.base_version, NULL, NULL));
    for (; next < both->store.made; next++)
        played_answer(&both->store, &both->store.calls[next]);
    gw_entry_unref(entry);
}

static inline void elsewhere_purges(struct together *both)
{
    unsigned next = both->store.made;
    struct gw_redis_cache_question *tombstone = gw_redis_cache_invalidate(both->elsewhere.redis_cache,
                                                                          &both->stage->request.key, NULL, NULL);
    gw_redis_cache_cancel(&tombstone);
    for (; next < both->store.made; next++)
        played_answer(&both->store, &both->store.calls[next]);
}

static inline void elsewhere_marks(struct together *both)
{
    struct gw_redis_cache_answer answer = elsewhere_looks(both);
    unsigned next = both->store.made;
    gw_entry_unref(answer.entry);
    gw_redis_cache_mark_hit_for_miss(both->elsewhere.redis_cache, &both->stage->request.key, &answer.base_version,
                                     10000);
    assert_int_equal(both->store.made, next + 1);
    played_answer(&both->store, &both->store.calls[next]);
}

/* What every instance finds there now. */
enum there { NOTHING_THERE, MARK_THERE, STALE_THERE, FRESH_THERE };

static inline void assert_there(struct together *both, enum there expected)
{
    struct gw_redis_cache_answer answer = elsewhere_looks(both);
    enum there there = answer.is_hit_for_miss           ? MARK_THERE
                       : !answer.entry                  ? NOTHING_THERE
                       : answer.reuse == GW_REUSE_FRESH ? FRESH_THERE
                                                        : STALE_THERE;
    gw_entry_unref(answer.entry);
    assert_int_equal(there, expected);
}

/* ---- this instance ---- */

static struct together *both_of_lookups;
static bool fetches_may_be_refused; /* for lack of memory */

static inline void store_answers(struct together *both)
{
    played_answer_all(&both->store);
    messages_arrive(both->stage);
}

/* The next question for the lock gets it. */
static inline void the_others_lock_expires(struct together *both)
{
    assert_true(is_locked_elsewhere(both));
    lock_of(both)->bytes.length = 0;
    passes(both->stage, 50);
    store_answers(both);
}

static inline void claims(struct listener *listener);

static inline void is_answered(void *owner, enum gw_lookup_answer answer)
{
    struct listener *listener = owner;
    struct gw_lookup *lookup = &listener->lookup;
    struct stage *stage = both_of_lookups->stage;
    struct gw_fetch_request request = stage->request;
    unsigned before = listener->events;
    assert_false(listener->is_over);
    gw_lookup_check(lookup);
    switch (answer) {
    case GW_LOOKUP_ENTRY:
        takes_entry(listener, lookup->entry, "from_store");
        gw_lookup_cancel(lookup);
        return;
    case GW_LOOKUP_JOIN:
        assert_true(gw_fetch_join(lookup->fetch, &listener->reader));
        gw_fetch_resume(&listener->reader);
        break;
    case GW_LOOKUP_VALIDATE:
    case GW_LOOKUP_LEAD:
    case GW_LOOKUP_ALONE:
        request.cache = *lookup->ask.request;
        request.lead = lookup->lead;
        if (gw_fetch_begin(&stage->fetcher, &request, &listener->reader) != GW_ERROR_NONE) {
            assert_true(fetches_may_be_refused);
            gw_lookup_cancel(lookup);
            is_over(listener, "overloaded", "fail");
            return;
        }
        gw_lookup_has_begun(lookup);
        break;
    case GW_LOOKUP_WAIT:
        return;
    }
    assert_int_equal(listener->events, before);
    gw_lookup_cancel(lookup); /* the look-up's result now belongs to the fetch */
}

static inline void claims(struct listener *listener)
{
    is_answered(listener, gw_lookup_claim(&listener->lookup));
}

static inline void has_looked(void *owner)
{
    claims(owner);
}

/* A request that has looked up what is stored, with this result. */
static inline void visits(struct together *both, struct listener *listener, const struct gw_cache_request *request,
                          const struct gw_base_version *base_version)
{
    both_of_lookups = both;
    gw_lookup_init(&listener->lookup, &(struct gw_lookup_ask) { .lookups = &both->stage->lookups,
                                                                .key = &both->stage->request.key,
                                                                .request = request,
                                                                .head = &both->stage->request_head,
                                                                .on_looked = has_looked,
                                                                .on_answer = is_answered,
                                                                .owner = listener });
    listener->lookup.state = GW_LOOKUP_LOOKED;
    listener->lookup.lead.base_version = *base_version;
    listener->lookup.lead.epoch = gw_memory_cache_epoch(both->stage->fetcher.memory_cache, &both->stage->request.key);
    claims(listener);
}

static inline void leaves(struct listener *listener)
{
    gw_lookup_cancel(&listener->lookup);
    gw_fetch_leave(&listener->reader);
}

/* As after a look-up that found nothing. */
static inline void has_seen_nothing_there(struct together *both)
{
    both->stage->request.lead.base_version = (struct gw_base_version) { .kind = GW_BASE_ABSENT,
                                                                        .at_us = played_now_us };
}

static inline void miss(struct together *both, struct listener *listener)
{
    allow_storing(both->stage);
    visits(both, listener, &both->stage->request.cache,
           &(struct gw_base_version) { .kind = GW_BASE_ABSENT, .at_us = played_now_us });
}

/* The listener's own look-up found nothing. */
static inline void unseen(struct together *both, struct listener *listener)
{
    allow_storing(both->stage);
    visits(both, listener, &both->stage->request.cache, &(struct gw_base_version) { .kind = GW_BASE_UNKNOWN });
}

/* No fetch is under way or about to begin: the next request would lead. */
static inline bool no_request_leads(struct together *both)
{
    struct gw_lead lead;
    messages_arrive(both->stage);
    bool leads = gw_lead_begin(&both->stage->lookups, &both->stage->request.key, &lead);
    gw_lead_finish(&lead);
    return leads;
}

#endif
