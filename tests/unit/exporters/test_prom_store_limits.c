/* The series of a scrape page: settings, limits, expiry, cursors. */
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
#define gauge(...)           scrape_rig_gauge(&r, __VA_ARGS__)
#define histogram(...)       scrape_rig_histogram(&r, __VA_ARGS__)

static int setup(void **state)
{
    (void)state;
    scrape_rig_init(&r);
    scrape_rig_start(&r);
    return 0;
}

/* For those that want other settings. */
static int setup_later(void **state)
{
    (void)state;
    scrape_rig_init(&r);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scrape_rig_done(&r);
    return 0;
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
    scrape_rig_start(&r);
    gauge("g", "a", "1", 10, 1);
    scrape_rig_page(&r);
    assert_non_null(prom_sample_find(&r.parsed, "ns_g", "a=1,dc=eu,instance=i-1,job=shop"));
}

static void picked_resource_attributes(void **state)
{
    static const char *const in[] = {"host.*", "a"}, *const ex[] = {"host.na?e"};

    (void)state;
    r.conf.labels.resource = true;
    r.conf.labels.included = in;
    r.conf.labels.included_count = 2;
    r.conf.labels.excluded = ex;
    r.conf.labels.excluded_count = 1;
    r.conf.labels.no_scope = true;
    scrape_rig_start(&r);
    scrape_rig_json(&r,
                    "{\"resourceMetrics\":[{\"resource\":{\"attributes\":["
                    "{\"key\":\"a\",\"value\":{\"stringValue\":\"resource\"}},"
                    "{\"key\":\"host.id\",\"value\":{\"stringValue\":\"7\"}},"
                    "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h1\"}}]},"
                    "\"scopeMetrics\":[{\"metrics\":[{\"name\":\"g\",\"gauge\":{\"dataPoints\":["
                    "{\"timeUnixNano\":\"1\",\"attributes\":["
                    "{\"key\":\"a\",\"value\":{\"stringValue\":\"point\"}},"
                    "{\"key\":\"b\",\"value\":{\"stringValue\":\"point\"}}]}]}}]}]}]}");
    scrape_rig_page(&r);
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
    scrape_rig_page(&r);
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
    scrape_rig_page(&r);
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
    scrape_rig_start(&r);
    for (int i = 0; i < 10; i++) {
        snprintf(value, sizeof value, "%d", i);
        assert_int_equal(gauge("g", "a", value, 10, i), i >= 3);
    }
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_LIMIT], 7);
    assert_int_equal(gauge("g", "a", "1", 20, 42), 0);
    IS("g", "a=1", 42);
    assert_int_equal(leat_scrape_store_series(r.store), 3);
}

static void bytes_have_a_limit_too(void **state)
{
    char value[16];
    uint32_t dropped = 0;

    (void)state;
    r.conf.max_bytes = 20000;
    scrape_rig_start(&r);
    for (int i = 0; i < 200; i++) {
        snprintf(value, sizeof value, "%d", i);
        dropped += gauge("g", "a", value, 10, i);
    }
    assert_in_range(dropped, 100, 199);
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_LIMIT], dropped);
    assert_in_range(leat_scrape_store_bytes(r.store), 15000, 20000);
    assert_int_equal(leat_scrape_store_bytes(r.store), leat_budget_used(&r.budget));
}

static void a_point_too_large_for_a_page(void **state)
{
    struct leat_text json;

    (void)state;
    leat_text_init(&json, 1 << 20);
    leat_text_str(&json, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"h\","
                         "\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{"
                         "\"timeUnixNano\":\"1\",\"explicitBounds\":[");
    for (int i = 0; i < LEAT_SCRAPE_MARKS_MAX + 1; i++)
        leat_text_printf(&json, "%s%d", i != 0 ? "," : "", i);
    leat_text_str(&json, "]}]}}]}]}]}");
    assert_int_equal(scrape_rig_json(&r, leat_text_get(&json)), 1);
    assert_int_equal(r.dropped[LEAT_SCRAPE_DROP_TOO_LARGE], 1);
    assert_int_equal(leat_scrape_store_bytes(r.store), 0);
    leat_text_done(&json);
}

