/* Sends export requests over gRPC or HTTP/1.1 and never encodes: the body is a file.
 *
 * load --to ADDRESS:PORT --file BODY [--http] [--signal logs|traces|metrics] [--json]
 *      [--encoding gzip|zstd] [--connections 4] [--streams 16] [--rate REQUESTS_PER_SECOND]
 *      [--warmup S] [--seconds S] [--count REQUESTS] [--unique] [--pid PID]... [--core N]
 *      [--pool BODIES [--first-id N] [--acked FILE]] [--patience MS] [--drain S]
 *
 * Closed loop by default: every connection keeps --streams requests under way (HTTP/1.1: one).
 * With --rate the schedule is open: each request is due at its time whatever became of the others,
 * and its latency counts from then; with --patience what found no free stream for so long is given
 * up ("unsent"). --unique stamps ids into a plain body, encodes it afterwards and sums up what was
 * acknowledged; --pool makes so many bodies with ids before the run and counts what was
 * acknowledged by id in a file. Refusals are looked at: whether they may be tried again and say
 * when, and how long they took from the moment the request's last byte was given to the socket
 * (refused before that: from its first). Between warm-up and end the CPU time of the --pid
 * processes is counted. One line of JSON at the end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bodies.h"
#include "h2.h"
#include "meter.h"
#include "proof.h"
#include "refusal.h"

#define CONNS_MAX   1024
#define STREAMS_MAX 4096
#define PIDS_MAX    64
#define SPIN        60000     /* ns before an instant of the schedule that are not slept */
#define BIN         100000000 /* ns: acknowledgements are also counted in steps of this */
#define BINS_MAX    10000
#define BLOCKED     1000000  /* ns: how often it is tried again to send what found no stream */
#define BEHIND      10000000 /* ns: so much later than due, with a stream free, is our own fault */

static struct {
    const char *to, *encoding, *signal;
    bool http, json, unique;
    size_t conns, streams, count, pool;
    uint64_t first_id;
    const char *acked;
    double rate, warmup, seconds, patience, drain;
    int pids[PIDS_MAX], core;
    size_t pids_n;
    uint8_t *body; /* five bytes of gRPC's prefix, then the file */
    size_t len;
} opt = {.encoding = "", .signal = "logs", .conns = 4, .streams = 16, .seconds = 1, .drain = 10};

static struct {
    uint64_t sent, acks, errors, partial, next_id;
    uint64_t base_acks, base_errors;
    size_t under_way;
    bool measuring, stopping;
    int64_t next_due;
    struct meter_times times, refusal_times;
    struct proof proof;
    struct bodies bodies;
    uint64_t refusals[REFUSALS], sent_measured, unsent, behind, reopened;
    uint32_t bins[BINS_MAX];
    int64_t measured_from;
    int last_status;
} run;

/* --- one request under way */

struct call {
    struct h2_body body;
    struct pooled *pooled;        /* with --pool: what was sent */
    int64_t due, begun, answered; /* answered: when the status came */
    bool busy, delay_told;
    uint8_t *own, *plain; /* with --unique: the encoded body, and what it was */
    size_t plain_len, answer;
    int status; /* of gRPC, or of HTTP when that failed; -1: none yet */
    struct call *next_free;
};

static void call_begin(struct call *k, int64_t due)
{
    uint8_t *packed;
    size_t len;

    k->due = due;
    k->begun = net_now();
    k->answered = 0;
    k->busy = true;
    k->delay_told = false;
    k->status = opt.http ? 0 : -1;
    k->answer = 0;
    k->body = (struct h2_body){.data = opt.body, .len = opt.len};
    run.sent++;
    run.sent_measured += run.measuring;
    run.under_way++;
    if (opt.pool > 0) {
        k->pooled = bodies_next(&run.bodies);
        k->body = (struct h2_body){.data = k->pooled->data, .len = k->pooled->len};
    }
    if (!opt.unique)
        return;
    k->plain_len = opt.len - 5;
    k->plain = malloc(k->plain_len + 1);
    memcpy(k->plain, opt.body + 5, k->plain_len);
    proof_stamp(k->plain, k->plain_len, &run.next_id);
    packed = proof_pack(opt.encoding, k->plain, k->plain_len, &len);
    k->own = malloc(len + 5);
    if (packed == NULL || k->own == NULL)
        net_die("no memory");
    bodies_prefix(k->own, opt.encoding, len);
    memcpy(k->own + 5, packed, len);
    free(packed);
    k->body = (struct h2_body){.data = k->own, .len = len + 5};
}

