#include "inspect.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buffer.h"
#include "config/file.h"

enum { ANSWER_BYTES = 16 * 1024 * 1024, URL_BYTES = 256 * 1024, CONNECT_S = 5, ANSWER_S = 30, HEADERS = 32 };

static const char usage_text[] =
    "Usage: visara-gateway cache inspect URL [--header 'Name: value']...\n"
    "       visara-gateway cache purge (--url URL | --prefix PREFIX | --tag TAG | --all) [--soft]\n"
    "\n"
    "Asks a running gateway what it has stored for a URL and whether it would be used; or ends what is stored, on all\n"
    "instances (--soft: it is stale from now on). URL and PREFIX are http://host/path as clients name the host, or, "
    "for\n"
    "a purge, /path for every host.\n"
    "\n"
    "    --gateway ADDRESS    where it listens for /gateway/ (default http://127.0.0.1:GATEWAY_PORT, or 8080)\n"
    "    --token TOKEN        its admin.token (default GATEWAY_ADMIN_TOKEN, which other users cannot see, or what the\n"
    "                         file GATEWAY_ADMIN_TOKEN_FILE holds)\n";

struct order {
    bool is_purge, is_soft;
    const char *name, *value; /* the parameter: url, prefix, tag, all */
    const char *headers[HEADERS];
    unsigned header_count;
    const char *gateway, *token;
};

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "visara-gateway: %s%s%s\nTry visara-gateway cache --help.\n", what, about ? ": " : "",
            about ? about : "");
    return 2;
}

/* ---- arguments ---- */

/* Reads "--flag value" or "--flag=value" at *at, which moves behind it. NULL: another flag; "" with *at at the end: no
 * value. */
static const char *flag_value(const char *flag, int count, char *const *arguments, int *at)
{
    const char *argument = arguments[*at];
    size_t length = strlen(flag);
    if (strncmp(argument, flag, length) != 0 || (argument[length] && argument[length] != '='))
        return NULL;
    ++*at;
    if (argument[length] == '=')
        return argument + length + 1;
    return *at < count ? arguments[(*at)++] : "";
}

static int set_parameter(struct order *order, const char *name, const char *value)
{
    if (order->name)
        return complain(order->is_purge ? "expected one of --url, --prefix, --tag and --all" : "expected one URL",
                        value);
    order->name = name;
    order->value = value;
    return 0;
}

static int read_flag(struct order *order, int count, char *const *arguments, int *at)
{
    static const char *const parameters[] = { "--url", "--prefix", "--tag" };
    const char *argument = arguments[*at], *value;
    for (unsigned i = 0; order->is_purge && i < GW_COUNT(parameters); i++)
        if ((value = flag_value(parameters[i], count, arguments, at)))
            return *value ? set_parameter(order, parameters[i] + 2, value) : complain("expected a value", argument);
    if (order->is_purge && strcmp(argument, "--soft") == 0) {
        order->is_soft = true;
    } else if (order->is_purge && strcmp(argument, "--all") == 0) {
        ++*at;
        return set_parameter(order, "all", "1");
    } else if ((value = flag_value("--gateway", count, arguments, at))) {
        order->gateway = value;
        return *value ? 0 : complain("expected a value", argument);
    } else if ((value = flag_value("--token", count, arguments, at))) {
        order->token = value;
        return *value ? 0 : complain("expected a value", argument);
    } else if (!order->is_purge && (value = flag_value("--header", count, arguments, at))) {
        if (!*value || order->header_count == HEADERS)
            return complain(*value ? "expected 32 headers at most" : "expected a value", argument);
        order->headers[order->header_count++] = value;
        return 0;
    } else if (!order->is_purge && argument[0] != '-') {
        ++*at;
        return set_parameter(order, "url", argument);
    } else {
        return complain("unknown argument", argument);
    }
    ++*at;
    return 0;
}

/* NULL where there is none, or the file cannot be read, which is told. */
static const char *token_of_environment(void)
{
    static char secret[GW_FILE_SECRET_BYTES];
    const char *token = getenv("GATEWAY_ADMIN_TOKEN"), *path = getenv("GATEWAY_ADMIN_TOKEN_FILE");
    struct gw_complaint complaint = { .place = "" };
    if ((token && *token) || !path || !*path)
        return token;
    if (gw_file_read_secret(path, "environment GATEWAY_ADMIN_TOKEN_FILE", secret, &complaint))
        return secret;
    char line[sizeof complaint + 64];
    gw_complaint_print(&complaint, line, sizeof line);
    fprintf(stderr, "visara-gateway: %s\n", line);
    return NULL;
}

