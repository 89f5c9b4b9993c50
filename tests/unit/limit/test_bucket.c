#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base.h"
#include "limit/bucket.h"

__extension__ typedef __int128 wide;

static const uint64_t second = 1000000, hour = 3600000000, start = 5000000000;

/* xorshift64*: the same schedules in every run. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545f4914f6cdd1dull;
}

static uint64_t random_below(uint64_t *seed, uint64_t bound)
{
    return next_random(seed) % bound;
}

static const struct gw_bucket_rate rates[] = {
    { 1, 3600000000, 1 },      { 1, 3600000000, 7 },
    { 7, 3600000000, 3 },      { 10, 60000000, 5 },
    { 10, 1000000, 20 },       { 3, 1000000, 2 },
    { 30000, 1000000, 100 },   { 700000, 1000000, 1 },
    { 700000, 1000000, 999 },  { 1000000, 1000000, 50 },
    { 999983, 1000003, 1000 }, { 1000000000, 1000000, 5000 },
    { 1, 86400000000, 365 },   { 1000000000, 86400000000, 1000000000 },
};

struct row {
    uint64_t after_us, cost;
    bool allowed;
    uint64_t remaining, next_us, full_after_us;
};

static void assert_row(const struct gw_bucket_answer *answer, const struct row *row)
{
    assert_int_equal(answer->allowed, row->allowed);
    assert_int_equal(answer->remaining, row->remaining);
    assert_int_equal(answer->next_us, row->next_us);
    assert_int_equal(answer->full_after_us, row->full_after_us);
}

static void walk(const struct gw_bucket_rate *rate, const struct row *rows, size_t count)
{
    struct gw_bucket bucket = { 0 };
    for (size_t i = 0; i < count; i++) {
        struct gw_bucket_answer answer = gw_bucket_take(&bucket, rate, rows[i].cost, start + rows[i].after_us);
        assert_row(&answer, &rows[i]);
    }
}

static void a_drained_bucket_gives_one_token_a_second(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { 0, 1, true, 1, 0, 1000000 },        { 0, 1, true, 0, 0, 2000000 },
        { 0, 1, false, 0, 1000000, 2000000 }, { 999999, 1, false, 0, 1, 1000001 }, /* one µs short of a token */
        { 1000000, 1, true, 0, 0, 2000000 },  { 9000000, 1, true, 1, 0, 1000000 }, /* never more than the burst */
    };
    walk(&(struct gw_bucket_rate) { 1, 1000000, 2 }, rows, GW_COUNT(rows));
}

static void a_third_of_a_microsecond_is_kept(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { 0, 1, true, 0, 0, 333334 }, /* 333333 1/3, told rounded up */
        { 0, 1, false, 0, 333334, 333334 },
        { 333333, 1, false, 0, 1, 1 }, /* a third is missing */
        { 333334, 1, true, 0, 0, 333334 },
        { 666667, 1, false, 0, 1, 1 }, /* full at 666667 1/3: the two thirds over were a bucket's that was full */
        { 666668, 1, true, 0, 0, 333334 },
    };
    walk(&(struct gw_bucket_rate) { 3, 1000000, 1 }, rows, GW_COUNT(rows));
}

static void a_cost_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { 0, 7, true, 3, 0, 700000 },       { 0, 5, false, 3, 200000, 700000 },
        { 0, 3, true, 0, 0, 1000000 },      { 200000, 3, false, 2, 100000, 800000 },
        { 300000, 3, true, 0, 0, 1000000 },
    };
    walk(&(struct gw_bucket_rate) { 10, 1000000, 10 }, rows, GW_COUNT(rows));
}

static void a_look_tells_and_takes_nothing(void **state)
{
    (void)state;
    const struct gw_bucket_rate rate = { 10, second, 5 };
    struct gw_bucket bucket = { 0 };
    for (unsigned i = 0; i < 3; i++) {
        struct gw_bucket_answer answer = gw_bucket_look(&bucket, &rate, 2, start);
        assert_row(&answer, &(struct row) { 0, 2, true, 5, 0, 0 });
    }
    gw_bucket_charge(&bucket, &rate, 4, start);
    struct gw_bucket before = bucket;
    struct gw_bucket_answer answer = gw_bucket_look(&bucket, &rate, 2, start);
    assert_row(&answer, &(struct row) { 0, 2, false, 1, 100000, 400000 });
    assert_memory_equal(&bucket, &before, sizeof bucket);
}

