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
#include "base/clock.h"
#include "base/log.h"
#include "telemetry/access_line.h"

#define TELL_US UINT64_C(10000000)

enum way {
    WAY_WRITE, /* write(2) never waits */
    WAY_SEND,  /* a socket */
    WAY_POLL,  /* a blocking description: poll(2) before each PIPE_BUF bytes, which a writable pipe takes whole */
};

struct gw_access_log {
    int fd;
    enum way way;
    bool as_json;
    bool has_admin_lines;
    char *path; /* of a file, to open it again; NULL: standard output or error */

    pthread_mutex_t lock;                      /* held during one write */
    const struct gw_access_log_writer *inside; /* the writer whose line is written in part; NULL: none */
    bool is_torn;                              /* the rest of a line was dropped: a line feed must be written first */
    atomic_bool is_failing;                    /* the last write failed */
    bool is_told;                              /* the failure was logged */
    uint64_t next_tell_us;
    uint64_t lost; /* lines since the failure began */
};

struct gw_access_log_writer {
    struct gw_access_log *log;
    struct gw_shard *shard;

    struct gw_access_line_clock clock;
    size_t length;
    bool is_full; /* the destination took no more in this turn */
    char bytes[GW_ACCESS_LOG_BUFFER_BYTES];
};

static int access_log_complain(struct gw_complaint *complaint, struct gw_slice where, const char *expected)
{
    char found[128];
    struct gw_buffer text = gw_buffer_over(found, sizeof(found) - 1);
    gw_buffer_put_slice(&text, gw_slice_of(where.at, where.length < text.bound ? where.length : text.bound));
    found[text.length] = '\0';
    gw_complain(complaint, "log.access", found, "%s (%s)", expected, strerror(errno));
    return -1;
}

/* Opens an own description where that is possible; otherwise uses the given one. */
static int access_log_open_again(struct gw_access_log *log, int fd, mode_t mode)
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

static int access_log_open_standard(struct gw_access_log *log, struct gw_slice where, struct gw_complaint *complaint)
{
    int fd = gw_slice_equal(where, GW_SLICE("stderr")) ? STDERR_FILENO : STDOUT_FILENO;
    struct stat status;
    if (fstat(fd, &status) != 0)
        return access_log_complain(complaint, where, "an open descriptor");
    int own = access_log_open_again(log, fd, status.st_mode);
    return own >= 0 ? own : access_log_complain(complaint, where, "a descriptor that can be duplicated");
}

static int access_log_open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
}

static int access_log_open_file(struct gw_access_log *log, struct gw_slice where, struct gw_complaint *complaint)
{
    log->path = strndup(where.at, where.length);
    int fd = log->path ? access_log_open_path(log->path) : -1;
    return fd >= 0 ? fd : access_log_complain(complaint, where, "a file that can be written");
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
        access_log_complain(complaint, where, "memory for it");
        return false;
    }
    pthread_mutex_init(&made->lock, NULL);
    made->as_json = config->log_json;
    made->has_admin_lines = config->log_level >= GW_LOG_DEBUG;
    bool is_standard = gw_slice_equal(where, GW_SLICE("stdout")) || gw_slice_equal(where, GW_SLICE("stderr"));
    made->fd = is_standard ? access_log_open_standard(made, where, complaint)
                           : access_log_open_file(made, where, complaint);
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
    free(gone->path);
    pthread_mutex_destroy(&gone->lock);
    free(gone);
}

static bool access_log_is_same_file(int a, int b)
{
    struct stat first, second;
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

void gw_access_log_reopen(struct gw_access_log *log)
{
    if (!log || !log->path)
        return;
    int fd = access_log_open_path(log->path), error = errno;
    pthread_mutex_lock(&log->lock);
    bool is_another = fd >= 0 && !access_log_is_same_file(fd, log->fd);
    bool done = fd >= 0 && dup3(fd, log->fd, O_CLOEXEC) >= 0; /* keeps the descriptor's number */
    if (done && is_another)
        log->is_torn = false;
    else if (fd >= 0)
        error = errno;
    pthread_mutex_unlock(&log->lock);
    if (done)
        gw_log(GW_LOG_INFO, "access_log", "%s is opened again", log->path);
    else
        gw_log(GW_LOG_WARN, "access_log", "%s cannot be opened again (%s): the file that is open stays in use",
               log->path, strerror(error));
    if (fd >= 0)
        close(fd);
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

static ssize_t access_log_write_once(struct gw_access_log *log, const char *at, size_t length)
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

/* The caller holds the lock. */
static ssize_t access_log_write_locked(struct gw_access_log *log, const struct gw_access_log_writer *writer)
{
    if (log->inside && log->inside != writer) { /* another worker's line is written in part */
        errno = EAGAIN;
        return -1;
    }
    if (log->is_torn && access_log_write_once(log, "\n", 1) != 1)
        return -1;
    log->is_torn = false;
    ssize_t written = access_log_write_once(log, writer->bytes, writer->length);
    if (written > 0)
        log->inside = writer->bytes[written - 1] == '\n' ? NULL : writer;
    return written;
}

/* ---- lost lines ---- */

static enum gw_log_loss access_log_loss_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return GW_LOG_LOSS_DISK_FULL;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return GW_LOG_LOSS_READER_GONE;
    default:
        return GW_LOG_LOSS_ERROR;
    }
}

