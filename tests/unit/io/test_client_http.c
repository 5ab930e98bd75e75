/* The client over HTTP/1.1: requests as they stand on the wire, the pool, answers good and hostile,
 * stale connections, timeouts, cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/auth.h"
#include "lib/client_peer.h"

#define MAX_ANSWER 65536
#define OK_ANSWER  "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nhello"

struct world {
    struct leat_loop *loop;
    struct client_peer peer;
    struct leat_client_conf conf;
    char url[256];
    struct leat_client *client;
    const struct leat_auth_finder *auth;
    const char *reply; /* to each request */
    size_t reply_len;  /* 0: strlen */
    bool then_close, then_abort;
    int hold; /* requests that get no answer, from the first */
};

static void on_request(struct client_peer_conn *pc, int32_t stream)
{
    struct world *w = pc->peer->arg;

    (void)stream;
    if (w->hold > 0 && w->hold-- > 0)
        return;
    if (w->reply != NULL)
        client_peer_send(pc, w->reply, w->reply_len ? w->reply_len : strlen(w->reply));
    if (w->then_close)
        client_peer_close(pc);
    if (w->then_abort)
        client_peer_abort(pc);
}

static void open_client(struct world *w)
{
    struct leat_client_env env = {
        .loop = w->loop, .who = "test", .max_answer = MAX_ANSWER, .auth = w->auth};
    struct leat_err err = {""};

    w->client = leat_client_new(&w->conf, w->url, &env, &err);
    if (w->client == NULL)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    w->loop = leat_loop_new(NULL);
    w->peer.http1 = true;
    w->peer.request = on_request;
    w->peer.arg = w;
    w->reply = OK_ANSWER;
    w->conf.max_idle_conns = 100;
    w->conf.idle_conn_timeout = 90 * LEAT_SEC;
    client_peer_start(&w->peer, w->loop, NULL);
    snprintf(w->url, sizeof w->url, "http://%s/base", w->peer.endpoint);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    leat_client_free(w->client);
    client_peer_stop(&w->peer);
    leat_loop_free(w->loop);
    free(w);
    return 0;
}

/* Sends one and waits for its end. */
static void exchange(struct world *w, struct client_sent *s, const char *body)
{
    client_sent_init(s, "/v1/x", body);
    leat_client_send(w->client, &s->x);
    assert_int_equal(s->done, 0);
    CLIENT_UNTIL(w->loop, s->done);
    assert_int_equal(s->done, 1);
}

static void one_request_on_the_wire(void **state)
{
    struct world *w = *state;
    struct leat_pair conf[] = {{"X-Token", "secret"}, {"Host", "other.example"}};
    struct leat_pair more[] = {{"x-more", "1"}, {"x-token", "loses"}};
    struct leat_bytes pieces[] = {leat_bytes_str("one "), leat_bytes_str(""),
                                  leat_bytes_str("two "), leat_bytes_str("three")};
    struct client_sent s;
    char want[512];

    w->conf.headers = (struct leat_pairs){conf, 2};
    open_client(w);
    client_sent_init(&s, "/v1/x", NULL);
    s.x.pieces = pieces;
    s.x.npieces = 4;
    s.x.content_type = "application/x-protobuf";
    s.x.content_encoding = "gzip";
    s.x.headers = more;
    s.x.nheaders = 2;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(s.a.status, 200);
    assert_string_equal(s.type, "text/x");
    assert_string_equal(leat_text_get(&s.body), "hello");
    assert_false(s.a.has_retry_after);
    snprintf(want, sizeof want,
             "POST /base/v1/x HTTP/1.1\r\nhost: other.example\r\ncontent-length: 13\r\n"
             "x-token: secret\r\nx-more: 1\r\ncontent-type: application/x-protobuf\r\n"
             "content-encoding: gzip\r\nuser-agent: leat/" LEAT_VERSION "\r\n\r\none two three");
    assert_string_equal(leat_text_get(&w->peer.conns[0].in), want);
    client_sent_done(&s);
}

static void other_methods_and_own_path(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    client_sent_init(&s, NULL, NULL);
    s.x.method = "GET";
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.status, 200);
    assert_memory_equal(leat_text_get(&w->peer.conns[0].in), "GET /base HTTP/1.1\r\n", 20);
    assert_null(strstr(leat_text_get(&w->peer.conns[0].in), "content-length"));
    client_sent_done(&s);
    w->reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    client_sent_init(&s, NULL, NULL);
    s.x.method = "HEAD";
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(s.a.body.len, 0);
    client_sent_done(&s);
}

