/* resolver.h: from a name to addresses, without waiting: of backends and of Redis.
 *
 * Shape    Literal addresses and `localhost` need no look-up: the latter is both loopback addresses (RFC 6761 §6.3),
 *          127.0.0.1 first, where development servers listen. Other names go to getaddrinfo(3) on libuv's thread pool;
 *          questions for the same name share one look-up. What was found is believed for keep_ms, as getaddrinfo tells
 *          no TTL. A failure is not remembered.
 * Cancel   A question that is cancelled is not answered. Its look-up goes on, as nothing can stop getaddrinfo(3), and
 *          the next question for the name waits for it.
 * Bounds   GW_RESOLVER_NAMES names, GW_RESOLVER_ADDRESSES addresses each.
 * Threads  One worker's. */
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
    union gw_resolver_address list[GW_RESOLVER_ADDRESSES]; /* ports are 0; each once */
    unsigned count;
    int error; /* where none was found: of getaddrinfo(3), as libuv has it; 0: the name has no address */
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

/* keep_ms: how long what was found is believed; 0: each question asks anew. */
void gw_resolver_init(struct gw_resolver *resolver, uv_loop_t *loop, uint64_t keep_ms);
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
/* Of a question that is not asked yet. */
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
/* on_answer does not run. Also of a question that is not asked, or answered. */
static inline void gw_resolver_cancel(struct gw_resolver_question *question)
{
    gw_list_remove(&question->link);
}
/* "192.0.2.7", "2001:db8::7" */
void gw_resolver_print(const union gw_resolver_address *address, char text[GW_RESOLVER_TEXT_BYTES]);

#endif
