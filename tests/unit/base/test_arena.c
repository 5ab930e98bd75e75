/* Small pieces with a maximum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/mem.h"

static void pieces_are_aligned_zeroed_and_apart(void **state)
{
    struct leat_arena a;
    uint8_t *pieces[200];

    (void)state;
    leat_arena_init(&a, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = leat_arena_take(&a, i * 3);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < i * 3; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)i, i * 3);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t k = 0; k < i * 3; k++)
            assert_int_equal(pieces[i][k], i);
    }
    assert_string_equal(leat_arena_str(&a, leat_bytes("abcdef", 3)), "abc");
    assert_string_equal(leat_arena_str(&a, leat_bytes(NULL, 0)), "");
    leat_arena_done(&a);
    leat_arena_done(&a);
}

static void it_has_a_maximum(void **state)
{
    struct leat_arena a;

    (void)state;
    leat_arena_init(&a, 100);
    assert_null(leat_arena_take(&a, 101));
    assert_non_null(leat_arena_take(&a, 64));
    assert_null(leat_arena_take(&a, 64));
    assert_non_null(leat_arena_take(&a, 30));
    assert_null(leat_arena_take(&a, 30));
    assert_null(leat_arena_take(&a, SIZE_MAX));
    leat_arena_done(&a);
    assert_non_null(leat_arena_take(&a, 64)); /* after done it may be used again */
    leat_arena_done(&a);
}

static void absurd_sizes_are_refused(void **state)
{
    struct leat_arena a;

    (void)state;
    leat_arena_init(&a, SIZE_MAX);
    assert_null(leat_arena_take(&a, SIZE_MAX));
    assert_null(leat_arena_take(&a, SIZE_MAX - 20));
    leat_arena_done(&a);
}

static void no_memory(void **state)
{
    struct leat_arena a;

    (void)state;
    leat_arena_init(&a, 100000);
    leat_mem_fail_at(1);
    assert_null(leat_arena_take(&a, 10));
    assert_non_null(leat_arena_take(&a, 10));
    leat_mem_fail_at(1);
    assert_null(leat_arena_take(&a, 50000)); /* a block of its own */
    leat_mem_fail_at(0);
    assert_non_null(leat_arena_take(&a, 50000));
    leat_arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(it_has_a_maximum),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
