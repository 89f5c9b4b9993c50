#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/chain.h"

static struct gw_block *block_of(size_t bytes, char first)
{
    struct gw_block *block = gw_block_create(bytes);
    assert_non_null(block);
    for (size_t i = 0; i < bytes; i++)
        block->bytes[i] = (char)(first + i % 7);
    return block;
}

static void an_empty_chain_is_all_zero_and_takes_nothing_for_nothing(void **state)
{
    (void)state;
    struct gw_chain chain = { 0 };
    assert_true(gw_chain_push(&chain, GW_NO_SLICE, NULL));
    assert_true(gw_chain_push(&chain, GW_SLICE(""), NULL));
    assert_int_equal(chain.count, 0);
    assert_null(chain.pieces);
    gw_chain_consume(&chain, 0);
    gw_chain_free(&chain);
}

static void a_short_piece_is_copied_and_keeps_only_its_own_size(void **state)
{
    (void)state;
    struct gw_chain chain = { 0 };
    struct gw_block *block = block_of(GW_BLOCK_BYTES, 'a');
    assert_true(gw_chain_push(&chain, gw_slice_of(block->bytes, 2047), block));
    assert_int_equal(atomic_load(&block->refs), 1);
    assert_int_equal(chain.kept_bytes, 2047);
    block->bytes[0] = '!';
    assert_int_equal(gw_chain_at(&chain, 0)->bytes.at[0], 'a');
    gw_chain_free(&chain);
    gw_block_unref(block);
}

static void a_long_piece_goes_by_reference_and_keeps_its_whole_block(void **state)
{
    (void)state;
    struct gw_chain chain = { 0 };
    struct gw_block *block = block_of(GW_BLOCK_BYTES, 'a');
    assert_true(gw_chain_push(&chain, gw_slice_of(block->bytes + 10, 2048), block));
    assert_int_equal(atomic_load(&block->refs), 2);
    assert_ptr_equal(gw_chain_at(&chain, 0)->bytes.at, block->bytes + 10);
    assert_int_equal(chain.length, 2048);
    assert_int_equal(chain.kept_bytes, GW_BLOCK_BYTES);
    gw_chain_free(&chain);
    assert_int_equal(atomic_load(&block->refs), 1);
    gw_block_unref(block);
}

static void a_piece_without_block_is_copied_however_long(void **state)
{
    (void)state;
    struct gw_chain chain = { 0 };
    char bytes[5000];
    memset(bytes, 'x', sizeof bytes);
    assert_true(gw_chain_push(&chain, gw_slice_of(bytes, sizeof bytes), NULL));
    memset(bytes, 'y', sizeof bytes);
    struct gw_piece *piece = gw_chain_at(&chain, 0);
    assert_int_equal(piece->bytes.length, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(piece->bytes.at[i], 'x');
    assert_int_equal(chain.kept_bytes, sizeof bytes);
    gw_chain_free(&chain);
}

static void consuming_goes_across_pieces_and_lets_their_blocks_go(void **state)
{
    (void)state;
    struct gw_chain chain = { 0 };
    struct gw_block *blocks[3];
    for (unsigned i = 0; i < 3; i++) {
        blocks[i] = block_of(4096, (char)('a' + i * 7));
        assert_true(gw_chain_push(&chain, gw_slice_of(blocks[i]->bytes, 3000), blocks[i]));
    }
    assert_int_equal(chain.length, 9000);
    assert_int_equal(chain.kept_bytes, 3 * 4096);

    gw_chain_consume(&chain, 1000); /* within the first */
    assert_int_equal(chain.count, 3);
    assert_int_equal(chain.kept_bytes, 3 * 4096); /* a block is kept whole */
    assert_ptr_equal(gw_chain_at(&chain, 0)->bytes.at, blocks[0]->bytes + 1000);

    gw_chain_consume(&chain, 2000); /* just to its end */
    assert_int_equal(chain.count, 2);
    assert_int_equal(chain.kept_bytes, 2 * 4096);
    assert_int_equal(atomic_load(&blocks[0]->refs), 1);
    assert_ptr_equal(gw_chain_at(&chain, 0)->bytes.at, blocks[1]->bytes);

    gw_chain_consume(&chain, 3500); /* the second, and into the third */
    assert_int_equal(chain.count, 1);
    assert_int_equal(chain.length, 2500);
    assert_int_equal(chain.kept_bytes, 4096);
    assert_ptr_equal(gw_chain_at(&chain, 0)->bytes.at, blocks[2]->bytes + 500);

    gw_chain_consume(&chain, 2500);
    assert_int_equal(chain.count, 0);
    assert_int_equal(chain.length, 0);
    assert_int_equal(chain.kept_bytes, 0);
    for (unsigned i = 0; i < 3; i++)
        gw_block_unref(blocks[i]);
    gw_chain_free(&chain);
}

/* Pushed and consumed at odd sizes through many turns of the ring: what comes out is what went in, in order. */
static void bytes_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct gw_chain chain = { 0 };
    uint64_t in = 0, out = 0;
    unsigned seed = 12345;
    while (in < 2000000) {
        seed = seed * 1103515245 + 12345;
        size_t length = seed / 65536 % 5000;
        struct gw_block *fresh = gw_block_create(8192);
        for (size_t i = 0; i < length; i++)
            fresh->bytes[i] = (char)((in + i) * 31 % 251);
        assert_true(gw_chain_push(&chain, gw_slice_of(fresh->bytes, length), seed & 1 ? fresh : NULL));
        gw_block_unref(fresh);
        in += length;
        size_t wanted = seed / 7 % 6000;
        for (size_t taken = wanted < chain.length ? wanted : chain.length; taken;) {
            struct gw_piece *piece = gw_chain_at(&chain, 0);
            size_t step = piece->bytes.length < taken ? piece->bytes.length : taken;
            for (size_t i = 0; i < step; i++)
                assert_int_equal((unsigned char)piece->bytes.at[i], (out + i) * 31 % 251);
            gw_chain_consume(&chain, step);
            out += step;
            taken -= step;
        }
        assert_int_equal(chain.length, in - out);
    }
    gw_chain_free(&chain);
    assert_int_equal(chain.length, 0);
    assert_int_equal(chain.kept_bytes, 0);
}

static void a_freed_chain_may_be_used_again(void **state)
{
    (void)state;
    struct gw_chain chain = { 0 };
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++)
            assert_true(gw_chain_push(&chain, GW_SLICE("bytes"), NULL));
        assert_int_equal(chain.length, 50);
        gw_chain_free(&chain);
        assert_int_equal(chain.length, 0);
        assert_null(chain.pieces);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_chain_is_all_zero_and_takes_nothing_for_nothing),
        cmocka_unit_test(a_short_piece_is_copied_and_keeps_only_its_own_size),
        cmocka_unit_test(a_long_piece_goes_by_reference_and_keeps_its_whole_block),
        cmocka_unit_test(a_piece_without_block_is_copied_however_long),
        cmocka_unit_test(consuming_goes_across_pieces_and_lets_their_blocks_go),
        cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_freed_chain_may_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
