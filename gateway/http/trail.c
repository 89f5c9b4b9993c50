#include "http/trail.h"

#include "http/grammar.h"

struct gw_trail gw_trail_of(const struct gw_head *request)
{
    struct gw_trail trail = { .source = GW_TRAIL_NONE, .head = request };
    bool is_x = gw_head_find(request, GW_FIELD_X_FORWARDED_FOR) || gw_head_find(request, GW_FIELD_X_FORWARDED_PROTO) ||
                gw_head_find(request, GW_FIELD_X_FORWARDED_HOST);
    trail.field = gw_head_find(request, is_x ? GW_FIELD_X_FORWARDED_FOR : GW_FIELD_FORWARDED);
    if (is_x)
        trail.source = GW_TRAIL_X_FORWARDED;
    else if (trail.field)
        trail.source = GW_TRAIL_FORWARDED;
    trail.rest = trail.field ? trail.field->value : GW_NO_SLICE;
    return trail;
}

/* ---- X-Forwarded-For ---- */

static bool trail_next_plain(struct gw_slice *rest, struct gw_slice *element)
{
    while (rest->length) {
        const char *comma = memchr(rest->at, ',', rest->length);
        size_t length = comma ? (size_t)(comma - rest->at) : rest->length, taken = length + (comma != NULL);
        *element = gw_slice_trim(gw_slice_of(rest->at, length));
        *rest = gw_slice_of(rest->at + taken, rest->length - taken);
        if (element->length)
            return true;
    }
    return false;
}

static struct gw_trail_hop trail_read_plain(struct gw_slice element)
{
    struct gw_trail_hop hop = { .is_well_formed = true };
    hop.has_address = gw_address_parse(&hop.address, element, true);
    return hop;
}

/* ---- Forwarded ---- */

static struct gw_slice trail_after(struct gw_slice text, size_t skip)
{
    return gw_slice_of(text.at + skip, text.length - skip);
}

static size_t trail_token_length(struct gw_slice text)
{
    size_t length = 0;
    while (length < text.length && gw_grammar_is(text.at[length], GW_GRAMMAR_TCHAR))
        length++;
    return length;
}

/* A token, or a quoted string without a backslash: no address, host or scheme needs one. */
static bool trail_read_value(struct gw_slice *rest, struct gw_slice *value)
{
    if (rest->length == 0 || rest->at[0] != '"') {
        *value = gw_slice_of(rest->at, trail_token_length(*rest));
        *rest = trail_after(*rest, value->length);
        return value->length > 0;
    }
    *rest = trail_after(*rest, 1);
    const char *end = memchr(rest->at, '"', rest->length);
    if (!end)
        return false;
    *value = gw_slice_of(rest->at, (size_t)(end - rest->at));
    *rest = trail_after(*rest, value->length + 1);
    return !memchr(value->at, '\\', value->length);
}

/* The place for the value of a parameter; NULL: the parameter is not used. */
static struct gw_slice *trail_place_of(struct gw_trail_hop *hop, struct gw_slice *node, struct gw_slice name)
{
    if (gw_slice_equal_nocase(name, GW_SLICE("for")))
        return node;
    if (gw_slice_equal_nocase(name, GW_SLICE("proto")))
        return &hop->proto;
    return gw_slice_equal_nocase(name, GW_SLICE("host")) ? &hop->host : NULL;
}

/* Reads name "=" value. A semicolon or the end of the element must follow. */
static bool trail_read_pair(struct gw_slice *rest, struct gw_trail_hop *hop, struct gw_slice *node)
{
    struct gw_slice name = gw_slice_of(rest->at, trail_token_length(*rest)), value;
    *rest = trail_after(*rest, name.length);
    if (name.length == 0 || rest->length == 0 || rest->at[0] != '=')
        return false;
    *rest = trail_after(*rest, 1);
    if (!trail_read_value(rest, &value))
        return false;
    struct gw_slice *place = trail_place_of(hop, node, name);
    if (place && place->at) /* RFC 7239 §4: at most once in an element */
        return false;
    if (place)
        *place = value;
    *rest = gw_slice_trim(*rest);
    return rest->length == 0 || rest->at[0] == ';';
}

static struct gw_trail_hop trail_read_element(struct gw_slice rest)
{
    struct gw_trail_hop hop = { .is_well_formed = true };
    struct gw_slice node = GW_NO_SLICE;
    while (rest.length) {
        if (rest.at[0] == ';') {
            rest = gw_slice_trim(trail_after(rest, 1));
            continue;
        }
        if (!trail_read_pair(&rest, &hop, &node))
            return (struct gw_trail_hop) { .is_well_formed = false };
    }
    hop.has_address = node.length && gw_address_parse(&hop.address, node, true);
    return hop;
}

bool gw_trail_next(struct gw_trail *trail, struct gw_trail_hop *hop)
{
    bool is_x = trail->source == GW_TRAIL_X_FORWARDED;
    struct gw_slice element;
    while (trail->field) {
        if (is_x ? trail_next_plain(&trail->rest, &element) : gw_slice_next_element(&trail->rest, &element)) {
            *hop = is_x ? trail_read_plain(element) : trail_read_element(element);
            return true;
        }
        trail->field = gw_head_find_next(trail->head, trail->field);
        trail->rest = trail->field ? trail->field->value : GW_NO_SLICE;
    }
    return false;
}
