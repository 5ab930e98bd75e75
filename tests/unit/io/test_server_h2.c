/* HTTP/2 and gRPC, by an honest client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/grpc.h"
#include "io/h2.h"
#include "io/h2_memory.h"
#include "lib/io_h2_peer.h"

static struct io_served s;
static struct io_h2_peer p;
static bool p_open;

static int setup(void **state)
{
    (void)state;
    io_served_init(&s);
    p_open = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (p_open)
        io_h2_done(&p);
    io_served_done(&s);
    return 0;
}

static void start(void)
{
    io_served_start(&s);
    io_h2_open(&p, leat_server_port(s.server));
    p_open = true;
}

static struct io_h2_answer *until_closed(struct io_h2_answer *a)
{
    IO_H2_UNTIL(&s, &p, a->closed || p.raw.closed);
    assert_true(a->closed);
    return a;
}

#define MESSAGE "\0\0\0\0\5hello"
#define HELD    (LEAT_CALL_COST - LEAT_BODY_COST) /* a call the service keeps without its body */

/* --- honest */

static void unary_call(void **state)
{
    struct io_h2_answer *a;

    (void)state;
    start();
    a = until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10));
    assert_int_equal(a->status, 200);
    assert_int_equal(a->grpc_status, 0);
    assert_int_equal(a->code, NGHTTP2_NO_ERROR);
    assert_false(a->trailers_only);
    assert_string_equal(a->type, "application/grpc");
    assert_int_equal(a->body.len, 5);
    assert_memory_equal(a->body.data, "\0\0\0\0\0", 5);
    assert_string_equal(leat_text_get(&s.body), "hello");
    assert_string_equal(s.host, "here:1");
    assert_string_equal(s.path, "/test.Service/Export");
    assert_true(s.grpc && s.http2);
    assert_int_equal(s.tag, 3);
}

static void http_over_h2(void **state)
{
    struct io_h2_answer *a;

    (void)state;
    start();
    a = until_closed(io_h2_ask(&p, "POST", "/v1/traces?x", "application/json", NULL, "{}", 2));
    assert_int_equal(a->status, 200);
    assert_string_equal(leat_text_get(&a->body), "ok");
    assert_string_equal(leat_text_get(&s.body), "{}");
    assert_string_equal(s.query, "x");
    a = until_closed(io_h2_ask(&p, "GET", "/health", NULL, NULL, NULL, 0));
    assert_int_equal(a->status, 200);
    a = until_closed(io_h2_ask(&p, "HEAD", "/health", NULL, NULL, NULL, 0));
    assert_int_equal(a->status, 200);
    assert_int_equal(a->body.len, 0);
    a = until_closed(io_h2_ask(&p, "GET", "/v1/traces", NULL, NULL, NULL, 0));
    assert_int_equal(a->status, 405);
    a = until_closed(io_h2_ask(&p, "GET", "/none", NULL, NULL, NULL, 0));
    assert_int_equal(a->status, 404);
    a = until_closed(io_h2_ask(&p, "POST", "/test.Service/Export", "text/x", NULL, "a", 1));
    assert_int_equal(a->status, 415);
    assert_int_equal(s.taken, 3);
}

static void many_calls_on_one_connection(void **state)
{
    struct io_h2_answer *a[20];

    (void)state;
    start();
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 1; i++)
            a[i] = io_h2_grpc(&p, NULL, MESSAGE, 10);
        until_closed(a[0]);
        assert_int_equal(a[0]->grpc_status, 0);
    }
    assert_int_equal(s.taken, 20);
    assert_false(p.goaway);
}

static void large_message_and_windows(void **state)
{
    static char body[5 + (1 << 20)];
    struct io_h2_answer *a;

    (void)state;
    start();
    leat_grpc_prefix_write((uint8_t *)body, false, 1 << 20);
    for (size_t i = 5; i < sizeof body; i++)
        body[i] = (char)(i * 31);
    /* 20 MiB in all: more than the connection's window, so credit must come back. */
    for (int i = 0; i < 20; i++) {
        a = until_closed(io_h2_grpc(&p, NULL, body, sizeof body));
        assert_int_equal(a->grpc_status, 0);
        assert_int_equal(s.body.len, 1 << 20);
        assert_memory_equal(s.body.data, body + 5, 1 << 20);
    }
    assert_int_equal(s.budget.peak, LEAT_CALL_COST + (1 << 20));
}

