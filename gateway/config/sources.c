#include <limits.h>
#include <stdio.h>
#include "config/file.h"
#include "config/print.h"
#include "config/sources.h"
#include "config/values.h"
#include "config/variables.h"

/* The nearest known name so far. */
struct guess {
    struct gw_slice written;
    unsigned distance;
    char name[GW_KEYS_NAME_BYTES];
};

static void guess_at(struct guess *guess, struct gw_slice meant)
{
    unsigned distance = gw_keys_distance(guess->written, meant);
    if (distance >= guess->distance)
        return;
    guess->distance = distance;
    snprintf(guess->name, sizeof(guess->name), "%.*s", GW_SLICE_ARGS(meant));
}

static void print_guess(const struct guess *guess, const char *kind, char *text, size_t size)
{
    if (guess->distance == UINT_MAX)
        snprintf(text, size, "%s", kind);
    else
        snprintf(text, size, "%s (did you mean \"%s\"?)", kind, guess->name);
}

static struct gw_source *source_of(struct gw_loading *loading, const struct gw_key *key)
{
    return &loading->sources[key - gw_keys];
}

static bool set(struct gw_loading *loading, const struct gw_key *key, enum gw_origin origin, const char *name,
                const char *text, const cJSON *json)
{
    struct gw_source *source = source_of(loading, key);
    *source = (struct gw_source) { .origin = origin, .name = name, .text = text, .json = json };
    snprintf(source->path, sizeof(source->path), "%s", key->path);
    if (origin == GW_ORIGIN_FILE)
        source->file = &loading->file;
    struct gw_value value;
    source->is_wrong = !gw_values_read(key, source, &loading->config->arena, &value, loading->complaint);
    if (!source->is_wrong)
        loading->values[key - gw_keys] = value;
    return gw_loading_file(loading, !source->is_wrong);
}

/* Sets the value of a flag or variable. Arrays of objects are given as JSON. */
static bool set_text(struct gw_loading *loading, const struct gw_key *key, enum gw_origin origin, const char *name,
                     const char *text)
{
    cJSON *document = NULL;
    if (key->type == GW_KEY_OBJECTS && *text) {
        char place[GW_KEYS_NAME_BYTES + 16];
        snprintf(place, sizeof(place), origin == GW_ORIGIN_FLAG ? "--%s" : "environment %s", name);
        document = gw_file_parse_json(text, strlen(text), place, false, loading->complaint);
        if (!document) {
            source_of(loading, key)->is_wrong = true;
            return gw_loading_file(loading, false);
        }
        cJSON_Delete(loading->documents[key - gw_keys]);
        loading->documents[key - gw_keys] = document;
    }
    return set(loading, key, origin, name, text, document);
}

bool gw_sources_set_defaults(struct gw_loading *loading)
{
    bool good = true;
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++)
        good &= set(loading, &gw_keys[i], GW_ORIGIN_DEFAULT, NULL, gw_keys[i].fallback, NULL);
    return good;
}

/* The file */

static bool complain_node(struct gw_loading *loading, const cJSON *node, const char *path, const char *expected)
{
    struct gw_source source = { .origin = GW_ORIGIN_FILE, .json = node, .file = &loading->file };
    snprintf(source.path, sizeof(source.path), "%s", path);
    return gw_loading_file(loading,
                           gw_source_complain(&source, GW_SOURCE_WHOLE, loading->complaint, NULL, "%s", expected));
}

/* section is empty at the top level, where the names are sections and keys without a section. */
static bool complain_unknown(struct gw_loading *loading, const cJSON *node, struct gw_slice section, const char *path)
{
    char expected[160];
    struct guess guess = { gw_slice_of_string(node->string), UINT_MAX, "" };
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++) {
        struct gw_slice other = gw_keys_section(&gw_keys[i]);
        if (section.length == 0)
            guess_at(&guess, other.length ? other : gw_slice_of_string(gw_keys[i].path));
        else if (gw_slice_equal(section, other))
            guess_at(&guess, gw_slice_of_string(gw_keys[i].path + section.length + 1));
    }
    print_guess(&guess, section.length ? "a known key" : "a known section", expected, sizeof(expected));
    return complain_node(loading, node, path, expected);
}

static bool is_section(struct gw_slice name)
{
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++)
        if (name.length && gw_slice_equal(gw_keys_section(&gw_keys[i]), name))
            return true;
    return false;
}

