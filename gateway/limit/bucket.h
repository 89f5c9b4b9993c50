/* bucket.h: the token bucket's arithmetic (docs/limits.md: "The bucket").
 *
 * Data     A bucket is one number, the instant at which it is full again: tokens = burst - (full_at - now) * n /
 *          period. It is held as microseconds and a rest in 1/n µs, so that nothing is lost at 700,000/s or at 1/h.
 *          All zero is a full bucket.
 * Rules    An instant in the past is a full bucket. A bucket that would be full more than a whole refill from now
 *          (the clock went back) is set to now + a whole refill, also when it refuses.
 * Threads  Pure: time is an argument, on one clock that the caller keeps to. */
#ifndef GW_LIMIT_BUCKET_H
#define GW_LIMIT_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct gw_bucket {
    uint64_t full_at_us;
    uint64_t rest; /* in 1/n µs, < n */
};

/* The rate's numbers, as in struct gw_limit_policy; burst * period / n is a year at most. */
struct gw_bucket_rate {
    uint64_t n;
    uint64_t period_us;
    uint64_t burst;
};

struct gw_bucket_answer {
    bool allowed;
    uint64_t remaining;     /* whole tokens left (after the take, if it was allowed) */
    uint64_t next_us;       /* until `cost` tokens can be there; 0 if allowed */
    uint64_t full_after_us; /* until the bucket is full */
};

/* Could `cost` be taken? Changes nothing but for the clamp. */
struct gw_bucket_answer gw_bucket_look(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost,
                                       uint64_t now_us);
/* Takes it, if it is there. */
struct gw_bucket_answer gw_bucket_take(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost,
                                       uint64_t now_us);
/* Takes it in any case, but never below empty. */
void gw_bucket_charge(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us);
/* Puts it back, but never above full. */
void gw_bucket_refund(struct gw_bucket *bucket, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us);
/* From one capacity to another at the same n and period: what is there stays the same part of the whole, rounded down,
 * so that a full bucket stays full and an empty one empty. */
void gw_bucket_rescale(struct gw_bucket *bucket, uint64_t from_burst, uint64_t to_burst, uint64_t now_us);

/* Of two buckets of one rate: does this one hold less? */
static inline bool gw_bucket_is_lower(const struct gw_bucket *bucket, const struct gw_bucket *other)
{
    return bucket->full_at_us > other->full_at_us ||
           (bucket->full_at_us == other->full_at_us && bucket->rest > other->rest);
}

#endif
