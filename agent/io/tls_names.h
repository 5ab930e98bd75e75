/* The words of TLS settings (Go's names, as the collector takes them) in OpenSSL's terms. For tls
 * only. */
#ifndef LEAT_IO_TLS_NAMES_H
#define LEAT_IO_TLS_NAMES_H

#include <stdbool.h>

struct leat_tls_cipher {
    const char *name;    /* "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" */
    const char *openssl; /* "ECDHE-RSA-AES128-GCM-SHA256"; NULL: TLS 1.3, always on */
    bool insecure;
};

const struct leat_tls_cipher *leat_tls_cipher_find(const char *name); /* NULL: unknown */
/* "P256", "CurveP256" → "P-256". NULL: unknown; "": known, but not to this OpenSSL. */
const char *leat_tls_curve_find(const char *name);
/* "1.2" → TLS1_2_VERSION; NULL and "" → `otherwise`; -1: unknown. */
int leat_tls_version_find(const char *name, int otherwise);

#endif