static bool is_repeated(const cJSON *parent, const cJSON *node)
{
    for (const cJSON *other = parent->child; other != node; other = other->next)
        if (strcmp(other->string, node->string) == 0)
            return true;
    return false;
}

static bool set_member(struct gw_loading *loading, const cJSON *parent, const cJSON *node, struct gw_slice section)
{
    char path[2 * GW_KEYS_NAME_BYTES];
    snprintf(path, sizeof(path), "%.*s%s%.80s", GW_SLICE_ARGS(section), section.length ? "." : "", node->string);
    const struct gw_key *key = gw_keys_find(gw_keys, GW_KEYS_COUNT, gw_slice_of_string(path));
    if (!key || gw_keys_section(key).length != section.length)
        return complain_unknown(loading, node, section, path);
    if (is_repeated(parent, node))
        return complain_node(loading, node, path, "each key once");
    return set(loading, key, GW_ORIGIN_FILE, NULL, NULL, node);
}

static bool set_section(struct gw_loading *loading, const cJSON *node)
{
    if (!cJSON_IsObject(node))
        return complain_node(loading, node, node->string, "an object");
    if (is_repeated(loading->file.tree, node))
        return complain_node(loading, node, node->string, "each section once");
    bool good = true;
    for (const cJSON *member = node->child; member; member = member->next)
        good &= set_member(loading, node, member, gw_slice_of_string(node->string));
    return good;
}

bool gw_sources_set_file(struct gw_loading *loading)
{
    const cJSON *tree = loading->file.tree;
    bool good = true;
    for (const cJSON *node = tree->child; node; node = node->next)
        good &= is_section(gw_slice_of_string(node->string)) ? set_section(loading, node)
                                                             : set_member(loading, tree, node, GW_NO_SLICE);
    return good;
}

/* The environment */

static bool set_variable(struct gw_loading *loading, const struct gw_key *key, const char *name, const char *text)
{
    struct gw_slice kept = gw_loading_copy(&loading->config->arena, gw_slice_of_string(name));
    if (!kept.at)
        return gw_loading_file(loading, gw_loading_no_memory(loading->complaint));
    return set_text(loading, key, GW_ORIGIN_ENVIRONMENT, kept.at, text);
}

/* NAME_FILE has the path of a file with the secret, as container engines provide secrets. */
static bool set_from_file(struct gw_loading *loading, const struct gw_key *key, const char *name, const char *path,
                          bool has_both)
{
    char place[GW_KEYS_NAME_BYTES + 32], *secret = gw_arena_take(&loading->config->arena, GW_FILE_SECRET_BYTES);
    snprintf(place, sizeof(place), "environment %s", name);
    if (has_both)
        gw_complain(loading->complaint, place, path, "nothing, as the variable without _FILE is set, too");
    else if (!secret)
        gw_loading_no_memory(loading->complaint);
    else if (gw_file_read_secret(path, place, secret, loading->complaint))
        return set_variable(loading, key, name, secret);
    source_of(loading, key)->is_wrong = true;
    return gw_loading_file(loading, false);
}

bool gw_sources_set_environment(struct gw_loading *loading, char *const *environment)
{
    bool good = true;
    for (char *const *variable = environment; *variable; variable++) {
        const char *equals = strchr(*variable, '=');
        if (equals)
            good &= gw_variables_check(loading, gw_slice_of(*variable, (size_t)(equals - *variable)), equals + 1);
    }
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++) {
        const struct gw_key *key = &gw_keys[i];
        char name[GW_KEYS_NAME_BYTES], in_file[GW_KEYS_NAME_BYTES + 8];
        gw_keys_environment(key, name);
        snprintf(in_file, sizeof(in_file), "%s_FILE", name);
        const char *text = gw_variables_get(environment, name);
        const char *path = gw_print_is_secret(key) ? gw_variables_get(environment, in_file) : NULL;
        if (path)
            good &= set_from_file(loading, key, in_file, path, text != NULL);
        else if (text && !(key == &gw_keys[GW_KEY_SERVER_PORT] && gw_variables_is_service(text)))
            good &= set_variable(loading, key, name, text);
    }
    return good;
}

/* The command line */

struct argument { /* the member that is set tells its kind */
    const struct gw_key *key;
    bool is_config;
    enum gw_command command; /* RUN: no command */
    const char *value;
};

static const struct {
    const char *flag;
    enum gw_command command;
} commands[] = {
    { "check-config", GW_COMMAND_CHECK }, { "print-config", GW_COMMAND_PRINT },     { "version", GW_COMMAND_VERSION },
    { "help", GW_COMMAND_HELP },          { "print-config-docs", GW_COMMAND_DOCS },
};

