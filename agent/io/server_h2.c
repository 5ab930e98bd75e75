/* HTTP/2 and gRPC: streams become calls, replies become frames.
 *
 * Window credit is ours: it goes back to the peer as the bytes of an admitted call come in. What a
 * refused call still sends only gives back the connection's credit, never its stream's. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/server_internal.h"

/* What one stream, and all streams of a connection together, may send ahead of us. */
#define STREAM_WINDOW     (1 << 20)
#define CONNECTION_WINDOW (16 << 20)
#define FRAME_SIZE        (256 << 10) /* SETTINGS_MAX_FRAME_SIZE */
#define MAX_STREAMS       1000        /* where the setting is 0 */
/* Header blocks that are this much too long end the connection: somebody plays with HPACK. */
#define HEAD_BOMB (4 * LEAT_HEAD_MAX)
/* What answering and resetting for a peer's mistakes costs it (server_guard.c). */
#define COST_RESET     3
#define COST_LONG_HEAD 50
/* Between "no new streams, soon" and "no new streams, now". */
#define GOAWAY_NOTICE LEAT_SEC
#define PING_TIME     (7200 * LEAT_SEC)
#define PING_TIMEOUT  (20 * LEAT_SEC)
#define REPLY_MAX     ((size_t)4 * 1024 * 1024)

struct h2 {
    struct leat_h2 *pump; /* first: where its callbacks look */
    struct leat_peer *p;
    nghttp2_session *session;
    struct leat_guard guard;
    struct leat_call *opening; /* its header block is coming in */
    int64_t opening_since;
    int64_t idle_since, last_read, age_at, over_at; /* LEAT_NEVER: not */
    int64_t notice_at;                              /* shutdown notice was sent; 0: not */
    int64_t ping_at;                                /* our ping is unanswered since; 0: none */
    size_t bomb;                                    /* bytes of the header block coming in */
    bool leaving;                                   /* the final GOAWAY was submitted */
};

static struct leat_call *call_of(struct h2 *h, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(h->session, stream);
}

static void abuse(struct h2 *h, const char *what)
{
    if (leat_h2_ending(h->pump))
        return;
    leat_warn(h->p->server->env.who, "closing the connection of %s: %s", h->p->name, what);
    leat_h2_end(h->pump, NGHTTP2_ENHANCE_YOUR_CALM, what);
}

/* Detaches the call from its stream: it may be freed any time. */
static void detach(struct h2 *h, struct leat_call *c)
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

static void call_flushed(struct leat_task *t)
{
    leat_call_free(LEAT_OWNER(t, struct leat_call, flushed));
}

/* Nothing can be said on the stream: it is reset, and the call ends. */
static void no_reply(struct h2 *h, struct leat_call *c)
{
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, c->stream, NGHTTP2_INTERNAL_ERROR);
    detach(h, c);
    leat_call_free(c);
}

