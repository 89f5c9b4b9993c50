/* load.h: from flags, environment, file and defaults to one struct gw_config.
 *
 * Shape    Every key is one row of GW_CONFIG_KEYS (config/keys.h): path, type, default, range, unit, environment
 *          variable, flag, help. Parser, --print-config, --help and docs/configuration.md read the same rows.
 * Order    flags > environment > file > defaults.
 * Failure  Every mistake is a finding: file and line, key or variable or flag, what stood there, what was expected.
 *          Only a file that is no JSON hides what its values would have shown. Warnings (findings.h) are found where
 *          there is no mistake. */
#ifndef GW_CONFIG_LOAD_H
#define GW_CONFIG_LOAD_H

#include "config/config.h"
#include "config/findings.h"

enum gw_command {
    GW_COMMAND_RUN,
    GW_COMMAND_CHECK,   /* --check-config */
    GW_COMMAND_PRINT,   /* --print-config: the merged configuration as JSON that can be loaded again */
    GW_COMMAND_VERSION, /* --version */
    GW_COMMAND_HELP,    /* --help */
    GW_COMMAND_DOCS,    /* --print-config-docs: docs/configuration.md */
};

/* Which command do these arguments give? False with findings on an unknown flag or a missing value; *command is set all
 * the same. Sets the findings up. */
bool gw_load_command(int argc, char *const *argv, enum gw_command *command, struct gw_findings *findings) GW_MUST_CHECK;

/* A configuration held once, or NULL where the findings hold a mistake. `environment` is environ's form. Reads the file,
 * and where `with_files` looks whether the files that it names can be used (config/paths.h); main thread only. Sets the
 * findings up. */
struct gw_config *gw_load_config(int argc, char *const *argv, char *const *environment, bool with_files,
                                 struct gw_findings *findings) GW_MUST_CHECK;

/* The same for a file's text alone, over the defaults: for tests. NULL stands for "{}". */
struct gw_config *gw_load_text(const char *json, struct gw_findings *findings) GW_MUST_CHECK;
/* The same with the first mistake alone. */
struct gw_config *gw_config_of(const char *json, struct gw_complaint *complaint) GW_MUST_CHECK;

/* Pages on stdout-bound buffers; they never fail but by the buffer's bound (64 KiB hold help and docs, 2 MiB any
 * configuration). A configuration with a mistake prints nothing and returns false; the findings tell. */
bool gw_load_print_config(int argc, char *const *argv, char *const *environment, struct gw_buffer *page,
                          struct gw_findings *findings) GW_MUST_CHECK;
void gw_load_print_help(struct gw_buffer *page);
void gw_load_print_docs(struct gw_buffer *page);

#endif
