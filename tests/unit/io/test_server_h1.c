/* HTTP/1.1 byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lib/io_server.h"

static struct io_served s;
static struct io_raw r;

static int setup(void **state)
{
    (void)state;
    io_served_init(&s);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    io_raw_done(&r);
    io_served_done(&s);
    return 0;
}

static void start(void)
{
    io_served_start(&s);
    io_raw_open(&r, leat_server_port(s.server));
}

static void ask(const char *request, const char *answer_has)
{
    io_raw_ask(&s, &r, request, answer_has);
}

#define OK "\r\n\r\nok"

static void post_is_taken(void **state)
{
    (void)state;
    start();
    ask("POST /v1/traces?a=b HTTP/1.1\r\nHost: here:4318\r\nContent-Type: Application/JSON; "
        "charset=x\r\nContent-Length: 5\r\nX-More: 1\r\n\r\nhello",
        OK);
    assert_true(io_raw_has(&r, "HTTP/1.1 200 OK\r\n"));
    assert_true(io_raw_has(&r, "content-length: 2\r\n"));
    assert_true(io_raw_has(&r, "\r\ndate: "));
    assert_false(io_raw_has(&r, "connection: close"));
    assert_string_equal(leat_text_get(&s.body), "hello");
    assert_string_equal(s.path, "/v1/traces");
    assert_string_equal(s.query, "a=b");
    assert_string_equal(s.type, "application/json");
    assert_string_equal(s.method, "POST");
    assert_string_equal(s.host, "here:4318");
    assert_int_equal(s.tag, 1);
    assert_int_equal(s.headers, 3); /* x-more was not asked for */
    assert_memory_equal(s.peer, "127.0.0.1:", 10);
    assert_false(s.http2);
}

static void byte_by_byte(void **state)
{
    static const char request[] = "POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n";

    (void)state;
    start();
    for (size_t i = 0; i < sizeof request - 1; i++) {
        assert_int_equal(io_raw_send(&r, request + i, 1), 1);
        leat_loop_turn(s.loop);
    }
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, OK));
    assert_string_equal(leat_text_get(&s.body), "abcde");
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", OK); /* the connection lives on */
    assert_int_equal(s.taken, 2);
}

static void large_body_goes_to_its_place(void **state)
{
    static char body[700000];
    char head[128];

    (void)state;
    start();
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)('a' + i * 7 % 26);
    snprintf(head, sizeof head,
             "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", sizeof body);
    io_raw_text(&r, head);
    IO_RAW_UNTIL(&s, &r, leat_budget_used(&s.budget) == LEAT_CALL_COST + sizeof body);
    assert_true(io_raw_send_all(&r, s.loop, body, sizeof body));
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, OK));
    assert_int_equal(s.body.len, sizeof body);
    assert_memory_equal(s.body.data, body, sizeof body);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    static const char two[] = "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1"
                              "POST /any/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n2"
                              "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

    (void)state;
    s.hold = true;
    start();
    io_raw_text(&r, two);
    for (size_t i = 0; i < 3; i++) {
        IO_RAW_UNTIL(&s, &r, s.nheld == i + 1);
        for (int turn = 0; turn < 10; turn++)
            leat_loop_turn(s.loop);
        assert_int_equal(s.nheld, i + 1); /* one at a time */
        assert_int_equal(s.tag, i == 0 ? 1 : i == 1 ? 4 : 2);
        io_served_answer(&s, i, NULL);
        IO_RAW_UNTIL(&s, &r, io_raw_count(&r, OK) == i + 1);
    }
    s.hold = false;
    ask(two, OK);
    IO_RAW_UNTIL(&s, &r, io_raw_count(&r, OK) == 3);
}

static void expect_continue(void **state)
{
    (void)state;
    start();
    ask("POST /v1/traces HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
        "2\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n");
    ask("hi", OK);
    assert_string_equal(leat_text_get(&s.body), "hi");
    ask("POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
        "2\r\n\r\n",
        "404 ");
    assert_true(io_raw_has(&r, "connection: close"));
    assert_false(io_raw_has(&r, "100 Continue"));
    io_raw_done(&r);
    io_raw_open(&r, leat_server_port(s.server));
    ask("POST /v1/traces HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 2\r\n\r\n",
        "417 ");
}

static void keep_alive_and_close(void **state)
{
    (void)state;
    start();
    ask("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", OK);
    assert_true(io_raw_has(&r, "connection: keep-alive"));
    ask("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", OK);
    assert_true(io_raw_has(&r, "connection: close"));
    IO_RAW_UNTIL(&s, &r, r.closed);
    io_raw_done(&r);
    io_raw_open(&r, leat_server_port(s.server));
    ask("GET /health HTTP/1.0\r\n\r\n", OK);
    IO_RAW_UNTIL(&s, &r, r.closed);
}