static void count_ack(struct call *k)
{
    int64_t bin = (net_now() - run.measured_from) / BIN;

    run.acks++;
    if (run.measuring && bin >= 0 && bin < BINS_MAX)
        run.bins[bin]++;
    if (k->pooled != NULL)
        bodies_acked(&run.bodies, k->pooled);
}

/* From the request's last byte to the status; where the status came first, from the first byte. */
static int64_t refusal_time(const struct call *k)
{
    int64_t end = k->answered != 0 ? k->answered : net_now();

    return end - (k->body.written != 0 && k->body.written < end ? k->body.written : k->begun);
}

static void count_refusal(struct call *k)
{
    enum refusal kind = opt.http ? refusal_of_http(k->status, k->delay_told)
                                 : refusal_of_grpc(k->status, k->delay_told);

    run.errors++;
    run.last_status = k->status;
    run.refusals[kind]++;
    if (kind != REFUSAL_BROKEN && run.measuring)
        meter_add(&run.refusal_times, refusal_time(k));
}

static void call_end(struct call *k, bool ok)
{
    k->busy = false;
    run.under_way--;
    if (ok)
        count_ack(k);
    else
        count_refusal(k);
    if (k->answer > (opt.http ? 0 : 5))
        run.partial++;
    if (ok && run.measuring)
        meter_add(&run.times, net_now() - k->due);
    if (opt.unique) {
        if (ok)
            proof_take(&run.proof, k->plain, k->plain_len);
        free(k->plain);
        free(k->own);
        k->plain = k->own = NULL;
    }
}

/* Whether another request may be sent now. */
static bool may_send(void)
{
    return !run.stopping && (opt.count == 0 || run.sent < opt.count);
}

/* --- gRPC */

struct grpc_conn {
    struct h2 h2;
    struct call calls[STREAMS_MAX], *free;
};

static char path[128];

static void grpc_send(struct grpc_conn *c, int64_t due)
{
    struct call *k = c->free;
    nghttp2_nv head[] = {h2_nv(":method", "POST"),
                         h2_nv(":scheme", "http"),
                         h2_nv(":path", path),
                         h2_nv(":authority", opt.to),
                         h2_nv("content-type", "application/grpc"),
                         h2_nv("te", "trailers"),
                         h2_nv("user-agent", "leat-bench"),
                         h2_nv("grpc-encoding", opt.encoding)};
    nghttp2_data_provider data;

    c->free = k->next_free;
    call_begin(k, due);
    data = h2_source(&k->body);
    if (nghttp2_submit_request(c->h2.session, NULL, head, *opt.encoding != 0 ? 8 : 7, &data, k) < 0)
        net_die("no stream left");
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user)
{
    struct call *k = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    char text[8] = {0};

    (void)flags, (void)user;
    if (k == NULL)
        return 0;
    if (name_len == 23 && memcmp(name, "grpc-status-details-bin", 23) == 0)
        k->delay_told = refusal_details_delay((const char *)value, len);
    if (len >= sizeof text)
        return 0;
    memcpy(text, value, len);
    if (name_len == 11 && memcmp(name, "grpc-status", 11) == 0) {
        k->status = (int)strtol(text, NULL, 10);
        k->answered = net_now();
    }
    if (name_len == 7 && memcmp(name, ":status", 7) == 0 && strcmp(text, "200") != 0)
        k->status = (int)strtol(text, NULL, 10);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    struct call *k = nghttp2_session_get_stream_user_data(session, id);

    (void)flags, (void)data, (void)user;
    if (k != NULL)
        k->answer += len;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct grpc_conn *c = user;
    struct call *k = nghttp2_session_get_stream_user_data(session, id);

    if (k == NULL)
        return 0;
    h2_forget(&c->h2, &k->body);
    if (k->status == 0 && code != 0)
        k->status = -1;
    call_end(k, k->status == 0);
    k->next_free = c->free;
    c->free = k;
    if (opt.rate == 0 && may_send())
        grpc_send(c, net_now());
    return 0;
}

