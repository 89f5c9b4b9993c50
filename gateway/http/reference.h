/* reference.h: what a URI reference (Location, Content-Location) means where it was said (RFC 3986 §5). Pure. */
#ifndef GW_HTTP_REFERENCE_H
#define GW_HTTP_REFERENCE_H

#include "base/arena.h"
#include "base/slice.h"

struct gw_reference {
    struct gw_slice scheme;    /* "http", "https" */
    struct gw_slice authority; /* host [":" port] */
    struct gw_slice path;      /* begins with '/' */
    struct gw_slice query;     /* without '?'; at == NULL: none */
};

/* Slices of base and text, or in the arena. The fragment is left out, dot segments are resolved. False: no http or
 * https URI that a request line could hold (grammar.h), or the arena's bound. */
bool gw_reference_resolve(struct gw_reference *target, struct gw_arena *arena, const struct gw_reference *base,
                          struct gw_slice text) GW_MUST_CHECK;
/* Takes what stands before the path from the beginning of text, and moves text behind it. target: its scheme and
 * authority, or base's where it has none (has_authority then is false). False: another scheme, user and password, or
 * no authority by RFC 3986. */
bool gw_reference_take_origin(struct gw_reference *target, const struct gw_reference *base, struct gw_slice *text,
                              bool *has_authority) GW_MUST_CHECK;
/* Scheme, host and port are the same (RFC 9110 §4.3.1): case does not matter, nor does it whether a scheme's own port is
 * written. */
bool gw_reference_same_origin(const struct gw_reference *a, const struct gw_reference *b);

#endif
