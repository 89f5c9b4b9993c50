#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>
#include "base/base.h"
#include "server/listener.h"

enum { WORKERS = 3 };

static struct gw_listen at(const char *host, unsigned port)
{
    return (struct gw_listen) { .host = gw_slice_of_string(host), .port = (uint16_t)port };
}

static void configure(struct gw_config *config, struct gw_listen *listens, unsigned count)
{
    memset(config, 0, sizeof *config);
    config->listens = listens;
    config->listen_count = count;
    config->workers = WORKERS;
    config->backlog = 16;
}

static unsigned open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static int connects_to(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int result = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    close(fd);
    return result;
}

static void port_0_gives_a_port_that_all_workers_share(void **state)
{
    (void)state;
    struct gw_listen listens[] = { at("127.0.0.1", 0) };
    struct gw_config config;
    struct gw_listeners listeners;
    struct gw_complaint complaint;
    unsigned before = open_descriptors();
    configure(&config, listens, 1);
    assert_true(gw_listeners_open(&listeners, &config, &complaint));
    assert_int_equal(listeners.count, 1);
    assert_false(listeners.items[0].is_admin);
    assert_int_equal(listeners.items[0].count, WORKERS);
    assert_int_not_equal(listeners.items[0].address.port, 0);
    assert_int_equal(listens[0].port, 0); /* the configuration stays */
    for (unsigned i = 0; i < WORKERS; i++) {
        struct sockaddr_in bound;
        socklen_t length = sizeof bound;
        assert_int_equal(getsockname(listeners.items[0].sockets[i], (struct sockaddr *)&bound, &length), 0);
        assert_int_equal(ntohs(bound.sin_port), listeners.items[0].address.port);
    }
    gw_listeners_close(&listeners);
    assert_int_equal(open_descriptors(), before);
}

static void a_worker_that_took_its_socket_closes_it_itself(void **state)
{
    (void)state;
    struct gw_listen listens[] = { at("127.0.0.1", 0) };
    struct gw_config config;
    struct gw_listeners listeners;
    struct gw_complaint complaint;
    configure(&config, listens, 1);
    assert_true(gw_listeners_open(&listeners, &config, &complaint));
    int taken = listeners.items[0].sockets[1];
    listeners.items[0].sockets[1] = -1;
    gw_listeners_close(&listeners);
    assert_int_equal(close(taken), 0);
}

static void a_port_in_use_is_a_complaint_that_names_it(void **state)
{
    (void)state;
    struct gw_config config;
    struct gw_listeners listeners;
    struct gw_complaint complaint;
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(getsockname(other, (struct sockaddr *)&address, &length), 0);
    struct gw_listen listens[] = { at("127.0.0.1", 0), at("127.0.0.1", ntohs(address.sin_port)) };
    unsigned before = open_descriptors();
    configure(&config, listens, 2);
    assert_false(gw_listeners_open(&listeners, &config, &complaint));
    char place[64];
    snprintf(place, sizeof place, "cannot listen on 127.0.0.1 port %u", ntohs(address.sin_port));
    assert_string_equal(complaint.place, place);
    assert_non_null(strstr(complaint.found, "in use"));
    assert_non_null(strstr(complaint.expected, "GATEWAY_PORT"));
    assert_int_equal(listeners.count, 0); /* the first address is not held either */
    assert_int_equal(open_descriptors(), before);
    close(other);
}

static void a_second_gateway_on_the_same_port_is_refused(void **state)
{
    (void)state;
    struct gw_listen listens[] = { at("127.0.0.1", 0) }, again[1];
    struct gw_config config;
    struct gw_listeners first, second;
    struct gw_complaint complaint;
    configure(&config, listens, 1);
    assert_true(gw_listeners_open(&first, &config, &complaint));
    again[0] = at("127.0.0.1", first.items[0].address.port);
    configure(&config, again, 1);
    assert_false(gw_listeners_open(&second, &config, &complaint)); /* though SO_REUSEPORT would share it */
    assert_int_equal(second.count, 0);
    gw_listeners_close(&first);
    assert_true(gw_listeners_open(&second, &config, &complaint)); /* free again at once */
    gw_listeners_close(&second);
}

static void clients_are_queued_from_the_moment_the_port_is_held(void **state)
{
    (void)state;
    struct gw_listen listens[] = { at("127.0.0.1", 0) };
    struct gw_config config;
    struct gw_listeners listeners;
    struct gw_complaint complaint;
    configure(&config, listens, 1);
    assert_true(gw_listeners_open(&listeners, &config, &complaint));
    unsigned port = listeners.items[0].address.port;
    for (int i = 0; i < 10; i++)
        assert_int_equal(connects_to(port), 0);
    gw_listeners_close(&listeners);
    assert_int_equal(connects_to(port), ECONNREFUSED);
}

