/* Batches: joining, cutting, sharing, and who is told what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/text.h"
#include "flow/fanout.h"
#include "flow/origin.h"
#include "io/loop.h"
#include "lib/flow_rig.h"

static void test_one_waiter_is_told_once(void **state)
{
    struct rig_caller c;

    (void)state;
    rig_caller_init(&c);
    leat_batch_done(rig_logs("a", 3, &c), leat_rejected(3, "bad"));
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_REJECTED);
    assert_string_equal(c.why, "bad");
}

static void test_join_tells_each_waiter(void **state)
{
    struct rig_caller a, b;
    struct leat_batch *x;

    (void)state;
    rig_caller_init(&a);
    rig_caller_init(&b);
    x = rig_logs("a", 2, &a);
    assert_int_equal(leat_batch_join(x, rig_logs("b", 3, &b)), 0);
    assert_int_equal(x->items, 5);
    assert_int_equal(x->nparts, 2);
    leat_batch_done(x, leat_delivered());
    assert_int_equal(a.told, 1);
    assert_int_equal(b.told, 1);
}

static void test_cut_inside_a_request_waits_for_both_pieces(void **state)
{
    struct rig_caller a;
    struct leat_batch *x, *head;
    struct leat_budget budget;

    (void)state;
    leat_budget_init(&budget, 1 << 20);
    rig_caller_init(&a);
    x = rig_logs("a", 10, &a);
    assert_int_equal(leat_batch_cut(x, 4, &budget, &head), 0);
    assert_int_equal(head->items, 4);
    assert_int_equal(x->items, 6);
    assert_true(rig_has(head, "a-3") && !rig_has(head, "a-4"));
    assert_true(rig_has(x, "a-4") && rig_has(x, "a-9") && !rig_has(x, "a-3"));
    leat_batch_done(head, leat_delivered());
    assert_int_equal(a.told, 0);
    leat_batch_done(x, leat_retry(14, 50, "later"));
    assert_int_equal(a.told, 1);
    assert_int_equal(a.status.outcome, LEAT_RETRY);
    assert_int_equal(a.status.retry_after_ms, 50);
    assert_int_equal(leat_budget_used(&budget), 0);
}

static void test_cut_between_requests_copies_nothing(void **state)
{
    struct rig_caller a, b;
    struct leat_batch *x, *head;
    struct leat_budget none;

    (void)state;
    leat_budget_init(&none, 0);
    rig_caller_init(&a);
    rig_caller_init(&b);
    x = rig_logs("a", 4, &a);
    assert_int_equal(leat_batch_join(x, rig_logs("b", 3, &b)), 0);
    assert_int_equal(leat_batch_cut(x, 4, &none, &head), 0);
    leat_batch_done(head, leat_delivered());
    assert_int_equal(a.told, 1);
    assert_int_equal(b.told, 0);
    leat_batch_done(x, leat_delivered());
    assert_int_equal(b.told, 1);
}

static void test_cut_without_memory_changes_nothing(void **state)
{
    struct rig_caller a;
    struct leat_batch *x, *head;
    struct leat_budget none;

    (void)state;
    leat_budget_init(&none, 0);
    rig_caller_init(&a);
    x = rig_logs("a", 10, &a);
    assert_int_equal(leat_batch_cut(x, 4, &none, &head), -1);
    assert_int_equal(x->items, 10);
    leat_batch_done(x, leat_delivered());
    assert_int_equal(a.told, 1);
}

static void test_parts_get_other_content(void **state)
{
    struct rig_caller c[3];
    struct leat_batch *x = NULL;
    struct leat_budget budget;
    struct leat_buf *buf;

    (void)state;
    leat_budget_init(&budget, 100);
    for (int i = 0; i < 3; i++) {
        struct leat_batch *one;
        rig_caller_init(&c[i]);
        one = rig_logs("a", 2, &c[i]);
        if (x == NULL)
            x = one;
        else
            assert_int_equal(leat_batch_join(x, one), 0);
    }
    for (uint32_t i = 0; i < 2; i++) {
        buf = leat_buf_new(&budget, 50);
        buf->len = 10 + i;
        leat_batch_put(x, i, buf, i);
    }
    assert_int_equal(x->items, 3);
    assert_int_equal(x->bytes, 10 + 11 + x->parts[2].len);
    leat_batch_shed(x);
    assert_int_equal(x->nparts, 2);
    assert_int_equal(x->bytes, 11 + x->parts[1].len);
    assert_int_equal(c[0].told, 1);
    assert_int_equal(c[0].status.outcome, LEAT_DELIVERED);
    assert_int_equal(c[1].told + c[2].told, 0);
    assert_int_equal(leat_budget_used(&budget), 50);
    leat_batch_done(x, leat_retry(14, 0, "later"));
    assert_int_equal(c[1].status.outcome, LEAT_RETRY);
    assert_int_equal(c[2].status.outcome, LEAT_RETRY);
    assert_int_equal(c[0].told, 1);
    assert_int_equal(leat_budget_used(&budget), 0);
}

static void test_hold_answers_all_but_the_patient(void **state)
{
    struct rig_caller a, patient;
    struct leat_batch *x;

    (void)state;
    rig_caller_init(&a);
    rig_caller_init(&patient);
    patient.ack.patient = true;
    x = rig_logs("a", 1, &a);
    assert_int_equal(leat_batch_join(x, rig_logs("p", 1, &patient)), 0);
    leat_batch_hold(x);
    assert_int_equal(a.told, 1);
    assert_int_equal(a.status.outcome, LEAT_DELIVERED);
    assert_int_equal(patient.told, 0);
    leat_batch_done(x, leat_rejected(3, "no"));
    assert_int_equal(a.told, 1);
    assert_int_equal(patient.told, 1);
    assert_int_equal(patient.status.outcome, LEAT_REJECTED);
}

static void test_fanout_tells_the_worst(void **state)
{
    struct rig_sink sinks[3];
    struct leat_outlet outlets[3];
    struct leat_fanout f = {outlets, 3};
    struct rig_caller c;

    (void)state;
    for (int i = 0; i < 3; i++) {
        rig_sink_init(&sinks[i]);
        outlets[i] = sinks[i].outlet;
    }
    sinks[1].hold = true;
    sinks[2].answer = leat_rejected(3, "bad");
    rig_caller_init(&c);
    leat_fanout_take(&f, rig_logs("a", 2, &c));
    assert_int_equal(c.told, 0);
    rig_sink_end(&sinks[1], leat_delivered());
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_REJECTED);
    assert_string_equal(sinks[0].bodies, "a-0 a-1 ");
    assert_string_equal(sinks[1].bodies, "a-0 a-1 ");
}

static void test_fanout_without_memory_is_a_retry(void **state)
{
    struct rig_sink sinks[2];
    struct leat_outlet outlets[2];
    struct leat_fanout f = {outlets, 2};
    struct rig_caller c;
    struct leat_batch *b;

    (void)state;
    for (int i = 0; i < 2; i++) {
        rig_sink_init(&sinks[i]);
        outlets[i] = sinks[i].outlet;
    }
    rig_caller_init(&c);
    b = rig_logs("a", 2, &c);
    leat_mem_fail_at(1);
    leat_fanout_take(&f, b);
    leat_mem_fail_at(0);
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_RETRY);
    assert_int_equal(sinks[0].batches, 1); /* always: its edge counts for the side before */
    assert_int_equal(sinks[1].batches, 0);
}

