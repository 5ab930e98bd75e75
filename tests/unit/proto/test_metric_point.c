/* Data points as protobuf-c reads them: every number of every type, in every encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "lib/otlp_random.h"
#include "lib/otlp_write.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "proto/metric_point.h"
#include "proto/otlp_make.h"
#include "proto/otlp_match.h"
#include "proto/otlp_view.h"

#define SEEDS      400
#define MOST_BYTES (8u << 20)

typedef Opentelemetry__Proto__Metrics__V1__Metric Metric;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint Number;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint Histogram;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint Exponential;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint__Buckets Buckets;
typedef Opentelemetry__Proto__Metrics__V1__SummaryDataPoint Summary;
typedef Opentelemetry__Proto__Metrics__V1__Exemplar Exemplar;
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest Request;

/* The same bits: NaN is equal to itself. */
static void same_double(double a, double b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

static void same_bytes(struct leat_bytes b, size_t len, const void *want)
{
    assert_int_equal(b.len, len);
    if (len > 0)
        assert_memory_equal(b.data, want, len);
}

static void same_text(struct leat_bytes b, const char *want)
{
    same_bytes(b, want ? strlen(want) : 0, want);
}

/* --- one point against the oracle's */

static void same_number(const struct leat_point *p, const Number *n)
{
    assert_int_equal(p->start, n->start_time_unix_nano);
    assert_int_equal(p->time, n->time_unix_nano);
    assert_int_equal(p->flags, n->flags);
    switch (n->value_case) {
    case OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE:
        assert_int_equal(p->number, LEAT_NUMBER_DOUBLE);
        same_double(p->value, n->as_double);
        break;
    case OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT:
        assert_int_equal(p->number, LEAT_NUMBER_INT);
        assert_int_equal(p->integer, n->as_int);
        same_double(p->value, (double)n->as_int);
        break;
    default:
        assert_int_equal(p->number, LEAT_NUMBER_NONE);
    }
}

static void same_histogram(const struct leat_point *p, const Histogram *h)
{
    assert_int_equal(p->start, h->start_time_unix_nano);
    assert_int_equal(p->time, h->time_unix_nano);
    assert_int_equal(p->flags, h->flags);
    assert_int_equal(p->count, h->count);
    assert_int_equal(p->has_sum, h->has_sum);
    same_double(p->sum, h->sum);
    assert_int_equal(p->has_min, h->has_min);
    same_double(p->min, h->min);
    assert_int_equal(p->has_max, h->has_max);
    same_double(p->max, h->max);
    same_bytes(leat_bytes(p->counts, p->ncounts * sizeof *p->counts), 8 * h->n_bucket_counts,
               h->bucket_counts);
    same_bytes(leat_bytes(p->bounds, p->nbounds * sizeof *p->bounds), 8 * h->n_explicit_bounds,
               h->explicit_bounds);
}

static void same_side(const struct leat_exponential_side *s, const Buckets *b)
{
    assert_int_equal(s->offset, b ? b->offset : 0);
    same_bytes(leat_bytes(s->counts, s->ncounts * sizeof *s->counts),
               b ? 8 * b->n_bucket_counts : 0, b ? b->bucket_counts : NULL);
}

static void same_exponential(const struct leat_point *p, const Exponential *e)
{
    assert_int_equal(p->start, e->start_time_unix_nano);
    assert_int_equal(p->time, e->time_unix_nano);
    assert_int_equal(p->flags, e->flags);
    assert_int_equal(p->count, e->count);
    assert_int_equal(p->has_sum, e->has_sum);
    same_double(p->sum, e->sum);
    assert_int_equal(p->has_min, e->has_min);
    same_double(p->min, e->min);
    assert_int_equal(p->has_max, e->has_max);
    same_double(p->max, e->max);
    assert_int_equal(p->scale, e->scale);
    assert_int_equal(p->zero_count, e->zero_count);
    same_double(p->zero_threshold, e->zero_threshold);
    same_side(&p->positive, e->positive);
    same_side(&p->negative, e->negative);
}

static void same_summary(const struct leat_point *p, const Summary *s)
{
    assert_int_equal(p->start, s->start_time_unix_nano);
    assert_int_equal(p->time, s->time_unix_nano);
    assert_int_equal(p->flags, s->flags);
    assert_int_equal(p->count, s->count);
    same_double(p->sum, s->sum);
    assert_int_equal(p->nquantiles, s->n_quantile_values);
    for (uint32_t i = 0; i < p->nquantiles; i++) {
        same_double(p->quantiles[i].quantile, s->quantile_values[i]->quantile);
        same_double(p->quantiles[i].value, s->quantile_values[i]->value);
    }
}

static void same_point(const struct leat_point *p, const ProtobufCMessage *m)
{
    if (p->type == LEAT_METRIC_GAUGE || p->type == LEAT_METRIC_SUM)
        same_number(p, (const Number *)m);
    else if (p->type == LEAT_METRIC_HISTOGRAM)
        same_histogram(p, (const Histogram *)m);
    else if (p->type == LEAT_METRIC_EXPONENTIAL)
        same_exponential(p, (const Exponential *)m);
    else
        same_summary(p, (const Summary *)m);
}

static size_t attributes_of(const struct leat_point *p, const ProtobufCMessage *m)
{
    if (p->type == LEAT_METRIC_GAUGE || p->type == LEAT_METRIC_SUM)
        return ((const Number *)m)->n_attributes;
    if (p->type == LEAT_METRIC_HISTOGRAM)
        return ((const Histogram *)m)->n_attributes;
    if (p->type == LEAT_METRIC_EXPONENTIAL)
        return ((const Exponential *)m)->n_attributes;
    return ((const Summary *)m)->n_attributes;
}

/* The run of attributes is all of them, or they are scattered. */
static void check_attributes(const struct leat_point *p, const ProtobufCMessage *m)
{
    struct leat_wire w = leat_wire_of(p->message);
    struct leat_wire_field f;
    struct leat_bytes pair;
    size_t n = 0, run = 0;

    while (leat_otlp_next(&w, p->attrs_field, &pair))
        n++;
    assert_int_equal(n, attributes_of(p, m));
    w = leat_wire_of(p->attrs);
    while (leat_wire_next(&w, &f) > 0) {
        assert_int_equal(f.field, p->attrs_field);
        run++;
    }
    assert_int_equal(run, p->scattered ? 0 : n);
    assert_true(!p->scattered || n > 1);
}

static size_t exemplars_of(const struct leat_point *p, const ProtobufCMessage *m, Exemplar ***ret)
{
    if (p->type == LEAT_METRIC_SUMMARY) {
        *ret = NULL;
        return 0;
    }
    if (p->type == LEAT_METRIC_HISTOGRAM) {
        *ret = ((const Histogram *)m)->exemplars;
        return ((const Histogram *)m)->n_exemplars;
    }
    if (p->type == LEAT_METRIC_EXPONENTIAL) {
        *ret = ((const Exponential *)m)->exemplars;
        return ((const Exponential *)m)->n_exemplars;
    }
    *ret = ((const Number *)m)->exemplars;
    return ((const Number *)m)->n_exemplars;
}

static void check_exemplars(const struct leat_point *p, const ProtobufCMessage *m)
{
    struct leat_wire w = leat_wire_of(p->message);
    struct leat_exemplar e;
    Exemplar **want;
    size_t n = exemplars_of(p, m, &want), i = 0;

    while (leat_exemplar_next(&w, p, &e)) {
        assert_true(i < n);
        assert_int_equal(e.time, want[i]->time_unix_nano);
        same_bytes(e.trace_id, want[i]->trace_id.len, want[i]->trace_id.data);
        same_bytes(e.span_id, want[i]->span_id.len, want[i]->span_id.data);
        if (want[i]->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_DOUBLE)
            same_double(e.value, want[i]->as_double);
        else if (want[i]->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_INT)
            same_double(e.value, (double)want[i]->as_int);
        else
            same_double(e.value, 0);
        i++;
    }
    assert_int_equal(i, n);
}

/* --- written back */

/* All fields that are no numbers, as they stand. Unknown ones have numbers from 100 on. */
static void rest_of(const struct leat_point *p, struct leat_bytes message, struct leat_text *out)
{
    struct leat_wire w = leat_wire_of(message);
    const uint8_t *from = w.at;
    struct leat_wire_field f;

    for (; leat_wire_next(&w, &f) > 0; from = w.at) {
        if (f.field == p->attrs_field || f.field == p->exemplars_field || f.field >= 100)
            leat_text_add(out, from, (size_t)(w.at - from));
    }
}

static void check_written(const struct leat_point *p, const ProtobufCMessage *want,
                          struct leat_point_room *room)
{
    struct leat_text out, before, after;
    struct leat_make m;
    struct leat_bytes message;
    struct leat_point again;
    struct leat_wire w;

    leat_text_init(&out, MOST_BYTES);
    leat_text_init(&before, MOST_BYTES);
    leat_text_init(&after, MOST_BYTES);
    leat_make_init(&m, &out);
    leat_point_write(&m, 1, p, true);
    assert_true(leat_text_ok(&out));
    w = leat_wire_of(leat_text_bytes(&out));
    assert_true(leat_otlp_next(&w, 1, &message));
    assert_true(w.at == w.end);
    rest_of(p, p->message, &before);
    rest_of(p, message, &after);
    same_bytes(leat_text_bytes(&after), before.len, before.data);
    assert_true(leat_point_read(p->type, message, room, &again));
    same_point(&again, want);
    assert_int_equal(again.has_sum, p->has_sum);
    leat_text_clear(&out);
    leat_point_write(&m, 1, p, false);
    w = leat_wire_of(leat_text_bytes(&out));
    assert_true(leat_otlp_next(&w, 1, &message));
    assert_true(p->exemplars_field == 0 || leat_otlp_get(message, p->exemplars_field).len == 0);
    leat_text_done(&out);
    leat_text_done(&before);
    leat_text_done(&after);
}

/* --- whole requests */

struct oracle {
    const Metric *metric;
    const ProtobufCMessage *point;
};

static size_t points_of(const Metric *m, ProtobufCMessage ***ret)
{
    switch (m->data_case) {
    case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE:
        *ret = (ProtobufCMessage **)m->gauge->data_points;
        return m->gauge->n_data_points;
    case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM:
        *ret = (ProtobufCMessage **)m->sum->data_points;
        return m->sum->n_data_points;
    case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM:
        *ret = (ProtobufCMessage **)m->histogram->data_points;
        return m->histogram->n_data_points;
    case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
        *ret = (ProtobufCMessage **)m->exponential_histogram->data_points;
        return m->exponential_histogram->n_data_points;
    case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUMMARY:
        *ret = (ProtobufCMessage **)m->summary->data_points;
        return m->summary->n_data_points;
    default:
        return 0;
    }
}

static size_t flatten(const Request *r, struct oracle *out, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_resource_metrics; i++) {
        for (size_t k = 0; k < r->resource_metrics[i]->n_scope_metrics; k++) {
            const Opentelemetry__Proto__Metrics__V1__ScopeMetrics *s =
                r->resource_metrics[i]->scope_metrics[k];
            for (size_t j = 0; j < s->n_metrics; j++) {
                ProtobufCMessage **points;
                size_t count = points_of(s->metrics[j], &points);
                for (size_t p = 0; p < count; p++) {
                    assert_true(n < max);
                    out[n++] = (struct oracle){s->metrics[j], points[p]};
                }
            }
        }
    }
    return n;
}

