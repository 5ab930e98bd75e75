/* HTTP/2, the way out: replies, and what the clock ends. */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/grpc.h"
#include "io/server_internal.h"

/* Between "no new streams, soon" and "no new streams, now". */
#define GOAWAY_NOTICE LEAT_SEC
#define PING_TIME     (7200 * LEAT_SEC)
#define PING_TIMEOUT  (20 * LEAT_SEC)
#define REPLY_MAX     ((size_t)4 * 1024 * 1024)
/* Glitches given back (guard.c): for an answer, and for a refusal, because the request's DATA may
 * still be on its way. */
#define PER_ANSWER  2
#define PER_REFUSAL 1
/* And for so many bytes of a long answer one: a client acknowledges them by WINDOW_UPDATE. */
#define PER_BYTES   2048
#define DETAILS_MAX ((size_t)8 * 1024)

/* Detaches the call from its stream: it may be freed any time. */
static void detach(struct leat_h2s *h, struct leat_call *c)
{
    nghttp2_session_set_stream_user_data(h->session, c->stream, NULL);
    if (h->opening == c)
        h->opening = NULL;
}

/* --- replies */

static nghttp2_nv nv(const char *name, const char *value, size_t len)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = len,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

static nghttp2_nv nv_text(const char *name, const char *value)
{
    return nv(name, value, strlen(value));
}

static nghttp2_nv nv_static(const char *name, const char *value)
{
    nghttp2_nv v = nv_text(name, value);

    v.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    return v;
}

/* Nothing can be said on the stream: it is reset, and the call ends. */
static void no_reply(struct leat_h2s *h, struct leat_call *c)
{
    leat_h2_reset(h->pump, c->stream, NGHTTP2_INTERNAL_ERROR);
    detach(h, c);
    leat_call_free(c);
}

/* `body` may be NULL: the headers end the stream. */
static void respond(struct leat_h2s *h, struct leat_call *c, const nghttp2_nv *nva, size_t n,
                    struct leat_h2_body *body)
{
    nghttp2_data_provider dp;

    if (body != NULL)
        dp = leat_h2_provider(body);
    if (nghttp2_submit_response(h->session, c->stream, nva, n, body ? &dp : NULL) != 0)
        no_reply(h, c);
    leat_h2_flush(h->pump);
}

/* The one piece of a reply's body: `prefix` bytes of room, then a copy of `body`. */
static uint8_t *copy_body(struct leat_call *c, struct leat_bytes body, size_t prefix)
{
    uint8_t *at = body.len <= REPLY_MAX ? leat_reply_room(c, prefix + body.len) : NULL;

    if (at == NULL)
        return NULL;
    if (body.len != 0)
        memcpy(at + prefix, body.data, body.len);
    c->out_piece = leat_bytes(at, prefix + body.len);
    c->out = (struct leat_h2_body){.pieces = &c->out_piece, .n = 1};
    return at;
}

/* --- bodies that are made while they are sent */

static void cut(struct leat_call *c)
{
    struct leat_h2s *h = c->peer->session;

    leat_h2_reset(h->pump, c->stream, NGHTTP2_INTERNAL_ERROR);
}

/* The next piece takes the place of the one that is with the kernel. */
static void go_on(struct leat_call *c)
{
    struct leat_h2s *h = c->peer->session;
    struct leat_stream *st = c->made;

    if (leat_stream_fill(c, false) == LEAT_REPLY_CUT) {
        cut(c);
        return;
    }
    if (st->piece.len == 0 && !st->over) {
        leat_stream_wait(c);
        return;
    }
    c->window_at = leat_clock_mono();
    leat_guard_give(&h->guard, (unsigned)(st->piece.len / PER_BYTES) + 1);
    c->out_piece = leat_text_bytes(&st->piece);
    c->out.index = c->out.offset = 0;
    if (st->over)
        c->out.hungry = NULL;
    leat_h2_heed(h->pump, nghttp2_session_resume_data(h->session, c->stream));
    leat_h2_flush(h->pump);
}

static void piece_flushed(struct leat_task *t)
{
    struct leat_stream *st = LEAT_OWNER(t, struct leat_stream, flushed);

    leat_stream_wait(st->call);
}

