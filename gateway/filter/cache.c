#include "cache/accept_encoding.h"
#include "exchange/exchange.h"
#include "exchange/worker_context.h"
#include "filter/table.h"
#include "http/writer.h"

static bool cache_has_cookie(const struct gw_head *request, struct gw_slice name)
{
    const struct gw_field *field = gw_head_find(request, GW_FIELD_COOKIE);
    for (; field; field = gw_head_find_next(request, field)) {
        struct gw_slice rest = field->value;
        while (rest.length) {
            const char *end = memchr(rest.at, ';', rest.length);
            size_t length = end ? (size_t)(end - rest.at) : rest.length, taken = length + (end != NULL);
            struct gw_slice pair = gw_slice_trim(gw_slice_of(rest.at, length));
            if (pair.length > name.length && pair.at[name.length] == '=' && gw_slice_starts_with(pair, name))
                return true;
            rest = gw_slice_of(rest.at + taken, rest.length - taken);
        }
    }
    return false;
}

const char *gw_filter_cache_bypass_rule(const struct gw_route *route, const struct gw_head *request,
                                        struct gw_slice plain_path)
{
    for (unsigned i = 0; i < route->cache_bypass_paths.count; i++)
        if (gw_match_path_holds(route->cache_bypass_paths.items[i], plain_path))
            return "cache.bypass_paths";
    for (unsigned i = 0; i < route->cache_bypass_fields.count; i++)
        if (gw_head_find_named(request, route->cache_bypass_fields.items[i]))
            return "cache.bypass_fields";
    for (unsigned i = 0; i < route->cache_bypass_cookies.count; i++)
        if (cache_has_cookie(request, route->cache_bypass_cookies.items[i]))
            return "cache.bypass_cookies";
    return NULL;
}

static void cache_bypass(struct gw_exchange *exchange, enum gw_cache_refusal refusal)
{
    enum gw_method method = exchange->request.method;
    bool is_for_method = method != GW_METHOD_GET && method != GW_METHOD_HEAD;
    exchange->cache = (struct gw_cache_request) { .max_age = GW_DIRECTIVE_ABSENT,
                                                  .min_fresh = GW_DIRECTIVE_ABSENT,
                                                  .max_stale = GW_DIRECTIVE_ABSENT };
    exchange->report.label = GW_CACHE_LABEL_BYPASS;
    exchange->report.forwarded = is_for_method ? GW_FORWARDED_METHOD : GW_FORWARDED_BYPASS;
    exchange->report.refusal = refusal;
}

static enum gw_cache_refusal cache_why_bypassed(const struct gw_exchange *exchange)
{
    if (!exchange->cache.is_candidate)
        return gw_policy_request_refusal(&exchange->cache, &exchange->request);
    return exchange->identity.overrides_method ? GW_CACHE_METHOD_OVERRIDE : GW_CACHE_RULE;
}

/* As either kind of backend reads the path. */
static bool cache_is_bypassed(const struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    bool is_one = exchange->target.literal_path.at == exchange->target.plain_path.at;
    return gw_filter_cache_bypass_rule(exchange->target.route, request, exchange->target.plain_path) ||
           (!is_one && gw_filter_cache_bypass_rule(exchange->target.route, request, exchange->target.literal_path));
}

static enum gw_filter_result cache_on_request(struct gw_exchange *exchange)
{
    struct gw_head *request = &exchange->request;
    bool is_refused = exchange->limit.verdict == GW_LIMIT_REFUSED; /* it gets a 429, whatever is stored */
    if (!exchange->context->memory_cache || !exchange->target.route->cache_enabled || is_refused)
        return GW_FILTER_CONTINUE;
    /* For every method, so that all answers of a URL have one form. */
    gw_accept_encoding_put_normal(&exchange->request, &exchange->arena);
    request->origin_selects = !exchange->config->cors_alone;
    struct gw_cache_rules rules = gw_exchange_cache_rules(exchange->context, exchange->target.route);
    gw_policy_read_request(&exchange->cache, request, &rules);
    if (!exchange->cache.is_candidate || exchange->identity.overrides_method || cache_is_bypassed(exchange)) {
        cache_bypass(exchange, cache_why_bypassed(exchange));
        return GW_FILTER_CONTINUE;
    }
    exchange->report.label = exchange->cache.may_look_up ? GW_CACHE_LABEL_MISS : GW_CACHE_LABEL_BYPASS;
    exchange->report.forwarded = GW_FORWARDED_REQUEST;
    exchange->report.refusal = gw_policy_request_refusal(&exchange->cache, request);
    exchange->target.keyed_query = gw_exchange_make_key(exchange->context, &exchange->arena, exchange->target.route,
                                                        request->path, request->query, exchange->identity.scheme,
                                                        exchange->identity.host, &exchange->key);
    gw_exchange_look_up(exchange);
    return GW_FILTER_CONTINUE;
}

