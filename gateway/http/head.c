#include "http/head.h"

#include "http/grammar.h"
#include "http/writer.h"

enum {
    LONGEST_NAME = 40, /* with its NUL, no well-known name is longer */
    NAME_SLOTS = 256,  /* slots of the table that finds a name; about half of them are used */
    FIRST_FIELDS = 16, /* enough for most messages */
};

static const struct well_known {
    char text[LONGEST_NAME];
    uint8_t length;
    bool hop_by_hop;
} names[GW_FIELD_COUNT] = {
#define ROW(NAME, name, hop) [GW_FIELD_##NAME] = { name, sizeof(name) - 1, hop },
    GW_FIELDS(ROW)
#undef ROW
};

#define FITS(NAME, name, hop) _Static_assert(sizeof(name) <= LONGEST_NAME, name " is longer than LONGEST_NAME");
GW_FIELDS(FITS)
#undef FITS

static uint64_t head_load(const char *at, size_t length)
{
    uint64_t word = 0;
    memcpy(&word, at, length);
    return word;
}

/* This bit makes a letter lower case and does not change the other bytes of well-known names (digits, '-'). A tchar
 * that becomes a byte of a well-known name was that byte or its upper case, so that comparing a folded token with a
 * well-known name is exact. */
#define FOLD UINT64_C(0x2020202020202020)

/* The first and the last four bytes are different for nearly all well-known names. */
static unsigned head_slot_of(const char *at, size_t length)
{
    uint32_t start, end;
    if (length >= 4) {
        start = (uint32_t)(head_load(at, 4) | FOLD);
        end = (uint32_t)(head_load(at + length - 4, 4) | FOLD);
    } else {
        start = length ? (uint32_t)(unsigned char)at[0] | 0x20 : 0;
        end = length ? (uint32_t)(unsigned char)at[length - 1] | 0x20 : 0;
    }
    return (uint32_t)((start * 0x9e3779b1u) ^ (end * 0x85ebca6bu) ^ (uint32_t)length * 0xc2b2ae35u) >> 24;
}

/* Filled before main from the one list of names, so that a new name needs one row only. Constant afterwards. */
static uint8_t slots[NAME_SLOTS];

__attribute__((constructor)) static void head_fill_slots(void)
{
    for (unsigned id = 1; id < GW_FIELD_COUNT; id++) {
        unsigned slot = head_slot_of(names[id].text, names[id].length);
        while (slots[slot])
            slot = (slot + 1) % NAME_SLOTS;
        slots[slot] = (uint8_t)id;
    }
}

static bool head_is_folded(const char *at, const char *lower, size_t length)
{
    if (length < 8) {
        for (size_t i = 0; i < length; i++)
            if ((at[i] | 0x20) != lower[i])
                return false;
        return true;
    }
    for (size_t i = 0; i + 8 <= length; i += 8)
        if ((head_load(at + i, 8) | FOLD) != head_load(lower + i, 8))
            return false;
    return (head_load(at + length - 8, 8) | FOLD) == head_load(lower + length - 8, 8);
}

enum gw_field_name gw_field_name_of(struct gw_slice name)
{
    if (name.length == 0 || name.length >= LONGEST_NAME)
        return GW_FIELD_OTHER;
    for (unsigned slot = head_slot_of(name.at, name.length); slots[slot]; slot = (slot + 1) % NAME_SLOTS) {
        const struct well_known *known = &names[slots[slot]];
        if (known->length == name.length && head_is_folded(name.at, known->text, name.length))
            return (enum gw_field_name)slots[slot];
    }
    return GW_FIELD_OTHER;
}

struct gw_slice gw_field_name_text(enum gw_field_name id)
{
    return gw_slice_of(names[id].text, names[id].length);
}

static const struct method {
    const char *text;
    size_t length;
    bool safe, idempotent;
} methods[GW_METHOD_COUNT] = { [GW_METHOD_OTHER] = { "_OTHER", 6, false, false },
#define ROW(NAME, safe, idempotent) [GW_METHOD_##NAME] = { #NAME, sizeof(#NAME) - 1, safe, idempotent },
                               GW_METHODS(ROW)
#undef ROW
};

