/* names.h: a set of field names, as a person writes them, and a quick answer whether a name is one of them. Pure.
 *
 * Patterns  A name, in any case. A star at its end or at its beginning stands for any rest: X-Auth* is X-Auth-Token,
 *           too, and *Token is Private-Token. '_' and '-' are the same: CGI and WSGI backends cannot tell them apart.
 * Shape     Two hash tables of chains: patterns that end with a star, by their first three letters, and all others by
 *           their last three. A name is compared with the patterns of two chains, which are empty for nearly all names;
 *           so the number of patterns costs nothing. Those too short for three letters are compared with every name. */
#ifndef GW_BASE_NAMES_H
#define GW_BASE_NAMES_H

#include "base/slice.h"

enum { GW_NAMES_MOST = 192, GW_NAMES_CHAINS = 256 };

struct gw_names {
    const struct gw_slice *patterns; /* borrowed */
    uint8_t starts[GW_NAMES_CHAINS]; /* of each chain the first pattern, counted from 1; 0: none */
    uint8_t ends[GW_NAMES_CHAINS];   /* the same */
    uint8_t next[GW_NAMES_MOST + 1]; /* of each pattern the next in its chain */
    uint8_t first_short;
};

/* The patterns must live as long as the set; those beyond GW_NAMES_MOST are left out. */
void gw_names_init(struct gw_names *names, const struct gw_slice *patterns, unsigned count);
bool gw_names_has(const struct gw_names *names, struct gw_slice name);

#endif
