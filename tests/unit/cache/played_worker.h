/* played_worker.h: a worker's time and mailbox as a scene plays them: time stands still but for `passes`, and messages
 * arrive when the scene says so. Included by one source of a program, which then takes neither base/clock.c,
 * base/timer.c's start nor base/mailbox.c. */
#ifndef GW_TESTS_UNIT_CACHE_PLAYED_WORKER_H
#define GW_TESTS_UNIT_CACHE_PLAYED_WORKER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/mailbox.h"
#include "base/timer.h"
#include "cache/entry.h"

struct played_worker {
    struct gw_timers timers;
    struct gw_mailbox mailbox;
    struct gw_message *messages; /* in it, the last one first */
};

static inline void open_worker(struct played_worker *worker)
{
    gw_list_init(&worker->timers.slots[0]);
    worker->messages = NULL;
}

/* ---- time ---- */

static uint64_t now_us;

uint64_t gw_clock_monotonic_us(void)
{
    return now_us;
}

uint64_t gw_clock_wall_us(void)
{
    return UINT64_C(1500000000000000) + now_us;
}

/* On time to the millisecond, all in the first slot's list. */
void gw_timer_start(struct gw_timers *timers, struct gw_timer *timer, uint64_t after_ms)
{
    gw_timer_stop(timer);
    timer->due_at_slot = now_us / 1000 + after_ms;
    gw_list_push_back(&timers->slots[0], &timer->link);
}

static inline struct gw_timer *next_timer(struct gw_timers *timers, uint64_t until_ms)
{
    struct gw_timer *next = NULL;
    gw_list_each(link, &timers->slots[0])
    {
        struct gw_timer *timer = GW_CONTAINER(link, struct gw_timer, link);
        if (timer->due_at_slot <= until_ms && (!next || timer->due_at_slot < next->due_at_slot))
            next = timer;
    }
    return next;
}

/* ---- the mailbox ---- */

void gw_mailbox_post(struct gw_mailbox *mailbox, struct gw_message *message)
{
    struct played_worker *worker = GW_CONTAINER(mailbox, struct played_worker, mailbox);
    message->next = worker->messages;
    worker->messages = message;
}

static inline void messages_come(struct played_worker *worker)
{
    while (worker->messages) {
        struct gw_message **first = &worker->messages, *message;
        while ((*first)->next)
            first = &(*first)->next;
        message = *first;
        *first = NULL;
        message->deliver(message);
    }
}

/* Timers run after those that are due before them, also timers that other timers start. */
static inline void time_passes(struct played_worker *worker, uint64_t ms)
{
    uint64_t until_ms = now_us / 1000 + ms;
    struct gw_timer *timer;
    while ((timer = next_timer(&worker->timers, until_ms))) {
        now_us = timer->due_at_slot * 1000;
        gw_timer_stop(timer);
        timer->on_due(timer);
        messages_come(worker);
    }
    now_us = until_ms * 1000;
}

#endif
