#include "server/client_connections.h"

#include <stdlib.h>
#include <uv.h>
#include "base/hash.h"
#include "base/random.h"

enum { SLOTS = 4096 };

struct peer {
    struct peer *next;
    struct gw_address address;
    unsigned connections;
};

struct gw_client_connections {
    unsigned max_per_client;
    uint64_t seed;

    uv_mutex_t lock;
    struct peer *slots[SLOTS];
};

struct gw_client_connections *gw_client_connections_create(unsigned max_per_client)
{
    struct gw_client_connections *client_connections = calloc(1, sizeof *client_connections);
    if (!client_connections)
        return NULL;
    client_connections->max_per_client = max_per_client;
    client_connections->seed = gw_random_seed();
    if (uv_mutex_init(&client_connections->lock)) {
        free(client_connections);
        return NULL;
    }
    return client_connections;
}

void gw_client_connections_destroy(struct gw_client_connections **client_connections)
{
    if (!*client_connections)
        return;
    for (unsigned i = 0; i < SLOTS; i++) {
        while ((*client_connections)->slots[i]) {
            struct peer *next = (*client_connections)->slots[i]->next;
            free((*client_connections)->slots[i]);
            (*client_connections)->slots[i] = next;
        }
    }
    uv_mutex_destroy(&(*client_connections)->lock);
    free(*client_connections);
    *client_connections = NULL;
}

/* The link to the address' entry, or to where a new entry goes. */
static struct peer **client_connections_find(struct gw_client_connections *client_connections,
                                             const struct gw_address *address)
{
    struct peer **at = &client_connections->slots[gw_hash(address, sizeof *address, client_connections->seed) % SLOTS];
    while (*at && memcmp(&(*at)->address, address, sizeof *address) != 0)
        at = &(*at)->next;
    return at;
}

bool gw_client_connections_enter(struct gw_client_connections *client_connections, const struct gw_address *address)
{
    uv_mutex_lock(&client_connections->lock);
    struct peer **at = client_connections_find(client_connections, address);
    if (!*at) {
        struct peer *peer = calloc(1, sizeof *peer);
        if (peer) {
            peer->address = *address;
            *at = peer;
        }
    }
    bool may = *at && (*at)->connections < client_connections->max_per_client;
    if (may)
        (*at)->connections++;
    uv_mutex_unlock(&client_connections->lock);
    return may;
}

void gw_client_connections_leave(struct gw_client_connections *client_connections, const struct gw_address *address)
{
    uv_mutex_lock(&client_connections->lock);
    struct peer **at = client_connections_find(client_connections, address), *peer = *at;
    if (peer && --peer->connections == 0) {
        *at = peer->next;
        free(peer);
    }
    uv_mutex_unlock(&client_connections->lock);
}
