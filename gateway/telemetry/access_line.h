/* access_line.h: one request as one line of text, JSON or for people. Pure; no allocation, no printf.
 *
 * Safety   What a client wrote cannot end a line or reach a terminal's control codes: JSON escapes it; the text form
 *          writes every byte that is no printable ASCII, and quote and backslash, as \xNN. */
#ifndef GW_TELEMETRY_ACCESS_LINE_H
#define GW_TELEMETRY_ACCESS_LINE_H

#include "telemetry/metrics.h"

enum { GW_ACCESS_LINE_SECOND_BYTES = 19 }; /* "2026-11-24T21:55:55" */

/* The second last printed, so that a calendar is asked once a second and not once a request. Begins zeroed. */
struct gw_access_line_clock {
    bool is_set;
    int64_t second;
    char text[GW_ACCESS_LINE_SECOND_BYTES];
};

/* Each with its line feed. */
void gw_access_line_put_json(struct gw_buffer *buffer, struct gw_access_line_clock *clock,
                             const struct gw_request_record *record);
void gw_access_line_put_text(struct gw_buffer *buffer, struct gw_access_line_clock *clock,
                             const struct gw_request_record *record);

#endif
