/* HTTP/1.1: what is refused, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "io/server_h1.h"
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

static void bad_requests_are_refused(void **state)
{
    static const struct {
        const char *request, *answer;
    } cases[] = {
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n",
         "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
         "3\r\n\r\n0\r\n\r\n",
         "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: "
         "3\r\n\r\nabc",
         "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
         "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n", "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, "
         "chunked\r\n\r\n0\r\n\r\n",
         "501 Not Implemented"},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
         "chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "400 "},
        {"POST /v1/traces HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 "},
        {"GET /health HTTP/1.1\r\nHost: a\r\n:path: /v1/traces\r\n\r\n", "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
         "chunked\r\n\r\nfffffffffffffffff\r\n",
         "400 "},
        {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nX\n0\n\n",
         "400 "},
        {"GET /health HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n", "400 "},
        {"GET /health HTTP/1.1\nHost: a\n\n", "400 "},
        {"GET /health HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "400 "},
        {"GET /health HTTP/1.1\r\nHost : a\r\n\r\n", "400 "},
        {"GET /health HTTP/1.1\r\n\r\n", "400 "},
        {"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 "},
        {"GET /health HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported"},
        {"GET /health HTTP/9.9\r\nHost: a\r\n\r\n", "400 "},
        {"GARBAGE\r\n\r\n", "400 "},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n", "400 "},
    };

    (void)state;
    io_served_start(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        io_raw_open(&r, leat_server_port(s.server));
        ask(cases[i].request, cases[i].answer);
        IO_RAW_UNTIL(&s, &r, r.closed);
        assert_int_equal(s.taken, 0);
        if (i + 1 < sizeof cases / sizeof *cases)
            io_raw_done(&r);
    }
}

static void refusals_that_keep_the_connection(void **state)
{
    (void)state;
    start();
    ask("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found");
    assert_int_equal(s.last_refusal.reason, LEAT_REFUSED_NOT_FOUND);
    assert_false(io_raw_has(&r, "connection: close"));
    ask("GET /v1/traces HTTP/1.1\r\nHost: a\r\n\r\n", "405 Method Not Allowed");
    assert_true(io_raw_has(&r, "allow: POST\r\n"));
    ask("PUT /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", "405 ");
    ask("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n", "404 ");
    {
        static char rest[70000];

        assert_true(io_raw_send_all(&r, s.loop, rest, sizeof rest));
    }
    ask("POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: "
        "2\r\n\r\nxx",
        "400 ");
    assert_int_equal(s.last_refusal.reason, LEAT_REFUSED_ENCODING);
    ask("POST /test.Service/Export HTTP/1.1\r\nHost: a\r\nContent-Type: "
        "application/grpc\r\nContent-Length: 2\r\n\r\nxx",
        "415 ");
    ask("HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n", "content-length: 2\r\n");
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", "ok");
    assert_int_equal(io_raw_count(&r, "HTTP/1.1 "), 1);
    ask("GET http://a.example/health HTTP/1.1\r\nHost: a.example\r\n\r\n", "ok");
    assert_int_equal(s.taken, 3);
}

static void caps_of_headers(void **state)
{
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 1 << 20);
    io_served_start(&s);
    for (int which = 0; which < 3; which++) {
        leat_text_clear(&t);
        leat_text_str(&t, "GET /health");
        for (int i = 0; which == 0 && i < 10000; i++)
            leat_text_char(&t, 'x');
        leat_text_str(&t, " HTTP/1.1\r\nHost: a\r\n");
        for (int i = 0; which == 1 && i < 130; i++)
            leat_text_printf(&t, "x-%d: v\r\n", i);
        if (which == 2)
            leat_text_str(&t, "x-long: ");
        for (int i = 0; which == 2 && i < 70000; i++)
            leat_text_char(&t, 'x');
        leat_text_str(&t, "\r\n\r\n");
        io_raw_open(&r, leat_server_port(s.server));
        io_raw_send_all(&r, s.loop, t.data, t.len);
        IO_RAW_UNTIL(&s, &r, io_raw_has(&r, which == 0 ? "414 URI Too Long" : "431 Request"));
        io_raw_done(&r);
    }
    leat_text_done(&t);
    io_raw_open(&r, leat_server_port(s.server));
    assert_int_equal(s.taken, 0);
}

static void bodies_over_the_limit(void **state)
{
    static char chunk[65536];
    char head[16];

    (void)state;
    start();
    ask("POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n",
        "413 Content Too Large");
    assert_int_equal(s.last_refusal.reason, LEAT_REFUSED_TOO_LARGE);
    assert_int_equal(s.budget.peak, LEAT_CALL_COST); /* refused before a body was made room for */
    io_raw_done(&r);
    io_raw_open(&r, leat_server_port(s.server));
    io_raw_text(&r, "POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    snprintf(head, sizeof head, "%zx\r\n", sizeof chunk);
    for (int i = 0; i < 17 && !r.closed; i++) {
        io_raw_send_all(&r, s.loop, head, strlen(head));
        io_raw_send_all(&r, s.loop, chunk, sizeof chunk);
        io_raw_send_all(&r, s.loop, "\r\n", 2);
    }
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "413 "));
    assert_true(s.budget.peak <= LEAT_CALL_COST + (1 << 20));
    assert_int_equal(s.taken, 0);
}