static int read_order(struct order *order, int count, char *const *arguments)
{
    *order = (struct order) { .is_purge = count > 0 && strcmp(arguments[0], "purge") == 0 };
    if (count == 0 || (!order->is_purge && strcmp(arguments[0], "inspect") != 0))
        return complain("expected inspect or purge", count ? arguments[0] : NULL);
    for (int at = 1; at < count;) {
        int result = read_flag(order, count, arguments, &at);
        if (result)
            return result;
    }
    if (!order->name)
        return complain(order->is_purge ? "expected one of --url, --prefix, --tag and --all" : "expected a URL", NULL);
    if (order->gateway && strncmp(order->gateway, "http://", 7) != 0 && strncmp(order->gateway, "https://", 8) != 0)
        return complain("--gateway: expected http://host:port", order->gateway);
    if (!order->token)
        order->token = token_of_environment();
    if (!order->token || !*order->token)
        return complain("expected a token, by --token, GATEWAY_ADMIN_TOKEN or GATEWAY_ADMIN_TOKEN_FILE", NULL);
    return 0;
}

/* ---- the request ---- */

/* Without --gateway; GATEWAY_PORT may be what Kubernetes sets for a service of that name: then it is no number. */
static void put_default_gateway(struct gw_buffer *url)
{
    const char *port = getenv("GATEWAY_PORT");
    bool is_number = port && *port && strspn(port, "0123456789") == strlen(port);
    gw_buffer_print(url, "http://127.0.0.1:%s", is_number ? port : "8080");
}

static void put_parameter(CURL *curl, struct gw_buffer *url, const char *name, const char *value, char before)
{
    char *escaped = curl_easy_escape(curl, value, 0);
    if (!escaped)
        url->overflowed = true;
    else
        gw_buffer_print(url, "%c%s=%s", before, name, escaped);
    curl_free(escaped);
}

static void put_url(CURL *curl, const struct order *order, struct gw_buffer *url)
{
    if (order->gateway)
        gw_buffer_put_string(url, order->gateway);
    else
        put_default_gateway(url);
    while (url->length && url->at[url->length - 1] == '/')
        url->length--;
    gw_buffer_put_string(url, order->is_purge ? "/gateway/cache/purge" : "/gateway/cache/inspect");
    put_parameter(curl, url, order->name, order->value, '?');
    if (order->is_soft)
        gw_buffer_put_literal(url, "&soft=1");
    for (unsigned i = 0; i < order->header_count; i++)
        put_parameter(curl, url, "header", order->headers[i], '&');
    gw_buffer_put_char(url, '\0');
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct gw_buffer *answer = context;
    gw_buffer_put(answer, bytes, size * count);
    return answer->overflowed ? 0 : size * count;
}

/* Redirects are not followed and no proxy is asked: the token is the gateway's alone. */
static CURLcode ask(CURL *curl, const struct order *order, const char *url, struct gw_buffer *answer, long *status)
{
    char authorization[1024];
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %.900s", order->token);
    struct curl_slist *fields = curl_slist_append(NULL, authorization);
    if (!fields)
        return CURLE_OUT_OF_MEMORY;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    if (order->is_purge)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(fields);
    return result;
}

static const char *hint(long status)
{
    return status == 401   ? "\nThe token is not the gateway's admin.token."
           : status == 404 ? "\nThe gateway has no admin.token, or serves /gateway/ elsewhere (admin.listen); see "
                             "--gateway."
                           : "";
}

static int tell(const char *url, CURLcode result, long status, struct gw_buffer *answer)
{
    int shown = (int)strcspn(url, "?"), length = (int)answer->length;
    if (result != CURLE_OK) {
        fprintf(stderr, "visara-gateway: %.*s: %s\n", shown, url,
                answer->overflowed ? "the answer is too long" : curl_easy_strerror(result));
        return 1;
    }
    if (status < 200 || status > 299) {
        fprintf(stderr, "visara-gateway: %.*s answered %ld: %.*s%s\n", shown, url, status, length,
                answer->at ? answer->at : "", hint(status));
        return 1;
    }
    bool is_whole = fwrite(answer->at, 1, answer->length, stdout) == answer->length && fflush(stdout) == 0;
    return is_whole ? 0 : 1;
}

int gw_inspect_run(int count, char *const *arguments)
{
    struct order order;
    struct gw_buffer url = gw_buffer_create(URL_BYTES), answer = gw_buffer_create(ANSWER_BYTES);
    long status = 0;
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(usage_text, stdout);
            return 0;
        }
    }
    int result = read_order(&order, count, arguments);
    if (result)
        return result;
    CURL *curl = curl_easy_init();
    if (curl)
        put_url(curl, &order, &url);
    if (curl && !url.overflowed) {
        CURLcode code = ask(curl, &order, url.at, &answer, &status);
        result = tell(url.at, code, status, &answer);
    } else {
        result = complain("the URL is too long, or memory is out", NULL);
    }
    curl_easy_cleanup(curl);
    gw_buffer_destroy(&url);
    gw_buffer_destroy(&answer);
    return result;
}
