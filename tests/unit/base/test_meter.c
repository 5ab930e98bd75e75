/* The sum over meters, as text and as visits; one writer and one scraper at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/meter.h"

#define TEXT_MAX ((size_t)64 << 20)

static struct leat_meter *m[3];

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        m[i] = leat_meter_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        leat_meter_free(m[i]);
    leat_meter_free(NULL);
    return 0;
}

/* The page without the meters' own series. */
static char *page(size_t n)
{
    struct leat_text t;
    char *own, *end;

    leat_text_init(&t, TEXT_MAX);
    leat_meter_render(m, n, &t);
    assert_true(leat_text_ok(&t));
    own = strstr(t.data, "# HELP leat_meter_refused_series");
    assert_non_null(own);
    end = strstr(own, "\nleat_meter_refused_series ");
    end = strchr(end + 1, '\n') + 1;
    memmove(own, end, strlen(end) + 1);
    return leat_text_take(&t);
}

static void expect_page(size_t n, const char *wanted)
{
    char *got = page(n);

    assert_string_equal(got, wanted);
    leat_free(got);
}

static double seven_and_a_half(void *arg)
{
    return *(double *)arg;
}

static void families_are_sorted_and_summed(void **state)
{
    static const struct leat_metric spans = {
        .name = "z_spans", .help = "Spans sent.", .labels = {{"b", "2"}, {"a", "1"}}};
    static const struct leat_metric spans_too = {
        .name = "z_spans", .help = "Spans sent.", .labels = {{"a", "1"}, {"b", "2"}}};
    static const struct leat_metric others = {
        .name = "z_spans", .help = "Spans sent.", .labels = {{"a", "0"}}};
    static const struct leat_metric size = {.name = "a_size", .help = "Line\none \\ two."};
    struct leat_counter *c = leat_meter_counter(m[0], &spans);

    (void)state;
    leat_count(c, 3);
    assert_ptr_equal(leat_meter_counter(m[0], &spans_too), c);
    leat_count(leat_meter_counter(m[1], &spans_too), UINT64_C(18446744073709551610));
    leat_count(leat_meter_counter(m[2], &others), 7);
    leat_gauge_set(leat_meter_gauge(m[0], &size), 5);
    leat_gauge_add(leat_meter_gauge(m[1], &size), -8);
    expect_page(3, "# HELP a_size Line\\none \\\\ two.\n# TYPE a_size gauge\na_size -3\n"
                   "# HELP z_spans Spans sent.\n# TYPE z_spans counter\nz_spans{a=\"0\"} 7\n"
                   "z_spans{a=\"1\",b=\"2\"} 18446744073709551613\n");
    expect_page(1, "# HELP a_size Line\\none \\\\ two.\n# TYPE a_size gauge\na_size 5\n"
                   "# HELP z_spans Spans sent.\n# TYPE z_spans counter\n"
                   "z_spans{a=\"1\",b=\"2\"} 3\n");
    assert_int_equal(leat_counter_get(c), 3);
}

static void label_values_are_escaped(void **state)
{
    static const struct leat_metric id = {
        .name = "c", .help = "h", .labels = {{"v", "a\"b\\c\nd\xff\xc3\xa9\xe2\x82"}}};

    (void)state;
    leat_meter_counter(m[0], &id);
    expect_page(1, "# HELP c h\n# TYPE c counter\n"
                   "c{v=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"} 0\n");
}

