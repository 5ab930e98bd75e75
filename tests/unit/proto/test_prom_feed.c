/* From OTLP points to the samples of Prometheus: every rule of the mapping, read back from both
 * messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/signal.h"
#include "base/text.h"
#include "lib/prom_read.h"
#include "proto/otlp_make.h"
#include "proto/otlp_view.h"
#include "proto/prom_feed.h"
#include "proto/prom_write.h"

#define MS      UINT64_C(1000000)
#define START   (UINT64_C(1000000) * MS)
#define NOW     (UINT64_C(1060000) * MS)
#define REQUEST ((size_t)64 << 20)

/* --- OTLP requests, written step by step */

static struct leat_text otlp;
static struct leat_make make;

static void begin(void)
{
    leat_text_clear(&otlp);
    leat_make_init(&make, &otlp);
}

/* A resource with service.name, instance id and one attribute; and a scope. */
static void open_resource(const char *service, const char *instance, const char *region)
{
    leat_make_open(&make, 1);
    leat_make_open(&make, 1);
    if (service != NULL)
        leat_make_attr_string(&make, 1, "service.name", service);
    if (instance != NULL)
        leat_make_attr_string(&make, 1, "service.instance.id", instance);
    if (region != NULL)
        leat_make_attr_string(&make, 1, "cloud.region", region);
    leat_make_close(&make);
    leat_make_open(&make, 2);
}

static void close_resource(void)
{
    leat_make_close(&make);
    leat_make_close(&make);
}

/* Begins a metric; its points are field 1 of what is open afterwards. */
static void open_metric(const char *name, const char *unit, enum leat_metric_type type)
{
    leat_make_open(&make, 2);
    leat_make_string(&make, 1, name);
    leat_make_string(&make, 2, "What it is.");
    leat_make_string(&make, 3, unit);
    leat_make_open(&make, (uint32_t)type);
}

static void close_metric(unsigned temporality, bool monotonic)
{
    if (temporality != 0)
        leat_make_varint(&make, 2, temporality);
    if (monotonic)
        leat_make_varint(&make, 3, 1);
    leat_make_close(&make);
    leat_make_close(&make);
}

static void times(uint64_t start, uint64_t time)
{
    if (start != 0)
        leat_make_fixed64(&make, 2, start);
    leat_make_fixed64(&make, 3, time);
}

static void number_point(const char *key, const char *value, uint64_t time, double v)
{
    leat_make_open(&make, 1);
    leat_make_attr_string(&make, 7, key, value);
    times(START, time);
    leat_make_double(&make, 4, v);
    leat_make_close(&make);
}

static void doubles(uint32_t field, const double *v, size_t n)
{
    leat_make_bytes(&make, field, leat_bytes(v, n * sizeof *v));
}

static void counts(uint32_t field, const uint64_t *v, size_t n)
{
    leat_make_bytes(&make, field, leat_bytes(v, n * sizeof *v));
}

static void exemplar(uint32_t field, double v, uint64_t time, uint8_t trace, const char *key,
                     const char *value)
{
    uint8_t id[16] = {trace};

    leat_make_open(&make, field);
    leat_make_fixed64(&make, 2, time);
    leat_make_double(&make, 3, v);
    if (trace != 0) {
        leat_make_bytes(&make, 4, leat_bytes(id, 8));
        leat_make_bytes(&make, 5, leat_bytes(id, 16));
    }
    if (key != NULL)
        leat_make_attr_string(&make, 7, key, value);
    leat_make_close(&make);
}

/* --- what becomes of them */

static struct leat_prom_feed_conf conf;
static struct leat_text got;     /* lines, in the order of the request */
static struct leat_text dropped; /* "metric: why", one line each */
static uint32_t requests;

static void send_off(struct leat_prom_write *w)
{
    struct leat_bytes request;
    struct leat_text room;
    const char *why;

    if (leat_prom_write_empty(w))
        return;
    leat_text_init(&room, REQUEST);
    request = prom_read_finish(w, &room);
    assert_int_equal(request.len, leat_prom_write_size(w));
    why = prom_read(conf.message, request, PROM_READ_ALL, &got);
    if (why != NULL)
        fail_msg("%s", why);
    leat_text_done(&room);
    leat_prom_write_clear(w, requests % 2 == 0);
    requests++;
}

