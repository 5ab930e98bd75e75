/* Text that grows up to its maximum, and whose errors stick. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"

static void it_grows(void **state)
{
    struct leat_text t;
    char *taken;

    (void)state;
    leat_text_init(&t, 10000);
    assert_string_equal(leat_text_get(&t), "");
    for (int i = 0; i < 1000; i++)
        leat_text_printf(&t, "%03d,", i);
    assert_true(leat_text_ok(&t));
    assert_int_equal(t.len, 4000);
    assert_memory_equal(leat_text_bytes(&t).data, "000,001,", 8);
    leat_text_clear(&t);
    assert_string_equal(leat_text_get(&t), "");
    leat_text_str(&t, "a");
    leat_text_char(&t, 'b');
    leat_text_add(&t, "\0c", 2);
    assert_int_equal(t.len, 4);
    taken = leat_text_take(&t);
    assert_memory_equal(taken, "ab\0c", 5);
    leat_free(taken);
    taken = leat_text_take(&t);
    assert_string_equal(taken, "");
    leat_free(taken);
    leat_text_done(&t);
}

/* Memory of the caller's: filled to its last byte, never left. */
static void it_stays_in_the_callers_memory(void **state)
{
    for (size_t size = 1; size < 300; size++) {
        char *memory = leat_new(size);
        struct leat_text t;

        (void)state;
        leat_text_over(&t, memory, size);
        for (size_t i = 1; i < size; i++)
            leat_text_add(&t, "x", 1);
        assert_true(leat_text_ok(&t));
        assert_int_equal(t.len, size - 1);
        assert_ptr_equal(t.data, memory);
        leat_text_char(&t, 'y');
        assert_false(leat_text_ok(&t));
        assert_ptr_equal(t.data, memory);
        leat_free(memory);
    }
}

static void the_maximum_sticks(void **state)
{
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 5);
    leat_text_str(&t, "12345");
    assert_true(leat_text_ok(&t));
    leat_text_str(&t, "");
    assert_true(leat_text_ok(&t));
    leat_text_char(&t, '6');
    assert_false(leat_text_ok(&t));
    leat_text_str(&t, "");
    assert_string_equal(leat_text_get(&t), "12345");
    leat_text_clear(&t);
    leat_text_printf(&t, "%s", "123456");
    assert_false(leat_text_ok(&t));
    assert_string_equal(leat_text_get(&t), "");
    assert_false(leat_text_reserve(&t, 1));
    leat_text_clear(&t);
    assert_false(leat_text_reserve(&t, SIZE_MAX));
    leat_text_done(&t);
}

static void no_memory_sticks(void **state)
{
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 5000);
    leat_text_str(&t, "kept");
    leat_mem_fail_at(1);
    leat_text_printf(&t, "%4000d", 1);
    leat_mem_fail_at(0);
    assert_false(leat_text_ok(&t));
    leat_text_str(&t, "x");
    assert_string_equal(leat_text_get(&t), "kept");
    leat_text_done(&t);
}

static void percent_escapes_are_decoded(void **state)
{
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 100);
    leat_text_percent_decode(&t, leat_bytes_str("a%20b%c3%A4%2x%%41%4"));
    assert_string_equal(leat_text_get(&t), "a b\xc3\xa4%2x%A%4");
    leat_text_done(&t);
}

static void numbers(void **state)
{
    static const uint64_t n[] = {0, 7, 10, 4294967296u, UINT64_MAX};
    static const char *const text[] = {"0", "7", "10", "4294967296", "18446744073709551615"};

    (void)state;
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        struct leat_text t;
        leat_text_init(&t, 100);
        leat_text_uint(&t, n[i]);
        assert_string_equal(leat_text_get(&t), text[i]);
        leat_text_done(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(it_grows),
        cmocka_unit_test(it_stays_in_the_callers_memory),
        cmocka_unit_test(the_maximum_sticks),
        cmocka_unit_test(no_memory_sticks),
        cmocka_unit_test(percent_escapes_are_decoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
