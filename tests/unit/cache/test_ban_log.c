/* The ban log over a store that is played here: the scene says when it answers, and what. */
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "cache/entry.h"
#include "cache/ban_log.h"
#include "unit/cache/logs.h"

enum { CALLS = 64, ONE = 1000000, TWO = ONE + GW_BANS_STEP, THREE = TWO + GW_BANS_STEP };

static uint64_t now_us = 1;

uint64_t gw_clock_monotonic_us(void)
{
    return now_us;
}

uint64_t gw_clock_wall_us(void)
{
    return now_us;
}

/* ---- the played store ---- */

struct gw_store_call {
    uint64_t known;
    size_t ban_bytes; /* 0: a poll */
    char ban[64];
    gw_store_done *done;
    void *owner;
};

struct gw_store {
    bool is_up, is_full;
    struct gw_store_call calls[CALLS];
    unsigned made, answered;
};

bool gw_store_is_up(const struct gw_store *store)
{
    return store->is_up;
}

struct gw_store_call *gw_store_run(struct gw_store *store, enum gw_store_script script, const struct gw_slice *keys,
                                   unsigned key_count, const struct gw_slice *arguments, unsigned argument_count,
                                   struct gw_slice payload_bytes, struct gw_block *payload, gw_store_done *done,
                                   void *owner)
{
    assert_int_equal(script, GW_STORE_PURGE);
    assert_int_equal(key_count, 1);
    assert_int_equal(argument_count, 1);
    assert_true(gw_slice_equal(keys[0], GW_SLICE("my:purge:{log}")));
    assert_null(payload);
    if (!store->is_up || store->is_full)
        return NULL;
    assert_true(store->made < CALLS);
    struct gw_store_call *call = &store->calls[store->made++];
    *call = (struct gw_store_call) { .ban_bytes = payload_bytes.length, .done = done, .owner = owner };
    assert_true(gw_slice_to_uint64(arguments[0], &call->known));
    assert_true(payload_bytes.length <= sizeof(call->ban));
    if (payload_bytes.length)
        memcpy(call->ban, payload_bytes.at, payload_bytes.length);
    return call;
}

static void answer(struct gw_store *store, enum gw_store_result result, struct gw_slice text)
{
    const struct gw_store_reply reply = { .result = result, .value = text };
    assert_true(store->answered < store->made);
    struct gw_store_call *call = &store->calls[store->answered++];
    call->done(call->owner, &reply);
}

static void answer_nothing_new(struct gw_store *store)
{
    answer(store, GW_STORE_VALUE, GW_SLICE(""));
}

/* One ban, of this tag; more: the answer is a part. */
static void answer_ban(struct gw_store *store, uint64_t number, const char *tag, bool more)
{
    char memory[256];
    struct gw_buffer log = gw_buffer_over(memory, sizeof(memory));
    const struct gw_ban ban = { .kind = GW_BAN_TAG, .text = gw_slice_of_string(tag) };
    begin_log(&log, 1, more, 0, number);
    put_ban(&log, number, &ban);
    answer(store, GW_STORE_VALUE, gw_buffer_slice(&log));
}

/* ---- a scene: one worker ---- */

struct scene {
    uv_loop_t loop;
    struct gw_timers timers;
    struct gw_mailbox mailbox;
    struct gw_store store;
    struct gw_bans *bans;
    struct gw_config config;
    struct gw_ban_log *ban_log;
    unsigned bans_heard, trues, falses;
    unsigned heard_before_done;
};

static void on_ban(void *context)
{
    struct scene *scene = context;
    scene->bans_heard++;
}

static void on_done(void *owner, bool is_everywhere)
{
    struct scene *scene = owner;
    *(is_everywhere ? &scene->trues : &scene->falses) += 1;
    scene->heard_before_done = scene->bans_heard;
}

