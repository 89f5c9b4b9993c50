/* The policy against its plain model in policy_model.h. Heads are drawn from words that matter; a difference prints its
 * seed and heads. */
#include "unit/cache/heads.h"
#include "unit/cache/policy_model.h"
#include "cache/vary.h"

enum { CASES = 30000, REUSES = 8 };
#define FIRST_SEED UINT64_C(1)

/* ---- drawing ---- */

static uint64_t state_of_draw;

static unsigned draw(size_t below)
{
    state_of_draw ^= state_of_draw << 13;
    state_of_draw ^= state_of_draw >> 7;
    state_of_draw ^= state_of_draw << 17;
    return (unsigned)((state_of_draw >> 11) % below);
}
#define PICK(array) (array)[draw(GW_COUNT(array))]

static char *add(struct message *message, const char *name)
{
    assert_true(message->count < LINES);
    message->lines[message->count].name = name;
    message->lines[message->count].value[0] = '\0';
    return message->lines[message->count++].value;
}

static void add_text(struct message *message, const char *name, const char *text)
{
    snprintf(add(message, name), sizeof message->lines->value, "%s", text);
}

static const char *const numbers[] = { "0",    "1",          "5",    "60",    "100",
                                       "100",  "3600",       "3600", "00060", "-1",
                                       "x",    "2147483649", "1.5",  "",      "\"60\"",
                                       "\"60", " 60",        "6 0",  "60s",   "99999999999999999999999" };
static const char *const timed[] = {
    "max-age",        "max-age", "MAX-age", "s-maxage", "stale-while-revalidate", "stale-while-revalidate",
    "stale-if-error", "max-age "
};
static const char *const response_words[] = {
    "s-maxage=60, s-maxage=5",
    "max-age=60, max-age=5",
    "public",
    "public",
    "no-cache",
    "no-store",
    "private",
    "must-revalidate",
    "must-revalidate",
    "Proxy-Revalidate",
    "must-understand",
    "must-understand, no-store",
    "immutable",
    "no-transform",
    "no-cache=\"x-a\"",
    "private=Set-Cookie",
    "no-cache=\"etag, Last-Modified\"",
    "private=\"a b\"",
    "private=\"expires\"",
    "no-cache=\"\"",
    "public=1",
    "no-store=0",
    "x=\"no-store, public\"",
    "foo",
    "x=\"a\\\"",
    "",
    "no-cache=\"set-cookie\"",
    "private; max-age=0",
    "no-store no-cache",
    "public max-age=60",
    "foo bar",
    "'no-store'",
    "private\xa0",
};
static const char *const request_timed[] = { "max-age", "min-fresh", "max-stale", "max-stale", "Max-Stale" };
static const char *const request_words[] = { "no-cache",     "no-store",   "max-stale",      "only-if-cached",
                                             "no-transform", "no-cache=x", "x=\"no-store\"", "private",
                                             "no-cache;",    "no-store x", "max-age:0" };
static const char *const targeted[] = {
    "max-age=60",
    "max-age=0",
    "public",
    "max-age=3600, public",
    "no-store",
    "private",
    "private=\"a\"",
    "no-cache",
    "s-maxage=60",
    "must-revalidate",
    "max-age=x",
    "max-age=60.0",
    "max-age=-5",
    "max-age=\"60\"",
    "max-age=60;a=1",
    "no-store=?0",
    "no-cache=?0",
    "private=?0",
    "public=?0",
    "public=1",
    "no-cache=?1",
    "max-age=60,",
    "Max-Age=60",
    "",
    "a=(1 2);b, c=:YQ==:",
    "stale-while-revalidate=100",
    "stale-if-error=100",
    "must-understand, no-store",
    "max-age=0, max-age=100",
    "a=\"b",
    "no-store;",
    "public; max-age=60, Private",
};
static const int statuses[] = { 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 203, 204, 206, 299, 301,
                                302, 304, 308, 404, 404, 410, 418, 429, 431, 500, 501, 503, 511, 599, 199, 600 };
static const long long offsets[] = { -100000000, -1000000, -36000, -3600, -601, -60, -5, 0, 0, 1, 60, 3600, 100000 };
static const char *const no_dates[] = { "0",
                                        "-1",
                                        "",
                                        "soon",
                                        "Sun, 32 Nov 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 08:49:37 EST",
                                        "Sun, 6 Nov 1994 08:49:37 GMT" };

