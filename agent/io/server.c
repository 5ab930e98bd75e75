/* An HTTP server on one port: its life, its connections, and which protocol each speaks. */
#include "io/server.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/share.h"
#include "io/auth.h"
#include "io/codec.h"
#include "io/server_internal.h"

/* How often overdue connections and calls are looked for; more often when a setting is shorter. */
#define TICK     (250 * LEAT_MS)
#define TICK_MIN (5 * LEAT_MS)
/* RFC 9113 section 3.4. */
#define PREFACE_LEN 24
#define SHARE_MAX   1200 /* bytes of the name under which workers share a port */
static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* --- connections */

void leat_peer_due(struct leat_peer *p, int64_t when)
{
    if (when >= p->due)
        return;
    p->due = when;
    if (p->server != NULL && p->conn != NULL)
        leat_wheel_put(&p->server->wheel, &p->slot, when);
}

struct leat_budget *leat_peer_budget(struct leat_peer *p)
{
    p->share = leat_budget_of(p->server->env.budget, p->client, p->share);
    return p->share;
}

int64_t leat_server_header_timeout(const struct leat_server *s)
{
    return s->conf->read_header_timeout > 0 ? s->conf->read_header_timeout : LEAT_HEADER_TIMEOUT;
}

int64_t leat_server_write_timeout(const struct leat_server *s)
{
    return s->conf->write_timeout > 0 ? s->conf->write_timeout : LEAT_WRITE_TIMEOUT;
}

static void peer_maybe_free(struct leat_peer *p)
{
    if (p->conn != NULL || p->ncalls != 0)
        return;
    leat_list_remove(&p->link);
    leat_list_remove(&p->slot);
    leat_free(p);
}

static void set_kind(struct leat_peer *p, const struct leat_session_kind *kind)
{
    p->kind = kind;
    if (kind->open(p) < 0)
        leat_conn_abort(p->conn);
    else if (p->server->draining)
        kind->drain(p);
}

static void peer_opened(void *self)
{
    struct leat_peer *p = self;
    const char *alpn = leat_conn_alpn(p->conn);

    if (p->server == NULL || alpn == NULL)
        return;
    set_kind(p, strcmp(alpn, "h2") == 0 ? &leat_server_h2 : &leat_server_h1);
}

/* The preface of HTTP/2 differs from every HTTP/1 request in its first four bytes ("PRI "). */
static void peer_detect(struct leat_peer *p, const uint8_t *data, size_t len)
{
    size_t n = PREFACE_LEN - p->npreface, seen = p->npreface;

    n = n < len ? n : len;
    if (memcmp(preface + seen, data, n) == 0) {
        p->npreface += n;
        if (p->npreface < PREFACE_LEN)
            return;
        set_kind(p, &leat_server_h2);
    } else {
        set_kind(p, &leat_server_h1);
    }
    if (p->session != NULL && seen != 0)
        p->kind->read(p, preface, seen);
    if (p->session != NULL && p->server != NULL)
        p->kind->read(p, data, len);
}

static void peer_read(void *self, const uint8_t *data, size_t len)
{
    struct leat_peer *p = self;

    if (p->server == NULL)
        return;
    if (p->kind == NULL)
        peer_detect(p, data, len);
    else if (p->session != NULL)
        p->kind->read(p, data, len);
}

static struct leat_conn_room peer_room(void *self)
{
    struct leat_peer *p = self;

    if (p->server == NULL || p->session == NULL || p->kind->room == NULL)
        return (struct leat_conn_room){NULL, 0};
    return p->kind->room(p);
}

static void peer_ended(void *self)
{
    struct leat_peer *p = self;

    p->ended = true;
    if (p->session != NULL && p->server != NULL)
        p->kind->ended(p);
    else
        leat_conn_close(p->conn);
}

static void peer_written(void *self)
{
    struct leat_peer *p = self;

    if (p->session != NULL)
        p->kind->written(p);
}

static void peer_closed(void *self, const char *why)
{
    struct leat_peer *p = self;
    struct leat_link *l, *next;

    if (p->server != NULL) {
        leat_debug(p->server->env.who, "connection of %s is closed: %s", p->name,
                   why ? why : "by us");
        if (p->server->connections != NULL)
            leat_gauge_add(p->server->connections, -1);
    }
    p->ncalls++; /* holds p */
    if (p->session != NULL)
        p->kind->closed(p);
    p->session = NULL;
    p->conn = NULL;
    for (l = p->calls.next; l != &p->calls; l = next) {
        struct leat_call *c = LEAT_OWNER(l, struct leat_call, link);

        next = l->next;
        if (!c->gone)
            leat_call_gone(c);
    }
    p->due = LEAT_NEVER;
    p->ncalls--;
    peer_maybe_free(p);
}