static void open_scene(struct scene *scene, bool is_up)
{
    memset(scene, 0, sizeof(*scene));
    now_us = 1;
    gw_log_setup(GW_LOG_ERROR, false);
    scene->config.redis_prefix = GW_SLICE("my:");
    scene->store.is_up = is_up;
    scene->bans = gw_bans_create();
    assert_non_null(scene->bans);
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(gw_timers_open(&scene->timers, &scene->loop), 0);
    assert_int_equal(gw_mailbox_open(&scene->mailbox, &scene->loop), 0);
    const struct gw_ban_log_setup setup = { .store = &scene->store,
                                            .timers = &scene->timers,
                                            .mailbox = &scene->mailbox,
                                            .bans = scene->bans,
                                            .config = &scene->config,
                                            .on_ban = on_ban,
                                            .context = scene };
    scene->ban_log = gw_ban_log_create(&setup);
    assert_non_null(scene->ban_log);
}

/* So many calls were made in all; each tick is later than any poll is recent. */
static void until_made(struct scene *scene, unsigned made)
{
    while (scene->store.made < made) {
        now_us += 1000000;
        assert_int_not_equal(uv_run(&scene->loop, UV_RUN_ONCE), 0);
    }
    assert_int_equal(scene->store.made, made);
}

/* With the clock standing still: no poll becomes older. */
#define until(scene, condition)                                                                                        \
    while (!(condition))                                                                                               \
    assert_int_not_equal(uv_run(&(scene)->loop, UV_RUN_ONCE), 0)

static void close_scene(struct scene *scene)
{
    gw_ban_log_close(scene->ban_log);
    while (scene->store.answered < scene->store.made)
        answer(&scene->store, GW_STORE_LOST, GW_NO_SLICE);
    gw_ban_log_destroy(&scene->ban_log);
    assert_null(scene->ban_log);
    gw_timers_close(&scene->timers);
    gw_mailbox_close(&scene->mailbox);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    gw_mailbox_free(&scene->mailbox);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    gw_bans_destroy(&scene->bans);
}

static bool ends(struct scene *scene, const char *tag, uint64_t sequence)
{
    struct gw_entry entry = { .tags = gw_slice_of_string(tag), .ban_sequence = sequence };
    return gw_bans_check(scene->bans, &entry) == GW_BAN_HARD;
}

static struct gw_purge *ban(struct scene *scene, const char *tag)
{
    const struct gw_ban about = { .kind = GW_BAN_TAG, .text = gw_slice_of_string(tag) };
    return gw_ban_log_add(scene->ban_log, &about, on_done, scene);
}

/* A scene that knows ban ONE. */
static void open_current(struct scene *scene)
{
    open_scene(scene, true);
    until_made(scene, 1);
    answer_ban(&scene->store, ONE, "first", false);
    scene->bans_heard = 0;
}

/* ---- tests ---- */

static void a_poll_says_what_is_known_and_takes_what_is_new(void **state)
{
    struct scene scene;
    (void)state;
    open_scene(&scene, true);
    assert_false(gw_ban_log_is_current(scene.ban_log));
    until_made(&scene, 1);
    assert_int_equal(scene.store.calls[0].known, 0);
    assert_int_equal(scene.store.calls[0].ban_bytes, 0);
    answer_ban(&scene.store, ONE, "a", false);
    assert_true(gw_ban_log_is_current(scene.ban_log));
    assert_int_equal(scene.bans_heard, 1);
    assert_int_equal(gw_bans_sequence(scene.bans), ONE);
    until_made(&scene, 2);
    assert_int_equal(scene.store.calls[1].known, ONE);
    answer_nothing_new(&scene.store);
    assert_int_equal(scene.bans_heard, 1);
    close_scene(&scene);
}

static void a_store_that_comes_up_is_asked_first_of_all(void **state)
{
    struct scene scene;
    (void)state;
    open_scene(&scene, false);
    assert_true(gw_bans_claim_poll(scene.bans, now_us, 0)); /* even where another worker has just asked */
    scene.store.is_up = true;
    until(&scene, scene.store.made == 1);
    answer_nothing_new(&scene.store);
    assert_true(gw_ban_log_is_current(scene.ban_log));
    scene.store.is_up = false;
    until(&scene, !gw_ban_log_is_current(scene.ban_log));
    scene.store.is_up = true;
    until(&scene, scene.store.made == 2);
    answer(&scene.store, GW_STORE_LOST, GW_NO_SLICE);
    assert_false(gw_ban_log_is_current(scene.ban_log));
    until(&scene, scene.store.made == 3);
    close_scene(&scene);
}

