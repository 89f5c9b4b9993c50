/* resolver.h: from a backend's name to addresses, without waiting.
 *
 * Shape    Literal addresses and `localhost` need no look-up: the latter is both loopback addresses (RFC 6761 §6.3),
 *          127.0.0.1 first, where development servers listen. Other names go to getaddrinfo(3) on libuv's thread pool;
 *          questions for the same name share one look-up. What was found is believed for GW_RESOLVER_KEEP_MS, as
 *          getaddrinfo tells no TTL. A failure is not remembered.
 * Bounds   GW_RESOLVER_NAMES names, GW_RESOLVER_ADDRESSES addresses each.
 * Threads  One worker's. */
#ifndef GW_UPSTREAM_RESOLVER_H
#define GW_UPSTREAM_RESOLVER_H

#include <netinet/in.h>
#include <uv.h>
#include "base/list.h"
#include "base/slice.h"

enum { GW_RESOLVER_NAMES = 64, GW_RESOLVER_ADDRESSES = 8, GW_RESOLVER_KEEP_MS = 10 * 1000 };

union gw_resolver_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct gw_resolver_addresses {
    union gw_resolver_address list[GW_RESOLVER_ADDRESSES]; /* ports are 0 */
    unsigned count;
};

struct gw_resolver_question {
    /* Runs once, on the loop; the addresses are valid during the call; none: the name is not known. */
    void (*on_answer)(struct gw_resolver_question *question, const struct gw_resolver_addresses *addresses);

    struct gw_list link;
};

struct gw_resolver {
    uv_loop_t *loop;
    struct gw_list names;
    unsigned count;
};

void gw_resolver_init(struct gw_resolver *resolver, uv_loop_t *loop);
/* Look-ups under way are cancelled where they can be; the loop runs until all are over. No questions are left. */
void gw_resolver_close(struct gw_resolver *resolver);
/* After the loop ended. */
void gw_resolver_free(struct gw_resolver *resolver);

enum gw_resolver_outcome {
    GW_RESOLVER_KNOWN,    /* *addresses is filled, the question not used */
    GW_RESOLVER_ASKED,    /* on_answer will run, never before this returns */
    GW_RESOLVER_OVERLOAD, /* too many names at once, or no memory */
};
/* `host` is terminated; a name, or a literal address without brackets. */
enum gw_resolver_outcome gw_resolver_ask(struct gw_resolver *resolver, struct gw_resolver_question *question,
                                         struct gw_slice host, struct gw_resolver_addresses *addresses) GW_MUST_CHECK;
/* Of a question that was asked and not answered yet: on_answer does not run. */
static inline void gw_resolver_forget(struct gw_resolver_question *question)
{
    gw_list_remove(&question->link);
}

#endif
