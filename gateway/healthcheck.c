#include "healthcheck.h"
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

/* Below the three seconds that Docker and Kubernetes usually give. */
enum { CONNECT_MS = 1000, ANSWER_MS = 2500, SHOWN_BYTES = 512 };

static void print_url(const struct gw_config *config, char *url, size_t size)
{
    const struct gw_listen *listen = config->admin_listen ? config->admin_listen : &config->listens[0];
    struct gw_slice host = listen->host;
    if (gw_slice_equal(host, GW_SLICE("0.0.0.0")))
        host = GW_SLICE("127.0.0.1");
    else if (gw_slice_equal(host, GW_SLICE("::")))
        host = GW_SLICE("::1");
    bool is_ipv6 = memchr(host.at, ':', host.length) != NULL;
    snprintf(url, size, is_ipv6 ? "http://[%.*s]:%u/gateway/health" : "http://%.*s:%u/gateway/health",
             GW_SLICE_ARGS(host), listen->port);
}

struct answer {
    char text[SHOWN_BYTES];
    size_t length;
};

/* The beginning of the body, on one line; the rest is read and dropped. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct answer *answer = context;
    for (size_t i = 0; i < size * count && answer->length < SHOWN_BYTES - 1; i++)
        answer->text[answer->length++] = (char)(bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : ' ');
    return size * count;
}

static CURLcode ask(CURL *curl, const char *url, struct answer *answer, char *reason, long *status)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    return result;
}

int gw_healthcheck_run(const struct gw_config *config)
{
    char url[128], reason[CURL_ERROR_SIZE] = "";
    struct answer answer = { .length = 0 };
    long status = 0;
    CURL *curl = curl_easy_init();
    print_url(config, url, sizeof url);
    CURLcode result = curl ? ask(curl, url, &answer, reason, &status) : CURLE_OUT_OF_MEMORY;
    curl_easy_cleanup(curl);
    if (result == CURLE_OK && status == 200)
        return 0;
    answer.text[answer.length] = '\0';
    if (result != CURLE_OK)
        fprintf(stderr, "visara-gateway: %s: %s\n", url, *reason ? reason : curl_easy_strerror(result));
    else
        fprintf(stderr, "visara-gateway: %s answered %ld: %s\n", url, status, answer.text);
    return 1;
}
