#include "store/breaker.h"
#include <stdio.h>
#include "base/log.h"

enum { BREAKER_SERIES_US = 60 * 1000 * 1000, BREAKER_KEPT_US = 5 * 1000 * 1000 };

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
    atomic_init(&breaker->oom_at_us, 0);
    atomic_init(&breaker->node, NULL);
    pthread_mutex_init(&breaker->lock, NULL);
    breaker->told = 0;
    breaker->reason_at_us = breaker->full_logged_at_us = 0;
    breaker->said[0] = breaker->full[0] = '\0';
}

/* The node is away: many connections see it at different moments, each with its own reason. */
static bool breaker_is_absence(enum gw_breaker_reason reason)
{
    return reason == GW_BREAKER_SILENT || reason == GW_BREAKER_CONNECT || reason == GW_BREAKER_LOST;
}

static uint64_t breaker_since(uint64_t at_us, uint64_t now_us)
{
    return now_us > at_us ? now_us - at_us : 0; /* threads read their clocks one after the other */
}

/* The caller holds the lock. */
static bool breaker_is_to_be_told(struct gw_breaker *breaker, bool was_open, enum gw_breaker_reason reason,
                                  uint64_t now_us)
{
    uint64_t logged_at_us = atomic_load_explicit(&breaker->logged_at_us, memory_order_relaxed);
    unsigned bit = 1u << (unsigned)reason;
    bool is_series = logged_at_us && breaker_since(logged_at_us, now_us) < BREAKER_SERIES_US;
    if (is_series && ((breaker->told & bit) || (was_open && breaker_is_absence(reason))))
        return false;
    breaker->told = is_series ? breaker->told | bit : bit;
    atomic_store_explicit(&breaker->logged_at_us, now_us ? now_us : 1, memory_order_relaxed);
    return true;
}

/* The caller holds the lock. */
static void breaker_keep_reason(struct gw_breaker *breaker, bool was_open, enum gw_breaker_reason reason,
                                const char *said, uint64_t now_us)
{
    enum gw_breaker_reason before = (enum gw_breaker_reason)atomic_load_explicit(&breaker->reason,
                                                                                 memory_order_relaxed);
    bool says_less = breaker_is_absence(reason) &&
                     ((before != GW_BREAKER_NONE && !breaker_is_absence(before)) || (!*said && breaker->said[0]));
    if (was_open && says_less && breaker_since(breaker->reason_at_us, now_us) < BREAKER_KEPT_US)
        return;
    atomic_store_explicit(&breaker->reason, (int)reason, memory_order_relaxed);
    breaker->reason_at_us = now_us;
    snprintf(breaker->said, sizeof(breaker->said), "%s", said);
}

static void breaker_log_line(const struct gw_breaker *breaker, const char *sentence, const char *said, const char *rest)
{
    const char *node = atomic_load_explicit(&breaker->node, memory_order_relaxed);
    gw_log(GW_LOG_WARN, "store", "%s: %s%s%s%s; %s", node ? node : "redis", sentence, *said ? " (" : "", said,
           *said ? ")" : "", rest);
}

void gw_breaker_open(struct gw_breaker *breaker, enum gw_breaker_reason reason, const char *said, uint64_t now_us)
{
    pthread_mutex_lock(&breaker->lock);
    bool was_open = atomic_load_explicit(&breaker->is_open, memory_order_relaxed);
    breaker_keep_reason(breaker, was_open, reason, said, now_us);
    if (!was_open) {
        atomic_store_explicit(&breaker->opened_at_us, now_us, memory_order_relaxed);
        atomic_fetch_add_explicit(&breaker->openings, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&breaker->epoch, 1, memory_order_relaxed);
        atomic_store_explicit(&breaker->is_open, true, memory_order_relaxed);
    }
    bool is_told = breaker_is_to_be_told(breaker, was_open, reason, now_us);
    pthread_mutex_unlock(&breaker->lock);
    if (is_told)
        breaker_log_line(breaker, gw_breaker_reason_sentence(reason), said,
                         "limits are kept here and the cache is this process' own until it answers");
}

void gw_breaker_tell_full(struct gw_breaker *breaker, const char *said, uint64_t now_us)
{
    pthread_mutex_lock(&breaker->lock);
    bool is_told = !breaker->full_logged_at_us ||
                   breaker_since(breaker->full_logged_at_us, now_us) >= BREAKER_SERIES_US;
    if (is_told)
        breaker->full_logged_at_us = now_us ? now_us : 1;
    snprintf(breaker->full, sizeof(breaker->full), "%s", said);
    pthread_mutex_unlock(&breaker->lock);
    atomic_store_explicit(&breaker->oom_at_us, now_us, memory_order_relaxed);
    if (is_told)
        breaker_log_line(breaker, "it has no memory for what is written", said,
                         "limits are kept here and nothing new is stored until it has");
}

void gw_breaker_copy_said(struct gw_breaker *breaker, bool full, char text[GW_BREAKER_SAID_BYTES])
{
    pthread_mutex_lock(&breaker->lock);
    snprintf(text, GW_BREAKER_SAID_BYTES, "%s", full ? breaker->full : breaker->said);
    pthread_mutex_unlock(&breaker->lock);
}

void gw_breaker_close(struct gw_breaker *breaker)
{
    atomic_store_explicit(&breaker->is_open, false, memory_order_relaxed);
}
