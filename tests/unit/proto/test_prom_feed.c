/* From OTLP numbers and resources to remote write: every rule, and how requests are cut, ordered
 * and made when memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "lib/prom_read.h"
#include "lib/prom_rig.h"
#include "proto/prom_write.h"

/* --- numbers */

static void numbers(void)
{
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("room.temperature", "Cel", LEAT_METRIC_GAUGE);
    prom_rig_number_point("room", "kitchen", PROM_RIG_NOW, 21.5);
    prom_rig_close_metric(0, false);
    prom_rig_open_metric("requests", "1", LEAT_METRIC_SUM);
    prom_rig_number_point("code", "200", PROM_RIG_NOW, 7);
    prom_rig_close_metric(LEAT_CUMULATIVE, true);
    prom_rig_open_metric("queue", "", LEAT_METRIC_SUM);
    prom_rig_number_point("q", "a", PROM_RIG_NOW, -3);
    prom_rig_close_metric(LEAT_CUMULATIVE, false);
    prom_rig_close_resource();
}

static void test_numbers(void **state)
{
    (void)state;
    numbers();
    prom_rig_expect("{__name__='room_temperature_celsius',room='kitchen'} 21.5 @1060000\n"
                    "{__name__='requests_total',code='200'} 7 @1060000\n"
                    "{__name__='queue',q='a'} -3 @1060000\n");
    assert_int_equal(prom_rig.dropped.len, 0);
}

static void test_numbers_in_2(void **state)
{
    (void)state;
    prom_rig.conf.message = LEAT_PROM_WRITE_2;
    prom_rig.conf.metadata = true;
    numbers();
    prom_rig_expect(
        "{__name__='room_temperature_celsius',room='kitchen'} 21.5 @1060000 gauge "
        "help='What it is.' unit='celsius'\n"
        "{__name__='requests_total',code='200'} 7 @1060000 counter help='What it is.' unit='' "
        "created=1000000\n"
        "{__name__='queue',q='a'} -3 @1060000 gauge help='What it is.' unit=''\n");
}

static void test_metadata(void **state)
{
    (void)state;
    prom_rig.conf.metadata = true;
    numbers();
    prom_rig_expect("{__name__='room_temperature_celsius',room='kitchen'} 21.5 @1060000\n"
                    "{__name__='requests_total',code='200'} 7 @1060000\n"
                    "{__name__='queue',q='a'} -3 @1060000\n"
                    "metadata room_temperature_celsius gauge help='What it is.' unit='celsius'\n"
                    "metadata requests_total counter help='What it is.' unit=''\n"
                    "metadata queue gauge help='What it is.' unit=''\n");
}

static void test_delta_is_dropped(void **state)
{
    (void)state;
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("a", "", LEAT_METRIC_SUM);
    prom_rig_number_point("k", "v", PROM_RIG_NOW, 1);
    prom_rig_close_metric(LEAT_DELTA, true);
    prom_rig_open_metric("b", "", LEAT_METRIC_SUM);
    prom_rig_number_point("k", "v", PROM_RIG_NOW, 1);
    prom_rig_close_metric(0, false);
    prom_rig_open_metric("c", "", LEAT_METRIC_HISTOGRAM);
    leat_make_open(&prom_rig.make, 1);
    leat_make_close(&prom_rig.make);
    prom_rig_close_metric(LEAT_DELTA, false);
    prom_rig_close_resource();
    prom_rig_expect("");
    assert_string_equal(leat_text_get(&prom_rig.dropped),
                        "a: temporality\nb: temporality\nc: temporality\n");
}

static void test_values_and_times(void **state)
{
    (void)state;
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("m", "", LEAT_METRIC_GAUGE);
    leat_make_open(&prom_rig.make, 1); /* nothing said: no attributes, no value, no time */
    leat_make_close(&prom_rig.make);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(0, 1999999);
    leat_make_fixed64(&prom_rig.make, 6, (uint64_t)INT64_C(-5));
    leat_make_close(&prom_rig.make);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(0, PROM_RIG_NOW);
    leat_make_double(&prom_rig.make, 4, 3);
    leat_make_varint(&prom_rig.make, 8, LEAT_NO_RECORDED_VALUE);
    leat_make_close(&prom_rig.make);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(0, PROM_RIG_NOW);
    leat_make_double(&prom_rig.make, 4, -0.0);
    leat_make_close(&prom_rig.make);
    leat_make_open(&prom_rig.make, 1);
    prom_rig_times(0, UINT64_MAX);
    leat_make_double(&prom_rig.make, 4, NAN);
    leat_make_close(&prom_rig.make);
    prom_rig_close_metric(0, false);
    prom_rig_close_resource();
    prom_rig_expect("{__name__='m'} 0 @0\n"
                    "{__name__='m'} -5 @1\n"
                    "{__name__='m'} stale @1060000\n"
                    "{__name__='m'} 0 @1060000\n"
                    "{__name__='m'} NaN @18446744073709\n");
}

/* --- resources */

