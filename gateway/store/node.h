/* node.h: what the two kinds of connections to a Redis node do alike, whatever of hiredis is behind them: link.h asks
 * and is answered, cache/line.h hears what nobody asked for. (TLS is tls.h.)
 *
 * Threads  One loop's. */
#ifndef GW_STORE_NODE_H
#define GW_STORE_NODE_H

#include "base/resolver.h"
#include "config/config.h"

/* As gw_resolver_ask. A node's socket in the file system counts as one address that is known; its text is "". */
enum gw_resolver_outcome gw_node_resolve(const struct gw_redis_node *node, struct gw_resolver *resolver,
                                         struct gw_resolver_question *question,
                                         struct gw_resolver_addresses *found) GW_MUST_CHECK;
/* Of a connection that is being made: no child of this process has it, and small commands leave at once. */
void gw_node_set_up_socket(const struct gw_redis_node *node, int descriptor);

#endif
