#include "limit/bound.h"

static uint64_t bound_age_of(uint64_t instant_us, uint64_t now_us)
{
    return now_us > instant_us ? now_us - instant_us : 0;
}

static void bound_replace(struct gw_bound *bound, struct gw_bucket level, uint64_t since_us)
{
    *bound = (struct gw_bound) { .level = level, .since_us = since_us, .version = bound->version + 1 };
}

static void bound_forget_if_old(struct gw_bound *bound, uint64_t now_us)
{
    if (bound_age_of(bound->since_us, now_us) >= GW_BOUND_BELIEVED_US)
        bound_replace(bound, (struct gw_bucket) { 0 }, now_us);
}

bool gw_bound_allows(struct gw_bound *bound, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us,
                     struct gw_bucket_answer *answer)
{
    bound_forget_if_old(bound, now_us);
    struct gw_bucket seen = bound->level;
    if (cost < bound->most)
        gw_bucket_refund(&seen, rate, bound->reserved, now_us);
    *answer = gw_bucket_look(&seen, rate, cost, now_us);
    return answer->allowed || (!bound->reserved && bound_age_of(bound->since_us, now_us) >= GW_BOUND_RENEWED_US);
}

uint32_t gw_bound_reserve(struct gw_bound *bound, const struct gw_bucket_rate *rate, uint64_t cost, uint64_t now_us)
{
    if (bound->level.full_at_us < now_us) /* the bucket is full, so no answer counts any more */
        bound->since_us = now_us;
    gw_bucket_charge(&bound->level, rate, cost, now_us);
    bound->reserved += cost;
    if (bound->most < cost) {
        bound->most = cost;
        bound->most_count = 0;
    }
    bound->most_count += bound->most == cost;
    return bound->version;
}

void gw_bound_release(struct gw_bound *bound, const struct gw_bucket_rate *rate, uint64_t cost, uint32_t version,
                      bool is_taken, uint64_t now_us)
{
    if (version != bound->version)
        return;
    bound->reserved -= cost;
    if (!is_taken)
        gw_bucket_refund(&bound->level, rate, cost, now_us);
    if (cost < bound->most || --bound->most_count)
        return;
    /* The largest cost of the other questions is not known, so their costs are put back. */
    gw_bucket_refund(&bound->level, rate, bound->reserved, now_us);
    bound_replace(bound, bound->level, bound->since_us);
}

void gw_bound_learn(struct gw_bound *bound, const struct gw_bucket *level, uint64_t sent_us, uint64_t now_us)
{
    if (bound_age_of(sent_us, now_us) >= GW_BOUND_BELIEVED_US)
        return;
    bound_forget_if_old(bound, now_us);
    if (bound_age_of(bound->since_us, sent_us) >= GW_BOUND_RENEWED_US || gw_bucket_is_lower(level, &bound->level))
        bound_replace(bound, *level, sent_us);
}
