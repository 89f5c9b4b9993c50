#include "admin/stored.h"

#include "admin/json.h"
#include "cache/key.h"
#include "cache/vary.h"

enum { NOTE_BYTES = 320 };

/* ---- the request ---- */

static const char *request_refusal(const struct gw_stored *stored)
{
    if (stored->bypass)
        return stored->bypass;
    if (!stored->request->is_candidate)
        return "it has If-Match, If-Unmodified-Since, Upgrade or a method override";
    return stored->request->may_look_up ? NULL : "it says no-store";
}

static void put_request(struct gw_json *json, const struct gw_stored *stored)
{
    const struct gw_cache_request *request = stored->request;
    const char *refusal = request_refusal(stored);
    cJSON *object = gw_json_put_object(json, json->root, "request");
    gw_json_put_bool(json, object, "looked_up", !refusal);
    if (refusal)
        gw_json_put_string(json, object, "why_not", refusal);
    gw_json_put_bool(json, object, "must_validate", request->must_validate);
    gw_json_put_bool(json, object, "answer_may_be_stored", !stored->bypass && request->may_store);
    gw_json_put_bool(json, object, "may_share_a_fetch", !stored->bypass && request->may_join);
    gw_json_put_bool(json, object, "has_credential", request->has_credential);
    gw_json_put_bool(json, object, "only_if_cached", request->only_if_cached);
}

/* ---- one stored response ---- */

static const char *ban_name(enum gw_ban_verdict ban)
{
    return ban == GW_BAN_HARD ? "hard" : ban == GW_BAN_SOFT ? "soft" : "none";
}

static const char *why_not(const struct gw_stored *stored, const struct gw_entry *entry)
{
    const struct gw_cache_request *request = stored->request;
    if (entry->vary_any)
        return "its Vary names what a cache cannot compare";
    if (request->has_authorization && !entry->terms.for_authorization)
        return "the request carries Authorization, and the response does not allow it for such";
    if (!entry->terms.is_explicit && !request->default_ttl_applies)
        return "the request carries a credential, and the response does not state its freshness";
    return "it was selected by other values of these request fields";
}

static const char *why_validated(const struct gw_stored *stored, const struct gw_entry *entry, int64_t age_s)
{
    if (entry->terms.must_validate)
        return "it says no-cache";
    if (atomic_load_explicit(&entry->is_outdated, memory_order_relaxed))
        return "it was purged softly";
    if (age_s >= entry->freshness_s)
        return "it is no longer fresh";
    return stored->request->must_validate ? "the request says no-cache, or max-age=0"
                                          : "the request wants a younger one, or one that stays fresh for longer";
}

struct use { /* how a stored response can be used */
    enum gw_reuse reuse;
    const char *word, *why;
};

static bool may_stand_in(const struct gw_stored *stored, const struct gw_entry *entry, int64_t age_s)
{
    return gw_policy_may_answer_on_error(stored->request, &entry->terms, age_s, gw_entry_freshness_s(entry, age_s));
}

/* The response cannot answer as it is. The backend can be asked about it only where it has a validator. */
static struct use use_of_validated(const struct gw_stored *stored, const struct gw_entry *entry, int64_t age_s)
{
    const char *why = why_validated(stored, entry, age_s);
    if (entry->terms.has_validator)
        return (struct use) { GW_REUSE_VALIDATED, "after validation", why };
    if (may_stand_in(stored, entry, age_s))
        return (struct use) { GW_REUSE_VALIDATED, "only if the backend fails", why };
    return (struct use) { GW_REUSE_NO, "no", why };
}

static struct use use_of(const struct gw_stored *stored, const struct gw_entry *entry, enum gw_ban_verdict ban)
{
    int64_t age_s = gw_entry_age_s(entry, stored->now_us);
    if (request_refusal(stored))
        return (struct use) { GW_REUSE_NO, "no", "the cache is not asked for this request" };
    if (ban == GW_BAN_HARD)
        return (struct use) { GW_REUSE_NO, "no", "it was purged" };
    if (gw_entry_is_over(entry, stored->now_us))
        return (struct use) { GW_REUSE_NO, "no",
                              "it is of no use any more: its freshness and what follows it are over" };
    enum gw_reuse reuse = gw_entry_reuse(entry, stored->request, &stored->order->head, stored->now_us);
    switch (reuse) {
    case GW_REUSE_FRESH:
        return (struct use) { reuse, "fresh", "it is younger than its freshness" };
    case GW_REUSE_STALE:
        return (struct use) { reuse, "stale", "the request accepts it so (max-stale)" };
    case GW_REUSE_REVALIDATING:
        return (struct use) { reuse, "stale, while it is refreshed", "stale-while-revalidate" };
    case GW_REUSE_VALIDATED:
        return use_of_validated(stored, entry, age_s);
    case GW_REUSE_NO:
        break;
    }
    return (struct use) { GW_REUSE_NO, "no", why_not(stored, entry) };
}

