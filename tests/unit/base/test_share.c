/* Shares: the arithmetic, the table's bounds, and that everything is given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/share.h"

#define CLIENT(i) (LEAT_CLIENT_FIRST + (uint64_t)(i))

static struct leat_budget whole;

static int setup(void **state)
{
    (void)state;
    leat_budget_init(&whole, 900);
    leat_budget_share_out(&whole);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(leat_budget_used(&whole), 0);
    leat_budget_done(&whole);
    return 0;
}

static struct leat_budget *of(uint64_t client)
{
    return leat_budget_of(&whole, client, NULL);
}

/* Takes units of that size until it is refused; returns what is held then. */
static size_t fill(uint64_t client, size_t unit)
{
    while (leat_budget_take(of(client), unit))
        ;
    return leat_budget_used(of(client));
}

static void empty(uint64_t client)
{
    struct leat_budget *b = of(client);

    leat_budget_give(b, leat_budget_used(b));
}

static void the_rule(void **state)
{
    (void)state;
    assert_true(leat_fair(0, 100, 100)); /* the first only has to fit */
    assert_false(leat_fair(0, 101, 100));
    assert_true(leat_fair(700, 100, 100));
    assert_false(leat_fair(701, 100, 100));
    assert_false(leat_fair(1, 1, 0));
    assert_true(leat_fair(1, 0, 0));
    assert_true(leat_fair(0, 0, 0));
    assert_true(leat_fair(1, SIZE_MAX - 1, SIZE_MAX - 1));
    assert_true(leat_fair(SIZE_MAX / 2, SIZE_MAX / 2, SIZE_MAX / 2));
}

static void one_alone_gets_eight_ninths(void **state)
{
    char why[160];

    (void)state;
    assert_int_equal(fill(CLIENT(0), 1), 800);
    assert_int_equal(atomic_load(&whole.refused), 0);
    assert_true(leat_budget_unfair(of(CLIENT(0)), why, sizeof why));
    assert_non_null(strstr(why, "already holds"));
    assert_int_equal(fill(CLIENT(1), 1), 89);
    assert_true(leat_budget_take(of(CLIENT(2)), 11)); /* a newcomer, to the last byte */
    assert_false(leat_budget_take(of(CLIENT(3)), 1));
    assert_false(leat_budget_unfair(of(CLIENT(3)), why, sizeof why));
    assert_int_equal(atomic_load(&whole.refused), 1);
    for (int i = 0; i < 4; i++)
        empty(CLIENT(i));
}

/* As what they hold comes and goes, they come to hold the same. */
static void greedy_ones_share_evenly(void **state)
{
    (void)state;
    fill(CLIENT(0), 1);
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 3; i++) {
            if (leat_budget_used(of(CLIENT(i))) > 0)
                leat_budget_give(of(CLIENT(i)), 1 + (i == 0 && round % 2 == 0 &&
                                                     leat_budget_used(of(CLIENT(0))) > 1));
        }
        for (int i = 0; i < 3; i++) {
            leat_budget_take(of(CLIENT((i + round) % 3)), 1);
            leat_budget_take(of(CLIENT((i + round) % 3)), 1);
        }
    }
    for (int i = 0; i < 3; i++) { /* 8 / (1 + 3 * 8) of 900 are 288 */
        assert_in_range(leat_budget_used(of(CLIENT(i))), 270, 306);
        empty(CLIENT(i));
    }
}

static void a_large_first_request_only_has_to_fit(void **state)
{
    struct leat_buf *b = leat_buf_new(of(CLIENT(0)), 1), *other;

    (void)state;
    assert_int_equal(leat_buf_resize(&b, 900), 0); /* alone, and growing */
    assert_int_equal(leat_budget_used(&whole), 900);
    assert_int_equal(leat_buf_resize(&b, 850), 0);
    assert_null(leat_buf_new(of(CLIENT(0)), 10));
    other = leat_buf_new(of(CLIENT(1)), 50);
    assert_non_null(other);
    leat_buf_unref(other);
    leat_buf_unref(b);
    b = leat_buf_new(of(CLIENT(0)), 900);
    assert_non_null(b);
    leat_buf_unref(b);
}

static void a_growing_one_among_others_is_held_to_it(void **state)
{
    struct leat_buf *a = leat_buf_new(of(CLIENT(0)), 700), *b = leat_buf_new(of(CLIENT(0)), 95);

    (void)state;
    assert_int_equal(leat_buf_resize(&b, 141), -1); /* 105 are left: 840 */
    assert_int_equal(leat_buf_resize(&b, 140), 0);
    assert_int_equal(leat_buf_resize(&b, 10), 0);
    assert_int_equal(leat_budget_used(of(CLIENT(0))), 710);
    leat_buf_unref(a);
    leat_buf_unref(b);
}

static void without_memory_nothing_stays_charged(void **state)
{
    struct leat_buf *b;

    (void)state;
    leat_mem_fail_at(1);
    assert_null(leat_buf_new(of(CLIENT(0)), 100));
    assert_int_equal(leat_budget_used(of(CLIENT(0))), 0);
    b = leat_buf_new(of(CLIENT(0)), 100);
    leat_mem_fail_at(1);
    assert_int_equal(leat_buf_resize(&b, 200), -1);
    leat_mem_fail_at(0);
    assert_int_equal(leat_budget_used(of(CLIENT(0))), 100);
    leat_buf_unref(b);
}

