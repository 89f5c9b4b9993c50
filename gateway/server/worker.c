#include "server/worker.h"

#include <stdlib.h>
#include <signal.h>
#include "base/clock.h"
#include "base/log.h"
#include "server/connection.h"
#include "server/h1_writer.h"

enum { LOG_RETRY_MS = 50, READY_LOOK_MS = 8, READY_WITHIN_MS = 3000 };

/* ---- listening ---- */

/* The first requests, too, are decided by the state that all instances share. */
static void worker_listen_when_ready(struct gw_timer *timer)
{
    struct gw_worker *worker = GW_CONTAINER(timer, struct gw_worker, ready_timer);
    GW_CHECK_MAGIC(worker, GW_WORKER_MAGIC);
    bool is_late = uv_now(&worker->loop) >= worker->ready_by_ms;
    if (!is_late && !worker->hooks->is_ready(worker->hooks->owner, worker))
        gw_timer_start(&worker->timers, &worker->ready_timer, READY_LOOK_MS);
    else if (!gw_acceptor_open(worker)) {
        gw_log(GW_LOG_ERROR, "worker", "worker %u cannot listen: expected more memory or open files", worker->index);
        raise(SIGTERM);
    }
}

/* ---- every turn of the loop ---- */

static void worker_flush_log(struct gw_worker *worker)
{
    if (gw_access_log_flush(worker->context.log) && !gw_timer_is_running(&worker->log_timer))
        gw_timer_start(&worker->timers, &worker->log_timer, LOG_RETRY_MS);
}

static void worker_on_log_timer(struct gw_timer *timer)
{
    struct gw_worker *worker = GW_CONTAINER(timer, struct gw_worker, log_timer);
    GW_CHECK_MAGIC(worker, GW_WORKER_MAGIC);
    worker_flush_log(worker);
}

/* Runs before the loop sleeps. */
static void worker_on_prepare(uv_prepare_t *prepare)
{
    struct gw_worker *worker = GW_FROM_CONTEXT(prepare->data, struct gw_worker, GW_WORKER_MAGIC);
    worker_flush_log(worker);
    gw_worker_context_trim(&worker->context);
    if (worker->turn_began_us)
        atomic_store_explicit(&worker->shard->loop_lag_us, gw_clock_monotonic_us() - worker->turn_began_us,
                              memory_order_relaxed);
}

/* Runs after the loop has slept. */
static void worker_on_check(uv_check_t *check)
{
    struct gw_worker *worker = GW_FROM_CONTEXT(check->data, struct gw_worker, GW_WORKER_MAGIC);
    worker->turn_began_us = gw_clock_monotonic_us();
}

/* ---- draining ---- */

static void worker_on_drain_timer(struct gw_timer *timer);

static void worker_look_whether_drained(struct gw_worker *worker)
{
    if (!worker->is_draining || worker->is_drained || !gw_list_is_empty(&worker->connections))
        return;
    /* A fetch without a reader only stores. It is cancelled if that is allowed; after the cut, the close ends it. */
    gw_fetcher_cancel_unread(&worker->context.fetcher);
    if (!worker->is_cut && !gw_fetcher_is_idle(&worker->context.fetcher)) {
        gw_timer_start(&worker->timers, &worker->drain_timer, 10);
        return;
    }
    worker->is_drained = true;
    gw_mailbox_post(worker->server->main_mailbox, &worker->drained_message);
}

static void worker_on_drain_timer(struct gw_timer *timer)
{
    struct gw_worker *worker = GW_CONTAINER(timer, struct gw_worker, drain_timer);
    GW_CHECK_MAGIC(worker, GW_WORKER_MAGIC);
    worker_look_whether_drained(worker);
}

void gw_worker_on_connection_closed(struct gw_worker *worker)
{
    gw_acceptor_on_room(worker);
    worker_look_whether_drained(worker);
}

/* Clients in the kernel's queue have a connection already, so they are served; then no more clients are accepted. */
static void worker_deliver_drain(struct gw_message *message)
{
    struct gw_worker *worker = GW_CONTAINER(message, struct gw_worker, drain_message);
    GW_CHECK_MAGIC(worker, GW_WORKER_MAGIC);
    worker->is_draining = true;
    gw_timer_stop(&worker->ready_timer);
    gw_acceptor_finish(worker);
    gw_connection_hurry_idle(worker);
    worker_look_whether_drained(worker);
}

static void worker_deliver_cut(struct gw_message *message)
{
    struct gw_worker *worker = GW_CONTAINER(message, struct gw_worker, cut_message);
    GW_CHECK_MAGIC(worker, GW_WORKER_MAGIC);
    worker->is_cut = true;
    gw_connection_cut_all(worker);
    worker_look_whether_drained(worker);
}

