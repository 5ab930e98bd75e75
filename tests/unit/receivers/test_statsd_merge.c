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
    for (size_t i = 0; i < 4 * (sizeof each / sizeof *each); i++) {
        struct statsd_rig r = {.now = 0};
        struct leat_statsd_table *other, *third;
        bool swap = i % 2, warm = i / 2 % 2;
        if (swap && i / 4 == 5)
            continue; /* of one time, the one that is merged wins */
        statsd_open(&r);
        other = statsd_more(&r);
        third = statsd_more(&r);
        if (warm) { /* knows the series, but its value went elsewhere */
            statsd_feed_to(&r, other, 0, "a:1000|g\na:+70|g");
            leat_statsd_table_merge(third, other, r.now + 5);
            assert_int_equal(leat_statsd_table_series(other), 1);
        }
        statsd_feed_to(&r, swap ? other : r.t, 0, each[i / 4].first);
        r.now += 10;
        statsd_feed_to(&r, swap ? r.t : other, 0, each[i / 4].later);
        r.now -= 10;
        merge(&r, other);
        assert_string_equal(statsd_pass(&r), each[i / 4].result);
        leat_statsd_table_free(third);
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

static void map_buckets(struct statsd_rig *r)
{
    static const char *bounds[] = {"4", "10"};
    static struct leat_statsd_buckets_conf buckets = {.matcher_pattern = "."};

    buckets.buckets = (struct leat_strings){bounds, 2};
    statsd_map(r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM)->histogram.explicit_buckets =
        (struct leat_items){&buckets, 1};
}

static void feed_known(struct statsd_rig *r, struct leat_statsd_table *t, unsigned more)
{
    char line[64];

    for (unsigned i = 0; i < 25; i++) {
        snprintf(line, sizeof line, "c%u:%u|c\nt%u:3|ms\nt%u:5|ms", i, i + more, i, i);
        statsd_feed_to(r, t, 0, line);
    }
}

static void feed_junk(struct statsd_rig *r, struct leat_statsd_table *t, unsigned first, unsigned n)
{
    char line[64];

    for (unsigned i = first; i < first + n; i++) {
        snprintf(line, sizeof line, "junk.%u:2|c", i);
        statsd_feed_to(r, t, 0, line);
    }
}

static void assert_known(const struct statsd_rig *r, unsigned more)
{
    char name[64];

    for (unsigned i = 0; i < 25; i++) {
        snprintf(name, sizeof name, "c%u ", i);
        assert_true(statsd_sum(r, name) == i + more);
        snprintf(name, sizeof name, "t%u histogram 2 sum 8 ", i);
        assert_non_null(strstr(r->text, name));
    }
    assert_true(statsd_sum(r, "t") == 50);
}

/* What a table knew before it was merged has its place, whatever comes before it afterwards. */
static void test_known_series_keep_their_place(void **state)
{
    struct statsd_rig r = {.conf = {.aggregation_cardinality_limit = 100}};
    struct leat_statsd_table *other;

    (void)state;
    map_buckets(&r);
    statsd_open(&r);
    other = statsd_more(&r);
    feed_known(&r, other, 1);
    merge(&r, other);
    assert_int_equal(leat_statsd_table_series(other), 50);
    statsd_pass(&r);
    assert_known(&r, 1);
    for (unsigned round = 0; round < 15; round++) {
        feed_junk(&r, other, round * 10000, 10000);
        feed_known(&r, other, round);
        assert_int_equal(leat_statsd_table_series(other), 100);
        merge(&r, other);
        statsd_pass(&r);
        assert_known(&r, round);
        assert_true(statsd_sum(&r, "junk") + statsd_sum(&r, "statsd.overflow.counter ") == 20000);
        /* junk that was there first is forgotten as all is, and other junk comes in its place */
        assert_true(statsd_sum(&r, "junk") ==
                    (round % (LEAT_STATSD_IDLE_PASSES + 1) == 0 ? 100 : 0));
        assert_true(statsd_sum(&r, "statsd.overflow.timing ") == 0);
    }
    leat_statsd_table_free(other);
    statsd_done(&r);
}

/* What is known there but has no room here is counted once, in the overflow. */
static void test_known_there_only(void **state)
{
    struct statsd_rig r = {.conf = {.aggregation_cardinality_limit = 100}};
    struct leat_statsd_table *other;

    (void)state;
    statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);
    statsd_open(&r);
    other = statsd_more(&r);
    for (unsigned round = 0; round < 5; round++) {
        uint64_t before = leat_statsd_table_stats(r.t)->overflow[LEAT_STATSD_COUNTER];
        feed_junk(&r, r.t, 0, 100);
        feed_known(&r, other, round);
        assert_int_equal(leat_statsd_table_series(other), 50);
        merge(&r, other);
        statsd_pass(&r);
        assert_true(statsd_sum(&r, "junk") == 200);
        assert_true(statsd_sum(&r, "statsd.overflow.counter ") == 300 + 25 * round);
        assert_true(statsd_sum(&r, "statsd.overflow.timing ") == 50);
        assert_true(statsd_sum(&r, "c") + statsd_sum(&r, "t") == 0);
        assert_int_equal(leat_statsd_table_stats(r.t)->overflow[LEAT_STATSD_COUNTER] - before, 25);
        merge(&r, other); /* nothing has come: nothing is counted */
        assert_string_equal(statsd_pass(&r), "");
    }
    leat_statsd_table_free(other);
    statsd_done(&r);
}

