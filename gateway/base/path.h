/* path.h: the path that a request means, for everything that is decided by path: routes, limits, what bypasses the cache.
 *
 * Problem  A backend decodes a path before it looks for what is there: "/%6Cogin" is /login to FastAPI. A limit that
 *          compared the bytes as they came would be gone around in that way.
 * Form     As nginx compares locations: percent-encoding is decoded (once, "%2F" too), several slashes are one, and the
 *          segments "." and ".." are resolved (RFC 3986 §5.2.4, §6.2.2). Paths of the configuration are brought to the
 *          same form when it is loaded.
 * Doubt    nginx, Tomcat and others resolve dot segments; uvicorn, node and others do not: to FastAPI, "/search/.." is
 *          /search/{q}, not "/". So what protects a path holds for both readings, and where they lead to different
 *          routes the request is refused.
 * Not      What is sent to the backend, and the cache's key: these hold the path as it came. */
#ifndef GW_BASE_PATH_H
#define GW_BASE_PATH_H

#include "base/arena.h"
#include "base/slice.h"

struct gw_path_doubt {
    struct gw_slice literal; /* the same with its dot segments; the form itself where it had none */
    bool climbs; /* a segment ".." leads above "/", which here is as if it stayed there, but behind the path of a
                    backend's URL leads out of that */
};

/* Nearly always the path itself, else a copy in the arena. doubt may be NULL. What does not begin with '/' (OPTIONS *), and all where the
 * arena is full, comes back as it is. A '%' without two hexadecimal digits stands for itself. */
struct gw_slice gw_path_plain(struct gw_slice path, struct gw_arena *arena, struct gw_path_doubt *doubt);

#endif
