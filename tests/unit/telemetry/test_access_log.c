#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "telemetry/access_log.h"

/* A directory of its own, a shard to count in; standard output is put back after each test. */
struct bench {
    char directory[64];
    char path[96];
    int kept_stdout;
    struct gw_config config;
    struct gw_shard shard;
    struct gw_access_log *log;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    assert_non_null(bench);
    strcpy(bench->directory, "/tmp/gw-access-log-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    snprintf(bench->path, sizeof(bench->path), "%s/log", bench->directory);
    bench->config.access_log = gw_slice_of_string(bench->path);
    bench->config.log_json = true;
    bench->config.log_level = GW_LOG_INFO;
    fflush(stdout);
    bench->kept_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    dup2(bench->kept_stdout, STDOUT_FILENO);
    close(bench->kept_stdout);
    gw_access_log_close(&bench->log);
    unlink(bench->path);
    rmdir(bench->directory);
    free(bench);
    return 0;
}

static void open_log(struct bench *bench)
{
    struct gw_complaint complaint;
    assert_true(gw_access_log_open(&bench->config, &bench->log, &complaint));
}

static struct gw_access_log_writer *open_writer(struct bench *bench)
{
    struct gw_access_log_writer *writer = gw_access_log_writer_create(bench->log, &bench->shard);
    assert_non_null(writer);
    return writer;
}

static uint64_t lost(struct gw_shard *shard)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < GW_LOG_LOSS_COUNT; i++)
        sum += gw_counter_read(&shard->log_lines_dropped[i]);
    return sum;
}

static uint64_t dropped(struct bench *bench)
{
    return lost(&bench->shard);
}

/* A line of about `bytes` bytes with a number of its own. */
static void add(struct gw_access_log_writer *writer, unsigned number, size_t bytes)
{
    static char target[80000];
    memset(target, 'x', sizeof(target));
    gw_access_log_add(writer, &(struct gw_request_record) {
                                  .target = gw_slice_of(target, bytes), .status = 200, .bytes_sent = number });
}

/* What stands in the pipe or socket now, into `text`; it grows. */
struct text {
    char *at;
    size_t length;
};

static void read_on(int fd, struct text *text)
{
    for (;;) {
        text->at = realloc(text->at, text->length + 65536 + 1);
        assert_non_null(text->at);
        ssize_t length = read(fd, text->at + text->length, 65536);
        text->length += length > 0 ? (size_t)length : 0;
        text->at[text->length] = '\0';
        if (length <= 0)
            return;
    }
}

/* Every line is a whole object; returns how many there are. */
static unsigned count_whole_lines(struct text *text)
{
    unsigned lines = 0;
    char *at = text->at;
    for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        cJSON *json = cJSON_ParseWithOpts(at, NULL, true);
        if (!json)
            fail_msg("torn: %.200s", at);
        assert_non_null(cJSON_GetObjectItem(json, "bytes_sent"));
        cJSON_Delete(json);
        lines++;
    }
    assert_string_equal(at, ""); /* nothing after the last line feed */
    free(text->at);
    *text = (struct text) { NULL, 0 };
    return lines;
}

/* As above; but a writer that went while its line was half out leaves a torn one, which it has counted as lost. */
static unsigned count_lines_of_workers(struct text *text)
{
    unsigned lines = 0;
    char *at = text->at;
    for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        cJSON *json = cJSON_ParseWithOpts(at, NULL, true);
        lines += json != NULL;
        cJSON_Delete(json);
    }
    free(text->at);
    *text = (struct text) { NULL, 0 };
    return lines;
}

/* More than the pipe holds, in two writes, so that the second is taken in part and a line is half out. */
static void overfill(struct gw_access_log_writer *writer)
{
    for (unsigned i = 0; i < 190; i++) {
        add(writer, i, 300);
        if (i == 10)
            assert_false(gw_access_log_flush(writer));
    }
    assert_true(gw_access_log_flush(writer));
}

