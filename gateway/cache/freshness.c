#include "cache/freshness.h"

#include "http/date.h"

static int64_t freshness_bounded(int64_t seconds)
{
    if (seconds < 0)
        return 0;
    return seconds > GW_FRESHNESS_MAX_S ? GW_FRESHNESS_MAX_S : seconds;
}

enum date_reading { DATE_ABSENT, DATE_VALID, DATE_UNCLEAR };

static enum date_reading freshness_read_date(const struct gw_head *head, enum gw_field_name id, int64_t now_s,
                                             int64_t *at_s)
{
    const struct gw_field *field = gw_head_find(head, id);
    if (!field)
        return DATE_ABSENT;
    if (gw_head_find_next(head, field) || !gw_date_parse(field->value, now_s, at_s))
        return DATE_UNCLEAR;
    return DATE_VALID;
}

/* Of an Age that is a list the first member counts; one that is no number counts as 0 (§5.1). */
static int64_t freshness_age_value_s(const struct gw_head *response)
{
    struct gw_slice age = GW_NO_SLICE;
    for (const struct gw_field *field = gw_head_find(response, GW_FIELD_AGE); field && !age.at;
         field = gw_head_find_next(response, field)) {
        struct gw_slice rest = field->value, member;
        if (gw_slice_next_element(&rest, &member))
            age = member;
    }
    for (size_t i = 0; i < age.length; i++)
        if (age.at[i] < '0' || age.at[i] > '9')
            return 0;
    uint64_t value = 0;
    bool fits = gw_slice_to_uint64(age, &value) && value <= (uint64_t)GW_FRESHNESS_MAX_S;
    return age.length == 0 ? 0 : fits ? (int64_t)value : GW_FRESHNESS_MAX_S;
}

int64_t gw_freshness_age_s(const struct gw_head *response, int64_t request_at_s, int64_t response_at_s)
{
    return freshness_bounded(freshness_age_value_s(response) + freshness_bounded(response_at_s - request_at_s));
}

/* The instant that a response speaks of, if its Date tells. One in the future is a clock that is ahead. False: Date is
 * malformed. */
static bool freshness_read_origin(const struct gw_head *response, int64_t response_at_s, int64_t *at_s)
{
    *at_s = response_at_s;
    return freshness_read_date(response, GW_FIELD_DATE, response_at_s, at_s) != DATE_UNCLEAR;
}

static int64_t freshness_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool gw_freshness_is_explicit(const struct gw_head *response, const struct gw_directives *directives)
{
    return directives->s_maxage != GW_DIRECTIVE_ABSENT || directives->max_age != GW_DIRECTIVE_ABSENT ||
           (!directives->is_targeted && gw_head_find(response, GW_FIELD_EXPIRES));
}

int64_t gw_freshness_lifetime_s(const struct gw_head *response, const struct gw_directives *directives,
                                int64_t response_at_s)
{
    if (directives->s_maxage != GW_DIRECTIVE_ABSENT)
        return freshness_bounded(directives->s_maxage);
    if (directives->max_age != GW_DIRECTIVE_ABSENT)
        return freshness_bounded(directives->max_age);

    int64_t expires_s = 0, date_s;
    if (freshness_read_date(response, GW_FIELD_EXPIRES, response_at_s, &expires_s) != DATE_VALID ||
        !freshness_read_origin(response, response_at_s, &date_s))
        return 0;
    /* Date does not make it old, so it must not make it fresh beyond Expires either. */
    return freshness_bounded(freshness_smaller(expires_s - date_s, expires_s - response_at_s));
}

bool gw_freshness_has_last_modified(const struct gw_head *response, int64_t response_at_s)
{
    int64_t modified_s;
    return freshness_read_date(response, GW_FIELD_LAST_MODIFIED, response_at_s, &modified_s) == DATE_VALID;
}

int64_t gw_freshness_guess_s(const struct gw_head *response, int64_t response_at_s, int64_t most_s)
{
    int64_t modified_s = 0, date_s;
    if (freshness_read_date(response, GW_FIELD_LAST_MODIFIED, response_at_s, &modified_s) != DATE_VALID ||
        !freshness_read_origin(response, response_at_s, &date_s))
        return 0;
    int64_t guess_s = freshness_bounded((freshness_smaller(date_s, response_at_s) - modified_s) / 10);
    return guess_s < most_s ? guess_s : most_s;
}
