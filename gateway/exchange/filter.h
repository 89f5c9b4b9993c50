/* filter.h: what stands between a request and its answer, as one ordered table (filter/table.c).
 *
 * Shape    A filter is a row of functions; any may be NULL. They run in the table's order. on_request looks and
 *          continues, answers here, or puts a question into the exchange and goes on (nobody waits between two
 *          filters). on_answers when every question is answered, or their deadline has passed: decides. The limit
 *          stands before the cache. before_fetch only when a backend is to be asked.
 *          before_answer when an answer is there, a backend's (exchange->head) or one made here: it may put another one
 *          without content in its place (gw_exchange_answer; exchange->head becomes NULL). on_response sees the head
 *          that is about to be written and adds fields (gw_exchange_add_field). on_end exactly once, when the exchange
 *          is being recorded.
 * Rule     After the limiter no filter answers in on_request: a near hit is a question already answered, and
 *          refusals come first. */
#ifndef GW_EXCHANGE_FILTER_H
#define GW_EXCHANGE_FILTER_H

struct gw_exchange;

enum gw_filter_result {
    GW_FILTER_CONTINUE,
    GW_FILTER_ANSWERED, /* gw_exchange_answer was called */
    GW_FILTER_ASKED,    /* a question is out: gw_exchange_answered will be called */
    GW_FILTER_TAKEN,    /* the same; and of what follows, answers and end, only this filter is asked */
};

struct gw_filter {
    const char *name;
    enum gw_filter_result (*on_request)(struct gw_exchange *exchange);
    enum gw_filter_result (*on_answers)(struct gw_exchange *exchange);
    enum gw_filter_result (*before_fetch)(struct gw_exchange *exchange);
    void (*before_answer)(struct gw_exchange *exchange);
    void (*on_response)(struct gw_exchange *exchange);
    void (*on_end)(struct gw_exchange *exchange);
};

#endif