static void add(struct leat_prom_write *w, enum leat_prom_feed_result r,
                struct leat_prom_item *item)
{
    for (int tries = 0; tries < 2; tries++) {
        enum leat_prom_write_result result =
            r == LEAT_PROM_FEED_FAMILY
                ? leat_prom_write_family(w, &item->family)
                : leat_prom_write_add(w, item->series, &item->sample, &item->family);
        if (result == LEAT_PROM_WRITE_OK)
            return;
        assert_int_equal(result, LEAT_PROM_WRITE_FULL);
        send_off(w);
    }
    fail_msg("full, though empty");
}

static void run_through(struct leat_prom_feed *f, struct leat_prom_write *w, int64_t now)
{
    struct leat_prom_item item;
    struct leat_otlp_count count;
    enum leat_prom_feed_result r;
    const char *why;

    assert_true(leat_text_ok(&otlp));
    assert_int_equal(leat_otlp_check(LEAT_METRICS, leat_text_bytes(&otlp), &count, &why),
                     LEAT_OTLP_OK);
    leat_prom_feed_begin(f, leat_text_bytes(&otlp), now);
    while ((r = leat_prom_feed_next(f, &item)) != LEAT_PROM_FEED_END) {
        assert_int_not_equal(r, LEAT_PROM_FEED_NO_MEMORY);
        if (r == LEAT_PROM_FEED_DROPPED)
            leat_text_printf(&dropped, "%.*s: %s\n", LEAT_FMT(item.metric),
                             leat_prom_drop_text(item.drop));
        else
            add(w, r, &item);
    }
    send_off(w);
}

/* Sends the request through, twice: the second time all series are known. */
static void feed_twice(size_t max, bool squeeze)
{
    struct leat_prom_feed *f = leat_prom_feed_new(&conf);
    struct leat_prom_write w;
    struct leat_text first;

    leat_text_init(&first, REQUEST);
    leat_prom_write_init(&w, leat_prom_feed_store(f), max);
    if (squeeze)
        leat_prom_write_squeeze(&w);
    for (int round = 0; round < 2; round++) {
        leat_text_clear(&first);
        leat_text_add(&first, got.data, got.len);
        leat_text_clear(&got);
        leat_text_clear(&dropped);
        requests = 0;
        run_through(f, &w, (int64_t)round * INT64_C(61000000000));
    }
    assert_string_equal(leat_text_get(&first), leat_text_get(&got));
    leat_text_done(&first);
    leat_prom_write_done(&w);
    leat_prom_feed_free(f);
}

/* Of 1.0 the snappy block must say the same. */
static void feed_within(size_t max)
{
    struct leat_text plain;

    if (conf.message == LEAT_PROM_WRITE_1) {
        feed_twice(max, true);
        leat_text_init(&plain, REQUEST);
        leat_text_add(&plain, got.data, got.len);
        feed_twice(max, false);
        assert_string_equal(leat_text_get(&got), leat_text_get(&plain));
        leat_text_done(&plain);
        return;
    }
    feed_twice(max, false);
}

static void feed(void)
{
    feed_within(3000000);
}

static void expect(const char *lines)
{
    feed();
    assert_string_equal(leat_text_get(&got), lines);
}

static int setup(void **state)
{
    (void)state;
    leat_text_init(&otlp, REQUEST);
    leat_text_init(&got, REQUEST);
    leat_text_init(&dropped, REQUEST);
    conf = (struct leat_prom_feed_conf){.cache_bytes = LEAT_PROM_STORE_MIN};
    begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat_text_done(&otlp);
    leat_text_done(&got);
    leat_text_done(&dropped);
    return 0;
}

/* --- numbers */

static void numbers(void)
{
    open_resource(NULL, NULL, NULL);
    open_metric("room.temperature", "Cel", LEAT_METRIC_GAUGE);
    number_point("room", "kitchen", NOW, 21.5);
    close_metric(0, false);
    open_metric("requests", "1", LEAT_METRIC_SUM);
    number_point("code", "200", NOW, 7);
    close_metric(LEAT_CUMULATIVE, true);
    open_metric("queue", "", LEAT_METRIC_SUM);
    number_point("q", "a", NOW, -3);
    close_metric(LEAT_CUMULATIVE, false);
    close_resource();
}