static void add_directives(struct message *message, bool is_request)
{
    for (unsigned lines = draw(10) < 8 ? 1 + draw(8) / 7 : 0; lines > 0; lines--) {
        char *to = add(message, draw(4) ? "Cache-Control" : "cache-control");
        for (unsigned count = draw(5); count > 0; count--) {
            const char *comma = !*to ? "" : draw(3) ? ", " : draw(2) ? "," : "\t ,, ";
            to += sprintf(to, "%s", comma);
            if (draw(2))
                to += sprintf(to, "%s=%s", is_request ? PICK(request_timed) : PICK(timed),
                              draw(3) ? numbers[draw(8)] : PICK(numbers));
            else
                to += sprintf(to, "%s", is_request ? PICK(request_words) : PICK(response_words));
        }
        struct line *line = &message->lines[message->count - 1];
        struct gw_slice trimmed = gw_slice_trim(gw_slice_of_string(line->value)); /* as the parser gives it */
        memmove(line->value, trimmed.at, trimmed.length);
        line->value[trimmed.length] = '\0';
    }
}

static void add_date(struct message *message, const char *name)
{
    time_t at = (time_t)(NOW_S + PICK(offsets));
    struct tm tm;
    char *to = add(message, name);
    if (draw(8) == 0)
        strcpy(to, PICK(no_dates));
    else
        put_time(to, sizeof message->lines->value, draw(2) ? 0 : draw(DATE_FORMS), gmtime_r(&at, &tm));
    for (char *c = to; draw(10) == 0 && *c; c++)
        *c = (char)tolower(*c);
}

static void draw_request(struct message *request)
{
    static const char *const accepts[] = { "a/b", "c/d" };
    memset(request, 0, sizeof *request);
    request->method = draw(12) ? "GET" : draw(2) ? "HEAD" : "POST";
    if (draw(3) == 0)
        add_directives(request, true);
    if (draw(12) == 0)
        add_text(request, "Pragma", draw(3) ? "No-Cache" : "x");
    if (draw(8) == 0)
        add_text(request, "Authorization", "Basic eA==");
    if (draw(6) == 0)
        add_text(request, draw(2) ? "Cookie" : "X-Api-Key", "a=b");
    if (draw(3) == 0)
        add_text(request, "Accept", PICK(accepts));
    if (draw(20) == 0)
        add_text(request, draw(2) ? "Range" : "If-Match", "bytes=0-1");
}

static void draw_response(struct message *response)
{
    static const char *const ages[] = { "0",  "5",   "59",   "60", "3600", "99",         "x",
                                        "-5", "1.5", "7, 9", "",   ", 5",  "99999999999" };
    static const char *const tags[] = { "\"a\"", "W/\"b\"", "\"\"", "a", "w/\"a\"", "*" };
    static const char *const varies[] = { "Accept", "Accept", "accept", "*", "Accept, *", "Via", "" };
    static const char *const dates[] = { "Date", "Date", "Expires", "Expires", "Last-Modified", "Last-Modified" };
    memset(response, 0, sizeof *response);
    response->status = PICK(statuses);
    add_directives(response, false);
    for (size_t i = 0; i < GW_COUNT(dates); i++)
        if (draw(i % 2 ? 16 : 3) == 0)
            add_date(response, dates[i]);
    for (unsigned count = draw(3) ? 0 : 1 + draw(6) / 5; count > 0; count--)
        add_text(response, "Age", PICK(ages));
    for (unsigned count = draw(3) ? 0 : 1 + draw(10) / 9; count > 0; count--)
        add_text(response, "ETag", PICK(tags));
    for (unsigned count = draw(3) ? 0 : 1 + draw(3); count > 0; count--)
        add_text(response, draw(3) ? "CDN-Cache-Control" : "x-cache-control", PICK(targeted));
    if (draw(4) == 0)
        add_text(response, "Vary", PICK(varies));
    if (draw(10) == 0)
        add_text(response, "Set-Cookie", "a=b");
    if (draw(10) == 0)
        add_text(response, "Pragma", draw(3) ? "no-cache" : "x");
}

