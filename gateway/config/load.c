#include <stdlib.h>
#include "config/derive.h"
#include "config/file.h"
#include "config/help.h"
#include "config/load.h"
#include "config/print.h"
#include "config/sources.h"

enum { LOAD_FIRST_CHUNK = 16 * 1024, LOAD_ARENA_BYTES = 4 * 1024 * 1024 };

static bool begin(struct gw_loading *loading, struct gw_complaint *complaint)
{
    *loading = (struct gw_loading) { .complaint = complaint };
    *complaint = (struct gw_complaint) { 0 };
    loading->config = calloc(1, sizeof(*loading->config));
    if (!loading->config)
        return gw_loading_no_memory(complaint);
    atomic_init(&loading->config->holders, 1);
    gw_arena_init(&loading->config->arena, LOAD_FIRST_CHUNK, LOAD_ARENA_BYTES);
    return gw_sources_set_defaults(loading);
}

static void end(struct gw_loading *loading)
{
    gw_file_close(&loading->file);
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++)
        cJSON_Delete(loading->documents[i]);
    if (loading->config)
        gw_config_drop(loading->config);
}

/* Takes the finished configuration out. */
static struct gw_config *give(struct gw_loading *loading, bool good)
{
    struct gw_config *config = good ? loading->config : NULL;
    if (config)
        loading->config = NULL;
    end(loading);
    return config;
}

static bool merge(struct gw_loading *loading, int argc, char *const *argv, char *const *environment)
{
    struct gw_arguments arguments;
    if (!gw_sources_read_arguments(argc, argv, &arguments, loading->complaint))
        return false;
    const char *name = arguments.config ? arguments.config : gw_sources_variable(environment, "GATEWAY_CONFIG");
    if (name && (!gw_file_open(&loading->file, name, loading->complaint) || !gw_sources_set_file(loading)))
        return false;
    return gw_sources_set_environment(loading, environment) && gw_sources_set_flags(loading, argc, argv) &&
           gw_derive_config(loading);
}

struct gw_config *gw_load_config(int argc, char *const *argv, char *const *environment, struct gw_complaint *complaint)
{
    struct gw_loading loading;
    bool good = begin(&loading, complaint) && merge(&loading, argc, argv, environment);
    return give(&loading, good);
}

struct gw_config *gw_config_of(const char *json, struct gw_complaint *complaint)
{
    struct gw_loading loading;
    bool good = begin(&loading, complaint) &&
                gw_file_parse(&loading.file, "text", gw_slice_of_string(json ? json : "{}"), complaint) &&
                gw_sources_set_file(&loading) && gw_derive_config(&loading);
    return give(&loading, good);
}

bool gw_load_command(int argc, char *const *argv, enum gw_command *command, struct gw_complaint *complaint)
{
    struct gw_arguments arguments;
    bool good = gw_sources_read_arguments(argc, argv, &arguments, complaint);
    *command = arguments.command;
    return good;
}

void gw_load_print_config(int argc, char *const *argv, char *const *environment, struct gw_buffer *page)
{
    struct gw_complaint complaint;
    struct gw_loading loading;
    if (begin(&loading, &complaint) && merge(&loading, argc, argv, environment))
        gw_print_values(loading.values, page);
    end(&loading);
}

void gw_load_print_help(struct gw_buffer *page)
{
    gw_help_print(page);
}

void gw_load_print_docs(struct gw_buffer *page)
{
    gw_help_print_docs(page);
}
