/* From OTLP histograms, summaries and their exemplars to remote write: every rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "lib/prom_rig.h"

/* --- histograms */

static void one_histogram(size_t nbounds, size_t ncounts, bool sum, unsigned flags)
{
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("h", "s", LEAT_METRIC_HISTOGRAM);
    prom_rig_histogram(nbounds, ncounts, sum, flags);
    leat_make_close(&prom_rig.make);
    prom_rig_close_metric(LEAT_CUMULATIVE, false);
    prom_rig_close_resource();
}

static void test_histogram(void **state)
{
    (void)state;
    one_histogram(3, 4, true, 0);
    prom_rig_expect("{__name__='h_seconds_sum',k='v'} 12.5 @1060000\n"
                    "{__name__='h_seconds_count',k='v'} 7 @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='0.0000001'} 1 @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='5'} 3 @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='1000000000000000000000'} 3 @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000\n");
}

/* A sum that was not said is not sent. A bound of +Inf is the last bucket that is there anyway. */
static void test_histogram_without_sum(void **state)
{
    (void)state;
    one_histogram(4, 5, false, 0);
    prom_rig_expect("{__name__='h_seconds_count',k='v'} 7 @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='0.0000001'} 1 @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='5'} 3 @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='1000000000000000000000'} 3 @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000\n");
}

static void test_histogram_without_buckets(void **state)
{
    (void)state;
    one_histogram(2, 0, true, 0);
    prom_rig_expect("{__name__='h_seconds_sum',k='v'} 12.5 @1060000\n"
                    "{__name__='h_seconds_count',k='v'} 7 @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000\n");
}

static void test_stale_histogram(void **state)
{
    (void)state;
    one_histogram(2, 3, true, LEAT_NO_RECORDED_VALUE);
    prom_rig_expect("{__name__='h_seconds_sum',k='v'} stale @1060000\n"
                    "{__name__='h_seconds_count',k='v'} stale @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='0.0000001'} stale @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='5'} stale @1060000\n"
                    "{__name__='h_seconds_bucket',k='v',le='+Inf'} stale @1060000\n");
}

static void test_custom_buckets(void **state)
{
    (void)state;
    prom_rig.conf.map.custom_buckets = true;
    one_histogram(4, 5, true, 0);
    prom_rig_expect(
        "{__name__='h_seconds',k='v'} histogram schema=-53 count=7 sum=12.5 zero=0(0) pos[0+4: 1 "
        "1 -2 4] custom=9.9999999999999995e-08,5,1e+21 @1060000\n");
}

static void test_custom_buckets_without_counts(void **state)
{
    (void)state;
    prom_rig.conf.map.custom_buckets = true;
    one_histogram(2, 0, false, 0);
    prom_rig_expect(
        "{__name__='h_seconds',k='v'} histogram schema=-53 count=7 sum=0 zero=0(0) pos[2+1: 7] "
        "custom=9.9999999999999995e-08,5 @1060000\n");
}

static void test_custom_buckets_and_classic(void **state)
{
    (void)state;
    prom_rig.conf.map.custom_buckets = prom_rig.conf.map.keep_classic = true;
    one_histogram(2, 3, true, 0);
    prom_rig_expect(
        "{__name__='h_seconds',k='v'} histogram schema=-53 count=7 sum=12.5 zero=0(0) pos[0+2: 1 "
        "1] custom=9.9999999999999995e-08,5 @1060000\n"
        "{__name__='h_seconds_sum',k='v'} 12.5 @1060000\n"
        "{__name__='h_seconds_count',k='v'} 7 @1060000\n"
        "{__name__='h_seconds_bucket',k='v',le='0.0000001'} 1 @1060000\n"
        "{__name__='h_seconds_bucket',k='v',le='5'} 3 @1060000\n"
        "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000\n");
}

static void test_stale_custom_buckets(void **state)
{
    (void)state;
    prom_rig.conf.map.custom_buckets = true;
    one_histogram(2, 3, true, LEAT_NO_RECORDED_VALUE);
    prom_rig_expect("{__name__='h_seconds',k='v'} histogram schema=-53 count=0 sum=stale zero=0(0) "
                    "@1060000\n");
}

