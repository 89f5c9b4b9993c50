/* access_line.h: writes one request as one line, as JSON or as text for people. Pure; no allocation, no printf.
 *
 * Safety   Bytes of a client cannot end a line or control a terminal: JSON escapes them, and the text form writes every
 *          byte that is not printable ASCII, and quote and backslash, as \xNN. */
#ifndef GW_TELEMETRY_ACCESS_LINE_H
#define GW_TELEMETRY_ACCESS_LINE_H

#include "telemetry/metrics.h"

enum { GW_ACCESS_LINE_SECOND_BYTES = 19 }; /* "2026-11-24T21:55:55" */

/* The last second that was printed, so that its date is computed once a second and not for each request. Must be all
 * zero at first. */
struct gw_access_line_clock {
    bool is_set;
    int64_t second;
    char text[GW_ACCESS_LINE_SECOND_BYTES];
};

/* Each writes a line with its line feed. */
void gw_access_line_put_json(struct gw_buffer *buffer, struct gw_access_line_clock *clock,
                             const struct gw_request_record *record);
void gw_access_line_put_text(struct gw_buffer *buffer, struct gw_access_line_clock *clock,
                             const struct gw_request_record *record);

#endif
