/* played_worker.h: a worker's time and mailbox as a scene plays them: time stands still except in `time_passes`
 * (support/played_time.h), and messages arrive when the scene says so. One source file of a program includes it; the
 * program then does not take base/mailbox.c either. */
#ifndef GW_TESTS_UNIT_CACHE_PLAYED_WORKER_H
#define GW_TESTS_UNIT_CACHE_PLAYED_WORKER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/mailbox.h"
#include "support/played_time.h"

struct played_worker {
    struct gw_timers timers;
    struct gw_mailbox mailbox;
    struct gw_message *messages; /* in it, the last one first */
};

static inline void open_worker(struct played_worker *worker)
{
    open_timers(&worker->timers);
    worker->messages = NULL;
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

/* Messages that a timer's work posts arrive before the next timer runs. */
static inline void time_passes(struct played_worker *worker, uint64_t ms)
{
    uint64_t until_ms = played_now_us / 1000 + ms;
    while (next_timer_runs(&worker->timers, until_ms))
        messages_come(worker);
    played_now_us = until_ms * 1000;
}

#endif