static void piece_taken(struct leat_task *t)
{
    struct leat_stream *st = LEAT_OWNER(t, struct leat_stream, hungry);
    struct leat_h2s *h = st->call->peer->session;

    if (st->source.done != NULL)
        leat_h2_when_flushed(h->pump, &st->flushed);
}

static bool open_source(struct leat_call *c, const struct leat_reply_source *source)
{
    if (c->head_only) {
        source->done(source->self);
        return true;
    }
    if (leat_stream_open(c, source, go_on) < 0)
        return false;
    c->made->hungry.run = piece_taken;
    c->made->flushed.run = piece_flushed;
    c->out = (struct leat_h2_body){.pieces = &c->out_piece, .n = 1, .hungry = &c->made->hungry};
    c->out_piece = leat_bytes(NULL, 0);
    return true;
}

static void reply_http(struct leat_h2s *h, struct leat_call *c, const struct leat_reply *r)
{
    struct leat_pair heads[LEAT_REPLY_HEADS];
    nghttp2_nv nva[LEAT_REPLY_HEADS + 3];
    char scratch[64], status[12], length[24];
    size_t n = 0, nheads = leat_reply_heads(c, r, heads, scratch);
    bool bodyless = c->head_only || r->status == 204 || r->status == 304 ||
                    (r->body.len == 0 && r->source == NULL);

    snprintf(status, sizeof status, "%u", r->status);
    snprintf(length, sizeof length, "%zu", r->body.len);
    nva[n++] = nv_text(":status", status);
    if (r->content_type != NULL)
        nva[n++] = nv_text("content-type", r->content_type);
    if (r->status != 204 && r->status != 304 && r->source == NULL)
        nva[n++] = nv_text("content-length", length);
    for (size_t i = 0; i < nheads; i++)
        nva[n++] = nv_text(heads[i].key, heads[i].value);
    if (r->source != NULL ? !open_source(c, r->source)
                          : !bodyless && copy_body(c, r->body, 0) == NULL)
        no_reply(h, c);
    else
        respond(h, c, nva, n, bodyless ? NULL : &c->out);
}

/* Status without a message: everything in one HEADERS frame ("Trailers-Only"). */
static void reply_status(struct leat_h2s *h, struct leat_call *c, const struct leat_reply *r)
{
    struct leat_pair heads[LEAT_REPLY_HEADS];
    nghttp2_nv nva[LEAT_REPLY_HEADS + 5];
    struct leat_text message;
    char scratch[64], code[12], *details = NULL;
    size_t n = 0, nheads = leat_reply_heads(c, r, heads, scratch);

    leat_text_init(&message, 4096);
    snprintf(code, sizeof code, "%u", r->grpc_status);
    nva[n++] = nv_static(":status", "200");
    nva[n++] = nv_static("content-type", "application/grpc");
    nva[n++] = nv_text("grpc-status", code);
    if (r->grpc_message != NULL) {
        leat_grpc_message_write(r->grpc_message, &message);
        nva[n++] = nv("grpc-message", leat_text_get(&message), message.len);
    }
    if (r->grpc_details.len != 0 && r->grpc_details.len <= DETAILS_MAX)
        details = leat_try(4 * ((r->grpc_details.len + 2) / 3));
    if (details != NULL) {
        size_t len = leat_base64_encode(r->grpc_details, details);

        while (len != 0 && details[len - 1] == '=')
            len--;
        nva[n++] = nv("grpc-status-details-bin", details, len);
    }
    for (size_t i = 0; i < nheads; i++)
        nva[n++] = nv_text(heads[i].key, heads[i].value);
    respond(h, c, nva, n, NULL);
    leat_free(details);
    leat_text_done(&message);
}

/* Success: headers, the message, trailers. The empty message, which is what OTLP answers, needs no
 * memory of the call's. */
static void reply_message(struct leat_h2s *h, struct leat_call *c, const struct leat_reply *r)
{
    static const uint8_t empty[LEAT_GRPC_PREFIX];
    struct leat_pair heads[LEAT_REPLY_HEADS];
    nghttp2_nv nva[LEAT_REPLY_HEADS + 2];
    char scratch[64];
    size_t n = 0, nheads = leat_reply_heads(c, r, heads, scratch);

    if (r->body.len == 0) {
        c->out_piece = leat_bytes(empty, sizeof empty);
        c->out = (struct leat_h2_body){.pieces = &c->out_piece, .n = 1};
    } else {
        uint8_t *at = copy_body(c, r->body, LEAT_GRPC_PREFIX);

        if (at == NULL) {
            no_reply(h, c);
            return;
        }
        leat_grpc_prefix_write(at, false, (uint32_t)r->body.len);
    }
    c->trailers[0] = nv_static("grpc-status", "0");
    c->out.trailers = c->trailers;
    c->out.ntrailers = 1;
    nva[n++] = nv_static(":status", "200");
    nva[n++] = nv_static("content-type", "application/grpc");
    for (size_t i = 0; i < nheads; i++)
        nva[n++] = nv_text(heads[i].key, heads[i].value);
    respond(h, c, nva, n, &c->out);
}

