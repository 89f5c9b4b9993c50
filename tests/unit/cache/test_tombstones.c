/* Tombstones on their way to a store that is played here. */
#include "unit/cache/redis_cache_scene.h"

static void tombstones_wait_for_the_store_and_go_before_reads(void **state)
{
    struct stage *stage = *state;
    struct asked asked, purge = { .answers = 0 };
    for (unsigned i = 0; i < 3; i++)
        store(stage, i, "ETag: a");
    stage->store.is_up = false;
    for (unsigned i = 0; i < 6; i++) { /* each of three keys twice */
        struct gw_cache_key key = key_of(i % 3);
        assert_null(gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, on_answer, &purge));
    }
    unsigned before = stage->store.made;
    stage->store.is_up = true;
    assert_false(gw_redis_cache_is_up(stage->views[0].redis_cache));
    stage->store.room = 2; /* not for all: nothing is read yet */
    ask(stage, &asked, 0, "");
    assert_null(asked.question);
    end_asked(&asked);
    assert_int_equal(stage->store.made - before, 2);
    played_answer_all(&stage->store);
    stage->store.room = PLAYED_CALLS;
    ask(stage, &asked, 0, "");
    assert_non_null(asked.question);
    assert_int_equal(stage->store.made - before, 4); /* three tombstones, then the read */
    assert_int_equal(stage->store.calls[stage->store.made - 1].kind, PLAYED_GET);
    played_answer_all(&stage->store);
    assert_null(asked.answer.entry);
    end_asked(&asked);
    assert_true(gw_redis_cache_is_up(stage->views[0].redis_cache));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(kind_of(stage, i), GW_FRAME_TOMBSTONE);
    assert_int_equal(purge.answers, 0);
}

/* A loop of its own, for events that only depend on time. */
struct clockwork {
    uv_loop_t loop;
    struct gw_timers timers;
    struct view view;
};

static void open_clockwork(struct stage *stage, struct clockwork *work)
{
    assert_int_equal(uv_loop_init(&work->loop), 0);
    assert_int_equal(gw_timers_open(&work->timers, &work->loop), 0);
    assert_true(open_view(stage, &work->view, &work->timers));
}

static void close_clockwork(struct clockwork *work)
{
    close_view(&work->view);
    gw_timers_close(&work->timers);
    uv_run(&work->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&work->loop), 0);
}

static void what_is_kept_is_sent_even_without_a_question(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct clockwork work;
    open_clockwork(stage, &work);
    stage->store.is_up = false;
    assert_null(gw_redis_cache_invalidate(work.view.redis_cache, &key, NULL, NULL));
    uv_run(&work.loop, UV_RUN_ONCE); /* down: tried again later */
    uv_run(&work.loop, UV_RUN_ONCE);
    assert_int_equal(stage->store.made, 0);
    stage->store.is_up = true;
    while (!stage->store.made)
        uv_run(&work.loop, UV_RUN_ONCE);
    played_answer_all(&stage->store);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_TOMBSTONE);
    assert_true(gw_redis_cache_is_up(work.view.redis_cache));
    close_clockwork(&work);
}

static void a_tombstone_that_is_lost_on_the_way_is_sent_again(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked purge = { .answers = 0 };
    store(stage, 1, "ETag: a");
    assert_non_null(gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, on_answer, &purge));
    played_lose_all(&stage->store);
    assert_int_equal(purge.answers, 1); /* a caller that waits for it waits no longer */
    assert_int_equal(kind_of(stage, 1), GW_FRAME_RESPONSE);
    stage->store.is_up = true;
    assert_answers(stage, 1, "none");
    assert_int_equal(kind_of(stage, 1), GW_FRAME_TOMBSTONE);
}

static void without_memory_the_value_is_deleted(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked purge = { .answers = 0 };
    store(stage, 1, "ETag: a");
    stage->store.fails_with = GW_STORE_OOM;
    assert_non_null(gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, on_answer, &purge));
    played_answer_all(&stage->store);
    played_answer_all(&stage->store);
    assert_int_equal(purge.answers, 1);
    assert_null(stored(stage, 1));
}

