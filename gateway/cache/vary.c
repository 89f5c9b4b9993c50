#include "cache/vary.h"

#include "http/grammar.h"

static const enum gw_field_name side_fields[] = {
    GW_FIELD_X_FORWARDED_HOST,
    GW_FIELD_X_FORWARDED_PORT,
    GW_FIELD_X_FORWARDED_PREFIX,
    GW_FIELD_X_FORWARDED_PROTO,
    GW_FIELD_X_FORWARDED_SCHEME,
    GW_FIELD_X_FORWARDED_SERVER,
    GW_FIELD_X_FORWARDED_SSL,
    GW_FIELD_X_ORIGINAL_HOST,
    GW_FIELD_X_ORIGINAL_URL,
    GW_FIELD_X_REWRITE_URL,
    GW_FIELD_X_HOST,
    GW_FIELD_X_HTTP_HOST_OVERRIDE,
};

static bool is_written_here(enum gw_field_name id)
{
    switch (id) {
    case GW_FIELD_FORWARDED:
    case GW_FIELD_TRACEPARENT:
    case GW_FIELD_VIA:
    case GW_FIELD_X_FORWARDED_FOR:
    case GW_FIELD_X_REAL_IP:
    case GW_FIELD_X_REQUEST_ID:
        return true;
    default:
        return false;
    }
}

bool gw_vary_is_any(const struct gw_head *response)
{
    for (const struct gw_field *field = gw_head_find(response, GW_FIELD_VARY); field;
         field = gw_head_find_next(response, field)) {
        struct gw_slice rest = field->value, name;
        while (gw_slice_next_element(&rest, &name))
            if (name.at[0] == '*' || !gw_grammar_is_token(name) || is_written_here(gw_field_name_of(name)))
                return true;
    }
    return false;
}

bool gw_vary_is_present(const struct gw_head *response)
{
    for (const struct gw_field *field = gw_head_find(response, GW_FIELD_VARY); field;
         field = gw_head_find_next(response, field)) {
        struct gw_slice rest = field->value, name;
        if (gw_slice_next_element(&rest, &name))
            return true;
    }
    return false;
}

bool gw_vary_has_side_fields(const struct gw_head *request)
{
    for (size_t i = 0; i < GW_COUNT(side_fields); i++)
        if (gw_head_find(request, side_fields[i]))
            return true;
    return false;
}

static bool is_named(const struct gw_field *field, enum gw_field_name id, struct gw_slice name)
{
    if (field->dropped || field->id != id)
        return false;
    return id != GW_FIELD_OTHER || gw_slice_equal_nocase(field->name, name);
}

/* Where a selection is put; with fields == NULL it is only measured. */
struct target {
    struct gw_field *fields;
    char *bytes;
    struct gw_vary_size size;
};

static void put_bytes(struct target *to, const char *at, size_t length)
{
    if (to->fields && length)
        memcpy(to->bytes + to->size.bytes, at, length);
    to->size.bytes += length;
}

static void put_field(struct target *to, const struct gw_head *request, struct gw_slice name)
{
    enum gw_field_name id = gw_field_name_of(name);
    size_t name_at = to->size.bytes;
    put_bytes(to, name.at, name.length);

    size_t value_at = to->size.bytes;
    bool present = false;
    for (unsigned i = 0; i < request->count; i++) {
        if (!is_named(&request->fields[i], id, name))
            continue;
        struct gw_slice value = gw_slice_trim(request->fields[i].value);
        if (present)
            put_bytes(to, ", ", 2);
        put_bytes(to, value.at, value.length);
        present = true;
    }
    if (to->fields)
        to->fields[to->size.fields] = (struct gw_field) {
            .name = gw_slice_of(to->bytes + name_at, name.length),
            .value = present ? gw_slice_of(to->bytes + value_at, to->size.bytes - value_at) : GW_NO_SLICE,
            .id = (uint8_t)id,
        };
    to->size.fields++;
}

