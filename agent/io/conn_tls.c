/* TLS on a connection: not there yet, every attempt to use it fails with a sentence. */
#include "base/mem.h"
#include "io/conn_internal.h"
#include "io/tls_internal.h"

struct leat_tls_filter *leat_filter_new(struct leat_conn *c, struct leat_tls *tls, bool server,
                                        const char *name, struct leat_err *err)
{
    (void)c;
    (void)tls;
    (void)server;
    (void)name;
    leat_fail(err, "not implemented yet");
    return NULL;
}
void leat_filter_free(struct leat_tls_filter *f)
{
    (void)f;
}
void leat_filter_start(struct leat_conn *c)
{
    (void)c;
}
void leat_filter_read(struct leat_conn *c, const uint8_t *data, size_t len)
{
    (void)c;
    (void)data;
    (void)len;
}
void leat_filter_feed(struct leat_conn *c)
{
    (void)c;
}
void leat_filter_eof(struct leat_conn *c)
{
    (void)c;
}
int leat_filter_write(struct leat_conn *c, const struct leat_bytes *pieces, size_t n)
{
    (void)c;
    (void)pieces;
    (void)n;
    return -1;
}
void leat_filter_sent(struct leat_conn *c)
{
    (void)c;
}
bool leat_filter_pending(const struct leat_tls_filter *f)
{
    return f != NULL;
}
bool leat_filter_wants_raw(const struct leat_tls_filter *f)
{
    return f != NULL;
}
void leat_filter_shutdown(struct leat_conn *c)
{
    (void)c;
}
const char *leat_filter_alpn(const struct leat_tls_filter *f)
{
    (void)f;
    return NULL;
}
