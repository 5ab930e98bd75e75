/* StatsD lines in, OTLP points out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "lib/statsd_help.h"

static void assert_points(struct statsd_rig *r, const char *expected)
{
    assert_string_equal(statsd_pass(r), expected);
}

/* Of one datagram, with no settings. */
static void assert_lines(const char *lines, const char *expected)
{
    struct statsd_rig r = {.now = 0};

    statsd_open(&r);
    statsd_feed(&r, lines);
    assert_points(&r, expected);
    statsd_done(&r);
}

static void test_counters(void **state)
{
    (void)state;
    assert_lines("a:1|c", "a sum 1 -1000..0 {}\n");
    assert_lines("a:1|c\na:2|c\nb:5|c\n", "a sum 3 -1000..0 {}\nb sum 5 -1000..0 {}\n");
    assert_lines("a:1|c\r\na:2|c\r\n", "a sum 3 -1000..0 {}\n");
    assert_lines("\n\r\n\na:0|c\n\n", "a sum 0 -1000..0 {}\n");
    assert_lines("a:-5|c\na:+2|c", "a sum -3 -1000..0 {}\n");
    /* summed, then made whole: the collector cuts each line and says 6 */
    assert_lines("a:1|c|@0.3\na:1|c|@0.3", "a sum 7 -1000..0 {}\n");
    assert_lines("a:1.25|c\na:1.5|c", "a sum 3 -1000..0 {}\n");
    assert_lines("a:1:2:3|c|#x:y", "a sum 6 -1000..0 {x=y}\n");
    assert_lines("a:1e3|c", "a sum 1000 -1000..0 {}\n");
    assert_lines("a:1e300|c", "a sum 9223372036854775807 -1000..0 {}\n");
    assert_lines("", "");
}

/* What rounding leaves goes into the next interval. */
static void test_counters_over_time(void **state)
{
    struct statsd_rig r = {.now = 0};
    double sum = 0;

    (void)state;
    statsd_open(&r);
    for (int i = 0; i < 30; i++) {
        statsd_feed(&r, "a:1|c|@0.3");
        statsd_pass(&r);
        sum += statsd_sum(&r, "a ");
    }
    assert_true(sum == 100);
    r.now += 5;
    assert_points(&r, "");
    r.now += 5;
    statsd_feed(&r, "a:1|c");
    assert_points(&r, "a sum 1 +5..10 {}\n");
    statsd_done(&r);
}

static void test_counter_types(void **state)
{
    struct statsd_rig r = {.conf = {.counter_type = LEAT_STATSD_COUNTER_FLOAT,
                                    .is_monotonic_counter = true,
                                    .enable_metric_type = true}};
    double sum = 0;

    (void)state;
    statsd_open(&r);
    statsd_feed(&r, "a:1.5|c\na:1|c|@0.5|#k:v");
    assert_points(&r, "a rising 1.5 -1000..0 {metric_type=counter}\n"
                      "a rising 2 -1000..0 {k=v,metric_type=counter}\n");
    statsd_done(&r);
    r.conf.counter_type = LEAT_STATSD_COUNTER_STOCHASTIC_INT;
    statsd_open(&r);
    leat_random_fake(7);
    for (int i = 0; i < 1000; i++) {
        statsd_feed(&r, "a:0.25|c");
        statsd_pass(&r);
        assert_true(statsd_sum(&r, "a ") == 0 || statsd_sum(&r, "a ") == 1);
        sum += statsd_sum(&r, "a ");
    }
    assert_in_range((int)sum, 200, 300);
    statsd_done(&r);
}

static void test_gauges(void **state)
{
    struct statsd_rig r = {.now = 0};

    (void)state;
    assert_lines("a:3|g\na:+4|g\na:-1.5|g", "a gauge 5.5 {}\n");
    assert_lines("a:-3|g", "a gauge -3 {}\n");
    assert_lines("a:3|g\na:-3|g|@0.1\na:8|g", "a gauge 8 {}\n");
    assert_lines("a:1:+2:+3|g", "a gauge 6 {}\n");
    statsd_open(&r); /* the value is kept */
    statsd_feed(&r, "a:10|g");
    assert_points(&r, "a gauge 10 {}\n");
    assert_points(&r, "");
    statsd_feed(&r, "a:+5|g");
    assert_points(&r, "a gauge 15 {}\n");
    for (int i = 0; i < LEAT_STATSD_GAUGE_PASSES - 1; i++)
        assert_points(&r, "");
    assert_int_equal(leat_statsd_table_series(r.t), 1);
    assert_points(&r, "");
    assert_int_equal(leat_statsd_table_series(r.t), 0);
    statsd_done(&r);
}

