/* resolver.h: finds the addresses of the names of backends and of Redis, without blocking the loop.
 *
 * Shape    A literal address and `localhost` need no look-up. `localhost` has both loopback addresses (RFC 6761 §6.3),
 *          127.0.0.1 first, where development servers listen. Other names go to getaddrinfo(3) on libuv's thread pool;
 *          questions for the same name share one look-up. The addresses found are used for keep_ms, since getaddrinfo
 *          gives no TTL. A failure is not remembered.
 * Cancel   A cancelled question gets no answer. Its look-up goes on, since nothing can stop getaddrinfo(3), and the
 *          next question for the name waits for this look-up.
 * Bounds   GW_RESOLVER_NAMES names with GW_RESOLVER_ADDRESSES addresses each.
 * Threads  A resolver belongs to one worker. */
#ifndef GW_BASE_RESOLVER_H
#define GW_BASE_RESOLVER_H

#include <netinet/in.h>
#include <uv.h>
#include "base/list.h"
#include "base/slice.h"

enum { GW_RESOLVER_NAMES = 64, GW_RESOLVER_ADDRESSES = 8, GW_RESOLVER_TEXT_BYTES = 46 };

union gw_resolver_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct gw_resolver_addresses {
    union gw_resolver_address list[GW_RESOLVER_ADDRESSES]; /* with port 0, and without duplicates */
    unsigned count;
    int error; /* where count is 0: libuv's error of getaddrinfo(3); 0: the name has no address */
};

struct gw_resolver_question {
    /* Runs once, on the loop; the addresses are valid during the call. */
    void (*on_answer)(struct gw_resolver_question *question, const struct gw_resolver_addresses *addresses);

    struct gw_list link;
};

struct gw_resolver {
    uv_loop_t *loop;
    uint64_t keep_ms;
    struct gw_list names;
    unsigned count;
};

/* keep_ms: how long addresses are used after a look-up; 0: each question starts a look-up. */
void gw_resolver_init(struct gw_resolver *resolver, uv_loop_t *loop, uint64_t keep_ms);
/* Cancels the look-ups that can still be cancelled; the loop must run until all are over. No question may be left. */
void gw_resolver_close(struct gw_resolver *resolver);
/* To be called after the loop has ended. */
void gw_resolver_free(struct gw_resolver *resolver);

enum gw_resolver_outcome {
    GW_RESOLVER_KNOWN,    /* *addresses is filled, and the question is not used */
    GW_RESOLVER_ASKED,    /* on_answer will run, but not before this call has returned */
    GW_RESOLVER_OVERLOAD, /* too many names are being looked up, or memory is out */
};
/* host: a name, or a literal address without brackets; a NUL stands behind it. */
enum gw_resolver_outcome gw_resolver_ask(struct gw_resolver *resolver, struct gw_resolver_question *question,
                                         struct gw_slice host, struct gw_resolver_addresses *addresses) GW_MUST_CHECK;
/* For a question that is not asked yet. */
static inline void gw_resolver_init_question(struct gw_resolver_question *question,
                                             void (*on_answer)(struct gw_resolver_question *question,
                                                               const struct gw_resolver_addresses *addresses))
{
    question->on_answer = on_answer;
    gw_list_init(&question->link);
}
static inline bool gw_resolver_is_asked(const struct gw_resolver_question *question)
{
    return !gw_list_is_empty(&question->link);
}
/* on_answer will not run. Has no effect on a question that is not asked, or answered already. */
static inline void gw_resolver_cancel(struct gw_resolver_question *question)
{
    gw_list_remove(&question->link);
}
/* Writes such as "192.0.2.7" or "2001:db8::7". */
void gw_resolver_print(const union gw_resolver_address *address, char text[GW_RESOLVER_TEXT_BYTES]);

#endif