static void same_temporality(const struct leat_metric_head *h, int32_t want)
{
    assert_int_equal(h->temporality, want == 1 || want == 2 ? want : LEAT_TEMPORALITY_NONE);
}

static void check_head(const struct leat_metric_head *h, const Metric *m)
{
    same_text(h->name, m->name);
    same_text(h->description, m->description);
    same_text(h->unit, m->unit);
    assert_int_equal(h->type, m->data_case);
    if (h->type == LEAT_METRIC_SUM) {
        same_temporality(h, (int32_t)m->sum->aggregation_temporality);
        assert_int_equal(h->monotonic, m->sum->is_monotonic);
    } else if (h->type == LEAT_METRIC_HISTOGRAM) {
        same_temporality(h, (int32_t)m->histogram->aggregation_temporality);
    } else if (h->type == LEAT_METRIC_EXPONENTIAL) {
        same_temporality(h, (int32_t)m->exponential_histogram->aggregation_temporality);
    } else {
        same_temporality(h, 0);
        assert_false(h->monotonic);
    }
}

static size_t check_request(struct leat_bytes bytes, struct leat_point_room *room)
{
    static struct oracle want[4096];
    ProtobufCMessage *m = otlp_random_unpack(LEAT_METRICS, bytes);
    struct leat_point_room second = {.words = NULL};
    struct leat_otlp_count count;
    struct leat_otlp_walk w;
    const char *why;
    size_t n, i = 0;

    assert_non_null(m);
    assert_int_equal(leat_otlp_check(LEAT_METRICS, bytes, &count, &why), LEAT_OTLP_OK);
    n = flatten((const Request *)m, want, sizeof want / sizeof *want);
    leat_otlp_walk_init(&w, LEAT_METRICS, bytes);
    while (leat_otlp_walk_next(&w)) {
        struct leat_metric_head head = leat_metric_head(&w);
        struct leat_point p;

        assert_true(i < n);
        check_head(&head, want[i].metric);
        assert_true(leat_point_read(head.type, w.record, room, &p));
        same_point(&p, want[i].point);
        check_attributes(&p, want[i].point);
        check_exemplars(&p, want[i].point);
        check_written(&p, want[i].point, &second);
        i++;
    }
    assert_int_equal(i, n);
    leat_point_room_done(&second);
    otlp_random_free(m);
    return n;
}

