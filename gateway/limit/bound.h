/* bound.h: an upper bound of the tokens in the store's bucket of a client (docs/limits.md: "What is known here").
 *
 * Shape    The bound is a bucket that holds at least as much as the store's bucket. It begins full, which is always
 *          right. A question takes its cost from the bound when it is sent, as if it were admitted; so only the rest is
 *          left for later requests. An answer lowers the bound to the store's level, counted from the moment when the
 *          question was sent: the store decided later than that, so its bucket is full later, too. Of two answers the
 *          lower one counts, in whatever order they come. So the bound is also right with several connections, where an
 *          answer may or may not contain what another question took.
 * Refusals The store would refuse a cost above the bound. If a cost is above the bound only because of questions under
 *          way, and not smaller than theirs, the store would refuse it, too: either these questions are admitted, or
 *          the store lacked their cost within this round trip. A smaller cost is compared with the bound without the
 *          questions under way. (So requests with a small cost may ask often while a larger question is under way, but
 *          no longer.)
 * Age      The bound counts for 1 s from the moment when the question was sent. So it is not wrong for longer when the
 *          store has lost the key, or when clocks run at different rates. In the last quarter of this second, one
 *          question at a time may be sent although the bound would refuse it, so that the bound does not end in the
 *          middle of a flood. The answer replaces the bound, even with a higher level.
 * Threads  Pure: time is an argument. The caller holds a lock on the bound. */
#ifndef GW_LIMIT_BOUND_H
#define GW_LIMIT_BOUND_H

#include "limit/bucket.h"

enum { GW_BOUND_BELIEVED_US = 1000000, GW_BOUND_RENEWED_US = 750000 };

struct gw_bound {
    struct gw_bucket level; /* the costs of questions under way are taken from it already */
    uint64_t since_us;      /* when the question was sent that it comes from */
    uint64_t reserved;      /* tokens of questions under way, which are taken from level */
    uint64_t most;          /* the largest cost under way */
    uint32_t most_count;    /* how many questions under way have this cost */
    uint32_t version;       /* changes when level is replaced: earlier reservations are not in level then */
};

/* May the store be asked? *answer gets the answer of the bound. */
bool gw_bound_allows(struct gw_bound *bound, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us,
                     struct gw_bucket_answer *answer);
/* Takes the cost of a question that is sent. Returns the version, for gw_bound_release. */
uint32_t gw_bound_reserve(struct gw_bound *bound, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us);
/* Ends a question. is_taken: the store took the cost. Otherwise, or if that is not known, the cost is put back. */
void gw_bound_release(struct gw_bound *bound, const struct gw_bucket_rate *rate, uint64_t cost, uint32_t version,
                      bool is_taken, uint64_t now_us);
/* The answer to a question that was sent at sent_us: the store's level, counted from then. */
void gw_bound_learn(struct gw_bound *bound, const struct gw_bucket *level, uint64_t sent_us, uint64_t now_us);

#endif