static void a_poll_of_another_worker_is_enough(void **state)
{
    struct scene scene;
    char memory[256];
    bool changed;
    (void)state;
    open_current(&scene);
    now_us += 1000000;
    assert_true(gw_bans_claim_poll(scene.bans, now_us, 1));
    struct gw_buffer log = gw_buffer_over(memory, sizeof(memory));
    begin_log(&log, 0, 0, TWO, TWO);
    assert_int_equal(gw_bans_take(scene.bans, gw_buffer_slice(&log), &changed), GW_BANS_ALL_TAKEN);
    until(&scene, scene.bans_heard == 1);
    assert_int_equal(scene.store.made, 1);
    assert_int_equal(gw_bans_sequence(scene.bans), TWO);
    close_scene(&scene);
}

/* A timer of the test says that ticks have passed. */
static void set_flag(struct gw_timer *timer)
{
    timer->on_due = NULL;
}

static void one_poll_is_under_way_at_a_time(void **state)
{
    struct scene scene;
    struct gw_timer later;
    (void)state;
    open_scene(&scene, true);
    until_made(&scene, 1);
    now_us += 1000000;
    gw_timer_init(&later, set_flag);
    gw_timer_start(&scene.timers, &later, 3 * GW_BAN_LOG_POLL_MS);
    until(&scene, !later.on_due);
    assert_int_equal(scene.store.made, 1);
    assert_true(gw_bans_claim_poll(scene.bans, now_us, 999999)); /* so another worker may */
    answer_nothing_new(&scene.store);
    until_made(&scene, 2);
    close_scene(&scene);
}

/* The clock stands still in these: no tick polls. */
static void a_change_of_the_log_is_asked_for_at_once(void **state)
{
    struct scene scene;
    (void)state;
    open_current(&scene);
    for (unsigned i = 0; i < 3; i++)
        gw_ban_log_on_change(scene.ban_log); /* one poll for all of them */
    assert_int_equal(scene.store.made, 1);   /* from the loop */
    until(&scene, scene.store.made == 2);
    assert_int_equal(scene.store.calls[1].known, ONE);
    answer_ban(&scene.store, TWO, "b", false);
    assert_true(ends(&scene, "b", ONE));
    assert_int_equal(scene.bans_heard, 1);
    assert_int_equal(scene.store.made, 2);
    close_scene(&scene);
}

static void a_change_while_a_poll_is_under_way_is_asked_for_after_it(void **state)
{
    struct scene scene;
    (void)state;
    open_current(&scene);
    gw_ban_log_on_change(scene.ban_log);
    until(&scene, scene.store.made == 2);
    gw_ban_log_on_change(scene.ban_log);
    gw_ban_log_on_change(scene.ban_log);
    uv_run(&scene.loop, UV_RUN_NOWAIT);
    assert_int_equal(scene.store.made, 2);
    answer_nothing_new(&scene.store); /* it was read before the log changed */
    assert_int_equal(scene.store.made, 3);
    answer_ban(&scene.store, TWO, "b", false);
    assert_int_equal(scene.store.made, 3);
    assert_true(ends(&scene, "b", ONE));
    close_scene(&scene);
}

static void a_change_is_nothing_to_a_store_that_is_away_or_a_ban_log_that_is_closed(void **state)
{
    struct scene scene;
    (void)state;
    open_current(&scene);
    scene.store.is_up = false;
    gw_ban_log_on_change(scene.ban_log);
    uv_run(&scene.loop, UV_RUN_NOWAIT);
    assert_int_equal(scene.store.made, 1);
    scene.store.is_up = true;
    gw_ban_log_on_change(scene.ban_log);
    gw_ban_log_close(scene.ban_log);
    uv_run(&scene.loop, UV_RUN_NOWAIT);
    assert_int_equal(scene.store.made, 1);
    close_scene(&scene);
}

