/* Random requests that are worth mapping. */
#include "lib/prom_naive_place.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

static double some_double(struct otlp_random *r)
{
    static const double some[] = {0, 1, 5, 10, 1e-7, 1e21, 0.5, -3, 2.5};

    return otlp_random_below(r, 4) == 0 ? (double)otlp_random_below(r, 1000) / 7
                                        : some[otlp_random_below(r, sizeof some / sizeof *some)];
}

static void set_text(char **at, const char *text)
{
    if (*at != protobuf_c_empty_string)
        leat_free(*at);
    *at = leat_strdup(text);
}

static void tame_exemplars(struct otlp_random *r, exemplar **list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i]->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_DOUBLE)
            list[i]->as_double = some_double(r);
        list[i]->time_unix_nano = otlp_random_below(r, 3) * UINT64_C(1000000) + 5;
        for (size_t k = 0; k < list[i]->n_filtered_attributes; k++) {
            if (otlp_random_below(r, 3) == 0)
                set_text(&list[i]->filtered_attributes[k]->key, "same");
        }
    }
}

static void tame_histogram(struct otlp_random *r, histogram_point *h)
{
    for (size_t i = 0; i < h->n_explicit_bounds; i++)
        h->explicit_bounds[i] =
            i == 0 ? some_double(r) : h->explicit_bounds[i - 1] + some_double(r) + 3.5;
    if (h->n_explicit_bounds > 0 && otlp_random_below(r, 8) == 0)
        h->explicit_bounds[h->n_explicit_bounds - 1] = INFINITY;
    h->flags = otlp_random_below(r, 8) == 0;
    h->has_flags = 1;
    tame_exemplars(r, h->exemplars, h->n_exemplars);
}

static void widen_side(struct otlp_random *r, exponential_side *s)
{
    size_t n = otlp_random_below(r, 40);

    if (s == NULL)
        return;
    leat_free(s->bucket_counts);
    s->bucket_counts = n == 0 ? NULL : leat_new_array(n, sizeof *s->bucket_counts);
    s->n_bucket_counts = n;
    for (size_t i = 0; i < n; i++)
        s->bucket_counts[i] = otlp_random_below(r, 3) == 0 ? otlp_random_below(r, 1000) : 0;
    if (otlp_random_below(r, 16) != 0)
        s->offset = (int32_t)otlp_random_below(r, 200) - 100;
}

static void tame_exponential(struct otlp_random *r, exponential_point *e)
{
    if (otlp_random_below(r, 8) != 0)
        e->scale = (int32_t)otlp_random_below(r, 18) - 5;
    e->has_scale = 1;
    e->flags = otlp_random_below(r, 8) == 0;
    e->has_flags = 1;
    widen_side(r, e->positive);
    widen_side(r, e->negative);
    tame_exemplars(r, e->exemplars, e->n_exemplars);
}

static void tame_summary(struct otlp_random *r, summary_point *s)
{
    for (size_t i = 0; i < s->n_quantile_values; i++) {
        s->quantile_values[i]->quantile = some_double(r);
        s->quantile_values[i]->has_quantile = 1;
    }
}

static void tame_metric(struct otlp_random *r, metric *m)
{
    unsigned temporality = otlp_random_below(r, 8) == 0 ? otlp_random_below(r, 3) : 2;

    switch ((uint32_t)m->data_case) {
    case 7:
        m->sum->aggregation_temporality = (int)temporality;
        m->sum->has_aggregation_temporality = 1;
        for (size_t i = 0; i < m->sum->n_data_points; i++)
            tame_exemplars(r, m->sum->data_points[i]->exemplars,
                           m->sum->data_points[i]->n_exemplars);
        break;
    case 9:
        m->histogram->aggregation_temporality = (int)temporality;
        m->histogram->has_aggregation_temporality = 1;
        for (size_t i = 0; i < m->histogram->n_data_points; i++)
            tame_histogram(r, m->histogram->data_points[i]);
        break;
    case 10:
        m->exponential_histogram->aggregation_temporality = (int)temporality;
        m->exponential_histogram->has_aggregation_temporality = 1;
        for (size_t i = 0; i < m->exponential_histogram->n_data_points; i++)
            tame_exponential(r, m->exponential_histogram->data_points[i]);
        break;
    case 11:
        for (size_t i = 0; i < m->summary->n_data_points; i++)
            tame_summary(r, m->summary->data_points[i]);
        break;
    default:
        break;
    }
}

/* Some resources say who they are, so that there are job, instance and target_info. */
static void name_resource(struct otlp_random *r, resource_metrics *rm)
{
    static const char *const keys[] = {"service.name", "service.instance.id", "service.namespace"};

    for (size_t i = 0; rm->resource != NULL && i < rm->resource->n_attributes; i++) {
        if (otlp_random_below(r, 2) == 0)
            set_text(&rm->resource->attributes[i]->key, keys[otlp_random_below(r, 3)]);
    }
}

ProtobufCMessage *prom_naive_request(struct otlp_random *r)
{
    ProtobufCMessage *m = otlp_random_request(r, LEAT_METRICS, 3);
    metrics_request *all = (metrics_request *)m;

    for (size_t i = 0; i < all->n_resource_metrics; i++) {
        resource_metrics *rm = all->resource_metrics[i];
        name_resource(r, rm);
        for (size_t k = 0; k < rm->n_scope_metrics; k++) {
            for (size_t l = 0; l < rm->scope_metrics[k]->n_metrics; l++)
                tame_metric(r, rm->scope_metrics[k]->metrics[l]);
        }
    }
    return m;
}
