/* access_log.h: one line a request, batched, never blocking.
 *
 * Shape    A log per worker over one descriptor of the process. Lines (access_line.h) collect in a buffer of 64 KiB and
 *          leave in one write(2) a loop turn. A pipe or terminal is written through an own non-blocking description,
 *          reopened by /proc/self/fd, so that nobody else's flags change; where that is forbidden, as for a pipe of
 *          another user's, as much as poll(2) promises room for. A socket is written with MSG_DONTWAIT. A regular file
 *          keeps no writer waiting for a reader: it is written through the description that it came by, so that all who
 *          write to it share one offset. A file that was given by its path can be opened again, for logrotate.
 * Failure  Where the reader is too slow, what does not fit is dropped and counted. Lines are never torn: the rest of a
 *          partly written one is kept and goes first, and until then no other worker writes. Where the reader is gone
 *          or the disk is full, what waits is dropped and counted, and one warning says so with the system's own
 *          words; another one says when lines are written again, and how many were lost.
 * Threads  gw_access_log_open: main. A writer belongs to one worker. Between workers, a lock is held for one write that
 *          cannot wait, as long as the kernel holds the pipe's own. */
#ifndef GW_TELEMETRY_ACCESS_LOG_H
#define GW_TELEMETRY_ACCESS_LOG_H

#include "telemetry/metrics.h"

struct gw_access_log;        /* the process' destination */
struct gw_access_log_writer; /* one worker's */

enum { GW_ACCESS_LOG_BUFFER_BYTES = 64 * 1024 };

/* *log stays NULL for "off". False with a complaint where the file cannot be opened. */
bool gw_access_log_open(const struct gw_config *config, struct gw_access_log **log,
                        struct gw_complaint *complaint) GW_MUST_CHECK;
/* The file at the log's path, which may be another one now (logrotate). Where it cannot be opened, the old one stays.
 * Nothing where the log is no file of its own; log may be NULL. While writers write; main's thread. */
void gw_access_log_reopen(struct gw_access_log *log);
/* After the last writer is gone. */
void gw_access_log_close(struct gw_access_log **log);
/* log may be NULL: the writer then drops all lines without counting. NULL when memory is out; a NULL writer does
 * nothing. The shard counts dropped lines. */
struct gw_access_log_writer *gw_access_log_writer_create(struct gw_access_log *log,
                                                         struct gw_shard *shard) GW_MUST_CHECK;
/* Writes what is left, as far as it goes without blocking; counts the rest as dropped. */
void gw_access_log_writer_destroy(struct gw_access_log_writer **writer);
/* Adds the line of one request; a full buffer is written first. Requests to /gateway/ only where log.level is debug.
 * JSON: time ("2026-11-24T21:55:55.123Z", when it began), request_id, client, method, path (the target as received),
 * status, bytes_sent, bytes_received, duration_ms (1.234), upstream, upstream_ms, cache, cache_detail, limit, limit_remaining, route,
 * error, user_agent; what is absent is left out. Text: for people. */
void gw_access_log_add(struct gw_access_log_writer *writer, const struct gw_request_record *record);
/* Once a loop turn. True while something is left that must be tried again. */
bool gw_access_log_flush(struct gw_access_log_writer *writer);

#endif
