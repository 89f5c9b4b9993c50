/* query_string.h: a query as the cache's key has it, by a route's rules: without parameters that make no other answer, and in
 * one order. The backend gets it as it was asked. Pure. */
#ifndef GW_CACHE_QUERY_STRING_H
#define GW_CACHE_QUERY_STRING_H

#include "base/arena.h"
#include "config/config.h"

/* More parameters than these are left in the order in which they came. */
enum { GW_QUERY_SORTED = 128 };

/* Parameters are what stands between '&', their names what stands before '=', compared as sent. Sorting keeps the order
 * of those of one name. One with a ';' is never left out, but by "*" alone: a backend that separates by it, too, sees
 * another parameter in there. A star leaves out no parameter whose name, percent-decoded, is one of `credentials`
 * (NULL: none), so that the answer to one user's ?api_key= is not given to another; an operator who means it writes the
 * name in full. If no parameter is left, or there was none, the query is absent (at == NULL).
 * Returns the query itself, or a copy in the arena. If the arena is full, it returns the query as it came. */
struct gw_slice gw_query_string_normalise(struct gw_slice query, const struct gw_strings *ignore,
                                          const struct gw_names *credentials, bool sort, struct gw_arena *arena);

#endif
