#include "cache/frame.h"

#include <stdlib.h>
#include "cache/vary.h"
#include "cache/xxh64.h"
#include "http/grammar.h"

static const char magic[4] = { 'G', 'W', 'C', '1' };

enum { /* offsets; redis/README.md */
       KIND_AT = 4,
       ZERO_AT = 5,
       VERSION_AT = 8,
       LIFE_AT = 16,
       ZERO2_AT = 20,
       CHECK_AT = 24,
       CHECKED_AT = 32,
       AGE_AT = 32,
       FRESHNESS_AT = 36,
       STATUS_AT = 48,
       FIELDS_AT = 50,
       SELECTION_AT = 52,
       NAMED_AT = 54,
       FLAGS_AT = 56,
       REASON_AT = 58,
       URL_AT = 60,
       TAGS_AT = 64,
       BODY_AT = 68,
       TEXT_AT = 72,
       FIELD_BYTES = 6,    /* its two lengths */
       LEAST_STATUS = 200, /* of what can be stored: a final answer */
       MOST_STATUS = 999,
};
#define ABSENT UINT32_MAX /* length of a value that is not there */

/* ---- reading ---- */

static uint64_t number_at(struct gw_slice value, size_t at, unsigned bytes)
{
    return gw_xxh64_read((const uint8_t *)value.at + at, bytes);
}

static uint64_t check_of(const char *value, size_t length)
{
    return gw_xxh64(value + CHECKED_AT, length - CHECKED_AT, gw_xxh64_read((const uint8_t *)value + VERSION_AT, 8));
}

bool gw_frame_read_version(struct gw_slice value, uint8_t version[GW_FRAME_VERSION_BYTES])
{
    if (value.length < GW_FRAME_SHORT_BYTES || memcmp(value.at, magic, sizeof magic) != 0)
        return false;
    memcpy(version, value.at + VERSION_AT, GW_FRAME_VERSION_BYTES);
    return true;
}

static enum gw_frame_kind kind_of(struct gw_slice value)
{
    switch (value.at[KIND_AT]) {
    case 'F':
        return value.length >= TEXT_AT ? GW_FRAME_RESPONSE : GW_FRAME_CORRUPT;
    case 'T':
        return value.length == GW_FRAME_SHORT_BYTES ? GW_FRAME_TOMBSTONE : GW_FRAME_CORRUPT;
    case 'M':
        return value.length == GW_FRAME_SHORT_BYTES ? GW_FRAME_MARK : GW_FRAME_CORRUPT;
    default:
        return GW_FRAME_CORRUPT;
    }
}

void gw_frame_read(struct gw_frame *frame, struct gw_slice value)
{
    *frame = (struct gw_frame) { .kind = GW_FRAME_FOREIGN };
    if (!gw_frame_read_version(value, frame->version))
        return;
    frame->kind = GW_FRAME_CORRUPT;
    uint64_t life_ms = number_at(value, LIFE_AT, 4);
    if (number_at(value, ZERO_AT, 3) || number_at(value, ZERO2_AT, 4) || life_ms < 1 ||
        life_ms > (uint64_t)GW_FRAME_LIFE_MAX_MS || number_at(value, CHECK_AT, 8) != check_of(value.at, value.length))
        return;
    frame->kind = kind_of(value);
    frame->life_ms = (int64_t)life_ms;
    frame->age_s = (int64_t)number_at(value, AGE_AT, 4);
    frame->freshness_s = (int64_t)number_at(value, FRESHNESS_AT, 4);
}

int64_t gw_frame_elapsed_ms(const struct gw_frame *frame, int64_t left_ms)
{
    return left_ms < 0 || left_ms > frame->life_ms ? -1 : frame->life_ms - left_ms;
}

struct cursor {
    struct gw_slice rest;
    bool is_broken;
};

