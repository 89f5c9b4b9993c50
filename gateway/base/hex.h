/* hex.h: bytes as lower-case hexadecimal digits. Pure. */
#ifndef GW_BASE_HEX_H
#define GW_BASE_HEX_H

#include <stddef.h>

/* Two digits a byte, without an end; returns what is behind them. */
char *gw_hex_put(char *at, const void *bytes, size_t length);

#endif
