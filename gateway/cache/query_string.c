#include "cache/query_string.h"

#include "base/hex.h"
#include <string.h>

static bool query_string_next_parameter(struct gw_slice *rest, struct gw_slice *parameter)
{
    if (!rest->at)
        return false;
    const char *end = memchr(rest->at, '&', rest->length);
    *parameter = gw_slice_of(rest->at, end ? (size_t)(end - rest->at) : rest->length);
    *rest = end ? gw_slice_of(end + 1, rest->length - parameter->length - 1) : GW_NO_SLICE;
    return true;
}

static struct gw_slice query_string_name_of(struct gw_slice parameter)
{
    const char *equals = memchr(parameter.at, '=', parameter.length);
    return equals ? gw_slice_of(parameter.at, (size_t)(equals - parameter.at)) : parameter;
}

struct rules {
    const struct gw_strings *ignore;
    const struct gw_names *credentials;
};

enum { DECODED_BYTES = 128 };

/* A backend decodes names. One that is too long to be decoded here may be anything. */
static bool query_string_is_credential(struct gw_slice name, const struct gw_names *credentials)
{
    char text[DECODED_BYTES];
    size_t length = 0;
    if (!name.length || !memchr(name.at, '%', name.length))
        return gw_names_has(credentials, name);
    for (size_t i = 0; i < name.length; i++, length++) {
        int high = i + 2 < name.length ? gw_hex_value(name.at[i + 1]) : -1,
            low = high < 0 ? -1 : gw_hex_value(name.at[i + 2]);
        if (length == DECODED_BYTES)
            return true;
        bool is_coded = name.at[i] == '%' && low >= 0;
        text[length] = (char)(is_coded ? high * 16 + low : name.at[i]);
        i += is_coded ? 2 : 0;
    }
    return gw_names_has(credentials, gw_slice_of(text, length));
}

static bool query_string_is_ignored(struct gw_slice parameter, const struct rules *rules)
{
    const struct gw_strings *ignore = rules->ignore;
    struct gw_slice name = query_string_name_of(parameter);
    bool hides_another = parameter.length && memchr(parameter.at, ';', parameter.length);
    for (unsigned i = 0; i < ignore->count; i++) {
        struct gw_slice pattern = ignore->items[i];
        bool has_star = pattern.length && pattern.at[pattern.length - 1] == '*';
        if (hides_another && !gw_slice_equal(pattern, GW_SLICE("*"))) /* that one is about the whole query */
            continue;
        if (has_star ? gw_slice_starts_with(name, gw_slice_of(pattern.at, pattern.length - 1)) &&
                           !(rules->credentials && query_string_is_credential(name, rules->credentials))
                     : gw_slice_equal(name, pattern))
            return true;
    }
    return false;
}

static bool query_string_is_before(struct gw_slice a, struct gw_slice b)
{
    struct gw_slice left = query_string_name_of(a), right = query_string_name_of(b);
    size_t common = left.length < right.length ? left.length : right.length;
    int order = common ? memcmp(left.at, right.at, common) : 0;
    return order < 0 || (order == 0 && left.length < right.length);
}

/* A stable insertion: queries have few parameters, and the list is bounded. */
static void query_string_insert(struct gw_slice *list, unsigned count, struct gw_slice parameter, bool sort)
{
    unsigned at = count;
    while (sort && at > 0 && query_string_is_before(parameter, list[at - 1])) {
        list[at] = list[at - 1];
        at--;
    }
    list[at] = parameter;
}

static struct gw_slice query_string_join(const struct gw_slice *list, unsigned count, char *text)
{
    char *at = text;
    for (unsigned i = 0; i < count; i++) {
        if (i)
            *at++ = '&';
        if (list[i].length)
            memcpy(at, list[i].at, list[i].length);
        at += list[i].length;
    }
    return gw_slice_of(text, (size_t)(at - text));
}

/* In the order in which they came: as many as there are. */
static struct gw_slice query_string_strip(struct gw_slice query, const struct rules *rules, char *text)
{
    struct gw_slice rest = query, parameter;
    char *at = text;
    bool is_first = true;
    while (query_string_next_parameter(&rest, &parameter)) {
        if (query_string_is_ignored(parameter, rules))
            continue;
        if (!is_first)
            *at++ = '&';
        is_first = false;
        if (parameter.length)
            memcpy(at, parameter.at, parameter.length);
        at += parameter.length;
    }
    return is_first ? GW_NO_SLICE : gw_slice_of(text, (size_t)(at - text));
}

struct gw_slice gw_query_string_normalise(struct gw_slice query, const struct gw_strings *ignore,
                                          const struct gw_names *credentials, bool sort, struct gw_arena *arena)
{
    const struct rules rules = { ignore, credentials };
    struct gw_slice list[GW_QUERY_SORTED], rest = query, parameter;
    unsigned count = 0;
    if (!query.at || (!ignore->count && !sort))
        return query;
    char *text = gw_arena_take(arena, query.length + 1);
    if (!text)
        return query;
    while (query_string_next_parameter(&rest, &parameter)) {
        if (query_string_is_ignored(parameter, &rules))
            continue;
        if (count == GW_QUERY_SORTED)
            return query_string_strip(query, &rules, text);
        query_string_insert(list, count++, parameter, sort);
    }
    return count ? query_string_join(list, count, text) : GW_NO_SLICE;
}
