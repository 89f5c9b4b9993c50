/* A test's own redis-server: on a free port and a socket in a directory of its own. */
#ifndef TESTS_UNIT_STORE_REAL_H
#define TESTS_UNIT_STORE_REAL_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "unit/store/scene.h"

struct real {
    pid_t pid;
    uint16_t port;
    char directory[64], socket[96], url[64], socket_url[128];
    bool is_tls;         /* the port is; its certificate is for localhost, made in the directory */
    redisContext *admin; /* a person at redis-cli */
};

static inline bool real_is_installed(void)
{
    return system("command -v redis-server >/dev/null 2>&1") == 0;
}

static inline void real_connect(struct real *real)
{
    struct timeval limit = { .tv_sec = 5 };
    for (unsigned i = 0; i < 500; i++) {
        if (real->admin)
            redisFree(real->admin);
        real->admin = redisConnectUnixWithTimeout(real->socket, limit);
        redisReply *reply = real->admin && !real->admin->err ? redisCommand(real->admin, "PING") : NULL;
        bool is_ready = reply && (reply->type == REDIS_REPLY_STATUS || strncmp(reply->str, "NOAUTH", 6) == 0);
        if (reply)
            freeReplyObject(reply);
        if (is_ready) {
            redisSetTimeout(real->admin, limit);
            return;
        }
        usleep(10000);
    }
    fail_msg("redis-server does not start");
}

/* Again on the same port and socket. */
static inline void real_run(struct real *real)
{
    char port[8], certificate[96], key[96];
    snprintf(port, sizeof(port), "%u", real->port);
    snprintf(certificate, sizeof(certificate), "%s/cert.pem", real->directory);
    snprintf(key, sizeof(key), "%s/key.pem", real->directory);
    real->pid = fork();
    if (real->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a test fails */
        int nowhere = open("/dev/null", O_RDWR);
        dup2(nowhere, 1);
        dup2(nowhere, 2);
        execlp("redis-server", "redis-server", real->is_tls ? "--tls-port" : "--port", port, "--bind", "127.0.0.1",
               "--unixsocket", real->socket, "--dir", real->directory, "--save", "", "--appendonly", "no",
               "--daemonize", "no", "--loglevel", "warning", "--logfile", "redis.log",
               real->is_tls ? "--tls-cert-file" : NULL, certificate, "--tls-key-file", key, "--tls-ca-cert-file",
               certificate, "--tls-auth-clients", "no", NULL);
        _exit(127);
    }
    assert_true(real->pid > 0);
    real_connect(real);
}

static inline void real_start_as(struct real *real, bool is_tls)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(real, 0, sizeof(*real));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    real->port = ntohs(address.sin_port);
    snprintf(real->directory, sizeof(real->directory), "/tmp/gw-store-XXXXXX");
    assert_non_null(mkdtemp(real->directory));
    snprintf(real->socket, sizeof(real->socket), "%s/s", real->directory);
    snprintf(real->url, sizeof(real->url), "redis://127.0.0.1:%u", real->port);
    snprintf(real->socket_url, sizeof(real->socket_url), "unix://%s", real->socket);
    real->is_tls = is_tls;
    if (is_tls) {
        char command[512];
        snprintf(
            command, sizeof(command),
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=DNS:localhost "
            "-keyout %s/key.pem -out %s/cert.pem 2>/dev/null",
            real->directory, real->directory);
        assert_int_equal(system(command), 0);
    }
    real_run(real);
}

static inline void real_start(struct real *real)
{
    real_start_as(real, false);
}

static inline void real_kill(struct real *real)
{
    kill(real->pid, SIGKILL);
    waitpid(real->pid, NULL, 0);
}

static inline void real_stop(struct real *real)
{
    char command[128];
    real_kill(real);
    redisFree(real->admin);
    snprintf(command, sizeof(command), "rm -rf %s", real->directory);
    assert_int_equal(system(command), 0);
}

/* Redis' answer as text; valid until the next question. */
static inline const char *ask_real(struct real *real, const char *command)
{
    static char text[65536];
    redisReply *reply = redisCommand(real->admin, command);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_INTEGER)
        snprintf(text, sizeof(text), "%lld", reply->integer);
    else
        snprintf(text, sizeof(text), "%s", reply->str ? reply->str : "");
    freeReplyObject(reply);
    return text;
}

#endif
