/* sources.h: the four places where values come from, each written over the one before. Every value is read where it
 * comes in, so a mistake is told also where another source would have overridden it. All go on after a mistake. */
#ifndef GW_CONFIG_SOURCES_H
#define GW_CONFIG_SOURCES_H

#include "config/load.h"
#include "config/loading.h"

struct gw_arguments {
    enum gw_command command; /* the last one given; RUN without any */
    const char *config;      /* --config's, or NULL */
};

/* Looks at every argument, and whether it is known and has its value; sets nothing. Files every mistake. */
bool gw_sources_read_arguments(int argc, char *const *argv, struct gw_arguments *arguments,
                               struct gw_findings *findings) GW_MUST_CHECK;

/* In this order. They file every mistake; false where there was one. */
bool gw_sources_set_defaults(struct gw_loading *loading) GW_MUST_CHECK;
bool gw_sources_set_file(struct gw_loading *loading) GW_MUST_CHECK; /* loading->file is parsed */
bool gw_sources_set_environment(struct gw_loading *loading, char *const *environment) GW_MUST_CHECK;
bool gw_sources_set_flags(struct gw_loading *loading, int argc, char *const *argv) GW_MUST_CHECK;

#endif