static void put_selection(struct gw_json *json, cJSON *parent, const struct gw_head *selection)
{
    cJSON *array = gw_json_put_array(json, parent, "selected_by");
    for (unsigned i = 0; i < selection->count; i++) {
        const struct gw_field *field = &selection->fields[i];
        cJSON *object = gw_json_put_element(json, array);
        gw_json_put_slice(json, object, "field", field->name);
        if (field->value.at)
            gw_json_put_slice(json, object, "value", field->value);
        else
            gw_json_put_null(json, object, "value");
    }
}

static void put_tags(struct gw_json *json, cJSON *parent, struct gw_slice tags)
{
    cJSON *array = gw_json_put_array(json, parent, "tags");
    while (tags.length) {
        const char *blank = memchr(tags.at, ' ', tags.length);
        size_t length = blank ? (size_t)(blank - tags.at) : tags.length, taken = length + (blank != NULL);
        gw_json_add_slice(json, array, gw_slice_of(tags.at, length));
        tags = gw_slice_of(tags.at + taken, tags.length - taken);
    }
}

static void put_terms(struct gw_json *json, cJSON *object, const struct gw_cache_terms *terms)
{
    gw_json_put_bool(json, object, "freshness_is_stated", terms->is_explicit);
    gw_json_put_int(json, object, "window_s", terms->window_s);
    gw_json_put_int(json, object, "stale_while_revalidate_s", terms->stale_while_revalidate_s);
    gw_json_put_int(json, object, "stale_if_error_s", terms->stale_if_error_s);
    gw_json_put_bool(json, object, "must_validate", terms->must_validate);
    gw_json_put_bool(json, object, "never_stale", terms->no_stale);
    gw_json_put_bool(json, object, "has_validator", terms->has_validator);
    gw_json_put_bool(json, object, "for_authorization", terms->for_authorization);
}

static void put_entry(struct gw_json *json, cJSON *object, const struct gw_stored *stored, const struct gw_entry *entry,
                      enum gw_ban_verdict ban)
{
    int64_t age_s = gw_entry_age_s(entry, stored->now_us), freshness_s = gw_entry_freshness_s(entry, age_s);
    const struct use use = use_of(stored, entry, ban);
    gw_json_put_string(json, object, "would_be_used", use.word);
    gw_json_put_string(json, object, "why", use.why);
    if (use.reuse == GW_REUSE_VALIDATED)
        gw_json_put_bool(json, object, "would_stand_in_on_error", may_stand_in(stored, entry, age_s));
    gw_json_put_int(json, object, "status", entry->head.status);
    gw_json_put_slice(json, object, "stored_for", entry->url);
    gw_json_put_int(json, object, "age_s", age_s);
    gw_json_put_int(json, object, "freshness_s", entry->freshness_s);
    gw_json_put_int(json, object, "ttl_s", freshness_s - age_s);
    put_terms(json, object, &entry->terms);
    put_selection(json, object, &entry->vary_values);
    put_tags(json, object, entry->tags);
    gw_json_put_uint(json, object, "body_bytes", entry->body_bytes);
    gw_json_put_string(json, object, "ban", ban_name(ban));
}

/* ---- where responses are stored ---- */

static const char *mode_name(enum gw_memory_cache_mode mode)
{
    static const char *const names[] = {
        [GW_MEMORY_CACHE_EMBEDDED] = "embedded: it is the cache",
        [GW_MEMORY_CACHE_SHARED] = "shared: a copy of what was read in Redis",
        [GW_MEMORY_CACHE_CLOSED] = "closed: Redis' invalidations are not heard at the moment",
        [GW_MEMORY_CACHE_OUTAGE] = "outage: Redis is away, own fetches only",
    };
    return names[mode];
}

static void put_memory_cache(struct gw_json *json, const struct gw_stored *stored)
{
    gw_json_put_string(json, json->root, "near_mode", mode_name(stored->memory_cache_mode));
    gw_json_put_bool(json, json->root, "near_hit_for_miss", stored->memory_cache_hit_for_miss);
    cJSON *array = gw_json_put_array(json, json->root, "near");
    for (unsigned i = 0; i < stored->memory_cache_count; i++)
        put_entry(json, gw_json_put_element(json, array), stored, stored->memory_cache[i],
                  stored->memory_cache_bans[i]);
}

