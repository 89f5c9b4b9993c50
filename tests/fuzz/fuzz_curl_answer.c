/* Any bytes as the header lines that libcurl hands over, each up to its line feed: a head that is told is valid, within
 * its bounds, and has one length at most. The first byte chooses method and bounds. */
#include "http/parser.h"
#include "upstream/curl_transfer.h"
#include "fuzz/fuzz_input.h"

static void check(struct gw_head *head, const struct gw_call *call)
{
    const struct gw_field *length = gw_head_find(head, GW_FIELD_CONTENT_LENGTH);
    demand(head->status >= 100 && head->status <= 999 && head->status != 101);
    demand(head->count <= call->config->max_response_headers && head->reason.length <= 256);
    demand(!length || !gw_head_find_next(head, length));
    demand(!length || !gw_head_find(head, GW_FIELD_TRANSFER_ENCODING));
    demand(!head->is_forgiven || !head->keep_alive);
    enum gw_framing framing = head->framing;
    demand(gw_guard_head(head, true, call->method) == GW_ERROR_NONE && head->framing == framing);
}

static void take_lines(struct gw_curl_transfer *transfer, struct gw_slice text)
{
    while (text.length) {
        const char *end = memchr(text.at, '\n', text.length);
        size_t length = end ? (size_t)(end + 1 - text.at) : text.length;
        char *line = malloc(length); /* a read beyond the end is found */
        demand(line != NULL);
        memcpy(line, text.at, length);
        text = gw_slice_of(text.at + length, text.length - length);
        enum gw_curl_answer answer = gw_curl_answer_line(transfer, gw_slice_of(line, length));
        free(line);
        if (answer == GW_CURL_ANSWER_FAILED)
            return;
        if (answer == GW_CURL_ANSWER_INTERIM)
            check(&transfer->interim, transfer->call);
        if (answer == GW_CURL_ANSWER_HEAD)
            check(transfer->head, transfer->call);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    bool is_small = data[0] & 1;
    struct gw_config config = { .max_response_header_bytes = is_small ? 128 : 4096,
                                .max_response_headers = is_small ? 4 : 64 };
    struct gw_arena arena;
    struct gw_call call = { .config = &config,
                            .method = data[0] & 2 ? GW_METHOD_HEAD : GW_METHOD_GET,
                            .expects_continue = data[0] & 4,
                            .arena = &arena };
    struct gw_curl_transfer transfer = { .call = &call };
    gw_arena_init(&arena, 1024, 64 * 1024);
    gw_arena_init(&transfer.interim_arena, 256, 4 * config.max_response_header_bytes);
    take_lines(&transfer, gw_slice_of((const char *)data + 1, size - 1));
    gw_arena_free(&transfer.interim_arena);
    gw_arena_free(&arena);
    return 0;
}