/* Reads and flushes in turns until nothing is left. */
static void read_all(int fd, struct gw_access_log_writer *writer, struct text *text)
{
    read_on(fd, text);
    while (gw_access_log_flush(writer))
        read_on(fd, text);
    read_on(fd, text);
}

static void off_is_no_log_and_its_writer_does_nothing(void **state)
{
    struct bench *bench = *state;
    bench->config.access_log = GW_SLICE("off");
    open_log(bench);
    assert_null(bench->log);
    struct gw_access_log_writer *writer = open_writer(bench);
    add(writer, 1, 10);
    assert_false(gw_access_log_flush(writer));
    gw_access_log_writer_destroy(&writer);
    assert_null(writer);
    assert_int_equal(dropped(bench), 0);
}

static void a_file_that_cannot_be_opened_is_complained_about(void **state)
{
    struct bench *bench = *state;
    struct gw_complaint complaint;
    bench->config.access_log = GW_SLICE("/nowhere/access.log");
    assert_false(gw_access_log_open(&bench->config, &bench->log, &complaint));
    assert_null(bench->log);
    assert_string_equal(complaint.place, "log.access");
    assert_string_equal(complaint.found, "/nowhere/access.log");
    assert_non_null(strstr(complaint.expected, "No such file"));
}

static void a_file_gets_every_line_at_its_end(void **state)
{
    struct bench *bench = *state;
    for (unsigned round = 0; round < 2; round++) {
        open_log(bench);
        struct gw_access_log_writer *writer = open_writer(bench);
        for (unsigned i = 0; i < 1000; i++)
            add(writer, i, 200);
        assert_false(gw_access_log_flush(writer));
        add(writer, 1000, 200); /* written when the writer goes */
        gw_access_log_writer_destroy(&writer);
        gw_access_log_close(&bench->log);
    }
    int fd = open(bench->path, O_RDONLY | O_CLOEXEC);
    struct text text = { NULL, 0 };
    read_on(fd, &text);
    close(fd);
    assert_int_equal(count_whole_lines(&text), 2002);
    assert_int_equal(dropped(bench), 0);
}

