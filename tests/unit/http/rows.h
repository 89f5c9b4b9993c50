/* rows.h: a message is read whole, then cut at each of its bytes, then byte by byte; every way must give the same result. */
#ifndef GW_TESTS_ROWS_H
#define GW_TESTS_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "unit/http/reading.h"

struct row {
    const char *text;
    enum gw_error error;
};

static const struct gw_parser_limits usual = { .line_bytes = 8192, .head_bytes = 32768, .fields = 100 };

static inline void read_every_way(struct reading *whole, const struct reading_way *way, struct gw_slice bytes)
{
    reading_run(whole, way, bytes, bytes.length, 1);
    bool same = reading_same(whole, way, bytes, 1, 1);
    for (size_t cut = 1; same && cut < bytes.length; cut++)
        same = reading_same(whole, way, bytes, cut, bytes.length);
    if (!same)
        fail_msg("read differently in pieces: %.*s", GW_SLICE_ARGS(bytes));
}

static inline void check_rows(const struct row *rows, size_t count, const struct reading_way *way)
{
    for (size_t i = 0; i < count; i++) {
        struct reading reading;
        read_every_way(&reading, way, gw_slice_of_string(rows[i].text));
        enum gw_parser_event expected = rows[i].error ? GW_PARSER_FAILED : GW_PARSER_END;
        if (reading.last != expected || reading.error != rows[i].error)
            fail_msg("row %zu: event %d, %s instead of %s: %s", i, (int)reading.last, gw_error_name(reading.error),
                     gw_error_name(rows[i].error), rows[i].text);
        reading_free(&reading);
    }
}

#define CHECK_ROWS(rows, way) check_rows((rows), GW_COUNT(rows), (way))

#endif