static void replies(void **state)
{
    struct leat_reply r = {.body = {(const uint8_t *)"partial", 7}};
    struct io_h2_answer *a;

    (void)state;
    s.hold = true;
    start();
    a = io_h2_grpc(&p, NULL, MESSAGE, 10);
    IO_H2_UNTIL(&s, &p, s.nheld == 1);
    io_served_answer(&s, 0, &r);
    until_closed(a);
    assert_int_equal(a->body.len, 12);
    assert_memory_equal(a->body.data, "\0\0\0\0\7partial", 12);
    r = (struct leat_reply){.grpc_status = 14,
                            .grpc_message = "later: 100%\n",
                            .grpc_details = {(const uint8_t *)"\x08\x0e\x12\x01", 4}};
    a = io_h2_grpc(&p, NULL, MESSAGE, 10);
    IO_H2_UNTIL(&s, &p, s.nheld == 2);
    io_served_answer(&s, 1, &r);
    until_closed(a);
    assert_true(a->trailers_only);
    assert_int_equal(a->status, 200);
    assert_int_equal(a->grpc_status, 14);
    assert_string_equal(a->grpc_message, "later: 100%25%0A");
    assert_string_equal(a->details, "CA4SAQ");
}

static void allocations_per_request(void **state)
{
    uint64_t before, theirs;

    (void)state;
    start();
    until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10));
    s.hold = true;
    s.body.len = 0;
    io_h2_grpc(&p, NULL, MESSAGE, 10);
    before = leat_mem_tries();
    theirs = leat_h2_tries();
    while (s.nheld == 0) {
        const uint8_t *data;
        ssize_t n;

        while ((n = nghttp2_session_mem_send(p.session, &data)) > 0)
            io_raw_send(&p.raw, data, (size_t)n);
        leat_loop_turn(s.loop);
    }
    io_served_answer(&s, 0, NULL);
    leat_loop_turn(s.loop);
    before = leat_mem_tries() - before;
    theirs = leat_h2_tries() - theirs;
    print_message("allocations: ours %d, nghttp2's %d\n", (int)(before - theirs), (int)theirs);
    assert_int_equal(before - theirs, 2); /* call and body */
    until_closed(&p.answers[1]);
}

/* --- refusals */

static void expect_grpc(const struct io_h2_header *more, const void *body, size_t len, int code)
{
    struct io_h2_answer *a = until_closed(io_h2_grpc(&p, more, body, len));

    if (a->grpc_status != code)
        print_error("message: %s\n", a->grpc_message);
    assert_int_equal(a->grpc_status, code);
    assert_true(a->trailers_only);
    assert_int_equal(a->status, 200);
    assert_int_equal(a->code, NGHTTP2_NO_ERROR);
}

static void bad_messages(void **state)
{
    static const struct io_h2_header brotli[] = {{"grpc-encoding", "br"}, {NULL, NULL}},
                                     gzip[] = {{"grpc-encoding", "gzip"}, {NULL, NULL}};

    (void)state;
    start();
    expect_grpc(NULL, "\0\0\0\0\5hell", 9, LEAT_GRPC_INVALID_ARGUMENT);     /* cut off */
    expect_grpc(NULL, "\0\0\0", 3, LEAT_GRPC_INVALID_ARGUMENT);             /* in the prefix */
    expect_grpc(NULL, "", 0, LEAT_GRPC_INVALID_ARGUMENT);                   /* no message */
    expect_grpc(NULL, NULL, 0, LEAT_GRPC_INVALID_ARGUMENT);                 /* no body */
    expect_grpc(NULL, "\0\0\0\0\5hello\0", 11, LEAT_GRPC_INVALID_ARGUMENT); /* two messages */
    expect_grpc(NULL, "\0\0\0\0\0\0\0\0\0\0", 10, LEAT_GRPC_INVALID_ARGUMENT);
    expect_grpc(NULL, "\2\0\0\0\5hello", 10, LEAT_GRPC_INVALID_ARGUMENT); /* flag */
    expect_grpc(NULL, "\1\0\0\0\5hello", 10, LEAT_GRPC_INVALID_ARGUMENT); /* compressed how? */
    expect_grpc(brotli, MESSAGE, 10, LEAT_GRPC_UNIMPLEMENTED);
    assert_string_equal(p.answers[p.n - 1].accept, "identity,gzip,zstd,snappy");
    expect_grpc(gzip, "\1\0\0\0\5hello", 10, LEAT_GRPC_INVALID_ARGUMENT); /* not gzip */
    assert_int_equal(s.taken, 0);
    until_closed(io_h2_grpc(&p, gzip, MESSAGE, 10)); /* may be left plain */
    until_closed(io_h2_grpc(&p, NULL, "\0\0\0\0\0", 5));
    assert_int_equal(s.taken, 2);
    assert_int_equal(s.body.len, 0);
    assert_int_equal(until_closed(io_h2_ask(&p, "POST", "/test.Service/Other",
                                            "application/grpc+proto", NULL, MESSAGE, 10))
                         ->grpc_status,
                     LEAT_GRPC_UNIMPLEMENTED);
    assert_false(p.goaway);
}

