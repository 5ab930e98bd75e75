/* What waits to be tried again: life wakes everybody, one probe a second, and the server's word
 * before both. Every moment here is on the fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/meter.h"
#include "flow/backoff.h"
#include "flow/ledger.h"
#include "flow/sender.h"
#include "lib/flow_rig.h"

#define MS LEAT_MS
#define T0 (1000 * LEAT_SEC)

struct bench {
    struct rig rig;
    struct rig_sink sink;
    struct leat_sender_conf conf;
    struct leat_sender *sender;
    struct rig_caller callers[4];
    uint32_t given;
    bool drained;
};

/* Delays of exactly 10, 20, 40, 40 … s. */
static void bench_init(struct bench *b, uint32_t consumers)
{
    memset(b, 0, sizeof *b);
    leat_clock_fake(T0, T0);
    rig_open(&b->rig);
    rig_sink_init(&b->sink);
    b->sink.answer = leat_retry(14, 0, "unavailable");
    b->conf = (struct leat_sender_conf){
        .sending_queue = {.enabled = true,
                          .num_consumers = consumers,
                          .queue_size = 1000,
                          .wait_for_result = true},
        .retry_on_failure = {.enabled = true,
                             .initial_interval = 10 * LEAT_SEC,
                             .max_interval = 40 * LEAT_SEC,
                             .multiplier = 2},
    };
}

static void bench_start(struct bench *b)
{
    b->sender = rig_sender(&b->rig, &b->sink, &b->conf);
}

/* Batches are called a, b, c, d. */
static void give(struct bench *b, int64_t deadline)
{
    const char name[] = {(char)('a' + b->given), '\0'};
    struct rig_caller *c = &b->callers[b->given++];
    struct leat_batch *batch;

    rig_caller_init(c);
    batch = rig_logs(name, 1, c);
    batch->deadline = deadline;
    leat_ledger_count(&b->rig.ledger, LEAT_LOGS, LEAT_IN, 1);
    leat_sender_take(b->sender, batch);
}

static void give_all(struct bench *b, uint32_t n)
{
    while (n-- > 0)
        give(b, INT64_MAX);
}

/* Until this moment after T0, in steps of 100 ms. What life wakes goes out in the turn after. */
static void until(struct bench *b, int64_t moment)
{
    while (leat_clock_mono() < T0 + moment) {
        leat_clock_step(100 * MS);
        for (int i = 0; i < 3; i++)
            leat_loop_turn(b->rig.loop);
    }
}

static void bench_end(struct bench *b)
{
    leat_sender_stop(b->sender);
    while (!leat_list_empty(&b->sink.held))
        rig_sink_end(&b->sink, leat_retry(14, 0, "closed"));
    for (uint32_t i = 0; i < b->given; i++)
        assert_int_equal(b->callers[i].told, 1);
    leat_sender_free(b->sender);
    rig_close(&b->rig);
    leat_clock_real();
}

static void on_drained(void *arg)
{
    struct bench *b = arg;

    b->drained = true;
}

static void test_life_wakes_all(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 3);
    bench_start(&b);
    give_all(&b, 4);
    until(&b, 5900 * MS);
    assert_int_equal(b.sink.batches, 3 + 5);
    b.sink.answer = leat_delivered();
    until(&b, 6000 * MS);
    assert_int_equal(b.sink.batches, 8 + 4);
    /* The probe's turn goes round among those due at once; d was in the queue. */
    assert_string_equal(b.sink.bodies, "c-0 d-0 a-0 b-0 ");
    bench_end(&b);
}

static void test_partial_success_is_life_too(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    give_all(&b, 2);
    b.sink.answer = leat_delivered();
    b.sink.answer.rejected = 1;
    until(&b, 1000 * MS);
    assert_int_equal(b.callers[0].status.rejected, 1);
    assert_int_equal(b.callers[1].status.rejected, 1);
    bench_end(&b);
}

/* A poisoned request, or a destination that sheds load: no storm. */
static void test_what_fails_among_successes_is_tried_once_a_second(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    give(&b, INT64_MAX);
    b.sink.answer = leat_delivered();
    give_all(&b, 2);
    until(&b, 900 * MS);
    assert_int_equal(b.sink.batches, 3);
    until(&b, 1000 * MS);
    assert_int_equal(b.sink.batches, 4);
    bench_end(&b);
}

static void test_no_more_than_slots_go_out(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    give_all(&b, 4);
    b.sink.hold = true;
    until(&b, 1000 * MS);
    assert_int_equal(b.sink.batches, 2 + 1);
    rig_sink_end(&b.sink, leat_delivered());
    until(&b, 1100 * MS);
    assert_int_equal(b.sink.batches, 3 + 2);
    until(&b, 5000 * MS);
    assert_int_equal(b.sink.batches, 5);
    bench_end(&b);
}

