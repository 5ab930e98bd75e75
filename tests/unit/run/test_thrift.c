/* When memory that lies unused is given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/thrift.h"

#define MIB ((size_t)1 << 20)

static void only_when_much_lies_unused_for_long(void **state)
{
    unsigned idle = 0;

    (void)state;
    assert_false(leat_thrift_look(&idle, 120 * MIB, 2 * MIB));
    assert_false(leat_thrift_look(&idle, 120 * MIB, 2 * MIB));
    assert_true(leat_thrift_look(&idle, 120 * MIB, 2 * MIB));
    assert_false(leat_thrift_look(&idle, 120 * MIB, 2 * MIB)); /* and again from the start */
}

static void a_busy_moment_begins_anew(void **state)
{
    unsigned idle = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_false(leat_thrift_look(&idle, 120 * MIB, 2 * MIB));
        assert_false(leat_thrift_look(&idle, 120 * MIB, 2 * MIB));
        assert_false(leat_thrift_look(&idle, 120 * MIB, 60 * MIB));
    }
}

static void little_is_kept(void **state)
{
    unsigned idle = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_false(leat_thrift_look(&idle, 38 * MIB, 1 * MIB));
        assert_false(leat_thrift_look(&idle, 0, 1 * MIB)); /* the kernel does not say */
    }
}

static void under_pressure_only_holes_beyond_the_limit_count(void **state)
{
    (void)state;
    assert_true(leat_thrift_press(64 * MIB, 90 * MIB, 64 * MIB));
    assert_false(leat_thrift_press(64 * MIB, 68 * MIB, 40 * MIB)); /* within what it may have */
    assert_false(leat_thrift_press(64 * MIB, 90 * MIB, 80 * MIB)); /* all of it is in use */
    assert_false(leat_thrift_press(64 * MIB, 0, 64 * MIB));        /* the kernel does not say */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_when_much_lies_unused_for_long),
        cmocka_unit_test(a_busy_moment_begins_anew),
        cmocka_unit_test(little_is_kept),
        cmocka_unit_test(under_pressure_only_holes_beyond_the_limit_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