static void too_large_is_said_at_once(void **state)
{
    struct io_h2_answer *a;

    (void)state;
    start();
    p.upload_stays = true; /* prefix, one byte, then silence */
    a = io_h2_grpc(&p, NULL, "\0\x7f\xff\xff\xffx", 6);
    until_closed(a);
    assert_int_equal(a->grpc_status, LEAT_GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(s.budget.peak, LEAT_CALL_COST);
    p.upload_stays = false;
    a = until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10));
    assert_int_equal(a->grpc_status, 0);
}

static void budget_spent_is_said(void **state)
{
    struct io_h2_answer *a;

    (void)state;
    s.budget.limit = LEAT_CALL_COST + 4;
    start();
    a = until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10));
    assert_int_equal(a->grpc_status, LEAT_GRPC_UNAVAILABLE);
    assert_int_equal(s.last_refusal.reason, LEAT_REFUSED_OVERLOAD);
    assert_true(s.last_refusal.retry_after_ms > 0);
}

static void refused_bytes_do_not_use_up_the_connection(void **state)
{
    static char body[600000];
    struct io_h2_answer *a;

    (void)state;
    s.budget.limit = LEAT_CALL_COST + 1000;
    start();
    leat_grpc_prefix_write((uint8_t *)body, false, sizeof body - 5);
    for (int i = 0; i < 28; i++) /* 16.8 MB: more than the window of the connection */
        until_closed(io_h2_ask(&p, "POST", i % 2 ? "/nowhere" : "/test.Service/Export",
                               "application/grpc", NULL, body, sizeof body));
    a = until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10));
    assert_int_equal(a->grpc_status, 0);
    assert_false(p.goaway);
}

static void compressed_messages(void **state)
{
    static const struct io_h2_header gzip[] = {{"grpc-encoding", "gzip"}, {NULL, NULL}};
    static char plain[2 << 20];
    uint8_t packed[65536];
    z_stream z;

    (void)state;
    start();
    for (int big = 0; big < 2; big++) {
        struct io_h2_answer *a;

        memset(&z, 0, sizeof z);
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
        z.next_in = (Bytef *)plain;
        z.avail_in = big ? sizeof plain : 1000;
        z.next_out = packed + 5;
        z.avail_out = sizeof packed - 5;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        leat_grpc_prefix_write(packed, true, (uint32_t)z.total_out);
        a = until_closed(io_h2_grpc(&p, gzip, packed, z.total_out + 5));
        assert_int_equal(a->grpc_status, big ? LEAT_GRPC_RESOURCE_EXHAUSTED : 0);
        deflateEnd(&z);
    }
    assert_int_equal(s.body.len, 1000);
}

static void deadlines(void **state)
{
    static const struct io_h2_header soon[] = {{"grpc-timeout", "20m"}, {NULL, NULL}};
    struct io_h2_answer *a;

    (void)state;
    s.hold = true;
    start();
    a = until_closed(io_h2_grpc(&p, soon, MESSAGE, 10));
    assert_int_equal(a->grpc_status, LEAT_GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(s.nheld, 1);
    io_served_answer(&s, 0, NULL); /* goes nowhere */
    p.upload_stays = true;
    a = until_closed(io_h2_grpc(&p, soon, MESSAGE, 7)); /* never complete */
    assert_int_equal(a->grpc_status, LEAT_GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(leat_budget_used(&s.budget), 0);
    assert_int_equal(s.last_refusal.reason, LEAT_REFUSED_TIMEOUT);
}

static void client_resets(void **state)
{
    struct io_h2_answer *a;

    (void)state;
    s.hold = true;
    start();
    a = io_h2_grpc(&p, NULL, MESSAGE, 10);
    IO_H2_UNTIL(&s, &p, s.nheld == 1);
    nghttp2_submit_rst_stream(p.session, 0, a->id, NGHTTP2_CANCEL);
    p.upload_stays = true;
    a = io_h2_grpc(&p, NULL, MESSAGE, 8);
    IO_H2_UNTIL(&s, &p, leat_budget_used(&s.budget) == HELD + LEAT_CALL_COST + 5);
    nghttp2_submit_rst_stream(p.session, 0, a->id, NGHTTP2_CANCEL);
    IO_H2_UNTIL(&s, &p, leat_budget_used(&s.budget) == HELD);
    io_served_answer(&s, 0, NULL);
    assert_int_equal(leat_budget_used(&s.budget), 0);
    s.hold = p.upload_stays = false;
    a = until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10));
    assert_int_equal(a->grpc_status, 0);
}

