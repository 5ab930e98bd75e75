/* The client over HTTP/2: many calls on one connection, refusals, GOAWAY, time, pings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/client_parts.h"
#include "lib/client_grpc_world.h"

/* --- many calls */

static void many_calls_share_a_connection(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s[100];

    client_grpc_start(w);
    for (int i = 0; i < 100; i++)
        client_grpc_send_one(w, &s[i]);
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
    struct client_grpc_world *w = *state;
    struct client_sent s[20];

    w->peer.max_streams = 2;
    w->hold = 8;
    client_grpc_start(w);
    for (int i = 0; i < 20; i++)
        client_grpc_send_one(w, &s[i]);
    CLIENT_UNTIL(w->loop, w->peer.requests == 8);
    for (int i = 0; i < 50; i++)
        leat_loop_turn(w->loop);
    assert_int_equal(w->peer.requests, 8);
    assert_int_equal(w->peer.nconns, 4);
    for (int c = 0; c < 4; c++) {
        assert_int_equal(w->peer.conns[c].requests, 2);
        client_grpc_answer(&w->peer.conns[c], 1);
        client_grpc_answer(&w->peer.conns[c], 3);
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
    struct client_grpc_world *w = *state;
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
    client_grpc_start(w);
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

static void answer_with_kept(struct client_peer_conn *pc, int32_t stream)
{
    static const char *const nv[][2] = {
        {":status", "200"}, {"grpc-status", "0"}, {"x-written", "12"}, {NULL, NULL}};

    client_peer_headers_only(pc, stream, nv);
}

static void headers_asked_for_are_kept(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.request = answer_with_kept;
    w->keep = "x-written";
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_string_equal(s.kept, "12");
    assert_null(s.a.kept[1].data);
    client_sent_done(&s);
}

/* --- refused, gone, reset */

static void refuse(struct client_peer_conn *pc, int32_t stream)
{
    struct client_grpc_world *w = pc->peer->arg;

    if (w->hold-- > 0) {
        nghttp2_submit_rst_stream(pc->session, 0, stream, w->reset_code);
        client_peer_h2_flush(pc);
    } else {
        client_grpc_answer(pc, stream);
    }
}

static void a_refused_stream_is_sent_once_more(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.request = refuse;
    w->reset_code = NGHTTP2_REFUSED_STREAM;
    w->hold = 1;
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(w->peer.requests, 2);
    client_sent_done(&s);
    w->hold = 9;
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "REFUSED_STREAM"));
    assert_int_equal(w->peer.requests, 4);
    client_sent_done(&s);
}

static void a_reset_stream_has_failed(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.request = refuse;
    w->reset_code = NGHTTP2_ENHANCE_YOUR_CALM;
    w->hold = 1;
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "ENHANCE_YOUR_CALM"));
    assert_int_equal(w->peer.requests, 1);
    client_sent_done(&s);
}

/* GOAWAY after the third request, which names the second stream as the last one processed. */
static void go_away(struct client_peer_conn *pc, int32_t stream)
{
    if (pc->nth != 0) {
        client_grpc_answer(pc, stream);
    } else if (stream == 5) {
        nghttp2_submit_goaway(pc->session, 0, 3, NGHTTP2_NO_ERROR, NULL, 0);
        client_grpc_answer(pc, 1);
        client_grpc_answer(pc, 3);
    }
}

static void goaway_moves_what_was_not_processed(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s[4];

    w->peer.request = go_away;
    client_grpc_start(w);
    for (int i = 0; i < 3; i++)
        client_grpc_send_one(w, &s[i]);
    for (int i = 0; i < 3; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        if (s[i].a.net != LEAT_NET_OK)
            fail_msg("%d: %s", i, s[i].why);
        client_sent_done(&s[i]);
    }
    client_grpc_exchange(w, &s[3]);
    assert_int_equal(s[3].a.net, LEAT_NET_OK);
    client_sent_done(&s[3]);
    assert_int_equal(w->peer.nconns, 2);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 1);
}

static void drop(struct client_peer_conn *pc, int32_t stream)
{
    struct client_grpc_world *w = pc->peer->arg;

    if (w->hold-- > 0)
        client_peer_abort(pc);
    else
        client_grpc_answer(pc, stream);
}

static void a_lost_connection_is_a_failure(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s[3];

    w->peer.request = drop;
    w->hold = 1;
    client_grpc_start(w);
    for (int i = 0; i < 3; i++)
        client_grpc_send_one(w, &s[i]);
    for (int i = 0; i < 3; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.net, LEAT_NET_FAILED);
        assert_non_null(strstr(s[i].why, w->peer.endpoint));
        assert_non_null(strstr(s[i].why, "lost before the answer"));
        client_sent_done(&s[i]);
    }
    client_grpc_exchange(w, &s[0]);
    assert_int_equal(s[0].a.net, LEAT_NET_OK);
    client_sent_done(&s[0]);
}

