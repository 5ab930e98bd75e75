/* One StatsD table moved into another. */
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
#include "lib/statsd_help.h"

static void merge(struct statsd_rig *r, struct leat_statsd_table *from)
{
    leat_statsd_table_merge(r->t, from, r->now);
    assert_int_equal(leat_statsd_table_series(from), 0);
    assert_true(leat_statsd_table_idle(from));
    assert_int_equal(leat_statsd_table_stats(from)->lines, 0);
}

/* The lines over two tables, merged, are the same as in one: whichever table a line goes to. */
static void test_same_as_one(void **state)
{
    static const char *const types[] = {"c", "ms", "h", "d", "s"};
    struct statsd_rig one = {.now = 0}, two = {.now = 0};
    struct leat_statsd_table *other;
    uint32_t seed = 1;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct statsd_rig *r = i == 0 ? &one : &two;
        statsd_map(r, 0, LEAT_STATSD_OBSERVE_SUMMARY);
        statsd_map(r, 2, LEAT_STATSD_OBSERVE_HISTOGRAM)->histogram.max_size = 20;
        statsd_map(r, 3, LEAT_STATSD_OBSERVE_GAUGE);
        statsd_open(r);
    }
    other = statsd_more(&two);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3000; i++) {
            char line[128];
            unsigned type, order;
            seed = seed * 1664525 + 1013904223;
            type = (seed >> 8) % 5;
            order = (seed >> 13) % 2;
            /* numbers whose sums are exact, in whatever order */
            snprintf(line, sizeof line, "n%u:%u%s|%s|#%s", (seed >> 16) % 50, (seed >> 22) % 100,
                     (seed >> 29) % 2 && type != 4 ? ".5" : "", types[type],
                     order ? "a:1,b:2" : "b:2,a:1");
            if (type == 3 && i % 10 != 0)
                continue;
            one.now++; /* samples of observer gauge are told apart by their time */
            two.now++;
            statsd_feed_to(&one, one.t, (uint8_t)(seed >> 30), line);
            statsd_feed_to(&two, (seed >> 5) % 2 ? two.t : other, (uint8_t)(seed >> 30), line);
        }
        merge(&two, other);
        assert_string_equal(statsd_pass(&two), statsd_pass(&one));
        assert_true(strlen(one.text) > 5000);
    }
    assert_memory_equal(leat_statsd_table_stats(two.t), leat_statsd_table_stats(one.t),
                        sizeof(struct leat_statsd_stats));
    leat_statsd_table_free(other);
    statsd_done(&one);
    statsd_done(&two);
}

/* Which gauge is right depends on the times. */
static void test_gauges(void **state)
{
    /* first into one table, later into the other; '<' means the first is merged into */
    static const struct {
        const char *first, *later, *result;
    } each[] = {
        {"a:1|g", "a:2|g", "a gauge 2 {}\n"},
        {"a:1|g", "a:+2|g", "a gauge 3 {}\n"},
        {"a:+1|g", "a:+2|g", "a gauge 3 {}\n"},
        {"a:+1|g", "a:5|g", "a gauge 5 {}\n"},
        {"a:1|g\na:+1|g", "a:5|g\na:-1|g", "a gauge 4 {}\n"},
        {"a:1|g|T1700000000", "a:2|g|T1700000000", "a gauge 2 {}\n"},
    };

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof each / sizeof *each); i++) {
        struct statsd_rig r = {.now = 0};
        struct leat_statsd_table *other;
        bool swap = i % 2;
        if (swap && i / 2 == 5)
            continue; /* of one time, the one that is merged wins */
        statsd_open(&r);
        other = statsd_more(&r);
        statsd_feed_to(&r, swap ? other : r.t, 0, each[i / 2].first);
        r.now += 10;
        statsd_feed_to(&r, swap ? r.t : other, 0, each[i / 2].later);
        r.now -= 10;
        merge(&r, other);
        assert_string_equal(statsd_pass(&r), each[i / 2].result);
        leat_statsd_table_free(other);
        statsd_done(&r);
    }
}

/* A gauge that was sent before is what deltas from elsewhere are added to. */
static void test_gauge_base(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_table *other;

    (void)state;
    statsd_open(&r);
    other = statsd_more(&r);
    statsd_feed(&r, "a:100|g");
    assert_string_equal(statsd_pass(&r), "a gauge 100 {}\n");
    for (int i = 1; i < 4; i++) {
        r.now += 10;
        statsd_feed_to(&r, other, 0, "a:+5|g");
        merge(&r, other);
        statsd_pass(&r);
        assert_true(strtod(r.text + 8, NULL) == 100 + 5 * i);
    }
    leat_statsd_table_free(other);
    statsd_done(&r);
}

