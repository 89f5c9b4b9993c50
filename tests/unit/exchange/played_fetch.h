/* played_fetch.h: gateway/fetch/fetch.h as a test plays it, beside unit/exchange/stage.h. The exchange begins or joins a
 * fetch; the test says what comes of it: tells_head, tells_body, tells_flush, tells_end, tells_fail, tells_entry,
 * tells_released, wants_body. What the exchange says to it is noted. It asserts the contract: no event after the reader
 * has left, no body and no end while it is paused.
 *
 * A background refresh is noted in played_refresh, and holds its lead until the test calls refresh_ends. */
#ifndef TEST_EXCHANGE_PLAYED_FETCH_H
#define TEST_EXCHANGE_PLAYED_FETCH_H

#include "unit/exchange/stage.h"

#include "fetch/background_refresh.h"

struct gw_fetch {             /* the newest one */
    struct gw_reader *reader; /* NULL: has left, or was told the end */
    struct gw_head head;
    struct gw_cache_life life;
    struct gw_lead lead; /* what it took: ended with it */
    unsigned begun, joined, pauses, resumes, body_ends;
    enum gw_error begin_error; /* what the next begin says */
    bool is_collecting, may_outgrow, takes_body, is_body_there, had_stored, would_store;
    size_t sent_bytes;
    char path[64], method[16], fields[2048];
};

static struct gw_fetch played_fetch;

static inline void played_attach(struct gw_reader *reader, bool is_first)
{
    assert_null(reader->fetch);
    assert_null(played_fetch.reader);
    played_fetch.reader = reader;
    *reader = (struct gw_reader) {
        .events = reader->events, .fetch = &played_fetch, .is_first = is_first, .paused = !is_first
    };
}

static struct {
    unsigned begun;
    enum gw_error begin_error;       /* what the next begin says */
    struct gw_fetch_request request; /* the newest one; what it borrows is over but for the entry */
} played_refresh;

void gw_fetcher_init(struct gw_fetcher *fetcher)
{
    (void)fetcher;
}

void gw_fetcher_free(struct gw_fetcher *fetcher)
{
    (void)fetcher;
}

static inline void played_text(char *to, size_t room, struct gw_slice text)
{
    assert_true(text.length < room);
    memcpy(to, text.at, text.length);
    to[text.length] = '\0';
}

enum gw_error gw_fetch_begin(struct gw_fetcher *fetcher, const struct gw_fetch_request *request,
                             struct gw_reader *reader)
{
    (void)fetcher;
    assert_non_null(reader);
    if (played_fetch.begin_error)
        return played_fetch.begin_error;
    played_fetch.begun++;
    played_text(played_fetch.path, sizeof played_fetch.path, request->path);
    played_text(played_fetch.method, sizeof played_fetch.method, request->method_text);
    played_text(played_fetch.fields, sizeof played_fetch.fields, request->fields);
    played_fetch.had_stored = request->lead.stored != NULL;
    played_fetch.would_store = request->may_store;
    played_fetch.lead = request->lead;
    played_fetch.lead.stored = NULL; /* it would share it */
    played_attach(reader, true);
    return GW_ERROR_NONE;
}

enum gw_error gw_background_refresh_begin(struct gw_fetcher *fetcher, const struct gw_fetch_request *request)
{
    (void)fetcher;
    if (played_refresh.begin_error)
        return played_refresh.begin_error;
    assert_null(played_refresh.request.lead.coalesced);
    played_refresh.begun++;
    played_refresh.request = *request;
    return GW_ERROR_NONE;
}

static inline void refresh_ends(void)
{
    gw_lead_finish(&played_refresh.request.lead);
}

bool gw_fetch_join(struct gw_fetch *fetch, struct gw_reader *reader)
{
    assert_ptr_equal(fetch, &played_fetch);
    fetch->joined++;
    played_attach(reader, false);
    return true;
}

void gw_fetch_leave(struct gw_reader *reader)
{
    if (!reader->fetch)
        return;
    assert_ptr_equal(played_fetch.reader, reader);
    gw_lead_finish(&played_fetch.lead);
    played_fetch.reader = NULL;
    reader->fetch = NULL;
}

