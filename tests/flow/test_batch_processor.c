/* The batch processor: when it passes on, in what pieces, whom it answers when, and that nothing it
 * has answered for is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/meter.h"
#include "flow/ledger.h"
#include "flow/origin.h"
#include "lib/flow_rig.h"
#include "lib/path_conf.h"

extern const struct leat_component leat_processor_batch;

#define C (&leat_processor_batch)

struct bench {
    struct rig rig;
    struct rig_sink sink;
    struct path_conf conf;
    void *self;
    volatile uint32_t drained;
    bool closed;
};

/* As an edge of a graph: what leaves is counted. */
static void count_out(void *self, struct leat_batch *batch)
{
    struct bench *b = self;

    leat_ledger_count(&b->rig.ledger, batch->signal, LEAT_OUT, batch->items);
    leat_send(&b->sink.outlet, batch);
}

static void bench_open(struct bench *b, enum leat_promise promise, const char *yaml)
{
    struct leat_err err;

    memset(b, 0, sizeof *b);
    rig_open(&b->rig);
    rig_sink_init(&b->sink);
    path_conf_init(&b->conf, C, yaml);
    b->rig.env.conf = b->conf.conf;
    b->rig.env.promise = promise;
    b->rig.env.next[LEAT_LOGS] = (struct leat_outlet){count_out, b};
    b->self = leat_new(C->self_size);
    assert_int_equal(C->open(b->self, &b->rig.env, &err), 0);
}

static void bench_close(struct bench *b)
{
    if (!b->closed)
        C->close(b->self);
    while (!leat_list_empty(&b->sink.held))
        rig_sink_end(&b->sink, leat_retry(14, 0, "closed"));
    leat_free(b->self);
    path_conf_done(&b->conf);
    rig_close(&b->rig);
}

static void take(struct bench *b, struct leat_batch *batch)
{
    leat_ledger_count(&b->rig.ledger, LEAT_LOGS, LEAT_IN, batch->items);
    C->take(b->self, batch);
}

static void give(struct bench *b, const char *name, uint32_t items, struct rig_caller *c)
{
    if (c != NULL)
        rig_caller_init(c);
    take(b, rig_logs(name, items, c));
}

static void give_from(struct bench *b, const char *name, const char *tenant, struct rig_caller *c)
{
    struct leat_batch *batch;

    rig_caller_init(c);
    batch = rig_logs(name, 1, c);
    batch->origin = leat_origin_new("127.0.0.1:1");
    if (tenant != NULL)
        leat_origin_add(batch->origin, leat_bytes_str("x-tenant"), leat_bytes_str(tenant));
    take(b, batch);
}

static void told_drained(void *house)
{
    struct bench *b = house;

    b->drained++;
}

static int64_t held(struct bench *b)
{
    return atomic_load(&b->rig.ledger.held[LEAT_LOGS]->value);
}

static uint64_t fate(struct bench *b, enum leat_fate f)
{
    return leat_counter_get(b->rig.ledger.fates[LEAT_LOGS][f]);
}

/* --- when */

static void test_size_passes_on_at_once(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 5, timeout: 1h}");
    give(&b, "a", 2, NULL);
    give(&b, "b", 2, NULL);
    assert_int_equal(b.sink.batches, 0);
    assert_int_equal(held(&b), 4);
    give(&b, "c", 3, NULL);
    assert_int_equal(b.sink.batches, 1);
    assert_int_equal(b.sink.sizes[0], 7);
    assert_int_equal(held(&b), 0);
    assert_string_equal(b.sink.bodies, "a-0 a-1 b-0 b-1 c-0 c-1 c-2 ");
    bench_close(&b);
}

static void test_age_passes_on(void **state)
{
    struct bench b;

    (void)state;
    leat_clock_fake(1000 * LEAT_SEC, 1);
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 100, timeout: 200ms}");
    give(&b, "a", 1, NULL);
    leat_clock_step(150 * LEAT_MS);
    leat_loop_turn(b.rig.loop);
    give(&b, "b", 1, NULL); /* the first one's age counts */
    assert_int_equal(b.sink.batches, 0);
    leat_clock_step(51 * LEAT_MS);
    leat_loop_turn(b.rig.loop);
    assert_int_equal(b.sink.batches, 1);
    assert_int_equal(b.sink.sizes[0], 2);
    give(&b, "c", 1, NULL); /* a new age begins */
    leat_clock_step(199 * LEAT_MS);
    leat_loop_turn(b.rig.loop);
    assert_int_equal(b.sink.batches, 1);
    leat_clock_step(2 * LEAT_MS);
    leat_loop_turn(b.rig.loop);
    assert_int_equal(b.sink.batches, 2);
    bench_close(&b);
    leat_clock_real();
}