static void connections_are_kept_and_shared(void **state)
{
    struct world *w = *state;
    struct client_sent s[5];

    open_client(w);
    for (int i = 0; i < 3; i++) {
        exchange(w, &s[0], "x");
        assert_int_equal(s[0].a.net, LEAT_NET_OK);
        client_sent_done(&s[0]);
    }
    assert_int_equal(w->peer.nconns, 1);
    for (int i = 0; i < 5; i++) {
        client_sent_init(&s[i], "/v1/x", "abc");
        leat_client_send(w->client, &s[i].x);
    }
    for (int i = 0; i < 5; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.net, LEAT_NET_OK);
        client_sent_done(&s[i]);
    }
    assert_int_equal(w->peer.nconns, 5);
    assert_int_equal(w->peer.nclosed, 0);
}

static void the_pool_has_limits(void **state)
{
    struct world *w = *state;
    struct client_sent s[6];

    w->conf.max_conns_per_host = 3;
    w->conf.max_idle_conns_per_host = 1;
    open_client(w);
    for (int i = 0; i < 6; i++) {
        client_sent_init(&s[i], "/v1/x", "abc");
        leat_client_send(w->client, &s[i].x);
    }
    for (int i = 0; i < 6; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.net, LEAT_NET_OK);
        client_sent_done(&s[i]);
    }
    assert_int_equal(w->peer.nconns, 3);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 2);
}

static void idle_connections_grow_old(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    w->conf.idle_conn_timeout = 20 * LEAT_MS;
    open_client(w);
    exchange(w, &s, "x");
    client_sent_done(&s);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 1);
}

static void keep_alive_can_be_off(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    w->conf.disable_keep_alives = true;
    open_client(w);
    for (int i = 0; i < 2; i++) {
        exchange(w, &s, "x");
        assert_int_equal(s.a.net, LEAT_NET_OK);
        client_sent_done(&s);
    }
    assert_int_equal(w->peer.nconns, 2);
    assert_non_null(strstr(leat_text_get(&w->peer.conns[0].in), "\r\nconnection: close\r\n"));
}

static void peer_may_end_keep_alive(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", OK_ANSWER "HTTP/1.1 200 more"};
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    for (int i = 0; i < 3; i++) {
        w->reply = replies[i];
        exchange(w, &s, "x");
        assert_int_equal(s.a.net, LEAT_NET_OK);
        assert_string_equal(leat_text_get(&s.body), "hello");
        client_sent_done(&s);
        CLIENT_UNTIL(w->loop, w->peer.nclosed == i + 1);
    }
}

struct answer_case {
    const char *reply;
    enum leat_net_result net;
    uint32_t status;
    const char *body, *why;
    bool close;
};

static void answers_of_all_shapes(void **state)
{
    static const struct answer_case cases[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", LEAT_NET_OK, 204, "", NULL, false},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", LEAT_NET_OK, 200, "", NULL, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n"
         "x-trailer: 1\r\n\r\n",
         LEAT_NET_OK, 200, "abcde", NULL, false},
        {"HTTP/1.1 100 Continue\r\ncontent-type: no/no\r\n\r\nHTTP/1.1 103 Early\r\n\r\n"
         "HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno",
         LEAT_NET_OK, 503, "no", NULL, false},
        {"HTTP/1.1 200 OK\r\n\r\nto the end", LEAT_NET_OK, 200, "to the end", NULL, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", LEAT_NET_FAILED, 0, "",
         "in the middle of the answer", true},
        {"HTTP/1.1 200 OK\r\nContent-Len", LEAT_NET_FAILED, 0, "", "in the middle", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", LEAT_NET_FAILED, 0, "",
         "not HTTP/1.1", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", LEAT_NET_FAILED,
         0, "", "not HTTP/1.1", false},
        {"SSH-2.0-OpenSSH\r\n", LEAT_NET_FAILED, 0, "", "not HTTP/1.1", false},
        {"\x16\x03\x01\x02\x00\x01", LEAT_NET_FAILED, 0, "", "not HTTP/1.1", false},
        {"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", LEAT_NET_FAILED, 0,
         "", "switched protocols", false},
    };
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        w->reply = cases[i].reply;
        w->then_close = cases[i].close;
        exchange(w, &s, "x");
        if (s.a.net != cases[i].net)
            fail_msg("case %zu: net %d: %s", i, s.a.net, s.why);
        assert_int_equal(s.a.status, cases[i].status);
        assert_string_equal(leat_text_get(&s.body), cases[i].body);
        if (cases[i].why != NULL) {
            assert_non_null(strstr(s.why, cases[i].why));
            assert_non_null(strstr(s.why, w->peer.endpoint));
        }
        client_sent_done(&s);
    }
}