/* What was under way on it has no answer. The connection is opened again when something is due. */
static void grpc_gone(struct h2 *h)
{
    struct grpc_conn *c = (struct grpc_conn *)h;

    if (opt.rate == 0 && !run.stopping)
        net_die("the connection was closed");
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct call *k = &c->calls[i];
        if (!k->busy)
            continue;
        k->status = -1;
        call_end(k, false);
        k->next_free = c->free;
        c->free = k;
    }
}

static nghttp2_session_callbacks *grpc_callbacks;

static void grpc_reopen(struct grpc_conn *c)
{
    c->h2 = (struct h2){.closed = grpc_gone};
    run.reopened++;
    h2_open(&c->h2, net_connect(opt.to), false, grpc_callbacks);
}

static struct grpc_conn *grpc_open(void)
{
    struct grpc_conn *c = calloc(1, sizeof *c);
    nghttp2_session_callbacks *cbs = grpc_callbacks;

    if (cbs == NULL) {
        grpc_callbacks = cbs = h2_callbacks();
        nghttp2_session_callbacks_set_on_header_callback(cbs, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_close);
    }
    if (c == NULL)
        net_die("no memory");
    /* In an open schedule more than the server's streams would queue in nghttp2, unseen. */
    for (size_t i = 0; i < (opt.patience > 0 ? opt.streams : STREAMS_MAX); i++) {
        c->calls[i].next_free = c->free;
        c->free = &c->calls[i];
    }
    c->h2.closed = grpc_gone;
    h2_open(&c->h2, net_connect(opt.to), false, cbs);
    return c;
}

/* --- HTTP/1.1 */

struct http_conn {
    struct net_handler io;
    struct call call;
    struct iovec iov[2];
    char head[512], answer[16384];
    size_t head_len, answer_len;
    bool busy, last; /* last: the server closes after this answer */
};

/* A new socket for the next request; what was under way has no answer. */
static void http_reopen(struct http_conn *c)
{
    net_unwatch(&c->io);
    close(c->io.fd);
    c->answer_len = 0;
    c->iov[0].iov_len = c->iov[1].iov_len = 0;
    if (c->busy) {
        c->busy = false;
        c->call.status = 0;
        call_end(&c->call, false);
    }
    if (run.stopping)
        return;
    run.reopened++;
    c->io.fd = net_connect(opt.to);
    net_watch(&c->io, EPOLLIN);
}

static void http_write(struct http_conn *c)
{
    while (c->iov[0].iov_len + c->iov[1].iov_len > 0) {
        size_t first = c->iov[0].iov_len > 0 ? 0 : 1;
        ssize_t n = writev(c->io.fd, c->iov + first, (int)(2 - first));
        if (n < 0 && errno == EAGAIN) {
            net_watch(&c->io, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0) { /* the answer, or the end, is there to be read */
            c->iov[0].iov_len = c->iov[1].iov_len = 0;
            break;
        }
        for (size_t i = first; i < 2 && n > 0; i++) {
            size_t part = (size_t)n < c->iov[i].iov_len ? (size_t)n : c->iov[i].iov_len;
            c->iov[i].iov_base = (uint8_t *)c->iov[i].iov_base + part;
            c->iov[i].iov_len -= part;
            n -= (ssize_t)part;
        }
        if (c->iov[0].iov_len + c->iov[1].iov_len == 0)
            c->call.body.written = net_now();
    }
    net_watch(&c->io, EPOLLIN);
}

static void http_send(struct http_conn *c, int64_t due)
{
    struct h2_body *b = &c->call.body;

    call_begin(&c->call, due);
    c->busy = true;
    c->answer_len = 0;
    c->head_len = (size_t)snprintf(
        c->head, sizeof c->head,
        "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/%s\r\n%s%s%s"
        "Content-Length: %zu\r\n\r\n",
        path, opt.to, opt.json ? "json" : "x-protobuf", *opt.encoding ? "Content-Encoding: " : "",
        opt.encoding, *opt.encoding ? "\r\n" : "", b->len - 5);
    c->iov[0] = (struct iovec){c->head, c->head_len};
    c->iov[1] = (struct iovec){(void *)(uintptr_t)(b->data + 5), b->len - 5};
    http_write(c);
}

/* The whole answer is there: its status; 0: not yet. */
static int http_answer(struct http_conn *c)
{
    char *end, *value;
    size_t have, want;

    c->answer[c->answer_len] = 0;
    end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL)
        return 0;
    have = c->answer_len - (size_t)(end + 4 - c->answer);
    value = strcasestr(c->answer, "\r\nretry-after:");
    c->call.delay_told = value != NULL && value < end && strtol(value + 14, NULL, 10) > 0;
    value = strcasestr(c->answer, "\r\nconnection: close");
    c->last = value != NULL && value < end;
    value = strcasestr(c->answer, "\r\ncontent-length:");
    if (value != NULL && value < end) {
        want = strtoull(value + 17, NULL, 10);
        if (have < want)
            return 0;
        c->call.answer = opt.json ? 0 : want;
    } else if (strcasestr(c->answer, "\r\ntransfer-encoding: chunked") != NULL &&
               strstr(end, "0\r\n\r\n") == NULL) {
        return 0;
    }
    return (int)strtol(c->answer + 9, NULL, 10);
}