static void test_bounds_that_do_not_increase(void **state)
{
    static const double same[] = {1, 1}, down[] = {2, 1}, nan_first[] = {NAN},
                        nan_last[] = {1, NAN};
    static const struct {
        const double *v;
        size_t n;
    } bad[] = {{same, 2}, {down, 2}, {nan_first, 1}, {nan_last, 2}};

    (void)state;
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("h", "s", LEAT_METRIC_HISTOGRAM);
    for (size_t i = 0; i < 4; i++) {
        leat_make_open(&prom_rig.make, 1);
        prom_rig_doubles(7, bad[i].v, bad[i].n);
        leat_make_close(&prom_rig.make);
    }
    prom_rig_close_metric(LEAT_CUMULATIVE, false);
    prom_rig_close_resource();
    prom_rig_expect("");
    assert_string_equal(leat_text_get(&prom_rig.dropped),
                        "h: bounds\nh: bounds\nh: bounds\nh: bounds\n");
}

/* --- exponential histograms */

static void side(uint32_t field, int32_t offset, const uint64_t *v, uint32_t n)
{
    leat_make_open(&prom_rig.make, field);
    leat_make_varint(&prom_rig.make, 1, (uint32_t)offset << 1 ^ (uint32_t)(offset >> 31));
    leat_make_packed_varints(&prom_rig.make, 2, v, n);
    leat_make_close(&prom_rig.make);
}

static void exponential(int32_t scale, int32_t offset, const uint64_t *v, uint32_t n)
{
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("e", "", LEAT_METRIC_EXPONENTIAL);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(PROM_RIG_START, PROM_RIG_NOW);
    leat_make_fixed64(&prom_rig.make, 4, 20);
    leat_make_double(&prom_rig.make, 5, 2.5);
    leat_make_varint(&prom_rig.make, 6, (uint32_t)scale << 1 ^ (uint32_t)(scale >> 31));
    leat_make_fixed64(&prom_rig.make, 7, 3);
    side(8, offset, v, n);
    leat_make_close(&prom_rig.make);
    prom_rig_close_metric(LEAT_CUMULATIVE, false);
    prom_rig_close_resource();
}

/* Bucket i of OTLP has its upper bound at offset + i + 1. Two empty buckets are written, three end
 * the span; those at the end vanish. */
static void test_exponential(void **state)
{
    static const uint64_t v[] = {0, 4, 0, 0, 5, 0, 0, 0, 8, 0};

    (void)state;
    exponential(2, -3, v, 10);
    prom_rig_expect(
        "{__name__='e'} histogram schema=2 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
        "pos[-1+4 3+1: 4 -4 0 5 3] @1060000\n");
}

static void test_exponential_merged(void **state)
{
    static const uint64_t v[] = {1, 2, 3, 4, 5};

    (void)state;
    exponential(10, -3, v, 5); /* four become one: -3 … -1, then 0 and 1 */
    prom_rig_expect(
        "{__name__='e'} histogram schema=8 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
        "pos[0+2: 6 3] @1060000\n");
}

static void test_exponential_merged_to_the_end(void **state)
{
    static const uint64_t v[] = {1, 2};

    (void)state;
    exponential(INT32_MAX, INT32_MIN, v, 2);
    prom_rig_expect(
        "{__name__='e'} histogram schema=8 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
        "pos[0+1: 3] @1060000\n");
}

static void test_exponential_scales(void **state)
{
    static const uint64_t v[] = {1};

    (void)state;
    exponential(-4, 0, v, 1);
    exponential(-5, 0, v, 1);
    exponential(INT32_MIN, 0, v, 1);
    prom_rig_expect(
        "{__name__='e'} histogram schema=-4 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
        "pos[1+1: 1] @1060000\n");
    assert_string_equal(leat_text_get(&prom_rig.dropped), "e: scale\ne: scale\n");
}

static void test_exponential_index(void **state)
{
    static const uint64_t one[] = {1}, empty[] = {1, 0};

    (void)state;
    exponential(8, INT32_MAX, one, 1);
    exponential(8, INT32_MAX - 1, empty, 2);
    prom_rig_expect(
        "{__name__='e'} histogram schema=8 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
        "pos[2147483647+1: 1] @1060000\n");
    assert_string_equal(leat_text_get(&prom_rig.dropped), "e: bucket_index\n");
}

