#include "http/directives.h"

#include "http/grammar.h"

#define MOST_SECONDS (INT64_C(1) << 31)

struct row {
    const char *name;
    size_t member;       /* offset in struct gw_directives */
    bool may_have_value; /* flags: the flag also counts with a value behind it, which is the safe reading */
    bool most_is_strict; /* numbers: the largest number is the strictest */
};

/* Versions of clang-format disagree on braces in a macro. */
/* clang-format off */
#define ROW(name, member, may_have_value, most_is_strict)                                                              \
    { name, offsetof(struct gw_directives, member), may_have_value, most_is_strict }
/* clang-format on */

static const struct row flags[] = {
    ROW("no-store", no_store, true, false),
    ROW("must-revalidate", must_revalidate, true, false),
    ROW("proxy-revalidate", proxy_revalidate, true, false),
    ROW("no-transform", no_transform, true, false),
    ROW("only-if-cached", only_if_cached, true, false),
    ROW("must-understand", must_understand, false, false),
    ROW("public", is_public, false, false),
    ROW("immutable", immutable, false, false),
};

static const struct row numbers[] = {
    ROW("max-age", max_age, true, false),
    ROW("s-maxage", s_maxage, true, false),
    ROW("min-fresh", min_fresh, true, true),
    ROW("max-stale", max_stale, true, false),
    ROW("stale-while-revalidate", stale_while_revalidate, true, false),
    ROW("stale-if-error", stale_if_error, true, false),
};

struct directive {
    struct gw_slice name;
    struct gw_slice value; /* without quotes; at == NULL: none */
    bool is_whole;         /* every quote is closed, and there is no white space around '=' */
};

static bool directives_is_named(const struct directive *directive, const char *name)
{
    return gw_slice_equal_nocase(directive->name, gw_slice_of_string(name));
}

/* element = token [ "=" ( token / quoted-string ) ] (RFC 9111 §5.2: both forms of a value must be accepted). */
static struct directive directives_split(struct gw_slice element)
{
    const char *equals = memchr(element.at, '=', element.length);
    struct directive directive = { .name = element, .is_whole = !memchr(element.at, '"', element.length) };
    if (!equals)
        return directive;
    struct gw_slice name = gw_slice_of(element.at, (size_t)(equals - element.at));
    struct gw_slice value = gw_slice_of(equals + 1, (size_t)(element.at + element.length - equals - 1));
    directive.name = gw_slice_trim(name);
    directive.value = gw_slice_trim(value);
    directive.is_whole = directive.name.length == name.length && directive.value.length == value.length;
    if (directive.value.length == 0 || directive.value.at[0] != '"')
        return directive;
    value = gw_slice_of(directive.value.at + 1, directive.value.length - 1);
    const char *close = memchr(value.at, '"', value.length);
    if (close != value.at + value.length - 1 || value.length == 0)
        directive.is_whole = false; /* the quote is open, or the string has escapes */
    else
        value.length--;
    directive.value = value;
    return directive;
}

static bool directives_read_seconds(const struct directive *directive, int64_t *seconds)
{
    uint64_t value = 0;
    if (!directive->is_whole || directive->value.length == 0)
        return false;
    for (size_t i = 0; i < directive->value.length; i++)
        if (directive->value.at[i] < '0' || directive->value.at[i] > '9')
            return false;
    /* RFC 9111 §1.2.2: a number that is too large to represent counts as the largest one. */
    if (!gw_slice_to_uint64(directive->value, &value) || value > (uint64_t)MOST_SECONDS)
        value = (uint64_t)MOST_SECONDS;
    *seconds = (int64_t)value;
    return true;
}

static int64_t *directives_number_of(struct gw_directives *directives, const struct row *row)
{
    return (int64_t *)(void *)((char *)directives + row->member);
}

static bool *directives_flag_of(struct gw_directives *directives, const struct row *row)
{
    return (bool *)(void *)((char *)directives + row->member);
}