static void test_numbers(void **state)
{
    (void)state;
    numbers();
    expect("{__name__='room_temperature_celsius',room='kitchen'} 21.5 @1060000\n"
           "{__name__='requests_total',code='200'} 7 @1060000\n"
           "{__name__='queue',q='a'} -3 @1060000\n");
    assert_int_equal(dropped.len, 0);
}

static void test_numbers_in_2(void **state)
{
    (void)state;
    conf.message = LEAT_PROM_WRITE_2;
    conf.metadata = true;
    numbers();
    expect("{__name__='room_temperature_celsius',room='kitchen'} 21.5 @1060000 gauge "
           "help='What it is.' unit='celsius'\n"
           "{__name__='requests_total',code='200'} 7 @1060000 counter help='What it is.' unit='' "
           "created=1000000\n"
           "{__name__='queue',q='a'} -3 @1060000 gauge help='What it is.' unit=''\n");
}

static void test_metadata(void **state)
{
    (void)state;
    conf.metadata = true;
    numbers();
    expect("{__name__='room_temperature_celsius',room='kitchen'} 21.5 @1060000\n"
           "{__name__='requests_total',code='200'} 7 @1060000\n"
           "{__name__='queue',q='a'} -3 @1060000\n"
           "metadata room_temperature_celsius gauge help='What it is.' unit='celsius'\n"
           "metadata requests_total counter help='What it is.' unit=''\n"
           "metadata queue gauge help='What it is.' unit=''\n");
}

static void test_delta_is_dropped(void **state)
{
    (void)state;
    open_resource(NULL, NULL, NULL);
    open_metric("a", "", LEAT_METRIC_SUM);
    number_point("k", "v", NOW, 1);
    close_metric(LEAT_DELTA, true);
    open_metric("b", "", LEAT_METRIC_SUM);
    number_point("k", "v", NOW, 1);
    close_metric(0, false);
    open_metric("c", "", LEAT_METRIC_HISTOGRAM);
    leat_make_open(&make, 1);
    leat_make_close(&make);
    close_metric(LEAT_DELTA, false);
    close_resource();
    expect("");
    assert_string_equal(leat_text_get(&dropped),
                        "a: temporality\nb: temporality\nc: temporality\n");
}

static void test_values_and_times(void **state)
{
    (void)state;
    open_resource(NULL, NULL, NULL);
    open_metric("m", "", LEAT_METRIC_GAUGE);
    leat_make_open(&make, 1); /* nothing said: no attributes, no value, no time */
    leat_make_close(&make);
    leat_make_open(&make, 1);
    times(0, 1999999);
    leat_make_fixed64(&make, 6, (uint64_t)INT64_C(-5));
    leat_make_close(&make);
    leat_make_open(&make, 1);
    times(0, NOW);
    leat_make_double(&make, 4, 3);
    leat_make_varint(&make, 8, LEAT_NO_RECORDED_VALUE);
    leat_make_close(&make);
    leat_make_open(&make, 1);
    times(0, NOW);
    leat_make_double(&make, 4, -0.0);
    leat_make_close(&make);
    leat_make_open(&make, 1);
    times(0, UINT64_MAX);
    leat_make_double(&make, 4, NAN);
    leat_make_close(&make);
    close_metric(0, false);
    close_resource();
    expect("{__name__='m'} 0 @0\n"
           "{__name__='m'} -5 @1\n"
           "{__name__='m'} stale @1060000\n"
           "{__name__='m'} 0 @1060000\n"
           "{__name__='m'} NaN @18446744073709\n");
}

/* --- histograms */

static const double bounds[] = {0.0000001, 5, 1e21, INFINITY};
static const uint64_t buckets[] = {1, 2, 0, 4, 0};

static void histogram(size_t nbounds, size_t ncounts, bool sum, unsigned flags)
{
    leat_make_open(&make, 1);
    leat_make_attr_string(&make, 9, "k", "v");
    times(START, NOW);
    leat_make_fixed64(&make, 4, 7);
    if (sum)
        leat_make_double(&make, 5, 12.5);
    counts(6, buckets, ncounts);
    doubles(7, bounds, nbounds);
    leat_make_varint(&make, 10, flags);
}

