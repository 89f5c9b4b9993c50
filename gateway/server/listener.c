#include "server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static socklen_t listener_socket_address(const struct gw_listen *listen_at, struct sockaddr_storage *storage)
{
    struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(listen_at->port) };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(listen_at->port) };
    if (inet_pton(AF_INET, listen_at->host.at, &ipv4.sin_addr) == 1) {
        memcpy(storage, &ipv4, sizeof ipv4);
        return sizeof ipv4;
    }
    if (inet_pton(AF_INET6, listen_at->host.at, &ipv6.sin6_addr) == 1) {
        memcpy(storage, &ipv6, sizeof ipv6);
        return sizeof ipv6;
    }
    return 0;
}

/* A bound socket, or -1 with errno. */
static int listener_bind_one(const struct gw_listen *listen_at, bool shared)
{
    struct sockaddr_storage storage;
    socklen_t length = listener_socket_address(listen_at, &storage);
    int on = 1;
    if (length == 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    struct sockaddr_storage copy = storage;
    if (bind(fd, (struct sockaddr *)&copy, length) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static uint16_t listener_bound_port(int fd)
{
    struct sockaddr_storage storage;
    struct sockaddr_in ipv4;
    socklen_t length = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &length) != 0)
        return 0;
    memcpy(&ipv4, &storage, sizeof ipv4); /* the port stands at the same place in both families */
    return ntohs(ipv4.sin_port);
}

static void listener_close_one(struct gw_listener *listener)
{
    for (unsigned i = 0; i < listener->count; i++)
        if (listener->sockets[i] >= 0)
            close(listener->sockets[i]);
    free(listener->sockets);
    listener->sockets = NULL;
    listener->count = 0;
}

/* False with errno. The probe's bind fails only if another socket listens already. So each socket listens as soon as it
 * is bound, and clients that connect before its worker runs wait in the kernel's queue. */
static bool listener_open_one(struct gw_listener *listener, const struct gw_listen *address,
                              const struct gw_config *config)
{
    int probe = listener_bind_one(address, false);
    *listener = (struct gw_listener) { .address = *address };
    if (probe < 0)
        return false;
    listener->address.port = listener_bound_port(probe);
    close(probe);
    listener->sockets = calloc(config->workers, sizeof *listener->sockets);
    if (!listener->sockets)
        return false;
    for (unsigned i = 0; i < config->workers; i++) {
        int fd = listener_bind_one(&listener->address, true);
        if (fd >= 0)
            listener->sockets[listener->count++] = fd;
        if (fd < 0 || listen(fd, (int)config->backlog) != 0) {
            int error = errno;
            listener_close_one(listener);
            errno = error;
            return false;
        }
    }
    return true;
}

static bool listener_complain(struct gw_complaint *complaint, const struct gw_listen *address)
{
    char place[128];
    int error = errno;
    snprintf(place, sizeof place, "cannot listen on %.*s port %u", GW_SLICE_ARGS(address->host), address->port);
    gw_complain(complaint, place, strerror(error), "%s",
                error == EADDRINUSE ? "a port that no other program listens on (server.port, GATEWAY_PORT)"
                : error == EACCES   ? "a port above 1023, or the permission to use this one"
                : error == E2BIG    ? "fewer addresses"
                                    : "an address of this machine");
    return false;
}

static bool listener_add(struct gw_listeners *listeners, const struct gw_listen *address,
                         const struct gw_config *config, bool is_admin)
{
    struct gw_listener *listener = &listeners->items[listeners->count];
    if (listeners->count == GW_LISTENERS_MOST) {
        errno = E2BIG;
        return false;
    }
    if (!listener_open_one(listener, address, config))
        return false;
    listener->is_admin = is_admin;
    listeners->count++;
    return true;
}

bool gw_listeners_open(struct gw_listeners *listeners, const struct gw_config *config, struct gw_complaint *complaint)
{
    bool done = true;
    listeners->count = 0;
    for (unsigned i = 0; i < config->listen_count && done; i++) {
        bool opened = listener_add(listeners, &config->listens[i], config, false);
        bool no_such_family = errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
        bool others = listeners->count > 0 || i + 1 < config->listen_count;
        if (!opened && !(no_such_family && others))
            done = listener_complain(complaint, &config->listens[i]);
    }
    if (done && config->admin_listen && !listener_add(listeners, config->admin_listen, config, true))
        done = listener_complain(complaint, config->admin_listen);
    if (done && listeners->count == 0)
        done = listener_complain(complaint, &config->listens[0]);
    if (!done)
        gw_listeners_close(listeners);
    return done;
}

void gw_listeners_close(struct gw_listeners *listeners)
{
    for (unsigned i = 0; i < listeners->count; i++)
        listener_close_one(&listeners->items[i]);
    listeners->count = 0;
}
