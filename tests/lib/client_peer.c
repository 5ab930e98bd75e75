/* Peers for tests of the HTTP client: sockets on loopback. */
#include "lib/client_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/grpc.h"

#define BIG_BODY ((size_t)16 << 20)
#define PEER_MAX ((size_t)64 * 1024 * 1024)

void client_must(const void *made, const struct leat_err *err)
{
    if (made == NULL)
        fprintf(stderr, "%s\n", err->text);
    LEAT_CHECK(made != NULL);
}

/* --- bytes out */

static void flush_out(struct client_peer_conn *pc)
{
    struct leat_bytes piece;

    if (pc->conn == NULL || leat_conn_pending(pc->conn))
        return;
    if (pc->out.len != 0) {
        piece = leat_text_bytes(&pc->out);
        if (leat_conn_write(pc->conn, &piece, 1) == 0)
            return;
        leat_text_clear(&pc->out);
    }
    if (pc->close_after)
        leat_conn_close(pc->conn);
}

void client_peer_send(struct client_peer_conn *pc, const void *data, size_t len)
{
    struct leat_text all;

    if (pc->conn == NULL)
        return;
    if (leat_conn_pending(pc->conn)) {
        /* The pending write refers to `out`: what is added must not move it. */
        leat_text_init(&all, PEER_MAX);
        leat_text_add(&all, data, len);
        LEAT_CHECK(pc->out.cap - pc->out.len > len);
        leat_text_add(&pc->out, all.data, all.len);
        leat_text_done(&all);
        return;
    }
    leat_text_reserve(&pc->out, len + 65536);
    leat_text_add(&pc->out, data, len);
    flush_out(pc);
}

void client_peer_text(struct client_peer_conn *pc, const char *text)
{
    client_peer_send(pc, text, strlen(text));
}

void client_peer_close(struct client_peer_conn *pc)
{
    pc->close_after = true;
    flush_out(pc);
}

void client_peer_abort(struct client_peer_conn *pc)
{
    if (pc->conn != NULL)
        leat_conn_abort(pc->conn);
}

/* --- HTTP/1 */

/* The length of the first whole request of `text`, or 0. */
static size_t whole_request(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n"), *length;
    size_t body = 0;

    if (end == NULL)
        return 0;
    length = strstr(text, "content-length: ");
    if (length != NULL && length < end)
        body = strtoul(length + 16, NULL, 10);
    end += 4;
    return strlen(end) >= body ? (size_t)(end - text) + body : 0;
}

static void read_http1(struct client_peer_conn *pc)
{
    size_t len;

    while (pc->conn != NULL && (len = whole_request(leat_text_get(&pc->in) + pc->parsed)) != 0) {
        pc->parsed += len;
        pc->requests++;
        pc->peer->requests++;
        pc->peer->request(pc, 0);
    }
}

/* --- HTTP/2 */

void client_peer_h2_flush(struct client_peer_conn *pc)
{
    const uint8_t *data;
    ssize_t n;

    while (pc->conn != NULL && (n = nghttp2_session_mem_send(pc->session, &data)) > 0)
        client_peer_send(pc, data, (size_t)n);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    struct client_peer_conn *pc = self;
    struct client_peer *p = pc->peer;

    (void)session;
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        p->streams[p->requests % 256] = frame->hd.stream_id;
        p->requests++;
        pc->requests++;
        p->request(pc, frame->hd.stream_id);
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM && p->reset != NULL)
        p->reset(pc, frame->hd.stream_id, frame->rst_stream.error_code);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *self)
{
    (void)session;
    (void)flags;
    (void)stream;
    leat_text_add(&((struct client_peer_conn *)self)->body, data, len);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *self)
{
    struct client_peer_conn *pc = self;

    (void)session;
    (void)frame;
    (void)flags;
    leat_text_printf(&pc->headers, "%.*s: %.*s\n", (int)name_len, (const char *)name,
                     (int)value_len, (const char *)value);
    return 0;
}

static void open_http2(struct client_peer_conn *pc)
{
    nghttp2_settings_entry e = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, pc->peer->max_streams};
    nghttp2_session_callbacks *cbs;
    nghttp2_option *option;

    nghttp2_session_callbacks_new(&cbs);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data);
    nghttp2_session_callbacks_set_on_header_callback(cbs, on_header);
    nghttp2_option_new(&option);
    nghttp2_option_set_max_send_header_block_length(option, 4 * 1024 * 1024);
    nghttp2_session_server_new2(&pc->session, cbs, pc, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cbs);
    if (pc->peer->never_settings)
        return;
    nghttp2_submit_settings(pc->session, 0, &e, pc->peer->max_streams != 0);
    client_peer_h2_flush(pc);
}

