#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"

enum { FIRST = 256, BOUND = 1024 };

static struct gw_arena fresh(void)
{
    struct gw_arena arena;
    gw_arena_init(&arena, FIRST, BOUND);
    return arena;
}

static void every_piece_is_aligned_for_any_type(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    for (size_t size = 0; size < 40; size++) {
        char *piece = gw_arena_take(&arena, size);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
        memset(piece, 0x55, size);
    }
    gw_arena_free(&arena);
}

static void two_pieces_never_overlap_even_of_no_bytes(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    char *a = gw_arena_take(&arena, 0), *b = gw_arena_take(&arena, 0), *c = gw_arena_take(&arena, 1);
    assert_true(a && b && c);
    assert_true(a != b && b != c && a != c);
    gw_arena_free(&arena);
}

static void nothing_comes_beyond_the_bound(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    size_t taken = 0;
    char *piece;
    while ((piece = gw_arena_take(&arena, 16)) != NULL) {
        memset(piece, 0xaa, 16);
        taken += 16;
    }
    assert_true(taken >= FIRST);
    assert_true(taken <= FIRST + BOUND);
    assert_null(gw_arena_take(&arena, 1));
    gw_arena_reset(&arena);
    assert_null(gw_arena_take(&arena, BOUND + 1)); /* larger than the first chunk and than the bound */
    assert_null(gw_arena_take(&arena, SIZE_MAX));
    assert_null(gw_arena_take(&arena, SIZE_MAX - 15));
    assert_non_null(gw_arena_take(&arena, BOUND)); /* just the bound */
    gw_arena_free(&arena);
}

static void the_newest_piece_grows_in_place(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    char *before = gw_arena_take(&arena, 16), *piece = gw_arena_take(&arena, 10);
    memcpy(piece, "0123456789", 10);
    char *grown = gw_arena_grow(&arena, piece, 10, 100);
    assert_ptr_equal(grown, piece);
    grown = gw_arena_grow(&arena, grown, 100, 50); /* and shrinks: what follows begins earlier */
    assert_ptr_equal(grown, piece);
    char *next = gw_arena_take(&arena, 16);
    assert_true(next >= piece + 50 && next < piece + 100);
    assert_memory_equal(piece, "0123456789", 10);
    assert_true(before < piece);
    gw_arena_free(&arena);
}

static void an_older_piece_moves_and_keeps_its_bytes(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    char *piece = gw_arena_take(&arena, 10);
    memcpy(piece, "0123456789", 10);
    char *newer = gw_arena_take(&arena, 16);
    memset(newer, 'x', 16);
    char *moved = gw_arena_grow(&arena, piece, 10, 40);
    assert_ptr_not_equal(moved, piece);
    assert_memory_equal(moved, "0123456789", 10);
    memset(moved, 'y', 40);
    for (int i = 0; i < 16; i++)
        assert_int_equal(newer[i], 'x');
    gw_arena_free(&arena);
}

static void a_piece_that_outgrows_its_chunk_moves_to_a_new_one(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    char *piece = gw_arena_take(&arena, 200);
    memset(piece, 'p', 200);
    char *moved = gw_arena_grow(&arena, piece, 200, 600);
    assert_non_null(moved);
    for (int i = 0; i < 200; i++)
        assert_int_equal(moved[i], 'p');
    memset(moved, 'q', 600);
    gw_arena_free(&arena);
}

static void a_piece_that_cannot_grow_stays_valid(void **state)
{
    static const size_t too_much[] = { FIRST + BOUND, SIZE_MAX / 2, SIZE_MAX - 16, SIZE_MAX - 14, SIZE_MAX };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(too_much); i++) {
        struct gw_arena arena = fresh();
        char *piece = gw_arena_take(&arena, 10);
        memcpy(piece, "0123456789", 10);
        assert_null(gw_arena_grow(&arena, piece, 10, too_much[i]));
        char *next = gw_arena_take(&arena, 10);
        memset(next, 'x', 10);
        assert_memory_equal(piece, "0123456789", 10);
        gw_arena_free(&arena);
    }
}

static void no_piece_grows_to_a_new_one(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    char *piece = gw_arena_grow(&arena, NULL, 0, 20);
    assert_non_null(piece);
    memset(piece, 'x', 20);
    gw_arena_free(&arena);
}

static void a_reset_arena_begins_again_in_its_first_chunk(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    gw_arena_reset(&arena); /* before anything was taken */
    char *first = gw_arena_take(&arena, 16);
    for (int round = 0; round < 50; round++) {
        gw_arena_reset(&arena);
        assert_ptr_equal(gw_arena_take(&arena, 16), first);
        assert_non_null(gw_arena_take(&arena, BOUND)); /* the bound is whole again each time */
        assert_null(gw_arena_take(&arena, BOUND));
    }
    gw_arena_free(&arena);
}

static void a_freed_arena_may_be_used_again(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    gw_arena_free(&arena); /* never used */
    assert_non_null(gw_arena_take(&arena, 300));
    gw_arena_free(&arena);
    gw_arena_free(&arena);
    assert_non_null(gw_arena_take(&arena, FIRST));
    assert_non_null(gw_arena_take(&arena, BOUND));
    assert_null(gw_arena_take(&arena, 1));
    gw_arena_free(&arena);
}

static void a_copy_is_there_even_of_nothing(void **state)
{
    (void)state;
    struct gw_arena arena = fresh();
    struct gw_slice copy = gw_arena_copy(&arena, GW_SLICE("text")), empty = gw_arena_copy(&arena, GW_NO_SLICE);
    assert_true(gw_slice_equal(copy, GW_SLICE("text")));
    assert_non_null(empty.at); /* told apart from "no memory" */
    assert_int_equal(empty.length, 0);
    char large[FIRST + BOUND] = { 0 };
    assert_null(gw_arena_copy(&arena, gw_slice_of(large, sizeof large)).at);
    gw_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_is_aligned_for_any_type),
        cmocka_unit_test(two_pieces_never_overlap_even_of_no_bytes),
        cmocka_unit_test(nothing_comes_beyond_the_bound),
        cmocka_unit_test(the_newest_piece_grows_in_place),
        cmocka_unit_test(an_older_piece_moves_and_keeps_its_bytes),
        cmocka_unit_test(a_piece_that_outgrows_its_chunk_moves_to_a_new_one),
        cmocka_unit_test(a_piece_that_cannot_grow_stays_valid),
        cmocka_unit_test(no_piece_grows_to_a_new_one),
        cmocka_unit_test(a_reset_arena_begins_again_in_its_first_chunk),
        cmocka_unit_test(a_freed_arena_may_be_used_again),
        cmocka_unit_test(a_copy_is_there_even_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