/* An answer in the middle of which, and before which, the peer goes away, at each byte. */
static void early_close_at_each_byte(void **state)
{
    struct world *w = *state;
    struct client_sent s;
    size_t whole = strlen(OK_ANSWER);

    open_client(w);
    for (size_t cut = 1; cut <= whole; cut++) {
        w->reply_len = cut;
        w->then_close = true;
        exchange(w, &s, "body");
        assert_int_equal(s.a.net, cut == whole ? LEAT_NET_OK : LEAT_NET_FAILED);
        client_sent_done(&s);
        client_peer_forget(&w->peer);
    }
}

static void an_answer_byte_by_byte(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    w->hold = 1;
    client_sent_init(&s, "/", "x");
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, w->peer.requests == 1);
    for (const char *p = OK_ANSWER; *p != '\0'; p++) {
        assert_int_equal(s.done, 0);
        client_peer_send(&w->peer.conns[0], p, 1);
        leat_loop_turn(w->loop);
        leat_loop_turn(w->loop);
    }
    CLIENT_UNTIL(w->loop, s.done);
    assert_string_equal(leat_text_get(&s.body), "hello");
    client_sent_done(&s);
}

static void large_answers_are_refused(void **state)
{
    struct world *w = *state;
    struct leat_text t;
    struct client_sent s;

    open_client(w);
    leat_text_init(&t, 4 * 1024 * 1024);
    for (int kind = 0; kind < 5; kind++) {
        leat_text_clear(&t);
        leat_text_str(&t, "HTTP/1.1 200 OK\r\n");
        if (kind == 0)
            leat_text_printf(&t, "x: %0*d", 70000, 0);
        else if (kind == 1)
            leat_text_printf(&t, "%0*d", 70000, 0);
        else if (kind == 2)
            leat_text_printf(&t, "content-length: 70000\r\n\r\n%0*d", 70000, 0);
        else if (kind == 3)
            leat_text_printf(&t, "transfer-encoding: chunked\r\n\r\n1;%0*d", 1000000, 0);
        for (int i = 0; kind == 4 && i < 3000; i++)
            leat_text_str(&t, "x: y\r\n");
        w->reply = leat_text_get(&t);
        exchange(w, &s, "x");
        if (s.a.net != LEAT_NET_TOO_LARGE)
            fail_msg("kind %d: %d %s", kind, s.a.net, s.why);
        assert_non_null(strstr(s.why, "larger than"));
        client_sent_done(&s);
    }
    leat_text_done(&t);
}

static void retry_after_in_both_forms(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    w->reply = "HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    exchange(w, &s, "x");
    assert_true(s.a.has_retry_after);
    assert_int_equal(s.a.retry_after_ms, 7000);
    client_sent_done(&s);
    w->reply = "HTTP/1.1 503 No\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
               "Content-Length: 0\r\n\r\n";
    exchange(w, &s, "x");
    assert_true(s.a.has_retry_after);
    assert_int_equal(s.a.retry_after_ms, 0);
    client_sent_done(&s);
    w->reply = "HTTP/1.1 503 No\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n";
    exchange(w, &s, "x");
    assert_int_equal(s.a.retry_after_ms, UINT32_MAX);
    client_sent_done(&s);
    w->reply = "HTTP/1.1 503 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n";
    exchange(w, &s, "x");
    assert_false(s.a.has_retry_after);
    client_sent_done(&s);
}

/* The peer closes an idle connection in the very moment when it is used again. */
static void a_stale_connection_is_no_failure(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    exchange(w, &s, "x");
    client_sent_done(&s);
    w->reply = NULL;
    w->then_abort = true;
    client_sent_init(&s, "/v1/x", "again");
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, w->peer.requests == 2);
    w->reply = OK_ANSWER;
    w->then_abort = false;
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(w->peer.nconns, 2);
    assert_int_equal(w->peer.requests, 3);
    client_sent_done(&s);
}

