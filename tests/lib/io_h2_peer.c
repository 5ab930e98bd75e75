/* An HTTP/2 client for tests. */
#include "lib/io_h2_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "io/loop.h"

static struct io_h2_answer *find(struct io_h2_peer *p, int32_t id)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->answers[i].id == id)
            return &p->answers[i];
    return NULL;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t nlen, const uint8_t *value, size_t vlen, uint8_t flags, void *user)
{
    struct io_h2_answer *a = find(user, frame->hd.stream_id);
    struct leat_bytes n = leat_bytes(name, nlen);
    char text[256];

    (void)session;
    (void)flags;
    if (a == NULL)
        return 0;
    snprintf(text, sizeof text, "%.*s", (int)vlen, (const char *)value);
    if (leat_bytes_is(n, ":status")) {
        a->status = atoi(text);
        a->trailers_only = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    } else if (leat_bytes_is(n, "grpc-status")) {
        a->grpc_status = atoi(text);
    } else if (leat_bytes_is(n, "grpc-message")) {
        memcpy(a->grpc_message, text, sizeof a->grpc_message);
    } else if (leat_bytes_is(n, "grpc-status-details-bin")) {
        memcpy(a->details, text, sizeof a->details);
    } else if (leat_bytes_is(n, "grpc-accept-encoding")) {
        snprintf(a->accept, sizeof a->accept, "%.63s", text);
    } else if (leat_bytes_is(n, "content-type")) {
        snprintf(a->type, sizeof a->type, "%.63s", text);
    } else if (leat_bytes_is(n, "www-authenticate")) {
        snprintf(a->www, sizeof a->www, "%.63s", text);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    struct io_h2_answer *a = find(user, id);

    (void)session;
    (void)flags;
    if (a != NULL)
        leat_text_add(&a->body, data, len);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct io_h2_answer *a = find(user, id);

    (void)session;
    if (a != NULL) {
        a->closed = true;
        a->code = code;
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct io_h2_peer *p = user;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        p->goaway = true;
        p->goaway_code = frame->goaway.error_code;
        p->goaway_last = frame->goaway.last_stream_id;
        snprintf(p->goaway_word, sizeof p->goaway_word, "%.*s", (int)frame->goaway.opaque_data_len,
                 (const char *)frame->goaway.opaque_data);
    }
    if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        p->pinged = true;
    return 0;
}

void io_h2_open(struct io_h2_peer *p, uint16_t port)
{
    nghttp2_session_callbacks *cbs;

    memset(p, 0, sizeof *p);
    io_raw_open(&p->raw, port);
    nghttp2_session_callbacks_new(&cbs);
    nghttp2_session_callbacks_set_on_header_callback(cbs, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame);
    LEAT_CHECK(nghttp2_session_client_new(&p->session, cbs, p) == 0);
    nghttp2_session_callbacks_del(cbs);
    nghttp2_submit_settings(p->session, 0, NULL, 0);
}

void io_h2_done(struct io_h2_peer *p)
{
    nghttp2_session_del(p->session);
    for (size_t i = 0; i < p->n; i++)
        leat_text_done(&p->answers[i].body);
    io_raw_done(&p->raw);
}

void io_h2_turn(struct io_h2_peer *p, struct leat_loop *loop)
{
    const uint8_t *data;
    ssize_t n;

    while (!p->raw.closed && (n = nghttp2_session_mem_send(p->session, &data)) > 0)
        io_raw_send_all(&p->raw, loop, data, (size_t)n);
    leat_loop_turn(loop);
    io_raw_poll(&p->raw);
    if (p->raw.in.len != 0)
        nghttp2_session_mem_recv(p->session, (const uint8_t *)p->raw.in.data, p->raw.in.len);
    leat_text_clear(&p->raw.in);
}

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                           uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct io_h2_peer *p = user;

    (void)session;
    (void)id;
    (void)source;
    if (len > p->upload_len)
        len = p->upload_len;
    if (len == 0 && p->upload_stays)
        return NGHTTP2_ERR_DEFERRED;
    if (len != 0)
        memcpy(buf, p->upload, len);
    p->upload += len;
    p->upload_len -= len;
    if (p->upload_len == 0 && !p->upload_stays)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

struct io_h2_answer *io_h2_ask(struct io_h2_peer *p, const char *method, const char *path,
                               const char *type, const struct io_h2_header *more, const void *body,
                               size_t len)
{
    nghttp2_nv nva[200];
    size_t n = 0;
    nghttp2_data_provider dp = {.read_callback = read_upload};
    struct io_h2_answer *a = &p->answers[p->n++];

    LEAT_CHECK(p->n <= sizeof p->answers / sizeof *p->answers);
    nva[n++] = nv(":method", method);
    nva[n++] = nv(":scheme", "http");
    nva[n++] = nv(":path", path);
    nva[n++] = nv(":authority", "here:1");
    if (type != NULL)
        nva[n++] = nv("content-type", type);
    for (; more != NULL && more->name != NULL; more++)
        nva[n++] = nv(more->name, more->value);
    p->upload = body;
    p->upload_len = len;
    memset(a, 0, sizeof *a);
    a->grpc_status = -1;
    leat_text_init(&a->body, 1 << 24);
    a->id = nghttp2_submit_request(p->session, NULL, nva, n, body ? &dp : NULL, NULL);
    LEAT_CHECK(a->id > 0);
    return a;
}

struct io_h2_answer *io_h2_grpc(struct io_h2_peer *p, const struct io_h2_header *more,
                                const void *body, size_t len)
{
    return io_h2_ask(p, "POST", "/test.Service/Export", "application/grpc", more, body, len);
}