static const struct leat_conn_events peer_events = {
    .opened = peer_opened,
    .read = peer_read,
    .room = peer_room,
    .ended = peer_ended,
    .written = peer_written,
    .closed = peer_closed,
};

static void refuse_closed(void *self, const char *why)
{
    (void)self;
    (void)why;
}

static void ignore_read(void *self, const uint8_t *data, size_t len)
{
    (void)self;
    (void)data;
    (void)len;
}

static void ignore(void *self)
{
    (void)self;
}

/* For a connection there is no memory for. */
static const struct leat_conn_events refuse_events = {
    .opened = ignore, .read = ignore_read, .written = ignore, .closed = refuse_closed};

static void accept_peer(void *self, struct leat_conn *conn)
{
    struct leat_server *s = self;
    struct leat_peer *p = leat_try_zeroed(sizeof *p);

    if (p == NULL) {
        leat_conn_handle(conn, &refuse_events, NULL);
        leat_conn_abort(conn);
        return;
    }
    p->server = s;
    p->conn = conn;
    p->client = leat_conn_client(conn);
    p->born = leat_clock_mono();
    p->due = LEAT_NEVER;
    leat_list_init(&p->slot);
    leat_peer_due(p, p->born + leat_server_header_timeout(s));
    leat_list_init(&p->calls);
    snprintf(p->name, sizeof p->name, "%s", leat_conn_peer(conn));
    if (leat_list_empty(&s->peers))
        leat_timer_start(s->tick, s->tick_every, s->tick_every);
    leat_list_append(&s->peers, &p->link);
    if (s->connections != NULL)
        leat_gauge_add(s->connections, 1);
    leat_conn_handle(conn, &peer_events, p);
}

static void tick_peer(struct leat_peer *p, int64_t now)
{
    if (p->conn == NULL)
        return;
    if (p->session != NULL)
        p->due = p->kind->tick(p, now);
    else
        leat_conn_abort(p->conn); /* said nothing since it came */
}

static void look_at(struct leat_peer *p, int64_t now)
{
    if (now >= p->due) {
        p->due = LEAT_NEVER;
        tick_peer(p, now); /* may end it, and the server */
    }
}

static void on_tick(void *arg)
{
    struct leat_server *s = arg;
    int64_t now = leat_clock_mono();
    struct leat_link found = {&found, &found}, *l;

    if (leat_list_empty(&s->peers))
        leat_timer_stop(s->tick);
    leat_wheel_turn(&s->wheel, now, &found);
    s->ticking = true;
    while ((l = leat_list_pop(&found)) != NULL) {
        struct leat_peer *p = LEAT_OWNER(l, struct leat_peer, slot);

        if (s->freed || p->conn == NULL)
            continue;
        look_at(p, now); /* its `closed` comes later, so it is still there */
        if (p->server != NULL)
            leat_wheel_put(&s->wheel, &p->slot, p->due);
    }
    s->ticking = false;
    if (s->freed)
        leat_free(s);
}

/* --- calls end here */

static void maybe_drained(struct leat_server *s)
{
    if (s->draining && s->ncalls == 0 && s->drained != NULL)
        leat_loop_defer(s->env.loop, &s->drained_task);
}

static void run_drained(struct leat_task *t)
{
    struct leat_server *s = LEAT_OWNER(t, struct leat_server, drained_task);
    void (*drained)(void *) = s->drained;

    if (s->ncalls != 0 || drained == NULL)
        return;
    s->drained = NULL;
    drained(s->drained_arg);
}

void leat_call_free(struct leat_call *c)
{
    struct leat_peer *p = c->peer;

    leat_list_remove(&c->link);
    leat_stream_free(c);
    leat_call_discharge(c);
    leat_buf_unref(c->body);
    leat_buf_unref(c->more);
    leat_free(c->out_more);
    leat_free(c);
    p->ncalls--;
    if (p->server != NULL) {
        p->server->ncalls--;
        maybe_drained(p->server);
    }
    if (p->ncalls == 0 && p->ended && p->conn != NULL && p->kind == &leat_server_h2)
        leat_conn_close(p->conn);
    peer_maybe_free(p);
}