static const char *frame_name(const struct gw_redis_cache_inspection *inspection)
{
    static const char *const names[] = {
        [GW_FRAME_FOREIGN] = "foreign",     [GW_FRAME_CORRUPT] = "corrupt",   [GW_FRAME_RESPONSE] = "frame",
        [GW_FRAME_TOMBSTONE] = "tombstone", [GW_FRAME_MARK] = "hit-for-miss", [GW_FRAME_INDEX] = "index",
    };
    return inspection->is_there ? names[inspection->base] : "none";
}

static bool knows_store(const struct gw_stored *stored)
{
    return stored->inspection && stored->inspection->is_known;
}

static void put_store(struct gw_json *json, const struct gw_stored *stored)
{
    const struct gw_redis_cache_inspection *inspection = stored->inspection;
    if (!stored->has_store) {
        gw_json_put_null(json, json->root, "redis");
        return;
    }
    cJSON *object = gw_json_put_object(json, json->root, "redis");
    gw_json_put_bool(json, object, "known", knows_store(stored));
    if (!knows_store(stored))
        return;
    gw_json_put_string(json, object, "kind", frame_name(inspection));
    if (inspection->is_there)
        gw_json_put_int(json, object, "ttl_ms", inspection->left_ms);
    if (inspection->is_there && inspection->base == GW_FRAME_INDEX) {
        gw_json_put_slice(json, object, "names", inspection->names);
        gw_json_put_uint(json, object, "variants", inspection->variants);
    }
    if (!inspection->entry)
        return;
    gw_json_put_int(json, object, "entry_ttl_ms", inspection->entry_left_ms);
    put_entry(json, gw_json_put_object(json, object, "entry"), stored, inspection->entry, inspection->ban);
}

static void put_key(struct gw_json *json, const struct gw_stored *stored)
{
    char name_space[GW_KEY_HEX_BYTES], sha[GW_KEY_HEX_BYTES];
    struct gw_key_text text;
    struct gw_buffer hex = gw_buffer_over(name_space, sizeof name_space);
    gw_buffer_put_hex(&hex, stored->key->name_space, sizeof stored->key->name_space);
    gw_key_print(stored->key, sha);
    cJSON *object = gw_json_put_object(json, json->root, "key");
    gw_json_put_slice(json, object, "name_space", gw_buffer_slice(&hex));
    gw_json_put_slice(json, object, "sha", gw_slice_of(sha, sizeof sha));
    if (!stored->has_store)
        return;
    gw_key_text_of_base(&text, stored->prefix, stored->key);
    gw_json_put_slice(json, object, "redis", text.slice);
}

/* ---- the sentence ---- */

struct best { /* the response that a look-up would find */
    const struct gw_entry *entry;
    struct use use;
    bool is_in_memory;
};

static void consider(struct best *best, const struct gw_stored *stored, const struct gw_entry *entry,
                     enum gw_ban_verdict ban, bool is_in_memory)
{
    struct use use = use_of(stored, entry, ban);
    if (use.reuse > best->use.reuse)
        *best = (struct best) { entry, use, is_in_memory };
}

/* A response in the memory cache is used without asking Redis, unless it must be validated. */
static struct best find_best(const struct gw_stored *stored)
{
    const struct gw_redis_cache_inspection *inspection = stored->inspection;
    struct best best = { .use = { .reuse = GW_REUSE_NO } };
    for (unsigned i = 0; i < stored->memory_cache_count && stored->memory_cache_mode != GW_MEMORY_CACHE_CLOSED; i++)
        consider(&best, stored, stored->memory_cache[i], stored->memory_cache_bans[i], true);
    if (best.use.reuse > GW_REUSE_VALIDATED || !knows_store(stored) || !inspection->entry)
        return best;
    best = (struct best) { .use = { .reuse = GW_REUSE_NO } };
    consider(&best, stored, inspection->entry, inspection->ban, false);
    return best;
}

static bool knows_refusal(const struct gw_stored *stored)
{
    return stored->last_refusal != GW_CACHE_STORABLE;
}

static void put_last(struct gw_json *json, const struct gw_stored *stored)
{
    enum gw_not_stored_label label = (enum gw_not_stored_label)stored->last_refusal;
    if (!knows_refusal(stored)) {
        gw_json_put_null(json, json->root, "last_refusal");
        return;
    }
    cJSON *object = gw_json_put_object(json, json->root, "last_refusal");
    gw_json_put_string(json, object, "detail", gw_not_stored_word(label));
    gw_json_put_string(json, object, "why", gw_not_stored_sentence(label));
    gw_json_put_uint(json, object, "ago_s", stored->last_ago_s);
}

