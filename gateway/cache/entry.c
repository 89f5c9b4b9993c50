#include "cache/entry.h"

#include <stdlib.h>
#include "base/clock.h"
#include "cache/vary.h"
#include "http/grammar.h"

/* What of a head is stored. */
struct keeping {
    const struct gw_head *response;
    bool set_cookie;
    bool names_fields; /* it says itself which are not */
};

static struct keeping entry_keeping_of(const struct gw_head *response, bool keeps_set_cookie)
{
    return (struct keeping) { response, keeps_set_cookie, gw_directives_name_any(response) };
}

static bool entry_is_stored(const struct keeping *keeping, const struct gw_field *field)
{
    static const bool is_hop_by_hop[GW_FIELD_COUNT] = {
#define ENTRY_HOP(NAME, name, hop) [GW_FIELD_##NAME] = hop,
        GW_FIELDS(ENTRY_HOP)
#undef ENTRY_HOP
    };
    /* Other kinds of proxies have "Proxy-" fields, too, and clients do not know those either. */
    bool is_of_proxy = field->name.length >= 6 &&
                       gw_slice_equal_nocase(gw_slice_of(field->name.at, 6), GW_SLICE("proxy-"));
    if (field->dropped || is_hop_by_hop[field->id] || is_of_proxy)
        return false;
    switch (field->id) {
    case GW_FIELD_AGE:
    case GW_FIELD_CONTENT_LENGTH:
    case GW_FIELD_RATELIMIT:
    case GW_FIELD_RATELIMIT_LIMIT:
    case GW_FIELD_RATELIMIT_POLICY:
    case GW_FIELD_RATELIMIT_REMAINING:
    case GW_FIELD_RATELIMIT_RESET:
    case GW_FIELD_TRACEPARENT:
    case GW_FIELD_X_CACHE:
    case GW_FIELD_X_CACHE_AGE:
    case GW_FIELD_X_RATE_LIMIT_LIMIT:
    case GW_FIELD_X_RATE_LIMIT_REMAINING:
    case GW_FIELD_X_RATE_LIMIT_RESET:
    case GW_FIELD_X_RATELIMIT_LIMIT:
    case GW_FIELD_X_RATELIMIT_REMAINING:
    case GW_FIELD_X_RATELIMIT_RESET:
    case GW_FIELD_X_REQUEST_ID:
        return false;
    case GW_FIELD_SET_COOKIE:
        if (!keeping->set_cookie)
            return false;
        break;
    case GW_FIELD_VARY: /* an entry without it would not say what selects it */
        return true;
    default:
        break;
    }
    return !keeping->names_fields || !gw_directives_name_field(keeping->response, field->name);
}

/* An empty phrase is kept; an absent one, of a head that was made here, is the status' own. */
static struct gw_slice entry_reason_of(const struct gw_head *response)
{
    return response->reason.at ? response->reason : gw_status_reason(response->status);
}

enum { STATUS_LINE_BYTES = sizeof "HTTP/1.1 200 \r\n" - 1, FIELD_EXTRA_BYTES = sizeof ": \r\n" - 1 };

/* ---- tags ---- */

/* Where they are put; with at == NULL they are only measured. */
struct tags {
    char *at;
    size_t bytes;
    unsigned count;
};

static bool entry_is_between(char c, bool by_comma)
{
    return c == ' ' || c == '\t' || (by_comma && c == ',');
}

static void entry_put_tag(struct tags *tags, struct gw_slice tag)
{
    size_t space = tags->count ? 1 : 0;
    if (tags->count == GW_ENTRY_TAGS || tag.length + space > GW_ENTRY_TAG_BYTES - tags->bytes)
        return;
    if (tags->at) {
        memset(tags->at + tags->bytes, ' ', space);
        memcpy(tags->at + tags->bytes + space, tag.at, tag.length);
    }
    tags->bytes += space + tag.length;
    tags->count++;
}

static void entry_put_tags_of(struct tags *tags, const struct gw_head *response, struct gw_slice name, bool by_comma)
{
    for (const struct gw_field *field = gw_head_find_named(response, name); field;
         field = gw_head_find_next(response, field)) {
        size_t from = 0;
        for (size_t at = 0; at <= field->value.length; at++) {
            if (at < field->value.length && !entry_is_between(field->value.at[at], by_comma))
                continue;
            if (at > from)
                entry_put_tag(tags, gw_slice_of(field->value.at + from, at - from));
            from = at + 1;
        }
    }
}

/* A tag has no white space: one in a Cache-Tag separates, too. */
static struct gw_slice entry_put_tags(char *at, const struct gw_entry_setup *setup)
{
    struct tags tags = { .at = at };
    if (setup->tags.at) {
        if (at && setup->tags.length)
            memcpy(at, setup->tags.at, setup->tags.length);
        return gw_slice_of(at, setup->tags.length);
    }
    entry_put_tags_of(&tags, setup->response, GW_SLICE("Surrogate-Key"), false);
    entry_put_tags_of(&tags, setup->response, GW_SLICE("Cache-Tag"), true);
    return gw_slice_of(at, tags.bytes);
}

