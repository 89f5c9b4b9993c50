#include "config/variables.h"
#include <limits.h>
#include <stdio.h>
#include "config/print.h"

static const struct gw_slice prefix = { "GATEWAY_", 8 }, in_file = { "_FILE", 5 };

const char *gw_variables_get(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return (*environment)[length + 1] ? *environment + length + 1 : NULL;
    return NULL;
}

/* ---- variables of others ---- */

bool gw_variables_is_service(const char *value)
{
    return !strncmp(value, "tcp://", 6) || !strncmp(value, "udp://", 6) || !strncmp(value, "sctp://", 7);
}

/* For each service, Kubernetes sets NAME_SERVICE_HOST, NAME_SERVICE_PORT[_…], NAME_PORT with an address, and
 * NAME_PORT_80_TCP[_…]. NAME may be "GATEWAY", "GATEWAY_ADMIN" and so on. */
static bool is_of_service(struct gw_slice name, const char *value)
{
    static const struct gw_slice parts[] = { { "_SERVICE_HOST", 13 }, { "_SERVICE_PORT", 13 } };
    for (size_t i = 0; i < GW_COUNT(parts); i++) {
        const char *at = memmem(name.at, name.length, parts[i].at, parts[i].length);
        size_t end = at ? (size_t)(at - name.at) + parts[i].length : 0;
        if (at && (end == name.length || name.at[end] == '_'))
            return true;
    }
    const char *port = memmem(name.at, name.length, "_PORT_", 6);
    size_t digits = port ? strspn(port + 6, "0123456789") : 0;
    if (digits && (!strncmp(port + 6 + digits, "_TCP", 4) || !strncmp(port + 6 + digits, "_UDP", 4) ||
                   !strncmp(port + 6 + digits, "_SCTP", 5)))
        return true;
    return name.length > 5 && memcmp(name.at + name.length - 5, "_PORT", 5) == 0 && gw_variables_is_service(value);
}

/* Also the variables of the benchmarks. */
static bool is_foreign(struct gw_slice name, const char *value)
{
    return gw_slice_equal(name, GW_SLICE("GATEWAY_CMD")) || gw_slice_equal(name, GW_SLICE("GATEWAY_URL")) ||
           is_of_service(name, value);
}

/* ---- the gateway's variables ---- */

/* The name without "_FILE" at its end; the absent slice: it does not end so. */
static struct gw_slice stem_of(struct gw_slice name)
{
    size_t length = name.length > in_file.length ? name.length - in_file.length : 0;
    return length && memcmp(name.at + length, in_file.at, in_file.length) == 0 ? gw_slice_of(name.at, length)
                                                                               : GW_NO_SLICE;
}

static bool is_ours(struct gw_slice name)
{
    struct gw_slice stem = stem_of(name);
    const struct gw_key *key = stem.at ? gw_keys_find_environment(stem) : NULL;
    return gw_slice_equal(name, GW_SLICE("GATEWAY_CONFIG")) || gw_keys_find_environment(name) ||
           (key && gw_print_is_secret(key));
}

/* ---- the name that was probably meant ---- */

struct guess {
    struct gw_slice written; /* in upper case */
    unsigned distance;
    char meant[GW_KEYS_NAME_BYTES];
};

static void guess_at(struct guess *guess, struct gw_slice candidate, const char *meant)
{
    unsigned distance = gw_keys_distance(guess->written, candidate);
    if (distance >= guess->distance)
        return;
    guess->distance = distance;
    snprintf(guess->meant, sizeof(guess->meant), "%s", meant);
}

/* Compares with the key's variable, with its regular name, and with the variable behind our prefix. */
static void guess_at_key(struct guess *guess, const struct gw_key *key)
{
    char known[GW_KEYS_NAME_BYTES], other[GW_KEYS_NAME_BYTES + 8];
    gw_keys_environment(key, known);
    guess_at(guess, gw_slice_of_string(known), known);
    gw_keys_regular_environment(key, other);
    guess_at(guess, gw_slice_of_string(other), known);
    snprintf(other, sizeof(other), "GATEWAY_%s", known);
    guess_at(guess, gw_slice_of_string(other), known);
}

