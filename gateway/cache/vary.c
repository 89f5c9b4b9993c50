#include "cache/vary.h"

#include "http/grammar.h"

/* clang-format off */
#define SIDE_FIELDS(X) \
    X(X_FORWARDED_HOST) \
    X(X_FORWARDED_PATH) \
    X(X_FORWARDED_PORT) \
    X(X_FORWARDED_PREFIX) \
    X(X_FORWARDED_PROTO) \
    X(X_FORWARDED_PROTOCOL) \
    X(X_FORWARDED_SCHEME) \
    X(X_FORWARDED_SERVER) \
    X(X_FORWARDED_SSL) \
    X(X_FORWARDED_URI) \
    X(X_ENVOY_ORIGINAL_PATH) \
    X(X_ORIGINAL_HOST) \
    X(X_ORIGINAL_PATH) \
    X(X_ORIGINAL_URI) \
    X(X_ORIGINAL_URL) \
    X(X_REPLACED_PATH) \
    X(X_REWRITE_URL) \
    X(X_SCRIPT_NAME) \
    X(X_URL_SCHEME) \
    X(X_HOST) \
    X(X_HTTP_HOST_OVERRIDE) \
    X(FRONT_END_HTTPS) \
    X(X_ARR_SSL) \
    X(X_ENVOY_ORIGINAL_HOST) \
    X(X_FORWARDED_CONTEXT) \
    X(X_FORWARDED_METHOD) \
    X(X_FORWARDED_URL) \
    X(X_HOST_OVERRIDE) \
    X(X_HTTP_DESTINATIONURL) \
    X(X_HTTP_PATH_OVERRIDE) \
    X(X_HTTPS) \
    X(X_ORIGINAL_FORWARDED_HOST) \
    X(X_ORIGINAL_METHOD) \
    X(X_OVERRIDE_HOST) \
    X(X_OVERRIDE_URL) \
    X(X_REWRITE_PATH) \
    X(X_REWRITE_URI) \
    X(X_WAWS_UNENCODED_URL) \
    X(ORIGIN)
/* clang-format on */

static const enum gw_field_name side_fields[] = {
#define ID(name) GW_FIELD_##name,
    SIDE_FIELDS(ID)
#undef ID
};

static bool vary_is_written_here(enum gw_field_name id)
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

static enum gw_vary_limit vary_limit_of(struct gw_slice name)
{
    if (name.at[0] == '*')
        return GW_VARY_ANY;
    if (!gw_grammar_is_token(name))
        return GW_VARY_UNCLEAR;
    return vary_is_written_here(gw_field_name_of(name)) ? GW_VARY_OWN : GW_VARY_SELECTS;
}

