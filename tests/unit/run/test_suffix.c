/* Names of own metrics with unit and type at their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/suffix.h"

static void expect(const char *page, bool units, bool types, const char *wanted)
{
    struct leat_text out;

    leat_text_init(&out, 4096);
    leat_suffix_page(leat_bytes_str(page), units, types, &out);
    assert_string_equal(leat_text_get(&out), wanted);
    leat_text_done(&out);
}

#define COUNTER "# HELP otelcol_a What it counts.\n# TYPE otelcol_a counter\notelcol_a{b=\"c\"} 1\n"
#define GAUGE   "# TYPE otelcol_size gauge\notelcol_size 1\n"

static void test_counters_end_in_total(void **state)
{
    (void)state;
    expect(COUNTER GAUGE, false, true,
           "# HELP otelcol_a_total What it counts.\n# TYPE otelcol_a_total counter\n"
           "otelcol_a_total{b=\"c\"} 1\n" GAUGE);
    expect("# TYPE otelcol_a_total counter\notelcol_a_total 1\n", false, true,
           "# TYPE otelcol_a_total counter\notelcol_a_total 1\n");
    expect("# TYPE leat_a counter\nleat_a 1\n", true, true, "# TYPE leat_a counter\nleat_a 1\n");
}

static void test_units(void **state)
{
    (void)state;
    expect("# TYPE otelcol_process_uptime counter\notelcol_process_uptime 1.5\n", true, true,
           "# TYPE otelcol_process_uptime_seconds_total counter\n"
           "otelcol_process_uptime_seconds_total 1.5\n");
    expect("# TYPE otelcol_process_memory_rss gauge\notelcol_process_memory_rss 1\n" GAUGE, true,
           true,
           "# TYPE otelcol_process_memory_rss_bytes gauge\notelcol_process_memory_rss_bytes "
           "1\n" GAUGE);
    expect(COUNTER, true, false, COUNTER);
}

static void test_odd_pages(void **state)
{
    (void)state;
    expect("", true, true, "");
    expect("\n\n", true, true, "\n\n");
    expect("# TYPE ", true, true, "# TYPE \n");
    expect("# HELP otelcol_a", true, true, "# HELP otelcol_a\n");
    expect("otelcol_", true, true, "otelcol_\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_end_in_total),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_odd_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