static void histograms(void **state)
{
    static const struct leat_metric id = {.name = "lat", .help = "h", .labels = {{"x", "y"}}};
    static const double bounds[] = {0.005, 1, 1e6};
    static const double others[] = {2, 3};
    struct leat_histogram *h = leat_meter_histogram(m[0], &id, bounds, 3);

    (void)state;
    assert_ptr_equal(leat_meter_histogram(m[0], &id, bounds, 3), h);
    leat_histogram_add(h, 0.005); /* a bound belongs to its bucket */
    leat_histogram_add(h, 0.5);
    leat_histogram_add(leat_meter_histogram(m[1], &id, bounds, 3), 2e6);
    leat_histogram_add(h, NAN);
    expect_page(2, "# HELP lat h\n# TYPE lat histogram\nlat_bucket{x=\"y\",le=\"0.005\"} 1\n"
                   "lat_bucket{x=\"y\",le=\"1\"} 2\nlat_bucket{x=\"y\",le=\"1000000\"} 2\n"
                   "lat_bucket{x=\"y\",le=\"+Inf\"} 3\nlat_sum{x=\"y\"} 2000000.505\n"
                   "lat_count{x=\"y\"} 3\n");
    leat_histogram_add(leat_meter_histogram(m[2], &id, others, 2), 1);
    expect_page(3, "# HELP lat h\n# TYPE lat histogram\nlat_bucket{x=\"y\",le=\"0.005\"} 1\n"
                   "lat_bucket{x=\"y\",le=\"1\"} 2\nlat_bucket{x=\"y\",le=\"1000000\"} 2\n"
                   "lat_bucket{x=\"y\",le=\"+Inf\"} 4\nlat_sum{x=\"y\"} 2000001.505\n"
                   "lat_count{x=\"y\"} 4\n");
}

static void probes_come_and_go(void **state)
{
    static const struct leat_metric up = {.name = "up", .help = "h"};
    static const struct leat_metric cpu = {.name = "cpu", .help = "h"};
    double values[] = {7.5, 0.1, 1e21};

    (void)state;
    leat_meter_probe(m[0], &up, 0, seven_and_a_half, &values[0]);
    leat_meter_probe(m[1], &up, 0, seven_and_a_half, &values[1]);
    leat_meter_probe(m[0], &cpu, 1, seven_and_a_half, &values[2]);
    expect_page(2, "# HELP cpu h\n# TYPE cpu counter\ncpu 1e+21\n"
                   "# HELP up h\n# TYPE up gauge\nup 7.6\n");
    leat_meter_probe(m[0], &cpu, 1, NULL, NULL);
    leat_meter_probe(m[1], &up, 0, seven_and_a_half, &values[0]);
    values[0] = INFINITY;
    expect_page(2, "# HELP up h\n# TYPE up gauge\nup +Inf\n");
}

/* The shortest form that reads back the same. */
static void doubles(void **state)
{
    static const struct leat_metric id = {.name = "d", .help = "h"};
    static const char *const texts[] = {"0",   "0.1",    "-2.5",   "0.3", "0.30000000000000004",
                                        "NaN", "5e-324", "1e+100", "-Inf"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double v = strtod(texts[i], NULL);
        char wanted[100];
        leat_meter_probe(m[0], &id, 0, seven_and_a_half, &v);
        snprintf(wanted, sizeof wanted, "# HELP d h\n# TYPE d gauge\nd %s\n", texts[i]);
        expect_page(1, wanted);
    }
}

struct seen {
    struct leat_text text;
};

static void see(void *arg, const struct leat_metric *id, double value)
{
    struct seen *s = arg;

    leat_text_printf(&s->text, "%s", id->name);
    for (int i = 0; i < LEAT_METER_LABELS && id->labels[i].name != NULL; i++)
        leat_text_printf(&s->text, " %s=%s", id->labels[i].name, id->labels[i].value);
    leat_text_printf(&s->text, " %g\n", value);
}

static void visits(void **state)
{
    static const struct leat_metric a = {.name = "a", .help = "h", .labels = {{"x", "y\""}}};
    static const struct leat_metric b = {.name = "b", .help = "h"};
    static const struct leat_metric g = {.name = "g", .help = "h"};
    static const double bounds[] = {1};
    struct seen seen;

    (void)state;
    leat_text_init(&seen.text, 10000);
    leat_count(leat_meter_counter(m[0], &a), 2);
    leat_count(leat_meter_counter(m[1], &a), 3);
    leat_histogram_add(leat_meter_histogram(m[1], &b, bounds, 1), 1.5);
    leat_gauge_set(leat_meter_gauge(m[0], &g), -4);
    leat_meter_visit(m, 2, see, &seen);
    assert_string_equal(leat_text_get(&seen.text),
                        "a x=y\" 5\nb_sum 1.5\nb_count 1\ng -4\nleat_meter_refused_series 0\n");
    leat_text_done(&seen.text);
}

