/* policy_model.h: the policy once more, for test_policy_model.c. Written from RFC 9111, 5861 and 9213 and the rules of
 * cache/policy.h, on strings. It shares no code with the policy that it checks, and is slow on purpose. */
#ifndef GW_TESTS_UNIT_CACHE_POLICY_MODEL_H
#define GW_TESTS_UNIT_CACHE_POLICY_MODEL_H

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "cache/policy.h"

enum { LINES = 24, SAID = 48 };
#define NOW_S  INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */
#define MOST_S (1LL << 31)
#define ABSENT (-1LL)

/* ---- messages as text ---- */

struct line {
    const char *name;
    char value[256];
};

struct message {
    const char *method;
    int status;
    struct line lines[LINES];
    unsigned count;
};

static const char *find(const struct message *message, const char *name, unsigned nth)
{
    for (unsigned i = 0; i < message->count; i++)
        if (strcasecmp(message->lines[i].name, name) == 0 && nth-- == 0)
            return message->lines[i].value;
    return NULL;
}

static bool has(const struct message *message, const char *name)
{
    return find(message, name, 0) != NULL;
}

/* The field of this name if there is exactly one, or NULL. */
static const char *find_only(const struct message *message, const char *name)
{
    return find(message, name, 1) ? NULL : find(message, name, 0);
}

/* ---- the model: what is said ---- */

/* RFC 9111 §5.2: one directive. */
struct said {
    char name[64], value[128];
    bool has_value, is_odd; /* white space around "=", or a quoted string that has too little or too much */
};

struct list {
    struct said said[SAID];
    unsigned count;
    bool is_present, is_open;
    bool is_unclear;    /* a member is no directive: its words count if they forbid, and permit nothing */
    bool is_structured; /* of a targeted field: the last of a name counts, and values are typed */
};

static regex_t one_directive;

/* Each word in it counts, as if its value were nonsense. */
static void add_words(struct list *list, const char *from, const char *to)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    list->is_unclear = true;
    while (from < to) {
        size_t length = strspn(from, letters);
        length = length < (size_t)(to - from) ? length : (size_t)(to - from);
        if (length > 0) {
            struct said *said = &list->said[list->count++];
            *said = (struct said) { .has_value = true, .is_odd = true };
            snprintf(said->name, sizeof said->name, "%.*s", (int)length, from);
        }
        from += length + (length == 0);
    }
}

static void add_member(struct list *list, const char *from, const char *to)
{
    char whole[256];
    snprintf(whole, sizeof whole, "%.*s", (int)(to - from), from);
    if (from != to && regexec(&one_directive, whole, 0, NULL, 0) != 0) {
        add_words(list, from, to);
        return;
    }
    struct said *said = &list->said[list->count];
    const char *equals = memchr(from, '=', (size_t)(to - from));
    memset(said, 0, sizeof *said);
    if (from == to)
        return;
    snprintf(said->name, sizeof said->name, "%.*s", (int)((equals ? equals : to) - from), from);
    if (equals) {
        said->has_value = true;
        snprintf(said->value, sizeof said->value, "%.*s", (int)(to - equals - 1), equals + 1);
        size_t length = strlen(said->value), name = strlen(said->name);
        said->is_odd = isspace(said->value[0]) || (name && isspace(said->name[name - 1]));
        while (name && isspace(said->name[name - 1]))
            said->name[--name] = '\0';
        if (said->value[0] == '"') {
            said->is_odd |= length < 2 || strchr(said->value + 1, '"') != said->value + length - 1;
            memmove(said->value, said->value + 1, length);
            if (!said->is_odd)
                said->value[length - 2] = '\0';
        }
    }
    list->count++;
}

static void add_line(struct list *list, const char *text)
{
    list->is_present = true;
    while (*text) {
        const char *end = text;
        bool is_quoted = false;
        for (; *end && (is_quoted || *end != ','); end++) {
            if (is_quoted && *end == '\\' && end[1])
                end++;
            else if (*end == '"')
                is_quoted = !is_quoted;
        }
        const char *from = text, *to = end;
        while (from < to && isspace(*from))
            from++;
        while (to > from && isspace(to[-1]))
            to--;
        add_member(list, from, to);
        list->is_open |= is_quoted;
        text = *end ? end + 1 : end;
    }
}

static void read_list(struct list *list, const struct message *message)
{
    const char *text;
    memset(list, 0, sizeof *list);
    for (unsigned i = 0; (text = find(message, "Cache-Control", i)) != NULL; i++)
        add_line(list, text);
}

