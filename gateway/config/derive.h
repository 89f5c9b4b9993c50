/* derive.h: makes from the values what the gateway reads: fields, addresses, networks, backends, routes, policies.
 *
 * Each function fills its part of loading->config from loading->values, and checks that values fit together. False: a
 * complaint is set, or all mistakes are filed already. In both cases the caller calls gw_loading_file and may go on. */
#ifndef GW_CONFIG_DERIVE_H
#define GW_CONFIG_DERIVE_H

#include "config/loading.h"

enum { GW_DERIVE_ROUTES = 64, GW_DERIVE_BACKENDS = 64, GW_DERIVE_POLICIES = 8 };

/* derive.c: all parts. */
bool gw_derive_config(struct gw_loading *loading) GW_MUST_CHECK;
/* policies.c */
bool gw_policies_derive(struct gw_loading *loading) GW_MUST_CHECK;
/* routes.c: the routes and their backends. */
bool gw_routes_derive(struct gw_loading *loading) GW_MUST_CHECK;

/* space.c: each route's part of the cache's name space. Derived last, since it depends on everything that the route's
 * answers depend on. */
bool gw_space_check(struct gw_loading *loading) GW_MUST_CHECK;
bool gw_space_derive(struct gw_loading *loading) GW_MUST_CHECK;

/* caching.c: the keys of "cache". Derived before the routes, which use them as defaults. */
bool gw_caching_derive(struct gw_loading *loading) GW_MUST_CHECK;
/* The names of fields with credentials. Derived after the policies, whose fields belong to them. */
bool gw_caching_derive_credentials(struct gw_loading *loading) GW_MUST_CHECK;
/* A route's rules: its own where it has them, otherwise those of "cache". s and v are an object in "routes"; NULL for
 * the route that is added automatically. */
bool gw_caching_derive_route(struct gw_loading *loading, struct gw_route *route, const struct gw_source *s,
                             const struct gw_value *v) GW_MUST_CHECK;

/* backends.c: makes backends of the URLs of a list. They have no index yet. */
bool gw_backends_derive(struct gw_loading *loading, const struct gw_source *source, const struct gw_strings *urls,
                        struct gw_backend **backends) GW_MUST_CHECK;
/* Gives each backend its index, the same one to equal URLs, and adds new backends to config->backends. */
bool gw_backends_number(struct gw_loading *loading, const struct gw_source *source, struct gw_backend *backends,
                        unsigned count) GW_MUST_CHECK;

/* redis.c: the URLs' parts, and the keys of "redis". No complaint quotes a password. */
bool gw_redis_derive(struct gw_loading *loading) GW_MUST_CHECK;

/* match.c: the three keys of a match, which routes and policies share. */
bool gw_match_derive(struct gw_loading *loading, struct gw_match *match, const struct gw_source *path_source,
                     struct gw_slice path, const struct gw_source *host_source, struct gw_slice host,
                     const struct gw_source *methods_source, const struct gw_strings *methods) GW_MUST_CHECK;
/* Does it match every request? */
bool gw_match_is_any(const struct gw_match *match);
/* [a-z0-9_-]{1,32} */
bool gw_match_is_name(struct gw_slice name);
/* RFC 9110 §5.6.2; not empty. */
bool gw_match_is_token(struct gw_slice text);
/* Does this token look like a wildcard or a regular expression? No client sends such a name. */
bool gw_match_is_pattern(struct gw_slice name);

/* Is the text percent-encoded as clients do it: complete, in upper case, and only where it must be? A text of more than
 * 1 KiB counts as such. */
bool gw_match_is_normal(struct gw_slice text);

/* Can this text be equal to one that clients send? False with a complaint. Warns where the text is valid but probably a
 * mistake. item: the number of the text in a list, or GW_SOURCE_WHOLE. */
typedef bool gw_match_check(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice text);
gw_match_check gw_match_check_path;
gw_match_check gw_match_check_method;
gw_match_check gw_match_check_field;        /* the name of a request's field */
gw_match_check gw_match_check_answer_field; /* the name of a response's field */
gw_match_check gw_match_check_cookie;
/* Files a complaint about each item of the list that fails the check. */
bool gw_match_check_each(struct gw_loading *loading, const struct gw_source *source, const struct gw_strings *list,
                         gw_match_check *check) GW_MUST_CHECK;
/* Does `wide` match every request with this method that `narrow` matches? The absent slice stands for a method that no
 * list names. */
bool gw_match_covers(const struct gw_match *wide, const struct gw_match *narrow, struct gw_slice method);

#endif
