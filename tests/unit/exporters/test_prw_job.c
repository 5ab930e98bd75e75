/* What becomes of a batch's points when they are in several requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/schema.h"
#include "exporters/prw_job.h"
#include "flow/origin.h"
#include "lib/flow_rig.h"

static const struct leat_strings no_keys = {NULL, 0};
static uint32_t ended;

static void on_ended(void *arg, struct leat_prw_job *j)
{
    (void)arg;
    ended++;
    leat_prw_job_end(j, false);
}

/* A job whose translation is done: only its loads are pending. */
static struct leat_prw_job *job(uint32_t items, struct rig_caller *c)
{
    if (c != NULL)
        rig_caller_init(c);
    return leat_prw_job_new(rig_logs("m", items, c), &no_keys);
}

static void add(struct leat_prw_load *l, struct leat_prw_job *j, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        assert_true(leat_prw_load_reserve(l));
        leat_prw_load_add(l, j, i);
    }
}

static void taken(struct leat_prw_load *l)
{
    leat_prw_load_settle(l, 0, false, 0, NULL, on_ended, NULL);
    assert_int_equal(l->n, 0);
    assert_int_equal(l->npoints, 0);
}

static void lost(struct leat_prw_load *l, uint64_t n, bool given_up)
{
    leat_prw_load_settle(l, n, given_up, 3, given_up ? "too late" : "no", on_ended, NULL);
}

static void it_ends_with_its_last_load(void **state)
{
    struct leat_prw_load a, b;
    struct rig_caller c;
    struct leat_prw_job *j = job(10, &c);

    (void)state;
    leat_prw_load_init(&a);
    leat_prw_load_init(&b);
    add(&a, j, 0, 5);
    add(&b, j, 5, 10);
    j->pending--;
    taken(&a);
    assert_int_equal(c.told, 0);
    taken(&b);
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_DELIVERED);
    assert_int_equal(c.status.rejected, 0);
    leat_prw_load_done(&a);
    leat_prw_load_done(&b);
}

/* Points 300 and 301 are in both requests, which are both rejected. */
static void a_point_is_lost_once(void **state)
{
    struct leat_prw_load a, b;
    struct rig_caller c;
    struct leat_prw_job *j = job(1000, &c);

    (void)state;
    leat_prw_load_init(&a);
    leat_prw_load_init(&b);
    add(&a, j, 298, 302);
    leat_prw_load_add(&a, j, 301); /* another sample of the same point */
    add(&b, j, 300, 310);
    add(&b, j, 700, 702);
    leat_prw_load_add(&b, j, LEAT_PRW_NO_POINT);
    assert_int_equal(a.npoints, 4);
    assert_int_equal(b.npoints, 12);
    j->pending--;
    lost(&a, UINT64_MAX, false);
    lost(&b, UINT64_MAX, false);
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_DELIVERED);
    assert_int_equal(c.status.rejected, 14);
    assert_string_equal(c.why, "no");
    leat_prw_load_done(&a);
    leat_prw_load_done(&b);
}

static void a_request_of_several_jobs(void **state)
{
    struct leat_prw_load l;
    struct rig_caller c[3];
    struct leat_prw_job *j[3];

    (void)state;
    leat_prw_load_init(&l);
    for (int i = 0; i < 3; i++) {
        j[i] = job(200, &c[i]);
        add(&l, j[i], 0, i == 1 ? 200 : 100);
        j[i]->pending--;
    }
    ended = 0;
    lost(&l, 150, false); /* 100 of the first, 50 of the second */
    assert_int_equal(ended, 3);
    assert_int_equal(c[0].status.rejected, 100);
    assert_int_equal(c[1].status.rejected, 50);
    assert_int_equal(c[2].status.rejected, 0);
    assert_int_equal(c[2].status.outcome, LEAT_DELIVERED);
    leat_prw_load_done(&l);
}

static void all_rejected_and_given_up(void **state)
{
    struct leat_prw_load l;
    struct rig_caller c;
    struct leat_prw_job *j = job(5, &c);

    (void)state;
    leat_prw_load_init(&l);
    add(&l, j, 0, 5);
    j->pending--;
    lost(&l, UINT64_MAX, false);
    assert_int_equal(c.status.outcome, LEAT_REJECTED);
    assert_true(c.status.not_content);
    j = job(5, &c);
    add(&l, j, 0, 5);
    j->pending--;
    lost(&l, 1, true);
    assert_int_equal(c.status.outcome, LEAT_RETRY); /* the caller has it again */
    assert_true(c.status.retry_after_ms > 0);
    leat_prw_load_done(&l);
}

struct seen {
    struct leat_attempt attempt;
    struct leat_status status;
};

static void on_attempt(struct leat_attempt *a, struct leat_batch *b, struct leat_status st)
{
    struct seen *s = LEAT_OWNER(a, struct seen, attempt);

    s->status = st;
    b->attempt = NULL;
    leat_batch_done(b, st);
}