static void test_target_info(void **state)
{
    (void)state;
    prom_rig.conf.target_info = true;
    prom_rig_open_resource("shop", "i-1", "eu");
    prom_rig_open_metric("m", "", LEAT_METRIC_GAUGE);
    prom_rig_number_point("k", "a", PROM_RIG_NOW, 1);
    prom_rig_number_point("k", "b", PROM_RIG_NOW + 5 * PROM_RIG_MS, 1);
    prom_rig_number_point("k", "c", PROM_RIG_NOW + PROM_RIG_MS, 1);
    prom_rig_close_metric(0, false);
    prom_rig_close_resource();
    prom_rig_open_resource("empty", "i-2", "eu"); /* no point that is sent */
    prom_rig_open_metric("d", "", LEAT_METRIC_SUM);
    prom_rig_number_point("k", "a", PROM_RIG_NOW, 1);
    prom_rig_close_metric(LEAT_DELTA, false);
    prom_rig_close_resource();
    prom_rig_open_resource("bare", NULL, NULL); /* nothing to say about it */
    prom_rig_open_metric("m", "", LEAT_METRIC_GAUGE);
    prom_rig_number_point("k", "a", PROM_RIG_NOW, 1);
    prom_rig_close_metric(0, false);
    prom_rig_close_resource();
    prom_rig_expect(
        "{__name__='m',instance='i-1',job='shop',k='a'} 1 @1060000\n"
        "{__name__='m',instance='i-1',job='shop',k='b'} 1 @1060005\n"
        "{__name__='m',instance='i-1',job='shop',k='c'} 1 @1060001\n"
        "{__name__='target_info',cloud_region='eu',instance='i-1',job='shop'} 1 @1060005\n"
        "{__name__='m',job='bare',k='a'} 1 @1060000\n");
    prom_rig.conf.message = LEAT_PROM_WRITE_2;
    prom_rig.conf.metadata = true;
    prom_rig.conf.naming.namespace = leat_bytes_str("ns");
    prom_rig_feed();
    assert_non_null(
        strstr(leat_text_get(&prom_rig.got),
               "{__name__='ns_target_info',cloud_region='eu',instance='i-1',job='shop'} "
               "1 @1060005 gauge help='Target metadata' unit=''\n"));
}

static void test_names_that_cannot_be(void **state)
{
    (void)state;
    prom_rig_open_resource(NULL, NULL, NULL);
    prom_rig_open_metric("...", "", LEAT_METRIC_GAUGE);
    prom_rig_number_point("k", "a", PROM_RIG_NOW, 1);
    prom_rig_close_metric(0, false);
    prom_rig_open_metric("m", "", LEAT_METRIC_GAUGE);
    prom_rig_number_point("", "a", PROM_RIG_NOW, 1);
    prom_rig_number_point("k", "a", PROM_RIG_NOW, 1);
    prom_rig_close_metric(0, false);
    prom_rig_close_resource();
    prom_rig_expect("{__name__='m',k='a'} 1 @1060000\n");
    assert_string_equal(leat_text_get(&prom_rig.dropped), "...: metric_name\nm: label_name\n");
}

/* --- requests */

static void many_points(void)
{
    char value[16];

    prom_rig_open_resource("shop", "i-1", "eu");
    prom_rig_open_metric("m", "", LEAT_METRIC_GAUGE);
    for (int i = 0; i < 2000; i++) {
        snprintf(value, sizeof value, "%d", i);
        prom_rig_number_point("k", value, PROM_RIG_NOW, i);
    }
    prom_rig_close_metric(0, false);
    prom_rig_open_metric("h", "s", LEAT_METRIC_HISTOGRAM);
    for (int i = 0; i < 500; i++) {
        prom_rig_histogram(3, 4, true, 0);
        leat_make_close(&prom_rig.make);
    }
    prom_rig_close_metric(LEAT_CUMULATIVE, false);
    prom_rig_close_resource();
}

/* However the request is cut, the same series come out; and no piece is larger than allowed, which
 * is checked by the size of each in prom_rig_send_off(). */
static void test_cut(void **state)
{
    struct leat_text whole;

    (void)state;
    leat_text_init(&whole, PROM_RIG_BYTES);
    many_points();
    for (int message = LEAT_PROM_WRITE_1; message <= LEAT_PROM_WRITE_2; message++) {
        prom_rig.conf.message = (enum leat_prom_message)message;
        prom_rig_feed();
        assert_int_equal(prom_rig.requests, 1);
        leat_text_clear(&whole);
        leat_text_add(&whole, prom_rig.got.data, prom_rig.got.len);
        for (size_t max = 1; max < 20000; max += 4999) {
            prom_rig_feed_within(max);
            assert_string_equal(leat_text_get(&whole), leat_text_get(&prom_rig.got));
            assert_true(prom_rig.requests > 5);
        }
    }
    leat_text_done(&whole);
}

