/* A server on the loopback interface that is fed recorded requests. */
#include "framing.h"

#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/server.h"

/* So many requests are written at once and answered before the next: small enough to come as one
 * segment, so that the server reads the same bytes each time. */
#define GROUP 4

static const struct leat_route routes[] = {
    {.path = "/v1/logs", .method = "POST", .wants_body = true, .max_body = 4 << 20},
    {.path = "/x.Logs/Export", .grpc = true, .wants_body = true, .max_body = 4 << 20},
};

static struct {
    struct leat_loop *loop;
    struct leat_server *server;
    struct leat_budget budget;
    struct leat_meter *meter;
    struct leat_server_conf conf;
    struct leat_service service;
    struct leat_text recorded;
    size_t len, taken;             /* of each body; requests */
    size_t ends[FRAMING_REQUESTS]; /* of each request in what is recorded */
    int fd;
} f;

static void take(void *self, struct leat_call *call)
{
    static const struct leat_reply ok = {.status = 200, .content_type = "application/x-protobuf"};
    struct leat_buf *body = leat_call_take_body(call);

    (void)self;
    LEAT_CHECK(body != NULL && body->len == f.len);
    f.taken++;
    leat_buf_unref(body);
    leat_call_reply(call, &ok);
}

static void start_server(void)
{
    struct leat_err err = {""};
    struct leat_server_env env;

    f.loop = leat_loop_new(&err);
    LEAT_CHECK(f.loop != NULL);
    f.meter = leat_meter_new();
    leat_budget_init(&f.budget, 256 << 20);
    f.conf = (struct leat_server_conf){
        .endpoint = "127.0.0.1:0", .transport = "tcp", .keep_alives_enabled = true};
    f.service = (struct leat_service){.routes = routes, .nroutes = 2, .take = take};
    env = (struct leat_server_env){
        .loop = f.loop, .budget = &f.budget, .meter = f.meter, .who = "count"};
    f.server = leat_server_new(&f.conf, &f.service, &env, &err);
    if (f.server == NULL) {
        fprintf(stderr, "count: %s\n", err.text);
        LEAT_CHECK(false);
    }
}

static void dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(leat_server_port(f.server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    f.fd = socket(AF_INET, SOCK_STREAM, 0);
    LEAT_CHECK(f.fd >= 0 && connect(f.fd, (struct sockaddr *)&to, sizeof to) == 0);
}

/* --- recording: an nghttp2 client that is told it may send everything */

struct source {
    struct leat_bytes request;
    size_t at;
    uint8_t prefix[5];
};

static ssize_t read_source(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                           uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct source *s = source->ptr;
    size_t n = 0;

    (void)session, (void)id, (void)user;
    for (; n < len && s->at < 5; n++)
        buf[n] = s->prefix[s->at++];
    if (n < len) {
        size_t left = s->request.len + 5 - s->at, part = left < len - n ? left : len - n;
        memcpy(buf + n, s->request.data + s->at - 5, part);
        s->at += part;
        n += part;
    }
    if (s->at == s->request.len + 5)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void record_out(nghttp2_session *session)
{
    const uint8_t *data;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(session, &data)) > 0)
        leat_text_add(&f.recorded, data, (size_t)n);
    LEAT_CHECK(n == 0);
}

static void record_grpc(struct leat_bytes request)
{
    /* SETTINGS with an initial window of 1 MiB, as the server has it, and connection credit */
    static const uint8_t credit[] = {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4,    0, 16, 0,
                                     0, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0, 0,  0};
    nghttp2_session_callbacks *cbs;
    nghttp2_session *session;
    struct source sources[FRAMING_REQUESTS];
    nghttp2_nv head[] = {nv(":method", "POST"),
                         nv(":scheme", "http"),
                         nv(":path", "/x.Logs/Export"),
                         nv(":authority", "127.0.0.1"),
                         nv("content-type", "application/grpc"),
                         nv("te", "trailers")};

    LEAT_CHECK(nghttp2_session_callbacks_new(&cbs) == 0);
    LEAT_CHECK(nghttp2_session_client_new(&session, cbs, NULL) == 0);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
    LEAT_CHECK(nghttp2_session_mem_recv(session, credit, sizeof credit) == sizeof credit);
    for (size_t i = 0; i < FRAMING_REQUESTS; i++) {
        nghttp2_data_provider data = {.source.ptr = &sources[i], .read_callback = read_source};
        uint32_t len = (uint32_t)request.len;
        sources[i] = (struct source){.request = request,
                                     .prefix = {0, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
                                                (uint8_t)(len >> 8), (uint8_t)len}};
        LEAT_CHECK(nghttp2_submit_request(session, NULL, head, 6, &data, NULL) > 0);
        record_out(session);
        f.ends[i] = f.recorded.len;
    }
    nghttp2_session_del(session);
    nghttp2_session_callbacks_del(cbs);
}

static void record_http(struct leat_bytes request)
{
    for (size_t i = 0; i < FRAMING_REQUESTS; i++) {
        leat_text_printf(&f.recorded,
                         "POST /v1/logs HTTP/1.1\r\nHost: 127.0.0.1:4318\r\nUser-Agent: count\r\n"
                         "Content-Type: application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
                         request.len);
        leat_text_add(&f.recorded, request.data, request.len);
        f.ends[i] = f.recorded.len;
    }
}

void framing_begin(bool grpc, struct leat_bytes request)
{
    f.len = request.len;
    leat_text_init(&f.recorded, 64 << 20);
    start_server();
    if (grpc)
        record_grpc(request);
    else
        record_http(request);
    dial();
}

static void drain(void)
{
    char answers[16384];

    while (recv(f.fd, answers, sizeof answers, MSG_DONTWAIT) > 0)
        ;
}

void framing_run(void)
{
    size_t at = 0;

    for (size_t i = GROUP; i <= FRAMING_REQUESTS; i += GROUP) {
        size_t len = f.ends[i - 1] - at;
        LEAT_CHECK(send(f.fd, (const uint8_t *)f.recorded.data + at, len, MSG_NOSIGNAL) ==
                   (ssize_t)len);
        at += len;
        while (f.taken < i)
            leat_loop_turn(f.loop);
        drain();
    }
}

void framing_end(void)
{
    LEAT_CHECK(f.taken == FRAMING_REQUESTS);
    close(f.fd);
    leat_server_free(f.server);
    while (leat_loop_turn(f.loop))
        ;
    leat_loop_free(f.loop);
    leat_meter_free(f.meter);
    leat_text_done(&f.recorded);
}