static void worker_deliver_stop(struct gw_message *message)
{
    struct gw_worker *worker = GW_CONTAINER(message, struct gw_worker, stop_message);
    GW_CHECK_MAGIC(worker, GW_WORKER_MAGIC);
    gw_timer_stop(&worker->ready_timer);
    gw_acceptor_close(worker);
    gw_timer_stop(&worker->log_timer);
    gw_timer_stop(&worker->drain_timer);
    gw_worker_context_close(&worker->context);
    uv_prepare_stop(&worker->prepare);
    uv_close((uv_handle_t *)&worker->prepare, NULL);
    uv_check_stop(&worker->check);
    uv_close((uv_handle_t *)&worker->check, NULL);
    gw_mailbox_close(&worker->mailbox);
    /* The handles that are left close by themselves. The timers' handle must not keep the loop running. */
    uv_unref((uv_handle_t *)&worker->timers.handle);
}

/* ---- the thread ---- */

static bool worker_open_loop(struct gw_worker *worker)
{
    if (uv_loop_init(&worker->loop) != 0)
        return false;
    gw_list_init(&worker->connections);
    gw_block_pool_init(&worker->blocks);
    worker->head_text = gw_buffer_create(GW_H1_WRITER_TEXT_BOUND);
    gw_timer_init(&worker->log_timer, worker_on_log_timer);
    gw_timer_init(&worker->drain_timer, worker_on_drain_timer);
    gw_timer_init(&worker->ready_timer, worker_listen_when_ready);
    gw_acceptor_init(worker);
    worker->drain_message.deliver = worker_deliver_drain;
    worker->cut_message.deliver = worker_deliver_cut;
    worker->stop_message.deliver = worker_deliver_stop;
    worker->drained_message.deliver = worker->on_drained;
    worker->prepare.data = worker->check.data = worker;
    if (gw_timers_open(&worker->timers, &worker->loop) != 0 || gw_mailbox_open(&worker->mailbox, &worker->loop) != 0)
        return false;
    uv_prepare_init(&worker->loop, &worker->prepare);
    uv_prepare_start(&worker->prepare, worker_on_prepare);
    uv_check_init(&worker->loop, &worker->check);
    uv_check_start(&worker->check, worker_on_check);
    worker->parser_limits = (struct gw_parser_limits) { .line_bytes = worker->config->max_request_line_bytes,
                                                        .head_bytes = worker->config->max_header_bytes,
                                                        .fields = worker->config->max_header_count };
    return worker->hooks->open(worker->hooks->owner, worker);
}

static void worker_run(void *argument)
{
    struct gw_worker *worker = GW_FROM_CONTEXT(argument, struct gw_worker, GW_WORKER_MAGIC);
    bool is_open = worker_open_loop(worker);
    worker->failed = !is_open;
    uv_sem_post(&worker->started);
    if (!is_open)
        return; /* main ends the process */
    worker->ready_by_ms = uv_now(&worker->loop) + READY_WITHIN_MS;
    worker_listen_when_ready(&worker->ready_timer);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    gw_timers_close(&worker->timers);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    gw_worker_context_free(&worker->context);
    gw_block_pool_free(&worker->blocks);
    gw_buffer_destroy(&worker->head_text);
    gw_mailbox_free(&worker->mailbox);
    if (uv_loop_close(&worker->loop) != 0)
        gw_log(GW_LOG_ERROR, "worker", "worker %u ended with open handles", worker->index);
}

bool gw_worker_start(struct gw_worker *worker)
{
    worker->magic = GW_MAGIC(GW_WORKER_MAGIC);
    if (uv_sem_init(&worker->started, 0) != 0)
        return false;
    bool is_created = uv_thread_create(&worker->thread, worker_run, worker) == 0;
    if (is_created)
        uv_sem_wait(&worker->started);
    uv_sem_destroy(&worker->started);
    return is_created && !worker->failed;
}

void gw_worker_drain(struct gw_worker *worker)
{
    gw_mailbox_post(&worker->mailbox, &worker->drain_message);
}

void gw_worker_cut(struct gw_worker *worker)
{
    gw_mailbox_post(&worker->mailbox, &worker->cut_message);
}

void gw_worker_stop(struct gw_worker *worker)
{
    gw_mailbox_post(&worker->mailbox, &worker->stop_message);
}

void gw_worker_join(struct gw_worker *worker)
{
    uv_thread_join(&worker->thread);
    worker->magic = GW_NO_MAGIC;
}