/* Methods are case-sensitive (RFC 9110 §9.1). */
enum gw_method gw_method_of(struct gw_slice text)
{
    for (unsigned method = GW_METHOD_OTHER + 1; method < GW_METHOD_COUNT; method++)
        if (methods[method].length == text.length && memcmp(methods[method].text, text.at, text.length) == 0)
            return (enum gw_method)method;
    return GW_METHOD_OTHER;
}

const char *gw_method_name(enum gw_method method)
{
    return methods[method].text;
}

bool gw_method_is_safe(enum gw_method method)
{
    return methods[method].safe;
}

bool gw_method_is_idempotent(enum gw_method method)
{
    return methods[method].idempotent;
}

void gw_head_init(struct gw_head *head)
{
    *head = (struct gw_head) { .framing = GW_FRAMING_NONE };
}

bool gw_head_add(struct gw_head *head, struct gw_arena *arena, struct gw_slice name, struct gw_slice value)
{
    if (head->count == head->capacity) {
        unsigned capacity = head->capacity ? head->capacity * 2 : FIRST_FIELDS;
        size_t size = head->capacity * sizeof *head->fields;
        struct gw_field *fields = head->fields ? gw_arena_grow(arena, head->fields, size, size * 2)
                                               : gw_arena_take(arena, capacity * sizeof *fields);
        if (!fields)
            return false;
        head->fields = fields;
        head->capacity = capacity;
    }
    enum gw_field_name id = gw_field_name_of(name);
    if (!head->first[id] && head->count < GW_HEAD_INDEXED)
        head->first[id] = (uint8_t)(head->count + 1);
    head->fields[head->count++] = (struct gw_field) { .name = name, .value = value, .id = (uint8_t)id };
    return true;
}

static struct gw_field *head_find_from(const struct gw_head *head, unsigned i, enum gw_field_name id)
{
    for (; i < head->count; i++)
        if (head->fields[i].id == id && !head->fields[i].dropped)
            return &head->fields[i];
    return NULL;
}

static struct gw_field *head_find_other_from(const struct gw_head *head, unsigned i, struct gw_slice name)
{
    for (; i < head->count; i++)
        if (head->fields[i].id == GW_FIELD_OTHER && !head->fields[i].dropped &&
            gw_slice_equal_nocase(head->fields[i].name, name))
            return &head->fields[i];
    return NULL;
}

/* Where the search for a name begins. */
static unsigned head_first_of(const struct gw_head *head, enum gw_field_name id)
{
    return head->first[id] ? head->first[id] - 1u : GW_HEAD_INDEXED;
}

struct gw_field *gw_head_search(const struct gw_head *head, enum gw_field_name id)
{
    return head_find_from(head, head_first_of(head, id), id);
}

struct gw_field *gw_head_find_next(const struct gw_head *head, const struct gw_field *after)
{
    unsigned next = (unsigned)(after - head->fields) + 1;
    return after->id == GW_FIELD_OTHER ? head_find_other_from(head, next, after->name)
                                       : head_find_from(head, next, (enum gw_field_name)after->id);
}

struct gw_field *gw_head_find_named(const struct gw_head *head, struct gw_slice name)
{
    enum gw_field_name id = gw_field_name_of(name);
    return id == GW_FIELD_OTHER ? head_find_other_from(head, head_first_of(head, id), name) : gw_head_find(head, id);
}

struct gw_slice gw_head_value(const struct gw_head *head, enum gw_field_name id)
{
    const struct gw_field *field = gw_head_find(head, id);
    return field ? field->value : GW_NO_SLICE;
}

void gw_head_drop(struct gw_head *head, enum gw_field_name id)
{
    for (unsigned i = head_first_of(head, id); i < head->count; i++)
        if (head->fields[i].id == id)
            head->fields[i].dropped = true;
}

