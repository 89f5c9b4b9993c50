#include "http/directives.h"

#define MOST_SECONDS (INT64_C(1) << 31)

struct row {
    const char *name;
    size_t member;       /* its place in struct gw_directives */
    bool may_have_value; /* flags: still meant when a value stands behind it, as the safe reading */
    bool most_is_strict; /* numbers: the strictest is the largest */
};

#define ROW(name, member, may_have_value, most_is_strict)                                                              \
    {                                                                                                                  \
        name, offsetof(struct gw_directives, member), may_have_value, most_is_strict                                   \
    }

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
    bool is_whole;         /* no quote left open, no white space around '=' */
};

static bool is_named(const struct directive *directive, const char *name)
{
    return gw_slice_equal_nocase(directive->name, gw_slice_of_string(name));
}

/* element = token [ "=" ( token / quoted-string ) ] (RFC 9111 §5.2: both forms are to be read). */
static struct directive split(struct gw_slice element)
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
        directive.is_whole = false; /* open, or with escapes */
    else
        value.length--;
    directive.value = value;
    return directive;
}

static bool read_seconds(const struct directive *directive, int64_t *seconds)
{
    uint64_t value = 0;
    if (!directive->is_whole || directive->value.length == 0)
        return false;
    for (size_t i = 0; i < directive->value.length; i++)
        if (directive->value.at[i] < '0' || directive->value.at[i] > '9')
            return false;
    /* RFC 9111 §1.2.2: what is too large to be represented is the largest. */
    if (!gw_slice_to_uint64(directive->value, &value) || value > (uint64_t)MOST_SECONDS)
        value = (uint64_t)MOST_SECONDS;
    *seconds = (int64_t)value;
    return true;
}

static void set_number(int64_t *number, const struct row *row, const struct directive *directive, bool is_request)
{
    int64_t seconds, strictest = row->most_is_strict ? MOST_SECONDS : 0;
    if (!read_seconds(directive, &seconds))
        *number = strictest;
    else if (*number == GW_DIRECTIVE_ABSENT || *number == seconds)
        *number = seconds;
    else if (!is_request)
        *number = 0;
    else if (row->most_is_strict ? seconds > *number : seconds < *number)
        *number = seconds;
}

/* no-cache and private: with a list of fields, they are about these only. */
static void set_qualified(bool *whole, bool *fields, const struct directive *directive)
{
    if (directive->value.at && directive->is_whole && directive->value.length)
        *fields = true;
    else
        *whole = true;
}

static void read_one(struct gw_directives *directives, const struct directive *directive, bool is_request)
{
    char *members = (char *)directives;
    bool has_value = directive->value.at != NULL;
    if (is_named(directive, "no-cache")) {
        set_qualified(&directives->no_cache, &directives->no_cache_fields, directive);
        return;
    }
    if (is_named(directive, "private")) {
        set_qualified(&directives->is_private, &directives->private_fields, directive);
        return;
    }
    if (is_named(directive, "max-stale") && !has_value) {
        directives->max_stale_any = true;
        return;
    }
    for (size_t i = 0; i < GW_COUNT(flags); i++)
        if (is_named(directive, flags[i].name) && (!has_value || flags[i].may_have_value))
            *(bool *)(void *)(members + flags[i].member) = true;
    for (size_t i = 0; i < GW_COUNT(numbers); i++)
        if (is_named(directive, numbers[i].name))
            set_number((int64_t *)(void *)(members + numbers[i].member), &numbers[i], directive, is_request);
}

/* A quote that is never closed hides whatever follows it: what that was is not known, so nothing may be stored. */
static bool has_open_quote(struct gw_slice value)
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

void gw_directives_read(struct gw_directives *directives, const struct gw_head *head, bool is_request)
{
    *directives = (struct gw_directives) { .max_age = GW_DIRECTIVE_ABSENT,
                                           .s_maxage = GW_DIRECTIVE_ABSENT,
                                           .min_fresh = GW_DIRECTIVE_ABSENT,
                                           .max_stale = GW_DIRECTIVE_ABSENT,
                                           .stale_while_revalidate = GW_DIRECTIVE_ABSENT,
                                           .stale_if_error = GW_DIRECTIVE_ABSENT };
    const struct gw_field *field = gw_head_find(head, GW_FIELD_CACHE_CONTROL);
    for (; field; field = gw_head_find_next(head, field)) {
        struct gw_slice rest = field->value, element;
        directives->present = true;
        directives->no_store |= has_open_quote(rest);
        while (gw_slice_next_element(&rest, &element)) {
            struct directive directive = split(element);
            read_one(directives, &directive, is_request);
        }
    }
    if (is_request && !directives->present && gw_head_has_token(head, GW_FIELD_PRAGMA, GW_SLICE("no-cache")))
        directives->no_cache = true;
}
