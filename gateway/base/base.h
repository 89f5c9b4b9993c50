/* base.h: the few macros that every folder uses. */
#ifndef GW_BASE_BASE_H
#define GW_BASE_BASE_H

#include <stddef.h>

/* The caller must look at the result. */
#define GW_MUST_CHECK                      __attribute__((warn_unused_result))
#define GW_PRINTF(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))
#define GW_COUNT(array)                    (sizeof(array) / sizeof((array)[0]))

/* The struct of which `pointer` is the member `member`. */
#define GW_CONTAINER(pointer, type, member) ((type *)(void *)(((char *)(pointer)) - offsetof(type, member)))

#endif
