/* Leases over a store that is played here. */
#include "unit/cache/played_store.h"
#include "cache/lease.h"

enum { HELD_MS = 500 };

struct stage {
    struct gw_store store;
    struct gw_config config;
    uv_loop_t loop;
    struct gw_timers timers;
    struct gw_leases leases;
};

struct asked {
    struct gw_lease *lease;
    unsigned answers;
    enum gw_lease_result result;
};

static const struct gw_cache_key key = { .sha = { 0x1b }, .name_space = { 0x0a } };

static int make_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    if (!stage || uv_loop_init(&stage->loop) || gw_timers_open(&stage->timers, &stage->loop))
        return -1;
    played_init(&stage->store);
    stage->config.redis_prefix = GW_SLICE("gw:");
    stage->leases = (struct gw_leases) { .store = &stage->store, .timers = &stage->timers, .config = &stage->config };
    gw_leases_init(&stage->leases);
    *state = stage;
    return 0;
}

static int free_stage(void **state)
{
    struct stage *stage = *state;
    played_lose_all(&stage->store);
    gw_leases_free(&stage->leases);
    gw_timers_close(&stage->timers);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    int fault = uv_loop_close(&stage->loop);
    free(stage);
    return fault;
}

static void on_answer(void *owner, enum gw_lease_result result)
{
    struct asked *asked = owner;
    asked->answers++;
    asked->result = result;
    if (result != GW_LEASE_TAKEN)
        asked->lease = NULL;
}

static void take(struct stage *stage, struct asked *asked)
{
    *asked = (struct asked) { .answers = 0 };
    asked->lease = gw_lease_take(&stage->leases, &key, on_answer, asked);
    assert_non_null(asked->lease);
    assert_int_equal(asked->answers, 0);
}

static struct played_value *lock(struct stage *stage)
{
    struct gw_text text;
    char name[PLAYED_KEY_BYTES];
    gw_text_of_lock(&text, stage->config.redis_prefix, &key);
    played_copy_key(name, text.slice);
    return played_at(&stage->store, name);
}

/* Until so many calls have been made: a renewal comes from a timer. */
static void run_until_made(struct stage *stage, unsigned calls)
{
    while (stage->store.made < calls)
        uv_run(&stage->loop, UV_RUN_ONCE);
}

static struct gw_slice operation(const struct gw_store_call *call)
{
    return gw_slice_of(call->arguments[0].at, call->arguments[0].length);
}

/* ---- scenes ---- */

static void one_takes_it_the_others_hear_so_until_it_is_left(void **state)
{
    struct stage *stage = *state;
    struct asked first, second, third;
    take(stage, &first);
    take(stage, &second);
    played_answer_all(&stage->store);
    assert_int_equal(first.result, GW_LEASE_TAKEN);
    assert_int_equal(second.result, GW_LEASE_ELSEWHERE);
    assert_int_equal(first.answers + second.answers, 2);
    assert_int_equal(lock(stage)->left_ms, HELD_MS);
    assert_int_equal(lock(stage)->bytes.length, 16);
    gw_lease_leave(&first.lease);
    assert_null(first.lease);
    take(stage, &third); /* in the same turn: after the leaving */
    played_answer_all(&stage->store);
    assert_int_equal(third.result, GW_LEASE_TAKEN);
    gw_lease_leave(&third.lease);
    played_answer_all(&stage->store);
    assert_null(lock(stage));
}

static void its_key_lies_outside_what_is_tracked(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    take(stage, &asked);
    played_answer_all(&stage->store);
    assert_string_equal(lock(stage)->key, "gw:lock:0a00000000000000000000000000000000000000000000000000000000000000:"
                                          "{1b00000000000000000000000000000000000000000000000000000000000000}");
    gw_lease_leave(&asked.lease);
}

static void it_is_renewed_while_it_is_held(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    take(stage, &asked);
    played_answer_all(&stage->store);
    for (unsigned renewal = 1; renewal <= 2; renewal++) {
        lock(stage)->left_ms = 200;
        run_until_made(stage, 1 + renewal);
        assert_true(gw_slice_equal(operation(&stage->store.calls[renewal]), GW_SLICE("keep")));
        played_answer_all(&stage->store);
        assert_int_equal(lock(stage)->left_ms, HELD_MS);
    }
    run_until_made(stage, 4);
    gw_lease_leave(&asked.lease); /* a renewal is under way */
    played_answer_all(&stage->store);
    assert_null(lock(stage));
    assert_int_equal(asked.answers, 1);
}

