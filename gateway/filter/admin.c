#include "filter/admin.h"

#include "admin/cache_pages.h"
#include "admin/pages.h"
#include "base/clock.h"
#include "exchange/worker_context.h"
#include "filter/table.h"

enum { PAGE_BYTES = 4 * 1024 * 1024, PROBLEM_BYTES = 8 * 1024 };

static int admin_put_health(const struct gw_admin *admin, struct gw_buffer *page)
{
    return gw_admin_put_health(admin, page);
}

static int admin_put_stats(const struct gw_admin *admin, struct gw_buffer *page)
{
    return gw_admin_put_stats(admin, gw_clock_monotonic_us(), page);
}

static int admin_put_metrics(const struct gw_admin *admin, struct gw_buffer *page)
{
    return gw_admin_put_metrics(admin, gw_clock_monotonic_us(), page);
}

/* A page more is a row more. */
static const struct page {
    struct gw_slice path, content_type;
    int (*put)(const struct gw_admin *admin, struct gw_buffer *page);
} pages[] = {
    { { "/gateway/health", 15 }, { "application/json", 16 }, admin_put_health },
    { { "/gateway/stats", 14 }, { "application/json", 16 }, admin_put_stats },
    { { "/gateway/metrics", 16 }, { "text/plain; version=0.0.4; charset=utf-8", 40 }, admin_put_metrics },
};

/* And what needs admin.token. */
static const struct gw_admin_order {
    struct gw_slice path, allow;
    enum gw_method methods[2]; /* what `allow` names */
    enum gw_filter_result (*begin)(struct gw_exchange *exchange, struct gw_admin_slot *slot);
    void (*cancel)(struct gw_admin_slot *slot);
    void (*conclude)(struct gw_exchange *exchange);
} orders[] = {
    { { "/gateway/cache/purge", 20 },
      { "POST", 4 },
      { GW_METHOD_POST, GW_METHOD_POST },
      gw_purge_begin,
      gw_purge_cancel,
      gw_purge_conclude },
    { { "/gateway/cache/inspect", 22 },
      { "GET, HEAD", 9 },
      { GW_METHOD_GET, GW_METHOD_HEAD },
      gw_inspection_begin,
      gw_inspection_cancel,
      gw_inspection_conclude },
};

/* ---- answers ---- */

void gw_admin_answer_page(struct gw_exchange *exchange, int status, struct gw_slice content_type,
                          struct gw_buffer *page)
{
    struct gw_block *block = page->overflowed ? NULL : gw_block_create(page->length);
    if (!block) {
        gw_exchange_answer_error(exchange, GW_ERROR_OVERLOADED);
    } else {
        memcpy(block->bytes, page->at, page->length);
        exchange->answer.content_block = block;
        gw_exchange_answer(exchange, status, content_type, gw_slice_of(block->bytes, page->length));
        gw_exchange_add_field(exchange, GW_SLICE("Cache-Control"), GW_SLICE("no-store"));
    }
    gw_buffer_destroy(page);
}

void gw_admin_answer_problem(struct gw_exchange *exchange, int status, const char *error, struct gw_slice detail)
{
    struct gw_buffer page = gw_buffer_create(PROBLEM_BYTES);
    gw_cache_pages_put_problem(status, error, detail, exchange->identity.request_id, &page);
    gw_admin_answer_page(exchange, status, GW_SLICE("application/problem+json"), &page);
}

void gw_admin_answer_complaint(struct gw_exchange *exchange, const struct gw_complaint *complaint)
{
    char line[sizeof *complaint + 64];
    gw_complaint_print(complaint, line, sizeof line);
    gw_admin_answer_problem(exchange, 400, "invalid_query", gw_slice_of_string(line));
}

/* ---- which page, which order ---- */

