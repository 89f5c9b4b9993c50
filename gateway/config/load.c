#include <stdlib.h>
#include "config/advice.h"
#include "config/derive.h"
#include "config/file.h"
#include "config/help.h"
#include "config/load.h"
#include "config/paths.h"
#include "config/print.h"
#include "config/sources.h"
#include "config/variables.h"

enum { LOAD_FIRST_CHUNK = 16 * 1024, LOAD_ARENA_BYTES = 4 * 1024 * 1024 };

static bool begin(struct gw_loading *loading, struct gw_findings *findings)
{
    *loading = (struct gw_loading) { .findings = findings, .complaint = &findings->latest };
    gw_findings_init(findings);
    loading->config = calloc(1, sizeof(*loading->config));
    if (!loading->config)
        return gw_loading_no_memory(loading->complaint);
    atomic_init(&loading->config->refs, 1);
    gw_arena_init(&loading->config->arena, LOAD_FIRST_CHUNK, LOAD_ARENA_BYTES);
    return gw_sources_set_defaults(loading);
}

static void end(struct gw_loading *loading)
{
    gw_file_close(&loading->file);
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++)
        cJSON_Delete(loading->documents[i]);
    if (loading->config)
        gw_config_unref(loading->config);
}

/* Ends the loading and returns its configuration; NULL where there is a mistake. */
static struct gw_config *give(struct gw_loading *loading, bool good)
{
    gw_loading_file(loading, good);
    struct gw_config *config = good && !loading->findings->error_count ? loading->config : NULL;
    if (config)
        loading->config = NULL;
    end(loading);
    return config;
}

/* Derives the configuration from the values, and gives advice on it. */
static bool conclude(struct gw_loading *loading)
{
    return gw_derive_config(loading) && !loading->findings->error_count && gw_advice_give(loading);
}

static bool merge(struct gw_loading *loading, int argc, char *const *argv, char *const *environment)
{
    struct gw_arguments arguments;
    bool good = gw_sources_read_arguments(argc, argv, &arguments, loading->findings), has_file = true;
    const char *name = arguments.config ? arguments.config : gw_variables_get(environment, "GATEWAY_CONFIG");
    if (name) {
        has_file = gw_loading_file(loading, gw_file_open(&loading->file, name, loading->complaint));
        good &= has_file && gw_file_fill(&loading->file, environment, loading->findings);
        good &= has_file && gw_sources_set_file(loading);
    }
    good &= gw_sources_set_environment(loading, environment);
    good &= gw_sources_set_flags(loading, argc, argv);
    /* Without the file most values are missing, and these would be told as mistakes. */
    return has_file && conclude(loading) && good;
}

struct gw_config *gw_load_config(int argc, char *const *argv, char *const *environment, bool with_files,
                                 struct gw_findings *findings)
{
    struct gw_loading loading;
    bool good = begin(&loading, findings);
    if (good) {
        good = merge(&loading, argc, argv, environment);
        good &= !with_files || gw_paths_check(&loading);
    }
    return give(&loading, good);
}

struct gw_config *gw_load_text(const char *json, struct gw_findings *findings)
{
    struct gw_loading loading;
    struct gw_slice text = gw_slice_of_string(json ? json : "{}");
    bool good = begin(&loading, findings) && gw_file_parse(&loading.file, "text", text, loading.complaint);
    if (good) {
        good = gw_sources_set_file(&loading);
        good &= conclude(&loading);
    }
    return give(&loading, good);
}

struct gw_config *gw_config_of(const char *json, struct gw_complaint *complaint)
{
    struct gw_findings findings;
    struct gw_config *config = gw_load_text(json, &findings);
    const struct gw_complaint *first = gw_findings_first(&findings);
    *complaint = first ? *first : (struct gw_complaint) { 0 };
    return config;
}

bool gw_load_command(int argc, char *const *argv, enum gw_command *command, struct gw_findings *findings)
{
    struct gw_arguments arguments;
    gw_findings_init(findings);
    bool good = gw_sources_read_arguments(argc, argv, &arguments, findings);
    *command = arguments.command;
    return good;
}

bool gw_load_print_config(int argc, char *const *argv, char *const *environment, struct gw_buffer *page,
                          struct gw_findings *findings)
{
    struct gw_loading loading;
    bool good = begin(&loading, findings) && merge(&loading, argc, argv, environment);
    good = gw_loading_file(&loading, good) && !findings->error_count;
    if (good)
        gw_print_values(loading.values, page);
    end(&loading);
    return good;
}

void gw_load_print_help(struct gw_buffer *page)
{
    gw_help_print(page);
}

void gw_load_print_docs(struct gw_buffer *page)
{
    gw_help_print_docs(page);
}
