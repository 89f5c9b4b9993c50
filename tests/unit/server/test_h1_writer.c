#include "unit/cache/heads.h"

#include "server/h1_writer.h"

/* A message in, bytes out: each row is a response as an exchange tells it, and all that its client reads. */

enum { MOST_PIECES = 16 };

struct client {
    struct gw_h1_sink sink;
    struct gw_h1_writer writer;
    struct gw_buffer scratch;
    struct gw_arena arena;
    struct gw_head head; /* of the message that the writer was told */
    struct gw_downstream_head message;
    struct gw_block *block; /* what bodies lie in */
    char text[8192];        /* all that was written */
    size_t length;
    unsigned writes, pieces;
    const char *kept[MOST_PIECES]; /* where the last write's pieces lay */
    bool is_slow;
};

static bool take(struct gw_h1_sink *sink, const struct gw_piece *pieces, unsigned count)
{
    struct client *client = GW_CONTAINER(sink, struct client, sink);
    client->writes++;
    client->pieces = count;
    assert_in_range(count, 1, MOST_PIECES);
    for (unsigned i = 0; i < count; i++) {
        assert_in_range(pieces[i].bytes.length, 1, sizeof client->text - client->length - 1);
        memcpy(client->text + client->length, pieces[i].bytes.at, pieces[i].bytes.length);
        client->length += pieces[i].bytes.length;
        client->kept[i] = pieces[i].bytes.at;
    }
    client->text[client->length] = 0;
    return !client->is_slow;
}

static void begin(struct client *client, size_t head_bytes)
{
    *client = (struct client) { .sink.write = take, .scratch = gw_buffer_create(head_bytes) };
    open_arena(&client->arena);
    client->block = gw_block_create(1024);
    assert_non_null(client->block);
    memset(client->block->bytes, 'b', 1024);
    gw_h1_writer_begin(&client->writer, &client->sink, &client->scratch);
    client->writer.keep_alive = true;
}

/* No piece is kept by the writer: the block is the test's alone. */
static void end(struct client *client)
{
    assert_int_equal(atomic_load(&client->block->refs), 1);
    gw_block_unref(client->block);
    gw_buffer_destroy(&client->scratch);
    gw_arena_free(&client->arena);
}

static bool body(struct client *client, size_t length)
{
    return gw_h1_writer_body(&client->writer.downstream, gw_slice_of(client->block->bytes, length), client->block);
}

static const bool no_etag[GW_FIELD_COUNT] = { [GW_FIELD_ETAG] = true };
static const bool no_type[GW_FIELD_COUNT] = { [GW_FIELD_CONTENT_TYPE] = true };

struct message {
    int status;
    const char *fields; /* of the backend's head; NULL: it has none */
    int head_status;
    const char *reason;
    const bool *left_out, *left_out_too;
    const char *stored_text, *added;
    uint64_t length; /* or: */
    bool is_unknown, is_bodiless;
};