/* ---- creating ---- */

struct plan { /* which fields, and the sizes of the parts of the one piece */
    struct keeping keeping;
    unsigned fields;
    size_t text_bytes;
    struct gw_vary_size vary;
    size_t url_bytes, tag_bytes;
};

static struct plan entry_plan(const struct gw_entry_setup *setup)
{
    const struct gw_head *response = setup->response, *request = setup->request;
    size_t host_bytes = gw_grammar_normal_authority(setup->scheme, setup->host).length;
    size_t query_bytes = request->query.at ? 1 + request->query.length : 0;
    struct plan plan = { .keeping = entry_keeping_of(response, setup->life->terms.keeps_set_cookie),
                         .text_bytes = STATUS_LINE_BYTES + entry_reason_of(response).length,
                         .vary = gw_vary_measure(request, response),
                         .url_bytes = setup->scheme.length + 3 + host_bytes + request->path.length + query_bytes,
                         .tag_bytes = entry_put_tags(NULL, setup).length };
    for (unsigned i = 0; i < response->count; i++) {
        const struct gw_field *field = &response->fields[i];
        if (!entry_is_stored(&plan.keeping, field))
            continue;
        plan.fields++;
        plan.text_bytes += field->name.length + field->value.length + FIELD_EXTRA_BYTES;
    }
    return plan;
}

static struct gw_slice entry_append(char **at, struct gw_slice text)
{
    struct gw_slice copy = { *at, text.length };
    if (text.length)
        memcpy(*at, text.at, text.length);
    *at += text.length;
    return copy;
}

static void entry_put_url(struct gw_entry *entry, char *at, const struct gw_entry_setup *setup)
{
    const struct gw_head *request = setup->request;
    char *end = at;
    entry_append(&end, setup->scheme);
    entry_append(&end, GW_SLICE("://"));
    char *host = end;
    entry_append(&end, gw_grammar_normal_authority(setup->scheme, setup->host));
    for (char *c = host; c < end; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    char *path = end;
    entry_append(&end, request->path);
    if (request->query.at) {
        entry_append(&end, GW_SLICE("?"));
        entry_append(&end, request->query);
    }
    entry->url = gw_slice_of(at, (size_t)(end - at));
    entry->host = gw_slice_of(host, (size_t)(path - host));
    entry->path_and_query = gw_slice_of(path, (size_t)(end - path));
}

static void entry_fill_head(struct gw_entry *entry, const struct keeping *keeping, struct gw_field *fields, char *text)
{
    const struct gw_head *response = keeping->response;
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
    entry_append(&at, GW_SLICE("HTTP/1.1 "));
    entry_append(&at, gw_slice_of(status, sizeof status));
    entry_append(&at, GW_SLICE(" "));
    head->reason = entry_append(&at, entry_reason_of(response));
    entry_append(&at, GW_SLICE("\r\n"));

    for (unsigned i = 0; i < response->count; i++) {
        if (!entry_is_stored(keeping, &response->fields[i]))
            continue;
        struct gw_field *field = &fields[head->count];
        field->id = response->fields[i].id;
        field->dropped = false;
        field->name = entry_append(&at, response->fields[i].name);
        entry_append(&at, GW_SLICE(": "));
        field->value = entry_append(&at, response->fields[i].value);
        entry_append(&at, GW_SLICE("\r\n"));
        head->count++;
        if (head->count < UINT8_MAX && head->first[field->id] == 0)
            head->first[field->id] = (uint8_t)head->count;
    }
    head->capacity = head->count;
    entry->head_text = gw_slice_of(text, (size_t)(at - text));
}

struct gw_entry *gw_entry_create(const struct gw_entry_setup *setup)
{
    const struct plan plan = entry_plan(setup);
    size_t bytes = sizeof(struct gw_entry) + (plan.fields + plan.vary.fields) * sizeof(struct gw_field) +
                   plan.text_bytes + plan.vary.bytes + plan.url_bytes + plan.tag_bytes;
    struct gw_entry *entry = malloc(bytes);
    if (!entry)
        return NULL;
    struct gw_field *fields = (struct gw_field *)(void *)(entry + 1);
    char *text = (char *)(fields + plan.fields + plan.vary.fields), *vary = text + plan.text_bytes;
    char *url = vary + plan.vary.bytes;

    *entry = (struct gw_entry) {
        .key = *setup->key,
        .vary_named = plan.vary.named,
        .body = gw_block_ref(setup->body),
        .body_bytes = setup->body_bytes,
        .cost_bytes = bytes + (setup->body ? sizeof *setup->body + setup->body->capacity : 0),
        .ban_sequence = setup->ban_sequence,
        .stored_at_us = setup->now_us,
        .age_s = setup->life->age_s,
        .freshness_s = setup->life->freshness_s,
        .terms = setup->life->terms,
        .vary_any = gw_vary_is_any(setup->response),
    };
    entry_fill_head(entry, &plan.keeping, fields, text);
    gw_vary_fill(&entry->vary_values, fields + plan.fields, vary, setup->request, setup->response);
    entry_put_url(entry, url, setup);
    entry->tags = entry_put_tags(url + plan.url_bytes, setup);
    atomic_init(&entry->bans_checked, setup->ban_sequence);
    atomic_init(&entry->is_outdated, false);
    atomic_init(&entry->refs, 1);
    return entry;
}

void gw_entry_unref(struct gw_entry *entry)
{
    if (!entry || atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) != 1)
        return;
    gw_block_unref(entry->body);
    free(entry);
}

