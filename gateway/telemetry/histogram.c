#include "telemetry/histogram.h"

const uint64_t gw_histogram_bounds_us[GW_HISTOGRAM_BUCKETS] = { 500,     1000,    2500,    5000,    10000,
                                                                25000,   50000,   100000,  250000,  500000,
                                                                1000000, 2500000, 5000000, 10000000 };

void gw_histogram_observe(struct gw_histogram *histogram, uint64_t us)
{
    /* Most answers are fast, so that a search from below ends after a few steps; a binary search always takes four. */
    unsigned bucket = 0;
    while (bucket < GW_HISTOGRAM_BUCKETS && us > gw_histogram_bounds_us[bucket])
        bucket++;
    gw_counter_add(&histogram->buckets[bucket], 1);
    gw_counter_add(&histogram->sum_us, us);
}

void gw_histogram_add_to(struct gw_histogram *histogram, struct gw_histogram_sum *sum)
{
    for (unsigned i = 0; i <= GW_HISTOGRAM_BUCKETS; i++) {
        uint64_t count = gw_counter_read(&histogram->buckets[i]);
        sum->buckets[i] += count;
        sum->count += count;
    }
    sum->sum_us += gw_counter_read(&histogram->sum_us);
}