static void keep_alive_switched_off(void **state)
{
    (void)state;
    s.conf.keep_alives_enabled = false;
    start();
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", OK);
    assert_true(io_raw_has(&r, "connection: close\r\n"));
    IO_RAW_UNTIL(&s, &r, r.closed);
}

static void upgrades_are_ignored(void **state)
{
    (void)state;
    start();
    ask("GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", OK);
    ask("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "404 ");
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", OK);
}

static void half_closed_client_gets_its_answer(void **state)
{
    (void)state;
    s.hold = true;
    start();
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(r.fd, SHUT_WR);
    IO_RAW_UNTIL(&s, &r, s.nheld == 1);
    io_served_answer(&s, 0, NULL);
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_true(io_raw_has(&r, OK));
}

static void reply_after_the_client_has_gone(void **state)
{
    (void)state;
    s.hold = true;
    start();
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, s.nheld == 1);
    io_raw_done(&r);
    for (int i = 0; i < 20; i++)
        leat_loop_turn(s.loop);
    io_served_answer(&s, 0, NULL);
    io_raw_open(&r, leat_server_port(s.server));
    s.hold = false;
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", OK);
}

static void gzip_bodies(void **state)
{
    static char plain[2 << 20];
    uint8_t packed[65536];
    z_stream z;
    char head[160];

    (void)state;
    start();
    for (int big = 0; big < 2; big++) {
        memset(&z, 0, sizeof z);
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
        z.next_in = (Bytef *)plain;
        z.avail_in = big ? sizeof plain : 1000;
        z.next_out = packed;
        z.avail_out = sizeof packed;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        snprintf(head, sizeof head,
                 "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n"
                 "Content-Length: %lu\r\n\r\n",
                 z.total_out);
        leat_text_clear(&r.in);
        io_raw_text(&r, head);
        assert_true(io_raw_send_all(&r, s.loop, packed, z.total_out));
        IO_RAW_UNTIL(&s, &r, io_raw_has(&r, big ? "413 " : OK));
        deflateEnd(&z);
    }
    assert_int_equal(s.body.len, 1000);
    assert_true(s.budget.peak < 3 << 20);
    ask("POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: "
        "4\r\n\r\nabcd",
        "400 ");
    assert_int_equal(s.last_refusal.reason, LEAT_REFUSED_MALFORMED);
}

static void on_drained(void *arg)
{
    *(bool *)arg = true;
}

static void drain_waits_for_calls(void **state)
{
    struct io_raw idle;

    (void)state;
    s.hold = true;
    start();
    io_raw_open(&idle, leat_server_port(s.server));
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    io_raw_text(&idle, "\r\n");
    IO_RAW_UNTIL(&s, &r, s.nheld == 1);
    leat_server_drain(s.server, on_drained, &s.drained);
    IO_RAW_UNTIL(&s, &idle, idle.closed);
    io_raw_done(&idle);
    assert_false(s.drained);
    io_served_answer(&s, 0, NULL);
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_true(io_raw_has(&r, "connection: close"));
    assert_true(io_raw_has(&r, OK));
    assert_true(s.drained);
}

static void calls_outlive_the_server(void **state)
{
    (void)state;
    s.hold = true;
    start();
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, s.nheld == 1);
    leat_server_free(s.server);
    s.server = NULL;
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_string_equal(leat_call_info(s.held[0])->peer, s.peer);
    io_served_answer(&s, 0, NULL);
    assert_int_equal(r.in.len, 0);
}