static void connection_lost_in_every_phase(void **state)
{
    (void)state;
    s.hold = true;
    start();
    io_h2_grpc(&p, NULL, MESSAGE, 10);
    IO_H2_UNTIL(&s, &p, s.nheld == 1);
    p.upload_stays = true;
    io_h2_grpc(&p, NULL, MESSAGE, 8);
    IO_H2_UNTIL(&s, &p, leat_budget_used(&s.budget) == HELD + LEAT_CALL_COST + 5);
    io_h2_done(&p);
    p_open = false;
    while (leat_budget_used(&s.budget) != HELD)
        leat_loop_turn(s.loop);
    io_served_answer(&s, 0, NULL);
}

/* --- life of connections */

static void on_drained(void *arg)
{
    *(bool *)arg = true;
}

static void drain(void **state)
{
    struct io_h2_answer *a;

    (void)state;
    s.hold = true;
    start();
    a = io_h2_grpc(&p, NULL, MESSAGE, 10);
    IO_H2_UNTIL(&s, &p, s.nheld == 1);
    leat_server_drain(s.server, on_drained, &s.drained);
    IO_H2_UNTIL(&s, &p, p.goaway);
    assert_int_equal(p.goaway_code, NGHTTP2_NO_ERROR);
    assert_int_equal(p.goaway_last, a->id);
    assert_false(s.drained);
    io_served_answer(&s, 0, NULL);
    until_closed(a);
    assert_int_equal(a->grpc_status, 0);
    IO_H2_UNTIL(&s, &p, s.drained && p.raw.closed);
}

static void server_freed_under_calls(void **state)
{
    (void)state;
    s.hold = true;
    start();
    io_h2_grpc(&p, NULL, MESSAGE, 10);
    IO_H2_UNTIL(&s, &p, s.nheld == 1);
    leat_server_free(s.server);
    s.server = NULL;
    IO_H2_UNTIL(&s, &p, p.raw.closed);
}

static void age_and_idle(void **state)
{
    (void)state;
    s.conf.keepalive.server_parameters.max_connection_idle = 40 * LEAT_MS;
    start();
    until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10));
    IO_H2_UNTIL(&s, &p, p.raw.closed);
    assert_true(p.goaway);
    assert_int_equal(p.goaway_code, NGHTTP2_NO_ERROR);
    io_h2_done(&p);
    s.conf.keepalive.server_parameters.max_connection_idle = 0;
    s.conf.keepalive.server_parameters.max_connection_age = 40 * LEAT_MS;
    s.conf.keepalive.server_parameters.max_connection_age_grace = 40 * LEAT_MS;
    s.hold = true;
    io_h2_open(&p, leat_server_port(s.server));
    io_h2_grpc(&p, NULL, MESSAGE, 10);
    IO_H2_UNTIL(&s, &p, p.raw.closed);
    assert_true(p.goaway);
}

static void dead_peers_are_noticed(void **state)
{
    (void)state;
    s.conf.keepalive.server_parameters.time = 20 * LEAT_MS;
    s.conf.keepalive.server_parameters.timeout = 30 * LEAT_MS;
    start();
    IO_H2_UNTIL(&s, &p, p.pinged); /* and answered by nghttp2 */
    IO_H2_UNTIL(&s, &p, !(p.pinged = false) && leat_server_port(s.server) != 0);
    while (!p.raw.closed) { /* nobody answers any more */
        leat_loop_turn(s.loop);
        io_raw_poll(&p.raw);
    }
}

static void too_many_pings(void **state)
{
    (void)state;
    s.conf.keepalive.has_enforcement = true;
    s.conf.keepalive.enforcement_policy.min_time = 300 * LEAT_SEC;
    start();
    for (int i = 0; i < 5; i++)
        nghttp2_submit_ping(p.session, 0, NULL);
    IO_H2_UNTIL(&s, &p, p.raw.closed);
    assert_int_equal(p.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_string_equal(p.goaway_word, "too_many_pings");
}

static void zero_window_does_not_hold_calls(void **state)
{
    static const nghttp2_settings_entry none = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    struct io_h2_answer *a;

    (void)state;
    s.conf.write_timeout = 40 * LEAT_MS;
    start();
    nghttp2_submit_settings(p.session, 0, &none, 1);
    a = until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10));
    assert_int_equal(a->code, NGHTTP2_CANCEL);
}

