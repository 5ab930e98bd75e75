/* Timers, histograms and distributions: every kind of observer, and weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "lib/statsd_help.h"

static const char *strings[64];
static uint32_t nstrings;

/* A list of words that lives as long as the test. */
static struct leat_strings words(const char *const *from, uint32_t n)
{
    struct leat_strings list = {&strings[nstrings], n};

    for (uint32_t i = 0; i < n; i++)
        strings[nstrings++] = from[i];
    return list;
}
#define WORDS(...)                                                                                 \
    words((const char *const[]){__VA_ARGS__},                                                      \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static int reset(void **state)
{
    (void)state;
    nstrings = 0;
    return 0;
}

static void test_gauge(void **state)
{
    struct statsd_rig r = {.now = 0};

    (void)state;
    statsd_map(&r, 0, LEAT_STATSD_OBSERVE_GAUGE);
    statsd_open(&r);
    statsd_feed(&r, "a:5:3|ms\na:-7|ms|@0.1");
    r.now += 10;
    statsd_feed(&r, "a:1|ms");
    assert_string_equal(statsd_pass(&r), "a gauge -7..2 {}\na gauge 1..10 {}\na gauge 3..1 {}\n"
                                         "a gauge 5 {}\n");
    assert_string_equal(statsd_pass(&r), "");
    statsd_done(&r);
}

/* Samples that are points of their own are bounded; what does not fit is counted. */
static void test_gauge_is_bounded(void **state)
{
    struct statsd_rig r = {.conf = {.aggregation_cardinality_limit = 1}};
    const struct leat_statsd_stats *s;
    uint64_t points = 0;

    (void)state;
    r.max_points = 0;
    statsd_open(&r);
    s = leat_statsd_table_stats(r.t);
    for (int i = 0; i < 200000; i++)
        statsd_feed(&r, "a:1|ms");
    assert_true(s->drops[LEAT_STATSD_DROP_FULL] > 0);
    assert_true(leat_statsd_table_wants_pass(r.t));
    assert_true(leat_statsd_table_bytes(r.t) <= leat_statsd_table_bound(r.t));
    for (const char *p = statsd_pass(&r); *p != '\0'; p++)
        points += *p == '\n';
    assert_int_equal(points + s->drops[LEAT_STATSD_DROP_FULL], 200000);
    assert_false(leat_statsd_table_wants_pass(r.t));
    statsd_done(&r);
}

static void test_summary(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_mapping_conf *m = statsd_map(&r, 0, LEAT_STATSD_OBSERVE_SUMMARY);
    char line[64];

    (void)state;
    m->summary.percentiles = WORDS("0", "50", "99.9", "100");
    statsd_open(&r);
    for (int i = 1; i <= 100; i++) {
        snprintf(line, sizeof line, "a:%d|ms", i * 37 % 101);
        statsd_feed(&r, line);
    }
    assert_string_equal(statsd_pass(&r), "a summary 100 sum 5050 0:1 0.5:50 0.999:100 1:100 {}\n");
    /* by weight: 1 stands for ten, 2 for one */
    statsd_feed(&r, "a:1|ms|@0.1\na:2|ms\nb:-3|ms\nb:0|ms");
    assert_string_equal(statsd_pass(&r), "a summary 11 sum 12 0:1 0.5:1 0.999:2 1:2 {}\n"
                                         "b summary 2 sum -3 0:-3 0.5:-3 0.999:0 1:0 {}\n");
    statsd_done(&r);
}

/* More samples than are kept: counts, sums and ends stay exact, percentiles near. */
static void test_summary_of_many(void **state)
{
    struct statsd_rig r = {.now = 0};
    unsigned long long count;
    double sum, q[6];
    char line[64];

    (void)state;
    statsd_map(&r, 0, LEAT_STATSD_OBSERVE_SUMMARY);
    statsd_open(&r);
    for (int i = 0; i < 100000; i++) {
        snprintf(line, sizeof line, "a:%lld|ms", i * 7919LL % 100000);
        statsd_feed(&r, line);
    }
    statsd_pass(&r);
    assert_int_equal(sscanf(r.text,
                            "a summary %llu sum %lf 0:%lf 0.1:%lf 0.5:%lf 0.9:%lf 0.95:%lf 1:%lf",
                            &count, &sum, &q[0], &q[1], &q[2], &q[3], &q[4], &q[5]),
                     8);
    assert_true(count == 100000 && sum == 99999.0 * 50000 && q[0] == 0 && q[5] == 99999);
    assert_true(fabs(q[1] - 10000) < 500 && fabs(q[2] - 50000) < 500);
    assert_true(fabs(q[3] - 90000) < 500 && fabs(q[4] - 95000) < 500);
    assert_true(leat_statsd_table_bytes(r.t) < 256 * 1024);
    statsd_done(&r);
}

static void explicit_buckets(struct leat_statsd_mapping_conf *m,
                             struct leat_statsd_buckets_conf *list, uint32_t n)
{
    m->histogram.explicit_buckets = (struct leat_items){list, n};
}

static void test_explicit(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_mapping_conf *m = statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);
    struct leat_statsd_buckets_conf list[2] = {
        {"^http\\.(?:get|post)\\d+?$", WORDS("1", "10", "100")}, {"http", WORDS("0.5")}};

    (void)state;
    explicit_buckets(m, list, 2);
    statsd_open(&r);
    statsd_feed(&r, "http.get1:1:1.5:10:1000|ms\nhttp.put1:1|ms|@0.5\nother:1|ms");
    assert_string_equal(statsd_pass(&r),
                        "http.get1 histogram 4 sum 1012.5 1 2 0 1 low 1 high 1000 {}\n"
                        "http.put1 histogram 2 sum 2 0 2 low 1 high 1 {}\n"
                        "other exponential 1 sum 1 scale 20 zero 0 +-1:1 low 1 high 1 {}\n");
    assert_string_equal(statsd_pass(&r), "");
    statsd_feed(&r, "http.get1:-5|ms");
    assert_string_equal(statsd_pass(&r),
                        "http.get1 histogram 1 sum -5 1 0 0 0 low -5 high -5 {}\n");
    statsd_done(&r);
}