static void a_long_log_is_asked_for_to_its_end(void **state)
{
    struct scene scene;
    (void)state;
    open_scene(&scene, true);
    until_made(&scene, 1);
    answer_ban(&scene.store, ONE, "a", true);
    assert_int_equal(scene.store.made, 2); /* at once */
    assert_int_equal(scene.store.calls[1].known, ONE);
    assert_false(gw_ban_log_is_current(scene.ban_log));
    answer_ban(&scene.store, TWO, "b", false);
    assert_int_equal(scene.store.made, 2);
    assert_true(gw_ban_log_is_current(scene.ban_log));
    assert_true(ends(&scene, "a", 0) && ends(&scene, "b", ONE));
    close_scene(&scene);
}

static void a_ban_is_everywhere_when_its_number_was_taken(void **state)
{
    static const char packed[] = "T\0\0\0tag";
    struct scene scene;
    (void)state;
    open_current(&scene);
    assert_non_null(ban(&scene, "tag"));
    assert_int_equal(scene.store.calls[1].known, ONE);
    assert_int_equal(scene.store.calls[1].ban_bytes, sizeof(packed) - 1);
    assert_memory_equal(scene.store.calls[1].ban, packed, sizeof(packed) - 1);
    assert_false(ends(&scene, "tag", ONE));
    answer_ban(&scene.store, TWO, "tag", false);
    assert_int_equal(scene.trues, 1);
    assert_int_equal(scene.heard_before_done, 1);
    assert_true(ends(&scene, "tag", ONE));
    assert_int_equal(gw_bans_sequence(scene.bans), TWO);
    close_scene(&scene);
    assert_int_equal(scene.trues + scene.falses, 1);
}

static void a_ban_at_the_end_of_a_long_log_waits_for_it(void **state)
{
    static const struct row {
        enum gw_store_result result;
        bool is_full;
    } rows[] = { { GW_STORE_VALUE, false }, { GW_STORE_LOST, false }, { GW_STORE_LOST, true } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        open_current(&scene);
        assert_non_null(ban(&scene, "tag"));
        scene.store.is_full = rows[i].is_full;
        answer_ban(&scene.store, TWO, "other", true);
        if (!rows[i].is_full) {
            assert_int_equal(scene.trues, 0);
            if (rows[i].result == GW_STORE_VALUE)
                answer_ban(&scene.store, THREE, "tag", false);
            else
                answer(&scene.store, rows[i].result, GW_NO_SLICE); /* it is in the log, and so it is taken here */
        }
        assert_int_equal(scene.trues, 1);
        assert_true(ends(&scene, "tag", TWO));
        assert_int_equal(gw_bans_known(scene.bans), rows[i].result == GW_STORE_VALUE ? THREE : TWO);
        close_scene(&scene);
        assert_int_equal(scene.trues + scene.falses, 1);
    }
}

static void a_ban_that_is_not_acknowledged_is_taken_here(void **state)
{
    static const enum gw_store_result rows[] = { GW_STORE_LOST, GW_STORE_OOM };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        open_current(&scene);
        assert_non_null(ban(&scene, "tag"));
        answer(&scene.store, rows[i], GW_NO_SLICE);
        assert_int_equal(scene.falses, 1);
        assert_int_equal(scene.heard_before_done, 1);
        assert_true(ends(&scene, "tag", ONE));
        assert_false(ends(&scene, "else", ONE));
        assert_int_equal(gw_bans_sequence(scene.bans), ONE + 1);
        close_scene(&scene);
    }
}

static void a_ban_that_cannot_be_sent_is_taken_here(void **state)
{
    struct scene scene;
    static char text[GW_BAN_TEXT_BYTES + 1];
    const struct gw_ban too_long = { .kind = GW_BAN_URL, .text = gw_slice_of(text, sizeof(text)) };
    (void)state;
    open_current(&scene);
    scene.store.is_full = true;
    assert_null(ban(&scene, "tag"));
    scene.store.is_full = false;
    assert_int_equal(scene.bans_heard, 1);
    assert_true(ends(&scene, "tag", ONE));
    assert_false(ends(&scene, "else", ONE));
    memset(text, 'x', sizeof(text));
    assert_null(gw_ban_log_add(scene.ban_log, &too_long, on_done, &scene));
    assert_true(ends(&scene, "else", ONE));
    gw_ban_log_close(scene.ban_log);
    assert_null(ban(&scene, "late"));
    assert_int_equal(scene.store.made, 1);
    close_scene(&scene);
    assert_int_equal(scene.trues + scene.falses, 0);
}

