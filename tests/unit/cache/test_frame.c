#include "unit/cache/heads.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/random.h"
#include "cache/frame.h"
#include "cache/vary.h"

static const uint8_t version[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t generation[8] = { 9, 10, 11, 12, 13, 14, 15, 16 }, at_base[8] = { 0 };
static const struct gw_cache_key key = { .sha = { 1 }, .name_space = { 2 } };
#define SECOND_US UINT64_C(1000000)
enum { INDEX_BYTES = GW_FRAME_SHORT_BYTES + 2 + GW_FRAME_NAMES_BYTES };

/* The known answers of redis/README.md, which tests/redis/frame.py computes as well. */
static const char readme_frame[] =
    "47574332460000000102030405060708407e0500000000009d52b1d19a7c99f8020000002c0100005f4e3d2c1b0a0600c8000300"
    "02000200120002002300000008000000060000001e000000000000003c00000000000000090a0b0c0d0e0f104f4b687474703a2f"
    "2f6578616d706c652e636f6d2f6772656574696e673f6c616e673d64656772656574696e670c000a000000436f6e74656e742d54"
    "797065746578742f706c61696e040017000000566172794163636570742d4c616e67756167652c204163636570740d0008000000"
    "537572726f676174652d4b65796772656574696e670f00020000006163636570742d6c616e677561676564650600ffffffff6163"
    "6365707468656c6c6f0a";
static const char readme_index[] =
    "4757433249000000090a0b0c0d0e0f10407e050000000000e2f4067847386559000000000000000016006163636570742d6c616e"
    "67756167652c616363657074fda527404a6c8db88e70e55c8c0ee490";
static const char readme_tombstone[] =
    "47574332540000000102030405060708905f0100000000001e89b5dc2743469c0000000000000000";
static const char readme_mark[] = "475743324d00000001020304050607081027000000000000751ccddf0857a2ef000000000a000000";

struct scene { /* what a response was asked with */
    const char *host, *path, *query, *asked;
    int status;
    const char *reason, *answered, *body;
    size_t body_bytes;
    struct gw_cache_terms terms;
};

static const struct scene scenes[] = {
    { "example.com",
      "/greeting",
      "lang=de",
      "accept-language: de",
      200,
      "OK",
      "Content-Type: text/plain\nVary: Accept-Language, Accept\nSurrogate-Key: greeting",
      "hello\n",
      6,
      { .is_explicit = true, .has_validator = true, .stale_while_revalidate_s = 30, .window_s = 60 } },
    { "h", "/", NULL, "", 200, NULL, "", NULL, 0, { 0 } },
    { "H:81",
      "/a",
      "",
      "Cookie: a=b",
      404,
      "",
      "Cache-Control: public, max-age=9\nX-A: 1\nX-A: 2\nX-Empty:",
      "\0\r\n\xff\0",
      5,
      { .for_authorization = true, .must_validate = true, .stale_if_error_s = UINT32_MAX } },
    { "[::1]",
      "/b",
      NULL,
      "Accept: a\nAccept: b\nX-Original-URL: /x",
      301,
      "Moved",
      "Vary: Accept, accept\nVary: X-Original-URL\nLocation: /b\nCache-Tag: a, b,c",
      "x",
      1,
      { .no_stale = true } },
    { "",
      "/e",
      NULL,
      "Accept:\nX-Forwarded-Host: h\nAccept-Encoding: gzip;q=0.5 , br",
      599,
      "Own Words",
      "Vary: Accept, X-None, Accept-Encoding\nETag: W/\"\xe9\"\nSet-Cookie: a=b",
      "yy",
      2,
      { .keeps_set_cookie = true } },
};

static struct gw_entry *entry_of(const struct scene *scene, int64_t age_s, int64_t freshness_s)
{
    struct gw_cache_life life = { age_s, freshness_s, scene->terms };
    struct gw_arena arena;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", scene->asked);
    struct gw_head response = response_head(&arena, scene->status, scene->answered);
    request.path = gw_slice_of_string(scene->path);
    request.query = gw_slice_of_string(scene->query);
    response.reason = gw_slice_of_string(scene->reason);
    struct gw_block *body = scene->body_bytes ? gw_block_create(scene->body_bytes) : NULL;
    if (body)
        memcpy(body->bytes, scene->body, scene->body_bytes);
    struct gw_entry_setup setup = {
        .key = &key,
        .scheme = GW_SLICE("http"),
        .host = gw_slice_of_string(scene->host),
        .request = &request,
        .response = &response,
        .body = body,
        .body_bytes = scene->body_bytes,
        .life = &life,
        .ban_sequence = UINT64_C(0x060a1b2c3d4e5f),
    };
    struct gw_entry *entry = gw_entry_create(&setup);
    gw_block_unref(body);
    gw_arena_free(&arena);
    assert_non_null(entry);
    return entry;
}

/* A selected response as a variant; another one as it lies at the base key. */
static struct gw_block *frame_of(const struct scene *scene)
{
    struct gw_entry *entry = entry_of(scene, 2, 300);
    struct gw_block *block = gw_frame_encode(entry, version, entry->vary_values.count ? generation : at_base, 360000,
                                             2);
    gw_entry_unref(entry);
    assert_non_null(block);
    return block;
}

static struct gw_slice bytes_of(const struct gw_block *block)
{
    return gw_slice_of(block->bytes, block->capacity);
}

static void assert_hex(struct gw_slice bytes, const char *hex)
{
    char text[1024];
    assert_true(bytes.length * 2 < sizeof text);
    for (size_t i = 0; i < bytes.length; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned char)bytes.at[i]);
    assert_string_equal(text, hex);
}

