/* Takes every export request over gRPC and HTTP/1.1, never decodes, answers empty success.
 *
 * sink [--grpc PORT] [--http PORT] [--counters FILE] [--proof] [--delay MS] [--refuse EVERY]
 *      [--rate ANSWERS_PER_SECOND] [--ids FILE --ids-max N] [--write]
 *
 * Ports 0 (the default): the kernel's choice. One line of JSON says where it listens; at SIGTERM or
 * SIGINT another says what came. --counters: a file of uint64: requests, body bytes, items' ids.
 * --proof hashes and collects ids (inflating as needed). --delay answers that much later. --refuse
 * answers every so manieth request with UNAVAILABLE or 503. --rate answers no more than so many a
 * second, the rest waits its turn. --ids counts (with --proof) how often each id came, as uint64 by
 * id, in a file. --write: what comes over HTTP is Prometheus remote write, 1.0 or 2.0; it is
 * decoded and counted (write_proof.h), the third counter is samples and histograms, a bad one is
 * answered with 400. SIGUSR1 stops reading, SIGUSR2 goes on.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "h2.h"
#include "proof.h"
#include "write_proof.h"

#define HTTP_BUFFER ((size_t)256 * 1024)
#define BODY_MAX    ((size_t)256 << 20)

enum { REQUESTS, BYTES, IDS, COUNTERS };

static struct {
    bool prove, write;
    int64_t delay, step, slot; /* of --rate: between answers; when the next may go */
    uint64_t refuse_every, n;
    uint64_t *counters;
    struct proof proof;
    struct write_proof written;
    nghttp2_session_callbacks *cbs;
} sink;

static volatile sig_atomic_t over, stalled;

/* --- what came */

struct body {
    uint8_t *data;
    size_t len, room;
    char encoding[16];
};

static void body_add(struct body *b, const uint8_t *data, size_t len)
{
    b->len += len;
    if (!sink.prove && !sink.write)
        return;
    if (b->len > BODY_MAX)
        net_die("a body of more than %zu bytes", BODY_MAX);
    if (b->len > b->room) {
        b->room = b->len * 2;
        b->data = realloc(b->data, b->room);
        if (b->data == NULL)
            net_die("no memory");
    }
    memcpy(b->data + b->len - len, data, len);
}

static void prove(const struct body *b, bool grpc)
{
    size_t skip = grpc ? 5 : 0, len;
    bool packed = grpc ? b->len >= 5 && b->data[0] == 1 : true;
    uint8_t *plain;

    if (b->len < skip) {
        sink.proof.malformed++;
        return;
    }
    plain = proof_unpack(packed ? b->encoding : "", b->data + skip, b->len - skip, &len);
    if (plain == NULL)
        sink.proof.malformed++;
    else
        proof_take(&sink.proof, plain, len);
    free(plain);
    sink.counters[IDS] = sink.proof.ids;
}

/* Counts a whole request; true: it is to be refused. */
static bool count(struct body *b, bool grpc)
{
    bool refuse = sink.refuse_every > 0 && ++sink.n % sink.refuse_every == 0;

    if (!refuse) {
        sink.counters[REQUESTS]++;
        sink.counters[BYTES] += b->len - (grpc ? 5 : 0);
        if (sink.prove)
            prove(b, grpc);
    }
    free(b->data);
    b->data = NULL;
    b->len = b->room = 0;
    return refuse;
}

/* --- answers, at once or later, in the order the requests ended */

struct later {
    struct later *next;
    int64_t at;
    void *conn;
    int32_t stream; /* 0: HTTP/1.1 */
    bool refuse;
};

static struct later *first, **last = &first;

static void answer(void *conn, int32_t stream, bool refuse);

static void answer_in_time(void *conn, int32_t stream, bool refuse)
{
    int64_t at = net_now() + sink.delay;
    struct later *l;

    if (sink.delay == 0 && sink.step == 0) {
        answer(conn, stream, refuse);
        return;
    }
    l = malloc(sizeof *l);
    if (l == NULL)
        net_die("no memory");
    at = at > sink.slot ? at : sink.slot;
    sink.slot = at + sink.step;
    *l = (struct later){NULL, at, conn, stream, refuse};
    *last = l;
    last = &l->next;
}

static void answer_due(void)
{
    while (first != NULL && first->at <= net_now()) {
        struct later *l = first;
        first = l->next;
        if (first == NULL)
            last = &first;
        answer(l->conn, l->stream, l->refuse);
        if (l->stream != 0)
            h2_flush(l->conn);
        free(l);
    }
}

/* --- gRPC */

static const char empty_message[] = "\0\0\0\0\0";

static ssize_t read_empty(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                          uint32_t *flags, nghttp2_data_source *source, void *user)
{
    nghttp2_nv trailers[] = {h2_nv("grpc-status", "0")};

    (void)len, (void)source, (void)user;
    memcpy(buf, empty_message, 5);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, id, trailers, 1);
    return 5;
}

