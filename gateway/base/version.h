/* version.h: the version of this build and its compiler. */
#ifndef GW_BASE_VERSION_H
#define GW_BASE_VERSION_H

/* "0.1.0" */
const char *gw_version(void);
/* "gcc 12.2.0", "clang 14.0.6" */
const char *gw_version_compiler(void);

#endif