static void test_random_requests(void **state)
{
    struct leat_point_room room = {.words = NULL};
    size_t points = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct otlp_random r = {seed};
        ProtobufCMessage *m = otlp_random_request(&r, LEAT_METRICS, 3);
        struct leat_text plain, scrambled;

        leat_text_init(&plain, OTLP_RANDOM_MAX);
        leat_text_init(&scrambled, OTLP_RANDOM_MAX);
        otlp_random_pack(m, &plain);
        points += check_request(leat_text_bytes(&plain), &room);
        otlp_random_scramble(&r, m->descriptor, leat_text_bytes(&plain), seed % 2, &scrambled);
        check_request(leat_text_bytes(&scrambled), &room);
        leat_text_done(&plain);
        leat_text_done(&scrambled);
        otlp_random_free(m);
    }
    assert_true(points > SEEDS);
    leat_point_room_done(&room);
}

/* Of a field that is there twice the last one counts; of a oneof too, whichever member it is. */
static void test_last_one_counts(void **state)
{
    struct leat_point_room room = {.words = NULL};
    struct leat_point p;
    struct leat_text t;
    struct leat_make m;

    (void)state;
    leat_text_init(&t, 1000);
    leat_make_init(&m, &t);
    leat_make_fixed64(&m, 3, 1);
    leat_make_double(&m, 4, 2.5);
    leat_make_fixed64(&m, 6, (uint64_t)-7);
    leat_make_fixed64(&m, 3, 9);
    assert_true(leat_point_read(LEAT_METRIC_SUM, leat_text_bytes(&t), &room, &p));
    assert_int_equal(p.time, 9);
    assert_int_equal(p.number, LEAT_NUMBER_INT);
    assert_int_equal(p.integer, -7);
    leat_make_double(&m, 4, 1.5);
    assert_true(leat_point_read(LEAT_METRIC_SUM, leat_text_bytes(&t), &room, &p));
    assert_int_equal(p.number, LEAT_NUMBER_DOUBLE);
    assert_true(p.value == 1.5 && p.integer == 0);
    leat_text_done(&t);
}

