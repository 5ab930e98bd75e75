/* The series of a scrape page: what a point does to them, and what they are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "config/schema.h"
#include "lib/prom_help.h"

static struct scrape_rig r;
#define IS(name, labels, v)  PROM_IS(&r, name, labels, v)
#define ABSENT(name, labels) IS(name, labels, NAN)
#define H_ONE                PROM_HISTOGRAM
#define DELTA                PROM_DELTA
#define CUMULATIVE           PROM_CUMULATIVE
#define sum(...)             scrape_rig_sum(&r, __VA_ARGS__)
#define gauge(...)           scrape_rig_gauge(&r, __VA_ARGS__)
#define histogram(...)       scrape_rig_histogram(&r, __VA_ARGS__)

static int setup(void **state)
{
    (void)state;
    scrape_rig_init(&r);
    scrape_rig_start(&r);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scrape_rig_done(&r);
    return 0;
}

/* --- points */

static void the_latest_point_is_shown(void **state)
{
    (void)state;
    assert_int_equal(gauge("g", "a", "1", 10, 1.5), 0);
    IS("g", "a=1", 1.5);
    assert_int_equal(gauge("g", "a", "1", 20, 2.5), 0);
    assert_int_equal(gauge("g", "a", "2", 5, 7), 0);
    IS("g", "a=1", 2.5);
    IS("g", "a=2", 7);
    assert_int_equal(gauge("g", "a", "1", 19, 3.5), 1); /* older */
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_OLD], 1);
    IS("g", "a=1", 2.5);
    assert_int_equal(gauge("g", "a", "1", 20, 4.5), 0); /* as old */
    IS("g", "a=1", 4.5);
    assert_int_equal(leat_scrape_store_series(r.store), 2);
}

static void cumulative_sums_are_taken_as_they_are(void **state)
{
    (void)state;
    sum("c", CUMULATIVE, true, 1, 10, 100);
    sum("c", CUMULATIVE, true, 1, 20, 150);
    IS("c_total", "", 150);
    sum("c", CUMULATIVE, true, 25, 30, 3); /* begun anew */
    IS("c_total", "", 3);
    sum("u", CUMULATIVE, false, 1, 10, -5);
    IS("u", "", -5);
    assert_string_equal(prom_family_find(&r.parsed, "u")->type, "gauge");
    assert_string_equal(prom_family_find(&r.parsed, "c_total")->type, "counter");
}

static void deltas_are_added_up(void **state)
{
    (void)state;
    assert_int_equal(sum("c", DELTA, true, 0, 10, 5), 0);
    assert_int_equal(sum("c", DELTA, true, 10, 20, 7), 0);
    IS("c_total", "", 12);
    assert_int_equal(sum("c", DELTA, true, 10, 20, 7), 1); /* once more */
    assert_int_equal(sum("c", DELTA, true, 5, 15, 7), 1);
    IS("c_total", "", 12);
    assert_int_equal(sum("c", DELTA, true, 50, 60, 1), 0); /* after a gap: a counter never falls */
    IS("c_total", "", 13);
    assert_int_equal(sum("n", DELTA, false, 0, 10, 5), 1);
    assert_int_equal(sum("n", 0, true, 0, 10, 5), 1);
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_TEMPORALITY], 2);
    ABSENT("n", "");
    ABSENT("n_total", "");
}

static void int_sums_that_overflow_become_doubles(void **state)
{
    (void)state;
    for (int i = 1; i < 4; i++)
        scrape_rig_metric(
            &r,
            "\"name\":\"c\",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,"
            "\"dataPoints\":[{\"timeUnixNano\":\"%d\",\"asInt\":\"9223372036854775807\""
            "}]}",
            i);
    IS("c_total", "", 3 * 9223372036854775807.0);
}