static void test_partial_success_adds_up(void **state)
{
    struct rig_caller c;
    struct leat_batch *x, *head;
    struct leat_budget budget;
    struct leat_status part = leat_delivered();

    (void)state;
    leat_budget_init(&budget, 1 << 20);
    rig_caller_init(&c);
    x = rig_logs("a", 10, &c);
    assert_int_equal(leat_batch_cut(x, 5, &budget, &head), 0);
    part.rejected = 2;
    part.why = "too old";
    leat_batch_done(head, part);
    leat_batch_done(x, part);
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_DELIVERED);
    assert_int_equal(c.status.rejected, 4);
    assert_string_equal(c.why, "too old");
}

static void test_metadata_keys_tell_absent_from_empty(void **state)
{
    static const char *const names[] = {"x-tenant"};
    struct leat_origin *with = leat_origin_new("127.0.0.1:1"), *without = leat_origin_new(NULL);
    struct leat_text a, b;

    (void)state;
    leat_text_init(&a, 1000);
    leat_text_init(&b, 1000);
    assert_int_equal(leat_origin_add(with, leat_bytes_str("X-Tenant"), leat_bytes_str("")), 0);
    leat_origin_key(with, names, 1, &a);
    leat_origin_key(without, names, 1, &b);
    assert_string_not_equal(leat_text_get(&a), leat_text_get(&b));
    assert_string_equal(leat_origin_peer(with), "127.0.0.1:1");
    assert_string_equal(leat_origin_peer(without), "");
    leat_text_done(&a);
    leat_text_done(&b);
    leat_origin_unref(with);
    leat_origin_unref(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_waiter_is_told_once),
        cmocka_unit_test(test_join_tells_each_waiter),
        cmocka_unit_test(test_cut_inside_a_request_waits_for_both_pieces),
        cmocka_unit_test(test_cut_between_requests_copies_nothing),
        cmocka_unit_test(test_cut_without_memory_changes_nothing),
        cmocka_unit_test(test_parts_get_other_content),
        cmocka_unit_test(test_hold_answers_all_but_the_patient),
        cmocka_unit_test(test_fanout_tells_the_worst),
        cmocka_unit_test(test_fanout_without_memory_is_a_retry),
        cmocka_unit_test(test_partial_success_adds_up),
        cmocka_unit_test(test_metadata_keys_tell_absent_from_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
