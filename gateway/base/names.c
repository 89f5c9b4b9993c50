#include "base/names.h"

enum { LETTERS = 3 }; /* of a start or an end, that a bit of the table is for */

static unsigned char fold(char c)
{
    if (c == '_')
        return '-';
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool is_folded_equal(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (fold(a[i]) != fold(b[i]))
            return false;
    return true;
}

static unsigned bit_of(const char *at)
{
    uint32_t letters = (uint32_t)fold(at[0]) << 16 | (uint32_t)fold(at[1]) << 8 | fold(at[2]);
    return letters * 0x9e3779b1u >> 23;
}

static bool has_bit(const uint32_t *bits, unsigned bit)
{
    return bits[bit / 32] >> bit % 32 & 1;
}

/* What is too short for a bit of its own may be the start or end of any name. */
static void set_bit(uint32_t *bits, const char *at, bool is_short)
{
    unsigned bit = is_short ? 0 : bit_of(at);
    if (is_short)
        memset(bits, 0xff, GW_NAMES_WORDS * sizeof *bits);
    else
        bits[bit / 32] |= 1u << bit % 32;
}

static bool has_star_behind(struct gw_slice pattern)
{
    return pattern.length && pattern.at[pattern.length - 1] == '*';
}

static bool has_star_before(struct gw_slice pattern)
{
    return pattern.length && pattern.at[0] == '*';
}

void gw_names_init(struct gw_names *names, const struct gw_slice *patterns, unsigned count)
{
    *names = (struct gw_names) { .patterns = patterns, .count = count };
    for (unsigned i = 0; i < count; i++) {
        struct gw_slice pattern = patterns[i];
        size_t stars = has_star_behind(pattern) || has_star_before(pattern);
        bool is_short = pattern.length < LETTERS + stars;
        if (has_star_behind(pattern))
            set_bit(names->starts, pattern.at, is_short);
        else
            set_bit(names->ends, pattern.at + pattern.length - LETTERS, is_short);
    }
}

static bool matches(struct gw_slice pattern, struct gw_slice name)
{
    size_t length = pattern.length;
    if (has_star_behind(pattern))
        return name.length >= length - 1 && is_folded_equal(name.at, pattern.at, length - 1);
    if (has_star_before(pattern))
        return name.length >= length - 1 &&
               is_folded_equal(name.at + name.length - (length - 1), pattern.at + 1, length - 1);
    return name.length == length && is_folded_equal(name.at, pattern.at, length);
}

bool gw_names_has(const struct gw_names *names, struct gw_slice name)
{
    if (name.length >= LETTERS && !has_bit(names->ends, bit_of(name.at + name.length - LETTERS)) &&
        !has_bit(names->starts, bit_of(name.at)))
        return false;
    for (unsigned i = 0; i < names->count; i++)
        if (matches(names->patterns[i], name))
            return true;
    return false;
}