static void answer_grpc(struct h2 *c, int32_t stream, bool refuse)
{
    nghttp2_nv ok[] = {h2_nv(":status", "200"), h2_nv("content-type", "application/grpc")};
    nghttp2_nv no[] = {h2_nv(":status", "200"), h2_nv("content-type", "application/grpc"),
                       h2_nv("grpc-status", "14"), h2_nv("grpc-message", "told to refuse")};
    nghttp2_data_provider data = {.read_callback = read_empty};

    if (c->gone)
        return;
    if (refuse)
        nghttp2_submit_response(c->session, stream, no, 4, NULL);
    else
        nghttp2_submit_response(c->session, stream, ok, 2, &data);
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)user;
    if (frame->hd.type == NGHTTP2_HEADERS)
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id,
                                             calloc(1, sizeof(struct body)));
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user)
{
    struct body *b = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags, (void)user;
    if (b != NULL && name_len == 13 && memcmp(name, "grpc-encoding", 13) == 0)
        snprintf(b->encoding, sizeof b->encoding, "%.*s", (int)len, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    struct body *b = nghttp2_session_get_stream_user_data(session, id);

    (void)flags, (void)user;
    if (b != NULL)
        body_add(b, data, len);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct body *b;

    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
        return 0;
    b = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (b != NULL && b->len >= 5)
        answer_in_time(user, frame->hd.stream_id, count(b, true));
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct body *b = nghttp2_session_get_stream_user_data(session, id);

    (void)code, (void)user;
    if (b != NULL)
        free(b->data);
    free(b);
    return 0;
}

static void accept_grpc(struct net_handler *h, uint32_t events)
{
    int fd;

    (void)events;
    while ((fd = net_accept(h->fd)) >= 0) {
        struct h2 *c = calloc(1, sizeof *c);
        h2_open(c, fd, true, sink.cbs);
    }
}

/* --- HTTP/1.1: one request at a time on a connection, with Content-Length */

struct http {
    struct net_handler io;
    size_t len, left; /* in the buffer; of the body */
    bool in_body, gone;
    struct body body;
    int version; /* of remote write */
    struct write_counts counts;
    char buf[HTTP_BUFFER];
};

static void http_close(struct http *c)
{
    net_unwatch(&c->io);
    close(c->io.fd);
    c->gone = true;
}

/* To remote write: what of 2.0 was written is said in headers. */
static void answer_write(struct http *c)
{
    char text[512];
    int len =
        snprintf(text, sizeof text,
                 "HTTP/1.1 204 No Content\r\n"
                 "X-Prometheus-Remote-Write-Samples-Written: %llu\r\n"
                 "X-Prometheus-Remote-Write-Histograms-Written: %llu\r\n"
                 "X-Prometheus-Remote-Write-Exemplars-Written: %llu\r\n\r\n",
                 (unsigned long long)c->counts.samples, (unsigned long long)c->counts.histograms,
                 (unsigned long long)c->counts.exemplars);

    if (c->version == 0)
        len = snprintf(text, sizeof text, "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    if (write(c->io.fd, text, (size_t)len) < 0)
        http_close(c);
}

static void answer_http(struct http *c, bool refuse)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n"
                             "content-length: 0\r\n\r\n";
    static const char no[] = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

    if (c->gone)
        return;
    if (sink.write && !refuse) {
        answer_write(c);
        return;
    }
    if (write(c->io.fd, refuse ? no : ok, (refuse ? sizeof no : sizeof ok) - 1) < 0)
        http_close(c);
}

static void answer(void *conn, int32_t stream, bool refuse)
{
    if (stream != 0)
        answer_grpc(conn, stream, refuse);
    else
        answer_http(conn, refuse);
}

static const char *header(const struct http *c, const char *name)
{
    const char *at = strcasestr(c->buf, name);

    if (at == NULL)
        return NULL;
    at += strlen(name);
    return at + strspn(at, " ");
}

/* Takes a whole header off the buffer's front; false: there is none yet. */
static bool http_head(struct http *c)
{
    char *end;
    const char *value;

    c->buf[c->len] = 0;
    end = strstr(c->buf, "\r\n\r\n");
    if (end == NULL) {
        if (c->len == HTTP_BUFFER - 1)
            net_die("a header of more than %zu bytes", HTTP_BUFFER);
        return false;
    }
    *end = 0;
    value = header(c, "\r\ncontent-length:");
    if (value == NULL)
        net_die("a request without content-length: %s", c->buf);
    c->left = strtoull(value, NULL, 10);
    value = header(c, "\r\ncontent-encoding:");
    snprintf(c->body.encoding, sizeof c->body.encoding, "%.*s",
             value == NULL ? 0 : (int)strcspn(value, "\r"), value == NULL ? "" : value);
    value = header(c, "\r\ncontent-type:");
    c->version =
        value != NULL &&
                strncmp(value, "application/x-protobuf;proto=io.prometheus.write.v2", 51) == 0
            ? 2
            : 1;
    c->len -= (size_t)(end + 4 - c->buf);
    memmove(c->buf, end + 4, c->len);
    c->in_body = true;
    return true;
}

/* A request that will be refused is not looked at: it comes again. */
static void take_write(struct http *c)
{
    if (sink.refuse_every > 0 && (sink.n + 1) % sink.refuse_every == 0)
        return;
    if (!write_proof_take(&sink.written, c->version, c->body.data, c->body.len, &c->counts))
        c->version = 0;
    sink.counters[IDS] = sink.written.samples + sink.written.histograms;
}

static void http_eat(struct http *c)
{
    while (c->in_body || (c->len > 0 && http_head(c))) {
        size_t n = c->len < c->left ? c->len : c->left;
        body_add(&c->body, (uint8_t *)c->buf, n);
        c->left -= n;
        c->len -= n;
        if (c->len > 0)
            memmove(c->buf, c->buf + n, c->len);
        if (c->left > 0)
            return;
        c->in_body = false;
        if (sink.write)
            take_write(c);
        answer_in_time(c, 0, count(&c->body, false));
    }
}

static void http_ready(struct net_handler *h, uint32_t events)
{
    struct http *c = (struct http *)h;
    ssize_t n = read(h->fd, c->buf + c->len, HTTP_BUFFER - 1 - c->len);

    (void)events;
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        http_close(c);
        return;
    }
    if (n > 0) {
        c->len += (size_t)n;
        http_eat(c);
    }
}

