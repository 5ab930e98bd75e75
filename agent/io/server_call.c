/* A request's way in: its headers are judged, its body gets one charged buffer, is inflated, and
 * goes to the service. */
#include <stdalign.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/share.h"
#include "io/auth.h"
#include "io/codec.h"
#include "io/grpc.h"
#include "io/server_internal.h"

/* Calls open at one server at a time, however many connections and streams there are: those whose
 * body nobody wants are not charged to the budget. One connection may have only a fair part of
 * them. */
#define CALLS_MAX 20000
/* A body that nobody wants is read and thrown away up to here. */
#define UNWANTED_MAX ((size_t)64 * 1024)
/* A body of unknown length starts with a buffer of this size. */
#define BODY_START ((size_t)16 * 1024)

#define DEFAULT_HTTP_BODY ((size_t)20 * 1024 * 1024)
#define DEFAULT_GRPC_MIB  4

static size_t round_up(size_t n)
{
    return (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
}

void *leat_call_state(struct leat_call *call)
{
    return (uint8_t *)call + round_up(sizeof *call);
}

struct leat_call *leat_call_of_state(void *state)
{
    return (struct leat_call *)(void *)((uint8_t *)state - round_up(sizeof(struct leat_call)));
}

const struct leat_call_info *leat_call_info(const struct leat_call *call)
{
    return &call->info;
}

struct leat_buf *leat_call_take_body(struct leat_call *call)
{
    struct leat_buf *body = call->body;

    call->body = NULL;
    return body;
}

struct leat_call *leat_call_new(struct leat_peer *p, bool http2, int32_t stream)
{
    struct leat_server *s = p->server;
    struct leat_call *c;

    if (s->ncalls >= CALLS_MAX || !leat_fair(p->ncalls, 1, CALLS_MAX - s->ncalls))
        return NULL;
    c = leat_try(round_up(sizeof *c) + s->service.call_size);
    if (c == NULL)
        return NULL;
    memset(c, 0, offsetof(struct leat_call, head));
    memset(leat_call_state(c), 0, s->service.call_size);
    c->info.http2 = http2;
    c->info.peer = p->name;
    c->info.deadline = INT64_MAX;
    c->peer = p;
    c->stream = stream;
    c->declared = UINT64_MAX;
    c->begun = leat_clock_mono();
    leat_list_append(&p->calls, &c->link);
    p->ncalls++;
    s->ncalls++;
    return c;
}

void leat_call_gone(struct leat_call *c)
{
    c->gone = true;
    if (c->phase != LEAT_CALL_SERVICE)
        leat_call_free(c);
}

/* --- what the headers say */

static void lower(struct leat_bytes b)
{
    union {
        const uint8_t *in;
        char *out;
    } at = {.in = b.data};

    leat_lower(at.out, b.len);
}

static struct leat_bytes before(struct leat_bytes b, char end)
{
    const uint8_t *at = b.len ? memchr(b.data, end, b.len) : NULL;

    return leat_bytes(b.data, at ? (size_t)(at - b.data) : b.len);
}

static bool is_grpc(struct leat_bytes type)
{
    static const char name[] = "application/grpc";
    size_t n = sizeof name - 1;

    return type.len >= n && memcmp(type.data, name, n) == 0 &&
           (type.len == n || type.data[n] == '+');
}

/* The path of an absolute URL (RFC 9112 section 3.2.2: a server must take it). */
static struct leat_bytes after_authority(struct leat_bytes url)
{
    size_t at = 4;

    at += url.data[at] == 's';
    if (url.len < at + 3 || memcmp(url.data + at, "://", 3) != 0)
        return url;
    for (at += 3; at < url.len && url.data[at] != '/'; at++)
        ;
    return leat_bytes(url.data + at, url.len - at);
}

static void read_info(struct leat_call *c)
{
    struct leat_call_info *i = &c->info;
    struct leat_bytes target = leat_head_find(c, ":path");
    int64_t timeout;

    if (target.len > 7 && memcmp(target.data, "http", 4) == 0)
        target = after_authority(target);
    i->method = leat_head_find(c, ":method");
    i->path = before(target, '?');
    if (i->path.len < target.len)
        i->query = leat_bytes(target.data + i->path.len + 1, target.len - i->path.len - 1);
    i->content_type = leat_bytes_trim(before(leat_head_find(c, "content-type"), ';'));
    lower(i->content_type);
    i->grpc = i->http2 && is_grpc(i->content_type);
    c->head_only = leat_bytes_is(i->method, "HEAD");
    if (i->grpc && leat_grpc_timeout_read(leat_head_find(c, "grpc-timeout"), &timeout) == 0)
        i->deadline = timeout > INT64_MAX - c->begun ? INT64_MAX : c->begun + timeout;
}

static bool path_matches(const struct leat_route *r, struct leat_bytes path)
{
    size_t n = strlen(r->path);

    if (n != 0 && r->path[n - 1] == '*')
        return path.len >= n - 1 && memcmp(path.data, r->path, n - 1) == 0;
    return path.len == n && memcmp(path.data, r->path, n) == 0;
}

static bool method_matches(const struct leat_route *r, struct leat_bytes method)
{
    if (r->grpc)
        return leat_bytes_is(method, "POST");
    return r->method == NULL || leat_bytes_is(method, r->method) ||
           (leat_bytes_is(method, "HEAD") && strcmp(r->method, "GET") == 0);
}

/* False: answered. */
static bool find_route(struct leat_call *c)
{
    const struct leat_service *sv = &c->peer->server->service;
    const struct leat_route *kind = NULL, *path = NULL;

    for (size_t i = 0; i < sv->nroutes && c->info.route == NULL; i++) {
        const struct leat_route *r = &sv->routes[i];

        if (!path_matches(r, c->info.path))
            continue;
        path = r;
        if (r->grpc != c->info.grpc)
            continue;
        kind = r;
        if (method_matches(r, c->info.method))
            c->info.route = r;
    }
    if (c->info.route != NULL)
        return true;
    if (kind != NULL)
        leat_call_refuse(c, LEAT_REFUSED_METHOD, 0, "method not allowed here: use %s",
                         kind->grpc ? "POST" : kind->method);
    else if (path != NULL && path->grpc)
        leat_call_refuse(c, LEAT_REFUSED_CONTENT_TYPE, 0,
                         "this path is gRPC: HTTP/2 and content-type application/grpc");
    else
        leat_call_refuse(c, LEAT_REFUSED_NOT_FOUND, 0, "nothing is served at %.*s",
                         (int)(c->info.path.len < 100 ? c->info.path.len : 100),
                         (const char *)c->info.path.data);
    return false;
}

/* False: answered. */
static bool authenticate(struct leat_call *c)
{
    const struct leat_authenticator *auth = c->peer->server->auth;
    struct leat_err err = {""};
    int said;

    if (auth == NULL)
        return true;
    if (c->peer->server->conf->auth.request_params.count != 0) {
        leat_head_add_params(c, c->info.query, &c->peer->server->conf->auth.request_params);
        read_info(c);
    }
    said = c->no_memory ? LEAT_AUTH_LATER : auth->admit(auth->self, c, &err);
    if (said == 0)
        return true;
    if (said == LEAT_AUTH_LATER) {
        leat_call_refuse(c, LEAT_REFUSED_OVERLOAD, 0,
                         "no memory to see who is asking: try again later");
        return false;
    }
    c->challenge = auth->challenge;
    leat_call_refuse(c, LEAT_REFUSED_AUTH, 0, "%s", err.text[0] ? err.text : "not authenticated");
    return false;
}

/* False: answered. */
static bool find_codec(struct leat_call *c)
{
    struct leat_server *s = c->peer->server;
    const char *header = c->info.grpc ? "grpc-encoding" : "content-encoding";
    struct leat_bytes name = leat_bytes_trim(leat_head_find(c, header));

    lower(name);
    c->codec = leat_codec_find(name);
    if (c->codec == LEAT_CODEC_NONE ||
        (c->codec > 0 && s->env.codecs != NULL && (s->codecs & 1U << c->codec)))
        return true;
    if (c->info.grpc && c->codec > 0 && s->env.codecs != NULL &&
        (c->codec == LEAT_CODEC_GZIP || c->codec == LEAT_CODEC_ZSTD ||
         c->codec == LEAT_CODEC_SNAPPY))
        return true;
    leat_call_refuse(c, LEAT_REFUSED_ENCODING, 0, "%s %.*s is not supported here", header,
                     (int)(name.len < 40 ? name.len : 40), (const char *)name.data);
    return false;
}

size_t leat_server_max_body(const struct leat_server_conf *conf, bool grpc)
{
    uint32_t mib = conf->max_recv_msg_size_mib ? conf->max_recv_msg_size_mib : DEFAULT_GRPC_MIB;

    if (grpc)
        return (size_t)mib * 1024 * 1024;
    return conf->max_request_body_size ? (size_t)conf->max_request_body_size : DEFAULT_HTTP_BODY;
}

static size_t limit_of(const struct leat_call *c)
{
    const struct leat_route *r = c->info.route;

    if (!r->wants_body)
        return UNWANTED_MAX;
    return r->max_body ? r->max_body : leat_server_max_body(c->peer->server->conf, r->grpc);
}

static bool refuse_too_large(struct leat_call *c)
{
    leat_call_refuse(c, LEAT_REFUSED_TOO_LARGE, 0,
                     "the body is larger than the limit of %zu bytes: send smaller requests",
                     c->limit);
    return false;
}

static bool refuse_overload(struct leat_call *c)
{
    char why[160];

    if (leat_budget_unfair(leat_peer_budget(c->peer), why, sizeof why)) {
        leat_call_refuse(c, LEAT_REFUSED_SHARE, 0, "%s", why);
        return false;
    }
    leat_call_refuse(c, LEAT_REFUSED_OVERLOAD, 0, "out of memory for requests: try again later");
    return false;
}

/* The call itself is charged for as long as it is open, or it is refused. False: answered. */
static bool charge(struct leat_call *c)
{
    struct leat_budget *budget = leat_peer_budget(c->peer);

    if (budget == NULL)
        return true;
    if (!leat_budget_take(budget, LEAT_CALL_COST))
        return refuse_overload(c);
    c->budget = budget;
    c->charged = LEAT_CALL_COST;
    return true;
}

void leat_call_discharge(struct leat_call *c)
{
    if (c->charged != 0)
        leat_budget_give(c->budget, c->charged);
    c->charged = 0;
}

/* The body may be held for longer than the call: its share of the charge goes with it. */
static void share_charge(struct leat_call *c)
{
    if (c->charged == 0 || c->body == NULL || c->body->budget != c->budget)
        return;
    leat_buf_carry(c->body, LEAT_BODY_COST);
    c->charged -= LEAT_BODY_COST;
}

/* One buffer of exactly `declared` bytes. False: answered. */
static bool admit_body(struct leat_call *c)
{
    if (c->declared > c->limit)
        return refuse_too_large(c);
    if (c->discard || c->declared == 0)
        return true;
    c->body = leat_buf_new(leat_peer_budget(c->peer), (size_t)c->declared);
    return c->body != NULL || refuse_overload(c);
}

static bool head_is_sound(struct leat_call *c)
{
    if (c->too_long)
        leat_call_refuse(c, LEAT_REFUSED_MALFORMED, 431, "too many or too long request headers");
    else if (c->no_memory)
        refuse_overload(c);
    else
        return true;
    return false;
}

static bool is_preflight(struct leat_call *c)
{
    return c->peer->server->conf->cors.allowed_origins.count != 0 &&
           leat_bytes_is(c->info.method, "OPTIONS") && leat_head_find(c, "origin").len != 0 &&
           leat_head_find(c, "access-control-request-method").len != 0;
}

bool leat_call_admit(struct leat_call *c, uint64_t content_length, bool no_body)
{
    leat_head_abandon(c);
    read_info(c);
    if (!head_is_sound(c))
        return false;
    if (is_preflight(c)) {
        c->phase = LEAT_CALL_SERVICE;
        leat_cors_preflight(c);
        return false;
    }
    if (!find_route(c) || !authenticate(c))
        return false;
    c->limit = limit_of(c);
    c->discard = !c->info.route->wants_body;
    c->phase = LEAT_CALL_BODY;
    c->window_at = leat_clock_mono();
    leat_peer_due(c->peer, c->window_at + LEAT_STALL_WINDOW);
    leat_peer_due(c->peer, c->info.deadline);
    if (!c->discard && (!find_codec(c) || !charge(c)))
        return false;
    if (c->info.grpc)
        return true;
    c->declared = no_body ? 0 : content_length;
    return c->declared == UINT64_MAX || admit_body(c);
}

/* --- the body */

/* Room for `len` more bytes of a body whose length nobody told. */
static bool grow(struct leat_call *c, size_t len)
{
    size_t cap = c->body ? c->body->cap : 0, need = (size_t)c->got + len;

    if (c->body == NULL) {
        cap = need > BODY_START ? need : BODY_START;
        cap = cap > c->limit ? c->limit : cap;
        c->body = leat_buf_new(leat_peer_budget(c->peer), cap);
        return c->body != NULL;
    }
    if (need <= cap)
        return true;
    cap = cap > c->limit / 2 ? c->limit : cap * 2;
    return leat_buf_resize(&c->body, cap < need ? need : cap) == 0;
}

static bool add_http(struct leat_call *c, const uint8_t *data, size_t len)
{
    if (len > c->limit - c->got) /* got never exceeds the limit */
        return refuse_too_large(c);
    if (c->discard) {
        c->got += len;
        return true;
    }
    if (c->declared == UINT64_MAX) {
        if (!grow(c, len))
            return refuse_overload(c);
    } else if (c->body == NULL || len > c->body->cap - c->body->len) {
        leat_call_refuse(c, LEAT_REFUSED_MALFORMED, 0, "more bytes than Content-Length says");
        return false;
    }
    if (data != c->body->data + c->body->len)
        memcpy(c->body->data + c->body->len, data, len);
    c->body->len += len;
    c->got += len;
    return true;
}

/* The five bytes are complete: the message is admitted or refused. */
static bool read_prefix(struct leat_call *c)
{
    uint32_t len;

    if (leat_grpc_prefix_read(c->prefix, &c->compressed, &len) < 0) {
        leat_call_refuse(c, LEAT_REFUSED_MALFORMED, 0, "not a gRPC message: bad flag byte %u",
                         c->prefix[0]);
        return false;
    }
    if (c->compressed && c->codec == LEAT_CODEC_NONE) {
        leat_call_refuse(c, LEAT_REFUSED_MALFORMED, 0,
                         "a compressed message without grpc-encoding");
        return false;
    }
    c->declared = len;
    return admit_body(c);
}

static bool add_grpc(struct leat_call *c, const uint8_t *data, size_t len)
{
    size_t head = LEAT_GRPC_PREFIX - c->nprefix;

    if (head != 0) {
        head = head < len ? head : len;
        memcpy(c->prefix + c->nprefix, data, head);
        c->nprefix += (uint8_t)head;
        data += head;
        len -= head;
        if (c->nprefix < LEAT_GRPC_PREFIX)
            return true;
        if (c->declared == UINT64_MAX && !read_prefix(c))
            return false;
    }
    if (len > c->declared - c->got) {
        leat_call_refuse(c, LEAT_REFUSED_MALFORMED, 0,
                         "more bytes after the message: this method takes one message");
        return false;
    }
    if (len != 0 && !c->discard) {
        if (data != c->body->data + c->body->len)
            memcpy(c->body->data + c->body->len, data, len);
        c->body->len += len;
    }
    c->got += len;
    return true;
}

struct leat_conn_room leat_call_room(const struct leat_call *c, size_t len)
{
    struct leat_buf *b = c->body;

    if (c->phase != LEAT_CALL_BODY || c->declared == UINT64_MAX || b == NULL)
        return (struct leat_conn_room){NULL, 0};
    if (len > b->cap - b->len)
        len = b->cap - b->len;
    return (struct leat_conn_room){b->data + b->len, len};
}

bool leat_call_body(struct leat_call *c, const uint8_t *data, size_t len)
{
    LEAT_CHECK(c->phase == LEAT_CALL_BODY);
    c->window_got += len;
    if (len == 0)
        return true;
    return c->info.grpc ? add_grpc(c, data, len) : add_http(c, data, len);
}

/* False: answered. */
static bool inflate(struct leat_call *c)
{
    const struct leat_server_env *env = &c->peer->server->env;
    struct leat_buf *plain;
    struct leat_err err = {""};

    switch (leat_inflate(env->codecs, (enum leat_codec)c->codec,
                         leat_bytes(c->body->data, c->body->len), c->limit, c->body->budget, &plain,
                         &err)) {
    case LEAT_CODEC_OK:
        leat_buf_unref(c->body);
        c->body = plain;
        return true;
    case LEAT_CODEC_BAD:
        leat_call_refuse(c, LEAT_REFUSED_MALFORMED, 0, "cannot decompress the body: %s", err.text);
        return false;
    case LEAT_CODEC_TOO_LARGE:
        return refuse_too_large(c);
    case LEAT_CODEC_NO_MEMORY:
        break;
    }
    return refuse_overload(c);
}

/* False: answered. */
static bool body_is_whole(struct leat_call *c)
{
    if (c->info.grpc ? c->nprefix == LEAT_GRPC_PREFIX && c->got == c->declared
                     : c->declared == UINT64_MAX || c->got == c->declared)
        return true;
    leat_call_refuse(c, LEAT_REFUSED_MALFORMED, 0,
                     "the request ended before its body was complete");
    return false;
}

void leat_call_end(struct leat_call *c)
{
    const struct leat_service *sv = &c->peer->server->service;

    if (!body_is_whole(c))
        return;
    if (c->body != NULL && c->body->len != 0 && c->codec != LEAT_CODEC_NONE &&
        (!c->info.grpc || c->compressed) && !inflate(c))
        return;
    share_charge(c);
    c->phase = LEAT_CALL_SERVICE;
    sv->take(sv->self, c);
}

bool leat_call_in_time(struct leat_call *c, int64_t now, int64_t *ret_due)
{
    const struct leat_server_conf *conf = c->peer->server->conf;
    int64_t whole = LEAT_NEVER;

    if (!c->info.grpc && conf->read_timeout > 0)
        whole = c->begun + conf->read_timeout;
    if (now >= whole || now >= c->info.deadline) {
        leat_call_refuse(c, LEAT_REFUSED_TIMEOUT, 0, "the request did not arrive in time");
        return false;
    }
    if (now >= c->window_at + LEAT_STALL_WINDOW) {
        if (c->window_got < LEAT_STALL_BYTES) {
            leat_call_refuse(c, LEAT_REFUSED_TIMEOUT, 0, "the body comes in too slowly");
            return false;
        }
        c->window_at = now;
        c->window_got = 0;
    }
    *ret_due = c->window_at + LEAT_STALL_WINDOW;
    *ret_due = whole < *ret_due ? whole : *ret_due;
    *ret_due = c->info.deadline < *ret_due ? c->info.deadline : *ret_due;
    return true;
}