static void no_memory_costs_points_and_nothing_else(void **state)
{
    (void)state;
    r.style.open = true;
    for (uint64_t nth = 1; nth < 60; nth++) {
        for (int i = 0; i < LEAT_SCRAPE_DROPS; i++)
            r.dropped[i] = 0;
        r.fail_at = nth;
        histogram(DELTA, (int)nth, H_ONE ",\"exemplars\":[{\"asInt\":\"1\"}]");
        scrape_rig_page(&r);
        if (nth % 7 == 0) { /* all anew */
            leat_clock_step(301 * LEAT_SEC);
            leat_scrape_store_expire(r.store);
            assert_int_equal(leat_scrape_store_bytes(r.store), 0);
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
    leat_scrape_store_expire(r.store);
    IS("g", "a=1", 2);
    ABSENT("g", "a=2");
    leat_clock_step(300 * LEAT_SEC);
    leat_scrape_store_expire(r.store);
    assert_int_equal(leat_scrape_store_series(r.store), 0);
    assert_int_equal(leat_scrape_store_families(r.store), 0);
    assert_int_equal(leat_scrape_store_bytes(r.store), 0);
}

/* --- cursors */

static void a_cursor_stands_changes_around_it(void **state)
{
    struct leat_scrape_cursor c;
    struct leat_scrape_family f;
    struct leat_scrape_series s;
    char name[16];

    (void)state;
    for (int i = 0; i < 26; i++) {
        snprintf(name, sizeof name, "%c", 'z' - i);
        gauge(name, "a", "1", 10, i);
        gauge(name, "a", "2", 10, i);
    }
    leat_scrape_cursor_open(r.store, &c);
    for (char i = 'a'; i <= 'k'; i++) {
        assert_true(leat_scrape_cursor_family(r.store, &c, &f));
        assert_true(f.name.len == 1 && f.name.data[0] == (uint8_t)i);
        assert_true(leat_scrape_cursor_series(&c, &s));
    }
    /* where it stands, everything but what comes later goes away, and new ones come */
    leat_clock_step(200 * LEAT_SEC);
    for (char i = 'm'; i <= 'p'; i++) {
        snprintf(name, sizeof name, "%c", i);
        gauge(name, "a", "1", 11, 1);
    }
    leat_clock_step(200 * LEAT_SEC);
    leat_scrape_store_expire(r.store);
    gauge("b", "a", "1", 11, 1);
    gauge("k", "a", "9", 11, 1);
    gauge("kk", "a", "1", 11, 1);
    assert_false(leat_scrape_cursor_series(&c, &s)); /* the old k is gone, the new one is not met */
    assert_true(leat_scrape_cursor_family(r.store, &c, &f));
    assert_true(leat_bytes_is(f.name, "kk"));
    for (char i = 'm'; i <= 'p'; i++) {
        assert_true(leat_scrape_cursor_family(r.store, &c, &f));
        assert_true(f.name.data[0] == (uint8_t)i);
        assert_true(leat_scrape_cursor_series(&c, &s));
        assert_false(leat_scrape_cursor_series(&c, &s));
    }
    assert_true(leat_scrape_cursor_family(r.store, &c, &f));
    assert_true(leat_bytes_is(f.name, "target_info"));
    assert_false(leat_scrape_cursor_family(r.store, &c, &f));
    leat_scrape_cursor_close(r.store, &c);
}

static void removing_the_next_series_moves_the_cursor(void **state)
{
    struct leat_scrape_cursor c;
    struct leat_scrape_family f;
    struct leat_scrape_series s;

    (void)state;
    gauge("g", "a", "1", 10, 1);
    leat_clock_step(200 * LEAT_SEC);
    gauge("g", "a", "2", 10, 2);
    gauge("g", "a", "3", 10, 3);
    leat_scrape_cursor_open(r.store, &c);
    assert_true(leat_scrape_cursor_family(r.store, &c, &f));
    leat_clock_step(200 * LEAT_SEC);
    leat_scrape_store_expire(r.store);
    assert_true(leat_scrape_cursor_series(&c, &s));
    assert_true(s.value == 2);
    gauge("g", "a", "4", 10, 4); /* comes last */
    assert_true(leat_scrape_cursor_series(&c, &s));
    assert_true(leat_scrape_cursor_series(&c, &s));
    assert_true(s.value == 4);
    assert_false(leat_scrape_cursor_series(&c, &s));
    leat_scrape_cursor_close(r.store, &c);
}

static void many_families_stay_sorted(void **state)
{
    char name[16], before[64] = "";

    (void)state;
    r.conf.max_series = 10000;
    scrape_rig_start(&r);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "f%d", i * 7919 % 2003);
        gauge(name, "a", "1", 10, i);
    }
    scrape_rig_page(&r);
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