/* --- exponential */

static void test_exponential(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_mapping_conf *m = statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);

    (void)state;
    m->histogram.max_size = 4;
    statsd_open(&r);
    /* bucket i ends with 2^(i+1) at scale 0, inclusive */
    statsd_feed(&r, "a:1:2:4:8:0:0|ms");
    assert_string_equal(statsd_pass(&r), "a exponential 6 sum 15 scale 0 zero 2 +-1:1,1,1,1 "
                                         "low 0 high 8 {}\n");
    statsd_feed(&r, "a:8:1.5:3:6:12|ms"); /* 12 and 1.5: five buckets at scale 0 */
    assert_string_equal(statsd_pass(&r), "a exponential 5 sum 30.5 scale 0 zero 0 +0:1,1,2,1 "
                                         "low 1.5 high 12 {}\n");
    statsd_feed(&r, "a:1:1000000|ms");
    assert_string_equal(statsd_pass(&r), "a exponential 2 sum 1000001 scale -3 zero 0 +-1:1,0,0,1 "
                                         "low 1 high 1000000 {}\n");
    statsd_feed(&r, "a:-1:-2:1|ms|@0.5");
    assert_non_null(strstr(statsd_pass(&r), "a exponential 6 sum -4 scale 1 zero 0 +-1:2 -"));
    statsd_done(&r);
}

/* Of all finite doubles at once, in the fewest buckets. */
static void test_exponential_extremes(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_mapping_conf *m = statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);

    (void)state;
    m->histogram.max_size = 2;
    statsd_open(&r);
    statsd_feed(&r, "a:5e-324:1:1.7976931348623157e308:-5e-324:-1.7976931348623157e308|ms");
    assert_string_equal(statsd_pass(&r), "a exponential 5 sum 0 scale -11 zero 0 +-1:2,1 -"
                                         "-1:1,1 low -1.7976931348623157e+308 "
                                         "high 1.7976931348623157e+308 {}\n");
    statsd_done(&r);
}

/* Every value lies in the bucket it is counted in. */
static void test_exponential_bounds(void **state)
{
    struct statsd_rig r = {.now = 0};
    uint32_t seed = 99;

    (void)state;
    statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);
    statsd_open(&r);
    for (int i = 0; i < 3000; i++) {
        int scale, offset;
        double v, w, base;
        char line[80];
        seed = seed * 1664525 + 1013904223;
        v = ldexp(1 + (seed >> 8) / 0x1p24, (int)(seed >> 3) % 40 - 20);
        if (i % 7 == 0)
            v = ldexp(1, (int)(seed >> 3) % 40 - 20);
        w = v * (1 + (seed >> 20) / 4096.0 * (i % 5 + 1)); /* so that the scale varies */
        snprintf(line, sizeof line, "a:%.17g:%.17g|ms", v, w);
        statsd_feed(&r, line);
        assert_non_null(sscanf(statsd_pass(&r),
                               "a exponential 2 sum %*f scale %d zero 0 +%d:", &scale, &offset) == 2
                            ? r.text
                            : NULL);
        base = exp2(exp2(-scale));
        assert_true(v > pow(base, offset) * (1 - 1e-9));
        assert_true(v <= pow(base, offset + 1) * (1 + 1e-9));
        if (v == ldexp(1, ilogb(v)) && scale >= 0) /* exactly at its bucket's end */
            assert_int_equal(offset + 1, ilogb(v) * (1 << scale));
    }
    statsd_done(&r);
}