/* The first words of a name: RATE_LIMIT for RATE_LIMIT_RATE. At least two, since one word is too common. */
static void guess_at_words(struct guess *guess, const struct gw_key *key)
{
    char known[GW_KEYS_NAME_BYTES], other[GW_KEYS_NAME_BYTES + 8];
    gw_keys_environment(key, known);
    snprintf(other, sizeof(other), "GATEWAY_%s", known);
    for (unsigned with_prefix = 0; with_prefix < 2; with_prefix++) {
        const char *text = with_prefix ? other : known, *word = strchr(text, '_');
        for (unsigned words = 1; word; words++, word = strchr(word + 1, '_'))
            if (words >= 2 + with_prefix)
                guess_at(guess, gw_slice_of(text, (size_t)(word - text)), known);
    }
}

static void guess_from(struct guess *guess)
{
    guess_at(guess, GW_SLICE("GATEWAY_CONFIG"), "GATEWAY_CONFIG");
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++)
        guess_at_key(guess, &gw_keys[i]);
    for (unsigned i = 0; i < GW_KEYS_COUNT && guess->distance == UINT_MAX; i++)
        guess_at_words(guess, &gw_keys[i]);
}

/* Only the gateway uses this prefix, so an unknown name with it is a mistake. */
static bool complain_unknown(struct gw_loading *loading, const char *place, struct gw_slice name,
                             const struct guess *guess)
{
    struct gw_slice stem = stem_of(name);
    if (stem.at && gw_keys_find_environment(stem))
        gw_complain(loading->complaint, place, NULL,
                    "%.*s: only secrets may come from a file (REDIS_URL_FILE, GATEWAY_CACHE_REDIS_URL_FILE, "
                    "GATEWAY_ADMIN_TOKEN_FILE)",
                    GW_SLICE_ARGS(stem));
    else if (guess->distance == UINT_MAX)
        gw_complain(loading->complaint, place, NULL, "a known variable");
    else
        gw_complain(loading->complaint, place, NULL, "a known variable (did you mean \"%s\"?)", guess->meant);
    return gw_loading_file(loading, false);
}

/* The name must be very near, so that another program's variable gives no warning: REDIS_PORT is three steps from
 * REDIS_URL. */
static bool is_near(const struct guess *guess)
{
    return guess->distance <= (strlen(guess->meant) < 14 ? 1 : 3);
}

static bool is_stranger(struct gw_slice name)
{
    struct gw_slice stem = stem_of(name);
    return !(stem.at && gw_keys_find_environment(stem));
}

static void upper(struct gw_slice name, char *text, size_t size)
{
    size_t length = name.length < size - 1 ? name.length : size - 1;
    for (size_t i = 0; i < length; i++)
        text[i] = (char)(name.at[i] >= 'a' && name.at[i] <= 'z' ? name.at[i] - 'a' + 'A' : name.at[i]);
    text[length] = '\0';
}

bool gw_variables_check(struct gw_loading *loading, struct gw_slice name, const char *value)
{
    char place[128], text[GW_KEYS_NAME_BYTES + 1];
    upper(name, text, sizeof(text));
    struct guess guess = { gw_slice_of_string(text), UINT_MAX, "" };
    if (!name.length || is_ours(name) || is_foreign(name, value))
        return true;
    guess_from(&guess);
    snprintf(place, sizeof(place), "environment %.*s", (int)(name.length < 100 ? name.length : 100), name.at);
    if (gw_slice_starts_with(name, prefix))
        return complain_unknown(loading, place, name, &guess);
    if (!is_stranger(name))
        gw_complain(loading->complaint, place, NULL, "not read: only secrets may come from a file");
    else if (is_near(&guess))
        gw_complain(loading->complaint, place, NULL, "not read (did you mean \"%s\"?)", guess.meant);
    else
        return true;
    gw_findings_file(loading->findings, true);
    return true;
}
