#include "server/peers.h"

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

struct gw_peers {
    unsigned max_per_client;
    uint64_t seed;

    uv_mutex_t lock;
    struct peer *slots[SLOTS];
};

struct gw_peers *gw_peers_create(unsigned max_per_client)
{
    struct gw_peers *peers = calloc(1, sizeof *peers);
    if (!peers)
        return NULL;
    peers->max_per_client = max_per_client;
    peers->seed = gw_random_seed();
    if (uv_mutex_init(&peers->lock)) {
        free(peers);
        return NULL;
    }
    return peers;
}

void gw_peers_destroy(struct gw_peers **peers)
{
    if (!*peers)
        return;
    for (unsigned i = 0; i < SLOTS; i++) {
        while ((*peers)->slots[i]) {
            struct peer *next = (*peers)->slots[i]->next;
            free((*peers)->slots[i]);
            (*peers)->slots[i] = next;
        }
    }
    uv_mutex_destroy(&(*peers)->lock);
    free(*peers);
    *peers = NULL;
}

/* The link to the address' entry, or to where a new entry goes. */
static struct peer **peers_find(struct gw_peers *peers, const struct gw_address *address)
{
    struct peer **at = &peers->slots[gw_hash(address, sizeof *address, peers->seed) % SLOTS];
    while (*at && memcmp(&(*at)->address, address, sizeof *address) != 0)
        at = &(*at)->next;
    return at;
}

bool gw_peers_enter(struct gw_peers *peers, const struct gw_address *address)
{
    uv_mutex_lock(&peers->lock);
    struct peer **at = peers_find(peers, address);
    if (!*at) {
        struct peer *peer = calloc(1, sizeof *peer);
        if (peer) {
            peer->address = *address;
            *at = peer;
        }
    }
    bool may = *at && (*at)->connections < peers->max_per_client;
    if (may)
        (*at)->connections++;
    uv_mutex_unlock(&peers->lock);
    return may;
}

void gw_peers_leave(struct gw_peers *peers, const struct gw_address *address)
{
    uv_mutex_lock(&peers->lock);
    struct peer **at = peers_find(peers, address), *peer = *at;
    if (peer && --peer->connections == 0) {
        *at = peer->next;
        free(peer);
    }
    uv_mutex_unlock(&peers->lock);
}
