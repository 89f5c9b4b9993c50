/* directives.h: Cache-Control and Pragma, read tolerantly and the safe way (RFC 9111 §4.2.1, §5.2). Pure. */
#ifndef GW_HTTP_DIRECTIVES_H
#define GW_HTTP_DIRECTIVES_H

#include "http/head.h"

/* A number of seconds: absent, or its value (2^31 at most, RFC 9111 §1.2.2). What is malformed or given twice with
 * different values is read the safe way: a lifetime as 0, a request's max-age and min-fresh as the strictest. */
enum { GW_DIRECTIVE_ABSENT = -1 };

struct gw_directives {
    bool no_store, no_cache, must_revalidate, proxy_revalidate, is_public, is_private, must_understand, no_transform;
    bool immutable, only_if_cached;
    bool no_cache_fields; /* no-cache="a, b": the named fields only */
    bool private_fields;  /* private="a, b" */
    bool max_stale_any;   /* max-stale without a value */
    int64_t max_age, s_maxage, min_fresh, max_stale, stale_while_revalidate, stale_if_error;
    bool present; /* there was a Cache-Control */
};

/* Of all Cache-Control fields of the head; of Pragma: no-cache in a request without Cache-Control (RFC 9111 §5.4). */
void gw_directives_read(struct gw_directives *directives, const struct gw_head *head, bool is_request);

#endif
