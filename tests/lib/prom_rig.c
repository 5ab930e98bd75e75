/* From OTLP requests that are written step by step to the lines of what remote write sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "lib/prom_rig.h"

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/signal.h"
#include "lib/prom_read.h"
#include "proto/otlp_view.h"
#include "proto/prom_write.h"

struct prom_rig prom_rig;

/* --- OTLP requests, written step by step */

void prom_rig_begin(void)
{
    leat_text_clear(&prom_rig.otlp);
    leat_make_init(&prom_rig.make, &prom_rig.otlp);
}

/* A resource with service.name, instance id and one attribute; and a scope. */
void prom_rig_open_resource(const char *service, const char *instance, const char *region)
{
    leat_make_open(&prom_rig.make, 1);
    leat_make_open(&prom_rig.make, 1);
    if (service != NULL)
        leat_make_attr_string(&prom_rig.make, 1, "service.name", service);
    if (instance != NULL)
        leat_make_attr_string(&prom_rig.make, 1, "service.instance.id", instance);
    if (region != NULL)
        leat_make_attr_string(&prom_rig.make, 1, "cloud.region", region);
    leat_make_close(&prom_rig.make);
    leat_make_open(&prom_rig.make, 2);
}

void prom_rig_close_resource(void)
{
    leat_make_close(&prom_rig.make);
    leat_make_close(&prom_rig.make);
}

/* Begins a metric; its points are field 1 of what is open afterwards. */
void prom_rig_open_metric(const char *name, const char *unit, enum leat_metric_type type)
{
    leat_make_open(&prom_rig.make, 2);
    leat_make_string(&prom_rig.make, 1, name);
    leat_make_string(&prom_rig.make, 2, "What it is.");
    leat_make_string(&prom_rig.make, 3, unit);
    leat_make_open(&prom_rig.make, (uint32_t)type);
}

void prom_rig_close_metric(unsigned temporality, bool monotonic)
{
    if (temporality != 0)
        leat_make_varint(&prom_rig.make, 2, temporality);
    if (monotonic)
        leat_make_varint(&prom_rig.make, 3, 1);
    leat_make_close(&prom_rig.make);
    leat_make_close(&prom_rig.make);
}

void prom_rig_times(uint64_t start, uint64_t time)
{
    if (start != 0)
        leat_make_fixed64(&prom_rig.make, 2, start);
    leat_make_fixed64(&prom_rig.make, 3, time);
}

void prom_rig_number_point(const char *key, const char *value, uint64_t time, double v)
{
    leat_make_open(&prom_rig.make, 1);
    leat_make_attr_string(&prom_rig.make, 7, key, value);
    prom_rig_times(PROM_RIG_START, time);
    leat_make_double(&prom_rig.make, 4, v);
    leat_make_close(&prom_rig.make);
}

void prom_rig_doubles(uint32_t field, const double *v, size_t n)
{
    leat_make_bytes(&prom_rig.make, field, leat_bytes(v, n * sizeof *v));
}

void prom_rig_counts(uint32_t field, const uint64_t *v, size_t n)
{
    leat_make_bytes(&prom_rig.make, field, leat_bytes(v, n * sizeof *v));
}

void prom_rig_exemplar(uint32_t field, double v, uint64_t time, uint8_t trace, const char *key,
                       const char *value)
{
    uint8_t id[16] = {trace};

    leat_make_open(&prom_rig.make, field);
    leat_make_fixed64(&prom_rig.make, 2, time);
    leat_make_double(&prom_rig.make, 3, v);
    if (trace != 0) {
        leat_make_bytes(&prom_rig.make, 4, leat_bytes(id, 8));
        leat_make_bytes(&prom_rig.make, 5, leat_bytes(id, 16));
    }
    if (key != NULL)
        leat_make_attr_string(&prom_rig.make, 7, key, value);
    leat_make_close(&prom_rig.make);
}

/* --- what becomes of them */

