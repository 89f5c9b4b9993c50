/* page.h: Prometheus' text format 0.0.4, line by line. Numbers are exact: whole ones, or millionths as a decimal
 * fraction. */
#ifndef GW_TELEMETRY_PAGE_H
#define GW_TELEMETRY_PAGE_H

#include "base/buffer.h"
#include "telemetry/histogram.h"

struct gw_page_label {
    const char *name;
    struct gw_slice value; /* anything; escaped here */
};

struct gw_page_labels { /* borrowed */
    const struct gw_page_label *items;
    unsigned count;
};
#define GW_PAGE_NO_LABELS ((struct gw_page_labels) { NULL, 0 })

/* HELP and TYPE. Then the family's samples must follow, before another one begins. */
void gw_page_begin(struct gw_buffer *page, const char *name, const char *type, const char *help);
void gw_page_put_uint(struct gw_buffer *page, const char *name, struct gw_page_labels labels, uint64_t value);
/* 1234500 is written 1.2345: seconds from µs, a ratio. */
void gw_page_put_millionths(struct gw_buffer *page, const char *name, struct gw_page_labels labels,
                            uint64_t millionths);
/* The cumulated buckets in seconds, _sum and _count. What was observed is in µs / scale: a scale of 10 makes the steps
 * ten times finer. */
void gw_page_put_histogram(struct gw_buffer *page, const char *name, struct gw_page_labels labels,
                           const struct gw_histogram_sum *sum, unsigned scale);

#endif