static void http_ready(struct net_handler *h, uint32_t events)
{
    struct http_conn *c = (struct http_conn *)h;
    ssize_t n;

    if (events & EPOLLOUT)
        http_write(c);
    n = read(h->fd, c->answer + c->answer_len, sizeof c->answer - 1 - c->answer_len);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        if (opt.rate == 0 && !run.stopping)
            net_die("the connection was closed: %.*s", (int)c->answer_len, c->answer);
        http_reopen(c);
        return;
    }
    c->answer_len += (size_t)n;
    if (!c->busy || (c->call.status = http_answer(c)) == 0)
        return;
    c->busy = false;
    call_end(&c->call, c->call.status == 200);
    if (c->last || c->iov[0].iov_len + c->iov[1].iov_len > 0) {
        http_reopen(c); /* answered before it was all written: the rest is not sent */
        if (run.stopping)
            return;
    }
    if (opt.rate == 0 && may_send())
        http_send(c, net_now());
}

static struct http_conn *http_open(void)
{
    struct http_conn *c = calloc(1, sizeof *c);

    if (c == NULL)
        net_die("no memory");
    c->io.fd = net_connect(opt.to);
    c->io.ready = http_ready;
    net_watch(&c->io, EPOLLIN);
    return c;
}

/* --- the run */

static void *conns[CONNS_MAX];

static void start(void)
{
    for (size_t i = 0; i < opt.conns; i++)
        conns[i] = opt.http ? (void *)http_open() : (void *)grpc_open();
    for (size_t i = 0; i < opt.conns && opt.rate == 0; i++) {
        if (opt.http && may_send())
            http_send(conns[i], net_now());
        for (size_t k = 0; !opt.http && k < opt.streams && may_send(); k++)
            grpc_send(conns[i], net_now());
        if (!opt.http)
            h2_flush(&((struct grpc_conn *)conns[i])->h2);
    }
}

/* Whether this connection can take a request now; a closed one is opened again. */
static bool can_send(void *conn)
{
    struct grpc_conn *c = conn;

    if (opt.http)
        return !((struct http_conn *)conn)->busy;
    if (c->h2.gone && c->h2.session == NULL)
        grpc_reopen(c);
    return !c->h2.gone && c->free != NULL;
}

/* Sends what is due on the next connection that can; what finds none stays due, or is given up. */
static void send_due(void)
{
    static size_t turn;
    static int64_t free_at; /* since when something could have been sent */
    int64_t step = (int64_t)(1e9 / opt.rate), now = net_now();

    for (size_t tried = 0; tried < opt.conns && run.next_due <= now && may_send();) {
        void *c = conns[turn++ % opt.conns];
        if (!can_send(c)) {
            tried++;
            continue;
        }
        tried = 0;
        if (free_at != 0 && now - (run.next_due > free_at ? run.next_due : free_at) > BEHIND)
            run.behind++;
        if (opt.http) {
            http_send(c, run.next_due);
        } else {
            grpc_send(c, run.next_due);
            h2_flush(&((struct grpc_conn *)c)->h2);
        }
        run.next_due += step;
    }
    now = net_now();
    free_at = run.next_due <= now ? now : free_at == 0 ? now : free_at;
    for (; opt.patience > 0 && run.next_due < now - (int64_t)(opt.patience * 1e6);
         run.next_due += step)
        run.unsent += run.measuring;
}

