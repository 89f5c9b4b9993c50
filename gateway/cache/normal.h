/* normal.h: one spelling for request values that mean the same (RFC 9111 §4.1), so that they select one variant.
 *
 * Rules    What the field's syntax is known to be decides: Accept-Encoding is a set with weights; Accept-Language and
 *          Accept-Charset are lists in which case means nothing, Accept one in which it may; a name that is not known
 *          here may be a list, so white space around its commas goes and nothing else; every other known name (Cookie,
 *          User-Agent, dates …) stays as it came. Quoted strings always do.
 * Promise  Never longer than what it came from, and normal once more changes nothing: a selection that was stored is
 *          selected again by its own values. What is not of its field's syntax loses white space and case only.
 * Threads  Any. */
#ifndef GW_CACHE_NORMAL_H
#define GW_CACHE_NORMAL_H

#include "http/head.h"

enum { GW_NORMAL_BYTES = 1024 }; /* longer values stay as they came */

/* Into `to`, which has room for the value (it may not be the value's own memory); how many bytes. */
size_t gw_normal_put(char *to, enum gw_field_name id, struct gw_slice name, struct gw_slice value);

#endif