static void test_life_respects_the_servers_delay(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    b.sink.answer.retry_after_ms = 5000;
    give(&b, INT64_MAX);
    until(&b, 2000 * MS);
    b.sink.answer = leat_delivered();
    give(&b, INT64_MAX);
    assert_int_equal(b.sink.batches, 2);
    until(&b, 4900 * MS);
    assert_int_equal(b.sink.batches, 2);
    until(&b, 5000 * MS);
    assert_int_equal(b.sink.batches, 3);
    bench_end(&b);
}

static void test_probe_respects_the_servers_delay(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 1);
    bench_start(&b);
    b.sink.answer.retry_after_ms = 5000;
    give(&b, INT64_MAX);
    until(&b, 4900 * MS);
    assert_int_equal(b.sink.batches, 1);
    until(&b, 5000 * MS);
    assert_int_equal(b.sink.batches, 2);
    until(&b, 9900 * MS); /* the probe was told five seconds too: till 10 s */
    assert_int_equal(b.sink.batches, 2);
    until(&b, 10000 * MS);
    assert_int_equal(b.sink.batches, 3);
    bench_end(&b);
}

/* Whoever may be tried is the probe, though another would be due before it. */
static void test_probe_passes_over_who_must_wait(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    b.sink.answer.retry_after_ms = 8000;
    give(&b, INT64_MAX);
    b.sink.answer.retry_after_ms = 0;
    until(&b, 100 * MS);
    give(&b, INT64_MAX);
    b.sink.answer = leat_delivered();
    until(&b, 1100 * MS);
    assert_string_equal(b.sink.bodies, "b-0 ");
    until(&b, 7900 * MS);
    assert_string_equal(b.sink.bodies, "b-0 ");
    until(&b, 8000 * MS);
    assert_string_equal(b.sink.bodies, "b-0 a-0 ");
    bench_end(&b);
}

static void test_one_probe_a_second(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 4);
    bench_start(&b);
    give_all(&b, 4);
    for (uint32_t n = 1; n < 10; n++) {
        until(&b, n * LEAT_SEC - 100 * MS);
        assert_int_equal(b.sink.batches, 4 + n - 1);
        until(&b, n * LEAT_SEC);
        assert_int_equal(b.sink.batches, 4 + n);
    }
    bench_end(&b);
}

static struct leat_status poison(struct rig_sink *sink, const struct leat_batch *b)
{
    return rig_has(b, "a-0") ? leat_retry(14, 0, "I choke on this") : sink->answer;
}

/* A request that never goes through does not speak for the destination. */
static void test_two_take_turns_as_probe(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    b.sink.judge = poison;
    bench_start(&b);
    give(&b, INT64_MAX);
    until(&b, 100 * MS);
    give(&b, INT64_MAX);
    b.sink.answer = leat_delivered();
    until(&b, 1100 * MS);
    assert_int_equal(b.sink.batches, 3);
    assert_string_equal(b.sink.bodies, "");
    until(&b, 2100 * MS);
    assert_string_equal(b.sink.bodies, "b-0 ");
    bench_end(&b);
}

static void test_no_probe_while_one_is_under_way(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    give_all(&b, 2);
    b.sink.hold = true;
    until(&b, 4000 * MS);
    assert_int_equal(b.sink.batches, 2 + 1);
    rig_sink_end(&b.sink, leat_retry(14, 0, "timeout"));
    until(&b, 4900 * MS);
    assert_int_equal(b.sink.batches, 3);
    until(&b, 5000 * MS);
    assert_int_equal(b.sink.batches, 4);
    bench_end(&b);
}

/* Due at 10 s and, as the second attempt failed, at 30 s: as if there were no probes. */
static void test_failing_probes_change_no_delay(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    give_all(&b, 2);
    until(&b, 9900 * MS);
    assert_int_equal(b.sink.batches, 2 + 9);
    until(&b, 10000 * MS);
    assert_int_equal(b.sink.batches, 11 + 2);
    until(&b, 29900 * MS);
    assert_int_equal(b.sink.batches, 13 + 19);
    until(&b, 30000 * MS);
    assert_int_equal(b.sink.batches, 32 + 2);
    bench_end(&b);
}

