/* check.h: conditions that must hold, written as code.
 *
 * A check tells the reader what is true at this place. If the condition is false, the check writes a line to the log
 * (file, line, expression) and calls abort(), so that a debugger or a fuzzer stops at this place.
 * A check is for mistakes of this program. Whatever a client, a backend, Redis or a lack of memory can cause is an
 * error with a row in error.h, and never a check.
 *
 * One flag   GW_CHECKS (CMake) is ON in Debug, in the sanitizer presets and in the fuzz targets, and OFF in Release.
 *            In Release no condition is evaluated, and no magic number takes a byte.
 * Magic      A struct that comes back through a `void *` (libuv, hiredis, libcurl, a callback's context) has the member
 *            `struct gw_magic magic`, which holds the number of the struct's type from open to close. So a pointer to
 *            something else, or to an object that has ended, is found where it comes in and not three calls later.
 *            The number is four letters in ASCII: enum { LINK_MAGIC = 0x4c494e4b };  (LINK)
 *
 *     at its beginning        { .magic = GW_MAGIC(LINK_MAGIC), ... }  or  link->magic = GW_MAGIC(LINK_MAGIC);
 *     at each void * door     struct gw_link *link = GW_FROM_CONTEXT(data, struct gw_link, LINK_MAGIC);
 *     with a typed pointer    GW_CHECK_MAGIC(link, LINK_MAGIC);
 *     at its end              link->magic = GW_NO_MAGIC;
 *
 * A function that tells all that holds of an object returns true, and is called as GW_CHECK(link_check(link)): then
 * Release has not even an empty call. */
#ifndef GW_BASE_CHECK_H
#define GW_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#ifdef GW_CHECKS

struct gw_magic {
    unsigned number;
};

#define GW_MAGIC(number_)   ((struct gw_magic) { .number = (number_) })
#define GW_CHECK(condition) ((condition) ? (void)0 : gw_check_failed(__FILE__, __LINE__, __func__, #condition))
#define GW_CHECK_MAGIC(object, number_)                                                                                \
    gw_check_magic(&(object)->magic, number_, __FILE__, __LINE__, __func__, #number_)
/* `pointer` as a `type *`. `pointer` is evaluated once (in Release, too) and may not be NULL. */
#define GW_FROM_CONTEXT(pointer, type, number_)                                                                        \
    ((type *)gw_check_context(pointer, offsetof(type, magic), number_, __FILE__, __LINE__, __func__, #number_))

#else

struct gw_magic { /* of no size */
};

/* The expression is not evaluated, but the compiler counts its variables as used. */
#define GW_UNCHECKED(expression)                (false ? (void)(expression) : (void)0)
#define GW_MAGIC(number_)                       ((struct gw_magic) {})
#define GW_CHECK(condition)                     GW_UNCHECKED(condition)
#define GW_CHECK_MAGIC(object, number_)         GW_UNCHECKED((object)->magic)
#define GW_FROM_CONTEXT(pointer, type, number_) ((type *)(pointer))

#endif

#define GW_NO_MAGIC GW_MAGIC(0)

/* Only for the macros. Any thread. */
void gw_check_failed(const char *file, int line, const char *function, const char *expression)
    __attribute__((noreturn, cold));
void gw_check_magic(const struct gw_magic *magic, unsigned number, const char *file, int line, const char *function,
                    const char *name);
void *gw_check_context(void *object, size_t magic_at, unsigned number, const char *file, int line, const char *function,
                       const char *name);

#endif
