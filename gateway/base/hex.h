/* hex.h: bytes as lower-case hexadecimal digits, and the value of a digit. Pure. */
#ifndef GW_BASE_HEX_H
#define GW_BASE_HEX_H

#include <stddef.h>

/* Writes two digits for each byte, without a NUL. Returns the place behind them. */
char *gw_hex_put(char *at, const void *bytes, size_t length);

/* The value of one digit, in either case; -1: c is no digit. */
static inline int gw_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

#endif