static void test_timeout_zero_passes_on_each(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{timeout: 0s, send_batch_size: 2, send_batch_max_size: 2}");
    give(&b, "a", 1, NULL);
    give(&b, "b", 5, NULL);
    assert_int_equal(b.sink.batches, 4);
    assert_int_equal(b.sink.sizes[1], 2);
    assert_int_equal(b.sink.sizes[3], 1);
    bench_close(&b);
}

static void test_size_zero_waits_for_age(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 0, timeout: 1ms}");
    give(&b, "a", 100, NULL);
    assert_int_equal(b.sink.batches, 0);
    rig_until(&b.rig, &b.sink.batches, 1);
    assert_int_equal(b.sink.items, 100);
    bench_close(&b);
}

static void test_larger_batches_are_cut(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_open(&b, LEAT_PROMISE_DELIVERED,
               "{send_batch_size: 4, send_batch_max_size: 4, timeout: 1h}");
    b.sink.hold = true;
    give(&b, "a", 3, NULL);
    give(&b, "b", 8, &c);
    assert_int_equal(b.sink.batches, 3);
    assert_int_equal(b.sink.sizes[0], 4);
    assert_int_equal(b.sink.sizes[1], 4);
    assert_int_equal(b.sink.sizes[2], 3);
    rig_sink_end(&b.sink, leat_delivered());
    rig_sink_end(&b.sink, leat_delivered());
    assert_int_equal(c.told, 0);
    rig_sink_end(&b.sink, leat_rejected(3, "bad tail"));
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_REJECTED);
    assert_string_equal(b.sink.bodies, "a-0 a-1 a-2 b-0 b-1 b-2 b-3 b-4 ");
    bench_close(&b);
}

/* --- apart */

static void test_metadata_keeps_apart(void **state)
{
    struct bench b;
    struct rig_caller c[5];

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD,
               "{send_batch_size: 2, timeout: 1h, metadata_keys: [X-Tenant]}");
    give_from(&b, "a", "one", &c[0]);
    give_from(&b, "b", "two", &c[1]);
    give_from(&b, "c", NULL, &c[2]);
    give_from(&b, "d", "", &c[3]); /* an empty value is not an absent one */
    assert_int_equal(b.sink.batches, 0);
    give_from(&b, "e", "one", &c[4]);
    assert_int_equal(b.sink.batches, 1);
    assert_string_equal(b.sink.bodies, "a-0 e-0 ");
    C->drain(b.self, told_drained, &b);
    assert_int_equal(b.sink.batches, 4);
    assert_int_equal(b.drained, 1);
    bench_close(&b);
}

static void test_too_many_combinations_are_rejected(void **state)
{
    struct bench b;
    struct rig_caller c[4];

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD,
               "{timeout: 1h, metadata_keys: [x-tenant], metadata_cardinality_limit: 2}");
    give_from(&b, "a", "one", &c[0]);
    give_from(&b, "b", "two", &c[1]);
    give_from(&b, "c", "three", &c[2]);
    give_from(&b, "d", "two", &c[3]);
    assert_int_equal(c[1].status.outcome, LEAT_DELIVERED);
    assert_int_equal(c[2].told, 1);
    assert_int_equal(c[2].status.outcome, LEAT_REJECTED);
    assert_string_equal(c[2].why, "too many batcher metadata-value combinations");
    assert_int_equal(c[3].status.outcome, LEAT_DELIVERED);
    assert_int_equal(fate(&b, LEAT_FATE_REJECTED), 1);
    assert_int_equal(held(&b), 3);
    C->drain(b.self, told_drained, &b);
    bench_close(&b);
}

