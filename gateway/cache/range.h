/* range.h: what a Range request gets of a complete 200 response (RFC 9110 §13.1.5, §14). Pure.
 *
 * One range is answered 206, also where it is the only one of several that can be satisfied; where none can be, 416.
 * Several, or a unit other than bytes, or a header that cannot be parsed, count as none (§14.2 allows it): the whole
 * 200. If-Range must match by strong comparison, or be the exact Last-Modified, else the
 * whole 200, too. */
#ifndef GW_CACHE_RANGE_H
#define GW_CACHE_RANGE_H

#include "http/head.h"

enum gw_range {
    GW_RANGE_WHOLE,         /* 200 */
    GW_RANGE_PART,          /* 206: [first, first + length) */
    GW_RANGE_UNSATISFIABLE, /* 416, Content-Range: bytes * / length */
};

struct gw_range_part {
    uint64_t first, length;
};

/* Is this 206 all there is: "bytes 0-99/100", of 100 bytes? */
bool gw_range_is_whole(const struct gw_head *response);
/* response: status 200 and complete, of body_bytes. now_s: wall clock, for two-digit years of dates. */
enum gw_range gw_range_of(const struct gw_head *request, const struct gw_head *response, uint64_t body_bytes,
                          int64_t now_s, struct gw_range_part *part);

#endif
