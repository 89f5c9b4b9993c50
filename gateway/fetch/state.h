/* state.h: a fetch from inside; for the files of this folder. */
#ifndef GW_FETCH_STATE_H
#define GW_FETCH_STATE_H

#include "base/check.h"
#include "fetch/fetch.h"

enum gw_fetch_state {
    GW_FETCH_ASKING,     /* the call runs, no head yet */
    GW_FETCH_PASSING,    /* head told; each piece goes to the first reader */
    GW_FETCH_COLLECTING, /* head told; the body grows, readers follow */
    GW_FETCH_CONFIRMED,  /* a 304 for what is stored came; its end is awaited */
    GW_FETCH_COMPLETE,   /* the call is over; readers follow to the end, or are handed the entry */
    GW_FETCH_OVER,       /* nobody reads, nothing runs: to be used again */
};

enum { GW_FETCH_MAGIC = 0x46544348 }; /* FTCH */

struct gw_fetch {
    struct gw_magic magic;
    struct gw_fetcher *fetcher;
    struct gw_arena arena;

    struct gw_list link; /* of fetcher->busy */
    enum gw_fetch_state state;
    unsigned holds; /* frames of this file on the stack: not to be used again before they are left */
    struct gw_list readers;
    struct gw_reader *first;     /* NULL once it left */
    struct gw_telling *tellings; /* readers.h; the last one first */

    /* the request */
    const struct gw_config *config;
    const struct gw_route *route;
    enum gw_method method;
    struct gw_slice path_and_query;
    struct gw_slice scheme, host; /* that the client asked for */
    char *room_at; /* from here to the fields there is room for the longest Host line; it ends where they begin */
    struct gw_slice fields;
    size_t plain_fields; /* how much of it, without the conditionals at its end */
    bool lacks_range;    /* its fields do; for gw_attempt_part */
    bool is_conditional; /* by its client's fields */
    bool body_begun;
    unsigned attempts_left;
    bool was_refreshed; /* the one extra try after a dead kept connection is used up */

    struct gw_timer timer; /* ASKING without a reader: the next look whether anybody waits for it */
    struct gw_lead lead;   /* ended with gw_response_land; what is stored stays, held */

    /* what the fetch ends with */
    struct gw_entry *confirmed;  /* CONFIRMED: what is stored, as a 304 made it new; held */
    struct gw_entry *entry;      /* COMPLETE: the answer, where it is one; held */
    enum gw_fetch_source source; /* of entry */
    bool is_refresh;

    /* storing */
    bool may_store;
    struct gw_head request_head;
    struct gw_cache_request cache;
    struct gw_cache_rules rules;
    struct gw_cache_key key;
    bool is_personal; /* the answer is not shared for no other reason than its request's credential */
    uint64_t ban_sequence;
    bool is_outdated; /* something was purged since the backend was asked, and others who read may have come after */
    bool is_storing;  /* the store has not acknowledged yet: the lead stays, and a request that comes now reads along */

    /* the attempt and its answer */
    struct gw_call call;
    bool call_runs;
    struct gw_transport *transport;
    int64_t asked_at_s; /* wall clock */
    struct gw_head *head;
    struct gw_head selection; /* request fields that select the answer (cache/vary.h) */
    struct gw_cache_life life;
    bool length_known;
    enum gw_cache_refusal refusal; /* why it is not stored; STORABLE while it is, or nobody asked */
    struct gw_block *body;
    size_t body_bytes, reserved_bytes;
};

/* fetch.c: what must hold in each state, between two events; where checks are on (base/check.h). */
bool gw_fetch_check(const struct gw_fetch *fetch);
/* A frame that may end it, and uses it afterwards. The last unhold gives it back where it is over. */
void gw_fetch_hold(struct gw_fetch *fetch);
void gw_fetch_unhold(struct gw_fetch *fetch);
/* Ends it without an answer: the first reader was told or has left, all others try alone. Held. */
void gw_fetch_finish(struct gw_fetch *fetch);
/* What was collected before the fetch began to pass, then the upstream. Held. */
void gw_fetch_resume_passing(struct gw_fetch *fetch, struct gw_reader *reader);

#endif
