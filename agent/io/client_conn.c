/* One connection of the client, from dialling to its end, whatever it speaks. */
#include <string.h>

#include "io/client_parts.h"

#include "base/clock.h"
#include "base/mem.h"
#include "io/dial.h"

#define DIAL_TIMEOUT     (20 * LEAT_SEC) /* look-up, connect and handshake */
#define SETTINGS_TIMEOUT (20 * LEAT_SEC) /* until an HTTP/2 peer has said its SETTINGS */
#define LINGER           (1 * LEAT_SEC)  /* a dropped stream may keep its pieces this long */
#define HEAD_MAX         ((size_t)128 * 1024)

/* An https:// endpoint behind a proxy. */
static bool tunnels(const struct leat_client *c)
{
    return c->proxy.host != NULL && c->tls != NULL;
}

/* --- closing */

static void close_now(struct leat_client_conn *cc)
{
    cc->state = LEAT_CONN_CLOSING;
    leat_timer_stop(cc->timer);
    leat_conn_close(cc->conn);
}

/* It goes before its first call. What the connection says of itself names the peer already. */
static void never_served(struct leat_client_conn *cc, const char *why)
{
    char text[sizeof cc->why + 256];

    snprintf(text, sizeof text, "%s: %s", cc->client->peer,
             cc->why[0] ? cc->why : "the connection was closed");
    leat_client_dial_failed(cc->client, why != NULL && cc->why[0] == '\0' ? why : text);
}

void leat_client_conn_abort(struct leat_client_conn *cc, const char *why)
{
    if (cc->state == LEAT_CONN_CLOSING)
        return;
    if (why != NULL && cc->why[0] == '\0')
        snprintf(cc->why, sizeof cc->why, "%s", why);
    cc->state = LEAT_CONN_CLOSING;
    leat_timer_stop(cc->timer);
    leat_conn_abort(cc->conn);
    if (cc->served == 0)
        never_served(cc, NULL);
}

/* --- timer: pings, idle connections, SETTINGS that never come */

static bool pings(const struct leat_client_conn *cc)
{
    return cc->h2 != NULL && cc->client->ping_after > 0 &&
           (cc->ncalls > 0 || cc->client->ping_idle);
}

/* When something is due; 0: never. */
static int64_t next_due(const struct leat_client_conn *cc)
{
    const struct leat_client *c = cc->client;
    int64_t at = 0, ping;

    if (cc->state == LEAT_CONN_OPENING)
        return cc->connected || cc->tunnel == LEAT_TUNNEL_ASKED ? cc->opened_at + SETTINGS_TIMEOUT
                                                                : 0;
    if (cc->ncalls == 0 && c->idle_timeout > 0)
        at = cc->idle_at + c->idle_timeout;
    if (pings(cc)) {
        ping = cc->ping_at ? cc->ping_at + c->ping_timeout : cc->heard_at + c->ping_after;
        if (at == 0 || ping < at)
            at = ping;
    }
    return at;
}

void leat_client_conn_tick(struct leat_client_conn *cc)
{
    int64_t at, now;

    if (cc->state >= LEAT_CONN_CLOSING || (at = next_due(cc)) == 0)
        return;
    if (cc->timer_at != 0 && cc->timer_at <= at)
        return; /* it looks again when it fires */
    now = leat_clock_mono();
    cc->timer_at = at;
    leat_timer_start(cc->timer, at > now ? at - now : 0, 0);
}

void leat_client_conn_alive(struct leat_client_conn *cc)
{
    cc->ping_at = 0;
    leat_client_conn_tick(cc);
}

