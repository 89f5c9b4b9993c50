/* What ends an entry, and what the gateway believes of a log. */
#include <pthread.h>
#include <stdlib.h>
#include "unit/cache/logs.h"
#include "cache/entry.h"

/* Versions of clang-format disagree on braces in a macro. */
/* clang-format off */
#define S(literal) { "" literal, sizeof(literal) - 1 }
/* clang-format on */

enum { FIRST = 1000000 };

static bool take(struct gw_bans *bans, const struct gw_buffer *log)
{
    bool changed;
    assert_false(log->overflowed);
    assert_int_equal(gw_bans_take(bans, gw_buffer_slice(log), &changed), GW_BANS_ALL_TAKEN);
    return changed;
}

static bool take_one(struct gw_bans *bans, uint64_t floor, uint64_t number, const struct gw_ban *ban)
{
    char memory[4096];
    struct gw_buffer log = gw_buffer_over(memory, sizeof(memory));
    begin_log(&log, 1, 0, floor, number);
    put_ban(&log, number, ban);
    return take(bans, &log);
}

static enum gw_ban_verdict verdict_of(struct gw_bans *bans, uint64_t sequence)
{
    struct gw_entry entry = { .host = S("a.example:8080"),
                              .path_and_query = S("/shop/items?page=2"),
                              .tags = S("one three two"),
                              .ban_sequence = sequence };
    return gw_bans_check(bans, &entry);
}

static struct gw_bans *bans_after(uint64_t number)
{
    struct gw_bans *bans = gw_bans_create();
    static const struct gw_ban other = { .kind = GW_BAN_TAG, .text = S("of nothing") };
    assert_non_null(bans);
    assert_true(take_one(bans, 0, number, &other));
    return bans;
}

static void a_ban_matches_by_its_kind(void **state)
{
    static const struct row {
        struct gw_ban ban;
        bool matches;
    } rows[] = {
        { { .kind = GW_BAN_ALL }, true },
        { { .kind = GW_BAN_ALL, .host = S("a.example:8080") }, true },
        { { .kind = GW_BAN_ALL, .host = S("a.example") }, false },
        { { .kind = GW_BAN_URL, .text = S("/shop/items?page=2") }, true },
        { { .kind = GW_BAN_URL, .text = S("/shop/items") }, false },
        { { .kind = GW_BAN_URL, .text = S("/shop/items?page=2"), .host = S("a.example:8080") }, true },
        { { .kind = GW_BAN_URL, .text = S("/shop/items?page=2"), .host = S("b.example") }, false },
        { { .kind = GW_BAN_PREFIX, .text = S("/shop/") }, true },
        { { .kind = GW_BAN_PREFIX, .text = S("") }, true },
        { { .kind = GW_BAN_PREFIX, .text = S("/shop/items?page=2") }, true },
        { { .kind = GW_BAN_PREFIX, .text = S("/shop/items?page=23") }, false },
        { { .kind = GW_BAN_PREFIX, .text = S("/Shop/") }, false },
        { { .kind = GW_BAN_PREFIX, .text = S("/shop/"), .host = S("b.example") }, false },
        { { .kind = GW_BAN_TAG, .text = S("one") }, true },
        { { .kind = GW_BAN_TAG, .text = S("three") }, true },
        { { .kind = GW_BAN_TAG, .text = S("two") }, true },
        { { .kind = GW_BAN_TAG, .text = S("two"), .host = S("b.example") }, true },
        { { .kind = GW_BAN_TAG, .text = S("thre") }, false },
        { { .kind = GW_BAN_TAG, .text = S("hree") }, false },
        { { .kind = GW_BAN_TAG, .text = S("Two") }, false },
        { { .kind = GW_BAN_TAG, .text = S("one three") }, false },
        { { .kind = GW_BAN_TAG, .text = S("") }, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows) * 2; i++) {
        struct gw_ban ban = rows[i / 2].ban;
        struct gw_bans *bans = gw_bans_create();
        ban.is_soft = i % 2;
        assert_non_null(bans);
        enum gw_ban_verdict wanted = !rows[i / 2].matches ? GW_BAN_NONE : ban.is_soft ? GW_BAN_SOFT : GW_BAN_HARD;
        print_message("%c '%.*s' %d\n", ban.kind, GW_SLICE_ARGS(ban.text), ban.is_soft);
        assert_true(take_one(bans, 0, FIRST, &ban));
        assert_int_equal(verdict_of(bans, FIRST - 1), wanted);
        assert_int_equal(verdict_of(bans, FIRST), GW_BAN_NONE); /* fetched by an instance that knew the ban */
        gw_bans_destroy(&bans);
    }
}

