/* The client over gRPC: calls as they stand on the wire, and answers good and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/grpc.h"
#include "io/h2.h"
#include "io/h2_memory.h"
#include "lib/client_grpc_world.h"

static void one_call_on_the_wire(void **state)
{
    struct client_grpc_world *w = *state;
    struct leat_pair conf[] = {{"X-Token", "secret"}, {"x-more", "loses"}};
    struct leat_pair more[] = {{"x-more", "1"}};
    struct leat_bytes pieces[] = {leat_bytes_str("mes"), leat_bytes_str(""),
                                  leat_bytes_str("sage")};
    struct client_sent s;
    char want[512];

    w->conf.headers = (struct leat_pairs){conf, 2};
    client_grpc_start(w);
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
    struct client_grpc_world *w = *state;
    struct client_sent s;
    const char *headers;

    w->conf.authority = "name.example";
    w->conf.user_agent = "mine/1";
    client_grpc_start(w);
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
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->status = "8";
    w->more = padded;
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    assert_int_equal(s.a.grpc_status, 8);
    assert_string_equal(leat_text_get(&s.message), "quota \xC3\xA9 100%");
    assert_int_equal(s.details.len, 4);
    assert_memory_equal(s.details.data, "\1\2\3\4", 4);
    client_sent_done(&s);
    w->more = bare;
    client_grpc_exchange(w, &s);
    assert_int_equal(s.details.len, 4);
    client_sent_done(&s);
    w->status = "abc";
    client_grpc_exchange(w, &s);
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
    client_peer_headers_only(pc, stream, plain->nv);
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
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.request = answer_headers_only;
    client_grpc_start(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        plain = &cases[i];
        client_grpc_exchange(w, &s);
        assert_int_equal(s.a.net, cases[i].net);
        assert_int_equal(s.a.has_grpc_status, cases[i].has);
        assert_int_equal(s.a.grpc_status, cases[i].grpc_status);
        client_sent_done(&s);
    }
    assert_int_equal(w->peer.nconns, 1);
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
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.http2 = false;
    w->peer.read = raw_read;
    client_grpc_start(w);
    for (hostile = 0; hostile < 2; hostile++) {
        client_grpc_exchange(w, &s);
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
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.http2 = false;
    w->peer.opened = speak_http1;
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
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
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.request = answer_large;
    client_grpc_start(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        large = &cases[i];
        client_grpc_exchange(w, &s);
        if (s.a.net != cases[i].net || strstr(s.why, cases[i].why) == NULL)
            fail_msg("case %zu: %d %s", i, s.a.net, s.why);
        if (large->trailers != 0 && s.a.net == LEAT_NET_OK)
            assert_int_equal(s.message.len, 1024);
        client_sent_done(&s);
    }
}

static void one_allocation_of_ours_per_call(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    client_sent_done(&s);
    w->hold = 1;
    {
        uint64_t all = leat_mem_tries(), theirs = leat_h2_tries();
        client_sent_init(&s, "/pkg.Service/Export", "message");
        leat_client_send(w->client, &s.x);
        assert_int_equal(leat_mem_tries() - all - (leat_h2_tries() - theirs), 1);
    }
    CLIENT_UNTIL(w->loop, w->peer.requests == 2);
    client_grpc_answer(&w->peer.conns[0], 3);
    CLIENT_UNTIL(w->loop, s.done);
    client_sent_done(&s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, client_grpc_setup, client_grpc_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_call_on_the_wire),       T(settings_of_grpc),
        T(status_message_and_details), T(answers_of_headers_only),
        T(bytes_that_are_no_http2),    T(a_peer_of_http1_is_named),
        T(answers_out_of_bounds),      T(one_allocation_of_ours_per_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