/* On a connection of its own the same is a failure, and so is the second time. */
static void a_fresh_connection_is_not_tried_twice(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    w->reply = NULL;
    w->then_close = true;
    exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_int_equal(w->peer.requests, 1);
    client_sent_done(&s);
    w->reply = OK_ANSWER;
    w->then_close = false;
    exchange(w, &s, "x");
    client_sent_done(&s);
    w->reply = NULL;
    w->then_close = true;
    exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_int_equal(w->peer.requests, 4);
    client_sent_done(&s);
}

static void an_idle_connection_that_closes_is_forgotten(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    exchange(w, &s, "x");
    client_sent_done(&s);
    client_peer_close(&w->peer.conns[0]);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 1);
    exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(w->peer.requests, 2);
    client_sent_done(&s);
}

static void nobody_listens(void **state)
{
    struct world *w = *state;
    struct client_sent s[3];

    client_peer_stop_listening(&w->peer);
    open_client(w);
    for (int i = 0; i < 3; i++) {
        client_sent_init(&s[i], "/", "x");
        leat_client_send(w->client, &s[i].x);
    }
    for (int i = 0; i < 3; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.net, LEAT_NET_FAILED);
        assert_non_null(strstr(s[i].why, w->peer.endpoint));
        assert_non_null(strstr(s[i].why, "refused"));
        client_sent_done(&s[i]);
    }
}

static void a_silent_peer_times_out(void **state)
{
    struct world *w = *state;
    struct client_sent s[2];

    open_client(w);
    w->hold = 2;
    for (int i = 0; i < 2; i++) {
        client_sent_init(&s[i], "/", "x");
        s[i].x.timeout = (i + 1) * 20 * LEAT_MS;
        leat_client_send(w->client, &s[i].x);
    }
    CLIENT_UNTIL(w->loop, s[1].done);
    assert_int_equal(s[0].done, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s[i].a.net, LEAT_NET_TIMEOUT);
        assert_non_null(strstr(s[i].why, w->peer.endpoint));
        client_sent_done(&s[i]);
    }
    CLIENT_UNTIL(w->loop, w->peer.nclosed == w->peer.nconns);
}

/* The whole body is in a pending write when time is up: done comes, and not before the write is
 * off. */
static void a_peer_that_reads_nothing_times_out(void **state)
{
    struct world *w = *state;
    size_t len = 16 * 1024 * 1024;
    char *big = malloc(len + 1);
    struct client_sent s;

    memset(big, 'x', len);
    big[len] = '\0';
    open_client(w);
    exchange(w, &s, "x");
    client_sent_done(&s);
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

static void on_first_bytes(struct client_peer_conn *pc)
{
    struct world *w = pc->peer->arg;

    if (w->reply == NULL)
        return;
    leat_conn_pause(pc->conn);
    client_peer_text(pc, w->reply);
    w->reply = NULL;
}

static void an_answer_before_the_whole_request(void **state)
{
    struct world *w = *state;
    size_t len = 16 * 1024 * 1024;
    char *big = malloc(len + 1);
    struct client_sent s;

    memset(big, 'x', len);
    big[len] = '\0';
    open_client(w);
    w->peer.http1 = false;
    w->peer.read = on_first_bytes;
    w->reply = "HTTP/1.1 413 Too much\r\nContent-Length: 3\r\n\r\nbig";
    exchange(w, &s, big);
    free(big);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(s.a.status, 413);
    assert_string_equal(leat_text_get(&s.body), "big");
    client_sent_done(&s);
    CLIENT_UNTIL(w->loop, leat_loop_turn(w->loop) && s.done);
}

static void cancelled_at_every_stage(void **state)
{
    struct world *w = *state;
    struct client_sent s[3];

    w->conf.max_conns_per_host = 1;
    open_client(w);
    w->hold = 1;
    for (int i = 0; i < 3; i++) {
        client_sent_init(&s[i], "/", "x");
        leat_client_send(w->client, &s[i].x);
    }
    leat_client_cancel(w->client, &s[2].x); /* while nothing is connected */
    CLIENT_UNTIL(w->loop, s[2].done);
    CLIENT_UNTIL(w->loop, w->peer.requests == 1);
    leat_client_cancel(w->client, &s[0].x); /* while its answer is awaited */
    assert_int_equal(s[0].done, 0);
    CLIENT_UNTIL(w->loop, s[1].done);
    assert_int_equal(s[0].a.net, LEAT_NET_CANCELLED);
    assert_int_equal(s[1].a.net, LEAT_NET_OK);
    assert_int_equal(s[2].a.net, LEAT_NET_CANCELLED);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(s[i].done, 1);
        client_sent_done(&s[i]);
    }
}