static void cors_is_answered(void **state)
{
    const char *origins[] = {"https://*.example.com"}, *heads[] = {"X-Api-Key"};

    (void)state;
    s.conf.cors.allowed_origins = (struct leat_strings){origins, 1};
    s.conf.cors.allowed_headers = (struct leat_strings){heads, 1};
    s.conf.cors.max_age = 600;
    start();
    ask("OPTIONS /v1/traces HTTP/1.1\r\nHost: a\r\nOrigin: "
        "https://App.example.com\r\nAccess-Control-Request-Method: "
        "POST\r\nAccess-Control-Request-Headers: content-type, x-api-key\r\n\r\n",
        "\r\n\r\n");
    assert_true(io_raw_has(&r, "204 No Content"));
    assert_true(io_raw_has(&r, "access-control-allow-origin: https://App.example.com\r\n"));
    assert_true(io_raw_has(&r, "access-control-allow-credentials: true\r\n"));
    assert_true(io_raw_has(&r, "access-control-allow-methods: POST\r\n"));
    assert_true(io_raw_has(&r, "access-control-allow-headers: content-type, x-api-key\r\n"));
    assert_true(io_raw_has(&r, "access-control-max-age: 600\r\n"));
    ask("OPTIONS /v1/traces HTTP/1.1\r\nHost: a\r\nOrigin: "
        "https://example.org\r\nAccess-Control-Request-Method: POST\r\n\r\n",
        "\r\n\r\n");
    assert_false(io_raw_has(&r, "access-control-allow"));
    ask("OPTIONS /v1/traces HTTP/1.1\r\nHost: a\r\nOrigin: "
        "https://a.example.com\r\nAccess-Control-Request-Method: "
        "POST\r\nAccess-Control-Request-Headers: x-other\r\n\r\n",
        "\r\n\r\n");
    assert_false(io_raw_has(&r, "access-control-allow-headers"));
    ask("GET /health HTTP/1.1\r\nHost: a\r\nOrigin: https://b.example.com\r\n\r\n", OK);
    assert_true(io_raw_has(&r, "access-control-allow-origin: https://b.example.com\r\n"));
    assert_true(io_raw_has(&r, "vary: Origin\r\n"));
}

static void reply_headers(void **state)
{
    struct leat_pair always[] = {{"X-Always", "yes"}},
                     more[] = {{"x-more", "1"}, {"x-evil", "a\r\nb: c"}};
    struct leat_reply reply = {.status = 429, .retry_after_s = 7, .headers = more, .nheaders = 2};

    (void)state;
    s.hold = true;
    s.conf.response_headers = (struct leat_pairs){always, 1};
    start();
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, s.nheld == 1);
    io_served_answer(&s, 0, &reply);
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "\r\n\r\n"));
    assert_true(io_raw_has(&r, "429 Too Many Requests"));
    assert_true(io_raw_has(&r, "x-always: yes\r\n"));
    assert_true(io_raw_has(&r, "x-more: 1\r\n"));
    assert_true(io_raw_has(&r, "retry-after: 7\r\n"));
    assert_false(io_raw_has(&r, "evil"));
}

static void large_reply(void **state)
{
    size_t n = 3 << 20;
    char *big = leat_new(n);
    struct leat_reply reply = {.status = 200, .body = {(uint8_t *)big, n}};

    (void)state;
    memset(big, 'z', n);
    s.hold = true;
    start();
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, s.nheld == 1);
    io_served_answer(&s, 0, &reply);
    leat_free(big);
    IO_RAW_UNTIL(&s, &r, r.in.len > n);
    s.hold = false;
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", OK);
}

static void allocations_per_request(void **state)
{
    static const char request[] = "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: "
                                  "application/x-protobuf\r\nContent-Length: 5\r\n\r\nhello";
    uint64_t before;

    (void)state;
    start();
    ask(request, OK);
    before = leat_mem_tries();
    leat_text_clear(&r.in);
    s.body.len = 0;
    io_raw_text(&r, request);
    while (leat_loop_turn(s.loop), s.taken < 2)
        ;
    assert_int_equal(leat_mem_tries() - before, 2); /* call, body; the reply's room is kept */
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, OK));
}

static void every_allocation_may_fail(void **state)
{
    static const char request[] = "POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

    (void)state;
    io_served_start(&s);
    leat_text_reserve(&s.body, 100);
    for (uint64_t n = 1; n < 12; n++) {
        io_raw_open(&r, leat_server_port(s.server));
        leat_text_reserve(&r.in, 4096);
        io_raw_text(&r, request);
        leat_mem_fail_at(n);
        IO_RAW_UNTIL(&s, &r, r.closed || io_raw_has(&r, "HTTP/1.1 503") || io_raw_has(&r, OK));
        leat_mem_fail_at(0);
        if (n < 11)
            io_raw_done(&r);
    }
    ask(request, OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(post_is_taken),
        T(byte_by_byte),
        T(large_body_goes_to_its_place),
        T(pipelined_requests_are_answered_in_order),
        T(expect_continue),
        T(keep_alive_and_close),
        T(keep_alive_switched_off),
        T(upgrades_are_ignored),
        T(half_closed_client_gets_its_answer),
        T(reply_after_the_client_has_gone),
        T(gzip_bodies),
        T(drain_waits_for_calls),
        T(calls_outlive_the_server),
        T(cors_is_answered),
        T(reply_headers),
        T(large_reply),
        T(allocations_per_request),
        T(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
