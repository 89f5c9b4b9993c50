/* bucket_queries.c: makes queries of a request and the policies, and outcomes of the answers. */
#include "limit/bucket_queries.h"
#include "base/hash.h"

/* False: the request has no such field or an empty one, or memory for the digest is out. */
static bool bucket_queries_key_by_header(struct gw_client_key *key, struct gw_digest *digest,
                                         const struct gw_limit_policy *policy, const struct gw_limit_subject *subject)
{
    struct gw_slice value = subject->field(subject->context, policy->header);
    if (!value.length || !gw_digest_sha256(digest, value, key->bytes))
        return false;
    key->length = GW_DIGEST_BYTES;
    return true;
}

static struct gw_client_key bucket_queries_key_of(struct gw_limiter *limiter, const struct gw_config *config,
                                                  const struct gw_limit_policy *policy,
                                                  const struct gw_limit_subject *subject)
{
    /* Name and rate identify the buckets of a policy: after a reload an unchanged policy keeps its buckets, and a
     * changed one has new ones. Only this process uses the number, so any fixed seed is good. */
    const uint64_t rate[] = { policy->n, policy->period_us, policy->burst };
    const struct gw_slice name = policy->name;
    struct gw_client_key key = { .policy = (uint32_t)gw_hash(name.at, name.length, gw_hash(rate, sizeof rate, 0)) };
    if (policy->by == GW_LIMIT_BY_ROUTE) { /* by its name, since a reload may change its index */
        const struct gw_slice route = config->routes[subject->route].name;
        key.length = (uint8_t)(route.length < sizeof key.bytes ? route.length : sizeof key.bytes);
        memcpy(key.bytes, route.at, key.length);
        return key;
    }
    if (policy->by == GW_LIMIT_BY_HEADER && bucket_queries_key_by_header(&key, limiter->digest, policy, subject))
        return key;
    /* The whole of an IPv4 address, but only the prefix of an IPv6 address, since a client can use all addresses of its
     * network. */
    const struct gw_address *client = subject->client;
    key.length = sizeof client->bytes;
    memcpy(key.bytes, client->bytes, sizeof client->bytes);
    if (config->ipv6_prefix_bits < 8 * sizeof client->bytes && !gw_address_is_ipv4(client)) {
        unsigned whole = config->ipv6_prefix_bits / 8;
        key.bytes[whole] &= (uint8_t)(0xff00 >> config->ipv6_prefix_bits % 8);
        memset(key.bytes + whole + 1, 0, sizeof client->bytes - whole - 1);
    }
    return key;
}

void gw_bucket_queries_collect(struct gw_bucket_queries *queries, struct gw_limiter *limiter,
                               const struct gw_config *config, const struct gw_limit_subject *subject, bool misses,
                               unsigned room)
{
    queries->count = 0;
    if (!config->limits_enabled)
        return;
    /* A policy must match one of the two readings of the path (base/path.h), which are nearly always the same. */
    bool is_one = !subject->literal_path.at || subject->literal_path.at == subject->path.at;
    for (unsigned i = 0; i < config->policy_count && queries->count < room; i++) {
        const struct gw_limit_policy *policy = &config->policies[i];
        if (policy->count_misses_only != misses)
            continue;
        if (!gw_match_holds(&policy->match, subject->method, subject->host, subject->path) &&
            (is_one || !gw_match_holds(&policy->match, subject->method, subject->host, subject->literal_path)))
            continue;
        queries->policies[queries->count] = policy;
        queries->queries[queries->count++] = (struct gw_bucket_query) {
            .key = bucket_queries_key_of(limiter, config, policy, subject),
            .rate = { .n = policy->n, .period_us = policy->period_us, .burst = policy->burst },
            .cost = policy->cost,
            .shadow = policy->shadow,
        };
    }
}

static uint64_t bucket_queries_ms_up(uint64_t us)
{
    return us / 1000 + (us % 1000 != 0);
}

void gw_bucket_queries_add_outcomes(const struct gw_limit_policy *const *policies,
                                    const struct gw_bucket_query *queries, unsigned count, bool allowed,
                                    struct gw_limit_decision *decision)
{
    for (unsigned i = 0; i < count; i++) {
        const struct gw_bucket_answer *answer = &queries[i].answer;
        struct gw_limit_outcome outcome = {
            .policy = policies[i],
            .remaining = answer->remaining,
            .next_ms = bucket_queries_ms_up(answer->next_us),
            .full_after_ms = bucket_queries_ms_up(answer->full_after_us),
            .allowed = answer->allowed,
        };
        decision->outcomes[decision->count++] = outcome;
        if (outcome.allowed)
            continue;
        if (policies[i]->shadow)
            decision->shadow_refusals++;
        else if (outcome.next_ms > decision->retry_after_ms)
            decision->retry_after_ms = outcome.next_ms;
    }
    if (!allowed)
        decision->verdict = GW_LIMIT_REFUSED;
    else if (decision->verdict == GW_LIMIT_NONE)
        decision->verdict = GW_LIMIT_ALLOWED;
}

void gw_bucket_queries_put_key(const struct gw_config *config, const struct gw_limit_policy *policy,
                               const struct gw_client_key *key, struct gw_buffer *buffer)
{
    const uint64_t numbers[] = { policy->script_n, policy->script_period_us, policy->burst };
    gw_buffer_put_slice(buffer, config->redis_prefix);
    gw_buffer_put_literal(buffer, "rl:");
    gw_buffer_put_slice(buffer, policy->name);
    for (size_t i = 0; i < GW_COUNT(numbers); i++) {
        gw_buffer_put_char(buffer, i ? '-' : ':');
        gw_buffer_put_uint(buffer, numbers[i]);
    }
    gw_buffer_put_char(buffer, ':');
    if (policy->by == GW_LIMIT_BY_ROUTE) {
        gw_buffer_put(buffer, (const char *)key->bytes, key->length);
    } else if (key->length == GW_DIGEST_BYTES) {
        gw_buffer_put_hex(buffer, key->bytes, key->length);
    } else {
        struct gw_address address;
        char text[GW_ADDRESS_TEXT_BYTES];
        memcpy(address.bytes, key->bytes, sizeof address.bytes);
        gw_buffer_put(buffer, text, gw_address_print(&address, text));
        if (gw_address_is_ipv4(&address))
            return;
        gw_buffer_put_char(buffer, '/');
        gw_buffer_put_uint(buffer, config->ipv6_prefix_bits);
    }
}
