/* TLS settings, and the contexts made of them, renewed when their files change. */
#include "io/tls.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/tls_context.h"
#include "io/tls_internal.h"

#define LOOK_EVERY (10 * LEAT_SEC) /* at the files, where reload_interval is 0 */
#define LOOK_CA    LEAT_SEC        /* … and where client_ca_file_reload is on: who is let in */
#define NFILES     4

/* What tells one version of a file from the next. */
struct stamp {
    uint64_t dev, ino, size;
    int64_t mtime;
};

struct leat_tls {
    unsigned refs;
    bool server;
    struct leat_tls_conf conf; /* a copy of its own */
    uint8_t *alpn;             /* in wire form */
    size_t alpn_len;
    SSL_CTX *ctx;
    int64_t looked_at;
    struct stamp stamps[NFILES];
    struct stamp bad[NFILES]; /* of the files that could not be used; zeroes: none */
};

#define CONF struct leat_tls_conf
#define FILES                                                                                      \
    LEAT_STRING(CONF, ca_file, NULL, "File with the certificates that are trusted (PEM)."),        \
        LEAT_STRING(CONF, ca_pem, NULL, "The certificates that are trusted, as PEM text.",         \
                    .flags = LEAT_SECRET),                                                         \
        LEAT_STRING(CONF, cert_file, NULL, "File with our certificate and its chain (PEM)."),      \
        LEAT_STRING(CONF, cert_pem, NULL, "Our certificate and its chain, as PEM text.",           \
                    .flags = LEAT_SECRET),                                                         \
        LEAT_STRING(CONF, key_file, NULL, "File with the key of our certificate (PEM)."),          \
        LEAT_STRING(CONF, key_pem, NULL, "The key of our certificate, as PEM text.",               \
                    .flags = LEAT_SECRET),                                                         \
        LEAT_BOOL(CONF, include_system_ca_certs_pool, "false",                                     \
                  "Trusts the system's certificates besides ca_file or ca_pem."),                  \
        LEAT_STRING(CONF, min_version, "1.2", "Lowest version of TLS: 1.0, 1.1, 1.2 or 1.3."),     \
        LEAT_STRING(CONF, max_version, NULL, "Highest version of TLS; not set: 1.3."),             \
        LEAT_STRINGS(CONF, cipher_suites, NULL,                                                    \
                     "Cipher suites by their IANA names; those of TLS 1.3 are always on."),        \
        LEAT_STRINGS(CONF, curve_preferences, NULL,                                                \
                     "Curves in order of preference: X25519, P256, P384, P521."),                  \
        LEAT_BOOL(CONF, include_insecure_cipher_suites, "false",                                   \
                  "Allows weak cipher suites to be named in cipher_suites."),                      \
        LEAT_DURATION(CONF, reload_interval, "0s",                                                 \
                      "How often certificate files are looked at for a new version; 0: every "     \
                      "10 s.")

const struct leat_field leat_tls_client_fields[] = {
    LEAT_BOOL(CONF, insecure, "false", "Talks in the clear, without TLS."),
    LEAT_BOOL(CONF, insecure_skip_verify, "false",
              "Uses TLS but believes any certificate: for tests."),
    FILES,
    LEAT_STRING(CONF, server_name_override, NULL,
                "The name the server's certificate must have, and that is asked for (SNI)."),
    LEAT_END,
};
const struct leat_field leat_tls_server_fields[] = {
    FILES,
    LEAT_STRING(CONF, client_ca_file, NULL,
                "File with the certificates that clients' certificates must come from: clients "
                "without one are refused."),
    LEAT_BOOL(CONF, client_ca_file_reload, "false",
              "Also looks at client_ca_file for a new version, every second."),
    LEAT_END,
};

/* --- checking */

struct checking {
    struct leat_check *c;
    const char *key;
    int errors;
};

static void say(void *arg, const char *key, const char *text)
{
    struct checking *k = arg;
    char path[256];

    snprintf(path, sizeof path, "%s%s%s", k->key, *k->key && *key ? "." : "", key);
    leat_check_error(k->c, path, "%s", text);
    k->errors++;
}

bool leat_tls_client_on(const struct leat_tls_conf *conf)
{
    return !conf->insecure || (conf->ca_file && *conf->ca_file) || (conf->ca_pem && *conf->ca_pem);
}

void leat_tls_check(const struct leat_tls_conf *conf, bool server, const char *key,
                    struct leat_check *c)
{
    struct checking k = {.c = c, .key = key ? key : ""};
    struct leat_err err;
    const char *bad;
    SSL_CTX *ctx;

    leat_tls_words(conf, server, say, &k);
    if (k.errors > 0 || (!server && !leat_tls_client_on(conf)))
        return;
    ctx = leat_tls_context(conf, server, &bad, &err);
    if (ctx == NULL)
        say(&k, bad, err.text);
    SSL_CTX_free(ctx);
}

