/* Fetch locks over a store that is played here. */
#include "unit/cache/played_store.h"
#include "cache/fetch_lock.h"

enum { HELD_MS = 500 };

struct stage {
    struct gw_store store;
    struct gw_config config;
    uv_loop_t loop;
    struct gw_timers timers;
    struct gw_fetch_locks locks;
};

struct asked {
    struct gw_fetch_lock *lock;
    unsigned answers;
    enum gw_fetch_lock_result result;
    bool is_changed;
};

static const struct gw_base_version nothing = { .kind = GW_BASE_UNKNOWN };
static const struct gw_cache_key key = { .sha = { 0x1b }, .name_space = { 0x0a } };

static int make_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    if (!stage || uv_loop_init(&stage->loop) || gw_timers_open(&stage->timers, &stage->loop))
        return -1;
    played_init(&stage->store);
    stage->config.redis_prefix = GW_SLICE("gw:");
    stage->locks = (struct gw_fetch_locks) { .store = &stage->store,
                                             .timers = &stage->timers,
                                             .config = &stage->config };
    gw_fetch_locks_init(&stage->locks);
    *state = stage;
    return 0;
}

static int free_stage(void **state)
{
    struct stage *stage = *state;
    played_lose_all(&stage->store);
    gw_fetch_locks_free(&stage->locks);
    gw_timers_close(&stage->timers);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    int fault = uv_loop_close(&stage->loop);
    free(stage);
    return fault;
}

static void on_answer(void *owner, enum gw_fetch_lock_result result, bool is_changed)
{
    struct asked *asked = owner;
    asked->answers++;
    asked->result = result;
    asked->is_changed = is_changed;
    if (result != GW_FETCH_LOCK_TAKEN)
        asked->lock = NULL;
}

static void take(struct stage *stage, struct asked *asked)
{
    *asked = (struct asked) { .answers = 0 };
    asked->lock = gw_fetch_lock_take(&stage->locks, &key, &nothing, on_answer, asked);
    assert_non_null(asked->lock);
    assert_int_equal(asked->answers, 0);
}

static struct played_value *lock(struct stage *stage)
{
    struct gw_key_text text;
    char name[PLAYED_KEY_BYTES];
    gw_key_text_of_lock(&text, stage->config.redis_prefix, &key);
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
    assert_int_equal(first.result, GW_FETCH_LOCK_TAKEN);
    assert_int_equal(second.result, GW_FETCH_LOCK_ELSEWHERE);
    assert_int_equal(first.answers + second.answers, 2);
    assert_int_equal(lock(stage)->left_ms, HELD_MS);
    assert_int_equal(lock(stage)->bytes.length, 16);
    gw_fetch_lock_release(&first.lock);
    assert_null(first.lock);
    take(stage, &third); /* in the same turn: after the leaving */
    played_answer_all(&stage->store);
    assert_int_equal(third.result, GW_FETCH_LOCK_TAKEN);
    gw_fetch_lock_release(&third.lock);
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
    gw_fetch_lock_release(&asked.lock);
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
    gw_fetch_lock_release(&asked.lock); /* a renewal is under way */
    played_answer_all(&stage->store);
    assert_null(lock(stage));
    assert_int_equal(asked.answers, 1);
}

/* The release is a courtesy: its answer is not reported, and it takes nothing from another holder. */
static void one_that_is_lost_is_neither_renewed_nor_given_back(void **state)
{
    enum { ANOTHER_HOLDS_IT, NO_ANSWER, NOT_SENT, CASES };
    struct stage *stage = *state;
    for (unsigned i = 0; i < CASES; i++) {
        struct asked asked;
        take(stage, &asked);
        played_answer_all(&stage->store);
        assert_int_equal(asked.result, GW_FETCH_LOCK_TAKEN);
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
        gw_fetch_lock_release(&asked.lock);
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
        assert_int_equal(asked.result, GW_FETCH_LOCK_UNKNOWN);
        stage->store.fails_with = GW_STORE_INTEGERS;
    }
    stage->store.room = 0;
    assert_null(gw_fetch_lock_take(&stage->locks, &key, &nothing, on_answer, &asked));
    stage->store.room = PLAYED_CALLS;
    stage->store.is_up = false;
    assert_null(gw_fetch_lock_take(&stage->locks, &key, &nothing, on_answer, &asked));
    assert_int_equal(asked.answers, 1);
}

static void one_that_is_left_before_the_answer_is_given_back(void **state)
{
    struct stage *stage = *state;
    struct asked first, second, third;
    take(stage, &first);
    gw_fetch_lock_release(&first.lock);
    gw_fetch_lock_release(&first.lock); /* nothing */
    played_answer_all(&stage->store);
    assert_int_equal(first.answers, 0);
    assert_null(lock(stage));
    take(stage, &second);
    take(stage, &third);
    gw_fetch_lock_release(&third.lock); /* it never held the lock */
    played_answer_all(&stage->store);
    assert_non_null(lock(stage));
    assert_int_equal(third.answers, 0);
    gw_fetch_lock_release(&second.lock);
}

/* ---- what was seen, and what lies there ---- */

