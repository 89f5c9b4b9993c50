/* names.h: a set of patterns of field names, as a person writes them, and a fast test whether a name matches one. Pure.
 *
 * Patterns  A pattern is a name; case does not matter. A star at its end or at its beginning stands for any text:
 *           X-Auth* matches X-Auth-Token, and *Token matches Private-Token. '_' and '-' are the same character, since
 *           CGI and WSGI backends cannot tell them apart.
 * Shape     Two hash tables of chains. A pattern that ends with a star is found by its first three characters, and any
 *           other by its last three. A name is compared with the patterns of two chains, which are empty for nearly all
 *           names; so the number of patterns costs nothing. A pattern with fewer than three characters is compared with
 *           every name. */
#ifndef GW_BASE_NAMES_H
#define GW_BASE_NAMES_H

#include "base/slice.h"

enum { GW_NAMES_MOST = 192, GW_NAMES_CHAIN_BITS = 10, GW_NAMES_CHAINS = 1 << GW_NAMES_CHAIN_BITS };
enum { GW_NAMES_LETTERS = 3 }; /* characters of a start or an end, which choose the chain */

struct gw_names {
    const struct gw_slice *patterns; /* borrowed */
    uint8_t starts[GW_NAMES_CHAINS]; /* the first pattern of each chain, counted from 1; 0: none */
    uint8_t ends[GW_NAMES_CHAINS];   /* the same */
    uint8_t next[GW_NAMES_MOST + 1]; /* the pattern behind each pattern in its chain */
    uint8_t first_short;
};

/* The patterns must live as long as the set. Patterns beyond GW_NAMES_MOST are left out. */
void gw_names_init(struct gw_names *names, const struct gw_slice *patterns, unsigned count);
/* Does a pattern match `name`? Looks in the two chains that begin with the patterns `start` and `end`, and in the chain
 * of short patterns. */
bool gw_names_search(const struct gw_names *names, struct gw_slice name, unsigned start, unsigned end);

/* The chains for the first and for the last three characters of a text. */
struct gw_names_chains {
    unsigned start, end;
};

/* The text must have GW_NAMES_LETTERS characters. Case does not matter, and '_' counts as '-'. Both ends are folded in
 * one word. With this factor, a field that browsers send is in the chain of a usual pattern only where their three
 * characters are the same. */
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

/* Inline, since nearly every field of nearly every request is tested, and the answer is nearly always no. */
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
