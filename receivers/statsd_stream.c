/* Lines over TCP and Unix streams: what a read brings is fed as far as its last line break, the
 * rest waits for more. */
#include <arpa/inet.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/share.h"
#include "io/conn.h"
#include "io/listen.h"
#include "receivers/statsd.h"
#include "receivers/statsd_conf.h"

#define LINE_MAX_BYTES ((size_t)16 * 1024) /* longer lines are skipped */
#define LINE_FIRST     ((size_t)256)       /* room for a beginning; it doubles */
#define CONNECTION     ((size_t)1024)      /* bytes that each costs, charged as long as it lives */
/* A client that is silent for so long is gone, or has forgotten us. TCP itself asks sooner whether
 * the peer still lives. */
#define IDLE_LIMIT (3600 * LEAT_SEC)
#define IDLE_TICK  (60 * LEAT_SEC)
/* At the end: connections that nobody has accepted yet are for a tick; one that brings nothing for
 * a tick has brought everything. */
#define DRAIN_TICK  (20 * LEAT_MS)
#define DRAIN_TICKS 50

struct stream {
    struct leat_link link;
    struct leat_statsd_streams *owner; /* NULL: freed, only `closed` is missing */
    struct leat_conn *conn;
    struct leat_budget *share; /* charged for the connection and `line` */
    uint8_t *line;             /* the beginning of a line whose end has not come */
    size_t len, cap;
    bool skipping; /* to the end of the line */
    uint8_t ip[16];
    size_t ip_len;
    int64_t heard;     /* monotonic */
    uint64_t bytes_in; /* at the last tick of the end */
};

struct leat_statsd_streams {
    struct leat_statsd *r;
    struct leat_listener *listener;
    struct leat_link streams;
    struct leat_timer *tick; /* looks for idle ones; at the end, for silent ones */
    unsigned ticks;          /* of the end */
    bool draining;
};

/* --- lines */

static void forget_line(struct stream *s)
{
    if (s->cap > 0)
        leat_budget_give(s->share, s->cap);
    leat_free(s->line);
    s->line = NULL;
    s->len = s->cap = 0;
}

static bool make_room(struct stream *s, size_t more)
{
    size_t cap = s->cap ? s->cap : LINE_FIRST;
    uint8_t *line;

    if (more > LINE_MAX_BYTES || s->len > LINE_MAX_BYTES - more)
        return false;
    while (cap < s->len + more)
        cap *= 2;
    if (cap == s->cap)
        return true;
    if (!leat_budget_grow(s->share, CONNECTION + s->cap, cap - s->cap))
        return false;
    line = leat_try_resize(s->line, cap);
    if (line == NULL) {
        leat_budget_give(s->share, cap - s->cap);
        return false;
    }
    s->line = line;
    s->cap = cap;
    return true;
}

/* Keeps a piece of a line, or begins to skip the line. */
static void keep(struct stream *s, struct leat_bytes piece)
{
    if (s->skipping || piece.len == 0)
        return;
    if (make_room(s, piece.len)) {
        memcpy(s->line + s->len, piece.data, piece.len);
        s->len += piece.len;
        return;
    }
    forget_line(s);
    s->skipping = true;
    leat_statsd_count(s->owner->r, LEAT_STATSD_SKIPPED_LINES, 1);
}

static void feed(struct stream *s, struct leat_bytes lines)
{
    if (lines.len > 0)
        leat_statsd_feed(s->owner->r, leat_bytes(s->ip, s->ip_len), lines);
}

/* The end of the line that was kept has come: the bytes up to it. */
static void end_line(struct stream *s, struct leat_bytes rest)
{
    keep(s, rest);
    feed(s, leat_bytes(s->line, s->len));
    forget_line(s);
    s->skipping = false;
}

static void take(struct stream *s, struct leat_bytes data)
{
    const uint8_t *first = memchr(data.data, '\n', data.len), *last;
    size_t n;

    if (first == NULL) {
        keep(s, data);
        return;
    }
    if (s->len > 0 || s->skipping) {
        n = (size_t)(first - data.data) + 1;
        end_line(s, leat_bytes(data.data, n));
        data = leat_bytes(data.data + n, data.len - n);
    }
    last = data.len > 0 ? memrchr(data.data, '\n', data.len) : NULL;
    n = last != NULL ? (size_t)(last - data.data) + 1 : 0;
    feed(s, leat_bytes(data.data, n));
    keep(s, leat_bytes(data.data + n, data.len - n));
}

/* --- connections */

static void on_opened(void *self)
{
    (void)self;
}

static void on_read(void *self, const uint8_t *data, size_t len)
{
    struct stream *s = self;
    struct leat_statsd *r;

    if (s->owner == NULL)
        return;
    r = s->owner->r;
    s->heard = leat_clock_mono();
    r->source.now = leat_clock_wall();
    leat_statsd_count(r, LEAT_STATSD_BYTES, len);
    take(s, leat_bytes(data, len));
    leat_statsd_fed(r);
}

/* The peer has said all: a last line needs no line break. */
static void on_ended(void *self)
{
    struct stream *s = self;

    if (s->owner != NULL && s->len > 0) {
        s->owner->r->source.now = leat_clock_wall();
        end_line(s, leat_bytes(NULL, 0));
        leat_statsd_fed(s->owner->r);
    }
    leat_conn_close(s->conn);
}

static void detach(struct stream *s)
{
    struct leat_statsd *r = s->owner->r;

    if (s->len > 0)
        leat_statsd_count(r, LEAT_STATSD_CUT_LINES, 1);
    forget_line(s);
    leat_budget_give(s->share, CONNECTION);
    leat_statsd_count_connections(r, -1);
    leat_list_remove(&s->link);
    s->owner = NULL;
}

