#include "server/acceptor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "server/connection.h"

enum {
    ACCEPTS_A_TURN = 64, /* then the loop serves its connections */
    LOOK_AGAIN_MS = 20,
    HURRY_MS = 1000,
    TELL_MS = 10000, /* between two log lines, of all workers */
};

enum { LISTENING_MAGIC = 0x4c53544e }; /* LSTN */

/* ---- places ---- */

static struct gw_server_place *acceptor_place_of(struct gw_worker *worker)
{
    return &worker->server->places[worker->index];
}

/* True: no other worker that waits has fewer connections than this one. */
static bool acceptor_is_my_turn(struct gw_worker *worker)
{
    struct gw_server *server = worker->server;
    if (atomic_load_explicit(&server->waiting, memory_order_relaxed) == 0)
        return true;
    unsigned own = atomic_load_explicit(&acceptor_place_of(worker)->connections, memory_order_relaxed);
    for (unsigned i = 0; i < server->config->workers; i++) {
        struct gw_server_place *other = &server->places[i];
        if (i != worker->index && atomic_load_explicit(&other->waits, memory_order_relaxed) &&
            atomic_load_explicit(&other->connections, memory_order_relaxed) < own)
            return false;
    }
    return true;
}

/* Takes a place before accept, so that there are never more connections than allowed, whatever other workers do at the
 * same moment. */
static bool acceptor_take_place(struct gw_worker *worker, unsigned *open_before)
{
    struct gw_server *server = worker->server;
    if (!acceptor_is_my_turn(worker))
        return false;
    *open_before = atomic_fetch_add_explicit(&server->connections, 1, memory_order_relaxed);
    if (*open_before < server->descriptors.clients_most)
        return true;
    atomic_fetch_sub_explicit(&server->connections, 1, memory_order_relaxed);
    return false;
}

/* ---- waiting ---- */

static void acceptor_tell(struct gw_worker *worker, int error)
{
    struct gw_server *server = worker->server;
    uint64_t now_ms = uv_now(&worker->loop);
    unsigned long long last_ms = atomic_load(&server->last_told_ms);
    if ((last_ms && now_ms < last_ms + TELL_MS) ||
        !atomic_compare_exchange_strong(&server->last_told_ms, &last_ms, now_ms ? now_ms : 1))
        return;
    if (error)
        gw_log(GW_LOG_WARN, "server", "new clients wait: accept fails (%s)", strerror(error));
    else
        gw_log(GW_LOG_WARN, "server",
               "new clients wait: %u connections are open, as many as the limit of open files allows "
               "(ulimit -n, LimitNOFILE)",
               atomic_load(&server->connections));
}

static void acceptor_set_waits(struct gw_worker *worker, bool waits)
{
    if (atomic_exchange(&acceptor_place_of(worker)->waits, waits) == waits)
        return;
    if (waits)
        atomic_fetch_add(&worker->server->waiting, 1);
    else
        atomic_fetch_sub(&worker->server->waiting, 1);
}

/* error 0: all places are taken, or another worker is first. A worker whose accept fails (error is not 0) has no turn,
 * so that other workers do not wait for it. Idle connections make room for clients that ask for something. */
static void acceptor_wait(struct gw_worker *worker, int error)
{
    struct gw_acceptor *acceptor = &worker->acceptor;
    uint64_t now_ms = uv_now(&worker->loop);
    if (!acceptor->is_waiting) {
        acceptor->is_waiting = true;
        gw_counter_add(&worker->shard->accept_waits, 1);
        for (unsigned i = 0; i < GW_COUNT(acceptor->listening); i++)
            if (acceptor->listening[i].is_open)
                uv_poll_stop(&acceptor->listening[i].poll);
    }
    acceptor_set_waits(worker, error == 0);
    acceptor_tell(worker, error);
    if (now_ms >= acceptor->next_hurry_ms) {
        acceptor->next_hurry_ms = now_ms + HURRY_MS;
        gw_connection_hurry_idle(worker);
    }
    gw_timer_start(&worker->timers, &acceptor->timer, LOOK_AGAIN_MS);
}

/* ---- accepting ---- */

/* The error belongs to one client, which has left the queue: Linux passes on pending errors of the network (accept(2)).
 */
