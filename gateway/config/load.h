/* load.h: makes one struct gw_config of flags, environment, file and defaults.
 *
 * Shape    Every key is one row of GW_CONFIG_KEYS (config/keys.h): path, type, default, range, unit, environment
 *          variable, flag, help. The parser, --print-config, --help and docs/configuration.md use the same rows.
 * Order    flags > environment > file > defaults.
 * Failure  Every mistake is a finding: file and line, key, variable or flag, the text found, and what was expected. All
 *          mistakes are found at once; only a file that is not JSON hides those in its values. Warnings (findings.h)
 *          are looked for only where there is no mistake. */
#ifndef GW_CONFIG_LOAD_H
#define GW_CONFIG_LOAD_H

#include "config/config.h"
#include "config/findings.h"

enum gw_command {
    GW_COMMAND_RUN,
    GW_COMMAND_CHECK,   /* --check-config */
    GW_COMMAND_PRINT,   /* --print-config: the merged configuration as JSON, which can be loaded again */
    GW_COMMAND_VERSION, /* --version */
    GW_COMMAND_HELP,    /* --help */
    GW_COMMAND_DOCS,    /* --print-config-docs: docs/configuration.md */
};

/* Which command do these arguments give? False with findings on an unknown flag or a missing value; *command is set in
 * any case. Initializes the findings. */
bool gw_load_command(int argc, char *const *argv, enum gw_command *command, struct gw_findings *findings) GW_MUST_CHECK;

/* Returns a configuration with one reference; NULL where the findings have a mistake. `environment` has the form of
 * environ. Reads the file; `with_files`: also checks whether the files that the configuration names can be used
 * (config/paths.h). Main thread only. Initializes the findings. */
struct gw_config *gw_load_config(int argc, char *const *argv, char *const *environment, bool with_files,
                                 struct gw_findings *findings) GW_MUST_CHECK;

/* The same for the text of a file over the defaults, for tests. NULL stands for "{}". */
struct gw_config *gw_load_text(const char *json, struct gw_findings *findings) GW_MUST_CHECK;
/* The same, with only the first mistake. */
struct gw_config *gw_config_of(const char *json, struct gw_complaint *complaint) GW_MUST_CHECK;

/* These write pages for stdout into a buffer. They fail only at the buffer's bound (64 KiB are enough for help and
 * docs, 2 MiB for any configuration). A configuration with a mistake prints nothing and returns false, with
 * findings. */
bool gw_load_print_config(int argc, char *const *argv, char *const *environment, struct gw_buffer *page,
                          struct gw_findings *findings) GW_MUST_CHECK;
void gw_load_print_help(struct gw_buffer *page);
void gw_load_print_docs(struct gw_buffer *page);

#endif
