#include "cache/frame.h"

#include <stdlib.h>
#include <xxhash.h>
#include "cache/vary.h"
#include "http/grammar.h"

static const char magic[4] = { 'G', 'W', 'C', '2' };

/* Offsets; redis/README.md. */
enum {
    KIND_AT = 4,
    ZERO_AT = 5,
    VERSION_AT = 8,
    LIFE_AT = 16,
    ZERO2_AT = 20,
    CHECK_AT = 24,
    CHECKED_AT = 32,
    AGE_AT = 32,
    FRESHNESS_AT = 36,
    NAMES_AT = 40, /* of an index */
    LIST_AT = 42,
    BANS_AT = 40, /* of a frame */
    STATUS_AT = 48,
    FIELDS_AT = 50,
    SELECTION_AT = 52,
    NAMED_AT = 54,
    FLAGS_AT = 56,
    REASON_AT = 58,
    URL_AT = 60,
    TAGS_AT = 64,
    BODY_AT = 68,
    REVALIDATE_AT = 72,
    ON_ERROR_AT = 76,
    WINDOW_AT = 80,
    ZERO3_AT = 84,
    GENERATION_AT = 88,
    TEXT_AT = 96,
    FIELD_BYTES = 6,    /* its two lengths */
    LEAST_STATUS = 200, /* of what can be stored: a final answer */
    MOST_STATUS = 999,
};
#define ABSENT UINT32_MAX /* length of a value that is not there */

/* A flag that is not known makes a frame corrupt. */
enum {
    FOR_AUTHORIZATION = 1,
    IS_EXPLICIT = 2,
    MUST_VALIDATE = 4,
    NO_STALE = 8,
    HAS_VALIDATOR = 16,
    KEEPS_SET_COOKIE = 32,
    ALL_FLAGS = 63,
};

/* ---- reading ---- */

uint64_t gw_frame_check(const void *bytes, size_t length, uint64_t seed)
{
    return XXH64(bytes, length, seed);
}

