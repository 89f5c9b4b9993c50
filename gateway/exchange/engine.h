/* engine.h: what the files of the engine know of each other: exchange.c moves, filter.c keeps slots and questions,
 * lookup.c asks the cache, fetching.c reads a fetch, respond.c begins answers, unsafe_method.c invalidates, answer.c tells
 * the downstream, exchange_pool.c lends and takes back, record.c tells what was. */
#ifndef GW_EXCHANGE_ENGINE_H
#define GW_EXCHANGE_ENGINE_H

#include "exchange/exchange.h"

/* exchange.c: the one way to change state. The move's action is the last thing that happens: it may end the exchange. */
void gw_engine_move(struct gw_exchange *exchange, enum gw_exchange_event event);
/* What was asked is answered, or given up: the filters decide. */
void gw_engine_decide_again(struct gw_exchange *exchange);
/* Ends the exchange if its answer is whole and all bytes have left. */
void gw_engine_finish_if_written(struct gw_exchange *exchange);
/* The callback of exchange->timer. */
void gw_exchange_on_timer(struct gw_timer *timer);

/* filter.c: the places of the filters' slots and the filters' deadlines, once for a worker. */
void gw_engine_lay_out(struct gw_worker_context *context);
/* Once for the memory of an exchange, which is zeroed: each slot is told to which exchange it belongs. */
void gw_engine_open_slots(struct gw_exchange *exchange);
/* The exchange has ended: what the filters took is zeroed for the next one. A late callback that brings one of these
 * slots is a mistake, which a check finds. */
void gw_engine_clear_slots(struct gw_exchange *exchange);
/* The filter's place in the table. */
unsigned gw_engine_asker(const struct gw_exchange *exchange, const struct gw_filter *filter);
/* A question is out. */
void gw_engine_ask(struct gw_exchange *exchange, unsigned asker);
/* It is answered: after the last one a waiting exchange goes on. */
void gw_engine_answered(struct gw_exchange *exchange, unsigned asker);
/* Sets the timer to the first deadline of the questions that are out. */
void gw_engine_wait_for_answers(struct gw_exchange *exchange);
/* The timer's deadline has passed: the questions that it was for end. Others may still be out. */
void gw_engine_give_up_questions(struct gw_exchange *exchange);
/* The answers are not needed any more: all questions end. */
void gw_engine_cancel_questions(struct gw_exchange *exchange);

/* lookup.c: once for the memory of an exchange. */
void gw_engine_init_look_up(struct gw_exchange *exchange);
/* The question to the cache is cancelled: the look-up is a miss that has seen nothing. */
void gw_engine_cancel_look_up(struct gw_exchange *exchange);
/* The filters let the request pass, or the fetch that it joined is not for it. The look-up says whether it fetches, joins
 * or waits (cache/lookup.h). */
void gw_engine_go_on(struct gw_exchange *exchange);
/* Waits for the answers to questions, or for the look-up's. */
void gw_engine_wait(struct gw_exchange *exchange);

/* fetching.c */
extern const struct gw_reader_events gw_exchange_reader_events;
void gw_engine_start_fetch(struct gw_exchange *exchange);
void gw_engine_fail_fetch(struct gw_exchange *exchange, enum gw_error error);
/* Answers by exchange->entry, which another worker's fetch brought. May end the exchange. */
void gw_engine_answer_shared(struct gw_exchange *exchange);

/* respond.c: the head is made and due. */
void gw_engine_answer_here(struct gw_exchange *exchange);
/* A fetch's head is there: what the fetch tells of it now is noted. */
void gw_engine_hold(struct gw_exchange *exchange);
/* A piece of the body before the head is told. Without block it must leave before its call ends. False: there is no room. */
bool gw_engine_keep_early(struct gw_exchange *exchange, struct gw_slice piece, struct gw_block *block);
void gw_engine_drop_early(struct gw_exchange *exchange);
/* Tells the head that was held, and the early pieces of the body. */
void gw_engine_answer_fetched(struct gw_exchange *exchange);
/* The next piece of the body, or what of it lies in the part that is asked for; with its last byte the answer is whole. */
void gw_engine_add_piece(struct gw_exchange *exchange, struct gw_slice piece, struct gw_block *block);

/* unsafe_method.c */
bool gw_engine_invalidates(const struct gw_exchange *exchange);
void gw_engine_settle(struct gw_exchange *exchange);
void gw_engine_on_settled(struct gw_invalidation *invalidation);

/* exchange_pool.c */
void gw_engine_init_pool(struct gw_worker_context *context);

/* record.c: metrics and the access log's line, once an exchange. */
void gw_record_write(const struct gw_exchange *exchange);
/* The error that they count: what ended the answer, or else what it tells of. */
enum gw_error gw_record_error(const struct gw_exchange *exchange);

#endif
