/* reference.h: resolves a URI reference (Location, Content-Location) against the URI of its message (RFC 3986 §5).
 * Pure. */
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

/* *target gets slices of base and text, or bytes in the arena. The fragment is left out, and dot segments are resolved.
 * False: the result is not an http or https URI that a request line may have (grammar.h), or the arena is at its
 * bound. */
bool gw_reference_resolve(struct gw_reference *target, struct gw_arena *arena, const struct gw_reference *base,
                          struct gw_slice text) GW_MUST_CHECK;
/* Takes scheme and authority from the front of *text. *target gets these, or base's where the text has none
 * (*has_authority is false then). False: the scheme is another one, or the authority has user and password or is not
 * one by RFC 3986. */
bool gw_reference_take_origin(struct gw_reference *target, const struct gw_reference *base, struct gw_slice *text,
                              bool *has_authority) GW_MUST_CHECK;
/* Are scheme, host and port the same (RFC 9110 §4.3.1)? Case does not matter, and a missing port is the scheme's
 * default port. */
bool gw_reference_same_origin(const struct gw_reference *a, const struct gw_reference *b);

#endif
