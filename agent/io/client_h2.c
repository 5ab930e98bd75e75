/* HTTP/2 of the client: many calls on one connection.
 *
 * Source: RFC 9113. */
#include <string.h>

#include "io/client_parts.h"

#include "base/clock.h"

#define STREAMS_MAX 250 /* calls on one connection, whatever the peer allows */
/* What the peer may say for each request (SETTINGS, its answer in pieces) and each of our DATA
 * frames (windows, a ping to measure with) before it counts as a flood (guard.c). */
#define PER_REQUEST     4
#define PER_FRAME       3
#define PER_BYTES       4096        /* and one more for each so many bytes */
#define HEADER_LIST_MAX (64 * 1024) /* told to the peer; enforced by client_answer.c */

static struct leat_client_call *call_of(nghttp2_session *session, int32_t stream)
{
    return stream == 0 ? NULL : nghttp2_session_get_stream_user_data(session, stream);
}

/* --- the session's callbacks */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *self)
{
    struct leat_client_call *call = call_of(session, frame->hd.stream_id);
    int rc;

    (void)flags;
    (void)self;
    if (call == NULL || call->state != LEAT_CALL_SENT)
        return 0;
    if (leat_bytes_is(leat_bytes(name, name_len), ":status") && value_len == 3)
        rc = leat_incoming_status(&call->in, (uint32_t)((value[0] - '0') * 100 +
                                                        (value[1] - '0') * 10 + (value[2] - '0')));
    else
        rc = leat_incoming_header(&call->in, leat_bytes(name, name_len),
                                  leat_bytes(value, value_len));
    return rc == 0 ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Headers are being read until their frame is complete. */
static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    (void)session;
    ((struct leat_client_conn *)self)->in_headers = frame->hd.stream_id;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *self)
{
    struct leat_client_call *call = call_of(session, stream);
    struct leat_client_conn *cc = self;

    (void)flags;
    if (call == NULL || call->state != LEAT_CALL_SENT)
        return 0;
    if (leat_incoming_body(&call->in, leat_bytes(data, len)) != 0)
        leat_h2_reset(cc->h2, stream, NGHTTP2_CANCEL);
    return 0;
}

static void on_settings(struct leat_client_conn *cc)
{
    uint32_t n =
        nghttp2_session_get_remote_settings(cc->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    cc->max_streams = n < STREAMS_MAX ? n : STREAMS_MAX;
    if (cc->state == LEAT_CONN_OPENING)
        leat_client_conn_ready(cc);
    else
        leat_client_pump_soon(cc->client);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    struct leat_client_conn *cc = self;
    struct leat_client_call *call = call_of(session, frame->hd.stream_id);
    bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;

    cc->in_headers = 0;
    if (frame->hd.type == NGHTTP2_SETTINGS && !ack)
        on_settings(cc);
    else if (frame->hd.type == NGHTTP2_GOAWAY)
        leat_client_conn_retire(cc);
    else if (frame->hd.type == NGHTTP2_PING && ack)
        leat_client_conn_alive(cc);
    if (call == NULL || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 ||
        (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    call->answered = true;
    /* It answered without wanting the rest of the request. */
    if (nghttp2_session_get_stream_local_close(session, frame->hd.stream_id) == 0)
        leat_h2_reset(cc->h2, frame->hd.stream_id, NGHTTP2_CANCEL);
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    struct leat_client_conn *cc = self;

    (void)session;
    if (frame->hd.type == NGHTTP2_HEADERS)
        leat_guard_give(&cc->guard, PER_REQUEST);
    else if (frame->hd.type == NGHTTP2_DATA)
        leat_guard_give(&cc->guard, PER_FRAME + (unsigned)(frame->hd.length / PER_BYTES));
    return 0;
}

static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *self)
{
    struct leat_client_call *call = call_of(session, frame->hd.stream_id);

    (void)self;
    if (call != NULL && frame->hd.type == NGHTTP2_HEADERS &&
        frame->headers.cat == NGHTTP2_HCAT_REQUEST && error == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED)
        call->unsent = true;
    return 0;
}

/* How the exchange ended, when nobody knew before. */
static void judge(struct leat_client_call *call, uint32_t code)
{
    struct leat_incoming *in = &call->in;

    if (in->net != LEAT_NET_OK)
        return;
    if (call->answered)
        leat_incoming_end(in, &call->client->codecs);
    else if ((code == NGHTTP2_REFUSED_STREAM || call->unsent) && !in->begun && !call->again)
        call->resend = true;
    else
        leat_incoming_fail(in, LEAT_NET_FAILED, "%s: the request was ended with HTTP/2 error %s%s",
                           in->peer, nghttp2_http2_strerror(code),
                           in->begun ? " in the middle of the answer" : " before an answer");
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *self)
{
    struct leat_client_conn *cc = self;
    struct leat_client_call *call = call_of(session, stream);

    if (call == NULL)
        return 0;
    if (call->state == LEAT_CALL_SENT) {
        judge(call, code);
        call->state = LEAT_CALL_ENDING;
    }
    call->stream = 0;
    leat_h2_when_flushed(cc->h2, &call->flushed);
    return 0;
}

static int on_error(nghttp2_session *session, int code, const char *text, size_t len, void *self)
{
    struct leat_client_conn *cc = self;

    (void)session;
    (void)code;
    if (cc->why[0] == '\0')
        snprintf(cc->why, sizeof cc->why, "HTTP/2: %.*s", len > 200 ? 200 : (int)len, text);
    return 0;
}

static void flushed(struct leat_task *t)
{
    struct leat_client_call *call = LEAT_OWNER(t, struct leat_client_call, flushed);
    struct leat_client_conn *cc = call->on;

    if (call->resend)
        leat_client_call_again(call);
    else
        leat_client_call_over(call);
    leat_client_conn_rest(cc);
}

/* --- life */

static nghttp2_session_callbacks *callbacks(void)
{
    nghttp2_session_callbacks *cbs;

    if (nghttp2_session_callbacks_new(&cbs) != 0)
        return NULL;
    leat_h2_set_callbacks(cbs);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cbs, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cbs, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cbs, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cbs, on_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_close);
    nghttp2_session_callbacks_set_error_callback2(cbs, on_error);
    return cbs;
}

static int make_session(struct leat_client_conn *cc)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX},
    };
    nghttp2_session_callbacks *cbs = callbacks();
    nghttp2_option *options = leat_h2_options(false);
    int rc = -1;

    if (cbs != NULL && options != NULL)
        rc = nghttp2_session_client_new3(&cc->session, cbs, cc, options, leat_h2_mem());
    if (rc == 0)
        rc = nghttp2_submit_settings(cc->session, NGHTTP2_FLAG_NONE, settings,
                                     sizeof settings / sizeof settings[0]);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(cbs);
    leat_guard_init(&cc->guard, false, leat_clock_mono());
    cc->max_streams = 1; /* until the peer's SETTINGS */
    return rc == 0 ? 0 : -1;
}

