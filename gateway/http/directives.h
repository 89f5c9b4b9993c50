/* directives.h: Cache-Control, Pragma and targeted fields, read tolerantly and the safe way (RFC 9111 §4.2.1, §5.2,
 * RFC 9213). Pure. */
#ifndef GW_HTTP_DIRECTIVES_H
#define GW_HTTP_DIRECTIVES_H

#include "http/head.h"

/* A number of seconds: absent, or its value (2^31 at most, RFC 9111 §1.2.2). What is malformed or given twice with
 * different values is read the safe way: a lifetime as 0, a request's max-age and min-fresh as the strictest. */
enum { GW_DIRECTIVE_ABSENT = -1 };

struct gw_directives {
    bool no_store, no_cache, must_revalidate, proxy_revalidate, is_public, is_private, must_understand, no_transform;
    bool immutable, only_if_cached;
    bool no_cache_fields; /* no-cache="a, b": the named fields only; see gw_directives_name_field */
    bool private_fields;  /* private="a, b" */
    bool max_stale_any;   /* max-stale without a value */
    bool has_malformed;   /* a number that was none, or was given twice with different values: permits nothing */
    int64_t max_age, s_maxage, min_fresh, max_stale, stale_while_revalidate, stale_if_error;
    bool is_unclear;  /* a member is no directive: of it the words that restrict count; nothing is permitted */
    bool present;     /* there was a Cache-Control, or a targeted field */
    bool is_targeted; /* read from a targeted field: Cache-Control, Expires and Pragma mean nothing */
};

/* A member that is not token ["=" (token / quoted-string)], such as "private; max-age=0" or "no-store no-cache", is
 * read the restrictive way: each word of it that forbids or asks for more counts, as if it stood alone; a number of it
 * is the strictest; and public, must-understand, immutable and what must-revalidate or s-maxage permit (RFC 9111 §3.5)
 * do not count anywhere in the field. Of a targeted field that is no Dictionary only the words that forbid count.
 *
 * Of all Cache-Control fields of the head; of Pragma: no-cache in a request without Cache-Control (RFC 9111 §5.4). */
void gw_directives_read(struct gw_directives *directives, const struct gw_head *head, bool is_request);

/* Does Pragma have the word no-cache, anywhere in it? */
bool gw_directives_pragma_no_cache(const struct gw_head *head);

/* Of the first of these fields that the response has as a valid Dictionary (RFC 8941, strictly) that is not empty (RFC
 * 9213 §2.2); where there is none, of Cache-Control. There no-cache and private with field names are read as without,
 * and of a directive that is given twice the last counts (RFC 8941 §4.2.2). */
void gw_directives_read_targeted(struct gw_directives *directives, const struct gw_head *response,
                                 const struct gw_slice *fields, unsigned count);

/* Of this field alone, whatever Cache-Control says; where it is no valid Dictionary, only the words that forbid. */
void gw_directives_read_one_targeted(struct gw_directives *directives, const struct gw_head *response,
                                     struct gw_slice field);

/* Does Cache-Control name this field of the response in no-cache="…" or private="…" (RFC 9111 §5.2.2.4, §5.2.2.7)? A
 * list that is malformed, or names a field by which the response is cached (Cache-Control, Expires, Pragma), is read as
 * the directive without one. */
bool gw_directives_name_field(const struct gw_head *response, struct gw_slice name);
/* Any field at all? Ask once, before asking for each of a head's. */
bool gw_directives_name_any(const struct gw_head *response);

#endif
