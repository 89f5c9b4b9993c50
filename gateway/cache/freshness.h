/* freshness.h: how old a response is and how long it is fresh (RFC 9111 §4.2). Pure. */
#ifndef GW_CACHE_FRESHNESS_H
#define GW_CACHE_FRESHNESS_H

#include "http/directives.h"
#include "http/head.h"

/* Seconds; larger ages and lifetimes count as this (RFC 9111 §1.2.2). */
#define GW_FRESHNESS_MAX_S ((int64_t)1 << 31)

/* The corrected_age_value of §4.2.3: Age, and the time on the wire. Not the larger of it and the age that Date tells:
 * §4.2.3 lets this one count alone where the way here has no HTTP/1.0 cache, which sends no Age. And Date is wrong where
 * it matters: uvicorn 0.17 dates all answers of a connection by the connection's beginning, and after five minutes on a
 * kept connection nothing that is fresh for five minutes would be stored. Of an Age that is a list the first member
 * counts; one that is no number is ignored (§5.1). */
int64_t gw_freshness_age_s(const struct gw_head *response, int64_t request_at_s, int64_t response_at_s);

/* Does the response state its freshness: s-maxage, max-age or Expires (which means nothing beside a targeted field)? */
bool gw_freshness_is_explicit(const struct gw_head *response, const struct gw_directives *directives);

/* The lifetime it states for a shared cache (§4.2.1), with Expires counted from Date, but never beyond Expires; 0 where
 * Expires, or the Date it is counted from, is malformed or given twice. Only where gw_freshness_is_explicit. */
int64_t gw_freshness_lifetime_s(const struct gw_head *response, const struct gw_directives *directives,
                                int64_t response_at_s);

/* Is there a Last-Modified to guess by: one, that is a date? */
bool gw_freshness_has_last_modified(const struct gw_head *response, int64_t response_at_s);

/* What is guessed by it (§4.2.2): 10 % of its age, most_s at most; 0 where it lies after Date, or Date is malformed.
 * Only where gw_freshness_has_last_modified. */
int64_t gw_freshness_guess_s(const struct gw_head *response, int64_t response_at_s, int64_t most_s);

#endif
