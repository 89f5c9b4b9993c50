#include "base/clock.h"
#include "exchange/exchange.h"
#include "filter/table.h"

static enum gw_filter_result on_request(struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    if (!exchange->desk->near || !exchange->route->cache_enabled)
        return GW_FILTER_CONTINUE;
    struct gw_cache_rules rules = gw_exchange_cache_rules(exchange);
    gw_policy_read_request(&exchange->cache, request, &rules);
    exchange->cache_label = exchange->cache.is_candidate && exchange->cache.may_look_up ? GW_CACHE_LABEL_MISS
                                                                                        : GW_CACHE_LABEL_BYPASS;
    /* What is refused is not looked for. */
    if (!exchange->cache.is_candidate || exchange->limit.verdict == GW_LIMIT_REFUSED)
        return GW_FILTER_CONTINUE;
    exchange->cache_asked = true;
    gw_key_make(exchange->desk->keys, GW_SLICE("GET"), request->path, request->query, exchange->route->name,
                exchange->scheme, exchange->host, &exchange->key);
    return gw_exchange_look_up(exchange) ? GW_FILTER_ASKED : GW_FILTER_CONTINUE;
}

static enum gw_filter_result on_answers(struct gw_exchange *exchange)
{
    if (!exchange->entry) {
        if (!exchange->cache.only_if_cached)
            return GW_FILTER_CONTINUE;
        gw_exchange_answer_error(exchange, GW_ERROR_NOT_STORED); /* RFC 9111 §5.2.1.7 */
        return GW_FILTER_ANSWERED;
    }
    exchange->cache_label = GW_CACHE_LABEL_HIT;
    exchange->age_s = (uint64_t)gw_entry_age_s(exchange->entry, gw_clock_monotonic_us());
    gw_counter_add(&exchange->desk->shard->cache_bytes_saved, exchange->entry->body_bytes);
    return GW_FILTER_ANSWERED;
}

static void on_response(struct gw_exchange *exchange)
{
    if (exchange->cache_label == GW_CACHE_LABEL_NONE || !exchange->head)
        return;
    if (exchange->cache_label != GW_CACHE_LABEL_HIT) {
        bool miss = exchange->cache_label == GW_CACHE_LABEL_MISS;
        gw_exchange_add_field(exchange, GW_SLICE("X-Cache"), miss ? GW_SLICE("MISS") : GW_SLICE("BYPASS"));
        return;
    }
    gw_buffer_put_literal(&exchange->fields, "X-Cache: HIT\r\nX-Cache-Age: ");
    gw_buffer_put_uint(&exchange->fields, exchange->age_s);
    gw_buffer_put_literal(&exchange->fields, "\r\nAge: ");
    gw_buffer_put_uint(&exchange->fields, exchange->age_s);
    gw_buffer_put_literal(&exchange->fields, "\r\n");
}

const struct gw_filter gw_filter_cache = {
    .name = "cache",
    .on_request = on_request,
    .on_answers = on_answers,
    .on_response = on_response,
};