static void a_charge_goes_to_empty_and_no_further(void **state)
{
    (void)state;
    const struct gw_bucket_rate rate = { 10, second, 5 };
    struct gw_bucket bucket = { 0 };
    for (unsigned i = 0; i < 9; i++)
        gw_bucket_charge(&bucket, &rate, 2, start);
    struct gw_bucket_answer answer = gw_bucket_look(&bucket, &rate, 1, start);
    assert_row(&answer, &(struct row) { 0, 1, false, 0, 100000, 500000 });
}

static void a_clock_set_back_costs_one_refill_at_most(void **state)
{
    (void)state;
    const struct gw_bucket_rate rate = { 1, second, 3 };
    struct gw_bucket bucket = { 0 };
    uint64_t back = start - hour;
    gw_bucket_charge(&bucket, &rate, 3, start);
    struct gw_bucket_answer answer = gw_bucket_take(&bucket, &rate, 1, back);
    assert_row(&answer, &(struct row) { 0, 1, false, 0, 1000000, 3000000 });
    assert_int_equal(bucket.full_at_us, back + 3 * second); /* stored, though it refused */
    answer = gw_bucket_take(&bucket, &rate, 1, back + second);
    assert_true(answer.allowed);
}

static void a_look_stores_the_clamp_too(void **state)
{
    (void)state;
    const struct gw_bucket_rate rate = { 7, second, 3 };
    struct gw_bucket bucket = { 0 };
    gw_bucket_charge(&bucket, &rate, 3, start);
    gw_bucket_look(&bucket, &rate, 1, 0);
    assert_int_equal(bucket.full_at_us, 428571); /* 3/7 s */
    assert_int_equal(bucket.rest, 3);
}

/* The model holds what there is instead of what lacks: its unit is 1/period of a token, of which n come in a µs. */
static void assert_as_model(const struct gw_bucket_rate *rate, wide level, uint64_t cost, bool taken,
                            const struct gw_bucket_answer *answer)
{
    wide whole = (wide)rate->burst * rate->period_us, price = (wide)cost * rate->period_us;
    assert_int_equal(answer->allowed, taken);
    assert_int_equal(answer->remaining, (uint64_t)(level / rate->period_us));
    assert_int_equal(answer->next_us, taken ? 0 : (uint64_t)((price - level + rate->n - 1) / rate->n));
    assert_int_equal(answer->full_after_us, (uint64_t)((whole - level + rate->n - 1) / rate->n));
}

/* Steps from nothing over fractions of a token to several refills. */
static uint64_t random_step(uint64_t *seed, const struct gw_bucket_rate *rate)
{
    uint64_t token_us = rate->period_us / rate->n + 1;
    switch (random_below(seed, 6)) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return random_below(seed, token_us * rate->burst * 2);
    default:
        return random_below(seed, token_us * 2);
    }
}

static void one_schedule_follows_the_model(uint64_t *seed, const struct gw_bucket_rate *rate)
{
    struct gw_bucket bucket = { 0 };
    uint64_t now = start + random_below(seed, hour);
    wide whole = (wide)rate->burst * rate->period_us, level = whole;
    for (unsigned i = 0; i < 60; i++) {
        uint64_t step = random_step(seed, rate), cost = 1 + random_below(seed, rate->burst < 4 ? rate->burst : 4);
        wide price = (wide)cost * rate->period_us;
        now += step;
        level += (wide)step * rate->n;
        level = level < whole ? level : whole;
        bool fits = price <= level;
        struct gw_bucket_answer look = gw_bucket_look(&bucket, rate, cost, now);
        assert_as_model(rate, level, cost, fits, &look);
        if (random_below(seed, 8) == 0) {
            gw_bucket_charge(&bucket, rate, cost, now);
            level = fits ? level - price : 0;
            continue;
        }
        struct gw_bucket_answer answer = gw_bucket_take(&bucket, rate, cost, now);
        level -= fits ? price : 0;
        assert_as_model(rate, level, cost, fits, &answer);
        assert_true(bucket.rest < rate->n);
    }
}

