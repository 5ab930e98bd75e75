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
/* So much of a DATA frame is worth a read of its own; what a read between two such brings. */
#define DIRECT_MIN ((size_t)32 * 1024)
#define HEAD_READ  ((size_t)16 * 1024)
/* Header blocks that are this much too long end the connection: somebody plays with HPACK. */
#define HEAD_BOMB (4 * LEAT_HEAD_MAX)
/* A header block is no longer than what it says: each of its headers counts 32 bytes more than its
 * name and value have. Beyond that, with some for padding, it is table size updates, of which an
 * encoder needs two (RFC 7541 4.2), and each costs us work: so many bytes of them are a glitch. */
#define BLOCK_MORE   320
#define BLOCK_GLITCH 64
/* What answering and resetting for a peer's mistakes costs it (guard.c). */
#define COST_RESET     3
#define COST_LONG_HEAD 50
/* "The server sends GOAWAY after the second too early ping": gRFC A8. */
#define STRIKES 2
/* Pings on a connection without streams, when the policy does not permit them. */
#define PING_WITHOUT_STREAM (2 * 3600 * LEAT_SEC)

static struct leat_call *call_of(struct leat_h2s *h, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(h->session, stream);
}

static void blame(struct leat_h2s *h, enum leat_ended why)
{
    if (!h->blamed)
        leat_server_count_ended(h->p->server, why);
    h->blamed = true;
}

void leat_h2s_abuse(struct leat_h2s *h, enum leat_ended why, const char *what)
{
    if (leat_h2_ending(h->pump))
        return;
    blame(h, why);
    leat_warn(h->p->server ? h->p->server->env.who : NULL, "closing the connection of %s: %s",
              h->p->name, what);
    leat_h2_end(h->pump, NGHTTP2_ENHANCE_YOUR_CALM, what);
}

/* --- nghttp2's events */

static uint32_t max_streams(const struct leat_server *s)
{
    return s->conf->max_concurrent_streams ? s->conf->max_concurrent_streams : MAX_STREAMS;
}

/* Calls whose client has reset the stream are still work for the service: they count, so that
 * resetting streams is no way around their limit. Twice the limit, because a reply on its way out
 * holds its call a little longer than its stream. */