static struct gw_cache_rules draw_rules(void)
{
    static const struct gw_slice names[] = { { "x-api-key", 9 } };
    static struct gw_names credential_names;
    static struct gw_field_set credentials;
    gw_names_init(&credential_names, names, 1);
    gw_field_set_init(&credentials, &credential_names);
    static const struct gw_slice fields[] = { { "X-Cache-Control", 15 }, { "cdn-cache-control", 17 } };
    static const int overrides[] = { -1, -1, -1, -1, 0, 10, 100 };
    return (struct gw_cache_rules) { .default_ttl_s = draw(3) ? 300 : 0,
                                     .override_ttl_s = PICK(overrides),
                                     .heuristic_max_s = draw(3)   ? 86400
                                                        : draw(2) ? 50
                                                                  : 0,
                                     .stale_if_error_s = draw(3) ? 0 : 50,
                                     .keep_s = draw(3) ? 60 : 0,
                                     .with_credentials = draw(5) == 0,
                                     .may_share_set_cookie = draw(3) == 0,
                                     .credentials = &credentials,
                                     .targeted_fields = fields,
                                     .targeted_field_count = draw(3) };
}

/* ---- both ---- */

static struct gw_head head_of(struct gw_arena *arena, const struct message *message)
{
    struct gw_head head;
    gw_head_init(&head);
    head.status = message->status;
    head.method_text = gw_slice_of_string(message->method);
    head.method = gw_method_of(head.method_text);
    for (unsigned i = 0; i < message->count; i++)
        assert_true(gw_head_add(&head, arena, gw_slice_of_string(message->lines[i].name),
                                gw_slice_of_string(message->lines[i].value)));
    return head;
}

static void print(const char *title, const struct message *message)
{
    print_error("%s %s %d\n", title, message->method ? message->method : "", message->status);
    for (unsigned i = 0; i < message->count; i++)
        print_error("    %s: %s\n", message->lines[i].name, message->lines[i].value);
}

struct scene {
    uint64_t seed;
    struct gw_cache_rules rules;
    struct message first, response;
    struct stored model;
    struct gw_cache_life life;
    struct gw_head selection;
};

static void fail_scene(const struct scene *scene, const struct message *second, const char *what, long long ours,
                       long long models)
{
    const struct gw_cache_rules *rules = &scene->rules;
    print_error("seed %llu: %s is %lld, by the model %lld\n", (unsigned long long)scene->seed, what, ours, models);
    print_error("rules: default %lld, override %lld, guess %lld, error %lld, keep %lld, credentials %d, cookies %d, "
                "targeted %u\n",
                (long long)rules->default_ttl_s, (long long)rules->override_ttl_s, (long long)rules->heuristic_max_s,
                (long long)rules->stale_if_error_s, (long long)rules->keep_s, rules->with_credentials,
                rules->may_share_set_cookie, rules->targeted_field_count);
    print("stored for", &scene->first);
    print("response", &scene->response);
    if (second)
        print("asked by", second);
    fail();
}

#define COMPARE(what, ours, models)                                                                                    \
    do {                                                                                                               \
        if ((long long)(ours) != (long long)(models))                                                                  \
            fail_scene(scene, second, what, (long long)(ours), (long long)(models));                                   \
    } while (0)

static void compare_stored(const struct scene *scene)
{
    const struct gw_cache_terms *terms = &scene->life.terms;
    const struct stored *model = &scene->model;
    const struct message *second = NULL;
    COMPARE("age", scene->life.age_s, model->age);
    COMPARE("freshness", scene->life.freshness_s, model->freshness);
    COMPARE("for_authorization", terms->for_authorization, model->for_authorization);
    COMPARE("is_explicit", terms->is_explicit, model->is_explicit);
    COMPARE("must_validate", terms->must_validate, model->must_validate);
    COMPARE("no_stale", terms->no_stale, model->no_stale);
    COMPARE("has_validator", terms->has_validator, model->has_validator);
    COMPARE("keeps_set_cookie", terms->keeps_set_cookie, model->keeps_set_cookie);
    COMPARE("stale_while_revalidate", terms->stale_while_revalidate_s, model->while_revalidate);
    COMPARE("stale_if_error", terms->stale_if_error_s, model->if_error);
    COMPARE("window", terms->window_s, model->window);
}