void leat_call_reply(struct leat_call *call, const struct leat_reply *reply)
{
    LEAT_CHECK(call->phase == LEAT_CALL_SERVICE);
    if (call->gone || call->peer->server == NULL) {
        if (reply->source != NULL)
            reply->source->done(reply->source->self);
        leat_call_free(call);
        return;
    }
    call->phase = LEAT_CALL_REPLIED;
    call->window_at = leat_clock_mono();
    leat_peer_due(call->peer, call->window_at + leat_server_write_timeout(call->peer->server));
    call->peer->kind->reply(call, reply);
}

/* --- life */

static unsigned codecs_of(const struct leat_server_conf *conf)
{
    unsigned mask = 0;

    if (!conf->has_compression_algorithms)
        return ~0U;
    for (uint32_t i = 0; i < conf->compression_algorithms.count; i++) {
        int c = leat_codec_find(leat_bytes_str(conf->compression_algorithms.items[i]));

        if (c >= 0)
            mask |= 1U << c;
    }
    return mask;
}

static void copy_response_headers(struct leat_server *s)
{
    const struct leat_pairs *from = &s->conf->response_headers;

    s->nresponse_headers = from->count;
    s->response_headers = leat_new_array(from->count, sizeof *s->response_headers);
    for (uint32_t i = 0; i < from->count; i++) {
        char *name = leat_strdup(from->items[i].key);

        for (char *p = name; *p != '\0'; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p += 'a' - 'A';
        s->response_headers[i] = (struct leat_pair){name, from->items[i].value};
    }
}

static void make_ended_meters(struct leat_server *s)
{
    static const char *const labels[] = {"flood", "headers", "protocol", "stalled"};
    struct leat_metric m = {.name = "leat_http_connections_ended",
                            .help = "Connections ended because of how their peer behaved.",
                            .labels = {{"server", s->env.who}}};

    for (int i = 0; i < LEAT_ENDED_N; i++) {
        m.labels[1] = (struct leat_label){"reason", labels[i]};
        s->ended[i] = leat_meter_counter(s->env.meter, &m);
    }
}

static void make_meters(struct leat_server *s)
{
    struct leat_metric m = {.name = "leat_http_connections",
                            .help = "Connections that are open.",
                            .labels = {{"server", s->env.who}}};

    if (s->env.meter == NULL)
        return;
    s->connections = leat_meter_gauge(s->env.meter, &m);
    m.name = "leat_http_requests_refused";
    m.help = "Requests the server refused before a component saw them.";
    for (int i = 0; i <= LEAT_REFUSED_SHUTDOWN; i++) {
        m.labels[1] = (struct leat_label){"reason", leat_refusal_label(i)};
        s->refused[i] = leat_meter_counter(s->env.meter, &m);
    }
    make_ended_meters(s);
}

void leat_server_count_ended(struct leat_server *s, enum leat_ended why)
{
    if (s != NULL && s->ended[why] != NULL)
        leat_count(s->ended[why], 1);
}

static int find_auth(struct leat_server *s, struct leat_err *err)
{
    const char *id = s->conf->auth.authenticator;

    if (id == NULL || *id == '\0')
        return 0;
    if (s->env.auth != NULL)
        s->auth = s->env.auth->find(s->env.auth->self, id);
    if (s->auth == NULL)
        return leat_fail(err, "there is no authenticator %s among the service's extensions", id);
    if (s->auth->admit == NULL)
        return leat_fail(err, "authenticator %s cannot check requests, it is for clients only", id);
    return 0;
}

static int start_listening(struct leat_server *s, struct leat_err *err)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    char share[SHARE_MAX];
    struct leat_listen_conf lc = {.endpoint = s->conf->endpoint,
                                  .unix_socket = s->conf->transport != NULL &&
                                                 strcmp(s->conf->transport, "unix") == 0,
                                  .permissions = s->env.permissions,
                                  .share = share};

    /* One component may have a gRPC and an HTTP server, both on port 0. */
    snprintf(share, sizeof share, "%s %.*s", s->env.grpc_only ? "grpc" : "http", SHARE_MAX - 8,
             s->env.who);
    if (s->conf->has_tls) {
        s->tls = leat_tls_server_new(&s->conf->tls, alpn, err);
        if (s->tls == NULL)
            return -1;
        lc.tls = s->tls;
    }
    s->listener = leat_listen(s->env.loop, &lc, accept_peer, s, err);
    if (s->listener == NULL)
        return -1;
    s->port = leat_listener_port(s->listener);
    s->text = leat_strdup(leat_listener_text(s->listener));
    return 0;
}

