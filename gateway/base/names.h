/* names.h: a set of field names, as a person writes them, and a quick answer whether a name is one of them. Pure.
 *
 * Patterns  A name, in any case. A star at its end or at its beginning stands for any rest: X-Auth* is X-Auth-Token,
 *           too, and *Token is Private-Token. '_' and '-' are the same: CGI and WSGI backends cannot tell them apart.
 * Cost      Two bits of a table rule out nearly every name that is not of the set; only then the patterns are compared.
 *           So a head is searched once, however many patterns there are. */
#ifndef GW_BASE_NAMES_H
#define GW_BASE_NAMES_H

#include "base/slice.h"

enum { GW_NAMES_WORDS = 16 };

struct gw_names {
    const struct gw_slice *patterns; /* borrowed */
    unsigned count;
    uint32_t starts[GW_NAMES_WORDS]; /* one bit for the first letters of each pattern that ends with a star */
    uint32_t ends[GW_NAMES_WORDS];   /* one bit for the last letters of each other one */
};

/* The patterns must live as long as the set. */
void gw_names_init(struct gw_names *names, const struct gw_slice *patterns, unsigned count);
bool gw_names_has(const struct gw_names *names, struct gw_slice name);

#endif
