/* The client over HTTP/2: gRPC as it stands on the wire, many calls on one connection, GOAWAY and
 * resets, keepalive, hostile answers, TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/grpc.h"
#include "io/h2.h"
#include "io/tls.h"
#include "lib/client_peer.h"

#define MAX_ANSWER 65536

struct world {
    struct leat_loop *loop;
    struct client_peer peer;
    struct leat_client_conf conf;
    char url[256];
    bool http; /* not gRPC */
    struct leat_client *client;
    struct leat_tls *tls;
    int hold; /* requests that get no answer, from the first */
    const char *status, *const *more;
    int resets;
    uint32_t reset_code;
};

static void answer(struct client_peer_conn *pc, int32_t stream)
{
    struct world *w = pc->peer->arg;

    if (w->hold > 0 && w->hold-- > 0)
        return;
    client_peer_grpc(pc, stream, leat_bytes_str("answer"), w->status, w->more);
}

static void on_reset(struct client_peer_conn *pc, int32_t stream, uint32_t code)
{
    struct world *w = pc->peer->arg;

    (void)stream;
    w->resets++;
    w->reset_code = code;
}

static void open_client(struct world *w)
{
    struct leat_client_env env = {
        .loop = w->loop, .who = "test", .max_answer = MAX_ANSWER, .grpc = !w->http};
    struct leat_err err = {""};

    w->client = leat_client_new(&w->conf, w->url, &env, &err);
    if (w->client == NULL)
        fail_msg("%s", err.text);
}

static void start(struct world *w)
{
    client_peer_start(&w->peer, w->loop, w->tls);
    snprintf(w->url, sizeof w->url, "%s%s%s", w->tls && w->http ? "https://" : "", w->peer.endpoint,
             "");
    open_client(w);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    w->loop = leat_loop_new(NULL);
    w->peer.http2 = true;
    w->peer.request = answer;
    w->peer.reset = on_reset;
    w->peer.arg = w;
    w->status = "0";
    w->conf.tls.insecure = true;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    leat_client_free(w->client);
    client_peer_stop(&w->peer);
    leat_tls_free(w->tls);
    leat_loop_free(w->loop);
    free(w);
    return 0;
}

static void send_one(struct world *w, struct client_sent *s)
{
    client_sent_init(s, "/pkg.Service/Export", "message");
    leat_client_send(w->client, &s->x);
    assert_int_equal(s->done, 0);
}

static void exchange(struct world *w, struct client_sent *s)
{
    send_one(w, s);
    CLIENT_UNTIL(w->loop, s->done);
}

static void one_call_on_the_wire(void **state)
{
    struct world *w = *state;
    struct leat_pair conf[] = {{"X-Token", "secret"}, {"x-more", "loses"}};
    struct leat_pair more[] = {{"x-more", "1"}};
    struct leat_bytes pieces[] = {leat_bytes_str("mes"), leat_bytes_str(""),
                                  leat_bytes_str("sage")};
    struct client_sent s;
    char want[512];

    w->conf.headers = (struct leat_pairs){conf, 2};
    start(w);
    client_sent_init(&s, "/pkg.Service/Export", NULL);
    s.x.pieces = pieces;
    s.x.npieces = 3;
    s.x.content_encoding = "gzip";
    s.x.headers = more;
    s.x.nheaders = 1;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(s.a.status, 200);
    assert_true(s.a.has_grpc_status);
    assert_int_equal(s.a.grpc_status, 0);
    assert_string_equal(leat_text_get(&s.body), "answer");
    snprintf(want, sizeof want,
             ":method: POST\n:scheme: http\n:authority: %s\n:path: /pkg.Service/Export\n"
             "te: trailers\ncontent-type: application/grpc\ngrpc-encoding: gzip\n"
             "grpc-accept-encoding: identity\nuser-agent: leat/" LEAT_VERSION
             "\nx-more: 1\nx-token: secret\n",
             w->peer.endpoint);
    assert_string_equal(leat_text_get(&w->peer.conns[0].headers), want);
    assert_int_equal(w->peer.conns[0].body.len, 12);
    assert_memory_equal(w->peer.conns[0].body.data, "\1\0\0\0\7message", 12);
    client_sent_done(&s);
}