static void one_histogram(size_t nbounds, size_t ncounts, bool sum, unsigned flags)
{
    open_resource(NULL, NULL, NULL);
    open_metric("h", "s", LEAT_METRIC_HISTOGRAM);
    histogram(nbounds, ncounts, sum, flags);
    leat_make_close(&make);
    close_metric(LEAT_CUMULATIVE, false);
    close_resource();
}

static void test_histogram(void **state)
{
    (void)state;
    one_histogram(3, 4, true, 0);
    expect("{__name__='h_seconds_sum',k='v'} 12.5 @1060000\n"
           "{__name__='h_seconds_count',k='v'} 7 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='0.0000001'} 1 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='5'} 3 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='1000000000000000000000'} 3 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000\n");
}

/* A sum that was not said is not sent. A bound of +Inf is the last bucket that is there anyway. */
static void test_histogram_without_sum(void **state)
{
    (void)state;
    one_histogram(4, 5, false, 0);
    expect("{__name__='h_seconds_count',k='v'} 7 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='0.0000001'} 1 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='5'} 3 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='1000000000000000000000'} 3 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000\n");
}

static void test_histogram_without_buckets(void **state)
{
    (void)state;
    one_histogram(2, 0, true, 0);
    expect("{__name__='h_seconds_sum',k='v'} 12.5 @1060000\n"
           "{__name__='h_seconds_count',k='v'} 7 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000\n");
}

static void test_stale_histogram(void **state)
{
    (void)state;
    one_histogram(2, 3, true, LEAT_NO_RECORDED_VALUE);
    expect("{__name__='h_seconds_sum',k='v'} stale @1060000\n"
           "{__name__='h_seconds_count',k='v'} stale @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='0.0000001'} stale @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='5'} stale @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='+Inf'} stale @1060000\n");
}

static void test_custom_buckets(void **state)
{
    (void)state;
    conf.map.custom_buckets = true;
    one_histogram(4, 5, true, 0);
    expect(
        "{__name__='h_seconds',k='v'} histogram schema=-53 count=7 sum=12.5 zero=0(0) pos[0+4: 1 "
        "1 -2 4] custom=9.9999999999999995e-08,5,1e+21 @1060000\n");
}

static void test_custom_buckets_without_counts(void **state)
{
    (void)state;
    conf.map.custom_buckets = true;
    one_histogram(2, 0, false, 0);
    expect("{__name__='h_seconds',k='v'} histogram schema=-53 count=7 sum=0 zero=0(0) pos[2+1: 7] "
           "custom=9.9999999999999995e-08,5 @1060000\n");
}

static void test_custom_buckets_and_classic(void **state)
{
    (void)state;
    conf.map.custom_buckets = conf.map.keep_classic = true;
    one_histogram(2, 3, true, 0);
    expect(
        "{__name__='h_seconds',k='v'} histogram schema=-53 count=7 sum=12.5 zero=0(0) pos[0+2: 1 "
        "1] custom=9.9999999999999995e-08,5 @1060000\n"
        "{__name__='h_seconds_sum',k='v'} 12.5 @1060000\n"
        "{__name__='h_seconds_count',k='v'} 7 @1060000\n"
        "{__name__='h_seconds_bucket',k='v',le='0.0000001'} 1 @1060000\n"
        "{__name__='h_seconds_bucket',k='v',le='5'} 3 @1060000\n"
        "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000\n");
}

static void test_stale_custom_buckets(void **state)
{
    (void)state;
    conf.map.custom_buckets = true;
    one_histogram(2, 3, true, LEAT_NO_RECORDED_VALUE);
    expect("{__name__='h_seconds',k='v'} histogram schema=-53 count=0 sum=stale zero=0(0) "
           "@1060000\n");
}

static void test_bounds_that_do_not_increase(void **state)
{
    static const double same[] = {1, 1}, down[] = {2, 1}, nan_first[] = {NAN},
                        nan_last[] = {1, NAN};
    static const struct {
        const double *v;
        size_t n;
    } bad[] = {{same, 2}, {down, 2}, {nan_first, 1}, {nan_last, 2}};

    (void)state;
    open_resource(NULL, NULL, NULL);
    open_metric("h", "s", LEAT_METRIC_HISTOGRAM);
    for (size_t i = 0; i < 4; i++) {
        leat_make_open(&make, 1);
        doubles(7, bad[i].v, bad[i].n);
        leat_make_close(&make);
    }
    close_metric(LEAT_CUMULATIVE, false);
    close_resource();
    expect("");
    assert_string_equal(leat_text_get(&dropped), "h: bounds\nh: bounds\nh: bounds\nh: bounds\n");
}