static void fire(void *arg)
{
    struct leat_client_conn *cc = arg;
    struct leat_client *c = cc->client;
    int64_t now = leat_clock_mono();

    cc->timer_at = 0;
    if (cc->state >= LEAT_CONN_CLOSING)
        return;
    if (cc->state == LEAT_CONN_OPENING) {
        if (next_due(cc) != 0 && now >= next_due(cc))
            leat_client_conn_abort(cc, cc->connected
                                           ? "connected, but the peer says nothing in HTTP/2"
                                           : "the proxy does not answer");
    } else if (cc->ncalls == 0 && c->idle_timeout > 0 && now >= cc->idle_at + c->idle_timeout) {
        close_now(cc);
    } else if (pings(cc)) {
        if (cc->ping_at != 0 && now >= cc->ping_at + c->ping_timeout)
            leat_client_conn_abort(cc, "the peer did not answer a ping in time");
        else if (cc->ping_at == 0 && now >= cc->heard_at + c->ping_after)
            leat_client_h2_ping(cc);
    }
    leat_client_conn_tick(cc);
}

/* --- where it is in the client's list: HTTP/1 connections that are free come first, and the one
 * used last before all others, so that others may grow old */

static void to_front(struct leat_client_conn *cc)
{
    leat_list_remove(&cc->link);
    leat_list_prepend(&cc->client->conns, &cc->link);
}

static void to_back(struct leat_client_conn *cc)
{
    leat_list_remove(&cc->link);
    leat_list_append(&cc->client->conns, &cc->link);
}

static void forget(struct leat_client_conn *cc)
{
    leat_list_remove(&cc->link);
    cc->client->nconns--;
}

/* --- rest and retirement */

void leat_client_conn_retire(struct leat_client_conn *cc)
{
    if (cc->served == 0)
        leat_client_conn_abort(cc, "the peer refused the connection (GOAWAY)");
    if (cc->state != LEAT_CONN_READY)
        return;
    cc->state = LEAT_CONN_RETIRED;
    if (cc->ncalls == 0)
        close_now(cc);
    leat_client_pump_soon(cc->client);
}

static uint32_t count_idle(const struct leat_client *c)
{
    uint32_t n = 0;

    for (struct leat_link *l = c->conns.next; l != &c->conns; l = l->next) {
        const struct leat_client_conn *cc = LEAT_OWNER(l, struct leat_client_conn, link);
        n += cc->state == LEAT_CONN_READY && cc->ncalls == 0;
    }
    return n;
}

void leat_client_conn_rest(struct leat_client_conn *cc)
{
    struct leat_client *c = cc->client;

    if (cc->state == LEAT_CONN_CLOSING || c == NULL)
        return;
    if (cc->ncalls == 0) {
        if (cc->state == LEAT_CONN_RETIRED ||
            (c->max_idle != 0 && c->nconns > c->max_idle && leat_list_empty(&c->waiting) &&
             count_idle(c) > c->max_idle)) {
            close_now(cc);
        } else {
            to_front(cc);
            cc->idle_at = leat_clock_mono();
            leat_client_conn_tick(cc);
        }
    }
    leat_client_pump_soon(c);
}

/* --- calls */

bool leat_client_conn_free(const struct leat_client_conn *cc)
{
    if (cc->state != LEAT_CONN_READY)
        return false;
    if (cc->h2 == NULL)
        return cc->ncalls == 0;
    return cc->ncalls < cc->max_streams && nghttp2_session_check_request_allowed(cc->session);
}

void leat_client_conn_start(struct leat_client_conn *cc, struct leat_client_call *call)
{
    struct leat_client *c = cc->client;
    int64_t now = leat_clock_mono(), left = 0;
    struct leat_err err = {""};

    if (call->until != 0)
        left = call->until > now + LEAT_MS ? call->until - now : LEAT_MS;
    if (leat_request_build(c->request, call->x, leat_text_get(&c->path), call->body_len, left,
                           &err) != 0) {
        leat_incoming_fail(&call->in, LEAT_NET_FAILED, "%s: %s", c->peer, err.text);
        leat_client_call_over(call);
        return;
    }
    leat_list_remove(&call->link);
    leat_list_append(&cc->calls, &call->link);
    call->on = cc;
    call->state = LEAT_CALL_SENT;
    call->since = now;
    cc->ncalls++;
    cc->served++;
    if (cc->ncalls == 1)
        cc->heard_at = now; /* quiet because nothing was asked */
    if (cc->h2 != NULL) {
        leat_client_h2_start(cc, call);
    } else {
        to_back(cc);
        leat_client_h1_start(cc, call);
    }
    leat_client_conn_tick(cc);
}