static void send_off(struct leat_prom_write *w)
{
    struct leat_bytes request;
    struct leat_text room;
    const char *why;

    if (leat_prom_write_empty(w))
        return;
    leat_text_init(&room, PROM_RIG_BYTES);
    request = prom_read_finish(w, &room);
    assert_int_equal(request.len, leat_prom_write_size(w));
    why = prom_read(prom_rig.conf.message, request, PROM_READ_ALL, &prom_rig.got);
    if (why != NULL)
        fail_msg("%s", why);
    leat_text_done(&room);
    leat_prom_write_clear(w, prom_rig.requests % 2 == 0);
    prom_rig.requests++;
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

    assert_true(leat_text_ok(&prom_rig.otlp));
    assert_int_equal(leat_otlp_check(LEAT_METRICS, leat_text_bytes(&prom_rig.otlp), &count, &why),
                     LEAT_OTLP_OK);
    leat_prom_feed_begin(f, leat_text_bytes(&prom_rig.otlp), now);
    while ((r = leat_prom_feed_next(f, &item)) != LEAT_PROM_FEED_END) {
        assert_int_not_equal(r, LEAT_PROM_FEED_NO_MEMORY);
        if (r == LEAT_PROM_FEED_DROPPED)
            leat_text_printf(&prom_rig.dropped, "%.*s: %s\n", LEAT_FMT(item.metric),
                             leat_prom_drop_text(item.drop));
        else
            add(w, r, &item);
    }
    send_off(w);
}

/* Sends the request through, twice: the second time all series are known. */
static void feed_twice(size_t max, bool squeeze)
{
    struct leat_prom_feed *f = leat_prom_feed_new(&prom_rig.conf);
    struct leat_prom_write w;
    struct leat_text first;

    leat_text_init(&first, PROM_RIG_BYTES);
    leat_prom_write_init(&w, leat_prom_feed_store(f), max);
    if (squeeze)
        leat_prom_write_squeeze(&w);
    for (int round = 0; round < 2; round++) {
        leat_text_clear(&first);
        leat_text_add(&first, prom_rig.got.data, prom_rig.got.len);
        leat_text_clear(&prom_rig.got);
        leat_text_clear(&prom_rig.dropped);
        prom_rig.requests = 0;
        run_through(f, &w, (int64_t)round * INT64_C(61000000000));
    }
    assert_string_equal(leat_text_get(&first), leat_text_get(&prom_rig.got));
    leat_text_done(&first);
    leat_prom_write_done(&w);
    leat_prom_feed_free(f);
}

/* Of 1.0 the snappy block must say the same. */
void prom_rig_feed_within(size_t max)
{
    struct leat_text squeezed;

    if (prom_rig.conf.message == LEAT_PROM_WRITE_2) {
        feed_twice(max, false);
        return;
    }
    feed_twice(max, true);
    leat_text_init(&squeezed, PROM_RIG_BYTES);
    leat_text_add(&squeezed, prom_rig.got.data, prom_rig.got.len);
    feed_twice(max, false);
    assert_string_equal(leat_text_get(&squeezed), leat_text_get(&prom_rig.got));
    leat_text_done(&squeezed);
}

void prom_rig_feed(void)
{
    prom_rig_feed_within(3000000);
}

void prom_rig_expect(const char *lines)
{
    prom_rig_feed();
    assert_string_equal(leat_text_get(&prom_rig.got), lines);
}

int prom_rig_setup(void **state)
{
    (void)state;
    leat_text_init(&prom_rig.otlp, PROM_RIG_BYTES);
    leat_text_init(&prom_rig.got, PROM_RIG_BYTES);
    leat_text_init(&prom_rig.dropped, PROM_RIG_BYTES);
    prom_rig.conf = (struct leat_prom_feed_conf){.cache_bytes = LEAT_PROM_STORE_MIN};
    prom_rig_begin();
    return 0;
}

int prom_rig_teardown(void **state)
{
    (void)state;
    leat_text_done(&prom_rig.otlp);
    leat_text_done(&prom_rig.got);
    leat_text_done(&prom_rig.dropped);
    return 0;
}

static const double bounds[] = {0.0000001, 5, 1e21, INFINITY};
const uint64_t prom_rig_buckets[] = {1, 2, 0, 4, 0};

void prom_rig_histogram(size_t nbounds, size_t ncounts, bool sum, unsigned flags)
{
    leat_make_open(&prom_rig.make, 1);
    leat_make_attr_string(&prom_rig.make, 9, "k", "v");
    prom_rig_times(PROM_RIG_START, PROM_RIG_NOW);
    leat_make_fixed64(&prom_rig.make, 4, 7);
    if (sum)
        leat_make_double(&prom_rig.make, 5, 12.5);
    prom_rig_counts(6, prom_rig_buckets, ncounts);
    prom_rig_doubles(7, bounds, nbounds);
    leat_make_varint(&prom_rig.make, 10, flags);
}