static void a_ban_ends_what_is_older_and_that_once(void **state)
{
    static const struct gw_ban soft = { .kind = GW_BAN_ALL, .is_soft = true };
    static const struct gw_ban hard = { .kind = GW_BAN_TAG, .text = S("one") };
    struct gw_bans *bans = bans_after(FIRST);
    struct gw_entry entry = { .tags = S("one"), .ban_sequence = gw_bans_sequence(bans), .freshness_s = 60 };
    (void)state;
    assert_int_equal(gw_bans_check(bans, &entry), GW_BAN_NONE);
    assert_int_equal(atomic_load(&entry.bans_checked), FIRST);
    assert_true(take_one(bans, 0, FIRST + GW_BANS_STEP, &soft));
    assert_int_equal(gw_bans_check(bans, &entry), GW_BAN_SOFT);
    assert_true(atomic_load(&entry.is_outdated));
    assert_int_equal(gw_entry_freshness_s(&entry, 3), 3);
    assert_int_equal(gw_bans_check(bans, &entry), GW_BAN_SOFT); /* it stays as it was made */
    assert_true(take_one(bans, 0, FIRST + 2 * GW_BANS_STEP, &hard));
    assert_int_equal(gw_bans_check(bans, &entry), GW_BAN_HARD);
    assert_int_equal(gw_bans_check(bans, &entry), GW_BAN_HARD);
    assert_int_equal(verdict_of(bans, FIRST), GW_BAN_HARD); /* of a soft and a hard one */
    assert_int_equal(verdict_of(bans, FIRST + 2 * GW_BANS_STEP), GW_BAN_NONE);
    gw_bans_destroy(&bans);
}

static void what_was_told_already_is_not_taken_again(void **state)
{
    static const struct gw_ban all = { .kind = GW_BAN_ALL };
    struct gw_bans *bans = bans_after(FIRST);
    bool changed = true;
    (void)state;
    assert_true(take_one(bans, 0, FIRST + GW_BANS_STEP, &all));
    assert_false(take_one(bans, 0, FIRST + GW_BANS_STEP, &all)); /* two workers asked */
    assert_false(take_one(bans, 0, FIRST, &all));                /* an answer that was overtaken */
    assert_int_equal(gw_bans_sequence(bans), FIRST + GW_BANS_STEP);
    assert_int_equal(gw_bans_known(bans), FIRST + GW_BANS_STEP);
    assert_int_equal(gw_bans_take(bans, GW_SLICE(""), &changed), GW_BANS_ALL_TAKEN);
    assert_false(changed);
    gw_bans_destroy(&bans);
}

