#include "telemetry/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "telemetry/access_line.h"

enum way {
    WAY_WRITE, /* write(2) never waits */
    WAY_SEND,  /* a socket */
    WAY_POLL,  /* a blocking description: ask before each PIPE_BUF bytes, which a pipe that is writable takes whole */
};

struct gw_access_log {
    int fd;
    enum way way;
    bool is_shared_stream; /* may take part of a write: no regular file */
    bool as_json;
    bool has_admin_lines;

    pthread_mutex_t lock;                      /* of a shared stream: around one write */
    const struct gw_access_log_writer *inside; /* whose line is half written; NULL: between lines */
    bool is_torn;                              /* a half written line was given up: a line feed goes first */
};

struct gw_access_log_writer {
    struct gw_access_log *log;
    struct gw_shard *shard;

    struct gw_access_line_clock clock;
    size_t length;
    bool is_full; /* the destination took no more in this turn */
    char bytes[GW_ACCESS_LOG_BUFFER_BYTES];
};

static int complain(struct gw_complaint *complaint, struct gw_slice where, const char *expected)
{
    char found[128];
    struct gw_buffer text = gw_buffer_over(found, sizeof(found) - 1);
    gw_buffer_put_slice(&text, gw_slice_of(where.at, where.length < text.bound ? where.length : text.bound));
    found[text.length] = '\0';
    gw_complain(complaint, "log.access", found, "%s (%s)", expected, strerror(errno));
    return -1;
}