static void test_stamps(void **state)
{
    struct statsd_rig r = {.now = 0};

    (void)state;
    assert_lines("a:3|g|T1700000001\na:4|g", "a gauge 3..1000000000 {}\na gauge 4 {}\n");
    assert_lines("a:3|c|T1700000001\na:4|c|T1700000001|#\na:1|c|T1700000002\na:1|c",
                 "a sum 1 +1000000000..2000000000 {}\na sum 1 -1000..0 {}\n"
                 "a sum 7 +0..1000000000 {}\n");
    assert_lines("a:-3|g|T1700000001\na:-4|g|T1700000001", "a gauge -4..1000000000 {}\n");
    assert_lines("a:3|g|T0", "a gauge 3 {}\n");
    statsd_open(&r); /* one that had no value yet */
    statsd_feed(&r, "a:x:y|c|T1700000001");
    assert_points(&r, "");
    statsd_feed(&r, "a:1|c|T1700000001");
    assert_points(&r, "a sum 1 +0..1000000000 {}\n");
    assert_int_equal(leat_statsd_table_series(r.t), 0);
    statsd_done(&r);
}

static void test_sets(void **state)
{
    struct statsd_rig r = {.now = 0};
    char line[64];
    long n;

    (void)state;
    assert_lines("a:x|s\na:y|s\na:x|s\na:|s\nb:1:2|s\nb:1|s|@0.1", "a gauge 2 {}\nb gauge 2 {}\n");
    statsd_open(&r);
    for (unsigned i = 0; i < 1500; i++) {
        snprintf(line, sizeof line, "a:user-%u|s\na:user-%u|s", i, i / 2);
        statsd_feed(&r, line);
    }
    assert_points(&r, "a gauge 1500 {}\n");
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(line, sizeof line, "a:user-%u|s", i);
        statsd_feed(&r, line);
    }
    n = strtol(statsd_pass(&r) + 8, NULL, 10);
    assert_in_range(n, 93000, 107000);
    statsd_feed(&r, "a:1|s");
    assert_points(&r, "a gauge 1 {}\n");
    statsd_done(&r);
}

static void test_tags(void **state)
{
    struct statsd_rig r = {.now = 0};

    (void)state;
    /* the order does not matter, nor where the part stands */
    assert_lines("a:1|c|#x:1,y:2\na:1|c|#y:2,x:1\na:1|c|@1|#x:1,y:2\na:1|c|#y:2,x:1|@0.5\n"
                 "a:1|c|#y:0,x:1,y:2",
                 "a sum 6 -1000..0 {x=1,y=2}\n");
    assert_lines("a:1|c|#\na:1|c", "a sum 2 -1000..0 {}\n");
    assert_lines("a:1|c|#a:1,#b:2", "a sum 1 -1000..0 {#b=2,a=1}\n");
    assert_lines("a:1|c|#u:http://x:80/", "a sum 1 -1000..0 {u=http://x:80/}\n");
    assert_lines("a:1|c|#a:1,simple,b:,:c,", "a sum 1 -1000..0 {a=1}\n");
    /* the container, wherever it is said */
    assert_lines("a:1|c|#x:1|c:abc\na:1|c|c:abc|#x:1\na:1|c|#x:1,container.id:old|c:ci-abc\n"
                 "a:1|c|#container.id:abc,x:1\na:1|c|c:in-77,ci-abc|#x:1",
                 "a sum 5 -1000..0 {container.id=abc,x=1}\n");
    assert_lines("a:1|c|c:in-4711", "a sum 1 -1000..0 {}\n");
    assert_lines("a:1|c|e:it-false,cn-x|card:low", "a sum 1 -1000..0 {}\n");
    r.conf.enable_simple_tags = true;
    statsd_open(&r);
    statsd_feed(&r, "a:1|c|#simple,b:\na:1|c|#b,simple:");
    assert_points(&r, "a sum 2 -1000..0 {b=,simple=}\n");
    statsd_done(&r);
}

