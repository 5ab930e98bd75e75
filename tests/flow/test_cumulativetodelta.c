/* cumulativetodelta: sequences of points, what becomes of them, and there and back again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lib/config_help.h"
#include "lib/delta_bench.h"
#include "lib/otlp_random.h"
#include "run/plan.h"

extern const struct leat_component leat_processor_cumulativetodelta,
    leat_processor_deltatocumulative;

#define C       (&leat_processor_cumulativetodelta)
#define MEMORY  ((size_t)16 << 20)
#define POINTS  "otelcol_cumulativetodelta_datapoints"
#define DROPPED "otelcol_cumulativetodelta_datapoints_dropped"

struct step {
    const char *in, *out;
};

static void play(const char *yaml, const struct step *steps, size_t n)
{
    struct delta_bench b;

    leat_clock_fake(1000 * LEAT_SEC, 1000);
    delta_bench_open(&b, C, yaml, MEMORY);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(delta_bench_feed(&b, steps[i].in), steps[i].out);
    delta_bench_close(&b);
    leat_clock_real();
}
#define PLAY(yaml, ...)                                                                            \
    do {                                                                                           \
        static const struct step steps[] = {__VA_ARGS__};                                          \
        play(yaml, steps, sizeof steps / sizeof *steps);                                           \
    } while (0)

static void test_sums(void **state)
{
    (void)state;
    PLAY("", {"sc c x 10 20 5", ""}, /* began before us */
         {"sc c x 10 30 12", "sd c x 20 30 7\n"}, {"sc c x 10 90 12", "sd c x 30 90 0\n"},
         {"sc c x 10 99 12.5", "sd c x 90 99 0.5\n"}, {"sc c x 10 100 nan", "sd c x 10 100 nan\n"});
    PLAY("", {"sc c x 10 20 0.5", ""}, {"sc c x 10 30 2", "sd c x 20 30 1.5\n"});
}

static void test_initial_values(void **state)
{
    (void)state;
    PLAY("", {"sc c x 1000 1010 5", "sd c x 1000 1010 5\n"}, {"sc c y 999 1010 5", ""},
         {"sc c z 1010 1010 5", ""});
    PLAY("{initial_value: keep}", {"sc c x 10 20 5", "sd c x 10 20 5\n"},
         {"sc c x 10 30 6", "sd c x 20 30 1\n"});
    PLAY("{initial_value: drop}", {"sc c x 1000 1010 5", ""},
         {"sc c x 1000 1020 6", "sd c x 1010 1020 1\n"});
}

static void test_restarts(void **state)
{
    (void)state;
    PLAY("", {"sc c x 10 20 5", ""}, {"sc c x 10 30 3", ""}, /* less: it is only remembered */
         {"sc c x 10 40 4", "sd c x 30 40 1\n"},             /* … and goes on from there */
         {"sc c x 45 50 2", "sd c x 45 50 2\n"},             /* began anew after our last point */
         {"sc c x 47 60 9", ""},                             /* began anew before it: who knows */
         {"sc c x 47 70 10", "sd c x 60 70 1\n"});           /* the start is the stream's again */
}

static void test_what_is_not_converted(void **state)
{
    static const char lines[] = "uc c x 1 2 1\nsd d x 1 2 1\ng- c x 1 2 10\n";
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "", MEMORY);
    assert_string_equal(delta_bench_feed(&b, lines), lines);
    assert_true(b.same_buffer);
    delta_bench_close(&b);
}

