/* worker.h: one thread with one loop, its listening sockets and its connections.
 *
 * Life     gw_worker_start → (thread) hooks->open, loop → gw_worker_drain → drained_message to main → gw_worker_stop →
 *          the context is closed, the loop ends, the context is freed → gw_worker_join. Main stops workers only after
 *          all of them have drained: until then each may post to each other.
 * Threads  Other threads touch nothing of a worker but its mailbox. */
#ifndef GW_SERVER_WORKER_H
#define GW_SERVER_WORKER_H

#include <uv.h>
#include "base/block.h"
#include "base/check.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/timer.h"
#include "exchange/worker_context.h"
#include "http/parser.h"
#include "server/acceptor.h"
#include "server/listener.h"
#include "server/server.h"

struct gw_worker;

struct gw_worker_hooks { /* main's part of a worker. Both functions run on the worker's thread. */
    /* Opens worker->context. */
    bool (*open)(void *owner, struct gw_worker *worker);
    /* Is the worker connected to Redis, and have the other instances counted this one? Until then (READY_WITHIN_MS at
     * most) the worker does not accept: new clients wait in the kernel's queue. */
    bool (*is_ready)(void *owner, struct gw_worker *worker);
    void *owner;
};

enum { GW_WORKER_MAGIC = 0x574f524b }; /* WORK: from gw_worker_start to gw_worker_join */

struct gw_worker {
    struct gw_magic magic;
    unsigned index;
    struct gw_server *server;
    const struct gw_config *config;
    struct gw_listeners *listeners;
    const struct gw_worker_hooks *hooks;
    void (*on_drained)(struct gw_message *message); /* on main's loop */
    struct gw_parser_limits parser_limits;
    struct gw_shard *shard;

    uv_thread_t thread;
    uv_loop_t loop;
    struct gw_timers timers;
    struct gw_block_pool blocks;
    struct gw_buffer head_text; /* scratch of all its gw_h1_writer */
    struct gw_mailbox mailbox;
    uv_prepare_t prepare;
    uv_check_t check;
    uint64_t turn_began_us;
    struct gw_timer log_timer, drain_timer, ready_timer;
    uint64_t ready_by_ms; /* then it listens in any case */
    struct gw_worker_context context;
    struct gw_acceptor acceptor;
    struct gw_list connections;
    bool is_draining, is_cut, is_drained;
    bool failed; /* could not start; main reads it after `started` */
    uv_sem_t started;
    struct gw_message drain_message, cut_message, stop_message, drained_message;
};

/* Starts the thread and waits until its loop is ready. False when it could not start. */
bool gw_worker_start(struct gw_worker *worker) GW_MUST_CHECK;
/* Main calls each once, in this order: let requests finish and accept no more; end requests that still run; end the
 * thread; wait for its end. */
void gw_worker_drain(struct gw_worker *worker);
void gw_worker_cut(struct gw_worker *worker);
void gw_worker_stop(struct gw_worker *worker);
void gw_worker_join(struct gw_worker *worker);

/* For connection.c: a connection was freed. */
void gw_worker_on_connection_closed(struct gw_worker *worker);

#endif
