/* question.h: the limit that all instances share, asked over the store (LIMITS.md: "What is known here").
 *
 * Shape    gw_limit_ask decides at once where what is known here decides: embedded mode, the store down (by each policy's on_redis_failure), or an
 *          upper bound of the store's level that the cost exceeds: a refusal without a round trip, with exact headers. Otherwise
 *          ONE call takes from all buckets of the request, and the costs are reserved against the bounds until it is answered.
 * Owner    The question is the limiter's and outlives the exchange that put it: its reply settles reservations, bounds and the local charge in any
 *          case. Forgetting drops the exchange's interest only.
 * Bounds   As many questions as the store has pending calls.
 * Threads  A question belongs to one worker; clients.h is shared. */
#ifndef GW_LIMIT_QUESTION_H
#define GW_LIMIT_QUESTION_H

#include "limit/limiter.h"
#include "store/store.h"

struct gw_limit_question;

/* The store has answered, or the call is lost (then the decision is made as by gw_limit_give_up). From the loop, once. */
typedef void gw_limit_done(void *owner);

struct gw_limit_asker { /* one worker's view */
    struct gw_limiter *limiter;
    struct gw_store *store; /* NULL: embedded mode */
    const struct gw_config *config;
    unsigned (*instances)(void *context); /* live instances, at least 1 */
    void *context;
};

/* True: *decision is made (or added to, as gw_limiter_decide does for `misses`). False: asked; *question is set, done will run unless it is forgotten
 * or given up; *decision must stay where it is until then. */
bool gw_limit_ask(struct gw_limit_asker *asker, const struct gw_limit_subject *subject, bool misses, uint64_t now_us,
                  struct gw_limit_decision *decision, struct gw_limit_question **question, gw_limit_done *done, void *owner);
/* The caller's deadline has passed: decides by each policy's on_redis_failure (local: its local bucket; allow; deny: UNKNOWN, which the
 * filter answers with 503). done will not run. Takes *question. */
void gw_limit_give_up(struct gw_limit_question **question, uint64_t now_us);
/* The exchange is gone. Takes *question; NULL is allowed. */
void gw_limit_forget(struct gw_limit_question **question);

#endif
