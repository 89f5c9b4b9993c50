#include "store/breaker.h"
#include "base/log.h"

enum { BREAKER_SERIES_US = 60 * 1000 * 1000 };

static const struct {
    const char *name, *sentence;
} rows[GW_BREAKER_REASONS] = {
#define BREAKER_ROW(NAME, name, sentence) { name, sentence },
    GW_BREAKER_ROWS(BREAKER_ROW)
#undef BREAKER_ROW
};

const char *gw_breaker_reason_name(enum gw_breaker_reason reason)
{
    return rows[(unsigned)reason < GW_BREAKER_REASONS ? reason : GW_BREAKER_NONE].name;
}

const char *gw_breaker_reason_sentence(enum gw_breaker_reason reason)
{
    return rows[(unsigned)reason < GW_BREAKER_REASONS ? reason : GW_BREAKER_NONE].sentence;
}

void gw_breaker_init(struct gw_breaker *breaker)
{
    atomic_init(&breaker->is_open, true);
    atomic_init(&breaker->epoch, 0);
    atomic_init(&breaker->reason, GW_BREAKER_NONE);
    atomic_init(&breaker->opened_at_us, 0);
    atomic_init(&breaker->openings, 0);
    atomic_init(&breaker->logged_at_us, 0);
    atomic_init(&breaker->node, NULL);
}

/* True for one caller only, of those who come at the same time. */
static bool begins_series(struct gw_breaker *breaker, enum gw_breaker_reason before, enum gw_breaker_reason reason,
                          uint64_t now_us)
{
    uint64_t logged_at_us = atomic_load_explicit(&breaker->logged_at_us, memory_order_relaxed);
    if (logged_at_us && before == reason && now_us - logged_at_us < BREAKER_SERIES_US)
        return false;
    return atomic_compare_exchange_strong_explicit(&breaker->logged_at_us, &logged_at_us, now_us ? now_us : 1,
                                                   memory_order_relaxed, memory_order_relaxed);
}

void gw_breaker_open(struct gw_breaker *breaker, enum gw_breaker_reason reason, uint64_t now_us)
{
    bool was_open = atomic_exchange_explicit(&breaker->is_open, true, memory_order_relaxed);
    int before = atomic_exchange_explicit(&breaker->reason, (int)reason, memory_order_relaxed);
    if (!was_open) {
        atomic_store_explicit(&breaker->opened_at_us, now_us, memory_order_relaxed);
        atomic_fetch_add_explicit(&breaker->openings, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&breaker->epoch, 1, memory_order_relaxed);
    }
    if (!begins_series(breaker, (enum gw_breaker_reason)before, reason, now_us))
        return;
    const char *node = atomic_load_explicit(&breaker->node, memory_order_relaxed);
    gw_log(GW_LOG_WARN, "store", "%s: %s; limits are kept here and the cache is this process' own until it answers",
           node ? node : "redis", gw_breaker_reason_sentence(reason));
}

void gw_breaker_close(struct gw_breaker *breaker)
{
    atomic_store_explicit(&breaker->is_open, false, memory_order_relaxed);
}
