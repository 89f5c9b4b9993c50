/* access_log.h: one line for each request, written in batches and without blocking.
 *
 * Shape    Each worker has a writer, and all writers use one descriptor of the process. Lines (access_line.h) collect
 *          in a buffer of 64 KiB and are written with one write(2) in a loop turn. A pipe or terminal gets its own
 *          non-blocking description, reopened by /proc/self/fd, so that the flags of other processes stay as they are.
 *          Where that is forbidden, as for a pipe of another user, only as much is written as poll(2) promises room
 *          for. A socket is written with MSG_DONTWAIT. A regular file never blocks: it is written through the
 *          description that was given, so that all processes that write to it share one offset. A file that is given by
 *          its path can be opened again, for logrotate.
 * Failure  When the reader is too slow, lines that do not fit are dropped and counted. Lines are never torn: the rest
 *          of a line that was written in part is kept and written first, and until then no other worker writes. When
 *          the reader is gone or the disk is full, the waiting lines are dropped and counted, and one warning tells it
 *          with the system's error. Another warning tells when lines are written again, and how many were lost.
 * Threads  main calls gw_access_log_open. A writer belongs to one worker. A lock between the workers is held for one
 *          write that does not block, as long as the kernel holds the pipe's own lock. */
#ifndef GW_TELEMETRY_ACCESS_LOG_H
#define GW_TELEMETRY_ACCESS_LOG_H

#include "telemetry/metrics.h"

struct gw_access_log;        /* the destination, one for the process */
struct gw_access_log_writer; /* one for each worker */

enum { GW_ACCESS_LOG_BUFFER_BYTES = 64 * 1024 };

/* *log stays NULL for "off". False with a complaint where the file cannot be opened. */
bool gw_access_log_open(const struct gw_config *config, struct gw_access_log **log,
                        struct gw_complaint *complaint) GW_MUST_CHECK;
/* Opens the file at the log's path again, which may be another file now (logrotate). If that fails, the old file stays
 * in use. Does nothing where the log was not given by a path, or is NULL. Only for main's thread; writers may write at
 * the same time. */
void gw_access_log_reopen(struct gw_access_log *log);
/* To be called after the last writer is gone. */
void gw_access_log_close(struct gw_access_log **log);
/* With log NULL, the writer drops all lines without counting them. Returns NULL when memory is out; a NULL writer does
 * nothing. The shard counts dropped lines. */
struct gw_access_log_writer *gw_access_log_writer_create(struct gw_access_log *log,
                                                         struct gw_shard *shard) GW_MUST_CHECK;
/* Writes the lines that are left as far as that does not block, and counts the rest as dropped. */
void gw_access_log_writer_destroy(struct gw_access_log_writer **writer);
/* Adds the line of one request; a full buffer is written first. Requests to /gateway/ are only logged where log.level
 * is debug.
 * JSON: time ("2026-11-24T21:55:55.123Z", when it began), request_id, client, method, path (the target as received),
 * status, bytes_sent, bytes_received, duration_ms (1.234), upstream, upstream_ms, cache, cache_detail, limit,
 * limit_remaining, route, error, user_agent; absent members are left out. The text form is for people. */
void gw_access_log_add(struct gw_access_log_writer *writer, const struct gw_request_record *record);
/* To be called once in a loop turn. True while lines are left, so that it must be called again. */
bool gw_access_log_flush(struct gw_access_log_writer *writer);

#endif
