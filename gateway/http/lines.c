#include "http/lines.h"

#include "http/grammar.h"

static const char *lines_skip(const char *at, const char *end, unsigned classes)
{
    while (at < end && gw_grammar_is(*at, classes))
        at++;
    return at;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Skips the bytes of a field's value, eight at a time. Most bytes of a head are in values: byte by byte, this took a
 * third of the guard's time. The top bit is set of each byte that is a control or DEL. A borrow may also mark a byte
 * above the lowest of these. So a word without marks is text; every other word is left to the table. */
static const char *lines_skip_value(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t controls = (word - EACH(0x20)) & ~word, not_del = word ^ EACH(0x7f);
        if ((controls | ((not_del - EACH(1)) & ~not_del)) & EACH(0x80))
            break;
        at += sizeof word;
    }
    return lines_skip(at, end, GW_GRAMMAR_VALUE);
}

static const char *lines_skip_crlf(const char *at, const char *end)
{
    return end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? at + 2 : NULL;
}

/* "HTTP/" DIGIT "." DIGIT (RFC 9112 §2.3). */
static const char *lines_read_version(const char *at, const char *end, struct gw_head *head, enum gw_error *error)
{
    if (end - at < 8 || memcmp(at, "HTTP/", 5) != 0 || at[6] != '.' || !gw_grammar_is(at[5], GW_GRAMMAR_DIGIT) ||
        !gw_grammar_is(at[7], GW_GRAMMAR_DIGIT))
        return NULL;
    head->version_minor = (uint8_t)(at[7] - '0');
    if (at[5] != '1' || head->version_minor > 1)
        *error = GW_ERROR_VERSION;
    return at + 8;
}

const char *gw_lines_request(const char *at, const char *end, struct gw_head *head, enum gw_error *error)
{
    *error = GW_ERROR_MALFORMED;
    const char *stop = lines_skip(at, end, GW_GRAMMAR_TCHAR);
    if (stop == at || stop == end || *stop != ' ')
        return NULL;
    head->method_text = gw_slice_of(at, (size_t)(stop - at));

    at = ++stop; /* the guard checks which of these bytes the target may have */
    while (stop < end && (unsigned char)*stop > ' ' && *stop != 0x7f)
        stop++;
    if (stop == at || stop == end || *stop != ' ')
        return NULL;
    head->target = gw_slice_of(at, (size_t)(stop - at));

    enum gw_error version = GW_ERROR_NONE;
    at = lines_read_version(stop + 1, end, head, &version);
    at = at ? lines_skip_crlf(at, end) : NULL;
    if (at && version) {
        *error = version;
        return NULL;
    }
    head->method = gw_method_of(head->method_text);
    return at;
}

const char *gw_lines_status(const char *at, const char *end, struct gw_head *head, enum gw_error *error)
{
    *error = GW_ERROR_MALFORMED;
    enum gw_error version = GW_ERROR_NONE;
    at = lines_read_version(at, end, head, &version);
    if (!at || version || end - at < 4 || at[0] != ' ')
        return NULL;
    head->status = 0;
    for (int i = 1; i <= 3; i++) {
        if (!gw_grammar_is(at[i], GW_GRAMMAR_DIGIT))
            return NULL;
        head->status = head->status * 10 + (at[i] - '0');
    }
    if (head->status < 100)
        return NULL;
    at += 4;
    if (at < end && *at == ' ')
        at++;
    else if (at < end && *at != '\r')
        return NULL;
    const char *stop = lines_skip(at, end, GW_GRAMMAR_VALUE);
    head->reason = gw_slice_of(at, (size_t)(stop - at));
    return lines_skip_crlf(stop, end);
}

const char *gw_lines_field(const char *at, const char *end, struct gw_slice *name, struct gw_slice *value)
{
    const char *stop = lines_skip(at, end, GW_GRAMMAR_TCHAR);
    if (stop == at || stop == end || *stop != ':')
        return NULL;
    *name = gw_slice_of(at, (size_t)(stop - at));

    at = stop + 1;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    stop = lines_skip_value(at, end);
    const char *next = lines_skip_crlf(stop, end);
    while (stop > at && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    *value = gw_slice_of(at, (size_t)(stop - at));
    return next;
}
