/* The client over TLS and over Unix sockets: ALPN, trust, HTTP/2 and HTTP/1.1. */
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
#include "io/h2.h"
#include "lib/client_grpc_world.h"

/* --- other transports */

static void over_a_unix_socket(void **state)
{
    struct client_grpc_world *w = *state;
    char folder[] = "/tmp/leat-client-XXXXXX", path[64];
    struct client_sent s;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    w->peer.unix_path = path;
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
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
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, path));
    client_sent_done(&s);
    rmdir(folder);
}

static void under_tls(void **state)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct client_grpc_world *w = *state;
    struct client_sent s;

    client_grpc_make_tls(w, alpn);
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    if (s.a.net != LEAT_NET_OK)
        fail_msg("%s", s.why);
    assert_string_equal(leat_text_get(&s.body), "answer");
    assert_non_null(strstr(leat_text_get(&w->peer.conns[0].headers), ":scheme: https\n"));
    client_sent_done(&s);
}

static void https_forces_tls(void **state)
{
    static const char *const alpn[] = {"h2", NULL};
    struct client_grpc_world *w = *state;
    struct client_sent s;

    client_grpc_make_tls(w, alpn);
    w->conf.tls.insecure = true;
    client_peer_start(&w->peer, w->loop, w->tls);
    snprintf(w->url, sizeof w->url, "https://%s", w->peer.endpoint);
    client_grpc_open(w);
    client_grpc_exchange(w, &s);
    if (s.a.net != LEAT_NET_OK)
        fail_msg("%s", s.why);
    client_sent_done(&s);
}

static void an_unknown_authority_is_refused(void **state)
{
    static const char *const alpn[] = {"h2", NULL};
    struct client_grpc_world *w = *state;
    struct client_sent s;

    client_grpc_make_tls(w, alpn);
    w->conf.tls.ca_pem = NULL;
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, w->peer.endpoint));
    client_sent_done(&s);
}

static void a_tls_peer_without_h2_is_named(void **state)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    struct client_grpc_world *w = *state;
    struct client_sent s;

    client_grpc_make_tls(w, alpn);
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "application protocol"));
    client_sent_done(&s);
}

static void a_tls_peer_without_alpn_is_named(void **state)
{
    static const char *const none[] = {NULL};
    struct client_grpc_world *w = *state;
    struct client_sent s;

    client_grpc_make_tls(w, none);
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "ALPN h2"));
    assert_non_null(strstr(s.why, w->peer.endpoint));
    client_sent_done(&s);
}

static void plain_answer(struct client_peer_conn *pc, int32_t stream)
{
    static const char *const ok[][2] = {{":status", "202"}, {"retry-after", "3"}, {NULL, NULL}};

    if (stream == 0)
        client_peer_text(pc, "HTTP/1.1 202 OK\r\nContent-Length: 2\r\n\r\nh1");
    else
        client_peer_headers_only(pc, stream, ok);
}

static void https_by_alpn(void **state)
{
    static const char *const both[] = {"h2", "http/1.1", NULL};
    struct client_grpc_world *w = *state;
    struct client_sent s;

    client_grpc_make_tls(w, both);
    w->http = true;
    w->conf.force_attempt_http2 = true;
    w->peer.request = plain_answer;
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
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
    struct client_grpc_world *w = *state;
    struct client_sent s[3];

    client_grpc_make_tls(w, both);
    w->http = true;
    w->conf.force_attempt_http2 = false;
    w->peer.http2 = false;
    w->peer.http1 = true;
    w->peer.request = plain_answer;
    client_grpc_start(w);
    for (int i = 0; i < 3; i++)
        client_grpc_send_one(w, &s[i]);
    for (int i = 0; i < 3; i++) {
        CLIENT_UNTIL(w->loop, s[i].done);
        if (s[i].a.net != LEAT_NET_OK)
            fail_msg("%s", s[i].why);
        assert_string_equal(leat_text_get(&s[i].body), "h1");
        client_sent_done(&s[i]);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, client_grpc_setup, client_grpc_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(over_a_unix_socket),
        T(under_tls),
        T(https_forces_tls),
        T(an_unknown_authority_is_refused),
        T(a_tls_peer_without_h2_is_named),
        T(a_tls_peer_without_alpn_is_named),
        T(https_by_alpn),
        T(https_without_h2),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
