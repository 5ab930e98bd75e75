/* The head of a request: which headers it has, from settings, authenticator and exchange. */
#include "io/client_request.h"

#include "base/err.h"
#include "io/auth.h"
#include "io/grpc.h"

#include <string.h>

/* Places of the pseudo-headers. */
enum { METHOD, SCHEME, AUTHORITY, PATH };

static nghttp2_nv nv_of(struct leat_bytes name, struct leat_bytes value)
{
    /* nghttp2 copies; its members are not const. */
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.data,
                        .value = (uint8_t *)(uintptr_t)value.data,
                        .namelen = name.len,
                        .valuelen = value.len};
}

/* Headers that say how the bytes are framed, or that belong to one connection. */
static bool is_ours(struct leat_bytes name)
{
    static const char *const ours[] = {"connection", "content-length",   "keep-alive",
                                       "te",         "proxy-connection", "transfer-encoding",
                                       "trailer",    "upgrade",          "http2-settings"};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (leat_bytes_is_nocase(name, ours[i]))
            return true;
    }
    return false;
}

int leat_request_check_header(struct leat_bytes name, struct leat_bytes value, struct leat_err *err)
{
    bool token = name.len != 0;

    for (size_t i = 0; i < name.len; i++) {
        uint8_t ch = name.data[i];
        token = token && ch > ' ' && ch < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", ch) == NULL;
    }
    if (!token)
        return leat_fail(err, "\"%.*s\" cannot be the name of a header",
                         name.len > 80 ? 80 : (int)name.len, (const char *)name.data);
    if (is_ours(name))
        return leat_fail(err, "the header %.*s is set by the client itself",
                         name.len > 80 ? 80 : (int)name.len, (const char *)name.data);
    if (!nghttp2_check_header_value(value.data, value.len))
        return leat_fail(err, "the value of the header %.*s holds bytes that HTTP forbids",
                         name.len > 80 ? 80 : (int)name.len, (const char *)name.data);
    return 0;
}

static bool has(const struct leat_request *r, struct leat_bytes name)
{
    for (size_t i = r->npseudo; i < r->n; i++) {
        if (leat_bytes_eq(leat_bytes(r->nv[i].name, r->nv[i].namelen), name))
            return true;
    }
    return leat_bytes_is(name, "host"); /* always there, as :authority */
}

/* Adds unless a header of that name is there: who comes first wins. */
static int add(struct leat_request *r, const char *name_text, struct leat_bytes value)
{
    struct leat_bytes name = leat_bytes_str(name_text);

    if (has(r, name))
        return 0;
    if (r->n == LEAT_REQUEST_HEADERS)
        return leat_fail(r->err, "the request has more than %d headers", LEAT_REQUEST_HEADERS);
    r->nv[r->n++] = nv_of(name, value);
    return 0;
}

static int add_str(struct leat_request *r, const char *name, const char *value)
{
    return value == NULL || *value == '\0' ? 0 : add(r, name, leat_bytes_str(value));
}

static void pseudo(struct leat_request *r, const char *name, const char *value)
{
    r->nv[r->n++] = nv_of(leat_bytes_str(name), leat_bytes_str(value));
    r->npseudo = r->n;
}

/* Copies into the scratch; NULL: full. */
static char *scratch(struct leat_request *r, const char *text, bool lower)
{
    size_t len = strlen(text) + 1;
    char *at = r->scratch + r->used;

    if (len > LEAT_REQUEST_SCRATCH - r->used)
        return NULL;
    memcpy(at, text, len);
    r->used += len;
    if (lower)
        leat_lower(at, len);
    return at;
}

struct signing {
    struct leat_request *r;
    bool failed;
};

static void add_signed(void *arg, const char *name, const char *value)
{
    struct signing *s = arg;
    char *own_name = scratch(s->r, name, true), *own_value = scratch(s->r, value, false);

    if (own_name == NULL || own_value == NULL)
        leat_fail(s->r->err, "the authenticator adds more than %d bytes of headers",
                  LEAT_REQUEST_SCRATCH);
    else if (leat_request_check_header(leat_bytes_str(own_name), leat_bytes_str(own_value),
                                       s->r->err) == 0 &&
             add(s->r, own_name, leat_bytes_str(own_value)) == 0)
        return;
    s->failed = true;
}

static int add_auth(struct leat_request *r)
{
    struct signing s = {.r = r};

    if (r->auth == NULL || r->auth->sign == NULL)
        return 0;
    if (r->auth->sign(r->auth->self, add_signed, &s, r->err) != 0)
        return leat_fail_in(r->err, "no credentials for the request");
    return s.failed ? -1 : 0;
}

