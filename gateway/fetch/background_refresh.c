#include "fetch/background_refresh.h"

#include "base/check.h"

enum { KEPT_FREE = 64, FIRST_ARENA_BYTES = 4096, ARENA_SLACK_BYTES = 16 * 1024, REFRESH_MAGIC = 0x52465253 /* RFRS */ };

struct gw_background_refresh {
    struct gw_magic magic;
    struct gw_fetcher *fetcher;
    struct gw_list link; /* while it is under way */
    struct gw_arena arena;
    struct gw_lookup lookup;
    struct gw_fetch_request request; /* its slices and its head lie in the arena */
    struct gw_head head;
};

/* ---- its life ---- */

static void background_refresh_destroy(void *object)
{
    struct gw_background_refresh *refresh = object;
    gw_arena_free(&refresh->arena);
}

void gw_background_refresh_init(struct gw_fetcher *fetcher)
{
    gw_free_list_init(&fetcher->free_refreshes, sizeof(struct gw_background_refresh), KEPT_FREE,
                      background_refresh_destroy);
    gw_list_init(&fetcher->refreshes);
}

static void background_refresh_on_answer(void *owner, enum gw_lookup_answer answer);

static struct gw_background_refresh *background_refresh_take(struct gw_fetcher *fetcher, const struct gw_config *config)
{
    bool is_new;
    struct gw_background_refresh *refresh = gw_free_list_take(&fetcher->free_refreshes, &is_new);
    if (!refresh)
        return NULL;
    if (is_new) {
        refresh->fetcher = fetcher;
        const struct gw_lookup_ask ask = { .lookups = fetcher->lookups,
                                           .key = &refresh->request.key,
                                           .request = &refresh->request.cache,
                                           .head = &refresh->head,
                                           .on_answer = background_refresh_on_answer,
                                           .owner = refresh };
        gw_lookup_init(&refresh->lookup, &ask);
        gw_arena_init(&refresh->arena, FIRST_ARENA_BYTES, 4 * config->max_header_bytes + ARENA_SLACK_BYTES);
    }
    refresh->magic = GW_MAGIC(REFRESH_MAGIC);
    gw_list_push_back(&fetcher->refreshes, &refresh->link);
    return refresh;
}

static void background_refresh_end(struct gw_background_refresh *refresh)
{
    gw_lookup_cancel(&refresh->lookup);
    gw_arena_reset(&refresh->arena);
    refresh->magic = GW_NO_MAGIC;
    gw_list_remove(&refresh->link);
    gw_free_list_give(&refresh->fetcher->free_refreshes, refresh);
}

void gw_background_refresh_cancel_all(struct gw_fetcher *fetcher)
{
    while (!gw_list_is_empty(&fetcher->refreshes))
        background_refresh_end(GW_CONTAINER(fetcher->refreshes.next, struct gw_background_refresh, link));
}

/* ---- asking ---- */

/* False: memory is out. */
static bool background_refresh_copy_text(struct gw_background_refresh *refresh, struct gw_slice *text)
{
    if (!text->at)
        return true;
    char *at = gw_arena_take(&refresh->arena, text->length + 1);
    if (!at)
        return false;
    memcpy(at, text->at, text->length);
    text->at = at;
    return true;
}

static bool background_refresh_copy(struct gw_background_refresh *refresh, const struct gw_fetch_request *request)
{
    struct gw_fetch_request *copy = &refresh->request;
    *copy = *request;
    copy->head = &refresh->head;
    return background_refresh_copy_text(refresh, &copy->method_text) &&
           background_refresh_copy_text(refresh, &copy->path) && background_refresh_copy_text(refresh, &copy->query) &&
           background_refresh_copy_text(refresh, &copy->scheme) && background_refresh_copy_text(refresh, &copy->host) &&
           background_refresh_copy_text(refresh, &copy->fields) &&
           gw_head_copy(&refresh->head, request->head, &refresh->arena);
}

static void background_refresh_conclude(struct gw_background_refresh *refresh, enum gw_lookup_answer answer)
{
    struct gw_lookup *lookup = &refresh->lookup;
    if (answer == GW_LOOKUP_VALIDATE || answer == GW_LOOKUP_LEAD) {
        refresh->request.lead = lookup->lead;
        if (gw_fetch_begin(refresh->fetcher, &refresh->request, NULL) == GW_ERROR_NONE)
            gw_lookup_has_begun(lookup);
    }
    background_refresh_end(refresh);
}

static void background_refresh_on_answer(void *owner, enum gw_lookup_answer answer)
{
    background_refresh_conclude(GW_FROM_CONTEXT(owner, struct gw_background_refresh, REFRESH_MAGIC), answer);
}

enum gw_error gw_background_refresh_begin(struct gw_fetcher *fetcher, const struct gw_fetch_request *request)
{
    if (!gw_lookup_refresh_asks(fetcher->lookups))
        return gw_fetch_begin(fetcher, request, NULL);
    struct gw_background_refresh *refresh = background_refresh_take(fetcher, request->config);
    if (!refresh)
        return GW_ERROR_OVERLOADED;
    if (!background_refresh_copy(refresh, request)) {
        background_refresh_end(refresh);
        return GW_ERROR_OVERLOADED;
    }
    struct gw_lead lead = refresh->request.lead;
    if (lead.stored)
        gw_entry_ref(lead.stored);
    enum gw_lookup_answer answer = gw_lookup_refresh(&refresh->lookup, &lead);
    if (refresh->lookup.state == GW_LOOKUP_DECIDED)
        background_refresh_conclude(refresh, answer);
    return GW_ERROR_NONE;
}