static void admin_answer_page(struct gw_exchange *exchange, const struct page *row)
{
    enum gw_method method = exchange->request.method;
    if (method != GW_METHOD_GET && method != GW_METHOD_HEAD) {
        gw_exchange_answer_error(exchange, GW_ERROR_METHOD_NOT_ALLOWED);
        gw_exchange_add_field(exchange, GW_SLICE("Allow"), GW_SLICE("GET, HEAD"));
        return;
    }
    struct gw_buffer page = gw_buffer_create(PAGE_BYTES);
    int status = row->put(exchange->context->admin, &page);
    gw_admin_answer_page(exchange, status, row->content_type, &page);
}

static const struct gw_admin_order *admin_find_order(const struct gw_exchange *exchange)
{
    for (unsigned i = 0; i < GW_COUNT(orders) && exchange->config->admin_token.length; i++)
        if (gw_slice_equal(exchange->request.path, orders[i].path))
            return &orders[i];
    return NULL;
}

static enum gw_filter_result admin_begin_order(struct gw_exchange *exchange, const struct gw_admin_order *order)
{
    const struct gw_head *request = &exchange->request;
    if (!gw_cache_pages_knows_token(request, exchange->config->admin_token)) {
        gw_admin_answer_problem(exchange, 401, "unauthorized", GW_SLICE("This path of the gateway wants a token."));
        return GW_FILTER_ANSWERED;
    }
    if (request->method != order->methods[0] && request->method != order->methods[1]) {
        gw_admin_answer_problem(exchange, 405, "method_not_allowed",
                                GW_SLICE("This path of the gateway answers other methods only; see Allow."));
        gw_exchange_add_field(exchange, GW_SLICE("Allow"), order->allow);
        return GW_FILTER_ANSWERED;
    }
    struct gw_admin_slot *slot = gw_filter_slot(exchange, &gw_filter_admin);
    slot->order = order;
    return order->begin(exchange, slot);
}

static enum gw_filter_result admin_on_request(struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    bool is_ours = gw_slice_starts_with(request->path, GW_SLICE("/gateway/")) ||
                   gw_slice_equal(request->path, GW_SLICE("/gateway"));
    bool has_own_port = exchange->config->admin_listen != NULL;
    if (!is_ours && !exchange->identity.on_admin_port)
        return GW_FILTER_CONTINUE;
    exchange->deciding.is_admin = true;
    exchange->target.route = NULL;
    const struct gw_admin_order *order = admin_find_order(exchange);
    if (!is_ours || (has_own_port && !exchange->identity.on_admin_port)) {
        gw_exchange_answer_error(exchange, GW_ERROR_NOT_FOUND);
        return GW_FILTER_ANSWERED;
    }
    if (order)
        return admin_begin_order(exchange, order);
    for (unsigned i = 0; i < GW_COUNT(pages); i++) {
        if (!gw_slice_equal(request->path, pages[i].path))
            continue;
        admin_answer_page(exchange, &pages[i]);
        return GW_FILTER_ANSWERED;
    }
    gw_exchange_answer_error(exchange, GW_ERROR_NOT_FOUND);
    return GW_FILTER_ANSWERED;
}

/* The answer was made by the callback, or when it was given up. */
static enum gw_filter_result admin_on_answers(struct gw_exchange *exchange)
{
    return exchange->deciding.is_admin ? GW_FILTER_ANSWERED : GW_FILTER_CONTINUE;
}

static void admin_cancel(struct gw_exchange *exchange, void *state)
{
    struct gw_admin_slot *slot = state;
    (void)exchange;
    slot->order->cancel(slot);
}

static void admin_give_up(struct gw_exchange *exchange, void *state)
{
    struct gw_admin_slot *slot = state;
    slot->order->cancel(slot);
    slot->order->conclude(exchange);
}

const struct gw_filter gw_filter_admin = {
    .name = "admin",
    .slot_bytes = sizeof(struct gw_admin_slot),
    .on_request = admin_on_request,
    .on_answers = admin_on_answers,
    .on_give_up = admin_give_up,
    .on_cancel = admin_cancel,
};
