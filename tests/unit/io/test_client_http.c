/* The client over HTTP/1.1: requests as they stand on the wire, the pool, credentials, a proxy. */
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
#include "lib/client_http_world.h"

static void one_request_on_the_wire(void **state)
{
    struct client_http_world *w = *state;
    struct leat_pair conf[] = {{"X-Token", "secret"}, {"Host", "other.example"}};
    struct leat_pair more[] = {{"x-more", "1"}, {"x-token", "loses"}};
    struct leat_bytes pieces[] = {leat_bytes_str("one "), leat_bytes_str(""),
                                  leat_bytes_str("two "), leat_bytes_str("three")};
    struct client_sent s;
    char want[512];

    w->conf.headers = (struct leat_pairs){conf, 2};
    client_http_open(w);
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
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
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
    struct client_http_world *w = *state;
    struct client_sent s[5];

    client_http_open(w);
    for (int i = 0; i < 3; i++) {
        client_http_exchange(w, &s[0], "x");
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
    struct client_http_world *w = *state;
    struct client_sent s[6];

    w->conf.max_conns_per_host = 3;
    w->conf.max_idle_conns_per_host = 1;
    client_http_open(w);
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
    struct client_http_world *w = *state;
    struct client_sent s;

    w->conf.idle_conn_timeout = 20 * LEAT_MS;
    client_http_open(w);
    client_http_exchange(w, &s, "x");
    client_sent_done(&s);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 1);
}

static void keep_alive_can_be_off(void **state)
{
    struct client_http_world *w = *state;
    struct client_sent s;

    w->conf.disable_keep_alives = true;
    client_http_open(w);
    for (int i = 0; i < 2; i++) {
        client_http_exchange(w, &s, "x");
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
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
    for (int i = 0; i < 3; i++) {
        w->reply = replies[i];
        client_http_exchange(w, &s, "x");
        assert_int_equal(s.a.net, LEAT_NET_OK);
        assert_string_equal(leat_text_get(&s.body), "hello");
        client_sent_done(&s);
        CLIENT_UNTIL(w->loop, w->peer.nclosed == i + 1);
    }
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
    struct client_http_world *w = *state;
    struct client_sent s;

    w->conf.auth.authenticator = "bearer";
    w->auth = &finder;
    client_http_open(w);
    mode = 0;
    client_http_exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_non_null(strstr(leat_text_get(&w->peer.conns[0].in), "\r\nauthorization: Bearer t\r\n"));
    client_sent_done(&s);
    mode = 1;
    client_http_exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_non_null(strstr(s.why, "the token has expired"));
    client_sent_done(&s);
    mode = 2;
    client_http_exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_FAILED);
    assert_null(strstr(s.why, "Bearer"));
    client_sent_done(&s);
    assert_int_equal(w->peer.requests, 1);
}

static void bad_exchange_headers_are_refused(void **state)
{
    static const struct leat_pair bad[] = {
        {"content-length", "3"}, {"x y", "z"}, {"x", "a\nb"}, {"transfer-encoding", "chunked"}};
    struct client_http_world *w = *state;
    struct client_sent s;

    client_http_open(w);
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
    struct client_http_world *w = *state;
    char proxy[80];
    struct client_sent s;

    snprintf(proxy, sizeof proxy, "http://%s", w->peer.endpoint);
    w->conf.proxy_url = proxy;
    snprintf(w->url, sizeof w->url, "http://far.example:4318/p");
    client_http_open(w);
    client_http_exchange(w, &s, "x");
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_memory_equal(
        leat_text_get(&w->peer.conns[0].in),
        "POST http://far.example:4318/p/v1/x HTTP/1.1\r\nhost: far.example:4318\r\n", 70);
    client_sent_done(&s);
}

static void check_refused(struct client_http_world *w, const char *url, const char *want)
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
    struct client_http_world *w = *state;
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
    w->conf.proxy_url = "https://p:1";
    check_refused(w, "http://h", "http:// URL");
    w->conf.proxy_url = "p:1";
    check_refused(w, "http://h", "proxy_url: ");
}

#define T(f) cmocka_unit_test_setup_teardown(f, client_http_setup, client_http_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_request_on_the_wire),          T(other_methods_and_own_path),
        T(connections_are_kept_and_shared),  T(the_pool_has_limits),
        T(idle_connections_grow_old),        T(keep_alive_can_be_off),
        T(peer_may_end_keep_alive),          T(requests_are_signed),
        T(bad_exchange_headers_are_refused), T(through_a_proxy),
        T(wrong_settings_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
