/* played_time.h: the clock and the timers of one worker as a test plays them: time stands still until the test moves
 * played_now_us, and timers run when the test runs them. One source file of a program includes it; the program then takes
 * neither base/clock.c nor gw_timer_start of base/timer.c. */
#ifndef GW_TESTS_SUPPORT_PLAYED_TIME_H
#define GW_TESTS_SUPPORT_PLAYED_TIME_H

#include "base/clock.h"
#include "base/timer.h"

static uint64_t played_now_us;

uint64_t gw_clock_monotonic_us(void)
{
    return played_now_us;
}

uint64_t gw_clock_wall_us(void)
{
    return UINT64_C(1500000000000000) + played_now_us;
}

static inline void open_timers(struct gw_timers *timers)
{
    gw_list_init(&timers->slots[0]);
}

static inline bool has_timers(const struct gw_timers *timers)
{
    return !gw_list_is_empty(&timers->slots[0]);
}

/* On time to the millisecond, all in the first slot's list. */
void gw_timer_start(struct gw_timers *timers, struct gw_timer *timer, uint64_t after_ms)
{
    gw_timer_stop(timer);
    timer->due_at_slot = played_now_us / 1000 + after_ms;
    gw_list_push_back(&timers->slots[0], &timer->link);
}

/* Time goes on to the next timer that is due by then, and the timer runs; false: there is none. Called until there is
 * none, it also runs the timers that other timers start. */
static inline bool next_timer_runs(struct gw_timers *timers, uint64_t until_ms)
{
    struct gw_timer *next = NULL;
    gw_list_each(link, &timers->slots[0])
    {
        struct gw_timer *timer = GW_CONTAINER(link, struct gw_timer, link);
        if (timer->due_at_slot <= until_ms && (!next || timer->due_at_slot < next->due_at_slot))
            next = timer;
    }
    if (!next)
        return false;
    played_now_us = next->due_at_slot * 1000;
    gw_timer_stop(next);
    next->on_due(next);
    return true;
}

#endif
