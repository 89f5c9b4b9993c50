#include "command_request.h"

#include <curl/curl.h>
#include <stdio.h>

_Static_assert((int)GW_COMMAND_REASON_BYTES >= (int)CURL_ERROR_SIZE, "libcurl writes so much");

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct gw_buffer *body = context;
    gw_buffer_put(body, bytes, size * count);
    return body->overflowed ? 0 : size * count;
}

static CURLcode perform(CURL *curl, const struct gw_command_request *request, struct gw_buffer *body, char *reason)
{
    char authorization[1024];
    struct curl_slist *fields = NULL;
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %.900s", request->token ? request->token : "");
    if (request->token && !(fields = curl_slist_append(NULL, authorization)))
        return CURLE_OUT_OF_MEMORY;
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->answer_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    if (request->is_post)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    CURLcode result = curl_easy_perform(curl);
    curl_slist_free_all(fields);
    return result;
}

long gw_command_request_send(const struct gw_command_request *request, struct gw_buffer *body,
                             char reason[GW_COMMAND_REASON_BYTES])
{
    long status = 0;
    CURL *curl = curl_easy_init();
    reason[0] = '\0';
    CURLcode result = curl ? perform(curl, request, body, reason) : CURLE_OUT_OF_MEMORY;
    if (result == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    else if (body->overflowed)
        snprintf(reason, GW_COMMAND_REASON_BYTES, "the answer is too long");
    else if (!*reason)
        snprintf(reason, GW_COMMAND_REASON_BYTES, "%s", curl_easy_strerror(result));
    curl_easy_cleanup(curl);
    return status;
}