static void say_found(const struct gw_stored *stored, const struct best *best, struct gw_buffer *text)
{
    int64_t age_s = gw_entry_age_s(best->entry, stored->now_us);
    const char *where = best->is_in_memory ? "this process' memory" : "Redis";
    if (best->use.reuse == GW_REUSE_VALIDATED && stored->request->only_if_cached)
        gw_buffer_print(text, "Answered 504 (only-if-cached): what lies in %s is not for this request as it is: %s.",
                        where, best->use.why);
    else if (best->use.reuse == GW_REUSE_VALIDATED && best->entry->terms.has_validator)
        gw_buffer_print(text, "The backend is asked to confirm what lies in %s: %s.", where, best->use.why);
    else if (best->use.reuse == GW_REUSE_VALIDATED)
        gw_buffer_print(text, "The backend is asked; if it fails, what lies in %s stands in: %s.", where,
                        best->use.why);
    else if (best->use.reuse == GW_REUSE_FRESH)
        gw_buffer_print(text, "Answered from %s; fresh for %lld s more.", where,
                        (long long)(gw_entry_freshness_s(best->entry, age_s) - age_s));
    else
        gw_buffer_print(text, "Answered from %s though stale: %s.", where, best->use.why);
}

static const char *why_missed(const struct gw_stored *stored)
{
    const struct gw_redis_cache_inspection *inspection = stored->inspection;
    bool knows = knows_store(stored) && inspection->is_there;
    if (stored->has_store && !knows_store(stored))
        return "Redis did not answer, and nothing in this process' memory is of use.";
    if (knows && inspection->base == GW_FRAME_TOMBSTONE)
        return "it was purged, or changed by an unsafe method, and nothing has been stored since.";
    if (stored->memory_cache_hit_for_miss || (knows && inspection->is_hit_for_miss))
        return "its last answer was not for sharing, so for now no request waits for another's (hit-for-miss).";
    if (knows && (inspection->base == GW_FRAME_FOREIGN || inspection->base == GW_FRAME_CORRUPT))
        return "what lies in Redis is none of this gateway's responses.";
    if (stored->memory_cache_count || (knows && inspection->entry))
        return "what is stored is not for this request; see \"why\".";
    return knows && inspection->base == GW_FRAME_INDEX ? "other variants are stored, none for this request."
                                                       : "nothing is stored.";
}

static void put_verdict(struct gw_json *json, const struct gw_stored *stored)
{
    char note[NOTE_BYTES];
    struct gw_buffer text = gw_buffer_over(note, sizeof note);
    const char *refusal = request_refusal(stored);
    const struct best best = find_best(stored);
    bool is_unanswered = stored->request->only_if_cached && stored->request->is_candidate && !stored->bypass;
    const char *asked = is_unanswered ? "Answered 504 (only-if-cached)" : "The backend is asked";
    if (refusal && is_unanswered)
        gw_buffer_print(&text, "%s: the cache is not asked: %s.", asked, refusal);
    else if (refusal)
        gw_buffer_print(&text, "The backend is asked, and the cache is not: %s.", refusal);
    else if (best.entry)
        say_found(stored, &best, &text);
    else
        gw_buffer_print(&text, "%s: %s", asked, why_missed(stored));
    if (!refusal && !best.entry && knows_refusal(stored))
        gw_buffer_print(&text, " The last answer, %llu s ago, was not stored: %s.",
                        (unsigned long long)stored->last_ago_s,
                        gw_not_stored_sentence((enum gw_not_stored_label)stored->last_refusal));
    gw_json_put_slice(json, json->root, "verdict", gw_buffer_slice(&text));
}

int gw_stored_put(const struct gw_stored *stored, struct gw_buffer *page)
{
    struct gw_json json;
    gw_json_init(&json);
    put_verdict(&json, stored);
    gw_json_put_slice(&json, json.root, "url", stored->order->text);
    gw_json_put_slice(&json, json.root, "route", stored->route);
    put_key(&json, stored);
    if (stored->query.at)
        gw_json_put_slice(&json, json.root, "query", stored->query);
    else
        gw_json_put_null(&json, json.root, "query");
    put_request(&json, stored);
    put_memory_cache(&json, stored);
    put_last(&json, stored);
    put_store(&json, stored);
    return gw_json_finish_indented(&json, 200, page);
}