static void freed_with_exchanges_under_way(void **state)
{
    struct world *w = *state;
    struct client_sent s[4];

    w->conf.max_conns_per_host = 2;
    open_client(w);
    w->hold = 4;
    for (int i = 0; i < 4; i++) {
        client_sent_init(&s[i], "/", "x");
        s[i].x.timeout = 60 * LEAT_SEC;
        leat_client_send(w->client, &s[i].x);
    }
    CLIENT_UNTIL(w->loop, w->peer.requests == 2);
    leat_client_free(w->client);
    w->client = NULL;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(s[i].done, 1);
        assert_int_equal(s[i].a.net, LEAT_NET_CANCELLED);
        client_sent_done(&s[i]);
    }
}

static void free_inside(struct client_sent *s)
{
    struct world *w = s->arg;

    leat_client_free(w->client);
    w->client = NULL;
}

static void freed_from_inside_done(void **state)
{
    struct world *w = *state;
    struct client_sent s[3];

    open_client(w);
    for (int i = 0; i < 3; i++) {
        client_sent_init(&s[i], "/", "x");
        leat_client_send(w->client, &s[i].x);
    }
    s[0].then = free_inside;
    s[0].arg = w;
    CLIENT_UNTIL(w->loop, s[0].done);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(s[i].done, 1);
        client_sent_done(&s[i]);
    }
}

static void send_inside(struct client_sent *s)
{
    struct world *w = s->arg;

    if (s->done < 5)
        leat_client_send(w->client, &s->x);
}

static void sent_again_from_inside_done(void **state)
{
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    client_sent_init(&s, "/", "x");
    s.then = send_inside;
    s.arg = w;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done == 5);
    assert_int_equal(w->peer.nconns, 1);
    client_sent_done(&s);
}

static void no_memory_is_a_failure(void **state)
{
    struct world *w = *state;
    struct client_sent s;
    int failures = 0;

    open_client(w);
    for (uint64_t nth = 1; nth < 30; nth++) {
        client_sent_init(&s, "/v1/x", "x");
        s.x.timeout = 200 * LEAT_MS; /* the peer, too, may have been the one without memory */
        leat_mem_fail_at(nth);
        leat_client_send(w->client, &s.x);
        CLIENT_UNTIL(w->loop, s.done);
        leat_mem_fail_at(0);
        failures += s.a.net != LEAT_NET_OK;
        client_sent_done(&s);
    }
    assert_true(failures > 0);
    assert_true(failures < 29);
    exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_OK);
    client_sent_done(&s);
}

/* --- authenticators */

static int sign(void *self, void (*add)(void *arg, const char *name, const char *value), void *arg,
                struct leat_err *err)
{
    int *mode = self;

    if (*mode == 1)
        return leat_fail(err, "the token has expired");
    add(arg, "Authorization", *mode == 2 ? "Bearer a\r\nx: y" : "Bearer t");
    return 0;
}

static int mode;
static const struct leat_authenticator signer = {.self = &mode, .sign = sign};
static const struct leat_authenticator server_only = {.self = &mode};

static const struct leat_authenticator *find(void *self, const char *id)
{
    (void)self;
    if (strcmp(id, "bearer") == 0)
        return &signer;
    return strcmp(id, "server") == 0 ? &server_only : NULL;
}

static void requests_are_signed(void **state)
{
    static const struct leat_auth_finder finder = {.find = find};
    struct world *w = *state;
    struct client_sent s;

    w->conf.auth.authenticator = "bearer";
    w->auth = &finder;
    open_client(w);
    mode = 0;
    exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_non_null(strstr(leat_text_get(&w->peer.conns[0].in), "\r\nauthorization: Bearer t\r\n"));
    client_sent_done(&s);
    mode = 1;
    exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "the token has expired"));
    client_sent_done(&s);
    mode = 2;
    exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_null(strstr(s.why, "Bearer"));
    client_sent_done(&s);
    assert_int_equal(w->peer.requests, 1);
}