/* RFC 8941 as one expression. */
#define KEY    "[a-z*][a-z0-9_.*-]*"
#define STRING "\"([] !#-[^-~]|\\\\[\"\\])*\""
#define BARE                                                                                                           \
    "(" STRING                                                                                                         \
    "|-?[0-9]{1,15}|-?[0-9]{1,12}[.][0-9]{1,3}|[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*|[?][01]|:[A-Za-z0-9+/=]*:)"
#define NOTES  "(; *" KEY "(=" BARE ")?)*"
#define INNER  "[(] *(" BARE NOTES "( +" BARE NOTES ")*)? *[)]"
#define MEMBER "(" KEY ")(=(" BARE "|" INNER "))?" NOTES

static regex_t dictionary, member;

static bool compile_grammar(void)
{
    return regcomp(&dictionary, "^ *" MEMBER "([ \t]*,[ \t]*" MEMBER ")*[ \t]*$", REG_EXTENDED) == 0 &&
           regcomp(&member, "^" MEMBER, REG_EXTENDED) == 0 &&
           regcomp(&one_directive, "^[A-Za-z0-9_.-]+(=([A-Za-z0-9!#$%&'*+.^_`|~-]+|\"([^\"\\]|\\\\.)*\"))?$",
                   REG_EXTENDED) == 0;
}

static void free_grammar(void)
{
    regfree(&dictionary);
    regfree(&member);
    regfree(&one_directive);
}

/* What a field would forbid that is no dictionary (RFC 9213 §2.1). */
static void read_no_dictionary(struct list *list, const struct message *message, const char *name)
{
    static const char *const forbid[] = { "no-store", "no-cache", "private", "must-revalidate", "proxy-revalidate" };
    struct list words = { .count = 0 };
    const char *line;
    for (unsigned i = 0; (line = find(message, name, i)) != NULL; i++)
        if (*line)
            add_words(&words, line, line + strlen(line));
    for (unsigned i = 0; i < words.count; i++)
        for (size_t k = 0; k < GW_COUNT(forbid); k++)
            if (strcasecmp(words.said[i].name, forbid[k]) == 0) {
                list->said[list->count] = words.said[i];
                snprintf(list->said[list->count++].name, sizeof words.said->name, "%s", forbid[k]);
            }
    list->is_unclear |= words.is_unclear;
}

static bool read_dictionary(struct list *list, const struct message *message, const char *name)
{
    char text[512] = "";
    const char *line, *at = text;
    regmatch_t parts[4];
    memset(list, 0, sizeof *list);
    for (unsigned i = 0; (line = find(message, name, i)) != NULL; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? ", " : "", line);
    if (regexec(&dictionary, text, 0, NULL, 0) != 0)
        return false;
    list->is_present = list->is_structured = true;
    while (regexec(&member, at += strspn(at, ", \t"), 4, parts, 0) == 0) {
        struct said *said = &list->said[list->count++];
        snprintf(said->name, sizeof said->name, "%.*s", (int)parts[1].rm_eo, at);
        said->has_value = parts[3].rm_so >= 0;
        if (said->has_value)
            snprintf(said->value, sizeof said->value, "%.*s", (int)(parts[3].rm_eo - parts[3].rm_so),
                     at + parts[3].rm_so);
        if (said->has_value && strcmp(said->value, "?1") == 0)
            said->has_value = false;
        at += parts[0].rm_eo;
    }
    return true;
}

static const struct said *find_said(const struct list *list, const char *name, unsigned nth)
{
    if (list->is_structured) {
        for (unsigned i = list->count; nth == 0 && i-- > 0;)
            if (strcmp(list->said[i].name, name) == 0)
                return strcmp(list->said[i].value, "?0") ? &list->said[i] : NULL;
        return NULL;
    }
    for (unsigned i = 0; i < list->count; i++)
        if (strcasecmp(list->said[i].name, name) == 0 && nth-- == 0)
            return &list->said[i];
    return NULL;
}

static bool forbids(const struct list *list, const char *name)
{
    return find_said(list, name, 0) != NULL;
}

/* A directive that permits something has no value. */
static bool permits(const struct list *list, const char *name)
{
    const struct said *said;
    for (unsigned i = 0; !list->is_unclear && (said = find_said(list, name, i)) != NULL; i++)
        if (!said->has_value)
            return true;
    return false;
}

