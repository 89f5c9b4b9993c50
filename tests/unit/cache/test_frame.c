#include "unit/cache/heads.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/random.h"
#include "cache/frame.h"
#include "cache/xxh64.h"

static const uint8_t version[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const struct gw_cache_key key = { .sha = { 1 }, .name_space = { 2 } };
#define SECOND_US UINT64_C(1000000)

/* The known answers of redis/README.md, which tests/redis/frame.py computes as well. */
static const char readme_frame[] =
    "47574331460000000102030405060708e093040000000000b12ed8d71a53b765020000002c0100000000000000000000c80002000200020000"
    "0002001100000000"
    "00000006000000"
    "4f4b2f6772656574696e673f6c616e673d64650c000a000000436f6e74656e742d54797065746578742f706c61696e04001700000056617279"
    "4163636570742d4c"
    "616e6775616765"
    "2c204163636570740f00020000006163636570742d6c616e677561676564650600ffffffff61636365707468656c6c6f0a";
static const char readme_tombstone[] =
    "47574331540000000102030405060708905f0100000000001e89b5dc2743469c0000000000000000";
static const char readme_mark[] = "475743314d00000001020304050607081027000000000000751ccddf0857a2ef000000000a000000";

struct scene { /* what a response was asked with */
    const char *path, *query, *asked;
    int status;
    const char *reason, *answered, *body;
    size_t body_bytes;
};

static const struct scene scenes[] = {
    { "/greeting", "lang=de", "accept-language: de", 200, "OK",
      "Content-Type: text/plain\nVary: Accept-Language, Accept", "hello\n", 6 },
    { "/", NULL, "", 200, NULL, "", NULL, 0 },
    { "/a", "", "Cookie: a=b", 404, "", "Cache-Control: public, max-age=9\nX-A: 1\nX-A: 2\nX-Empty:", "\0\r\n\xff\0",
      5 },
    { "", NULL, "Accept: a\nAccept: b\nX-Original-URL: /x", 301, "Moved",
      "Vary: Accept, accept\nVary: X-Original-URL\nLocation: /b", "x", 1 },
    { "/e", NULL, "Accept:\nX-Forwarded-Host: h", 599, "Own Words", "Vary: Accept, X-None\nETag: W/\"\xe9\"", "yy", 2 },
};

static struct gw_entry *entry_of(const struct scene *scene, int64_t age_s, int64_t freshness_s)
{
    struct gw_cache_life life = { .age_s = age_s, .freshness_s = freshness_s };
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
    struct gw_entry *entry = gw_entry_create(&key, &request, &response, body, scene->body_bytes, &life, 0);
    gw_block_drop(body);
    gw_arena_free(&arena);
    assert_non_null(entry);
    return entry;
}

static struct gw_block *frame_of(const struct scene *scene)
{
    struct gw_entry *entry = entry_of(scene, 2, 300);
    struct gw_block *block = gw_frame_encode(entry, version, 300000, 2);
    gw_entry_drop(entry);
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
        assert_int_equal(gw_xxh64(rows[i].text, strlen(rows[i].text), rows[i].seed), rows[i].check);
}

static void the_bytes_are_those_of_the_readme(void **state)
{
    char value[GW_FRAME_SHORT_BYTES];
    struct gw_block *block = frame_of(&scenes[0]);
    (void)state;
    assert_hex(bytes_of(block), readme_frame);
    gw_block_drop(block);
    gw_frame_encode_tombstone(value, version, 90000);
    assert_hex(gw_slice_of(value, sizeof value), readme_tombstone);
    gw_frame_encode_mark(value, version, 10000);
    assert_hex(gw_slice_of(value, sizeof value), readme_mark);
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
        assert_int_equal(frame.life_ms, 300000);
        assert_true(gw_frame_decode(bytes_of(block), &frame, &key, 0, 0, &again));
        assert_non_null(again);
        assert_memory_equal(&again->key, &key, sizeof key);
        assert_int_equal(again->head.status, scenes[i].status);
        assert_true(gw_slice_equal(again->head_text, entry->head_text));
        assert_true(gw_slice_equal(again->url, entry->url));
        assert_same_fields(&again->head, &entry->head);
        assert_same_fields(&again->vary_values, &entry->vary_values);
        assert_int_equal(again->vary_named, entry->vary_named);
        assert_int_equal(again->has_selection, entry->has_selection);
        assert_memory_equal(&again->terms, &entry->terms, sizeof entry->terms);
        assert_int_equal(again->body_bytes, scenes[i].body_bytes);
        if (again->body)
            assert_memory_equal(again->body->bytes, scenes[i].body, scenes[i].body_bytes);
        struct gw_block *rewritten = gw_frame_encode(again, version, 300000, 2);
        assert_non_null(rewritten);
        assert_int_equal(rewritten->capacity, block->capacity);
        assert_memory_equal(rewritten->bytes, block->bytes, block->capacity);
        gw_block_drop(rewritten);
        gw_entry_drop(again);
        gw_entry_drop(entry);
        gw_block_drop(block);
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
    gw_frame_encode_mark(value, version, 9001);
    gw_frame_read(&frame, gw_slice_of(value, sizeof value));
    assert_int_equal(frame.kind, GW_FRAME_MARK);
    assert_int_equal(frame.life_ms, 9001);
    assert_int_equal(frame.freshness_s, 10);
}

static void the_age_counts_what_has_gone_of_the_life(void **state)
{
    static const struct {
        int64_t left_ms;
        uint64_t now_us;
        int64_t age_s, a_second_later_s;
    } rows[] = {
        { 300000, 500 * SECOND_US, 2, 3 },   { 299001, 500 * SECOND_US, 2, 3 },
        { 299000, 500 * SECOND_US, 3, 4 },   { 298500, 500 * SECOND_US, 3, 4 },
        { 1, 500 * SECOND_US, 301, 302 },    { 100000, 1, 202, 203 }, /* this machine has run for a moment only */
        { 100500, SECOND_US / 4, 201, 202 },
    };
    struct gw_block *block = frame_of(&scenes[0]);
    struct gw_frame frame;
    (void)state;
    gw_frame_read(&frame, bytes_of(block));
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_entry *entry;
        int64_t elapsed_ms = gw_frame_elapsed_ms(&frame, rows[i].left_ms);
        assert_int_equal(elapsed_ms, 300000 - rows[i].left_ms);
        assert_true(gw_frame_decode(bytes_of(block), &frame, &key, elapsed_ms, rows[i].now_us, &entry));
        assert_int_equal(gw_entry_age_s(entry, rows[i].now_us), rows[i].age_s);
        assert_int_equal(gw_entry_age_s(entry, rows[i].now_us + SECOND_US), rows[i].a_second_later_s);
        assert_int_equal(entry->freshness_s, 300);
        gw_entry_drop(entry);
    }
    assert_true(gw_frame_elapsed_ms(&frame, -1) < 0);
    assert_true(gw_frame_elapsed_ms(&frame, -2) < 0);
    assert_true(gw_frame_elapsed_ms(&frame, 300001) < 0);
    gw_block_drop(block);
}

