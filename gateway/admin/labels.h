/* labels.h: writes numbers for people. Pure. */
#ifndef GW_ADMIN_LABELS_H
#define GW_ADMIN_LABELS_H

#include "base/buffer.h"
#include "config/config.h"

/* Writes such as "98.51%", rounded; `empty` where whole is 0. */
void gw_labels_put_percent(uint64_t part, uint64_t whole, const char *empty, struct gw_buffer *buffer);
/* Writes such as "10 req/sec per IP" or "5 req/10s per X-Api-Key header"; where a request costs more than one token,
 * such as "600 tokens/min per route". */
void gw_labels_put_rate(const struct gw_limit_policy *policy, struct gw_buffer *buffer);
/* Writes such as "2026-11-24T21:55:55Z". */
void gw_labels_put_time(uint64_t wall_us, struct gw_buffer *buffer);

#endif
