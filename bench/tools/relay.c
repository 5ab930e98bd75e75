/* The least a collector can do: gRPC in, the same body out, answered when the destination answered.
 * No check, no limit, no retry: what the machine and nghttp2 allow, to compare with.
 *
 * relay --listen PORT --to ADDRESS:PORT [--http]
 *
 * --http: HTTP/1.1 instead, one connection out for each connection in. Prints its port as JSON. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "h2.h"

#define BODY_FIRST ((size_t)16 * 1024)
#define HTTP_ROOM  ((size_t)4 << 20)
#define HEAD_MAX   4096

static const char *target;
static struct h2 *out;
static nghttp2_session_callbacks *in_callbacks, *out_callbacks;

/* One call: in from a client, out to the destination. */
struct call {
    struct h2 *in;
    int32_t stream;
    struct h2_body body;
    uint8_t *data;
    size_t len, room;
    char path[128];
    bool ok, answered;
};

/* --- the destination's side */

static ssize_t read_empty(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                          uint32_t *flags, nghttp2_data_source *source, void *user)
{
    nghttp2_nv trailers[] = {h2_nv("grpc-status", "0")};

    (void)len, (void)source, (void)user;
    memset(buf, 0, 5);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, id, trailers, 1);
    return 5;
}

static void answer(struct call *k)
{
    nghttp2_nv ok[] = {h2_nv(":status", "200"), h2_nv("content-type", "application/grpc")};
    nghttp2_nv no[] = {h2_nv(":status", "200"), h2_nv("content-type", "application/grpc"),
                       h2_nv("grpc-status", "14")};
    nghttp2_data_provider data = {.read_callback = read_empty};

    if (k->in->gone)
        return;
    if (k->ok)
        nghttp2_submit_response(k->in->session, k->stream, ok, 2, &data);
    else
        nghttp2_submit_response(k->in->session, k->stream, no, 3, NULL);
}

static int out_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                      size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user)
{
    struct call *k = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags, (void)user;
    if (k != NULL && name_len == 11 && memcmp(name, "grpc-status", 11) == 0)
        k->ok = len == 1 && *value == '0';
    return 0;
}

/* Clients whose answers are to be written at the end of the turn. */
static struct h2 *dirty[4096];
static size_t dirty_n;

static void mark(struct h2 *c)
{
    for (size_t i = 0; i < dirty_n; i++)
        if (dirty[i] == c)
            return;
    if (dirty_n < sizeof dirty / sizeof *dirty)
        dirty[dirty_n++] = c;
}

static int out_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct call *k = nghttp2_session_get_stream_user_data(session, id);

    (void)user;
    if (k == NULL)
        return 0;
    k->ok = k->ok && code == 0;
    answer(k);
    mark(k->in);
    free(k->data);
    free(k);
    return 0;
}

static void out_gone(struct h2 *c)
{
    (void)c;
    net_die("the destination closed the connection");
}

static void forward(struct call *k)
{
    nghttp2_nv head[] = {h2_nv(":method", "POST"),
                         h2_nv(":scheme", "http"),
                         h2_nv(":path", k->path),
                         h2_nv(":authority", target),
                         h2_nv("content-type", "application/grpc"),
                         h2_nv("te", "trailers")};
    nghttp2_data_provider data;

    k->body = (struct h2_body){.data = k->data, .len = k->len};
    data = h2_source(&k->body);
    if (nghttp2_submit_request(out->session, NULL, head, 6, &data, k) < 0)
        net_die("no stream left");
    mark(out);
}

/* --- the clients' side */

static int in_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct call *k;

    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    k = calloc(1, sizeof *k);
    k->in = user;
    k->stream = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(session, k->stream, k);
    return 0;
}

static int in_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user)
{
    struct call *k = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags, (void)user;
    if (k != NULL && name_len == 5 && memcmp(name, ":path", 5) == 0)
        snprintf(k->path, sizeof k->path, "%.*s", (int)len, (const char *)value);
    return 0;
}

/* The first five bytes of a gRPC body say how long it is: the buffer is made once. */
static void make_room(struct call *k, const uint8_t *data, size_t len)
{
    size_t want = BODY_FIRST;

    if (k->room == 0 && len >= 5)
        want = 5 + ((size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4]);
    if (want < k->len + len)
        want = (k->len + len) * 2;
    k->data = realloc(k->data, want);
    if (k->data == NULL)
        net_die("no memory");
    k->room = want;
}

static int in_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    struct call *k = nghttp2_session_get_stream_user_data(session, id);

    (void)flags, (void)user;
    if (k->len + len > k->room)
        make_room(k, data, len);
    memcpy(k->data + k->len, data, len);
    k->len += len;
    return 0;
}

static int in_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)user;
    if (frame->hd.type == NGHTTP2_DATA && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        forward(nghttp2_session_get_stream_user_data(session, frame->hd.stream_id));
    return 0;
}