static void settings_of_grpc(void **state)
{
    struct world *w = *state;
    struct client_sent s;
    const char *headers;

    w->conf.authority = "name.example";
    w->conf.user_agent = "mine/1";
    start(w);
    client_sent_init(&s, "/p/m", "");
    s.x.timeout = 3600 * LEAT_SEC;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    headers = leat_text_get(&w->peer.conns[0].headers);
    assert_non_null(strstr(headers, ":authority: name.example\n"));
    assert_non_null(strstr(headers, "user-agent: mine/1\n"));
    assert_non_null(strstr(headers, "grpc-timeout: "));
    assert_null(strstr(headers, "grpc-encoding"));
    assert_memory_equal(w->peer.conns[0].body.data, "\0\0\0\0\0", 5);
    client_sent_done(&s);
}

static void status_message_and_details(void **state)
{
    static const char *const padded[] = {"grpc-message", "quota %C3%A9 100%",
                                         "grpc-status-details-bin", "AQIDBA==", NULL};
    static const char *const bare[] = {"grpc-status-details-bin", "AQIDBA", NULL};
    struct world *w = *state;
    struct client_sent s;

    w->status = "8";
    w->more = padded;
    start(w);
    exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(s.a.grpc_status, 8);
    assert_string_equal(leat_text_get(&s.message), "quota \xC3\xA9 100%");
    assert_int_equal(s.details.len, 4);
    assert_memory_equal(s.details.data, "\1\2\3\4", 4);
    client_sent_done(&s);
    w->more = bare;
    exchange(w, &s);
    assert_int_equal(s.details.len, 4);
    client_sent_done(&s);
    w->status = "abc";
    exchange(w, &s);
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_UNKNOWN);
    client_sent_done(&s);
}

/* --- answers made by hand: HEADERS only, in nv pairs */

struct plain {
    const char *nv[8][2];
    enum leat_net_result net;
    uint32_t grpc_status;
    bool has;
};

static const struct plain *plain;

static void answer_headers_only(struct client_peer_conn *pc, int32_t stream)
{
    nghttp2_nv nv[8];
    size_t n = 0;

    for (; plain->nv[n][0] != NULL; n++)
        nv[n] = (nghttp2_nv){(uint8_t *)(uintptr_t)plain->nv[n][0],
                             (uint8_t *)(uintptr_t)plain->nv[n][1], strlen(plain->nv[n][0]),
                             strlen(plain->nv[n][1]), 0};
    nghttp2_submit_response(pc->session, stream, nv, n, NULL);
    client_peer_h2_flush(pc);
}

static void answers_of_headers_only(void **state)
{
    static const struct plain cases[] = {
        {{{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "14"}},
         LEAT_NET_OK,
         14,
         true},
        {{{":status", "200"}, {"content-type", "application/grpc"}}, LEAT_NET_OK, 2, false},
        {{{":status", "503"}, {"content-type", "text/html"}}, LEAT_NET_OK, 14, false},
        {{{":status", "404"}}, LEAT_NET_OK, 12, false},
    };
    struct world *w = *state;
    struct client_sent s;

    w->peer.request = answer_headers_only;
    start(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        plain = &cases[i];
        exchange(w, &s);
        assert_int_equal(s.a.net, cases[i].net);
        assert_int_equal(s.a.has_grpc_status, cases[i].has);
        assert_int_equal(s.a.grpc_status, cases[i].grpc_status);
        client_sent_done(&s);
    }
    assert_int_equal(w->peer.nconns, 1);
}

/* --- many calls */

static void many_calls_share_a_connection(void **state)
{
    struct world *w = *state;
    struct client_sent s[100];

    start(w);
    for (int i = 0; i < 100; i++)
        send_one(w, &s[i]);
    for (int i = 0; i < 100; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.grpc_status, 0);
        assert_string_equal(leat_text_get(&s[i].body), "answer");
        client_sent_done(&s[i]);
    }
    assert_int_equal(w->peer.nconns, 1);
}

static void the_peers_stream_limit_holds(void **state)
{
    struct world *w = *state;
    struct client_sent s[20];

    w->peer.max_streams = 2;
    w->hold = 8;
    start(w);
    for (int i = 0; i < 20; i++)
        send_one(w, &s[i]);
    CLIENT_UNTIL(w->loop, w->peer.requests == 8);
    for (int i = 0; i < 50; i++)
        leat_loop_turn(w->loop);
    assert_int_equal(w->peer.requests, 8);
    assert_int_equal(w->peer.nconns, 4);
    for (int c = 0; c < 4; c++) {
        assert_int_equal(w->peer.conns[c].requests, 2);
        answer(&w->peer.conns[c], 1);
        answer(&w->peer.conns[c], 3);
    }
    for (int i = 0; i < 20; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.net, LEAT_NET_OK);
        client_sent_done(&s[i]);
    }
    assert_int_equal(w->peer.nconns, 4);
}

