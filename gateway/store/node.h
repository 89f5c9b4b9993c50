/* node.h: what the two kinds of connections to a Redis node do alike, whatever of hiredis is behind them: link.h asks
 * and is answered, push_connection.h hears what nobody asked for. (TLS is tls.h, errors are reply.h.)
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

enum gw_node_step { GW_NODE_AUTH, GW_NODE_SELECT, GW_NODE_NAME };
/* Hands over the commands of the log-in one by one, in RESP (resp.h): AUTH and SELECT where the node's URL says so, and
 * CLIENT SETNAME. A command is valid during the call of put. False: put was false, or memory is out. */
bool gw_node_log_in(const struct gw_redis_node *node, struct gw_slice client_name,
                    bool (*put)(void *owner, enum gw_node_step step, struct gw_slice command),
                    void *owner) GW_MUST_CHECK;
/* Is this error reply the answer to a command that this user may not run, or that this server does not know? */
bool gw_node_is_denied(struct gw_slice error);

#endif
