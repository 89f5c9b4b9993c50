#include "store/tls.h"

#ifdef GW_HAVE_REDIS_TLS

#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "base/address.h"
#include "base/log.h"

/* The context itself: nothing else is shared. */
struct gw_tls;

static SSL_CTX *context_of(struct gw_tls *tls)
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
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
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
    SSL_CTX_free(context_of(*tls));
    *tls = NULL;
}

static bool expect_peer(SSL *session, const struct gw_redis_node *node)
{
    struct gw_address address;
    if (gw_address_parse(&address, node->host, false))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), node->host.at) == 1;
    SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(session, node->host.at) == 1 && SSL_set_tlsext_host_name(session, node->host.at) == 1;
}

bool gw_tls_begin(struct gw_tls *tls, const struct gw_redis_node *node, redisContext *connection)
{
    if (!tls)
        return true;
    SSL *session = SSL_new(context_of(tls));
    if (!session)
        return false;
    SSL_set_mode(session, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ERR_clear_error();
    if (!expect_peer(session, node)) {
        SSL_free(session);
        return false;
    }
    /* From here the session is hiredis'. */
    return redisInitiateSSL(connection, session) == REDIS_OK;
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

#endif