static int open_fifo(struct bench *bench)
{
    assert_int_equal(mkfifo(bench->path, 0600), 0);
    int fd = open(bench->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void a_pipe_without_a_reader_costs_lines_and_no_time(void **state)
{
    enum { LINES = 3000 };
    struct bench *bench = *state;
    int fd = open_fifo(bench);
    open_log(bench);
    struct gw_access_log_writer *writer = open_writer(bench);
    for (unsigned i = 0; i < LINES; i++) {
        add(writer, i, 100 + i % 300);
        if (i % 50 == 0)
            gw_access_log_flush(writer);
    }
    assert_true(dropped(bench) > 0);
    struct text text = { NULL, 0 };
    read_all(fd, writer, &text);
    assert_int_equal(count_whole_lines(&text) + dropped(bench), LINES);
    uint64_t before = dropped(bench);
    add(writer, 1, 100); /* and it goes on */
    read_all(fd, writer, &text);
    assert_int_equal(count_whole_lines(&text), 1);
    assert_int_equal(dropped(bench), before);
    gw_access_log_writer_destroy(&writer);
    close(fd);
}

static void two_workers_do_not_tear_each_others_lines(void **state)
{
    struct bench *bench = *state;
    int fd = open_fifo(bench);
    open_log(bench);
    struct gw_access_log_writer *writers[2] = { open_writer(bench), open_writer(bench) };
    struct text text = { NULL, 0 };
    unsigned lines = 0;
    for (unsigned i = 0; i < 2000; i++, lines++) {
        add(writers[i % 2], i, 20 + i * 7 % 3000);
        gw_access_log_flush(writers[i % 2]);
        if (i % 40 == 39) { /* a reader that takes a piece now and then */
            text.at = realloc(text.at, text.length + 30001);
            assert_non_null(text.at);
            ssize_t length = read(fd, text.at + text.length, 30000);
            text.length += length > 0 ? (size_t)length : 0;
        }
    }
    bool is_left = true;
    while (is_left) {
        read_on(fd, &text);
        bool first = gw_access_log_flush(writers[0]);
        is_left = gw_access_log_flush(writers[1]) || first;
    }
    read_on(fd, &text);
    assert_true(dropped(bench) > 0);
    assert_int_equal(count_whole_lines(&text) + dropped(bench), lines);
    for (unsigned i = 0; i < 2; i++)
        gw_access_log_writer_destroy(&writers[i]);
    close(fd);
}

enum { LINES_OF_A_WORKER = 3000 };

struct worker {
    struct gw_access_log_writer *writer;
    struct gw_shard shard;
    pthread_t thread;
    atomic_bool is_done;
};

static void *log_many(void *context)
{
    struct worker *worker = context;
    for (unsigned i = 0; i < LINES_OF_A_WORKER; i++) {
        gw_access_log_add(worker->writer, &(struct gw_request_record) { .target = GW_SLICE("/x"), .bytes_sent = i });
        if (i % 8 == 0)
            gw_access_log_flush(worker->writer);
    }
    gw_access_log_writer_destroy(&worker->writer);
    atomic_store(&worker->is_done, true);
    return NULL;
}

static void workers_at_the_same_time_lose_only_what_they_count(void **state)
{
    static struct worker workers[3];
    struct bench *bench = *state;
    int fd = open_fifo(bench);
    open_log(bench);
    for (size_t i = 0; i < GW_COUNT(workers); i++) {
        workers[i].writer = gw_access_log_writer_create(bench->log, &workers[i].shard);
        assert_non_null(workers[i].writer);
    }
    for (size_t i = 0; i < GW_COUNT(workers); i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, log_many, &workers[i]), 0);
    struct text text = { NULL, 0 };
    for (size_t i = 0; i < GW_COUNT(workers);) {
        read_on(fd, &text);
        i += atomic_load(&workers[i].is_done);
    }
    read_on(fd, &text);
    uint64_t lost_lines = 0;
    for (size_t i = 0; i < GW_COUNT(workers); i++) {
        pthread_join(workers[i].thread, NULL);
        lost_lines += lost(&workers[i].shard);
    }
    assert_int_equal(count_lines_of_workers(&text) + lost_lines, GW_COUNT(workers) * LINES_OF_A_WORKER);
    close(fd);
}

static void a_reader_that_left_costs_lines_and_another_may_come(void **state)
{
    struct bench *bench = *state;
    int fd = open_fifo(bench);
    open_log(bench);
    struct gw_access_log_writer *writer = open_writer(bench);
    overfill(writer);
    close(fd);
    assert_false(gw_access_log_flush(writer));
    uint64_t before = dropped(bench);
    assert_true(before > 0);
    fd = open(bench->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct text text = { NULL, 0 };
    read_on(fd, &text); /* what the pipe still held: the rest of its last line will never come */
    assert_int_not_equal(text.at[text.length - 1], '\n');
    text.length = 0;
    add(writer, 1, 100);
    read_all(fd, writer, &text);
    assert_int_equal(text.at[0], '\n'); /* so that line is ended, and the next one is whole */
    memmove(text.at, text.at + 1, text.length);
    assert_int_equal(count_whole_lines(&text), 1);
    assert_int_equal(dropped(bench), before);
    gw_access_log_writer_destroy(&writer);
    close(fd);
}

static void standard_output_as_a_pipe_keeps_its_flags(void **state)
{
    struct bench *bench = *state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDOUT_FILENO);
    bench->config.access_log = GW_SLICE("stdout");
    open_log(bench);
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    struct gw_access_log_writer *writer = open_writer(bench);
    for (unsigned i = 0; i < 1000; i++)
        add(writer, i, 300);
    dup2(bench->kept_stdout, STDOUT_FILENO);
    assert_false(flags & O_NONBLOCK);
    assert_true(dropped(bench) > 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    struct text text = { NULL, 0 };
    read_all(ends[0], writer, &text);
    assert_int_equal(count_whole_lines(&text) + dropped(bench), 1000);
    gw_access_log_writer_destroy(&writer);
    close(ends[0]);
    close(ends[1]);
}

/* Without a reader a pipe cannot be reopened, as one of another user's cannot. */
static void a_pipe_that_cannot_be_reopened_does_not_block_either(void **state)
{
    struct bench *bench = *state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    bench->config.access_log = GW_SLICE("stdout");
    open_log(bench);
    int fd = open("/proc/self/fd/1", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    dup2(bench->kept_stdout, STDOUT_FILENO);
    assert_true(fd >= 0);
    struct gw_access_log_writer *writer = open_writer(bench);
    for (unsigned i = 0; i < 1000; i++)
        add(writer, i, 300);
    assert_true(dropped(bench) > 0);
    struct text text = { NULL, 0 };
    read_all(fd, writer, &text);
    assert_int_equal(count_whole_lines(&text) + dropped(bench), 1000);
    gw_access_log_writer_destroy(&writer);
    close(fd);
    close(ends[1]);
}

static void a_socket_without_a_reader_does_not_block(void **state)
{
    struct bench *bench = *state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    dup2(ends[1], STDOUT_FILENO);
    bench->config.access_log = GW_SLICE("stdout");
    open_log(bench);
    dup2(bench->kept_stdout, STDOUT_FILENO);
    struct gw_access_log_writer *writer = open_writer(bench);
    unsigned lines = 0;
    for (; dropped(bench) == 0 && lines < 100000; lines++)
        add(writer, lines, 3000);
    assert_true(dropped(bench) > 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    struct text text = { NULL, 0 };
    read_all(ends[0], writer, &text);
    assert_int_equal(count_whole_lines(&text) + dropped(bench), lines);
    gw_access_log_writer_destroy(&writer);
    close(ends[0]);
    close(ends[1]);
}

static void requests_to_the_gateway_itself_are_logged_at_debug_only(void **state)
{
    static const struct row {
        enum gw_log_level level;
        unsigned lines;
    } rows[] = { { GW_LOG_INFO, 0 }, { GW_LOG_DEBUG, 1 } };
    struct bench *bench = *state;
    int fd = open_fifo(bench);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        bench->config.log_level = rows[i].level;
        open_log(bench);
        struct gw_access_log_writer *writer = open_writer(bench);
        gw_access_log_add(writer, &(struct gw_request_record) { .is_admin = true, .status = 200 });
        struct text text = { NULL, 0 };
        read_all(fd, writer, &text);
        assert_int_equal(count_whole_lines(&text), rows[i].lines);
        gw_access_log_writer_destroy(&writer);
        gw_access_log_close(&bench->log);
    }
    close(fd);
}

static void a_line_that_never_fits_is_dropped_alone(void **state)
{
    struct bench *bench = *state;
    int fd = open_fifo(bench);
    open_log(bench);
    struct gw_access_log_writer *writer = open_writer(bench);
    add(writer, 1, 100);
    add(writer, 2, GW_ACCESS_LOG_BUFFER_BYTES);
    add(writer, 3, 100);
    struct text text = { NULL, 0 };
    read_all(fd, writer, &text);
    assert_int_equal(count_whole_lines(&text), 2);
    assert_int_equal(dropped(bench), 1);
    gw_access_log_writer_destroy(&writer);
    close(fd);
}

static void what_is_left_when_a_writer_goes_is_counted(void **state)
{
    struct bench *bench = *state;
    int fd = open_fifo(bench);
    open_log(bench);
    struct gw_access_log_writer *writer = open_writer(bench);
    overfill(writer);
    assert_int_equal(dropped(bench), 0);
    gw_access_log_writer_destroy(&writer);
    assert_true(dropped(bench) > 0);
    struct gw_access_log_writer *next = open_writer(bench); /* is not kept waiting by the one that went */
    struct text text = { NULL, 0 };
    read_on(fd, &text);
    text.length = 0;
    add(next, 1, 10);
    read_all(fd, next, &text);
    assert_int_equal(text.at[0], '\n');
    memmove(text.at, text.at + 1, text.length);
    assert_int_equal(count_whole_lines(&text), 1);
    gw_access_log_writer_destroy(&next);
    close(fd);
}

static size_t file_bytes(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (size_t)status.st_size;
}

/* The first 1,000 bytes of ten lines: the last line that is there is torn. */
static struct gw_access_log_writer *fill_the_file(struct bench *bench)
{
    struct rlimit before, small;
    open_log(bench);
    struct gw_access_log_writer *writer = open_writer(bench);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000; /* in the middle of a line */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (unsigned i = 0; i < 10; i++)
        add(writer, i, 200);
    (void)gw_access_log_flush(writer);
    add(writer, 10, 200);
    (void)gw_access_log_flush(writer);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(file_bytes(bench->path), 1000);
    return writer;
}

static struct text read_file(const char *path)
{
    struct text text = { NULL, 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    read_on(fd, &text);
    close(fd);
    return text;
}

static void a_file_that_is_full_tears_no_line_that_comes_later(void **state)
{
    struct bench *bench = *state;
    struct gw_access_log_writer *writer = fill_the_file(bench);
    uint64_t full = gw_counter_read(&bench->shard.log_lines_dropped[GW_LOG_LOSS_DISK_FULL]);
    assert_true(full > 0);
    assert_int_equal(full, dropped(bench));
    add(writer, 11, 200);
    assert_false(gw_access_log_flush(writer));
    struct text text = read_file(bench->path);
    assert_int_equal(text.at[1000], '\n'); /* the torn line is ended, and the next one is whole */
    assert_int_equal(text.at[1001], '{');
    assert_int_equal(text.at[text.length - 1], '\n');
    assert_int_equal(dropped(bench), full);
    free(text.at);
    gw_access_log_writer_destroy(&writer);
}

static void a_torn_line_ends_also_where_its_file_is_opened_again(void **state)
{
    struct bench *bench = *state;
    struct gw_access_log_writer *writer = fill_the_file(bench);
    gw_access_log_reopen(bench->log);
    add(writer, 11, 200);
    assert_false(gw_access_log_flush(writer));
    struct text text = read_file(bench->path);
    assert_int_equal(text.at[1000], '\n');
    assert_int_equal(text.at[1001], '{');
    free(text.at);
    gw_access_log_writer_destroy(&writer);
}

static void a_torn_line_is_no_matter_of_the_file_that_comes_after_it(void **state)
{
    struct bench *bench = *state;
    struct gw_access_log_writer *writer = fill_the_file(bench);
    assert_int_equal(unlink(bench->path), 0);
    gw_access_log_reopen(bench->log);
    add(writer, 11, 200);
    assert_false(gw_access_log_flush(writer));
    struct text text = read_file(bench->path);
    assert_int_equal(count_whole_lines(&text), 1);
    gw_access_log_writer_destroy(&writer);
}

static void a_file_is_opened_again_at_its_path(void **state)
{
    struct bench *bench = *state;
    char moved[128];
    snprintf(moved, sizeof(moved), "%s.1", bench->path);
    open_log(bench);
    struct gw_access_log_writer *writer = open_writer(bench);
    add(writer, 1, 10);
    (void)gw_access_log_flush(writer);
    assert_int_equal(rename(bench->path, moved), 0);
    add(writer, 2, 10);
    (void)gw_access_log_flush(writer); /* still to the one that was moved */
    size_t bytes = file_bytes(moved);
    gw_access_log_reopen(bench->log);
    add(writer, 3, 10);
    (void)gw_access_log_flush(writer);
    assert_int_equal(file_bytes(moved), bytes);
    assert_int_equal(file_bytes(bench->path), bytes / 2);
    unlink(moved);

    /* Where that fails, the one that is open stays in use. */
    unlink(bench->path);
    assert_int_equal(mkdir(bench->path, 0700), 0);
    gw_access_log_reopen(bench->log);
    add(writer, 4, 10);
    assert_false(gw_access_log_flush(writer));
    assert_int_equal(dropped(bench), 0);
    gw_access_log_writer_destroy(&writer);
    rmdir(bench->path);
    gw_access_log_reopen(NULL);
}

/* The log's file may not grow beyond its present size. */
static void fill_up(const struct bench *bench, struct rlimit *before)
{
    assert_int_equal(getrlimit(RLIMIT_FSIZE, before), 0);
    struct rlimit small = *before;
    small.rlim_cur = file_bytes(bench->path);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
}

static unsigned occurrences(const char *text, const char *word)
{
    unsigned count = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        count++;
    return count;
}

static void lines_that_are_lost_are_told_once_and_counted_at_the_end(void **state)
{
    struct bench *bench = *state;
    struct rlimit before;
    int ends[2], kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    char told[4096];
    open_log(bench);
    struct gw_access_log_writer *writer = open_writer(bench);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    for (unsigned times = 0; times < 2; times++) { /* the second time within TELL_US */
        fill_up(bench, &before);
        for (unsigned i = 0; i < 3; i++) {
            add(writer, i, 10);
            (void)gw_access_log_flush(writer);
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        add(writer, 3, 10);
        (void)gw_access_log_flush(writer);
    }
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[1]);
    ssize_t length = read(ends[0], told, sizeof(told) - 1);
    close(ends[0]);
    assert_true(length > 0);
    told[length] = '\0';
    assert_int_equal(occurrences(told, "cannot be written"), 1);
    assert_int_equal(occurrences(told, "is written again; 3 lines were lost"), 1);
    assert_int_equal(occurrences(told, "\n"), 2);
    assert_int_equal(dropped(bench), 6);
    gw_access_log_writer_destroy(&writer);
}

#define on_a_bench(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_a_bench(off_is_no_log_and_its_writer_does_nothing),
        on_a_bench(a_file_that_cannot_be_opened_is_complained_about),
        on_a_bench(a_file_gets_every_line_at_its_end),
        on_a_bench(a_pipe_without_a_reader_costs_lines_and_no_time),
        on_a_bench(two_workers_do_not_tear_each_others_lines),
        on_a_bench(workers_at_the_same_time_lose_only_what_they_count),
        on_a_bench(a_reader_that_left_costs_lines_and_another_may_come),
        on_a_bench(standard_output_as_a_pipe_keeps_its_flags),
        on_a_bench(a_pipe_that_cannot_be_reopened_does_not_block_either),
        on_a_bench(a_socket_without_a_reader_does_not_block),
        on_a_bench(requests_to_the_gateway_itself_are_logged_at_debug_only),
        on_a_bench(a_line_that_never_fits_is_dropped_alone),
        on_a_bench(a_file_that_is_full_tears_no_line_that_comes_later),
        on_a_bench(a_torn_line_ends_also_where_its_file_is_opened_again),
        on_a_bench(a_torn_line_is_no_matter_of_the_file_that_comes_after_it),
        on_a_bench(a_file_is_opened_again_at_its_path),
        on_a_bench(lines_that_are_lost_are_told_once_and_counted_at_the_end),
        on_a_bench(what_is_left_when_a_writer_goes_is_counted),
    };
    signal(SIGPIPE, SIG_IGN); /* as main does */
    signal(SIGXFSZ, SIG_IGN);
    alarm(60); /* a write that blocks must not hang the run */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
