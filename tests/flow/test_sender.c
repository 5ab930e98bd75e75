/* The sender: queue, retry, halving, parts tried alone, joining, draining; and the books. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/meter.h"
#include "flow/ledger.h"
#include "flow/retry.h"
#include "flow/sender.h"
#include "lib/flow_rig.h"

#define MS LEAT_MS

struct bench {
    struct rig rig;
    struct rig_sink sink;
    struct leat_sender_conf conf;
    struct leat_sender *sender;
    volatile uint32_t drained;
};

static void bench_init(struct bench *b)
{
    rig_open(&b->rig);
    rig_sink_init(&b->sink);
    b->drained = 0;
    b->conf = (struct leat_sender_conf){
        .sending_queue = {.enabled = true, .num_consumers = 1, .queue_size = 1000},
        .retry_on_failure = {.enabled = true,
                             .initial_interval = MS,
                             .max_interval = 5 * MS,
                             .multiplier = 1.5,
                             .randomization_factor = 0.5},
    };
    b->conf.sending_queue.batch = (struct leat_queue_batch_conf){
        .flush_timeout = MS, .min_size = 8192, .sizer = LEAT_SIZER_ITEMS};
}

static void bench_start(struct bench *b)
{
    b->sender = rig_sender(&b->rig, &b->sink, &b->conf);
}

static void give(struct bench *b, const char *name, uint32_t items, struct rig_caller *c)
{
    leat_ledger_count(&b->rig.ledger, LEAT_LOGS, LEAT_IN, items);
    leat_sender_take(b->sender, rig_logs(name, items, c));
}

static void bench_end(struct bench *b)
{
    leat_sender_stop(b->sender);
    while (!leat_list_empty(&b->sink.held))
        rig_sink_end(&b->sink, leat_retry(14, 0, "closed"));
    leat_sender_free(b->sender);
    rig_close(&b->rig);
}

static uint64_t fate(struct bench *b, enum leat_fate f)
{
    return leat_counter_get(b->rig.ledger.fates[LEAT_LOGS][f]);
}

static void test_queue_in_memory_answers_at_once(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_init(&b);
    b.sink.hold = true;
    bench_start(&b);
    rig_caller_init(&c);
    give(&b, "a", 2, &c);
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_DELIVERED);
    assert_int_equal(b.sink.batches, 1);
    rig_sink_end(&b.sink, leat_delivered());
    assert_int_equal(fate(&b, LEAT_FATE_DELIVERED), 2);
    bench_end(&b);
}

static void test_wait_for_result_tells_the_real_outcome(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.wait_for_result = true;
    b.sink.hold = true;
    bench_start(&b);
    rig_caller_init(&c);
    give(&b, "a", 2, &c);
    assert_int_equal(c.told, 0);
    rig_sink_end(&b.sink, leat_rejected(3, "bad"));
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_REJECTED);
    bench_end(&b);
}

/* It orders what is under way itself: it gets many at once, in order, but not all. */
static void test_an_exporter_without_consumers_gets_many(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.num_consumers = 0;
    b.conf.sending_queue.queue_size = 2 * LEAT_SENDER_SLOTS;
    b.sink.hold = true;
    bench_start(&b);
    for (int i = 0; i < LEAT_SENDER_SLOTS + 10; i++)
        give(&b, "a", 1, NULL);
    assert_int_equal(b.sink.batches, LEAT_SENDER_SLOTS);
    rig_sink_end(&b.sink, leat_delivered());
    assert_int_equal(b.sink.batches, LEAT_SENDER_SLOTS + 1);
    b.sink.hold = false;
    while (!leat_list_empty(&b.sink.held))
        rig_sink_end(&b.sink, leat_delivered());
    assert_int_equal(fate(&b, LEAT_FATE_DELIVERED), LEAT_SENDER_SLOTS + 10);
    bench_end(&b);
}

static void test_full_queue_is_refused_with_a_delay(void **state)
{
    struct bench b;
    struct rig_caller c[4];

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.queue_size = 3;
    b.sink.hold = true;
    bench_start(&b);
    for (int i = 0; i < 4; i++) {
        rig_caller_init(&c[i]);
        give(&b, "a", 1, &c[i]);
    }
    assert_int_equal(c[2].status.outcome, LEAT_DELIVERED);
    assert_int_equal(c[3].told, 1);
    assert_int_equal(c[3].status.outcome, LEAT_RETRY);
    assert_true(c[3].status.retry_after_ms > 0);
    assert_int_equal(fate(&b, LEAT_REFUSED), 1);
    bench_end(&b);
}