static void headers_beyond_the_caps(void **state)
{
    static char big[60001];
    struct io_h2_header many[150];
    struct io_h2_header two[] = {{"x-a", big}, {"x-b", big}, {NULL, NULL}};
    char names[140][16];
    struct io_h2_answer *a;

    (void)state;
    memset(big, 'v', sizeof big - 1);
    start();
    for (int i = 0; i < 140; i++) {
        snprintf(names[i], sizeof names[i], "x-%d", i);
        many[i] = (struct io_h2_header){names[i], "v"};
    }
    many[140].name = NULL;
    a = until_closed(io_h2_ask(&p, "POST", "/v1/traces", NULL, many, "x", 1));
    assert_int_equal(a->status, 431);
    a = until_closed(io_h2_ask(&p, "POST", "/v1/traces", NULL, two + 1, "x", 1));
    assert_int_equal(a->status, 200);
    assert_int_equal(s.taken, 1);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    io_served_start(&s);
    leat_text_reserve(&s.body, 100);
    for (uint64_t n = 1; n < 60; n++) {
        struct io_h2_answer *a;

        io_h2_open(&p, leat_server_port(s.server));
        p_open = true;
        leat_text_reserve(&p.raw.in, 4096);
        a = io_h2_grpc(&p, NULL, MESSAGE, 10);
        leat_text_reserve(&a->body, 100);
        leat_mem_fail_at(n);
        IO_H2_UNTIL(&s, &p, a->closed || p.raw.closed);
        leat_mem_fail_at(0);
        io_h2_done(&p);
        p_open = false;
        for (int i = 0; i < 10; i++)
            leat_loop_turn(s.loop);
    }
    assert_int_equal(leat_budget_used(&s.budget), 0);
}

static void invalid_headers_reset_their_stream_only(void **state)
{
    static const struct io_h2_header bad[] = {{"connection", "close"}, {NULL, NULL}};
    struct io_h2_answer *a;
    int64_t until;

    (void)state;
    s.conf.read_header_timeout = 20 * LEAT_MS;
    start();
    a = until_closed(io_h2_grpc(&p, bad, MESSAGE, 10));
    assert_int_equal(a->code, NGHTTP2_PROTOCOL_ERROR);
    until = leat_clock_mono() + 100 * LEAT_MS; /* well past the bound on headers */
    IO_H2_UNTIL(&s, &p, leat_clock_mono() >= until);
    a = until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10));
    assert_int_equal(a->grpc_status, 0);
}

static void stalled_bodies_are_given_up(void **state)
{
    struct io_h2_answer *a;

    (void)state;
    leat_clock_fake(1000 * LEAT_SEC, 1000 * LEAT_SEC);
    start();
    p.upload_stays = true;
    a = io_h2_ask(&p, "POST", "/v1/traces", NULL,
                  (struct io_h2_header[]){{"content-length", "100000"}, {NULL, NULL}}, "some", 4);
    IO_H2_UNTIL(&s, &p, leat_budget_used(&s.budget) == LEAT_CALL_COST + 100000);
    for (int i = 0; i < 29; i++) {
        leat_clock_step(LEAT_SEC);
        for (int turn = 0; turn < 5; turn++)
            io_h2_turn(&p, s.loop);
    }
    assert_false(a->closed);
    for (int i = 0; i < 3; i++) {
        leat_clock_step(LEAT_SEC);
        for (int turn = 0; turn < 5; turn++)
            io_h2_turn(&p, s.loop);
    }
    until_closed(a);
    assert_int_equal(a->status, 408);
    assert_int_equal(leat_budget_used(&s.budget), 0);
    leat_clock_real();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(unary_call),
        T(http_over_h2),
        T(many_calls_on_one_connection),
        T(large_message_and_windows),
        T(replies),
        T(allocations_per_request),
        T(bad_messages),
        T(too_large_is_said_at_once),
        T(budget_spent_is_said),
        T(refused_bytes_do_not_use_up_the_connection),
        T(compressed_messages),
        T(deadlines),
        T(client_resets),
        T(connection_lost_in_every_phase),
        T(drain),
        T(server_freed_under_calls),
        T(age_and_idle),
        T(dead_peers_are_noticed),
        T(too_many_pings),
        T(zero_window_does_not_hold_calls),
        T(headers_beyond_the_caps),
        T(every_allocation_may_fail),
        T(invalid_headers_reset_their_stream_only),
        T(stalled_bodies_are_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