static void assert_same_fields(const struct gw_head *a, const struct gw_head *b)
{
    assert_int_equal(a->count, b->count);
    for (unsigned i = 0; i < a->count; i++) {
        assert_true(gw_slice_equal_nocase(a->fields[i].name, b->fields[i].name));
        assert_true(gw_slice_equal(a->fields[i].value, b->fields[i].value));
        assert_int_equal(!a->fields[i].value.at, !b->fields[i].value.at);
        assert_int_equal(a->fields[i].id, b->fields[i].id);
    }
    assert_memory_equal(a->first, b->first, sizeof a->first);
}

static void assert_same_terms(const struct gw_cache_terms *a, const struct gw_cache_terms *b)
{
    assert_int_equal(a->for_authorization, b->for_authorization);
    assert_int_equal(a->is_explicit, b->is_explicit);
    assert_int_equal(a->must_validate, b->must_validate);
    assert_int_equal(a->no_stale, b->no_stale);
    assert_int_equal(a->has_validator, b->has_validator);
    assert_int_equal(a->keeps_set_cookie, b->keeps_set_cookie);
    assert_int_equal(a->stale_while_revalidate_s, b->stale_while_revalidate_s);
    assert_int_equal(a->stale_if_error_s, b->stale_if_error_s);
    assert_int_equal(a->window_s, b->window_s);
}