/* The log is longer than an answer; another worker has taken its first part meanwhile. */
static void a_log_is_taken_in_parts(void **state)
{
    static const struct gw_ban one = { .kind = GW_BAN_TAG, .text = S("one") };
    static const struct gw_ban two = { .kind = GW_BAN_TAG, .text = S("two") };
    char memory[4096];
    bool changed;
    struct gw_bans *bans = gw_bans_create();
    (void)state;
    assert_non_null(bans);
    struct gw_buffer log = gw_buffer_over(memory, sizeof(memory));
    begin_log(&log, 1, 1, 0, FIRST);
    put_ban(&log, FIRST, &one);
    assert_int_equal(gw_bans_take(bans, gw_buffer_slice(&log), &changed), GW_BANS_MORE);
    assert_true(changed);
    assert_int_equal(gw_bans_known(bans), FIRST);
    assert_int_equal(gw_bans_take(bans, gw_buffer_slice(&log), &changed), GW_BANS_MORE);
    assert_false(changed);
    log.length = 0;
    begin_log(&log, 2, 0, 0, FIRST + GW_BANS_STEP);
    put_ban(&log, FIRST, &one);
    put_ban(&log, FIRST + GW_BANS_STEP, &two);
    assert_true(take(bans, &log));
    assert_int_equal(gw_bans_known(bans), FIRST + GW_BANS_STEP);
    assert_int_equal(verdict_of(bans, FIRST), GW_BAN_HARD);
    gw_bans_destroy(&bans);
}

static void what_is_older_than_the_floor_is_ended(void **state)
{
    char memory[64];
    struct gw_bans *bans = bans_after(FIRST);
    struct gw_buffer log = gw_buffer_over(memory, sizeof(memory));
    struct gw_entry entry = { .ban_sequence = FIRST };
    (void)state;
    assert_int_equal(gw_bans_check(bans, &entry), GW_BAN_NONE);
    begin_log(&log, 0, 0, 2 * FIRST, 2 * FIRST); /* begun anew: the log had lost bans */
    assert_true(take(bans, &log));
    assert_int_equal(gw_bans_sequence(bans), 2 * FIRST);
    assert_int_equal(gw_bans_check(bans, &entry), GW_BAN_HARD);
    assert_int_equal(verdict_of(bans, 2 * FIRST - 1), GW_BAN_HARD);
    assert_int_equal(verdict_of(bans, 2 * FIRST), GW_BAN_NONE);
    gw_bans_destroy(&bans);
}

static void the_oldest_ban_leaves_and_raises_the_floor(void **state)
{
    static const struct gw_ban other = { .kind = GW_BAN_URL, .text = S("/other") };
    struct gw_bans *bans = bans_after(FIRST);
    struct gw_entry followed = { .ban_sequence = FIRST - 1 };
    (void)state;
    for (unsigned i = 1; i < GW_BANS_MAX; i++)
        assert_true(take_one(bans, 0, FIRST + i, &other));
    assert_int_equal(verdict_of(bans, FIRST - 1), GW_BAN_NONE);
    assert_int_equal(gw_bans_check(bans, &followed), GW_BAN_NONE);
    assert_true(take_one(bans, 0, FIRST + GW_BANS_MAX, &other));
    assert_int_equal(verdict_of(bans, FIRST - 1), GW_BAN_HARD);
    assert_int_equal(verdict_of(bans, FIRST), GW_BAN_NONE);
    assert_int_equal(gw_bans_check(bans, &followed), GW_BAN_NONE); /* it was compared with the one that left */
    for (unsigned i = 1; i < 2 * GW_BANS_MAX; i++)
        assert_true(take_one(bans, 0, FIRST + GW_BANS_MAX + i, &other));
    assert_int_equal(verdict_of(bans, FIRST + 2 * GW_BANS_MAX - 2), GW_BAN_HARD);
    assert_int_equal(verdict_of(bans, FIRST + 2 * GW_BANS_MAX - 1), GW_BAN_NONE);
    gw_bans_destroy(&bans);
}

