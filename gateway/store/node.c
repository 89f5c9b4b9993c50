#include "store/node.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum gw_resolver_outcome gw_node_resolve(const struct gw_redis_node *node, struct gw_resolver *resolver,
                                         struct gw_resolver_question *question, struct gw_resolver_addresses *found)
{
    if (!node->is_unix)
        return gw_resolver_ask(resolver, question, node->host, found);
    *found = (struct gw_resolver_addresses) { .count = 1 };
    return GW_RESOLVER_KNOWN;
}

void gw_node_set_up_socket(const struct gw_redis_node *node, int descriptor)
{
    int on = 1;
    (void)fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    if (!node->is_unix)
        (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
