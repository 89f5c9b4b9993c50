/* log.h: the one logging call, for what a person should know: start, stop, mistakes, failures. Requests go to
 * telemetry/access_log.h.
 *
 * Lines go to stderr, as JSON ({"time","level","area","message"}) or text. Any thread; one write(2) a line; a full
 * pipe drops the line. */
#ifndef GW_BASE_LOG_H
#define GW_BASE_LOG_H

#include <stdbool.h>
#include "base/base.h"

enum gw_log_level { GW_LOG_ERROR, GW_LOG_WARN, GW_LOG_INFO, GW_LOG_DEBUG };

/* Before any other thread runs, or after they ended. */
void gw_log_setup(enum gw_log_level least, bool as_json);
bool gw_log_is_on(enum gw_log_level level);
/* area: the folder or file that speaks ("upstream", "config"). At most 1 KiB of message; the rest is cut. */
void gw_log(enum gw_log_level level, const char *area, const char *format, ...) GW_PRINTF(3, 4);

#endif