static int add_conf(struct leat_request *r)
{
    for (uint32_t i = 0; i < r->conf.count; i++) {
        const struct leat_pair *h = &r->conf.items[i];
        if (add(r, h->key, leat_bytes_str(h->value)) != 0)
            return -1;
    }
    return 0;
}

static int add_exchange(struct leat_request *r, const struct leat_exchange *x)
{
    for (size_t i = 0; i < x->nheaders; i++) {
        const struct leat_pair *h = &x->headers[i];
        struct leat_bytes value = leat_bytes_str(h->value);
        if (leat_request_check_header(leat_bytes_str(h->key), value, r->err) != 0 ||
            add(r, h->key, value) != 0)
            return -1;
    }
    return 0;
}

/* What is left of the timeout differs each time: in the peer's table of headers it would only push
 * out others. */
static int add_timeout(struct leat_request *r, int64_t timeout)
{
    size_t at = r->n;
    char text[16];

    if (add_str(r, "grpc-timeout", scratch(r, leat_grpc_timeout_write(timeout, text), false)) != 0)
        return -1;
    if (r->n > at)
        r->nv[at].flags = NGHTTP2_NV_FLAG_NO_INDEX;
    return 0;
}

/* gRPC: the request's own metadata come before the settings'. */
static int build_grpc(struct leat_request *r, const struct leat_exchange *x, int64_t timeout)
{
    int rc = 0;

    rc |= add_str(r, "te", "trailers");
    rc |= add_str(r, "content-type", "application/grpc");
    if (timeout > 0)
        rc |= add_timeout(r, timeout);
    rc |= add_str(r, "grpc-encoding", x->content_encoding);
    rc |= add_str(r, "grpc-accept-encoding", "identity");
    rc |= add_str(r, "user-agent", r->user_agent);
    if (rc != 0 || add_exchange(r, x) != 0 || add_conf(r) != 0)
        return -1;
    return add_auth(r);
}

/* HTTP: the settings' headers come before everything but the framing. */
static int build_http(struct leat_request *r, const struct leat_exchange *x, size_t body)
{
    char text[LEAT_DECIMAL];
    int rc = 0;

    if (body != 0 || x->method == NULL || strcmp(x->method, "GET") != 0) {
        rc |= add_str(r, "content-length", scratch(r, leat_decimal(body, text), false));
    }
    if (rc != 0 || add_conf(r) != 0 || add_auth(r) != 0 || add_exchange(r, x) != 0)
        return -1;
    rc |= add_str(r, "content-type", x->content_type);
    rc |= add_str(r, "content-encoding", x->content_encoding);
    rc |= add_str(r, "user-agent", r->user_agent);
    return rc;
}

int leat_request_build(struct leat_request *r, const struct leat_exchange *x, const char *path,
                       size_t body, int64_t timeout, struct leat_err *err)
{
    int rc;

    r->n = r->npseudo = r->used = 0;
    r->err = err;
    pseudo(r, ":method", x->method != NULL && !r->grpc ? x->method : "POST");
    pseudo(r, ":scheme", r->scheme);
    pseudo(r, ":authority", r->authority);
    pseudo(r, ":path", path);
    rc = r->grpc ? build_grpc(r, x, timeout) : build_http(r, x, body);
    r->err = NULL;
    return rc;
}

int leat_request_text(const struct leat_request *r, const char *proxied, bool close,
                      struct leat_text *out)
{
    leat_text_clear(out);
    leat_text_add(out, r->nv[METHOD].value, r->nv[METHOD].valuelen);
    leat_text_char(out, ' ');
    if (proxied != NULL)
        leat_text_printf(out, "http://%s", proxied);
    leat_text_add(out, r->nv[PATH].value, r->nv[PATH].valuelen);
    leat_text_str(out, " HTTP/1.1\r\nhost: ");
    leat_text_str(out, r->authority);
    for (size_t i = r->npseudo; i < r->n; i++) {
        leat_text_add(out, "\r\n", 2);
        leat_text_add(out, r->nv[i].name, r->nv[i].namelen);
        leat_text_add(out, ": ", 2);
        leat_text_add(out, r->nv[i].value, r->nv[i].valuelen);
    }
    leat_text_str(out, close ? "\r\nconnection: close\r\n\r\n" : "\r\n\r\n");
    return leat_text_ok(out) ? 0 : -1;
}