/* A sample that is older than the one before it goes before it, all others stay. */
static void test_order_of_times(void **state)
{
    (void)state;
    for (int message = LEAT_PROM_WRITE_1; message <= LEAT_PROM_WRITE_2; message++) {
        prom_rig.conf.message = (enum leat_prom_message)message;
        prom_rig_begin();
        prom_rig_open_resource(NULL, NULL, NULL);
        prom_rig_open_metric("m", "", LEAT_METRIC_GAUGE);
        prom_rig_number_point("k", "a", PROM_RIG_NOW + 2 * PROM_RIG_MS, 3);
        prom_rig_number_point("k", "a", PROM_RIG_NOW, 1);
        prom_rig_number_point("k", "b", PROM_RIG_NOW, 2);
        prom_rig_close_metric(0, false);
        prom_rig_close_resource();
        prom_rig_feed();
        assert_int_equal(strncmp(leat_text_get(&prom_rig.got), "{__name__='m',k='a'} 1 ", 23), 0);
        assert_non_null(strstr(leat_text_get(&prom_rig.got), "{__name__='m',k='a'} 3 @1060002"));
    }
}

/* Everything that allocates, once more from where it stopped. */
static void with_memory(struct leat_prom_feed *f, struct leat_prom_write *w)
{
    struct leat_prom_item item;
    enum leat_prom_feed_result r;
    struct leat_text room;
    struct leat_bytes request;
    bool squeezed;

    leat_prom_feed_begin(f, leat_text_bytes(&prom_rig.otlp), 0);
    while ((r = leat_prom_feed_next(f, &item)) != LEAT_PROM_FEED_END) {
        if (r == LEAT_PROM_FEED_NO_MEMORY) {
            prom_rig.requests++;
            continue;
        }
        assert_int_not_equal(r, LEAT_PROM_FEED_DROPPED);
        while ((r == LEAT_PROM_FEED_FAMILY
                    ? leat_prom_write_family(w, &item.family)
                    : leat_prom_write_add(w, item.series, &item.sample, &item.family)) ==
               LEAT_PROM_WRITE_NO_MEMORY)
            prom_rig.requests++;
    }
    while (!leat_prom_write_finish(w, &request, &squeezed))
        prom_rig.requests++;
    leat_mem_fail_at(0);
    leat_text_clear(&prom_rig.got);
    leat_text_init(&room, PROM_RIG_BYTES);
    request = prom_read_finish(w, &room);
    assert_null(prom_read(prom_rig.conf.message, request, PROM_READ_ALL, &prom_rig.got));
    leat_text_done(&room);
}

static void test_no_memory(void **state)
{
    struct leat_text want;

    (void)state;
    leat_text_init(&want, PROM_RIG_BYTES);
    prom_rig.conf.target_info = prom_rig.conf.metadata = true;
    numbers();
    prom_rig_open_resource("shop", "i-1", "eu");
    prom_rig_open_metric("h", "s", LEAT_METRIC_HISTOGRAM);
    prom_rig_histogram(3, 4, true, 0);
    prom_rig_exemplar(8, 5, PROM_RIG_NOW, 1, "key", "value");
    leat_make_close(&prom_rig.make);
    prom_rig_close_metric(LEAT_CUMULATIVE, false);
    prom_rig_open_metric("m", "", LEAT_METRIC_GAUGE);
    prom_rig_number_point("k", "a", PROM_RIG_NOW, 1);
    prom_rig_number_point("k", "a", PROM_RIG_NOW - PROM_RIG_MS, 1); /* order is made */
    prom_rig_close_metric(0, false);
    prom_rig_close_resource();
    for (int way = 0; way < 3; way++) { /* 1.0, 1.0 squeezed, 2.0 */
        prom_rig.conf.message = way < 2 ? LEAT_PROM_WRITE_1 : LEAT_PROM_WRITE_2;
        prom_rig.conf.map.custom_buckets = prom_rig.conf.map.keep_classic = way == 2;
        prom_rig.requests = 1;
        for (uint64_t nth = 0; prom_rig.requests > 0; nth++) {
            struct leat_prom_feed *f = leat_prom_feed_new(&prom_rig.conf);
            struct leat_prom_write w;
            leat_prom_write_init(&w, leat_prom_feed_store(f), 3000000);
            if (way == 1)
                leat_prom_write_squeeze(&w);
            prom_rig.requests = nth == 0; /* how often there was none */
            leat_mem_fail_at(nth);
            with_memory(f, &w);
            if (nth == 0) {
                leat_text_clear(&want);
                leat_text_add(&want, prom_rig.got.data, prom_rig.got.len);
            }
            assert_string_equal(leat_text_get(&want), leat_text_get(&prom_rig.got));
            leat_prom_write_done(&w);
            leat_prom_feed_free(f);
        }
    }
    leat_text_done(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_numbers_in_2, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_metadata, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_delta_is_dropped, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_values_and_times, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_target_info, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_names_that_cannot_be, prom_rig_setup,
                                        prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_cut, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_order_of_times, prom_rig_setup, prom_rig_teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, prom_rig_setup, prom_rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