/* Other spellings of a series are remembered, and forgotten with it. */
static void test_spellings(void **state)
{
    struct statsd_rig r = {.now = 0};

    (void)state;
    statsd_open(&r);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++)
            statsd_feed(&r, "a:1|c|#x:1,y:2,z:3\na:1|c|#y:2,x:1,z:3\na:1|c|#z:3,y:2,x:1\n"
                            "a:1|c|#z:4,y:2,x:1");
        assert_points(&r, round == 0
                              ? "a sum 3 -1000..0 {x=1,y=2,z=4}\na sum 9 -1000..0 {x=1,y=2,z=3}\n"
                              : "a sum 3 +0..0 {x=1,y=2,z=4}\na sum 9 +0..0 {x=1,y=2,z=3}\n");
        assert_int_equal(leat_statsd_table_series(r.t), 2);
        for (int i = 0; i < LEAT_STATSD_IDLE_PASSES; i++)
            assert_points(&r, "");
        assert_int_equal(leat_statsd_table_series(r.t), 0);
    }
    statsd_done(&r);
}

static void test_not_utf8(void **state)
{
    struct statsd_rig r = {.now = 0};

    (void)state;
    statsd_open(&r);
    statsd_feed(&r, "a\xff:1|c|#k\xc0:v\n"
                    "a\xff:1|c|#k\xc0:v\n"
                    "a\xfe:1|c|#k\xc1:v\n"
                    "a\xef\xbf\xbd:1|c|#k\xef\xbf\xbd:v\n");
    assert_points(&r, "a\xef\xbf\xbd sum 4 -1000..0 {k\xef\xbf\xbd=v}\n");
    assert_int_equal(leat_statsd_table_stats(r.t)->faults[LEAT_STATSD_NOT_UTF8], 3);
    statsd_done(&r);
}

static void test_types_and_clients_apart(void **state)
{
    struct statsd_rig r = {.conf = {.enable_metric_type = true}};

    (void)state;
    statsd_open(&r);
    statsd_feed(&r, "a:1|c\na:2|g\na:3|ms\na:4|h\na:5|d\na:6|s");
    assert_points(&r, "a gauge 1 {metric_type=set}\na gauge 2 {metric_type=gauge}\n"
                      "a gauge 3 {metric_type=timing}\na gauge 4 {metric_type=histogram}\n"
                      "a gauge 5 {metric_type=distribution}\n"
                      "a sum 1 -1000..0 {metric_type=counter}\n");
    statsd_feed_to(&r, r.t, 1, "a:1|g\nb:1|g");
    statsd_feed_to(&r, r.t, 2, "a:2|g");
    statsd_feed_to(&r, r.t, 1, "a:3|g");
    assert_points(&r, "1@a gauge 3 {metric_type=gauge}\n1@b gauge 1 {metric_type=gauge}\n"
                      "2@a gauge 2 {metric_type=gauge}\n");
    statsd_done(&r);
}

/* --- limits */

/* Known series are exact, and the overflow counts the rest exactly, whatever the order. */
static void test_cap(void **state)
{
    struct statsd_rig r = {.conf = {.aggregation_cardinality_limit = 100}};
    char line[64];

    (void)state;
    statsd_open(&r);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 10000; i++) {
            snprintf(line, sizeof line, "n%05u:1|c|#a:1,b:2\nn%05u:2|c|#b:2,a:1", i, i);
            statsd_feed(&r, line);
            if (i % 10 == 0)
                statsd_feed(&r, "n00007:1|c|#a:1,b:2");
        }
        statsd_pass(&r);
        assert_int_equal(leat_statsd_table_series(r.t), 100);
        assert_true(statsd_sum(&r, "n00007 ") == 1003);
        assert_true(statsd_sum(&r, "n") == 100 * 3 + 1000);
        assert_true(statsd_sum(&r, "statsd.overflow.counter ") == 9900 * 3);
        assert_non_null(strstr(r.text, "{otel.metric.overflow=true}\n"));
        assert_int_equal(leat_statsd_table_stats(r.t)->overflow[LEAT_STATSD_COUNTER],
                         9900 * 2 * (round + 1));
    }
    r.max_points = 1;
    statsd_feed(&r, "x:1|g\nx:2|g\nx:1|ms\nx:1:2|s\nx:1:2|h|@0.5");
    assert_points(&r, "statsd.overflow.gauge rising 2 +0..0 {otel.metric.overflow=true}\n"
                      "statsd.overflow.histogram rising 2 +0..0 {otel.metric.overflow=true}\n"
                      "statsd.overflow.set rising 1 +0..0 {otel.metric.overflow=true}\n"
                      "statsd.overflow.timing rising 1 +0..0 {otel.metric.overflow=true}\n");
    statsd_done(&r);
}

