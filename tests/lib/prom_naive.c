/* The mapping of OTLP to Prometheus once more, as simple as can be. */
#include "lib/prom_naive.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "lib/prom_naive_place.h"
#include "lib/prom_read.h"

static void pack(const ProtobufCMessage *m, struct leat_text *out)
{
    leat_text_clear(out);
    if (m != NULL)
        otlp_random_pack(m, out);
}

/* --- histograms and summaries */

static void map_bucket(struct prom_naive_place *p, const histogram_point *h, double low,
                       double high, uint64_t count)
{
    char number[LEAT_PROM_NUMBER];

    prom_naive_begin_line(p, "_bucket", "le", prom_naive_digits(high, number));
    prom_naive_add_value(p, (double)count);
    prom_naive_add_exemplars(p, h->exemplars, h->n_exemplars, false, low, high);
    prom_naive_end_line(p);
}

static void map_classic(struct prom_naive_place *p, const histogram_point *h, size_t bounds)
{
    uint64_t below = 0;
    double low = NAN; /* nothing is less */

    if (h->has_sum || p->stale)
        prom_naive_line(p, "_sum", h->sum);
    prom_naive_line(p, "_count", (double)h->count);
    for (size_t i = 0; i < bounds && i < h->n_bucket_counts; i++) {
        below += h->bucket_counts[i];
        map_bucket(p, h, low, h->explicit_bounds[i], below);
        low = h->explicit_bounds[i];
    }
    map_bucket(p, h, low, INFINITY, h->count);
}

static enum leat_prom_drop map_histogram(struct prom_naive_place *p, const histogram_point *h)
{
    size_t bounds = h->n_explicit_bounds;

    for (size_t i = 0; i < bounds; i++) {
        if (isnan(h->explicit_bounds[i]) ||
            (i > 0 && h->explicit_bounds[i] <= h->explicit_bounds[i - 1]))
            return LEAT_PROM_DROP_BOUNDS;
    }
    if (bounds > 0 && h->explicit_bounds[bounds - 1] == INFINITY)
        bounds--;
    if (p->conf->map.custom_buckets)
        prom_naive_custom(p, h, bounds);
    if (!p->conf->map.custom_buckets || p->conf->map.keep_classic)
        map_classic(p, h, bounds);
    return LEAT_PROM_KEPT;
}

static enum leat_prom_drop map_summary(struct prom_naive_place *p, const summary_point *s)
{
    char one[LEAT_PROM_NUMBER], other[LEAT_PROM_NUMBER];
    uint64_t start = p->start;
    bool sorted = true;

    for (size_t i = 1; i < s->n_quantile_values; i++)
        sorted &= s->quantile_values[i - 1]->quantile < s->quantile_values[i]->quantile;
    if (!sorted && s->n_quantile_values > 128)
        return LEAT_PROM_DROP_QUANTILES;
    for (size_t i = 0; i < s->n_quantile_values; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(prom_naive_digits(s->quantile_values[i]->quantile, one),
                       prom_naive_digits(s->quantile_values[k]->quantile, other)) == 0)
                return LEAT_PROM_DROP_QUANTILES;
        }
    }
    prom_naive_line(p, "_sum", s->sum);
    prom_naive_line(p, "_count", (double)s->count);
    p->start = 0; /* a quantile counts nothing */
    for (size_t i = 0; i < s->n_quantile_values; i++) {
        prom_naive_begin_line(p, "", "quantile",
                              prom_naive_digits(s->quantile_values[i]->quantile, one));
        prom_naive_add_value(p, s->quantile_values[i]->value);
        prom_naive_end_line(p);
    }
    p->start = start;
    return LEAT_PROM_KEPT;
}

static enum leat_prom_drop map_number(struct prom_naive_place *p, const number_point *n)
{
    double v =
        n->value_case == OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT
            ? (double)n->as_int
        : n->value_case == OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE
            ? n->as_double
            : 0;

