/* bound.h: the most that the shared store's bucket of a client can hold (docs/limits.md: "What is known here").
 *
 * Shape    A bucket that holds at least what the store's does. It begins full, which is always true. A question takes
 *          its cost from it when it is sent, as if it were admitted; so what is left is for those who come after it.
 *          An answer lowers it to what the store had, counted from the moment the question was sent: the store decided
 *          no earlier, so its bucket is full no earlier. Of two bounds the lower one holds, whichever came first; that
 *          also makes it right over several connections, where an answer may or may not contain what another took.
 * Refusals A cost above it would be refused by the store. A cost above it only because of questions under way would be,
 *          too, if it is not smaller than theirs: either they are admitted, or the store was short of their cost
 *          within this round trip. A smaller one is compared with what there is without them. (So it may ask often
 *          while a larger one is under way, but no longer than that.)
 * Age      Believed for 1 s from the moment sent: a key that the store lost, or clocks that differ in rate, can be
 *          wrong for no longer. In the last quarter of it one question at a time may renew it in spite of it, so that
 *          a flood does not find it gone; the answer to that replaces it, be it higher.
 * Threads  Pure: time is an argument; whoever holds it locks it. */
#ifndef GW_LIMIT_BOUND_H
#define GW_LIMIT_BOUND_H

#include "limit/bucket.h"

enum { GW_BOUND_BELIEVED_US = 1000000, GW_BOUND_RENEWED_US = 750000 };

struct gw_bound {
    struct gw_bucket level; /* without the costs under way */
    uint64_t since_us;      /* when what it rests on was sent */
    uint64_t reserved;      /* tokens of questions under way that are taken from level */
    uint64_t most;          /* the largest of these costs */
    uint32_t most_count;    /* how many are as large */
    uint32_t version;       /* another whenever level was replaced: then what was reserved before is not in it */
};

/* May the store be asked? *answer is what the bound says. */
bool gw_bound_allows(struct gw_bound *bound, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us,
                     struct gw_bucket_answer *answer);
/* The store is asked. Returns the version, for gw_bound_release. */
uint32_t gw_bound_reserve(struct gw_bound *bound, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us);
/* The question's end. is_taken: the store took the cost; else, or if that is not known, it is put back. */
void gw_bound_release(struct gw_bound *bound, const struct gw_bucket_rate *rate, uint64_t cost, uint32_t version,
                      bool is_taken, uint64_t now_us);
/* What the answer to a question sent at sent_us said, counted from there. */
void gw_bound_learn(struct gw_bound *bound, const struct gw_bucket *level, uint64_t sent_us, uint64_t now_us);

#endif
