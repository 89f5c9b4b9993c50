/* paths.h: do the files that a configuration names exist, and can they be used? Reads the file system, so only the main
 * thread may call it. */
#ifndef GW_CONFIG_PATHS_H
#define GW_CONFIG_PATHS_H

#include "config/loading.h"

/* Files a mistake for each file that cannot be used: a file of authorities must be readable and have a certificate in
 * PEM; the access log must be writable, or its folder must allow to make it. False: there was a mistake. */
bool gw_paths_check(struct gw_loading *loading) GW_MUST_CHECK;

#endif
