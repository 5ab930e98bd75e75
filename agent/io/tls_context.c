/* Makes an OpenSSL context: certificates, keys and trust from files or settings, versions, ciphers
 * and curves by name. */
#include "io/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/file.h"
#include "io/tls_names.h"

#define PEM_MAX ((size_t)4 << 20) /* bytes of one PEM file; all system roots are a quarter MiB */
/* Go's preferences: forward secrecy only. TLS 1.3 has its own. */
#define DEFAULT_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL"

static bool set(const char *text)
{
    return text != NULL && *text != '\0';
}

static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "the reason is not known";
}

/* --- words */

static void say_pair(const struct leat_tls_conf *c, bool server, leat_tls_say *say, void *arg)
{
    bool cert = set(c->cert_file) || set(c->cert_pem), key = set(c->key_file) || set(c->key_pem);

    if (set(c->ca_file) && set(c->ca_pem))
        say(arg, "ca_pem", "ca_file and ca_pem exclude each other: write one of them");
    if (set(c->cert_file) && set(c->cert_pem))
        say(arg, "cert_pem", "cert_file and cert_pem exclude each other: write one of them");
    if (set(c->key_file) && set(c->key_pem))
        say(arg, "key_pem", "key_file and key_pem exclude each other: write one of them");
    if (cert && !key)
        say(arg, "key_file", "a certificate needs its key: set key_file or key_pem too");
    else if (key && !cert)
        say(arg, "cert_file", "a key needs its certificate: set cert_file or cert_pem too");
    else if (server && !cert)
        say(arg, "cert_file",
            "a server needs a certificate and its key: set cert_file and "
            "key_file (or cert_pem and key_pem)");
}

static void say_versions(const struct leat_tls_conf *c, leat_tls_say *say, void *arg)
{
    int min = leat_tls_version_find(c->min_version, TLS1_2_VERSION);
    int max = leat_tls_version_find(c->max_version, TLS1_3_VERSION);

    if (min < 0)
        say(arg, "min_version", "no such version of TLS: known are 1.0, 1.1, 1.2 and 1.3");
    if (max < 0)
        say(arg, "max_version", "no such version of TLS: known are 1.0, 1.1, 1.2 and 1.3");
    if (min > 0 && max > 0 && min > max)
        say(arg, "min_version", "min_version is above max_version");
}

static void say_names(const struct leat_tls_conf *c, leat_tls_say *say, void *arg)
{
    struct leat_err e;
    bool usable = c->curve_preferences.count == 0;

    for (uint32_t i = 0; i < c->cipher_suites.count; i++) {
        const char *name = c->cipher_suites.items[i];
        const struct leat_tls_cipher *cipher = leat_tls_cipher_find(name);

        if (cipher == NULL) {
            leat_fail(&e, "'%s' is not the name of a cipher suite", name);
            say(arg, "cipher_suites", e.text);
        } else if (cipher->insecure && !c->include_insecure_cipher_suites) {
            leat_fail(&e,
                      "'%s' is an insecure cipher suite: leave it out, or set "
                      "include_insecure_cipher_suites: true",
                      name);
            say(arg, "cipher_suites", e.text);
        }
    }
    for (uint32_t i = 0; i < c->curve_preferences.count; i++) {
        const char *curve = leat_tls_curve_find(c->curve_preferences.items[i]);

        if (curve == NULL) {
            leat_fail(&e, "'%s' is not the name of a curve: known are X25519, P256, P384 and P521",
                      c->curve_preferences.items[i]);
            say(arg, "curve_preferences", e.text);
        }
        usable = usable || curve == NULL || *curve != '\0';
    }
    if (!usable)
        say(arg, "curve_preferences",
            "the TLS library here knows none of these curves: add "
            "X25519 or P256");
}

void leat_tls_words(const struct leat_tls_conf *conf, bool server, leat_tls_say *say, void *arg)
{
    say_pair(conf, server, say, arg);
    say_versions(conf, say, arg);
    say_names(conf, say, arg);
}

/* --- PEM */

/* An encrypted key must be an error, not a question at the terminal. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return 0;
}

/* Where one PEM text comes from: `file` or `pem` is set. */
struct source {
    const char *file, *pem, *key; /* `key`: the setting */
    struct leat_text text;
};

/* Whether something that OpenSSL has done since the last ERR_clear_error() lacked memory. */
static bool lacked_memory(void)
{
    unsigned long code;
    bool lacked = false;

    while ((code = ERR_get_error()) != 0)
        lacked = lacked || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    return lacked;
}