static void random_schedules_follow_a_rational_model(void **state)
{
    (void)state;
    uint64_t seed = 20240611;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < 4000; i++)
        one_schedule_follows_the_model(&seed, &rates[i % GW_COUNT(rates)]);
}

/* full_at as one rational number in 1/n µs, on a clock that goes forth and back. */
static void one_schedule_with_a_wild_clock(uint64_t *seed, const struct gw_bucket_rate *rate)
{
    struct gw_bucket bucket = { 0 };
    wide whole = (wide)rate->burst * rate->period_us, full_at = 0;
    uint64_t now = start;
    for (unsigned i = 0; i < 60; i++) {
        now = random_below(seed, 3) ? now + random_step(seed, rate) : now - random_below(seed, now);
        uint64_t cost = 1 + random_below(seed, rate->burst);
        wide at = (wide)now * rate->n, price = (wide)cost * rate->period_us;
        if (full_at > at + whole)
            full_at = at + whole;
        wide from = full_at > at ? full_at : at;
        bool fits = from + price <= at + whole;
        if (fits)
            full_at = from + price;
        struct gw_bucket_answer answer = gw_bucket_take(&bucket, rate, cost, now);
        assert_int_equal(answer.allowed, fits);
        assert_true((wide)bucket.full_at_us * rate->n + bucket.rest == full_at);
    }
}

static void a_wild_clock_follows_a_rational_model(void **state)
{
    (void)state;
    uint64_t seed = 77001;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < 4000; i++)
        one_schedule_with_a_wild_clock(&seed, &rates[i % GW_COUNT(rates)]);
}

enum { ASKS = 1500 };

/* Admissions of any window: between each two of them, both included. */
static void assert_windows_hold(const struct gw_bucket_rate *rate, const uint64_t *at, const uint64_t *cost,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wide sum = 0;
        for (size_t j = i; j < count; j++) {
            sum += cost[j];
            wide due = (wide)(at[j] - at[i]) * rate->n + (wide)rate->burst * rate->period_us;
            if (sum * rate->period_us > due)
                fail_msg("window %zu to %zu", i, j);
        }
    }
}

static void no_window_admits_more_than_rate_and_burst(void **state)
{
    (void)state;
    uint64_t seed = 4242;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t r = 0; r < GW_COUNT(rates); r++) {
        static uint64_t at[ASKS], cost[ASKS];
        struct gw_bucket bucket = { 0 };
        uint64_t now = start;
        size_t count = 0;
        for (unsigned i = 0; i < ASKS; i++) {
            now += random_step(&seed, &rates[r]) / 4;
            at[count] = now;
            cost[count] = 1 + random_below(&seed, rates[r].burst < 3 ? rates[r].burst : 3);
            count += gw_bucket_take(&bucket, &rates[r], cost[count], now).allowed;
        }
        assert_true(count > 0);
        assert_windows_hold(&rates[r], at, cost, count);
    }
}

static void nothing_is_lost_when_asked_at_every_microsecond(void **state)
{
    (void)state;
    static const struct {
        struct gw_bucket_rate rate;
        uint64_t due; /* in the second from start on */
    } rows[] = {
        { { 700000, 1000000, 10 }, 10 + 700000 },
        { { 30000, 1000000, 10 }, 10 + 30000 },
        { { 1000000, 1000000, 1 }, 1 + 1000000 },
        { { 999999, 1000000, 2 }, 2 + 999999 },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_bucket bucket = { 0 };
        uint64_t admitted = 0;
        for (uint64_t us = 0; us <= second; us++)
            while (gw_bucket_take(&bucket, &rows[i].rate, 1, start + us).allowed)
                admitted++;
        assert_int_equal(admitted, rows[i].due);
    }
}

static void nothing_is_lost_at_one_an_hour(void **state)
{
    (void)state;
    const struct gw_bucket_rate rate = { 1, hour, 1 };
    struct gw_bucket bucket = { 0 };
    uint64_t admitted = 0;
    for (uint64_t minute = 0; minute <= 60 * 1000; minute++)
        admitted += gw_bucket_take(&bucket, &rate, 1, start + minute * 60 * second).allowed;
    assert_int_equal(admitted, 1 + 1000);
}

