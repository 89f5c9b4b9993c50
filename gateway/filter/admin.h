/* admin.h: what the files of the admin interface know of each other: admin.c tells the paths apart and checks the token;
 * purge.c and inspection.c connect what admin/ reads and says with the cache.
 *
 * Shape    …_begin from on_request: ANSWERED, or TAKEN while Redis is asked. Its callback makes the answer and goes on.
 *          …_cancel where the answer of Redis is not awaited any more: what was asked is done all the same.
 *          …_conclude after that, where Redis did not answer within redis.timeout: makes the answer without it. */
#ifndef GW_FILTER_ADMIN_H
#define GW_FILTER_ADMIN_H

#include "exchange/exchange.h"

struct gw_purge_slot {
    struct gw_invalidation invalidation; /* of a URL's key for http, and of that for https */
    struct gw_purge *ban;
};

struct gw_inspection_slot {
    struct gw_redis_cache_question *question;
};

struct gw_admin_order;

/* The admin filter's; which of the two is used, the order says. */
struct gw_admin_slot {
    const struct gw_admin_order *order;
    union {
        struct gw_purge_slot purge;
        struct gw_inspection_slot inspection;
    };
};

/* Takes the page. */
void gw_admin_answer_page(struct gw_exchange *exchange, int status, struct gw_slice content_type,
                          struct gw_buffer *page);
/* An error that is none of traffic's; detail: a sentence for a person. */
void gw_admin_answer_problem(struct gw_exchange *exchange, int status, const char *error, struct gw_slice detail);
void gw_admin_answer_complaint(struct gw_exchange *exchange, const struct gw_complaint *complaint);

enum gw_filter_result gw_purge_begin(struct gw_exchange *exchange, struct gw_admin_slot *slot);
void gw_purge_cancel(struct gw_admin_slot *slot);
void gw_purge_conclude(struct gw_exchange *exchange);

enum gw_filter_result gw_inspection_begin(struct gw_exchange *exchange, struct gw_admin_slot *slot);
void gw_inspection_cancel(struct gw_admin_slot *slot);
void gw_inspection_conclude(struct gw_exchange *exchange);

#endif