static void test_block_on_overflow_waits_for_room(void **state)
{
    struct bench b;
    struct rig_caller c[3];

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.queue_size = 2;
    b.conf.sending_queue.block_on_overflow = true;
    b.sink.hold = true;
    bench_start(&b);
    for (int i = 0; i < 3; i++) {
        rig_caller_init(&c[i]);
        give(&b, "a", 1, &c[i]);
    }
    assert_int_equal(c[1].told, 1);
    assert_int_equal(c[2].told, 0);
    rig_sink_end(&b.sink, leat_delivered());
    assert_int_equal(c[2].told, 1);
    assert_int_equal(c[2].status.outcome, LEAT_DELIVERED);
    bench_end(&b);
}

static void test_no_more_attempts_at_once_than_consumers(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.num_consumers = 2;
    b.sink.hold = true;
    bench_start(&b);
    for (int i = 0; i < 5; i++)
        give(&b, "a", 1, NULL);
    assert_int_equal(b.sink.batches, 2);
    rig_sink_end(&b.sink, leat_delivered());
    assert_int_equal(b.sink.batches, 3);
    bench_end(&b);
}

static void test_retry_until_delivered(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.enabled = false;
    b.sink.fail_first = 3;
    b.sink.first_answer = leat_retry(14, 0, "unavailable");
    bench_start(&b);
    rig_caller_init(&c);
    give(&b, "a", 2, &c);
    rig_until_told(&b.rig, &c);
    assert_int_equal(c.status.outcome, LEAT_DELIVERED);
    assert_int_equal(b.sink.batches, 4);
    assert_string_equal(b.sink.bodies, "a-0 a-1 ");
    bench_end(&b);
}

static void test_without_retry_the_first_failure_is_final(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.enabled = false;
    b.conf.retry_on_failure.enabled = false;
    b.sink.answer = leat_retry(14, 70, "unavailable");
    bench_start(&b);
    rig_caller_init(&c);
    give(&b, "a", 2, &c);
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_RETRY);
    assert_int_equal(c.status.retry_after_ms, 70);
    assert_int_equal(fate(&b, LEAT_REFUSED), 2);
    bench_end(&b);
}

static void test_no_try_after_the_callers_deadline(void **state)
{
    struct bench b;
    struct rig_caller c;
    struct leat_batch *batch;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.enabled = false;
    b.conf.retry_on_failure.initial_interval = b.conf.retry_on_failure.max_interval =
        3600 * LEAT_SEC;
    b.sink.answer = leat_retry(14, 0, "unavailable");
    bench_start(&b);
    rig_caller_init(&c);
    batch = rig_logs("a", 2, &c);
    batch->deadline = leat_clock_mono() + 60 * LEAT_SEC;
    leat_ledger_count(&b.rig.ledger, LEAT_LOGS, LEAT_IN, 2);
    leat_sender_take(b.sender, batch);
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_RETRY);
    assert_int_equal(b.sink.batches, 1);
    assert_int_equal(fate(&b, LEAT_REFUSED), 2);
    bench_end(&b);
}

static void test_what_is_held_outlives_its_callers_deadline(void **state)
{
    struct bench b;
    struct rig_caller c;
    struct leat_batch *batch;

    (void)state;
    bench_init(&b);
    b.sink.fail_first = 2;
    b.sink.first_answer = leat_retry(14, 0, "unavailable");
    bench_start(&b);
    rig_caller_init(&c);
    batch = rig_logs("a", 2, &c);
    batch->deadline = leat_clock_mono();
    leat_ledger_count(&b.rig.ledger, LEAT_LOGS, LEAT_IN, 2);
    leat_sender_take(b.sender, batch);
    rig_until(&b.rig, &b.sink.batches, 3);
    assert_string_equal(b.sink.bodies, "a-0 a-1 ");
    bench_end(&b);
}

static void test_retries_exhausted_are_counted_as_lost(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    b.conf.retry_on_failure.max_elapsed_time = 20 * MS;
    b.sink.answer = leat_retry(14, 0, "unavailable");
    bench_start(&b);
    give(&b, "a", 2, NULL);
    while (fate(&b, LEAT_FATE_REJECTED) == 0)
        leat_loop_turn(b.rig.loop);
    assert_int_equal(fate(&b, LEAT_FATE_REJECTED), 2);
    bench_end(&b);
}

static struct leat_status poison(struct rig_sink *s, const struct leat_batch *b)
{
    (void)s;
    return rig_has(b, "bad-0") ? leat_rejected(3, "poison") : leat_delivered();
}

