#include "telemetry/access_line.h"

#include <time.h>

static void access_line_print_digits(char *at, unsigned count, unsigned value)
{
    while (count-- > 0) {
        at[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

static void access_line_set_second(struct gw_access_line_clock *clock, int64_t second)
{
    time_t seconds = (time_t)second;
    struct tm tm;
    if (!gmtime_r(&seconds, &tm))
        memset(&tm, 0, sizeof(tm));
    memcpy(clock->text, "0000-00-00T00:00:00", sizeof(clock->text));
    access_line_print_digits(clock->text, 4, (unsigned)(tm.tm_year + 1900));
    access_line_print_digits(clock->text + 5, 2, (unsigned)(tm.tm_mon + 1));
    access_line_print_digits(clock->text + 8, 2, (unsigned)tm.tm_mday);
    access_line_print_digits(clock->text + 11, 2, (unsigned)tm.tm_hour);
    access_line_print_digits(clock->text + 14, 2, (unsigned)tm.tm_min);
    access_line_print_digits(clock->text + 17, 2, (unsigned)tm.tm_sec);
    clock->second = second;
    clock->is_set = true;
}

static void access_line_put_time(struct gw_buffer *buffer, struct gw_access_line_clock *clock, int64_t wall_us)
{
    uint64_t us = wall_us > 0 ? (uint64_t)wall_us : 0;
    int64_t second = (int64_t)(us / 1000000);
    if (!clock->is_set || clock->second != second)
        access_line_set_second(clock, second);
    char rest[5] = { '.', '0', '0', '0', 'Z' };
    access_line_print_digits(rest + 1, 3, (unsigned)(us / 1000 % 1000));
    gw_buffer_put(buffer, clock->text, sizeof(clock->text));
    gw_buffer_put(buffer, rest, sizeof(rest));
}

/* Writes 1234 as 1.234. */
static void access_line_put_ms(struct gw_buffer *buffer, uint64_t us)
{
    char rest[4] = { '.', '0', '0', '0' };
    access_line_print_digits(rest + 1, 3, (unsigned)(us % 1000));
    gw_buffer_put_uint(buffer, us / 1000);
    gw_buffer_put(buffer, rest, sizeof(rest));
}

static uint64_t access_line_duration_us(const struct gw_request_record *record)
{
    return record->ended_at_us > record->began_at_us ? record->ended_at_us - record->began_at_us : 0;
}

/* Writes ,"name":"value" unless the value is absent. */
#define put_json_member(buffer, name, value)                                                                           \
    do {                                                                                                               \
        struct gw_slice member = (value);                                                                              \
        if (member.at) {                                                                                               \
            gw_buffer_put_literal((buffer), ",\"" name "\":");                                                         \
            gw_buffer_put_json((buffer), member);                                                                      \
        }                                                                                                              \
    } while (0)

#define put_json_number(buffer, name, value)                                                                           \
    do {                                                                                                               \
        gw_buffer_put_literal((buffer), ",\"" name "\":");                                                             \
        gw_buffer_put_uint((buffer), (value));                                                                         \
    } while (0)

/* Writes one of the gateway's own labels, which need no escapes. */
#define put_json_label(buffer, name, value)                                                                            \
    do {                                                                                                               \
        gw_buffer_put_literal((buffer), ",\"" name "\":\"");                                                           \
        gw_buffer_put_string((buffer), (value));                                                                       \
        gw_buffer_put_char((buffer), '"');                                                                             \
    } while (0)

void gw_access_line_put_json(struct gw_buffer *buffer, struct gw_access_line_clock *clock,
                             const struct gw_request_record *record)
{
    gw_buffer_put_literal(buffer, "{\"time\":\"");
    access_line_put_time(buffer, clock, record->began_wall_us);
    gw_buffer_put_char(buffer, '"');
    put_json_member(buffer, "request_id", record->request_id);
    put_json_member(buffer, "client", record->client);
    put_json_member(buffer, "method", record->method_text);
    put_json_member(buffer, "path", record->target);
    put_json_number(buffer, "status", record->status > 0 ? (uint64_t)record->status : 0);
    put_json_number(buffer, "bytes_sent", record->bytes_sent);
    put_json_number(buffer, "bytes_received", record->bytes_received);
    gw_buffer_put_literal(buffer, ",\"duration_ms\":");
    access_line_put_ms(buffer, access_line_duration_us(record));
    if (record->has_upstream) {
        put_json_member(buffer, "upstream", record->upstream);
        gw_buffer_put_literal(buffer, ",\"upstream_ms\":");
        access_line_put_ms(buffer, record->upstream_us);
    }
    if (record->cache != GW_CACHE_LABEL_NONE)
        put_json_label(buffer, "cache", gw_cache_label_name(record->cache));
    if (record->not_stored != GW_NOT_STORED_LABEL_NONE)
        put_json_label(buffer, "cache_detail", gw_not_stored_word(record->not_stored));
    if (record->limit != GW_LIMIT_LABEL_NONE) {
        put_json_label(buffer, "limit", gw_limit_label_name(record->limit));
        put_json_number(buffer, "limit_remaining", record->limit_remaining);
    }
    if (record->route)
        put_json_member(buffer, "route", record->route->name);
    if (record->error != GW_ERROR_NONE)
        put_json_label(buffer, "error", gw_error_name(record->error));
    put_json_member(buffer, "user_agent", record->user_agent);
    gw_buffer_put_literal(buffer, "}\n");
}

/* Writes a value for a terminal; "-" where it is absent. Bytes above ASCII are escaped, too, since UTF-8 can have C1
 * control codes. */
static void access_line_put_text(struct gw_buffer *buffer, struct gw_slice text)
{
    if (!text.length)
        gw_buffer_put_char(buffer, '-');
    size_t plain = 0; /* where the bytes begin that are not written yet */
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
            continue;
        gw_buffer_put(buffer, text.at + plain, i - plain);
        gw_buffer_put_literal(buffer, "\\x");
        gw_buffer_put_hex(buffer, &c, 1);
        plain = i + 1;
    }
    gw_buffer_put(buffer, text.length ? text.at + plain : "", text.length - plain);
}

static void access_line_put_text_member(struct gw_buffer *buffer, const char *name, struct gw_slice value)
{
    gw_buffer_put_string(buffer, name);
    access_line_put_text(buffer, value);
}

void gw_access_line_put_text(struct gw_buffer *buffer, struct gw_access_line_clock *clock,
                             const struct gw_request_record *record)
{
    access_line_put_time(buffer, clock, record->began_wall_us);
    access_line_put_text_member(buffer, " ", record->client);
    access_line_put_text_member(buffer, " \"", record->method_text);
    access_line_put_text_member(buffer, " ", record->target);
    access_line_put_text_member(buffer, " ", record->version);
    gw_buffer_put_literal(buffer, "\" ");
    gw_buffer_put_uint(buffer, record->status > 0 ? (uint64_t)record->status : 0);
    gw_buffer_put_char(buffer, ' ');
    gw_buffer_put_uint(buffer, record->bytes_sent);
    gw_buffer_put_literal(buffer, "B ");
    uint64_t tenths_ms = (access_line_duration_us(record) + 50) / 100;
    gw_buffer_put_uint(buffer, tenths_ms / 10);
    gw_buffer_put_char(buffer, '.');
    gw_buffer_put_uint(buffer, tenths_ms % 10);
    gw_buffer_put_literal(buffer, "ms");
    const char *cache = record->cache == GW_CACHE_LABEL_NONE ? "-" : gw_cache_label_name(record->cache);
    access_line_put_text_member(buffer, " cache=", gw_slice_of_string(cache));
    if (record->not_stored != GW_NOT_STORED_LABEL_NONE)
        access_line_put_text_member(buffer,
                                    " cache_detail=", gw_slice_of_string(gw_not_stored_word(record->not_stored)));
    const char *limit = record->limit == GW_LIMIT_LABEL_NONE ? "-" : gw_limit_label_name(record->limit);
    access_line_put_text_member(buffer, " limit=", gw_slice_of_string(limit));
    access_line_put_text_member(buffer, " upstream=", record->has_upstream ? record->upstream : GW_NO_SLICE);
    access_line_put_text_member(buffer, " id=", record->request_id);
    if (record->error != GW_ERROR_NONE)
        access_line_put_text_member(buffer, " error=", gw_slice_of_string(gw_error_name(record->error)));
    gw_buffer_put_char(buffer, '\n');
}
