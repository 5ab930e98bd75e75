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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_counts),
        cmocka_unit_test(threads_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
