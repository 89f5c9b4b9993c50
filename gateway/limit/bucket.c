/* bucket.c: everything is counted in parts; a part is 1/n µs. Then a token needs exactly period_us parts to come, and a
 * µs has exactly n parts, so all sums are exact integers. Only the numbers of an answer (whole tokens, µs) are rounded.
 * A year in parts of 1/10^9 µs needs 75 bits. Most amounts fit into 64 bits, whose division is several times
 * cheaper. */
#include "limit/bucket.h"

__extension__ typedef unsigned __int128 parts;

static uint64_t bucket_divide(parts amount, uint64_t by)
{
    if (amount >> 64)
        return (uint64_t)(amount / by);
    return (uint64_t)amount / by;
}

static uint64_t bucket_divide_up(parts amount, uint64_t by)
{
    return bucket_divide(amount + (by - 1), by);
}

static parts bucket_tokens(const struct gw_bucket_rate *rate, uint64_t count)
{
    return (parts)count * rate->period_us;
}

static void bucket_set_lack(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t now_us, parts lack)
{
    uint64_t us = bucket_divide(lack, rate->n);
    bucket->full_at_us = now_us + us;
    bucket->rest = (uint64_t)(lack - (parts)us * rate->n);
}

/* The parts that the bucket lacks until it is full. A bucket can lack more than its whole content only after a clock went
 * back. The clamped value must be stored at once: otherwise all requests would be refused until the clock has reached its
 * old time again. */
static parts bucket_clamped_lack(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t now_us)
{
    if (bucket->full_at_us < now_us)
        return 0;
    parts lack = (parts)(bucket->full_at_us - now_us) * rate->n + bucket->rest;
    parts whole = bucket_tokens(rate, rate->burst);
    if (lack <= whole)
        return lack;
    bucket_set_lack(bucket, rate, now_us, whole);
    return whole;
}

static struct gw_bucket_answer bucket_answer_of(const struct gw_bucket_rate *rate, parts lack, parts missing)
{
    return (struct gw_bucket_answer) {
        .allowed = missing == 0,
        .remaining = bucket_divide(bucket_tokens(rate, rate->burst) - lack, rate->period_us),
        .next_us = missing ? bucket_divide_up(missing, rate->n) : 0,
        .full_after_us = lack ? bucket_divide_up(lack, rate->n) : 0,
    };
}

/* The parts that must come before `cost` can be taken from a bucket that lacks `lack`. */
static parts bucket_missing_for(const struct gw_bucket_rate *rate, uint64_t cost, parts lack)
{
    parts after = lack + bucket_tokens(rate, cost), whole = bucket_tokens(rate, rate->burst);
    return after > whole ? after - whole : 0;
}

struct gw_bucket_answer gw_bucket_look(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost,
                                       uint64_t now_us)
{
    parts lack = bucket_clamped_lack(bucket, rate, now_us);
    return bucket_answer_of(rate, lack, bucket_missing_for(rate, cost, lack));
}

struct gw_bucket_answer gw_bucket_take(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost,
                                       uint64_t now_us)
{
    parts lack = bucket_clamped_lack(bucket, rate, now_us);
    parts missing = bucket_missing_for(rate, cost, lack);
    if (!missing) {
        lack += bucket_tokens(rate, cost);
        bucket_set_lack(bucket, rate, now_us, lack);
    }
    return bucket_answer_of(rate, lack, missing);
}

void gw_bucket_charge(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us)
{
    parts lack = bucket_clamped_lack(bucket, rate, now_us) + bucket_tokens(rate, cost);
    parts whole = bucket_tokens(rate, rate->burst);
    bucket_set_lack(bucket, rate, now_us, lack < whole ? lack : whole);
}

void gw_bucket_refund(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us)
{
    parts lack = bucket_clamped_lack(bucket, rate, now_us), back = bucket_tokens(rate, cost);
    bucket_set_lack(bucket, rate, now_us, lack > back ? lack - back : 0);
}

void gw_bucket_rescale(struct gw_bucket *bucket, uint64_t from_burst, uint64_t to_burst, uint64_t now_us)
{
    const uint64_t longest = UINT64_MAX / 2; /* the next look clamps a bucket that lacks too much */
    if (from_burst == to_burst || bucket->full_at_us < now_us)
        return;
    parts lack = (parts)(bucket->full_at_us - now_us) + (bucket->rest > 0);
    lack = (lack * to_burst + from_burst - 1) / from_burst;
    bucket->full_at_us = now_us + (lack < longest ? (uint64_t)lack : longest);
    bucket->rest = 0;
}