static struct gw_slice take(struct cursor *cursor, uint64_t length)
{
    struct gw_slice taken = { cursor->rest.at, (size_t)length };
    if (length > cursor->rest.length) {
        cursor->is_broken = true;
        return GW_SLICE("");
    }
    cursor->rest.at += length;
    cursor->rest.length -= (size_t)length;
    return taken;
}

static uint64_t take_number(struct cursor *cursor, unsigned bytes)
{
    struct gw_slice taken = take(cursor, bytes);
    return cursor->is_broken ? 0 : number_at(taken, 0, bytes);
}

/* A value that is not there has at == NULL. */
static struct gw_field take_field(struct cursor *cursor)
{
    uint64_t name_length = take_number(cursor, 2), value_length = take_number(cursor, 4);
    struct gw_field field = { .name = take(cursor, name_length) };
    field.value = value_length == ABSENT ? GW_NO_SLICE : take(cursor, value_length);
    if (!gw_grammar_is_token(field.name) || !gw_grammar_is_field_value(field.value))
        cursor->is_broken = true;
    return field;
}

/* What a frame's bytes say, as views of them. */
struct parts {
    struct gw_field fields[GW_FRAME_FIELDS];
    struct gw_head response, selection; /* both in fields */
    unsigned named;
    struct gw_slice url, body;
};

/* Without an arena: there is room. */
static void add_field(struct gw_head *head, struct gw_slice name, struct gw_slice value)
{
    if (!gw_head_add(head, NULL, name, value))
        abort();
}

static void read_response(struct parts *parts, struct cursor *cursor, unsigned count)
{
    parts->response.fields = parts->fields;
    parts->response.capacity = count;
    for (unsigned i = 0; i < count && !cursor->is_broken; i++) {
        struct gw_field field = take_field(cursor);
        if (!field.value.at)
            cursor->is_broken = true;
        add_field(&parts->response, field.name, field.value);
    }
}

static void read_selection(struct parts *parts, struct cursor *cursor, unsigned count)
{
    parts->selection.fields = parts->fields + parts->response.capacity;
    parts->selection.capacity = count;
    for (unsigned i = 0; i < count && !cursor->is_broken; i++) {
        struct gw_field field = take_field(cursor);
        add_field(&parts->selection, field.name, field.value);
    }
}

static bool read_parts(struct parts *parts, struct gw_slice value)
{
    struct cursor cursor = { .rest = gw_slice_of(value.at + TEXT_AT, value.length - TEXT_AT) };
    unsigned fields = (unsigned)number_at(value, FIELDS_AT, 2), selected = (unsigned)number_at(value, SELECTION_AT, 2);
    uint64_t status = number_at(value, STATUS_AT, 2);
    gw_head_init(&parts->response);
    gw_head_init(&parts->selection);
    parts->named = (unsigned)number_at(value, NAMED_AT, 2);
    if (status < LEAST_STATUS || status > MOST_STATUS || number_at(value, FLAGS_AT, 2) || parts->named > selected ||
        fields + selected > GW_FRAME_FIELDS)
        return false;
    parts->response.status = (int)status;
    parts->response.reason = take(&cursor, number_at(value, REASON_AT, 2));
    parts->url = take(&cursor, number_at(value, URL_AT, 4));
    take(&cursor, number_at(value, TAGS_AT, 4));
    read_response(parts, &cursor, fields);
    read_selection(parts, &cursor, selected);
    parts->body = take(&cursor, number_at(value, BODY_AT, 4));
    return !cursor.is_broken && !cursor.rest.length && gw_grammar_is_field_value(parts->response.reason);
}

