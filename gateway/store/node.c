#include "store/node.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "store/resp.h"

enum { LOGIN_BYTES = 64 * 1024 };

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

static bool node_put_command(const struct gw_slice *arguments, unsigned count, struct gw_buffer *command)
{
    command->length = 0;
    gw_resp_begin(command, count);
    for (unsigned i = 0; i < count; i++)
        gw_resp_put(command, arguments[i]);
    return !command->overflowed;
}

static bool node_put_all(const struct gw_redis_node *node, struct gw_slice client_name, struct gw_buffer *command,
                         bool (*put)(void *owner, enum gw_node_step step, struct gw_slice command), void *owner)
{
    char memory[24];
    struct gw_buffer digits = gw_buffer_over(memory, sizeof memory);
    gw_buffer_put_uint(&digits, node->database);
    const struct gw_slice auth[] = { GW_SLICE("AUTH"), node->user, node->password },
                          auth_default[] = { GW_SLICE("AUTH"), node->password },
                          choose[] = { GW_SLICE("SELECT"), gw_buffer_slice(&digits) },
                          name[] = { GW_SLICE("CLIENT"), GW_SLICE("SETNAME"), client_name };
    bool has_user = node->user.length > 0;
    if (node->password.length && !(node_put_command(has_user ? auth : auth_default, has_user ? 3 : 2, command) &&
                                   put(owner, GW_NODE_AUTH, gw_buffer_slice(command))))
        return false;
    if (node->database &&
        !(node_put_command(choose, 2, command) && put(owner, GW_NODE_SELECT, gw_buffer_slice(command))))
        return false;
    return node_put_command(name, 3, command) && put(owner, GW_NODE_NAME, gw_buffer_slice(command));
}

bool gw_node_log_in(const struct gw_redis_node *node, struct gw_slice client_name,
                    bool (*put)(void *owner, enum gw_node_step step, struct gw_slice command), void *owner)
{
    struct gw_buffer command = gw_buffer_create(LOGIN_BYTES);
    bool is_good = node_put_all(node, client_name, &command, put, owner);
    gw_buffer_destroy(&command);
    return is_good;
}

bool gw_node_is_denied(struct gw_slice error)
{
    return gw_slice_starts_with(error, GW_SLICE("NOPERM ")) || gw_slice_starts_with(error, GW_SLICE("ERR unknown ")) ||
           gw_slice_starts_with(error, GW_SLICE("ERR Unknown ")); /* subcommands, Redis 6 */
}