static void test_exponential_both_sides(void **state)
{
    static const uint64_t v[] = {UINT64_MAX, 1};

    (void)state;
    prom_rig.conf.message = LEAT_PROM_WRITE_2;
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("e", "", LEAT_METRIC_EXPONENTIAL);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(PROM_RIG_START, PROM_RIG_NOW);
    side(9, 0, v, 2);
    leat_make_double(&prom_rig.make, 14, 0.25);
    leat_make_close(&prom_rig.make);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(PROM_RIG_NOW, PROM_RIG_NOW); /* began where it ends: no created timestamp */
    leat_make_varint(&prom_rig.make, 10, LEAT_NO_RECORDED_VALUE);
    side(8, 0, v, 2);
    leat_make_close(&prom_rig.make);
    prom_rig_close_metric(LEAT_CUMULATIVE, false);
    prom_rig_close_resource();
    prom_rig_expect(
        "{__name__='e'} histogram schema=0 count=0 sum=0 zero=0(0.25) neg[1+2: -1 2] @1060000 "
        "histogram created=1000000\n"
        "{__name__='e'} histogram schema=0 count=0 sum=stale zero=0(1.0000000000000001e-128) "
        "@1060000 histogram\n");
}

/* --- summaries */

static void quantile(double q, double v)
{
    leat_make_open(&prom_rig.make, 6);
    leat_make_double(&prom_rig.make, 1, q);
    leat_make_double(&prom_rig.make, 2, v);
    leat_make_close(&prom_rig.make);
}

static void test_summary(void **state)
{
    (void)state;
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("s", "ms", LEAT_METRIC_SUMMARY);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(PROM_RIG_START, PROM_RIG_NOW);
    leat_make_fixed64(&prom_rig.make, 4, 9);
    quantile(0.99, 5);
    quantile(0.5, 2);
    leat_make_close(&prom_rig.make);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(PROM_RIG_START, PROM_RIG_NOW);
    quantile(0.5, 1);
    quantile(0.9, 1);
    quantile(0.5, 2);
    leat_make_close(&prom_rig.make);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(PROM_RIG_START, PROM_RIG_NOW);
    leat_make_varint(&prom_rig.make, 8, LEAT_NO_RECORDED_VALUE);
    quantile(NAN, 1);
    leat_make_close(&prom_rig.make);
    prom_rig_close_metric(0, false);
    prom_rig_close_resource();
    prom_rig_expect("{__name__='s_milliseconds_sum'} 0 @1060000\n"
                    "{__name__='s_milliseconds_count'} 9 @1060000\n"
                    "{__name__='s_milliseconds',quantile='0.99'} 5 @1060000\n"
                    "{__name__='s_milliseconds',quantile='0.5'} 2 @1060000\n"
                    "{__name__='s_milliseconds_sum'} stale @1060000\n"
                    "{__name__='s_milliseconds_count'} stale @1060000\n"
                    "{__name__='s_milliseconds',quantile='NaN'} stale @1060000\n");
    assert_string_equal(leat_text_get(&prom_rig.dropped), "s: quantiles\n");
}

/* --- exemplars */

#define ID_1 "span_id='0100000000000000',trace_id='01000000000000000000000000000000'"
#define ID_2 "span_id='0200000000000000',trace_id='02000000000000000000000000000000'"

/* In the bucket of their value, the bound included; there in the order of their times. */
static void histogram_with_exemplars(void)
{
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("h", "s", LEAT_METRIC_HISTOGRAM);
    prom_rig_histogram(2, 3, false, 0);
    prom_rig_exemplar(8, 4, PROM_RIG_NOW - PROM_RIG_MS, 1, "key", "value");
    prom_rig_exemplar(8, 5, PROM_RIG_NOW - 5 * PROM_RIG_MS, 0, "user.id", "x");
    prom_rig_exemplar(8, NAN, PROM_RIG_NOW, 2, NULL, NULL);
    prom_rig_exemplar(8, 6, PROM_RIG_NOW, 2, NULL, NULL);
    leat_make_close(&prom_rig.make);
    prom_rig_close_metric(LEAT_CUMULATIVE, false);
    prom_rig_close_resource();
}

static void test_exemplars(void **state)
{
    (void)state;
    histogram_with_exemplars();
    prom_rig_expect(
        "{__name__='h_seconds_count',k='v'} 7 @1060000\n"
        "{__name__='h_seconds_bucket',k='v',le='0.0000001'} 1 @1060000\n"
        "{__name__='h_seconds_bucket',k='v',le='5'} 3 @1060000 # {user.id='x'} 5 @1059995 # "
        "{key='value'," ID_1 "} 4 @1059999\n"
        "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000 # {" ID_2 "} 6 @1060000\n");
}

