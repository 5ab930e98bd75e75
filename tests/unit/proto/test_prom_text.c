/* Pages of metrics, byte by byte, in both formats; and read back by a reader of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/prom_parse.h"
#include "proto/prom_labels.h"
#include "proto/prom_text.h"

static const struct leat_scrape_style text = {.quotes = false};
static const struct leat_scrape_style open_metrics = {.open = true};
static struct leat_text out;

static int setup(void **state)
{
    (void)state;
    leat_text_init(&out, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat_text_done(&out);
    return 0;
}

static struct leat_scrape_family family(const char *name, enum leat_scrape_kind kind)
{
    return (struct leat_scrape_family){
        .name = leat_bytes_str(name), .help = leat_bytes_str("Helps."), .kind = kind};
}

static void write_all(const struct leat_scrape_style *style, const struct leat_scrape_family *f,
                      const struct leat_scrape_series *s)
{
    size_t from;

    leat_text_clear(&out);
    leat_scrape_head_write(style, f, &out);
    from = out.len;
    leat_scrape_series_write(style, f, s, &out);
    assert_true(leat_text_ok(&out));
    assert_true(out.len - from <= leat_scrape_series_bound(f, s));
    leat_scrape_end_write(style, &out);
}

static void expect(const struct leat_scrape_style *style, const struct leat_scrape_family *f,
                   const struct leat_scrape_series *s, const char *page)
{
    struct prom_parsed p;

    write_all(style, f, s);
    assert_string_equal(leat_text_get(&out), page);
    prom_parse(&p, leat_text_get(&out), out.len, style->open, true);
    assert_string_equal(p.error, "");
    prom_parsed_free(&p);
}

/* What Go's strconv.FormatFloat(v, 'g', -1, 64) gives. */
static void numbers(void **state)
{
    static const struct {
        double v;
        const char *text;
    } table[] = {{0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {-1, "-1"},
                 {0.1, "0.1"},
                 {0.0001, "0.0001"},
                 {0.00001, "1e-05"},
                 {100000, "100000"},
                 {999999.5, "999999.5"},
                 {1e6, "1e+06"},
                 {1234567, "1.234567e+06"},
                 {1.726839813016397e9, "1.726839813016397e+09"},
                 {1e21, "1e+21"},
                 {1e100, "1e+100"},
                 {5e-324, "5e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {INFINITY, "+Inf"},
                 {-INFINITY, "-Inf"},
                 {NAN, "NaN"}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        leat_text_clear(&out);
        leat_scrape_number_add(&out, table[i].v);
        assert_string_equal(leat_text_get(&out), table[i].text);
    }
}

static void gauges(void **state)
{
    struct leat_scrape_family f = family("temp_celsius", LEAT_SCRAPE_GAUGE);
    struct leat_scrape_series s = {.labels = leat_bytes_str("a=\"b\""), .value = 1};
    struct leat_scrape_style stamped = {.stamped = true};

    (void)state;
    f.unit = leat_bytes_str("celsius");
    expect(&text, &f, &s,
           "# HELP temp_celsius Helps.\n# TYPE temp_celsius gauge\n"
           "temp_celsius{a=\"b\"} 1\n");
    expect(&open_metrics, &f, &s,
           "# HELP temp_celsius Helps.\n# TYPE temp_celsius gauge\n# UNIT temp_celsius celsius\n"
           "temp_celsius{a=\"b\"} 1.0\n# EOF\n");
    s = (struct leat_scrape_series){
        .is_int = true, .integer = INT64_MIN, .time = 1700000000123456789};
    expect(&stamped, &f, &s,
           "# HELP temp_celsius Helps.\n# TYPE temp_celsius gauge\n"
           "temp_celsius -9223372036854775808 1700000000123\n");
    stamped.open = true;
    f.unit = leat_bytes_str("fahrenheit"); /* not what the name ends in: not said */
    expect(&stamped, &f, &s,
           "# HELP temp_celsius Helps.\n# TYPE temp_celsius gauge\n"
           "temp_celsius -9223372036854775808 1700000000.123\n# EOF\n");
    f = family("x_a b", LEAT_SCRAPE_GAUGE); /* and neither is one that is no name */
    f.unit = leat_bytes_str("a b");
    s = (struct leat_scrape_series){.value = 2};
    expect(&open_metrics, &f, &s, "# HELP x_a_b Helps.\n# TYPE x_a_b gauge\nx_a_b 2.0\n# EOF\n");
    f = family("temp_celsius", LEAT_SCRAPE_GAUGE);
    s = (struct leat_scrape_series){.value = -0.0};
    expect(&text, &f, &s,
           "# HELP temp_celsius Helps.\n# TYPE temp_celsius gauge\ntemp_celsius 0\n");
    s = (struct leat_scrape_series){.value = NAN};
    f.kind = LEAT_SCRAPE_UNKNOWN;
    expect(&text, &f, &s,
           "# HELP temp_celsius Helps.\n# TYPE temp_celsius untyped\ntemp_celsius NaN\n");
    expect(&open_metrics, &f, &s,
           "# HELP temp_celsius Helps.\n# TYPE temp_celsius unknown\ntemp_celsius NaN\n# EOF\n");
}

static void counters(void **state)
{
    struct leat_scrape_family f = family("hits_total", LEAT_SCRAPE_COUNTER);
    struct leat_scrape_exemplar e = {.text = leat_bytes_str("{trace_id=\"ab\"} 1.0 5.000")};
    struct leat_scrape_series s = {.is_int = true,
                                   .integer = 7,
                                   .start = 1700000000000000000,
                                   .exemplars = &e,
                                   .nexemplars = 1};
    struct leat_scrape_style created = {.open = true, .created = true};

    (void)state;
    expect(&text, &f, &s, "# HELP hits_total Helps.\n# TYPE hits_total counter\nhits_total 7\n");
    expect(&open_metrics, &f, &s,
           "# HELP hits Helps.\n# TYPE hits counter\n"
           "hits_total 7 # {trace_id=\"ab\"} 1.0 5.000\n# EOF\n");
    expect(&created, &f, &s,
           "# HELP hits Helps.\n# TYPE hits counter\n"
           "hits_total 7 # {trace_id=\"ab\"} 1.0 5.000\nhits_created 1700000000.000\n# EOF\n");
    f.base_taken = true; /* there is a gauge "hits" */
    expect(&created, &f, &s,
           "# HELP hits_total Helps.\n# TYPE hits_total unknown\nhits_total 7\n# EOF\n");
    f = family("hits", LEAT_SCRAPE_COUNTER);
    expect(&text, &f, &s, "# HELP hits Helps.\n# TYPE hits counter\nhits 7\n");
    expect(&open_metrics, &f, &s, "# HELP hits Helps.\n# TYPE hits unknown\nhits 7\n# EOF\n");
}

static void histograms(void **state)
{
    static const double bounds[] = {0.5, 1, 1e21};
    static const uint64_t counts[] = {1, 2, 0};
    uint32_t room[64];
    struct leat_scrape_marks m;
    struct leat_scrape_family f = family("lat", LEAT_SCRAPE_HISTOGRAM);
    struct leat_scrape_exemplar e = {.bucket = 1, .text = leat_bytes_str("{} 0.7")};
    struct leat_scrape_series s = {.labels = leat_bytes_str("a=\"b\""),
                                   .count = 6,
                                   .sum = 9.5,
                                   .marks = &m,
                                   .counts = counts,
                                   .exemplars = &e,
                                   .nexemplars = 1};

    (void)state;
    assert_true(leat_scrape_marks_room(3) <= sizeof room);
    leat_scrape_marks_fill(&m, bounds, 3, room);
    expect(&text, &f, &s,
           "# HELP lat Helps.\n# TYPE lat histogram\n"
           "lat_bucket{a=\"b\",le=\"0.5\"} 1\nlat_bucket{a=\"b\",le=\"1\"} 3\n"
           "lat_bucket{a=\"b\",le=\"1e+21\"} 3\nlat_bucket{a=\"b\",le=\"+Inf\"} 6\n"
           "lat_sum{a=\"b\"} 9.5\nlat_count{a=\"b\"} 6\n");
    expect(&open_metrics, &f, &s,
           "# HELP lat Helps.\n# TYPE lat histogram\n"
           "lat_bucket{a=\"b\",le=\"0.5\"} 1\nlat_bucket{a=\"b\",le=\"1.0\"} 3 # {} 0.7\n"
           "lat_bucket{a=\"b\",le=\"1e+21\"} 3\nlat_bucket{a=\"b\",le=\"+Inf\"} 6\n"
           "lat_sum{a=\"b\"} 9.5\nlat_count{a=\"b\"} 6\n# EOF\n");
    s = (struct leat_scrape_series){.count = UINT64_MAX}; /* an exponential one */
    expect(&text, &f, &s,
           "# HELP lat Helps.\n# TYPE lat histogram\n"
           "lat_bucket{le=\"+Inf\"} 18446744073709551615\nlat_sum 0\n"
           "lat_count 18446744073709551615\n");
}

static void summaries(void **state)
{
    static const double quantiles[] = {0.5, 1};
    static const double values[] = {NAN, 4};
    uint32_t room[64];
    struct leat_scrape_marks m;
    struct leat_scrape_family f = family("q", LEAT_SCRAPE_SUMMARY);
    struct leat_scrape_series s = {
        .count = 3, .sum = -1, .marks = &m, .values = values, .start = 1};
    struct leat_scrape_style created = {.open = true, .created = true};

    (void)state;
    leat_scrape_marks_fill(&m, quantiles, 2, room);
    expect(&text, &f, &s,
           "# HELP q Helps.\n# TYPE q summary\n"
           "q{quantile=\"0.5\"} NaN\nq{quantile=\"1\"} 4\nq_sum -1\nq_count 3\n");
    expect(&created, &f, &s,
           "# HELP q Helps.\n# TYPE q summary\n"
           "q{quantile=\"0.5\"} NaN\nq{quantile=\"1.0\"} 4.0\nq_sum -1.0\nq_count 3\n"
           "q_created 0.000\n# EOF\n");
}

static void target_info(void **state)
{
    struct leat_scrape_family f = family("target_info", LEAT_SCRAPE_INFO);
    struct leat_scrape_series s = {
        .labels = leat_bytes_str("job=\"x\""), .is_int = true, .integer = 1};

    (void)state;
    expect(&text, &f, &s,
           "# HELP target_info Helps.\n# TYPE target_info gauge\ntarget_info{job=\"x\"} 1\n");
    expect(&open_metrics, &f, &s,
           "# HELP target Helps.\n# TYPE target info\ntarget_info{job=\"x\"} 1\n# EOF\n");
}

static void what_needs_escaping(void **state)
{
    struct leat_prom_label l[] = {{leat_bytes_str("a"), leat_bytes_str("q\" b\\ n\n")},
                                  {leat_bytes_str("empty"), leat_bytes_str("")}};
    struct leat_prom_set set = {l, 2};
    struct leat_scrape_family f = family("x", LEAT_SCRAPE_GAUGE);
    struct leat_scrape_series s = {.value = 2};
    struct leat_bytes name, value;
    struct leat_text block;
    struct leat_text plain;
    size_t at = 0;
    bool odd;

    (void)state;
    leat_text_init(&block, 1000);
    leat_text_init(&plain, 1000);
    leat_scrape_block_add(&set, &block, &odd);
    assert_false(odd);
    s.labels = leat_text_bytes(&block);
    f.help = leat_bytes_str("a \"b\" \\ c\nd");
    expect(&text, &f, &s,
           "# HELP x a \"b\" \\\\ c\\nd\n# TYPE x gauge\n"
           "x{a=\"q\\\" b\\\\ n\\n\",empty=\"\"} 2\n");
    expect(&open_metrics, &f, &s,
           "# HELP x a \\\"b\\\" \\\\ c\\nd\n# TYPE x gauge\n"
           "x{a=\"q\\\" b\\\\ n\\n\",empty=\"\"} 2.0\n# EOF\n");
    assert_true(leat_scrape_block_next(s.labels, &at, &name, &value));
    leat_scrape_value_plain(value, &plain);
    assert_string_equal(leat_text_get(&plain), "q\" b\\ n\n");
    assert_true(leat_scrape_block_next(s.labels, &at, &name, &value));
    assert_true(leat_bytes_is(name, "empty"));
    assert_int_equal(value.len, 0);
    assert_false(leat_scrape_block_next(s.labels, &at, &name, &value));
    leat_text_done(&block);
    leat_text_done(&plain);
}

/* Names in UTF-8: quoted for readers that take it, else made plain, without a label twice. */
static void odd_names(void **state)
{
    struct leat_prom_label l[] = {{leat_bytes_str("a.b"), leat_bytes_str("1")},
                                  {leat_bytes_str("a_b"), leat_bytes_str("2")},
                                  {leat_bytes_str("\xc3\xa4\""), leat_bytes_str("3")}};
    struct leat_prom_set set = {l, 3};
    struct leat_scrape_family f = family("my.lat", LEAT_SCRAPE_SUMMARY);
    struct leat_scrape_series s = {.count = 1};
    struct leat_scrape_style quotes = {.quotes = true};
    struct leat_text block;

    (void)state;
    leat_text_init(&block, 1000);
    leat_scrape_block_add(&set, &block, &s.odd_names);
    assert_true(s.odd_names);
    s.labels = leat_text_bytes(&block);
    expect(&quotes, &f, &s,
           "# HELP \"my.lat\" Helps.\n# TYPE \"my.lat\" summary\n"
           "{\"my.lat_sum\",\"a.b\"=\"1\",a_b=\"2\",\"\xc3\xa4\\\"\"=\"3\"} 0\n"
           "{\"my.lat_count\",\"a.b\"=\"1\",a_b=\"2\",\"\xc3\xa4\\\"\"=\"3\"} 1\n");
    expect(&text, &f, &s,
           "# HELP my_lat Helps.\n# TYPE my_lat summary\n"
           "my_lat_sum{a_b=\"1\",__=\"3\"} 0\nmy_lat_count{a_b=\"1\",__=\"3\"} 1\n");
    s = (struct leat_scrape_series){.count = 1};
    expect(&quotes, &f, &s,
           "# HELP \"my.lat\" Helps.\n# TYPE \"my.lat\" summary\n"
           "{\"my.lat_sum\"} 0\n{\"my.lat_count\"} 1\n");
    leat_text_done(&block);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(numbers),
        T(gauges),
        T(counters),
        T(histograms),
        T(summaries),
        T(target_info),
        T(what_needs_escaping),
        T(odd_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
