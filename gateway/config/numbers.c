#include "config/keys.h"
#include "config/numbers.h"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit sizes[] = {
    { "", 1 }, { "KiB", GW_KEYS_KIB }, { "MiB", GW_KEYS_MIB }, { "GiB", GW_KEYS_GIB }
};
static const struct unit durations[] = { /* ms */
                                         { "", 1000 },   { "ms", 1 },      { "s", 1000 },
                                         { "m", 60000 }, { "min", 60000 }, { "h", 3600000 }
};
static const struct unit
    periods[] = { /* ms */
                  { "ms", 1 },         { "s", 1000 },           { "sec", 1000 },          { "second", 1000 },
                  { "m", 60000 },      { "min", 60000 },        { "minute", 60000 },      { "h", 3600000 },
                  { "hour", 3600000 }, { "d", GW_KEYS_DAY_MS }, { "day", GW_KEYS_DAY_MS }
    };

static bool find_unit(struct gw_slice name, const struct unit *units, size_t count, uint64_t *factor)
{
    for (size_t i = 0; i < count; i++) {
        if (gw_slice_equal_nocase(name, gw_slice_of_string(units[i].name))) {
            *factor = units[i].factor;
            return true;
        }
    }
    return false;
}

static size_t count_digits(struct gw_slice text)
{
    size_t digits = 0;
    while (digits < text.length && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    return digits;
}

static struct gw_slice after(struct gw_slice text, size_t length)
{
    return gw_slice_of(text.at + length, text.length - length);
}

bool gw_numbers_parse_size(struct gw_slice text, uint64_t *bytes)
{
    uint64_t factor, number;
    size_t digits = count_digits(text);
    if (!gw_slice_to_uint64(gw_slice_of(text.at, digits), &number) ||
        !find_unit(gw_slice_trim(after(text, digits)), sizes, GW_COUNT(sizes), &factor))
        return false;
    return !__builtin_mul_overflow(number, factor, bytes);
}

/* Accepts at most nine digits behind the point. The result must be whole milliseconds. */
bool gw_numbers_parse_duration(struct gw_slice text, uint64_t *ms)
{
    uint64_t factor, whole, fraction = 0, scale = 1;
    size_t digits = count_digits(text);
    if (!gw_slice_to_uint64(gw_slice_of(text.at, digits), &whole))
        return false;
    struct gw_slice rest = after(text, digits);
    if (rest.length && *rest.at == '.') {
        rest = after(rest, 1);
        digits = count_digits(rest);
        if (digits > 9 || !gw_slice_to_uint64(gw_slice_of(rest.at, digits), &fraction))
            return false;
        for (size_t i = 0; i < digits; i++)
            scale *= 10;
        rest = after(rest, digits);
    }
    if (!find_unit(gw_slice_trim(rest), durations, GW_COUNT(durations), &factor))
        return false;
    if (fraction * factor % scale != 0 || __builtin_mul_overflow(whole, factor, ms))
        return false;
    return !__builtin_add_overflow(*ms, fraction * factor / scale, ms);
}

bool gw_numbers_parse_rate(struct gw_slice text, uint64_t *n, uint64_t *period_us)
{
    uint64_t count = 1, unit_ms = 1000;
    size_t digits = count_digits(text);
    if (!gw_slice_to_uint64(gw_slice_of(text.at, digits), n) || *n < 1 || *n > 1000000000)
        return false;
    struct gw_slice rest = gw_slice_trim(after(text, digits));
    if (rest.length) {
        if (*rest.at != '/')
            return false;
        rest = gw_slice_trim(after(rest, 1));
        digits = count_digits(rest);
        if (digits && (!gw_slice_to_uint64(gw_slice_of(rest.at, digits), &count) || count < 1))
            return false;
        if (!find_unit(gw_slice_trim(after(rest, digits)), periods, GW_COUNT(periods), &unit_ms))
            return false;
    }
    if (count > UINT64_C(1000) * GW_KEYS_YEAR_S / unit_ms)
        return false;
    *period_us = count * unit_ms * 1000;
    return true;
}

void gw_numbers_put_size(struct gw_buffer *buffer, uint64_t bytes)
{
    size_t best = 0;
    for (size_t i = 1; i < GW_COUNT(sizes); i++)
        if (bytes && bytes % sizes[i].factor == 0)
            best = i;
    gw_buffer_put_uint(buffer, bytes / sizes[best].factor);
    gw_buffer_put_string(buffer, sizes[best].name);
}

void gw_numbers_put_duration(struct gw_buffer *buffer, uint64_t ms)
{
    bool in_hours = ms && ms % 3600000 == 0, in_seconds = ms % 1000 == 0;
    gw_buffer_put_uint(buffer, in_hours ? ms / 3600000 : in_seconds ? ms / 1000 : ms);
    gw_buffer_put_string(buffer, in_hours ? "h" : in_seconds ? "s" : "ms");
}