static void test_exemplars_of_native(void **state)
{
    (void)state;
    prom_rig.conf.message = LEAT_PROM_WRITE_2;
    prom_rig.conf.map.custom_buckets = true;
    histogram_with_exemplars();
    prom_rig_expect(
        "{__name__='h_seconds',k='v'} histogram schema=-53 count=7 sum=0 zero=0(0) pos[0+2: 1 1] "
        "custom=9.9999999999999995e-08,5 @1060000 # {user.id='x'} 5 @1059995 # {key='value'," ID_1
        "} 4 @1059999 # {" ID_2 "} NaN @1060000 # {" ID_2
        "} 6 @1060000 histogram created=1000000\n");
}

static void test_exemplars_of_numbers(void **state)
{
    (void)state;
    prom_rig_open_resource(NULL, NULL, NULL);
    for (int kind = 0; kind < 3; kind++) {
        prom_rig_open_metric("m", "", kind == 0 ? LEAT_METRIC_GAUGE : LEAT_METRIC_SUM);
        leat_make_open(&prom_rig.make, 1);
        prom_rig_times(PROM_RIG_START, PROM_RIG_NOW);
        leat_make_double(&prom_rig.make, 4, 1);
        prom_rig_exemplar(5, 0.5, PROM_RIG_NOW, 1, "trace_id", "mine"); /* the real one wins */
        leat_make_close(&prom_rig.make);
        prom_rig_close_metric(kind == 0 ? 0 : LEAT_CUMULATIVE, kind == 2);
    }
    prom_rig_close_resource();
    prom_rig_expect("{__name__='m'} 1 @1060000\n"
                    "{__name__='m'} 1 @1060000\n"
                    "{__name__='m_total'} 1 @1060000 # {" ID_1 "} 0.5 @1060000\n");
}

/* trace_id and span_id are 63 characters with their names; with the key there are 64 left. */
static void test_exemplar_length(void **state)
{
    static const char *const values[] = {
        "\xc3\xa4"
        "012345678901234567890123456789012345678901234567890123456789012",
        "\xc3\xa4"
        "0123456789012345678901234567890123456789012345678901234567890123",
    };
    char lines[600];

    (void)state;
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("m", "", LEAT_METRIC_SUM);
    for (int i = 0; i < 2; i++) {
        leat_make_open(&prom_rig.make, 1);
        prom_rig_times(PROM_RIG_START, PROM_RIG_NOW);
        prom_rig_exemplar(5, 1, PROM_RIG_NOW, 1, "k", values[i]);
        leat_make_close(&prom_rig.make);
    }
    prom_rig_close_metric(LEAT_CUMULATIVE, true);
    prom_rig_close_resource();
    snprintf(lines, sizeof lines,
             "{__name__='m_total'} 0 @1060000 # {k='%s'," ID_1 "} 1 @1060000\n"
             "{__name__='m_total'} 0 @1060000 # {" ID_1 "} 1 @1060000\n",
             values[0]);
    prom_rig_expect(lines);
}

static void test_many_exemplars(void **state)
{
    struct leat_prom_feed *f;
    struct leat_prom_item item;

    (void)state;
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("m", "", LEAT_METRIC_SUM);
    leat_make_open(&prom_rig.make, 1);
    for (int i = 0; i < LEAT_PROM_EXEMPLARS + 3; i++)
        prom_rig_exemplar(5, 1, PROM_RIG_NOW, 1, NULL, NULL);
    leat_make_close(&prom_rig.make);
    prom_rig_close_metric(LEAT_CUMULATIVE, true);
    prom_rig_close_resource();
    f = leat_prom_feed_new(&prom_rig.conf);
    leat_prom_feed_begin(f, leat_text_bytes(&prom_rig.otlp), 0);
    assert_int_equal(leat_prom_feed_next(f, &item), LEAT_PROM_FEED_SAMPLE);
    assert_int_equal(item.sample.nexemplars, LEAT_PROM_EXEMPLARS);
    assert_int_equal(leat_prom_feed_exemplars_dropped(f), 3);
    leat_prom_feed_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_histogram, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_histogram_without_sum, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_histogram_without_buckets, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_stale_histogram, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_custom_buckets, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_custom_buckets_without_counts, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_custom_buckets_and_classic, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_stale_custom_buckets, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_bounds_that_do_not_increase, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exponential, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exponential_merged, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exponential_merged_to_the_end, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exponential_scales, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exponential_index, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exponential_both_sides, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_summary, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exemplars, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exemplars_of_native, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exemplars_of_numbers, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_exemplar_length, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_many_exemplars, prom_rig_setup, prom_rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