/* --- exponential histograms */

static void side(uint32_t field, int32_t offset, const uint64_t *v, uint32_t n)
{
    leat_make_open(&make, field);
    leat_make_varint(&make, 1, (uint32_t)offset << 1 ^ (uint32_t)(offset >> 31));
    leat_make_packed_varints(&make, 2, v, n);
    leat_make_close(&make);
}

static void exponential(int32_t scale, int32_t offset, const uint64_t *v, uint32_t n)
{
    open_resource(NULL, NULL, NULL);
    open_metric("e", "", LEAT_METRIC_EXPONENTIAL);
    leat_make_open(&make, 1);
    times(START, NOW);
    leat_make_fixed64(&make, 4, 20);
    leat_make_double(&make, 5, 2.5);
    leat_make_varint(&make, 6, (uint32_t)scale << 1 ^ (uint32_t)(scale >> 31));
    leat_make_fixed64(&make, 7, 3);
    side(8, offset, v, n);
    leat_make_close(&make);
    close_metric(LEAT_CUMULATIVE, false);
    close_resource();
}

/* Bucket i of OTLP has its upper bound at offset + i + 1. Two empty buckets are written, three end
 * the span; those at the end vanish. */
static void test_exponential(void **state)
{
    static const uint64_t v[] = {0, 4, 0, 0, 5, 0, 0, 0, 8, 0};

    (void)state;
    exponential(2, -3, v, 10);
    expect("{__name__='e'} histogram schema=2 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
           "pos[-1+4 3+1: 4 -4 0 5 3] @1060000\n");
}

static void test_exponential_merged(void **state)
{
    static const uint64_t v[] = {1, 2, 3, 4, 5};

    (void)state;
    exponential(10, -3, v, 5); /* four become one: -3 … -1, then 0 and 1 */
    expect("{__name__='e'} histogram schema=8 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
           "pos[0+2: 6 3] @1060000\n");
}

static void test_exponential_merged_to_the_end(void **state)
{
    static const uint64_t v[] = {1, 2};

    (void)state;
    exponential(INT32_MAX, INT32_MIN, v, 2);
    expect("{__name__='e'} histogram schema=8 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
           "pos[0+1: 3] @1060000\n");
}

static void test_exponential_scales(void **state)
{
    static const uint64_t v[] = {1};

    (void)state;
    exponential(-4, 0, v, 1);
    exponential(-5, 0, v, 1);
    exponential(INT32_MIN, 0, v, 1);
    expect("{__name__='e'} histogram schema=-4 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
           "pos[1+1: 1] @1060000\n");
    assert_string_equal(leat_text_get(&dropped), "e: scale\ne: scale\n");
}

static void test_exponential_index(void **state)
{
    static const uint64_t one[] = {1}, empty[] = {1, 0};

    (void)state;
    exponential(8, INT32_MAX, one, 1);
    exponential(8, INT32_MAX - 1, empty, 2);
    expect("{__name__='e'} histogram schema=8 count=20 sum=2.5 zero=3(1.0000000000000001e-128) "
           "pos[2147483647+1: 1] @1060000\n");
    assert_string_equal(leat_text_get(&dropped), "e: bucket_index\n");
}

static void test_exponential_both_sides(void **state)
{
    static const uint64_t v[] = {UINT64_MAX, 1};

    (void)state;
    conf.message = LEAT_PROM_WRITE_2;
    open_resource(NULL, NULL, NULL);
    open_metric("e", "", LEAT_METRIC_EXPONENTIAL);
    leat_make_open(&make, 1);
    times(START, NOW);
    side(9, 0, v, 2);
    leat_make_double(&make, 14, 0.25);
    leat_make_close(&make);
    leat_make_open(&make, 1);
    times(NOW, NOW); /* began where it ends: no created timestamp */
    leat_make_varint(&make, 10, LEAT_NO_RECORDED_VALUE);
    side(8, 0, v, 2);
    leat_make_close(&make);
    close_metric(LEAT_CUMULATIVE, false);
    close_resource();
    expect("{__name__='e'} histogram schema=0 count=0 sum=0 zero=0(0.25) neg[1+2: -1 2] @1060000 "
           "histogram created=1000000\n"
           "{__name__='e'} histogram schema=0 count=0 sum=stale zero=0(1.0000000000000001e-128) "
           "@1060000 histogram\n");
}

