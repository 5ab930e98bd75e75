/* TLS settings of every client and server, and the contexts made of them.
 *
 * Source: collector config/configtls. Certificates and keys are read again when their files change
 * (checked at most every `reload_interval`, or, when that is 0, every 10 s by modification time),
 * for new connections. */
#ifndef LEAT_IO_TLS_H
#define LEAT_IO_TLS_H

#include "config/schema.h"

struct leat_tls_conf {
    bool insecure;             /* client: in the clear */
    bool insecure_skip_verify; /* client */
    const char *ca_file, *ca_pem, *cert_file, *cert_pem, *key_file, *key_pem;
    bool include_system_ca_certs_pool;
    const char *min_version, *max_version;
    struct leat_strings cipher_suites, curve_preferences;
    bool include_insecure_cipher_suites;
    int64_t reload_interval;
    const char *server_name_override; /* client */
    const char *client_ca_file;       /* server: mutual TLS */
    bool client_ca_file_reload;       /* server */
};
extern const struct leat_field leat_tls_client_fields[]; /* table over struct leat_tls_conf */
extern const struct leat_field leat_tls_server_fields[];
/* What the table cannot say: files and pem exclude each other, names of ciphers and curves,
 * versions, readable files. */
void leat_tls_check(const struct leat_tls_conf *conf, bool server, const char *key,
                    struct leat_check *c);

/* A client with these settings uses TLS: not `insecure`, or a CA is given (as the collector does).
 */
bool leat_tls_client_on(const struct leat_tls_conf *conf);

struct leat_tls; /* ref-counted per loop; one thread */
/* `alpn`: e.g. "h2", "http/1.1", NULL at the end. NULL and `err`: a file is missing or wrong. */
struct leat_tls *leat_tls_client_new(const struct leat_tls_conf *conf, const char *const *alpn,
                                     struct leat_err *err);
struct leat_tls *leat_tls_server_new(const struct leat_tls_conf *conf, const char *const *alpn,
                                     struct leat_err *err);
void leat_tls_free(struct leat_tls *t); /* takes NULL; connections made with it may live on */

#endif