/* Each row's body is two pieces of 3 bytes. */
static const struct row {
    const char *what;
    struct message message;
    unsigned version_minor;
    bool closes; /* the connection's own word */
    const char *bytes;
    bool keeps, shows;
} rows[] = {
    { "a response with a length",
      { 200, "ETag: x\nContent-Length: 9", 200, "Fine", NULL, NULL, NULL, "X: 1\r\n", .length = 6 },
      1,
      false,
      "HTTP/1.1 200 Fine\r\nETag: x\r\nContent-Length: 6\r\nX: 1\r\n\r\nbbbbbb",
      true,
      true },
    { "its reason is kept where it is empty",
      { 200, "", 200, "", NULL, NULL, NULL, "", .length = 6 },
      1,
      false,
      "HTTP/1.1 200 \r\nContent-Length: 6\r\n\r\nbbbbbb",
      true,
      true },
    { "a status of ours has its own reason",
      { 206, "ETag: x", 200, "Fine", NULL, NULL, NULL, "", .length = 6 },
      1,
      false,
      "HTTP/1.1 206 Partial Content\r\nETag: x\r\nContent-Length: 6\r\n\r\nbbbbbb",
      true,
      true },
    { "an answer made here",
      { 429, NULL, 0, NULL, NULL, NULL, NULL, "Retry-After: 1\r\n", .length = 6 },
      1,
      false,
      "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 6\r\nRetry-After: 1\r\n\r\nbbbbbb",
      true,
      true },
    { "a challenge",
      { 401, NULL, 0, NULL, NULL, NULL, NULL, "WWW-Authenticate: Bearer\r\n", .length = 6 },
      1,
      true,
      "HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\nConnection: close\r\nWWW-Authenticate: Bearer\r\n\r\nbbbbbb",
      false,
      true },
    { "fields are left out, of two sets",
      { 200, "ETag: x\nContent-Type: t\nA: 1", 200, "OK", no_etag, no_type, NULL, "", .length = 6 },
      1,
      false,
      "HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 6\r\n\r\nbbbbbb",
      true,
      true },
    { "fields are left out, of the second set alone",
      { 200, "ETag: x\nContent-Type: t\nContent-Length: 7", 200, "OK", NULL, no_type, NULL, "", .length = 6 },
      1,
      false,
      "HTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 6\r\n\r\nbbbbbb",
      true,
      true },
    { "a stored text is copied as it is",
      { 200, "ETag: x", 200, "OK", NULL, NULL, "HTTP/1.1 200 Stored\r\nB: 2\r\n", "X: 1\r\n", .length = 6 },
      1,
      false,
      "HTTP/1.1 200 Stored\r\nB: 2\r\nContent-Length: 6\r\nX: 1\r\n\r\nbbbbbb",
      true,
      true },
    { "a stored text for a client of 1.0",
      { 200, "ETag: x", 200, "OK", NULL, NULL, "HTTP/1.1 200 Stored\r\nB: 2\r\n", "", .length = 6 },
      0,
      false,
      "HTTP/1.1 200 Stored\r\nB: 2\r\nContent-Length: 6\r\nConnection: keep-alive\r\n\r\nbbbbbb",
      true,
      true },
    { "a body of unknown length is chunked",
      { 200, "A: 1", 200, "OK", NULL, NULL, NULL, "", .is_unknown = true },
      1,
      false,
      "HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbbb\r\n3\r\nbbb\r\n0\r\n\r\n",
      true,
      true },
    { "a chunked body on a connection that ends",
      { 200, "", 200, "OK", NULL, NULL, NULL, "", .is_unknown = true },
      1,
      true,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nbbb\r\n3\r\nbbb\r\n0\r\n\r\n",
      false,
      true },
    { "for a client of 1.0 it lasts until the connection ends (RFC 9112 §6.3)",
      { 200, "", 200, "OK", NULL, NULL, NULL, "", .is_unknown = true },
      0,
      false,
      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbbbbbb",
      false,
      false },
    { "a client of 1.0 whose connection ends",
      { 200, "", 200, "OK", NULL, NULL, NULL, "", .length = 6 },
      0,
      true,
      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbbbbbb",
      false,
      true },
    { "HEAD: the length of what is not sent (RFC 9110 §9.3.2)",
      { 200, "ETag: x", 200, "OK", NULL, NULL, NULL, "", .length = 6, .is_bodiless = true },
      1,
      false,
      "HTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 6\r\n\r\n",
      true,
      false },
    { "HEAD without a length",
      { 200, "ETag: x", 200, "OK", NULL, NULL, NULL, "", .is_unknown = true, .is_bodiless = true },
      1,
      false,
      "HTTP/1.1 200 OK\r\nETag: x\r\n\r\n",
      true,
      false },
    { "HEAD of 1.0 without a length: the connection lives on",
      { 200, "ETag: x", 200, "OK", NULL, NULL, NULL, "", .is_unknown = true, .is_bodiless = true },
      0,
      false,
      "HTTP/1.1 200 OK\r\nETag: x\r\nConnection: keep-alive\r\n\r\n",
      true,
      false },
    { "204",
      { 204, NULL, 0, NULL, NULL, NULL, NULL, "Allow: GET\r\n", .is_unknown = true, .is_bodiless = true },
      1,
      false,
      "HTTP/1.1 204 No Content\r\nAllow: GET\r\n\r\n",
      true,
      false },
    { "304 of a stored 200",
      { 304, "ETag: x\nContent-Type: t", 200, "OK", NULL, no_type, NULL, "", .is_unknown = true, .is_bodiless = true },
      1,
      false,
      "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
      true,
      false },
    { "a status that no registry knows",
      { 299, NULL, 0, NULL, NULL, NULL, NULL, "", .length = 6 },
      1,
      false,
      "HTTP/1.1 299 \r\nContent-Length: 6\r\n\r\nbbbbbb",
      true,
      true },
};

static void set_message(struct client *client, const struct message *row)
{
    client->head = response_head(&client->arena, row->head_status, row->fields);
    client->head.reason = gw_slice_of_string(row->reason);
    client->message = (struct gw_downstream_head) { .status = row->status,
                                                    .head = row->fields ? &client->head : NULL,
                                                    .left_out = { row->left_out, row->left_out_too },
                                                    .stored_text = gw_slice_of_string(row->stored_text),
                                                    .added = gw_slice_of_string(row->added),
                                                    .has_body = !row->is_bodiless,
                                                    .length = row->is_unknown ? UINT64_MAX : row->length };
}

static void tell(struct client *client, const struct message *row)
{
    set_message(client, row);
    gw_h1_writer_head(&client->writer, &client->message);
}

