/* question.h: the limit that all instances share, asked over the store (docs/limits.md: "What is known here").
 *
 * Shape    gw_limit_ask decides at once where what is known here decides: embedded mode, the store down (by each
 *          policy's on_redis_failure), or an upper bound of the store's level that the cost exceeds: a refusal without
 *          a round trip, with exact headers. Otherwise ONE call takes from all buckets of the request or from none,
 *          and the costs are reserved against the bounds until it is answered.
 * Shadow   A shadow bucket that refuses must not keep the others from being taken from, nor another shadow bucket:
 *          so each is a call of its own, in the same write. It is charged even where the request is then refused.
 *          A shadow bucket known to refuse is not asked.
 * Headers  Of a local refusal, the refusing policies' numbers are what the store would say now; those of the others
 *          are at most too high.
 * Outage   local: the instance's share decides (clients.h), which every admission was taken from, also while the store
 *          was up; allow: let pass, and taken from the share as far as it goes; deny: UNKNOWN for the whole request,
 *          without outcomes, and nothing is taken. A shadow policy always counts locally.
 * Owner    The question is the limiter's and outlives the exchange that put it: its reply settles reservations, bounds
 *          and the local charge in any case. One that was given up was decided, and charged, here; what the store
 *          took for it stays taken: that admits less. Forgetting drops the exchange's interest only. All questions
 *          end before the limiter does: the store closes first, and they are lost.
 * Bounds   As many questions as the store has pending calls; one allocation each, of some 400 bytes.
 * Threads  A question belongs to one worker; clients.h is shared. */
#ifndef GW_LIMIT_QUESTION_H
#define GW_LIMIT_QUESTION_H

#include "limit/limiter.h"
#include "store/store.h"

struct gw_limit_question;

/* The store has answered, or the call is lost (then the decision is made as by gw_limit_give_up). From the loop, once;
 * the question is gone by then. */
typedef void gw_limit_done(void *owner);

struct gw_limit_asker { /* one worker's view */
    struct gw_limiter *limiter;
    struct gw_store *store; /* NULL: embedded mode */
    const struct gw_config *config;
    unsigned (*instances)(void *context); /* live instances; fewer than 1 counts as 1 */
    void *context;
};

/* True: *decision is made (or added to, as gw_limiter_decide does for `misses`), *question is NULL. False: asked;
 * *question is set, done will run unless it is forgotten or given up; *decision must stay where it is until then. */
bool gw_limit_ask(struct gw_limit_asker *asker, const struct gw_limit_subject *subject, bool misses, uint64_t now_us,
                  struct gw_limit_decision *decision, struct gw_limit_question **question, gw_limit_done *done,
                  void *owner);
/* The caller's deadline has passed: decides by each policy's on_redis_failure (local: its local bucket; allow; deny:
 * UNKNOWN, which the filter answers with 503). done will not run. Takes *question. */
void gw_limit_give_up(struct gw_limit_question **question, uint64_t now_us);
/* The exchange is gone. Takes *question; NULL is allowed. */
void gw_limit_cancel(struct gw_limit_question **question);

#endif