static int64_t shorter(int64_t a, int64_t setting)
{
    return setting > 0 && setting / 4 < a ? setting / 4 : a;
}

static int64_t tick_of(const struct leat_server_conf *c)
{
    int64_t t = TICK;

    t = shorter(t, c->read_timeout);
    t = shorter(t, c->read_header_timeout);
    t = shorter(t, c->write_timeout);
    t = shorter(t, c->idle_timeout);
    t = shorter(t, c->keepalive.server_parameters.max_connection_idle);
    t = shorter(t, c->keepalive.server_parameters.max_connection_age);
    t = shorter(t, c->keepalive.server_parameters.max_connection_age_grace);
    t = shorter(t, c->keepalive.server_parameters.time);
    t = shorter(t, c->keepalive.server_parameters.timeout);
    return t < TICK_MIN ? TICK_MIN : t;
}

struct leat_server *leat_server_new(const struct leat_server_conf *conf,
                                    const struct leat_service *service,
                                    const struct leat_server_env *env, struct leat_err *err)
{
    struct leat_server *s = leat_new(sizeof *s);

    s->conf = conf;
    s->service = *service;
    s->env = *env;
    leat_list_init(&s->peers);
    s->drained_task.run = run_drained;
    leat_list_init(&s->drained_task.link);
    s->codecs = codecs_of(conf);
    s->tick_every = tick_of(conf);
    s->tick = leat_timer_new(env->loop, on_tick, s);
    leat_wheel_init(&s->wheel, s->tick_every);
    copy_response_headers(s);
    if (find_auth(s, err) < 0 || start_listening(s, err) < 0) {
        leat_server_free(s);
        return NULL;
    }
    s->keep_heads = conf->include_metadata || s->auth != NULL || env->keep_headers;
    make_meters(s);
    return s;
}

uint16_t leat_server_port(const struct leat_server *s)
{
    return s->port;
}

const char *leat_server_text(const struct leat_server *s)
{
    return s->text;
}

void leat_server_drain(struct leat_server *s, void (*drained)(void *arg), void *arg)
{
    struct leat_link *l, *next;

    leat_listener_free(s->listener);
    s->listener = NULL;
    s->draining = true;
    s->drained = drained;
    s->drained_arg = arg;
    for (l = s->peers.next; l != &s->peers; l = next) {
        struct leat_peer *p = LEAT_OWNER(l, struct leat_peer, link);

        next = l->next;
        if (p->session != NULL)
            p->kind->drain(p);
        else if (p->conn != NULL)
            leat_conn_close(p->conn);
    }
    maybe_drained(s);
}

/* Who makes these bodies may be gone after this. */
static void end_streams(struct leat_peer *p)
{
    for (struct leat_link *l = p->calls.next; l != &p->calls; l = l->next)
        leat_stream_end(LEAT_OWNER(l, struct leat_call, link));
}

static void release(struct leat_server *s)
{
    struct leat_link *l;

    while ((l = leat_list_pop(&s->peers)) != NULL) {
        struct leat_peer *p = LEAT_OWNER(l, struct leat_peer, link);

        end_streams(p);
        p->server = NULL;
        leat_list_remove(&p->slot);
        if (p->conn == NULL)
            continue;
        if (s->connections != NULL)
            leat_gauge_add(s->connections, -1);
        if (s->draining && p->ncalls == 0)
            leat_conn_close(p->conn);
        else
            leat_conn_abort(p->conn);
    }
}

void leat_server_free(struct leat_server *s)
{
    if (s == NULL)
        return;
    leat_listener_free(s->listener);
    release(s);
    leat_tls_free(s->tls);
    leat_task_cancel(&s->drained_task);
    leat_timer_free(s->tick);
    for (uint32_t i = 0; i < s->nresponse_headers; i++)
        leat_free((char *)(uintptr_t)s->response_headers[i].key);
    leat_free(s->response_headers);
    leat_free(s->text);
    if (s->ticking)
        s->freed = true;
    else
        leat_free(s);
}
