/* bucket.h: the token bucket's arithmetic (docs/limits.md: "The bucket").
 *
 * Data     A bucket is one number, the instant at which it is full again: tokens = burst - (full_at - now) * n /
 *          period. It is held as microseconds and a rest in 1/n µs, so that nothing is lost at 700,000/s or at 1/h.
 *          All zero is a full bucket.
 * Rules    With an instant in the past the bucket is full. A bucket that would be full later than a whole refill from
 *          now (the clock went back) is set to now + a whole refill, also when it refuses.
 * Threads  Pure: time is an argument. The caller must always use the same clock. */
#ifndef GW_LIMIT_BUCKET_H
#define GW_LIMIT_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct gw_bucket {
    uint64_t full_at_us;
    uint64_t rest; /* in 1/n µs, < n */
};

/* The numbers of struct gw_limit_policy. burst * period / n is at most a year. */
struct gw_bucket_rate {
    uint64_t n;
    uint64_t period_us;
    uint64_t burst;
};

struct gw_bucket_answer {
    bool allowed;
    uint64_t remaining;     /* whole tokens that are left; after the take, if it was allowed */
    uint64_t next_us;       /* until `cost` tokens can be there; 0 if allowed */
    uint64_t full_after_us; /* until the bucket is full */
};

/* Could `cost` be taken? Changes nothing except for the clamp. */
struct gw_bucket_answer gw_bucket_look(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost,
                                       uint64_t now_us);
/* Takes `cost` if the bucket has it. */
struct gw_bucket_answer gw_bucket_take(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost,
                                       uint64_t now_us);
/* Takes `cost` in any case; a bucket with less becomes empty. */
void gw_bucket_charge(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us);
/* Puts `cost` back; a bucket cannot become more than full. */
void gw_bucket_refund(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us);
/* Changes the capacity at the same n and period. The content stays the same part of the capacity, rounded down, so that
 * a full bucket stays full and an empty one empty. */
void gw_bucket_rescale(struct gw_bucket *bucket, uint64_t from_burst, uint64_t to_burst, uint64_t now_us);

/* Does this bucket hold less than another one with the same rate? */
static inline bool gw_bucket_is_lower(const struct gw_bucket *bucket, const struct gw_bucket *other)
{
    return bucket->full_at_us > other->full_at_us ||
           (bucket->full_at_us == other->full_at_us && bucket->rest > other->rest);
}

#endif
