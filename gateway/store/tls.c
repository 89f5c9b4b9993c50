#include "store/tls.h"

#ifdef GW_HAVE_REDIS_TLS

#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include "base/address.h"
#include "base/log.h"

/* The context itself: nothing else is shared. */
struct gw_tls;

/* Why the handshake that just failed on this thread refused a certificate; X509_V_OK: it refused none. */
static _Thread_local int refused_for = X509_V_OK;

static int tls_on_verify(int is_good, X509_STORE_CTX *store)
{
    if (!is_good)
        refused_for = X509_STORE_CTX_get_error(store);
    return is_good;
}

static SSL_CTX *tls_context_of(struct gw_tls *tls)
{
    return (SSL_CTX *)tls;
}

bool gw_tls_create(const struct gw_config *config, const struct gw_redis_node *node, struct gw_tls **tls)
{
    *tls = NULL;
    if (!node->is_tls)
        return true;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return false;
    const char *file = config->redis_tls_ca_file.length ? config->redis_tls_ca_file.at : NULL;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, tls_on_verify);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        (file ? SSL_CTX_load_verify_locations(context, file, NULL) : SSL_CTX_set_default_verify_paths(context)) != 1) {
        gw_log(GW_LOG_ERROR, "store", "%s: no authorities can be read from %s", node->url_masked.at,
               file ? file : "the system");
        ERR_clear_error();
        SSL_CTX_free(context);
        return false;
    }
    *tls = (struct gw_tls *)context;
    return true;
}

void gw_tls_destroy(struct gw_tls **tls)
{
    SSL_CTX_free(tls_context_of(*tls));
    *tls = NULL;
}

static bool tls_expect_peer(SSL *session, const struct gw_redis_node *node)
{
    struct gw_address address;
    if (gw_address_parse(&address, node->host, false))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), node->host.at) == 1;
    SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
/* OpenSSL's macro drops the const of a name that it only reads. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
    return SSL_set1_host(session, node->host.at) == 1 && SSL_set_tlsext_host_name(session, node->host.at) == 1;
#pragma GCC diagnostic pop
}

bool gw_tls_begin(struct gw_tls *tls, const struct gw_redis_node *node, redisContext *connection)
{
    if (!tls)
        return true;
    SSL *session = SSL_new(tls_context_of(tls));
    if (!session)
        return false;
    SSL_set_mode(session, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ERR_clear_error();
    /* hiredis owns the session only if it says REDIS_OK, and then frees it with the connection. If the handshake cannot
     * begin (a refused connection shows itself here), hiredis frees only its own record, and the session must be freed
     * here. */
    if (tls_expect_peer(session, node) && redisInitiateSSL(connection, session) == REDIS_OK)
        return true;
    SSL_free(session);
    return false;
}

void gw_tls_take_error(char *text, size_t size)
{
    unsigned long error = ERR_peek_error();
    const char *reason = refused_for != X509_V_OK ? X509_verify_cert_error_string(refused_for)
                         : error                  ? ERR_reason_error_string(error)
                                                  : NULL;
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER)
        reason = "what came is no TLS: redis:// may be meant";
    snprintf(text, size, "%s", reason ? reason : "");
    refused_for = X509_V_OK;
    ERR_clear_error();
}

#else

bool gw_tls_create(const struct gw_config *config, const struct gw_redis_node *node, struct gw_tls **tls)
{
    (void)config;
    *tls = NULL;
    return !node->is_tls;
}

void gw_tls_destroy(struct gw_tls **tls)
{
    *tls = NULL;
}

bool gw_tls_begin(struct gw_tls *tls, const struct gw_redis_node *node, redisContext *connection)
{
    (void)tls, (void)node, (void)connection;
    return true;
}

void gw_tls_take_error(char *text, size_t size)
{
    (void)size;
    *text = '\0';
}

#endif
