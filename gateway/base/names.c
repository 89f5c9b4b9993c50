#include "base/names.h"

static unsigned char names_fold(char c)
{
    if (c == '_')
        return '-';
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool names_is_folded_equal(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (names_fold(a[i]) != names_fold(b[i]))
            return false;
    return true;
}

static bool names_has_star_behind(struct gw_slice pattern)
{
    return pattern.length && pattern.at[pattern.length - 1] == '*';
}

static bool names_has_star_before(struct gw_slice pattern)
{
    return pattern.length && pattern.at[0] == '*';
}

static uint8_t *names_first_of_chain(struct gw_names *names, struct gw_slice pattern)
{
    size_t stars = names_has_star_behind(pattern) || names_has_star_before(pattern);
    if (pattern.length < GW_NAMES_LETTERS + stars)
        return &names->first_short;
    if (names_has_star_behind(pattern))
        return &names->starts[gw_names_chains_of(pattern).start];
    return &names->ends[gw_names_chains_of(pattern).end];
}

void gw_names_init(struct gw_names *names, const struct gw_slice *patterns, unsigned count)
{
    _Static_assert(GW_NAMES_MOST <= UINT8_MAX, "a pattern's number is eight bits");
    *names = (struct gw_names) { .patterns = patterns };
    for (unsigned i = 0; i < count && i < GW_NAMES_MOST; i++) {
        uint8_t *first = names_first_of_chain(names, patterns[i]);
        names->next[i + 1] = *first;
        *first = (uint8_t)(i + 1);
    }
}

static bool names_matches(struct gw_slice pattern, struct gw_slice name)
{
    size_t length = pattern.length;
    if (names_has_star_behind(pattern))
        return name.length >= length - 1 && names_is_folded_equal(name.at, pattern.at, length - 1);
    if (names_has_star_before(pattern))
        return name.length >= length - 1 &&
               names_is_folded_equal(name.at + name.length - (length - 1), pattern.at + 1, length - 1);
    return name.length == length && names_is_folded_equal(name.at, pattern.at, length);
}

static bool names_is_in_chain(const struct gw_names *names, unsigned number, struct gw_slice name)
{
    for (; number; number = names->next[number])
        if (names_matches(names->patterns[number - 1], name))
            return true;
    return false;
}

bool gw_names_search(const struct gw_names *names, struct gw_slice name, unsigned start, unsigned end)
{
    return names_is_in_chain(names, start, name) || names_is_in_chain(names, end, name) ||
           names_is_in_chain(names, names->first_short, name);
}
