/* page.h: writes Prometheus' text format 0.0.4, line by line. Numbers are exact: whole numbers, or millionths as a
 * decimal fraction. */
#ifndef GW_TELEMETRY_PAGE_H
#define GW_TELEMETRY_PAGE_H

#include "base/buffer.h"
#include "telemetry/histogram.h"

struct gw_page_label {
    const char *name;
    struct gw_slice value; /* any bytes; they are escaped here */
};

struct gw_page_labels { /* borrowed */
    const struct gw_page_label *items;
    unsigned count;
};
#define GW_PAGE_NO_LABELS ((struct gw_page_labels) { NULL, 0 })

/* Writes HELP and TYPE. The samples of the family must follow before the next family begins. */
void gw_page_begin(struct gw_buffer *page, const char *name, const char *type, const char *help);
void gw_page_put_uint(struct gw_buffer *page, const char *name, struct gw_page_labels labels, uint64_t value);
/* Writes 1234500 as 1.2345: for seconds from µs, and for a ratio. */
void gw_page_put_millionths(struct gw_buffer *page, const char *name, struct gw_page_labels labels,
                            uint64_t millionths);
/* Writes the cumulated buckets in seconds, _sum and _count. The observations are in µs / scale: with a scale of 10 the
 * steps are ten times finer. */
void gw_page_put_histogram(struct gw_buffer *page, const char *name, struct gw_page_labels labels,
                           const struct gw_histogram_sum *sum, unsigned scale);

#endif
