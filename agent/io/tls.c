/* TLS contexts: not there yet, making one fails with a sentence. */
#include "io/tls.h"

#include "base/err.h"
#include "io/tls_internal.h"

const struct leat_field leat_tls_client_fields[] = {LEAT_END};
const struct leat_field leat_tls_server_fields[] = {LEAT_END};

void leat_tls_check(const struct leat_tls_conf *conf, bool server, const char *key,
                    struct leat_check *c)
{
    (void)conf;
    (void)server;
    leat_check_error(c, key, "TLS is not implemented yet");
}
struct leat_tls *leat_tls_client_new(const struct leat_tls_conf *conf, const char *const *alpn,
                                     struct leat_err *err)
{
    (void)conf;
    (void)alpn;
    leat_fail(err, "TLS is not implemented yet");
    return NULL;
}
struct leat_tls *leat_tls_server_new(const struct leat_tls_conf *conf, const char *const *alpn,
                                     struct leat_err *err)
{
    return leat_tls_client_new(conf, alpn, err);
}
struct leat_tls *leat_tls_ref(struct leat_tls *t)
{
    return t;
}
void leat_tls_free(struct leat_tls *t)
{
    (void)t;
}
