#include "base/check.h"

#include <stdlib.h>
#include "base/log.h"

void gw_check_failed(const char *file, int line, const char *function, const char *expression)
{
    gw_log(GW_LOG_ERROR, "check", "%s:%d: %s: this does not hold: %s", file, line, function, expression);
    abort();
}

#ifdef GW_CHECKS

void gw_check_magic(const struct gw_magic *magic, unsigned number, const char *file, int line, const char *function,
                    const char *name)
{
    if (magic->number == number)
        return;
    gw_log(GW_LOG_ERROR, "check", "%s:%d: %s: this object is not a %s: its magic number is %#x", file, line, function,
           name, magic->number);
    abort();
}

void *gw_check_context(void *object, size_t magic_at, unsigned number, const char *file, int line, const char *function,
                       const char *name)
{
    if (!object)
        gw_check_failed(file, line, function, "an object comes back through its void pointer");
    gw_check_magic((const struct gw_magic *)(const void *)((const char *)object + magic_at), number, file, line,
                   function, name);
    return object;
}

#endif
