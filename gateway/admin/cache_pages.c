#include "admin/cache_pages.h"

#include "base/hex.h"
#include "admin/json.h"
#include "http/grammar.h"

/* ---- permission ---- */

/* Compares every byte of what was given, even after a difference. */
static bool is_secret(struct gw_slice given, struct gw_slice secret)
{
    volatile unsigned difference = given.length != secret.length;
    for (size_t i = 0; i < given.length; i++)
        difference |= (unsigned char)(given.at[i] ^ secret.at[i % secret.length]);
    return difference == 0;
}

bool gw_cache_pages_knows_token(const struct gw_head *request, struct gw_slice token)
{
    static const size_t scheme = sizeof "Bearer " - 1;
    const struct gw_field *field = gw_head_find(request, GW_FIELD_AUTHORIZATION);
    if (!field || gw_head_find_next(request, field) || field->value.length <= scheme ||
        !gw_slice_equal_nocase(gw_slice_of(field->value.at, scheme), GW_SLICE("Bearer ")))
        return false;
    return is_secret(gw_slice_trim(gw_slice_of(field->value.at + scheme, field->value.length - scheme)), token);
}

/* ---- parameters ---- */

struct parameter {
    struct gw_slice name, value; /* decoded; a NUL stands behind each, and none in it */
};

/* Reads the byte at *at and moves *at behind it. -1: a '%' without two digits. */
static int next_byte(const char **at, const char *end)
{
    const char *from = *at;
    bool is_encoded = *from == '%';
    if (is_encoded && (end - from < 3 || gw_hex_value(from[1]) < 0 || gw_hex_value(from[2]) < 0))
        return -1;
    *at += is_encoded ? 3 : 1;
    return is_encoded ? gw_hex_value(from[1]) << 4 | gw_hex_value(from[2]) : (unsigned char)*from;
}

/* The absent slice: memory is out, an encoding is incomplete, or there is a NUL. */
static struct gw_slice decode(struct gw_arena *arena, struct gw_slice text)
{
    char *decoded = gw_arena_take(arena, text.length + 1), *to = decoded;
    if (!decoded)
        return GW_NO_SLICE;
    for (const char *at = text.at, *end = at + text.length; at < end;) {
        int byte = next_byte(&at, end);
        if (byte <= 0)
            return GW_NO_SLICE;
        *to++ = (char)byte;
    }
    *to = '\0';
    return gw_slice_of(decoded, (size_t)(to - decoded));
}

/* Reads the next parameter and moves *rest behind it. False at the end, or with a complaint. */
static bool next_parameter(struct gw_slice *rest, struct gw_arena *arena, struct parameter *parameter,
                           struct gw_complaint *complaint)
{
    while (rest->length && rest->at[0] == '&')
        *rest = gw_slice_of(rest->at + 1, rest->length - 1);
    if (!rest->length)
        return false;
    const char *end = memchr(rest->at, '&', rest->length);
    size_t length = end ? (size_t)(end - rest->at) : rest->length;
    const char *equals = memchr(rest->at, '=', length);
    size_t name = equals ? (size_t)(equals - rest->at) : length, value = equals ? name + 1 : length;
    parameter->name = decode(arena, gw_slice_of(rest->at, name));
    parameter->value = decode(arena, gw_slice_of(rest->at + value, length - value));
    *rest = gw_slice_of(rest->at + length, rest->length - length);
    if (parameter->name.at && parameter->value.at)
        return true;
    gw_complain(complaint, "query", NULL, "percent-encodings of two digits, none of them %%00");
    return false;
}

static bool is_complained(const struct gw_complaint *complaint)
{
    return complaint->place[0] != '\0';
}

static bool complain(struct gw_complaint *complaint, const struct parameter *parameter, const char *expected)
{
    char place[64];
    struct gw_buffer text = gw_buffer_over(place, sizeof place - 1);
    gw_buffer_put_literal(&text, "parameter ");
    gw_buffer_put(&text, parameter->name.at, parameter->name.length < 32 ? parameter->name.length : 32);
    place[text.length] = '\0';
    gw_complain(complaint, place, parameter->value.at, "%s", expected);
    return false;
}

/* ---- URLs ---- */

static struct gw_slice lower(struct gw_arena *arena, struct gw_slice text)
{
    char *copy = gw_arena_take(arena, text.length + 1);
    if (!copy)
        return GW_NO_SLICE;
    for (size_t i = 0; i < text.length; i++)
        copy[i] = (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] | 0x20 : text.at[i]);
    copy[text.length] = '\0';
    return gw_slice_of(copy, text.length);
}