/* Ages near the bounds. */
static long long draw_age(const struct stored *stored)
{
    const long long bounds[] = { stored->age,
                                 stored->freshness,
                                 stored->freshness + stored->while_revalidate,
                                 stored->freshness + stored->if_error,
                                 stored->freshness + stored->window,
                                 stored->freshness + 5 };
    long long age = PICK(bounds) + (long long)draw(5) - 2 + (draw(4) ? 0 : (long long)draw(200));
    return age < stored->age ? stored->age : age;
}

static enum gw_reuse compare_reuse(const struct scene *scene, struct gw_arena *arena, unsigned *answers_on_error)
{
    struct gw_cache_request request;
    struct message drawn, *second = &drawn;
    draw_request(second);
    struct gw_head head = head_of(arena, second);
    long long age = draw_age(&scene->model);
    gw_policy_read_request(&request, &head, &scene->rules);
    enum gw_reuse reuse = gw_policy_reuse(&request, &head, &scene->life.terms, &scene->selection, age,
                                          scene->life.freshness_s);
    COMPARE("reuse", reuse, model_reuse(second, &scene->first, &scene->response, &scene->model, &scene->rules, age));
    if (reuse == GW_REUSE_VALIDATED) {
        bool answers = gw_policy_may_answer_on_error(&request, &scene->life.terms, age, scene->life.freshness_s);
        COMPARE("may answer on error", answers, model_on_error(second, &scene->model, age));
        *answers_on_error += answers;
    }
    return reuse;
}

/* The refusals that the policy alone decides and that the drawn messages can have. */
static const enum gw_cache_refusal refusals[] = {
    GW_CACHE_STORABLE, GW_CACHE_REQUEST_FORBIDS, GW_CACHE_STATUS,   GW_CACHE_NO_FRESHNESS, GW_CACHE_NO_STORE,
    GW_CACHE_PRIVATE,  GW_CACHE_AUTHORIZATION,   GW_CACHE_VARY_ANY, GW_CACHE_VARY_OWN,     GW_CACHE_SET_COOKIE,
    GW_CACHE_STALE,    GW_CACHE_CREDENTIAL,      GW_CACHE_PARTIAL,  GW_CACHE_UNPARSABLE,
};

static void the_policy_is_that_of_a_plain_model(void **state)
{
    unsigned refused[GW_CACHE_REFUSAL_COUNT] = { 0 }, reused[GW_REUSE_FRESH + 1] = { 0 }, answers_on_error = 0;
    (void)state;
    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + CASES; seed++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        struct scene drawn = { .seed = seed }, *scene = &drawn;
        const struct message *second = NULL;
        state_of_draw = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
        draw(2);
        drawn.rules = draw_rules();
        draw_request(&drawn.first);
        draw_response(&drawn.response);
        long long request_at = NOW_S - (draw(3) ? 0 : (long long)draw(10));
        gw_arena_init(&arena, 16384, 1 << 20);
        struct gw_head asked = head_of(&arena, &drawn.first), response = head_of(&arena, &drawn.response);
        gw_policy_read_request(&request, &asked, &drawn.rules);
        enum gw_cache_refusal refusal = gw_policy_may_store(&request, &asked, &response, &drawn.rules, request_at,
                                                            NOW_S, &drawn.life);
        drawn.model = model_store(&drawn.first, &drawn.response, &drawn.rules, request_at);
        COMPARE("stored", refusal == GW_CACHE_STORABLE, drawn.model.is_stored);
        refused[refusal]++;
        if (refusal == GW_CACHE_STORABLE) {
            compare_stored(scene);
            assert_true(gw_vary_select(&drawn.selection, &arena, &asked, &response));
            for (unsigned i = 0; i < REUSES; i++)
                reused[compare_reuse(scene, &arena, &answers_on_error)]++;
        }
        gw_arena_free(&arena);
    }
    for (size_t i = 0; i < GW_COUNT(refusals); i++)
        assert_true(refused[refusals[i]] > CASES / 500);
    for (unsigned i = 0; i < GW_COUNT(reused); i++)
        assert_true(reused[i] > CASES / 200);
    assert_true(answers_on_error > CASES / 100);
}

static int compile(void **state)
{
    (void)state;
    return compile_grammar() ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    free_grammar();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_policy_is_that_of_a_plain_model),
    };
    return cmocka_run_group_tests(tests, compile, release);
}
