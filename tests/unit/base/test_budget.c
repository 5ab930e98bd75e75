/* The budget is exact, also with many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/budget.h"

static void it_counts(void **state)
{
    struct leat_budget b;

    (void)state;
    leat_budget_init(&b, 100);
    assert_true(leat_budget_take(&b, 60));
    assert_false(leat_budget_take(&b, 41));
    assert_true(leat_budget_take(&b, 40));
    assert_false(leat_budget_take(&b, 1));
    assert_true(leat_budget_take(&b, 0));
    assert_int_equal(leat_budget_used(&b), 100);
    leat_budget_give(&b, 70);
    assert_int_equal(leat_budget_used(&b), 30);
    assert_int_equal(leat_budget_peak(&b), 100);
    assert_int_equal(atomic_load(&b.refused), 2);
    assert_false(leat_budget_take(&b, SIZE_MAX));
    leat_budget_give(&b, 30);
}

struct hammer {
    struct leat_budget *budget;
    size_t taken, refused;
};

static void *hammer(void *arg)
{
    struct hammer *h = arg;

    for (size_t i = 0; i < 20000; i++) {
        size_t n = i % 7 + 1;
        if (!leat_budget_take(h->budget, n)) {
            h->refused++;
            continue;
        }
        h->taken++;
        leat_budget_give(h->budget, n);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    struct leat_budget b;
    struct hammer h[4];
    pthread_t threads[4];
    size_t taken = 0, refused = 0;

    (void)state;
    leat_budget_init(&b, 12);
    for (int i = 0; i < 4; i++) {
        h[i] = (struct hammer){.budget = &b};
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &h[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        taken += h[i].taken;
        refused += h[i].refused;
    }
    assert_int_equal(leat_budget_used(&b), 0);
    assert_int_equal(taken + refused, 80000);
    assert_int_equal(atomic_load(&b.refused), refused);
    assert_in_range(atomic_load(&b.peak), 7, 12);
}

/* Bodies fill the one; what is made of them draws on it. */
static void who_draws_has_room_kept(void **state)
{
    struct leat_budget bodies, copies;

    (void)state;
    leat_budget_init(&bodies, 1000);
    leat_budget_init(&copies, 1000);
    leat_budget_draw(&copies, &bodies);
    assert_true(leat_budget_take(&bodies, 1000)); /* nothing was ever needed: nothing is kept */
    assert_true(leat_budget_take(&copies, 100));  /* the first goes on whatever there is */
    assert_int_equal(leat_budget_used(&bodies), 1100);
    assert_false(leat_budget_take(&copies, 1));
    assert_int_equal(leat_budget_refused(&bodies), 1);
    leat_budget_give(&copies, 100);
    leat_budget_give(&bodies, 1000);
    assert_int_equal(leat_budget_used(&bodies), 0);

    assert_false(leat_budget_take(&bodies, 901)); /* now it is known */
    assert_true(leat_budget_take(&bodies, 900));
    assert_true(leat_budget_take(&copies, 60));
    assert_true(leat_budget_take(&copies, 40));
    assert_false(leat_budget_take(&copies, 1));
    assert_false(leat_budget_take(&bodies, 1));
    leat_budget_give(&copies, 40);
    assert_false(leat_budget_take(&bodies, 1)); /* it stays kept */
    leat_budget_give(&copies, 60);
    leat_budget_give(&bodies, 900);
}

static void a_quarter_is_kept_at_most(void **state)
{
    struct leat_budget bodies, copies;

    (void)state;
    leat_budget_init(&bodies, 1000);
    leat_budget_init(&copies, 1000);
    leat_budget_draw(&copies, &bodies);
    assert_true(leat_budget_take(&copies, 900));
    leat_budget_give(&copies, 900);
    assert_false(leat_budget_take(&bodies, 751));
    assert_true(leat_budget_take(&bodies, 750));
    leat_budget_give(&bodies, 750);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_draws_has_room_kept),
        cmocka_unit_test(a_quarter_is_kept_at_most),
        cmocka_unit_test(it_counts),
        cmocka_unit_test(threads_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