/* An own description where there can be one; else what the process was given. */
static int open_again(struct gw_access_log *log, int fd, mode_t mode)
{
    char path[64] = "/proc/self/fd/";
    struct gw_buffer number = gw_buffer_over(path + strlen(path), sizeof(path) - strlen(path) - 1);
    gw_buffer_put_uint(&number, (uint64_t)fd);
    if (S_ISFIFO(mode) || S_ISCHR(mode)) {
        int own = open(path, O_WRONLY | O_NONBLOCK | O_APPEND | O_CLOEXEC | O_NOCTTY);
        if (own >= 0)
            return own;
        log->way = WAY_POLL;
    }
    if (S_ISSOCK(mode))
        log->way = WAY_SEND;
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int open_standard(struct gw_access_log *log, struct gw_slice where, struct gw_complaint *complaint)
{
    int fd = gw_slice_equal(where, GW_SLICE("stderr")) ? STDERR_FILENO : STDOUT_FILENO;
    struct stat status;
    if (fstat(fd, &status) != 0)
        return complain(complaint, where, "an open descriptor");
    int own = open_again(log, fd, status.st_mode);
    return own >= 0 ? own : complain(complaint, where, "a descriptor that can be duplicated");
}

static int open_file(struct gw_slice where, struct gw_complaint *complaint)
{
    char path[PATH_MAX];
    errno = ENAMETOOLONG;
    if (where.length >= sizeof(path))
        return complain(complaint, where, "a file that can be written");
    memcpy(path, where.at, where.length);
    path[where.length] = '\0';
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
    return fd >= 0 ? fd : complain(complaint, where, "a file that can be written");
}

bool gw_access_log_open(const struct gw_config *config, struct gw_access_log **log, struct gw_complaint *complaint)
{
    struct gw_slice where = config->access_log;
    *log = NULL;
    if (gw_slice_equal(where, GW_SLICE("off")))
        return true;
    struct gw_access_log *made = calloc(1, sizeof(*made));
    if (!made) {
        errno = ENOMEM;
        complain(complaint, where, "memory for it");
        return false;
    }
    pthread_mutex_init(&made->lock, NULL);
    made->as_json = config->log_json;
    made->has_admin_lines = config->log_level >= GW_LOG_DEBUG;
    bool is_standard = gw_slice_equal(where, GW_SLICE("stdout")) || gw_slice_equal(where, GW_SLICE("stderr"));
    made->fd = is_standard ? open_standard(made, where, complaint) : open_file(where, complaint);
    struct stat status;
    made->is_shared_stream = made->fd >= 0 && (fstat(made->fd, &status) != 0 || !S_ISREG(status.st_mode));
    *log = made;
    if (made->fd < 0)
        gw_access_log_close(log);
    return *log != NULL;
}

void gw_access_log_close(struct gw_access_log **log)
{
    struct gw_access_log *gone = *log;
    *log = NULL;
    if (!gone)
        return;
    if (gone->fd >= 0)
        close(gone->fd);
    pthread_mutex_destroy(&gone->lock);
    free(gone);
}

struct gw_access_log_writer *gw_access_log_writer_create(struct gw_access_log *log, struct gw_shard *shard)
{
    struct gw_access_log_writer *writer = malloc(sizeof(*writer));
    if (!writer)
        return NULL;
    writer->log = log;
    writer->shard = shard;
    writer->clock.is_set = false;
    writer->length = 0;
    writer->is_full = false;
    return writer;
}

static ssize_t write_once(struct gw_access_log *log, const char *at, size_t length)
{
    if (log->way == WAY_SEND)
        return send(log->fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (log->way == WAY_POLL) {
        struct pollfd out = { .fd = log->fd, .events = POLLOUT };
        if (poll(&out, 1, 0) != 1) {
            errno = EAGAIN;
            return -1;
        }
        length = length < PIPE_BUF ? length : PIPE_BUF;
    }
    return write(log->fd, at, length);
}

static ssize_t write_locked(struct gw_access_log *log, const struct gw_access_log_writer *writer)
{
    if (log->inside && log->inside != writer) { /* another worker's line is half out */
        errno = EAGAIN;
        return -1;
    }
    if (log->is_torn && write_once(log, "\n", 1) != 1)
        return -1;
    log->is_torn = false;
    ssize_t written = write_once(log, writer->bytes, writer->length);
    if (written > 0)
        log->inside = writer->bytes[written - 1] == '\n' ? NULL : writer;
    return written;
}

static ssize_t write_some(struct gw_access_log_writer *writer)
{
    struct gw_access_log *log = writer->log;
    if (!log->is_shared_stream)
        return write_once(log, writer->bytes, writer->length);
    pthread_mutex_lock(&log->lock);
    ssize_t written = write_locked(log, writer);
    int error = errno;
    pthread_mutex_unlock(&log->lock);
    errno = error;
    return written;
}

static uint64_t count_lines(const char *at, size_t length)
{
    uint64_t lines = 0;
    for (const char *end = at + length; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        lines++;
    return lines;
}

/* Forgets everything that waits. */
static void drop_all(struct gw_access_log_writer *writer)
{
    struct gw_access_log *log = writer->log;
    gw_counter_add(&writer->shard->log_lines_dropped, count_lines(writer->bytes, writer->length));
    writer->length = 0;
    pthread_mutex_lock(&log->lock);
    if (log->inside == writer) {
        log->inside = NULL;
        log->is_torn = true;
    }
    pthread_mutex_unlock(&log->lock);
}

static void drain(struct gw_access_log_writer *writer)
{
    while (writer->length) {
        ssize_t written = write_some(writer);
        if (written > 0) {
            writer->length -= (size_t)written;
            memmove(writer->bytes, writer->bytes + written, writer->length);
        } else if (written < 0 && errno == EINTR) {
            continue;
        } else {
            writer->is_full = true;
            if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
                drop_all(writer);
            return;
        }
    }
}

void gw_access_log_writer_destroy(struct gw_access_log_writer **writer)
{
    struct gw_access_log_writer *gone = *writer;
    *writer = NULL;
    if (!gone)
        return;
    if (gone->log) {
        drain(gone);
        drop_all(gone);
    }
    free(gone);
}

static bool put_line(struct gw_access_log_writer *writer, const struct gw_request_record *record)
{
    struct gw_buffer line = gw_buffer_over(writer->bytes + writer->length, sizeof(writer->bytes) - writer->length);
    if (writer->log->as_json)
        gw_access_line_put_json(&line, &writer->clock, record);
    else
        gw_access_line_put_text(&line, &writer->clock, record);
    if (line.overflowed)
        return false;
    writer->length += line.length;
    return true;
}

void gw_access_log_add(struct gw_access_log_writer *writer, const struct gw_request_record *record)
{
    if (!writer || !writer->log || (record->is_admin && !writer->log->has_admin_lines))
        return;
    if (put_line(writer, record))
        return;
    /* What took no more in this turn is not asked again for each request of the turn. */
    if (!writer->is_full)
        drain(writer);
    if (!put_line(writer, record))
        gw_counter_add(&writer->shard->log_lines_dropped, 1);
}

bool gw_access_log_flush(struct gw_access_log_writer *writer)
{
    if (!writer || !writer->log)
        return false;
    writer->is_full = false;
    drain(writer);
    return writer->length > 0;
}
