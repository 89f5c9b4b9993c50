/* engine.h: what the files of the engine know of each other: exchange.c moves, desk.c lends and takes back, answer.c
 * writes, record.c tells what was. */
#ifndef GW_EXCHANGE_ENGINE_H
#define GW_EXCHANGE_ENGINE_H

#include "exchange/exchange.h"

/* exchange.c: of every exchange that the desk makes. */
void gw_exchange_on_timer(struct gw_timer *timer);
extern const struct gw_reader_events gw_exchange_reader_events;

/* record.c: metrics and the access log's line, once an exchange. */
void gw_record_write(const struct gw_exchange *exchange);

#endif
