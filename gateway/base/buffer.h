/* buffer.h: the one buffer in which bytes are put together: heads, pages, log lines.
 *
 * Data     The bytes lie in the caller's memory (gw_buffer_over: the buffer never grows), on the heap
 *          (gw_buffer_create: it grows up to its bound) or in an arena (gw_buffer_in: it grows up to the arena's
 *          bound).
 * Failure  A piece that does not fit is left out whole, and `overflowed` is set. So the caller can put all pieces and
 *          look at `overflowed` once, at the end. */
#ifndef GW_BASE_BUFFER_H
#define GW_BASE_BUFFER_H

#include "base/arena.h"
#include "base/base.h"
#include "base/slice.h"

struct gw_buffer {
    size_t bound;           /* the most that capacity may become, in bytes */
    bool owned;             /* the bytes are on the heap, and the buffer may grow */
    struct gw_arena *arena; /* the bytes are in this arena, and the buffer may grow; NULL: not in an arena */

    char *at;
    size_t length;
    size_t capacity;
    bool overflowed;
};

/* A buffer in the caller's memory, which must outlive the buffer. */
static inline struct gw_buffer gw_buffer_over(char *memory, size_t capacity)
{
    return (struct gw_buffer) { .at = memory, .capacity = capacity, .bound = capacity };
}

/* A buffer on the heap. The first write allocates; gw_buffer_destroy frees. */
static inline struct gw_buffer gw_buffer_create(size_t bound)
{
    return (struct gw_buffer) { .bound = bound, .owned = true };
}
void gw_buffer_destroy(struct gw_buffer *buffer);

/* A buffer in the arena, which must outlive the buffer. It has room for first_bytes (0: none yet); where the arena has
 * no room for these, `overflowed` is set at once. */
static inline struct gw_buffer gw_buffer_in(struct gw_arena *arena, size_t first_bytes)
{
    char *at = first_bytes ? gw_arena_take(arena, first_bytes) : NULL;
    return (struct gw_buffer) { .bound = SIZE_MAX / 4,
                                .arena = arena,
                                .at = at,
                                .capacity = at ? first_bytes : 0,
                                .overflowed = first_bytes && !at };
}

/* Makes the buffer empty; it keeps its memory. */
static inline void gw_buffer_clear(struct gw_buffer *buffer)
{
    buffer->length = 0;
    buffer->overflowed = false;
}

/* Makes room for `more` bytes. False, and `overflowed` is set: the bound is reached or memory is out. */
bool gw_buffer_reserve(struct gw_buffer *buffer, size_t more);

static inline void gw_buffer_put(struct gw_buffer *buffer, const char *at, size_t length)
{
    if (length > buffer->capacity - buffer->length && !gw_buffer_reserve(buffer, length))
        return;
    if (length)
        memcpy(buffer->at + buffer->length, at, length);
    buffer->length += length;
}

static inline void gw_buffer_put_slice(struct gw_buffer *buffer, struct gw_slice slice)
{
    gw_buffer_put(buffer, slice.at, slice.length);
}

#define gw_buffer_put_literal(buffer, literal) gw_buffer_put((buffer), "" literal, sizeof(literal) - 1)

static inline void gw_buffer_put_char(struct gw_buffer *buffer, char c)
{
    gw_buffer_put(buffer, &c, 1);
}

static inline void gw_buffer_put_string(struct gw_buffer *buffer, const char *string)
{
    gw_buffer_put(buffer, string, strlen(string));
}

void gw_buffer_put_uint(struct gw_buffer *buffer, uint64_t value);
/* Lower-case hex, two digits a byte. */
void gw_buffer_put_hex(struct gw_buffer *buffer, const void *bytes, size_t length);
/* Slow, so not for the hot path. */
void gw_buffer_print(struct gw_buffer *buffer, const char *format, ...) GW_PRINTF(2, 3);
/* Writes the text as a JSON string with its quotes. What JSON forbids is escaped; bytes that are not UTF-8 become
 * U+FFFD. */
void gw_buffer_put_json(struct gw_buffer *buffer, struct gw_slice text);

static inline struct gw_slice gw_buffer_slice(const struct gw_buffer *buffer)
{
    return (struct gw_slice) { buffer->at, buffer->length };
}

#endif
