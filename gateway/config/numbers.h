/* numbers.h: reads and writes sizes, durations and rates as text. Pure. */
#ifndef GW_CONFIG_NUMBERS_H
#define GW_CONFIG_NUMBERS_H

#include "base/buffer.h"

/* "64KiB", "10MiB", "1GiB" or a number of bytes. */
bool gw_numbers_parse_size(struct gw_slice text, uint64_t *bytes);
/* "250ms", "10s", "5m", "2h", or a number of seconds; whole milliseconds. */
bool gw_numbers_parse_duration(struct gw_slice text, uint64_t *ms);
/* "10/s", "100/min", "5/10s", or a number per second. */
bool gw_numbers_parse_rate(struct gw_slice text, uint64_t *n, uint64_t *period_us);

/* These write a form that is read as the same value. */
void gw_numbers_put_size(struct gw_buffer *buffer, uint64_t bytes);
void gw_numbers_put_duration(struct gw_buffer *buffer, uint64_t ms);

#endif
