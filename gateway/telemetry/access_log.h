/* access_log.h: one line a request, batched, never blocking.
 *
 * Shape    A log per worker over one descriptor of the process. Lines collect in a buffer and leave in one write(2) a loop turn. A pipe,
 *          socket or terminal is written through an own non-blocking description (reopened by /proc/self/fd, so nobody else's flags change); where it is
 *          full, what does not fit is dropped and counted, lines are never torn: the rest of a partly written line is kept and goes first.
 * Threads  gw_access_log_open: main. A writer belongs to one worker. */
#ifndef GW_TELEMETRY_ACCESS_LOG_H
#define GW_TELEMETRY_ACCESS_LOG_H

#include "telemetry/metrics.h"

struct gw_access_log;        /* the process' destination */
struct gw_access_log_writer; /* one worker's */

/* *log stays NULL for "off". False with a complaint where the file cannot be opened. */
bool gw_access_log_open(const struct gw_config *config, struct gw_access_log **log, struct gw_complaint *complaint) GW_MUST_CHECK;
void gw_access_log_close(struct gw_access_log **log);
/* log may be NULL: then every call does nothing. NULL when memory is out. The shard counts dropped lines. */
struct gw_access_log_writer *gw_access_log_writer_create(struct gw_access_log *log, struct gw_shard *shard) GW_MUST_CHECK;
/* Writes what is left, as far as it goes without blocking. */
void gw_access_log_writer_destroy(struct gw_access_log_writer **writer);
/* Adds the line of one request. JSON: {"time":"2026-…Z","request_id":…,"client":…,"method":…,"path":…,"status":…,"bytes_sent":…,
 * "bytes_received":…,"duration_ms":1.234,"upstream":…,"upstream_ms":…,"cache":…,"limit":…,"limit_remaining":…,"route":…,"error":…,
 * "user_agent":…}; absent things are left out. Text: for people. */
void gw_access_log_add(struct gw_access_log_writer *writer, const struct gw_request_record *record);
/* Once a loop turn. True while something is left that must be tried again. */
bool gw_access_log_flush(struct gw_access_log_writer *writer);

#endif