static void large_messages_flow(void **state)
{
    struct world *w = *state;
    size_t len = 3 * 1024 * 1024;
    char *big = malloc(len + 1);
    struct leat_bytes pieces[300];
    struct client_sent s[3];

    for (size_t i = 0; i < len; i++)
        big[i] = (char)('a' + i % 23);
    big[len] = '\0';
    for (size_t i = 0; i < 300; i++)
        pieces[i] =
            leat_bytes(big + i * (len / 300), i == 299 ? len - 299 * (len / 300) : len / 300);
    start(w);
    for (int i = 0; i < 3; i++) {
        client_sent_init(&s[i], "/p/m", big);
        if (i == 1) {
            s[i].x.pieces = pieces;
            s[i].x.npieces = 300;
        }
        leat_client_send(w->client, &s[i].x);
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.net, LEAT_NET_OK);
        client_sent_done(&s[i]);
    }
    assert_int_equal(w->peer.conns[0].body.len, 3 * (len + 5));
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(w->peer.conns[0].body.data + i * (len + 5) + 5, big, len);
    free(big);
}

/* --- refused, gone, reset */

static void refuse(struct client_peer_conn *pc, int32_t stream)
{
    struct world *w = pc->peer->arg;

    if (w->hold-- > 0) {
        nghttp2_submit_rst_stream(pc->session, 0, stream, w->reset_code);
        client_peer_h2_flush(pc);
    } else {
        answer(pc, stream);
    }
}

static void a_refused_stream_is_sent_once_more(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    w->peer.request = refuse;
    w->reset_code = NGHTTP2_REFUSED_STREAM;
    w->hold = 1;
    start(w);
    exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(w->peer.requests, 2);
    client_sent_done(&s);
    w->hold = 9;
    exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "REFUSED_STREAM"));
    assert_int_equal(w->peer.requests, 4);
    client_sent_done(&s);
}

static void a_reset_stream_has_failed(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    w->peer.request = refuse;
    w->reset_code = NGHTTP2_ENHANCE_YOUR_CALM;
    w->hold = 1;
    start(w);
    exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "ENHANCE_YOUR_CALM"));
    assert_int_equal(w->peer.requests, 1);
    client_sent_done(&s);
}

/* GOAWAY after the third request, which names the second stream as the last one processed. */
static void go_away(struct client_peer_conn *pc, int32_t stream)
{
    if (pc->nth != 0) {
        answer(pc, stream);
    } else if (stream == 5) {
        nghttp2_submit_goaway(pc->session, 0, 3, NGHTTP2_NO_ERROR, NULL, 0);
        answer(pc, 1);
        answer(pc, 3);
    }
}

static void goaway_moves_what_was_not_processed(void **state)
{
    struct world *w = *state;
    struct client_sent s[4];

    w->peer.request = go_away;
    start(w);
    for (int i = 0; i < 3; i++)
        send_one(w, &s[i]);
    for (int i = 0; i < 3; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        if (s[i].a.net != LEAT_NET_OK)
            fail_msg("%d: %s", i, s[i].why);
        client_sent_done(&s[i]);
    }
    exchange(w, &s[3]);
    assert_int_equal(s[3].a.net, LEAT_NET_OK);
    client_sent_done(&s[3]);
    assert_int_equal(w->peer.nconns, 2);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 1);
}

static void drop(struct client_peer_conn *pc, int32_t stream)
{
    struct world *w = pc->peer->arg;

    if (w->hold-- > 0)
        client_peer_abort(pc);
    else
        answer(pc, stream);
}

static void a_lost_connection_is_a_failure(void **state)
{
    struct world *w = *state;
    struct client_sent s[3];

    w->peer.request = drop;
    w->hold = 1;
    start(w);
    for (int i = 0; i < 3; i++)
        send_one(w, &s[i]);
    for (int i = 0; i < 3; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.net, LEAT_NET_FAILED);
        assert_non_null(strstr(s[i].why, w->peer.endpoint));
        assert_non_null(strstr(s[i].why, "lost before the answer"));
        client_sent_done(&s[i]);
    }
    exchange(w, &s[0]);
    assert_int_equal(s[0].a.net, LEAT_NET_OK);
    client_sent_done(&s[0]);
}