static void chunks_that_are_all_framing(void **state)
{
    char line[300];

    (void)state;
    start();
    memset(line, 'x', sizeof line);
    memcpy(line, "1;", 2);
    memcpy(line + sizeof line - 5, "\r\na\r\n", 5);
    io_raw_text(&r, "POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 200 && !io_raw_has(&r, "400 "); i++)
        io_raw_send_all(&r, s.loop, line, sizeof line);
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "400 "));
    assert_int_equal(s.taken, 0);
}

static void budget_spent_is_said(void **state)
{
    (void)state;
    s.budget.limit = LEAT_CALL_COST + 1000;
    start();
    ask("POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n",
        "503 Service Unavailable");
    assert_true(io_raw_has(&r, "retry-after: 1\r\n"));
    assert_int_equal(s.last_refusal.reason, LEAT_REFUSED_OVERLOAD);
}

static void truncated_body_frees_all(void **state)
{
    (void)state;
    start();
    io_raw_text(&r, "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\nabc");
    IO_RAW_UNTIL(&s, &r, leat_budget_used(&s.budget) == LEAT_CALL_COST + 9999);
    shutdown(r.fd, SHUT_WR);
    IO_RAW_UNTIL(&s, &r, leat_budget_used(&s.budget) == 0);
    assert_int_equal(s.taken, 0);
}

static void no_compression_when_switched_off(void **state)
{
    (void)state;
    s.conf.has_compression_algorithms = true;
    start();
    ask("POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: "
        "4\r\n\r\nabcd",
        "400 ");
    assert_int_equal(s.last_refusal.reason, LEAT_REFUSED_ENCODING);
    ask("POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Encoding: identity\r\nContent-Length: "
        "4\r\n\r\nabcd",
        OK);
}

static void grpc_port_says_so(void **state)
{
    (void)state;
    s.env.grpc_only = true;
    start();
    ask("POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxx", "4318");
    assert_true(io_raw_has(&r, "HTTP/1.1 400 "));
}

static void slow_clients_are_ended(void **state)
{
    (void)state;
    s.conf.read_header_timeout = 40 * LEAT_MS;
    s.conf.read_timeout = 60 * LEAT_MS;
    s.conf.idle_timeout = 50 * LEAT_MS;
    io_served_start(&s);
    io_raw_open(&r, leat_server_port(s.server)); /* says nothing */
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_int_equal(r.in.len, 0);
    io_raw_done(&r);
    io_raw_open(&r, leat_server_port(s.server));
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHos");
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_true(io_raw_has(&r, "408 Request Timeout"));
    io_raw_done(&r);
    io_raw_open(&r, leat_server_port(s.server));
    io_raw_text(&r, "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_true(io_raw_has(&r, "408 Request Timeout"));
    io_raw_done(&r);
    io_raw_open(&r, leat_server_port(s.server));
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", OK);
    IO_RAW_UNTIL(&s, &r, r.closed);
}

static void unwanted_bodies_are_thrown_away(void **state)
{
    static char body[65536];

    (void)state;
    start();
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n");
    assert_true(io_raw_send_all(&r, s.loop, body, sizeof body));
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, OK));
    assert_int_equal(s.body.len, 0);
    assert_int_equal(s.budget.peak, 0);
    ask("GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", "413 ");
}

