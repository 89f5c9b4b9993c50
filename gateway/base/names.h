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

enum { GW_NAMES_MOST = 192, GW_NAMES_CHAIN_BITS = 10, GW_NAMES_CHAINS = 1 << GW_NAMES_CHAIN_BITS };
enum { GW_NAMES_LETTERS = 3 }; /* of a start or an end: they choose a chain */

struct gw_names {
    const struct gw_slice *patterns; /* borrowed */
    uint8_t starts[GW_NAMES_CHAINS]; /* of each chain the first pattern, counted from 1; 0: none */
    uint8_t ends[GW_NAMES_CHAINS];   /* the same */
    uint8_t next[GW_NAMES_MOST + 1]; /* of each pattern the next in its chain */
    uint8_t first_short;
};

/* The patterns must live as long as the set; those beyond GW_NAMES_MOST are left out. */
void gw_names_init(struct gw_names *names, const struct gw_slice *patterns, unsigned count);
/* Is it in one of the two chains that begin with these patterns, or in that of short patterns? */
bool gw_names_search(const struct gw_names *names, struct gw_slice name, unsigned start, unsigned end);

/* Of the first and of the last letters of a text that has so many. */
struct gw_names_chains {
    unsigned start, end;
};

/* Case does not matter, nor does it whether '_' or '-' stands there. Both ends go through the same steps, in one word.
 * With this factor no field that browsers send shares a chain with a usual pattern, unless the letters are the same. */
static inline struct gw_names_chains gw_names_chains_of(struct gw_slice text)
{
    uint32_t start = 0, end = 0;
    memcpy(&start, text.at, GW_NAMES_LETTERS);
    memcpy(&end, text.at + text.length - GW_NAMES_LETTERS, GW_NAMES_LETTERS);
    uint64_t word = start | (uint64_t)end << 32 | UINT64_C(0x2020202020202020); /* '_' is 0x7f now */
    uint64_t lines = (word + UINT64_C(0x0101010101010101)) & UINT64_C(0x8080808080808080);
    word -= (lines >> 7) * (0x7fu - '-');
    return (struct gw_names_chains) { (uint32_t)word * 0x7feb352du >> (32 - GW_NAMES_CHAIN_BITS),
                                      (uint32_t)(word >> 32) * 0x7feb352du >> (32 - GW_NAMES_CHAIN_BITS) };
}

/* Inline, since it is asked for nearly each field of nearly each request, and nearly always says no. */
static inline bool gw_names_has(const struct gw_names *names, struct gw_slice name)
{
    unsigned start = 0, end = 0;
    if (name.length >= GW_NAMES_LETTERS) {
        struct gw_names_chains chains = gw_names_chains_of(name);
        start = names->starts[chains.start];
        end = names->ends[chains.end];
    }
    return (start | end | names->first_short) && gw_names_search(names, name, start, end);
}

#endif
