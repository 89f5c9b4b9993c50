#include "config/derive.h"
#include "config/numbers.h"
#include "config/values.h"

/* The values of one policy, in "limits" or in "limits.policies", and their sources. */
struct written {
    struct gw_source s[GW_POLICY_KEYS_COUNT];
    struct gw_value v[GW_POLICY_KEYS_COUNT];
};

static void take_from_limits(const struct gw_loading *loading, struct written *written)
{
    static const enum gw_key_id from[GW_POLICY_KEYS_COUNT] = {
        [GW_POLICY_RATE] = GW_KEY_LIMITS_RATE,
        [GW_POLICY_BURST] = GW_KEY_LIMITS_BURST,
        [GW_POLICY_COST] = GW_KEY_LIMITS_COST,
        [GW_POLICY_BY] = GW_KEY_LIMITS_BY,
        [GW_POLICY_SHADOW] = GW_KEY_LIMITS_SHADOW,
        [GW_POLICY_COUNT] = GW_KEY_LIMITS_COUNT,
        [GW_POLICY_ON_REDIS_FAILURE] = GW_KEY_LIMITS_ON_REDIS_FAILURE,
    };
    *written = (struct written) { 0 };
    for (unsigned i = 0; i < GW_POLICY_KEYS_COUNT; i++) {
        if (i == GW_POLICY_NAME || i == GW_POLICY_PATH || i == GW_POLICY_HOST || i == GW_POLICY_METHODS)
            continue;
        written->s[i] = loading->sources[from[i]];
        written->v[i] = loading->values[from[i]];
    }
    written->v[GW_POLICY_NAME].text = GW_SLICE("default");
}

static bool derive_name(struct gw_loading *loading, const struct written *written, struct gw_limit_policy *policy)
{
    const struct gw_source *source = &written->s[GW_POLICY_NAME];
    policy->name = written->v[GW_POLICY_NAME].text;
    if (!gw_match_is_name(policy->name))
        return gw_source_complain(source, GW_SOURCE_WHOLE, loading->complaint, policy->name.at,
                                  "1 to 32 of a-z, 0-9, _ and -");
    for (unsigned i = 0; i < policy->index; i++)
        if (gw_slice_equal(loading->config->policies[i].name, policy->name))
            return gw_source_complain(source, GW_SOURCE_WHOLE, loading->complaint, policy->name.at,
                                      "a name that no other policy has (limits.rate makes the one called default)");
    return true;
}

static bool derive_by(struct gw_loading *loading, const struct written *written, struct gw_limit_policy *policy)
{
    static const struct gw_slice header = { "header:", 7 };
    struct gw_slice by = written->v[GW_POLICY_BY].text;
    if (gw_slice_starts_with(by, header)) {
        policy->by = GW_LIMIT_BY_HEADER;
        policy->header = gw_slice_of(by.at + header.length, by.length - header.length);
        if (gw_match_is_token(policy->header) && !gw_match_is_pattern(policy->header))
            return true;
    } else if (gw_slice_equal(by, GW_SLICE("ip")) || gw_slice_equal(by, GW_SLICE("route"))) {
        policy->by = by.at[0] == 'i' ? GW_LIMIT_BY_IP : GW_LIMIT_BY_ROUTE;
        return true;
    }
    return gw_source_complain(&written->s[GW_POLICY_BY], GW_SOURCE_WHOLE, loading->complaint, by.at,
                              "ip, route, or header: and a field's name, such as header:X-Api-Key");
}

/* The source that the complaint names: the first of the two that is not a default. */
static const struct gw_source *written_one(const struct gw_source *a, const struct gw_source *b)
{
    return a->origin != GW_ORIGIN_DEFAULT ? a : b;
}

/* The script uses doubles, whose products are exact up to 2^53, so n must stay below the root of that. */
enum { SCRIPT_N = 94906265 };

static bool reduce(struct gw_limit_policy *policy)
{
    uint64_t a = policy->n, b = policy->period_us;
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    policy->script_n = policy->n / a;
    policy->script_period_us = policy->period_us / a;
    return policy->script_n <= SCRIPT_N;
}

