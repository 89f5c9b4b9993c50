#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "base/block.h"

static struct gw_slice read_into(struct gw_block_pool *pool, const char *text, bool keep)
{
    char *at;
    size_t room = gw_block_pool_room(pool, &at), length = strlen(text);
    assert_true(room >= 16 * 1024);
    memcpy(at, text, length);
    if (keep)
        gw_block_ref(pool->current);
    gw_block_pool_read(pool, length);
    return gw_slice_of(at, length);
}

static void bytes_without_a_reference_are_overwritten_in_place(void **state)
{
    (void)state;
    struct gw_block_pool pool;
    gw_block_pool_init(&pool);
    struct gw_slice first = read_into(&pool, "first", false), second = read_into(&pool, "second", false);
    assert_ptr_equal(first.at, second.at);
    gw_block_pool_free(&pool);
}

static void bytes_with_a_reference_are_not_overwritten(void **state)
{
    (void)state;
    struct gw_block_pool pool;
    gw_block_pool_init(&pool);
    struct gw_slice kept = read_into(&pool, "kept bytes", true);
    struct gw_block *block = pool.current;
    for (int i = 0; i < 100; i++)
        read_into(&pool, "other bytes, many of them", false);
    assert_true(gw_slice_equal(kept, GW_SLICE("kept bytes")));
    gw_block_unref(block);
    gw_block_pool_free(&pool);
}

static void many_kept_slices_all_stay_as_they_were(void **state)
{
    enum { SLICES = 300 };
    static struct gw_slice slices[SLICES];
    static struct gw_block *blocks[SLICES];
    (void)state;
    struct gw_block_pool pool;
    gw_block_pool_init(&pool);
    for (unsigned i = 0; i < SLICES; i++) {
        char *at;
        size_t room = gw_block_pool_room(&pool, &at), length = 1 + (i * 7919) % 4096;
        assert_true(room >= 16 * 1024);
        memset(at, (int)i, length);
        blocks[i] = gw_block_ref(pool.current);
        slices[i] = gw_slice_of(at, length);
        gw_block_pool_read(&pool, length);
    }
    for (unsigned i = 0; i < SLICES; i++)
        for (size_t n = 0; n < slices[i].length; n++)
            assert_int_equal((unsigned char)slices[i].at[n], (unsigned char)i);
    for (unsigned i = 0; i < SLICES; i++)
        gw_block_unref(blocks[i]);
    gw_block_pool_free(&pool);
}

static void a_block_that_everybody_let_go_is_used_from_its_start(void **state)
{
    (void)state;
    struct gw_block_pool pool;
    gw_block_pool_init(&pool);
    struct gw_slice first = read_into(&pool, "first", true);
    struct gw_block *block = pool.current;
    struct gw_slice second = read_into(&pool, "second", false);
    assert_ptr_equal(second.at, first.at + first.length);
    gw_block_unref(block);
    struct gw_slice third = read_into(&pool, "third", false);
    assert_ptr_equal(third.at, first.at);
    gw_block_pool_free(&pool);
}

static void a_full_block_is_left_and_comes_back_when_dropped(void **state)
{
    (void)state;
    struct gw_block_pool pool;
    char *at;
    gw_block_pool_init(&pool);
    size_t room = gw_block_pool_room(&pool, &at);
    assert_int_equal(room, GW_BLOCK_BYTES);
    struct gw_block *full = gw_block_ref(pool.current);
    gw_block_pool_read(&pool, room - 100); /* less room than a read wants */
    assert_int_equal(gw_block_pool_room(&pool, &at), GW_BLOCK_BYTES);
    assert_ptr_not_equal(pool.current, full);
    assert_int_equal(pool.free.count, 0);
    gw_block_unref(full);
    assert_int_equal(pool.free.count, 1);
    struct gw_block *other = gw_block_ref(pool.current);
    gw_block_pool_read(&pool, room);
    assert_int_equal(gw_block_pool_room(&pool, &at), GW_BLOCK_BYTES);
    assert_ptr_equal(pool.current, full); /* used again */
    assert_int_equal(pool.free.count, 0);
    gw_block_unref(other);
    gw_block_pool_free(&pool);
}

static void the_pool_keeps_a_bounded_number_of_free_blocks(void **state)
{
    enum { BLOCKS = 200 };
    static struct gw_block *blocks[BLOCKS];
    (void)state;
    struct gw_block_pool pool;
    char *at;
    gw_block_pool_init(&pool);
    for (unsigned i = 0; i < BLOCKS; i++) {
        size_t room = gw_block_pool_room(&pool, &at);
        blocks[i] = gw_block_ref(pool.current);
        gw_block_pool_read(&pool, room);
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        gw_block_unref(blocks[i]);
    assert_true(pool.free.count > 0 && pool.free.count <= 64);
    gw_block_pool_free(&pool);
    assert_int_equal(pool.free.count, 0);
}

static void a_block_of_its_own_goes_with_its_last_holder(void **state)
{
    (void)state;
    struct gw_block *block = gw_block_create(10);
    assert_non_null(block);
    assert_int_equal(block->capacity, 10);
    memset(block->bytes, 'x', 10);
    assert_ptr_equal(gw_block_ref(block), block);
    gw_block_unref(block);
    assert_int_equal(block->bytes[9], 'x'); /* still there */
    gw_block_unref(block);
    gw_block_unref(NULL);
    assert_null(gw_block_ref(NULL));
}

static void *share_and_drop(void *context)
{
    struct gw_block *block = context;
    for (int i = 0; i < 10000; i++) {
        gw_block_ref(block);
        assert_true(block->bytes[i % 100] == 'x');
        gw_block_unref(block);
    }
    gw_block_unref(block);
    return NULL;
}

static void threads_may_share_and_drop_a_block_without_pool(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct gw_block *block = gw_block_create(100);
    memset(block->bytes, 'x', 100);
    for (unsigned i = 0; i < GW_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, share_and_drop, gw_block_ref(block)), 0);
    gw_block_unref(block); /* the last reference frees it: ASan would see a leak, TSan a race */
    for (unsigned i = 0; i < GW_COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_without_a_reference_are_overwritten_in_place),
        cmocka_unit_test(bytes_with_a_reference_are_not_overwritten),
        cmocka_unit_test(many_kept_slices_all_stay_as_they_were),
        cmocka_unit_test(a_block_that_everybody_let_go_is_used_from_its_start),
        cmocka_unit_test(a_full_block_is_left_and_comes_back_when_dropped),
        cmocka_unit_test(the_pool_keeps_a_bounded_number_of_free_blocks),
        cmocka_unit_test(a_block_of_its_own_goes_with_its_last_holder),
        cmocka_unit_test(threads_may_share_and_drop_a_block_without_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
