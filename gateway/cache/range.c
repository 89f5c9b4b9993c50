#include "cache/range.h"

#include "http/date.h"

/* --- If-Range --- */

static const struct gw_field *range_find_only(const struct gw_head *head, enum gw_field_name id)
{
    const struct gw_field *field = gw_head_find(head, id);
    return field && !gw_head_find_next(head, field) ? field : NULL;
}

/* One entity-tag without W/; in it a backslash escapes nothing (RFC 9110 §8.8.3). */
static bool range_is_strong_tag(struct gw_slice text)
{
    return text.length >= 2 && text.at[0] == '"' &&
           memchr(text.at + 1, '"', text.length - 1) == text.at + text.length - 1;
}

/* Two changes within the second of Last-Modified have the same: it identifies what is stored only if that was sent
 * later (RFC 9110 §8.8.2.2). */
static bool range_is_same_date(struct gw_slice asked, const struct gw_head *response, int64_t now_s)
{
    const struct gw_field *modified = range_find_only(response, GW_FIELD_LAST_MODIFIED);
    const struct gw_field *date = range_find_only(response, GW_FIELD_DATE);
    int64_t asked_s = 0, modified_s = 0, date_s = now_s;
    if (!modified || !gw_date_parse(asked, now_s, &asked_s) || !gw_date_parse(modified->value, now_s, &modified_s))
        return false;
    if (date && !gw_date_parse(date->value, now_s, &date_s))
        return false;
    return asked_s == modified_s && modified_s < date_s;
}

static bool range_is_condition_met(const struct gw_head *request, const struct gw_head *response, int64_t now_s)
{
    if (!gw_head_find(request, GW_FIELD_IF_RANGE))
        return true;
    const struct gw_field *condition = range_find_only(request, GW_FIELD_IF_RANGE);
    if (!condition)
        return false;
    if (!range_is_strong_tag(condition->value))
        return range_is_same_date(condition->value, response, now_s);
    const struct gw_field *tag = range_find_only(response, GW_FIELD_ETAG);
    return tag && gw_slice_equal(tag->value, condition->value);
}

/* --- Range --- */

static struct gw_slice range_without_zeros(struct gw_slice digits)
{
    while (digits.length > 1 && digits.at[0] == '0')
        digits = gw_slice_of(digits.at + 1, digits.length - 1);
    return digits;
}

static bool range_are_digits(struct gw_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return text.length > 0;
}

/* By their digits, however many. */
static bool range_is_larger(struct gw_slice a, struct gw_slice b)
{
    a = range_without_zeros(a);
    b = range_without_zeros(b);
    return a.length != b.length ? a.length > b.length : memcmp(a.at, b.at, a.length) > 0;
}

static uint64_t range_number_of(struct gw_slice digits)
{
    uint64_t number = 0;
    return gw_slice_to_uint64(digits, &number) ? number : UINT64_MAX;
}

/* A range of "bytes=…" (RFC 9110 §14.1.1, §14.1.2), split at its dash. */
static bool range_read_spec(struct gw_slice spec, struct gw_slice *first, struct gw_slice *last)
{
    const char *dash = memchr(spec.at, '-', spec.length);
    if (!dash)
        return false;
    *first = gw_slice_of(spec.at, (size_t)(dash - spec.at));
    *last = gw_slice_of(dash + 1, (size_t)(spec.at + spec.length - dash - 1));
    return (first->length == 0 || range_are_digits(*first)) && (last->length == 0 || range_are_digits(*last)) &&
           first->length + last->length > 0;
}

static enum gw_range range_suffix_of(uint64_t length, uint64_t body_bytes, struct gw_range_part *part)
{
    if (length == 0)
        return GW_RANGE_UNSATISFIABLE;
    if (body_bytes == 0) /* satisfiable, but Content-Range has no words for no bytes */
        return GW_RANGE_WHOLE;
    part->length = length < body_bytes ? length : body_bytes;
    part->first = body_bytes - part->length;
    return GW_RANGE_PART;
}

/* WHOLE, too, for what is no range. */
static enum gw_range range_of(struct gw_slice spec, uint64_t body_bytes, struct gw_range_part *part)
{
    struct gw_slice first, last;
    if (!range_read_spec(spec, &first, &last))
        return GW_RANGE_WHOLE;
    if (first.length == 0)
        return range_suffix_of(range_number_of(last), body_bytes, part);
    if (last.length && range_is_larger(first, last))
        return GW_RANGE_WHOLE;
    part->first = range_number_of(first);
    if (part->first >= body_bytes)
        return GW_RANGE_UNSATISFIABLE;
    uint64_t end = last.length ? range_number_of(last) : UINT64_MAX;
    part->length = (end < body_bytes - 1 ? end : body_bytes - 1) - part->first + 1;
    return GW_RANGE_PART;
}

/* Of several, those that cannot be satisfied do not count (§14.1.2): one that is left is the part, more are the
 * whole. */
static enum gw_range range_choose(struct gw_slice list, uint64_t body_bytes, struct gw_range_part *part)
{
    struct gw_slice spec;
    unsigned parts = 0;
    bool has_any = false;
    while (gw_slice_next_element(&list, &spec)) {
        struct gw_range_part found = { 0, 0 };
        enum gw_range range = range_of(spec, body_bytes, &found);
        if (range == GW_RANGE_WHOLE)
            return GW_RANGE_WHOLE;
        has_any = true;
        if (range == GW_RANGE_PART && parts++ == 0)
            *part = found;
    }
    if (!has_any || parts > 1)
        return GW_RANGE_WHOLE;
    return parts ? GW_RANGE_PART : GW_RANGE_UNSATISFIABLE;
}

enum gw_range gw_range_of(const struct gw_head *request, const struct gw_head *response, uint64_t body_bytes,
                          int64_t now_s, struct gw_range_part *part)
{
    static const struct gw_slice unit = { "bytes=", 6 };
    const struct gw_field *field = range_find_only(request, GW_FIELD_RANGE);
    *part = (struct gw_range_part) { 0, 0 };
    if (request->method != GW_METHOD_GET || response->status != 200 || !field || field->value.length < unit.length ||
        !gw_slice_equal_nocase(gw_slice_of(field->value.at, unit.length), unit) ||
        !range_is_condition_met(request, response, now_s))
        return GW_RANGE_WHOLE;
    struct gw_slice list = gw_slice_of(field->value.at + unit.length, field->value.length - unit.length);
    enum gw_range range = range_choose(list, body_bytes, part);
    if (range != GW_RANGE_PART)
        *part = (struct gw_range_part) { 0, 0 };
    return range;
}

/* "bytes 0-99/100" (RFC 9110 §14.4) */
bool gw_range_is_whole(const struct gw_head *response)
{
    static const struct gw_slice start = { "bytes 0-", 8 };
    const struct gw_field *field = range_find_only(response, GW_FIELD_CONTENT_RANGE);
    uint64_t last, length;
    if (response->status != 206 || response->framing != GW_FRAMING_LENGTH || !field ||
        field->value.length < start.length || !gw_slice_equal_nocase(gw_slice_of(field->value.at, start.length), start))
        return false;
    struct gw_slice rest = gw_slice_of(field->value.at + start.length, field->value.length - start.length);
    const char *slash = memchr(rest.at, '/', rest.length);
    if (!slash || !gw_slice_to_uint64(gw_slice_of(rest.at, (size_t)(slash - rest.at)), &last) ||
        !gw_slice_to_uint64(gw_slice_of(slash + 1, (size_t)(rest.at + rest.length - slash - 1)), &length))
        return false;
    return length > 0 && last == length - 1 && response->content_length == length;
}