static void a_ban_that_is_cancelled_is_made_all_the_same(void **state)
{
    struct scene scene;
    (void)state;
    open_current(&scene);
    struct gw_purge *purge = ban(&scene, "one"), *other = ban(&scene, "two");
    gw_ban_log_cancel(&purge);
    gw_ban_log_cancel(&other);
    gw_ban_log_cancel(&other);
    assert_null(purge);
    answer_ban(&scene.store, TWO, "one", false);
    answer(&scene.store, GW_STORE_LOST, GW_NO_SLICE);
    assert_true(ends(&scene, "one", ONE) && ends(&scene, "two", TWO));
    assert_int_equal(scene.trues + scene.falses, 0);
    close_scene(&scene);
}

static void a_log_that_makes_no_sense_bans_all(void **state)
{
    struct scene scene;
    (void)state;
    open_current(&scene);
    until_made(&scene, 2);
    answer(&scene.store, GW_STORE_VALUE, GW_SLICE("GWP2"));
    assert_int_equal(scene.bans_heard, 1);
    assert_true(ends(&scene, "any", ONE));
    uint64_t sequence = gw_bans_sequence(scene.bans);
    assert_false(ends(&scene, "any", sequence));
    assert_non_null(ban(&scene, "tag"));
    answer(&scene.store, GW_STORE_VALUE, GW_SLICE("GWP2"));
    assert_int_equal(scene.falses + scene.trues, 1);
    assert_true(ends(&scene, "any", sequence));
    until_made(&scene, 4);
    assert_int_equal(scene.store.calls[3].known, ONE);
    answer_ban(&scene.store, TWO, "b", false);
    assert_int_equal(gw_bans_sequence(scene.bans), TWO);
    close_scene(&scene);
}

/* The calls answered after the close are answered by the store's close. */
static void every_ban_is_answered_once_when_it_ends(void **state)
{
    struct scene scene;
    (void)state;
    open_current(&scene);
    assert_non_null(ban(&scene, "one"));
    assert_non_null(ban(&scene, "two"));
    answer_ban(&scene.store, TWO, "other", true);
    assert_int_equal(scene.trues, 0);
    scene.bans_heard = 0;
    gw_ban_log_close(scene.ban_log);
    assert_int_equal(scene.trues, 1);
    close_scene(&scene);
    assert_int_equal(scene.trues, 1);
    assert_int_equal(scene.falses, 1);
    assert_int_equal(scene.bans_heard, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_says_what_is_known_and_takes_what_is_new),
        cmocka_unit_test(a_store_that_comes_up_is_asked_first_of_all),
        cmocka_unit_test(a_poll_of_another_worker_is_enough),
        cmocka_unit_test(one_poll_is_under_way_at_a_time),
        cmocka_unit_test(a_change_of_the_log_is_asked_for_at_once),
        cmocka_unit_test(a_change_while_a_poll_is_under_way_is_asked_for_after_it),
        cmocka_unit_test(a_change_is_nothing_to_a_store_that_is_away_or_a_ban_log_that_is_closed),
        cmocka_unit_test(a_long_log_is_asked_for_to_its_end),
        cmocka_unit_test(a_ban_is_everywhere_when_its_number_was_taken),
        cmocka_unit_test(a_ban_at_the_end_of_a_long_log_waits_for_it),
        cmocka_unit_test(a_ban_that_is_not_acknowledged_is_taken_here),
        cmocka_unit_test(a_ban_that_cannot_be_sent_is_taken_here),
        cmocka_unit_test(a_ban_that_is_cancelled_is_made_all_the_same),
        cmocka_unit_test(a_log_that_makes_no_sense_bans_all),
        cmocka_unit_test(every_ban_is_answered_once_when_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