/* --- summaries */

static void quantile(double q, double v)
{
    leat_make_open(&make, 6);
    leat_make_double(&make, 1, q);
    leat_make_double(&make, 2, v);
    leat_make_close(&make);
}

static void test_summary(void **state)
{
    (void)state;
    open_resource(NULL, NULL, NULL);
    open_metric("s", "ms", LEAT_METRIC_SUMMARY);
    leat_make_open(&make, 1);
    times(START, NOW);
    leat_make_fixed64(&make, 4, 9);
    quantile(0.99, 5);
    quantile(0.5, 2);
    leat_make_close(&make);
    leat_make_open(&make, 1);
    times(START, NOW);
    quantile(0.5, 1);
    quantile(0.9, 1);
    quantile(0.5, 2);
    leat_make_close(&make);
    leat_make_open(&make, 1);
    times(START, NOW);
    leat_make_varint(&make, 8, LEAT_NO_RECORDED_VALUE);
    quantile(NAN, 1);
    leat_make_close(&make);
    close_metric(0, false);
    close_resource();
    expect("{__name__='s_milliseconds_sum'} 0 @1060000\n"
           "{__name__='s_milliseconds_count'} 9 @1060000\n"
           "{__name__='s_milliseconds',quantile='0.99'} 5 @1060000\n"
           "{__name__='s_milliseconds',quantile='0.5'} 2 @1060000\n"
           "{__name__='s_milliseconds_sum'} stale @1060000\n"
           "{__name__='s_milliseconds_count'} stale @1060000\n"
           "{__name__='s_milliseconds',quantile='NaN'} stale @1060000\n");
    assert_string_equal(leat_text_get(&dropped), "s: quantiles\n");
}

/* --- exemplars */

#define ID_1 "span_id='0100000000000000',trace_id='01000000000000000000000000000000'"
#define ID_2 "span_id='0200000000000000',trace_id='02000000000000000000000000000000'"

/* In the bucket of their value, the bound included; there in the order of their times. */
static void histogram_with_exemplars(void)
{
    open_resource(NULL, NULL, NULL);
    open_metric("h", "s", LEAT_METRIC_HISTOGRAM);
    histogram(2, 3, false, 0);
    exemplar(8, 5, NOW - MS, 1, "key", "value");
    exemplar(8, 4, NOW - 5 * MS, 0, "user.id", "x");
    exemplar(8, NAN, NOW, 2, NULL, NULL);
    exemplar(8, 6, NOW, 2, NULL, NULL);
    leat_make_close(&make);
    close_metric(LEAT_CUMULATIVE, false);
    close_resource();
}

static void test_exemplars(void **state)
{
    (void)state;
    histogram_with_exemplars();
    expect("{__name__='h_seconds_count',k='v'} 7 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='0.0000001'} 1 @1060000\n"
           "{__name__='h_seconds_bucket',k='v',le='5'} 3 @1060000 # {user.id='x'} 4 @1059995 # "
           "{key='value'," ID_1 "} 5 @1059999\n"
           "{__name__='h_seconds_bucket',k='v',le='+Inf'} 7 @1060000 # {" ID_2 "} 6 @1060000\n");
}

static void test_exemplars_of_native(void **state)
{
    (void)state;
    conf.message = LEAT_PROM_WRITE_2;
    conf.map.custom_buckets = true;
    histogram_with_exemplars();
    expect(
        "{__name__='h_seconds',k='v'} histogram schema=-53 count=7 sum=0 zero=0(0) pos[0+2: 1 1] "
        "custom=9.9999999999999995e-08,5 @1060000 # {user.id='x'} 4 @1059995 # {key='value'," ID_1
        "} 5 @1059999 # {" ID_2 "} NaN @1060000 # {" ID_2
        "} 6 @1060000 histogram created=1000000\n");
}

