/* paths.h: do the files that a configuration names exist, and may they be used? Asks the file system; the main thread's
 * alone. */
#ifndef GW_CONFIG_PATHS_H
#define GW_CONFIG_PATHS_H

#include "config/loading.h"

/* Files a mistake for each that cannot be used: authorities (read, and at least one certificate in PEM), the access log
 * (written, or made in its folder). False where there was one. */
bool gw_paths_check(struct gw_loading *loading) GW_MUST_CHECK;

#endif