/* Logs one warning for any number of lost lines, and at most one in TELL_US, even where the disk is full again and
 * again. */
static void access_log_note_failure(struct gw_access_log *log, int error, uint64_t lines)
{
    uint64_t now_us = gw_clock_monotonic_us();
    pthread_mutex_lock(&log->lock);
    bool begins = !atomic_exchange(&log->is_failing, true);
    log->lost = begins ? lines : log->lost + lines;
    bool tells = begins && now_us >= log->next_tell_us;
    if (tells) {
        log->next_tell_us = now_us + TELL_US;
        log->is_told = true;
    }
    pthread_mutex_unlock(&log->lock);
    if (tells)
        gw_log(GW_LOG_WARN, "access_log", "%s cannot be written (%s): lines are lost until it can",
               log->path ? log->path : "standard output or error", strerror(error));
}

static void access_log_note_recovery(struct gw_access_log *log)
{
    pthread_mutex_lock(&log->lock);
    bool tells = atomic_exchange(&log->is_failing, false) && log->is_told;
    uint64_t lost = log->lost;
    if (tells)
        log->is_told = false;
    pthread_mutex_unlock(&log->lock);
    if (tells)
        gw_log(GW_LOG_WARN, "access_log", "%s is written again; %llu lines were lost",
               log->path ? log->path : "standard output or error", (unsigned long long)lost);
}

static uint64_t access_log_count_lines(const char *at, size_t length)
{
    uint64_t lines = 0;
    for (const char *end = at + length; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        lines++;
    return lines;
}

/* Drops all waiting lines. Returns their number. */
static uint64_t access_log_drop_all(struct gw_access_log_writer *writer, enum gw_log_loss loss)
{
    struct gw_access_log *log = writer->log;
    uint64_t lines = access_log_count_lines(writer->bytes, writer->length);
    gw_counter_add(&writer->shard->log_lines_dropped[loss], lines);
    writer->length = 0;
    pthread_mutex_lock(&log->lock);
    if (log->inside == writer) {
        log->inside = NULL;
        log->is_torn = true;
    }
    pthread_mutex_unlock(&log->lock);
    return lines;
}

static void access_log_drain(struct gw_access_log_writer *writer)
{
    struct gw_access_log *log = writer->log;
    if (!writer->length)
        return;
    while (writer->length) {
        pthread_mutex_lock(&log->lock);
        ssize_t written = access_log_write_locked(log, writer);
        int error = errno;
        pthread_mutex_unlock(&log->lock);
        if (written > 0) {
            writer->length -= (size_t)written;
            memmove(writer->bytes, writer->bytes + written, writer->length);
        } else if (written < 0 && error == EINTR) {
            continue;
        } else {
            writer->is_full = true;
            if (written < 0 && error != EAGAIN && error != EWOULDBLOCK)
                access_log_note_failure(log, error, access_log_drop_all(writer, access_log_loss_of(error)));
            return;
        }
    }
    if (atomic_load_explicit(&log->is_failing, memory_order_relaxed))
        access_log_note_recovery(log);
}

void gw_access_log_writer_destroy(struct gw_access_log_writer **writer)
{
    struct gw_access_log_writer *gone = *writer;
    *writer = NULL;
    if (!gone)
        return;
    if (gone->log) {
        access_log_drain(gone);
        access_log_drop_all(gone, GW_LOG_LOSS_SLOW);
    }
    free(gone);
}

static bool access_log_put_line(struct gw_access_log_writer *writer, const struct gw_request_record *record)
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
    if (access_log_put_line(writer, record))
        return;
    /* A destination that was full in this turn is not tried again for each request of the turn. */
    if (!writer->is_full)
        access_log_drain(writer);
    if (!access_log_put_line(writer, record))
        gw_counter_add(&writer->shard->log_lines_dropped[GW_LOG_LOSS_SLOW], 1);
}

bool gw_access_log_flush(struct gw_access_log_writer *writer)
{
    if (!writer || !writer->log)
        return false;
    writer->is_full = false;
    access_log_drain(writer);
    return writer->length > 0;
}
