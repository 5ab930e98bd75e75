/* The inside of TLS settings, for conn_tls, dial and the parts of tls. */
#ifndef LEAT_IO_TLS_INTERNAL_H
#define LEAT_IO_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "io/tls.h"

struct leat_tls *leat_tls_ref(struct leat_tls *t);
/* A session with the certificates as they are now. `name`: what the peer must be (clients; a host
 * name or an address). NULL and `err`: no memory. The caller frees it with SSL_free(). */
SSL *leat_tls_session(struct leat_tls *t, const char *name, struct leat_err *err);

#endif