static void failed(void *self, const char *why)
{
    leat_client_conn_abort(self, why);
}

int leat_client_h2_open(struct leat_client_conn *cc)
{
    if (make_session(cc) != 0)
        return -1;
    cc->h2 = leat_h2_new(cc->conn, cc->session, failed, cc);
    if (cc->h2 == NULL)
        return -1;
    leat_h2_flush(cc->h2);
    return 0;
}

void leat_client_h2_done(struct leat_client_conn *cc)
{
    struct leat_h2 *h2 = cc->h2;

    leat_h2_free(h2); /* tells the calls that wait to be flushed */
    cc->h2 = NULL;
    nghttp2_session_del(cc->session);
    cc->session = NULL;
}

/* --- calls */

void leat_client_h2_start(struct leat_client_conn *cc, struct leat_client_call *call)
{
    struct leat_request *r = call->client->request;
    nghttp2_data_provider provider = leat_h2_provider(&call->body);
    size_t skip = call->client->grpc ? 0 : 1; /* [0] is for the head in HTTP/1 */
    bool has_body = call->body_len != 0 || call->client->grpc;

    call->body = (struct leat_h2_body){.pieces = call->pieces + skip, .n = call->npieces - skip};
    call->flushed = (struct leat_task){.run = flushed};
    leat_list_init(&call->flushed.link);
    call->answered = call->unsent = false;
    call->stream =
        nghttp2_submit_request(cc->session, NULL, r->nv, r->n, has_body ? &provider : NULL, call);
    if (call->stream < 0) {
        leat_incoming_fail(&call->in, LEAT_NET_FAILED, "%s: %s", call->in.peer,
                           nghttp2_strerror(call->stream));
        call->stream = 0;
        leat_client_call_over(call);
        leat_client_conn_rest(cc);
        return;
    }
    leat_h2_flush(cc->h2);
}

void leat_client_h2_cancel(struct leat_client_conn *cc, struct leat_client_call *call)
{
    if (call->stream == 0)
        return; /* closed already, waits to be flushed */
    leat_h2_reset(cc->h2, call->stream, NGHTTP2_CANCEL);
}

/* The session ended inside a header block: nghttp2 has bounds of its own on one header and on the
 * number of frames, which end the connection. */
static void blame_headers(struct leat_client_conn *cc)
{
    struct leat_client_call *call = call_of(cc->session, cc->in_headers); /* 0: NULL */

    if (call != NULL && call->state == LEAT_CALL_SENT)
        leat_incoming_fail(&call->in, LEAT_NET_TOO_LARGE,
                           "%s: the headers of the answer are too large for a connection, or "
                           "broken",
                           call->in.peer);
}

/* nghttp2 ends a session by itself when the peer breaks the rules, and goes on without a word. */
static void check_usable(struct leat_client_conn *cc)
{
    if (cc->state != LEAT_CONN_READY || nghttp2_session_check_request_allowed(cc->session))
        return;
    if (nghttp2_session_get_next_stream_id(cc->session) <= INT32_MAX) {
        blame_headers(cc);
        if (cc->why[0] == '\0')
            snprintf(cc->why, sizeof cc->why, "the peer broke the rules of HTTP/2");
    }
    leat_client_conn_retire(cc);
}

static bool is_http1(struct leat_bytes data)
{
    return data.len >= 5 && memcmp(data.data, "HTTP/", 5) == 0;
}

void leat_client_h2_read(struct leat_client_conn *cc, struct leat_bytes data)
{
    bool good;

    if (cc->state == LEAT_CONN_OPENING && is_http1(data)) {
        leat_client_conn_abort(cc, "the peer does not speak HTTP/2 on this port, but HTTP/1");
        return;
    }
    good = leat_guard_bytes(&cc->guard, cc->session, data.data, data.len);
    if (leat_h2_read(cc->h2, data.data, data.len) != 0) {
        blame_headers(cc);
        leat_client_conn_abort(cc, "the peer broke the rules of HTTP/2");
    } else if (!good) { /* answers before the flood count */
        leat_client_conn_abort(cc, "the peer floods us with frames that carry no answer");
    } else {
        check_usable(cc);
    }
}

void leat_client_h2_ping(struct leat_client_conn *cc)
{
    if (nghttp2_submit_ping(cc->session, NGHTTP2_FLAG_NONE, NULL) != 0)
        return;
    cc->ping_at = leat_clock_mono();
    leat_h2_flush(cc->h2);
}