static void histograms(void **state)
{
    (void)state;
    assert_int_equal(histogram(CUMULATIVE, 10, H_ONE), 0);
    IS("h_bucket", "le=0.5", 1);
    IS("h_bucket", "le=1", 3);
    IS("h_bucket", "le=+Inf", 6);
    IS("h_sum", "", 10);
    IS("h_count", "", 6);
    /* other bounds, no sum, counts that are missing */
    assert_int_equal(histogram(CUMULATIVE, 20,
                               "\"count\":\"6\",\"explicitBounds\":[1,2,3],\"bucketCounts\":[1]"),
                     0);
    IS("h_bucket", "le=3", 1);
    IS("h_bucket", "le=+Inf", 6);
    IS("h_sum", "", 0);
    ABSENT("h_bucket", "le=0.5");
    assert_int_equal(histogram(CUMULATIVE, 30, "\"count\":\"4\""), 0);
    IS("h_bucket", "le=+Inf", 4);
    ABSENT("h_bucket", "le=3");
    /* an own +Inf is not said twice */
    assert_int_equal(histogram(CUMULATIVE, 40,
                               "\"count\":\"3\",\"explicitBounds\":[1,\"Infinity\"],"
                               "\"bucketCounts\":[1,2,0]"),
                     0);
    IS("h_bucket", "le=1", 1);
    IS("h_bucket", "le=+Inf", 3);
    assert_int_equal(histogram(CUMULATIVE, 50,
                               "\"count\":\"3\",\"explicitBounds\":[2,1],\"bucketCounts\":[1,2,0]"),
                     1);
    assert_int_equal(histogram(CUMULATIVE, 50,
                               "\"count\":\"3\",\"explicitBounds\":[\"NaN\"],"
                               "\"bucketCounts\":[1,2]"),
                     1);
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_BOUNDS], 2);
    IS("h_bucket", "le=1", 1);
}

static void delta_histograms_are_added_up(void **state)
{
    (void)state;
    assert_int_equal(histogram(DELTA, 10, H_ONE), 0);
    assert_int_equal(histogram(DELTA, 20, H_ONE), 0);
    IS("h_bucket", "le=0.5", 2);
    IS("h_bucket", "le=1", 6);
    IS("h_bucket", "le=+Inf", 12);
    IS("h_sum", "", 20);
    IS("h_count", "", 12);
    assert_int_equal(histogram(DELTA, 20, H_ONE), 1);
    /* with other bounds it begins anew */
    assert_int_equal(
        histogram(DELTA, 30, "\"count\":\"1\",\"explicitBounds\":[7],\"bucketCounts\":[1,0]"), 0);
    IS("h_count", "", 1);
    IS("h_bucket", "le=7", 1);
    assert_int_equal(histogram(0, 40, H_ONE), 1);
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_TEMPORALITY], 1);
}

static void exponential_histograms_show_count_and_sum(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        scrape_rig_metric(&r,
                          "\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":1,"
                          "\"dataPoints\":[{\"timeUnixNano\":\"%d\",\"count\":\"3\",\"sum\":1.5,"
                          "\"scale\":1,\"positive\":{\"bucketCounts\":[1,2]}}]}",
                          10 + i);
    IS("e_bucket", "le=+Inf", 6);
    IS("e_count", "", 6);
    IS("e_sum", "", 3);
    assert_int_equal(r.parsed.nsamples, 4); /* and target_info */
}

static void summaries(void **state)
{
    (void)state;
    scrape_rig_metric(&r, "\"name\":\"s\",\"summary\":{\"dataPoints\":[{\"timeUnixNano\":\"1\","
                          "\"count\":\"3\",\"sum\":4,\"quantileValues\":[{\"quantile\":0.5,"
                          "\"value\":1},{\"quantile\":0.99,\"value\":2}]}]}");
    IS("s", "quantile=0.5", 1);
    IS("s", "quantile=0.99", 2);
    IS("s_sum", "", 4);
    IS("s_count", "", 3);
}

