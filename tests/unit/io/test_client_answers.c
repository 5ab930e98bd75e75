/* HTTP/1.1 answers good and hostile, stale connections, timeouts, cancelling, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lib/client_http_world.h"

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
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        w->reply = cases[i].reply;
        w->then_close = cases[i].close;
        client_http_exchange(w, &s, "x");
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
    struct client_http_world *w = *state;
    struct client_sent s;
    size_t whole = strlen(OK_ANSWER);

    client_http_open(w);
    for (size_t cut = 1; cut <= whole; cut++) {
        w->reply_len = cut;
        w->then_close = true;
        client_http_exchange(w, &s, "body");
        assert_int_equal(s.a.net, cut == whole ? LEAT_NET_OK : LEAT_NET_FAILED);
        client_sent_done(&s);
        client_peer_forget(&w->peer);
    }
}

static void an_answer_byte_by_byte(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
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

/* A header that the client's owner asked for: the last value, whatever its case; not what an
 * interim answer said, and nothing of one that is too long. */
static void headers_asked_for_are_kept(void **state)
{
    static const char *const cases[][2] = {
        {"HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Histograms-Written: 17\r\n\r\n",
         "17"},
        {"HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Histograms-Writte: 17\r\n\r\n", "-"},
        {"HTTP/1.1 204 No Content\r\nx-prometheus-remote-write-histograms-written: 1\r\n"
         "x-prometheus-remote-write-histograms-written:2\r\n\r\n",
         "2"},
        {"HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Histograms-Written:\r\n\r\n", ""},
        {"HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Histograms-Written: "
         "1234567890123456789012345678901\r\n\r\n",
         "1234567890123456789012345678901"},
        {"HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Histograms-Written: "
         "12345678901234567890123456789012\r\n\r\n",
         "-"},
        {"HTTP/1.1 103 Early\r\nX-Prometheus-Remote-Write-Histograms-Written: 3\r\n\r\n"
         "HTTP/1.1 204 No Content\r\n\r\n",
         "-"},
    };
    struct client_http_world *w = *state;
    struct client_sent s;

    w->keep = "x-prometheus-remote-write-histograms-written";
    client_http_open(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        w->reply = cases[i][0];
        client_http_exchange(w, &s, "x");
        assert_int_equal(s.a.net, LEAT_NET_OK);
        assert_string_equal(s.kept, cases[i][1]);
        client_sent_done(&s);
    }
}

static void large_answers_are_refused(void **state)
{
    struct client_http_world *w = *state;
    struct leat_text t;
    struct client_sent s;

    client_http_open(w);
    leat_text_init(&t, 4 * 1024 * 1024);
    for (int kind = 0; kind < 7; kind++) {
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
        else if (kind == 5) /* interim answers without end */
            leat_text_clear(&t);
        else if (kind == 6)
            leat_text_printf(&t, "transfer-encoding: chunked\r\n\r\n0\r\nx: %0*d", 70000, 0);
        for (int i = 0; kind == 5 && i < 100000; i++)
            leat_text_str(&t, "HTTP/1.1 100 C\r\n\r\n");
        for (int i = 0; kind == 4 && i < 3000; i++)
            leat_text_str(&t, "x: y\r\n");
        w->reply = leat_text_get(&t);
        client_http_exchange(w, &s, "x");
        if (s.a.net != LEAT_NET_TOO_LARGE)
            fail_msg("kind %d: %d %s", kind, s.a.net, s.why);
        assert_non_null(strstr(s.why, "larger than"));
        client_sent_done(&s);
    }
    leat_text_done(&t);
}

static void retry_after_in_both_forms(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
    w->reply = "HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    client_http_exchange(w, &s, "x");
    assert_true(s.a.has_retry_after);
    assert_int_equal(s.a.retry_after_ms, 7000);
    client_sent_done(&s);
    w->reply = "HTTP/1.1 503 No\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
               "Content-Length: 0\r\n\r\n";
    client_http_exchange(w, &s, "x");
    assert_true(s.a.has_retry_after);
    assert_int_equal(s.a.retry_after_ms, 0);
    client_sent_done(&s);
    w->reply = "HTTP/1.1 503 No\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n";
    client_http_exchange(w, &s, "x");
    assert_int_equal(s.a.retry_after_ms, UINT32_MAX);
    client_sent_done(&s);
    w->reply = "HTTP/1.1 503 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n";
    client_http_exchange(w, &s, "x");
    assert_false(s.a.has_retry_after);
    client_sent_done(&s);
}

/* The peer closes an idle connection in the very moment when it is used again. */
static void a_stale_connection_is_no_failure(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
    client_http_exchange(w, &s, "x");
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
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
    w->reply = NULL;
    w->then_close = true;
    client_http_exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_int_equal(w->peer.requests, 1);
    client_sent_done(&s);
    w->reply = OK_ANSWER;
    w->then_close = false;
    client_http_exchange(w, &s, "x");
    client_sent_done(&s);
    w->reply = NULL;
    w->then_close = true;
    client_http_exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_int_equal(w->peer.requests, 4);
    client_sent_done(&s);
}

static void an_idle_connection_that_closes_is_forgotten(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
    client_http_exchange(w, &s, "x");
    client_sent_done(&s);
    client_peer_close(&w->peer.conns[0]);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 1);
    client_http_exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(w->peer.requests, 2);
    client_sent_done(&s);
}