/* A meter is full at some point; counting goes on, into nothing, and is noticed. */
static void it_has_a_maximum(void **state)
{
    struct leat_metric id = {.name = "many", .help = "h", .labels = {{"n", NULL}}};
    static const double bounds[] = {1, 2};
    struct leat_counter *first = NULL;
    char number[16], *text;
    size_t series = 0;
    double value = 1;

    (void)state;
    id.labels[0].value = number;
    for (int i = 0; i < 20100; i++) {
        struct leat_counter *c;
        snprintf(number, sizeof number, "%d", i);
        c = leat_meter_counter(m[0], &id);
        if (i == 0)
            first = c;
        leat_count(c, 1);
    }
    id.name = "other";
    leat_gauge_set(leat_meter_gauge(m[0], &id), 5);
    leat_histogram_add(leat_meter_histogram(m[0], &id, bounds, 2), 5);
    leat_meter_probe(m[0], &id, 0, seven_and_a_half, &value);
    snprintf(number, sizeof number, "0");
    id.name = "many";
    assert_ptr_equal(leat_meter_counter(m[0], &id), first);
    text = page(1);
    for (char *p = text; (p = strstr(p, "\nmany{")) != NULL; p++)
        series++;
    assert_int_equal(series, 19999);
    assert_null(strstr(text, "other"));
    leat_free(text);
    struct seen seen;
    leat_text_init(&seen.text, TEXT_MAX);
    leat_meter_visit(m, 1, see, &seen);
    assert_non_null(strstr(leat_text_get(&seen.text), "leat_meter_refused_series 104\n"));
    leat_text_done(&seen.text);
}

static void no_memory_is_no_page(void **state)
{
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 10000);
    leat_mem_fail_at(1);
    leat_meter_render(m, 3, &t);
    assert_false(leat_text_ok(&t));
    leat_text_clear(&t);
    leat_mem_fail_at(2);
    leat_meter_render(m, 3, &t);
    leat_mem_fail_at(0);
    assert_false(leat_text_ok(&t));
    leat_text_done(&t);
}

static atomic_bool writing;

static void *write_along(void *arg)
{
    static const double bounds[] = {1, 2, 4};
    struct leat_meter *mine = arg;
    struct leat_metric id = {.name = "w", .help = "h", .labels = {{"n", NULL}}};
    struct leat_metric hist = {.name = "wh", .help = "h"};
    char number[16];
    struct leat_histogram *h = leat_meter_histogram(mine, &hist, bounds, 3);

    id.labels[0].value = number;
    for (int i = 0; i < 300; i++) {
        struct leat_counter *c;
        snprintf(number, sizeof number, "%d", i);
        c = leat_meter_counter(mine, &id);
        for (int k = 0; k < 100; k++) {
            leat_count(c, 1);
            leat_histogram_add(h, k % 5);
        }
    }
    atomic_store(&writing, false);
    return NULL;
}

/* One writer, one scraper: under the thread sanitizer this is the test of the atomics. */
static void a_scrape_while_counting(void **state)
{
    pthread_t thread;
    char *text;

    (void)state;
    atomic_store(&writing, true);
    assert_int_equal(pthread_create(&thread, NULL, write_along, m[0]), 0);
    do { /* the lock is not fair: let the writer have it */
        leat_free(page(3));
        sched_yield();
    } while (atomic_load(&writing));
    pthread_join(thread, NULL);
    text = page(3);
    assert_non_null(strstr(text, "\nw{n=\"299\"} 100\n"));
    assert_non_null(strstr(text, "\nwh_count 30000\n"));
    assert_non_null(strstr(text, "\nwh_sum 60000\n"));
    leat_free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(families_are_sorted_and_summed),
        TEST(label_values_are_escaped),
        TEST(histograms),
        TEST(probes_come_and_go),
        TEST(doubles),
        TEST(visits),
        TEST(it_has_a_maximum),
        TEST(no_memory_is_no_page),
        TEST(a_scrape_while_counting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