/* A courtesy: who held it is not told, and takes nothing from who holds it instead. */
static void one_that_is_lost_is_neither_renewed_nor_given_back(void **state)
{
    enum { ANOTHER_HOLDS_IT, NO_ANSWER, NOT_SENT, CASES };
    struct stage *stage = *state;
    for (unsigned i = 0; i < CASES; i++) {
        struct asked asked;
        take(stage, &asked);
        played_answer_all(&stage->store);
        assert_int_equal(asked.result, GW_LEASE_TAKEN);
        lock(stage)->bytes.at[0] = 'x';
        stage->store.is_up = i != NOT_SENT;
        for (unsigned made = stage->store.made + stage->store.refused;
             made == stage->store.made + stage->store.refused;)
            uv_run(&stage->loop, UV_RUN_ONCE);
        if (i == NO_ANSWER)
            played_lose_all(&stage->store);
        else
            played_answer_all(&stage->store);
        stage->store.is_up = true;
        unsigned made = stage->store.made;
        assert_int_equal(uv_run(&stage->loop, UV_RUN_NOWAIT), 0); /* no timer is left */
        gw_lease_leave(&asked.lease);
        assert_int_equal(stage->store.made, made);
        assert_int_equal(asked.answers, 1);
        lock(stage)->bytes.length = 0;
    }
}

static void without_an_answer_it_is_unknown(void **state)
{
    static const enum gw_store_result faults[] = { GW_STORE_LOST, GW_STORE_OOM };
    struct stage *stage = *state;
    struct asked asked;
    for (size_t i = 0; i < GW_COUNT(faults); i++) {
        take(stage, &asked);
        stage->store.fails_with = faults[i];
        played_answer_all(&stage->store);
        assert_int_equal(asked.answers, 1);
        assert_int_equal(asked.result, GW_LEASE_UNKNOWN);
        stage->store.fails_with = GW_STORE_INTEGERS;
    }
    stage->store.room = 0;
    assert_null(gw_lease_take(&stage->leases, &key, on_answer, &asked));
    stage->store.room = PLAYED_CALLS;
    stage->store.is_up = false;
    assert_null(gw_lease_take(&stage->leases, &key, on_answer, &asked));
    assert_int_equal(asked.answers, 1);
}

static void one_that_is_left_before_the_answer_is_given_back(void **state)
{
    struct stage *stage = *state;
    struct asked first, second, third;
    take(stage, &first);
    gw_lease_leave(&first.lease);
    gw_lease_leave(&first.lease); /* nothing */
    played_answer_all(&stage->store);
    assert_int_equal(first.answers, 0);
    assert_null(lock(stage));
    take(stage, &second);
    take(stage, &third);
    gw_lease_leave(&third.lease); /* it never had it */
    played_answer_all(&stage->store);
    assert_non_null(lock(stage));
    assert_int_equal(third.answers, 0);
    gw_lease_leave(&second.lease);
}

static void each_has_an_id_of_its_own(void **state)
{
    struct stage *stage = *state;
    struct asked asked[2];
    for (unsigned i = 0; i < 2; i++)
        take(stage, &asked[i]);
    const struct played_bytes *ids[] = { &stage->store.calls[0].arguments[1], &stage->store.calls[1].arguments[1] };
    assert_int_equal(ids[0]->length, 16);
    assert_memory_not_equal(ids[0]->at, ids[1]->at, 16);
    for (unsigned i = 0; i < 2; i++)
        gw_lease_leave(&asked[i].lease);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_takes_it_the_others_hear_so_until_it_is_left, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(its_key_lies_outside_what_is_tracked, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(it_is_renewed_while_it_is_held, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(one_that_is_lost_is_neither_renewed_nor_given_back, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(without_an_answer_it_is_unknown, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(one_that_is_left_before_the_answer_is_given_back, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(each_has_an_id_of_its_own, make_stage, free_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
