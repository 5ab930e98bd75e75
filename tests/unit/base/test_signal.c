/* The names the outside world knows the signals by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/signal.h"

static void names(void **state)
{
    (void)state;
    assert_string_equal(leat_signal_name(LEAT_TRACES), "traces");
    assert_string_equal(leat_signal_name(LEAT_METRICS), "metrics");
    assert_string_equal(leat_signal_name(LEAT_LOGS), "logs");
    assert_string_equal(leat_signal_items(LEAT_TRACES), "spans");
    assert_string_equal(leat_signal_items(LEAT_METRICS), "metric_points");
    assert_string_equal(leat_signal_items(LEAT_LOGS), "log_records");
    assert_int_equal(LEAT_ALL_SIGNALS, (1 << LEAT_SIGNALS) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
