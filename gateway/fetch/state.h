/* state.h: a fetch from inside; for the files of this folder. */
#ifndef GW_FETCH_STATE_H
#define GW_FETCH_STATE_H

#include "base/check.h"
#include "fetch/fetch.h"

/* Every move of a fetch. OVER follows from each state before it, when the fetch fails or its last reader leaves. */
/* clang-format off */
#define GW_FETCH_MOVES(X) \
    /* in          then */ \
    X(ASKING,      PASSING)    /* the head came; the answer may not be stored */ \
    X(ASKING,      COLLECTING) /* the head came; the answer may be stored, and there is room */ \
    X(ASKING,      CONFIRMED)  /* a 304 confirmed what is stored */ \
    X(ASKING,      COMPLETE)   /* the backend failed; what is stored answers */ \
    X(ASKING,      OVER) \
    X(PASSING,     COMPLETE)   /* the call has ended; the first reader is behind */ \
    X(PASSING,     OVER) \
    X(COLLECTING,  PASSING)    /* the body has become too large to be stored */ \
    X(COLLECTING,  COMPLETE)   /* the call has ended */ \
    X(COLLECTING,  OVER) \
    X(CONFIRMED,   COMPLETE)   /* the call has ended, or it failed and what is stored answers */ \
    X(CONFIRMED,   OVER)
/* clang-format on */

enum gw_fetch_state {
    GW_FETCH_ASKING,     /* the call runs; there is no head yet */
    GW_FETCH_PASSING,    /* the head was told; each piece goes to the first reader */
    GW_FETCH_COLLECTING, /* the head was told; the body grows, and the readers follow it */
    GW_FETCH_CONFIRMED,  /* the head of a 304 for what is stored came; its end has not */
    GW_FETCH_COMPLETE,   /* the call has ended; the readers follow to the end, or are handed the entry */
    GW_FETCH_OVER,       /* no reader, no call: the last gw_fetch_unhold gives the fetch back */
};

enum { GW_FETCH_MAGIC = 0x46544348 }; /* FTCH */

/* ---- groups, each assigned as one value when a fetch begins ---- */

struct gw_fetch_readers {
    struct gw_list all;
    struct gw_reader *first;     /* NULL: it has left, or there was none (a refresh) */
    struct gw_telling *tellings; /* readers.h; the newest first */
};

/* What the readers are told. It is either `entry`, or `head` with what follows. */
struct gw_fetch_answer {
    struct gw_entry *entry;        /* from CONFIRMED on; held */
    enum gw_fetch_source source;   /* of entry */
    enum gw_cache_refusal refusal; /* why it is not stored; STORABLE: it is, or storing was never planned */
    struct gw_head *head;          /* in the arena; NULL: none came */
    struct gw_block *body;         /* what was collected; NULL: nothing */
    size_t body_bytes;
    size_t reserved_bytes; /* counted in fetcher->collecting_bytes */
    bool length_known;     /* before the end of the body */
};

enum gw_fetch_storing_step {
    GW_STORING_NOT,     /* the request forbade it, or the answer does */
    GW_STORING_PLANNED, /* `plan` is set */
    GW_STORING_SENT, /* COMPLETE: Redis has not acknowledged. The lead stays, and requests that come now still join */
    GW_STORING_DONE, /* COMPLETE: stored, or it failed */
};

struct gw_fetch_storing {
    enum gw_fetch_storing_step step;
    bool is_personal;      /* the request's credential is the only reason why the answer is not shared */
    bool is_outdated;      /* something was purged since the backend was asked: joined readers may have come later */
    uint64_t ban_sequence; /* of the ban log, when the fetch began */
};

/* The call to a backend: the present attempt, and what is left of others. */
struct gw_fetch_attempt {
    struct gw_transport *transport; /* of this attempt */
    bool runs;                      /* the transport has the call */
    bool body_begun;                /* the reader gave some of the request's body */
    bool was_refreshed;             /* the one extra try after a dead kept connection is used up */
    unsigned left;                  /* tries on another backend */
    int64_t asked_at_s;             /* wall clock */
    struct gw_call call;
};

/* The request, as it is sent. All of it lies in one piece of the arena, in this order. */
struct gw_fetch_sent {
    struct gw_slice path_and_query;
    struct gw_slice scheme, host; /* that the client asked for */
    char *room_at;                /* room for the longest Host line; it ends where fields begin */
    struct gw_slice fields;
    size_t plain_fields; /* bytes of fields before the conditionals that the fetch adds */
    bool lacks_range;    /* the request's Range is not among the fields (gw_attempt_part) */
    bool is_conditional; /* by the client's own fields */
};

/* What storing the answer needs. Not touched unless storing is planned. */
struct gw_fetch_plan {
    struct gw_cache_request cache;
    struct gw_cache_rules rules;
    struct gw_cache_key key;
};

/* What every event touches comes first. The large parts at the end are left alone by a fetch that only passes. */
struct gw_fetch {
    struct gw_magic magic;
    enum gw_fetch_state state; /* set by gw_fetch_move */
    unsigned holds;            /* functions on the stack that still use the fetch: it is not given back before */
    bool is_refresh;           /* its only reader is the cache */
    struct gw_fetcher *fetcher;
    const struct gw_config *config;
    const struct gw_route *route;
    struct gw_fetch_readers readers;
    struct gw_fetch_answer answer;
    struct gw_fetch_storing storing;
    struct gw_lead lead; /* finished by gw_fetch_finish_lead; its `stored` stays, held */
    struct gw_fetch_attempt attempt;
    struct gw_fetch_sent sent;

    struct gw_arena arena;
    struct gw_list link;   /* of fetcher->busy */
    struct gw_timer timer; /* ASKING without a reader: when to look again whether another worker waits for it */

    struct gw_fetch_plan plan;
    struct gw_cache_life life;   /* from COLLECTING or CONFIRMED on */
    struct gw_head request_head; /* copied where storing may be planned */
    struct gw_head selection;    /* COLLECTING: request fields that select the answer (cache/vary.h) */
};

/* Is there such a row in GW_FETCH_MOVES? */
bool gw_fetch_may_move(enum gw_fetch_state in, enum gw_fetch_state then);

static inline void gw_fetch_move(struct gw_fetch *fetch, enum gw_fetch_state then)
{
    GW_CHECK(gw_fetch_may_move(fetch->state, then));
    fetch->state = then;
}

/* Is the answer stored, or will it be, as far as is known? */
static inline bool gw_fetch_is_for_store(const struct gw_fetch *fetch)
{
    return fetch->storing.step != GW_STORING_NOT;
}

/* What must hold in each state, between two events: for GW_CHECK. */
bool gw_fetch_check(const struct gw_fetch *fetch);
/* Around code that may end the fetch and uses it afterwards. The last unhold gives the fetch back if it is over. */
void gw_fetch_hold(struct gw_fetch *fetch);
void gw_fetch_unhold(struct gw_fetch *fetch);
/* The answer is stored or given up: the requests that wait for it on other workers and instances may look. */
void gw_fetch_finish_lead(struct gw_fetch *fetch);
/* Ends the fetch without an answer; if it is over already, nothing happens. The first reader was told or has left;
 * readers that joined are released and try alone. The caller holds the fetch. */
void gw_fetch_finish(struct gw_fetch *fetch);
/* Tells the first reader what was collected before the fetch began to pass, then resumes the upstream. The caller holds
 * the fetch. */
void gw_fetch_resume_passing(struct gw_fetch *fetch, struct gw_reader *reader);

#endif