/* Serves until that time; the instants of an open schedule are met by spinning, but only while
 * nothing is under way: the sink may share the core. */
static void serve_until(int64_t end)
{
    while (net_now() < end && (may_send() || run.under_way > 0)) {
        int64_t until = end, now = net_now();
        if (opt.rate > 0 && may_send()) {
            send_due();
            until = run.next_due < end ? run.next_due : end;
            until = run.next_due <= now ? now + BLOCKED : until;
            until -= run.under_way == 0 ? SPIN : 0;
        }
        net_wait(until > now ? until - now : 0);
    }
}

static const char *endpoint(void)
{
    static const struct {
        const char *signal, *http, *service;
    } table[] = {{"logs", "/v1/logs", "logs.v1.Logs"},
                 {"traces", "/v1/traces", "trace.v1.Trace"},
                 {"metrics", "/v1/metrics", "metrics.v1.Metrics"}};

    for (size_t i = 0; i < 3; i++) {
        if (strcmp(opt.signal, table[i].signal) != 0)
            continue;
        snprintf(path, sizeof path,
                 opt.http ? "%s" : "/opentelemetry.proto.collector.%sService/Export",
                 opt.http ? table[i].http : table[i].service);
        return path;
    }
    net_die("unknown signal %s", opt.signal);
}

static void read_body(const char *file)
{
    size_t len;
    uint8_t *data;

    if (file == NULL || opt.to == NULL)
        net_die("--to and --file are needed");
    data = net_file(file, &len);
    opt.body = malloc(len + 5);
    if (opt.body == NULL)
        net_die("no memory");
    bodies_prefix(opt.body, opt.encoding, len);
    memcpy(opt.body + 5, data, len);
    opt.len = len + 5;
    if (opt.pool > 0)
        bodies_make(&run.bodies, opt.pool, opt.first_id, opt.encoding, data, len, opt.acked);
    free(data);
}

static bool flag(const char *name)
{
    bool *at = strcmp(name, "--http") == 0     ? &opt.http
               : strcmp(name, "--json") == 0   ? &opt.json
               : strcmp(name, "--unique") == 0 ? &opt.unique
                                               : NULL;
    if (at != NULL)
        *at = true;
    return at != NULL;
}

/* The options that are a number; false: it is none of them. */
static bool number(const char *name, const char *value)
{
    const struct {
        const char *name;
        double *to;
    } table[] = {{"--rate", &opt.rate},
                 {"--warmup", &opt.warmup},
                 {"--seconds", &opt.seconds},
                 {"--patience", &opt.patience},
                 {"--drain", &opt.drain}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(name, table[i].name) == 0) {
            *table[i].to = net_number(value);
            return true;
        }
    }
    if (strcmp(name, "--pool") == 0)
        opt.pool = (size_t)net_number(value);
    else if (strcmp(name, "--first-id") == 0)
        opt.first_id = (uint64_t)net_number(value);
    else if (strcmp(name, "--core") == 0)
        opt.core = (int)net_number(value);
    else if (strcmp(name, "--pid") == 0 && opt.pids_n < PIDS_MAX)
        opt.pids[opt.pids_n++] = (int)net_number(value);
    else
        return false;
    return true;
}

static void options(int argc, char **argv)
{
    const char *file = NULL;

    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (flag(name))
            continue;
        i++;
        if (strcmp(name, "--to") == 0)
            opt.to = value;
        else if (strcmp(name, "--file") == 0)
            file = value;
        else if (strcmp(name, "--signal") == 0)
            opt.signal = value;
        else if (strcmp(name, "--encoding") == 0)
            opt.encoding = value;
        else if (strcmp(name, "--connections") == 0)
            opt.conns = (size_t)net_number(value);
        else if (strcmp(name, "--streams") == 0)
            opt.streams = (size_t)net_number(value);
        else if (strcmp(name, "--count") == 0)
            opt.count = (size_t)net_number(value);
        else if (strcmp(name, "--acked") == 0)
            opt.acked = value;
        else if (!number(name, value))
            net_die("unknown option %s", name);
    }
    if (opt.conns < 1 || opt.conns > CONNS_MAX || opt.streams < 1 || opt.streams > STREAMS_MAX)
        net_die("1 to %d connections, 1 to %d streams", CONNS_MAX, STREAMS_MAX);
    endpoint();
    read_body(file);
}