static bool complain_argument(struct gw_complaint *complaint, const char *argument, const char *expected)
{
    char place[128];
    snprintf(place, sizeof(place), "%.*s", (int)(strcspn(argument, "=") < 100 ? strcspn(argument, "=") : 100),
             argument);
    gw_complain(complaint, *place ? place : "command line", NULL, "%s", expected);
    return false;
}

static bool complain_flag(struct gw_complaint *complaint, const char *argument, struct gw_slice flag)
{
    char expected[160], text[GW_KEYS_NAME_BYTES + 80];
    struct guess guess = { flag, UINT_MAX, "" };
    guess_at(&guess, GW_SLICE("config"));
    for (unsigned i = 0; i < GW_COUNT(commands); i++)
        guess_at(&guess, gw_slice_of_string(commands[i].flag));
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++) {
        guess_at(&guess, gw_slice_of_string(gw_keys[i].path));
        if (gw_keys[i].alias)
            guess_at(&guess, gw_slice_of_string(gw_keys[i].alias));
    }
    if (guess.distance != UINT_MAX) {
        snprintf(text, sizeof(text), "--%s", guess.name);
        snprintf(guess.name, sizeof(guess.name), "%.79s", text);
    }
    print_guess(&guess, "a known flag", expected, sizeof(expected));
    return complain_argument(complaint, argument, expected);
}

static bool is_flag(const char *text)
{
    return strncmp(text, "--", 2) == 0;
}

/* Reads argv[*at], and the next one where that is the value. *at moves behind them, and also behind an argument that
 * looks like the value of an unknown flag. */
static bool next_argument(int argc, char *const *argv, int *at, struct argument *argument,
                          struct gw_complaint *complaint)
{
    const char *text = argv[(*at)++], *equals = strchr(text, '=');
    *argument = (struct argument) { .command = GW_COMMAND_RUN };
    if (strcmp(text, "-h") == 0)
        text = "--help";
    if (!is_flag(text) || !text[2])
        return complain_argument(complaint, text, "flags only, as --help lists them");
    struct gw_slice flag = gw_slice_of(text + 2, equals ? (size_t)(equals - text) - 2 : strlen(text) - 2);
    for (unsigned i = 0; i < GW_COUNT(commands); i++)
        if (gw_slice_equal(flag, gw_slice_of_string(commands[i].flag)))
            argument->command = commands[i].command;
    if (argument->command != GW_COMMAND_RUN)
        return !equals || complain_argument(complaint, text, "no value");
    argument->is_config = gw_slice_equal(flag, GW_SLICE("config"));
    argument->key = gw_keys_find_flag(flag);
    if (!argument->is_config && !argument->key) {
        *at += !equals && *at < argc && !is_flag(argv[*at]);
        return complain_flag(complaint, text, flag);
    }
    if (equals)
        argument->value = equals + 1;
    else if (*at < argc && !is_flag(argv[*at]))
        argument->value = argv[(*at)++];
    else
        return complain_argument(complaint, text, "a value");
    return true;
}

bool gw_sources_read_arguments(int argc, char *const *argv, struct gw_arguments *arguments,
                               struct gw_findings *findings)
{
    struct argument argument;
    bool good = true;
    *arguments = (struct gw_arguments) { .command = GW_COMMAND_RUN };
    for (int at = 1; at < argc;) {
        if (!next_argument(argc, argv, &at, &argument, &findings->latest)) {
            gw_findings_file(findings, false);
            good = false;
            continue;
        }
        if (argument.command != GW_COMMAND_RUN)
            arguments->command = argument.command;
        if (argument.is_config)
            arguments->config = argument.value;
    }
    return good;
}

bool gw_sources_set_flags(struct gw_loading *loading, int argc, char *const *argv)
{
    struct argument argument;
    bool good = true;
    for (int at = 1; at < argc;) {
        const char *flag = argv[at] + 2;
        if (!next_argument(argc, argv, &at, &argument, loading->complaint) || !argument.key)
            continue; /* read_arguments has told the mistake */
        bool is_short = argument.key->alias && strcspn(flag, "=") == strlen(argument.key->alias);
        const char *name = is_short ? argument.key->alias : argument.key->path; /* no path is as short as its alias */
        good &= set_text(loading, argument.key, GW_ORIGIN_FLAG, name, argument.value);
    }
    return good;
}