static bool to_seconds(const char *text, long long *seconds)
{
    if (!*text || strspn(text, "0123456789") != strlen(text))
        return false;
    while (*text == '0' && text[1])
        text++;
    *seconds = strlen(text) > 10 || atoll(text) > MOST_S ? MOST_S : atoll(text);
    return true;
}

/* RFC 9111 §4.2.1: the strictest value if several differ, or if one is no number; *is_odd is set for these. */
static long long seconds_of(const struct list *list, const char *name, bool is_request, bool most_is_strict,
                            bool *is_odd)
{
    long long least = MOST_S, most = ABSENT, last = ABSENT;
    bool is_bad = false;
    for (unsigned i = 0; i < list->count; i++) {
        const struct said *said = &list->said[i];
        if ((list->is_structured ? strcmp : strcasecmp)(said->name, name) != 0)
            continue;
        if (said->is_odd || !to_seconds(said->value, &last)) {
            is_bad = true;
            last = 0;
        }
        least = last < least ? last : least;
        most = last > most ? last : most;
    }
    if (most == ABSENT)
        return ABSENT;
    *is_odd |= is_bad || (least != most && !list->is_structured);
    if (list->is_structured)
        return last;
    if (is_bad)
        return most_is_strict ? MOST_S : 0;
    if (!is_request && least != most)
        return 0;
    return most_is_strict ? most : least;
}

/* The forms of RFC 9110 §5.6.7, and one that is drawn but is no date: with UTC for GMT (RFC 9111 §4.2). */
enum { DATE_FORMS = 4 };

static size_t put_rfc850(char *to, size_t room, const struct tm *tm)
{
    char day[32], time[32];
    strftime(day, sizeof day, "%A, %d-%b", tm);
    strftime(time, sizeof time, "%H:%M:%S", tm);
    return (size_t)snprintf(to, room, "%s-%02d %s GMT", day, tm->tm_year % 100, time);
}

static size_t put_time(char *to, size_t room, unsigned form, const struct tm *tm)
{
    switch (form) {
    case 0:
        return strftime(to, room, "%a, %d %b %Y %H:%M:%S GMT", tm);
    case 1:
        return strftime(to, room, "%a, %d %b %Y %H:%M:%S UTC", tm);
    case 2:
        return put_rfc850(to, room, tm);
    default:
        return strftime(to, room, "%a %b %e %H:%M:%S %Y", tm);
    }
}

static bool to_time(const char *text, long long *at)
{
    static const char *const forms[DATE_FORMS] = { "%a, %d %b %Y %H:%M:%S GMT", NULL, "%A, %d-%b-%y %H:%M:%S GMT",
                                                   "%a %b %e %H:%M:%S %Y" };
    for (unsigned i = 0; text && i < DATE_FORMS; i++) {
        struct tm tm = { 0 };
        char again[64];
        const char *end = forms[i] ? strptime(text, forms[i], &tm) : NULL;
        if (!end || *end || put_time(again, sizeof again, i, &tm) == 0 || strcasecmp(again, text) != 0)
            continue;
        *at = timegm(&tm);
        return true;
    }
    return false;
}

/* ---- the model: what a response allows (names as in gw_cache_terms) ---- */

struct stored {
    bool is_stored;
    long long age, freshness;
    bool for_authorization, is_explicit, must_validate, no_stale, has_validator, keeps_set_cookie;
    long long while_revalidate, if_error, window;
};

struct asked {
    bool is_get, is_candidate, no_store, no_cache, has_range, has_authorization, has_credential;
    long long max_age, min_fresh, max_stale;
};

static struct asked ask(const struct message *request)
{
    struct list list;
    bool is_odd = false;
    struct asked asked = { .is_get = strcmp(request->method, "GET") == 0 };
    read_list(&list, request);
    asked.is_candidate = (asked.is_get || strcmp(request->method, "HEAD") == 0) && !has(request, "If-Match");
    asked.no_store = forbids(&list, "no-store") || list.is_open;
    asked.max_age = seconds_of(&list, "max-age", true, false, &is_odd);
    asked.min_fresh = seconds_of(&list, "min-fresh", true, true, &is_odd);
    for (unsigned i = 0; i < list.count; i++) /* without a value means any: MOST_S, unless another one says less */
        if (strcasecmp(list.said[i].name, "max-stale") == 0 && !list.said[i].has_value)
            snprintf(list.said[i].value, sizeof list.said[i].value, "%lld", MOST_S);
    asked.max_stale = seconds_of(&list, "max-stale", true, false, &is_odd);
    const char *pragma = find(request, "Pragma", 0);
    asked.no_cache = forbids(&list, "no-cache") || asked.max_age == 0 ||
                     (!list.is_present && pragma && strcasecmp(pragma, "no-cache") == 0);
    asked.has_range = asked.is_get && has(request, "Range");
    asked.has_authorization = has(request, "Authorization");
    asked.has_credential = asked.has_authorization || has(request, "Cookie") || has(request, "X-Api-Key");
    return asked;
}