static void nobody_listens(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s[3];

    client_grpc_start(w);
    client_peer_stop_listening(&w->peer);
    for (int i = 0; i < 3; i++)
        client_grpc_send_one(w, &s[i]);
    for (int i = 0; i < 3; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        assert_int_equal(s[i].a.net, LEAT_NET_FAILED);
        assert_non_null(strstr(s[i].why, "refused"));
        client_sent_done(&s[i]);
    }
}

static void wait_for_ready_waits(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    struct client_sent late;

    leat_clock_fake(LEAT_SEC, LEAT_SEC);
    w->conf.wait_for_ready = true;
    client_grpc_start(w);
    client_peer_stop_listening(&w->peer);
    client_sent_init(&late, "/p/m", "x");
    late.x.timeout = 30 * LEAT_MS;
    leat_client_send(w->client, &late.x);
    CLIENT_UNTIL(w->loop, w->client->dial_at != 0); /* the first attempt has failed */
    assert_int_equal(late.done, 0);
    leat_clock_step(30 * LEAT_MS);
    CLIENT_UNTIL(w->loop, late.done);
    assert_int_equal(late.a.net, LEAT_NET_TIMEOUT);
    assert_non_null(strstr(late.why, "refused"));
    client_sent_done(&late);
    client_grpc_send_one(w, &s);
    for (int i = 0; i < 50; i++)
        leat_loop_turn(w->loop);
    assert_int_equal(s.done, 0);
    leat_client_cancel(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    client_sent_done(&s);
    leat_clock_real();
}

/* --- time */

static void a_timeout_resets_one_stream(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s[2];

    leat_clock_fake(LEAT_SEC, LEAT_SEC);
    w->hold = 2;
    client_grpc_start(w);
    client_grpc_send_one(w, &s[1]);
    client_sent_init(&s[0], "/p/m", "x");
    s[0].x.timeout = 100 * LEAT_MS;
    leat_client_send(w->client, &s[0].x);
    CLIENT_UNTIL(w->loop, w->peer.requests == 2);
    client_peer_grpc(&w->peer.conns[0], 1, leat_bytes_str("answer"), "0", NULL);
    CLIENT_UNTIL(w->loop, s[1].done);
    assert_int_equal(s[0].done, 0);
    leat_clock_step(100 * LEAT_MS);
    CLIENT_UNTIL(w->loop, s[0].done);
    assert_int_equal(s[0].a.net, LEAT_NET_TIMEOUT);
    assert_non_null(strstr(s[0].why, w->peer.endpoint));
    assert_int_equal(s[1].a.net, LEAT_NET_OK);
    CLIENT_UNTIL(w->loop, w->resets == 1);
    assert_int_equal(w->reset_code, NGHTTP2_CANCEL);
    client_sent_done(&s[0]);
    client_sent_done(&s[1]);
    leat_clock_real();
}

static void a_peer_that_reads_nothing_times_out(void **state)
{
    struct client_grpc_world *w = *state;
    char *big = client_big_body();
    struct client_sent s;

    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    client_sent_done(&s);
    nghttp2_session_set_local_window_size(w->peer.conns[0].session, 0, 0, 1 << 30);
    client_peer_h2_flush(&w->peer.conns[0]);
    leat_conn_pause(w->peer.conns[0].conn);
    client_sent_init(&s, "/", big);
    s.x.timeout = 30 * LEAT_MS;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    client_big_free(big);
    assert_int_equal(s.a.net, LEAT_NET_TIMEOUT);
    client_sent_done(&s);
}

/* A peer that says nothing after a request may be gone without a word: the next call does not go
 * the same way. */
static void a_silent_connection_is_not_used_again(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    client_sent_done(&s);
    leat_conn_pause(w->peer.conns[0].conn); /* not even frames of the session are answered */
    client_sent_init(&s, "/p/m", "x");
    s.x.timeout = 50 * LEAT_MS;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_TIMEOUT);
    client_sent_done(&s);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(w->peer.nconns, 2);
    client_sent_done(&s);
}

static void go_away_at_once(struct client_peer_conn *pc)
{
    nghttp2_submit_goaway(pc->session, 0, 0, NGHTTP2_ENHANCE_YOUR_CALM, NULL, 0);
    client_peer_h2_flush(pc);
}

/* GOAWAY before the first call: a failed attempt, not a reason to dial for ever. */
static void goaway_at_once_is_a_failure(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.opened = go_away_at_once;
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, w->peer.endpoint));
    assert_true(w->peer.nconns <= 3);
    client_sent_done(&s);
}

/* No stream is allowed: calls wait for their time, on a bounded number of connections. */
static void no_streams_allowed(struct client_peer_conn *pc)
{
    nghttp2_settings_entry e = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0};

    nghttp2_submit_settings(pc->session, 0, &e, 1);
    client_peer_h2_flush(pc);
}

static void a_peer_that_allows_no_streams(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.never_settings = true;
    w->peer.opened = no_streams_allowed;
    client_grpc_start(w);
    client_sent_init(&s, "/p/m", "x");
    s.x.timeout = 50 * LEAT_MS;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_TIMEOUT);
    assert_true(w->peer.nconns <= 4);
    client_sent_done(&s);
}

