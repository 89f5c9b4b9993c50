/* readers.h: the readers of a fetch, and what they are told. For the files of this folder; the caller holds the fetch. */
#ifndef GW_FETCH_READERS_H
#define GW_FETCH_READERS_H

#include "fetch/state.h"

static inline struct gw_reader *gw_reader_at(struct gw_list *link)
{
    return GW_CONTAINER(link, struct gw_reader, link);
}

void gw_readers_attach(struct gw_fetch *fetch, struct gw_reader *reader, bool is_first);
/* The reader reads nothing any more. */
void gw_readers_detach(struct gw_fetch *fetch, struct gw_reader *reader);
/* A reader that is being told something, on the stack of the function that tells it. An event may end the reader, and its
 * memory with it; and the client's next request may begin to read the same fetch in the same memory. */
struct gw_telling {
    struct gw_reader *reader; /* NULL: detached meanwhile */
    struct gw_telling *outer;
};

static inline void gw_telling_begin(struct gw_telling *telling, struct gw_fetch *fetch, struct gw_reader *reader)
{
    *telling = (struct gw_telling) { .reader = reader, .outer = fetch->readers.tellings };
    fetch->readers.tellings = telling;
}
/* Ends the telling (which began last). True: the reader still reads. */
static inline bool gw_telling_end(struct gw_fetch *fetch, const struct gw_telling *telling)
{
    fetch->readers.tellings = telling->outer;
    return telling->reader != NULL;
}
void gw_readers_tell_head(struct gw_fetch *fetch, struct gw_reader *reader);
/* All but the first. A released reader may begin or join other fetches, but not this one: its lead is finished, or its head
 * is told. */
void gw_readers_release_others(struct gw_fetch *fetch);
/* Tells a reader all that it has not been told yet: the entry if there is one, else head and body of the answer. */
void gw_readers_pump(struct gw_fetch *fetch, struct gw_reader *reader);
void gw_readers_pump_all(struct gw_fetch *fetch);
/* Nothing more will come. A reader that joined and was told nothing may try alone, if another try makes sense. */
void gw_readers_fail(struct gw_fetch *fetch, enum gw_error error);

#endif