/* A sample with its own time is no series that comes again. */
static void test_points_go(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_table *other;

    (void)state;
    statsd_open(&r);
    other = statsd_more(&r);
    for (int round = 0; round < 3; round++) {
        statsd_feed_to(&r, other, 1, "a:1|c|T1690000000\nb:1|c\na:2|g|T1690000000\na:3|c");
        statsd_feed_to(&r, other, 2, "a:1|c|T1690000000");
        assert_int_equal(leat_statsd_table_series(other), 5);
        merge(&r, other);
        assert_int_equal(leat_statsd_table_series(other), 2);
        statsd_pass(&r);
        assert_true(statsd_sum(&r, "1@a sum") == 4);
        assert_true(statsd_sum(&r, "1@a gauge") == 2);
        assert_true(statsd_sum(&r, "2@a sum") == 1);
    }
    leat_statsd_table_free(other);
    statsd_done(&r);
}

/* Keys that are not used are forgotten after as many merges as passes would take. */
static void test_age(void **state)
{
    static const struct {
        const char *line;
        int passes;
    } each[] = {
        {"a:1|c", LEAT_STATSD_IDLE_PASSES},
        {"a:1|ms", LEAT_STATSD_IDLE_PASSES},
        {"a:1|s", LEAT_STATSD_IDLE_PASSES},
        {"a:1|g", LEAT_STATSD_GAUGE_PASSES},
    };

    (void)state;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        struct statsd_rig r = {.now = 0};
        struct leat_statsd_table *other;
        statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);
        statsd_open(&r);
        other = statsd_more(&r);
        for (int round = 0; round < 2; round++) { /* a sample makes it as young as ever */
            statsd_feed_to(&r, other, 0, each[i].line);
            for (int pass = 0; pass < each[i].passes; pass++) {
                merge(&r, other);
                assert_int_equal(leat_statsd_table_series(other), 1);
            }
        }
        merge(&r, other);
        assert_int_equal(leat_statsd_table_series(other), 0);
        leat_statsd_table_free(other);
        statsd_done(&r);
    }
}

/* A point begins no earlier than the last merge of the table that its series is new from. */
static void test_start(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_table *other, *third;

    (void)state;
    statsd_open(&r);
    other = statsd_more(&r);
    third = statsd_more(&r);
    for (int i = 0; i < 3; i++) { /* with a sample, and without one */
        if (i < 2)
            statsd_feed_to(&r, other, 0, "a:1|c");
        r.now += 100;
        leat_statsd_table_merge(third, other, r.now);
    }
    statsd_feed_to(&r, other, 0, "a:1|c");
    r.now += 50;
    merge(&r, other);
    assert_string_equal(statsd_pass(&r), "a sum 1 +300..350 {}\n");
    leat_statsd_table_free(other);
    leat_statsd_table_free(third);
    statsd_done(&r);
}

