/* The series of a scrape page: what a point does to them, limits, expiry, cursors. */
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

static struct prom_rig r;

static int setup(void **state)
{
    (void)state;
    prom_rig_init(&r);
    prom_rig_start(&r);
    return 0;
}

/* For those that want other settings. */
static int setup_later(void **state)
{
    (void)state;
    prom_rig_init(&r);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    prom_rig_done(&r);
    return 0;
}

#define IS(name, labels, v)                                                                        \
    do {                                                                                           \
        double is = prom_rig_value(&r, name, labels), wanted = v;                                  \
        if (!(is == wanted) && !(isnan(is) && isnan(wanted)))                                      \
            fail_msg("%s{%s} is %g, not %g:\n%s", name, labels, is, wanted,                        \
                     leat_text_get(&r.page));                                                      \
    } while (0)
#define ABSENT(name, labels) IS(name, labels, NAN)

static uint32_t sum(const char *name, int temporality, bool monotonic, int start, int time, int v)
{
    return prom_rig_metric(&r,
                           "\"name\":\"%s\",\"sum\":{\"aggregationTemporality\":%d,"
                           "\"isMonotonic\":%s,\"dataPoints\":[{\"startTimeUnixNano\":\"%d\","
                           "\"timeUnixNano\":\"%d\",\"asInt\":\"%d\"}]}",
                           name, temporality, monotonic ? "true" : "false", start, time, v);
}

static uint32_t gauge(const char *name, const char *key, const char *value, int time, double v)
{
    return prom_rig_metric(&r,
                           "\"name\":\"%s\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":"
                           "\"%s\",\"value\":{\"stringValue\":\"%s\"}}],\"timeUnixNano\":\"%d\","
                           "\"asDouble\":%.17g}]}",
                           name, key, value, time, v);
}

enum { DELTA = 1, CUMULATIVE = 2 };

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
    assert_int_equal(r.dropped[LEAT_PROM_DROP_OLD], 1);
    IS("g", "a=1", 2.5);
    assert_int_equal(gauge("g", "a", "1", 20, 4.5), 0); /* as old */
    IS("g", "a=1", 4.5);
    assert_int_equal(leat_prom_store_series(r.store), 2);
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
    assert_int_equal(r.dropped[LEAT_PROM_DROP_TEMPORALITY], 2);
    ABSENT("n", "");
    ABSENT("n_total", "");
}

static void int_sums_that_overflow_become_doubles(void **state)
{
    (void)state;
    for (int i = 1; i < 4; i++)
        prom_rig_metric(&r,
                        "\"name\":\"c\",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,"
                        "\"dataPoints\":[{\"timeUnixNano\":\"%d\",\"asInt\":\"9223372036854775807\""
                        "}]}",
                        i);
    IS("c_total", "", 3 * 9223372036854775807.0);
}

static uint32_t histogram(int temporality, int time, const char *rest)
{
    return prom_rig_metric(&r,
                           "\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":%d,"
                           "\"dataPoints\":[{\"timeUnixNano\":\"%d\",%s}]}",
                           temporality, time, rest);
}

#define H_ONE "\"count\":\"6\",\"sum\":10,\"bucketCounts\":[1,2,3],\"explicitBounds\":[0.5,1]"

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
    assert_int_equal(r.dropped[LEAT_PROM_DROP_BOUNDS], 2);
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
    assert_int_equal(r.dropped[LEAT_PROM_DROP_TEMPORALITY], 1);
}