static void its_life_is_what_is_left_of_its_freshness(void **state)
{
    static const struct {
        int64_t age_s, freshness_s;
        uint64_t now_us;
        int64_t life_ms;
    } rows[] = {
        { 0, 300, 0, 300000 },
        { 0, 300, 999, 300000 },
        { 0, 300, 1000, 299999 },
        { 2, 300, 1500 * 1000, 296500 },
        { 0, 1, 999 * 1000, 1 },
        { 0, 1, SECOND_US, 0 },
        { 300, 300, 0, 0 },
        { 301, 300, 0, 0 },
        { 0, (int64_t)1 << 31, 0, INT32_MAX },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_entry *entry = entry_of(&scenes[0], rows[i].age_s, rows[i].freshness_s);
        assert_int_equal(gw_frame_life_ms(entry, rows[i].now_us), rows[i].life_ms);
        gw_entry_drop(entry);
    }
}

/* In memory of its exact size: a read beyond it is found. */
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
    gw_entry_drop(entry);
    return is_response || frame.kind == GW_FRAME_TOMBSTONE || frame.kind == GW_FRAME_MARK;
}

static void reseal(char *bytes, size_t length)
{
    uint64_t check = gw_xxh64(bytes + 32, length - 32, gw_xxh64_read((uint8_t *)bytes + 8, 8));
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
        gw_block_drop(block);
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
        gw_block_drop(block);
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
    gw_block_drop(block);
}