static void report_bins(int64_t wall)
{
    printf("\"bins\": [");
    for (int64_t i = 0; i < wall / BIN && i < BINS_MAX; i++)
        printf("%s%u", i == 0 ? "" : ", ", run.bins[i]);
    printf("], ");
}

static void report(const struct meter_cpu *a, const struct meter_cpu *b, int64_t wall,
                   int64_t own_cpu)
{
    printf("{\"acks\": %llu, \"errors\": %llu, \"partial\": %llu, \"last_status\": %d, "
           "\"all_acks\": %llu, \"all_errors\": %llu, \"lost\": %zu, \"wall_ns\": %lld, "
           "\"cpu_ns\": %lld, \"wait_ns\": %lld, \"core_ticks\": %lld, \"busy_ticks\": %lld, "
           "\"steal_ticks\": %lld, \"p50_ns\": %lld, \"p99_ns\": %lld, \"p999_ns\": %lld, "
           "\"max_ns\": %lld, \"body_bytes\": %zu, ",
           (unsigned long long)run.base_acks, (unsigned long long)run.base_errors,
           (unsigned long long)run.partial, run.last_status, (unsigned long long)run.acks,
           (unsigned long long)run.errors, run.under_way, (long long)wall,
           (long long)(b->run - a->run), (long long)(b->wait - a->wait),
           (long long)(b->total - a->total), (long long)(b->busy - a->busy),
           (long long)(b->steal - a->steal), (long long)meter_quantile(&run.times, 0.5),
           (long long)meter_quantile(&run.times, 0.99),
           (long long)meter_quantile(&run.times, 0.999), (long long)meter_quantile(&run.times, 1),
           opt.len - 5);
    printf("\"refused\": %llu, \"refused_bare\": %llu, \"refused_wrong\": %llu, \"broken\": %llu, "
           "\"refusal_p50_ns\": %lld, \"refusal_p99_ns\": %lld, \"refusal_max_ns\": %lld, "
           "\"sent\": %llu, \"unsent\": %llu, \"behind\": %llu, \"reopened\": %llu, "
           "\"own_cpu_ns\": %lld, \"begin_ns\": %lld, ",
           (unsigned long long)run.refusals[REFUSAL_TIMED],
           (unsigned long long)run.refusals[REFUSAL_BARE],
           (unsigned long long)run.refusals[REFUSAL_WRONG],
           (unsigned long long)run.refusals[REFUSAL_BROKEN],
           (long long)meter_quantile(&run.refusal_times, 0.5),
           (long long)meter_quantile(&run.refusal_times, 0.99),
           (long long)meter_quantile(&run.refusal_times, 1), (unsigned long long)run.sent_measured,
           (unsigned long long)run.unsent, (unsigned long long)run.behind,
           (unsigned long long)run.reopened, (long long)own_cpu, (long long)run.measured_from);
    report_bins(wall);
    proof_print(&run.proof, stdout);
    printf("}\n");
}

int main(int argc, char **argv)
{
    struct meter_cpu before, after, mine;
    int64_t begin, wall, own_cpu;
    const int self = getpid();
    uint64_t acks, errors;

    net_tool = "load";
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    options(argc, argv);
    begin = run.next_due = net_now();
    start();
    serve_until(begin + (int64_t)(opt.warmup * 1e9));
    run.measuring = true;
    acks = run.acks;
    errors = run.errors;
    begin = run.measured_from = net_now();
    mine = meter_read(&self, 1, opt.core);
    before = meter_read(opt.pids, opt.pids_n, opt.core);
    serve_until(begin + (int64_t)(opt.seconds * 1e9));
    after = meter_read(opt.pids, opt.pids_n, opt.core);
    wall = net_now() - begin;
    own_cpu = meter_read(&self, 1, opt.core).run - mine.run;
    run.measuring = false;
    run.base_acks = run.acks - acks;
    run.base_errors = run.errors - errors;
    run.stopping = true;
    for (begin = net_now(); run.under_way > 0 && net_now() < begin + (int64_t)(opt.drain * 1e9);)
        net_wait(1000000);
    report(&before, &after, wall, own_cpu);
    return 0;
}
