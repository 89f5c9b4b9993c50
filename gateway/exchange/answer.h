/* answer.h: the response of an exchange on its way to the client: head, framing, gathered pieces. Used by exchange.c
 * only. */
#ifndef GW_EXCHANGE_ANSWER_H
#define GW_EXCHANGE_ANSWER_H

#include "exchange/exchange.h"

/* Chooses the framing for a response whose status, head and (LENGTH) length are set. */
void gw_answer_choose_framing(struct gw_exchange *exchange, enum gw_framing framing, uint64_t length);
/* Gathers a piece of the body, framed; without block it is written at once. */
void gw_answer_add(struct gw_exchange *exchange, struct gw_slice bytes, struct gw_block *block);
/* Writes what was gathered, the head first where it is due. */
void gw_answer_flush(struct gw_exchange *exchange);
/* The body is whole: adds what ends it, and writes. */
void gw_answer_end(struct gw_exchange *exchange);
/* Forgets what was gathered. */
void gw_answer_drop(struct gw_exchange *exchange);
/* An interim response, at once. */
void gw_answer_interim(struct gw_exchange *exchange, int status, const struct gw_head *head);

#endif