static void directives_set_number(struct gw_directives *directives, const struct row *row,
                                  const struct directive *directive, bool is_request)
{
    int64_t *number = directives_number_of(directives, row), seconds,
            strictest = row->most_is_strict ? MOST_SECONDS : 0;
    if (!directives_read_seconds(directive, &seconds)) {
        *number = strictest;
        directives->has_malformed = true;
        return;
    }
    if (*number == GW_DIRECTIVE_ABSENT || *number == seconds) {
        *number = seconds;
        return;
    }
    directives->has_malformed = true;
    if (!is_request)
        *number = 0;
    else if (row->most_is_strict ? seconds > *number : seconds < *number)
        *number = seconds;
}

/* no-cache and private with a list of fields are about these fields only. A list with a field that decides about
 * caching does not count, since a response that is stored without that field would mean something else when it is read
 * again. */
static bool directives_is_qualified(const struct directive *directive)
{
    struct gw_slice rest = directive->value, name;
    unsigned count = 0;
    if (!directive->is_whole)
        return false;
    for (; gw_slice_next_element(&rest, &name); count++) {
        if (!gw_grammar_is_token(name))
            return false;
        enum gw_field_name id = gw_field_name_of(name);
        if (id == GW_FIELD_CACHE_CONTROL || id == GW_FIELD_EXPIRES || id == GW_FIELD_PRAGMA)
            return false;
    }
    return count > 0;
}

static void directives_set_qualified(bool *whole, bool *fields, const struct directive *directive)
{
    *(directives_is_qualified(directive) ? fields : whole) = true;
}

static void directives_read_one(struct gw_directives *directives, const struct directive *directive, bool is_request)
{
    bool has_value = directive->value.at != NULL;
    if (directives_is_named(directive, "no-cache")) {
        directives_set_qualified(&directives->no_cache, &directives->no_cache_fields, directive);
        return;
    }
    if (directives_is_named(directive, "private")) {
        directives_set_qualified(&directives->is_private, &directives->private_fields, directive);
        return;
    }
    if (directives_is_named(directive, "max-stale") && !has_value) {
        directives->max_stale_any = true;
        return;
    }
    for (size_t i = 0; i < GW_COUNT(flags); i++)
        if (directives_is_named(directive, flags[i].name) && (!has_value || flags[i].may_have_value))
            *directives_flag_of(directives, &flags[i]) = true;
    for (size_t i = 0; i < GW_COUNT(numbers); i++)
        if (directives_is_named(directive, numbers[i].name))
            directives_set_number(directives, &numbers[i], directive, is_request);
}

/* --- members that are no directive --- */

static bool directives_is_of_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.';
}

/* The next word of any text. */
static bool directives_next_word(struct gw_slice *rest, struct gw_slice *word)
{
    const char *at = rest->at, *end = rest->at + rest->length;
    while (at < end && !directives_is_of_word(*at))
        at++;
    const char *begin = at;
    while (at < end && directives_is_of_word(*at))
        at++;
    *word = gw_slice_of(begin, (size_t)(at - begin));
    *rest = gw_slice_of(at, (size_t)(end - at));
    return word->length > 0;
}

static bool directives_is_argument(struct gw_slice text)
{
    if (text.length < 2 || text.at[0] != '"')
        return gw_grammar_is_token(text);
    for (size_t i = 1; i < text.length; i++) {
        if (text.at[i] == '"')
            return i + 1 == text.length;
        if (text.at[i] == '\\')
            i++;
    }
    return false;
}

/* token [ "=" ( token / quoted-string ) ]. A token may have more characters than a word has, but no directive has such
 * a name, and a server that sends 'no-store' (with these quotes) or no-store|private means something else. */
static bool directives_is_directive(struct gw_slice element)
{
    size_t length = 0;
    while (length < element.length && directives_is_of_word(element.at[length]))
        length++;
    if (length == 0 || length == element.length)
        return length > 0;
    return element.at[length] == '=' &&
           directives_is_argument(gw_slice_of(element.at + length + 1, element.length - length - 1));
}

/* Reads an element that is not a directive. Each word in it that restricts counts, and a number is read as the
 * strictest one. */