static void each_message_has_its_bytes_in_one_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct client client;
        begin(&client, 4096);
        client.writer.version_minor = row->version_minor;
        client.writer.keep_alive = !row->closes;
        tell(&client, &row->message);
        if (client.message.has_body) {
            assert_true(body(&client, 3));
            assert_true(body(&client, 3));
        }
        assert_int_equal(client.writes, 0);
        assert_true(gw_h1_writer_end(&client.writer.downstream));
        if (strcmp(client.text, row->bytes) != 0)
            fail_msg("%s: %s", row->what, client.text);
        assert_int_equal(client.writes, 1);
        assert_int_equal(client.writer.keep_alive, row->keeps);
        assert_int_equal(gw_h1_writer_shows_its_end(&client.writer), row->shows);
        assert_false(client.message.is_lost);
        end(&client);
    }
}

static void the_bytes_of_a_body_are_not_copied(void **state)
{
    (void)state;
    static const struct message known = { 200, "", 200, "OK", NULL, NULL, NULL, "", .length = 6 };
    struct client client;
    begin(&client, 4096);
    tell(&client, &known);
    assert_true(body(&client, 6));
    assert_int_equal(atomic_load(&client.block->refs), 2);
    assert_true(gw_h1_writer_end(&client.writer.downstream));
    assert_int_equal(client.pieces, 2); /* the head, and the body where it lies */
    assert_ptr_equal(client.kept[1], client.block->bytes);
    end(&client);
}

/* Content without a block is borrowed for the call: it leaves with it, behind the head. */
static void what_is_borrowed_leaves_at_once(void **state)
{
    (void)state;
    static const struct message known = { 200, "", 200, "OK", NULL, NULL, NULL, "", .length = 6 };
    struct client client;
    begin(&client, 4096);
    tell(&client, &known);
    assert_true(gw_h1_writer_body(&client.writer.downstream, GW_SLICE("bbbbbb"), NULL));
    assert_int_equal(client.writes, 1);
    assert_int_equal(client.pieces, 2);
    assert_true(gw_h1_writer_end(&client.writer.downstream));
    assert_int_equal(client.writes, 1);
    end(&client);
}

/* However many pieces come before a flush: all bytes leave, in order, and no more are kept than there is room for. */
static void what_is_gathered_is_bounded(void **state)
{
    (void)state;
    static const struct message unknown = { 200, "", 200, "OK", .added = "", .is_unknown = true },
                                known = { 200, "", 200, "OK", .added = "", .length = 40 };
    for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
        struct client client;
        begin(&client, 4096);
        tell(&client, is_chunked ? &unknown : &known);
        for (int i = 0; i < 40; i++) {
            assert_true(body(&client, 1));
            assert_in_range(atomic_load(&client.block->refs), 1, 1 + GW_COUNT(client.writer.gathered));
        }
        assert_true(gw_h1_writer_end(&client.writer.downstream));
        const char *at = strstr(client.text, "\r\n\r\n") + 4;
        for (int i = 0; i < 40; i++) {
            const char *piece = is_chunked ? "1\r\nb\r\n" : "b";
            assert_memory_equal(at, piece, strlen(piece));
            at += strlen(piece);
        }
        assert_string_equal(at, is_chunked ? "0\r\n\r\n" : "");
        end(&client);
    }
}

static void a_chunk_says_its_length_in_hexadecimal(void **state)
{
    (void)state;
    static const struct {
        size_t length;
        const char *line;
    } lengths[] = {
        { 1, "\r\n\r\n1\r\nb" }, { 10, "\r\n\r\na\r\nb" }, { 255, "\r\n\r\nff\r\nb" }, { 1024, "\r\n\r\n400\r\nb" }
    };
    static const struct message unknown = { 200, "", 200, "OK", .added = "", .is_unknown = true };
    for (size_t i = 0; i < GW_COUNT(lengths); i++) {
        struct client client;
        begin(&client, 4096);
        tell(&client, &unknown);
        assert_true(body(&client, lengths[i].length));
        assert_true(gw_h1_writer_end(&client.writer.downstream));
        assert_non_null(strstr(client.text, lengths[i].line));
        end(&client);
    }
}