static void a_point_without_a_value(void **state)
{
    (void)state;
    gauge("g", "a", "1", 10, 1.5);
    scrape_rig_metric(&r,
                      "\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":\"a\","
                      "\"value\":{\"stringValue\":\"1\"}}],\"timeUnixNano\":\"5\",\"flags\":1}]}");
    IS("g", "a=1", 1.5); /* older than the value */
    scrape_rig_metric(&r,
                      "\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":\"a\","
                      "\"value\":{\"stringValue\":\"1\"}}],\"timeUnixNano\":\"15\",\"flags\":1},"
                      "{\"timeUnixNano\":\"15\"}]}");
    ABSENT("g", "a=1");
    IS("g", "", 0); /* no number at all is 0 */
    assert_int_equal(leat_scrape_store_series(r.store), 1);
}

static void labels_of_our_own(void **state)
{
    (void)state;
    assert_int_equal(histogram(CUMULATIVE, 10,
                               H_ONE ",\"attributes\":[{\"key\":\"le\",\"value\":{\"stringValue\":"
                                     "\"x\"}}]"),
                     1);
    assert_int_equal(scrape_rig_metric(&r, "\"name\":\"s\",\"summary\":{\"dataPoints\":[{"
                                           "\"attributes\":[{\"key\":\"quantile\",\"value\":{"
                                           "\"stringValue\":\"x\"}}]}]}"),
                     1);
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_LABELS], 2);
    assert_int_equal(gauge("g", "le", "1", 10, 1), 0);
    IS("g", "le=1", 1);
}

static void unknown_types_stay_unknown(void **state)
{
    (void)state;
    scrape_rig_metric(&r, "\"name\":\"x\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"1\"}]},"
                          "\"metadata\":[{\"key\":\"prometheus.type\",\"value\":{\"stringValue\":"
                          "\"unknown\"}}]");
    IS("x", "", 0);
    assert_string_equal(prom_family_find(&r.parsed, "x")->type, "untyped");
}

/* --- names and labels */

static void what_everything_is_called(void **state)
{
    const struct prom_sample *s;

    (void)state;
    scrape_rig_json(
        &r, "{\"resourceMetrics\":[{\"resource\":{\"attributes\":["
            "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
            "{\"key\":\"service.namespace\",\"value\":{\"stringValue\":\"eu\"}},"
            "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i\"}},"
            "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h1\"}}]},\"scopeMetrics\":["
            "{\"schemaUrl\":\"u\",\"scope\":{\"name\":\"lib\",\"version\":\"2\"},"
            "\"metrics\":[{\"name\":\"size\",\"unit\":\"By\",\"description\":\"How much.\","
            "\"gauge\":{\"dataPoints\":[{\"asInt\":\"3\",\"timeUnixNano\":\"1\","
            "\"attributes\":[{\"key\":\"a.b\",\"value\":{\"stringValue\":\"x\"}}]}]}}]}]}]}");
    scrape_rig_page(&r);
    s = prom_sample_find(&r.parsed, "size_bytes",
                         "a_b=x,instance=i,job=eu/shop,otel_scope_name=lib,"
                         "otel_scope_schema_url=u,otel_scope_version=2");
    assert_non_null(s);
    assert_string_equal(prom_family_find(&r.parsed, "size_bytes")->help, "How much.");
    assert_non_null(
        prom_sample_find(&r.parsed, "target_info", "host_name=h1,instance=i,job=eu/shop"));
}

static void names_that_are_nothing(void **state)
{
    (void)state;
    assert_int_equal(gauge("", "a", "1", 1, 1), 1);
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_NAME], 1);
    assert_int_equal(leat_scrape_store_families(r.store), 0);
}

