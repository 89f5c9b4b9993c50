#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "upstream/curl_loop.h"
#include "upstream/pool.h"

enum { LOOP_MAGIC = 0x4355524c, WATCH_MAGIC = 0x57415443 }; /* CURL, WATC */

struct gw_curl_watch {
    struct gw_magic magic;
    struct gw_curl_loop *loop;
    curl_socket_t fd;
    bool is_connection;  /* opened by on_open */
    bool is_established; /* the connection has carried a request: kept until on_close */
    struct gw_list kept; /* in loop->kept */
    int local_port;      /* set with is_established */

    uv_poll_t poll;
    bool is_polled; /* poll was initialised */
    bool is_wanted; /* libcurl asked for events; false: an idle connection, or a paused transfer */
    int events;     /* the events that poll is armed for */
};

static void curl_loop_run(struct gw_curl_loop *loop, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(loop->multi, fd, events, &running);
    loop->after(loop);
}

static void curl_loop_free_watch(struct gw_curl_watch *watch)
{
    watch->magic = GW_NO_MAGIC;
    free(watch);
}

static void curl_loop_on_watch_closed(uv_handle_t *handle)
{
    curl_loop_free_watch(GW_FROM_CONTEXT(handle->data, struct gw_curl_watch, WATCH_MAGIC));
}

static void curl_loop_drop_watch(struct gw_curl_watch *watch)
{
    struct gw_curl_loop *loop = watch->loop;
    loop->watches[watch->fd] = NULL;
    gw_list_remove(&watch->kept);
    if (watch->is_connection) {
        loop->connection_count--;
        gw_descriptors_leave(loop->descriptors);
    }
    if (watch->is_polled)
        uv_close((uv_handle_t *)&watch->poll, curl_loop_on_watch_closed);
    else
        curl_loop_free_watch(watch);
}

static struct gw_curl_watch *curl_loop_find_watch(const struct gw_curl_loop *loop, curl_socket_t fd)
{
    return fd >= 0 && (size_t)fd < loop->watch_capacity ? loop->watches[fd] : NULL;
}

static bool curl_loop_make_room(struct gw_curl_loop *loop, curl_socket_t fd)
{
    if ((size_t)fd < loop->watch_capacity)
        return true;
    size_t capacity = loop->watch_capacity ? loop->watch_capacity : 64;
    while (capacity <= (size_t)fd)
        capacity *= 2;
    struct gw_curl_watch **watches = realloc(loop->watches, capacity * sizeof(*watches));
    if (!watches)
        return false;
    memset(watches + loop->watch_capacity, 0, (capacity - loop->watch_capacity) * sizeof(*watches));
    loop->watches = watches;
    loop->watch_capacity = capacity;
    return true;
}

static struct gw_curl_watch *curl_loop_add_watch(struct gw_curl_loop *loop, curl_socket_t fd, bool is_connection)
{
    struct gw_curl_watch *old = curl_loop_find_watch(loop, fd);
    if (old) /* the old socket was closed without on_close: its number now belongs to another socket */
        curl_loop_drop_watch(old);
    struct gw_curl_watch *watch = curl_loop_make_room(loop, fd) ? calloc(1, sizeof(*watch)) : NULL;
    if (!watch)
        return NULL;
    watch->magic = GW_MAGIC(WATCH_MAGIC);
    watch->loop = loop;
    watch->fd = fd;
    watch->is_connection = is_connection;
    watch->poll.data = watch;
    gw_list_init(&watch->kept);
    loop->watches[fd] = watch;
    loop->connection_count += is_connection;
    return watch;
}

static void curl_loop_on_event(uv_poll_t *poll, int status, int events)
{
    struct gw_curl_watch *watch = GW_FROM_CONTEXT(poll->data, struct gw_curl_watch, WATCH_MAGIC);
    if (!watch->is_wanted) { /* an idle connection was closed or received bytes: found out before its next use */
        uv_poll_stop(poll);
        watch->events = 0;
        return;
    }
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    if (status < 0) {
        uv_poll_stop(poll);
        watch->events = 0;
        flags = CURL_CSELECT_ERR;
    }
    curl_loop_run(watch->loop, watch->fd, flags);
}

/* libcurl 7.88 to 8.1 closes some sockets without on_close: those whose connection was given up before it was complete,
 * also the loser of the race of IPv6 and IPv4, perhaps before CURL_POLL_REMOVE. libuv aborts if a polled socket is
 * closed behind its back, or if it polls another socket of the same number for nothing. */
static bool curl_loop_is_established(const struct gw_curl_watch *watch, CURL *easy)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    curl_off_t began_us = 0; /* the start of the request: the connection is complete from there on */
    return watch->is_established || (curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &began_us) == CURLE_OK &&
                                     began_us > 0 && getpeername(watch->fd, (struct sockaddr *)&peer, &length) == 0);
}

static void curl_loop_note_port(struct gw_curl_watch *watch)
{
    struct sockaddr_storage local;
    socklen_t length = sizeof(local);
    if (getsockname(watch->fd, (struct sockaddr *)&local, &length) != 0)
        return;
    watch->local_port = ntohs(((struct sockaddr_in *)(void *)&local)->sin_port); /* at the same place in sockaddr_in6 */
    gw_list_push_front(&watch->loop->kept[watch->local_port % GW_CURL_KEPT_ROWS], &watch->kept);
}