static void stalled_bodies_are_given_up(void **state)
{
    (void)state;
    leat_clock_fake(1000 * LEAT_SEC, 1000 * LEAT_SEC);
    start();
    io_raw_text(&r, "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\nx");
    IO_RAW_UNTIL(&s, &r, leat_budget_used(&s.budget) == LEAT_CALL_COST + 99999);
    for (int i = 0; i < 40 && !io_raw_has(&r, "408 "); i++) {
        assert_int_equal(leat_budget_used(&s.budget), i <= 30 ? LEAT_CALL_COST + 99999 : 0);
        leat_clock_step(LEAT_SEC);
        for (int turn = 0; turn < 5; turn++)
            leat_loop_turn(s.loop);
        io_raw_send(&r, "y", 1); /* a byte a second is no progress */
        io_raw_poll(&r);
    }
    assert_true(io_raw_has(&r, "408 "));
    assert_int_equal(leat_budget_used(&s.budget), 0);
    leat_clock_real();
}

/* Looks at a header block in pieces of `step` bytes. Returns how many belong to it. */
static size_t scan(const uint8_t *data, size_t len, size_t step, bool *ret_end,
                   uint32_t *ret_status)
{
    struct leat_h1 h = {.lines = 0};
    size_t at = 0;

    *ret_end = false;
    *ret_status = 0;
    while (at < len && !*ret_end && *ret_status == 0) {
        size_t n = len - at < step ? len - at : step;

        at += leat_h1_scan(&h, data + at, n, ret_end, ret_status);
    }
    return at;
}

/* Whole lines are judged at once, parts of one byte by byte: both must come to the same. */
static void header_bytes_are_judged_alike_however_they_are_cut(void **state)
{
    static const char *const parts[] = {"\r\n", "\r\n", "\r\n", "a",   ":", " ",       "\t",
                                        "\r",   "\n",   "b: c", "d:e", "f", "\r\n\r\n"};
    uint8_t block[512];
    size_t ends = 0, refused = 0;

    (void)state;
    leat_random_fake(4711);
    for (int round = 0; round < 20000; round++) {
        size_t len = 0, whole, single;
        bool end, end1;
        uint32_t status, status1;

        while (len < sizeof block - 8 && leat_random() % 24 != 0) {
            uint64_t pick = leat_random() % (sizeof parts / sizeof *parts + 1);
            const char *part = pick < sizeof parts / sizeof *parts ? parts[pick] : "";
            size_t n = *part != '\0' ? strlen(part) : leat_random() % 64 == 0;

            memcpy(block + len, part, n); /* the empty one: now and then its zero byte */
            len += n;
        }
        whole = scan(block, len, sizeof block, &end, &status);
        single = scan(block, len, 1, &end1, &status1);
        assert_int_equal(whole, single);
        assert_int_equal(end, end1);
        assert_int_equal(status, status1);
        whole = scan(block, len, 7, &end, &status);
        assert_int_equal(whole, single);
        assert_int_equal(end, end1);
        assert_int_equal(status, status1);
        ends += end;
        refused += status != 0;
    }
    leat_random_fake(1);
    assert_true(ends > 1000 && refused > 1000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_bytes_are_judged_alike_however_they_are_cut),
        T(bad_requests_are_refused),
        T(refusals_that_keep_the_connection),
        T(caps_of_headers),
        T(bodies_over_the_limit),
        T(chunks_that_are_all_framing),
        T(budget_spent_is_said),
        T(truncated_body_frees_all),
        T(no_compression_when_switched_off),
        T(grpc_port_says_so),
        T(slow_clients_are_ended),
        T(unwanted_bodies_are_thrown_away),
        T(stalled_bodies_are_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