static void test_one_bad_part_does_not_take_its_neighbours_along(void **state)
{
    struct bench b;
    struct rig_caller c[5];
    static const char *const names[] = {"a", "b", "bad", "d", "e"};

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.wait_for_result = true;
    b.conf.sending_queue.has_batch = true;
    b.conf.sending_queue.batch.min_size = 5;
    b.sink.judge = poison;
    bench_start(&b);
    for (int i = 0; i < 5; i++) {
        rig_caller_init(&c[i]);
        give(&b, names[i], 1, &c[i]);
    }
    for (int i = 0; i < 5; i++) {
        rig_until_told(&b.rig, &c[i]);
        assert_int_equal(c[i].status.outcome, i == 2 ? LEAT_REJECTED : LEAT_DELIVERED);
    }
    assert_int_equal(b.sink.sizes[0], 5);
    assert_int_equal(fate(&b, LEAT_FATE_DELIVERED), 4);
    assert_int_equal(fate(&b, LEAT_FATE_REJECTED), 1);
    bench_end(&b);
}

static struct leat_status at_most_three(struct rig_sink *s, const struct leat_batch *b)
{
    struct leat_status st = leat_rejected(8, "too large");

    (void)s;
    st.too_large = true;
    return b->items > 3 ? st : leat_delivered();
}

static void test_too_large_is_halved(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.enabled = false;
    b.sink.judge = at_most_three;
    bench_start(&b);
    rig_caller_init(&c);
    give(&b, "a", 10, &c);
    rig_until_told(&b.rig, &c);
    assert_int_equal(c.status.outcome, LEAT_DELIVERED);
    assert_string_equal(b.sink.bodies, "a-0 a-1 a-2 a-3 a-4 a-5 a-6 a-7 a-8 a-9 ");
    bench_end(&b);
}

static void test_rejection_of_the_caller_is_not_tried_in_parts(void **state)
{
    struct bench b;
    struct rig_caller c[2];

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.wait_for_result = true;
    b.conf.sending_queue.has_batch = true;
    b.conf.sending_queue.batch.min_size = 2;
    b.sink.answer = leat_rejected(16, "no token");
    b.sink.answer.not_content = true;
    bench_start(&b);
    for (int i = 0; i < 2; i++) {
        rig_caller_init(&c[i]);
        give(&b, "a", 1, &c[i]);
    }
    rig_until_told(&b.rig, &c[1]);
    assert_int_equal(b.sink.batches, 1);
    bench_end(&b);
}

static void test_batch_is_cut_at_max_size(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.has_batch = true;
    b.conf.sending_queue.batch.min_size = 4;
    b.conf.sending_queue.batch.max_size = 4;
    bench_start(&b);
    give(&b, "a", 3, NULL);
    assert_int_equal(b.sink.batches, 0);
    give(&b, "b", 7, NULL);
    rig_until(&b.rig, &b.sink.items, 10);
    assert_int_equal(b.sink.batches, 3);
    assert_int_equal(b.sink.sizes[0], 4);
    assert_int_equal(b.sink.sizes[1], 4);
    assert_int_equal(b.sink.sizes[2], 2);
    bench_end(&b);
}

static void test_batch_is_flushed_by_age(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.has_batch = true;
    bench_start(&b);
    give(&b, "a", 3, NULL);
    give(&b, "b", 2, NULL);
    rig_until(&b.rig, &b.sink.items, 5);
    assert_int_equal(b.sink.batches, 1);
    bench_end(&b);
}

static void on_drained(void *arg)
{
    struct bench *b = arg;

    b->drained = 1;
}

static void test_drain_sends_what_is_held_and_goes_on_trying(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.has_batch = true;
    b.conf.sending_queue.batch.flush_timeout = 3600 * LEAT_SEC;
    b.sink.fail_first = 2;
    b.sink.first_answer = leat_retry(14, 0, "unavailable");
    bench_start(&b);
    give(&b, "a", 3, NULL);
    leat_sender_drain(b.sender, on_drained, &b);
    rig_until(&b.rig, &b.drained, 1);
    assert_string_equal(b.sink.bodies, "a-0 a-1 a-2 ");
    bench_end(&b);
}

static void test_stop_tells_everybody(void **state)
{
    struct bench b;
    struct rig_caller c[4];

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.wait_for_result = true;
    b.conf.sending_queue.queue_size = 2;
    b.conf.sending_queue.block_on_overflow = true;
    b.sink.hold = true;
    bench_start(&b);
    for (int i = 0; i < 4; i++) {
        rig_caller_init(&c[i]);
        give(&b, "a", 1, &c[i]);
    }
    bench_end(&b);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(c[i].told, 1);
        assert_int_equal(c[i].status.outcome, LEAT_RETRY);
    }
}