void leat_client_conn_drop(struct leat_client_conn *cc, struct leat_client_call *call)
{
    call->state = LEAT_CALL_ENDING;
    call->resend = false;
    if (cc->state == LEAT_CONN_CLOSING)
        return;
    if (cc->h2 == NULL) {
        leat_client_conn_abort(cc, NULL);
        return;
    }
    leat_client_call_until(call, leat_clock_mono() + LINGER);
    leat_client_h2_cancel(cc, call);
}

/* The connection is gone under a call. */
static void lost(struct leat_client_conn *cc, struct leat_client_call *call, const char *why)
{
    bool stale = !call->in.begun && !cc->session && cc->served > 1 && !call->again;

    if (call->state == LEAT_CALL_ENDING ? call->resend : stale) {
        leat_client_call_again(call);
        return;
    }
    if (call->state == LEAT_CALL_SENT)
        leat_incoming_fail(
            &call->in, LEAT_NET_FAILED, "%s: the connection was lost %s: %s", call->in.peer,
            call->in.begun ? "in the middle of the answer" : "before the answer", why);
    leat_client_call_over(call);
}

/* --- events */

void leat_client_conn_ready(struct leat_client_conn *cc)
{
    struct leat_client *c = cc->client;

    cc->state = LEAT_CONN_READY;
    if (cc->session == NULL)
        to_front(cc);
    cc->idle_at = cc->heard_at = leat_clock_mono();
    c->dial_at = c->backoff = 0;
    c->speaks = cc->session != NULL ? LEAT_SPEAKS_H2 : LEAT_SPEAKS_H1;
    leat_client_conn_tick(cc);
    leat_client_pump_soon(c);
}

static void opened(void *self)
{
    struct leat_client_conn *cc = self;
    struct leat_client *c = cc->client;
    const char *alpn = leat_conn_alpn(cc->conn);
    bool h2 = alpn != NULL && strcmp(alpn, "h2") == 0;

    if (c == NULL || cc->state == LEAT_CONN_CLOSING)
        return;
    cc->opened_at = leat_clock_mono();
    if (tunnels(c) && cc->tunnel == LEAT_TUNNEL_NONE) {
        leat_client_tunnel_start(cc);
        leat_client_conn_tick(cc);
        return;
    }
    cc->connected = true;
    if (c->grpc && c->tls != NULL && !h2) {
        leat_client_conn_abort(cc, "the peer did not agree to HTTP/2 under TLS (ALPN h2)");
    } else if (!c->grpc && !h2) {
        leat_client_conn_ready(cc);
    } else if (leat_client_h2_open(cc) != 0) {
        leat_client_conn_abort(cc, "no memory for an HTTP/2 session");
    } else {
        leat_client_conn_tick(cc);
    }
}

static void on_read(void *self, const uint8_t *data, size_t len)
{
    struct leat_client_conn *cc = self;

    if (cc->client == NULL || cc->state == LEAT_CONN_CLOSING)
        return;
    cc->heard_at = leat_clock_mono();
    if (cc->tunnel == LEAT_TUNNEL_ASKED)
        leat_client_tunnel_read(cc, leat_bytes(data, len));
    else if (cc->h2 != NULL)
        leat_client_h2_read(cc, leat_bytes(data, len));
    else
        leat_client_h1_read(cc, leat_bytes(data, len));
}

static void ended(void *self)
{
    struct leat_client_conn *cc = self;

    if (cc->client == NULL || cc->state == LEAT_CONN_CLOSING)
        return;
    if (cc->h2 == NULL && cc->state != LEAT_CONN_OPENING)
        leat_client_h1_ended(cc);
    else
        leat_client_conn_abort(cc, "the peer closed the connection");
}