static void bad_exchange_headers_are_refused(void **state)
{
    static const struct leat_pair bad[] = {
        {"content-length", "3"}, {"x y", "z"}, {"x", "a\nb"}, {"transfer-encoding", "chunked"}};
    struct world *w = *state;
    struct client_sent s;

    open_client(w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        client_sent_init(&s, "/", "x");
        s.x.headers = &bad[i];
        s.x.nheaders = 1;
        leat_client_send(w->client, &s.x);
        CLIENT_UNTIL(w->loop, s.done);
        assert_int_equal(s.a.net, LEAT_NET_FAILED);
        client_sent_done(&s);
    }
    assert_int_equal(w->peer.requests, 0);
}

static void through_a_proxy(void **state)
{
    struct world *w = *state;
    char proxy[80];
    struct client_sent s;

    snprintf(proxy, sizeof proxy, "http://%s", w->peer.endpoint);
    w->conf.proxy_url = proxy;
    snprintf(w->url, sizeof w->url, "http://far.example:4318/p");
    open_client(w);
    exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_memory_equal(
        leat_text_get(&w->peer.conns[0].in),
        "POST http://far.example:4318/p/v1/x HTTP/1.1\r\nhost: far.example:4318\r\n", 70);
    client_sent_done(&s);
}

static void check_refused(struct world *w, const char *url, const char *want)
{
    static const struct leat_auth_finder finder = {.find = find};
    struct leat_client_env env = {.loop = w->loop, .max_answer = 100, .auth = &finder};
    struct leat_err err = {""};

    assert_null(leat_client_new(&w->conf, url, &env, &err));
    if (strstr(err.text, want) == NULL)
        fail_msg("%s", err.text);
}

static void wrong_settings_are_refused(void **state)
{
    struct world *w = *state;
    struct leat_pair bad = {"x", "a\r\nb"};

    check_refused(w, "localhost:4318", "http:// or https://");
    check_refused(w, NULL, "not empty");
    w->conf.headers = (struct leat_pairs){&bad, 1};
    check_refused(w, "http://h", "headers: ");
    bad = (struct leat_pair){"Content-Length", "1"};
    check_refused(w, "http://h", "set by the client itself");
    bad = (struct leat_pair){"Host", "a b"};
    check_refused(w, "http://h", "name of a host");
    w->conf.headers.count = 0;
    w->conf.auth.authenticator = "none";
    check_refused(w, "http://h", "no authenticator extension \"none\"");
    w->conf.auth.authenticator = "server";
    check_refused(w, "http://h", "for servers only");
    w->conf.auth.authenticator = NULL;
    w->conf.proxy_url = "http://p:1";
    check_refused(w, "https://h", "CONNECT");
    w->conf.proxy_url = "https://p:1";
    check_refused(w, "http://h", "http:// URL");
    w->conf.proxy_url = "p:1";
    check_refused(w, "http://h", "proxy_url: ");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_request_on_the_wire),
        T(other_methods_and_own_path),
        T(connections_are_kept_and_shared),
        T(the_pool_has_limits),
        T(idle_connections_grow_old),
        T(keep_alive_can_be_off),
        T(peer_may_end_keep_alive),
        T(answers_of_all_shapes),
        T(early_close_at_each_byte),
        T(an_answer_byte_by_byte),
        T(large_answers_are_refused),
        T(retry_after_in_both_forms),
        T(a_stale_connection_is_no_failure),
        T(a_fresh_connection_is_not_tried_twice),
        T(an_idle_connection_that_closes_is_forgotten),
        T(nobody_listens),
        T(a_silent_peer_times_out),
        T(a_peer_that_reads_nothing_times_out),
        T(an_answer_before_the_whole_request),
        T(cancelled_at_every_stage),
        T(freed_with_exchanges_under_way),
        T(freed_from_inside_done),
        T(sent_again_from_inside_done),
        T(no_memory_is_a_failure),
        T(requests_are_signed),
        T(bad_exchange_headers_are_refused),
        T(through_a_proxy),
        T(wrong_settings_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
