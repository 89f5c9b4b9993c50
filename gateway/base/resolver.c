#include "base/resolver.h"

#include <stdlib.h>
#include "base/check.h"

enum { NAME_MAGIC = 0x4e414d45 };

struct name {
    struct gw_magic magic;
    uv_getaddrinfo_t request;
    struct gw_list link;  /* in the resolver, the oldest first */
    struct gw_slice host; /* its bytes are behind the struct, with a NUL at their end */

    struct gw_list questions;
    struct gw_resolver_addresses addresses;
    uint64_t keep_ms;  /* the resolver's */
    uint64_t until_ms; /* by the loop's clock: the addresses are used until then */
    bool is_asked;     /* a look-up is under way */
};

void gw_resolver_init(struct gw_resolver *resolver, uv_loop_t *loop, uint64_t keep_ms)
{
    resolver->loop = loop;
    resolver->keep_ms = keep_ms;
    resolver->count = 0;
    gw_list_init(&resolver->names);
}

void gw_resolver_close(struct gw_resolver *resolver)
{
    gw_list_each(link, &resolver->names)
    {
        struct name *name = GW_CONTAINER(link, struct name, link);
        if (name->is_asked)
            (void)uv_cancel((uv_req_t *)&name->request); /* fails where the look-up runs: it ends by itself */
    }
}

static void resolver_forget(struct gw_resolver *resolver, struct name *name)
{
    GW_CHECK_MAGIC(name, NAME_MAGIC);
    GW_CHECK(!name->is_asked && gw_list_is_empty(&name->questions));
    name->magic = GW_NO_MAGIC;
    gw_list_remove(&name->link);
    resolver->count--;
    free(name);
}

void gw_resolver_free(struct gw_resolver *resolver)
{
    gw_list_each_safe(link, &resolver->names) resolver_forget(resolver, GW_CONTAINER(link, struct name, link));
}

static bool resolver_is_localhost(struct gw_slice host)
{
    return gw_slice_equal_nocase(host, GW_SLICE("localhost")) || gw_slice_equal_nocase(host, GW_SLICE("localhost."));
}

static bool resolver_know(struct gw_slice host, struct gw_resolver_addresses *addresses)
{
    union gw_resolver_address *list = addresses->list;
    addresses->count = 0;
    addresses->error = 0;
    if (resolver_is_localhost(host)) {
        list[0].v4 = (struct sockaddr_in) { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        list[1].v6 = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        addresses->count = 2;
    } else if (uv_ip4_addr(host.at, 0, &list[0].v4) == 0 || uv_ip6_addr(host.at, 0, &list[0].v6) == 0) {
        addresses->count = 1;
    }
    return addresses->count > 0;
}

/* A hosts file may name one address several times. */
static bool resolver_is_listed(const struct gw_resolver_addresses *addresses, const union gw_resolver_address *address)
{
    for (unsigned i = 0; i < addresses->count; i++)
        if (memcmp(&addresses->list[i], address, sizeof *address) == 0)
            return true;
    return false;
}

static void resolver_collect(struct gw_resolver_addresses *addresses, const struct addrinfo *found)
{
    addresses->count = 0;
    for (; found && addresses->count < GW_RESOLVER_ADDRESSES; found = found->ai_next) {
        union gw_resolver_address address;
        memset(&address, 0, sizeof address);
        if (found->ai_family == AF_INET)
            memcpy(&address.v4, found->ai_addr, sizeof address.v4);
        else if (found->ai_family == AF_INET6)
            memcpy(&address.v6, found->ai_addr, sizeof address.v6);
        else
            continue;
        if (!resolver_is_listed(addresses, &address))
            addresses->list[addresses->count++] = address;
    }
}

static void resolver_on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct name *name = GW_FROM_CONTEXT(request->data, struct name, NAME_MAGIC);
    name->is_asked = false;
    name->addresses.error = status;
    resolver_collect(&name->addresses, status == 0 ? found : NULL);
    uv_freeaddrinfo(found);
    name->until_ms = name->addresses.count ? uv_now(request->loop) + name->keep_ms : 0;
    /* on_answer may ask for the same name again: that question gets the addresses, or waits for a new look-up. */
    struct gw_resolver_addresses addresses = name->addresses;
    struct gw_list questions;
    gw_list_init(&questions);
    while (!gw_list_is_empty(&name->questions)) {
        struct gw_list *link = name->questions.next;
        gw_list_remove(link);
        gw_list_push_back(&questions, link);
    }
    while (!gw_list_is_empty(&questions)) {
        struct gw_list *link = questions.next;
        gw_list_remove(link);
        struct gw_resolver_question *question = GW_CONTAINER(link, struct gw_resolver_question, link);
        question->on_answer(question, &addresses);
    }
}

static struct name *resolver_find(const struct gw_resolver *resolver, struct gw_slice host)
{
    gw_list_each(link, &resolver->names)
    {
        struct name *name = GW_CONTAINER(link, struct name, link);
        if (gw_slice_equal(name->host, host))
            return name;
    }
    return NULL;
}

static bool resolver_make_room(struct gw_resolver *resolver)
{
    if (resolver->count < GW_RESOLVER_NAMES)
        return true;
    gw_list_each(link, &resolver->names)
    {
        struct name *name = GW_CONTAINER(link, struct name, link);
        if (!name->is_asked) {
            resolver_forget(resolver, name);
            return true;
        }
    }
    return false;
}

static struct name *resolver_create(struct gw_resolver *resolver, struct gw_slice host)
{
    struct name *name = resolver_make_room(resolver) ? calloc(1, sizeof *name + host.length + 1) : NULL;
    if (!name)
        return NULL;
    name->magic = GW_MAGIC(NAME_MAGIC);
    name->keep_ms = resolver->keep_ms;
    char *text = (char *)(name + 1);
    memcpy(text, host.at, host.length);
    name->host = gw_slice_of(text, host.length);
    gw_list_init(&name->questions);
    gw_list_push_back(&resolver->names, &name->link);
    resolver->count++;
    return name;
}

static bool resolver_look_up(struct gw_resolver *resolver, struct name *name)
{
    /* AI_ADDRCONFIG is not set: it would ignore loopback, and an address that cannot be reached fails at once
     * anyway. */
    static const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    name->request.data = name;
    name->is_asked = uv_getaddrinfo(resolver->loop, &name->request, resolver_on_found, name->host.at, NULL, &hints) ==
                     0;
    return name->is_asked;
}

enum gw_resolver_outcome gw_resolver_ask(struct gw_resolver *resolver, struct gw_resolver_question *question,
                                         struct gw_slice host, struct gw_resolver_addresses *addresses)
{
    gw_list_init(&question->link);
    if (resolver_know(host, addresses))
        return GW_RESOLVER_KNOWN;
    struct name *name = resolver_find(resolver, host);
    if (name && name->until_ms > uv_now(resolver->loop)) {
        *addresses = name->addresses;
        return GW_RESOLVER_KNOWN;
    }
    if (!name)
        name = resolver_create(resolver, host);
    if (!name || (!name->is_asked && !resolver_look_up(resolver, name)))
        return GW_RESOLVER_OVERLOAD;
    gw_list_push_back(&name->questions, &question->link);
    return GW_RESOLVER_ASKED;
}

void gw_resolver_print(const union gw_resolver_address *address, char text[GW_RESOLVER_TEXT_BYTES])
{
    if (uv_ip_name(&address->any, text, GW_RESOLVER_TEXT_BYTES) != 0)
        text[0] = '\0';
}