static void nobody_is_not_limited(void **state)
{
    struct leat_budget plain;

    (void)state;
    assert_ptr_equal(of(LEAT_CLIENT_NONE), &whole);
    assert_int_equal(fill(LEAT_CLIENT_NONE, 1), 900);
    assert_int_equal(leat_budget_client(&whole), LEAT_CLIENT_NONE);
    assert_int_equal(leat_budget_client(NULL), LEAT_CLIENT_NONE);
    leat_budget_give(&whole, 900);
    leat_budget_init(&plain, 10); /* not shared out */
    assert_ptr_equal(leat_budget_of(&plain, CLIENT(0), NULL), &plain);
    assert_null(leat_budget_of(NULL, CLIENT(0), NULL));
}

/* However many there are: those who hold something have a share, the others use one together. */
static void the_table_is_bounded(void **state)
{
    struct leat_shares *s = leat_shares_new(NULL);
    struct leat_budget *many = leat_shares_find(s, LEAT_CLIENT_MANY), *b;
    size_t own = 0;

    (void)state;
    for (uint64_t i = 0; i < 20 * LEAT_SHARES; i++) {
        b = leat_shares_find(s, CLIENT(i));
        own += b != many;
        leat_budget_share_add(b, 1);
        assert_ptr_equal(leat_shares_find(s, CLIENT(i)), b);
        assert_ptr_equal(leat_shares_at(s, leat_shares_number(s, b)), b);
        assert_true(leat_shares_number(s, b) < LEAT_SHARES_IN_ALL);
    }
    assert_int_equal(own, LEAT_SHARES);
    assert_int_equal(leat_budget_used(many), 19 * LEAT_SHARES);
    assert_int_equal(leat_budget_client(many), LEAT_CLIENT_MANY);
    leat_shares_free(s);
}

/* Whose share is idle loses it to who needs it, without being removed, and finds another later. */
static void an_idle_share_may_become_anothers(void **state)
{
    struct leat_shares *s = leat_shares_new(NULL);
    struct leat_budget *many = leat_shares_find(s, LEAT_CLIENT_MANY);
    struct leat_budget *first = leat_shares_find(s, CLIENT(0)), *pinned;

    (void)state;
    for (uint64_t i = 1; i <= 20 * LEAT_SHARES; i++)
        assert_ptr_not_equal(leat_shares_find(s, CLIENT(i)), many);
    assert_int_not_equal(first->client, CLIENT(0));
    pinned = leat_shares_find(s, CLIENT(0));
    assert_int_equal(pinned->client, CLIENT(0));
    pinned->pins = 1;
    for (uint64_t i = 1; i <= 20 * LEAT_SHARES; i++)
        assert_ptr_not_equal(leat_shares_find(s, CLIENT(i)), pinned);
    leat_shares_free(s);
}

static void what_was_found_before_is_looked_at_again(void **state)
{
    struct leat_budget *b = of(CLIENT(0));

    (void)state;
    assert_ptr_equal(leat_budget_of(&whole, CLIENT(0), b), b);
    b->client = CLIENT(1); /* it was taken over */
    assert_true(leat_budget_take(b, 1));
    assert_ptr_not_equal(leat_budget_of(&whole, CLIENT(0), b), b);
    leat_budget_give(b, 1);
    assert_ptr_not_equal(leat_budget_of(&whole, CLIENT(0), &whole), &whole);
}

static void who_holds_little_is_light(void **state)
{
    (void)state;
    assert_false(leat_budget_is_light(NULL));
    assert_false(leat_budget_is_light(&whole));
    assert_true(leat_budget_take(of(CLIENT(0)), 200));
    assert_false(leat_budget_is_light(of(CLIENT(0)))); /* alone */
    assert_true(leat_budget_take(of(CLIENT(1)), 67));
    assert_false(leat_budget_is_light(of(CLIENT(0))));
    assert_false(leat_budget_is_light(of(CLIENT(1)))); /* half of the average is 66 */
    leat_budget_give(of(CLIENT(1)), 2);
    assert_true(leat_budget_is_light(of(CLIENT(1))));
    assert_true(leat_budget_take(of(CLIENT(0)), 0));
    for (int i = 0; i < 2; i++)
        empty(CLIENT(i));
}

#define HANDED 4000

static struct leat_buf *_Atomic handed[HANDED];

static void *give_back(void *arg)
{
    for (int i = 0; i < HANDED; i++) {
        struct leat_buf *b;

        while ((b = atomic_exchange(&handed[i], NULL)) == NULL)
            ;
        leat_buf_unref(b);
    }
    return arg;
}

/* Another worker gives back: the share is there until the last byte is, and exact. */
static void another_thread_gives_back(void **state)
{
    pthread_t t;

    (void)state;
    whole.limit = SIZE_MAX / 2;
    assert_int_equal(pthread_create(&t, NULL, give_back, NULL), 0);
    for (int i = 0; i < HANDED; i++) {
        struct leat_buf *b = leat_buf_new(of(CLIENT(i * 7 % 3000)), 1 + (size_t)i % 50);

        assert_non_null(b);
        atomic_store(&handed[i], b);
    }
    pthread_join(t, NULL);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(leat_budget_used(of(CLIENT(i))), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule),
        cmocka_unit_test_setup_teardown(one_alone_gets_eight_ninths, setup, teardown),
        cmocka_unit_test_setup_teardown(greedy_ones_share_evenly, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_first_request_only_has_to_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_growing_one_among_others_is_held_to_it, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_nothing_stays_charged, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_not_limited, setup, teardown),
        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(an_idle_share_may_become_anothers),
        cmocka_unit_test_setup_teardown(what_was_found_before_is_looked_at_again, setup, teardown),
        cmocka_unit_test_setup_teardown(who_holds_little_is_light, setup, teardown),
        cmocka_unit_test_setup_teardown(another_thread_gives_back, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