/* --- a copy of the settings */

static char *copy(const char *text)
{
    return text && *text ? leat_strdup(text) : NULL;
}

static struct leat_strings copy_list(struct leat_strings from)
{
    struct leat_strings to = {.count = from.count};

    to.items = leat_new_array(from.count, sizeof *to.items);
    for (uint32_t i = 0; i < from.count; i++)
        to.items[i] = leat_strdup(from.items[i]);
    return to;
}

/* The texts of a struct leat_tls_conf, for copying and freeing. */
static const size_t texts[] = {
    offsetof(CONF, ca_file),        offsetof(CONF, ca_pem),
    offsetof(CONF, cert_file),      offsetof(CONF, cert_pem),
    offsetof(CONF, key_file),       offsetof(CONF, key_pem),
    offsetof(CONF, min_version),    offsetof(CONF, max_version),
    offsetof(CONF, client_ca_file), offsetof(CONF, server_name_override),
};
#define NTEXTS (sizeof texts / sizeof *texts)

static void copy_conf(struct leat_tls_conf *to, const struct leat_tls_conf *from)
{
    *to = *from;
    for (size_t i = 0; i < NTEXTS; i++)
        *(const char **)(void *)((char *)to + texts[i]) =
            copy(*(const char *const *)(const void *)((const char *)from + texts[i]));
    to->cipher_suites = copy_list(from->cipher_suites);
    to->curve_preferences = copy_list(from->curve_preferences);
}

static void free_list(struct leat_strings *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        leat_free((void *)(uintptr_t)s->items[i]);
    leat_free(s->items);
}

static void free_conf(struct leat_tls_conf *conf)
{
    for (size_t i = 0; i < NTEXTS; i++)
        leat_free(*(char **)(void *)((char *)conf + texts[i]));
    free_list(&conf->cipher_suites);
    free_list(&conf->curve_preferences);
}

/* --- contexts */

static struct stamp stamp_of(const char *path)
{
    struct stat st;

    if (path == NULL || stat(path, &st) != 0)
        return (struct stamp){0};
    return (struct stamp){st.st_dev, st.st_ino, (uint64_t)st.st_size,
                          st.st_mtim.tv_sec * LEAT_SEC + st.st_mtim.tv_nsec};
}

static void take_stamps(const struct leat_tls *t, struct stamp *stamps)
{
    memset(stamps, 0, NFILES * sizeof *stamps);
    stamps[0] = stamp_of(t->conf.cert_file);
    stamps[1] = stamp_of(t->conf.key_file);
    if (!t->server)
        stamps[2] = stamp_of(t->conf.ca_file);
    if (t->conf.client_ca_file_reload)
        stamps[3] = stamp_of(t->conf.client_ca_file);
}

/* The server's choice: the first of its own protocols that the client has too. A client that has
 * none of them is refused (RFC 7301, 3.2). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                   const unsigned char *in, unsigned int inlen, void *arg)
{
    struct leat_tls *t = SSL_get_app_data(ssl);
    unsigned char *chosen;

    (void)arg;
    if (SSL_select_next_proto(&chosen, outlen, t->alpn, (unsigned)t->alpn_len, in, inlen) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *make_context(const struct leat_tls *t, struct leat_err *err)
{
    struct leat_err why;
    const char *key;
    SSL_CTX *ctx = leat_tls_context(&t->conf, t->server, &key, &why);

    if (ctx == NULL) {
        leat_fail(err, "%s%s%s", key, *key ? ": " : "", why.text);
        return NULL;
    }
    if (t->alpn_len > 0 && t->server)
        SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    else if (t->alpn_len > 0 && SSL_CTX_set_alpn_protos(ctx, t->alpn, (unsigned)t->alpn_len) != 0) {
        leat_fail(err, "no memory for the names of the protocols");
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static int64_t look_every(const struct leat_tls_conf *conf)
{
    int64_t span = conf->reload_interval > 0 ? conf->reload_interval : LOOK_EVERY;

    return conf->client_ca_file_reload && span > LOOK_CA ? LOOK_CA : span;
}

/* New connections get the new certificates; those that live keep what they have. */
static void reload(struct leat_tls *t)
{
    int64_t now = leat_clock_mono();
    struct stamp stamps[NFILES];
    struct leat_err err;
    SSL_CTX *ctx;

    if (now - t->looked_at < look_every(&t->conf))
        return;
    t->looked_at = now;
    take_stamps(t, stamps);
    if (memcmp(stamps, t->stamps, sizeof stamps) == 0)
        return;
    ctx = make_context(t, &err);
    if (ctx == NULL) {
        /* Tried again at the next look: perhaps only memory was short. Said once. */
        if (memcmp(stamps, t->bad, sizeof stamps) != 0)
            leat_warn(NULL,
                      "certificates have changed but cannot be used, so the old ones stay: %s",
                      err.text);
        memcpy(t->bad, stamps, sizeof stamps);
        return;
    }
    memcpy(t->stamps, stamps, sizeof stamps);
    memset(t->bad, 0, sizeof t->bad);
    leat_info(NULL, "certificates have changed and were read again: %s",
              t->conf.cert_file  ? t->conf.cert_file
              : t->conf.ca_file  ? t->conf.ca_file
              : t->conf.key_file ? t->conf.key_file
                                 : "client_ca_file");
    SSL_CTX_free(t->ctx);
    t->ctx = ctx;
}

