/* state.h: a fetch from inside; for the files of this folder. */
#ifndef GW_FETCH_STATE_H
#define GW_FETCH_STATE_H

#include "fetch/fetch.h"

enum gw_fetch_state {
    GW_FETCH_ASKING,     /* the call runs, no head yet */
    GW_FETCH_PASSING,    /* head told; each piece goes to the first reader */
    GW_FETCH_COLLECTING, /* head told; the body grows, readers follow */
    GW_FETCH_COMPLETE,   /* the call is over; readers follow to the end */
    GW_FETCH_OVER,       /* nobody reads, nothing runs: to be used again */
};

struct gw_fetch {
    struct gw_fetcher *fetcher;
    struct gw_arena arena;

    struct gw_list link; /* busy or free */
    enum gw_fetch_state state;
    unsigned holds; /* frames of this file on the stack: not to be used again before they are left */
    struct gw_list readers;
    struct gw_reader *first; /* NULL once it left */
    unsigned readings;       /* how many readers ever came */

    /* the request */
    const struct gw_config *config;
    const struct gw_route *route;
    enum gw_method method;
    struct gw_slice path_and_query;
    struct gw_slice host;
    char *host_room; /* the Host line is written to end where the fields begin */
    struct gw_slice fields;
    bool body_begun;
    unsigned attempts_left;
    bool was_refreshed; /* the one extra try after a dead kept connection is used up */

    /* storing */
    bool may_store;
    struct gw_head request_head;
    struct gw_cache_request cache;
    struct gw_cache_rules rules;
    struct gw_cache_key key;
    uint64_t epoch;
    struct gw_seen seen;
    struct gw_flight *flight;
    bool is_storing; /* the store has not acknowledged yet: the flight stays, and who comes now reads along */

    /* the attempt and its answer */
    struct gw_call call;
    bool call_runs;
    struct gw_transport *transport;
    int64_t asked_at_s; /* wall clock */
    struct gw_head *head;
    struct gw_head selection; /* request fields that select the answer (cache/vary.h) */
    struct gw_cache_life life;
    bool length_known;
    struct gw_block *body;
    size_t body_bytes, reserved_bytes;
};

#endif
