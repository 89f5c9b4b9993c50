/* filter.h: what stands between a request and its answer, as one ordered table (gw_filter_table in assembly.c).
 *
 * Shape    A filter is a row of functions; any may be NULL. They run in the table's order. on_request looks and
 *          continues, answers here, or asks a question; then the next filter is asked at once. on_answers decides: it
 *          runs when every question is answered or its deadline has passed. The limit stands before the cache.
 *          before_fetch only when a backend is to be asked.
 *          before_answer when an answer is there, a backend's (answer.head) or one made here: it may put another one
 *          without content in its place (gw_exchange_answer; answer.head becomes NULL). on_response sees the head
 *          that is about to be written and adds fields (gw_exchange_add_field). on_end exactly once, when the exchange
 *          is being recorded.
 * Rule     After the limiter no filter answers in on_request, so that refusals come first: what the memory cache has is
 *          answered in on_answers.
 * State    What a filter keeps for one exchange lies in its slot, slot_bytes of the exchange's own memory: the filter
 *          finds them zeroed, and nothing is freed. The places of all slots are laid out once, when a worker starts.
 * Question A filter that must ask a store or another service does so from on_request or before_fetch,
 *          hands its slot over as the owner of the answer, and returns GW_FILTER_ASKED. The question then ends in
 *          exactly one of three ways, and the filter has at most one at a time:
 *            - the answer comes: its callback notes it in the slot and calls gw_filter_answered;
 *            - the filter's deadline passes first: on_give_up cancels the question and notes what holds without an
 *              answer;
 *            - the answer is not needed any more (the client is gone, another filter has answered): on_cancel cancels it.
 * Threads  One worker's. */
#ifndef GW_EXCHANGE_FILTER_H
#define GW_EXCHANGE_FILTER_H

#include <stddef.h>

struct gw_config;
struct gw_exchange;

enum { GW_FILTERS_MOST = 15 }; /* in a table */

enum gw_filter_result {
    GW_FILTER_CONTINUE,
    GW_FILTER_ANSWERED, /* gw_exchange_answer was called */
    GW_FILTER_ASKED,    /* a question is out: gw_filter_answered will be called, later and from the loop */
    GW_FILTER_TAKEN,    /* the same; and of what follows, answers and end, only this filter is asked */
};

struct gw_filter {
    const char *name;
    size_t slot_bytes;                                       /* 0: it keeps nothing and asks nothing */
    unsigned (*deadline_ms)(const struct gw_config *config); /* for its answers, read once; NULL: redis.timeout */
    enum gw_filter_result (*on_request)(struct gw_exchange *exchange);
    enum gw_filter_result (*on_answers)(struct gw_exchange *exchange);
    enum gw_filter_result (*before_fetch)(struct gw_exchange *exchange);
    void (*on_give_up)(struct gw_exchange *exchange, void *slot); /* NULL: on_cancel is all there is to do */
    void (*on_cancel)(struct gw_exchange *exchange, void *slot);
    void (*before_answer)(struct gw_exchange *exchange);
    void (*on_response)(struct gw_exchange *exchange);
    void (*on_end)(struct gw_exchange *exchange);
};

/* The functions of a row that are called for each request, in the order in which a request meets them. */
enum gw_filter_step {
    GW_FILTER_ON_REQUEST,
    GW_FILTER_ON_ANSWERS,
    GW_FILTER_BEFORE_FETCH,
    GW_FILTER_BEFORE_ANSWER,
    GW_FILTER_ON_RESPONSE,
    GW_FILTER_ON_END,
    GW_FILTER_STEPS
};

struct gw_filter_place { /* worked out once a worker, by filter */
    size_t slot_at;      /* in an exchange's memory, in bytes */
    unsigned deadline_ms;
};

/* What the filter keeps for this exchange: zeroed when the exchange begins, then the same until it has ended. */
void *gw_filter_slot(struct gw_exchange *exchange, const struct gw_filter *filter);
/* The exchange that the slot belongs to. */
struct gw_exchange *gw_filter_exchange(const void *slot);
/* The question of this slot is answered. Last in a callback: the exchange may be over when it returns. */
void gw_filter_answered(void *slot);

#endif
