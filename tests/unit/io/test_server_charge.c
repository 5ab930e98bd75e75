/* What a server charges to the budget besides bodies: a call for as long as it is open, and what
 * stays with its body for as long as that is held. Thousands of tiny requests cost more than their
 * bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "lib/io_h2_peer.h"

#define MESSAGE "\0\0\0\0\5hello"
#define CALLS   ((size_t)3)

static struct io_served s;
static struct io_h2_peer p;
static struct leat_buf *kept[64];
static struct leat_call *held[64];
static size_t nkept;

static const struct leat_reply done = {.status = 200};

/* Keeps the body and does not answer. */
static void keep(void *self, struct leat_call *call)
{
    (void)self;
    assert_true(nkept < sizeof kept / sizeof *kept);
    kept[nkept] = leat_call_take_body(call);
    held[nkept++] = call;
}

static int setup(void **state)
{
    (void)state;
    nkept = 0;
    io_served_init(&s);
    s.service.take = keep;
    s.budget.limit = CALLS * (LEAT_CALL_COST + 5) + LEAT_CALL_COST;
    io_served_start(&s);
    io_h2_open(&p, leat_server_port(s.server));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    io_h2_done(&p);
    io_served_done(&s);
    return 0;
}

static void fill(void)
{
    for (size_t i = 0; i < CALLS; i++) {
        io_h2_grpc(&p, NULL, MESSAGE, 10);
        IO_H2_UNTIL(&s, &p, nkept == i + 1);
    }
    assert_int_equal(leat_budget_used(&s.budget), CALLS * (LEAT_CALL_COST + 5));
}

static void open_calls_are_charged(void **state)
{
    struct io_h2_answer *a;

    (void)state;
    fill();
    a = io_h2_grpc(&p, NULL, MESSAGE, 10); /* there is room for the call, not for its body */
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->grpc_status, 14);
    assert_int_equal(s.last_refusal.reason, LEAT_REFUSED_OVERLOAD);
    assert_true(s.last_refusal.retry_after_ms > 0);
    s.budget.limit -= 1;
    a = io_h2_grpc(&p, NULL, MESSAGE, 10); /* and now not even for the call */
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->grpc_status, 14);
    assert_int_equal(s.refused, 2);
    assert_int_equal(leat_budget_used(&s.budget), CALLS * (LEAT_CALL_COST + 5));
    assert_true(s.budget.peak <= s.budget.limit + 1);
    a = io_h2_ask(&p, "GET", "/health", NULL, NULL, NULL, 0); /* brings nothing, costs nothing */
    IO_H2_UNTIL(&s, &p, nkept == CALLS + 1);
    for (size_t i = 0; i <= CALLS; i++) {
        leat_buf_unref(kept[i]);
        leat_call_reply(held[i], &done);
    }
    IO_H2_UNTIL(&s, &p, a->closed && leat_budget_used(&s.budget) == 0);
}

static void a_share_stays_with_the_body(void **state)
{
    (void)state;
    fill();
    for (size_t i = 0; i < CALLS; i++)
        leat_call_reply(held[i], &done);
    IO_H2_UNTIL(&s, &p, leat_budget_used(&s.budget) <= CALLS * (LEAT_BODY_COST + 5));
    for (size_t i = 0; i < CALLS; i++) {
        assert_int_equal(leat_budget_used(&s.budget), (CALLS - i) * (LEAT_BODY_COST + 5));
        leat_buf_unref(kept[i]);
    }
    assert_int_equal(leat_budget_used(&s.budget), 0);
}

static void calls_that_go_away_are_given_back(void **state)
{
    (void)state;
    fill();
    for (size_t i = 0; i < CALLS; i++)
        leat_buf_unref(kept[i]);
    assert_int_equal(leat_budget_used(&s.budget), CALLS * (LEAT_CALL_COST - LEAT_BODY_COST));
    io_h2_done(&p);
    io_h2_open(&p, leat_server_port(s.server));
    for (size_t i = 0; i < CALLS; i++)
        leat_call_reply(held[i], &done);
    IO_H2_UNTIL(&s, &p, leat_budget_used(&s.budget) == 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(open_calls_are_charged),
        T(a_share_stays_with_the_body),
        T(calls_that_go_away_are_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