/* Buckets without counts still have an offset, whatever was read into the room before. */
static void test_offset_alone(void **state)
{
    struct leat_point_room room = {.words = NULL}, second = {.words = NULL};
    struct leat_point p;
    struct leat_text t, out;
    struct leat_make m;

    (void)state;
    leat_text_init(&t, 1000);
    leat_text_init(&out, 1000);
    leat_make_init(&m, &t);
    leat_make_open(&m, 8);
    leat_make_varint(&m, 1, 9); /* zigzag: -5 */
    leat_make_close(&m);
    assert_true(leat_point_read(LEAT_METRIC_EXPONENTIAL, leat_text_bytes(&t), &room, &p));
    assert_int_equal(p.positive.offset, -5);
    assert_int_equal(p.positive.ncounts, 0);
    leat_make_init(&m, &out);
    leat_point_write(&m, 1, &p, true);
    assert_true(leat_point_read(LEAT_METRIC_EXPONENTIAL, leat_otlp_get(leat_text_bytes(&out), 1),
                                &second, &p));
    assert_int_equal(p.positive.offset, -5);
    leat_point_room_done(&room);
    leat_point_room_done(&second);
    leat_text_done(&t);
    leat_text_done(&out);
}

static void test_bounded(void **state)
{
    struct leat_point_room room = {.words = NULL};
    struct leat_point p;
    struct leat_text t;
    struct leat_make m;

    (void)state;
    leat_text_init(&t, 1 << 20);
    leat_make_init(&m, &t);
    for (size_t i = 0; i < LEAT_POINT_BUCKETS; i++)
        leat_make_fixed64(&m, 6, i);
    assert_true(leat_point_read(LEAT_METRIC_HISTOGRAM, leat_text_bytes(&t), &room, &p));
    assert_int_equal(p.ncounts, LEAT_POINT_BUCKETS);
    assert_int_equal(p.counts[LEAT_POINT_BUCKETS - 1], LEAT_POINT_BUCKETS - 1);
    leat_make_fixed64(&m, 6, 1);
    assert_false(leat_point_read(LEAT_METRIC_HISTOGRAM, leat_text_bytes(&t), &room, &p));
    assert_true(room.too_many);
    leat_point_room_done(&room);
    leat_text_clear(&t);
    leat_make_fixed64(&m, 6, 1);
    leat_mem_fail_at(1);
    assert_false(leat_point_read(LEAT_METRIC_HISTOGRAM, leat_text_bytes(&t), &room, &p));
    leat_mem_fail_at(0);
    assert_false(room.too_many);
    assert_true(leat_point_read(LEAT_METRIC_HISTOGRAM, leat_text_bytes(&t), &room, &p));
    leat_point_room_done(&room);
    leat_text_done(&t);
}