static BIO *open_source(struct source *s, struct leat_err *err)
{
    BIO *bio;

    leat_text_init(&s->text, PEM_MAX);
    if (set(s->file) && leat_file_read(s->file, PEM_MAX, &s->text, err) != 0)
        return NULL;
    if (!set(s->file))
        leat_text_str(&s->text, s->pem);
    bio =
        leat_text_ok(&s->text) ? BIO_new_mem_buf(leat_text_get(&s->text), (int)s->text.len) : NULL;
    if (bio == NULL)
        leat_fail(err, "no memory");
    ERR_clear_error();
    return bio;
}

static int close_source(struct source *s, BIO *bio, int result)
{
    BIO_free(bio);
    if (s->text.data != NULL)
        OPENSSL_cleanse(s->text.data, s->text.len);
    leat_text_done(&s->text);
    ERR_clear_error();
    return result;
}

static const char *place(const struct source *s)
{
    return set(s->file) ? s->file : s->key;
}

static int load_chain(SSL_CTX *ctx, struct source *s, struct leat_err *err)
{
    BIO *bio = open_source(s, err);
    X509 *cert = bio ? PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL) : NULL;
    int rc = 0;

    if (bio == NULL)
        return close_source(s, bio, -1);
    if (cert == NULL)
        rc = leat_fail(err, "%s holds no certificate in PEM form (%s)", place(s), reason());
    else if (SSL_CTX_use_certificate(ctx, cert) != 1)
        rc = leat_fail(err, "the certificate in %s cannot be used: %s", place(s), reason());
    X509_free(cert);
    while (rc == 0 && (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(ctx, cert) == 1)
            continue;
        rc = leat_fail(err, "the chain in %s cannot be used: %s", place(s), reason());
        X509_free(cert);
    }
    /* else it would look like the end of the file */
    if (rc == 0 && lacked_memory())
        rc = leat_fail(err, "no memory for the chain in %s", place(s));
    return close_source(s, bio, rc);
}

static int load_key(SSL_CTX *ctx, struct source *s, struct leat_err *err)
{
    BIO *bio = open_source(s, err);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    int rc = 0;

    if (bio == NULL)
        return close_source(s, bio, -1);
    if (key == NULL)
        rc = leat_fail(err, "%s holds no usable key in PEM form (%s); it must not be encrypted",
                       place(s), reason());
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        rc = leat_fail(err, "the key in %s does not belong to the certificate (%s)", place(s),
                       reason());
    EVP_PKEY_free(key);
    return close_source(s, bio, rc);
}