static void set_alpn(struct leat_tls *t, const char *const *alpn)
{
    for (size_t i = 0; alpn != NULL && alpn[i] != NULL; i++) {
        size_t len = strlen(alpn[i]);

        t->alpn = leat_renew(t->alpn, t->alpn_len + 1 + len);
        t->alpn[t->alpn_len] = (uint8_t)len;
        memcpy(t->alpn + t->alpn_len + 1, alpn[i], len);
        t->alpn_len += 1 + len;
    }
}

static void first_word(void *arg, const char *key, const char *text)
{
    struct leat_err *err = arg;

    if (err->text[0] == '\0')
        leat_fail(err, "%s: %s", key, text);
}

static struct leat_tls *tls_new(const struct leat_tls_conf *conf, const char *const *alpn,
                                bool server, struct leat_err *err)
{
    struct leat_err wrong = {""};
    struct leat_tls *t;

    leat_tls_words(conf, server, first_word, &wrong);
    if (wrong.text[0] != '\0') {
        leat_fail(err, "TLS cannot be set up: %s", wrong.text);
        return NULL;
    }
    t = leat_new(sizeof *t);
    t->refs = 1;
    t->server = server;
    copy_conf(&t->conf, conf);
    set_alpn(t, alpn);
    take_stamps(t, t->stamps); /* before reading: a change meanwhile is seen next time */
    t->looked_at = leat_clock_mono();
    t->ctx = make_context(t, err);
    if (t->ctx != NULL)
        return t;
    leat_fail_in(err, "TLS cannot be set up");
    leat_tls_free(t);
    return NULL;
}

struct leat_tls *leat_tls_client_new(const struct leat_tls_conf *conf, const char *const *alpn,
                                     struct leat_err *err)
{
    return tls_new(conf, alpn, false, err);
}

struct leat_tls *leat_tls_server_new(const struct leat_tls_conf *conf, const char *const *alpn,
                                     struct leat_err *err)
{
    return tls_new(conf, alpn, true, err);
}

struct leat_tls *leat_tls_ref(struct leat_tls *t)
{
    t->refs++;
    return t;
}

void leat_tls_free(struct leat_tls *t)
{
    if (t == NULL || --t->refs > 0)
        return;
    SSL_CTX_free(t->ctx);
    free_conf(&t->conf);
    leat_free(t->alpn);
    leat_free(t);
}

/* --- sessions */

/* The peer's certificate must be for this name (RFC 6125; the common name does not count) or have
 * this address. */
static int expect_name(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    size_t len = strlen(name);
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);

    if (ip != NULL) {
        ASN1_OCTET_STRING_free(ip);
        return X509_VERIFY_PARAM_set1_ip_asc(param, name);
    }
    if (len > 1 && name[len - 1] == '.')
        len--;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, name, len);
}

static int ask_name(SSL *ssl, const char *name)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);
    char host[256];
    int len;

    if (ip != NULL) { /* an address is never sent as SNI (RFC 6066, 3) */
        ASN1_OCTET_STRING_free(ip);
        return 1;
    }
    len = snprintf(host, sizeof host, "%s", name);
    if (len > 1 && len < (int)sizeof host && host[len - 1] == '.')
        host[len - 1] = '\0';
    return (int)SSL_set_tlsext_host_name(ssl, host);
}

SSL *leat_tls_session(struct leat_tls *t, const char *name, struct leat_err *err)
{
    SSL *ssl;

    reload(t);
    ssl = SSL_new(t->ctx);
    if (ssl == NULL) {
        leat_fail(err, "no memory for a TLS session");
        return NULL;
    }
    if (SSL_set_app_data(ssl, t) != 1) {
        leat_fail(err, "no memory for a TLS session");
        SSL_free(ssl);
        return NULL;
    }
    if (t->server) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_set_connect_state(ssl);
    if (t->conf.server_name_override != NULL)
        name = t->conf.server_name_override;
    if (name != NULL && *name != '\0' && expect_name(ssl, name) == 1 && ask_name(ssl, name) == 1)
        return ssl;
    leat_fail(err, "'%s' is not a name that a certificate can have", name ? name : "");
    SSL_free(ssl);
    return NULL;
}
