#include "http/structured.h"

#include <limits.h>
#include "http/grammar.h"

enum { INTEGER_DIGITS = 15, DECIMAL_DIGITS = 12, FRACTION_DIGITS = 3 };

static char structured_first(const struct gw_slice *rest)
{
    return rest->length ? rest->at[0] : 0;
}

static void structured_skip(struct gw_slice *rest, size_t count)
{
    rest->at += count;
    rest->length -= count;
}

static bool structured_skip_char(struct gw_slice *rest, char c)
{
    if (rest->length == 0 || rest->at[0] != c)
        return false;
    structured_skip(rest, 1);
    return true;
}

static void structured_skip_blanks(struct gw_slice *rest, bool tabs_too)
{
    while (structured_first(rest) == ' ' || (tabs_too && structured_first(rest) == '\t'))
        structured_skip(rest, 1);
}

static bool structured_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool structured_is_alpha(char c)
{
    return structured_is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool structured_is_digit(char c)
{
    return gw_grammar_is(c, GW_GRAMMAR_DIGIT);
}

static size_t structured_skip_digits(struct gw_slice *rest)
{
    size_t count = 0;
    for (; structured_is_digit(structured_first(rest)); count++)
        structured_skip(rest, 1);
    return count;
}

/* ---- bare items ---- */

static bool structured_read_number(struct gw_slice *rest, enum gw_structured_type *type)
{
    structured_skip_char(rest, '-');
    size_t digits = structured_skip_digits(rest);
    *type = GW_STRUCTURED_INTEGER;
    if (!structured_skip_char(rest, '.'))
        return digits >= 1 && digits <= INTEGER_DIGITS;
    *type = GW_STRUCTURED_DECIMAL;
    size_t fraction = structured_skip_digits(rest);
    return digits >= 1 && digits <= DECIMAL_DIGITS && fraction >= 1 && fraction <= FRACTION_DIGITS;
}

static bool structured_read_string(struct gw_slice *rest, struct gw_slice *text)
{
    structured_skip(rest, 1);
    const char *start = rest->at;
    while (rest->length && *rest->at >= ' ' && *rest->at <= '~' && *rest->at != '"') {
        bool is_escape = *rest->at == '\\';
        structured_skip(rest, 1);
        if (is_escape && !structured_skip_char(rest, '"') && !structured_skip_char(rest, '\\'))
            return false;
    }
    *text = gw_slice_of(start, (size_t)(rest->at - start));
    return structured_skip_char(rest, '"');
}

static void structured_read_token(struct gw_slice *rest, struct gw_slice *text)
{
    const char *start = rest->at;
    while (rest->length && (gw_grammar_is(*rest->at, GW_GRAMMAR_TCHAR) || *rest->at == ':' || *rest->at == '/'))
        structured_skip(rest, 1);
    *text = gw_slice_of(start, (size_t)(rest->at - start));
}

/* The padding may be missing (§4.2.7). */
static bool structured_read_bytes(struct gw_slice *rest)
{
    size_t digits = 0, padding = 0;
    structured_skip(rest, 1);
    for (; structured_is_alpha(structured_first(rest)) || structured_is_digit(structured_first(rest)) ||
           structured_first(rest) == '+' || structured_first(rest) == '/';
         digits++)
        structured_skip(rest, 1);
    for (; structured_first(rest) == '='; padding++)
        structured_skip(rest, 1);
    return digits % 4 != 1 && (padding == 0 || (digits + padding) % 4 == 0) && padding <= 2 &&
           structured_skip_char(rest, ':');
}

static bool structured_read_boolean(struct gw_slice *rest)
{
    structured_skip(rest, 1);
    return structured_skip_char(rest, '0') || structured_skip_char(rest, '1');
}

static bool structured_read_date(struct gw_slice *rest)
{
    enum gw_structured_type type;
    structured_skip(rest, 1);
    return structured_read_number(rest, &type) && type == GW_STRUCTURED_INTEGER;
}

/* Which bytes may come next within UTF-8 (Unicode, table 3-7). */
struct utf8 {
    unsigned left; /* continuation bytes that are due */
    unsigned char least, most;
};

static bool structured_take_byte(struct utf8 *state, unsigned char c)
{
    if (state->left) {
        bool is_good = c >= state->least && c <= state->most;
        *state = (struct utf8) { state->left - 1, 0x80, 0xbf };
        return is_good;
    }
    if (c < 0x80)
        return true;
    *state = (struct utf8) { c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1, 0x80, 0xbf };
    if (c == 0xe0)
        state->least = 0xa0;
    else if (c == 0xed)
        state->most = 0x9f;
    else if (c == 0xf0)
        state->least = 0x90;
    else if (c == 0xf4)
        state->most = 0x8f;
    return c >= 0xc2 && c <= 0xf4;
}

static int structured_hex_digit(char c)
{
    return structured_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool structured_read_display(struct gw_slice *rest)
{
    struct utf8 state = { .left = 0 };
    structured_skip(rest, 1);
    if (!structured_skip_char(rest, '"'))
        return false;
    while (rest->length && *rest->at >= ' ' && *rest->at <= '~' && *rest->at != '"') {
        unsigned char c = (unsigned char)*rest->at;
        size_t length = 1;
        if (c == '%') {
            int high = rest->length > 2 ? structured_hex_digit(rest->at[1]) : -1,
                low = high >= 0 ? structured_hex_digit(rest->at[2]) : -1;
            if (low < 0)
                return false;
            c = (unsigned char)(high * 16 + low);
            length = 3;
        }
        if (!structured_take_byte(&state, c))
            return false;
        structured_skip(rest, length);
    }
    return state.left == 0 && structured_skip_char(rest, '"');
}

static bool structured_read_bare(struct gw_slice *rest, struct gw_structured_member *item)
{
    char c = structured_first(rest);
    const char *start = rest->at;
    bool is_good = false;
    item->text = GW_NO_SLICE;
    if (c == '-' || structured_is_digit(c)) {
        is_good = structured_read_number(rest, &item->type);
    } else if (c == '"') {
        item->type = GW_STRUCTURED_STRING;
        is_good = structured_read_string(rest, &item->text);
    } else if (c == '*' || structured_is_alpha(c)) {
        item->type = GW_STRUCTURED_TOKEN;
        structured_read_token(rest, &item->text);
        is_good = true;
    } else if (c == ':') {
        item->type = GW_STRUCTURED_BYTES;
        is_good = structured_read_bytes(rest);
    } else if (c == '?') {
        item->type = GW_STRUCTURED_BOOLEAN;
        is_good = structured_read_boolean(rest);
    } else if (c == '@') {
        item->type = GW_STRUCTURED_DATE;
        is_good = structured_read_date(rest);
    } else if (c == '%') {
        item->type = GW_STRUCTURED_DISPLAY;
        is_good = structured_read_display(rest);
    }
    if (!item->text.at)
        item->text = gw_slice_of(start, (size_t)(rest->at - start));
    return is_good;
}

/* ---- members ---- */

static bool structured_read_key(struct gw_slice *rest)
{
    if (!structured_is_lower(structured_first(rest)) && structured_first(rest) != '*')
        return false;
    while (rest->length &&
           (structured_is_lower(*rest->at) || structured_is_digit(*rest->at) || memchr("_-.*", *rest->at, 4)))
        structured_skip(rest, 1);
    return true;
}

static bool structured_read_parameters(struct gw_slice *rest)
{
    struct gw_structured_member value;
    while (structured_skip_char(rest, ';')) {
        structured_skip_blanks(rest, false);
        if (!structured_read_key(rest) || (structured_skip_char(rest, '=') && !structured_read_bare(rest, &value)))
            return false;
    }
    return true;
}

static bool structured_read_inner_list(struct gw_slice *rest)
{
    struct gw_structured_member item;
    structured_skip(rest, 1);
    for (;;) {
        structured_skip_blanks(rest, false);
        if (structured_skip_char(rest, ')'))
            return true;
        if (!structured_read_bare(rest, &item) || !structured_read_parameters(rest) ||
            (structured_first(rest) != ' ' && structured_first(rest) != ')'))
            return false;
    }
}

static bool structured_read_member(struct gw_slice *rest, struct gw_structured_member *member)
{
    const char *start = rest->at;
    if (structured_first(rest) != '(')
        return structured_read_bare(rest, member) && structured_read_parameters(rest);
    member->type = GW_STRUCTURED_INNER_LIST;
    bool is_good = structured_read_inner_list(rest);
    member->text = gw_slice_of(start, (size_t)(rest->at - start));
    return is_good && structured_read_parameters(rest);
}

/* On failure *rest is as before, so it is not empty, even where the line ends too early. */
bool gw_structured_next(struct gw_slice *rest, struct gw_structured_member *member)
{
    struct gw_slice before = *rest;
    if (rest->length == 0)
        return false;
    if (structured_read_member(rest, member)) {
        structured_skip_blanks(rest, true);
        if (rest->length == 0)
            return true;
        if (structured_skip_char(rest, ',')) {
            structured_skip_blanks(rest, true);
            if (rest->length)
                return true;
        }
    }
    *rest = before;
    return false;
}

static bool structured_takes(struct gw_slice line, unsigned types, struct gw_slice name)
{
    struct gw_structured_member member;
    if (line.length == 0)
        return false;
    while (gw_structured_next(&line, &member)) {
        bool has_name = member.type == GW_STRUCTURED_STRING || member.type == GW_STRUCTURED_TOKEN;
        if (!(member.type & types) || (has_name && name.at && gw_slice_equal(member.text, name)))
            return false;
    }
    return line.length == 0;
}

bool gw_structured_is_list(struct gw_slice line)
{
    return structured_takes(line, UINT_MAX, GW_NO_SLICE);
}

bool gw_structured_takes(const struct gw_head *head, enum gw_field_name id, unsigned types, struct gw_slice name)
{
    for (const struct gw_field *field = gw_head_find(head, id); field; field = gw_head_find_next(head, field))
        if (!structured_takes(field->value, types, name))
            return false;
    return true;
}
