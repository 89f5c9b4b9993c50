/* A Redis that says what a test wants: a thread reads commands and a function answers them. */
#ifndef TESTS_UNIT_STORE_FAKE_H
#define TESTS_UNIT_STORE_FAKE_H

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include "unit/store/scene.h"

struct fake;

struct fake_command {
    unsigned count;
    struct gw_slice arguments[32];
};

/* Answers one command on fd. False: the connection is closed. */
typedef bool fake_answer(struct fake *fake, int fd, const struct fake_command *command);

struct fake {
    fake_answer *answer;
    struct gw_slice text; /* data for `answer` */
    size_t piece;         /* bytes in one write of `text` */
    unsigned pause_ms;    /* time between two such writes */
    bool then_close;

    int listener;
    uint16_t port;
    char url[64];
    pthread_t thread;
    atomic_bool is_over;
    atomic_uint accepted, reads, commands; /* commands after the log-in */
    atomic_uint first_read_commands;       /* log-in commands that came with a connection's first read */
    atomic_int mood;                       /* for the test's use */
    char last[4096];                       /* the last command's arguments, separated by a blank */
};

static inline bool fake_say(struct fake *fake, int fd, const char *text, size_t length)
{
    while (length && !atomic_load(&fake->is_over)) {
        struct pollfd wait = { .fd = fd, .events = POLLOUT };
        if (poll(&wait, 1, 50) < 1)
            continue;
        ssize_t sent = send(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return false;
        text += sent;
        length -= (size_t)sent;
    }
    return length == 0;
}

static inline bool fake_says(struct fake *fake, int fd, const char *text)
{
    return fake_say(fake, fd, text, strlen(text));
}

static inline bool is_command(const struct fake_command *command, const char *name)
{
    return gw_slice_equal(command->arguments[0], gw_slice_of_string(name));
}

static inline bool fake_is_login(const struct fake_command *command)
{
    return is_command(command, "AUTH") || is_command(command, "SELECT") || is_command(command, "CLIENT") ||
           is_command(command, "SCRIPT");
}

static inline bool fake_logs_in(struct fake *fake, int fd, const struct fake_command *command)
{
    return fake_says(fake, fd, is_command(command, "SCRIPT") ? "$3\r\nsha\r\n" : "+OK\r\n");
}

/* Parses the command at the buffer's start. Returns its length, or 0 while it is incomplete. */
static inline size_t fake_parse(const char *buffer, size_t length, struct fake_command *command)
{
    const char *at = buffer, *end = buffer + length;
    char *next;
    if (length < 4 || *at != '*' || !memmem(at, length, "\r\n", 2))
        return 0;
    command->count = (unsigned)strtoul(at + 1, &next, 10);
    at = next + 2;
    assert(command->count <= 32);
    for (unsigned i = 0; i < command->count; i++) {
        if (end - at < 4 || !memmem(at, (size_t)(end - at), "\r\n", 2))
            return 0;
        size_t bytes = strtoul(at + 1, &next, 10);
        at = next + 2;
        if ((size_t)(end - at) < bytes + 2)
            return 0;
        command->arguments[i] = gw_slice_of(at, bytes);
        at += bytes + 2;
    }
    return (size_t)(at - buffer);
}

static inline void fake_note(struct fake *fake, const struct fake_command *command)
{
    struct gw_buffer last = gw_buffer_over(fake->last, sizeof(fake->last) - 1);
    for (unsigned i = 0; i < command->count; i++) {
        gw_buffer_put(&last, " ", i > 0);
        gw_buffer_put_slice(&last, command->arguments[i]);
    }
    fake->last[last.length] = '\0';
}

static inline void fake_serve(struct fake *fake, int fd)
{
    static char buffer[4 << 20];
    size_t length = 0;
    bool is_open = true, is_first = true;
    while (is_open && !atomic_load(&fake->is_over)) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        if (poll(&wait, 1, 20) < 1)
            continue;
        ssize_t got = recv(fd, buffer + length, sizeof(buffer) - 1 - length, 0);
        if (got <= 0)
            break;
        length += (size_t)got;
        buffer[length] = '\0';
        struct fake_command command;
        bool is_login = true;
        for (size_t used; is_open && (used = fake_parse(buffer, length, &command)) > 0;) {
            is_login = fake_is_login(&command);
            if (!is_login)
                atomic_fetch_add(&fake->commands, 1);
            else if (is_first)
                atomic_fetch_add(&fake->first_read_commands, 1);
            fake_note(fake, &command);
            is_open = fake->answer(fake, fd, &command);
            memmove(buffer, buffer + used, length - used + 1);
            length -= used;
        }
        if (!is_login)
            atomic_fetch_add(&fake->reads, 1);
        is_first = false;
    }
    close(fd);
}

static inline void *fake_run(void *context)
{
    struct fake *fake = context;
    while (!atomic_load(&fake->is_over)) {
        struct pollfd wait = { .fd = fake->listener, .events = POLLIN };
        if (poll(&wait, 1, 20) < 1)
            continue;
        int fd = accept(fake->listener, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&fake->accepted, 1);
        fake_serve(fake, fd);
    }
    return NULL;
}

static inline void fake_start(struct fake *fake, fake_answer *answer)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    memset(fake, 0, sizeof(*fake));
    fake->answer = answer;
    fake->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fake->listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(fake->listener, 16), 0);
    fake->port = ntohs(address.sin_port);
    snprintf(fake->url, sizeof(fake->url), "redis://127.0.0.1:%u", fake->port);
    assert_int_equal(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}

static inline void fake_stop(struct fake *fake)
{
    atomic_store(&fake->is_over, true);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
}

#endif