static void directives_read_words(struct gw_directives *directives, struct gw_slice text, bool is_request,
                                  bool with_numbers)
{
    struct directive directive = { .is_whole = false };
    directives->is_unclear = true;
    while (directives_next_word(&text, &directive.name)) {
        directives->no_cache |= directives_is_named(&directive, "no-cache");
        directives->is_private |= directives_is_named(&directive, "private");
        for (size_t i = 0; i < GW_COUNT(flags); i++)
            if (flags[i].may_have_value && directives_is_named(&directive, flags[i].name))
                *directives_flag_of(directives, &flags[i]) = true;
        for (size_t i = 0; with_numbers && i < GW_COUNT(numbers); i++)
            if (directives_is_named(&directive, numbers[i].name))
                directives_set_number(directives, &numbers[i], &directive, is_request);
    }
}

/* A field with a part that is not understood permits nothing. */
static void directives_permit_nothing(struct gw_directives *directives)
{
    directives->is_public = directives->must_understand = directives->immutable = false;
    directives->has_malformed = true;
}

bool gw_directives_pragma_no_cache(const struct gw_head *head)
{
    const struct gw_field *field = gw_head_find(head, GW_FIELD_PRAGMA);
    for (; field; field = gw_head_find_next(head, field)) {
        struct gw_slice rest = field->value, word;
        while (directives_next_word(&rest, &word))
            if (gw_slice_equal_nocase(word, GW_SLICE("no-cache")))
                return true;
    }
    return false;
}

/* A quote that is never closed hides the text behind it. What this text says is unknown, so nothing may be stored. */
static bool directives_has_open_quote(struct gw_slice value)
{
    bool quoted = false;
    for (size_t i = 0; i < value.length; i++) {
        if (value.at[i] == '"')
            quoted = !quoted;
        else if (quoted && value.at[i] == '\\')
            i++;
    }
    return quoted;
}

static void directives_init(struct gw_directives *directives)
{
    *directives = (struct gw_directives) { .max_age = GW_DIRECTIVE_ABSENT,
                                           .s_maxage = GW_DIRECTIVE_ABSENT,
                                           .min_fresh = GW_DIRECTIVE_ABSENT,
                                           .max_stale = GW_DIRECTIVE_ABSENT,
                                           .stale_while_revalidate = GW_DIRECTIVE_ABSENT,
                                           .stale_if_error = GW_DIRECTIVE_ABSENT };
}

void gw_directives_read(struct gw_directives *directives, const struct gw_head *head, bool is_request)
{
    bool is_open = false;
    directives_init(directives);
    const struct gw_field *field = gw_head_find(head, GW_FIELD_CACHE_CONTROL);
    for (; field; field = gw_head_find_next(head, field)) {
        struct gw_slice rest = field->value, element;
        directives->present = true;
        is_open |= directives_has_open_quote(rest);
        while (gw_slice_next_element(&rest, &element)) {
            struct directive directive = directives_split(element);
            if (directives_is_directive(element))
                directives_read_one(directives, &directive, is_request);
            else
                directives_read_words(directives, element, is_request, true);
        }
    }
    directives->no_store |= is_open;
    if (directives->is_unclear || is_open)
        directives_permit_nothing(directives);
    if (is_request && !directives->present && gw_directives_pragma_no_cache(head))
        directives->no_cache = true;
}

/* name NULL: any name. */
static bool directives_names(const struct gw_head *response, const struct gw_slice *name)
{
    const struct gw_field *field = gw_head_find(response, GW_FIELD_CACHE_CONTROL);
    for (; field; field = gw_head_find_next(response, field)) {
        struct gw_slice rest = field->value, element;
        while (gw_slice_next_element(&rest, &element)) {
            struct directive directive = directives_split(element);
            if ((directives_is_named(&directive, "no-cache") || directives_is_named(&directive, "private")) &&
                directives_is_qualified(&directive) && (!name || gw_slice_list_has(directive.value, *name)))
                return true;
        }
    }
    return false;
}

bool gw_directives_name_field(const struct gw_head *response, struct gw_slice name)
{
    return directives_names(response, &name);
}

bool gw_directives_name_any(const struct gw_head *response)
{
    return directives_names(response, NULL);
}

/* --- targeted fields: Dictionaries (RFC 8941 §4.2); only what can be a directive is kept ---
 *
 * Each reader removes its part from the front of *rest. False: the part is not there. */

enum kind { KIND_TRUE, KIND_FALSE, KIND_INTEGER, KIND_OTHER };

