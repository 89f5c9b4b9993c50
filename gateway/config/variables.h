/* variables.h: the names of environment variables: ours, those that are nearly ours, and those that others set. */
#ifndef GW_CONFIG_VARIABLES_H
#define GW_CONFIG_VARIABLES_H

#include "config/loading.h"

/* Its value; NULL where it is missing or empty. */
const char *gw_variables_get(char *const *environment, const char *name);
/* Files a mistake for a name that begins with GATEWAY_ and is not ours, and a warning for one that is nearly ours. What
 * Kubernetes sets for services is neither. False where there was a mistake. */
bool gw_variables_check(struct gw_loading *loading, struct gw_slice name, const char *value);
/* Does this value of GATEWAY_PORT and the like come from Kubernetes: is it the address of a service? */
bool gw_variables_is_service(const char *value);

#endif