static void a_flush_writes_what_there_is_and_no_more(void **state)
{
    (void)state;
    static const struct message unknown = { 200, "", 200, "OK", .added = "", .is_unknown = true };
    struct client client;
    begin(&client, 4096);
    assert_true(gw_h1_writer_flush(&client.writer.downstream));
    assert_int_equal(client.writes, 0);
    tell(&client, &unknown);
    assert_true(gw_h1_writer_flush(&client.writer.downstream)); /* the head alone: its body is late */
    assert_string_equal(client.text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_true(gw_h1_writer_flush(&client.writer.downstream));
    assert_int_equal(client.writes, 1);
    assert_true(gw_h1_writer_end(&client.writer.downstream));
    assert_string_equal(client.text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    end(&client);
}

static void a_slow_client_is_told_of(void **state)
{
    (void)state;
    static const struct message known = { 200, "", 200, "OK", .added = "", .length = 6 };
    struct client client;
    begin(&client, 4096);
    client.is_slow = true;
    assert_false(gw_h1_writer_interim(&client.writer, 103, NULL));
    tell(&client, &known);
    assert_false(gw_h1_writer_body(&client.writer.downstream, GW_SLICE("bbb"), NULL));
    assert_true(body(&client, 3)); /* gathered: nothing was written that could be slow */
    assert_false(gw_h1_writer_end(&client.writer.downstream));
    end(&client);
}

static void an_interim_response_goes_at_once_but_not_to_a_client_of_1_0(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *fields;
        unsigned version_minor;
        const char *bytes;
    } interims[] = {
        { 100, NULL, 1, "HTTP/1.1 100 Continue\r\n\r\n" },
        { 103, "Link: </a>\nConnection: X-Own\nX-Own: 1\nKeep-Alive: 5", 1,
          "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" },
        { 100, NULL, 0, "" },
        { 103, "Link: </a>", 0, "" },
    };
    for (size_t i = 0; i < GW_COUNT(interims); i++) {
        struct client client;
        begin(&client, 4096);
        struct gw_head head = response_head(&client.arena, interims[i].status, interims[i].fields);
        client.writer.version_minor = interims[i].version_minor;
        assert_true(gw_h1_writer_interim(&client.writer, interims[i].status, interims[i].fields ? &head : NULL));
        assert_string_equal(client.text, interims[i].bytes);
        assert_true(client.writer.keep_alive);
        end(&client);
    }
}

/* The interim response needs the scratch, too: a head that is told is made after it. */
static void an_interim_response_without_memory_is_left_out(void **state)
{
    (void)state;
    struct client client;
    begin(&client, 8);
    assert_true(gw_h1_writer_interim(&client.writer, 100, NULL));
    assert_int_equal(client.writes, 0);
    end(&client);
}

static const char bare[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/* Half a head would be another answer. */
static void a_head_that_finds_no_memory_is_a_bare_503(void **state)
{
    (void)state;
    static const struct {
        size_t head_bytes;
        bool is_lost_before, is_unknown;
    } losses[] = { { 40, false, false }, { 40, false, true }, { 4096, true, false }, { 4096, true, true } };
    for (size_t i = 0; i < GW_COUNT(losses); i++)
        for (int pieces = 0; pieces <= 40; pieces++) { /* of the body, before the head is made or behind it */
            const struct message row = {
                200,          "ETag: a-longer-one\nA: 1",        200, "OK", .added = "X: 1\r\n",
                .length = 40, .is_unknown = losses[i].is_unknown
            };
            struct client client;
            begin(&client, losses[i].head_bytes);
            set_message(&client, &row);
            client.message.is_lost = losses[i].is_lost_before;
            gw_h1_writer_head(&client.writer, &client.message);
            for (int j = 0; j < pieces; j++)
                assert_true(body(&client, 1));
            assert_true(gw_h1_writer_end(&client.writer.downstream));
            assert_string_equal(client.text, bare);
            assert_true(client.message.is_lost);
            assert_false(client.message.has_body);
            assert_int_equal(client.message.status, 503);
            assert_false(client.writer.keep_alive);
            end(&client);
        }
}

static void what_was_not_written_is_forgotten_with_its_blocks(void **state)
{
    (void)state;
    static const struct message known = { 200, "", 200, "OK", .added = "", .length = 6 };
    struct client client;
    begin(&client, 4096);
    tell(&client, &known);
    assert_true(body(&client, 3));
    gw_h1_writer_drop(&client.writer);
    assert_int_equal(client.writes, 0);
    end(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_has_its_bytes_in_one_write),
        cmocka_unit_test(the_bytes_of_a_body_are_not_copied),
        cmocka_unit_test(what_is_borrowed_leaves_at_once),
        cmocka_unit_test(what_is_gathered_is_bounded),
        cmocka_unit_test(a_chunk_says_its_length_in_hexadecimal),
        cmocka_unit_test(a_flush_writes_what_there_is_and_no_more),
        cmocka_unit_test(a_slow_client_is_told_of),
        cmocka_unit_test(an_interim_response_goes_at_once_but_not_to_a_client_of_1_0),
        cmocka_unit_test(an_interim_response_without_memory_is_left_out),
        cmocka_unit_test(a_head_that_finds_no_memory_is_a_bare_503),
        cmocka_unit_test(what_was_not_written_is_forgotten_with_its_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
