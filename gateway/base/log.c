#include "base/log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "base/buffer.h"

static enum gw_log_level least_level = GW_LOG_INFO;
static bool json_lines = true;

void gw_log_setup(enum gw_log_level least, bool as_json)
{
    least_level = least;
    json_lines = as_json;
}

bool gw_log_is_on(enum gw_log_level level)
{
    return level <= least_level;
}

static void log_put_time(struct gw_buffer *line)
{
    struct timespec now;
    struct tm parts;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    gw_buffer_put(line, text, length);
    gw_buffer_print(line, ".%03ldZ", now.tv_nsec / 1000000);
}

static void log_put_line(struct gw_buffer *line, enum gw_log_level level, const char *area, struct gw_slice message)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    if (json_lines) {
        gw_buffer_put_literal(line, "{\"time\":\"");
        log_put_time(line);
        gw_buffer_print(line, "\",\"level\":\"%s\",\"area\":\"%s\",\"message\":", names[level], area);
        gw_buffer_put_json(line, message);
        gw_buffer_put_literal(line, "}\n");
    } else {
        log_put_time(line);
        gw_buffer_print(line, " %-5s %s: ", names[level], area);
        gw_buffer_put_slice(line, message);
        gw_buffer_put_literal(line, "\n");
    }
}

/* Replaces control bytes, so that a line cannot control a terminal. */
static void log_defuse(char *message, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)message[i] < 0x20 || message[i] == 0x7f)
            message[i] = '?';
}

void gw_log(enum gw_log_level level, const char *area, const char *format, ...)
{
    char message[1024], memory[PIPE_BUF];
    if (!gw_log_is_on(level))
        return;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    if ((size_t)length >= sizeof message)
        length = sizeof message - 1;
    if (!json_lines)
        log_defuse(message, (size_t)length);
    /* A full pipe must not block a loop, so the line is lost then. A pipe that poll calls writable takes PIPE_BUF bytes
     * whole; so a message that JSON's escapes made longer than that is cut. */
    struct gw_buffer line;
    do {
        line = gw_buffer_over(memory, sizeof memory);
        log_put_line(&line, level, area, gw_slice_of(message, (size_t)length));
        length /= 2;
    } while (line.overflowed && length);
    struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT)) {
        ssize_t ignored = write(STDERR_FILENO, line.at, line.length);
        (void)ignored;
    }
}