struct answer_source {
    struct leat_text bytes;
    size_t sent;
    const char *status;
    const char *const *more;
};

static ssize_t read_answer(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t len,
                           uint32_t *flags, nghttp2_data_source *source, void *self)
{
    struct answer_source *a = source->ptr;
    size_t left = a->bytes.len - a->sent, n = left < len ? left : len;
    nghttp2_nv nv[8];
    size_t nnv = 0;

    (void)self;
    if (n != 0)
        memcpy(buf, a->bytes.data + a->sent, n);
    a->sent += n;
    if (a->sent < a->bytes.len)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nv[nnv++] = (nghttp2_nv){(uint8_t *)(uintptr_t) "grpc-status", (uint8_t *)(uintptr_t)a->status,
                             11, strlen(a->status), 0};
    for (const char *const *m = a->more; m != NULL && *m != NULL && nnv < 8; m += 2)
        nv[nnv++] = (nghttp2_nv){(uint8_t *)(uintptr_t)m[0], (uint8_t *)(uintptr_t)m[1],
                                 strlen(m[0]), strlen(m[1]), 0};
    nghttp2_submit_trailer(session, stream, nv, nnv);
    leat_text_done(&a->bytes);
    leat_free(a);
    return (ssize_t)n;
}

void client_peer_grpc(struct client_peer_conn *pc, int32_t stream, struct leat_bytes message,
                      const char *status, const char *const *more)
{
    static uint8_t names[] = ":statuscontent-type", ok[] = "200", type[] = "application/grpc";
    nghttp2_nv nv[2] = {{names, ok, 7, 3, 0}, {names + 7, type, 12, 16, 0}};
    struct answer_source *a = leat_new(sizeof *a);
    nghttp2_data_provider provider = {.source = {.ptr = a}, .read_callback = read_answer};
    uint8_t prefix[LEAT_GRPC_PREFIX];

    leat_grpc_prefix_write(prefix, false, (uint32_t)message.len);
    leat_text_init(&a->bytes, PEER_MAX);
    leat_text_add(&a->bytes, prefix, sizeof prefix);
    leat_text_add(&a->bytes, message.data, message.len);
    a->status = status;
    a->more = more;
    nghttp2_submit_response(pc->session, stream, nv, 2, &provider);
    client_peer_h2_flush(pc);
}

/* --- events */

static void opened(void *self)
{
    struct client_peer_conn *pc = self;

    if (pc->peer->http2)
        open_http2(pc);
    if (pc->peer->opened != NULL)
        pc->peer->opened(pc);
}

static void on_read(void *self, const uint8_t *data, size_t len)
{
    struct client_peer_conn *pc = self;

    leat_text_add(&pc->in, data, len);
    if (pc->session != NULL) {
        nghttp2_session_mem_recv(pc->session, data, len);
        client_peer_h2_flush(pc);
    } else if (pc->peer->http1) {
        read_http1(pc);
    }
    if (pc->peer->read != NULL && pc->conn != NULL)
        pc->peer->read(pc);
}

static void ended(void *self)
{
    struct client_peer_conn *pc = self;

    pc->ended = true;
    leat_conn_close(pc->conn);
}

static void written(void *self)
{
    struct client_peer_conn *pc = self;

    /* What was added meanwhile is not told apart: tests that need that send less. */
    leat_text_clear(&pc->out);
    if (pc->session != NULL)
        client_peer_h2_flush(pc);
    flush_out(pc);
}

static void closed(void *self, const char *why)
{
    struct client_peer_conn *pc = self;

    (void)why;
    pc->conn = NULL;
    pc->peer->nclosed++;
}

static void on_accept(void *self, struct leat_conn *conn)
{
    static const struct leat_conn_events events = {
        .opened = opened, .read = on_read, .ended = ended, .written = written, .closed = closed};
    struct client_peer *p = self;
    struct client_peer_conn *pc = &p->conns[p->nconns];

    LEAT_CHECK(p->nconns < CLIENT_PEER_CONNS);
    *pc = (struct client_peer_conn){.peer = p, .nth = p->nconns++, .conn = conn};
    leat_text_init(&pc->in, PEER_MAX);
    leat_text_init(&pc->out, PEER_MAX);
    leat_text_init(&pc->body, PEER_MAX);
    leat_text_init(&pc->headers, PEER_MAX);
    leat_conn_handle(conn, &events, pc);
}