static void the_check_is_xxh64(void **state)
{
    static const struct {
        const char *text;
        uint64_t seed, check;
    } rows[] = {
        { "", 0, UINT64_C(0xEF46DB3751D8E999) },
        { "a", 0, UINT64_C(0xD24EC4F1A98C6E5B) },
        { "abc", 0, UINT64_C(0x44BC2CF5AD770999) },
        { "Nobody inspects the spammish repetition", 0, UINT64_C(0xFBCEA83C8A378BF1) },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        assert_int_equal(gw_frame_check(rows[i].text, strlen(rows[i].text), rows[i].seed), rows[i].check);
}

static void put_variant_of(const struct scene *scene, char *to)
{
    struct gw_key_maker *maker = gw_key_maker_create();
    struct gw_entry *entry = entry_of(scene, 0, 300);
    uint8_t digest[32];
    assert_non_null(maker);
    gw_vary_digest(maker, &entry->vary_values, digest);
    memcpy(to, digest, GW_FRAME_VARIANT_BYTES);
    gw_entry_unref(entry);
    gw_key_maker_destroy(&maker);
}

static void the_bytes_are_those_of_the_readme(void **state)
{
    char value[GW_FRAME_SHORT_BYTES], index[INDEX_BYTES];
    struct gw_block *block = frame_of(&scenes[0]);
    (void)state;
    assert_hex(bytes_of(block), readme_frame);
    gw_block_unref(block);
    gw_frame_encode_tombstone(value, version, 90000);
    assert_hex(gw_slice_of(value, sizeof value), readme_tombstone);
    gw_frame_encode_mark(value, version, 10000, false);
    assert_hex(gw_slice_of(value, sizeof value), readme_mark);
    size_t length = gw_frame_encode_index(index, generation, 360000, GW_SLICE("accept-language,accept"));
    assert_int_equal(length, sizeof readme_index / 2 - GW_FRAME_VARIANT_BYTES);
    put_variant_of(&scenes[0], index + length);
    assert_hex(gw_slice_of(index, length + GW_FRAME_VARIANT_BYTES), readme_index);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(scenes); i++) {
        struct gw_entry *entry = entry_of(&scenes[i], 2, 300), *again = NULL;
        struct gw_block *block = frame_of(&scenes[i]);
        struct gw_frame frame;
        gw_frame_read(&frame, bytes_of(block));
        assert_int_equal(frame.kind, GW_FRAME_RESPONSE);
        assert_memory_equal(frame.version, version, sizeof version);
        assert_int_equal(frame.life_ms, 360000);
        assert_memory_equal(frame.generation, entry->vary_values.count ? generation : at_base, 8);
        assert_true(gw_frame_decode(bytes_of(block), &frame, &key, 0, 0, &again));
        assert_non_null(again);
        assert_memory_equal(&again->key, &key, sizeof key);
        assert_int_equal(again->head.status, scenes[i].status);
        assert_true(gw_slice_equal(again->head_text, entry->head_text));
        assert_true(gw_slice_equal(again->url, entry->url));
        assert_same_fields(&again->head, &entry->head);
        assert_same_fields(&again->vary_values, &entry->vary_values);
        assert_int_equal(again->vary_named, entry->vary_named);
        assert_true(gw_slice_equal(again->host, entry->host));
        assert_true(gw_slice_equal(again->path_and_query, entry->path_and_query));
        assert_true(gw_slice_equal(again->tags, entry->tags));
        assert_same_terms(&again->terms, &scenes[i].terms);
        assert_int_equal(again->ban_sequence, UINT64_C(0x060a1b2c3d4e5f));
        assert_int_equal(atomic_load(&again->bans_checked), again->ban_sequence);
        assert_int_equal(again->body_bytes, scenes[i].body_bytes);
        if (again->body)
            assert_memory_equal(again->body->bytes, scenes[i].body, scenes[i].body_bytes);
        struct gw_block *rewritten = gw_frame_encode(again, version, frame.generation, 360000, 2);
        assert_non_null(rewritten);
        assert_int_equal(rewritten->capacity, block->capacity);
        assert_memory_equal(rewritten->bytes, block->bytes, block->capacity);
        gw_block_unref(rewritten);
        gw_entry_unref(again);
        gw_entry_unref(entry);
        gw_block_unref(block);
    }
}