/* A request that selects this response: each field of the selection once, however often Vary names it. */
static void make_request(struct gw_head *request, struct gw_field *fields, const struct parts *parts)
{
    const char *question = memchr(parts->url.at, '?', parts->url.length);
    gw_head_init(request);
    request->fields = fields;
    request->capacity = parts->selection.count;
    request->path = parts->url;
    if (question) {
        request->path.length = (size_t)(question - parts->url.at);
        request->query = gw_slice_of(question + 1, parts->url.length - request->path.length - 1);
    }
    for (unsigned i = 0; i < parts->selection.count; i++) {
        const struct gw_field *field = &parts->selection.fields[i];
        if (field->value.at && !gw_head_find_named(request, field->name))
            add_field(request, field->name, field->value);
    }
}

static bool is_as_selected(const struct gw_entry *entry, const struct parts *parts)
{
    return !entry->vary_any && entry->vary_named == parts->named &&
           gw_vary_same(&entry->vary_values, &parts->selection);
}

bool gw_frame_decode(struct gw_slice value, const struct gw_frame *frame, const struct gw_cache_key *key,
                     int64_t elapsed_ms, uint64_t now_us, struct gw_entry **entry)
{
    struct parts parts;
    struct gw_field fields[GW_FRAME_FIELDS];
    struct gw_head request;
    struct gw_block *body = NULL;
    *entry = NULL;
    if (!read_parts(&parts, value))
        return false;
    make_request(&request, fields, &parts);
    if (parts.body.length) {
        body = gw_block_create(parts.body.length);
        if (!body)
            return true;
        memcpy(body->bytes, parts.body.at, parts.body.length);
    }
    /* The part of a second goes back in time, no more: this machine may have been started after the storing. */
    uint64_t part_us = (uint64_t)(elapsed_ms % 1000) * 1000;
    struct gw_cache_life life = { .age_s = frame->age_s + elapsed_ms / 1000, .freshness_s = frame->freshness_s };
    *entry = gw_entry_create(key, &request, &parts.response, body, parts.body.length, &life,
                             now_us > part_us ? now_us - part_us : 0);
    gw_block_drop(body);
    if (*entry && !is_as_selected(*entry, &parts)) {
        gw_entry_drop(*entry);
        *entry = NULL;
        return false;
    }
    return true;
}

/* ---- writing ---- */

int64_t gw_frame_life_ms(const struct gw_entry *entry, uint64_t now_us)
{
    uint64_t since_ms = now_us > entry->stored_at_us ? (now_us - entry->stored_at_us) / 1000 : 0;
    int64_t fresh_s = entry->freshness_s - entry->age_s;
    if (fresh_s <= 0 || since_ms >= (uint64_t)fresh_s * 1000)
        return 0;
    uint64_t life_ms = (uint64_t)fresh_s * 1000 - since_ms;
    return life_ms < (uint64_t)GW_FRAME_LIFE_MAX_MS ? (int64_t)life_ms : GW_FRAME_LIFE_MAX_MS;
}

static void put_number(char *at, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (char)(unsigned char)(number >> 8 * i);
}

static char *put_bytes(char *at, struct gw_slice bytes)
{
    if (bytes.length)
        memcpy(at, bytes.at, bytes.length);
    return at + bytes.length;
}

static char *put_lower(char *at, struct gw_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        *at++ = (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] | 0x20 : text.at[i]);
    return at;
}

static uint64_t up_to_u32(int64_t seconds)
{
    return seconds < 0 ? 0 : seconds < (int64_t)UINT32_MAX ? (uint64_t)seconds : UINT32_MAX;
}

/* The header, but for the check: it is of what follows. */
static void put_header(char *value, char kind, const uint8_t *version, int64_t life_ms)
{
    memset(value, 0, GW_FRAME_SHORT_BYTES);
    memcpy(value, magic, sizeof magic);
    value[KIND_AT] = kind;
    memcpy(value + VERSION_AT, version, GW_FRAME_VERSION_BYTES);
    put_number(value + LIFE_AT, (uint64_t)life_ms, 4);
}

static void put_check(char *value, size_t length)
{
    put_number(value + CHECK_AT, check_of(value, length), 8);
}