    prom_naive_begin_line(p, "", "", "");
    prom_naive_add_value(p, v);
    if (!prom_naive_is_gauge(p))
        prom_naive_add_exemplars(p, n->exemplars, n->n_exemplars, true, 0, 0);
    prom_naive_end_line(p);
    return LEAT_PROM_KEPT;
}

/* --- points, metrics, resources */

static enum leat_prom_drop map_point(struct prom_naive_place *p, const ProtobufCMessage *m)
{
    enum leat_prom_labels_result r;
    enum leat_prom_drop why = LEAT_PROM_KEPT;
    size_t len = p->lines->len;
    int64_t newest = p->newest;
    bool any = p->any;

    if (!p->cumulative)
        return LEAT_PROM_DROP_TEMPORALITY;
    pack(m, &p->point);
    r = leat_prom_labels_point(p->labels, leat_text_bytes(&p->point), p->attrs_field);
    switch ((uint32_t)p->metric->data_case) {
    case 9:
        why = map_histogram(p, (const histogram_point *)m);
        break;
    case 10:
        why = prom_naive_exponential(p, (const exponential_point *)m);
        break;
    case 11:
        why = map_summary(p, (const summary_point *)m);
        break;
    default:
        why = map_number(p, (const number_point *)m);
    }
    if (why == LEAT_PROM_KEPT && (!p->named || r != LEAT_PROM_LABELS_OK)) {
        why = !p->named                        ? LEAT_PROM_DROP_NAME
              : r == LEAT_PROM_LABELS_TOO_MANY ? LEAT_PROM_DROP_LABELS
                                               : LEAT_PROM_DROP_LABEL;
        p->lines->len = len;
        p->lines->data[len] = '\0';
        p->newest = newest;
        p->any = any;
    }
    return why;
}

static void map_all(struct prom_naive_place *p, size_t n, void *points)
{
    ProtobufCMessage **list = points;

    for (size_t i = 0; i < n; i++) {
        enum leat_prom_drop why;
        number_point *number = (number_point *)list[i];
        histogram_point *histogram = (histogram_point *)list[i];
        exponential_point *exponential = (exponential_point *)list[i];
        summary_point *summary = (summary_point *)list[i];
        uint32_t flags;
        switch ((uint32_t)p->metric->data_case) {
        case 9:
            p->start = histogram->start_time_unix_nano;
            p->time = histogram->time_unix_nano;
            flags = histogram->flags;
            break;
        case 10:
            p->start = exponential->start_time_unix_nano;
            p->time = exponential->time_unix_nano;
            flags = exponential->flags;
            break;
        case 11:
            p->start = summary->start_time_unix_nano;
            p->time = summary->time_unix_nano;
            flags = summary->flags;
            break;
        default:
            p->start = number->start_time_unix_nano;
            p->time = number->time_unix_nano;
            flags = number->flags;
        }
        p->stale = (flags & 1) != 0;
        why = map_point(p, list[i]);
        if (why != LEAT_PROM_KEPT)
            p->dropped[why]++;
    }
}

static void name_metric(struct prom_naive_place *p, const metric *m, bool monotonic)
{
    const struct leat_prom_metric what = {.name = leat_bytes_str(m->name),
                                          .unit = leat_bytes_str(m->unit),
                                          .gauge = (uint32_t)m->data_case == 5,
                                          .monotonic = monotonic};

    leat_text_clear(&p->name);
    leat_text_clear(&p->help);
    leat_text_clear(&p->unit);
    p->named = leat_prom_name(&p->conf->naming, &what, &p->name);
    if (!p->conf->metadata)
        return;
    leat_prom_add_utf8(&p->help, leat_bytes_str(m->description));
    leat_prom_unit(p->conf->naming.strategy, what.unit, &p->unit);
}

