#include "base/slice.h"

static char slice_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool gw_slice_equal_nocase(struct gw_slice a, struct gw_slice b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++)
        if (slice_lower(a.at[i]) != slice_lower(b.at[i]))
            return false;
    return true;
}

bool gw_slice_starts_with(struct gw_slice whole, struct gw_slice start)
{
    return whole.length >= start.length && (start.length == 0 || memcmp(whole.at, start.at, start.length) == 0);
}

struct gw_slice gw_slice_trim(struct gw_slice slice)
{
    while (slice.length && (slice.at[0] == ' ' || slice.at[0] == '\t')) {
        slice.at++;
        slice.length--;
    }
    while (slice.length && (slice.at[slice.length - 1] == ' ' || slice.at[slice.length - 1] == '\t'))
        slice.length--;
    return slice;
}

bool gw_slice_to_uint64(struct gw_slice digits, uint64_t *value)
{
    uint64_t sum = 0;
    if (digits.length == 0)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(digits.at[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool gw_slice_next_element(struct gw_slice *rest, struct gw_slice *element)
{
    while (rest->length) {
        size_t end = 0;
        bool quoted = false;
        for (; end < rest->length && (quoted || rest->at[end] != ','); end++) {
            if (rest->at[end] == '"')
                quoted = !quoted;
            else if (quoted && rest->at[end] == '\\' && end + 1 < rest->length)
                end++;
        }
        *element = gw_slice_trim(gw_slice_of(rest->at, end));
        size_t taken = end < rest->length ? end + 1 : end;
        rest->at += taken;
        rest->length -= taken;
        if (element->length)
            return true;
    }
    return false;
}

bool gw_slice_list_has(struct gw_slice list, struct gw_slice token)
{
    struct gw_slice element;
    while (gw_slice_next_element(&list, &element))
        if (gw_slice_equal_nocase(element, token))
            return true;
    return false;
}