static void accept_http(struct net_handler *h, uint32_t events)
{
    int fd;

    (void)events;
    while ((fd = net_accept(h->fd)) >= 0) {
        struct http *c = calloc(1, sizeof *c);
        c->io.fd = fd;
        c->io.ready = http_ready;
        net_watch(&c->io, EPOLLIN);
    }
}

/* --- the program */

static void on_signal(int number)
{
    if (number == SIGUSR1)
        stalled = 1;
    else if (number == SIGUSR2)
        stalled = 0;
    else
        over = 1;
}

static void options(int argc, char **argv, int *grpc, int *http, const char **counters)
{
    const char *ids = NULL;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--proof") == 0) {
            sink.prove = true;
            continue;
        }
        if (strcmp(argv[i], "--write") == 0) {
            sink.write = true;
            continue;
        }
        if (strcmp(argv[i], "--counters") == 0)
            *counters = value;
        else if (strcmp(argv[i], "--grpc") == 0)
            *grpc = (int)net_number(value);
        else if (strcmp(argv[i], "--http") == 0)
            *http = (int)net_number(value);
        else if (strcmp(argv[i], "--delay") == 0)
            sink.delay = (int64_t)(net_number(value) * 1e6);
        else if (strcmp(argv[i], "--rate") == 0)
            sink.step = (int64_t)(1e9 / net_number(value));
        else if (strcmp(argv[i], "--ids") == 0)
            ids = value;
        else if (strcmp(argv[i], "--ids-max") == 0)
            sink.proof.counts_n = (uint64_t)net_number(value);
        else if (strcmp(argv[i], "--refuse") == 0)
            sink.refuse_every = (uint64_t)net_number(value);
        else
            net_die("unknown option %s", argv[i]);
        i++;
    }
    if (sink.proof.counts_n > 0)
        sink.proof.counts = net_counters(ids, sink.proof.counts_n);
}

static void make_callbacks(void)
{
    sink.cbs = h2_callbacks();
    nghttp2_session_callbacks_set_on_begin_headers_callback(sink.cbs, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(sink.cbs, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(sink.cbs, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(sink.cbs, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(sink.cbs, on_close);
}

int main(int argc, char **argv)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
    struct net_handler grpc = {.ready = accept_grpc}, http = {.ready = accept_http};
    int grpc_port = 0, http_port = 0;
    const char *counters = NULL;

    net_tool = "sink";
    options(argc, argv, &grpc_port, &http_port, &counters);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
    signal(SIGPIPE, SIG_IGN);
    sink.counters = net_counters(counters, COUNTERS);
    make_callbacks();
    grpc.fd = net_listen(grpc_port, &grpc_port);
    http.fd = net_listen(http_port, &http_port);
    net_watch(&grpc, EPOLLIN);
    net_watch(&http, EPOLLIN);
    printf("{\"grpc\": %d, \"http\": %d}\n", grpc_port, http_port);
    fflush(stdout);
    while (!over) {
        if (stalled) {
            usleep(1000);
            continue;
        }
        net_wait(first == NULL ? -1 : first->at > net_now() ? first->at - net_now() : 0);
        answer_due();
    }
    printf("{\"requests\": %llu, \"bytes\": %llu, ", (unsigned long long)sink.counters[REQUESTS],
           (unsigned long long)sink.counters[BYTES]);
    if (sink.write)
        write_proof_print(&sink.written, stdout);
    else
        proof_print(&sink.proof, stdout);
    printf("}\n");
    return 0;
}
