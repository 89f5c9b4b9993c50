/* directives.h: reads Cache-Control, Pragma and targeted fields (RFC 9111 §4.2.1, §5.2, RFC 9213). Malformed fields are
 * accepted and read the safe way. Pure. */
#ifndef GW_HTTP_DIRECTIVES_H
#define GW_HTTP_DIRECTIVES_H

#include "http/head.h"

/* A number of seconds is absent or at most 2^31 (RFC 9111 §1.2.2). A number that is malformed, or given twice with
 * different values, is read the safe way: a lifetime as 0, and a request's max-age and min-fresh as the strictest
 * value. */
enum { GW_DIRECTIVE_ABSENT = -1 };

struct gw_directives {
    bool no_store, no_cache, must_revalidate, proxy_revalidate, is_public, is_private, must_understand, no_transform;
    bool immutable, only_if_cached;
    bool no_cache_fields; /* no-cache="a, b", which is about these fields only; see gw_directives_name_field */
    bool private_fields;  /* private="a, b", likewise */
    bool max_stale_any;   /* max-stale without a value */
    bool has_malformed;   /* a number was malformed or given twice with different values: nothing is permitted */
    int64_t max_age, s_maxage, min_fresh, max_stale, stale_while_revalidate, stale_if_error;
    bool is_unclear;  /* a member is not a directive: its words that restrict count, and nothing is permitted */
    bool present;     /* the head has Cache-Control or a targeted field */
    bool is_targeted; /* read from a targeted field: Cache-Control, Expires and Pragma do not count */
};

/* Reads all Cache-Control fields of the head. In a request without Cache-Control, "Pragma: no-cache" counts as no-cache
 * (RFC 9111 §5.4).
 *
 * A member that is not token ["=" (token / quoted-string)], such as "private; max-age=0" or "no-store no-cache", is
 * read the strict way: each of its words that forbids or demands something counts as if it stood alone, and a number in
 * it is the strictest one. Then public, must-understand, immutable and what must-revalidate or s-maxage permit (RFC
 * 9111 §3.5) do not count anywhere in the field. In a targeted field that is not a Dictionary, only the words that
 * forbid count. */
void gw_directives_read(struct gw_directives *directives, const struct gw_head *head, bool is_request);

/* Does any Pragma field contain the word no-cache? */
bool gw_directives_pragma_no_cache(const struct gw_head *head);

/* Reads the first of these fields that the response has as a valid Dictionary (RFC 8941, strictly) that is not empty
 * (RFC 9213 §2.2). If there is none, reads Cache-Control. In a Dictionary, no-cache and private with field names count
 * as without names, and the last value of a directive counts (RFC 8941 §4.2.2). */
void gw_directives_read_targeted(struct gw_directives *directives, const struct gw_head *response,
                                 const struct gw_slice *fields, unsigned count);

/* Reads this field only, without Cache-Control. If it is not a valid Dictionary, only its words that forbid count. */
void gw_directives_read_one_targeted(struct gw_directives *directives, const struct gw_head *response,
                                     struct gw_slice field);

/* Does Cache-Control name this field of the response in no-cache="…" or private="…" (RFC 9111 §5.2.2.4, §5.2.2.7)? A
 * list that is malformed, or that names a field which decides about caching (Cache-Control, Expires, Pragma), is
 * ignored: the directive counts as without a list. */
bool gw_directives_name_field(const struct gw_head *response, struct gw_slice name);
/* Does it name any field? To be asked once, before gw_directives_name_field is asked for each field of a head. */
bool gw_directives_name_any(const struct gw_head *response);

#endif