/* What was joined was due by its age, hours later: its first failure is no probe's. */
static void test_joined_batch_grows_its_delays(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 1);
    b.conf.sending_queue.has_batch = true;
    b.conf.sending_queue.batch = (struct leat_queue_batch_conf){
        .flush_timeout = 3600 * LEAT_SEC, .min_size = 2, .sizer = LEAT_SIZER_ITEMS};
    b.conf.retry_on_failure.max_elapsed_time = 25 * LEAT_SEC;
    bench_start(&b);
    give_all(&b, 2);
    until(&b, 9900 * MS);
    assert_int_equal(b.sink.batches, 1 + 9);
    assert_int_equal(b.callers[0].told, 0);
    until(&b, 10000 * MS);
    assert_int_equal(b.callers[0].told, 1);
    bench_end(&b);
}

/* The drawn moment (10 s) comes while the probe of 9 s is under way: the next delay is the second
 * one, 20 s from its end. */
static void test_probe_past_the_drawn_moment_is_the_attempt(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 1);
    b.conf.retry_on_failure.max_elapsed_time = 35 * LEAT_SEC;
    bench_start(&b);
    give(&b, INT64_MAX);
    until(&b, 8900 * MS);
    b.sink.hold = true;
    until(&b, 14000 * MS);
    assert_int_equal(b.sink.batches, 1 + 9);
    b.sink.hold = false;
    rig_sink_end(&b.sink, leat_retry(14, 0, "timeout"));
    until(&b, 33900 * MS);
    assert_int_equal(b.callers[0].told, 0);
    until(&b, 34000 * MS); /* due: and there is no time for a third delay */
    assert_int_equal(b.callers[0].told, 1);
    bench_end(&b);
}

static void test_max_elapsed_time_ends_when_it_did(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    b.conf.retry_on_failure.max_elapsed_time = 25 * LEAT_SEC;
    bench_start(&b);
    give_all(&b, 2);
    until(&b, 9900 * MS);
    assert_int_equal(b.callers[0].told + b.callers[1].told, 0);
    until(&b, 10000 * MS);
    assert_int_equal(b.callers[0].status.outcome, LEAT_RETRY);
    assert_int_equal(b.callers[1].status.outcome, LEAT_RETRY);
    assert_int_equal(b.callers[0].told + b.callers[1].told, 2);
    bench_end(&b);
}

static void test_server_asks_a_probe_for_more_than_there_is(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    b.conf.retry_on_failure.max_elapsed_time = 25 * LEAT_SEC;
    bench_start(&b);
    give_all(&b, 2);
    b.sink.answer.retry_after_ms = 25000;
    until(&b, 1000 * MS);
    assert_int_equal(b.callers[0].told, 1);
    assert_int_equal(b.callers[1].told, 0);
    bench_end(&b);
}

static void test_server_asks_a_probe_for_more_than_its_caller_waits(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 1);
    bench_start(&b);
    give(&b, T0 + 20 * LEAT_SEC);
    until(&b, 1000 * MS); /* a probe that fails: the caller goes on waiting */
    assert_int_equal(b.sink.batches, 2);
    assert_int_equal(b.callers[0].told, 0);
    b.sink.answer.retry_after_ms = 30000;
    until(&b, 2000 * MS);
    assert_int_equal(b.callers[0].told, 1);
    assert_int_equal(b.callers[0].status.outcome, LEAT_RETRY);
    bench_end(&b);
}

/* A rejection is no life, and no end of the probing either. */
static void test_rejected_probe_is_followed_by_the_next(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    give_all(&b, 2);
    b.sink.hold = true;
    until(&b, 1000 * MS);
    rig_sink_end(&b.sink, leat_rejected(3, "bad"));
    assert_int_equal(b.callers[0].status.outcome, LEAT_REJECTED);
    until(&b, 1900 * MS);
    assert_int_equal(b.sink.batches, 3);
    until(&b, 2000 * MS);
    assert_int_equal(b.sink.batches, 4);
    bench_end(&b);
}

static void test_retry_disabled_knows_no_probe(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    b.conf.retry_on_failure.enabled = false;
    bench_start(&b);
    give(&b, INT64_MAX);
    assert_int_equal(b.callers[0].told, 1);
    until(&b, 3000 * MS);
    assert_int_equal(b.sink.batches, 1);
    bench_end(&b);
}

static void test_draining_goes_on_probing(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    give_all(&b, 4);
    leat_sender_drain(b.sender, on_drained, &b);
    until(&b, 1900 * MS);
    assert_false(b.drained);
    assert_int_equal(b.sink.batches, 3);
    b.sink.answer = leat_delivered();
    until(&b, 2000 * MS);
    assert_true(b.drained);
    assert_int_equal(b.sink.batches, 7);
    bench_end(&b);
}

/* bench_end() looks that each caller was told once, and that the books balance. */
static void test_stop_while_all_wait(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 2);
    bench_start(&b);
    give_all(&b, 4);
    bench_end(&b);
    assert_int_equal(b.sink.batches, 2);
}