void leat_h2s_reply(struct leat_call *c, const struct leat_reply *r)
{
    struct leat_h2s *h = c->peer->session;

    leat_guard_give(&h->guard, c->refused_status == 0 ? PER_ANSWER : PER_REFUSAL);
    if (c->refused_status == 0)
        h->ping_strikes = 0;
    if (!c->info.grpc)
        reply_http(h, c, r);
    else if (r->grpc_status != LEAT_GRPC_OK)
        reply_status(h, c, r);
    else
        reply_message(h, c, r);
}

/* The deadline passed while the service has the call: the server answers, the service's own reply
 * will go nowhere. */
static void answer_deadline(struct leat_h2s *h, struct leat_call *c)
{
    nghttp2_nv nva[] = {
        nv_static(":status", "200"),
        nv_static("content-type", "application/grpc"),
        nv_static("grpc-status", "4"),
        nv_static("grpc-message", "the deadline passed before the request was stored"),
    };

    detach(h, c);
    c->gone = true;
    leat_h2_heed(h->pump, nghttp2_submit_response(h->session, c->stream, nva,
                                                  sizeof nva / sizeof *nva, NULL));
    leat_h2_flush(h->pump);
}

/* --- the clock */

/* Tells the peer to go: first that it should, a moment later that it must, so that requests on
 * their way still arrive. */
static void leave(struct leat_h2s *h, int64_t now)
{
    if (h->notice_at != 0 || h->leaving)
        return;
    h->notice_at = now;
    leat_h2_heed(h->pump, nghttp2_submit_shutdown_notice(h->session));
    leat_h2_flush(h->pump);
}

static void leave_now(struct leat_h2s *h)
{
    if (h->leaving)
        return;
    h->leaving = true;
    leat_h2_heed(h->pump, nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                                                nghttp2_session_get_last_proc_stream_id(h->session),
                                                NGHTTP2_NO_ERROR, NULL, 0));
    leat_h2_flush(h->pump);
}

void leat_h2s_drain(struct leat_peer *p)
{
    leave_now(p->session);
}

static void lower(int64_t *due, int64_t when)
{
    if (when < *due)
        *due = when;
}

static int64_t after(int64_t since, int64_t span)
{
    return since == LEAT_NEVER || span <= 0 || span > LEAT_NEVER - since ? LEAT_NEVER
                                                                         : since + span;
}

static void tick_call(struct leat_h2s *h, struct leat_call *c, int64_t now, int64_t *due)
{
    int64_t late, when = LEAT_NEVER;

    switch (c->phase) {
    case LEAT_CALL_HEAD:
        break;
    case LEAT_CALL_BODY:
        if (!leat_call_in_time(c, now, &when))
            return;
        break;
    case LEAT_CALL_SERVICE:
        if (!c->gone && now >= c->info.deadline)
            answer_deadline(h, c);
        else if (!c->gone)
            when = c->info.deadline;
        break;
    case LEAT_CALL_REPLIED: /* a client that gives no window */
        late = c->window_at + leat_server_write_timeout(h->p->server);
        when = late;
        if (now >= late && nghttp2_session_get_stream_user_data(h->session, c->stream) == c) {
            leat_h2_reset(h->pump, c->stream, NGHTTP2_CANCEL);
            when = LEAT_NEVER;
        }
        break;
    }
    lower(due, when);
}

static void tick_calls(struct leat_h2s *h, int64_t now, int64_t *due)
{
    struct leat_link *l, *next;

    for (l = h->p->calls.next; l != &h->p->calls && h->p->server != NULL; l = next) {
        next = l->next;
        tick_call(h, LEAT_OWNER(l, struct leat_call, link), now, due);
    }
}

