/* What fuzz targets take their input apart with. Each piece is copied to memory of exactly its size, so that a read
 * beyond its end is found. */
#ifndef GW_FUZZ_INPUT_H
#define GW_FUZZ_INPUT_H

#include <stdint.h>
#include <stdlib.h>
#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_PIECES = 64 };

struct fuzz_input {
    const uint8_t *at;
    size_t left;
    void *pieces[FUZZ_PIECES]; /* freed at the end */
    unsigned piece_count;
};

static inline void demand(bool holds)
{
    if (!holds)
        abort();
}

/* A number of so many bytes; of what is missing, 0. */
static inline uint64_t fuzz_number(struct fuzz_input *input, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes && input->left; i++, input->left--)
        number = number << 8 | *input->at++;
    return number;
}

static inline struct gw_slice fuzz_take(struct fuzz_input *input, size_t length)
{
    length = length < input->left ? length : input->left;
    char *copy = input->piece_count < FUZZ_PIECES ? malloc(length ? length : 1) : NULL;
    if (!copy)
        return GW_NO_SLICE;
    if (length)
        memcpy(copy, input->at, length);
    input->at += length;
    input->left -= length;
    input->pieces[input->piece_count++] = copy;
    return gw_slice_of(copy, length);
}

/* A slice behind the byte that tells its length; 255: the absent one. */
static inline struct gw_slice fuzz_slice(struct fuzz_input *input)
{
    size_t length = (size_t)fuzz_number(input, 1);
    return length == 255 ? GW_NO_SLICE : fuzz_take(input, length);
}

static inline void fuzz_end(struct fuzz_input *input)
{
    while (input->piece_count)
        free(input->pieces[--input->piece_count]);
}

/* RFC 3629, loosely: complete sequences of bytes that may begin and follow. */
static inline bool fuzz_is_utf8(struct gw_slice text)
{
    for (size_t i = 0; i < text.length;) {
        unsigned char c = (unsigned char)text.at[i++];
        unsigned more = c < 0x80                ? 0
                        : c >= 0xc2 && c < 0xe0 ? 1
                        : c >= 0xe0 && c < 0xf0 ? 2
                        : c >= 0xf0 && c < 0xf5 ? 3
                                                : 9;
        if (more == 9 || more > text.length - i)
            return false;
        for (; more; more--, i++)
            if (((unsigned char)text.at[i] & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static inline bool fuzz_is_printable(struct gw_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] < ' ' || text.at[i] > '~')
            return false;
    return true;
}

#endif
