#include "base/version.h"

#include "base_version.h"

const char *gw_version(void)
{
    return GW_BUILD_VERSION;
}

const char *gw_version_compiler(void)
{
#ifdef __clang__
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}