static void map_metric(struct prom_naive_place *p, const metric *m)
{
    bool monotonic = (uint32_t)m->data_case == 7 && m->sum->is_monotonic;

    p->metric = m;
    p->cumulative = true;
    p->type = monotonic ? "counter" : "gauge";
    name_metric(p, m, monotonic);
    switch ((uint32_t)m->data_case) {
    case 5:
        p->attrs_field = 7;
        map_all(p, m->gauge->n_data_points, m->gauge->data_points);
        break;
    case 7:
        p->attrs_field = 7;
        p->cumulative = m->sum->aggregation_temporality == 2;
        map_all(p, m->sum->n_data_points, m->sum->data_points);
        break;
    case 9:
        p->attrs_field = 9;
        p->type = "histogram";
        p->cumulative = m->histogram->aggregation_temporality == 2;
        map_all(p, m->histogram->n_data_points, m->histogram->data_points);
        break;
    case 10:
        p->attrs_field = 1;
        p->type = "histogram";
        p->cumulative = m->exponential_histogram->aggregation_temporality == 2;
        map_all(p, m->exponential_histogram->n_data_points, m->exponential_histogram->data_points);
        break;
    case 11:
        p->attrs_field = 7;
        p->type = "summary";
        map_all(p, m->summary->n_data_points, m->summary->data_points);
        break;
    default:
        break;
    }
}

static void map_info(struct prom_naive_place *p, const resource_metrics *rm)
{
    if (!p->conf->target_info || !p->any || p->newest == 0)
        return;
    pack(rm->resource ? &rm->resource->base : NULL, &p->resource);
    if (leat_prom_labels_info(p->labels, leat_text_bytes(&p->resource)) != LEAT_PROM_LABELS_OK)
        return;
    leat_text_clear(&p->name);
    LEAT_CHECK(leat_prom_info_name(&p->conf->naming, &p->name));
    leat_text_clear(&p->help);
    leat_text_clear(&p->unit);
    leat_text_str(&p->help, p->conf->metadata ? "Target metadata" : "");
    p->type = "gauge";
    p->stale = false;
    p->time = (uint64_t)p->newest * 1000000;
    p->start = 0;
    prom_naive_line(p, "", 1);
}

static void map_resource(struct prom_naive_place *p, const resource_metrics *rm)
{
    p->newest = 0;
    p->any = false;
    for (size_t i = 0; i < rm->n_scope_metrics; i++) {
        const scope_metrics *sm = rm->scope_metrics[i];
        pack(rm->resource ? &rm->resource->base : NULL, &p->resource);
        pack(sm->scope ? &sm->scope->base : NULL, &p->scope);
        leat_prom_labels_resource(p->labels, leat_text_bytes(&p->resource));
        leat_prom_labels_scope(p->labels, leat_text_bytes(&p->scope), leat_bytes(NULL, 0));
        for (size_t k = 0; k < sm->n_metrics; k++)
            map_metric(p, sm->metrics[k]);
    }
    map_info(p, rm);
}

void prom_naive(const struct leat_prom_feed_conf *conf, struct leat_bytes otlp,
                struct leat_text *lines, uint32_t dropped[LEAT_PROM_DROPS])
{
    metrics_request *r = (metrics_request *)otlp_random_unpack(LEAT_METRICS, otlp);
    struct prom_naive_place p = {.conf = conf, .lines = lines, .dropped = dropped};

    LEAT_CHECK(r != NULL);
    p.labels = leat_prom_labels_new(&conf->labels);
    leat_text_init(&p.resource, BYTES);
    leat_text_init(&p.scope, BYTES);
    leat_text_init(&p.point, BYTES);
    leat_text_init(&p.name, BYTES);
    leat_text_init(&p.help, BYTES);
    leat_text_init(&p.unit, BYTES);
    for (size_t i = 0; i < r->n_resource_metrics; i++)
        map_resource(&p, r->resource_metrics[i]);
    leat_text_done(&p.resource);
    leat_text_done(&p.scope);
    leat_text_done(&p.point);
    leat_text_done(&p.name);
    leat_text_done(&p.help);
    leat_text_done(&p.unit);
    leat_prom_labels_free(p.labels);
    otlp_random_free(&r->base);
}
