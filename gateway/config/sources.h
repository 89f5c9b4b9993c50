/* sources.h: the four sources of values; each overrides the one before. Every value of every source is read, so that a
 * mistake is told even where another source overrides it. All functions go on after a mistake. */
#ifndef GW_CONFIG_SOURCES_H
#define GW_CONFIG_SOURCES_H

#include "config/load.h"
#include "config/loading.h"

struct gw_arguments {
    enum gw_command command; /* the last one given; RUN if none is given */
    const char *config;      /* the value of --config, or NULL */
};

/* Checks whether every argument is known and has its value, but sets no value. Files every mistake. */
bool gw_sources_read_arguments(int argc, char *const *argv, struct gw_arguments *arguments,
                               struct gw_findings *findings) GW_MUST_CHECK;

/* To be called in this order. They file every mistake. False: there was one. */
bool gw_sources_set_defaults(struct gw_loading *loading) GW_MUST_CHECK;
bool gw_sources_set_file(struct gw_loading *loading) GW_MUST_CHECK; /* loading->file is parsed */
bool gw_sources_set_environment(struct gw_loading *loading, char *const *environment) GW_MUST_CHECK;
bool gw_sources_set_flags(struct gw_loading *loading, int argc, char *const *argv) GW_MUST_CHECK;

#endif
