#include <openssl/ssl.h>
#include <stdlib.h>
#include "upstream/curl_tls.h"

struct gw_curl_goodbye {
    unsigned refs;
    bool was_said;
};

static int note_index = -1; /* index of the note in an SSL object */

static void curl_tls_on_freed(void *ssl, void *note, CRYPTO_EX_DATA *data, int index, long argument, void *context)
{
    (void)ssl;
    (void)data;
    (void)index;
    (void)argument;
    (void)context;
    gw_curl_tls_unref(note);
}

static void curl_tls_on_info(const SSL *ssl, int where, int alert)
{
    struct gw_curl_goodbye *goodbye = SSL_get_ex_data(ssl, note_index);
    if (goodbye && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (alert & 0xff) == SSL_AD_CLOSE_NOTIFY)
        goodbye->was_said = true;
}

static CURLcode curl_tls_on_context(CURL *easy, void *context, void *unused)
{
    (void)easy;
    (void)unused;
    SSL_CTX_set_info_callback(context, curl_tls_on_info);
    return CURLE_OK;
}

void gw_curl_tls_init(void)
{
    note_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, curl_tls_on_freed);
}

bool gw_curl_tls_setup(CURL *easy, CURLSH *share)
{
    curl_easy_setopt(easy, CURLOPT_SHARE, share);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* Debian's default directory of authorities holds the same ones as its default file. A file alone is read once for
     * all connections; with a directory, libcurl reads both for each connection. */
    if (curl_version_info(CURLVERSION_NOW)->cainfo)
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    return note_index >= 0 && curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, curl_tls_on_context) == CURLE_OK;
}

static SSL *curl_tls_ssl_of(CURL *easy)
{
    struct curl_tlssessioninfo *session = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session ||
        session->backend != CURLSSLBACKEND_OPENSSL)
        return NULL;
    return session->internals;
}

bool gw_curl_tls_is_drained(CURL *easy)
{
    const SSL *ssl = curl_tls_ssl_of(easy);
    return ssl && !SSL_has_pending(ssl);
}

struct gw_curl_goodbye *gw_curl_tls_note(CURL *easy)
{
    SSL *ssl = curl_tls_ssl_of(easy);
    if (!ssl)
        return NULL;
    struct gw_curl_goodbye *goodbye = calloc(1, sizeof(*goodbye));
    if (!goodbye)
        return NULL;
    struct gw_curl_goodbye *old = SSL_get_ex_data(ssl, note_index);
    if (!SSL_set_ex_data(ssl, note_index, goodbye)) {
        free(goodbye);
        return NULL;
    }
    gw_curl_tls_unref(old);
    goodbye->refs = 2;
    return goodbye;
}

bool gw_curl_tls_was_said(const struct gw_curl_goodbye *goodbye)
{
    return goodbye && goodbye->was_said;
}

void gw_curl_tls_unref(struct gw_curl_goodbye *goodbye)
{
    if (goodbye && --goodbye->refs == 0)
        free(goodbye);
}