static bool acceptor_is_about_one_client(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ECONNRESET:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case ENONET:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

/* Accepts the clients of the queue, at most `most`. False: the worker must wait; *error tells why, 0: for a place. */
static bool acceptor_accept_some(struct gw_listening *listening, unsigned most, int *error)
{
    struct gw_worker *worker = listening->worker;
    *error = 0;
    for (unsigned i = 0; i < most; i++) {
        unsigned open_before;
        if (!acceptor_take_place(worker, &open_before))
            return false;
        int client = accept4(listening->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            gw_connection_open(listening, client, open_before);
            continue;
        }
        *error = errno;
        atomic_fetch_sub_explicit(&worker->server->connections, 1, memory_order_relaxed); /* the place */
        if (*error == EAGAIN || *error == EWOULDBLOCK)
            return true;
        if (!acceptor_is_about_one_client(*error))
            return false;
    }
    return true;
}

static void acceptor_on_readable(uv_poll_t *poll, int status, int events)
{
    struct gw_listening *listening = GW_FROM_CONTEXT(poll->data, struct gw_listening, LISTENING_MAGIC);
    int error = -status;
    (void)events;
    if (status < 0 || !acceptor_accept_some(listening, ACCEPTS_A_TURN, &error))
        acceptor_wait(listening->worker, error);
}

static bool acceptor_watch(struct gw_listening *listening)
{
    return uv_poll_start(&listening->poll, UV_READABLE, acceptor_on_readable) == 0;
}

/* A worker that waits keeps its turn while it accepts; only afterwards it watches its sockets again. */
static void acceptor_look_again(struct gw_worker *worker)
{
    struct gw_acceptor *acceptor = &worker->acceptor;
    int error = 0;
    for (unsigned i = 0; i < GW_COUNT(acceptor->listening); i++)
        if (acceptor->listening[i].is_open && !acceptor_accept_some(&acceptor->listening[i], ACCEPTS_A_TURN, &error)) {
            acceptor_wait(worker, error);
            return;
        }
    for (unsigned i = 0; i < GW_COUNT(acceptor->listening); i++)
        if (acceptor->listening[i].is_open && !acceptor_watch(&acceptor->listening[i])) {
            acceptor_wait(worker, ENOMEM);
            return;
        }
    acceptor->is_waiting = false;
    acceptor_set_waits(worker, false);
    gw_timer_stop(&acceptor->timer);
}

static void acceptor_on_timer(struct gw_timer *timer)
{
    struct gw_worker *worker = GW_CONTAINER(timer, struct gw_worker, acceptor.timer);
    GW_CHECK_MAGIC(worker, GW_WORKER_MAGIC);
    acceptor_look_again(worker);
}

void gw_acceptor_on_room(struct gw_worker *worker)
{
    if (worker->acceptor.is_waiting)
        acceptor_look_again(worker);
}

/* ---- beginning and end ---- */

void gw_acceptor_init(struct gw_worker *worker)
{
    gw_timer_init(&worker->acceptor.timer, acceptor_on_timer);
}

bool gw_acceptor_open(struct gw_worker *worker)
{
    for (unsigned i = 0; i < worker->listeners->count; i++) {
        struct gw_listener *listener = &worker->listeners->items[i];
        struct gw_listening *listening = &worker->acceptor.listening[i];
        int *fd = &listener->sockets[worker->index];
        *listening = (struct gw_listening) {
            .magic = GW_MAGIC(LISTENING_MAGIC), .worker = worker, .fd = *fd, .is_admin = listener->is_admin
        };
        if (uv_poll_init(&worker->loop, &listening->poll, *fd) != 0)
            return false;
        listening->poll.data = listening;
        listening->is_open = true;
        *fd = -1; /* gw_acceptor_close closes the descriptor */
        if (!acceptor_watch(listening))
            return false;
    }
    return true;
}

void gw_acceptor_finish(struct gw_worker *worker)
{
    int error;
    for (unsigned i = 0; i < GW_COUNT(worker->acceptor.listening); i++)
        if (worker->acceptor.listening[i].is_open)
            (void)acceptor_accept_some(&worker->acceptor.listening[i], worker->server->descriptors.clients_most,
                                       &error);
    gw_acceptor_close(worker);
}

void gw_acceptor_close(struct gw_worker *worker)
{
    struct gw_acceptor *acceptor = &worker->acceptor;
    gw_timer_stop(&acceptor->timer);
    acceptor->is_waiting = false;
    acceptor_set_waits(worker, false);
    for (unsigned i = 0; i < GW_COUNT(acceptor->listening); i++) {
        struct gw_listening *listening = &acceptor->listening[i];
        if (!listening->is_open)
            continue;
        listening->is_open = false;
        listening->magic = GW_NO_MAGIC;
        uv_close((uv_handle_t *)&listening->poll, NULL); /* before close(2), so that epoll lets the socket go */
        close(listening->fd);
    }
}
