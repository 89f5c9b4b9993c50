#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/base.h"
#include "base/hash.h"
#include "base/random.h"

static void equal_bytes_and_seed_give_an_equal_hash_wherever_they_lie(void **state)
{
    (void)state;
    char memory[80] = { 0 };
    for (size_t length = 0; length <= 40; length++) {
        for (size_t i = 0; i < length; i++)
            memory[i] = (char)(i * 7 + 1);
        uint64_t hash = gw_hash(memory, length, 42);
        for (size_t shift = 1; shift < 9; shift++) { /* not aligned */
            memmove(memory + shift, memory + shift - 1, length);
            assert_true(gw_hash(memory + shift, length, 42) == hash);
        }
    }
    assert_true(gw_hash(NULL, 0, 1) == gw_hash("x", 0, 1));
}

static void every_byte_the_length_and_the_seed_count(void **state)
{
    (void)state;
    char bytes[40] = { 0 };
    for (size_t length = 0; length <= sizeof bytes; length++) {
        uint64_t hash = gw_hash(bytes, length, 42);
        assert_true(gw_hash(bytes, length, 43) != hash);
        if (length < sizeof bytes)
            assert_true(gw_hash(bytes, length + 1, 42) != hash); /* one more zero byte */
        for (size_t i = 0; i < length; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                bytes[i] ^= (char)(1u << bit);
                assert_true(gw_hash(bytes, length, 42) != hash);
                bytes[i] ^= (char)(1u << bit);
            }
        }
    }
}

/* Fixed seeds: the outcome is always the same. 64 slots, 6400 keys: each gets 100, about. */
static void keys_that_differ_little_spread_evenly(void **state)
{
    static const uint64_t seeds[] = { 0, 1, UINT64_MAX, 0x123456789abcdef };
    (void)state;
    for (size_t s = 0; s < GW_COUNT(seeds); s++) {
        unsigned low[64] = { 0 }, high[64] = { 0 };
        for (uint32_t key = 0; key < 6400; key++) {
            uint64_t hash = gw_hash(&key, sizeof key, seeds[s]);
            low[hash % 64]++;
            high[hash >> 58]++;
        }
        for (unsigned i = 0; i < 64; i++) {
            assert_in_range(low[i], 50, 160);
            assert_in_range(high[i], 50, 160);
        }
    }
}

/* Keys that share a slot under one seed do not share it under another. */
static void keys_of_one_slot_part_under_another_seed(void **state)
{
    (void)state;
    unsigned together = 0, still = 0;
    for (uint64_t key = 0; together < 1000; key++) {
        if (gw_hash(&key, sizeof key, 1) % 64 != 0)
            continue;
        together++;
        still += gw_hash(&key, sizeof key, 2) % 64 == 0;
    }
    assert_in_range(still, 2, 50); /* 16 by chance */
}

static void random_numbers_do_not_repeat_and_use_every_bit(void **state)
{
    (void)state;
    struct gw_random one, other;
    gw_random_init(&one);
    gw_random_init(&other);
    uint64_t all_or = 0, all_and = UINT64_MAX;
    for (int i = 0; i < 1000; i++) {
        uint64_t number = gw_random_next(&one);
        assert_true(number != gw_random_next(&other)); /* once in 2^54 runs of this test */
        all_or |= number;
        all_and &= number;
    }
    assert_true(all_or == UINT64_MAX && all_and == 0);
    assert_true(gw_random_seed() != gw_random_seed());
}

static void the_same_state_gives_the_same_numbers(void **state)
{
    (void)state;
    /* xoshiro256**, from its authors' reference: state 1, 2, 3, 4 */
    static const uint64_t expected[] = { 11520, 0, 1509978240, 1215971899390074240u };
    struct gw_random random = { { 1, 2, 3, 4 } };
    for (size_t i = 0; i < GW_COUNT(expected); i++)
        assert_true(gw_random_next(&random) == expected[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_bytes_and_seed_give_an_equal_hash_wherever_they_lie),
        cmocka_unit_test(every_byte_the_length_and_the_seed_count),
        cmocka_unit_test(keys_that_differ_little_spread_evenly),
        cmocka_unit_test(keys_of_one_slot_part_under_another_seed),
        cmocka_unit_test(random_numbers_do_not_repeat_and_use_every_bit),
        cmocka_unit_test(the_same_state_gives_the_same_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