struct member {
    struct gw_slice key;
    enum kind kind;
    int64_t integer;
};

enum { INTEGER_DIGITS = 15, DECIMAL_DIGITS = 12, FRACTION_DIGITS = 3 };

static bool directives_take(struct gw_slice *rest, char c)
{
    if (rest->length == 0 || rest->at[0] != c)
        return false;
    rest->at++;
    rest->length--;
    return true;
}

static void directives_skip(struct gw_slice *rest, bool tabs)
{
    while (directives_take(rest, ' ') || (tabs && directives_take(rest, '\t')))
        ;
}

static bool directives_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool directives_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool directives_is_alpha(char c)
{
    return directives_is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool directives_is_key_char(char c)
{
    return directives_is_lower(c) || directives_is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}

static bool directives_is_token_char(char c)
{
    return gw_grammar_is_tchar((unsigned char)c) || c == ':' || c == '/';
}

static bool directives_is_base64_char(char c)
{
    return directives_is_alpha(c) || directives_is_digit(c) || c == '+' || c == '/' || c == '=';
}

static struct gw_slice directives_take_while(struct gw_slice *rest, bool (*is)(char))
{
    struct gw_slice taken = gw_slice_of(rest->at, 0);
    while (rest->length && is(rest->at[0])) {
        taken.length++;
        rest->at++;
        rest->length--;
    }
    return taken;
}

static bool directives_take_key(struct gw_slice *rest, struct gw_slice *key)
{
    if (rest->length == 0 || !(directives_is_lower(rest->at[0]) || rest->at[0] == '*'))
        return false;
    *key = directives_take_while(rest, directives_is_key_char);
    return true;
}

static bool directives_take_number(struct gw_slice *rest, struct member *member)
{
    bool is_negative = directives_take(rest, '-');
    struct gw_slice digits = directives_take_while(rest, directives_is_digit);
    uint64_t value = 0;
    if (digits.length == 0 || digits.length > INTEGER_DIGITS || !gw_slice_to_uint64(digits, &value))
        return false;
    if (!directives_take(rest, '.')) {
        member->kind = KIND_INTEGER;
        member->integer = is_negative ? -(int64_t)value : (int64_t)value;
        return true;
    }
    size_t fraction = directives_take_while(rest, directives_is_digit).length;
    return digits.length <= DECIMAL_DIGITS && fraction >= 1 && fraction <= FRACTION_DIGITS;
}

static bool directives_take_string(struct gw_slice *rest)
{
    while (rest->length) {
        if (directives_take(rest, '"'))
            return true;
        if (directives_take(rest, '\\')) {
            if (!directives_take(rest, '"') && !directives_take(rest, '\\'))
                return false;
        } else if (rest->at[0] < 0x20 || rest->at[0] > 0x7e) {
            return false;
        } else {
            directives_take(rest, rest->at[0]);
        }
    }
    return false;
}

static bool directives_take_bare_item(struct gw_slice *rest, struct member *member)
{
    member->kind = KIND_OTHER;
    if (directives_take(rest, '?')) {
        bool is_true = directives_take(rest, '1');
        member->kind = is_true ? KIND_TRUE : KIND_FALSE;
        return is_true || directives_take(rest, '0');
    }
    if (directives_take(rest, '"'))
        return directives_take_string(rest);
    if (directives_take(rest, ':')) {
        directives_take_while(rest, directives_is_base64_char);
        return directives_take(rest, ':');
    }
    if (rest->length && (directives_is_alpha(rest->at[0]) || rest->at[0] == '*')) {
        directives_take_while(rest, directives_is_token_char);
        return true;
    }
    return directives_take_number(rest, member);
}

static bool directives_take_parameters(struct gw_slice *rest)
{
    struct member parameter;
    while (directives_take(rest, ';')) {
        directives_skip(rest, false);
        if (!directives_take_key(rest, &parameter.key) ||
            (directives_take(rest, '=') && !directives_take_bare_item(rest, &parameter)))
            return false;
    }
    return true;
}

static bool directives_take_inner_list(struct gw_slice *rest)
{
    struct member item;
    for (;;) {
        directives_skip(rest, false);
        if (directives_take(rest, ')'))
            return true;
        if (!directives_take_bare_item(rest, &item) || !directives_take_parameters(rest) || rest->length == 0 ||
            (rest->at[0] != ' ' && rest->at[0] != ')'))
            return false;
    }
}

static bool directives_take_member(struct gw_slice *rest, struct member *member)
{
    if (!directives_take_key(rest, &member->key))
        return false;
    member->kind = KIND_TRUE;
    if (directives_take(rest, '=')) {
        bool is_list = directives_take(rest, '(');
        member->kind = KIND_OTHER;
        if (!(is_list ? directives_take_inner_list(rest) : directives_take_bare_item(rest, member)))
            return false;
    }
    return directives_take_parameters(rest);
}

static void directives_read_member(struct gw_directives *directives, const struct member *member)
{
    if (gw_slice_equal(member->key, GW_SLICE("no-cache")))
        directives->no_cache = member->kind != KIND_FALSE;
    if (gw_slice_equal(member->key, GW_SLICE("private")))
        directives->is_private = member->kind != KIND_FALSE;
    for (size_t i = 0; i < GW_COUNT(flags); i++)
        if (gw_slice_equal(member->key, gw_slice_of_string(flags[i].name)))
            *directives_flag_of(directives, &flags[i]) = member->kind == KIND_TRUE ||
                                                         (flags[i].may_have_value && member->kind != KIND_FALSE);
    for (size_t i = 0; i < GW_COUNT(numbers); i++) {
        if (!gw_slice_equal(member->key, gw_slice_of_string(numbers[i].name)))
            continue;
        bool is_seconds = member->kind == KIND_INTEGER && member->integer >= 0;
        int64_t seconds = is_seconds ? member->integer : 0;
        *directives_number_of(directives, &numbers[i]) = seconds < MOST_SECONDS ? seconds : MOST_SECONDS;
        directives->has_malformed |= !is_seconds;
    }
}

/* Reads one line of the field. The field is a Dictionary if each of its lines is one: RFC 8941 §4.2 allows a parser to
 * fail where a string goes over the end of a line. */
static bool directives_read_dictionary(struct gw_directives *directives, struct gw_slice rest)
{
    struct member member;
    do {
        directives_skip(&rest, true);
        if (!directives_take_member(&rest, &member))
            return false;
        directives_read_member(directives, &member);
        directives_skip(&rest, true);
    } while (directives_take(&rest, ','));
    return rest.length == 0;
}

static bool directives_read_targeted(struct gw_directives *directives, const struct gw_head *response,
                                     struct gw_slice name)
{
    const struct gw_field *line = gw_head_find_named(response, name);
    directives_init(directives);
    directives->present = directives->is_targeted = line != NULL;
    for (; line; line = gw_head_find_next(response, line))
        if (!directives_read_dictionary(directives, line->value))
            return false;
    return directives->is_targeted;
}

/* RFC 9213 §2.1: a field that is not a Dictionary is ignored, so its lifetime does not count. But a word in it that
 * forbids storing counts, since ignoring that word is a risk. */
static void directives_read_unclear(struct gw_directives *directives, const struct gw_head *response,
                                    struct gw_slice name)
{
    const struct gw_field *line = gw_head_find_named(response, name);
    for (; line; line = gw_head_find_next(response, line)) {
        if (line->value.length == 0)
            continue;
        directives_read_words(directives, line->value, false, false);
        directives_permit_nothing(directives);
    }
}

void gw_directives_read_one_targeted(struct gw_directives *directives, const struct gw_head *response,
                                     struct gw_slice field)
{
    if (directives_read_targeted(directives, response, field))
        return;
    directives_init(directives);
    directives_read_unclear(directives, response, field);
}

void gw_directives_read_targeted(struct gw_directives *directives, const struct gw_head *response,
                                 const struct gw_slice *fields, unsigned count)
{
    unsigned i = 0;
    while (i < count && !directives_read_targeted(directives, response, fields[i]))
        i++;
    if (i == count)
        gw_directives_read(directives, response, false);
    for (unsigned k = 0; k < i; k++)
        directives_read_unclear(directives, response, fields[k]);
}