static void tombstones_and_marks_are_read(void **state)
{
    char value[GW_FRAME_SHORT_BYTES];
    struct gw_frame frame;
    (void)state;
    gw_frame_encode_tombstone(value, version, 90000);
    gw_frame_read(&frame, gw_slice_of(value, sizeof value));
    assert_int_equal(frame.kind, GW_FRAME_TOMBSTONE);
    assert_memory_equal(frame.version, version, sizeof version);
    assert_int_equal(frame.life_ms, 90000);
    gw_frame_encode_mark(value, version, 9001, false);
    gw_frame_read(&frame, gw_slice_of(value, sizeof value));
    assert_int_equal(frame.kind, GW_FRAME_MARK);
    assert_int_equal(frame.life_ms, 9001);
    assert_int_equal(frame.freshness_s, 10);
    assert_int_equal(frame.age_s, 0);
    gw_frame_encode_mark(value, version, 9001, true);
    gw_frame_read(&frame, gw_slice_of(value, sizeof value));
    assert_int_equal(frame.kind, GW_FRAME_MARK);
    assert_int_equal(frame.age_s, 1);
}

static void the_age_counts_what_has_gone_of_the_life(void **state)
{
    static const struct {
        int64_t left_ms;
        uint64_t now_us;
        int64_t age_s, a_second_later_s;
    } rows[] = {
        { 360000, 500 * SECOND_US, 2, 3 },   { 359001, 500 * SECOND_US, 2, 3 },
        { 359000, 500 * SECOND_US, 3, 4 },   { 358500, 500 * SECOND_US, 3, 4 },
        { 1, 500 * SECOND_US, 361, 362 },    { 160000, 1, 202, 203 }, /* this machine has run for a moment only */
        { 160500, SECOND_US / 4, 201, 202 },
    };
    struct gw_block *block = frame_of(&scenes[0]);
    struct gw_frame frame;
    (void)state;
    gw_frame_read(&frame, bytes_of(block));
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_entry *entry;
        int64_t elapsed_ms = gw_frame_elapsed_ms(&frame, rows[i].left_ms);
        assert_int_equal(elapsed_ms, 360000 - rows[i].left_ms);
        assert_true(gw_frame_decode(bytes_of(block), &frame, &key, elapsed_ms, rows[i].now_us, &entry));
        assert_int_equal(gw_entry_age_s(entry, rows[i].now_us), rows[i].age_s);
        assert_int_equal(gw_entry_age_s(entry, rows[i].now_us + SECOND_US), rows[i].a_second_later_s);
        assert_int_equal(entry->freshness_s, 300);
        gw_entry_unref(entry);
    }
    assert_true(gw_frame_elapsed_ms(&frame, -1) < 0);
    assert_true(gw_frame_elapsed_ms(&frame, -2) < 0);
    assert_true(gw_frame_elapsed_ms(&frame, 360001) < 0);
    gw_block_unref(block);
}

static void its_life_is_what_is_left_of_its_freshness_and_its_window(void **state)
{
    static const struct {
        int64_t age_s, freshness_s, window_s;
        uint64_t now_us;
        int64_t life_ms;
    } rows[] = {
        { 0, 300, 0, 0, 300000 },
        { 0, 300, 0, 999, 300000 },
        { 0, 300, 0, 1000, 299999 },
        { 2, 300, 0, 1500 * 1000, 296500 },
        { 0, 1, 0, 999 * 1000, 1 },
        { 0, 1, 0, SECOND_US, 0 },
        { 300, 300, 0, 0, 0 },
        { 301, 300, 0, 0, 0 },
        { 0, 300, 60, 0, 360000 },
        { 301, 300, 60, 0, 59000 }, /* not fresh from the beginning, and of use to be validated */
        { 0, 0, 60, 500 * 1000, 59500 },
        { 360, 300, 60, 0, 0 },
        { 0, (int64_t)1 << 31, (int64_t)1 << 31, 0, INT32_MAX },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene = scenes[0];
        scene.terms.window_s = rows[i].window_s;
        struct gw_entry *entry = entry_of(&scene, rows[i].age_s, rows[i].freshness_s);
        assert_int_equal(gw_frame_life_ms(entry, rows[i].now_us), rows[i].life_ms);
        gw_entry_unref(entry);
    }
}