/* The caps of the table that is merged into hold, and what is beyond is counted. */
static void test_caps(void **state)
{
    struct statsd_rig r = {.conf = {.aggregation_cardinality_limit = 100}};
    struct leat_statsd_table *other;
    char line[64];

    (void)state;
    statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);
    statsd_open(&r);
    other = statsd_more(&r);
    for (int round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 60; i++) {
            snprintf(line, sizeof line, "a%u:1|c\nt%u:4|ms", i, i);
            statsd_feed(&r, line);
        }
        for (unsigned i = 0; i < 200; i++) { /* of these, 100 are in `other`, 20 of them known */
            snprintf(line, sizeof line, "a%u:1|c\nt%u:4|ms", i + 50, i + 50);
            statsd_feed_to(&r, other, 0, line);
        }
        assert_int_equal(leat_statsd_table_series(other), 100);
        merge(&r, other);
        assert_int_equal(leat_statsd_table_series(r.t), 100);
        statsd_pass(&r);
        assert_true(statsd_sum(&r, "a") + statsd_sum(&r, "statsd.overflow.counter ") == 260);
        assert_true(statsd_sum(&r, "t") + statsd_sum(&r, "statsd.overflow.timing ") == 260);
        assert_true(statsd_sum(&r, "statsd.overflow.") > 200);
    }
    leat_statsd_table_free(other);
    statsd_done(&r);
}

/* Sets, exact and estimated, in both directions. */
static void test_sets(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct statsd_rig r = {.now = 0};
        struct leat_statsd_table *other;
        unsigned here = way & 1 ? 5000 : 500, there = way & 2 ? 5000 : 500;
        char line[64];
        long n;
        statsd_open(&r);
        other = statsd_more(&r);
        for (unsigned i = 0; i < here; i++) {
            snprintf(line, sizeof line, "a:%u|s", i);
            statsd_feed(&r, line);
        }
        for (unsigned i = 0; i < there; i++) { /* half of the smaller are in both */
            snprintf(line, sizeof line, "a:%u|s", i + here - 250);
            statsd_feed_to(&r, other, 0, line);
        }
        merge(&r, other);
        n = strtol(statsd_pass(&r) + 8, NULL, 10);
        if (way == 0)
            assert_int_equal(n, 750);
        else
            assert_in_range(n, (here + there - 250) * 93 / 100, (here + there - 250) * 107 / 100);
        leat_statsd_table_free(other);
        statsd_done(&r);
    }
}

/* Memory that was charged comes back with the merge. */
static void test_memory(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_table *other;
    struct leat_budget budget;
    char line[64];

    (void)state;
    statsd_open(&r);
    leat_budget_init(&budget, (size_t)64 << 20);
    other = leat_statsd_table_new(r.rules, &budget, STATSD_NOW);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 20000; i++) {
            snprintf(line, sizeof line, "name.%u:1|c\nname.%u:1|ms", i, i);
            statsd_feed_to(&r, other, (uint8_t)(i % 50), line);
        }
        assert_true(leat_budget_used(&budget) > 1024 * 1024);
        merge(&r, other);
        assert_int_equal(leat_budget_used(&budget), 0);
        statsd_pass(&r);
    }
    leat_statsd_table_free(other);
    statsd_done(&r);
}

/* Merges between the chunks of a pass lose nothing. */
static void test_in_a_pass(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_buf *out = leat_buf_new(NULL, LEAT_STATSD_CHUNK_MIN);
    struct leat_statsd_table *other;
    struct leat_statsd_chunk chunk;
    unsigned sent = 0;
    char line[64];
    double sum = 0;

    (void)state;
    statsd_open(&r);
    other = statsd_more(&r);
    for (int round = 0; round < 30; round++) {
        statsd_pass(&r); /* by lines: easier to add up */
        sum += statsd_sum(&r, "");
        leat_statsd_table_begin(r.t);
        for (unsigned i = 0; i < 20; i++) {
            snprintf(line, sizeof line, "%c%u:1|c", 'a' + round % 3, i + (unsigned)round * 3);
            statsd_feed_to(&r, r.t, (uint8_t)(i % 3 + 1), line);
            statsd_feed_to(&r, other, (uint8_t)(i % 3 + 1), line);
            sent += 2;
            out->len = 0;
            leat_statsd_table_encode(r.t, r.now, 1, out, &chunk);
            sum += chunk.points; /* whose value is 1 or 2 */
            if (chunk.points != 0 && memmem(out->data, out->len, "1\x02\0\0\0\0\0\0\0", 9) != NULL)
                sum += 1; /* as_int: 2 */
            if (i % 4 == 0)
                merge(&r, other);
        }
        merge(&r, other);
    }
    statsd_pass(&r);
    sum += statsd_sum(&r, "");
    assert_true(sum == sent);
    leat_buf_unref(out);
    leat_statsd_table_free(other);
    statsd_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_one), cmocka_unit_test(test_gauges),
        cmocka_unit_test(test_gauge_base),  cmocka_unit_test(test_caps),
        cmocka_unit_test(test_sets),        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_in_a_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