static void lose_some(struct stage *stage, struct gw_redis_cache *redis_cache, unsigned count)
{
    stage->store.is_up = false;
    for (unsigned i = 0; i < MOST_PENDING + count; i++) {
        struct gw_cache_key key = key_of(i);
        assert_null(gw_redis_cache_invalidate(redis_cache, &key, NULL, NULL));
    }
    stage->store.is_up = true;
}

static void too_many_are_counted_and_all_is_banned_before_reads_resume(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    store(stage, 9, "ETag: a");
    assert_answers(stage, 9, "a");
    assert_true(is_in_memory(stage, 9, ""));
    lose_some(stage, stage->views[0].redis_cache, 2);
    assert_int_equal(gw_counter_read(&stage->shard.cache_invalidations_lost), 2);
    assert_true(is_in_memory(stage, 9, ""));
    stage->ban_log.is_refused = true;
    ask(stage, &asked, 8, "");
    assert_null(asked.question);
    end_asked(&asked);
    stage->ban_log.is_refused = false;
    assert_false(gw_redis_cache_is_up(stage->views[0].redis_cache));
    assert_answers(stage, 8, "none");
    assert_int_equal(stage->ban_log.bans, 1);
    assert_false(is_in_memory(stage, 9, ""));
    for (unsigned i = 0; i < MOST_PENDING; i++)
        assert_int_equal(kind_of(stage, i), GW_FRAME_TOMBSTONE);
    stage->ban_log.done(stage->ban_log.owner, true);
    assert_answers(stage, 9, "a"); /* the ban is played: it ends nothing here */
    assert_true(is_in_memory(stage, 9, ""));
    assert_answers(stage, 8, "none");
    assert_int_equal(stage->ban_log.bans, 1);
    assert_true(is_in_memory(stage, 9, "")); /* flushed once */
}

static void a_ban_that_is_not_acknowledged_is_sent_again_and_reads_go_on(void **state)
{
    struct stage *stage = *state;
    struct clockwork work;
    struct asked asked;
    open_clockwork(stage, &work);
    lose_some(stage, work.view.redis_cache, 1);
    for (unsigned bans = 1; bans <= 3; bans++) {
        while (stage->ban_log.bans < bans)
            uv_run(&work.loop, UV_RUN_ONCE);
        stage->ban_log.done(stage->ban_log.owner, bans == 3);
        struct gw_cache_key key = key_of(9);
        open_asked(&asked, "");
        asked.question = gw_redis_cache_ask(work.view.redis_cache, &key, &asked.request, &asked.head, on_answer,
                                            &asked);
        assert_non_null(asked.question);
        assert_int_equal(stage->ban_log.bans, bans);
        played_answer_all(&stage->store);
        assert_int_equal(asked.answers, 1);
        end_asked(&asked);
    }
    while (uv_run(&work.loop, UV_RUN_ONCE)) /* until no timer is left */
        ;
    assert_int_equal(stage->ban_log.bans, 3);
    close_clockwork(&work);
}

/* The store says that it is up, and takes nothing. */
static void one_that_is_refused_again_and_again_is_lost(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    assert_non_null(gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, NULL, NULL));
    stage->store.fails_with = GW_STORE_LOST;
    for (unsigned i = 0; i < 40 && !stage->ban_log.bans; i++) {
        struct asked asked;
        ask(stage, &asked, 2, "");
        gw_redis_cache_cancel(&asked.question);
        end_asked(&asked);
        played_answer_all(&stage->store);
    }
    assert_int_equal(gw_counter_read(&stage->shard.cache_invalidations_lost), 1);
    assert_int_equal(stage->ban_log.bans, 1);
    stage->store.fails_with = GW_STORE_INTEGERS;
    assert_answers(stage, 1, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tombstones_wait_for_the_store_and_go_before_reads, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(what_is_kept_is_sent_even_without_a_question, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_tombstone_that_is_lost_on_the_way_is_sent_again, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(without_memory_the_value_is_deleted, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(too_many_are_counted_and_all_is_banned_before_reads_resume, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(a_ban_that_is_not_acknowledged_is_sent_again_and_reads_go_on, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(one_that_is_refused_again_and_again_is_lost, make_stage, free_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