static void test_exemplars_of_numbers(void **state)
{
    (void)state;
    open_resource(NULL, NULL, NULL);
    for (int kind = 0; kind < 3; kind++) {
        open_metric("m", "", kind == 0 ? LEAT_METRIC_GAUGE : LEAT_METRIC_SUM);
        leat_make_open(&make, 1);
        times(START, NOW);
        leat_make_double(&make, 4, 1);
        exemplar(5, 0.5, NOW, 1, "trace_id", "mine"); /* the real one wins */
        leat_make_close(&make);
        close_metric(kind == 0 ? 0 : LEAT_CUMULATIVE, kind == 2);
    }
    close_resource();
    expect("{__name__='m'} 1 @1060000\n"
           "{__name__='m'} 1 @1060000\n"
           "{__name__='m_total'} 1 @1060000 # {" ID_1 "} 0.5 @1060000\n");
}

/* trace_id and span_id are 63 characters with their names; with the key there are 64 left. */
static void test_exemplar_length(void **state)
{
    static const char *const values[] = {
        "\xc3\xa4"
        "012345678901234567890123456789012345678901234567890123456789012",
        "\xc3\xa4"
        "0123456789012345678901234567890123456789012345678901234567890123",
    };
    char lines[600];

    (void)state;
    open_resource(NULL, NULL, NULL);
    open_metric("m", "", LEAT_METRIC_SUM);
    for (int i = 0; i < 2; i++) {
        leat_make_open(&make, 1);
        times(START, NOW);
        exemplar(5, 1, NOW, 1, "k", values[i]);
        leat_make_close(&make);
    }
    close_metric(LEAT_CUMULATIVE, true);
    close_resource();
    snprintf(lines, sizeof lines,
             "{__name__='m_total'} 0 @1060000 # {k='%s'," ID_1 "} 1 @1060000\n"
             "{__name__='m_total'} 0 @1060000 # {" ID_1 "} 1 @1060000\n",
             values[0]);
    expect(lines);
}

static void test_many_exemplars(void **state)
{
    struct leat_prom_feed *f;
    struct leat_prom_item item;

    (void)state;
    open_resource(NULL, NULL, NULL);
    open_metric("m", "", LEAT_METRIC_SUM);
    leat_make_open(&make, 1);
    for (int i = 0; i < LEAT_PROM_EXEMPLARS + 3; i++)
        exemplar(5, 1, NOW, 1, NULL, NULL);
    leat_make_close(&make);
    close_metric(LEAT_CUMULATIVE, true);
    close_resource();
    f = leat_prom_feed_new(&conf);
    leat_prom_feed_begin(f, leat_text_bytes(&otlp), 0);
    assert_int_equal(leat_prom_feed_next(f, &item), LEAT_PROM_FEED_SAMPLE);
    assert_int_equal(item.sample.nexemplars, LEAT_PROM_EXEMPLARS);
    assert_int_equal(leat_prom_feed_exemplars_dropped(f), 3);
    leat_prom_feed_free(f);
}

/* --- resources */

static void test_target_info(void **state)
{
    (void)state;
    conf.target_info = true;
    open_resource("shop", "i-1", "eu");
    open_metric("m", "", LEAT_METRIC_GAUGE);
    number_point("k", "a", NOW, 1);
    number_point("k", "b", NOW + 5 * MS, 1);
    number_point("k", "c", NOW + MS, 1);
    close_metric(0, false);
    close_resource();
    open_resource("empty", "i-2", "eu"); /* no point that is sent */
    open_metric("d", "", LEAT_METRIC_SUM);
    number_point("k", "a", NOW, 1);
    close_metric(LEAT_DELTA, false);
    close_resource();
    open_resource("bare", NULL, NULL); /* nothing to say about it */
    open_metric("m", "", LEAT_METRIC_GAUGE);
    number_point("k", "a", NOW, 1);
    close_metric(0, false);
    close_resource();
    expect("{__name__='m',instance='i-1',job='shop',k='a'} 1 @1060000\n"
           "{__name__='m',instance='i-1',job='shop',k='b'} 1 @1060005\n"
           "{__name__='m',instance='i-1',job='shop',k='c'} 1 @1060001\n"
           "{__name__='target_info',cloud_region='eu',instance='i-1',job='shop'} 1 @1060005\n"
           "{__name__='m',job='bare',k='a'} 1 @1060000\n");
    conf.message = LEAT_PROM_WRITE_2;
    conf.metadata = true;
    conf.naming.namespace = leat_bytes_str("ns");
    feed();
    assert_non_null(
        strstr(leat_text_get(&got),
               "{__name__='ns_target_info',cloud_region='eu',instance='i-1',job='shop'} "
               "1 @1060005 gauge help='Target metadata' unit=''\n"));
}