static bool is_in(int status, const int *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (statuses[i] == status)
            return true;
    return false;
}
#define IS_IN(status, statuses) is_in(status, statuses, GW_COUNT(statuses))

static const int by_default[] = { 200, 203, 300, 301, 308, 410 };
static const int by_guess[] = { 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501 };
static const int never[] = { 206, 304, 407, 428, 429, 431, 511 };
static const int not_understood[] = { 299, 418, 599 };

static const char *const cached_by[] = { "cache-control", "expires", "pragma" };

/* The names of no-cache=… and private=…; false if that is not a list of names that may be left out. */
static bool is_list_of_names(const struct said *said, const char *name, bool *is_named)
{
    char copy[128], *rest = copy, *one;
    unsigned count = 0;
    snprintf(copy, sizeof copy, "%s", said->value);
    if (said->is_odd || !said->has_value)
        return false;
    while ((one = strsep(&rest, ",")) != NULL) {
        while (isspace(*one))
            one++;
        while (*one && isspace(one[strlen(one) - 1]))
            one[strlen(one) - 1] = '\0';
        if (!*one)
            continue;
        if (strpbrk(one, " \t\"()/:;<=>?@[\\]{}"))
            return false;
        for (size_t i = 0; i < GW_COUNT(cached_by); i++)
            if (strcasecmp(one, cached_by[i]) == 0)
                return false;
        *is_named |= strcasecmp(one, name) == 0;
        count++;
    }
    return count > 0;
}

/* Is the whole response meant by this directive? */
static bool is_whole(const struct list *list, const char *directive)
{
    const struct said *said;
    bool ignored = false;
    if (list->is_structured)
        return forbids(list, directive);
    for (unsigned i = 0; (said = find_said(list, directive, i)) != NULL; i++)
        if (!is_list_of_names(said, "", &ignored))
            return true;
    return false;
}

/* By Cache-Control, whatever a targeted field says. */
static bool is_left_out(const struct message *response, const char *name)
{
    struct list list;
    const struct said *said;
    read_list(&list, response);
    for (unsigned i = 0; i < list.count; i++) {
        bool is_named = false;
        said = &list.said[i];
        if ((strcasecmp(said->name, "no-cache") == 0 || strcasecmp(said->name, "private") == 0) &&
            is_list_of_names(said, name, &is_named) && is_named)
            return true;
    }
    return false;
}

/* RFC 9111 §4.2.3 */
static long long model_age(const struct message *response, long long request_at, long long response_at)
{
    char first[64] = "";
    const char *line;
    long long age = 0;
    for (unsigned i = 0; !*first && (line = find(response, "Age", i)) != NULL; i++) {
        line += strspn(line, ", ");
        snprintf(first, sizeof first, "%.*s", (int)strcspn(line, ","), line);
    }
    if (!to_seconds(first, &age))
        age = 0;
    age += response_at - request_at;
    return age > MOST_S ? MOST_S : age;
}

struct response {
    const struct message *message;
    const struct gw_cache_rules *rules;
    struct list list;
    bool is_odd, is_public;
    long long max_age, s_maxage, while_revalidate, if_error;
    long long modified, date;
    bool has_modified, is_date_odd;
};

static void read_response(struct response *response, const struct message *message, const struct gw_cache_rules *rules)
{
    bool is_targeted = false;
    memset(response, 0, sizeof *response);
    response->message = message;
    response->rules = rules;
    unsigned tried = 0;
    for (; tried < rules->targeted_field_count && !is_targeted; tried++)
        is_targeted = read_dictionary(&response->list, message, rules->targeted_fields[tried].at);
    if (!is_targeted)
        read_list(&response->list, message);
    for (unsigned i = 0; i < tried - is_targeted; i++)
        read_no_dictionary(&response->list, message, rules->targeted_fields[i].at);
    response->is_odd = response->list.is_unclear;
    response->max_age = seconds_of(&response->list, "max-age", false, false, &response->is_odd);
    response->s_maxage = seconds_of(&response->list, "s-maxage", false, false, &response->is_odd);
    response->while_revalidate = seconds_of(&response->list, "stale-while-revalidate", false, false, &response->is_odd);
    response->if_error = seconds_of(&response->list, "stale-if-error", false, false, &response->is_odd);
    response->is_public = permits(&response->list, "public");
    response->has_modified = to_time(find_only(message, "Last-Modified"), &response->modified);
    response->date = NOW_S;
    response->is_date_odd = has(message, "Date") && !to_time(find_only(message, "Date"), &response->date);
}

