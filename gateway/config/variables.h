/* variables.h: names of environment variables: the gateway's, names that are nearly the gateway's, and others. */
#ifndef GW_CONFIG_VARIABLES_H
#define GW_CONFIG_VARIABLES_H

#include "config/loading.h"

/* The value of a variable; NULL: it is missing or empty. */
const char *gw_variables_get(char *const *environment, const char *name);
/* Files a mistake for a name that begins with GATEWAY_ and is not the gateway's, and a warning for a name that is
 * nearly the gateway's. Variables that Kubernetes sets for services are ignored. False: there was a mistake. */
bool gw_variables_check(struct gw_loading *loading, struct gw_slice name, const char *value);
/* Is this value of GATEWAY_PORT and the like the address of a service, set by Kubernetes? */
bool gw_variables_is_service(const char *value);

#endif