static void on_closed(void *self, const char *why)
{
    struct stream *s = self;

    if (s->owner != NULL) {
        if (why != NULL)
            leat_debug(s->owner->r->env->id, "a connection has ended: %s", why);
        detach(s);
    }
    leat_free(s);
}

static const struct leat_conn_events events = {.opened = on_opened,
                                               .read = on_read,
                                               .ended = on_ended,
                                               .written = on_opened,
                                               .closed = on_closed};

/* "192.0.2.1:4711", "[2001:db8::1]:4711"; else nothing. */
static void set_address(struct stream *s)
{
    const char *peer = leat_conn_peer(s->conn), *colon = strrchr(peer, ':');
    char ip[INET6_ADDRSTRLEN];
    bool v6 = peer[0] == '[';
    size_t len = colon != NULL ? (size_t)(colon - peer) : 0;

    if (v6 && len > 2) {
        peer++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof ip)
        return;
    memcpy(ip, peer, len);
    ip[len] = '\0';
    if (inet_pton(v6 ? AF_INET6 : AF_INET, ip, s->ip) == 1)
        s->ip_len = v6 ? 16 : 4;
}

static void on_accept(void *self, struct leat_conn *c)
{
    struct leat_statsd_streams *o = self;
    struct leat_budget *share = leat_budget_of(o->r->env->budget, leat_conn_client(c), NULL);
    struct stream *s = leat_try_zeroed(sizeof *s);

    if (s == NULL || !leat_budget_take(share, CONNECTION)) {
        leat_free(s);
        leat_warn(o->r->env->id, "no memory for the connection of %s", leat_conn_peer(c));
        leat_conn_abort(c);
        return;
    }
    s->owner = o;
    s->share = share;
    s->conn = c;
    s->heard = leat_clock_mono();
    set_address(s);
    if (leat_list_empty(&o->streams) && !o->draining)
        leat_timer_start(o->tick, IDLE_TICK, IDLE_TICK);
    leat_list_append(&o->streams, &s->link);
    leat_statsd_count_connections(o->r, 1);
    leat_conn_handle(c, &events, s);
}

/* --- time */

static void end_stream(struct stream *s)
{
    struct leat_conn *c = s->conn;

    detach(s);
    leat_conn_abort(c);
}

static void end_idle(struct leat_statsd_streams *o)
{
    int64_t now = leat_clock_mono();
    struct leat_link *l, *next;

    for (l = o->streams.next; l != &o->streams; l = next) {
        struct stream *s = LEAT_OWNER(l, struct stream, link);

        next = l->next;
        if (now - s->heard > IDLE_LIMIT)
            end_stream(s);
    }
    if (leat_list_empty(&o->streams))
        leat_timer_stop(o->tick);
}

static void end_silent(struct leat_statsd_streams *o)
{
    struct leat_link *l, *next;
    bool over = ++o->ticks > DRAIN_TICKS;

    leat_listener_free(o->listener);
    o->listener = NULL;
    for (l = o->streams.next; l != &o->streams; l = next) {
        struct stream *s = LEAT_OWNER(l, struct stream, link);
        uint64_t got = leat_conn_bytes_in(s->conn);

        next = l->next;
        if (over || (o->ticks > 1 && got == s->bytes_in))
            end_stream(s);
        s->bytes_in = got;
    }
    if (!leat_list_empty(&o->streams))
        return;
    leat_timer_stop(o->tick);
    leat_statsd_finished(o->r);
}

static void on_tick(void *arg)
{
    struct leat_statsd_streams *o = arg;

    if (o->draining)
        end_silent(o);
    else
        end_idle(o);
}

/* --- the beginning and the end */

struct leat_statsd_streams *leat_statsd_streams_open(struct leat_statsd *r, struct leat_err *err)
{
    const struct leat_statsd_transport *t = leat_statsd_transport(r->conf);
    struct leat_listen_conf conf = {.endpoint = r->conf->endpoint,
                                    .unix_socket = t->family == AF_UNIX,
                                    .family = t->family == AF_UNIX ? AF_UNSPEC : t->family,
                                    .permissions = leat_statsd_permissions(r->conf),
                                    .share = r->env->id,
                                    .buffer = r->conf->socket_buffer_size};
    struct leat_statsd_streams *o = leat_new(sizeof *o);

    o->r = r;
    leat_list_init(&o->streams);
    o->tick = leat_timer_new(r->env->loop, on_tick, o);
    leat_timer_background(o->tick);
    o->listener = leat_listen(r->env->loop, &conf, on_accept, o, err);
    if (o->listener == NULL) {
        leat_statsd_streams_free(o);
        return NULL;
    }
    return o;
}

const char *leat_statsd_streams_text(const struct leat_statsd_streams *o)
{
    return leat_listener_text(o->listener);
}

void leat_statsd_streams_drain(struct leat_statsd_streams *o)
{
    o->draining = true;
    leat_timer_start(o->tick, DRAIN_TICK, DRAIN_TICK);
}

void leat_statsd_streams_free(struct leat_statsd_streams *o)
{
    struct leat_link *l;

    if (o == NULL)
        return;
    while (!leat_list_empty(&o->streams)) {
        l = o->streams.next;
        end_stream(LEAT_OWNER(l, struct stream, link));
    }
    leat_listener_free(o->listener);
    leat_timer_free(o->tick);
    leat_free(o);
}
