/* path.h: the plain form of a request's path, by which routes, limits and bypasses of the cache are chosen.
 *
 * Problem  A backend decodes a path before it chooses what to run: for FastAPI, "/%6Cogin" is /login. If a limit
 *          compared the bytes as they came, a client could avoid the limit in this way.
 * Form     The plain form is the one in which nginx compares locations: percent-encoding is decoded (once; "%2F", too),
 *          several slashes become one, and the segments "." and ".." are resolved (RFC 3986 §5.2.4, §6.2.2). The paths
 *          of the configuration are brought to this form when the configuration is loaded.
 * Doubt    nginx, Tomcat and others resolve dot segments; uvicorn, node and others do not: for FastAPI, "/search/.." is
 *          /search/{q} and not "/". So a rule that protects a path is applied to both readings, and a request is
 *          refused where its two readings lead to different routes.
 * Not      The request to the backend and the cache's key have the path as it came. */
#ifndef GW_BASE_PATH_H
#define GW_BASE_PATH_H

#include "base/arena.h"
#include "base/slice.h"

struct gw_path_doubt {
    struct gw_slice literal; /* the plain form with its dot segments; the plain form itself where the path has none */
    bool climbs; /* a segment ".." leads above "/". Here such a segment stays at "/"; but behind the path of a
                    backend's URL it would lead out of that path. */
};

/* The plain form: nearly always the path itself, otherwise a copy in the arena. A path that does not begin with '/'
 * (OPTIONS *) comes back unchanged, and so does every path when the arena is full. A '%' without two hexadecimal digits
 * stands for itself. doubt may be NULL. */
struct gw_slice gw_path_plain(struct gw_slice path, struct gw_arena *arena, struct gw_path_doubt *doubt);

#endif