bool gw_head_has_token(const struct gw_head *head, enum gw_field_name id, struct gw_slice token)
{
    for (const struct gw_field *field = gw_head_find(head, id); field; field = gw_head_find_next(head, field))
        if (gw_slice_list_has(field->value, token))
            return true;
    return false;
}

/* A well-known field is either hop-by-hop by itself or meant for the backend. A client that names Host, Authorization
 * or X-Forwarded-For in Connection wants the proxy to remove a field by which the backend decides. So only fields with
 * unknown names are dropped. */
static void head_drop_named(struct gw_head *head, struct gw_slice name)
{
    if (gw_field_name_of(name) != GW_FIELD_OTHER)
        return;
    struct gw_field *field = head_find_other_from(head, head_first_of(head, GW_FIELD_OTHER), name);
    for (; field; field = gw_head_find_next(head, field))
        field->dropped = true;
}

void gw_head_drop_hop_by_hop(struct gw_head *head)
{
    for (unsigned i = head_first_of(head, GW_FIELD_CONNECTION); i < head->count; i++) {
        if (head->fields[i].id != GW_FIELD_CONNECTION)
            continue;
        struct gw_slice rest = head->fields[i].value, name;
        while (gw_slice_next_element(&rest, &name))
            head_drop_named(head, name);
    }
    for (unsigned i = 0; i < head->count; i++)
        if (names[head->fields[i].id].hop_by_hop)
            head->fields[i].dropped = true;
}

static struct gw_slice head_put(char **to, struct gw_slice from)
{
    if (!from.at)
        return from;
    struct gw_slice copy = gw_slice_of(*to, from.length);
    if (from.length)
        memcpy(*to, from.at, from.length);
    *to += from.length;
    return copy;
}

static size_t head_text_length(const struct gw_head *head)
{
    size_t length = head->method_text.length + head->target.length + head->path.length + head->query.length +
                    head->authority.length + head->reason.length;
    for (unsigned i = 0; i < head->count; i++)
        if (!head->fields[i].dropped)
            length += head->fields[i].name.length + head->fields[i].value.length;
    return length;
}

bool gw_head_is_cors(const struct gw_field *field)
{
    static const struct gw_slice start = { "access-control-", 15 };
    return field->name.length > start.length && gw_slice_equal_nocase(gw_slice_of(field->name.at, start.length), start);
}

bool gw_head_copy(struct gw_head *to, const struct gw_head *from, struct gw_arena *arena)
{
    struct gw_head head = *from;
    char *text = gw_arena_take(arena, head_text_length(from) + 1);
    if (!text)
        return false;
    head.method_text = head_put(&text, from->method_text);
    head.target = head_put(&text, from->target);
    head.path = head_put(&text, from->path);
    head.query = head_put(&text, from->query);
    head.authority = head_put(&text, from->authority);
    head.reason = head_put(&text, from->reason);

    head.fields = NULL;
    head.count = head.capacity = 0;
    memset(head.first, 0, sizeof head.first);
    if (from->count) { /* one piece of the right size */
        head.fields = gw_arena_take(arena, from->count * sizeof *head.fields);
        if (!head.fields)
            return false;
        head.capacity = from->count;
    }
    for (unsigned i = 0; i < from->count; i++) {
        const struct gw_field *field = &from->fields[i];
        if (field->dropped)
            continue;
        struct gw_slice name = head_put(&text, field->name), value = head_put(&text, field->value);
        if (!gw_head_add(&head, arena, name, value))
            return false;
    }
    *to = head;
    return true;
}

void gw_head_put_fields(const struct gw_head *head, struct gw_buffer *buffer)
{
    for (unsigned i = 0; i < head->count; i++) {
        const struct gw_field *field = &head->fields[i];
        if (field->dropped || field->id == GW_FIELD_CONTENT_LENGTH || field->id == GW_FIELD_TRANSFER_ENCODING)
            continue;
        gw_writer_put_field(buffer, field->name, field->value);
    }
}
