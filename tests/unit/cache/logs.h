/* logs.h: answers of redis/purge.lua, as its README has them, for the cache's tests. */
#ifndef GW_TESTS_UNIT_CACHE_LOGS_H
#define GW_TESTS_UNIT_CACHE_LOGS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/buffer.h"
#include "cache/bans.h"

static inline void put_number(struct gw_buffer *log, uint64_t number, unsigned bytes)
{
    for (; bytes--; number >>= 8)
        gw_buffer_put_char(log, (char)(number & 0xff));
}

static inline void begin_log(struct gw_buffer *log, unsigned count, unsigned flags, uint64_t floor, uint64_t known)
{
    gw_buffer_put_literal(log, "GWP1");
    put_number(log, count, 2);
    put_number(log, flags, 2);
    put_number(log, floor, 8);
    put_number(log, known, 8);
}

static inline void put_packed(struct gw_buffer *log, uint64_t number, struct gw_slice packed)
{
    put_number(log, number, 8);
    put_number(log, packed.length, 2);
    gw_buffer_put_slice(log, packed);
}

static inline void put_ban(struct gw_buffer *log, uint64_t number, const struct gw_ban *ban)
{
    char packed[GW_BAN_TEXT_BYTES + 16];
    put_packed(log, number, gw_slice_of(packed, gw_bans_pack(ban, packed)));
}

#endif