static void written(void *self)
{
    struct leat_client_conn *cc = self;

    if (cc->client != NULL && cc->h2 != NULL)
        leat_h2_written(cc->h2);
}

static void conn_free(struct leat_client_conn *cc)
{
    leat_timer_free(cc->timer);
    leat_text_done(&cc->head);
    leat_text_done(&cc->tunnel_answer);
    leat_free(cc);
}

static void closed(void *self, const char *why)
{
    struct leat_client_conn *cc = self;
    struct leat_client *c = cc->client;
    bool ours = cc->state == LEAT_CONN_CLOSING; /* closed by us: told then, if it was a failure */
    const char *reason = cc->why[0] ? cc->why : why ? why : "the connection was closed";
    struct leat_link *l;

    if (c == NULL) {
        conn_free(cc);
        return;
    }
    cc->state = LEAT_CONN_CLOSING;
    if (cc->h2 != NULL) {
        leat_h2_free(cc->h2); /* tells those who wait to be flushed */
        cc->h2 = NULL;
    }
    while ((l = cc->calls.next) != &cc->calls)
        lost(cc, LEAT_OWNER(l, struct leat_client_call, link), reason);
    forget(cc);
    leat_client_h2_done(cc);
    /* Also one that was ready and gone before its first call: else we would dial for ever. */
    if (cc->served == 0 && !ours)
        never_served(cc, why);
    leat_client_pump_soon(c);
    conn_free(cc);
}

void leat_client_conn_leave(struct leat_client_conn *cc)
{
    bool busy = cc->ncalls != 0 || !cc->connected || leat_conn_pending(cc->conn);
    struct leat_link *l;

    if (cc->state == LEAT_CONN_CLOSING)
        busy = false; /* was closed or aborted before */
    else if (busy)
        leat_conn_abort(cc->conn);
    else
        leat_conn_close(cc->conn);
    cc->state = LEAT_CONN_CLOSING;
    leat_timer_stop(cc->timer);
    leat_client_h2_done(cc);
    while ((l = cc->calls.next) != &cc->calls) {
        struct leat_client_call *call = LEAT_OWNER(l, struct leat_client_call, link);
        leat_incoming_fail(&call->in, LEAT_NET_CANCELLED, "the client was closed");
        leat_client_call_over(call);
    }
    forget(cc);
    cc->client = NULL;
}

struct leat_client_conn *leat_client_dial(struct leat_client *c)
{
    static const struct leat_conn_events events = {
        .opened = opened, .read = on_read, .ended = ended, .written = written, .closed = closed};
    const char *name = c->conf->tls.server_name_override;
    const struct leat_url *to = c->proxy.host != NULL ? &c->proxy : &c->url;
    struct leat_dial_conf conf = {
        .host = to->host,
        .port = to->port,
        .unix_socket = to->unix_socket,
        .tls = tunnels(c) ? NULL : c->tls,
        .sni = name != NULL && *name != '\0' ? name : NULL,
        .timeout = DIAL_TIMEOUT,
        .rotate = c->rotate,
    };
    struct leat_client_conn *cc = leat_try_zeroed(sizeof *cc);

    if (cc == NULL)
        return NULL;
    cc->timer = leat_timer_try_new(c->loop, fire, cc);
    cc->conn = cc->timer != NULL ? leat_dial(c->loop, &conf) : NULL;
    if (cc->conn == NULL) {
        leat_timer_free(cc->timer);
        leat_free(cc);
        return NULL;
    }
    if (!c->grpc || c->conf->balancer_name == NULL ||
        strcmp(c->conf->balancer_name, "pick_first") != 0)
        c->rotate++;
    cc->client = c;
    leat_list_init(&cc->calls);
    leat_text_init(&cc->head, HEAD_MAX);
    leat_conn_handle(cc->conn, &events, cc);
    leat_list_append(&c->conns, &cc->link);
    c->nconns++;
    return cc;
}