uint64_t gw_frame_read_number(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static uint64_t frame_number_at(struct gw_slice value, size_t at, unsigned bytes)
{
    return gw_frame_read_number((const uint8_t *)value.at + at, bytes);
}

/* Of the bytes before `end`. */
static uint64_t frame_check_of(const char *value, size_t end)
{
    return gw_frame_check(value + CHECKED_AT, end - CHECKED_AT,
                          gw_frame_read_number((const uint8_t *)value + VERSION_AT, 8));
}

bool gw_frame_read_version(struct gw_slice value, uint8_t version[GW_FRAME_VERSION_BYTES])
{
    if (value.length < GW_FRAME_SHORT_BYTES || memcmp(value.at, magic, sizeof magic) != 0)
        return false;
    memcpy(version, value.at + VERSION_AT, GW_FRAME_VERSION_BYTES);
    return true;
}

/* Up to where the check covers it; 0: it cannot be such a value. */
static size_t frame_checked_end(enum gw_frame_kind kind, struct gw_slice value)
{
    switch (kind) {
    case GW_FRAME_RESPONSE:
        return value.length >= TEXT_AT ? value.length : 0;
    case GW_FRAME_TOMBSTONE:
    case GW_FRAME_MARK:
        return value.length == GW_FRAME_SHORT_BYTES ? value.length : 0;
    case GW_FRAME_INDEX: {
        size_t names = value.length >= LIST_AT ? (size_t)frame_number_at(value, NAMES_AT, 2) : SIZE_MAX;
        if (names > GW_FRAME_NAMES_BYTES || names > value.length - LIST_AT)
            return 0;
        size_t list = value.length - LIST_AT - names;
        bool is_list = list % GW_FRAME_VARIANT_BYTES == 0 && list / GW_FRAME_VARIANT_BYTES <= GW_FRAME_VARIANTS;
        return is_list ? LIST_AT + names : 0;
    }
    default:
        return 0;
    }
}

static bool frame_is_lower_token(struct gw_slice name)
{
    for (size_t i = 0; i < name.length; i++)
        if (name.at[i] >= 'A' && name.at[i] <= 'Z')
            return false;
    return gw_grammar_is_token(name);
}

/* The name up to the next comma; *rest.at is NULL behind the last. */
static struct gw_slice frame_take_list_name(struct gw_slice *rest)
{
    const char *comma = memchr(rest->at, ',', rest->length);
    struct gw_slice name = comma ? gw_slice_of(rest->at, (size_t)(comma - rest->at)) : *rest;
    *rest = comma ? gw_slice_of(comma + 1, rest->length - name.length - 1) : GW_NO_SLICE;
    return name;
}

/* Of as many names as a response could have. */
static bool frame_are_names(struct gw_slice names)
{
    struct gw_slice known[GW_VARY_NAMES], rest = names;
    for (unsigned count = 0; names.length && rest.at; count++) {
        struct gw_slice name = frame_take_list_name(&rest);
        if (count == GW_VARY_NAMES || !frame_is_lower_token(name))
            return false;
        for (unsigned i = 0; i < count; i++)
            if (gw_slice_equal(known[i], name))
                return false;
        known[count] = name;
    }
    return true;
}

static bool frame_read_index(struct gw_frame *frame, struct gw_slice value, size_t end)
{
    frame->names = gw_slice_of(value.at + LIST_AT, end - LIST_AT);
    frame->variants = gw_slice_of(value.at + end, value.length - end);
    return frame_are_names(frame->names);
}

void gw_frame_read(struct gw_frame *frame, struct gw_slice value)
{
    *frame = (struct gw_frame) { .kind = GW_FRAME_FOREIGN };
    if (!gw_frame_read_version(value, frame->version))
        return;
    frame->kind = GW_FRAME_CORRUPT;
    char letter = value.at[KIND_AT];
    enum gw_frame_kind kind = letter == 'F'   ? GW_FRAME_RESPONSE
                              : letter == 'T' ? GW_FRAME_TOMBSTONE
                              : letter == 'M' ? GW_FRAME_MARK
                              : letter == 'I' ? GW_FRAME_INDEX
                                              : GW_FRAME_CORRUPT;
    uint64_t life_ms = frame_number_at(value, LIFE_AT, 4);
    size_t end = frame_checked_end(kind, value);
    struct gw_frame read = *frame;
    if (!end || frame_number_at(value, ZERO_AT, 3) || frame_number_at(value, ZERO2_AT, 4) || life_ms < 1 ||
        life_ms > (uint64_t)GW_FRAME_LIFE_MAX_MS ||
        frame_number_at(value, CHECK_AT, 8) != frame_check_of(value.at, end))
        return;
    read.kind = kind;
    read.life_ms = (int64_t)life_ms;
    read.age_s = (int64_t)frame_number_at(value, AGE_AT, 4);
    read.freshness_s = (int64_t)frame_number_at(value, FRESHNESS_AT, 4);
    if (kind == GW_FRAME_INDEX && !frame_read_index(&read, value, end))
        return;
    if (kind == GW_FRAME_RESPONSE)
        memcpy(read.generation, value.at + GENERATION_AT, GW_FRAME_VERSION_BYTES);
    *frame = read;
}

int64_t gw_frame_elapsed_ms(const struct gw_frame *frame, int64_t left_ms)
{
    return left_ms < 0 || left_ms > frame->life_ms ? -1 : frame->life_ms - left_ms;
}

struct cursor {
    struct gw_slice rest;
    bool is_broken;
};

static struct gw_slice frame_take(struct cursor *cursor, uint64_t length)
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

static uint64_t frame_take_number(struct cursor *cursor, unsigned bytes)
{
    struct gw_slice taken = frame_take(cursor, bytes);
    return cursor->is_broken ? 0 : frame_number_at(taken, 0, bytes);
}

/* A value that is not there has at == NULL. */
static struct gw_field frame_take_field(struct cursor *cursor)
{
    uint64_t name_length = frame_take_number(cursor, 2), value_length = frame_take_number(cursor, 4);
    struct gw_field field = { .name = frame_take(cursor, name_length) };
    field.value = value_length == ABSENT ? GW_NO_SLICE : frame_take(cursor, value_length);
    if (!gw_grammar_is_token(field.name) || !gw_grammar_is_field_value(field.value))
        cursor->is_broken = true;
    return field;
}

/* What a frame's bytes say, as views of them. */
struct parts {
    struct gw_field fields[GW_FRAME_FIELDS];
    struct gw_head response, selection; /* both in fields */
    unsigned named;
    struct gw_slice url, tags, body;
    struct gw_slice scheme, host, path, query; /* of the url */
    struct gw_cache_terms terms;
};

/* Without an arena: there is room. */
static void frame_add_field(struct gw_head *head, struct gw_slice name, struct gw_slice value)
{
    if (!gw_head_add(head, NULL, name, value))
        abort();
}

static void frame_read_response(struct parts *parts, struct cursor *cursor, unsigned count)
{
    parts->response.fields = parts->fields;
    parts->response.capacity = count;
    for (unsigned i = 0; i < count && !cursor->is_broken; i++) {
        struct gw_field field = frame_take_field(cursor);
        if (!field.value.at)
            cursor->is_broken = true;
        frame_add_field(&parts->response, field.name, field.value);
    }
}

static void frame_read_selection(struct parts *parts, struct cursor *cursor, unsigned count)
{
    parts->selection.fields = parts->fields + parts->response.capacity;
    parts->selection.capacity = count;
    for (unsigned i = 0; i < count && !cursor->is_broken; i++) {
        struct gw_field field = frame_take_field(cursor);
        if (!frame_is_lower_token(field.name))
            cursor->is_broken = true;
        frame_add_field(&parts->selection, field.name, field.value);
    }
}

static bool frame_read_terms(struct gw_cache_terms *terms, struct gw_slice value)
{
    uint64_t flags = frame_number_at(value, FLAGS_AT, 2);
    *terms = (struct gw_cache_terms) {
        .for_authorization = (flags & FOR_AUTHORIZATION) != 0,
        .is_explicit = (flags & IS_EXPLICIT) != 0,
        .must_validate = (flags & MUST_VALIDATE) != 0,
        .no_stale = (flags & NO_STALE) != 0,
        .has_validator = (flags & HAS_VALIDATOR) != 0,
        .keeps_set_cookie = (flags & KEEPS_SET_COOKIE) != 0,
        .stale_while_revalidate_s = (int64_t)frame_number_at(value, REVALIDATE_AT, 4),
        .stale_if_error_s = (int64_t)frame_number_at(value, ON_ERROR_AT, 4),
        .window_s = (int64_t)frame_number_at(value, WINDOW_AT, 4),
    };
    return (flags & ~(uint64_t)ALL_FLAGS) == 0 && frame_number_at(value, ZERO3_AT, 4) == 0;
}

/* scheme "://" [ host ] path [ "?" query ], as gw_entry_create writes it. */
static bool frame_split_url(struct parts *parts)
{
    struct gw_slice rest = parts->url;
    const char *colon = memchr(rest.at, ':', rest.length);
    if (!colon || !gw_slice_starts_with(gw_slice_of(colon, (size_t)(rest.at + rest.length - colon)), GW_SLICE("://")))
        return false;
    parts->scheme = gw_slice_of(rest.at, (size_t)(colon - rest.at));
    rest = gw_slice_of(colon + 3, rest.length - parts->scheme.length - 3);
    const char *slash = memchr(rest.at, '/', rest.length);
    if (!slash)
        return false;
    parts->host = gw_slice_of(rest.at, (size_t)(slash - rest.at));
    rest = gw_slice_of(slash, rest.length - parts->host.length);
    return frame_is_lower_token(parts->scheme) && (!parts->host.length || gw_grammar_is_authority(parts->host)) &&
           gw_grammar_split_origin_form(rest, &parts->path, &parts->query);
}

/* As gw_entry_create writes them. */
static bool frame_are_tags(struct gw_slice tags)
{
    unsigned count = tags.length ? 1 : 0;
    bool after_space = true;
    for (size_t i = 0; i < tags.length; i++) {
        bool is_space = tags.at[i] == ' ';
        if ((is_space && after_space) || tags.at[i] == '\t')
            return false;
        count += is_space;
        after_space = is_space;
    }
    return tags.length <= GW_ENTRY_TAG_BYTES && count <= GW_ENTRY_TAGS && (!tags.length || !after_space) &&
           gw_grammar_is_field_value(tags);
}

static bool frame_read_parts(struct parts *parts, struct gw_slice value)
{
    struct cursor cursor = { .rest = gw_slice_of(value.at + TEXT_AT, value.length - TEXT_AT) };
    unsigned fields = (unsigned)frame_number_at(value, FIELDS_AT, 2),
             selected = (unsigned)frame_number_at(value, SELECTION_AT, 2);
    uint64_t status = frame_number_at(value, STATUS_AT, 2);
    gw_head_init(&parts->response);
    gw_head_init(&parts->selection);
    parts->named = (unsigned)frame_number_at(value, NAMED_AT, 2);
    if (status < LEAST_STATUS || status > MOST_STATUS || parts->named > selected ||
        fields + selected > GW_FRAME_FIELDS || !frame_read_terms(&parts->terms, value))
        return false;
    parts->response.status = (int)status;
    parts->response.reason = frame_take(&cursor, frame_number_at(value, REASON_AT, 2));
    parts->url = frame_take(&cursor, frame_number_at(value, URL_AT, 4));
    parts->tags = frame_take(&cursor, frame_number_at(value, TAGS_AT, 4));
    frame_read_response(parts, &cursor, fields);
    frame_read_selection(parts, &cursor, selected);
    parts->body = frame_take(&cursor, frame_number_at(value, BODY_AT, 4));
    return !cursor.is_broken && !cursor.rest.length && gw_grammar_is_field_value(parts->response.reason) &&
           frame_split_url(parts) && frame_are_tags(parts->tags);
}

static struct gw_entry *frame_make_entry(struct gw_slice value, const struct gw_frame *frame, const struct parts *parts,
                                         const struct gw_cache_key *key, struct gw_block *body, int64_t elapsed_ms,
                                         uint64_t now_us)
{
    /* A request that selects this response. */
    struct gw_field fields[GW_FRAME_FIELDS];
    struct gw_head request;
    gw_head_init(&request);
    request.fields = fields;
    request.capacity = parts->selection.count;
    request.path = parts->path;
    request.query = parts->query;
    request.origin_selects = true;
    for (unsigned i = 0; i < parts->selection.count; i++) {
        const struct gw_field *field = &parts->selection.fields[i];
        if (field->value.at)
            frame_add_field(&request, field->name, field->value);
        if (field->id == GW_FIELD_ORIGIN && i < parts->named)
            request.origin_selects = false; /* by Vary alone */
    }
    /* The part of a second goes back in time, no more: this machine may have been started after the storing. */
    uint64_t part_us = (uint64_t)(elapsed_ms % 1000) * 1000;
    struct gw_cache_life life = { frame->age_s + elapsed_ms / 1000, frame->freshness_s, parts->terms };
    struct gw_entry_setup setup = {
        .key = key,
        .scheme = parts->scheme,
        .host = parts->host,
        .request = &request,
        .response = &parts->response,
        .tags = parts->tags,
        .body = body,
        .body_bytes = parts->body.length,
        .life = &life,
        .ban_sequence = frame_number_at(value, BANS_AT, 8),
        .now_us = now_us > part_us ? now_us - part_us : 0,
    };
    return gw_entry_create(&setup);
}

bool gw_frame_decode(struct gw_slice value, const struct gw_frame *frame, const struct gw_cache_key *key,
                     int64_t elapsed_ms, uint64_t now_us, struct gw_entry **entry)
{
    struct parts parts;
    struct gw_block *body = NULL;
    *entry = NULL;
    if (!frame_read_parts(&parts, value))
        return false;
    if (parts.body.length) {
        body = gw_block_create(parts.body.length);
        if (!body)
            return true;
        memcpy(body->bytes, parts.body.at, parts.body.length);
    }
    *entry = frame_make_entry(value, frame, &parts, key, body, elapsed_ms, now_us);
    gw_block_unref(body);
    const struct gw_entry *made = *entry; /* what was written must be what would be written again */
    bool is_as_read = made && !made->vary_any && made->vary_named == parts.named &&
                      gw_vary_same(&made->vary_values, &parts.selection) && made->head.count == parts.response.count &&
                      gw_slice_equal(made->url, parts.url);
    if (made && !is_as_read) {
        gw_entry_unref(*entry);
        *entry = NULL;
        return false;
    }
    return true;
}

/* ---- writing ---- */

int64_t gw_frame_life_ms(const struct gw_entry *entry, uint64_t now_us)
{
    uint64_t since_ms = now_us > entry->stored_at_us ? (now_us - entry->stored_at_us) / 1000 : 0;
    int64_t left_s = entry->freshness_s + entry->terms.window_s - entry->age_s;
    if (left_s <= 0 || since_ms >= (uint64_t)left_s * 1000)
        return 0;
    uint64_t life_ms = (uint64_t)left_s * 1000 - since_ms;
    return life_ms < (uint64_t)GW_FRAME_LIFE_MAX_MS ? (int64_t)life_ms : GW_FRAME_LIFE_MAX_MS;
}

static void frame_put_number(char *at, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (char)(unsigned char)(number >> 8 * i);
}

static char *frame_put_bytes(char *at, struct gw_slice bytes)
{
    if (bytes.length)
        memcpy(at, bytes.at, bytes.length);
    return at + bytes.length;
}

static uint64_t frame_up_to_u32(int64_t seconds)
{
    return seconds < 0 ? 0 : seconds < (int64_t)UINT32_MAX ? (uint64_t)seconds : UINT32_MAX;
}

/* The header, but for the check: it is of what follows. */
static void frame_put_header(char *value, char kind, const uint8_t *version, int64_t life_ms)
{
    memset(value, 0, GW_FRAME_SHORT_BYTES);
    memcpy(value, magic, sizeof magic);
    value[KIND_AT] = kind;
    memcpy(value + VERSION_AT, version, GW_FRAME_VERSION_BYTES);
    frame_put_number(value + LIFE_AT, (uint64_t)life_ms, 4);
}

static void frame_put_check(char *value, size_t length)
{
    frame_put_number(value + CHECK_AT, frame_check_of(value, length), 8);
}

/* Adds what the fields take; false where a length does not fit. */
static bool frame_measure_fields(const struct gw_head *head, size_t *bytes)
{
    for (unsigned i = 0; i < head->count; i++) {
        const struct gw_field *field = &head->fields[i];
        if (field->name.length > UINT16_MAX || field->value.length >= ABSENT)
            return false;
        *bytes += FIELD_BYTES + field->name.length + field->value.length;
    }
    return true;
}

static size_t frame_measure(const struct gw_entry *entry)
{
    size_t bytes = TEXT_AT + entry->head.reason.length + entry->url.length + entry->tags.length + entry->body_bytes;
    bool fits = entry->head.count + entry->vary_values.count <= GW_FRAME_FIELDS &&
                entry->head.reason.length <= UINT16_MAX && entry->url.length <= UINT32_MAX &&
                entry->body_bytes <= UINT32_MAX && frame_measure_fields(&entry->head, &bytes) &&
                frame_measure_fields(&entry->vary_values, &bytes);
    return fits ? bytes : 0;
}

static char *frame_put_fields(char *at, const struct gw_head *head)
{
    for (unsigned i = 0; i < head->count; i++) {
        const struct gw_field *field = &head->fields[i];
        frame_put_number(at, field->name.length, 2);
        frame_put_number(at + 2, field->value.at ? field->value.length : ABSENT, 4);
        at = frame_put_bytes(frame_put_bytes(at + FIELD_BYTES, field->name), field->value);
    }
    return at;
}

static void frame_put_response(char *value, const struct gw_entry *entry)
{
    const struct gw_cache_terms *terms = &entry->terms;
    unsigned flags = (terms->for_authorization ? FOR_AUTHORIZATION : 0) | (terms->is_explicit ? IS_EXPLICIT : 0) |
                     (terms->must_validate ? MUST_VALIDATE : 0) | (terms->no_stale ? NO_STALE : 0) |
                     (terms->has_validator ? HAS_VALIDATOR : 0) | (terms->keeps_set_cookie ? KEEPS_SET_COOKIE : 0);
    frame_put_number(value + BANS_AT, entry->ban_sequence, 8);
    frame_put_number(value + STATUS_AT, (uint64_t)entry->head.status, 2);
    frame_put_number(value + FIELDS_AT, entry->head.count, 2);
    frame_put_number(value + SELECTION_AT, entry->vary_values.count, 2);
    frame_put_number(value + NAMED_AT, entry->vary_named, 2);
    frame_put_number(value + FLAGS_AT, flags, 2);
    frame_put_number(value + REVALIDATE_AT, frame_up_to_u32(terms->stale_while_revalidate_s), 4);
    frame_put_number(value + ON_ERROR_AT, frame_up_to_u32(terms->stale_if_error_s), 4);
    frame_put_number(value + WINDOW_AT, frame_up_to_u32(terms->window_s), 4);
    frame_put_number(value + REASON_AT, entry->head.reason.length, 2);
    frame_put_number(value + URL_AT, entry->url.length, 4);
    frame_put_number(value + TAGS_AT, entry->tags.length, 4);
    frame_put_number(value + BODY_AT, entry->body_bytes, 4);
    frame_put_number(value + ZERO3_AT, 0, 4);
    char *at = frame_put_bytes(value + TEXT_AT, entry->head.reason);
    at = frame_put_bytes(at, entry->url);
    at = frame_put_bytes(at, entry->tags);
    at = frame_put_fields(at, &entry->head);
    at = frame_put_fields(at, &entry->vary_values);
    if (entry->body_bytes)
        memcpy(at, entry->body->bytes, entry->body_bytes);
}

struct gw_block *gw_frame_encode(const struct gw_entry *entry, const uint8_t version[GW_FRAME_VERSION_BYTES],
                                 const uint8_t generation[GW_FRAME_VERSION_BYTES], int64_t life_ms, int64_t age_s)
{
    size_t bytes = frame_measure(entry);
    struct gw_block *block = bytes ? gw_block_create(bytes) : NULL;
    if (!block)
        return NULL;
    frame_put_header(block->bytes, 'F', version, life_ms);
    frame_put_number(block->bytes + AGE_AT, frame_up_to_u32(age_s), 4);
    frame_put_number(block->bytes + FRESHNESS_AT, frame_up_to_u32(entry->freshness_s), 4);
    memcpy(block->bytes + GENERATION_AT, generation, GW_FRAME_VERSION_BYTES);
    frame_put_response(block->bytes, entry);
    frame_put_check(block->bytes, bytes);
    return block;
}

size_t gw_frame_encode_index(char value[GW_FRAME_SHORT_BYTES + 2 + GW_FRAME_NAMES_BYTES],
                             const uint8_t version[GW_FRAME_VERSION_BYTES], int64_t life_ms, struct gw_slice names)
{
    size_t bytes = LIST_AT + names.length;
    if (names.length > GW_FRAME_NAMES_BYTES)
        return 0;
    frame_put_header(value, 'I', version, life_ms);
    frame_put_number(value + NAMES_AT, names.length, 2);
    frame_put_bytes(value + LIST_AT, names);
    frame_put_check(value, bytes);
    return bytes;
}

void gw_frame_encode_tombstone(char value[GW_FRAME_SHORT_BYTES], const uint8_t version[GW_FRAME_VERSION_BYTES],
                               int64_t life_ms)
{
    frame_put_header(value, 'T', version, life_ms);
    frame_put_check(value, GW_FRAME_SHORT_BYTES);
}

void gw_frame_encode_mark(char value[GW_FRAME_SHORT_BYTES], const uint8_t version[GW_FRAME_VERSION_BYTES],
                          int64_t life_ms, bool for_credentials)
{
    frame_put_header(value, 'M', version, life_ms);
    frame_put_number(value + AGE_AT, for_credentials, 4);
    frame_put_number(value + FRESHNESS_AT, frame_up_to_u32((life_ms + 999) / 1000), 4);
    frame_put_check(value, GW_FRAME_SHORT_BYTES);
}
