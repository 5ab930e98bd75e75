/* A server under test and raw sockets. */
#include "lib/io_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "io/codec.h"
#include "io/loop.h"

static const struct leat_route routes[] = {
    {.path = "/v1/traces", .method = "POST", .wants_body = true, .max_body = 1 << 20, .tag = 1},
    {.path = "/health", .method = "GET", .tag = 2},
    {.path = "/test.Service/Export",
     .grpc = true,
     .wants_body = true,
     .max_body = 1 << 20,
     .tag = 3},
    {.path = "/any/*", .method = "POST", .wants_body = true, .max_body = 1 << 20, .tag = 4},
};

const struct leat_reply io_served_ok = {
    .status = 200, .content_type = "text/plain", .body = {(const uint8_t *)"ok", 2}};
static const struct leat_reply grpc_ok = {.grpc_status = 0};

static void copy(char *out, size_t size, struct leat_bytes b)
{
    snprintf(out, size, "%.*s", LEAT_FMT(b));
}

static bool count_header(void *arg, struct leat_bytes name, struct leat_bytes value)
{
    struct io_served *s = arg;

    (void)name;
    (void)value;
    s->headers++;
    return true;
}

static void look(struct io_served *s, struct leat_call *call)
{
    const struct leat_call_info *i = leat_call_info(call);

    copy(s->method, sizeof s->method, i->method);
    copy(s->path, sizeof s->path, i->path);
    copy(s->query, sizeof s->query, i->query);
    copy(s->type, sizeof s->type, i->content_type);
    copy(s->host, sizeof s->host, leat_call_header(call, "host"));
    snprintf(s->peer, sizeof s->peer, "%s", i->peer);
    s->tag = i->route ? i->route->tag : 0;
    s->grpc = i->grpc;
    s->http2 = i->http2;
    s->headers = 0;
    leat_call_headers(call, count_header, s);
}

static void take(void *self, struct leat_call *call)
{
    struct io_served *s = self;
    struct leat_buf *body = leat_call_take_body(call);
    uint64_t *state = leat_call_state(call);

    LEAT_CHECK(*state == 0 && leat_call_of_state(state) == call);
    *state = UINT64_MAX;
    s->taken++;
    look(s, call);
    leat_text_clear(&s->body);
    if (body != NULL)
        leat_text_add(&s->body, body->data, body->len);
    leat_buf_unref(body);
    if (s->hold) {
        LEAT_CHECK(s->nheld < sizeof s->held / sizeof *s->held);
        s->held[s->nheld++] = call;
    } else {
        leat_call_reply(call, s->grpc ? &grpc_ok : &io_served_ok);
    }
}

static void refuse(void *self, struct leat_call *call, const struct leat_refusal *why)
{
    struct io_served *s = self;
    char text[300];
    struct leat_reply r = {.status = why->http_status,
                           .content_type = "text/plain",
                           .grpc_status = why->grpc_status,
                           .grpc_message = text,
                           .retry_after_s = (why->retry_after_ms + 999) / 1000};

    s->refused++;
    s->last_refusal = *why;
    snprintf(s->refusal_text, sizeof s->refusal_text, "%s", why->text);
    s->last_refusal.text = s->refusal_text;
    snprintf(text, sizeof text, "refused: %s", why->text);
    r.body = leat_bytes_str(text);
    leat_call_reply(call, &r);
}

void io_served_init(struct io_served *s)
{
    memset(s, 0, sizeof *s);
    s->loop = leat_loop_new(NULL);
    s->codecs = leat_codecs_new();
    s->meter = leat_meter_new();
    leat_budget_init(&s->budget, 64 << 20);
    leat_text_init(&s->body, 32 << 20);
    s->conf = (struct leat_server_conf){
        .endpoint = "127.0.0.1:0", .transport = "tcp", .keep_alives_enabled = true};
    s->env = (struct leat_server_env){.loop = s->loop,
                                      .budget = &s->budget,
                                      .codecs = s->codecs,
                                      .meter = s->meter,
                                      .who = "test"};
    s->service = (struct leat_service){.self = s,
                                       .routes = routes,
                                       .nroutes = sizeof routes / sizeof *routes,
                                       .call_size = sizeof(uint64_t),
                                       .take = take,
                                       .refuse = refuse};
}

void io_served_start(struct io_served *s)
{
    struct leat_err err = {""};

    s->server = leat_server_new(&s->conf, &s->service, &s->env, &err);
    if (s->server == NULL) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

void io_served_answer(struct io_served *s, size_t i, const struct leat_reply *r)
{
    struct leat_call *c = s->held[i];

    s->held[i] = NULL;
    if (r == NULL)
        r = leat_call_info(c)->grpc ? &grpc_ok : &io_served_ok;
    leat_call_reply(c, r);
}

void io_served_done(struct io_served *s)
{
    leat_server_free(s->server);
    for (size_t i = 0; i < s->nheld; i++)
        if (s->held[i] != NULL)
            io_served_answer(s, i, NULL);
    leat_loop_free(s->loop);
    LEAT_CHECK(leat_budget_used(&s->budget) == 0);
    leat_codecs_free(s->codecs);
    leat_meter_free(s->meter);
    leat_text_done(&s->body);
}

/* --- raw sockets */

void io_raw_open(struct io_raw *r, uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;

    memset(r, 0, sizeof *r);
    leat_text_init(&r->in, 64 << 20);
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    LEAT_CHECK(r->fd >= 0 && connect(r->fd, (struct sockaddr *)&to, sizeof to) == 0);
    setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(r->fd, F_SETFL, O_NONBLOCK);
}

void io_raw_done(struct io_raw *r)
{
    close(r->fd);
    leat_text_done(&r->in);
}

size_t io_raw_send(struct io_raw *r, const void *data, size_t len)
{
    ssize_t n = send(r->fd, data, len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN)
        r->closed = true;
    return n < 0 ? 0 : (size_t)n;
}

bool io_raw_send_all(struct io_raw *r, struct leat_loop *loop, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len != 0 && !r->closed) {
        size_t n = io_raw_send(r, at, len);

        at += n;
        len -= n;
        leat_loop_turn(loop);
        io_raw_poll(r);
    }
    return len == 0;
}

void io_raw_text(struct io_raw *r, const char *text)
{
    LEAT_CHECK(io_raw_send(r, text, strlen(text)) == strlen(text));
}

void io_raw_poll(struct io_raw *r)
{
    char part[65536];
    ssize_t n;

    while ((n = recv(r->fd, part, sizeof part, 0)) > 0)
        leat_text_add(&r->in, part, (size_t)n);
    if (n == 0 || errno != EAGAIN)
        r->closed = true;
}

bool io_raw_has(const struct io_raw *r, const char *text)
{
    return r->in.len != 0 && memmem(r->in.data, r->in.len, text, strlen(text)) != NULL;
}

size_t io_raw_count(const struct io_raw *r, const char *text)
{
    const char *at = r->in.data, *end = at ? at + r->in.len : NULL;
    size_t n = 0;

    while (at != NULL && (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
        at += strlen(text);
        n++;
    }
    return n;
}

void io_raw_ask(struct io_served *s, struct io_raw *r, const char *request, const char *answer_has)
{
    leat_text_clear(&r->in);
    io_raw_text(r, request);
    IO_RAW_UNTIL(s, r, io_raw_has(r, answer_has) || r->closed);
    if (!io_raw_has(r, answer_has)) {
        fprintf(stderr, "request: %s\nanswer: %s\n", request, leat_text_get(&r->in));
        abort();
    }
}
