/* Certificates and keys made on the spot. */
#include "lib/io_certs.h"

#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void need(bool ok)
{
    if (!ok)
        abort();
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *f = fopen(path, "r");
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

    need(key != NULL);
    fclose(f);
    return key;
}

static X509 *read_cert(const char *path)
{
    FILE *f = fopen(path, "r");
    X509 *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

    need(cert != NULL);
    fclose(f);
    return cert;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    need(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
    X509_EXTENSION_free(ext);
}

static void write_pair(const struct io_cert *paths, X509 *cert, EVP_PKEY *key)
{
    FILE *f = fopen(paths->cert, "w");

    need(f != NULL && PEM_write_X509(f, cert) == 1 && fclose(f) == 0);
    f = fopen(paths->key, "w");
    need(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 &&
         fclose(f) == 0);
}

struct io_cert io_cert_make(const struct io_certs *c, const char *name, const struct io_cert *ca,
                            const char *san, long from, long to)
{
    static long serial;
    struct io_cert paths;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *signer = ca ? read_key(ca->key) : key;
    X509 *cert = X509_new(), *issuer = ca ? read_cert(ca->cert) : cert;
    X509_NAME *subject = X509_get_subject_name(cert);

    snprintf(paths.cert, sizeof paths.cert, "%s/%s.crt", c->dir, name);
    snprintf(paths.key, sizeof paths.key, "%s/%s.key", c->dir, name);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), from);
    X509_gmtime_adj(X509_getm_notAfter(cert), to);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    extend(cert, issuer, NID_basic_constraints, san ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (san != NULL)
        extend(cert, issuer, NID_subject_alt_name, san);
    need(X509_sign(cert, signer, EVP_sha256()) > 0);
    write_pair(&paths, cert, key);
    if (ca != NULL) {
        X509_free(issuer);
        EVP_PKEY_free(signer);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return paths;
}

void io_certs_make(struct io_certs *c)
{
    const long day = 86400;

    snprintf(c->dir, sizeof c->dir, "/tmp/leat-certs-XXXXXX");
    need(mkdtemp(c->dir) != NULL);
    c->ca = io_cert_make(c, "ca", NULL, NULL, -day, day);
    c->other_ca = io_cert_make(c, "other_ca", NULL, NULL, -day, day);
    c->server = io_cert_make(c, "server", &c->ca, "DNS:localhost,IP:127.0.0.1,IP:::1", -day, day);
    c->client = io_cert_make(c, "client", &c->ca, "DNS:client", -day, day);
}

void io_certs_remove(struct io_certs *c)
{
    DIR *d = opendir(c->dir);
    struct dirent *e;
    char path[512];

    need(d != NULL);
    while ((e = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", c->dir, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    closedir(d);
    rmdir(c->dir);
}
