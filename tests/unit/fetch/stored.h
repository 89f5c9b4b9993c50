/* stored.h: a stored response for a stage's request, to be validated, or to answer if the backend fails. */
#ifndef TEST_FETCH_STORED_H
#define TEST_FETCH_STORED_H

#include "fetch/background_refresh.h"
#include "unit/fetch/stage.h"

#define STORED_DATE "Thu, 01 Jun 2017 00:00:00 GMT"

enum { STORED_BYTES = 30 };

/* fields: "Name: value\n"…, as from a backend; the policy computes the life from them. Stale by `stale_s`. */
static inline struct gw_entry *entry_of(struct stage *stage, const char *fields, int64_t stale_s)
{
    struct gw_arena arena;
    struct gw_head head;
    struct gw_cache_request request;
    struct gw_cache_life life;
    gw_arena_init(&arena, 4096, 65536);
    gw_head_init(&head);
    head.status = 200;
    for (const char *at = fields; *at;) {
        const char *colon = strchr(at, ':'), *end = strchr(at, '\n');
        assert_true(gw_head_add(&head, &arena, gw_slice_of(at, (size_t)(colon - at)),
                                gw_slice_of(colon + 2, (size_t)(end - colon - 2))));
        at = end + 1;
    }
    gw_policy_read_request(&request, &stage->request_head, &stage->request.rules);
    int64_t now_s = (int64_t)(gw_clock_wall_us() / 1000000);
    assert_int_equal(
        gw_policy_may_store(&request, &stage->request_head, &head, &stage->request.rules, now_s, now_s, &life),
        GW_CACHE_STORABLE);
    life.age_s = life.freshness_s + stale_s;
    struct gw_block *body = gw_block_create(STORED_BYTES);
    assert_non_null(body);
    for (size_t i = 0; i < STORED_BYTES; i++)
        body->bytes[i] = pattern(i);
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = &stage->request.key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("example.org"),
                                                                        .request = &stage->request_head,
                                                                        .response = &head,
                                                                        .body = body,
                                                                        .body_bytes = STORED_BYTES,
                                                                        .life = &life,
                                                                        .now_us = gw_clock_monotonic_us() });
    gw_block_unref(body);
    gw_arena_free(&arena);
    assert_non_null(entry);
    return entry;
}

/* The entry lies in the memory cache, if that takes it, and is the result of the request's look-up. */
static inline void find_stored(struct stage *stage, const char *fields)
{
    may_be_stored(stage);
    stage->request.lead.stored = entry_of(stage, fields, 5);
    (void)gw_memory_cache_put(stage->fetcher.memory_cache, stage->request.lead.stored, stage->request.lead.epoch);
}

static inline void drop_stored(struct stage *stage)
{
    gw_entry_unref(stage->request.lead.stored);
    stage->request.lead.stored = NULL;
}

/* A refresh, as the leader of a coalesced fetch. */
static inline void refresh(struct stage *stage)
{
    struct gw_coalescing_ask ask;
    may_be_stored(stage);
    assert_int_equal(enter(stage, &ask), GW_COALESCING_LEAD);
    stage->request.lead.coalesced = ask.coalesced;
    assert_int_equal(gw_background_refresh_begin(&stage->fetcher, &stage->request), GW_ERROR_NONE);
}

static inline bool is_idle(const struct stage *stage)
{
    return gw_fetcher_is_idle(&stage->fetcher);
}

#endif
