/* tls_backend.h: backends for test_transport_curl.c: certificates made on the spot, and a server of a few threads that
 * sends, over TLS or not, what a test wrote down. */
#ifndef TEST_UPSTREAM_TLS_BACKEND_H
#define TEST_UPSTREAM_TLS_BACKEND_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- certificates ---- */

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    char file[64]; /* its certificate, PEM */
};

static void add_extension(X509 *certificate, X509 *issuer, int id, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key, const char *name, const char *alternative, const struct authority *by)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), by ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509 *issuer = by ? by->certificate : certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    add_extension(certificate, issuer, NID_basic_constraints, by ? "CA:FALSE" : "critical,CA:TRUE");
    if (!by)
        add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (alternative)
        add_extension(certificate, issuer, NID_subject_alt_name, alternative);
    X509_sign(certificate, by ? by->key : key, EVP_sha256());
    return certificate;
}

static void make_authority(struct authority *authority, const char *name)
{
    authority->key = EVP_EC_gen("P-256");
    authority->certificate = make_certificate(authority->key, name, NULL, NULL);
    strcpy(authority->file, "/tmp/gw-test-ca-XXXXXX");
    FILE *file = fdopen(mkstemp(authority->file), "w");
    PEM_write_X509(file, authority->certificate);
    fclose(file);
}

static void free_authority(struct authority *authority)
{
    unlink(authority->file);
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
}

/* ---- a backend ---- */

struct peer { /* one connection, as the backend has it */
    struct backend *backend;
    int fd;
    SSL *ssl; /* NULL: plain */
    pthread_t thread;
    char head[4096]; /* the current request's */
    char in[65536];
    size_t in_length, head_length;
    bool is_open;
};

struct backend {
    void (*_Atomic serve)(struct peer *peer); /* one connection, from first byte to last */
    const char *const *_Atomic answers;       /* the answers that `serve` sends */
    atomic_bool says_goodbye;                 /* close_notify at the end */
    SSL_CTX *context;
    bool prefers_http2;
    atomic_int strays; /* serve_stray */
    atomic_bool sends_ticket;

    int fd;
    uint16_t port;
    pthread_t thread;
    struct peer *peers[32];
    atomic_int connections;
    atomic_int requests; /* heads seen */
    atomic_ulong body_bytes, sent_bytes;
    pthread_mutex_t lock;
    char head[4096]; /* the last request's; under the lock */
};

/* A copy of the last request's head; the caller frees it. */
static char *last_head(struct backend *backend)
{
    pthread_mutex_lock(&backend->lock);
    char *head = strdup(backend->head);
    pthread_mutex_unlock(&backend->lock);
    return head;
}

static int peer_read(struct peer *peer, void *to, size_t room)
{
    return peer->ssl ? SSL_read(peer->ssl, to, (int)room) : (int)recv(peer->fd, to, room, 0);
}

static bool peer_say(struct peer *peer, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length) {
        int n = peer->ssl ? SSL_write(peer->ssl, at, (int)length) : (int)send(peer->fd, at, length, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        length -= (size_t)n;
        atomic_fetch_add(&peer->backend->sent_bytes, (unsigned long)n);
    }
    return true;
}

static bool peer_say_text(struct peer *peer, const char *text)
{
    return peer_say(peer, text, strlen(text));
}

static bool peer_more(struct peer *peer)
{
    if (peer->in_length == sizeof(peer->in) - 1)
        return false;
    int n = peer_read(peer, peer->in + peer->in_length, sizeof(peer->in) - 1 - peer->in_length);
    if (n <= 0)
        return false;
    peer->in_length += (size_t)n;
    peer->in[peer->in_length] = '\0';
    return true;
}

static void peer_skip(struct peer *peer, size_t length)
{
    memmove(peer->in, peer->in + length, peer->in_length - length + 1);
    peer->in_length -= length;
}

static bool peer_read_head(struct peer *peer)
{
    const char *end;
    peer->in[peer->in_length] = '\0';
    while (!(end = strstr(peer->in, "\r\n\r\n")))
        if (!peer_more(peer))
            return false;
    size_t length = (size_t)(end - peer->in) + 4;
    snprintf(peer->head, sizeof(peer->head), "%.*s", (int)length, peer->in);
    pthread_mutex_lock(&peer->backend->lock);
    memcpy(peer->backend->head, peer->head, sizeof(peer->head));
    pthread_mutex_unlock(&peer->backend->lock);
    peer_skip(peer, length);
    atomic_fetch_add(&peer->backend->requests, 1);
    return true;
}

static bool peer_read_bytes(struct peer *peer, unsigned long length)
{
    while (length) {
        if (!peer->in_length && !peer_more(peer))
            return false;
        size_t n = peer->in_length < length ? peer->in_length : length;
        peer_skip(peer, n);
        length -= n;
        atomic_fetch_add(&peer->backend->body_bytes, n);
    }
    return true;
}