/* So with addresses: a table has room for so many clients, whoever forges more of them. */
static void test_many_clients(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_source from = {.now = STATSD_NOW};
    uint32_t n = LEAT_STATSD_CLIENTS + 1000;

    (void)state;
    statsd_open(&r);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < n; i++) {
            memcpy(from.client, &i, sizeof i);
            leat_statsd_table_feed(r.t, &from, leat_bytes_str("a:1|c"));
        }
        assert_int_equal(leat_statsd_table_series(r.t), LEAT_STATSD_CLIENTS);
        assert_true(leat_statsd_table_bytes(r.t) < 16 << 20);
        statsd_pass(&r);
        assert_true(statsd_sum(&r, "statsd.overflow.counter ") == 1000);
        assert_true(statsd_sum(&r, "") == n);
    }
    for (int i = 0; i < LEAT_STATSD_IDLE_PASSES; i++)
        statsd_pass(&r);
    assert_int_equal(leat_statsd_table_series(r.t), 0);
    statsd_done(&r);
}

/* Idle series make room for new ones. */
static void test_idle(void **state)
{
    struct statsd_rig r = {.conf = {.aggregation_cardinality_limit = 10}};
    char line[64];

    (void)state;
    statsd_open(&r);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 10; i++) {
            snprintf(line, sizeof line, "n%u:1|%s", round * 10 + i, i % 2 ? "c" : "ms");
            statsd_feed_to(&r, r.t, (uint8_t)(round + 1), line);
        }
        statsd_pass(&r);
        assert_null(strstr(r.text, "overflow"));
        for (int i = 0; i < LEAT_STATSD_IDLE_PASSES; i++)
            assert_points(&r, "");
    }
    assert_int_equal(leat_statsd_table_series(r.t), 0);
    statsd_done(&r);
}

static void test_budget(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_budget budget;
    char line[128];

    (void)state;
    statsd_open(&r);
    leat_budget_init(&budget, 1024 * 1024);
    leat_statsd_table_free(r.t);
    r.t = leat_statsd_table_new(r.rules, &budget, STATSD_NOW);
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(line, sizeof line, "name.that.is.rather.long.%05u:1|c|#env:prod\nt%u:1|ms", i, i);
        statsd_feed(&r, line);
    }
    assert_true(leat_budget_used(&budget) <= 1024 * 1024);
    assert_true(leat_statsd_table_bytes(r.t) <= 1024 * 1024 + 16384);
    assert_true(leat_statsd_table_series(r.t) > 3000);
    statsd_pass(&r);
    assert_true(statsd_sum(&r, "name") + statsd_sum(&r, "statsd.overflow.counter") == 50000);
    leat_statsd_table_free(r.t);
    r.t = NULL;
    assert_int_equal(leat_budget_used(&budget), 0);
    statsd_done(&r);
}

/* Each allocation in turn fails: what was sent is in a series or in the overflow. */
static void test_no_memory(void **state)
{
    struct statsd_rig r = {.now = 0};
    char line[64];

    (void)state;
    for (uint64_t nth = 1; nth < 40; nth++) {
        statsd_open(&r);
        leat_mem_fail_at(nth);
        for (unsigned i = 0; i < 2000; i++) {
            snprintf(line, sizeof line, "n%u:1|c", i);
            statsd_feed_to(&r, r.t, (uint8_t)(i % 50), line);
        }
        leat_mem_fail_at(0);
        statsd_pass(&r);
        double sum = statsd_sum(&r, "");
        assert_true(sum == 2000);
        statsd_done(&r);
    }
}

/* --- chunks */

