#include "cache/entry.h"

#include <stdlib.h>
#include "cache/vary.h"

static bool is_hop_by_hop(enum gw_field_name id)
{
    static const bool table[GW_FIELD_COUNT] = {
#define ENTRY_HOP(NAME, name, hop) [GW_FIELD_##NAME] = hop,
        GW_FIELDS(ENTRY_HOP)
#undef ENTRY_HOP
    };
    return table[id];
}

static bool is_stored(const struct gw_head *response, const struct gw_field *field)
{
    if (field->dropped || is_hop_by_hop(field->id))
        return false;
    switch (field->id) {
    case GW_FIELD_AGE:
    case GW_FIELD_CONTENT_LENGTH:
    case GW_FIELD_RATELIMIT:
    case GW_FIELD_RATELIMIT_POLICY:
    case GW_FIELD_SET_COOKIE:
    case GW_FIELD_TRACEPARENT:
    case GW_FIELD_X_CACHE:
    case GW_FIELD_X_CACHE_AGE:
    case GW_FIELD_X_RATELIMIT_LIMIT:
    case GW_FIELD_X_RATELIMIT_REMAINING:
    case GW_FIELD_X_RATELIMIT_RESET:
    case GW_FIELD_X_REQUEST_ID:
        return false;
    case GW_FIELD_RETRY_AFTER:
        return response->status < 200 || response->status > 299;
    default:
        return true;
    }
}

static struct gw_slice reason_of(const struct gw_head *response)
{
    return response->reason.length ? response->reason : gw_status_reason(response->status);
}

enum { STATUS_LINE_BYTES = sizeof "HTTP/1.1 200 \r\n" - 1, FIELD_EXTRA_BYTES = sizeof ": \r\n" - 1 };

struct plan { /* sizes of the parts of the one piece */
    unsigned fields;
    size_t text_bytes;
    struct gw_vary_size vary;
    size_t url_bytes;
};

static size_t url_bytes(const struct gw_head *request)
{
    return request->path.length + (request->query.at ? 1 + request->query.length : 0);
}

static struct plan plan_entry(const struct gw_head *request, const struct gw_head *response)
{
    struct plan plan = { .text_bytes = STATUS_LINE_BYTES + reason_of(response).length,
                         .vary = gw_vary_measure(request, response),
                         .url_bytes = url_bytes(request) };
    for (unsigned i = 0; i < response->count; i++) {
        const struct gw_field *field = &response->fields[i];
        if (!is_stored(response, field))
            continue;
        plan.fields++;
        plan.text_bytes += field->name.length + field->value.length + FIELD_EXTRA_BYTES;
    }
    return plan;
}

static struct gw_slice append(char **at, struct gw_slice text)
{
    struct gw_slice copy = { *at, text.length };
    if (text.length)
        memcpy(*at, text.at, text.length);
    *at += text.length;
    return copy;
}

static struct gw_slice put_url(char *at, const struct gw_head *request)
{
    char *end = at;
    append(&end, request->path);
    if (request->query.at) {
        append(&end, GW_SLICE("?"));
        append(&end, request->query);
    }
    return gw_slice_of(at, (size_t)(end - at));
}

static void fill_head(struct gw_entry *entry, const struct gw_head *response, struct gw_field *fields, char *text)
{
    char status[3] = { (char)('0' + response->status / 100 % 10), (char)('0' + response->status / 10 % 10),
                       (char)('0' + response->status % 10) };
    struct gw_head *head = &entry->head;
    char *at = text;
    gw_head_init(head);
    head->fields = fields;
    head->status = response->status;
    head->version_minor = 1;
    head->framing = GW_FRAMING_LENGTH;
    head->content_length = entry->body_bytes;
    append(&at, GW_SLICE("HTTP/1.1 "));
    append(&at, gw_slice_of(status, sizeof status));
    append(&at, GW_SLICE(" "));
    head->reason = append(&at, reason_of(response));
    append(&at, GW_SLICE("\r\n"));

    for (unsigned i = 0; i < response->count; i++) {
        if (!is_stored(response, &response->fields[i]))
            continue;
        struct gw_field *field = &fields[head->count];
        field->id = response->fields[i].id;
        field->dropped = false;
        field->name = append(&at, response->fields[i].name);
        append(&at, GW_SLICE(": "));
        field->value = append(&at, response->fields[i].value);
        append(&at, GW_SLICE("\r\n"));
        head->count++;
        if (head->count < UINT8_MAX && head->first[field->id] == 0)
            head->first[field->id] = (uint8_t)head->count;
    }
    head->capacity = head->count;
    entry->head_text = gw_slice_of(text, (size_t)(at - text));
}

struct gw_entry *gw_entry_create(const struct gw_cache_key *key, const struct gw_head *request,
                                 const struct gw_head *response, struct gw_block *body, size_t body_bytes,
                                 const struct gw_cache_life *life, uint64_t now_us)
{
    struct plan plan = plan_entry(request, response);
    size_t bytes = sizeof(struct gw_entry) + (plan.fields + plan.vary.fields) * sizeof(struct gw_field) +
                   plan.text_bytes + plan.vary.bytes + plan.url_bytes;
    struct gw_entry *entry = malloc(bytes);
    if (!entry)
        return NULL;
    struct gw_field *fields = (struct gw_field *)(void *)(entry + 1);
    char *text = (char *)(fields + plan.fields + plan.vary.fields);

    *entry = (struct gw_entry) {
        .key = *key,
        .vary_named = plan.vary.named,
        .body = gw_block_share(body),
        .body_bytes = body_bytes,
        .cost_bytes = bytes + (body ? sizeof *body + body->capacity : 0),
        .stored_at_us = now_us,
        .age_s = life->age_s,
        .freshness_s = life->freshness_s,
        .vary_any = gw_vary_is_any(response),
        .has_selection = plan.vary.fields > 0,
    };
    gw_policy_read_terms(&entry->terms, response);
    fill_head(entry, response, fields, text);
    gw_vary_fill(&entry->vary_values, fields + plan.fields, text + plan.text_bytes, request, response);
    entry->url = put_url(text + plan.text_bytes + plan.vary.bytes, request);
    atomic_init(&entry->holders, 1);
    return entry;
}

void gw_entry_drop(struct gw_entry *entry)
{
    if (!entry || atomic_fetch_sub_explicit(&entry->holders, 1, memory_order_acq_rel) != 1)
        return;
    gw_block_drop(entry->body);
    free(entry);
}