enum gw_vary_limit gw_vary_limit(const struct gw_head *response)
{
    unsigned count = 0;
    for (const struct gw_field *field = gw_head_find(response, GW_FIELD_VARY); field;
         field = gw_head_find_next(response, field)) {
        struct gw_slice rest = field->value, name;
        while (gw_slice_next_element(&rest, &name)) {
            enum gw_vary_limit limit = ++count > GW_VARY_NAMES ? GW_VARY_UNCLEAR : vary_limit_of(name);
            if (limit)
                return limit;
        }
    }
    return GW_VARY_SELECTS;
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

static bool vary_selects(const struct gw_head *request, enum gw_field_name id)
{
    return id != GW_FIELD_ORIGIN || request->origin_selects;
}

bool gw_vary_has_side_fields(const struct gw_head *request)
{
    static const bool is_side[GW_FIELD_COUNT] = {
#define IS(name) [GW_FIELD_##name] = true,
        SIDE_FIELDS(IS)
#undef IS
    };
    /* By the request's fields: each request asks, and has fewer fields than there are side fields. */
    for (unsigned i = 0; i < request->count; i++) {
        const struct gw_field *field = &request->fields[i];
        if (is_side[field->id] && !field->dropped && vary_selects(request, (enum gw_field_name)field->id))
            return true;
    }
    return false;
}

/* The members of Vary, or of an index's list of names, one after the other; GW_VARY_NAMES at most. */
struct names {
    const struct gw_head *response; /* NULL: of an index */
    const struct gw_field *line;
    struct gw_slice rest;
    unsigned taken;
    bool by_coding; /* at last Accept-Encoding, for a response with Content-Encoding */
};

static struct names vary_names_of_response(const struct gw_head *response)
{
    const struct gw_field *line = gw_head_find(response, GW_FIELD_VARY);
    return (struct names) { .response = response,
                            .line = line,
                            .rest = line ? line->value : GW_NO_SLICE,
                            .by_coding = gw_head_find(response, GW_FIELD_CONTENT_ENCODING) };
}

static bool vary_take_name(struct names *names, struct gw_slice *name)
{
    while (names->taken < GW_VARY_NAMES) {
        if (gw_slice_next_element(&names->rest, name)) {
            names->taken++;
            return true;
        }
        if (!names->line && names->by_coding) {
            names->by_coding = false;
            names->taken++;
            *name = gw_field_name_text(GW_FIELD_ACCEPT_ENCODING);
            return true;
        }
        if (!names->line)
            return false;
        names->line = gw_head_find_next(names->response, names->line);
        names->rest = names->line ? names->line->value : GW_NO_SLICE;
    }
    return false;
}

static bool vary_has_name(struct names names, struct gw_slice name, unsigned before)
{
    struct gw_slice earlier;
    for (unsigned i = 0; i < before && vary_take_name(&names, &earlier); i++)
        if (gw_slice_equal_nocase(earlier, name))
            return true;
    return false;
}

/* ---- values ---- */

/* What a request has of one name. */
struct lines {
    const struct gw_head *request;
    const struct gw_field *first;
    unsigned count;
    size_t bytes; /* joined by ", " */
};

static struct lines vary_find_lines(const struct gw_head *request, enum gw_field_name id, struct gw_slice name)
{
    struct lines lines = { .request = request };
    lines.first = id == GW_FIELD_OTHER ? gw_head_find_named(request, name) : gw_head_find(request, id);
    for (const struct gw_field *line = lines.first; line; line = gw_head_find_next(request, line)) {
        lines.bytes += gw_slice_trim(line->value).length + (lines.count ? 2 : 0);
        lines.count++;
    }
    return lines;
}

static void vary_join(char *to, const struct lines *lines)
{
    for (const struct gw_field *line = lines->first; line; line = gw_head_find_next(lines->request, line)) {
        struct gw_slice value = gw_slice_trim(line->value);
        if (line != lines->first) {
            memcpy(to, ", ", 2);
            to += 2;
        }
        if (value.length)
            memcpy(to, value.at, value.length);
        to += value.length;
    }
}

/* ---- selecting ---- */

/* Where a selection is put; with fields == NULL it is only measured. */
struct target {
    struct gw_field *fields;
    char *bytes;
    struct gw_vary_size size;
};

static void vary_put_field(struct target *to, const struct gw_head *request, struct gw_slice name)
{
    enum gw_field_name id = gw_field_name_of(name);
    struct lines lines = vary_find_lines(request, id, name);
    char *at = to->fields ? to->bytes + to->size.bytes : NULL, *value = at ? at + name.length : NULL;
    if (at) {
        vary_join(value, &lines);
        for (size_t i = 0; i < name.length; i++)
            at[i] = (char)(name.at[i] >= 'A' && name.at[i] <= 'Z' ? name.at[i] | 0x20 : name.at[i]);
        to->fields[to->size.fields] = (struct gw_field) {
            .name = gw_slice_of(at, name.length),
            .value = lines.count ? gw_slice_of(value, lines.bytes) : GW_NO_SLICE,
            .id = (uint8_t)id,
        };
    }
    to->size.bytes += name.length + lines.bytes;
    to->size.fields++;
}

static void vary_put_selection(struct target *to, const struct gw_head *request, struct names names)
{
    const struct names all = names;
    const bool has_side_fields = gw_vary_has_side_fields(request);
    struct gw_slice name;
    while (vary_take_name(&names, &name)) {
        bool is_side = request->origin_selects && gw_field_name_of(name) == GW_FIELD_ORIGIN;
        if (!is_side && !vary_has_name(all, name, names.taken - 1))
            vary_put_field(to, request, name);
    }
    to->size.named = to->size.fields;
    for (size_t i = 0; has_side_fields && i < GW_COUNT(side_fields); i++) {
        name = gw_field_name_text(side_fields[i]);
        bool is_named = side_fields[i] != GW_FIELD_ORIGIN && vary_has_name(all, name, GW_VARY_NAMES);
        if (vary_selects(request, side_fields[i]) && gw_head_find(request, side_fields[i]) && !is_named)
            vary_put_field(to, request, name);
    }
}

struct gw_vary_size gw_vary_measure(const struct gw_head *request, const struct gw_head *response)
{
    struct target to = { 0 };
    vary_put_selection(&to, request, vary_names_of_response(response));
    return to.size;
}

static void vary_fill(struct gw_head *selection, struct target *to, const struct gw_head *request, struct names names)
{
    vary_put_selection(to, request, names);
    gw_head_init(selection);
    selection->fields = to->fields;
    selection->count = selection->capacity = to->size.fields;
    for (unsigned i = selection->count; i > 0; i--)
        selection->first[to->fields[i - 1].id] = (uint8_t)i; /* far fewer than it can hold: GW_VARY_NAMES, and side
                                                                fields */
}

void gw_vary_fill(struct gw_head *selection, struct gw_field *fields, char *bytes, const struct gw_head *request,
                  const struct gw_head *response)
{
    struct target to = { .fields = fields, .bytes = bytes };
    vary_fill(selection, &to, request, vary_names_of_response(response));
}

static bool vary_select_names(struct gw_head *selection, struct gw_arena *arena, const struct gw_head *request,
                              struct names names)
{
    struct target to = { 0 };
    gw_head_init(selection);
    vary_put_selection(&to, request, names);
    if (to.size.fields == 0)
        return true;
    struct gw_field *fields = gw_arena_take(arena, to.size.fields * sizeof *fields);
    char *bytes = gw_arena_take(arena, to.size.bytes + 1);
    if (!fields || !bytes)
        return false;
    to = (struct target) { .fields = fields, .bytes = bytes };
    vary_fill(selection, &to, request, names);
    return true;
}

bool gw_vary_select(struct gw_head *selection, struct gw_arena *arena, const struct gw_head *request,
                    const struct gw_head *response)
{
    return vary_select_names(selection, arena, request, vary_names_of_response(response));
}

bool gw_vary_select_by_names(struct gw_head *selection, struct gw_arena *arena, const struct gw_head *request,
                             struct gw_slice names)
{
    return vary_select_names(selection, arena, request, (struct names) { .rest = names });
}

size_t gw_vary_print_names(const struct gw_head *selection, unsigned named, char *text, size_t room)
{
    size_t length = 0;
    for (unsigned i = 0; i < named; i++) {
        struct gw_slice name = selection->fields[i].name;
        if (name.length + (i > 0) > room - length)
            return SIZE_MAX;
        if (i > 0)
            text[length++] = ',';
        memcpy(text + length, name.at, name.length);
        length += name.length;
    }
    return length;
}

/* ---- which variant ---- */

enum { DIGESTED_BYTES = 1024, FIRST_PIECE = 0, NEXT_PIECE = 1 };

struct digested {
    struct gw_key_maker *maker;
    size_t length;
    char bytes[DIGESTED_BYTES];
};

/* A text that does not end within the room goes on with the digest of what there is of it. */
static void vary_digest_bytes(struct digested *text, struct gw_slice bytes)
{
    while (bytes.length) {
        if (text->length == DIGESTED_BYTES) {
            uint8_t digest[32];
            gw_key_digest(text->maker, gw_slice_of(text->bytes, text->length), digest);
            text->bytes[0] = NEXT_PIECE;
            memcpy(text->bytes + 1, digest, sizeof digest);
            text->length = 1 + sizeof digest;
        }
        size_t room = DIGESTED_BYTES - text->length, length = bytes.length < room ? bytes.length : room;
        memcpy(text->bytes + text->length, bytes.at, length);
        text->length += length;
        bytes = gw_slice_of(bytes.at + length, bytes.length - length);
    }
}

static void vary_digest_text(struct digested *text, struct gw_slice bytes)
{
    uint32_t length = bytes.at ? (uint32_t)bytes.length : UINT32_MAX;
    char number[4];
    for (unsigned i = 0; i < sizeof number; i++)
        number[i] = (char)(unsigned char)(length >> 8 * i);
    vary_digest_bytes(text, gw_slice_of(number, sizeof number));
    vary_digest_bytes(text, bytes);
}

void gw_vary_digest(struct gw_key_maker *maker, const struct gw_head *selection, uint8_t digest[32])
{
    struct digested text;
    text.maker = maker;
    text.bytes[0] = FIRST_PIECE;
    text.length = 1;
    for (unsigned i = 0; i < selection->count; i++) {
        vary_digest_text(&text, selection->fields[i].name);
        vary_digest_text(&text, selection->fields[i].value);
    }
    gw_key_digest(maker, gw_slice_of(text.bytes, text.length), digest);
}

/* ---- matching ---- */

/* Without building the joined value: each line of the request must be the next piece of what was stored. */
static bool vary_is_joined(struct gw_slice rest, const struct lines *lines)
{
    if (lines->bytes != rest.length)
        return false;
    for (const struct gw_field *line = lines->first; line; line = gw_head_find_next(lines->request, line)) {
        struct gw_slice value = gw_slice_trim(line->value);
        size_t comma = line == lines->first ? 0 : 2;
        if (memcmp(rest.at, ", ", comma) != 0 || (value.length && memcmp(rest.at + comma, value.at, value.length) != 0))
            return false;
        rest = gw_slice_of(rest.at + comma + value.length, rest.length - comma - value.length);
    }
    return true;
}

static bool vary_value_matches(const struct gw_field *selected, const struct gw_head *request)
{
    struct lines lines = vary_find_lines(request, (enum gw_field_name)selected->id, selected->name);
    if (!lines.count || !selected->value.at)
        return !lines.count && !selected->value.at;
    return vary_is_joined(selected->value, &lines);
}

static bool vary_has_selected(const struct gw_head *selection, enum gw_field_name id)
{
    for (unsigned i = 0; i < selection->count; i++)
        if (selection->fields[i].id == id)
            return true;
    return false;
}

bool gw_vary_matches(const struct gw_head *selection, const struct gw_head *request, bool request_has_side_fields)
{
    for (unsigned i = 0; i < selection->count; i++)
        if (!vary_value_matches(&selection->fields[i], request))
            return false;
    for (size_t i = 0; request_has_side_fields && i < GW_COUNT(side_fields); i++)
        if (vary_selects(request, side_fields[i]) && gw_head_find(request, side_fields[i]) &&
            !vary_has_selected(selection, side_fields[i]))
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