static void put_selection(struct target *to, const struct gw_head *request, const struct gw_head *response)
{
    for (const struct gw_field *field = gw_head_find(response, GW_FIELD_VARY); field;
         field = gw_head_find_next(response, field)) {
        struct gw_slice rest = field->value, name;
        while (gw_slice_next_element(&rest, &name))
            put_field(to, request, name);
    }
    to->size.named = to->size.fields;
    for (size_t i = 0; i < GW_COUNT(side_fields); i++)
        if (gw_head_find(request, side_fields[i]))
            put_field(to, request, gw_field_name_text(side_fields[i]));
}

struct gw_vary_size gw_vary_measure(const struct gw_head *request, const struct gw_head *response)
{
    struct target to = { 0 };
    put_selection(&to, request, response);
    return to.size;
}

void gw_vary_fill(struct gw_head *selection, struct gw_field *fields, char *bytes, const struct gw_head *request,
                  const struct gw_head *response)
{
    struct target to = { .fields = fields, .bytes = bytes };
    put_selection(&to, request, response);
    gw_head_init(selection);
    selection->fields = fields;
    selection->count = selection->capacity = to.size.fields;
    for (unsigned i = selection->count; i > 0; i--)
        if (i < UINT8_MAX)
            selection->first[fields[i - 1].id] = (uint8_t)i;
}

bool gw_vary_select(struct gw_head *selection, struct gw_arena *arena, const struct gw_head *request,
                    const struct gw_head *response)
{
    struct gw_vary_size size = gw_vary_measure(request, response);
    gw_head_init(selection);
    if (size.fields == 0)
        return true;
    struct gw_field *fields = gw_arena_take(arena, size.fields * sizeof *fields);
    char *bytes = gw_arena_take(arena, size.bytes + 1);
    if (!fields || !bytes)
        return false;
    gw_vary_fill(selection, fields, bytes, request, response);
    return true;
}

/* Without building the joined value: each line of the request must be the next piece of what was stored. */
static bool value_matches(const struct gw_field *selected, const struct gw_head *request)
{
    struct gw_slice rest = selected->value;
    bool present = false;
    for (unsigned i = 0; i < request->count; i++) {
        if (!is_named(&request->fields[i], selected->id, selected->name))
            continue;
        if (!selected->value.at)
            return false;
        struct gw_slice value = gw_slice_trim(request->fields[i].value);
        size_t comma = present ? 2 : 0;
        if (rest.length < comma + value.length || memcmp(rest.at, ", ", comma) != 0 ||
            (value.length && memcmp(rest.at + comma, value.at, value.length) != 0))
            return false;
        rest = gw_slice_of(rest.at + comma + value.length, rest.length - comma - value.length);
        present = true;
    }
    return present ? rest.length == 0 : selected->value.at == NULL;
}

static bool has_selected(const struct gw_head *selection, enum gw_field_name id)
{
    for (unsigned i = 0; i < selection->count; i++)
        if (selection->fields[i].id == id)
            return true;
    return false;
}

bool gw_vary_matches(const struct gw_head *selection, const struct gw_head *request, bool request_has_side_fields)
{
    for (unsigned i = 0; i < selection->count; i++)
        if (!value_matches(&selection->fields[i], request))
            return false;
    for (size_t i = 0; request_has_side_fields && i < GW_COUNT(side_fields); i++)
        if (gw_head_find(request, side_fields[i]) && !has_selected(selection, side_fields[i]))
            return false;
    return true;
}

bool gw_vary_same_names(const struct gw_head *a, unsigned a_named, const struct gw_head *b, unsigned b_named)
{
    if (a_named != b_named)
        return false;
    for (unsigned i = 0; i < a_named; i++)
        if (!gw_slice_equal_nocase(a->fields[i].name, b->fields[i].name))
            return false;
    return true;
}

bool gw_vary_same(const struct gw_head *a, const struct gw_head *b)
{
    if (!gw_vary_same_names(a, a->count, b, b->count))
        return false;
    for (unsigned i = 0; i < a->count; i++) {
        struct gw_slice ours = a->fields[i].value, theirs = b->fields[i].value;
        if (!ours.at != !theirs.at || !gw_slice_equal(ours, theirs))
            return false;
    }
    return true;
}