static void nobody_listens(void **state)
{
    struct world *w = *state;
    struct client_sent s[3];

    start(w);
    client_peer_stop_listening(&w->peer);
    for (int i = 0; i < 3; i++)
        send_one(w, &s[i]);
    for (int i = 0; i < 3; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.net, LEAT_NET_FAILED);
        assert_non_null(strstr(s[i].why, "refused"));
        client_sent_done(&s[i]);
    }
}

static void wait_for_ready_waits(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    struct client_sent late;

    w->conf.wait_for_ready = true;
    start(w);
    client_peer_stop_listening(&w->peer);
    client_sent_init(&late, "/p/m", "x");
    late.x.timeout = 30 * LEAT_MS;
    leat_client_send(w->client, &late.x);
    CLIENT_UNTIL(w->loop, late.done);
    assert_int_equal(late.a.net, LEAT_NET_TIMEOUT);
    assert_non_null(strstr(late.why, "refused"));
    client_sent_done(&late);
    send_one(w, &s);
    for (int i = 0; i < 50; i++)
        leat_loop_turn(w->loop);
    assert_int_equal(s.done, 0);
    leat_client_cancel(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    client_sent_done(&s);
}

/* --- time */

static void a_timeout_resets_one_stream(void **state)
{
    struct world *w = *state;
    struct client_sent s[2];

    w->hold = 2;
    start(w);
    send_one(w, &s[1]);
    client_sent_init(&s[0], "/p/m", "x");
    s[0].x.timeout = 100 * LEAT_MS;
    leat_client_send(w->client, &s[0].x);
    CLIENT_UNTIL(w->loop, w->peer.requests == 2);
    client_peer_grpc(&w->peer.conns[0], 1, leat_bytes_str("answer"), "0", NULL);
    CLIENT_UNTIL(w->loop, s[0].done && s[1].done);
    assert_int_equal(s[0].a.net, LEAT_NET_TIMEOUT);
    assert_non_null(strstr(s[0].why, w->peer.endpoint));
    assert_int_equal(s[1].a.net, LEAT_NET_OK);
    CLIENT_UNTIL(w->loop, w->resets == 1);
    assert_int_equal(w->reset_code, NGHTTP2_CANCEL);
    client_sent_done(&s[0]);
    client_sent_done(&s[1]);
}

static void a_peer_that_reads_nothing_times_out(void **state)
{
    struct world *w = *state;
    size_t len = 16 * 1024 * 1024;
    char *big = malloc(len + 1);
    struct client_sent s;

    memset(big, 'x', len);
    big[len] = '\0';
    start(w);
    exchange(w, &s);
    client_sent_done(&s);
    nghttp2_session_set_local_window_size(w->peer.conns[0].session, 0, 0, 1 << 30);
    client_peer_h2_flush(&w->peer.conns[0]);
    leat_conn_pause(w->peer.conns[0].conn);
    client_sent_init(&s, "/", big);
    s.x.timeout = 30 * LEAT_MS;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    memset(big, 'y', len);
    free(big);
    assert_int_equal(s.a.net, LEAT_NET_TIMEOUT);
    client_sent_done(&s);
}

static void a_dead_peer_fails_its_ping(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    w->hold = 1;
    w->conf.has_keepalive = true;
    w->conf.keepalive.time = 20 * LEAT_MS;
    w->conf.keepalive.timeout = 20 * LEAT_MS;
    start(w);
    send_one(w, &s);
    CLIENT_UNTIL(w->loop, w->peer.requests == 1);
    leat_conn_pause(w->peer.conns[0].conn);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "ping"));
    client_sent_done(&s);
}

static void a_living_peer_answers_its_pings(void **state)
{
    struct world *w = *state;
    struct client_sent s;
    size_t before;

    w->hold = 1;
    w->conf.has_keepalive = true;
    w->conf.keepalive.time = 5 * LEAT_MS;
    w->conf.keepalive.timeout = 60 * LEAT_SEC;
    start(w);
    send_one(w, &s);
    CLIENT_UNTIL(w->loop, w->peer.requests == 1);
    before = w->peer.conns[0].in.len;
    CLIENT_UNTIL(w->loop, w->peer.conns[0].in.len >= before + 5 * 17);
    answer(&w->peer.conns[0], 1);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    client_sent_done(&s);
}