/* `body` may be NULL: the headers end the stream. */
static void respond(struct h2 *h, struct leat_call *c, const nghttp2_nv *nva, size_t n,
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

static void reply_http(struct h2 *h, struct leat_call *c, const struct leat_reply *r)
{
    struct leat_pair heads[LEAT_REPLY_HEADS];
    nghttp2_nv nva[LEAT_REPLY_HEADS + 3];
    char scratch[64], status[12], length[24];
    size_t n = 0, nheads = leat_reply_heads(c, r, heads, scratch);
    bool bodyless = c->head_only || r->status == 204 || r->status == 304 || r->body.len == 0;

    snprintf(status, sizeof status, "%u", r->status);
    snprintf(length, sizeof length, "%zu", r->body.len);
    nva[n++] = nv_text(":status", status);
    if (r->content_type != NULL)
        nva[n++] = nv_text("content-type", r->content_type);
    if (r->status != 204 && r->status != 304)
        nva[n++] = nv_text("content-length", length);
    for (size_t i = 0; i < nheads; i++)
        nva[n++] = nv_text(heads[i].key, heads[i].value);
    if (!bodyless && copy_body(c, r->body, 0) == NULL)
        no_reply(h, c);
    else
        respond(h, c, nva, n, bodyless ? NULL : &c->out);
}

/* Status without a message: everything in one HEADERS frame ("Trailers-Only"). */
static void reply_status(struct h2 *h, struct leat_call *c, const struct leat_reply *r)
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
    if (r->grpc_details.len != 0 && r->grpc_details.len <= LEAT_DETAILS_MAX)
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
static void reply_message(struct h2 *h, struct leat_call *c, const struct leat_reply *r)
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

static void h2_reply(struct leat_call *c, const struct leat_reply *r)
{
    struct h2 *h = c->peer->session;

    leat_guard_reward(&h->guard);
    if (!c->info.grpc)
        reply_http(h, c, r);
    else if (r->grpc_status != LEAT_GRPC_OK)
        reply_status(h, c, r);
    else
        reply_message(h, c, r);
}

/* The deadline passed while the service has the call: the server answers, the service's own reply
 * will go nowhere. */
static void answer_deadline(struct h2 *h, struct leat_call *c)
{
    nghttp2_nv nva[] = {
        nv_static(":status", "200"),
        nv_static("content-type", "application/grpc"),
        nv_static("grpc-status", "4"),
        nv_static("grpc-message", "the deadline passed before the request was stored"),
    };

    detach(h, c);
    c->gone = true;
    nghttp2_submit_response(h->session, c->stream, nva, sizeof nva / sizeof *nva, NULL);
    leat_h2_flush(h->pump);
}

/* --- nghttp2's events */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user_data)
{
    struct h2 *h = user_data;

    (void)session;
    if (leat_guard_frame(&h->guard, hd))
        return 0;
    abuse(h, "too many frames that carry no request");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct h2 *h = user_data;
    struct leat_call *c;

    h->bomb = 0;
    h->opening_since = leat_clock_mono();
    leat_peer_due(h->p, h->opening_since + leat_server_header_timeout(h->p->server));
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers: nothing in them is for us */
    c = leat_call_new(h->p, true, frame->hd.stream_id);
    if (c == NULL) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    h->opening = c;
    h->idle_since = LEAT_NEVER;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, c);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t nlen, const uint8_t *value, size_t vlen, uint8_t flags, void *user_data)
{
    struct h2 *h = user_data;
    struct leat_call *c = call_of(h, frame->hd.stream_id);

    (void)session;
    (void)flags;
    h->bomb += nlen + vlen + 32;
    if (h->bomb > HEAD_BOMB) {
        abuse(h, "a header block far beyond the limit");
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (c == NULL || c != h->opening || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (nlen == 10 && memcmp(name, ":authority", 10) == 0)
        leat_head_add(c, leat_bytes_str("host"), leat_bytes(value, vlen));
    else
        leat_head_add(c, leat_bytes(name, nlen), leat_bytes(value, vlen));
    return 0;
}

/* Content-Length of a request; UINT64_MAX: none. nghttp2 has checked its form, and holds the body
 * to it. */
static uint64_t content_length(const struct leat_call *c)
{
    struct leat_bytes text = leat_head_find(c, "content-length");
    uint64_t v = 0;

    if (text.len == 0 || text.len > 18)
        return UINT64_MAX;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return UINT64_MAX;
        v = v * 10 + (uint64_t)(text.data[i] - '0');
    }
    return v;
}

static int headers_done(struct h2 *h, struct leat_call *c, bool ends)
{
    h->opening = NULL;
    if (c->too_long && !leat_guard_take(&h->guard, COST_LONG_HEAD)) {
        abuse(h, "too many header blocks beyond the limit");
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (leat_call_admit(c, content_length(c), ends) && ends)
        leat_call_end(c);
    return 0;
}

static int on_ping(struct h2 *h, bool ack)
{
    if (ack) {
        h->ping_at = 0;
        return 0;
    }
    if (leat_guard_ping(&h->guard, &h->p->server->conf->keepalive, h->p->ncalls != 0))
        return 0;
    abuse(h, "too_many_pings");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* The server was freed in a callback of the service: nothing more is done with these bytes. */
static int go_on(struct h2 *h)
{
    return h->p->server != NULL ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct h2 *h = user_data;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct leat_call *c;
    int err = 0;

    (void)session;
    if (frame->hd.type == NGHTTP2_PING)
        return on_ping(h, frame->hd.flags & NGHTTP2_FLAG_ACK);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    c = call_of(h, frame->hd.stream_id);
    if (c == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        err = headers_done(h, c, ends);
    else if (ends && c->phase == LEAT_CALL_BODY)
        leat_call_end(c);
    return err != 0 ? err : go_on(h);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *user_data)
{
    struct h2 *h = user_data;
    struct leat_call *c = call_of(h, stream);

    (void)flags;
    if (c != NULL && c->phase == LEAT_CALL_BODY && leat_call_body(c, data, len))
        nghttp2_session_consume(session, stream, len);
    else if (h->p->server != NULL)
        nghttp2_session_consume_connection(session, len);
    return go_on(h);
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user_data)
{
    struct h2 *h = user_data;
    struct leat_call *c = nghttp2_session_get_stream_user_data(session, stream);

    (void)code;
    if (c == NULL)
        return 0;
    nghttp2_session_set_stream_user_data(session, stream, NULL);
    if (h->opening == c)
        h->opening = NULL;
    if (c->phase == LEAT_CALL_REPLIED) {
        c->flushed.run = call_flushed;
        leat_list_init(&c->flushed.link);
        leat_h2_when_flushed(h->pump, &c->flushed);
    } else {
        leat_call_gone(c);
    }
    return 0;
}

/* What we sent ends the stream on our side. When the client is still sending, it is told that
 * nobody listens (RFC 9113 section 8.1). */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct h2 *h = user_data;

    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        h->p->server != NULL && !leat_guard_take(&h->guard, COST_RESET))
        abuse(h, "too many streams had to be reset");
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_NO_ERROR);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int err,
                            void *user_data)
{
    struct h2 *h = user_data;

    (void)session;
    (void)frame;
    (void)err;
    if (leat_guard_take(&h->guard, COST_RESET))
        return 0;
    abuse(h, "too many invalid frames");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* --- life of the session */

static void h2_failed(void *self, const char *why)
{
    struct h2 *h = self;

    if (h->p->server != NULL)
        leat_debug(h->p->server->env.who, "HTTP/2 with %s ends: %s", h->p->name, why);
    leat_conn_close(h->p->conn);
}

static int new_session(struct h2 *h)
{
    nghttp2_session_callbacks *cbs;
    nghttp2_option *options = leat_h2_options(true);
    int err = -1;

    if (options == NULL)
        return -1;
    if (nghttp2_session_callbacks_new(&cbs) == 0) {
        leat_h2_set_callbacks(cbs);
        nghttp2_session_callbacks_set_on_begin_frame_callback(cbs, on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(cbs, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(cbs, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(cbs, on_sent);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cbs, on_invalid_frame);
        err = nghttp2_session_server_new3(&h->session, cbs, h, options, leat_h2_mem());
        nghttp2_session_callbacks_del(cbs);
    }
    nghttp2_option_del(options);
    return err == 0 ? 0 : -1;
}

static int greet(struct h2 *h)
{
    uint32_t streams = h->p->server->conf->max_concurrent_streams;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams ? streams : MAX_STREAMS},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_SIZE},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LEAT_HEAD_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof settings / sizeof *settings) != 0 ||
        nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                              CONNECTION_WINDOW) != 0)
        return -1;
    leat_h2_flush(h->pump);
    return 0;
}

