#include "store/seek.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

struct gw_seek {
    uv_getaddrinfo_t request;
    void (*on_found)(void *context, const struct gw_seek_found *found); /* NULL: given up */
    void *context;
};

static void add(struct gw_seek_found *found, const char *address)
{
    for (unsigned i = 0; i < found->count; i++)
        if (strcmp(found->list[i], address) == 0)
            return;
    if (found->count < GW_SEEK_ADDRESSES)
        snprintf(found->list[found->count++], GW_SEEK_ADDRESS_BYTES, "%s", address);
}

bool gw_seek_at_once(const struct gw_redis_node *node, struct gw_seek_found *found)
{
    struct gw_address address;
    found->count = 0;
    found->error = 0;
    if (node->is_unix) {
        found->count = 1; /* the path is the node's host */
    } else if (gw_slice_equal_nocase(node->host, GW_SLICE("localhost"))) {
        add(found, "127.0.0.1");
        add(found, "::1");
    } else if (gw_address_parse(&address, node->host, false)) {
        add(found, node->host.at);
    }
    return found->count > 0;
}

static void on_result(uv_getaddrinfo_t *request, int status, struct addrinfo *results)
{
    struct gw_seek *seek = request->data;
    struct gw_seek_found found = { .count = 0, .error = status };
    for (struct addrinfo *result = results; status == 0 && result; result = result->ai_next) {
        char text[GW_SEEK_ADDRESS_BYTES];
        if ((result->ai_family == AF_INET || result->ai_family == AF_INET6) &&
            uv_ip_name(result->ai_addr, text, sizeof(text)) == 0)
            add(&found, text);
    }
    uv_freeaddrinfo(results);
    if (seek->on_found)
        seek->on_found(seek->context, &found);
    free(seek);
}

struct gw_seek *gw_seek_begin(uv_loop_t *loop, const struct gw_redis_node *node,
                              void (*on_found)(void *context, const struct gw_seek_found *found), void *context)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct gw_seek *seek = calloc(1, sizeof(*seek));
    if (!seek)
        return NULL;
    seek->on_found = on_found;
    seek->context = context;
    seek->request.data = seek;
    if (uv_getaddrinfo(loop, &seek->request, on_result, node->host.at, NULL, &hints) != 0) {
        free(seek);
        return NULL;
    }
    return seek;
}

void gw_seek_give_up(struct gw_seek **seek)
{
    if (*seek) {
        (*seek)->on_found = NULL;
        uv_cancel((uv_req_t *)&(*seek)->request);
    }
    *seek = NULL;
}