/* In memory of its exact size, so that a read beyond its end is found. */
static bool is_read(const char *bytes, size_t length)
{
    char *copy = malloc(length ? length : 1);
    struct gw_entry *entry = NULL;
    struct gw_frame frame;
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    gw_frame_read(&frame, gw_slice_of(copy, length));
    bool is_response = frame.kind == GW_FRAME_RESPONSE &&
                       gw_frame_decode(gw_slice_of(copy, length), &frame, &key, 0, 0, &entry);
    assert_int_equal(is_response, entry != NULL);
    free(copy); /* the entry has copies of all */
    if (entry && entry->body)
        assert_true(entry->body->capacity == entry->body_bytes);
    gw_entry_unref(entry);
    return is_response || frame.kind >= GW_FRAME_TOMBSTONE;
}

static void reseal(char *bytes, size_t length)
{
    uint64_t check = gw_frame_check(bytes + 32, length - 32, gw_frame_read_number((uint8_t *)bytes + 8, 8));
    for (unsigned i = 0; i < 8; i++)
        bytes[24 + i] = (char)(check >> 8 * i);
}

static void a_value_cut_anywhere_is_not_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(scenes); i++) {
        struct gw_block *block = frame_of(&scenes[i]);
        for (size_t length = 0; length < block->capacity; length++) {
            assert_false(is_read(block->bytes, length));
            if (length < 40)
                continue;
            char cut[512]; /* and its check put right */
            memcpy(cut, block->bytes, length);
            reseal(cut, length);
            assert_false(is_read(cut, length));
        }
        char longer[512] = { 0 };
        memcpy(longer, block->bytes, block->capacity);
        assert_false(is_read(longer, block->capacity + 1));
        reseal(longer, block->capacity + 1);
        assert_false(is_read(longer, block->capacity + 1));
        gw_block_unref(block);
    }
}

static void a_value_with_any_bit_turned_is_not_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(scenes); i++) {
        struct gw_block *block = frame_of(&scenes[i]);
        for (size_t at = 0; at < block->capacity; at++)
            for (unsigned bit = 0; bit < 8; bit++) {
                struct gw_frame frame;
                if (at >= 16 && at < 20)
                    continue; /* the life, which a later store may raise: not covered */
                block->bytes[at] ^= (char)(1u << bit);
                assert_false(is_read(block->bytes, block->capacity));
                gw_frame_read(&frame, bytes_of(block));
                assert_int_equal(frame.kind, at < 4 ? GW_FRAME_FOREIGN : GW_FRAME_CORRUPT);
                block->bytes[at] ^= (char)(1u << bit);
            }
        assert_true(is_read(block->bytes, block->capacity));
        gw_block_unref(block);
    }
}

static void a_life_of_none_or_too_long_is_corrupt(void **state)
{
    static const unsigned char rows[][4] = { { 0, 0, 0, 0 }, { 0, 0, 0, 0x80 }, { 255, 255, 255, 255 } };
    struct gw_block *block = frame_of(&scenes[0]);
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        memcpy(block->bytes + 16, rows[i], 4);
        assert_false(is_read(block->bytes, block->capacity));
    }
    gw_block_unref(block);
}

/* By an attacker who can compute the check: the result may be another response, but never one that no message could
 * be. */
static void what_is_turned_and_sealed_again_is_whole_or_corrupt(void **state)
{
    struct gw_random random;
    unsigned read = 0;
    (void)state;
    gw_random_init(&random);
    for (unsigned turn = 0; turn < 20000; turn++) {
        struct gw_block *block = frame_of(&scenes[turn % GW_COUNT(scenes)]);
        for (unsigned changes = 1 + (unsigned)(gw_random_next(&random) % 3); changes; changes--) {
            uint64_t dice = gw_random_next(&random);
            size_t at = 32 + (size_t)(dice >> 32) % (block->capacity - 32);
            block->bytes[at] = (char)(dice & 256 ? (int)(dice & 255) : block->bytes[at] + (int)(dice & 2) - 1);
        }
        reseal(block->bytes, block->capacity);
        read += is_read(block->bytes, block->capacity);
        gw_block_unref(block);
    }
    assert_true(read > 100 && read < 20000); /* both happened */
}

