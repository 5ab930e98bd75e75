/* Ref-counted bytes that are charged while they live. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/buf.h"
#include "base/mem.h"

static void charged_until_the_last_reference(void **state)
{
    struct leat_budget budget;
    struct leat_buf *b;

    (void)state;
    leat_budget_init(&budget, 1000);
    b = leat_buf_new(&budget, 600);
    assert_non_null(b);
    assert_int_equal(b->len, 0);
    assert_int_equal(b->cap, 600);
    memset(b->data, 'x', 600);
    assert_ptr_equal(leat_buf_ref(b), b);
    leat_buf_unref(b);
    assert_int_equal(leat_budget_used(&budget), 600);
    assert_null(leat_buf_new(&budget, 401));
    leat_buf_unref(b);
    assert_int_equal(leat_budget_used(&budget), 0);
    leat_buf_unref(NULL);
}

static void resizing(void **state)
{
    struct leat_budget budget;
    struct leat_buf *b;

    (void)state;
    leat_budget_init(&budget, 1000);
    b = leat_buf_new(&budget, 10);
    memcpy(b->data, "0123456789", 10);
    b->len = 10;
    assert_int_equal(leat_buf_resize(&b, 1000), 0);
    assert_int_equal(leat_budget_used(&budget), 1000);
    assert_memory_equal(b->data, "0123456789", 10);
    assert_int_equal(leat_buf_resize(&b, 1001), -1);
    assert_int_equal(b->cap, 1000);
    assert_int_equal(leat_buf_resize(&b, 10), 0);
    assert_int_equal(leat_budget_used(&budget), 10);
    leat_mem_fail_at(1);
    assert_int_equal(leat_buf_resize(&b, 500), -1);
    assert_int_equal(leat_budget_used(&budget), 10);
    leat_mem_fail_at(1);
    assert_null(leat_buf_new(&budget, 500));
    leat_mem_fail_at(0);
    assert_int_equal(leat_budget_used(&budget), 10);
    assert_memory_equal(b->data, "0123456789", 10);
    leat_buf_unref(b);
    assert_int_equal(leat_budget_used(&budget), 0);
}

static void absurd_sizes_are_refused(void **state)
{
    struct leat_buf *b = leat_buf_new(NULL, 1);

    (void)state;
    assert_null(leat_buf_new(NULL, SIZE_MAX));
    assert_int_equal(leat_buf_resize(&b, SIZE_MAX), -1);
    leat_buf_unref(b);
    b = leat_buf_new(NULL, 0);
    assert_non_null(b);
    leat_buf_unref(b);
}

static void *drop_many(void *arg)
{
    struct leat_buf *b = arg;

    for (int i = 0; i < 10000; i++)
        leat_buf_unref(leat_buf_ref(b));
    leat_buf_unref(b);
    return NULL;
}

static void threads_may_hold_references(void **state)
{
    struct leat_budget budget;
    struct leat_buf *b;
    pthread_t threads[3];

    (void)state;
    leat_budget_init(&budget, 100);
    b = leat_buf_new(&budget, 100);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, drop_many, leat_buf_ref(b)), 0);
    leat_buf_unref(b);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(leat_budget_used(&budget), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charged_until_the_last_reference),
        cmocka_unit_test(resizing),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(threads_may_hold_references),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
