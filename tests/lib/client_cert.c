/* A self-signed certificate for tests, made anew in each process. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/check.h"
#include "lib/client_peer.h"

static char cert[4096], key[4096];

static void to_text(BIO *bio, char *out, size_t size)
{
    int n = BIO_read(bio, out, (int)size - 1);

    LEAT_CHECK(n > 0);
    out[n] = '\0';
    BIO_free(bio);
}

static void make(void)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    BIO *bio;

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, pkey);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
    LEAT_CHECK(X509_sign(x, pkey, EVP_sha256()) != 0);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x);
    to_text(bio, cert, sizeof cert);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    to_text(bio, key, sizeof key);
    X509_free(x);
    EVP_PKEY_free(pkey);
}

const char *client_cert_pem(void)
{
    if (cert[0] == '\0')
        make();
    return cert;
}

const char *client_key_pem(void)
{
    client_cert_pem();
    return key;
}
