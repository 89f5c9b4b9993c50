#include "inspect.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buffer.h"
#include "command_request.h"
#include "config/file.h"

enum { ANSWER_BYTES = 16 * 1024 * 1024, URL_BYTES = 256 * 1024, CONNECT_MS = 5000, ANSWER_MS = 30000, HEADERS = 32 };

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

static const char *hint(long status)
{
    return status == 401   ? "\nThe token is not the gateway's admin.token."
           : status == 404 ? "\nThe gateway has no admin.token, or serves /gateway/ elsewhere (admin.listen); see "
                             "--gateway."
                           : "";
}

static int tell(const char *url, long status, const char *reason, const struct gw_buffer *body)
{
    int shown = (int)strcspn(url, "?"), length = (int)body->length;
    if (!status) {
        fprintf(stderr, "visara-gateway: %.*s: %s\n", shown, url, reason);
        return 1;
    }
    if (status < 200 || status > 299) {
        fprintf(stderr, "visara-gateway: %.*s answered %ld: %.*s%s\n", shown, url, status, length,
                body->at ? body->at : "", hint(status));
        return 1;
    }
    bool is_whole = fwrite(body->at, 1, body->length, stdout) == body->length && fflush(stdout) == 0;
    return is_whole ? 0 : 1;
}

static int ask(const struct order *order, const char *url)
{
    char reason[GW_COMMAND_REASON_BYTES];
    const struct gw_command_request request = {
        .url = url, .token = order->token, .is_post = order->is_purge, .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS
    };
    struct gw_buffer body = gw_buffer_create(ANSWER_BYTES);
    long status = gw_command_request_send(&request, &body, reason);
    int result = tell(url, status, reason, &body);
    gw_buffer_destroy(&body);
    return result;
}

int gw_inspect_run(int count, char *const *arguments)
{
    struct order order;
    struct gw_buffer url = gw_buffer_create(URL_BYTES);
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(usage_text, stdout);
            return 0;
        }
    }
    int result = read_order(&order, count, arguments);
    if (result)
        return result;
    CURL *curl = curl_easy_init(); /* for its escaping */
    if (curl)
        put_url(curl, &order, &url);
    result = curl && !url.overflowed ? ask(&order, url.at) : complain("the URL is too long, or memory is out", NULL);
    curl_easy_cleanup(curl);
    gw_buffer_destroy(&url);
    return result;
}