static void cancelled_and_freed(void **state)
{
    struct world *w = *state;
    struct client_sent s[4];

    w->hold = 4;
    start(w);
    for (int i = 0; i < 4; i++)
        send_one(w, &s[i]);
    leat_client_cancel(w->client, &s[3].x);
    CLIENT_UNTIL(w->loop, s[3].done && w->peer.requests == 3);
    leat_client_cancel(w->client, &s[0].x);
    leat_client_cancel(w->client, &s[0].x);
    CLIENT_UNTIL(w->loop, s[0].done && w->resets == 1);
    leat_client_cancel(w->client, &s[1].x);
    leat_client_free(w->client);
    w->client = NULL;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(s[i].done, 1);
        assert_int_equal(s[i].a.net, LEAT_NET_CANCELLED);
        client_sent_done(&s[i]);
    }
}

/* --- hostile peers */

static int hostile;

/* An empty SETTINGS frame, then bytes that are no frame, or HEADERS of a stream nobody opened. */
static void raw_read(struct client_peer_conn *pc)
{
    static const char settings[] = "\0\0\0\4\0\0\0\0\0";
    static const char headers[] = "\0\0\1\1\4\0\0\0\7\x88";

    if (pc->requests++ != 0)
        return;
    client_peer_send(pc, settings, 9);
    if (hostile == 0)
        client_peer_text(pc, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    else
        client_peer_send(pc, headers, 10);
}

static void bytes_that_are_no_http2(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    w->peer.http2 = false;
    w->peer.read = raw_read;
    start(w);
    for (hostile = 0; hostile < 2; hostile++) {
        exchange(w, &s);
        assert_int_equal(s.a.net, LEAT_NET_FAILED);
        assert_non_null(strstr(s.why, "HTTP/2"));
        client_sent_done(&s);
    }
}

static void speak_http1(struct client_peer_conn *pc)
{
    client_peer_text(pc, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
}

static void a_peer_of_http1_is_named(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    w->peer.http2 = false;
    w->peer.opened = speak_http1;
    start(w);
    exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "does not speak HTTP/2"));
    client_sent_done(&s);
}

/* Answers that are legal HTTP/2 but too large, cut off, or no gRPC. */
struct large {
    size_t headers, body, announced, trailers;
    uint8_t flag;
    bool cut;
    enum leat_net_result net;
    const char *why;
};

static const struct large *large;

static ssize_t read_large(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t len,
                          uint32_t *flags, nghttp2_data_source *source, void *self)
{
    static char many[1000000];
    static uint8_t name[] = "grpc-message", status[] = "grpc-status", zero[] = "0";
    size_t *sent = source->ptr, left = large->body - *sent, n = left < len ? left : len;
    nghttp2_nv nv[2] = {{status, zero, 11, 1, 0}, {name, (uint8_t *)many, 12, large->trailers, 0}};

    (void)self;
    memset(buf, 'x', n);
    if (*sent == 0 && n >= LEAT_GRPC_PREFIX) {
        leat_grpc_prefix_write(buf, false, (uint32_t)large->announced);
        buf[0] = large->flag;
    }
    *sent += n;
    if (*sent < large->body)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!large->cut) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        memset(many, 'm', sizeof many);
        nghttp2_submit_trailer(session, stream, nv, large->trailers != 0 ? 2 : 1);
    }
    return (ssize_t)n;
}

static void answer_large(struct client_peer_conn *pc, int32_t stream)
{
    static size_t sent;
    static char value[60000];
    static uint8_t status[] = ":status", ok[] = "200", type[] = "content-type",
                   grpc[] = "application/grpc", name[] = "x-0";
    nghttp2_nv nv[5] = {{status, ok, 7, 3, 0}, {type, grpc, 12, 16, 0}};
    nghttp2_data_provider provider = {.source = {.ptr = &sent}, .read_callback = read_large};
    size_t n = 2;

    memset(value, 'v', sizeof value);
    for (size_t left = large->headers; left != 0; n++) {
        size_t len = left < sizeof value ? left : sizeof value;
        nv[n] = (nghttp2_nv){name, (uint8_t *)value, 3, len, 0};
        left -= len;
    }
    sent = 0;
    nghttp2_submit_response(pc->session, stream, nv, n, &provider);
    client_peer_h2_flush(pc);
}