static void without_a_store_the_clock_gives_numbers_that_only_rise(void **state)
{
    static const struct row {
        uint64_t now_us, number;
    } rows[] = { { 5000, 5000 }, { 5000, 5001 }, { 7000, 7000 }, { 100, 7001 } };
    static const struct gw_ban all = { .kind = GW_BAN_ALL };
    struct gw_bans *bans = gw_bans_create();
    (void)state;
    assert_non_null(bans);
    assert_int_equal(gw_bans_sequence(bans), 0);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        assert_true(gw_bans_add(bans, &all, rows[i].now_us));
        assert_int_equal(gw_bans_sequence(bans), rows[i].number);
        assert_int_equal(verdict_of(bans, rows[i].number - 1), GW_BAN_HARD);
        assert_int_equal(verdict_of(bans, rows[i].number), GW_BAN_NONE);
    }
    assert_int_equal(gw_bans_known(bans), 0);
    gw_bans_destroy(&bans);
}

static void what_could_not_be_sent_lies_between_two_numbers_of_the_log(void **state)
{
    static const struct gw_ban one = { .kind = GW_BAN_TAG, .text = S("one") };
    static const struct gw_ban none = { .kind = GW_BAN_TAG, .text = S("none") };
    struct gw_bans *bans = bans_after(FIRST);
    (void)state;
    assert_true(gw_bans_add(bans, &one, 9 * (uint64_t)FIRST)); /* no gateway's clock enters */
    assert_int_equal(gw_bans_sequence(bans), FIRST + 1);
    assert_int_equal(gw_bans_known(bans), FIRST);
    assert_int_equal(verdict_of(bans, FIRST), GW_BAN_HARD);
    assert_int_equal(verdict_of(bans, FIRST + 1), GW_BAN_NONE);
    assert_true(take_one(bans, 0, FIRST + GW_BANS_STEP, &none));
    assert_int_equal(gw_bans_sequence(bans), FIRST + GW_BANS_STEP);
    assert_int_equal(verdict_of(bans, FIRST), GW_BAN_HARD); /* kept */
    for (unsigned i = 1; i < GW_BANS_STEP + 5; i++)
        assert_true(gw_bans_add(bans, &one, 0));
    assert_int_equal(gw_bans_sequence(bans), FIRST + 2 * GW_BANS_STEP - 1); /* below all that come */
    assert_int_equal(verdict_of(bans, FIRST + 2 * GW_BANS_STEP - 2), GW_BAN_HARD);
    gw_bans_destroy(&bans);
}

static void a_ban_that_is_too_long_is_one_of_all(void **state)
{
    char text[GW_BAN_TEXT_BYTES + 1], packed[GW_BAN_TEXT_BYTES + 16];
    struct gw_bans *bans = bans_after(FIRST);
    struct gw_ban ban = { .kind = GW_BAN_URL, .host = S("x"), .text = { text, GW_BAN_TEXT_BYTES } };
    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(gw_bans_pack(&ban, packed), 0);
    assert_false(gw_bans_add(bans, &ban, 0));
    assert_int_equal(verdict_of(bans, FIRST), GW_BAN_HARD);
    assert_int_equal(verdict_of(bans, FIRST + 1), GW_BAN_NONE);
    ban.text.length--;
    assert_int_equal(gw_bans_pack(&ban, packed), GW_BAN_TEXT_BYTES + 4);
    assert_true(gw_bans_add(bans, &ban, 0));
    assert_int_equal(verdict_of(bans, FIRST + 1), GW_BAN_NONE);
    gw_bans_destroy(&bans);
}

static void a_ban_that_cannot_be_read_is_a_hard_one_of_all(void **state)
{
    static const struct gw_slice rows[] = {
        S(""),         S("P\0\0"), S("X\0\0\0/other"), S("P\2\0\0/other"), S("P\0\7\0/other"), S("P\1\7\0/other"),
        S("\0\0\0\0"),
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char memory[64];
        struct gw_bans *bans = gw_bans_create();
        struct gw_buffer log = gw_buffer_over(memory, sizeof(memory));
        assert_non_null(bans);
        begin_log(&log, 1, 0, 0, FIRST);
        put_packed(&log, FIRST, rows[i]);
        assert_true(take(bans, &log));
        assert_int_equal(verdict_of(bans, FIRST - 1), GW_BAN_HARD);
        assert_int_equal(verdict_of(bans, FIRST), GW_BAN_NONE);
        gw_bans_destroy(&bans);
    }
}