static void test_names_that_cannot_be(void **state)
{
    (void)state;
    open_resource(NULL, NULL, NULL);
    open_metric("...", "", LEAT_METRIC_GAUGE);
    number_point("k", "a", NOW, 1);
    close_metric(0, false);
    open_metric("m", "", LEAT_METRIC_GAUGE);
    number_point("", "a", NOW, 1);
    number_point("k", "a", NOW, 1);
    close_metric(0, false);
    close_resource();
    expect("{__name__='m',k='a'} 1 @1060000\n");
    assert_string_equal(leat_text_get(&dropped), "...: metric_name\nm: label_name\n");
}

/* --- requests */

static void many_points(void)
{
    char value[16];

    open_resource("shop", "i-1", "eu");
    open_metric("m", "", LEAT_METRIC_GAUGE);
    for (int i = 0; i < 2000; i++) {
        snprintf(value, sizeof value, "%d", i);
        number_point("k", value, NOW, i);
    }
    close_metric(0, false);
    open_metric("h", "s", LEAT_METRIC_HISTOGRAM);
    for (int i = 0; i < 500; i++) {
        histogram(3, 4, true, 0);
        leat_make_close(&make);
    }
    close_metric(LEAT_CUMULATIVE, false);
    close_resource();
}

/* However the request is cut, the same series come out; and no piece is larger than allowed, which
 * is checked by the size of each in send_off(). */
static void test_cut(void **state)
{
    struct leat_text whole;

    (void)state;
    leat_text_init(&whole, REQUEST);
    many_points();
    for (int message = LEAT_PROM_WRITE_1; message <= LEAT_PROM_WRITE_2; message++) {
        conf.message = (enum leat_prom_message)message;
        feed();
        assert_int_equal(requests, 1);
        leat_text_clear(&whole);
        leat_text_add(&whole, got.data, got.len);
        for (size_t max = 1; max < 20000; max += 4999) {
            feed_within(max);
            assert_string_equal(leat_text_get(&whole), leat_text_get(&got));
            assert_true(requests > 5);
        }
    }
    leat_text_done(&whole);
}

/* A sample that is older than the one before it goes before it, all others stay. */
static void test_order_of_times(void **state)
{
    (void)state;
    for (int message = LEAT_PROM_WRITE_1; message <= LEAT_PROM_WRITE_2; message++) {
        conf.message = (enum leat_prom_message)message;
        begin();
        open_resource(NULL, NULL, NULL);
        open_metric("m", "", LEAT_METRIC_GAUGE);
        number_point("k", "a", NOW + 2 * MS, 3);
        number_point("k", "a", NOW, 1);
        number_point("k", "b", NOW, 2);
        close_metric(0, false);
        close_resource();
        feed();
        assert_int_equal(strncmp(leat_text_get(&got), "{__name__='m',k='a'} 1 ", 23), 0);
        assert_non_null(strstr(leat_text_get(&got), "{__name__='m',k='a'} 3 @1060002"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_in_2, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metadata, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delta_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_and_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_histogram, setup, teardown),
        cmocka_unit_test_setup_teardown(test_histogram_without_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(test_histogram_without_buckets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_histogram, setup, teardown),
        cmocka_unit_test_setup_teardown(test_custom_buckets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_custom_buckets_without_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_custom_buckets_and_classic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_custom_buckets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds_that_do_not_increase, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exponential, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exponential_merged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exponential_merged_to_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exponential_scales, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exponential_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exponential_both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_summary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exemplars, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exemplars_of_native, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exemplars_of_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exemplar_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_exemplars, setup, teardown),
        cmocka_unit_test_setup_teardown(test_target_info, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_of_times, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