/* The collector: no limit when it is 0. */
static void test_cardinality_limit_zero_takes_many(void **state)
{
    struct bench b;
    struct rig_caller c;
    char tenant[16];

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD,
               "{timeout: 1h, metadata_keys: [x-tenant], metadata_cardinality_limit: 0}");
    for (int i = 0; i < 2000; i++) {
        snprintf(tenant, sizeof tenant, "t%d", i);
        give_from(&b, "a", tenant, &c);
        assert_int_equal(c.status.outcome, LEAT_DELIVERED);
    }
    C->drain(b.self, told_drained, &b);
    assert_int_equal(b.sink.items, 2000);
    bench_close(&b);
}

/* --- held: answered at once, and then ours to bring on */

static void test_held_answers_at_once_and_brings_on(void **state)
{
    struct bench b;
    struct rig_caller c[3];

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 2, timeout: 1h}");
    b.sink.fail_first = 2;
    b.sink.first_answer = leat_retry(14, 1, "full");
    give(&b, "a", 1, &c[0]);
    assert_int_equal(c[0].told, 1);
    assert_int_equal(c[0].status.outcome, LEAT_DELIVERED);
    give(&b, "b", 1, &c[1]);
    assert_int_equal(c[1].told, 1);
    assert_int_equal(b.sink.batches, 1);
    assert_int_equal(held(&b), 2);
    give(&b, "c", 1, &c[2]); /* nothing new while the next stage is full */
    assert_int_equal(c[2].told, 1);
    assert_int_equal(c[2].status.outcome, LEAT_RETRY);
    assert_true(c[2].status.retry_after_ms > 0);
    rig_until(&b.rig, &b.sink.batches, 3);
    assert_string_equal(b.sink.bodies, "a-0 b-0 ");
    assert_int_equal(held(&b), 0);
    give(&b, "c", 2, &c[2]);
    assert_int_equal(c[2].status.outcome, LEAT_DELIVERED);
    assert_string_equal(b.sink.bodies, "a-0 b-0 c-0 c-1 ");
    assert_int_equal(fate(&b, LEAT_REFUSED), 1);
    bench_close(&b);
}

static void test_held_rejection_ends_it(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 1, timeout: 1h}");
    b.sink.answer = leat_rejected(3, "bad");
    give(&b, "a", 1, &c);
    assert_int_equal(c.status.outcome, LEAT_DELIVERED);
    assert_int_equal(held(&b), 0);
    b.sink.answer = leat_delivered();
    give(&b, "b", 1, &c);
    assert_string_equal(b.sink.bodies, "b-0 ");
    bench_close(&b);
}

/* Two batches under way, both refused, come back and go out again. */
static void test_held_many_flights(void **state)
{
    struct bench b;
    struct rig_caller c[2];

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 1, timeout: 1h}");
    b.sink.hold = true;
    give(&b, "a", 1, &c[0]);
    give(&b, "b", 1, &c[1]);
    assert_int_equal(b.sink.batches, 2);
    rig_sink_end(&b.sink, leat_retry(14, 1, "full"));
    rig_sink_end(&b.sink, leat_retry(14, 1, "full"));
    assert_int_equal(held(&b), 2);
    b.sink.hold = false;
    rig_until(&b.rig, &b.sink.batches, 4);
    assert_string_equal(b.sink.bodies, "a-0 b-0 ");
    bench_close(&b);
}

/* A patient waiter is never told "held", neither by us nor by what comes after us. */
static void test_patient_waits_for_the_end(void **state)
{
    struct bench b;
    struct rig_caller quick, patient;

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 2, timeout: 1h}");
    b.sink.hold = true;
    give(&b, "a", 1, &quick);
    rig_caller_init(&patient);
    patient.ack.patient = true;
    take(&b, rig_logs("b", 1, &patient));
    assert_int_equal(quick.told, 1);
    assert_int_equal(patient.told, 0);
    assert_int_equal(b.sink.batches, 1);
    /* what a sender does on taking it into its queue */
    leat_batch_hold(LEAT_OWNER(b.sink.held.next, struct leat_batch, link));
    assert_int_equal(patient.told, 0);
    rig_sink_end(&b.sink, leat_delivered());
    assert_int_equal(patient.told, 1);
    assert_int_equal(patient.status.outcome, LEAT_DELIVERED);
    bench_close(&b);
}

/* --- delivered: callers hear the real outcome */