static bool has_room(const struct leat_h2s *h)
{
    return h->p->ncalls < 2 * (size_t)max_streams(h->p->server);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct leat_h2s *h = user_data;
    struct leat_call *c;

    h->bomb = 0;
    h->opening_since = leat_clock_mono();
    h->opening_stream = frame->hd.stream_id;
    leat_peer_due(h->p, h->opening_since + leat_server_header_timeout(h->p->server));
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers: nothing in them is for us */
    c = has_room(h) ? leat_call_new(h->p, true, frame->hd.stream_id) : NULL;
    if (c == NULL) {
        leat_h2_reset(h->pump, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
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
    struct leat_h2s *h = user_data;
    struct leat_call *c = call_of(h, frame->hd.stream_id);

    (void)session;
    (void)flags;
    h->bomb += nlen + vlen + 32;
    if (h->bomb > HEAD_BOMB) {
        leat_h2s_abuse(h, LEAT_ENDED_HEADERS, "a header block far beyond the limit");
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

static int headers_done(struct leat_h2s *h, struct leat_call *c, bool ends)
{
    h->opening = NULL;
    if (c->too_long && !leat_guard_take(&h->guard, COST_LONG_HEAD)) {
        leat_h2s_abuse(h, LEAT_ENDED_HEADERS, "too many header blocks beyond the limit");
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (leat_call_admit(c, content_length(c), ends) && ends)
        leat_call_end(c);
    return 0;
}

/* False: pings faster than the policy allows. */
static bool may_ping(struct leat_h2s *h)
{
    const struct leat_keepalive_server_conf *conf = &h->p->server->conf->keepalive;
    int64_t now = leat_clock_mono(), apart = conf->enforcement_policy.min_time;

    if (!conf->has_enforcement)
        return true;
    if (h->p->ncalls == 0 && !conf->enforcement_policy.permit_without_stream)
        apart = PING_WITHOUT_STREAM;
    if (h->last_ping != 0 && now < h->last_ping + apart)
        h->ping_strikes++;
    h->last_ping = now;
    return h->ping_strikes <= STRIKES;
}

static int on_ping(struct leat_h2s *h, bool ack)
{
    if (ack) {
        h->ping_at = 0;
        return 0;
    }
    if (may_ping(h))
        return 0;
    leat_h2s_abuse(h, LEAT_ENDED_FLOOD, "too_many_pings");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* The server was freed in a callback of the service: nothing more is done with these bytes. */
static int go_on(struct leat_h2s *h)
{
    return h->p->server != NULL ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int block_ended(struct leat_h2s *h, size_t len)
{
    h->opening_since = LEAT_NEVER;
    if (len <= h->bomb + BLOCK_MORE ||
        leat_guard_take(&h->guard, (unsigned)((len - h->bomb) / BLOCK_GLITCH)))
        return 0;
    leat_h2s_abuse(h, LEAT_ENDED_HEADERS, "header blocks that say little at length");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct leat_h2s *h = user_data;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct leat_call *c;
    int err = 0;

    (void)session;
    if (frame->hd.type == NGHTTP2_PING)
        return on_ping(h, frame->hd.flags & NGHTTP2_FLAG_ACK);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && block_ended(h, frame->hd.length) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
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
    struct leat_h2s *h = user_data;
    struct leat_call *c = call_of(h, stream);

    (void)flags;
    if (c != NULL && c->phase == LEAT_CALL_BODY && leat_call_body(c, data, len))
        leat_h2_heed(h->pump, nghttp2_session_consume(session, stream, len));
    else if (h->p->server != NULL)
        leat_h2_heed(h->pump, nghttp2_session_consume_connection(session, len));
    return go_on(h);
}

static void call_flushed(struct leat_task *t)
{
    leat_call_free(LEAT_OWNER(t, struct leat_call, flushed));
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user_data)
{
    struct leat_h2s *h = user_data;
    struct leat_call *c = nghttp2_session_get_stream_user_data(session, stream);

    (void)code;
    if (stream == h->opening_stream)
        h->opening_since = LEAT_NEVER;
    if (c == NULL)
        return 0;
    nghttp2_session_set_stream_user_data(session, stream, NULL);
    if (h->opening == c)
        h->opening = NULL;
    leat_stream_end(c);
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
    struct leat_h2s *h = user_data;
    uint32_t code;

    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        code = frame->rst_stream.error_code;
        if (code != NGHTTP2_NO_ERROR &&
            !leat_guard_take(&h->guard, code == NGHTTP2_REFUSED_STREAM ? 1 : COST_RESET))
            leat_h2s_abuse(h, LEAT_ENDED_FLOOD, "too many streams had to be reset");
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        code = frame->goaway.error_code;
        if (code != NGHTTP2_NO_ERROR) /* nghttp2's own verdict, unless we were first */
            blame(h, code == NGHTTP2_ENHANCE_YOUR_CALM ? LEAT_ENDED_FLOOD : LEAT_ENDED_PROTOCOL);
    } else if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
               nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
        leat_h2_reset(h->pump, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
}

/* --- life of the session */

static void h2_failed(void *self, const char *why)
{
    struct leat_h2s *h = self;

    if (h->p->server != NULL)
        leat_debug(h->p->server->env.who, "HTTP/2 with %s ends: %s", h->p->name, why);
    leat_conn_close(h->p->conn);
}

static int new_session(struct leat_h2s *h)
{
    nghttp2_session_callbacks *cbs;
    nghttp2_option *options = leat_h2_options(true);
    int err = -1;

    if (options == NULL)
        return -1;
    if (nghttp2_session_callbacks_new(&cbs) == 0) {
        leat_h2_set_callbacks(cbs);
        nghttp2_session_callbacks_set_on_begin_headers_callback(cbs, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(cbs, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(cbs, on_sent);
        err = nghttp2_session_server_new3(&h->session, cbs, h, options,
                                          leat_h2_memory_init(&h->memory));
        leat_h2_memory_made(&h->memory);
        nghttp2_session_callbacks_del(cbs);
    }
    nghttp2_option_del(options);
    return err == 0 ? 0 : -1;
}

/* SETTINGS_HEADER_TABLE_SIZE stays 4096, though a table full of grpc-timeout values costs 17 KiB: a
 * smaller one must be confirmed by the client's encoder, which that of .NET never does, and nghttp2
 * ends the connection then. */
static int greet(struct leat_h2s *h)
{
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, max_streams(h->p->server)},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_SIZE},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LEAT_HEAD_MAX},
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
    struct leat_h2s *h = leat_try_zeroed(sizeof *h);
    int64_t now = leat_clock_mono(), age = age_of(p->server);

    if (h == NULL)
        return -1;
    h->p = p;
    h->idle_since = h->last_read = now;
    h->age_at = age < LEAT_NEVER - now ? now + age : LEAT_NEVER;
    h->over_at = h->opening_since = h->write_since = LEAT_NEVER;
    leat_guard_init(&h->guard, true, now);
    if (new_session(h) == 0)
        h->pump = leat_h2_new(p->conn, h->session, h2_failed, h);
    if (h->pump == NULL || greet(h) < 0) {
        leat_h2_free(h->pump);
        nghttp2_session_del(h->session);
        leat_free(h);
        return -1;
    }
    p->session = h;
    leat_peer_due(p, now);
    return 0;
}

static void h2_read(struct leat_peer *p, const uint8_t *data, size_t len)
{
    struct leat_h2s *h = p->session;

    h->last_read = leat_clock_mono();
    if (h->rests) {
        h->rests = false;
        leat_peer_due(p, h->last_read + LEAT_REST_AFTER);
    }
    if (!leat_guard_bytes(&h->guard, h->session, data, len)) {
        leat_h2s_abuse(h, LEAT_ENDED_FLOOD, "too many frames that carry no request");
        return;
    }
    leat_h2_read(h->pump, data, len);
}

/* What is left of a large DATA frame is read into the body's own place; nghttp2 only looks at it
 * there. Before the next one a short read, so that little of it has to be copied; while frames are
 * small, long reads, for many of them at once. */
static struct leat_conn_room h2_room(struct leat_peer *p)
{
    struct leat_h2s *h = p->session;
    struct leat_conn_room room = {NULL, 0};
    int32_t stream;
    size_t left = leat_guard_data(&h->guard, &stream);
    struct leat_call *c = left >= DIRECT_MIN ? call_of(h, stream) : NULL;

    if (c != NULL)
        room = leat_call_room(c, left);
    if (room.len >= DIRECT_MIN) {
        h->direct = true;
        return room;
    }
    room = (struct leat_conn_room){NULL, h->direct ? HEAD_READ : 0};
    h->direct = false;
    return room;
}

/* The client sends nothing more, and may still read: what it asked in full is answered. */
static void h2_ended(struct leat_peer *p)
{
    struct leat_h2s *h = p->session;

    for (struct leat_link *l = p->calls.next; l != &p->calls; l = l->next) {
        const struct leat_call *c = LEAT_OWNER(l, struct leat_call, link);
        if (c->phase <= LEAT_CALL_BODY)
            leat_h2_reset(h->pump, c->stream, NGHTTP2_CANCEL);
    }
    if (p->ncalls == 0)
        leat_conn_close(p->conn);
    else
        leat_h2_flush(h->pump);
}

static void h2_written(struct leat_peer *p)
{
    struct leat_h2s *h = p->session;

    h->write_since = LEAT_NEVER;
    leat_h2_written(h->pump);
}

static void h2_closed(struct leat_peer *p)
{
    struct leat_h2s *h = p->session;

    leat_h2_free(h->pump);
    nghttp2_session_del(h->session);
    leat_free(h);
}

const struct leat_session_kind leat_server_h2 = {
    .open = h2_open,
    .read = h2_read,
    .room = h2_room,
    .ended = h2_ended,
    .written = h2_written,
    .closed = h2_closed,
    .drain = leat_h2s_drain,
    .tick = leat_h2s_tick,
    .reply = leat_h2s_reply,
};
