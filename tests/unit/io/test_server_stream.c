/* Replies whose body is made while it is sent: over every protocol, in order and whole, at the
 * reader's pace, and told once when it is over, however it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lib/io_h2_peer.h"

#define PIECE ((size_t)40000)

/* Makes `pieces` pieces of digits, each led by an empty turn. */
static struct maker {
    size_t pieces, made, asked;
    bool idle; /* the next call appends nothing */
    bool cut;  /* it fails where it should end */
    unsigned done;
} maker;

static struct io_served s;
static struct io_raw r;
static struct io_h2_peer p;

static enum leat_reply_more next(void *self, struct leat_text *out)
{
    struct maker *m = self;

    assert_int_equal(m->done, 0);
    m->asked++;
    m->idle = !m->idle;
    if (m->idle && m->made < m->pieces)
        return LEAT_REPLY_MORE;
    if (m->made == m->pieces)
        return m->cut ? LEAT_REPLY_CUT : LEAT_REPLY_LAST;
    for (size_t i = 0; i < PIECE; i++)
        leat_text_char(out, (char)('0' + m->made % 10));
    m->made++;
    return m->made < m->pieces || m->cut ? LEAT_REPLY_MORE : LEAT_REPLY_LAST;
}

static void done(void *self)
{
    ((struct maker *)self)->done++;
}

static void take(void *self, struct leat_call *call)
{
    struct leat_reply_source source = {.self = &maker, .next = next, .done = done};
    struct leat_reply reply = {.status = 200, .content_type = "text/plain", .source = &source};

    (void)self;
    leat_call_reply(call, &reply);
}

static int setup(void **state)
{
    (void)state;
    maker = (struct maker){.pieces = 3};
    io_served_init(&s);
    s.service.take = take;
    io_served_start(&s);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    io_served_done(&s);
    assert_int_equal(maker.done, 1);
    leat_mem_fail_at(0);
    leat_clock_real();
    return 0;
}

static void ask(const char *request)
{
    io_raw_open(&r, leat_server_port(s.server));
    io_raw_text(&r, request);
}

/* The body of a chunked answer, by hand; ends the test when the framing is wrong. */
static size_t dechunk(const char *at, char *out)
{
    size_t len = 0, n;
    char *end;

    do {
        n = strtoul(at, &end, 16);
        assert_true(end > at && memcmp(end, "\r\n", 2) == 0);
        memcpy(out + len, end + 2, n);
        len += n;
        at = end + 2 + n;
        assert_memory_equal(at, "\r\n", 2);
        at += 2;
    } while (n != 0);
    assert_int_equal(*at, '\0');
    return len;
}

static void expect_digits(const char *body, size_t len, size_t pieces)
{
    assert_int_equal(len, pieces * PIECE);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(body[i], '0' + i / PIECE % 10);
}

static const char *body_of_answer(void)
{
    return strstr(leat_text_get(&r.in), "\r\n\r\n") + 4;
}

static void http_1_1_gets_chunks(void **state)
{
    char *body = malloc(4 * PIECE);

    (void)state;
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "\r\n0\r\n\r\n"));
    assert_true(io_raw_has(&r, "transfer-encoding: chunked\r\n"));
    assert_false(io_raw_has(&r, "content-length"));
    expect_digits(body, dechunk(body_of_answer(), body), 3);
    assert_int_equal(maker.done, 1);
    /* and the connection goes on */
    maker = (struct maker){.pieces = 0};
    leat_text_clear(&r.in);
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "\r\n\r\n0\r\n\r\n"));
    io_raw_done(&r);
    free(body);
}