static long long stated_freshness(const struct response *response)
{
    long long expires;
    if (response->s_maxage != ABSENT)
        return response->s_maxage;
    if (response->max_age != ABSENT)
        return response->max_age;
    if (!to_time(find_only(response->message, "Expires"), &expires) || response->is_date_odd)
        return 0;
    long long from = response->date > NOW_S ? response->date : NOW_S;
    return expires > from ? expires - from : 0;
}

static long long guessed_freshness(const struct response *response)
{
    long long guess = ((response->date < NOW_S ? response->date : NOW_S) - response->modified) / 10;
    if (response->is_date_odd || guess < 0)
        return 0;
    return guess < response->rules->heuristic_max_s ? guess : response->rules->heuristic_max_s;
}

static bool is_validator(const struct message *response, const char *tag)
{
    if (!tag || is_left_out(response, "ETag"))
        return false;
    if (strncmp(tag, "W/", 2) == 0)
        tag += 2;
    return *tag && strcmp(tag, "*") != 0;
}

/* The lifetime in a field for other caches, which the policy does not obey: a heuristic may not be longer. */
static long long foreign_freshness(const struct response *response)
{
    struct list list = { .count = 0 };
    bool is_odd = false;
    for (unsigned i = 0; i < response->rules->targeted_field_count; i++)
        if (strcasecmp(response->rules->targeted_fields[i].at, "CDN-Cache-Control") == 0)
            return MOST_S;
    if (!read_dictionary(&list, response->message, "CDN-Cache-Control")) {
        memset(&list, 0, sizeof list);
        read_no_dictionary(&list, response->message, "CDN-Cache-Control");
    }
    if (forbids(&list, "no-store") || forbids(&list, "private") || forbids(&list, "no-cache"))
        return 0;
    long long redis_cache = seconds_of(&list, "s-maxage", false, false, &is_odd);
    long long all = seconds_of(&list, "max-age", false, false, &is_odd);
    redis_cache = redis_cache == ABSENT ? MOST_S : redis_cache;
    return all != ABSENT && all < redis_cache ? all : redis_cache;
}

/* RFC 9111 §3, but for freshness. */
static bool is_storable(const struct response *response, const struct asked *asked, bool is_explicit, bool is_guessed,
                        bool shares_cookie)
{
    const struct list *list = &response->list;
    const char *vary = find(response->message, "Vary", 0);
    int status = response->message->status;
    bool is_for_known = permits(list, "must-understand");
    if (!asked->is_candidate || !asked->is_get || asked->no_store || asked->has_range)
        return false;
    if (list->is_open || (forbids(list, "no-store") && !is_for_known) || is_whole(list, "private"))
        return false;
    if (has(response->message, "Set-Cookie") && !shares_cookie &&
        (list->is_structured || !is_left_out(response->message, "Set-Cookie")))
        return false;
    if (vary && (strchr(vary, '*') || strcasecmp(vary, "Via") == 0))
        return false;
    if (status < 200 || status > 599 || IS_IN(status, never) || (is_for_known && IS_IN(status, not_understood)))
        return false;
    if (asked->has_authorization && !response->is_public && (list->is_unclear || !forbids(list, "must-revalidate")) &&
        (response->s_maxage == ABSENT || response->is_odd))
        return false;
    if (is_explicit)
        return true;
    if (list->is_unclear)
        return false;
    if (asked->has_credential && !response->rules->with_credentials)
        return false;
    if (foreign_freshness(response) == 0)
        return false;
    if (is_guessed)
        return response->is_public || IS_IN(status, by_guess);
    return response->is_public ? IS_IN(status, by_guess) : IS_IN(status, by_default);
}