/* By someone who can compute the check: what is read may be another response, never one that no message could be. */
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
        gw_block_drop(block);
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
        { "OK/greeting", "O\n/greeting" },
        { "accept-language", "accept-charsett" }, /* a selection that is not the one Vary asks for */
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
        gw_block_drop(block);
    }
}

static void foreign_values_have_no_version(void **state)
{
    static const struct gw_slice rows[] = {
        { NULL, 0 },
        { "", 0 },
        { "GWC1", 4 },
        { "GWC2F...aaaaaaaabbbbccccddddddddeeeeffff0", 41 },
        { "GWC1F...aaaaaaaabbbbccccddddddddeeeefff", 39 },
        { "<html>.................................................", 50 },
    };
    uint8_t seen[8];
    struct gw_frame frame;
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_frame_read(&frame, rows[i]);
        assert_int_equal(frame.kind, GW_FRAME_FOREIGN);
        assert_false(gw_frame_read_version(rows[i], seen));
    }
    assert_true(gw_frame_read_version(GW_SLICE("GWC1F...aaaaaaaabbbbccccddddddddeeeeffff"), seen));
    assert_memory_equal(seen, "aaaaaaaa", 8);
}

static void what_the_format_cannot_hold_is_not_written(void **state)
{
    char lines[GW_FRAME_FIELDS * 5 + 8] = "";
    (void)state;
    for (unsigned i = 0; i <= GW_FRAME_FIELDS; i++) {
        struct scene scene = { "/", NULL, "", 200, "OK", lines, NULL, 0 };
        if (i >= GW_FRAME_FIELDS - 1) {
            struct gw_entry *entry = entry_of(&scene, 0, 300);
            struct gw_block *block = gw_frame_encode(entry, version, 1, 0);
            assert_int_equal(block != NULL, i <= GW_FRAME_FIELDS);
            assert_true(!block || is_read(block->bytes, block->capacity));
            gw_block_drop(block);
            gw_entry_drop(entry);
        }
        strcat(lines, i ? "\nX: 1" : "X: 1");
    }
    struct scene scene = { "/", NULL, "", 200, "OK", lines, NULL, 0 };
    struct gw_entry *entry = entry_of(&scene, 0, 300);
    assert_null(gw_frame_encode(entry, version, 1, 0));
    gw_entry_drop(entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_is_xxh64),
        cmocka_unit_test(the_bytes_are_those_of_the_readme),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(tombstones_and_marks_are_read),
        cmocka_unit_test(the_age_counts_what_has_gone_of_the_life),
        cmocka_unit_test(its_life_is_what_is_left_of_its_freshness),
        cmocka_unit_test(a_value_cut_anywhere_is_not_read),
        cmocka_unit_test(a_value_with_any_bit_turned_is_not_read),
        cmocka_unit_test(a_life_of_none_or_too_long_is_corrupt),
        cmocka_unit_test(what_is_turned_and_sealed_again_is_whole_or_corrupt),
        cmocka_unit_test(a_field_that_no_message_could_hold_is_corrupt),
        cmocka_unit_test(foreign_values_have_no_version),
        cmocka_unit_test(what_the_format_cannot_hold_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
