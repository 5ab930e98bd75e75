/* An OpenSSL context made of TLS settings. For tls only. */
#ifndef LEAT_IO_TLS_CONTEXT_H
#define LEAT_IO_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "io/tls.h"

/* Reads certificates and keys. NULL and `err`; then *ret_key is the setting it is about. The caller
 * frees it with SSL_CTX_free(). */
SSL_CTX *leat_tls_context(const struct leat_tls_conf *conf, bool server, const char **ret_key,
                          struct leat_err *err);
/* The words, and what excludes what: everything that can be said without reading a file. `say` is
 * called once for each error. */
typedef void leat_tls_say(void *arg, const char *key, const char *text);
void leat_tls_words(const struct leat_tls_conf *conf, bool server, leat_tls_say *say, void *arg);

#endif