static void http_1_0_gets_it_until_the_end(void **state)
{
    (void)state;
    ask("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_false(io_raw_has(&r, "chunked"));
    assert_true(io_raw_has(&r, "connection: close"));
    expect_digits(body_of_answer(), strlen(body_of_answer()), 3);
    io_raw_done(&r);
}

static void head_wants_no_body(void **state)
{
    (void)state;
    ask("HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "\r\n\r\n"));
    assert_string_equal(body_of_answer(), "");
    assert_int_equal(maker.asked, 0);
    io_raw_done(&r);
}

static void a_body_that_is_cut_does_not_look_whole(void **state)
{
    (void)state;
    maker.cut = true;
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_false(io_raw_has(&r, "\r\n0\r\n\r\n"));
    io_raw_done(&r);
}

/* More than all the buffers between us hold. */
static void it_is_made_at_the_readers_pace(void **state)
{
    size_t before;

    (void)state;
    maker.pieces = 2000;
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    do {
        before = maker.asked;
        for (int i = 0; i < 50; i++)
            leat_loop_turn(s.loop);
    } while (maker.asked != before || before == 0);
    assert_true(maker.made < 500);
    IO_RAW_UNTIL(&s, &r, r.in.len > 60 * PIECE);
    assert_int_equal(maker.done, 0);
    io_raw_done(&r); /* and it goes away in the middle */
    while (maker.done == 0)
        leat_loop_turn(s.loop);
}

static void a_reader_that_stands_still_is_given_up(void **state)
{
    (void)state;
    leat_clock_fake(1000 * LEAT_SEC, 1000 * LEAT_SEC);
    maker.pieces = 2000;
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    while (maker.made < 20 || maker.done == 0) {
        leat_clock_step(LEAT_SEC / 10);
        leat_loop_turn(s.loop);
    }
    assert_true(maker.made < 2000);
    io_raw_done(&r);
}

static void the_server_ends_in_the_middle(void **state)
{
    (void)state;
    maker.pieces = 2000;
    ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    while (maker.made < 5)
        leat_loop_turn(s.loop);
    leat_server_free(s.server);
    s.server = NULL;
    assert_int_equal(maker.done, 1);
    IO_RAW_UNTIL(&s, &r, r.closed);
    io_raw_done(&r);
}

static void no_memory_tells_the_source(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 12; nth++) {
        maker = (struct maker){.pieces = 2};
        ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        leat_text_reserve(&r.in, 4 * PIECE); /* the test's own memory is not meant */
        leat_loop_turn(s.loop);
        leat_mem_fail_at(nth);
        IO_RAW_UNTIL(&s, &r,
                     r.closed || io_raw_has(&r, "\r\n0\r\n\r\n") || io_raw_has(&r, " 503 "));
        leat_mem_fail_at(0);
        while (maker.asked != 0 && maker.done == 0)
            leat_loop_turn(s.loop);
        io_raw_done(&r);
    }
    maker.done = 1;
}

/* --- HTTP/2 */

static struct io_h2_answer *ask_h2(const char *method)
{
    io_h2_open(&p, leat_server_port(s.server));
    return io_h2_ask(&p, method, "/health", NULL, NULL, NULL, 0);
}

static void http_2_gets_data(void **state)
{
    const struct io_h2_answer *a;

    (void)state;
    maker.pieces = 200;
    a = ask_h2("GET");
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->status, 200);
    assert_int_equal(a->code, NGHTTP2_NO_ERROR);
    expect_digits(leat_text_get(&a->body), a->body.len, 200);
    maker = (struct maker){.pieces = 0, .done = 0};
    a = io_h2_ask(&p, "GET", "/health", NULL, NULL, NULL, 0);
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->body.len, 0);
    io_h2_done(&p);
}

static void http_2_head(void **state)
{
    const struct io_h2_answer *a;

    (void)state;
    a = ask_h2("HEAD");
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->status, 200);
    assert_int_equal(maker.asked, 0);
    io_h2_done(&p);
}

static void http_2_cut(void **state)
{
    const struct io_h2_answer *a;

    (void)state;
    maker.cut = true;
    a = ask_h2("GET");
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->code, NGHTTP2_INTERNAL_ERROR);
    io_h2_done(&p);
}

static void http_2_reset_in_the_middle(void **state)
{
    const struct io_h2_answer *a;

    (void)state;
    maker.pieces = 100000;
    a = ask_h2("GET");
    IO_H2_UNTIL(&s, &p, maker.made > 10);
    nghttp2_submit_rst_stream(p.session, NGHTTP2_FLAG_NONE, a->id, NGHTTP2_CANCEL);
    IO_H2_UNTIL(&s, &p, maker.done == 1);
    io_h2_done(&p);
}

static void http_2_server_ends_in_the_middle(void **state)
{
    (void)state;
    maker.pieces = 100000;
    ask_h2("GET");
    IO_H2_UNTIL(&s, &p, maker.made > 10);
    leat_server_free(s.server);
    s.server = NULL;
    assert_int_equal(maker.done, 1);
    IO_H2_UNTIL(&s, &p, p.raw.closed);
    io_h2_done(&p);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(http_1_1_gets_chunks),
        T(http_1_0_gets_it_until_the_end),
        T(head_wants_no_body),
        T(a_body_that_is_cut_does_not_look_whole),
        T(it_is_made_at_the_readers_pace),
        T(a_reader_that_stands_still_is_given_up),
        T(the_server_ends_in_the_middle),
        T(no_memory_tells_the_source),
        T(http_2_gets_data),
        T(http_2_head),
        T(http_2_cut),
        T(http_2_reset_in_the_middle),
        T(http_2_server_ends_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
