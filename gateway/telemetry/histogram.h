/* histogram.h: how long things took, in fixed steps.
 *
 * Data     A counter for each upper bound (not cumulative: one add an observation), one above the last, and the sum.
 * Threads  One writer; any reader. A reader adds the histograms of all workers into a gw_histogram_sum and cumulates
 *          there, so that what it prints agrees with itself: the count is the +Inf bucket. */
#ifndef GW_TELEMETRY_HISTOGRAM_H
#define GW_TELEMETRY_HISTOGRAM_H

#include "base/counter.h"

enum { GW_HISTOGRAM_BUCKETS = 14 }; /* finite bounds; what is above the last is in buckets[GW_HISTOGRAM_BUCKETS] */

/* The upper bounds in µs, inclusive, ascending: 0.0005 … 10 s. */
extern const uint64_t gw_histogram_bounds_us[GW_HISTOGRAM_BUCKETS];

struct gw_histogram {
    gw_counter buckets[GW_HISTOGRAM_BUCKETS + 1];
    gw_counter sum_us;
};

struct gw_histogram_sum {
    uint64_t buckets[GW_HISTOGRAM_BUCKETS + 1]; /* not cumulative */
    uint64_t count;
    uint64_t sum_us;
};

/* By the owning thread only. */
void gw_histogram_observe(struct gw_histogram *histogram, uint64_t us);
/* Adds what the histogram holds now. */
void gw_histogram_add_to(struct gw_histogram *histogram, struct gw_histogram_sum *sum);

#endif