/* A pass in small chunks, with lines coming in between: nothing is lost, nothing is doubled. */
static void test_chunks(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_buf *out = leat_buf_new(NULL, 1 << 20);
    struct leat_statsd_chunk chunk;
    char line[128];
    double sum = 0;
    unsigned sent = 0;

    (void)state;
    statsd_open(&r);
    for (unsigned i = 0; i < 300; i++, sent++) {
        snprintf(line, sizeof line, "n%u:1|c", i);
        statsd_feed_to(&r, r.t, (uint8_t)(1 + i % 3), line);
    }
    leat_statsd_table_begin(r.t);
    for (unsigned i = 0;; i++) {
        out->len = 0;
        leat_statsd_table_encode(r.t, r.now, 7, out, &chunk);
        if (chunk.points == 0)
            break;
        assert_true(chunk.client[15] >= 1 && chunk.client[15] <= 3);
        sum += chunk.points;
        if (i < 20) { /* one that was sent, or not yet, and a new one */
            snprintf(line, sizeof line, "n%u:1|c\nx%u:1|c", i * 3, i);
            statsd_feed_to(&r, r.t, 1, line);
        }
    }
    assert_true(sum == 300); /* the new ones wait */
    statsd_pass(&r);
    assert_true(statsd_sum(&r, "1@x") == 20);
    assert_true(statsd_sum(&r, "") <= 40 && statsd_sum(&r, "") >= 20);
    leat_buf_unref(out);
    r.max_points = 1;
    statsd_feed(&r, "a:1|ms\na:2|ms\na:3|ms\nb:1|c\na:4:5:6:7:8:9|ms");
    assert_points(&r, "a gauge 1 {}\na gauge 2..1 {}\na gauge 3..2 {}\na gauge 4..3 {}\n"
                      "a gauge 5..4 {}\na gauge 6..5 {}\na gauge 7..6 {}\na gauge 8..7 {}\n"
                      "a gauge 9..8 {}\nb sum 1 +0..0 {}\n");
    statsd_done(&r);
}

/* The largest of everything still fits into the smallest chunk. */
static void test_largest_point(void **state)
{
    struct statsd_rig r = {.now = 0};
    static char line[8192];
    size_t at;

    (void)state;
    statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM)->histogram.max_size = 100000;
    statsd_open(&r);
    memset(line, 0xff, LEAT_STATSD_NAME_MAX);
    at = LEAT_STATSD_NAME_MAX;
    at += (size_t)snprintf(line + at, sizeof line - at, ":1|ms|@0.000000001|#");
    for (int i = 0; i < 200; i++) {
        at += (size_t)snprintf(line + at, sizeof line - at, "%s%03d\xff", i ? "," : "", i);
        memset(line + at, 0xfe, 10);
        line[at + 4] = ':';
        at += 10;
    }
    line[at] = '\0';
    statsd_feed(&r, line);
    for (int i = 0; i < 5000; i++) {
        snprintf(strchr(line, '|') - 1, 2, "%d", i % 9 + 1);
        strchr(line, ':')[2] = '|';
        statsd_feed(&r, line);
    }
    assert_non_null(strstr(statsd_pass(&r), " exponential "));
    statsd_done(&r);
}

/* --- drops */

static void test_unmapped(void **state)
{
    struct statsd_rig r = {.now = 0};
    const struct leat_statsd_stats *s;

    (void)state;
    statsd_map(&r, 2, LEAT_STATSD_OBSERVE_SUMMARY); /* histogram, and so distribution */
    statsd_open(&r);
    s = leat_statsd_table_stats(r.t);
    statsd_feed(&r, "a:1|ms\na:1:2:x|ms\nb:1|h\nb:1|d");
    assert_int_equal(s->drops[LEAT_STATSD_DROP_TIMING], 3);
    assert_int_equal(s->faults[LEAT_STATSD_BAD_VALUE], 1);
    assert_int_equal(s->samples, 2);
    assert_int_equal(s->lines, 4);
    assert_points(&r, "b summary 1 sum 1 0:1 0.1:1 0.5:1 0.9:1 0.95:1 1:1 {}\n"
                      "b summary 1 sum 1 0:1 0.1:1 0.5:1 0.9:1 0.95:1 1:1 {}\n");
    statsd_feed(&r, "_e{1,1}:a|b\n_sc|x|0\n_sc|x|9");
    assert_int_equal(s->drops[LEAT_STATSD_DROP_EVENT], 1);
    assert_int_equal(s->drops[LEAT_STATSD_DROP_CHECK], 1);
    assert_int_equal(s->faults[LEAT_STATSD_BAD_CHECK], 1);
    assert_int_equal(s->notices, 2);
    statsd_done(&r);
}