/* The peer has said all before we have: its half is closed, its answer still counts. */
static void half_closed_at_once(struct client_peer_conn *pc)
{
    client_peer_text(pc, OK_ANSWER);
    client_peer_close(pc);
}

static void an_answer_before_the_request(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s;

    w->peer.http1 = false;
    w->peer.opened = half_closed_at_once;
    client_http_open(w);
    client_http_exchange(w, &s, "x");
    /* Either the call was on its way by then, or the connection was never fit for it. */
    if (s.a.net != LEAT_NET_OK)
        assert_int_equal(s.a.net, LEAT_NET_FAILED);
    client_sent_done(&s);
}

static void nobody_listens(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s[3];

    client_peer_stop_listening(&w->peer);
    client_http_open(w);
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
    struct client_http_world *w = *state;
    struct client_sent s[2];

    client_http_open(w);
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
    struct client_http_world *w = *state;
    char *big = client_big_body();
    struct client_sent s;

    client_http_open(w);
    client_http_exchange(w, &s, "x");
    client_sent_done(&s);
    leat_conn_pause(w->peer.conns[0].conn);
    client_sent_init(&s, "/", big);
    s.x.timeout = 30 * LEAT_MS;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    client_big_free(big);
    assert_int_equal(s.a.net, LEAT_NET_TIMEOUT);
    client_sent_done(&s);
}

static void on_first_bytes(struct client_peer_conn *pc)
{
    struct client_http_world *w = pc->peer->arg;

    if (w->reply == NULL)
        return;
    leat_conn_pause(pc->conn);
    client_peer_text(pc, w->reply);
    w->reply = NULL;
}

static void an_answer_before_the_whole_request(void **state)
{
    struct client_http_world *w = *state;
    char *big = client_big_body();
    struct client_sent s;

    client_http_open(w);
    w->peer.http1 = false;
    w->peer.read = on_first_bytes;
    w->reply = "HTTP/1.1 413 Too much\r\nContent-Length: 3\r\n\r\nbig";
    client_http_exchange(w, &s, big);
    client_big_free(big);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(s.a.status, 413);
    assert_string_equal(leat_text_get(&s.body), "big");
    client_sent_done(&s);
    CLIENT_UNTIL(w->loop, leat_loop_turn(w->loop) && s.done);
}

static void cancelled_at_every_stage(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s[3];

    w->conf.max_conns_per_host = 1;
    client_http_open(w);
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
    struct client_http_world *w = *state;
    struct client_sent s[4];

    w->conf.max_conns_per_host = 2;
    client_http_open(w);
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

static void freed_while_writing(void **state)
{
    struct client_http_world *w = *state;
    char *big = client_big_body();
    struct client_sent s;

    client_http_open(w);
    client_http_exchange(w, &s, "x");
    client_sent_done(&s);
    leat_conn_pause(w->peer.conns[0].conn);
    client_sent_init(&s, "/", big);
    leat_client_send(w->client, &s.x);
    for (int i = 0; i < 20; i++)
        leat_loop_turn(w->loop);
    leat_client_free(w->client);
    w->client = NULL;
    client_big_free(big);
    assert_int_equal(s.a.net, LEAT_NET_CANCELLED);
    client_sent_done(&s);
    leat_conn_resume(w->peer.conns[0].conn);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 1);
}

static void free_inside(struct client_sent *s)
{
    struct client_http_world *w = s->arg;

    leat_client_free(w->client);
    w->client = NULL;
}

static void freed_from_inside_done(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s[3];

    client_http_open(w);
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
    struct client_http_world *w = s->arg;

    if (s->done < 5)
        leat_client_send(w->client, &s->x);
}

static void sent_again_from_inside_done(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
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
    struct client_http_world *w = *state;
    struct client_sent s;
    int failures = 0;

    leat_clock_fake(LEAT_SEC, LEAT_SEC);
    client_http_open(w);
    for (uint64_t nth = 1; nth < 30; nth++) {
        client_sent_init(&s, "/v1/x", "x");
        s.x.timeout = 2 * LEAT_SEC; /* the peer, too, may have been the one without memory */
        leat_mem_fail_at(nth);
        leat_client_send(w->client, &s.x);
        CLIENT_UNTIL(w->loop, s.done || (leat_clock_step(LEAT_MS), false));
        leat_mem_fail_at(0);
        failures += s.a.net != LEAT_NET_OK;
        client_sent_done(&s);
    }
    leat_clock_real();
    assert_true(failures > 0);
    assert_true(failures < 29);
    client_http_exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_OK);
    client_sent_done(&s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, client_http_setup, client_http_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(answers_of_all_shapes),
        T(early_close_at_each_byte),
        T(an_answer_byte_by_byte),
        T(headers_asked_for_are_kept),
        T(large_answers_are_refused),
        T(retry_after_in_both_forms),
        T(a_stale_connection_is_no_failure),
        T(a_fresh_connection_is_not_tried_twice),
        T(an_idle_connection_that_closes_is_forgotten),
        T(an_answer_before_the_request),
        T(nobody_listens),
        T(a_silent_peer_times_out),
        T(a_peer_that_reads_nothing_times_out),
        T(an_answer_before_the_whole_request),
        T(cancelled_at_every_stage),
        T(freed_with_exchanges_under_way),
        T(freed_while_writing),
        T(freed_from_inside_done),
        T(sent_again_from_inside_done),
        T(no_memory_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
