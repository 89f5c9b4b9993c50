#include "base/names.h"

enum { LETTERS = 3 }; /* of a start or an end, that choose a chain */

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

/* Coarser than fold(), and without a branch: other characters than letters may share a chain. */
static uint32_t coarse(char c)
{
    return c == '_' ? '-' : (uint32_t)(unsigned char)c | 0x20;
}

static unsigned chain_of(const char *at)
{
    return (coarse(at[0]) << 16 | coarse(at[1]) << 8 | coarse(at[2])) * 0x9e3779b1u >> 24;
}

static bool has_star_behind(struct gw_slice pattern)
{
    return pattern.length && pattern.at[pattern.length - 1] == '*';
}

static bool has_star_before(struct gw_slice pattern)
{
    return pattern.length && pattern.at[0] == '*';
}

static uint8_t *first_of_chain(struct gw_names *names, struct gw_slice pattern)
{
    size_t stars = has_star_behind(pattern) || has_star_before(pattern);
    if (pattern.length < LETTERS + stars)
        return &names->first_short;
    if (has_star_behind(pattern))
        return &names->starts[chain_of(pattern.at)];
    return &names->ends[chain_of(pattern.at + pattern.length - LETTERS)];
}

void gw_names_init(struct gw_names *names, const struct gw_slice *patterns, unsigned count)
{
    _Static_assert(GW_NAMES_MOST <= UINT8_MAX, "a pattern's number is eight bits");
    *names = (struct gw_names) { .patterns = patterns };
    for (unsigned i = 0; i < count && i < GW_NAMES_MOST; i++) {
        uint8_t *first = first_of_chain(names, patterns[i]);
        names->next[i + 1] = *first;
        *first = (uint8_t)(i + 1);
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

static bool is_in_chain(const struct gw_names *names, unsigned number, struct gw_slice name)
{
    for (; number; number = names->next[number])
        if (matches(names->patterns[number - 1], name))
            return true;
    return false;
}

bool gw_names_has(const struct gw_names *names, struct gw_slice name)
{
    if (name.length >= LETTERS) {
        unsigned start = names->starts[chain_of(name.at)];
        unsigned end = names->ends[chain_of(name.at + name.length - LETTERS)];
        if ((start | end) && (is_in_chain(names, start, name) || is_in_chain(names, end, name)))
            return true;
    }
    return names->first_short && is_in_chain(names, names->first_short, name);
}