static void a_field_that_no_message_could_hold_is_corrupt(void **state)
{
    static const struct {
        const char *from, *to; /* of the same length */
    } rows[] = {
        { "text/plain", "text\r\nX: 1" },
        { "text/plain", "text\0plain" },
        { "Content-Type", "Content Type" },
        { "OKhttp://", "O\nhttp://" },
        { "http://", "Http://" },
        { "http://", "http:/e" },
        { "http://", "http-//" },
        { "example.com", "Example.com" },
        { "example.com", "examp,e.com" },
        { "/greeting?", "/gree#ing?" },
        { "/greeting?", "/gree%ing?" },
        { "lang=degreeting", "lang=de reeting" }, /* tags */
        { "lang=degreeting", "lang=degreet\tng" },
        { "lang=degreeting", "lang=de\ngreetin" },
        { "lang=degreeting", "lang=degreetin " },
        { "lang=degreeting", "lang=degr  ting" },
        { "Content-Type", "Proxy-Status" },       /* is not stored */
        { "accept-language", "accept-charsett" }, /* a selection other than the one that Vary asks for */
        { "accept-language", "Accept-Language" },
        { "Accept-Language, Accept", "Accept-Language, Origin" },
        { "Accept-Language, Accept", "Accept-Language, *     " },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_block *block = frame_of(&scenes[0]);
        size_t length = strlen(rows[i].from);
        char *at = memmem(block->bytes, block->capacity, rows[i].from, length);
        assert_non_null(at);
        memcpy(at, rows[i].to, length);
        reseal(block->bytes, block->capacity);
        if (is_read(block->bytes, block->capacity))
            fail_msg("row %zu was read", i);
        gw_block_unref(block);
    }
}

static void a_flag_that_is_not_known_is_corrupt(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 16; bit++) {
        struct gw_block *block = frame_of(&scenes[0]);
        block->bytes[56 + bit / 8] ^= (char)(1u << bit % 8);
        reseal(block->bytes, block->capacity);
        assert_int_equal(is_read(block->bytes, block->capacity), bit < 6);
        gw_block_unref(block);
    }
    struct gw_block *block = frame_of(&scenes[0]);
    block->bytes[84] = 1; /* nor are bytes that must be zero */
    reseal(block->bytes, block->capacity);
    assert_false(is_read(block->bytes, block->capacity));
    gw_block_unref(block);
}

static void a_value_that_would_be_selected_otherwise_is_corrupt(void **state)
{
    struct gw_block *block = frame_of(&scenes[4]);
    char *at = memmem(block->bytes, block->capacity, "gzip;q=0.5 , br", 15);
    (void)state;
    assert_non_null(at);
    assert_true(is_read(block->bytes, block->capacity));
    memcpy(at, "gzip;q=0.5, br ", 15); /* no request has white space at its end */
    reseal(block->bytes, block->capacity);
    assert_false(is_read(block->bytes, block->capacity));
    gw_block_unref(block);
}

/* ---- an index ---- */

static size_t index_of(char value[INDEX_BYTES + 1024], const char *names, unsigned variants)
{
    size_t length = gw_frame_encode_index(value, version, 1000, gw_slice_of_string(names));
    assert_true(length > 0);
    for (unsigned i = 0; i < variants * GW_FRAME_VARIANT_BYTES; i++)
        value[length++] = (char)(i / GW_FRAME_VARIANT_BYTES);
    return length;
}