static enum gw_filter_result cache_on_answers(struct gw_exchange *exchange)
{
    struct gw_shard *shard = exchange->context->shard;
    if (!exchange->entry) {
        if (!exchange->cache.only_if_cached)
            return GW_FILTER_CONTINUE;
        gw_exchange_answer_error(exchange, GW_ERROR_NOT_STORED); /* RFC 9111 §5.2.1.7 */
        return GW_FILTER_ANSWERED;
    }
    exchange->report.label = exchange->lookup.reuse == GW_REUSE_FRESH ? GW_CACHE_LABEL_HIT : GW_CACHE_LABEL_STALE;
    exchange->report.forwarded = GW_FORWARDED_NOT;
    exchange->report.refusal = GW_CACHE_STORABLE;
    if (exchange->lookup.reuse == GW_REUSE_REVALIDATING)
        gw_exchange_refresh(exchange);
    bool is_in_memory = exchange->lookup.source == GW_LOOKUP_MEMORY;
    gw_counter_add(is_in_memory ? &shard->cache_memory_hits : &shard->cache_redis_hits, 1);
    return GW_FILTER_ANSWERED;
}

/* ---- what the client is told ---- */

static void cache_put_label(struct gw_exchange *exchange)
{
    static const char *const words[GW_CACHE_LABEL_COUNT] = { [GW_CACHE_LABEL_HIT] = "HIT",
                                                             [GW_CACHE_LABEL_MISS] = "MISS",
                                                             [GW_CACHE_LABEL_STALE] = "STALE",
                                                             [GW_CACHE_LABEL_BYPASS] = "BYPASS",
                                                             [GW_CACHE_LABEL_REVALIDATED] = "REVALIDATED" };
    gw_exchange_add_field(exchange, GW_SLICE("X-Cache"), gw_slice_of_string(words[exchange->report.label]));
    if (!exchange->entry)
        return;
    gw_writer_put_uint_field(&exchange->answer.fields, GW_SLICE("X-Cache-Age"), exchange->report.age_s);
    gw_writer_put_uint_field(&exchange->answer.fields, GW_SLICE("Age"), exchange->report.age_s);
}

static void cache_put_key(const struct gw_exchange *exchange, struct gw_buffer *fields)
{
    char hex[GW_KEY_HEX_BYTES];
    gw_key_print(&exchange->key, hex);
    gw_buffer_put_literal(fields, "; key=\"");
    gw_buffer_put(fields, hex, sizeof hex);
    gw_buffer_put_literal(fields, "\"");
}

/* Cache-Status of RFC 9211. The line stands behind the lines of caches that are nearer to the origin. An answer that the
 * gateway makes itself has none (§2). */
static void cache_put_status(struct gw_exchange *exchange)
{
    static const char *const reasons[] = {
        [GW_FORWARDED_NOT] = "; hit",
        [GW_FORWARDED_BYPASS] = "; fwd=bypass",
        [GW_FORWARDED_METHOD] = "; fwd=method",
        [GW_FORWARDED_URI_MISS] = "; fwd=uri-miss",
        [GW_FORWARDED_VARY_MISS] = "; fwd=vary-miss",
        [GW_FORWARDED_REQUEST] = "; fwd=request",
        [GW_FORWARDED_STALE] = "; fwd=stale",
    };
    const struct gw_cache_report *report = &exchange->report;
    struct gw_buffer *fields = &exchange->answer.fields;
    struct gw_writer_line line = gw_writer_begin(fields, GW_SLICE("Cache-Status"));
    gw_buffer_put_literal(fields, "visara");
    gw_buffer_put_string(fields, reasons[report->forwarded]);
    if (report->forwarded_status) {
        gw_buffer_put_literal(fields, "; fwd-status=");
        gw_buffer_put_uint(fields, (uint64_t)report->forwarded_status);
    }
    if (report->kept == GW_CACHE_KEPT_BEFORE) {
        gw_buffer_put_string(fields, report->ttl_s < 0 ? "; ttl=-" : "; ttl=");
        gw_buffer_put_uint(fields, (uint64_t)(report->ttl_s < 0 ? -report->ttl_s : report->ttl_s));
    }
    if (report->kept == GW_CACHE_KEPT_NOW)
        gw_buffer_put_literal(fields, "; stored");
    if (report->is_collapsed)
        gw_buffer_put_literal(fields, "; collapsed");
    /* The detail says why the answer is not stored, or why the cache was not asked (§2.8). A body of unknown length may
     * outgrow cache.max_object_bytes on its way to the cache: the detail says that nothing is promised yet. */
    const char *detail = report->kept == GW_CACHE_KEPT_PERHAPS
                             ? "unknown-length"
                             : gw_not_stored_word((enum gw_not_stored_label)report->refusal);
    if (detail) {
        gw_buffer_put_literal(fields, "; detail=");
        gw_buffer_put_string(fields, detail);
    }
    if (exchange->config->cache_status_key && gw_lookup_is_asked(&exchange->lookup))
        cache_put_key(exchange, fields);
    gw_writer_end(&line);
}

static void cache_on_response(struct gw_exchange *exchange)
{
    bool is_of_cache = exchange->answer.head || exchange->entry;
    if (exchange->report.label == GW_CACHE_LABEL_NONE || !is_of_cache)
        return;
    cache_put_label(exchange);
    cache_put_status(exchange);
}

const struct gw_filter gw_filter_cache = {
    .name = "cache",
    .on_request = cache_on_request,
    .on_answers = cache_on_answers,
    .on_response = cache_on_response,
};