/* A good answer cut at every place, a good answer with one byte too many, and answers that contradict themselves. */
static void of_an_answer_that_does_not_parse_nothing_is_taken(void **state)
{
    static const struct row {
        unsigned count, flags;
        uint64_t floor, known, first, second;
    } rows[] = {
        { 2, 0, 0, 2 * FIRST, 2 * FIRST, 2 * FIRST }, /* numbers must rise */
        { 2, 0, 0, 2 * FIRST, 3 * FIRST, 2 * FIRST },
        { 2, 0, 0, 3 * FIRST, FIRST + 1, 2 * FIRST }, /* and end at the known number */
        { 2, 0, 0, FIRST + 1, FIRST + 1, 2 * FIRST },
        { 2, 0, 3 * FIRST, 2 * FIRST, FIRST + 1, 2 * FIRST },
        { 2, 2, 0, 2 * FIRST, FIRST + 1, 2 * FIRST },
        { 1, 0, 0, 2 * FIRST, FIRST + 1, 2 * FIRST },
        { 3, 0, 0, 2 * FIRST, FIRST + 1, 2 * FIRST },
        { 2, 0, 0, UINT64_MAX, FIRST + 1, UINT64_MAX },
    };
    static const struct gw_ban all = { .kind = GW_BAN_ALL };
    char memory[256];
    bool changed;
    struct gw_bans *bans = bans_after(FIRST);
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_buffer log = gw_buffer_over(memory, sizeof(memory));
        begin_log(&log, rows[i].count, rows[i].flags, rows[i].floor, rows[i].known);
        put_ban(&log, rows[i].first, &all);
        put_ban(&log, rows[i].second, &all);
        assert_int_equal(gw_bans_take(bans, gw_buffer_slice(&log), &changed), GW_BANS_NONSENSE);
        assert_false(changed);
    }
    struct gw_buffer log = gw_buffer_over(memory, sizeof(memory));
    begin_log(&log, 2, 0, 0, 2 * FIRST);
    put_ban(&log, FIRST + 1, &all);
    put_ban(&log, 2 * FIRST, &all);
    gw_buffer_put_char(&log, 0);
    for (size_t length = 1; length <= log.length; length++) {
        char *exact = malloc(length); /* so that reading on is seen */
        assert_non_null(exact);
        memcpy(exact, memory, length);
        enum gw_bans_taken wanted = length == log.length - 1 ? GW_BANS_ALL_TAKEN : GW_BANS_NONSENSE;
        if (wanted == GW_BANS_NONSENSE)
            assert_int_equal(gw_bans_take(bans, gw_slice_of(exact, length), &changed), wanted);
        free(exact);
    }
    begin_log(&log, 0, 1, 0, 2 * FIRST); /* "more", but no ban: reading on would never end */
    assert_int_equal(gw_bans_take(bans, gw_slice_of(log.at + log.length - 24, 24), &changed), GW_BANS_NONSENSE);
    assert_int_equal(gw_bans_sequence(bans), FIRST);
    assert_int_equal(verdict_of(bans, FIRST), GW_BAN_NONE);
    gw_bans_destroy(&bans);
}

