#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "base/buffer.h"
#include "limit/digest.h"

static void assert_digest(struct gw_digest *digest, struct gw_slice value, const char *expected)
{
    uint8_t bytes[GW_DIGEST_BYTES];
    char memory[2 * GW_DIGEST_BYTES + 1] = "";
    struct gw_buffer hex = gw_buffer_over(memory, sizeof memory - 1);
    assert_true(gw_digest_sha256(digest, value, bytes));
    gw_buffer_put_hex(&hex, bytes, sizeof bytes);
    assert_string_equal(memory, expected);
}

static void values_are_digested_as_fips_180_4_says(void **state)
{
    (void)state;
    struct gw_digest *digest = gw_digest_create();
    assert_non_null(digest);
    for (unsigned i = 0; i < 3; i++) { /* the kept context begins anew */
        assert_digest(digest, GW_SLICE("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_digest(digest, GW_SLICE(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_digest(digest, GW_SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    gw_digest_destroy(&digest);
    assert_null(digest);
}

/* More threads than slots, so some share one. */
enum { THREADS = GW_DIGEST_SLOTS + 4 };

static void *digest_often(void *context)
{
    uintptr_t same = 0;
    for (unsigned i = 0; i < 500; i++) {
        uint8_t bytes[GW_DIGEST_BYTES];
        same += gw_digest_sha256(context, GW_SLICE("abc"), bytes) && bytes[0] == 0xba && bytes[31] == 0xad;
    }
    return (void *)same;
}

static void threads_that_share_a_context_wait_for_each_other(void **state)
{
    (void)state;
    struct gw_digest *digest = gw_digest_create();
    pthread_t threads[THREADS];
    assert_non_null(digest);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, digest_often, digest), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *same;
        pthread_join(threads[i], &same);
        assert_int_equal((uintptr_t)same, 500);
    }
    gw_digest_destroy(&digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_digested_as_fips_180_4_says),
        cmocka_unit_test(threads_that_share_a_context_wait_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
