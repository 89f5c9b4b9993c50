/* log.h: the one call that logs what an operator should know: start, stop, mistakes, failures. Requests go to
 * telemetry/access_log.h.
 *
 * Lines go to stderr, as JSON ({"time","level","area","message"}) or as text, each with one write(2). Where stderr is a
 * full pipe, the line is lost. Any thread. */
#ifndef GW_BASE_LOG_H
#define GW_BASE_LOG_H

#include <stdbool.h>
#include "base/base.h"

enum gw_log_level { GW_LOG_ERROR, GW_LOG_WARN, GW_LOG_INFO, GW_LOG_DEBUG };

/* To be called before any other thread runs, or after all have ended. */
void gw_log_setup(enum gw_log_level least, bool as_json);
bool gw_log_is_on(enum gw_log_level level);
/* area: the folder or file that logs ("upstream", "config"). A message longer than 1 KiB is cut. */
void gw_log(enum gw_log_level level, const char *area, const char *format, ...) GW_PRINTF(3, 4);

#endif