/* Reads scheme and host, if there are any. *rest is the text behind them. */
static bool split_origin(struct gw_slice text, struct gw_arena *arena, struct gw_cache_url *url, struct gw_slice *rest)
{
    static const struct gw_slice schemes[] = { { "http", 4 }, { "https", 5 } };
    *rest = text;
    if (text.length && text.at[0] == '/')
        return true;
    for (unsigned i = 0; i < GW_COUNT(schemes); i++) {
        size_t scheme = schemes[i].length, length = 0;
        if (text.length < scheme + 3 || memcmp(text.at + scheme, "://", 3) != 0 ||
            !gw_slice_equal_nocase(gw_slice_of(text.at, scheme), schemes[i]))
            continue;
        *rest = gw_slice_of(text.at + scheme + 3, text.length - scheme - 3);
        while (length < rest->length && !memchr("/?#", rest->at[length], 3))
            length++;
        url->scheme = schemes[i];
        url->host = lower(arena, gw_grammar_normal_authority(url->scheme, gw_slice_of(rest->at, length)));
        *rest = gw_slice_of(rest->at + length, rest->length - length);
        return url->host.at && gw_grammar_is_authority(url->host);
    }
    return false;
}

static bool split_url(struct gw_slice text, struct gw_arena *arena, struct gw_cache_url *url)
{
    struct gw_slice rest;
    if (!split_origin(text, arena, url, &rest))
        return false;
    if (rest.length && rest.at[0] == '/')
        return gw_grammar_split_origin_form(rest, &url->path, &url->query);
    url->path = GW_SLICE("/");
    if (!rest.length)
        return true;
    url->query = gw_slice_of(rest.at + 1, rest.length - 1);
    return rest.at[0] == '?' && gw_grammar_is_query(url->query);
}

/* A prefix may end anywhere, also within a percent-encoding. */
static bool split_prefix(struct gw_slice text, struct gw_arena *arena, struct gw_cache_url *url)
{
    if (!split_origin(text, arena, url, &url->path))
        return false;
    if (!url->path.length)
        url->path = GW_SLICE("/");
    for (size_t i = 0; i < url->path.length; i++)
        if (url->path.at[i] != '%' && !gw_grammar_is(url->path.at[i], GW_GRAMMAR_PATH | GW_GRAMMAR_QUERY))
            return false;
    return url->path.at[0] == '/';
}

/* May this tag be in Surrogate-Key or Cache-Tag? */
static bool is_tag(struct gw_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.at[i] <= ' ' || text.at[i] == ',' || text.at[i] == 0x7f)
            return false;
    return text.length > 0;
}

/* ---- a purge ---- */

static const char purge_expected[] = "exactly one of url, prefix, tag and all=1, and perhaps soft=1";

static bool set_purge(struct gw_purge_order *order, enum gw_ban_kind kind, const struct parameter *parameter,
                      bool is_valid, const char *expected, struct gw_complaint *complaint)
{
    if (!is_valid)
        return complain(complaint, parameter, expected);
    if (order->kind || parameter->value.length > GW_BAN_TEXT_BYTES)
        return complain(complaint, parameter, order->kind ? purge_expected : "2048 bytes at most");
    order->kind = kind;
    order->text = parameter->value;
    return true;
}

static bool read_purge_parameter(struct gw_purge_order *order, const struct parameter *parameter,
                                 struct gw_arena *arena, struct gw_complaint *complaint)
{
    struct gw_slice name = parameter->name, value = parameter->value;
    if (gw_slice_equal(name, GW_SLICE("url")))
        return set_purge(order, GW_BAN_URL, parameter, split_url(value, arena, &order->url),
                         "http://host/path?query, or /path?query for every host", complaint);
    if (gw_slice_equal(name, GW_SLICE("prefix")))
        return set_purge(order, GW_BAN_PREFIX, parameter, split_prefix(value, arena, &order->url),
                         "http://host/path, or /path for every host", complaint);
    if (gw_slice_equal(name, GW_SLICE("tag")))
        return set_purge(order, GW_BAN_TAG, parameter, is_tag(value), "one tag, without blanks and commas", complaint);
    if (gw_slice_equal(name, GW_SLICE("all")))
        return set_purge(order, GW_BAN_ALL, parameter, gw_slice_equal(value, GW_SLICE("1")), "1", complaint);
    if (!gw_slice_equal(name, GW_SLICE("soft")))
        return complain(complaint, parameter, purge_expected);
    order->is_soft = gw_slice_equal(value, GW_SLICE("1"));
    return order->is_soft || gw_slice_equal(value, GW_SLICE("0")) || complain(complaint, parameter, "0 or 1");
}

bool gw_cache_pages_read_purge(struct gw_slice query, struct gw_arena *arena, struct gw_purge_order *order,
                               struct gw_complaint *complaint)
{
    struct parameter parameter;
    *order = (struct gw_purge_order) { .is_soft = false };
    *complaint = (struct gw_complaint) { .place = "" };
    while (next_parameter(&query, arena, &parameter, complaint))
        if (!read_purge_parameter(order, &parameter, arena, complaint))
            return false;
    if (!order->kind && !is_complained(complaint))
        gw_complain(complaint, "query", NULL, "%s", purge_expected);
    return !is_complained(complaint);
}

/* ---- an inspection ---- */

