/* slice.h: a view of bytes that something else owns. The bytes have no NUL at their end and may contain NUL. The absent
 * slice has length 0 and at == NULL. */
#ifndef GW_BASE_SLICE_H
#define GW_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct gw_slice {
    const char *at;
    size_t length;
};

#define GW_SLICE(literal) ((struct gw_slice) { "" literal, sizeof(literal) - 1 })
#define GW_NO_SLICE       ((struct gw_slice) { NULL, 0 })
/* For "%.*s". */
#define GW_SLICE_ARGS(slice) (int)(slice).length, (slice).at ? (slice).at : ""

static inline struct gw_slice gw_slice_of(const char *at, size_t length)
{
    return (struct gw_slice) { at, length };
}

/* NULL gives the absent slice. */
static inline struct gw_slice gw_slice_of_string(const char *string)
{
    return (struct gw_slice) { string, string ? strlen(string) : 0 };
}

static inline bool gw_slice_equal(struct gw_slice a, struct gw_slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

/* ASCII case only. */
bool gw_slice_equal_nocase(struct gw_slice a, struct gw_slice b);
bool gw_slice_starts_with(struct gw_slice whole, struct gw_slice start);
/* Cuts SP and HTAB off at both ends (OWS, RFC 9110 §5.6.3). */
struct gw_slice gw_slice_trim(struct gw_slice slice);
/* Reads one or more ASCII digits. False: there is something else, or the number is too large. */
bool gw_slice_to_uint64(struct gw_slice digits, uint64_t *value);
/* Takes the next element of a comma-separated list (RFC 9110 §5.6.1), trimmed, and moves *rest behind it; at first,
 * *rest is the whole field value. Quoted strings are not split, and empty elements are skipped. False at the end. */
bool gw_slice_next_element(struct gw_slice *rest, struct gw_slice *element);
/* Is `token` an element of this list? Case does not matter. */
bool gw_slice_list_has(struct gw_slice list, struct gw_slice token);

#endif
