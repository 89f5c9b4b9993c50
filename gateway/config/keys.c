#include <limits.h>
#include <stdio.h>
#include "config/keys.h"

#define KEYS_ROW(ID, path_, type_, fallback_, least_, most_, choices_, environment_, alias_, help_)                    \
    { .path = (path_),                                                                                                 \
      .type = GW_KEY_##type_,                                                                                          \
      .fallback = (fallback_),                                                                                         \
      .least = (least_),                                                                                               \
      .most = (most_),                                                                                                 \
      .choices = (choices_),                                                                                           \
      .environment = (environment_),                                                                                   \
      .alias = (alias_),                                                                                               \
      .help = (help_) },

const struct gw_key gw_keys[GW_KEYS_COUNT] = { GW_CONFIG_KEYS(KEYS_ROW) };
const struct gw_key gw_keys_of_route[GW_ROUTE_KEYS_COUNT] = { GW_ROUTE_KEYS(KEYS_ROW) };
const struct gw_key gw_keys_of_policy[GW_POLICY_KEYS_COUNT] = { GW_POLICY_KEYS(KEYS_ROW) };

static bool is_text(struct gw_slice slice, const char *text)
{
    return text && gw_slice_equal(slice, gw_slice_of_string(text));
}

struct gw_slice gw_keys_section(const struct gw_key *key)
{
    const char *dot = strchr(key->path, '.');
    return gw_slice_of(key->path, dot ? (size_t)(dot - key->path) : 0);
}

const struct gw_key *gw_keys_find(const struct gw_key *keys, unsigned count, struct gw_slice path)
{
    for (unsigned i = 0; i < count; i++)
        if (is_text(path, keys[i].path))
            return &keys[i];
    return NULL;
}

const struct gw_key *gw_keys_find_flag(struct gw_slice flag)
{
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++)
        if (is_text(flag, gw_keys[i].path) || is_text(flag, gw_keys[i].alias))
            return &gw_keys[i];
    return NULL;
}

const struct gw_key *gw_keys_find_environment(struct gw_slice name)
{
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++) {
        char known[GW_KEYS_NAME_BYTES];
        gw_keys_environment(&gw_keys[i], known);
        if (is_text(name, known))
            return &gw_keys[i];
    }
    return NULL;
}

void gw_keys_regular_environment(const struct gw_key *key, char *name)
{
    snprintf(name, GW_KEYS_NAME_BYTES, "GATEWAY_%s", key->path);
    for (char *c = name; *c; c++) {
        if (*c == '.')
            *c = '_';
        else if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    }
}

void gw_keys_environment(const struct gw_key *key, char *name)
{
    if (key->environment)
        snprintf(name, GW_KEYS_NAME_BYTES, "%s", key->environment);
    else
        gw_keys_regular_environment(key, name);
}

/* Counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment), with three rows that
 * are used in turn. It ends as soon as the distance must be too large: a pod may have thousands of variables, and each
 * is compared with every key. */
unsigned gw_keys_distance(struct gw_slice written, struct gw_slice meant)
{
    unsigned rows[3][GW_KEYS_NAME_BYTES];
    unsigned allowed = meant.length <= 3 ? 1 : meant.length <= 8 ? 2 : 3, least = 0, least_before = 0;
    if (meant.length >= GW_KEYS_NAME_BYTES || written.length > meant.length + allowed ||
        meant.length > written.length + allowed || written.length >= GW_KEYS_NAME_BYTES)
        return UINT_MAX;
    for (unsigned j = 0; j <= meant.length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= written.length; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        if (least > allowed && least_before > allowed)
            return UINT_MAX;
        row[0] = (unsigned)i;
        least_before = least;
        least = row[0];
        for (size_t j = 1; j <= meant.length; j++) {
            char w = written.at[i - 1], m = meant.at[j - 1];
            unsigned best = above[j - 1] + (w != m);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && w == meant.at[j - 2] && written.at[i - 2] == m && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
            least = best < least ? best : least;
        }
    }
    unsigned distance = rows[written.length % 3][meant.length];
    return distance <= allowed ? distance : UINT_MAX;
}

struct gw_slice gw_keys_choice_text(const char *choices, unsigned number)
{
    for (; choices; number--) {
        const char *end = strchr(choices, '|');
        if (number == 0)
            return gw_slice_of(choices, end ? (size_t)(end - choices) : strlen(choices));
        choices = end ? end + 1 : NULL;
    }
    return GW_NO_SLICE;
}

int gw_keys_choice(const char *choices, struct gw_slice text)
{
    struct gw_slice choice = GW_NO_SLICE;
    for (unsigned i = 0; (choice = gw_keys_choice_text(choices, i)).at; i++)
        if (gw_slice_equal(choice, text))
            return (int)i;
    return -1;
}