static void never_ready(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.http2 = false; /* takes the bytes and says nothing */
    client_grpc_start(w);
    client_sent_init(&s, "/p/m", "x");
    s.x.timeout = 50 * LEAT_MS;
    leat_client_send(w->client, &s.x);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_TIMEOUT);
    assert_true(w->peer.nconns <= 1);
    client_sent_done(&s);
}

static void a_dead_peer_fails_its_ping(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    leat_clock_fake(LEAT_SEC, LEAT_SEC);
    w->hold = 1;
    w->conf.has_keepalive = true;
    w->conf.keepalive.time = 20 * LEAT_MS;
    w->conf.keepalive.timeout = 20 * LEAT_MS;
    client_grpc_start(w);
    client_grpc_send_one(w, &s);
    CLIENT_UNTIL(w->loop, w->peer.requests == 1);
    leat_conn_pause(w->peer.conns[0].conn);
    CLIENT_UNTIL(w->loop, s.done || (leat_clock_step(LEAT_MS), false));
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "ping"));
    client_sent_done(&s);
    leat_clock_real();
}

static void a_living_peer_answers_its_pings(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;
    size_t before;

    w->hold = 1;
    w->conf.has_keepalive = true;
    w->conf.keepalive.time = 5 * LEAT_MS;
    w->conf.keepalive.timeout = 60 * LEAT_SEC;
    client_grpc_start(w);
    client_grpc_send_one(w, &s);
    CLIENT_UNTIL(w->loop, w->peer.requests == 1);
    before = w->peer.conns[0].in.len;
    CLIENT_UNTIL(w->loop, w->peer.conns[0].in.len >= before + 5 * 17);
    client_grpc_answer(&w->peer.conns[0], 1);
    CLIENT_UNTIL(w->loop, s.done);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    client_sent_done(&s);
}

static void cancelled_and_freed(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s[4];

    w->hold = 4;
    client_grpc_start(w);
    for (int i = 0; i < 4; i++)
        client_grpc_send_one(w, &s[i]);
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

/* The caller may free its bytes as soon as leat_client_free() returns, also in the middle of a
 * write.
 */
static void freed_while_writing(void **state)
{
    struct client_grpc_world *w = *state;
    char *big = client_big_body();
    struct client_sent s;

    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    client_sent_done(&s);
    nghttp2_session_set_local_window_size(w->peer.conns[0].session, 0, 0, 1 << 30);
    client_peer_h2_flush(&w->peer.conns[0]);
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

/* Each allocation of an exchange fails in turn, the ones of connecting included. */
static void no_memory_is_a_failure(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;
    uint64_t nth = 0, before, made;

    leat_clock_fake(LEAT_SEC, LEAT_SEC);
    client_grpc_start(w);
    do {
        client_sent_init(&s, "/p/m", "x");
        s.x.timeout = 2 * LEAT_SEC; /* the peer, too, may have been the one without memory */
        before = leat_mem_tries();
        leat_mem_fail_at(++nth);
        leat_client_send(w->client, &s.x);
        CLIENT_UNTIL(w->loop, s.done || (leat_clock_step(LEAT_MS), false));
        leat_mem_fail_at(0);
        made = leat_mem_tries() - before;
        assert_int_not_equal(s.a.net, LEAT_NET_CANCELLED);
        if (made < nth)
            assert_int_equal(s.a.net, LEAT_NET_OK); /* none failed */
        client_sent_done(&s);
        assert_true(nth < 1000);
        for (int i = 0; i < w->peer.nconns; i++)
            client_peer_abort(&w->peer.conns[i]);
        client_peer_forget(&w->peer);
        CLIENT_UNTIL(w->loop, leat_list_empty(&w->client->conns)); /* a fresh one each time */
    } while (made >= nth);
    assert_true(nth > 10);
    leat_clock_real();
}

#define T(f) cmocka_unit_test_setup_teardown(f, client_grpc_setup, client_grpc_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(many_calls_share_a_connection),
        T(the_peers_stream_limit_holds),
        T(large_messages_flow),
        T(headers_asked_for_are_kept),
        T(a_refused_stream_is_sent_once_more),
        T(a_reset_stream_has_failed),
        T(goaway_moves_what_was_not_processed),
        T(a_lost_connection_is_a_failure),
        T(nobody_listens),
        T(wait_for_ready_waits),
        T(a_timeout_resets_one_stream),
        T(a_peer_that_reads_nothing_times_out),
        T(a_silent_connection_is_not_used_again),
        T(goaway_at_once_is_a_failure),
        T(a_peer_that_allows_no_streams),
        T(never_ready),
        T(a_dead_peer_fails_its_ping),
        T(a_living_peer_answers_its_pings),
        T(cancelled_and_freed),
        T(freed_while_writing),
        T(no_memory_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
