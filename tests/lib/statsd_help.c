/* A StatsD table for tests. */
#include "lib/statsd_help.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "proto/otlp_view.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest request;
typedef Opentelemetry__Proto__Metrics__V1__Metric metric;
typedef Opentelemetry__Proto__Common__V1__KeyValue key_value;

struct leat_statsd_mapping_conf *statsd_map(struct statsd_rig *r, int type, int observer)
{
    struct leat_items *list = &r->conf.timer_histogram_mapping;
    struct leat_statsd_mapping_conf *m = &r->mapping[list->count];

    LEAT_CHECK(list->count < sizeof r->mapping / sizeof *r->mapping);
    r->conf.has_timer_histogram_mapping = true;
    list->items = r->mapping;
    list->count++;
    m->statsd_type = type;
    m->observer_type = observer;
    return m;
}

void statsd_open(struct statsd_rig *r)
{
    struct leat_err err = {""};

    r->now = STATSD_NOW;
    r->rules = leat_statsd_rules_new(&r->conf, &err);
    if (r->rules == NULL)
        fprintf(stderr, "%s\n", err.text);
    LEAT_CHECK(r->rules != NULL);
    r->t = leat_statsd_table_new(r->rules, NULL, STATSD_NOW - 1000);
}

struct leat_statsd_table *statsd_more(struct statsd_rig *r)
{
    return leat_statsd_table_new(r->rules, NULL, STATSD_NOW - 1000);
}

void statsd_done(struct statsd_rig *r)
{
    leat_statsd_table_free(r->t);
    leat_statsd_rules_free(r->rules);
    free(r->text);
    memset(r, 0, sizeof *r);
}

/* From a block of its own size, so that a byte too many is seen. */
void statsd_feed_to(struct statsd_rig *r, struct leat_statsd_table *t, uint8_t client,
                    const char *text)
{
    struct leat_statsd_source from = {.client = {[15] = client}, .now = r->now};
    size_t len = strlen(text);
    char *copy = malloc(len != 0 ? len : 1);

    LEAT_CHECK(copy != NULL);
    memcpy(copy, text, len);
    leat_statsd_table_feed(t, &from, leat_bytes(copy, len));
    free(copy);
}

void statsd_feed(struct statsd_rig *r, const char *text)
{
    statsd_feed_to(r, r->t, 0, text);
}

/* --- as text */

static void put_attrs(struct leat_text *out, key_value *const *list, size_t n)
{
    leat_text_str(out, " {");
    for (size_t i = 0; i < n; i++) {
        const Opentelemetry__Proto__Common__V1__AnyValue *v = list[i]->value;
        leat_text_printf(out, "%s%s=", i == 0 ? "" : ",", list[i]->key);
        if (v->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE)
            leat_text_str(out, v->string_value);
        else
            leat_text_str(out, v->bool_value ? "true" : "false");
    }
    leat_text_char(out, '}');
}

static void put_times(struct leat_text *out, bool has_start, uint64_t start, uint64_t time)
{
    if (has_start)
        leat_text_printf(out, " %+" PRId64, (int64_t)start - STATSD_NOW);
    if (has_start || (int64_t)time != STATSD_NOW)
        leat_text_printf(out, "..%" PRId64, (int64_t)time - STATSD_NOW);
}

static void put_numbers(struct leat_text *out, const char *name, const char *kind,
                        Opentelemetry__Proto__Metrics__V1__NumberDataPoint *const *points, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        leat_text_printf(out, "%s %s ", name, kind);
        if (points[i]->value_case ==
            OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT)
            leat_text_printf(out, "%" PRId64, (int64_t)points[i]->as_int);
        else
            leat_text_printf(out, "%.17g", points[i]->as_double);
        put_times(out, points[i]->has_start_time_unix_nano, points[i]->start_time_unix_nano,
                  points[i]->time_unix_nano);
        put_attrs(out, points[i]->attributes, points[i]->n_attributes);
        leat_text_char(out, '\n');
    }
}

static void put_histogram(struct leat_text *out, const char *name,
                          const Opentelemetry__Proto__Metrics__V1__HistogramDataPoint *p)
{
    leat_text_printf(out, "%s histogram %" PRIu64 " sum %.17g", name, p->count, p->sum);
    for (size_t i = 0; i < p->n_bucket_counts; i++)
        leat_text_printf(out, " %" PRIu64, p->bucket_counts[i]);
    leat_text_printf(out, " low %.17g high %.17g", p->min, p->max);
    put_attrs(out, p->attributes, p->n_attributes);
    leat_text_char(out, '\n');
}

static void
put_side(struct leat_text *out, char sign,
         const Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint__Buckets *b)
{
    if (b == NULL)
        return;
    leat_text_printf(out, " %c%d:", sign, b->offset);
    for (size_t i = 0; i < b->n_bucket_counts; i++)
        leat_text_printf(out, "%s%" PRIu64, i == 0 ? "" : ",", b->bucket_counts[i]);
}

static void
put_exponential(struct leat_text *out, const char *name,
                const Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint *p)
{
    leat_text_printf(out, "%s exponential %" PRIu64 " sum %.17g scale %d zero %" PRIu64, name,
                     p->count, p->sum, p->scale, p->zero_count);
    put_side(out, '+', p->positive);
    put_side(out, '-', p->negative);
    leat_text_printf(out, " low %.17g high %.17g", p->min, p->max);
    put_attrs(out, p->attributes, p->n_attributes);
    leat_text_char(out, '\n');
}