/* Of samples with a rate, each merge tells whole numbers; none is lost or told twice for it. */
static void test_rates(void **state)
{
    (void)state;
    for (int form = 0; form < 6; form++) {
        struct statsd_rig r = {.conf = {.aggregation_cardinality_limit = 1}};
        double sum = 0;
        struct leat_statsd_table *other;
        if (form % 3 == 0)
            map_buckets(&r);
        else
            statsd_map(&r, 0,
                       form % 3 == 1 ? LEAT_STATSD_OBSERVE_HISTOGRAM : LEAT_STATSD_OBSERVE_SUMMARY);
        statsd_open(&r);
        other = statsd_more(&r);
        for (int round = 0; round < 30; round++) {
            if (form >= 3) { /* into the overflow of both */
                statsd_feed(&r, "b:1|c");
                statsd_feed_to(&r, other, 0, "b:1|c");
            }
            statsd_feed_to(&r, other, 0, "a:1|ms|@0.75"); /* stands for 1.33 */
            merge(&r, other);
            statsd_pass(&r);
            sum += statsd_sum(&r, form >= 3 ? "statsd.overflow.timing " : "a ");
        }
        assert_true(sum >= 39 && sum <= 41);
        leat_statsd_table_free(other);
        statsd_done(&r);
    }
}

/* What keys take is charged, does not grow from merge to merge, and comes back with the last. */
static void test_memory(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_table *other;
    struct leat_budget budget;
    size_t used = 0, bytes = 0;
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
        if (round == 0) {
            used = leat_budget_used(&budget);
            bytes = leat_statsd_table_bytes(other);
        }
        assert_int_equal(leat_budget_used(&budget), used);
        assert_int_equal(leat_statsd_table_bytes(other), bytes);
        assert_true(bytes <= leat_statsd_table_bound(other));
        statsd_pass(&r);
    }
    for (int pass = 0; pass < LEAT_STATSD_IDLE_PASSES; pass++)
        merge(&r, other);
    assert_int_equal(leat_statsd_table_series(other), 0);
    assert_int_equal(leat_budget_used(&budget), 0);
    leat_statsd_table_free(other);
    statsd_done(&r);
}

/* A table without memory for more keeps what it knows, and nothing is lost. */
static void test_no_memory(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_table *other;
    struct leat_budget budget;

    (void)state;
    statsd_map(&r, 0, LEAT_STATSD_OBSERVE_HISTOGRAM);
    statsd_open(&r);
    leat_budget_init(&budget, (size_t)192 << 10);
    other = leat_statsd_table_new(r.rules, &budget, STATSD_NOW);
    for (unsigned round = 0; round < 15; round++) {
        feed_junk(&r, other, round * 10000, round == 0 ? 0 : 10000);
        feed_known(&r, other, 7);
        assert_in_range(leat_statsd_table_series(other), 50, 9000);
        merge(&r, other);
        statsd_pass(&r);
        for (unsigned i = 0; i < 25; i++) {
            char name[16];
            snprintf(name, sizeof name, "c%u ", i);
            assert_true(statsd_sum(&r, name) == i + 7);
        }
        assert_true(statsd_sum(&r, "t") == 50);
        assert_true(statsd_sum(&r, "junk") + statsd_sum(&r, "statsd.overflow.counter ") ==
                    (round == 0 ? 0 : 20000));
    }
    leat_statsd_table_free(other);
    assert_int_equal(leat_budget_used(&budget), 0);
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
        cmocka_unit_test(test_same_as_one),
        cmocka_unit_test(test_gauges),
        cmocka_unit_test(test_gauge_base),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_known_series_keep_their_place),
        cmocka_unit_test(test_known_there_only),
        cmocka_unit_test(test_points_go),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_in_a_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