static void a_refund_puts_back_what_was_taken_and_never_more_than_full(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rates); i++) {
        struct gw_bucket bucket = { 0 }, before;
        uint64_t cost = (rates[i].burst + 1) / 2;
        gw_bucket_take(&bucket, &rates[i], rates[i].burst - cost, start);
        before = bucket;
        gw_bucket_take(&bucket, &rates[i], cost, start + 3);
        gw_bucket_refund(&bucket, &rates[i], cost, start + 3);
        assert_int_equal(gw_bucket_look(&bucket, &rates[i], 1, start + 3).full_after_us,
                         gw_bucket_look(&before, &rates[i], 1, start + 3).full_after_us);
        gw_bucket_refund(&bucket, &rates[i], rates[i].burst, start + 4);
        gw_bucket_refund(&bucket, &rates[i], rates[i].burst, start + 4);
        assert_int_equal(gw_bucket_look(&bucket, &rates[i], 1, start + 4).full_after_us, 0);
        assert_int_equal(gw_bucket_look(&bucket, &rates[i], 1, start + 4).remaining, rates[i].burst);
    }
}

static void another_capacity_keeps_the_part_that_is_there(void **state)
{
    (void)state;
    static const struct {
        uint64_t from, to, taken, remaining;
    } rows[] = { { 20, 20, 7, 13 }, { 20, 40, 20, 0 }, { 40, 20, 40, 0 },    { 20, 40, 0, 40 },   { 40, 20, 0, 20 },
                 { 20, 40, 5, 30 }, { 40, 20, 9, 15 }, { 2, 1000000, 2, 0 }, { 1000000, 2, 1, 1 } };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_bucket_rate from = { 10, second, rows[i].from }, to = { 10, second, rows[i].to };
        struct gw_bucket bucket = { 0 };
        gw_bucket_take(&bucket, &from, rows[i].taken, start);
        gw_bucket_rescale(&bucket, from.burst, to.burst, start);
        uint64_t remaining = gw_bucket_look(&bucket, &to, 1, start).remaining;
        assert_int_equal(remaining, rows[i].remaining);
        gw_bucket_rescale(&bucket, to.burst, UINT64_MAX, start); /* however large: it is clamped, not wrapped */
        assert_true(bucket.full_at_us >= start || !rows[i].taken);
        assert_true(bucket.full_at_us <= start + UINT64_MAX / 2);
    }
}

static void the_lower_of_two_is_full_later(void **state)
{
    (void)state;
    const struct gw_bucket a = { 5, 1 }, b = { 5, 2 }, c = { 6, 0 };
    assert_true(gw_bucket_is_lower(&b, &a) && gw_bucket_is_lower(&c, &b) && gw_bucket_is_lower(&c, &a));
    assert_false(gw_bucket_is_lower(&a, &b) || gw_bucket_is_lower(&b, &c) || gw_bucket_is_lower(&a, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drained_bucket_gives_one_token_a_second),
        cmocka_unit_test(a_third_of_a_microsecond_is_kept),
        cmocka_unit_test(a_cost_is_taken_whole_or_not_at_all),
        cmocka_unit_test(a_look_tells_and_takes_nothing),
        cmocka_unit_test(a_charge_goes_to_empty_and_no_further),
        cmocka_unit_test(a_clock_set_back_costs_one_refill_at_most),
        cmocka_unit_test(a_look_stores_the_clamp_too),
        cmocka_unit_test(random_schedules_follow_a_rational_model),
        cmocka_unit_test(a_wild_clock_follows_a_rational_model),
        cmocka_unit_test(no_window_admits_more_than_rate_and_burst),
        cmocka_unit_test(nothing_is_lost_when_asked_at_every_microsecond),
        cmocka_unit_test(nothing_is_lost_at_one_an_hour),
        cmocka_unit_test(a_refund_puts_back_what_was_taken_and_never_more_than_full),
        cmocka_unit_test(another_capacity_keeps_the_part_that_is_there),
        cmocka_unit_test(the_lower_of_two_is_full_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