static void test_stop_while_a_probe_is_under_way(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 3);
    bench_start(&b);
    give_all(&b, 3);
    b.sink.hold = true;
    until(&b, 1000 * MS);
    leat_sender_stop(b.sender);
    assert_int_equal(b.callers[1].told + b.callers[2].told, 2);
    assert_int_equal(b.callers[0].told, 0);
    bench_end(&b);
    assert_int_equal(b.sink.batches, 4);
}

/* Woken, some of them ready and one held back by the server, and not gone out yet. */
static void test_stop_while_woken(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 4);
    bench_start(&b);
    give_all(&b, 2);
    b.sink.answer.retry_after_ms = 9000;
    give(&b, INT64_MAX);
    b.sink.hold = true;
    until(&b, 1000 * MS);
    rig_sink_end(&b.sink, leat_delivered());
    assert_int_equal(b.sink.batches, 4);
    bench_end(&b);
    assert_int_equal(b.sink.batches, 4);
    assert_int_equal(b.callers[0].status.outcome, LEAT_DELIVERED);
    assert_int_equal(b.callers[1].status.outcome, LEAT_RETRY);
    assert_int_equal(b.callers[2].status.outcome, LEAT_RETRY);
}

/* --- the list alone */

static void test_order_and_count(void **state)
{
    struct leat_backoff w;
    struct leat_batch b[4];
    static const int64_t delays[] = {7, 3, 5, 4}, told[] = {0, 0, 6, 0};

    (void)state;
    memset(b, 0, sizeof b);
    leat_backoff_init(&w);
    assert_true(leat_backoff_next(&w, true) == INT64_MAX);
    for (int i = 0; i < 4; i++)
        leat_backoff_wait(&w, &b[i], 0, (told[i] ? told[i] : delays[i]) * LEAT_SEC,
                          told[i] * LEAT_SEC);
    assert_int_equal(w.waiting, 4);
    assert_true(leat_backoff_next(&w, false) == 3 * LEAT_SEC);
    assert_true(leat_backoff_next(&w, true) == LEAT_PROBE);
    assert_null(leat_backoff_take(&w, LEAT_PROBE, false));
    assert_ptr_equal(leat_backoff_take(&w, 3 * LEAT_SEC, false), &b[1]);
    leat_backoff_wake(&w, 3 * LEAT_SEC);
    assert_ptr_equal(leat_backoff_take(&w, 3 * LEAT_SEC, false), &b[3]);
    assert_ptr_equal(leat_backoff_take(&w, 3 * LEAT_SEC, false), &b[0]);
    assert_null(leat_backoff_take(&w, 6 * LEAT_SEC - 1, true));
    assert_true(leat_backoff_next(&w, true) == 6 * LEAT_SEC);
    assert_ptr_equal(leat_backoff_take(&w, 6 * LEAT_SEC, true), &b[2]);
    assert_null(leat_backoff_pop(&w));
    assert_int_equal(w.waiting, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_wakes_all),
        cmocka_unit_test(test_partial_success_is_life_too),
        cmocka_unit_test(test_what_fails_among_successes_is_tried_once_a_second),
        cmocka_unit_test(test_no_more_than_slots_go_out),
        cmocka_unit_test(test_life_respects_the_servers_delay),
        cmocka_unit_test(test_probe_respects_the_servers_delay),
        cmocka_unit_test(test_probe_passes_over_who_must_wait),
        cmocka_unit_test(test_one_probe_a_second),
        cmocka_unit_test(test_two_take_turns_as_probe),
        cmocka_unit_test(test_no_probe_while_one_is_under_way),
        cmocka_unit_test(test_failing_probes_change_no_delay),
        cmocka_unit_test(test_joined_batch_grows_its_delays),
        cmocka_unit_test(test_probe_past_the_drawn_moment_is_the_attempt),
        cmocka_unit_test(test_max_elapsed_time_ends_when_it_did),
        cmocka_unit_test(test_server_asks_a_probe_for_more_than_there_is),
        cmocka_unit_test(test_server_asks_a_probe_for_more_than_its_caller_waits),
        cmocka_unit_test(test_rejected_probe_is_followed_by_the_next),
        cmocka_unit_test(test_retry_disabled_knows_no_probe),
        cmocka_unit_test(test_draining_goes_on_probing),
        cmocka_unit_test(test_stop_while_all_wait),
        cmocka_unit_test(test_stop_while_a_probe_is_under_way),
        cmocka_unit_test(test_stop_while_woken),
        cmocka_unit_test(test_order_and_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