static bool add_header(struct gw_inspect_order *order, const struct parameter *parameter, struct gw_arena *arena,
                       struct gw_complaint *complaint)
{
    struct gw_slice line = parameter->value;
    const char *colon = memchr(line.at, ':', line.length);
    size_t length = colon ? (size_t)(colon - line.at) : 0;
    if (!colon || !gw_grammar_is_token(gw_slice_of(line.at, length)))
        return complain(complaint, parameter, "\"Name: value\"");
    struct gw_slice value = gw_slice_trim(gw_slice_of(colon + 1, line.length - length - 1));
    if (!gw_grammar_is_field_value(value))
        return complain(complaint, parameter, "a value as a field may have it");
    if (order->head.count == GW_INSPECT_HEADERS ||
        !gw_head_add(&order->head, arena, gw_slice_of(line.at, length), value))
        return complain(complaint, parameter, "32 headers at most");
    return true;
}

static bool read_inspect_parameter(struct gw_inspect_order *order, const struct parameter *parameter,
                                   struct gw_arena *arena, struct gw_complaint *complaint)
{
    if (gw_slice_equal(parameter->name, GW_SLICE("header")))
        return add_header(order, parameter, arena, complaint);
    if (!gw_slice_equal(parameter->name, GW_SLICE("url")) || order->text.length)
        return complain(complaint, parameter, "url once, and header for each field of the request");
    order->text = parameter->value;
    return (split_url(parameter->value, arena, &order->url) && order->url.host.length) ||
           complain(complaint, parameter, "http://host/path?query");
}

bool gw_cache_pages_read_inspect(struct gw_slice query, struct gw_arena *arena, struct gw_inspect_order *order,
                                 struct gw_complaint *complaint)
{
    struct parameter parameter;
    struct gw_head *head = &order->head;
    *order = (struct gw_inspect_order) { .text = GW_NO_SLICE };
    *complaint = (struct gw_complaint) { .place = "" };
    gw_head_init(head);
    while (next_parameter(&query, arena, &parameter, complaint))
        if (!read_inspect_parameter(order, &parameter, arena, complaint))
            return false;
    if (!order->text.length && !is_complained(complaint))
        gw_complain(complaint, "query", NULL, "url=http://host/path?query");
    head->method = GW_METHOD_GET;
    head->method_text = GW_SLICE("GET");
    head->path = order->url.path;
    head->query = order->url.query;
    head->authority = order->url.host;
    head->version_minor = 1;
    head->keep_alive = true;
    gw_head_drop_hop_by_hop(head);
    return !is_complained(complaint);
}

/* ---- answers to a purge ---- */

void gw_cache_pages_put_problem(int status, const char *error, struct gw_slice detail, struct gw_slice request_id,
                                struct gw_buffer *page)
{
    gw_buffer_put_literal(page, "{\"type\":\"about:blank\",\"title\":");
    gw_buffer_put_json(page, gw_status_reason(status));
    gw_buffer_put_literal(page, ",\"status\":");
    gw_buffer_put_uint(page, (uint64_t)status);
    gw_buffer_put_literal(page, ",\"error\":");
    gw_buffer_put_json(page, gw_slice_of_string(error));
    gw_buffer_put_literal(page, ",\"detail\":");
    gw_buffer_put_json(page, detail);
    gw_buffer_put_literal(page, ",\"request_id\":");
    gw_buffer_put_json(page, request_id);
    gw_buffer_put_literal(page, "}\n");
}

static const char *kind_name(enum gw_ban_kind kind)
{
    switch (kind) {
    case GW_BAN_URL:
        return "url";
    case GW_BAN_PREFIX:
        return "prefix";
    case GW_BAN_TAG:
        return "tag";
    case GW_BAN_ALL:
        break;
    }
    return "all";
}

int gw_cache_pages_put_purge(const struct gw_purge_order *order, enum gw_purge_reach reach, struct gw_buffer *page)
{
    static const char *const details[] = {
        [GW_PURGE_EVERYWHERE] = NULL,
        [GW_PURGE_LATER] = "Redis has not acknowledged it. It is done on this instance and is sent again until Redis "
                           "has it; other instances may answer with what is purged until then.",
        [GW_PURGE_HERE] = "Redis has not acknowledged it. It is done on this instance and is not sent again: unless it "
                          "did reach Redis, other instances never learn of it. Purge again when Redis is back.",
    };
    struct gw_json json;
    gw_json_init(&json);
    cJSON *purged = gw_json_put_object(&json, json.root, "purged");
    if (order->kind == GW_BAN_ALL)
        gw_json_put_bool(&json, purged, "all", true);
    else
        gw_json_put_slice(&json, purged, kind_name(order->kind), order->text);
    gw_json_put_bool(&json, json.root, "soft", order->is_soft);
    gw_json_put_bool(&json, json.root, "everywhere", reach == GW_PURGE_EVERYWHERE);
    if (details[reach])
        gw_json_put_string(&json, json.root, "detail", details[reach]);
    return gw_json_finish(&json, details[reach] ? 202 : 200, page);
}
