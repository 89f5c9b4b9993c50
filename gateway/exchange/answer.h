/* answer.h: the response of an exchange as messages for its downstream. Used by the files of the engine only. */
#ifndef GW_EXCHANGE_ANSWER_H
#define GW_EXCHANGE_ANSWER_H

#include "exchange/exchange.h"

/* Decides whether this response has a body for this client, and what length is told. The status is set already. length:
 * of the whole; UINT64_MAX: not known. */
void gw_answer_measure(struct gw_exchange *exchange, uint64_t length);
/* Lets the filters add their fields (on_response), and tells the head. */
void gw_answer_begin(struct gw_exchange *exchange);
/* A piece of the body; without block it is written at once. */
void gw_answer_add(struct gw_exchange *exchange, struct gw_slice bytes, struct gw_block *block);
/* Sends what was gathered, the head first. */
void gw_answer_flush(struct gw_exchange *exchange);
/* The body is whole: sends the rest. */
void gw_answer_end(struct gw_exchange *exchange);
/* The head was lost (downstream.h): notes for record.c what the client got instead. */
void gw_answer_lose(struct gw_exchange *exchange);
/* An interim response, at once. */
void gw_answer_interim(struct gw_exchange *exchange, int status, const struct gw_head *head);

#endif