void gw_fetch_pause(struct gw_reader *reader)
{
    if (!reader->fetch)
        return;
    reader->paused = true;
    played_fetch.pauses++;
}

void gw_fetch_resume(struct gw_reader *reader)
{
    if (!reader->fetch)
        return;
    reader->paused = false;
    played_fetch.resumes++;
}

bool gw_fetch_send_body(struct gw_reader *reader, struct gw_slice bytes, struct gw_block *block)
{
    (void)block;
    if (!reader->fetch)
        return false;
    played_fetch.sent_bytes += bytes.length;
    return true;
}

void gw_fetch_end_body(struct gw_reader *reader)
{
    if (reader->fetch)
        played_fetch.body_ends++;
}

bool gw_fetch_takes_body(const struct gw_reader *reader)
{
    return reader->fetch && played_fetch.takes_body;
}

void gw_fetch_body_is_there(struct gw_reader *reader)
{
    played_fetch.is_body_there = reader->fetch != NULL;
}

bool gw_fetch_is_collecting(const struct gw_fetch *fetch)
{
    return fetch->is_collecting;
}

bool gw_fetch_may_outgrow(const struct gw_fetch *fetch)
{
    return fetch->is_collecting && fetch->may_outgrow;
}

const struct gw_cache_life *gw_fetch_life(const struct gw_fetch *fetch)
{
    return fetch->is_collecting ? &fetch->life : NULL;
}

/* ---- what comes of it ---- */

static inline struct gw_reader *played_reader(void)
{
    assert_non_null(played_fetch.reader);
    return played_fetch.reader;
}

/* It is told the end of this reading. */
static inline struct gw_reader *played_detach(void)
{
    struct gw_reader *reader = played_reader();
    gw_lead_finish(&played_fetch.lead);
    played_fetch.reader = NULL;
    reader->fetch = NULL;
    return reader;
}

/* length: of the body; UINT64_MAX: chunks. */
static inline void tells_head(struct stage *stage, int code, const char *fields, uint64_t length)
{
    struct gw_reader *reader = played_reader();
    played_fetch.head = response_head(&stage->exchange->arena, code, fields);
    played_fetch.head.framing = length == UINT64_MAX ? GW_FRAMING_CHUNKED : GW_FRAMING_LENGTH;
    played_fetch.head.content_length = length == UINT64_MAX ? 0 : length;
    reader->head_told = true;
    reader->upstream_status = code;
    reader->events->on_head(reader, &played_fetch.head);
}

static inline void tells_interim(struct stage *stage, int code)
{
    struct gw_reader *reader = played_reader();
    struct gw_head head = response_head(&stage->exchange->arena, code, "");
    reader->events->on_interim(reader, &head);
}

static inline void tells_body_of(const char *text, bool has_block)
{
    struct gw_reader *reader = played_reader();
    struct gw_block *block = gw_block_create(strlen(text));
    assert_non_null(block);
    memcpy(block->bytes, text, strlen(text));
    reader->events->on_body(reader, gw_slice_of(block->bytes, strlen(text)), has_block ? block : NULL);
    if (!has_block)
        memset(block->bytes, '!', strlen(text)); /* what was kept without the block is seen */
    gw_block_unref(block);
}

static inline void tells_body(const char *text)
{
    tells_body_of(text, true);
}

static inline void tells_flush(void)
{
    struct gw_reader *reader = played_reader();
    reader->events->on_flush(reader);
}

static inline void tells_end(void)
{
    assert_false(played_reader()->paused);
    struct gw_reader *reader = played_detach();
    reader->events->on_end(reader);
}

static inline void tells_fail(enum gw_error error)
{
    struct gw_reader *reader = played_detach();
    reader->events->on_fail(reader, error);
}

static inline void tells_released(bool may_share_another)
{
    struct gw_reader *reader = played_detach();
    reader->may_share_another = may_share_another;
    reader->events->on_released(reader);
}

static inline void tells_entry(struct gw_entry *entry, enum gw_fetch_source source)
{
    struct gw_reader *reader = played_detach();
    reader->events->on_entry(reader, entry, source);
}

static inline void wants_body(void)
{
    struct gw_reader *reader = played_reader();
    reader->events->on_want_body(reader);
}

#endif