static void test_filters(void **state)
{
    static const char in[] = "sc http.requests x 1 2 1\nsc http.errors x 1 2 1\nsc cpu x 1 2 1\n"
                             "hc http.latency x 1 2 1 5 5 5 [1] [0,1]\n";
    static const struct {
        const char *yaml, *out; /* a letter for each: delta, cumulative */
    } table[] = {
        {"{initial_value: keep}", "dddd"},
        {"{initial_value: keep, include: {metrics: [cpu, http.errors], match_type: strict}}",
         "cddc"},
        {"{initial_value: keep, include: {metrics: ['^http\\.'], match_type: regexp}}", "ddcd"},
        {"{initial_value: keep, include: {metrics: ['^http\\.'], match_type: regexp}, exclude: "
         "{metrics: ['err(?:or)+?s$'], match_type: regexp}}",
         "dccd"},
        {"{initial_value: keep, include: {metrics: ['(?i)HTTP'], match_type: regexp, metric_types: "
         "[sum]}}",
         "ddcc"},
        {"{initial_value: keep, exclude: {metrics: [cpu], match_type: strict, metric_types: "
         "[histogram]}}",
         "ddcc"},
        {"{initial_value: keep, include: {metrics: ['^[\\w.]+\\.re\\D+$'], match_type: regexp}}",
         "dccc"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct delta_bench b;
        char got[5] = "", *line;
        size_t n = 0;

        delta_bench_open(&b, C, table[i].yaml, MEMORY);
        delta_bench_feed(&b, in);
        for (line = b.out.data; line != NULL && *line != '\0' && n < 4; n++) {
            got[n] = line[1];
            line = strchr(line, '\n') + 1;
        }
        assert_string_equal(got, table[i].out);
        delta_bench_close(&b);
    }
}

static void complain(const char *conf, const char *wanted)
{
    char *yaml = leat_format("yaml:receivers: {nop: }\nexporters: {nop: }\nprocessors: "
                             "{cumulativetodelta: %s}\nservice: {pipelines: {metrics: {receivers: "
                             "[nop], processors: [cumulativetodelta], exporters: [nop]}}}\n",
                             conf);
    const char *sources[] = {yaml};
    struct leat_diags *diags = leat_diags_new();
    struct leat_plan *p = leat_plan_load(sources, 1, NULL, 0, diags);
    char *all = config_messages(diags, 1);

    if (strstr(all, wanted) == NULL)
        print_error("'%s' is not in:\n%s", wanted, all);
    assert_non_null(strstr(all, wanted));
    assert_null(p);
    free(all);
    leat_diags_free(diags);
    leat_free(yaml);
}

static void test_filters_are_checked(void **state)
{
    (void)state;
    complain("{include: {metrics: [a]}}", "need a match_type");
    complain("{exclude: {match_type: strict}}", "there are none");
    complain("{include: {metrics: ['(a'], match_type: regexp}}", "is no regular expression");
    complain("{include: {metrics: ['a(?P<n>b)'], match_type: regexp}}", "does not know what '(?P");
    complain("{include: {metrics: ['\\pL'], match_type: regexp}}", "does not know what '\\pL'");
    complain("{include: {metrics: ['[a'], match_type: regexp}}", "does not know what '[a'");
    complain("{include: {metric_types: [gauge]}}", "gauge");
}

static void test_histograms(void **state)
{
    (void)state;
    PLAY("", {"hc h x 1 2 3 6 1 3 [1,2] [1,1,1]", ""},
         {"hc h x 1 3 7 16 1 7 [1,2] [2,1,4]", "hd h x 2 3 4 10 - - [1,2] [1,0,3]\n"},
         {"hc h x 1 4 8 17 1 7 [1,3] [2,1,5]", ""}, /* other bounds */
         {"hc h x 1 5 9 18 1 7 [1,3] [2,1,6]", "hd h x 4 5 1 1 - - [1,3] [0,0,1]\n"},
         /* a reset: all of it has come since */
         {"hc h x 1 6 2 3 1 7 [1,3] [1,1,0]", "hd h x 5 6 2 3 - - [1,3] [1,1,0]\n"},
         {"hc h x 1 7 2 - 1 7 [1,3] [1,1,0]", "hd h x 6 7 0 - - - [1,3] [0,0,0]\n"});
}

static void test_exponential_histograms(void **state)
{
    (void)state;
    PLAY("", {"ec e x 1 2 1 5 10 1 0 0[1,2,0,1] 0[]", ""},
         {"ec e x 1 3 1 7 12 1 0 0[1,2,1,1] -3[1]", "ed e x 2 3 1 2 2 0 0 0[0,0,1,0] -3[1]\n"},
         /* a coarser scale: 0,1 | 2,3 and -3 >> 1 */
         {"ec e x 1 4 0 9 13 2 0 0[3,3] -2[1]", "ed e x 3 4 0 2 1 1 0 0[0,1] -2[0]\n"},
         /* a higher threshold: at scale 0 bucket 0 is (1, 2], and -2 (1/4, 1/2] */
         {"ec e x 1 5 0 10 14 6 2 1[4] 0[]", "ed e x 4 5 0 1 1 0 2 1[1] 0[]\n"},
         {"ec e x 1 6 0 9 14 6 2 1[3] 0[]", ""}, /* less */
         {"ec e x 1 7 0 10 14 7 2 1[3] 0[]", "ed e x 6 7 0 1 0 1 2 1[0] 0[]\n"},
         {"ec e x 1 8 1 11 14 8 2 2[3] 0[]", ""},  /* a finer scale: begun anew */
         {"ec e x 1 9 1 11 14 8 2 9[3] 0[]", ""}); /* a bucket is missing */
}

static void test_old_and_valueless_points(void **state)
{
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "", MEMORY);
    delta_bench_feed(&b, "sc c x 10 20 5");
    assert_string_equal(delta_bench_feed(&b, "sc c x 10 20 5\nsc c x 10 19 5\nsc c x 9 30 5"), "");
    assert_string_equal(delta_bench_feed(&b, "sc c x 10 30 none"), "");
    assert_string_equal(delta_bench_feed(&b, "sc c x 10 40 6"), "sd c x 20 40 1\n");
    assert_int_equal(delta_bench_counter(&b, DROPPED, "reason", "out_of_order"), 3);
    assert_int_equal(delta_bench_counter(&b, DROPPED, "reason", "no_value"), 1);
    assert_int_equal(delta_bench_counter(&b, DROPPED, "reason", "initial"), 1);
    assert_int_equal(delta_bench_counter(&b, POINTS, NULL, NULL), 1);
    delta_bench_close(&b);
}

