/* rediss:// when no session is made: the session of each attempt is freed once, whether hiredis or the store owns
 * it. */
#include "unit/store/scene.h"

#ifndef GW_HAVE_REDIS_TLS

static void hiredis_has_no_tls_here(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(hiredis_has_no_tls_here) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ATTEMPTS = 4 };

/* OpenSSL's own report on each session: made and freed. */
static unsigned made, freed;

static void on_made(void *session, void *data, CRYPTO_EX_DATA *all, int index, long number, void *pointer)
{
    (void)session, (void)data, (void)all, (void)index, (void)number, (void)pointer;
    made++;
}

static void on_freed(void *session, void *data, CRYPTO_EX_DATA *all, int index, long number, void *pointer)
{
    (void)session, (void)data, (void)all, (void)index, (void)number, (void)pointer;
    freed++;
}

static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(fd, 16), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* How a server that is no TLS server treats a connection. */
struct peer {
    bool listens, accepts, closes;
    const char *says;
};

static void serve(const struct peer *peer, int listener, int *held)
{
    int fd = peer->accepts ? accept4(listener, NULL, NULL, SOCK_NONBLOCK) : -1;
    if (fd < 0)
        return;
    if (*held >= 0)
        close(*held);
    *held = fd;
    if (peer->says)
        assert_int_equal(send(fd, peer->says, strlen(peer->says), MSG_NOSIGNAL), (ssize_t)strlen(peer->says));
    if (peer->closes) {
        close(fd);
        *held = -1;
    }
}

static void an_attempt_that_fails_leaves_no_session_and_no_error_behind(void **state)
{
    static const struct peer rows[] = {
        { 0 },                                                                /* silent: ended by the connect timeout */
        { .listens = true },                                                  /* silent: the connect timeout ends it */
        { .listens = true, .accepts = true, .closes = true },                 /* ends at once */
        { .listens = true, .accepts = true, .says = "-ERR plain Redis\r\n" }, /* plain Redis, which then waits */
        { .listens = true, .accepts = true, .closes = true, .says = "HTTP/1.1 400 Bad Request\r\n\r\n" },
        { .listens = true, .accepts = true, .says = "\x15\x03\x01\x00\x02\x02\x28" }, /* TLS: handshake_failure */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        char url[64];
        uint16_t port;
        int listener = listen_anywhere(&port), held = -1;
        if (!rows[i].listens)
            close(listener);
        made = freed = 0;
        snprintf(url, sizeof(url), "rediss://127.0.0.1:%u", port);
        scene_open(&scene, url, "\"connect_timeout\": \"100ms\",", "");
        scene_open_store(&scene);
        uint64_t until_us = gw_clock_monotonic_us() + 20000000;
        while (made < ATTEMPTS) {
            if (gw_clock_monotonic_us() > until_us)
                fail_msg("row %zu: %u attempts", i, made);
            serve(&rows[i], listener, &held);
            uv_run(&scene.loop, UV_RUN_ONCE);
            assert_true(made - freed <= 1); /* the attempt under way */
            assert_int_equal(ERR_peek_error(), 0);
        }
        assert_true(gw_breaker_is_open(&scene.breaker));
        scene_close(&scene);
        assert_int_equal(made, freed);
        if (held >= 0)
            close(held);
        if (rows[i].listens)
            close(listener);
    }
}

/* RFC 6066 §3: a server with several names chooses its certificate by the client's name; an address is no name. */
static void the_first_message_names_the_server_where_it_has_a_name(void **state)
{
    static const struct {
        const char *host;
        bool is_named;
    } rows[] = { { "localhost", true }, { "127.0.0.1", false } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        char url[64], bytes[4096];
        uint16_t port;
        int listener = listen_anywhere(&port), client = -1;
        ssize_t length = 0;
        snprintf(url, sizeof(url), "rediss://%s:%u", rows[i].host, port);
        scene_open(&scene, url, "\"connect_timeout\": \"10s\",", "");
        scene_open_store(&scene);
        uint64_t until_us = gw_clock_monotonic_us() + 20000000;
        while (length <= 0) {
            if (gw_clock_monotonic_us() > until_us)
                fail_msg("row %zu: nothing came", i);
            client = client < 0 ? accept4(listener, NULL, NULL, SOCK_NONBLOCK) : client;
            length = client < 0 ? 0 : recv(client, bytes, sizeof(bytes), 0);
            uv_run(&scene.loop, UV_RUN_NOWAIT);
        }
        assert_int_equal(bytes[0], 0x16); /* a handshake */
        assert_int_equal(memmem(bytes, (size_t)length, rows[i].host, strlen(rows[i].host)) != NULL, rows[i].is_named);
        scene_close(&scene);
        close(client);
        close(listener);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_that_fails_leaves_no_session_and_no_error_behind),
        cmocka_unit_test(the_first_message_names_the_server_where_it_has_a_name),
    };
    (void)SSL_get_ex_new_index(0, NULL, on_made, NULL, on_freed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