static void test_partial_success_reaches_a_single_caller(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_init(&b);
    b.conf.sending_queue.enabled = false;
    b.sink.answer.rejected = 2;
    b.sink.answer.why = "two are too old";
    bench_start(&b);
    rig_caller_init(&c);
    give(&b, "a", 5, &c);
    assert_int_equal(c.status.rejected, 2);
    assert_string_equal(c.why, "two are too old");
    assert_int_equal(fate(&b, LEAT_FATE_DELIVERED), 3);
    assert_int_equal(fate(&b, LEAT_FATE_REJECTED), 2);
    bench_end(&b);
}

/* Each allocation of a run fails in turn: nobody is told twice or never, nothing leaks, the books
 * balance. */
static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        struct bench b;
        struct rig_caller c[4];
        struct leat_batch *batches[4];
        bench_init(&b);
        b.conf.sending_queue.wait_for_result = true;
        b.conf.sending_queue.has_batch = true;
        b.conf.sending_queue.batch.min_size = 12;
        b.conf.sending_queue.batch.max_size = 5;
        b.sink.judge = poison;
        bench_start(&b);
        for (int i = 0; i < 4; i++) {
            rig_caller_init(&c[i]);
            batches[i] = rig_logs(i == 2 ? "bad" : "ok", 3, &c[i]);
            leat_ledger_count(&b.rig.ledger, LEAT_LOGS, LEAT_IN, 3);
        }
        leat_mem_fail_at(n);
        for (int i = 0; i < 4; i++)
            leat_sender_take(b.sender, batches[i]);
        for (int i = 0; i < 4; i++)
            rig_until_told(&b.rig, &c[i]);
        leat_mem_fail_at(0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(c[i].told, 1);
        bench_end(&b);
    }
}

static void test_retry_delay(void **state)
{
    struct leat_retry_conf conf = {.initial_interval = 5 * LEAT_SEC,
                                   .max_interval = 30 * LEAT_SEC,
                                   .max_elapsed_time = 300 * LEAT_SEC,
                                   .multiplier = 1.5,
                                   .randomization_factor = 0.5};

    (void)state;
    for (uint32_t tries = 1; tries < 20; tries++) {
        int64_t d = leat_retry_delay(&conf, tries, 0, 0, 0);
        assert_true(d >= 2500 * MS && d <= 45 * LEAT_SEC);
    }
    assert_int_equal(leat_retry_delay(&conf, 1, 0, 0, 60 * LEAT_SEC), 60 * LEAT_SEC);
    assert_int_equal(leat_retry_delay(&conf, 9, 0, 299 * LEAT_SEC, 0), -1);
    conf.max_elapsed_time = 0;
    assert_true(leat_retry_delay(&conf, 9, 0, 9999 * LEAT_SEC, 0) > 0);
    conf.randomization_factor = 0;
    assert_int_equal(leat_retry_delay(&conf, 1, 0, 0, 0), 5 * LEAT_SEC);
    assert_int_equal(leat_retry_delay(&conf, 2, 0, 0, 0), 7500 * MS);
    assert_int_equal(leat_retry_delay(&conf, 50, 0, 0, 0), 30 * LEAT_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_in_memory_answers_at_once),
        cmocka_unit_test(test_wait_for_result_tells_the_real_outcome),
        cmocka_unit_test(test_an_exporter_without_consumers_gets_many),
        cmocka_unit_test(test_full_queue_is_refused_with_a_delay),
        cmocka_unit_test(test_block_on_overflow_waits_for_room),
        cmocka_unit_test(test_no_more_attempts_at_once_than_consumers),
        cmocka_unit_test(test_retry_until_delivered),
        cmocka_unit_test(test_without_retry_the_first_failure_is_final),
        cmocka_unit_test(test_no_try_after_the_callers_deadline),
        cmocka_unit_test(test_what_is_held_outlives_its_callers_deadline),
        cmocka_unit_test(test_retries_exhausted_are_counted_as_lost),
        cmocka_unit_test(test_one_bad_part_does_not_take_its_neighbours_along),
        cmocka_unit_test(test_too_large_is_halved),
        cmocka_unit_test(test_rejection_of_the_caller_is_not_tried_in_parts),
        cmocka_unit_test(test_batch_is_cut_at_max_size),
        cmocka_unit_test(test_batch_is_flushed_by_age),
        cmocka_unit_test(test_drain_sends_what_is_held_and_goes_on_trying),
        cmocka_unit_test(test_stop_tells_everybody),
        cmocka_unit_test(test_partial_success_reaches_a_single_caller),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_retry_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