/* 40 bytes of the format, as far as the script looks at them; behind them names and the list of an index. */
static void lies(struct stage *stage, const char *name, char kind, char version, const char *list)
{
    struct played_bytes bytes = { .length = GW_FRAME_SHORT_BYTES };
    memcpy(bytes.at, "GWC2", 4);
    bytes.at[4] = kind;
    memset(bytes.at + 8, version, GW_FRAME_VERSION_BYTES);
    if (kind == 'I') {
        memcpy(bytes.at + bytes.length, "\6\0accept", 8);
        bytes.length += 8;
    }
    for (; *list; list++) {
        memset(bytes.at + bytes.length, *list, GW_FRAME_VARIANT_BYTES);
        bytes.length += GW_FRAME_VARIANT_BYTES;
    }
    played_put(&stage->store, name, &bytes, 1000);
}

/* What a request that selects the variant 'v' has seen: versions of one letter, 0: none there. */
static struct gw_base_version base_version_of(enum gw_base_kind kind, char version, char variant_version)
{
    struct gw_base_version base_version = { .kind = kind,
                                            .selects_variant = kind == GW_BASE_INDEX,
                                            .variant_is_there = variant_version != 0 };
    memset(base_version.version, version, sizeof base_version.version);
    memset(base_version.variant, 'v', sizeof base_version.variant);
    memset(base_version.variant_version, variant_version, sizeof base_version.variant_version);
    return base_version;
}

static void it_tells_whether_something_else_lies_there_than_was_seen(void **state)
{
    static const struct row {
        const char *why;
        enum gw_base_kind base_version;
        char version_then, variant_then;
        char base_kind, version_now, variant;
        const char *list;
        bool is_changed;
    } rows[] = {
        { "nothing was looked for", GW_BASE_UNKNOWN, 0, 0, 'F', 'a', 0, "", false },
        { "nothing was there, and is", GW_BASE_ABSENT, 0, 0, 0, 0, 0, "", false },
        { "nothing was there", GW_BASE_ABSENT, 0, 0, 'F', 'a', 0, "", true },
        { "nothing was there: a tombstone", GW_BASE_ABSENT, 0, 0, 'T', 'a', 0, "", true },
        { "the same", GW_BASE_VERSION, 'a', 0, 'F', 'a', 0, "", false },
        { "stored over", GW_BASE_VERSION, 'a', 0, 'F', 'b', 0, "", true },
        { "expired or evicted", GW_BASE_VERSION, 'a', 0, 0, 0, 0, "", true },
        { "an index over it", GW_BASE_VERSION, 'a', 0, 'I', 'b', 'x', "v", true },
        { "the index is another", GW_BASE_INDEX, 'a', 'x', 'I', 'b', 'x', "v", true },
        { "the index is gone", GW_BASE_INDEX, 'a', 'x', 0, 0, 'x', "", true },
        { "the variant is the same", GW_BASE_INDEX, 'a', 'x', 'I', 'a', 'x', "v", false },
        { "so among others", GW_BASE_INDEX, 'a', 'x', 'I', 'a', 'x', "opqv", false },
        { "the variant was stored over", GW_BASE_INDEX, 'a', 'x', 'I', 'a', 'y', "v", true },
        { "the variant expired", GW_BASE_INDEX, 'a', 'x', 'I', 'a', 0, "v", true },
        { "the variant has left the list", GW_BASE_INDEX, 'a', 'x', 'I', 'a', 'x', "op", true },
        { "the variant was not there, and is not", GW_BASE_INDEX, 'a', 0, 'I', 'a', 0, "op", false },
        { "an old one counts only if listed", GW_BASE_INDEX, 'a', 0, 'I', 'a', 'x', "op", false },
        { "the variant was not there", GW_BASE_INDEX, 'a', 0, 'I', 'a', 'x', "vop", true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        void *made = NULL;
        struct gw_base_version base_version = base_version_of(row->base_version, row->version_then, row->variant_then);
        struct gw_key_text base, variant;
        struct asked first, second;
        assert_int_equal(make_stage(&made), 0);
        struct stage *stage = made;
        gw_key_text_of_base(&base, stage->config.redis_prefix, &key);
        gw_key_text_of_variant(&variant, stage->config.redis_prefix, &key, base_version.variant);
        char names[2][PLAYED_KEY_BYTES];
        played_copy_key(names[0], base.slice);
        played_copy_key(names[1], variant.slice);
        if (row->base_kind)
            lies(stage, names[0], row->base_kind, row->version_now, row->list);
        if (row->variant)
            lies(stage, names[1], 'F', row->variant, "");
        first.lock = gw_fetch_lock_take(&stage->locks, &key, &base_version, on_answer, &first);
        second.lock = gw_fetch_lock_take(&stage->locks, &key, &base_version, on_answer, &second);
        played_answer_all(&stage->store);
        if (first.is_changed != row->is_changed)
            fail_msg("%s", row->why);
        assert_int_equal(first.result, GW_FETCH_LOCK_TAKEN);
        assert_int_equal(second.result, GW_FETCH_LOCK_ELSEWHERE);
        assert_int_equal(second.is_changed, row->is_changed);
        gw_fetch_lock_release(&first.lock);
        assert_int_equal(free_stage(&made), 0);
    }
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
        gw_fetch_lock_release(&asked[i].lock);
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
        cmocka_unit_test(it_tells_whether_something_else_lies_there_than_was_seen),
        cmocka_unit_test_setup_teardown(each_has_an_id_of_its_own, make_stage, free_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