/* Fractions of samples are not lost: all counts together are right. */
static void test_weights(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_mapping_conf *m;
    struct leat_statsd_buckets_conf list[1] = {{".", WORDS("1", "10")}};
    double sum[3] = {0};

    (void)state;
    m = statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);
    explicit_buckets(m, list, 1);
    statsd_map(&r, 2, LEAT_STATSD_OBSERVE_HISTOGRAM);
    statsd_map(&r, 3, LEAT_STATSD_OBSERVE_SUMMARY);
    statsd_open(&r);
    for (int i = 0; i < 300; i++) {
        statsd_feed(&r, "a:3|ms|@0.3\nb:3|h|@0.3\nc:3|d|@0.3\na:20|ms|@0.7");
        statsd_pass(&r);
        sum[0] += strtod(strstr(r.text, "a histogram ") + 12, NULL);
        sum[1] += strtod(strstr(r.text, "b exponential ") + 14, NULL);
        sum[2] += strtod(strstr(r.text, "c summary ") + 10, NULL);
    }
    assert_true(fabs(sum[0] - 1000 - 300 / 0.7) <= 0.5 + 1e-6);
    assert_true(sum[1] == 1000);
    assert_true(sum[2] == 1000);
    statsd_done(&r);
}

/* Each type has its settings; to the collector, two of them are mixed up. */
static void test_each_its_own(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_mapping_conf *m;
    struct leat_statsd_buckets_conf list[1] = {{".", WORDS("2")}};

    (void)state;
    m = statsd_map(&r, 1, LEAT_STATSD_OBSERVE_HISTOGRAM); /* timer */
    explicit_buckets(m, list, 1);
    m = statsd_map(&r, 2, LEAT_STATSD_OBSERVE_HISTOGRAM);
    m->histogram.max_size = 2;
    m = statsd_map(&r, 3, LEAT_STATSD_OBSERVE_HISTOGRAM);
    m->histogram.max_size = 3;
    statsd_open(&r);
    statsd_feed(&r, "t:1:2:4|ms\nh:1:2:4|h\nd:1:2:4|d");
    assert_string_equal(statsd_pass(&r),
                        "d exponential 3 sum 7 scale 0 zero 0 +-1:1,1,1 low 1 high 4 {}\n"
                        "h exponential 3 sum 7 scale -1 zero 0 +-1:1,2 low 1 high 4 {}\n"
                        "t histogram 3 sum 7 2 1 low 1 high 4 {}\n");
    statsd_done(&r);
}

static void assert_refused(struct leat_statsd_conf *conf, const char *why)
{
    struct leat_err err = {""};

    assert_null(leat_statsd_rules_new(conf, &err));
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, why);
}

static void test_bad_settings(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_mapping_conf *m = statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);
    struct leat_statsd_buckets_conf list[1] = {{".", WORDS("2", "x")}};
    static const char *const patterns[] = {"(", "[a", "\\pL", "(?i)a", "\\1", "[\\D]", "a\\"};

    (void)state;
    explicit_buckets(m, list, 1);
    assert_refused(&r.conf, "'x' in explicit_buckets is not a number");
    list[0].buckets = WORDS("2", "2");
    assert_refused(&r.conf, "must rise");
    list[0].buckets = WORDS("inf");
    assert_refused(&r.conf, "not a number");
    list[0].buckets.count = 0;
    assert_refused(&r.conf, "1 to 2048 buckets");
    list[0].buckets = WORDS("2");
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        list[0].matcher_pattern = patterns[i];
        assert_refused(&r.conf, "matcher_pattern '");
    }
    list[0].matcher_pattern = "[\\d\\w.-]+\\.x";
    m->histogram.max_size = 1;
    assert_refused(&r.conf, "max_size");
    m->histogram.max_size = 0;
    m->summary.percentiles = WORDS("101");
    assert_refused(&r.conf, "0 to 100");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_gauge, reset),
        cmocka_unit_test_setup(test_gauge_is_bounded, reset),
        cmocka_unit_test_setup(test_summary, reset),
        cmocka_unit_test_setup(test_summary_of_many, reset),
        cmocka_unit_test_setup(test_explicit, reset),
        cmocka_unit_test_setup(test_exponential, reset),
        cmocka_unit_test_setup(test_exponential_extremes, reset),
        cmocka_unit_test_setup(test_exponential_bounds, reset),
        cmocka_unit_test_setup(test_weights, reset),
        cmocka_unit_test_setup(test_each_its_own, reset),
        cmocka_unit_test_setup(test_bad_settings, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