static bool derive_bucket(struct gw_loading *loading, const struct written *written, struct gw_limit_policy *policy)
{
    const struct gw_source *rate = &written->s[GW_POLICY_RATE], *burst = &written->s[GW_POLICY_BURST];
    policy->rate_text = written->v[GW_POLICY_RATE].text;
    policy->burst = written->v[GW_POLICY_BURST].number;
    policy->cost = written->v[GW_POLICY_COST].number;
    if (rate->is_wrong || burst->is_wrong || written->s[GW_POLICY_COST].is_wrong)
        return false; /* the mistake is told already, and the values cannot be compared */
    if (!gw_numbers_parse_rate(policy->rate_text, &policy->n, &policy->period_us)) /* it was parsed once already */
        return gw_source_complain(rate, GW_SOURCE_WHOLE, loading->complaint, policy->rate_text.at, "a rate");
    if (!reduce(policy))
        return gw_source_complain(rate, GW_SOURCE_WHOLE, loading->complaint, policy->rate_text.at,
                                  "a rate whose number, in lowest terms with its period in microseconds, is at most %d",
                                  SCRIPT_N);
    if (policy->cost > policy->burst)
        return gw_source_complain(written_one(&written->s[GW_POLICY_COST], burst), GW_SOURCE_WHOLE, loading->complaint,
                                  NULL, "a cost (here %llu) that the burst (here %llu) can pay",
                                  (unsigned long long)policy->cost, (unsigned long long)policy->burst);
    if ((unsigned __int128)policy->burst * policy->period_us >
        (unsigned __int128)policy->n * GW_KEYS_YEAR_S * UINT64_C(1000000))
        return gw_source_complain(written_one(burst, rate), GW_SOURCE_WHOLE, loading->complaint, NULL,
                                  "a burst (here %llu) that fills within a year at the rate (here %s)",
                                  (unsigned long long)policy->burst, policy->rate_text.at);
    return true;
}

static bool derive_policy(struct gw_loading *loading, const struct written *written)
{
    struct gw_config *config = loading->config;
    const struct gw_source *s = written->s;
    const struct gw_value *v = written->v;
    struct gw_limit_policy *policy = &config->policies[config->policy_count];
    policy->index = config->policy_count;
    policy->shadow = v[GW_POLICY_SHADOW].number;
    policy->count_misses_only = v[GW_POLICY_COUNT].number == 1;
    policy->on_redis_failure = (enum gw_limit_failure)v[GW_POLICY_ON_REDIS_FAILURE].number;
    bool good = gw_loading_file(loading, derive_name(loading, written, policy));
    good &= gw_loading_file(loading, derive_by(loading, written, policy));
    good &= gw_loading_file(loading, derive_bucket(loading, written, policy));
    good &= gw_match_derive(loading, &policy->match, &s[GW_POLICY_PATH], v[GW_POLICY_PATH].text, &s[GW_POLICY_HOST],
                            v[GW_POLICY_HOST].text, &s[GW_POLICY_METHODS], &v[GW_POLICY_METHODS].list);
    config->policy_count++;
    return good;
}

bool gw_policies_derive(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_source *source = &loading->sources[GW_KEY_LIMITS_POLICIES];
    const cJSON *array = loading->values[GW_KEY_LIMITS_POLICIES].json;
    unsigned more = array ? (unsigned)cJSON_GetArraySize(array) : 0;
    struct written written;
    bool good = true;
    config->policies = gw_loading_take(loading, GW_DERIVE_POLICIES, sizeof(*config->policies));
    if (!config->policies)
        return false;
    if (!gw_slice_equal(loading->values[GW_KEY_LIMITS_RATE].text, GW_SLICE("off"))) {
        take_from_limits(loading, &written);
        good = derive_policy(loading, &written);
    }
    if (config->policy_count + more > GW_DERIVE_POLICIES)
        return gw_source_complain(source, GW_SOURCE_WHOLE, loading->complaint, NULL,
                                  "at most %d policies with the one called default", GW_DERIVE_POLICIES);
    for (unsigned i = 0; i < more; i++) {
        good &= gw_values_read_object(loading, source, (int)i, gw_keys_of_policy, GW_POLICY_KEYS_COUNT, written.s,
                                      written.v);
        good &= derive_policy(loading, &written);
    }
    return good;
}
