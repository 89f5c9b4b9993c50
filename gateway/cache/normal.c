#include "cache/normal.h"

#include "http/grammar.h"

enum form {
    EXACT,
    COMMAS,     /* no white space around commas */
    LIST,       /* nor around semicolons; empty members ignored (RFC 9110 §5.6.1.2) */
    LOWER_LIST, /* in lower case */
    CODINGS,    /* RFC 9110 §12.5.3 */
};

static enum form form_of(enum gw_field_name id, struct gw_slice name)
{
    if (id == GW_FIELD_ACCEPT_ENCODING)
        return CODINGS;
    if (id == GW_FIELD_ACCEPT)
        return LIST;
    if (gw_slice_equal_nocase(name, GW_SLICE("accept-language")) ||
        gw_slice_equal_nocase(name, GW_SLICE("accept-charset")))
        return LOWER_LIST;
    return id == GW_FIELD_OTHER ? COMMAS : EXACT;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* How many bytes from `at` stand as they are: a quoted string (to the end, where it is open), else one. */
static size_t unit_at(struct gw_slice text, size_t at)
{
    size_t end = at + 1;
    if (text.at[at] != '"')
        return 1;
    while (end < text.length && text.at[end] != '"')
        end += text.at[end] == '\\' && end + 1 < text.length ? 2 : 1;
    return (end < text.length ? end + 1 : end) - at;
}

/* Unlike gw_slice_next_element, empty ones too. */
static struct gw_slice take_member(struct gw_slice *rest, bool *is_last)
{
    size_t end = 0;
    while (end < rest->length && rest->at[end] != ',')
        end += unit_at(*rest, end);
    struct gw_slice member = gw_slice_trim(gw_slice_of(rest->at, end));
    *is_last = end == rest->length;
    end += !*is_last;
    *rest = gw_slice_of(rest->at + end, rest->length - end);
    return member;
}

/* Without white space around the semicolons. */
static size_t put_member(char *to, struct gw_slice member, bool is_lowered)
{
    size_t length = 0, unit;
    bool after_semicolon = false;
    for (size_t at = 0; at < member.length; at += unit) {
        size_t spaces = 0;
        while (is_space(member.at[at + spaces])) /* the member is trimmed: something follows */
            spaces++;
        if (spaces && (after_semicolon || member.at[at + spaces] == ';')) {
            unit = spaces;
            continue;
        }
        unit = spaces ? spaces : unit_at(member, at);
        for (size_t i = 0; i < unit; i++)
            to[length++] = is_lowered && unit == 1 ? lower(member.at[at + i]) : member.at[at + i];
        after_semicolon = unit == 1 && member.at[at] == ';';
    }
    return length;
}

static size_t put_list(char *to, struct gw_slice value, enum form form)
{
    size_t length = 0;
    bool is_first = true, is_last = false;
    while (!is_last) {
        struct gw_slice member = take_member(&value, &is_last);
        if (form != COMMAS && !member.length)
            continue;
        if (!is_first)
            to[length++] = ',';
        is_first = false;
        if (form != COMMAS) {
            length += put_member(to + length, member, form == LOWER_LIST);
        } else if (member.length) {
            memcpy(to + length, member.at, member.length);
            length += member.length;
        }
    }
    return length;
}

/* ---- Accept-Encoding ---- */

enum { CODINGS_MAX = 16, WHOLE = 1000 };

struct coding {
    struct gw_slice name;
    unsigned weight; /* thousandths */
};

struct codings {
    struct coding rows[CODINGS_MAX]; /* by name in lower case, each once */
    unsigned count;
};

static int compare(struct gw_slice a, struct gw_slice b)
{
    for (size_t i = 0; i < a.length && i < b.length; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return lower(a.at[i]) < lower(b.at[i]) ? -1 : 1;
    return a.length < b.length ? -1 : a.length > b.length;
}

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), RFC 9110 §12.4.2 */
static bool read_weight(struct gw_slice parameter, unsigned *weight)
{
    unsigned scale = WHOLE;
    if (parameter.length < 3 || parameter.length > 7 || lower(parameter.at[0]) != 'q' || parameter.at[1] != '=' ||
        (parameter.length > 3 && parameter.at[3] != '.'))
        return false;
    *weight = 0;
    for (size_t i = 2; i < parameter.length; i++) {
        if (i == 3)
            continue;
        if (parameter.at[i] < '0' || parameter.at[i] > '9')
            return false;
        *weight += (unsigned)(parameter.at[i] - '0') * scale;
        scale /= 10;
    }
    return *weight <= WHOLE;
}

static bool read_coding(struct coding *coding, struct gw_slice member)
{
    const char *semicolon = memchr(member.at, ';', member.length);
    *coding = (struct coding) { member, WHOLE };
    if (semicolon) {
        size_t length = (size_t)(semicolon - member.at);
        coding->name = gw_slice_trim(gw_slice_of(member.at, length));
        if (!read_weight(gw_slice_trim(gw_slice_of(semicolon + 1, member.length - length - 1)), &coding->weight))
            return false;
    }
    return gw_grammar_is_token(coding->name);
}

/* False where there is no room, or it is there with another weight: which of the two counts is not said anywhere. */
static bool add_coding(struct codings *codings, const struct coding *coding)
{
    unsigned at = codings->count;
    int order = 1;
    while (at > 0 && (order = compare(codings->rows[at - 1].name, coding->name)) > 0)
        at--;
    if (at > 0 && order == 0)
        return codings->rows[at - 1].weight == coding->weight;
    if (codings->count == CODINGS_MAX)
        return false;
    memmove(codings->rows + at + 1, codings->rows + at, (codings->count - at) * sizeof *coding);
    codings->rows[at] = *coding;
    codings->count++;
    return true;
}

/* A coding that is not listed is not acceptable, unless "*" allows it; only "identity" is. */
static void drop_useless(struct codings *codings)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < codings->count; i++)
        if (codings->rows[i].weight && gw_slice_equal(codings->rows[i].name, GW_SLICE("*")))
            return;
    for (unsigned i = 0; i < codings->count; i++) {
        struct gw_slice name = codings->rows[i].name;
        if (codings->rows[i].weight || gw_slice_equal(name, GW_SLICE("*")) ||
            gw_slice_equal_nocase(name, GW_SLICE("identity")))
            codings->rows[kept++] = codings->rows[i];
    }
    codings->count = kept;
}

