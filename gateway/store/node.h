/* node.h: the common part of the two kinds of connections to a Redis node, whichever context of hiredis they use:
 * link.h asks and gets answers, push_connection.h gets messages without asking. (TLS is tls.h, errors are reply.h.)
 *
 * Threads  One loop's. */
#ifndef GW_STORE_NODE_H
#define GW_STORE_NODE_H

#include "base/resolver.h"
#include "config/config.h"

/* Works as gw_resolver_ask. A node's socket in the file system counts as one known address; its text is "". */
enum gw_resolver_outcome gw_node_resolve(const struct gw_redis_node *node, struct gw_resolver *resolver,
                                         struct gw_resolver_question *question,
                                         struct gw_resolver_addresses *found) GW_MUST_CHECK;
/* For a connection that is being made: no child process inherits it, and small commands leave at once. */
void gw_node_set_up_socket(const struct gw_redis_node *node, int descriptor);

enum gw_node_step { GW_NODE_AUTH, GW_NODE_SELECT, GW_NODE_NAME };
/* Hands over the commands of the log-in one by one, in RESP (resp.h): AUTH and SELECT if the node's URL asks for them,
 * and CLIENT SETNAME. A command is valid during the call of put. False: put was false, or memory is out. */
bool gw_node_log_in(const struct gw_redis_node *node, struct gw_slice client_name,
                    bool (*put)(void *owner, enum gw_node_step step, struct gw_slice command),
                    void *owner) GW_MUST_CHECK;
/* Does this error reply say that the user may not run the command, or that the server does not know it? */
bool gw_node_is_denied(struct gw_slice error);

#endif