/* Two streams that come out with the same labels are one series. */
static void the_later_of_two_streams_has_the_series(void **state)
{
    (void)state;
    gauge("a.b", "x", "1", 10, 1);
    gauge("a_b", "x", "1", 11, 2);
    IS("a_b", "x=1", 2);
    gauge("a.b", "x", "1", 12, 3);
    IS("a_b", "x=1", 3);
    assert_int_equal(gauge("a_b", "x", "1", 5, 9), 1); /* older than what is shown */
    IS("a_b", "x=1", 3);
    assert_int_equal(leat_scrape_store_series(r.store), 1);
}

static void target(const char *host)
{
    char json[2048];

    snprintf(json, sizeof json,
             "{\"resourceMetrics\":[{\"resource\":{\"attributes\":["
             "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
             "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i\"}},"
             "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"%s\"}}]},\"scopeMetrics\":["
             "{\"metrics\":[{\"name\":\"up\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"3\","
             "\"timeUnixNano\":\"1\"}]}}]}]}]}",
             host);
    scrape_rig_json(&r, json);
}

/* One target_info for a job and instance, that of the latest resource, as long as one of its series
 * lives. */
static void target_info_follows_its_series(void **state)
{
    (void)state;
    target("h1");
    IS("target_info", "host_name=h1", 1);
    target("h2");
    IS("target_info", "host_name=h2", 1);
    ABSENT("target_info", "host_name=h1");
    assert_int_equal(leat_scrape_store_series(r.store), 1);
    leat_clock_step(301 * LEAT_SEC);
    leat_scrape_store_expire(r.store);
    scrape_rig_page(&r);
    assert_int_equal(r.parsed.nsamples, 0);
    assert_int_equal(leat_scrape_store_bytes(r.store), 0);
}

static void the_first_type_of_a_name_wins(void **state)
{
    (void)state;
    sum("c", CUMULATIVE, true, 1, 10, 5);
    assert_int_equal(gauge("c_total", "a", "1", 10, 1), 1);
    assert_int_equal(gauge("c_total", "a", "1", 11, 1), 1);
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_CONFLICT], 2);
    /* and names of samples count as well */
    histogram(CUMULATIVE, 10, H_ONE);
    assert_int_equal(gauge("h_sum", "a", "1", 10, 1), 1);
    assert_int_equal(gauge("h_bucket", "a", "1", 10, 1), 1);
    assert_int_equal(gauge("q_count", "a", "1", 10, 1), 0);
    assert_int_equal(scrape_rig_metric(&r, "\"name\":\"q\",\"summary\":{\"dataPoints\":[{"
                                           "\"timeUnixNano\":\"1\"}]}"),
                     1);
    IS("c_total", "", 5);
    IS("q_count", "a=1", 1);
    leat_clock_step(301 * LEAT_SEC); /* until it is gone */
    leat_scrape_store_expire(r.store);
    assert_int_equal(gauge("c_total", "a", "1", 12, 1), 0);
}

static void a_counter_beside_its_base(void **state)
{
    (void)state;
    r.style.open = true;
    sum("hits", CUMULATIVE, true, 1, 10, 5);
    gauge("hits", "a", "1", 10, 1);
    scrape_rig_page(&r);
    assert_string_equal(prom_family_find(&r.parsed, "hits")->type, "gauge");
    assert_string_equal(prom_family_find(&r.parsed, "hits_total")->type, "unknown");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_latest_point_is_shown),
        T(cumulative_sums_are_taken_as_they_are),
        T(deltas_are_added_up),
        T(int_sums_that_overflow_become_doubles),
        T(histograms),
        T(delta_histograms_are_added_up),
        T(exponential_histograms_show_count_and_sum),
        T(summaries),
        T(a_point_without_a_value),
        T(labels_of_our_own),
        T(unknown_types_stay_unknown),
        T(what_everything_is_called),
        T(names_that_are_nothing),
        T(the_later_of_two_streams_has_the_series),
        T(target_info_follows_its_series),
        T(the_first_type_of_a_name_wins),
        T(a_counter_beside_its_base),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