/* An age is spread by a tenth either way, so that clients do not all come back at once. */
static int64_t age_of(const struct leat_server *s)
{
    int64_t age = s->conf->keepalive.server_parameters.max_connection_age;

    if (age <= 0)
        return LEAT_NEVER;
    return age - age / 10 + (int64_t)(leat_random() % (uint64_t)(age / 5 + 1));
}

static int h2_open(struct leat_peer *p)
{
    struct h2 *h = leat_try_zeroed(sizeof *h);
    int64_t now = leat_clock_mono(), age = age_of(p->server);

    if (h == NULL)
        return -1;
    h->p = p;
    h->idle_since = h->last_read = now;
    h->age_at = age < LEAT_NEVER - now ? now + age : LEAT_NEVER;
    h->over_at = LEAT_NEVER;
    leat_guard_init(&h->guard, now);
    if (new_session(h) == 0)
        h->pump = leat_h2_new(p->conn, h->session, h2_failed, h);
    if (h->pump == NULL || greet(h) < 0) {
        leat_h2_free(h->pump);
        nghttp2_session_del(h->session);
        leat_free(h);
        return -1;
    }
    p->session = h;
    p->due = now;
    return 0;
}

static void h2_read(struct leat_peer *p, const uint8_t *data, size_t len)
{
    struct h2 *h = p->session;

    h->last_read = leat_clock_mono();
    leat_h2_read(h->pump, data, len);
}

static void h2_written(struct leat_peer *p)
{
    struct h2 *h = p->session;

    h->write_since = LEAT_NEVER;
    leat_h2_written(h->pump);
}

static void h2_closed(struct leat_peer *p)
{
    struct h2 *h = p->session;

    leat_h2_free(h->pump);
    nghttp2_session_del(h->session);
    leat_free(h);
}