static void test_delivered_passes_the_waiters_on(void **state)
{
    struct bench b;
    struct rig_caller c[2];

    (void)state;
    bench_open(&b, LEAT_PROMISE_DELIVERED, "{send_batch_size: 2, timeout: 1h}");
    b.sink.hold = true;
    give(&b, "a", 1, &c[0]);
    give(&b, "b", 1, &c[1]);
    assert_int_equal(c[0].told + c[1].told, 0);
    rig_sink_end(&b.sink, leat_retry(14, 700, "busy"));
    assert_int_equal(c[0].told, 1);
    assert_int_equal(c[1].status.outcome, LEAT_RETRY);
    assert_int_equal(c[1].status.retry_after_ms, 700);
    assert_string_equal(c[1].why, "busy");
    give(&b, "c", 2, &c[0]); /* not refused: nothing is kept here */
    assert_int_equal(b.sink.batches, 2);
    rig_sink_end(&b.sink, leat_delivered());
    assert_int_equal(c[0].status.outcome, LEAT_DELIVERED);
    bench_close(&b);
}

/* --- the end */

static void test_drain_flushes_and_waits(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 100, timeout: 1h}");
    b.sink.hold = true;
    give(&b, "a", 1, &c);
    C->drain(b.self, told_drained, &b);
    assert_int_equal(b.sink.batches, 1);
    assert_int_equal(b.drained, 0);
    rig_sink_end(&b.sink, leat_retry(14, 60000, "full")); /* a long wait is not waited out now */
    b.sink.hold = false;
    rig_until(&b.rig, &b.drained, 1);
    assert_string_equal(b.sink.bodies, "a-0 ");
    give(&b, "late", 1, &c); /* what still comes goes on at once */
    assert_string_equal(b.sink.bodies, "a-0 late-0 ");
    bench_close(&b);
}

static void test_drain_hurries_what_waits_already(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 1, timeout: 1h}");
    b.sink.fail_first = 1;
    b.sink.first_answer = leat_retry(14, 3600 * 1000, "full");
    give(&b, "a", 1, &c);
    assert_int_equal(held(&b), 1);
    C->drain(b.self, told_drained, &b);
    rig_until(&b.rig, &b.drained, 1);
    assert_string_equal(b.sink.bodies, "a-0 ");
    bench_close(&b);
}

static void test_drain_of_an_empty_one_is_at_once(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEAT_PROMISE_DELIVERED, "");
    C->drain(b.self, told_drained, &b);
    assert_int_equal(b.drained, 1);
    bench_close(&b);
}

static void test_close_tells_everybody(void **state)
{
    struct bench b;
    struct rig_caller c[2];

    (void)state;
    bench_open(&b, LEAT_PROMISE_DELIVERED, "{send_batch_size: 100, timeout: 1h}");
    give(&b, "a", 1, &c[0]);
    give(&b, "b", 1, &c[1]);
    C->close(b.self);
    b.closed = true;
    assert_int_equal(c[0].told, 1);
    assert_int_equal(c[0].status.outcome, LEAT_RETRY);
    assert_int_equal(c[1].status.outcome, LEAT_RETRY);
    assert_int_equal(fate(&b, LEAT_REFUSED), 2);
    bench_close(&b);
}

/* What was promised and cannot be brought on is counted as lost; the books still balance. Flights
 * may end after the close, well or badly. */
static void test_close_counts_what_is_lost(void **state)
{
    struct bench b;
    struct rig_caller c;

    (void)state;
    bench_open(&b, LEAT_PROMISE_HELD, "{send_batch_size: 1, timeout: 1h}");
    b.sink.hold = true;
    give(&b, "a", 1, &c);
    give(&b, "b", 1, &c);
    give(&b, "c", 1, &c);
    rig_sink_end(&b.sink, leat_retry(14, 1000, "full"));
    C->close(b.self);
    b.closed = true;
    assert_int_equal(fate(&b, LEAT_FATE_REJECTED), 1);
    rig_sink_end(&b.sink, leat_delivered());
    rig_sink_end(&b.sink, leat_retry(14, 1000, "closed"));
    assert_int_equal(fate(&b, LEAT_FATE_REJECTED), 2);
    assert_int_equal(held(&b), 0);
    bench_close(&b);
}