/* ---- updating ---- */

/* Of the representation whose body is stored; a 304's are about no content, or about another coding of it. RFC 9111 §3.2
 * excepts Content-Length, and allows to leave out what must agree with stored bytes. */
static bool entry_is_of_the_body(const struct gw_field *field)
{
    static const struct gw_slice names[] = { GW_SLICE("content-encoding"), GW_SLICE("content-range"),
                                             GW_SLICE("content-digest"), GW_SLICE("repr-digest") };
    for (size_t i = 0; i < GW_COUNT(names); i++)
        if (gw_slice_equal_nocase(field->name, names[i]))
            return true;
    return false;
}

static bool entry_is_taken(const struct keeping *update, const struct gw_field *field)
{
    return entry_is_stored(update, field) && !entry_is_of_the_body(field);
}

bool gw_entry_merge(struct gw_head *merged, struct gw_arena *arena, const struct gw_entry *stored,
                    const struct gw_head *update, size_t head_bytes)
{
    const struct keeping keeping = entry_keeping_of(update, stored->terms.keeps_set_cookie);
    gw_head_init(merged);
    merged->status = stored->head.status;
    merged->reason = stored->head.reason;
    merged->version_minor = 1;
    merged->framing = GW_FRAMING_LENGTH;
    merged->content_length = stored->body_bytes;
    for (unsigned i = 0; i < stored->head.count; i++) {
        const struct gw_field *field = &stored->head.fields[i];
        const struct gw_field *by = gw_head_find_named(update, field->name);
        bool is_replaced = by && entry_is_taken(&keeping, by);
        if (!is_replaced && !gw_head_add(merged, arena, field->name, field->value))
            return false;
    }
    for (unsigned i = 0; i < update->count; i++) {
        const struct gw_field *field = &update->fields[i];
        bool is_age = field->id == GW_FIELD_AGE && !field->dropped; /* how old it is counts from there */
        if ((is_age || entry_is_taken(&keeping, field)) && !gw_head_add(merged, arena, field->name, field->value))
            return false;
    }
    unsigned most = stored->head.count > GW_ENTRY_MERGED_FIELDS ? stored->head.count : GW_ENTRY_MERGED_FIELDS;
    size_t bytes = STATUS_LINE_BYTES + merged->reason.length + sizeof "\r\n" - 1;
    for (unsigned i = 0; i < merged->count; i++)
        bytes += merged->fields[i].name.length + merged->fields[i].value.length + FIELD_EXTRA_BYTES;
    return bytes <= head_bytes && merged->count <= most;
}

enum gw_reuse gw_entry_reuse(const struct gw_entry *entry, const struct gw_cache_request *request,
                             const struct gw_head *request_head, uint64_t now_us)
{
    int64_t age_s = gw_entry_age_s(entry, now_us);
    if (entry->vary_any)
        return GW_REUSE_NO;
    return gw_policy_reuse(request, request_head, &entry->terms, &entry->vary_values, age_s,
                           gw_entry_freshness_s(entry, age_s));
}

struct gw_entry *gw_entry_renew(const struct gw_entry_renewal *renewal, struct gw_cache_life *life,
                                enum gw_cache_refusal *refusal)
{
    const struct gw_entry *stored = renewal->stored;
    struct gw_head merged;
    if (!gw_entry_merge(&merged, renewal->arena, stored, renewal->update, renewal->head_bytes))
        return NULL;
    *refusal = gw_policy_may_store(renewal->allows, renewal->request, &merged, renewal->rules, renewal->asked_at_s,
                                   (int64_t)(gw_clock_wall_us() / 1000000), life);
    if (*refusal != GW_CACHE_STORABLE)
        *life = (struct gw_cache_life) { .terms = { .must_validate = true, .no_stale = true } };
    else if (life->freshness_s - life->age_s > renewal->fresh_most_s)
        life->freshness_s = life->age_s + renewal->fresh_most_s;
    const struct gw_entry_setup setup = { .key = renewal->key,
                                          .scheme = renewal->scheme,
                                          .host = renewal->host,
                                          .request = renewal->request,
                                          .response = &merged,
                                          .body = stored->body,
                                          .body_bytes = stored->body_bytes,
                                          .life = life,
                                          .ban_sequence = renewal->ban_sequence,
                                          .now_us = gw_clock_monotonic_us() };
    return gw_entry_create(&setup);
}
