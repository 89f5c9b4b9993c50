#include "base/hex.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Writes the digits of up to four bytes, all at once: in `x` the first digit is in the lowest byte. Each request makes
 * keys and an id, and a loop over digits would take three times as long. */
static char *hex_put(char *at, const unsigned char *bytes, size_t length)
{
    uint32_t four = 0;
    memcpy(&four, bytes, length);
    uint64_t x = le32toh(four);
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x >> 4 & UINT64_C(0x000f000f000f000f)) | (x & UINT64_C(0x000f000f000f000f)) << 8;
    uint64_t is_letter = (x + EACH(6)) >> 4 & EACH(1);
    x = htole64(x + EACH('0') + is_letter * ('a' - '0' - 10));
    memcpy(at, &x, 2 * length);
    return at + 2 * length;
}

char *gw_hex_put(char *at, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    for (; length >= 4; from += 4, length -= 4)
        at = hex_put(at, from, 4);
    return length ? hex_put(at, from, length) : at;
}
