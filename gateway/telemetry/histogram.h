/* histogram.h: counts durations in fixed steps.
 *
 * Data     A counter for each upper bound (not cumulative, so that an observation is one addition), a counter for
 *          values above the last bound, and the sum.
 * Threads  One writer and any number of readers. A reader adds the histograms of all workers into a gw_histogram_sum
 *          and cumulates there, so that its numbers fit together: the count is the +Inf bucket. */
#ifndef GW_TELEMETRY_HISTOGRAM_H
#define GW_TELEMETRY_HISTOGRAM_H

#include "base/counter.h"

enum { GW_HISTOGRAM_BUCKETS = 14 }; /* finite bounds; buckets[GW_HISTOGRAM_BUCKETS] counts above the last */

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

/* Only for the owning thread. */
void gw_histogram_observe(struct gw_histogram *histogram, uint64_t us);
/* Adds the histogram's present counts to *sum. */
void gw_histogram_add_to(struct gw_histogram *histogram, struct gw_histogram_sum *sum);

#endif