void client_peer_start(struct client_peer *p, struct leat_loop *loop, struct leat_tls *tls)
{
    struct leat_listen_conf conf = {.endpoint = "127.0.0.1:0", .tls = tls};
    struct leat_err err;

    if (p->unix_path != NULL) {
        conf.endpoint = p->unix_path;
        conf.unix_socket = true;
    }
    p->loop = loop;
    p->listener = leat_listen(loop, &conf, on_accept, p, &err);
    client_must(p->listener, &err);
    if (p->unix_path != NULL)
        snprintf(p->endpoint, sizeof p->endpoint, "unix://%s", p->unix_path);
    else
        snprintf(p->endpoint, sizeof p->endpoint, "127.0.0.1:%u", leat_listener_port(p->listener));
}

void client_peer_stop_listening(struct client_peer *p)
{
    leat_listener_free(p->listener);
    p->listener = NULL;
}

void client_peer_forget(struct client_peer *p)
{
    for (int i = 0; i < p->nconns; i++)
        client_peer_abort(&p->conns[i]);
    CLIENT_UNTIL(p->loop, p->nclosed == p->nconns);
    for (int i = 0; i < p->nconns; i++) {
        leat_text_done(&p->conns[i].in);
        leat_text_done(&p->conns[i].out);
        leat_text_done(&p->conns[i].body);
        leat_text_done(&p->conns[i].headers);
        nghttp2_session_del(p->conns[i].session);
    }
    p->nconns = p->nclosed = 0;
}

void client_peer_stop(struct client_peer *p)
{
    client_peer_stop_listening(p);
    client_peer_forget(p);
}

/* --- exchanges */

static void on_done(struct leat_exchange *x, const struct leat_answer *a)
{
    struct client_sent *s = LEAT_OWNER(x, struct client_sent, x);

    s->done++;
    s->a = *a;
    snprintf(s->why, sizeof s->why, "%s", a->why ? a->why : "");
    s->a.why = a->why ? s->why : NULL;
    snprintf(s->type, sizeof s->type, "%.*s", LEAT_FMT(a->content_type));
    snprintf(s->kept, sizeof s->kept, "%.*s", LEAT_FMT(a->kept[0]));
    if (a->kept[0].data == NULL)
        strcpy(s->kept, "-");
    leat_text_clear(&s->body);
    leat_text_add(&s->body, a->body.data, a->body.len);
    leat_text_clear(&s->message);
    leat_text_add(&s->message, a->grpc_message.data, a->grpc_message.len);
    leat_text_clear(&s->details);
    leat_text_add(&s->details, a->grpc_details.data, a->grpc_details.len);
    if (s->then != NULL)
        s->then(s);
}

void client_sent_init(struct client_sent *s, const char *path, const char *body)
{
    memset(s, 0, sizeof *s);
    s->piece = leat_bytes_str(body);
    s->x = (struct leat_exchange){
        .path = path, .pieces = &s->piece, .npieces = body != NULL, .done = on_done};
    leat_text_init(&s->body, PEER_MAX);
    leat_text_init(&s->message, PEER_MAX);
    leat_text_init(&s->details, PEER_MAX);
}

void client_sent_done(struct client_sent *s)
{
    leat_text_done(&s->body);
    leat_text_done(&s->message);
    leat_text_done(&s->details);
}

void client_peer_headers_only(struct client_peer_conn *pc, int32_t stream,
                              const char *const nv[][2])
{
    nghttp2_nv out[8];
    size_t n = 0;

    for (; nv[n][0] != NULL; n++) {
        LEAT_CHECK(n < 7);
        out[n] = (nghttp2_nv){(uint8_t *)(uintptr_t)nv[n][0], (uint8_t *)(uintptr_t)nv[n][1],
                              strlen(nv[n][0]), strlen(nv[n][1]), 0};
    }
    nghttp2_submit_response(pc->session, stream, out, n, NULL);
    client_peer_h2_flush(pc);
}

char *client_big_body(void)
{
    char *body = malloc(BIG_BODY + 1);

    LEAT_CHECK(body != NULL);
    memset(body, 'x', BIG_BODY);
    body[BIG_BODY] = '\0';
    return body;
}

void client_big_free(char *body)
{
    memset(body, 'y', BIG_BODY);
    free(body);
}