/* A metric whose oneof is there twice: its points are of two types, and the walk says when. */
static void test_two_kinds_in_one_metric(void **state)
{
    static const enum leat_metric_type kinds[] = {LEAT_METRIC_GAUGE, LEAT_METRIC_SUMMARY};
    struct leat_point_room room = {.words = NULL};
    struct leat_otlp_walk w;
    struct leat_text t;
    struct leat_make m;
    uint32_t number = 0, n = 0;

    (void)state;
    leat_text_init(&t, 1000);
    leat_make_init(&m, &t);
    for (int level = 0; level < 3; level++)
        leat_make_open(&m, level == 0 ? 1 : 2);
    for (int i = 0; i < 2; i++) {
        leat_make_open(&m, kinds[i]);
        leat_make_open(&m, 1);
        if (i == 0)
            leat_make_fixed64(&m, 6, 1);
        leat_make_close(&m);
        leat_make_close(&m);
    }
    for (int level = 0; level < 3; level++)
        leat_make_close(&m);
    leat_otlp_walk_init(&w, LEAT_METRICS, leat_text_bytes(&t));
    for (; leat_otlp_walk_next(&w); n++) {
        struct leat_point p;
        assert_int_not_equal(w.metric_number, number);
        number = w.metric_number;
        assert_int_equal(leat_metric_head(&w).type, kinds[n]);
        assert_true(leat_point_read(kinds[n], w.record, &room, &p));
    }
    assert_int_equal(n, 2);
    leat_point_room_done(&room);
    leat_text_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_requests),
        cmocka_unit_test(test_last_one_counts),
        cmocka_unit_test(test_offset_alone),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_two_kinds_in_one_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
