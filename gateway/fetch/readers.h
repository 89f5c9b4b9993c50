/* readers.h: who reads a fetch, and what they are told. For the files of this folder; the caller holds the fetch. */
#ifndef GW_FETCH_READERS_H
#define GW_FETCH_READERS_H

#include "fetch/state.h"

static inline struct gw_reader *gw_reader_at(struct gw_list *link)
{
    return GW_CONTAINER(link, struct gw_reader, link);
}

void gw_readers_attach(struct gw_fetch *fetch, struct gw_reader *reader, bool is_first);
/* It reads nothing any more. */
void gw_readers_detach(struct gw_fetch *fetch, struct gw_reader *reader);
/* A reader that is being told something, on the stack of whoever tells it. An event may end the reader, and its memory
 * with it; and the client's next request may begin to read the same fetch in the same memory. */
struct gw_telling {
    struct gw_reader *reader; /* NULL: it has been detached */
    struct gw_telling *outer;
};

static inline void gw_telling_begin(struct gw_telling *telling, struct gw_fetch *fetch, struct gw_reader *reader)
{
    *telling = (struct gw_telling) { .reader = reader, .outer = fetch->tellings };
    fetch->tellings = telling;
}
/* Ends the telling (which began last). True: the reader still reads. */
static inline bool gw_telling_end(struct gw_fetch *fetch, const struct gw_telling *telling)
{
    fetch->tellings = telling->outer;
    return telling->reader != NULL;
}
void gw_readers_tell_head(struct gw_fetch *fetch, struct gw_reader *reader);
/* All but the first. A released reader may begin or join other fetches, not this one: its flight has landed, or its
 * head is told. */
void gw_readers_release_others(struct gw_fetch *fetch);
/* Tells a reader what it has not been told: the entry where there is one, else of a collected body. */
void gw_readers_pump(struct gw_fetch *fetch, struct gw_reader *reader);
void gw_readers_pump_all(struct gw_fetch *fetch);
/* Nothing more will come. Who was told nothing and is not the first may try alone, where another try makes sense. */
void gw_readers_fail(struct gw_fetch *fetch, enum gw_error error);

#endif
