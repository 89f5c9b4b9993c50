#include "admin/pages.h"
#include "base/clock.h"
#include "exchange/exchange.h"
#include "filter/table.h"

enum { PAGE_BYTES = 4 * 1024 * 1024 };

static int put_health(const struct gw_admin *admin, struct gw_buffer *page)
{
    return gw_admin_put_health(admin, page);
}

static int put_stats(const struct gw_admin *admin, struct gw_buffer *page)
{
    return gw_admin_put_stats(admin, gw_clock_monotonic_us(), page);
}

static int put_metrics(const struct gw_admin *admin, struct gw_buffer *page)
{
    return gw_admin_put_metrics(admin, gw_clock_monotonic_us(), page);
}

/* A page more is a row more. */
static const struct page {
    struct gw_slice path, content_type;
    int (*put)(const struct gw_admin *admin, struct gw_buffer *page);
} pages[] = {
    { { "/gateway/health", 15 }, { "application/json", 16 }, put_health },
    { { "/gateway/stats", 14 }, { "application/json", 16 }, put_stats },
    { { "/gateway/metrics", 16 }, { "text/plain; version=0.0.4; charset=utf-8", 40 }, put_metrics },
};

static void answer_page(struct gw_exchange *exchange, const struct page *row)
{
    struct gw_buffer page = gw_buffer_create(PAGE_BYTES);
    int status = row->put(exchange->desk->admin, &page);
    struct gw_block *block = page.overflowed ? NULL : gw_block_create(page.length);
    if (!block) {
        gw_exchange_answer_error(exchange, GW_ERROR_OVERLOADED);
    } else {
        memcpy(block->bytes, page.at, page.length);
        exchange->content_block = block;
        gw_exchange_answer(exchange, status, row->content_type, gw_slice_of(block->bytes, page.length));
        gw_exchange_add_field(exchange, GW_SLICE("Cache-Control"), GW_SLICE("no-store"));
    }
    gw_buffer_destroy(&page);
}

static enum gw_filter_result on_request(struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    bool is_ours = gw_slice_starts_with(request->path, GW_SLICE("/gateway/")) ||
                   gw_slice_equal(request->path, GW_SLICE("/gateway"));
    bool has_own_port = exchange->config->admin_listen != NULL;
    if (!is_ours && !exchange->on_admin_port)
        return GW_FILTER_CONTINUE;
    exchange->is_admin = true;
    exchange->route = NULL;
    if (!is_ours || (has_own_port && !exchange->on_admin_port)) {
        gw_exchange_answer_error(exchange, GW_ERROR_NOT_FOUND);
        return GW_FILTER_ANSWERED;
    }
    for (unsigned i = 0; i < GW_COUNT(pages); i++) {
        if (!gw_slice_equal(request->path, pages[i].path))
            continue;
        if (request->method == GW_METHOD_GET || request->method == GW_METHOD_HEAD) {
            answer_page(exchange, &pages[i]);
        } else {
            gw_exchange_answer_error(exchange, GW_ERROR_METHOD_NOT_ALLOWED);
            gw_exchange_add_field(exchange, GW_SLICE("Allow"), GW_SLICE("GET, HEAD"));
        }
        return GW_FILTER_ANSWERED;
    }
    gw_exchange_answer_error(exchange, GW_ERROR_NOT_FOUND);
    return GW_FILTER_ANSWERED;
}

const struct gw_filter gw_filter_admin = {
    .name = "admin",
    .on_request = on_request,
};
