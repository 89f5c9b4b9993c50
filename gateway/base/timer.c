#include "base/timer.h"

enum { TIMERS_MAGIC = 0x54494d53 }; /* TIMS */

static uint64_t timer_slot_now(const struct gw_timers *timers)
{
    return uv_now(timers->loop) / GW_TIMER_SLOT_MS;
}

/* The next slot after `after` that has timers; UINT64_MAX if there is none. */
static uint64_t timer_next_occupied(const struct gw_timers *timers, uint64_t after)
{
    for (unsigned step = 1; step <= GW_TIMER_SLOTS;) {
        unsigned slot = (unsigned)((after + step) % GW_TIMER_SLOTS);
        uint64_t word = timers->occupied[slot / 64] >> slot % 64;
        if (word)
            return after + step + (unsigned)__builtin_ctzll(word);
        step += 64 - slot % 64;
    }
    return UINT64_MAX;
}

static void timer_on_handle(uv_timer_t *handle);

static void timer_arm(struct gw_timers *timers, uint64_t slot)
{
    timers->armed_slot = slot;
    if (slot == UINT64_MAX) {
        uv_timer_stop(&timers->handle);
        return;
    }
    /* A slot is due when its time is over, so that no timer fires early. */
    uint64_t at_ms = (slot + 1) * GW_TIMER_SLOT_MS, now = uv_now(timers->loop);
    uv_timer_start(&timers->handle, timer_on_handle, at_ms > now ? at_ms - now : 0, 0);
}

/* Fires the timers of one slot that are due; those of a later round of the wheel stay. A timer that is started
 * meanwhile goes to a later slot, or into this slot for a later round. */
static void timer_run_slot(struct gw_timers *timers, uint64_t slot)
{
    struct gw_list *ring = &timers->slots[slot % GW_TIMER_SLOTS], due;
    gw_list_init(&due);
    gw_list_each_safe(link, ring)
    {
        struct gw_timer *timer = GW_CONTAINER(link, struct gw_timer, link);
        GW_CHECK_MAGIC(timer, GW_TIMER_MAGIC);
        if (timer->due_at_slot <= slot) {
            gw_list_remove(link);
            gw_list_push_back(&due, link);
        }
    }
    if (gw_list_is_empty(ring))
        timers->occupied[slot % GW_TIMER_SLOTS / 64] &= ~(UINT64_C(1) << slot % 64);
    while (!gw_list_is_empty(&due)) {
        struct gw_timer *timer = GW_CONTAINER(due.next, struct gw_timer, link);
        GW_CHECK_MAGIC(timer, GW_TIMER_MAGIC);
        gw_timer_stop(timer);
        timer->on_due(timer);
    }
}

static void timer_on_handle(uv_timer_t *handle)
{
    struct gw_timers *timers = GW_FROM_CONTEXT(handle->data, struct gw_timers, TIMERS_MAGIC);
    uint64_t over = timer_slot_now(timers); /* the time of all slots before this one is over */
    timers->armed_slot = UINT64_MAX;
    if (over > timers->done_slot + GW_TIMER_SLOTS + 1)
        timers->done_slot = over - GW_TIMER_SLOTS - 1; /* after a long sleep one round is enough */
    while (timers->done_slot + 1 < over) {
        uint64_t next = timer_next_occupied(timers, timers->done_slot);
        if (next == UINT64_MAX || next >= over) {
            timers->done_slot = over - 1;
            break;
        }
        timers->done_slot = next;
        timer_run_slot(timers, next);
    }
    timer_arm(timers, timer_next_occupied(timers, timers->done_slot));
}

int gw_timers_open(struct gw_timers *timers, uv_loop_t *loop)
{
    timers->magic = GW_MAGIC(TIMERS_MAGIC);
    timers->loop = loop;
    for (unsigned i = 0; i < GW_TIMER_SLOTS; i++)
        gw_list_init(&timers->slots[i]);
    for (unsigned i = 0; i < GW_COUNT(timers->occupied); i++)
        timers->occupied[i] = 0;
    timers->done_slot = timer_slot_now(timers);
    timers->armed_slot = UINT64_MAX;
    timers->handle.data = timers;
    int result = uv_timer_init(loop, &timers->handle);
    timers->handle.data = timers;
    return result;
}

void gw_timers_close(struct gw_timers *timers)
{
    timers->magic = GW_NO_MAGIC;
    uv_close((uv_handle_t *)&timers->handle, NULL);
}

void gw_timer_start(struct gw_timers *timers, struct gw_timer *timer, uint64_t after_ms)
{
    gw_timer_stop(timer);
    if (timers->armed_slot == UINT64_MAX && timer_slot_now(timers) > timers->done_slot + 1 &&
        timer_next_occupied(timers, timers->done_slot) == UINT64_MAX)
        timers->done_slot = timer_slot_now(timers) - 1; /* no timer was running: skip the slots that have passed */
    uint64_t due = (uv_now(timers->loop) + after_ms) / GW_TIMER_SLOT_MS;
    if (due <= timers->done_slot)
        due = timers->done_slot + 1;
    timer->due_at_slot = due;
    unsigned slot = (unsigned)(due % GW_TIMER_SLOTS);
    gw_list_push_back(&timers->slots[slot], &timer->link);
    timers->occupied[slot / 64] |= UINT64_C(1) << slot % 64;
    if (due < timers->armed_slot)
        timer_arm(timers, due);
}
