/* accept_encoding.h: one spelling of Accept-Encoding, for the key and for the backend alike (RFC 9110 §12.5.3).
 *
 * Problem  Clients write the same wish in many ways, and may name anything as a coding: each spelling would be a variant
 *          of its own (Vary: Accept-Encoding). If only the key had the normal spelling, the backend could answer by
 *          something that the key does not hold: many look for "gzip" in the text and find it in "gzip;q=0".
 * Form     The codings that are accepted, of gzip (x-gzip is the same), deflate, br and zstd, the preferred first, equal
 *          ones in this order; each lesser weight is the next of ";q=0.9", ";q=0.8", ";q=0.7". "*" stands for those that
 *          are not named. What is refused (q=0) or liked less than "identity" is left out; where nothing is left,
 *          "identity". Other codings, and members that cannot be parsed, are left out. So what browsers send
 *          ("gzip, deflate, br, zstd") is normal already.
 * Promise  Normal once more changes nothing. At most GW_ACCEPT_ENCODING_BYTES. An absent field stays absent: it means
 *          "anything".
 * Threads  Any. */
#ifndef GW_CACHE_ACCEPT_ENCODING_H
#define GW_CACHE_ACCEPT_ENCODING_H

#include "http/head.h"

enum { GW_ACCEPT_ENCODING_BYTES = 48 };

/* All Accept-Encoding fields of the request become one, in normal form (in the arena). At the arena's bound the field is
 * dropped: key and backend still agree, and backends then send no coding. */
void gw_accept_encoding_put_normal(struct gw_head *request, struct gw_arena *arena);

#endif