/* A dead peer: a ping that nobody answers. */
static bool tick_ping(struct leat_h2s *h, int64_t now, int64_t *due)
{
    const struct leat_server_conf *conf = h->p->server->conf;
    int64_t time = conf->keepalive.server_parameters.time;
    int64_t timeout = conf->keepalive.server_parameters.timeout;

    if (h->p->ended)
        return true; /* it cannot answer */
    time = time > 0 ? time : PING_TIME;
    timeout = timeout > 0 ? timeout : PING_TIMEOUT;
    if (h->ping_at != 0 && h->last_read >= h->ping_at)
        h->ping_at = 0;
    if (h->ping_at != 0) {
        lower(due, h->ping_at + timeout);
        return now < h->ping_at + timeout;
    }
    if (now >= h->last_read + time) {
        h->ping_at = now;
        leat_h2_heed(h->pump, nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL));
        leat_h2_flush(h->pump);
        lower(due, now + timeout);
    } else {
        lower(due, h->last_read + time);
    }
    return true;
}

/* False: the peer does not read, or stays after it was told to go. */
static bool tick_writes(struct leat_h2s *h, int64_t now, int64_t *due)
{
    int64_t span = leat_server_write_timeout(h->p->server);

    if (!leat_conn_pending(h->p->conn))
        h->write_since = LEAT_NEVER;
    else if (h->write_since == LEAT_NEVER)
        h->write_since = now;
    lower(due, after(h->write_since, span));
    lower(due, h->over_at);
    return now < after(h->write_since, span) && now < h->over_at;
}

static void tick_leaving(struct leat_h2s *h, int64_t now, int64_t *due)
{
    const struct leat_server_conf *conf = h->p->server->conf;
    int64_t idle = conf->keepalive.server_parameters.max_connection_idle;
    int64_t grace = conf->keepalive.server_parameters.max_connection_age_grace;

    if (idle <= 0)
        idle = conf->idle_timeout;
    if (h->p->ncalls != 0)
        h->idle_since = LEAT_NEVER;
    else if (h->idle_since == LEAT_NEVER)
        h->idle_since = now;
    if (now >= after(h->idle_since, idle))
        leave(h, now);
    if (now >= h->age_at) {
        leave(h, now);
        h->over_at = after(now, grace);
        h->age_at = LEAT_NEVER;
    }
    if (h->notice_at != 0 && now >= h->notice_at + GOAWAY_NOTICE)
        leave_now(h);
    if (h->notice_at != 0 && !h->leaving)
        lower(due, h->notice_at + GOAWAY_NOTICE);
    else if (!h->leaving)
        lower(due, after(h->idle_since, idle));
    lower(due, h->age_at);
    lower(due, h->over_at);
}

/* An idle session gives back what it only needs when something is sent. */
static void tick_rest(struct leat_h2s *h, int64_t now, int64_t *due)
{
    if (h->rests || h->p->ncalls != 0)
        return;
    if (now < h->last_read + LEAT_REST_AFTER || leat_conn_pending(h->p->conn) ||
        nghttp2_session_want_write(h->session)) {
        lower(due, h->last_read + LEAT_REST_AFTER);
        return;
    }
    leat_h2_memory_rest(&h->memory);
    h->rests = true;
}

int64_t leat_h2s_tick(struct leat_peer *p, int64_t now)
{
    struct leat_h2s *h = p->session;
    int64_t due = LEAT_NEVER, slow;

    slow = after(h->opening_since, leat_server_header_timeout(p->server));
    lower(&due, slow);
    if (now >= slow) {
        leat_h2s_abuse(h, LEAT_ENDED_HEADERS, "request headers that do not end");
        h->opening_since = LEAT_NEVER;
    }
    tick_calls(h, now, &due);
    if (p->server == NULL)
        return LEAT_NEVER;
    tick_leaving(h, now, &due);
    if (!tick_writes(h, now, &due) || !tick_ping(h, now, &due)) {
        if (now < h->over_at) /* and not just its time is over */
            leat_server_count_ended(p->server, LEAT_ENDED_STALLED);
        leat_conn_abort(p->conn);
        return LEAT_NEVER;
    }
    tick_rest(h, now, &due);
    if (p->ncalls != 0 || leat_conn_pending(p->conn) || leat_h2_ending(h->pump))
        lower(&due, now + p->server->tick_every);
    return due;
}