/* `names`: the list of issuers a server tells its clients, or NULL. */
static int load_trust(SSL_CTX *ctx, struct source *s, bool tell, struct leat_err *err)
{
    BIO *bio = open_source(s, err);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509 *cert;
    int n = 0;

    if (bio == NULL)
        return close_source(s, bio, -1);
    while ((cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
        if (X509_STORE_add_cert(store, cert) == 1 && (!tell || SSL_CTX_add_client_CA(ctx, cert)))
            n++;
        X509_free(cert);
    }
    if (lacked_memory())
        return close_source(s, bio, leat_fail(err, "no memory for %s", place(s)));
    if (n == 0)
        return close_source(s, bio,
                            leat_fail(err, "%s holds no certificate in PEM form", place(s)));
    return close_source(s, bio, 0);
}

/* --- the parts of a context */

static int set_identity(SSL_CTX *ctx, const struct leat_tls_conf *c, const char **key,
                        struct leat_err *err)
{
    struct source cert = {c->cert_file, c->cert_pem, "cert_pem", {0}};
    struct source priv = {c->key_file, c->key_pem, "key_pem", {0}};

    if (!set(c->cert_file) && !set(c->cert_pem))
        return 0;
    *key = set(c->cert_file) ? "cert_file" : "cert_pem";
    if (load_chain(ctx, &cert, err) != 0)
        return -1;
    *key = set(c->key_file) ? "key_file" : "key_pem";
    return load_key(ctx, &priv, err);
}

static int set_trust(SSL_CTX *ctx, const struct leat_tls_conf *c, bool server, const char **key,
                     struct leat_err *err)
{
    struct source ca = {c->ca_file, c->ca_pem, "ca_pem", {0}};
    struct source clients = {c->client_ca_file, NULL, "client_ca_file", {0}};
    bool own = set(c->ca_file) || set(c->ca_pem);

    if (server) {
        *key = "client_ca_file";
        if (!set(c->client_ca_file))
            return 0;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        return load_trust(ctx, &clients, true, err);
    }
    *key = set(c->ca_file) ? "ca_file" : "ca_pem";
    if (own && load_trust(ctx, &ca, false, err) != 0)
        return -1;
    /* A folder: certificates are read when needed. */
    if ((!own || c->include_system_ca_certs_pool) && SSL_CTX_set_default_verify_paths(ctx) != 1)
        return leat_fail(err, "the certificates of the system cannot be used: %s", reason());
    SSL_CTX_set_verify(ctx, c->insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return 0;
}

static int set_versions(SSL_CTX *ctx, const struct leat_tls_conf *c, const char **key,
                        struct leat_err *err)
{
    int min = leat_tls_version_find(c->min_version, TLS1_2_VERSION);
    int max = leat_tls_version_find(c->max_version, 0);

    *key = "min_version";
    /* OpenSSL 3 allows TLS 1.0 and 1.1, and what Go calls insecure, at security level 0 only. */
    if (min < TLS1_2_VERSION || c->include_insecure_cipher_suites)
        SSL_CTX_set_security_level(ctx, 0);
    if (SSL_CTX_set_min_proto_version(ctx, min) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, max) != 1)
        return leat_fail(err, "the TLS library here does not have these versions: %s", reason());
    return 0;
}

static int set_ciphers(SSL_CTX *ctx, const struct leat_tls_conf *c, const char **key,
                       struct leat_err *err)
{
    struct leat_text list;
    bool ok;

    *key = "cipher_suites";
    leat_text_init(&list, 8192);
    for (uint32_t i = 0; i < c->cipher_suites.count; i++) {
        const struct leat_tls_cipher *cipher = leat_tls_cipher_find(c->cipher_suites.items[i]);

        if (cipher != NULL && cipher->openssl != NULL)
            leat_text_printf(&list, "%s%s", list.len ? ":" : "", cipher->openssl);
    }
    ok = leat_text_ok(&list) &&
         SSL_CTX_set_cipher_list(ctx, list.len ? leat_text_get(&list) : DEFAULT_CIPHERS);
    leat_text_done(&list);
    return ok ? 0
              : leat_fail(err, "the TLS library here has none of these cipher suites: %s",
                          reason());
}

static int set_curves(SSL_CTX *ctx, const struct leat_tls_conf *c, const char **key,
                      struct leat_err *err)
{
    struct leat_text list;
    bool ok;

    *key = "curve_preferences";
    leat_text_init(&list, 1024);
    for (uint32_t i = 0; i < c->curve_preferences.count; i++) {
        const char *curve = leat_tls_curve_find(c->curve_preferences.items[i]);

        if (curve != NULL && *curve != '\0' && strstr(leat_text_get(&list), curve) == NULL)
            leat_text_printf(&list, "%s%s", list.len ? ":" : "", curve);
    }
    ok = leat_text_ok(&list) && (list.len == 0 || SSL_CTX_set1_groups_list(ctx, list.data));
    leat_text_done(&list);
    return ok ? 0 : leat_fail(err, "these curves cannot be used: %s", reason());
}

/* Idle connections give their buffers back; sessions are not resumed, so nothing is kept for it and
 * a certificate that was taken away stops working with the next connection. */
static void set_habits(SSL_CTX *ctx)
{
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(ctx, 0);
    /* Like Go: any certificate in a CA file is trusted, be it a root or not. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
}

SSL_CTX *leat_tls_context(const struct leat_tls_conf *conf, bool server, const char **ret_key,
                          struct leat_err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

    *ret_key = "";
    if (ctx == NULL) {
        leat_fail(err, "the TLS library cannot be used: %s", reason());
        return NULL;
    }
    set_habits(ctx);
    if (set_versions(ctx, conf, ret_key, err) != 0 || set_ciphers(ctx, conf, ret_key, err) != 0 ||
        set_curves(ctx, conf, ret_key, err) != 0 || set_identity(ctx, conf, ret_key, err) != 0 ||
        set_trust(ctx, conf, server, ret_key, err) != 0) {
        SSL_CTX_free(ctx);
        ctx = NULL;
    }
    ERR_clear_error();
    return ctx;
}