static void exponential_histograms_show_count_and_sum(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        prom_rig_metric(&r,
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
    prom_rig_metric(&r, "\"name\":\"s\",\"summary\":{\"dataPoints\":[{\"timeUnixNano\":\"1\","
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
    prom_rig_metric(&r,
                    "\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":\"a\","
                    "\"value\":{\"stringValue\":\"1\"}}],\"timeUnixNano\":\"5\",\"flags\":1}]}");
    IS("g", "a=1", 1.5); /* older than the value */
    prom_rig_metric(&r, "\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":\"a\","
                        "\"value\":{\"stringValue\":\"1\"}}],\"timeUnixNano\":\"15\",\"flags\":1},"
                        "{\"timeUnixNano\":\"15\"}]}");
    ABSENT("g", "a=1");
    IS("g", "", 0); /* no number at all is 0 */
    assert_int_equal(leat_prom_store_series(r.store), 1);
}

static void labels_of_our_own(void **state)
{
    (void)state;
    assert_int_equal(histogram(CUMULATIVE, 10,
                               H_ONE ",\"attributes\":[{\"key\":\"le\",\"value\":{\"stringValue\":"
                                     "\"x\"}}]"),
                     1);
    assert_int_equal(prom_rig_metric(&r, "\"name\":\"s\",\"summary\":{\"dataPoints\":[{"
                                         "\"attributes\":[{\"key\":\"quantile\",\"value\":{"
                                         "\"stringValue\":\"x\"}}]}]}"),
                     1);
    assert_int_equal(r.dropped[LEAT_PROM_DROP_LABELS], 2);
    assert_int_equal(gauge("g", "le", "1", 10, 1), 0);
    IS("g", "le=1", 1);
}

static void unknown_types_stay_unknown(void **state)
{
    (void)state;
    prom_rig_metric(&r, "\"name\":\"x\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"1\"}]},"
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
    prom_rig_json(&r,
                  "{\"resourceMetrics\":[{\"resource\":{\"attributes\":["
                  "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
                  "{\"key\":\"service.namespace\",\"value\":{\"stringValue\":\"eu\"}},"
                  "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i\"}},"
                  "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h1\"}}]},\"scopeMetrics\":["
                  "{\"schemaUrl\":\"u\",\"scope\":{\"name\":\"lib\",\"version\":\"2\"},"
                  "\"metrics\":[{\"name\":\"size\",\"unit\":\"By\",\"description\":\"How much.\","
                  "\"gauge\":{\"dataPoints\":[{\"asInt\":\"3\",\"timeUnixNano\":\"1\","
                  "\"attributes\":[{\"key\":\"a.b\",\"value\":{\"stringValue\":\"x\"}}]}]}}]}]}]}");
    prom_rig_page(&r);
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
    assert_int_equal(r.dropped[LEAT_PROM_DROP_NAME], 1);
    assert_int_equal(leat_prom_store_families(r.store), 0);
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
    assert_int_equal(leat_prom_store_series(r.store), 1);
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
    prom_rig_json(&r, json);
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
    assert_int_equal(leat_prom_store_series(r.store), 1);
    leat_clock_step(301 * LEAT_SEC);
    leat_prom_store_expire(r.store);
    prom_rig_page(&r);
    assert_int_equal(r.parsed.nsamples, 0);
    assert_int_equal(leat_prom_store_bytes(r.store), 0);
}

static void the_first_type_of_a_name_wins(void **state)
{
    (void)state;
    sum("c", CUMULATIVE, true, 1, 10, 5);
    assert_int_equal(gauge("c_total", "a", "1", 10, 1), 1);
    assert_int_equal(gauge("c_total", "a", "1", 11, 1), 1);
    assert_int_equal(r.dropped[LEAT_PROM_DROP_CONFLICT], 2);
    /* and names of samples count as well */
    histogram(CUMULATIVE, 10, H_ONE);
    assert_int_equal(gauge("h_sum", "a", "1", 10, 1), 1);
    assert_int_equal(gauge("h_bucket", "a", "1", 10, 1), 1);
    assert_int_equal(gauge("q_count", "a", "1", 10, 1), 0);
    assert_int_equal(prom_rig_metric(&r, "\"name\":\"q\",\"summary\":{\"dataPoints\":[{"
                                         "\"timeUnixNano\":\"1\"}]}"),
                     1);
    IS("c_total", "", 5);
    IS("q_count", "a=1", 1);
    leat_clock_step(301 * LEAT_SEC); /* until it is gone */
    leat_prom_store_expire(r.store);
    assert_int_equal(gauge("c_total", "a", "1", 12, 1), 0);
}

static void a_counter_beside_its_base(void **state)
{
    (void)state;
    r.style.open = true;
    sum("hits", CUMULATIVE, true, 1, 10, 5);
    gauge("hits", "a", "1", 10, 1);
    prom_rig_page(&r);
    assert_string_equal(prom_family_find(&r.parsed, "hits")->type, "gauge");
    assert_string_equal(prom_family_find(&r.parsed, "hits_total")->type, "unknown");
}

/* --- settings */

static void const_labels_and_scopes(void **state)
{
    static const struct leat_prom_label constants[] = {
        {{(const uint8_t *)"dc", 2}, {(const uint8_t *)"eu", 2}}};

    (void)state;
    r.conf.labels.constants = constants;
    r.conf.labels.constant_count = 1;
    r.conf.labels.no_scope = true;
    r.conf.naming.namespace = leat_bytes_str("ns");
    prom_rig_start(&r);
    gauge("g", "a", "1", 10, 1);
    prom_rig_page(&r);
    assert_non_null(prom_sample_find(&r.parsed, "ns_g", "a=1,dc=eu,instance=i-1,job=shop"));
}

static void picked_resource_attributes(void **state)
{
    static const char *in[] = {"host.*", "a"}, *ex[] = {"host.na?e"};
    struct leat_strings included = {in, 2}, excluded = {ex, 1};

    (void)state;
    r.conf.included = &included;
    r.conf.excluded = &excluded;
    r.conf.labels.no_scope = true;
    prom_rig_start(&r);
    prom_rig_json(&r, "{\"resourceMetrics\":[{\"resource\":{\"attributes\":["
                      "{\"key\":\"a\",\"value\":{\"stringValue\":\"resource\"}},"
                      "{\"key\":\"host.id\",\"value\":{\"stringValue\":\"7\"}},"
                      "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h1\"}}]},"
                      "\"scopeMetrics\":[{\"metrics\":[{\"name\":\"g\",\"gauge\":{\"dataPoints\":["
                      "{\"timeUnixNano\":\"1\",\"attributes\":["
                      "{\"key\":\"a\",\"value\":{\"stringValue\":\"point\"}},"
                      "{\"key\":\"b\",\"value\":{\"stringValue\":\"point\"}}]}]}}]}]}]}");
    prom_rig_page(&r);
    assert_non_null(prom_sample_find(&r.parsed, "g", "a=resource,b=point,host_id=7"));
}

static void exemplars(void **state)
{
    const struct prom_sample *s = NULL;

    (void)state;
    r.style.open = true;
    histogram(CUMULATIVE, 10,
              "\"count\":\"6\",\"bucketCounts\":[1,2,3],\"explicitBounds\":[0.5,1],\"exemplars\":["
              "{\"timeUnixNano\":\"5000000000\",\"asDouble\":0.7,"
              "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\","
              "\"filteredAttributes\":[{\"key\":\"user.id\",\"value\":{\"intValue\":\"7\"}}]},"
              "{\"timeUnixNano\":\"6000000000\",\"asInt\":\"100\"}]");
    prom_rig_page(&r);
    for (size_t i = 0; i < r.parsed.nsamples; i++) {
        s = &r.parsed.samples[i];
        if (strcmp(s->name, "h_bucket") == 0 && strcmp(prom_label(s, "le"), "1.0") == 0) {
            assert_true(s->has_exemplar && s->exemplar_value == 0.7 && s->exemplar_time == 5);
            assert_int_equal(s->nexemplar_labels, 3);
            assert_string_equal(s->exemplar_labels[1].value, "0102030405060708090a0b0c0d0e0f10");
            assert_string_equal(s->exemplar_labels[2].name, "user_id");
        } else if (prom_label(s, "le") != NULL) {
            assert_int_equal(s->has_exemplar, strcmp(prom_label(s, "le"), "+Inf") == 0);
        }
    }
    /* a point without exemplars keeps them; too long attributes are left out */
    histogram(CUMULATIVE, 20,
              "\"count\":\"7\",\"bucketCounts\":[2,2,3],\"explicitBounds\":[0.5,1],\"exemplars\":["
              "{\"asDouble\":0.8,\"filteredAttributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":"
              "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
              "23456789012345678901234567890123456789012345678901234567890123456789\"}}]}]");
    prom_rig_page(&r);
    for (size_t i = 0; i < r.parsed.nsamples; i++) {
        s = &r.parsed.samples[i];
        if (prom_label(s, "le") != NULL && strcmp(prom_label(s, "le"), "1.0") == 0) {
            assert_true(s->has_exemplar && s->exemplar_value == 0.8);
            assert_int_equal(s->nexemplar_labels, 0);
        }
    }
    assert_true(strstr(leat_text_get(&r.page), "} 100.0 6.000\n") != NULL);
}

/* --- limits */

static void beyond_the_limit_only_what_is_there_goes_on(void **state)
{
    char value[16];

    (void)state;
    r.conf.max_series = 3;
    prom_rig_start(&r);
    for (int i = 0; i < 10; i++) {
        snprintf(value, sizeof value, "%d", i);
        assert_int_equal(gauge("g", "a", value, 10, i), i >= 3);
    }
    assert_int_equal(r.dropped[LEAT_PROM_DROP_LIMIT], 7);
    assert_int_equal(gauge("g", "a", "1", 20, 42), 0);
    IS("g", "a=1", 42);
    assert_int_equal(leat_prom_store_series(r.store), 3);
}

static void bytes_have_a_limit_too(void **state)
{
    char value[16];
    uint32_t dropped = 0;

    (void)state;
    r.conf.max_bytes = 20000;
    prom_rig_start(&r);
    for (int i = 0; i < 200; i++) {
        snprintf(value, sizeof value, "%d", i);
        dropped += gauge("g", "a", value, 10, i);
    }
    assert_in_range(dropped, 100, 199);
    assert_int_equal(r.dropped[LEAT_PROM_DROP_LIMIT], dropped);
    assert_in_range(leat_prom_store_bytes(r.store), 15000, 20000);
    assert_int_equal(leat_prom_store_bytes(r.store), leat_budget_used(&r.budget));
}

static void a_point_too_large_for_a_page(void **state)
{
    struct leat_text json;

    (void)state;
    leat_text_init(&json, 1 << 20);
    leat_text_str(&json, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"h\","
                         "\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{"
                         "\"timeUnixNano\":\"1\",\"explicitBounds\":[");
    for (int i = 0; i < LEAT_PROM_MARKS_MAX + 1; i++)
        leat_text_printf(&json, "%s%d", i != 0 ? "," : "", i);
    leat_text_str(&json, "]}]}}]}]}]}");
    assert_int_equal(prom_rig_json(&r, leat_text_get(&json)), 1);
    assert_int_equal(r.dropped[LEAT_PROM_DROP_TOO_LARGE], 1);
    assert_int_equal(leat_prom_store_bytes(r.store), 0);
    leat_text_done(&json);
}

static void no_memory_costs_points_and_nothing_else(void **state)
{
    (void)state;
    r.style.open = true;
    for (uint64_t nth = 1; nth < 60; nth++) {
        for (int i = 0; i < LEAT_PROM_DROPS; i++)
            r.dropped[i] = 0;
        r.fail_at = nth;
        histogram(DELTA, (int)nth, H_ONE ",\"exemplars\":[{\"asInt\":\"1\"}]");
        prom_rig_page(&r);
        if (nth % 7 == 0) { /* all anew */
            leat_clock_step(301 * LEAT_SEC);
            leat_prom_store_expire(r.store);
            assert_int_equal(leat_prom_store_bytes(r.store), 0);
        }
    }
}

/* --- expiry */

static void what_is_not_updated_expires(void **state)
{
    (void)state;
    gauge("g", "a", "1", 10, 1);
    gauge("g", "a", "2", 10, 1);
    leat_clock_step(299 * LEAT_SEC);
    gauge("g", "a", "1", 11, 2);
    gauge("g", "a", "2", 9, 2); /* an older point is no update */
    leat_clock_step(2 * LEAT_SEC);
    leat_prom_store_expire(r.store);
    IS("g", "a=1", 2);
    ABSENT("g", "a=2");
    leat_clock_step(300 * LEAT_SEC);
    leat_prom_store_expire(r.store);
    assert_int_equal(leat_prom_store_series(r.store), 0);
    assert_int_equal(leat_prom_store_families(r.store), 0);
    assert_int_equal(leat_prom_store_bytes(r.store), 0);
}

/* --- cursors */

static void a_cursor_stands_changes_around_it(void **state)
{
    struct leat_prom_cursor c;
    struct leat_prom_family f;
    struct leat_prom_series s;
    char name[16];

    (void)state;
    for (int i = 0; i < 26; i++) {
        snprintf(name, sizeof name, "%c", 'z' - i);
        gauge(name, "a", "1", 10, i);
        gauge(name, "a", "2", 10, i);
    }
    leat_prom_cursor_open(r.store, &c);
    for (char i = 'a'; i <= 'k'; i++) {
        assert_true(leat_prom_cursor_family(r.store, &c, &f));
        assert_true(f.name.len == 1 && f.name.data[0] == (uint8_t)i);
        assert_true(leat_prom_cursor_series(&c, &s));
    }
    /* where it stands, everything but what comes later goes away, and new ones come */
    leat_clock_step(200 * LEAT_SEC);
    for (char i = 'm'; i <= 'p'; i++) {
        snprintf(name, sizeof name, "%c", i);
        gauge(name, "a", "1", 11, 1);
    }
    leat_clock_step(200 * LEAT_SEC);
    leat_prom_store_expire(r.store);
    gauge("b", "a", "1", 11, 1);
    gauge("k", "a", "9", 11, 1);
    gauge("kk", "a", "1", 11, 1);
    assert_false(leat_prom_cursor_series(&c, &s)); /* the old k is gone, the new one is not met */
    assert_true(leat_prom_cursor_family(r.store, &c, &f));
    assert_true(leat_bytes_is(f.name, "kk"));
    for (char i = 'm'; i <= 'p'; i++) {
        assert_true(leat_prom_cursor_family(r.store, &c, &f));
        assert_true(f.name.data[0] == (uint8_t)i);
        assert_true(leat_prom_cursor_series(&c, &s));
        assert_false(leat_prom_cursor_series(&c, &s));
    }
    assert_true(leat_prom_cursor_family(r.store, &c, &f));
    assert_true(leat_bytes_is(f.name, "target_info"));
    assert_false(leat_prom_cursor_family(r.store, &c, &f));
    leat_prom_cursor_close(r.store, &c);
}

static void removing_the_next_series_moves_the_cursor(void **state)
{
    struct leat_prom_cursor c;
    struct leat_prom_family f;
    struct leat_prom_series s;

    (void)state;
    gauge("g", "a", "1", 10, 1);
    leat_clock_step(200 * LEAT_SEC);
    gauge("g", "a", "2", 10, 2);
    gauge("g", "a", "3", 10, 3);
    leat_prom_cursor_open(r.store, &c);
    assert_true(leat_prom_cursor_family(r.store, &c, &f));
    leat_clock_step(200 * LEAT_SEC);
    leat_prom_store_expire(r.store);
    assert_true(leat_prom_cursor_series(&c, &s));
    assert_true(s.value == 2);
    gauge("g", "a", "4", 10, 4); /* comes last */
    assert_true(leat_prom_cursor_series(&c, &s));
    assert_true(leat_prom_cursor_series(&c, &s));
    assert_true(s.value == 4);
    assert_false(leat_prom_cursor_series(&c, &s));
    leat_prom_cursor_close(r.store, &c);
}

static void many_families_stay_sorted(void **state)
{
    char name[16], before[64] = "";

    (void)state;
    r.conf.max_series = 10000;
    prom_rig_start(&r);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "f%d", i * 7919 % 2003);
        gauge(name, "a", "1", 10, i);
    }
    prom_rig_page(&r);
    assert_int_equal(r.parsed.nfamilies, 2001); /* and target_info */
    for (size_t i = 0; i < r.parsed.nfamilies; i++) {
        assert_true(strcmp(r.parsed.families[i].name, before) > 0);
        snprintf(before, sizeof before, "%s", r.parsed.families[i].name);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define L(f) cmocka_unit_test_setup_teardown(f, setup_later, teardown)
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
        L(const_labels_and_scopes),
        L(picked_resource_attributes),
        T(exemplars),
        L(beyond_the_limit_only_what_is_there_goes_on),
        L(bytes_have_a_limit_too),
        T(a_point_too_large_for_a_page),
        T(no_memory_costs_points_and_nothing_else),
        T(what_is_not_updated_expires),
        T(a_cursor_stands_changes_around_it),
        T(removing_the_next_series_moves_the_cursor),
        L(many_families_stay_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