static void an_address_of_no_interface_is_a_complaint_unless_another_is_left(void **state)
{
    (void)state;
    struct gw_config config;
    struct gw_listeners listeners;
    struct gw_complaint complaint;
    struct gw_listen alone[] = { at("240.0.0.1", 0) }; /* reserved: nobody's */
    configure(&config, alone, 1);
    assert_false(gw_listeners_open(&listeners, &config, &complaint));
    assert_non_null(strstr(complaint.expected, "an address of this machine"));
    struct gw_listen before[] = { at("240.0.0.1", 0), at("127.0.0.1", 0) };
    configure(&config, before, 2);
    assert_true(gw_listeners_open(&listeners, &config, &complaint));
    assert_int_equal(listeners.count, 1);
    gw_listeners_close(&listeners);
    struct gw_listen after[] = { at("127.0.0.1", 0), at("240.0.0.1", 0) };
    configure(&config, after, 2);
    assert_true(gw_listeners_open(&listeners, &config, &complaint));
    assert_int_equal(listeners.count, 1);
    gw_listeners_close(&listeners);
    struct gw_listen none[] = { at("240.0.0.1", 0), at("240.0.0.2", 0) };
    configure(&config, none, 2);
    assert_false(gw_listeners_open(&listeners, &config, &complaint));
}

static void the_admin_address_is_marked_and_never_left_out(void **state)
{
    (void)state;
    struct gw_config config;
    struct gw_listeners listeners;
    struct gw_complaint complaint;
    struct gw_listen listens[] = { at("127.0.0.1", 0) }, admin = at("127.0.0.1", 0), nobodys = at("240.0.0.1", 0);
    configure(&config, listens, 1);
    config.admin_listen = &admin;
    assert_true(gw_listeners_open(&listeners, &config, &complaint));
    assert_int_equal(listeners.count, 2);
    assert_true(!listeners.items[0].is_admin && listeners.items[1].is_admin);
    assert_int_not_equal(listeners.items[0].address.port, listeners.items[1].address.port);
    gw_listeners_close(&listeners);
    config.admin_listen = &nobodys;
    assert_false(gw_listeners_open(&listeners, &config, &complaint));
    assert_non_null(strstr(complaint.place, "240.0.0.1"));
}

static void more_addresses_than_there_is_room_for_are_a_complaint(void **state)
{
    (void)state;
    struct gw_config config;
    struct gw_listeners listeners;
    struct gw_complaint complaint;
    struct gw_listen listens[GW_LISTENERS_MOST + 1];
    for (unsigned i = 0; i < GW_COUNT(listens); i++)
        listens[i] = at("127.0.0.1", 0);
    unsigned before = open_descriptors();
    configure(&config, listens, GW_COUNT(listens));
    for (int stale = 0; stale < 2; stale++) {
        errno = stale ? EADDRNOTAVAIL : 0; /* of something long ago */
        assert_false(gw_listeners_open(&listeners, &config, &complaint));
        assert_int_equal(open_descriptors(), before);
    }
    configure(&config, listens, GW_LISTENERS_MOST);
    assert_true(gw_listeners_open(&listeners, &config, &complaint));
    gw_listeners_close(&listeners);
}

static void an_ipv6_address_takes_no_ipv4_clients(void **state)
{
    (void)state;
    struct gw_config config;
    struct gw_listeners listeners;
    struct gw_complaint complaint;
    struct gw_listen listens[] = { at("::", 0) };
    configure(&config, listens, 1);
    if (!gw_listeners_open(&listeners, &config, &complaint))
        skip(); /* a machine without IPv6 */
    uint16_t port = listeners.items[0].address.port;
    struct gw_listen both[] = { at("0.0.0.0", port) };
    struct gw_listeners other;
    configure(&config, both, 1);
    assert_true(gw_listeners_open(&other, &config, &complaint)); /* the same port, side by side */
    gw_listeners_close(&other);
    gw_listeners_close(&listeners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_0_gives_a_port_that_all_workers_share),
        cmocka_unit_test(a_worker_that_took_its_socket_closes_it_itself),
        cmocka_unit_test(a_port_in_use_is_a_complaint_that_names_it),
        cmocka_unit_test(a_second_gateway_on_the_same_port_is_refused),
        cmocka_unit_test(clients_are_queued_from_the_moment_the_port_is_held),
        cmocka_unit_test(an_address_of_no_interface_is_a_complaint_unless_another_is_left),
        cmocka_unit_test(the_admin_address_is_marked_and_never_left_out),
        cmocka_unit_test(more_addresses_than_there_is_room_for_are_a_complaint),
        cmocka_unit_test(an_ipv6_address_takes_no_ipv4_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