bool gw_curl_loop_is_quiet(const struct gw_curl_loop *loop, int local_port)
{
    bool is_known = false;
    if (local_port <= 0)
        return false;
    gw_list_each(link, &loop->kept[local_port % GW_CURL_KEPT_ROWS])
    {
        const struct gw_curl_watch *watch = GW_CONTAINER(link, struct gw_curl_watch, kept);
        GW_CHECK_MAGIC(watch, WATCH_MAGIC);
        if (watch->local_port != local_port || watch->is_wanted)
            continue;
        if (!gw_pool_is_quiet(watch->fd))
            return false;
        is_known = true;
    }
    return is_known;
}

static void curl_loop_unwant(struct gw_curl_watch *watch, CURL *easy)
{
    watch->is_established = watch->is_connection && curl_loop_is_established(watch, easy);
    if (watch->is_established && !watch->local_port)
        curl_loop_note_port(watch);
    if (watch->is_established)
        watch->is_wanted = false; /* the poll stays armed: the next request over this connection costs no epoll_ctl */
    else
        curl_loop_drop_watch(watch);
}

/* CURLMOPT_SOCKETFUNCTION. An error returned here would end every transfer of the multi handle. So without memory only
 * this transfer suffers: it runs into its timeout. */
static int curl_loop_on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    (void)unused;
    struct gw_curl_loop *loop = GW_FROM_CONTEXT(context, struct gw_curl_loop, LOOP_MAGIC);
    struct gw_curl_watch *watch = curl_loop_find_watch(loop, fd);
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            curl_loop_unwant(watch, easy);
        return 0;
    }
    if (!watch && !(watch = curl_loop_add_watch(loop, fd, false)))
        return 0;
    if (!watch->is_polled) {
        if (uv_poll_init_socket(loop->loop, &watch->poll, fd) != 0)
            return 0;
        watch->is_polled = true;
    }
    watch->is_wanted = true;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (events != watch->events && uv_poll_start(&watch->poll, events, curl_loop_on_event) == 0)
        watch->events = events;
    return 0;
}

static curl_socket_t curl_loop_on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct gw_curl_loop *loop = GW_FROM_CONTEXT(context, struct gw_curl_loop, LOOP_MAGIC);
    if (!gw_descriptors_enter(loop->descriptors))
        return CURL_SOCKET_BAD;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0 && curl_loop_add_watch(loop, fd, true))
        return fd;
    gw_descriptors_leave(loop->descriptors);
    if (fd >= 0)
        close(fd);
    return CURL_SOCKET_BAD;
}

static int curl_loop_on_close(void *context, curl_socket_t fd)
{
    struct gw_curl_watch *watch = curl_loop_find_watch(GW_FROM_CONTEXT(context, struct gw_curl_loop, LOOP_MAGIC), fd);
    if (watch)
        curl_loop_drop_watch(
            watch); /* before close: epoll must forget the socket while the number still belongs to it */
    return close(fd);
}

static void curl_loop_on_timeout(uv_timer_t *timer)
{
    curl_loop_run(GW_FROM_CONTEXT(timer->data, struct gw_curl_loop, LOOP_MAGIC), CURL_SOCKET_TIMEOUT, 0);
}

static int curl_loop_on_timer(CURLM *multi, long after_ms, void *context)
{
    (void)multi;
    struct gw_curl_loop *loop = GW_FROM_CONTEXT(context, struct gw_curl_loop, LOOP_MAGIC);
    if (after_ms > 0) {
        uv_timer_start(&loop->timer, curl_loop_on_timeout, (uint64_t)after_ms, 0);
        return 0;
    }
    uv_timer_stop(&loop->timer);
    if (after_ms == 0)
        gw_curl_loop_ask(loop);
    return 0;
}

static void curl_loop_on_idle(uv_idle_t *idle)
{
    struct gw_curl_loop *loop = GW_FROM_CONTEXT(idle->data, struct gw_curl_loop, LOOP_MAGIC);
    loop->is_asked = false;
    loop->before(loop);
    /* This run of libcurl serves all that was asked for so far; later requests need another turn. */
    loop->is_asked = false;
    curl_loop_run(loop, CURL_SOCKET_TIMEOUT, 0);
    if (!loop->is_asked)
        uv_idle_stop(idle);
}

void gw_curl_loop_ask(struct gw_curl_loop *loop)
{
    if (!loop->is_asked && !uv_is_active((uv_handle_t *)&loop->idle))
        uv_idle_start(&loop->idle, curl_loop_on_idle);
    loop->is_asked = true;
}

void gw_curl_loop_adopt(struct gw_curl_loop *loop, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, curl_loop_on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, loop);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, curl_loop_on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, loop);
}

bool gw_curl_loop_open(struct gw_curl_loop *loop, uv_loop_t *uv, gw_curl_loop_step *before, gw_curl_loop_step *after)
{
    *loop = (struct gw_curl_loop) { .magic = GW_MAGIC(LOOP_MAGIC), .loop = uv, .before = before, .after = after };
    loop->multi = curl_multi_init();
    if (!loop->multi)
        return false;
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, curl_loop_on_socket);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, curl_loop_on_timer);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    for (size_t i = 0; i < GW_CURL_KEPT_ROWS; i++)
        gw_list_init(&loop->kept[i]);
    uv_timer_init(uv, &loop->timer);
    uv_idle_init(uv, &loop->idle);
    loop->timer.data = loop->idle.data = loop;
    return true;
}

void gw_curl_loop_close(struct gw_curl_loop *loop)
{
    curl_multi_cleanup(loop->multi);
    loop->multi = NULL;
    for (size_t i = 0; i < loop->watch_capacity; i++)
        if (loop->watches[i])
            curl_loop_drop_watch(loop->watches[i]);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
}

void gw_curl_loop_free(struct gw_curl_loop *loop)
{
    free(loop->watches);
    loop->watches = NULL;
    loop->watch_capacity = 0;
    loop->magic = GW_NO_MAGIC;
}
