#include "exchange/engine.h"

#include "base/clock.h"
#include "exchange/worker_context.h"

static enum gw_limit_label record_limit_label(const struct gw_exchange *exchange)
{
    switch (exchange->limit.verdict) {
    case GW_LIMIT_ALLOWED:
        return exchange->limit.shadow_refusals ? GW_LIMIT_LABEL_SHADOW_REFUSED : GW_LIMIT_LABEL_ALLOWED;
    case GW_LIMIT_REFUSED:
        return GW_LIMIT_LABEL_REFUSED;
    case GW_LIMIT_UNKNOWN:
        return GW_LIMIT_LABEL_UNKNOWN;
    case GW_LIMIT_NONE:
        break;
    }
    return GW_LIMIT_LABEL_NONE;
}

/* A refused request does not count as a miss: either the cache was not asked, or the cache's answer was not used. */
static enum gw_cache_label record_cache_label(const struct gw_exchange *exchange)
{
    bool is_refused = exchange->limit.verdict == GW_LIMIT_REFUSED || exchange->limit.verdict == GW_LIMIT_UNKNOWN;
    return is_refused ? GW_CACHE_LABEL_NONE : exchange->report.label;
}

/* A body can outgrow cache.max_object_bytes after its head was told: then the fetch knows the reason, and the report
 * does not. */
static enum gw_not_stored_label record_refusal(const struct gw_exchange *exchange)
{
    bool is_told = exchange->report.kept == GW_CACHE_KEPT_PERHAPS && exchange->reader.refusal;
    enum gw_cache_refusal last = is_told ? exchange->reader.refusal : exchange->report.refusal;
    return record_cache_label(exchange) == GW_CACHE_LABEL_NONE ? GW_NOT_STORED_LABEL_NONE
                                                               : (enum gw_not_stored_label)last;
}

static uint64_t record_least_remaining(const struct gw_exchange *exchange)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < exchange->limit.count; i++)
        if (exchange->limit.outcomes[i].remaining < least)
            least = exchange->limit.outcomes[i].remaining;
    return exchange->limit.count ? least : 0;
}

enum gw_error gw_record_error(const struct gw_exchange *exchange)
{
    const struct gw_answer *answer = &exchange->answer;
    return answer->ended_by ? answer->ended_by : answer->told_error;
}

void gw_record_write(const struct gw_exchange *exchange)
{
    enum { METHOD_MOST_BYTES = 64 }; /* a client may send a method as long as the request line */
    const struct gw_head *request = &exchange->request;
    struct gw_slice method = request->method_text;
    if (method.length > METHOD_MOST_BYTES)
        method.length = METHOD_MOST_BYTES;
    struct gw_request_record record = {
        .began_at_us = exchange->timing.began_at_us,
        .ended_at_us = gw_clock_monotonic_us(),
        .began_wall_us = exchange->timing.began_wall_us,
        .request_id = exchange->identity.request_id,
        .client = exchange->identity.client_text,
        .method_text = method,
        .target = request->target,
        .version = exchange->arrival.protocol,
        .user_agent = request->fields ? gw_head_value(request, GW_FIELD_USER_AGENT) : GW_NO_SLICE,
        .route = exchange->target.route,
        .method = request->method,
        .status = exchange->answer.status,
        .bytes_received = exchange->body.received_bytes,
        .bytes_sent = exchange->answer.body_sent,
        .cache = record_cache_label(exchange),
        .not_stored = record_refusal(exchange),
        .limit = record_limit_label(exchange),
        .limit_remaining = record_least_remaining(exchange),
        .error = gw_record_error(exchange),
        .is_admin = exchange->deciding.is_admin,
    };
    if (exchange->reader.backend) {
        record.has_upstream = true;
        record.upstream = exchange->reader.backend->url;
        record.upstream_us = exchange->reader.upstream_us;
    }
    if (exchange->limit.is_local)
        gw_counter_add(&exchange->context->shard->limit_local, 1);
    gw_metrics_record(exchange->context->shard, &record);
    gw_access_log_add(exchange->context->log, &record);
}