/* These bytes are in redis/README.md and in tests/redis/test_purge.py. */
static void the_format_is_the_scripts(void **state)
{
    static const struct gw_slice wanted = S("P\001\011\000a.example/shop/"),
                                 log = S("GWP1\001\000\000\000\000\000\000\000\000\000\000\000\000\200\230("
                                         "\027e\006\000\000\200\230(\027e\006\000\023\000P\001\011\000a.example/shop/");
    static const struct gw_ban ban = {
        .kind = GW_BAN_PREFIX, .is_soft = true, .host = S("a.example"), .text = S("/shop/")
    };
    char packed[GW_BAN_TEXT_BYTES + 16];
    bool changed;
    struct gw_bans *bans = gw_bans_create();
    struct gw_entry entry = { .host = S("a.example"), .path_and_query = S("/shop/?a=b") };
    (void)state;
    assert_non_null(bans);
    assert_true(gw_slice_equal(gw_slice_of(packed, gw_bans_pack(&ban, packed)), wanted));
    assert_int_equal(gw_bans_take(bans, log, &changed), GW_BANS_ALL_TAKEN);
    assert_int_equal(gw_bans_sequence(bans), UINT64_C(1800000000000000));
    assert_int_equal(gw_bans_check(bans, &entry), GW_BAN_SOFT);
    gw_bans_destroy(&bans);
}

static void one_of_many_threads_polls(void **state)
{
    struct gw_bans *bans = gw_bans_create();
    (void)state;
    assert_non_null(bans);
    assert_true(gw_bans_claim_poll(bans, 1000, 500));
    assert_false(gw_bans_claim_poll(bans, 1000, 500));
    assert_false(gw_bans_claim_poll(bans, 1499, 500));
    assert_true(gw_bans_claim_poll(bans, 1500, 500));
    assert_true(gw_bans_claim_poll(bans, 1500, 0));
    gw_bans_destroy(&bans);
}

/* Every ban is about tag "x": an entry that a reader makes after it has seen a number is ended by the next ban. */
static void *check_until_the_end(void *context)
{
    struct gw_bans *bans = context;
    static struct gw_entry redis_cache = { .tags = S("a x") };
    for (uint64_t sequence = 0; sequence < FIRST + 3000;) {
        sequence = gw_bans_sequence(bans);
        struct gw_entry own = { .tags = S("x b"), .ban_sequence = sequence };
        enum gw_ban_verdict verdict = gw_bans_check(bans, &own);
        if (verdict != GW_BAN_NONE && gw_bans_sequence(bans) == sequence)
            return bans;
        if (gw_bans_check(bans, &redis_cache) == GW_BAN_NONE && sequence)
            return bans;
    }
    return NULL;
}

static void bans_come_while_entries_are_compared(void **state)
{
    static const struct gw_ban tag = { .kind = GW_BAN_TAG, .text = S("x"), .is_soft = true };
    struct gw_bans *bans = gw_bans_create();
    pthread_t readers[3];
    void *failed;
    (void)state;
    assert_non_null(bans);
    for (size_t i = 0; i < GW_COUNT(readers); i++)
        assert_int_equal(pthread_create(&readers[i], NULL, check_until_the_end, bans), 0);
    for (unsigned i = 0; i <= 3000; i++)
        assert_true(take_one(bans, 0, FIRST + i, &tag));
    for (size_t i = 0; i < GW_COUNT(readers); i++) {
        pthread_join(readers[i], &failed);
        assert_null(failed);
    }
    gw_bans_destroy(&bans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ban_matches_by_its_kind),
        cmocka_unit_test(a_ban_ends_what_is_older_and_that_once),
        cmocka_unit_test(what_was_told_already_is_not_taken_again),
        cmocka_unit_test(a_log_is_taken_in_parts),
        cmocka_unit_test(what_is_older_than_the_floor_is_ended),
        cmocka_unit_test(the_oldest_ban_leaves_and_raises_the_floor),
        cmocka_unit_test(without_a_store_the_clock_gives_numbers_that_only_rise),
        cmocka_unit_test(what_could_not_be_sent_lies_between_two_numbers_of_the_log),
        cmocka_unit_test(a_ban_that_is_too_long_is_one_of_all),
        cmocka_unit_test(a_ban_that_cannot_be_read_is_a_hard_one_of_all),
        cmocka_unit_test(of_an_answer_that_does_not_parse_nothing_is_taken),
        cmocka_unit_test(the_format_is_the_scripts),
        cmocka_unit_test(one_of_many_threads_polls),
        cmocka_unit_test(bans_come_while_entries_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
