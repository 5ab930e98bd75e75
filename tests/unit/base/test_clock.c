/* Time that tests set, and chance that tests repeat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static void fake_time(void **state)
{
    (void)state;
    leat_clock_fake(5, 7 * LEAT_SEC);
    assert_int_equal(leat_clock_mono(), 5);
    assert_int_equal(leat_clock_wall(), 7 * LEAT_SEC);
    leat_clock_step(LEAT_MS);
    assert_int_equal(leat_clock_mono(), 5 + LEAT_MS);
    assert_int_equal(leat_clock_wall(), 7 * LEAT_SEC + LEAT_MS);
    leat_clock_real();
}

static void real_time(void **state)
{
    int64_t mono = leat_clock_mono();

    (void)state;
    assert_true(leat_clock_mono() >= mono);
    assert_true(leat_clock_wall() > 1600000000 * LEAT_SEC);
}

static void as_text(void **state)
{
    char text[LEAT_CLOCK_TEXT];

    (void)state;
    assert_string_equal(leat_clock_text(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(leat_clock_text(INT64_C(1795273200042999999), text),
                        "2026-11-21T15:00:00.042Z");
    assert_string_equal(leat_clock_text(INT64_MAX, text), "2262-04-11T23:47:16.854Z");
}

static void chance(void **state)
{
    uint64_t first[8];

    (void)state;
    assert_int_not_equal(leat_random(), leat_random());
    leat_random_fake(42);
    for (int i = 0; i < 8; i++)
        first[i] = leat_random();
    leat_random_fake(42);
    for (int i = 0; i < 8; i++)
        assert_int_equal(leat_random(), first[i]);
    leat_random_fake(0);
    assert_int_not_equal(leat_random(), leat_random());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fake_time),
        cmocka_unit_test(real_time),
        cmocka_unit_test(as_text),
        cmocka_unit_test(chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