/* --- no memory */

/* Whoever was told "delivered" has its record at the sink; everybody is told once. */
static bool run_with_failure(enum leat_promise promise, uint64_t nth)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct rig_caller c[4];
    struct leat_batch *batches[4];
    struct bench b;
    uint64_t before;
    bool reached;

    bench_open(&b, promise, "{send_batch_size: 5, send_batch_max_size: 5, timeout: 1h}");
    b.sink.fail_first = 1;
    b.sink.first_answer = leat_retry(14, 1, "full");
    for (int i = 0; i < 4; i++) {
        rig_caller_init(&c[i]);
        batches[i] = rig_logs(names[i], 3, &c[i]);
    }
    before = leat_mem_tries();
    leat_mem_fail_at(nth);
    for (int i = 0; i < 4; i++)
        take(&b, batches[i]);
    C->drain(b.self, told_drained, &b);
    rig_until(&b.rig, &b.drained, 1);
    reached = leat_mem_tries() - before >= nth;
    leat_mem_fail_at(0);
    for (int i = 0; i < 4; i++) {
        char body[16];
        assert_int_equal(c[i].told, 1);
        for (int k = 0; k < 3 && c[i].status.outcome == LEAT_DELIVERED; k++) {
            snprintf(body, sizeof body, "%s-%d ", names[i], k);
            assert_non_null(strstr(b.sink.bodies, body));
        }
    }
    assert_int_equal(fate(&b, LEAT_FATE_REJECTED), 0);
    bench_close(&b);
    return reached;
}

static void test_no_memory_loses_nothing_promised(void **state)
{
    uint64_t n;

    (void)state;
    for (n = 1; run_with_failure(LEAT_PROMISE_HELD, n); n++)
        ;
    assert_true(n > 8);
    for (n = 1; run_with_failure(LEAT_PROMISE_DELIVERED, n); n++)
        ;
    assert_true(n > 3);
}

/* Before the first shelf there is: refused, not dropped. */
static void test_no_memory_for_a_combination(void **state)
{
    struct bench b;
    struct rig_caller c;
    struct leat_batch *batch;

    (void)state;
    for (uint64_t n = 1; n <= 12; n++) {
        bench_open(&b, LEAT_PROMISE_HELD, "{timeout: 1h, metadata_keys: [x-tenant]}");
        rig_caller_init(&c);
        batch = rig_logs("a", 1, &c);
        batch->origin = leat_origin_new("127.0.0.1:1");
        leat_origin_add(batch->origin, leat_bytes_str("x-tenant"), leat_bytes_str("one"));
        leat_mem_fail_at(n);
        take(&b, batch);
        leat_mem_fail_at(0);
        C->drain(b.self, told_drained, &b);
        assert_int_equal(c.told, 1);
        assert_int_not_equal(c.status.outcome, LEAT_REJECTED);
        assert_string_equal(b.sink.bodies, c.status.outcome == LEAT_DELIVERED ? "a-0 " : "");
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size_passes_on_at_once),
        cmocka_unit_test(test_age_passes_on),
        cmocka_unit_test(test_timeout_zero_passes_on_each),
        cmocka_unit_test(test_size_zero_waits_for_age),
        cmocka_unit_test(test_larger_batches_are_cut),
        cmocka_unit_test(test_metadata_keeps_apart),
        cmocka_unit_test(test_too_many_combinations_are_rejected),
        cmocka_unit_test(test_cardinality_limit_zero_takes_many),
        cmocka_unit_test(test_held_answers_at_once_and_brings_on),
        cmocka_unit_test(test_held_rejection_ends_it),
        cmocka_unit_test(test_held_many_flights),
        cmocka_unit_test(test_patient_waits_for_the_end),
        cmocka_unit_test(test_delivered_passes_the_waiters_on),
        cmocka_unit_test(test_drain_flushes_and_waits),
        cmocka_unit_test(test_drain_hurries_what_waits_already),
        cmocka_unit_test(test_drain_of_an_empty_one_is_at_once),
        cmocka_unit_test(test_close_tells_everybody),
        cmocka_unit_test(test_close_counts_what_is_lost),
        cmocka_unit_test(test_no_memory_loses_nothing_promised),
        cmocka_unit_test(test_no_memory_for_a_combination),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
