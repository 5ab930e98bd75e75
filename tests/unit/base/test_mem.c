/* Memory in two kinds: one that never fails, one that tests make fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void new_memory_is_zeroed(void **state)
{
    uint8_t *p = leat_new_array(7, 3);

    (void)state;
    for (int i = 0; i < 21; i++)
        assert_int_equal(p[i], 0);
    p = leat_renew(p, 100);
    assert_int_equal(p[20], 0);
    memset(p, 1, 100);
    leat_free(p);
    leat_free(leat_new(0));
    leat_free(NULL);
}

static void strings(void **state)
{
    char *a = leat_strdup("abc"), *b = leat_strndup("abcdef", 2), *c = leat_format("%d-%s", 7, "x");

    (void)state;
    assert_string_equal(a, "abc");
    assert_string_equal(b, "ab");
    assert_string_equal(c, "7-x");
    leat_free(a);
    leat_free(b);
    leat_free(c);
}

static void the_nth_try_fails(void **state)
{
    uint64_t before = leat_mem_tries();
    void *p, *q;

    (void)state;
    leat_mem_fail_at(2);
    p = leat_try(8);
    assert_non_null(p);
    assert_null(leat_try_resize(p, 100)); /* and p stays */
    memset(p, 1, 8);
    q = leat_try_zeroed(8);
    assert_non_null(q);
    assert_int_equal(*(uint64_t *)q, 0);
    assert_int_equal(leat_mem_tries() - before, 3);
    leat_mem_fail_at(1);
    leat_mem_fail_at(0);
    p = leat_try_resize(p, 16);
    assert_non_null(p);
    leat_free(p);
    leat_free(q);
}

/* Of any size, at its limits too: zeroed, and whole. */
static void tables(void **state)
{
    static const size_t sizes[] = {1, 8, 262143, 262144, 262145, 3 << 20};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *t = leat_try_table(sizes[i]);
        assert_non_null(t);
        assert_int_equal(t[0] | t[sizes[i] / 2] | t[sizes[i] - 1], 0);
        memset(t, 1, sizes[i]);
        leat_free_table(t, sizes[i]);
        leat_mem_fail_at(1);
        assert_null(leat_try_table(sizes[i]));
        leat_mem_fail_at(0);
    }
    leat_free_table(NULL, 0);
    leat_free_table(NULL, 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zeroed),
        cmocka_unit_test(strings),
        cmocka_unit_test(the_nth_try_fails),
        cmocka_unit_test(tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