static bool read_codings(struct codings *codings, struct gw_slice value)
{
    struct gw_slice member;
    struct coding coding;
    codings->count = 0;
    while (gw_slice_next_element(&value, &member))
        if (!read_coding(&coding, member) || !add_coding(codings, &coding))
            return false;
    drop_useless(codings);
    return true;
}

static bool are_of_one_weight(const struct codings *codings)
{
    for (unsigned i = 0; i < codings->count; i++)
        if (codings->rows[i].weight == 0 || codings->rows[i].weight != codings->rows[0].weight)
            return false;
    return true;
}

static size_t put_weight(char *to, unsigned weight)
{
    size_t length = 4;
    memcpy(to, ";q=0", 4);
    if (weight)
        to[length++] = '.';
    for (unsigned scale = WHOLE / 10; weight; scale /= 10) {
        to[length++] = (char)('0' + weight / scale);
        weight %= scale;
    }
    return length;
}

static size_t put_codings(char *to, struct gw_slice value)
{
    struct codings codings;
    size_t length = 0;
    if (!read_codings(&codings, value))
        return put_list(to, value, LOWER_LIST);
    bool with_weights = !are_of_one_weight(&codings);
    for (unsigned i = 0; i < codings.count; i++) {
        const struct coding *coding = &codings.rows[i];
        if (i)
            to[length++] = ',';
        for (size_t j = 0; j < coding->name.length; j++)
            to[length++] = lower(coding->name.at[j]);
        if (with_weights && coding->weight < WHOLE)
            length += put_weight(to + length, coding->weight);
    }
    return length;
}

/* A few spellings are nearly all that clients send, and a look-up asks about the same one for each variant: remembering
 * them makes 25 ns of 120. */
enum { SPELLINGS = 8, SPELLING_BYTES = 60 };

struct spelling { /* value_length 0: none yet */
    uint8_t value_length, normal_length;
    char value[SPELLING_BYTES], normal[SPELLING_BYTES];
};

static size_t put_remembered_codings(char *to, struct gw_slice value)
{
    static _Thread_local struct spelling spellings[SPELLINGS];
    struct spelling *spelling = &spellings[value.length % SPELLINGS];
    if (value.length > SPELLING_BYTES)
        return put_codings(to, value);
    if (!gw_slice_equal(gw_slice_of(spelling->value, spelling->value_length), value)) {
        spelling->normal_length = (uint8_t)put_codings(spelling->normal, value);
        memcpy(spelling->value, value.at, value.length);
        spelling->value_length = (uint8_t)value.length;
    }
    memcpy(to, spelling->normal, spelling->normal_length);
    return spelling->normal_length;
}

size_t gw_normal_put(char *to, enum gw_field_name id, struct gw_slice name, struct gw_slice value)
{
    enum form form = form_of(id, name);
    if (value.length == 0)
        return 0;
    if (form == CODINGS)
        return put_remembered_codings(to, value);
    if (form != EXACT)
        return put_list(to, value, form);
    memcpy(to, value.at, value.length);
    return value.length;
}
