/* derive.h: from values to what the gateway reads: fields, addresses, networks, backends, routes, policies.
 *
 * Each fills its part of loading->config from loading->values, and holds values against each other. False with
 * a complaint, or with all that there were filed: either way the caller files (gw_loading_file) and may go on. */
#ifndef GW_CONFIG_DERIVE_H
#define GW_CONFIG_DERIVE_H

#include "config/loading.h"

enum { GW_DERIVE_ROUTES = 64, GW_DERIVE_BACKENDS = 64, GW_DERIVE_POLICIES = 8 };

/* derive.c: all of it. */
bool gw_derive_config(struct gw_loading *loading) GW_MUST_CHECK;
/* policies.c */
bool gw_policies_derive(struct gw_loading *loading) GW_MUST_CHECK;
/* routes.c: routes, and through them the backends. */
bool gw_routes_derive(struct gw_loading *loading) GW_MUST_CHECK;

/* space.c: each route's part of the cache's name space. Derived last, since it is made of what its answers depend on. */
bool gw_space_check(struct gw_loading *loading) GW_MUST_CHECK;
bool gw_space_derive(struct gw_loading *loading) GW_MUST_CHECK;

/* caching.c: the keys of "cache"; before the routes, which take their rules from there. */
bool gw_caching_derive(struct gw_loading *loading) GW_MUST_CHECK;
/* And the names of fields with credentials; after the policies, whose fields are among them. */
bool gw_caching_derive_credentials(struct gw_loading *loading) GW_MUST_CHECK;
/* A route's part of them: its own where written, else those of "cache". s and v: of an object in "routes"; NULL for the
 * route that nobody wrote. */
bool gw_caching_derive_route(struct gw_loading *loading, struct gw_route *route, const struct gw_source *s,
                             const struct gw_value *v) GW_MUST_CHECK;

/* backends.c: the URLs of a list. They get no index yet. */
bool gw_backends_derive(struct gw_loading *loading, const struct gw_source *source, const struct gw_strings *urls,
                        struct gw_backend **backends) GW_MUST_CHECK;
/* Numbers them, equal ones alike, and adds new ones to config->backends. */
bool gw_backends_number(struct gw_loading *loading, const struct gw_source *source, struct gw_backend *backends,
                        unsigned count) GW_MUST_CHECK;

/* redis.c: the URLs' parts, and the keys of "redis". Passwords stand in no complaint. */
bool gw_redis_derive(struct gw_loading *loading) GW_MUST_CHECK;

/* match.c: the three keys of a match; those of routes and of policies are the same. */
bool gw_match_derive(struct gw_loading *loading, struct gw_match *match, const struct gw_source *path_source,
                     struct gw_slice path, const struct gw_source *host_source, struct gw_slice host,
                     const struct gw_source *methods_source, const struct gw_strings *methods) GW_MUST_CHECK;
/* Is there nothing that it does not match? */
bool gw_match_is_any(const struct gw_match *match);
/* [a-z0-9_-]{1,32} */
bool gw_match_is_name(struct gw_slice name);
/* RFC 9110 §5.6.2; not empty. */
bool gw_match_is_token(struct gw_slice text);
/* A token that looks like a wildcard or a regular expression: no name that anybody sends. */
bool gw_match_is_pattern(struct gw_slice name);

/* Is its percent-encoding that of clients: complete, in upper case, and only of what must be encoded? Longer texts than
 * 1 KiB count as such. */
bool gw_match_is_normal(struct gw_slice text);

/* Is this one, as it is compared with what clients send? False with a complaint; a warning where it may be meant. item:
 * of a list, or GW_SOURCE_WHOLE. */
typedef bool gw_match_check(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice text);
gw_match_check gw_match_check_path;
gw_match_check gw_match_check_method;
gw_match_check gw_match_check_field;        /* the name of a request's */
gw_match_check gw_match_check_answer_field; /* the name of a response's */
gw_match_check gw_match_check_cookie;
/* Files a complaint about each of the list that is not good. */
bool gw_match_check_each(struct gw_loading *loading, const struct gw_source *source, const struct gw_strings *list,
                         gw_match_check *check) GW_MUST_CHECK;
/* Does `wide` match every request with this method that `narrow` matches? The absent method: one that no list names. */
bool gw_match_covers(const struct gw_match *wide, const struct gw_match *narrow, struct gw_slice method);

#endif