static struct stored model_store(const struct message *request, const struct message *message,
                                 const struct gw_cache_rules *rules, long long request_at)
{
    struct response response;
    struct stored stored = { 0 };
    struct asked asked = ask(request);
    read_response(&response, message, rules);
    const struct list *list = &response.list;
    const char *pragma = find(message, "Pragma", 0);
    bool is_explicit = response.s_maxage != ABSENT || response.max_age != ABSENT ||
                       (has(message, "Expires") && !list->is_structured);
    bool is_guessed = !is_explicit && response.has_modified && rules->heuristic_max_s > 0;
    stored.keeps_set_cookie = rules->may_share_set_cookie &&
                              (response.is_public || (response.s_maxage != ABSENT && !response.is_odd));
    if (!is_storable(&response, &asked, is_explicit, is_guessed, stored.keeps_set_cookie))
        return stored;
    stored.age = model_age(message, request_at, NOW_S);
    stored.freshness = rules->override_ttl_s >= 0 ? stored.age + rules->override_ttl_s
                       : is_explicit              ? stated_freshness(&response)
                       : is_guessed               ? guessed_freshness(&response)
                                                  : rules->default_ttl_s;
    if (rules->override_ttl_s < 0 && !is_explicit && foreign_freshness(&response) < stored.freshness)
        stored.freshness = foreign_freshness(&response);
    stored.for_authorization = response.is_public || (forbids(list, "must-revalidate") && !list->is_unclear) ||
                               (response.s_maxage != ABSENT && !response.is_odd);
    stored.is_explicit = is_explicit;
    stored.must_validate = is_whole(list, "no-cache") ||
                           (!is_explicit && !list->is_structured && pragma && strcasecmp(pragma, "no-cache") == 0);
    stored.no_stale = stored.must_validate || forbids(list, "must-revalidate") || forbids(list, "proxy-revalidate") ||
                      response.s_maxage != ABSENT;
    stored.has_validator = is_validator(message, find_only(message, "ETag")) ||
                           (response.has_modified && !is_left_out(message, "Last-Modified"));
    stored.while_revalidate = stored.no_stale || response.while_revalidate < 0 ? 0 : response.while_revalidate;
    stored.if_error = stored.no_stale                               ? 0
                      : response.if_error > rules->stale_if_error_s ? response.if_error
                                                                    : rules->stale_if_error_s;
    stored.window = stored.while_revalidate > stored.if_error ? stored.while_revalidate : stored.if_error;
    long long overdue = stored.age > stored.freshness ? stored.age - stored.freshness : 0;
    if (stored.has_validator && rules->keep_s && rules->keep_s + overdue > stored.window)
        stored.window = rules->keep_s + overdue;
    bool is_fresh = stored.age < stored.freshness;
    bool is_validated = stored.has_validator && (is_fresh || rules->keep_s > 0);
    bool is_served = !stored.must_validate &&
                     (is_fresh || overdue < stored.while_revalidate || overdue < stored.if_error);
    stored.is_stored = is_validated || is_served;
    return stored;
}

/* ---- the model: what a request gets of it ---- */

static enum gw_reuse model_reuse(const struct message *request, const struct message *first,
                                 const struct message *response, const struct stored *stored,
                                 const struct gw_cache_rules *rules, long long age)
{
    struct asked asked = ask(request);
    const char *vary = find(response, "Vary", 0), *then = find(first, "Accept", 0), *now = find(request, "Accept", 0);
    bool is_stale = age >= stored->freshness;
    if (!asked.is_candidate || asked.no_store || (asked.has_authorization && !stored->for_authorization) ||
        (asked.has_credential && !stored->is_explicit && !rules->with_credentials))
        return GW_REUSE_NO;
    if (vary && strcasecmp(vary, "Accept") == 0 && (then && now ? strcmp(then, now) != 0 : then != now))
        return GW_REUSE_NO;
    if (asked.no_cache || stored->must_validate)
        return GW_REUSE_VALIDATED;
    if ((asked.max_age >= 0 && age > asked.max_age) ||
        (asked.min_fresh >= 0 && age + asked.min_fresh > stored->freshness))
        return GW_REUSE_VALIDATED;
    if (!is_stale)
        return GW_REUSE_FRESH;
    if (stored->no_stale)
        return GW_REUSE_VALIDATED;
    if (asked.max_stale > 0 && age <= stored->freshness + asked.max_stale)
        return GW_REUSE_STALE;
    if (asked.max_age == ABSENT && asked.min_fresh == ABSENT && asked.max_stale == ABSENT &&
        age < stored->freshness + stored->while_revalidate)
        return GW_REUSE_REVALIDATING;
    return GW_REUSE_VALIDATED;
}

static bool model_on_error(const struct message *request, const struct stored *stored, long long age)
{
    struct asked asked = ask(request);
    return !asked.no_cache && !stored->must_validate && !stored->no_stale && age < stored->freshness + stored->if_error;
}

#endif