static void answers_out_of_bounds(void **state)
{
    static const struct large cases[] = {
        {0, 105, 100, 0, 0, false, LEAT_NET_OK, ""},
        {0, MAX_ANSWER + 5, MAX_ANSWER, 0, 0, false, LEAT_NET_OK, ""},
        {0, MAX_ANSWER + 6, MAX_ANSWER + 1, 0, 0, false, LEAT_NET_TOO_LARGE, "larger than 65536"},
        {0, 10, 0x7fffffff, 0, 0, false, LEAT_NET_TOO_LARGE, "larger than 65536"},
        {0, 10000000, 10, 0, 0, false, LEAT_NET_FAILED, "more than one"},
        {70000, 5, 0, 0, 0, false, LEAT_NET_TOO_LARGE, "headers of the answer"},
        {0, 5, 0, 60000, 0, false, LEAT_NET_OK, ""},
        {0, 5, 0, 66000, 0, false, LEAT_NET_TOO_LARGE, "headers of the answer"},
        {0, 5, 0, 1000000, 0, false, LEAT_NET_TOO_LARGE, "headers of the answer"},
        {0, 105, 100, 0, 0, false, LEAT_NET_OK, ""},
        {0, 10, 5, 0, 7, false, LEAT_NET_FAILED, "bad prefix"},
        {0, 10, 5, 0, 1, false, LEAT_NET_FAILED, "compression"},
        {0, 10, 6, 0, 0, false, LEAT_NET_FAILED, "cut off"},
        {0, 3, 0, 0, 0, true, LEAT_NET_FAILED, "cut off"},
    };
    struct world *w = *state;
    struct client_sent s;

    w->peer.request = answer_large;
    start(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        large = &cases[i];
        exchange(w, &s);
        if (s.a.net != cases[i].net || strstr(s.why, cases[i].why) == NULL)
            fail_msg("case %zu: %d %s", i, s.a.net, s.why);
        if (large->trailers != 0 && s.a.net == LEAT_NET_OK)
            assert_int_equal(s.message.len, 1024);
        client_sent_done(&s);
    }
}

/* --- other transports */

static void over_a_unix_socket(void **state)
{
    struct world *w = *state;
    char folder[] = "/tmp/leat-client-XXXXXX", path[64];
    struct client_sent s;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    w->peer.unix_path = path;
    start(w);
    exchange(w, &s);
    if (s.a.net != LEAT_NET_OK)
        fail_msg("%s", s.why);
    assert_non_null(strstr(leat_text_get(&w->peer.conns[0].headers), ":authority: localhost\n"));
    client_sent_done(&s);
    client_peer_abort(&w->peer.conns[0]);
    client_peer_stop_listening(&w->peer);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 1);
    unlink(path);
    for (int i = 0; i < 20; i++)
        leat_loop_turn(w->loop);
    exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, path));
    client_sent_done(&s);
    rmdir(folder);
}

static void make_tls(struct world *w, const char *const *alpn)
{
    struct leat_tls_conf conf = {
        .cert_pem = client_cert_pem(), .key_pem = client_key_pem(), .min_version = "1.2"};
    struct leat_err err = {""};

    w->tls = leat_tls_server_new(&conf, alpn, &err);
    if (w->tls == NULL)
        fail_msg("%s", err.text);
    w->conf.tls.insecure = false;
    w->conf.tls.ca_pem = client_cert_pem();
    w->conf.tls.min_version = "1.2";
}

static void under_tls(void **state)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct world *w = *state;
    struct client_sent s;

    make_tls(w, alpn);
    start(w);
    exchange(w, &s);
    if (s.a.net != LEAT_NET_OK)
        fail_msg("%s", s.why);
    assert_string_equal(leat_text_get(&s.body), "answer");
    assert_non_null(strstr(leat_text_get(&w->peer.conns[0].headers), ":scheme: https\n"));
    client_sent_done(&s);
}

static void https_forces_tls(void **state)
{
    static const char *const alpn[] = {"h2", NULL};
    struct world *w = *state;
    struct client_sent s;

    make_tls(w, alpn);
    w->conf.tls.insecure = true;
    client_peer_start(&w->peer, w->loop, w->tls);
    snprintf(w->url, sizeof w->url, "https://%s", w->peer.endpoint);
    open_client(w);
    exchange(w, &s);
    if (s.a.net != LEAT_NET_OK)
        fail_msg("%s", s.why);
    client_sent_done(&s);
}