static void accept_grpc(struct net_handler *h, uint32_t events)
{
    int fd;

    (void)events;
    while ((fd = net_accept(h->fd)) >= 0) {
        struct h2 *c = calloc(1, sizeof *c);
        h2_open(c, fd, true, in_callbacks);
    }
}

static void start_grpc(void)
{
    in_callbacks = h2_callbacks();
    nghttp2_session_callbacks_set_on_begin_headers_callback(in_callbacks, in_begin);
    nghttp2_session_callbacks_set_on_header_callback(in_callbacks, in_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(in_callbacks, in_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(in_callbacks, in_frame);
    out_callbacks = h2_callbacks();
    nghttp2_session_callbacks_set_on_header_callback(out_callbacks, out_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(out_callbacks, out_close);
    out = calloc(1, sizeof *out);
    out->closed = out_gone;
    h2_open(out, net_connect(target), false, out_callbacks);
}

/* --- HTTP/1.1: whole request in, header and body out in one write, the answer back as it is */

struct pipe_end {
    struct net_handler io;
    struct pipe *pipe;
};

struct pipe {
    struct pipe_end client, server;
    uint8_t *buf;
    size_t len, want, sent; /* want: of the whole request, 0: unknown */
};

static void pipe_close(struct pipe *p)
{
    net_unwatch(&p->client.io);
    net_unwatch(&p->server.io);
    close(p->client.io.fd);
    close(p->server.io.fd);
    free(p->buf);
    p->buf = NULL;
}

static void pipe_send(struct pipe *p)
{
    ssize_t n = write(p->server.io.fd, p->buf + p->sent, p->len - p->sent);

    if (n > 0)
        p->sent += (size_t)n;
    if (p->sent == p->len)
        p->len = p->want = p->sent = 0;
    net_watch(&p->server.io, p->len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void measure_request(struct pipe *p)
{
    char *end, *value;

    p->buf[p->len] = 0;
    end = strstr((char *)p->buf, "\r\n\r\n");
    if (end == NULL)
        return;
    value = strcasestr((char *)p->buf, "\r\ncontent-length:");
    if (value == NULL || value > end)
        net_die("a request without content-length");
    p->want = (size_t)(end + 4 - (char *)p->buf) + strtoull(value + 17, NULL, 10);
    if (p->want > HTTP_ROOM)
        net_die("a request of more than %zu bytes", HTTP_ROOM);
}

static void from_client(struct net_handler *h, uint32_t events)
{
    struct pipe *p = ((struct pipe_end *)h)->pipe;
    ssize_t n;

    (void)events;
    n = read(h->fd, p->buf + p->len, HTTP_ROOM - p->len);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        pipe_close(p);
        return;
    }
    p->len += n > 0 ? (size_t)n : 0;
    if (p->want == 0)
        measure_request(p);
    if (p->want > 0 && p->len >= p->want)
        pipe_send(p);
}

static void from_server(struct net_handler *h, uint32_t events)
{
    struct pipe *p = ((struct pipe_end *)h)->pipe;
    char answer[HEAD_MAX];
    ssize_t n;

    if (events & EPOLLOUT)
        pipe_send(p);
    if (!(events & EPOLLIN))
        return;
    n = read(h->fd, answer, sizeof answer);
    if (n <= 0 || write(p->client.io.fd, answer, (size_t)n) != n)
        pipe_close(p);
}

static void accept_http(struct net_handler *h, uint32_t events)
{
    int fd;

    (void)events;
    while ((fd = net_accept(h->fd)) >= 0) {
        struct pipe *p = calloc(1, sizeof *p);
        p->buf = malloc(HTTP_ROOM + 1);
        p->client = (struct pipe_end){{.fd = fd, .ready = from_client}, p};
        p->server = (struct pipe_end){{.fd = net_connect(target), .ready = from_server}, p};
        net_watch(&p->client.io, EPOLLIN);
        net_watch(&p->server.io, EPOLLIN);
    }
}

int main(int argc, char **argv)
{
    struct net_handler listener = {.ready = accept_grpc};
    int port = 0;

    net_tool = "relay";
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--http") == 0)
            listener.ready = accept_http;
        else if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc)
            port = (int)net_number(argv[++i]);
        else if (strcmp(argv[i], "--to") == 0 && i + 1 < argc)
            target = argv[++i];
        else
            net_die("unknown option %s", argv[i]);
    }
    if (target == NULL)
        net_die("--to is needed");
    if (listener.ready == accept_grpc)
        start_grpc();
    listener.fd = net_listen(port, &port);
    net_watch(&listener, EPOLLIN);
    printf("{\"port\": %d}\n", port);
    fflush(stdout);
    for (;;) {
        net_wait(-1);
        for (size_t i = 0; i < dirty_n; i++)
            h2_flush(dirty[i]);
        dirty_n = 0;
    }
}