static void put_summary(struct leat_text *out, const char *name,
                        const Opentelemetry__Proto__Metrics__V1__SummaryDataPoint *p)
{
    leat_text_printf(out, "%s summary %" PRIu64 " sum %.17g", name, p->count, p->sum);
    for (size_t i = 0; i < p->n_quantile_values; i++)
        leat_text_printf(out, " %.6g:%.17g", p->quantile_values[i]->quantile,
                         p->quantile_values[i]->value);
    put_attrs(out, p->attributes, p->n_attributes);
    leat_text_char(out, '\n');
}

static void put_metric(struct leat_text *out, const char *name, const metric *m)
{
    switch (m->data_case) {
    case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM:
        LEAT_CHECK(m->sum->aggregation_temporality == 1);
        put_numbers(out, name, m->sum->is_monotonic ? "rising" : "sum", m->sum->data_points,
                    m->sum->n_data_points);
        return;
    case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE:
        put_numbers(out, name, "gauge", m->gauge->data_points, m->gauge->n_data_points);
        return;
    case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM:
        LEAT_CHECK(m->histogram->aggregation_temporality == 1);
        for (size_t i = 0; i < m->histogram->n_data_points; i++)
            put_histogram(out, name, m->histogram->data_points[i]);
        return;
    case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
        LEAT_CHECK(m->exponential_histogram->aggregation_temporality == 1);
        for (size_t i = 0; i < m->exponential_histogram->n_data_points; i++)
            put_exponential(out, name, m->exponential_histogram->data_points[i]);
        return;
    default:
        LEAT_CHECK(m->data_case == OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUMMARY);
        for (size_t i = 0; i < m->summary->n_data_points; i++)
            put_summary(out, name, m->summary->data_points[i]);
    }
}

static void put_request(struct leat_text *out, const struct leat_statsd_chunk *chunk,
                        const request *req)
{
    char name[4096];

    LEAT_CHECK(req->n_resource_metrics == 1 && req->resource_metrics[0]->n_scope_metrics == 1);
    LEAT_CHECK(strcmp(req->resource_metrics[0]->scope_metrics[0]->scope->name, LEAT_STATSD_SCOPE) ==
               0);
    for (size_t i = 0; i < req->resource_metrics[0]->scope_metrics[0]->n_metrics; i++) {
        const metric *m = req->resource_metrics[0]->scope_metrics[0]->metrics[i];
        if (chunk->client[15] != 0)
            snprintf(name, sizeof name, "%u@%s", chunk->client[15], m->name);
        else
            snprintf(name, sizeof name, "%s", m->name);
        put_metric(out, name, m);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted; a new text. */
static char *sorted(char *text)
{
    size_t lines = 0, n = 0, len = strlen(text);
    char **list, *out = malloc(len + 1), *to = out;

    for (const char *p = text; *p != '\0'; p++)
        lines += *p == '\n';
    list = malloc((lines + 1) * sizeof *list);
    LEAT_CHECK(list != NULL && out != NULL);
    for (char *p = text, *end; (end = strchr(p, '\n')) != NULL; p = end + 1) {
        *end = '\0';
        list[n++] = p;
    }
    qsort(list, n, sizeof *list, by_text);
    for (size_t i = 0; i < n; i++)
        to += sprintf(to, "%s\n", list[i]);
    *to = '\0';
    free(list);
    return out;
}

const char *statsd_pass(struct statsd_rig *r)
{
    struct leat_buf *out = leat_buf_new(NULL, LEAT_STATSD_CHUNK_MIN);
    struct leat_statsd_chunk chunk;
    struct leat_otlp_count count;
    struct leat_text text;
    const char *why;
    request *req;

    leat_text_init(&text, TEXT_MAX);
    leat_statsd_table_begin(r->t);
    for (;;) {
        out->len = 0;
        leat_statsd_table_encode(r->t, r->now, r->max_points, out, &chunk);
        if (chunk.points == 0)
            break;
        LEAT_CHECK(r->max_points == 0 || chunk.points <= r->max_points);
        LEAT_CHECK(leat_otlp_check(LEAT_METRICS, leat_bytes(out->data, out->len), &count, &why) ==
                   LEAT_OTLP_OK);
        LEAT_CHECK(count.items == chunk.points && count.resources == 1);
        req = opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack(
            NULL, out->len, out->data);
        LEAT_CHECK(req != NULL);
        put_request(&text, &chunk, req);
        opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(
            req, NULL);
    }
    LEAT_CHECK(out->len == 0 && leat_text_ok(&text));
    free(r->text);
    leat_text_char(&text, '\0');
    r->text = sorted(text.data);
    leat_text_done(&text);
    leat_buf_unref(out);
    return r->text;
}

double statsd_sum(const struct statsd_rig *r, const char *name)
{
    double sum = 0;

    for (const char *p = r->text; *p != '\0'; p = strchr(p, '\n') + 1) {
        const char *at = strchr(p, ' ');
        if (strncmp(p, name, strlen(name)) == 0)
            sum += strtod(strchr(at + 1, ' '), NULL);
    }
    return sum;
}