static void an_unknown_authority_is_refused(void **state)
{
    static const char *const alpn[] = {"h2", NULL};
    struct world *w = *state;
    struct client_sent s;

    make_tls(w, alpn);
    w->conf.tls.ca_pem = NULL;
    start(w);
    exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, w->peer.endpoint));
    client_sent_done(&s);
}

static void a_tls_peer_without_h2_is_named(void **state)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    struct world *w = *state;
    struct client_sent s;

    make_tls(w, alpn);
    start(w);
    exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    client_sent_done(&s);
}

static void plain_answer(struct client_peer_conn *pc, int32_t stream)
{
    if (stream == 0)
        client_peer_text(pc, "HTTP/1.1 202 OK\r\nContent-Length: 2\r\n\r\nh1");
    else
        answer_headers_only(pc, stream);
}

static void https_by_alpn(void **state)
{
    static const char *const both[] = {"h2", "http/1.1", NULL};
    static const struct plain ok = {{{":status", "202"}, {"retry-after", "3"}}, 0, 0, false};
    struct world *w = *state;
    struct client_sent s;

    plain = &ok;
    make_tls(w, both);
    w->http = true;
    w->conf.force_attempt_http2 = true;
    w->peer.request = plain_answer;
    start(w);
    exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(s.a.status, 202);
    assert_int_equal(s.a.retry_after_ms, 3000);
    assert_string_equal(leat_text_get(&w->peer.conns[0].body), "message");
    assert_non_null(strstr(leat_text_get(&w->peer.conns[0].headers), "content-length: 7\n"));
    client_sent_done(&s);
}

static void https_without_h2(void **state)
{
    static const char *const both[] = {"h2", "http/1.1", NULL};
    struct world *w = *state;
    struct client_sent s[3];

    make_tls(w, both);
    w->http = true;
    w->conf.force_attempt_http2 = false;
    w->peer.http2 = false;
    w->peer.http1 = true;
    w->peer.request = plain_answer;
    start(w);
    for (int i = 0; i < 3; i++)
        send_one(w, &s[i]);
    for (int i = 0; i < 3; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        if (s[i].a.net != LEAT_NET_OK)
            fail_msg("%s", s[i].why);
        assert_string_equal(leat_text_get(&s[i].body), "h1");
        client_sent_done(&s[i]);
    }
}

static void one_allocation_of_ours_per_call(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    start(w);
    exchange(w, &s);
    client_sent_done(&s);
    w->hold = 1;
    {
        uint64_t all = leat_mem_tries(), theirs = leat_h2_tries();
        client_sent_init(&s, "/pkg.Service/Export", "message");
        leat_client_send(w->client, &s.x);
        assert_int_equal(leat_mem_tries() - all - (leat_h2_tries() - theirs), 1);
    }
    CLIENT_UNTIL(w->loop, w->peer.requests == 2);
    answer(&w->peer.conns[0], 3);
    CLIENT_UNTIL(w->loop, s.done);
    client_sent_done(&s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_call_on_the_wire),
        T(settings_of_grpc),
        T(status_message_and_details),
        T(answers_of_headers_only),
        T(many_calls_share_a_connection),
        T(the_peers_stream_limit_holds),
        T(large_messages_flow),
        T(a_refused_stream_is_sent_once_more),
        T(a_reset_stream_has_failed),
        T(goaway_moves_what_was_not_processed),
        T(a_lost_connection_is_a_failure),
        T(nobody_listens),
        T(wait_for_ready_waits),
        T(a_timeout_resets_one_stream),
        T(a_peer_that_reads_nothing_times_out),
        T(a_dead_peer_fails_its_ping),
        T(a_living_peer_answers_its_pings),
        T(cancelled_and_freed),
        T(bytes_that_are_no_http2),
        T(a_peer_of_http1_is_named),
        T(answers_out_of_bounds),
        T(over_a_unix_socket),
        T(under_tls),
        T(https_forces_tls),
        T(an_unknown_authority_is_refused),
        T(a_tls_peer_without_h2_is_named),
        T(https_by_alpn),
        T(https_without_h2),
        T(one_allocation_of_ours_per_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
