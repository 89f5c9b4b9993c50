/* Any bytes as Redis' answers, in any pieces: every reply is within its bounds, and so is memory. */
#include "fuzz/fuzz_input.h"
#include "store/reply.h"

enum { TEXT_BYTES = 1024 };

static void check(const struct gw_reply *reply)
{
    demand(reply->integer_count <= GW_REPLY_INTEGERS && reply->text_length <= TEXT_BYTES &&
           reply->text_capacity <= TEXT_BYTES && reply->text_length <= reply->text_capacity);
    demand(reply->kind != GW_REPLY_NONE);
    if (reply->kind == GW_REPLY_INTEGER)
        demand(reply->integer_count == 1);
    if (reply->kind == GW_REPLY_ERROR) {
        enum gw_breaker_reason reason;
        (void)gw_reply_fault(gw_reply_text(reply), &reason);
    }
}

static bool read_all(redisReader *reader, const struct gw_reply *reply)
{
    void *answer = NULL;
    while (redisReaderGetReply(reader, &answer) == REDIS_OK) {
        if (!answer)
            return true;
        demand(answer == reply);
        check(reply);
        reader->fn->freeObject(answer);
    }
    return false; /* the connection ends */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { .at = data, .left = size };
    struct gw_reply reply;
    redisReader *reader = redisReaderCreate();
    if (!reader)
        return 0;
    gw_reply_init(&reply, TEXT_BYTES);
    gw_reply_attach(&reply, reader);
    size_t step = 1 + (size_t)fuzz_number(&input, 1);
    while (input.left && input.piece_count < FUZZ_PIECES) {
        struct gw_slice piece = fuzz_take(&input, input.piece_count + 1 == FUZZ_PIECES ? input.left : step);
        if (redisReaderFeed(reader, piece.at, piece.length) != REDIS_OK || !read_all(reader, &reply))
            break;
    }
    redisReaderFree(reader);
    gw_reply_free(&reply);
    fuzz_end(&input);
    return 0;
}