/* Nobody waits: what was taken counts as delivered. */
static void given_up_where_nobody_waits(void **state)
{
    struct leat_prw_load l;
    struct seen seen = {.attempt = {on_attempt}};

    (void)state;
    leat_prw_load_init(&l);
    for (uint32_t n = 3; n <= 5; n += 2) {
        struct leat_prw_job *j = job(5, NULL);
        j->batch->attempt = &seen.attempt;
        leat_prw_job_drop(j, "of no use");
        add(&l, j, 1, n);
        j->pending--;
        lost(&l, UINT64_MAX, true);
        assert_int_equal(seen.status.outcome, n == 3 ? LEAT_DELIVERED : LEAT_RETRY);
        assert_int_equal(seen.status.rejected, n == 3 ? 3 : 0);
    }
    leat_prw_load_done(&l);
}

/* Back to the start: what was answered is not needed again, what was taken back is, and what never
 * came to be translated. */
static void it_begins_again(void **state)
{
    struct leat_prw_load a, b;
    struct rig_caller c;
    struct leat_prw_job *j = job(40, &c);

    (void)state;
    leat_prw_load_init(&a);
    leat_prw_load_init(&b);
    add(&a, j, 0, 10);
    add(&b, j, 8, 20);
    j->point = 20;
    assert_false(leat_prw_job_has_answer(j, 3));
    taken(&a);
    leat_prw_load_release(&b);
    leat_prw_job_again(j);
    assert_int_equal(j->point, 0);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(leat_prw_job_has_answer(j, i), i < 8);
    leat_prw_job_end(j, true);
    assert_int_equal(c.status.outcome, LEAT_RETRY);
    leat_prw_load_done(&a);
    leat_prw_load_done(&b);
}

/* What is taken back comes first, the rest is answered then: it must not end with that. */
static void it_does_not_end_before_it_comes_again(void **state)
{
    struct leat_prw_load a, b;
    struct rig_caller c;
    struct leat_prw_job *j = job(20, &c);

    (void)state;
    leat_prw_load_init(&a);
    leat_prw_load_init(&b);
    add(&a, j, 0, 10);
    add(&b, j, 10, 20);
    j->point = 20;
    assert_false(leat_prw_job_let_go(j));
    leat_prw_load_release(&a);
    taken(&b);
    assert_int_equal(c.told, 0);
    leat_prw_job_again(j);
    add(&a, j, 0, 10);
    assert_false(leat_prw_job_let_go(j));
    taken(&a);
    assert_int_equal(c.told, 1);
    assert_int_equal(c.status.outcome, LEAT_DELIVERED);
    leat_prw_load_done(&a);
    leat_prw_load_done(&b);
}

static void no_memory(void **state)
{
    struct leat_prw_load l;
    struct rig_caller c;
    struct leat_batch *b;
    struct leat_prw_job *j;

    (void)state;
    rig_caller_init(&c);
    b = rig_logs("m", 40, &c);
    leat_mem_fail_at(1);
    assert_null(leat_prw_job_new(b, &no_keys));
    j = leat_prw_job_new(b, &no_keys);
    leat_prw_load_init(&l);
    for (int i = 1; i <= 2; i++) {
        leat_mem_fail_at((uint64_t)i);
        assert_false(leat_prw_load_reserve(&l));
    }
    add(&l, j, 0, 10);
    /* The bits of what is lost cannot be kept: it is counted all the same. */
    leat_mem_fail_at(1);
    lost(&l, 4, false);
    assert_int_equal(j->rejected, 4);
    add(&l, j, 10, 20);
    j->point = 20;
    leat_mem_fail_at(1);
    leat_prw_load_release(&l);
    leat_mem_fail_at(0);
    leat_prw_job_again(j);
    assert_false(leat_prw_job_has_answer(j, 0)); /* all of it again */
    leat_prw_job_end(j, false);
    assert_int_equal(c.status.rejected, 4);
    leat_prw_load_done(&l);
}

static void keys_of_headers(void **state)
{
    const char *name = "tenant";
    struct leat_strings keys = {&name, 1};
    struct leat_prw_job *j[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct leat_batch *b = rig_logs("m", 1, NULL);
        b->origin = leat_origin_new("peer");
        leat_origin_add(b->origin, leat_bytes_str("Tenant"), leat_bytes_str(i < 2 ? "a" : "b"));
        j[i] = leat_prw_job_new(b, &keys);
    }
    assert_true(leat_prw_job_same_key(j[0], j[1]));
    assert_false(leat_prw_job_same_key(j[0], j[2]));
    for (int i = 0; i < 3; i++)
        leat_prw_job_end(j[i], true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ends_with_its_last_load),
        cmocka_unit_test(a_point_is_lost_once),
        cmocka_unit_test(a_request_of_several_jobs),
        cmocka_unit_test(all_rejected_and_given_up),
        cmocka_unit_test(given_up_where_nobody_waits),
        cmocka_unit_test(it_begins_again),
        cmocka_unit_test(it_does_not_end_before_it_comes_again),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(keys_of_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