/* --- many */

/* Values packed into one line are the same as lines of their own. */
static void test_packed_is_separate(void **state)
{
    static const char *const types[] = {"c", "g", "ms", "h", "d"};
    struct statsd_rig a = {.now = 0}, b = {.now = 0};
    uint32_t seed = 4711;

    (void)state;
    for (int i = 0; i < 3; i++) {
        statsd_map(&a, i == 0 ? 0 : i + 1, i == 0 ? 1 : 2);
        statsd_map(&b, i == 0 ? 0 : i + 1, i == 0 ? 1 : 2);
    }
    statsd_open(&a);
    statsd_open(&b);
    for (int round = 0; round < 2000; round++) {
        char packed[1024], one[128], tail[64];
        unsigned n, name, type;
        size_t at;
        seed = seed * 1664525 + 1013904223;
        n = 1 + (seed >> 8) % 6;
        name = (seed >> 16) % 7;
        type = (seed >> 20) % 5;
        snprintf(tail, sizeof tail, "|%s|@%g|#t:%u", types[type], (seed >> 24) % 2 ? 1 : 0.25,
                 (seed >> 4) % 3);
        at = (size_t)snprintf(packed, sizeof packed, "n%u", name);
        for (unsigned k = 0; k < n; k++) {
            char value[32];
            seed = seed * 1664525 + 1013904223;
            snprintf(value, sizeof value, "%s%u%s", (seed >> 30) == 1 ? "+" : "",
                     (seed >> 9) % 1000, (seed >> 20) % 2 ? ".5" : "");
            at += (size_t)snprintf(packed + at, sizeof packed - at, ":%s", value);
            snprintf(one, sizeof one, "n%u:%s%s\n", name, value, tail);
            statsd_feed(&b, one);
        }
        snprintf(packed + at, sizeof packed - at, "%s", tail);
        statsd_feed(&a, packed);
    }
    statsd_pass(&b);
    assert_string_equal(statsd_pass(&a), b.text);
    assert_true(strlen(b.text) > 1000);
    assert_int_equal(leat_statsd_table_stats(a.t)->samples, leat_statsd_table_stats(b.t)->samples);
    statsd_done(&a);
    statsd_done(&b);
}

/* Datagrams fed together are the same as one after the other. */
static void test_feed_all(void **state)
{
    static const char *const each[] = {"a:1|c", "", "b:2|c\nc:x|c\n", "d:1|c|c:id|#x:y",
                                       "a:3|c\n\n"};
    struct leat_statsd_source from = {.now = STATSD_NOW};
    struct leat_bytes data[500];
    struct statsd_rig a = {.now = 0}, b = {.now = 0};

    (void)state;
    statsd_open(&a);
    statsd_open(&b);
    for (size_t i = 0; i < 500; i++) {
        data[i] = leat_bytes_str(each[i * 7 % 5]);
        leat_statsd_table_feed(a.t, &from, data[i]);
    }
    leat_statsd_table_feed_all(b.t, &from, data, 500);
    leat_statsd_table_feed_all(b.t, &from, data, 0);
    assert_memory_equal(leat_statsd_table_stats(a.t), leat_statsd_table_stats(b.t),
                        sizeof(struct leat_statsd_stats));
    assert_int_equal(leat_statsd_table_stats(a.t)->lines, 500);
    statsd_pass(&b);
    assert_string_equal(statsd_pass(&a), b.text);
    statsd_done(&a);
    statsd_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_counters_over_time),
        cmocka_unit_test(test_counter_types),
        cmocka_unit_test(test_gauges),
        cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_types_and_clients_apart),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_many_clients),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_largest_point),
        cmocka_unit_test(test_unmapped),
        cmocka_unit_test(test_packed_is_separate),
        cmocka_unit_test(test_feed_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