static bool peer_read_chunks(struct peer *peer)
{
    for (;;) {
        char *end;
        while (!(end = strstr(peer->in, "\r\n")))
            if (!peer_more(peer))
                return false;
        unsigned long length = strtoul(peer->in, NULL, 16);
        peer_skip(peer, (size_t)(end - peer->in) + 2);
        if (!peer_read_bytes(peer, length))
            return false;
        while (peer->in_length < 2)
            if (!peer_more(peer))
                return false;
        peer_skip(peer, 2);
        if (!length)
            return true;
    }
}

static bool peer_read_body(struct peer *peer)
{
    const char *length = strcasestr(peer->head, "\r\nContent-Length: ");
    if (strcasestr(peer->head, "\r\nTransfer-Encoding: chunked"))
        return peer_read_chunks(peer);
    return !length || peer_read_bytes(peer, strtoul(length + 18, NULL, 10));
}

/* Reads request after request and sends the given answers; at the NULL it has read one more request, and hangs up. */
static void serve_answers(struct peer *peer)
{
    for (const char *const *answer = peer->backend->answers; peer_read_head(peer) && peer_read_body(peer); answer++)
        if (!*answer || !peer_say_text(peer, *answer))
            break;
}

/* Sends its only answer and hangs up. */
static void serve_once(struct peer *peer)
{
    if (peer_read_head(peer) && peer_read_body(peer))
        peer_say_text(peer, peer->backend->answers[0]);
}

/* Sends its only answer to each request. */
static void serve_same(struct peer *peer)
{
    while (peer_read_head(peer) && peer_read_body(peer) && peer_say_text(peer, peer->backend->answers[0]))
        ;
}

static void *run_peer(void *context)
{
    struct peer *peer = context;
    if (!peer->ssl || SSL_accept(peer->ssl) == 1) {
        void (*serve)(struct peer *) = peer->backend->serve;
        serve(peer);
        if (peer->ssl && peer->backend->says_goodbye)
            SSL_shutdown(peer->ssl);
    }
    shutdown(peer->fd, SHUT_RDWR);
    return NULL;
}

static void *run_backend(void *context)
{
    struct backend *backend = context;
    for (;;) {
        int fd = accept(backend->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int) { 1 }, sizeof(int)); /* what was said has arrived */
        struct peer *peer = calloc(1, sizeof(*peer));
        peer->backend = backend;
        peer->fd = fd;
        if (backend->context) {
            peer->ssl = SSL_new(backend->context);
            SSL_set_fd(peer->ssl, fd);
        }
        backend->peers[atomic_load(&backend->connections)] = peer;
        pthread_create(&peer->thread, NULL, run_peer, peer);
        atomic_fetch_add(&backend->connections, 1);
    }
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
                           unsigned in_length, void *context)
{
    (void)ssl;
    const struct backend *backend = context;
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    const unsigned char *offer = backend->prefers_http2 ? both : both + 3;
    unsigned length = backend->prefers_http2 ? 12 : 9;
    unsigned char *chosen;
    int found = SSL_select_next_proto(&chosen, out_length, offer, length, in, in_length);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* by == NULL: plain HTTP. */
static void start_backend(struct backend *backend, const struct authority *by, const char *alternative)
{
    if (by) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *certificate = make_certificate(key, "backend", alternative, by);
        backend->context = SSL_CTX_new(TLS_server_method());
        SSL_CTX_use_certificate(backend->context, certificate);
        SSL_CTX_use_PrivateKey(backend->context, key);
        SSL_CTX_set_alpn_select_cb(backend->context, choose_protocol, backend);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    backend->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(backend->fd, (struct sockaddr *)&address, length) || listen(backend->fd, 16) ||
        getsockname(backend->fd, (struct sockaddr *)&address, &length))
        abort();
    backend->port = ntohs(address.sin_port);
    pthread_mutex_init(&backend->lock, NULL);
    pthread_create(&backend->thread, NULL, run_backend, backend);
}

static void stop_backend(struct backend *backend)
{
    shutdown(backend->fd, SHUT_RDWR);
    pthread_join(backend->thread, NULL);
    close(backend->fd);
    for (int i = 0; i < atomic_load(&backend->connections); i++) {
        struct peer *peer = backend->peers[i];
        shutdown(peer->fd, SHUT_RDWR);
        pthread_join(peer->thread, NULL);
        SSL_free(peer->ssl);
        close(peer->fd);
        free(peer);
    }
    SSL_CTX_free(backend->context);
    pthread_mutex_destroy(&backend->lock);
}

#endif