/* What was passed on as deltas, added up: of the number, and of the count of both histograms. */
static void add_up(const char *lines, uint64_t *sums)
{
    for (const char *line = lines; *line != '\0'; line = strchr(line, '\n') + 1) {
        unsigned long long start, time, n;
        int scale;
        char name;
        if (sscanf(line, "ed %c x %llu %llu %d %llu", &name, &start, &time, &scale, &n) != 5)
            assert_int_equal(sscanf(line, "%*cd %c x %llu %llu %llu", &name, &start, &time, &n), 4);
        sums[name == 'c' ? 0 : name == 'h' ? 1 : 2] += n;
    }
}

/* Whatever allocation fails, no increment is lost: a request is refused before it has changed
 * anything, or the next point has it. */
static void test_no_memory(void **state)
{
    for (uint64_t nth = 1; nth < 14; nth++) {
        uint64_t sums[3] = {0, 0, 0};
        struct delta_bench b;

        (void)state;
        delta_bench_open(&b, C, "{initial_value: keep}", MEMORY);
        for (int i = 1; i <= 20; i++) {
            struct rig_caller caller;
            char lines[300];
            snprintf(lines, sizeof lines,
                     "sc c x 1 %d %d\nhc h x 1 %d %d 1 1 1 [1] [%d,0]\n"
                     "ec e x 1 %d 0 %d 1 0 0 0[%d] 0[]",
                     i + 1, i, i + 1, i, i, i + 1, i, i);
            do {
                struct leat_batch *batch = delta_bench_batch(lines, &caller);
                if (i % 3 == 0 || i == 1)
                    leat_mem_fail_at(nth);
                delta_bench_take(&b, batch);
                leat_mem_fail_at(0);
                add_up(leat_text_get(&b.out), sums);
                nth += caller.status.outcome == LEAT_RETRY ? 100 : 0; /* not again at once */
            } while (caller.status.outcome == LEAT_RETRY);
            nth %= 100;
        }
        assert_int_equal(sums[0], 20);
        assert_int_equal(sums[1], 20);
        assert_int_equal(sums[2], 20);
        delta_bench_close(&b);
    }
}

/* --- there and back */

/* A random delta of stream `i`, as a line without times. */
static void random_delta(struct otlp_random *r, uint32_t i, uint64_t start, uint64_t time,
                         struct leat_text *out)
{
    uint32_t a = otlp_random_below(r, 50), b = otlp_random_below(r, 50);

    if (i % 3 == 0)
        leat_text_printf(out, "sd c s%u %llu %llu %u\n", i, (unsigned long long)start,
                         (unsigned long long)time, a);
    else if (i % 3 == 1)
        leat_text_printf(out, "hd h s%u %llu %llu %u %u - - [1,2] [%u,%u,1]\n", i,
                         (unsigned long long)start, (unsigned long long)time, a + b + 1, a, a, b);
    else
        leat_text_printf(out, "ed e s%u %llu %llu 3 %u %u 1 0 2[%u,%u] -1[3]\n", i,
                         (unsigned long long)start, (unsigned long long)time, a + b + 4, a, a, b);
}

/* delta → cumulative → delta says the same increments, however the streams are mixed. */
static void test_there_and_back(void **state)
{
    enum { STREAMS = 30, ROUNDS = 300 };
    uint64_t times[STREAMS], now = 1000;
    struct delta_bench there, back;
    struct otlp_random r = {99};
    struct leat_text lines;

    (void)state;
    leat_clock_fake(1000 * LEAT_SEC, 1000);
    leat_text_init(&lines, 1 << 20);
    delta_bench_open(&there, &leat_processor_deltatocumulative, "", MEMORY);
    delta_bench_open(&back, C, "", MEMORY);
    for (int i = 0; i < STREAMS; i++)
        times[i] = now;
    for (int round = 0; round < ROUNDS; round++) {
        leat_text_clear(&lines);
        for (uint32_t n = 1 + otlp_random_below(&r, 20); n > 0; n--) {
            uint32_t i = otlp_random_below(&r, STREAMS);
            now++;
            random_delta(&r, i, times[i], now, &lines);
            times[i] = now;
        }
        assert_string_equal(
            delta_bench_feed(&back, delta_bench_feed(&there, leat_text_get(&lines))),
            leat_text_get(&lines));
    }
    delta_bench_close(&there);
    delta_bench_close(&back);
    leat_text_done(&lines);
    leat_clock_real();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_initial_values),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_what_is_not_converted),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_filters_are_checked),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_exponential_histograms),
        cmocka_unit_test(test_old_and_valueless_points),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
