/* timer.h: many coarse timers on one uv_timer.
 *
 * Problem  Every connection starts timers again with every request, and each start of a uv_timer is an operation on
 *          libuv's heap.
 * Shape    A wheel of 512 slots of 8 ms. A bitmap tells the next slot that has timers, so that an idle worker sleeps.
 * Cost     Start and stop are an operation on a list each. A timer fires up to 16 ms late and never early.
 * Threads  The timers belong to one worker. */
#ifndef GW_BASE_TIMER_H
#define GW_BASE_TIMER_H

#include <stdint.h>
#include <uv.h>
#include "base/check.h"
#include "base/list.h"

enum { GW_TIMER_SLOTS = 512, GW_TIMER_SLOT_MS = 8 };

struct gw_timer;
typedef void gw_timer_due(struct gw_timer *timer);

enum { GW_TIMER_MAGIC = 0x54494d52 }; /* TIMR: from gw_timer_init on */

struct gw_timer {
    struct gw_magic magic;
    gw_timer_due *on_due;

    struct gw_list link;
    uint64_t due_at_slot; /* slots are counted from the loop's zero; 0: not running */
};

struct gw_timers {
    struct gw_magic magic;
    uv_loop_t *loop;
    uv_timer_t handle;

    struct gw_list slots[GW_TIMER_SLOTS];
    uint64_t occupied[GW_TIMER_SLOTS / 64];
    uint64_t done_slot;  /* all slots up to this one have been run */
    uint64_t armed_slot; /* the handle fires when this slot is over; UINT64_MAX: not armed */
};

/* Returns 0 or a libuv error. */
int gw_timers_open(struct gw_timers *timers, uv_loop_t *loop) GW_MUST_CHECK;
/* All timers must have been stopped. The memory may be freed once the loop has run the handle's close. */
void gw_timers_close(struct gw_timers *timers);

static inline void gw_timer_init(struct gw_timer *timer, gw_timer_due *on_due)
{
    timer->magic = GW_MAGIC(GW_TIMER_MAGIC);
    timer->on_due = on_due;
    timer->due_at_slot = 0;
    gw_list_init(&timer->link);
}

/* Runs on_due once, on the loop, after_ms after the loop's now. A timer that is running is started anew. */
void gw_timer_start(struct gw_timers *timers, struct gw_timer *timer, uint64_t after_ms);

static inline void gw_timer_stop(struct gw_timer *timer)
{
    if (timer->due_at_slot) {
        timer->due_at_slot = 0;
        gw_list_remove(&timer->link);
    }
}

static inline bool gw_timer_is_running(const struct gw_timer *timer)
{
    return timer->due_at_slot != 0;
}

#endif