static void an_index_has_names_and_variants(void **state)
{
    static const char *const rows[] = { "", "accept", "accept-encoding,accept-language,x-plan" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        for (unsigned variants = 0; variants <= GW_FRAME_VARIANTS; variants++) {
            char value[INDEX_BYTES + 1024];
            struct gw_frame frame;
            size_t length = index_of(value, rows[i], variants);
            gw_frame_read(&frame, gw_slice_of(value, length));
            assert_int_equal(frame.kind, GW_FRAME_INDEX);
            assert_memory_equal(frame.version, version, sizeof version);
            assert_int_equal(frame.life_ms, 1000);
            assert_true(gw_slice_equal(frame.names, gw_slice_of_string(rows[i])));
            assert_int_equal(frame.variants.length, variants * GW_FRAME_VARIANT_BYTES);
            assert_true(variants == 0 || frame.variants.at[frame.variants.length - 1] == (char)(variants - 1));
            assert_true(is_read(value, length));
            assert_false(is_read(value, length - 1));
            assert_false(is_read(value, length + 1));
        }
}

/* The script adds and removes variants; it does not compute a check. */
static void the_check_of_an_index_leaves_its_variants_out(void **state)
{
    char value[INDEX_BYTES + 1024];
    struct gw_frame frame;
    size_t length = index_of(value, "accept,x-plan", 3), list = length - 3 * GW_FRAME_VARIANT_BYTES;
    (void)state;
    for (size_t at = 0; at < length; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            value[at] ^= (char)(1u << bit);
            gw_frame_read(&frame, gw_slice_of(value, length));
            bool is_free = at >= list || (at >= 16 && at < 20 && frame.life_ms > 0);
            assert_int_equal(frame.kind, is_free ? GW_FRAME_INDEX : at < 4 ? GW_FRAME_FOREIGN : GW_FRAME_CORRUPT);
            value[at] ^= (char)(1u << bit);
        }
}

static void an_index_of_too_many_variants_is_corrupt(void **state)
{
    char value[INDEX_BYTES + 1024];
    (void)state;
    assert_false(is_read(value, index_of(value, "accept", GW_FRAME_VARIANTS + 1)));
}

static void an_index_of_other_than_names_is_corrupt(void **state)
{
    static const char *const rows[] = {
        ",",
        "a,",
        ",a",
        "a,,b",
        "a, b",
        "a b",
        "A",
        "accept,x-plan,accept",
        "a\r",
        "\xe9",
        "\"a\"",
        "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,aa,ab,ac,ad,ae,af,ag,ah,ai,aj,ak,al,am,an,ao,ap,aq,ar,as,"
        "at,"
        "au,av,aw,ax,ay,az,ba,bb,bc,bd,be,bf,bg,bh,bi,bj,bk,bl,bm", /* 65 */
    };
    char value[INDEX_BYTES + 1024];
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        if (is_read(value, index_of(value, rows[i], 1)))
            fail_msg("row %zu was read", i);
    char *most = strdup(rows[GW_COUNT(rows) - 1]); /* without the last */
    assert_non_null(most);
    most[strlen(most) - 3] = 0;
    assert_true(is_read(value, index_of(value, most, 1)));
    free(most);
}

static void names_that_an_index_cannot_hold_are_not_written(void **state)
{
    char value[INDEX_BYTES], names[GW_FRAME_NAMES_BYTES + 1];
    (void)state;
    memset(names, 'a', sizeof names);
    assert_int_equal(gw_frame_encode_index(value, version, 1000, gw_slice_of(names, GW_FRAME_NAMES_BYTES)),
                     INDEX_BYTES);
    assert_true(is_read(value, INDEX_BYTES));
    assert_int_equal(gw_frame_encode_index(value, version, 1000, gw_slice_of(names, GW_FRAME_NAMES_BYTES + 1)), 0);
}

/* As the script does it when a key must not live shorter: redis/store.lua. */
static void a_raised_life_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(scenes); i++) {
        struct gw_block *block = frame_of(&scenes[i]);
        struct gw_frame frame;
        memcpy(block->bytes + 16, "\xff\xff\xff\x7f", 4);
        gw_frame_read(&frame, bytes_of(block));
        assert_int_equal(frame.kind, GW_FRAME_RESPONSE);
        assert_int_equal(frame.life_ms, GW_FRAME_LIFE_MAX_MS);
        gw_block_unref(block);
    }
}