/* Adds what the fields take; false where a length does not fit. */
static bool measure_fields(const struct gw_head *head, size_t *bytes)
{
    for (unsigned i = 0; i < head->count; i++) {
        const struct gw_field *field = &head->fields[i];
        if (field->name.length > UINT16_MAX || field->value.length >= ABSENT)
            return false;
        *bytes += FIELD_BYTES + field->name.length + field->value.length;
    }
    return true;
}

static size_t measure(const struct gw_entry *entry)
{
    size_t bytes = TEXT_AT + entry->head.reason.length + entry->url.length + entry->body_bytes;
    bool fits = entry->head.count + entry->vary_values.count <= GW_FRAME_FIELDS &&
                entry->head.reason.length <= UINT16_MAX && entry->url.length <= UINT32_MAX &&
                entry->body_bytes <= UINT32_MAX && measure_fields(&entry->head, &bytes) &&
                measure_fields(&entry->vary_values, &bytes);
    return fits ? bytes : 0;
}

static char *put_fields(char *at, const struct gw_head *head, char *(*put_name)(char *at, struct gw_slice text))
{
    for (unsigned i = 0; i < head->count; i++) {
        const struct gw_field *field = &head->fields[i];
        put_number(at, field->name.length, 2);
        put_number(at + 2, field->value.at ? field->value.length : ABSENT, 4);
        at = put_bytes(put_name(at + FIELD_BYTES, field->name), field->value);
    }
    return at;
}

static void put_response(char *value, const struct gw_entry *entry)
{
    memset(value + GW_FRAME_SHORT_BYTES, 0, TEXT_AT - GW_FRAME_SHORT_BYTES);
    put_number(value + STATUS_AT, (uint64_t)entry->head.status, 2);
    put_number(value + FIELDS_AT, entry->head.count, 2);
    put_number(value + SELECTION_AT, entry->vary_values.count, 2);
    put_number(value + NAMED_AT, entry->vary_named, 2);
    put_number(value + REASON_AT, entry->head.reason.length, 2);
    put_number(value + URL_AT, entry->url.length, 4);
    put_number(value + BODY_AT, entry->body_bytes, 4);
    char *at = put_bytes(value + TEXT_AT, entry->head.reason);
    at = put_bytes(at, entry->url);
    at = put_fields(at, &entry->head, put_bytes);
    at = put_fields(at, &entry->vary_values, put_lower);
    if (entry->body_bytes)
        memcpy(at, entry->body->bytes, entry->body_bytes);
}

struct gw_block *gw_frame_encode(const struct gw_entry *entry, const uint8_t version[GW_FRAME_VERSION_BYTES],
                                 int64_t life_ms, int64_t age_s)
{
    size_t bytes = measure(entry);
    struct gw_block *block = bytes ? gw_block_create(bytes) : NULL;
    if (!block)
        return NULL;
    put_header(block->bytes, 'F', version, life_ms);
    put_number(block->bytes + AGE_AT, up_to_u32(age_s), 4);
    put_number(block->bytes + FRESHNESS_AT, up_to_u32(entry->freshness_s), 4);
    put_response(block->bytes, entry);
    put_check(block->bytes, bytes);
    return block;
}

void gw_frame_encode_tombstone(char value[GW_FRAME_SHORT_BYTES], const uint8_t version[GW_FRAME_VERSION_BYTES],
                               int64_t life_ms)
{
    put_header(value, 'T', version, life_ms);
    put_check(value, GW_FRAME_SHORT_BYTES);
}

void gw_frame_encode_mark(char value[GW_FRAME_SHORT_BYTES], const uint8_t version[GW_FRAME_VERSION_BYTES],
                          int64_t life_ms)
{
    put_header(value, 'M', version, life_ms);
    put_number(value + FRESHNESS_AT, up_to_u32((life_ms + 999) / 1000), 4);
    put_check(value, GW_FRAME_SHORT_BYTES);
}
