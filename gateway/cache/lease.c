#include "cache/lease.h"

#include <stdlib.h>
#include "base/buffer.h"
#include "cache/text.h"

enum { KEPT_FREE = 256 /* leases to be used again */, ID_BYTES = 16 };

#define LEASE_MS_DIGITS "500"
_Static_assert(GW_LEASE_MS == 500, "LEASE_MS_DIGITS says the same");

/*   take ─► ASKED ──taken──► HELD ◄──kept── renewed at a third
 *             │ left            │ not kept, or no answer
 *             ▼                 ▼
 *        LEFT: if taken,      LOST: nothing is there to be given back
 *        given back           */
enum state { ASKED, LEFT, HELD, LOST };

struct gw_lease {
    struct gw_leases *leases;
    struct gw_list link; /* free */
    struct gw_cache_key key;
    char id[ID_BYTES];
    gw_lease_done *done;
    void *owner;

    enum state state;
    struct gw_store_call *call; /* ASKED, LEFT: the taking; HELD: a renewal, or NULL */
    struct gw_timer timer;
};

void gw_leases_init(struct gw_leases *leases)
{
    gw_random_init(&leases->random);
    gw_list_init(&leases->free);
    leases->free_count = 0;
}

void gw_leases_free(struct gw_leases *leases)
{
    gw_list_each_safe(link, &leases->free) free(GW_CONTAINER(link, struct gw_lease, link));
    gw_list_init(&leases->free);
    leases->free_count = 0;
}

static struct gw_lease *obtain(struct gw_leases *leases)
{
    if (gw_list_is_empty(&leases->free))
        return malloc(sizeof(struct gw_lease));
    struct gw_lease *lease = GW_CONTAINER(leases->free.next, struct gw_lease, link);
    gw_list_remove(&lease->link);
    leases->free_count--;
    return lease;
}

static void give_up(struct gw_lease *lease)
{
    struct gw_leases *leases = lease->leases;
    gw_timer_stop(&lease->timer);
    if (leases->free_count >= KEPT_FREE) {
        free(lease);
        return;
    }
    gw_list_push_front(&leases->free, &lease->link);
    leases->free_count++;
}

static struct gw_store_call *run(struct gw_lease *lease, struct gw_slice operation, gw_store_done *done, void *owner)
{
    const struct gw_slice arguments[] = { operation, gw_slice_of(lease->id, ID_BYTES), GW_SLICE(LEASE_MS_DIGITS) };
    struct gw_text text;
    gw_text_of_lock(&text, lease->leases->config->redis_prefix, &lease->key);
    return gw_store_run(lease->leases->store, GW_STORE_LEASE, &text.slice, 1, arguments, GW_COUNT(arguments),
                        GW_NO_SLICE, NULL, done, owner);
}

/* Nobody waits for the answer: what is not given back expires. */
static void send_leave(struct gw_lease *lease)
{
    struct gw_store_call *call = run(lease, GW_SLICE("leave"), NULL, NULL);
    gw_store_forget(&call);
}

static bool is_yes(const struct gw_store_reply *reply)
{
    return reply->result == GW_STORE_INTEGERS && reply->integer_count == 1 && reply->integers[0] == 1;
}

static bool is_no(const struct gw_store_reply *reply)
{
    return reply->result == GW_STORE_INTEGERS && reply->integer_count == 1 && reply->integers[0] == 0;
}

static void renew_later(struct gw_lease *lease)
{
    gw_timer_start(lease->leases->timers, &lease->timer, GW_LEASE_MS / 3);
}

static void on_kept(void *owner, const struct gw_store_reply *reply)
{
    struct gw_lease *lease = owner;
    lease->call = NULL;
    if (is_yes(reply))
        renew_later(lease);
    else
        lease->state = LOST;
}

static void on_due(struct gw_timer *timer)
{
    struct gw_lease *lease = GW_CONTAINER(timer, struct gw_lease, timer);
    lease->call = run(lease, GW_SLICE("keep"), on_kept, lease);
    if (!lease->call)
        lease->state = LOST;
}

static void on_taken(void *owner, const struct gw_store_reply *reply)
{
    struct gw_lease *lease = owner;
    lease->call = NULL;
    if (lease->state == LEFT) {
        if (is_yes(reply))
            send_leave(lease);
        give_up(lease);
        return;
    }
    gw_lease_done *done = lease->done;
    void *asker = lease->owner;
    enum gw_lease_result result = is_yes(reply) ? GW_LEASE_TAKEN : is_no(reply) ? GW_LEASE_ELSEWHERE : GW_LEASE_UNKNOWN;
    if (result == GW_LEASE_TAKEN) {
        lease->state = HELD;
        renew_later(lease);
    } else {
        give_up(lease);
    }
    done(asker, result);
}

static void make_id(struct gw_lease *lease)
{
    uint64_t word = gw_random_next(&lease->leases->random);
    struct gw_buffer id = gw_buffer_over(lease->id, ID_BYTES);
    gw_buffer_put_hex(&id, &word, sizeof word);
}

struct gw_lease *gw_lease_take(struct gw_leases *leases, const struct gw_cache_key *key, gw_lease_done *done,
                               void *owner)
{
    if (!gw_store_is_up(leases->store))
        return NULL;
    struct gw_lease *lease = obtain(leases);
    if (!lease)
        return NULL;
    *lease = (struct gw_lease) { .leases = leases, .key = *key, .done = done, .owner = owner, .state = ASKED };
    gw_list_init(&lease->link);
    gw_timer_init(&lease->timer, on_due);
    make_id(lease);
    lease->call = run(lease, GW_SLICE("take"), on_taken, lease);
    if (lease->call)
        return lease;
    give_up(lease);
    return NULL;
}

void gw_lease_leave(struct gw_lease **taken)
{
    struct gw_lease *lease = *taken;
    *taken = NULL;
    if (!lease)
        return;
    if (lease->state == ASKED) {
        lease->state = LEFT;
        return;
    }
    gw_store_forget(&lease->call);
    if (lease->state == HELD)
        send_leave(lease);
    give_up(lease);
}
