#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buffer.h"
#include "base/chain.h"
#include "support/failing_malloc.h"

/* Each scenario runs with its 1st, 2nd, 3rd … allocation failing. ASan finds what is lost then. */

static void use_arena(void)
{
    struct gw_arena arena;
    gw_arena_init(&arena, 128, 4096);
    for (int round = 0; round < 2; round++) {
        char *piece = gw_arena_take(&arena, 100), *other = gw_arena_take(&arena, 500);
        if (piece)
            memset(piece, 'p', 100);
        if (other)
            memset(other, 'o', 500);
        if (piece) {
            char *larger = gw_arena_grow(&arena, piece, 100, 1000);
            assert_int_equal(piece[99], 'p'); /* stays valid either way */
            if (larger)
                assert_int_equal(larger[99], 'p');
        }
        struct gw_slice copy = gw_arena_copy(&arena, GW_SLICE("text"));
        assert_true(copy.at == NULL ? copy.length == 0 : gw_slice_equal(copy, GW_SLICE("text")));
        gw_arena_reset(&arena);
    }
    gw_arena_free(&arena);
}

static void an_arena_gives_null_and_stays_whole(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(use_arena());
}

/* The first chunk's size is remembered when its allocation fails. */
static void an_arena_without_its_first_chunk_gets_it_later(void **state)
{
    (void)state;
    struct gw_arena arena;
    gw_arena_init(&arena, 1000, 0);
    failing_malloc_arm(1, ALL_FAIL_FROM_THERE);
    assert_null(gw_arena_take(&arena, 500));
    gw_arena_reset(&arena);
    assert_null(gw_arena_take(&arena, 500));
    assert_true(failing_malloc_disarm());
    assert_non_null(gw_arena_take(&arena, 900));
    assert_null(gw_arena_take(&arena, 900));
    gw_arena_free(&arena);
}

static void use_buffer(void)
{
    struct gw_buffer buffer = gw_buffer_create(8192);
    size_t expected = 0;
    for (int i = 0; i < 100; i++) {
        gw_buffer_put_literal(&buffer, "0123456789012345678901234567890123456789");
        if (!buffer.overflowed)
            expected += 40;
        assert_int_equal(buffer.length % 40, 0);
        assert_true(buffer.length >= expected);
    }
    gw_buffer_print(&buffer, "%d", 7);
    gw_buffer_put_json(&buffer, GW_SLICE("\x01\xff"));
    gw_buffer_destroy(&buffer);
}

static void a_buffer_says_overflowed(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(use_buffer());
    struct gw_buffer buffer = gw_buffer_create(8192);
    failing_malloc_arm(1, ONE_FAILS);
    gw_buffer_put_literal(&buffer, "text");
    assert_true(failing_malloc_disarm());
    assert_true(buffer.overflowed);
    assert_int_equal(buffer.length, 0);
    gw_buffer_destroy(&buffer);
}

static void use_chain(struct gw_block *block)
{
    struct gw_chain chain = { 0 };
    size_t length = 0;
    for (int i = 0; i < 12; i++) {
        bool is_long = i % 3 == 0;
        struct gw_slice bytes = gw_slice_of(block->bytes + i, is_long ? 4000 : 50);
        if (gw_chain_push(&chain, bytes, is_long ? block : NULL))
            length += bytes.length;
        assert_int_equal(chain.length, length); /* what was not taken was not added */
        if (i == 5 && length > 1000) {
            gw_chain_consume(&chain, 1000);
            length -= 1000;
        }
    }
    gw_chain_free(&chain);
    assert_int_equal(atomic_load(&block->refs), 1);
}

static void a_chain_takes_a_piece_whole_or_not_at_all(void **state)
{
    (void)state;
    struct gw_block *block = gw_block_create(GW_BLOCK_BYTES);
    memset(block->bytes, 'x', GW_BLOCK_BYTES);
    EACH_ALLOCATION_FAILS(use_chain(block));
    gw_block_unref(block);
}

static void use_pool(void)
{
    struct gw_block_pool pool;
    struct gw_block *kept[5];
    unsigned count = 0;
    char *at;
    gw_block_pool_init(&pool);
    for (unsigned i = 0; i < GW_COUNT(kept); i++) {
        size_t room = gw_block_pool_room(&pool, &at);
        if (room == 0)
            continue; /* the next read tries again */
        memset(at, (int)i, room);
        kept[count++] = gw_block_ref(pool.current);
        gw_block_pool_read(&pool, room);
    }
    while (count)
        gw_block_unref(kept[--count]);
    gw_block_pool_free(&pool);
}

static void a_pool_without_memory_has_no_room(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(use_pool());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_gives_null_and_stays_whole),
        cmocka_unit_test(an_arena_without_its_first_chunk_gets_it_later),
        cmocka_unit_test(a_buffer_says_overflowed),
        cmocka_unit_test(a_chain_takes_a_piece_whole_or_not_at_all),
        cmocka_unit_test(a_pool_without_memory_has_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
