/* question.h: asks the store about the limits that all instances share (docs/limits.md: "What is known here").
 *
 * Shape    gw_limit_ask decides at once in embedded mode, when the store is down (by each policy's on_redis_failure),
 *          and where the cost is above the bound of the store's level: that is a refusal without a round trip, with
 *          exact headers. Otherwise ONE call takes from all buckets of the request or from none, and the costs are
 *          reserved in the bounds until the answer comes.
 * Shadow   When a shadow bucket refuses, the other buckets and the other shadow buckets must still be taken from. So
 *          each shadow bucket has its own call, in the same write. It is charged even where the request is then
 *          refused. A shadow bucket that is known to refuse is not asked.
 * Headers  In a local refusal, the numbers of refusing policies are what the store would answer now. The numbers of the
 *          other policies may be too high.
 * Outage   local: this instance's share decides (clients.h); every admission is taken from it, also while the store is
 *          up. allow: the request passes, and its cost is taken from the share as far as it has it. deny: the whole
 *          request is UNKNOWN, without outcomes, and nothing is taken. A shadow policy always counts locally.
 * Owner    The limiter owns the question, which outlives the exchange: its reply settles reservations, bounds and the
 *          local charge in any case. A question that was given up was decided and charged here; tokens that the store
 *          took for it stay taken, so that fewer requests are admitted. gw_limit_cancel ends only the exchange's part.
 *          All questions end before the limiter does: the store closes first, and then they are lost.
 * Bounds   There are as many questions as the store has pending calls. Each is one allocation of some 400 bytes.
 * Threads  A question belongs to one worker. All workers share clients.h. */
#ifndef GW_LIMIT_QUESTION_H
#define GW_LIMIT_QUESTION_H

#include "limit/limiter.h"
#include "store/store.h"

struct gw_limit_question;

/* The store has answered, or the call is lost; then the decision is made as by gw_limit_give_up. Called once, from the
 * loop, when the question is gone already. */
typedef void gw_limit_done(void *owner);

struct gw_limit_asker { /* the limiter as one worker uses it */
    struct gw_limiter *limiter;
    struct gw_store *store; /* NULL: embedded mode */
    const struct gw_config *config;
    unsigned (*instances)(void *context); /* the number of live instances; 0 counts as 1; NULL: always 1 */
    void *context;
};

/* True: *decision is made (for `misses`, it is added to, as by gw_limiter_decide), and *question is NULL. False: the
 * store is asked, and *question is set. `done` will run unless the question is cancelled or given up; *decision must
 * stay where it is until then. */
bool gw_limit_ask(struct gw_limit_asker *asker, const struct gw_limit_subject *subject, bool misses, uint64_t now_us,
                  struct gw_limit_decision *decision, struct gw_limit_question **question, gw_limit_done *done,
                  void *owner);
/* To be called when the caller's deadline has passed. Decides by each policy's on_redis_failure (local: its local
 * bucket; allow; deny: UNKNOWN, which the filter answers with 503). `done` will not run. Takes *question. */
void gw_limit_give_up(struct gw_limit_question **question, uint64_t now_us);
/* To be called when the exchange is gone: `done` will not run. Takes *question; NULL is allowed. */
void gw_limit_cancel(struct gw_limit_question **question);

#endif