static void foreign_values_have_no_version(void **state)
{
    static const struct gw_slice rows[] = {
        { NULL, 0 },
        { "", 0 },
        { "GWC2", 4 },
        { "GWC1F...aaaaaaaabbbbccccddddddddeeeeffff0", 41 },
        { "GWC2F...aaaaaaaabbbbccccddddddddeeeefff", 39 },
        { "<html>.................................................", 50 },
    };
    uint8_t base_version[8];
    struct gw_frame frame;
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_frame_read(&frame, rows[i]);
        assert_int_equal(frame.kind, GW_FRAME_FOREIGN);
        assert_false(gw_frame_read_version(rows[i], base_version));
    }
    assert_true(gw_frame_read_version(GW_SLICE("GWC2F...aaaaaaaabbbbccccddddddddeeeeffff"), base_version));
    assert_memory_equal(base_version, "aaaaaaaa", 8);
}

static void what_the_format_cannot_hold_is_not_written(void **state)
{
    char lines[GW_FRAME_FIELDS * 5 + 8] = "";
    (void)state;
    for (unsigned i = 0; i <= GW_FRAME_FIELDS; i++) {
        struct scene scene = { "h", "/", NULL, "", 200, "OK", lines, NULL, 0, { 0 } };
        if (i >= GW_FRAME_FIELDS - 1) {
            struct gw_entry *entry = entry_of(&scene, 0, 300);
            struct gw_block *block = gw_frame_encode(entry, version, at_base, 1, 0);
            assert_int_equal(block != NULL, i <= GW_FRAME_FIELDS);
            assert_true(!block || is_read(block->bytes, block->capacity));
            gw_block_unref(block);
            gw_entry_unref(entry);
        }
        strcat(lines, i ? "\nX: 1" : "X: 1");
    }
    struct scene scene = { "h", "/", NULL, "", 200, "OK", lines, NULL, 0, { 0 } };
    struct gw_entry *entry = entry_of(&scene, 0, 300);
    assert_null(gw_frame_encode(entry, version, at_base, 1, 0));
    gw_entry_unref(entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_is_xxh64),
        cmocka_unit_test(the_bytes_are_those_of_the_readme),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(tombstones_and_marks_are_read),
        cmocka_unit_test(the_age_counts_what_has_gone_of_the_life),
        cmocka_unit_test(its_life_is_what_is_left_of_its_freshness_and_its_window),
        cmocka_unit_test(a_value_cut_anywhere_is_not_read),
        cmocka_unit_test(a_value_with_any_bit_turned_is_not_read),
        cmocka_unit_test(a_life_of_none_or_too_long_is_corrupt),
        cmocka_unit_test(what_is_turned_and_sealed_again_is_whole_or_corrupt),
        cmocka_unit_test(a_field_that_no_message_could_hold_is_corrupt),
        cmocka_unit_test(a_flag_that_is_not_known_is_corrupt),
        cmocka_unit_test(a_value_that_would_be_selected_otherwise_is_corrupt),
        cmocka_unit_test(an_index_has_names_and_variants),
        cmocka_unit_test(the_check_of_an_index_leaves_its_variants_out),
        cmocka_unit_test(an_index_of_too_many_variants_is_corrupt),
        cmocka_unit_test(an_index_of_other_than_names_is_corrupt),
        cmocka_unit_test(names_that_an_index_cannot_hold_are_not_written),
        cmocka_unit_test(a_raised_life_is_read),
        cmocka_unit_test(foreign_values_have_no_version),
        cmocka_unit_test(what_the_format_cannot_hold_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
