#include "healthcheck.h"

#include <stdio.h>
#include <string.h>
#include "command_request.h"

/* Below the three seconds that Docker and Kubernetes usually give. */
enum { CONNECT_MS = 1000, ANSWER_MS = 2500, SHOWN_BYTES = 512, ANSWER_BYTES = 4 * 1024 * 1024 };

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

/* The beginning of the body, on one line. */
static void print_answer(const char *url, long status, const struct gw_buffer *body)
{
    char shown[SHOWN_BYTES];
    size_t length = body->length < sizeof shown ? body->length : sizeof shown - 1;
    for (size_t i = 0; i < length; i++)
        shown[i] = (char)(body->at[i] >= ' ' && body->at[i] <= '~' ? body->at[i] : ' ');
    fprintf(stderr, "visara-gateway: %s answered %ld: %.*s\n", url, status, (int)length, shown);
}

int gw_healthcheck_run(const struct gw_config *config)
{
    char url[128], reason[GW_COMMAND_REASON_BYTES];
    const struct gw_command_request request = { .url = url, .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS };
    struct gw_buffer body = gw_buffer_create(ANSWER_BYTES);
    print_url(config, url, sizeof url);
    long status = gw_command_request_send(&request, &body, reason);
    if (!status)
        fprintf(stderr, "visara-gateway: %s: %s\n", url, reason);
    else if (status != 200)
        print_answer(url, status, &body);
    gw_buffer_destroy(&body);
    return status == 200 ? 0 : 1;
}
