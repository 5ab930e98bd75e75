/* Pieces of the naive mapping, shared by its files only. */
#ifndef LEAT_TESTS_PROM_NAIVE_PLACE_H
#define LEAT_TESTS_PROM_NAIVE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "lib/prom_naive.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"

#define BYTES ((size_t)64 << 20)

typedef Opentelemetry__Proto__Metrics__V1__ResourceMetrics resource_metrics;
typedef Opentelemetry__Proto__Metrics__V1__ScopeMetrics scope_metrics;
typedef Opentelemetry__Proto__Metrics__V1__Metric metric;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint number_point;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint histogram_point;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint exponential_point;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint__Buckets exponential_side;
typedef Opentelemetry__Proto__Metrics__V1__SummaryDataPoint summary_point;
typedef Opentelemetry__Proto__Metrics__V1__Exemplar exemplar;
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest metrics_request;

/* What is known where the mapping stands. */
struct prom_naive_place {
    const struct leat_prom_feed_conf *conf;
    struct leat_prom_labels *labels;
    struct leat_text *lines, resource, scope, point, name, help, unit;
    uint32_t *dropped;
    const metric *metric;
    const char *type; /* "counter" … */
    bool cumulative, named;
    uint32_t attrs_field;
    int64_t newest; /* ms, of the resource */
    bool any;       /* … has samples */
    /* of the point */
    uint64_t start, time;
    bool stale;
};

/* The beginning of a line: labels with this suffix and extra label; then a value, exemplars, the
 * end. */
void prom_naive_begin_line(struct prom_naive_place *p, const char *suffix, const char *extra,
                           const char *bound);
void prom_naive_add_value(struct prom_naive_place *p, double value);
void prom_naive_add_time(struct prom_naive_place *p);
void prom_naive_end_line(struct prom_naive_place *p);
void prom_naive_line(struct prom_naive_place *p, const char *suffix, double value);
double prom_naive_stale(void);
bool prom_naive_is_gauge(const struct prom_naive_place *p);
/* Digits without an exponent: as few as read back. */
const char *prom_naive_digits(double v, char out[LEAT_PROM_NUMBER]);

/* Those above `low` up to `high`, or all; earlier ones first. */
void prom_naive_add_exemplars(struct prom_naive_place *p, exemplar **list, size_t n, bool all,
                              double low, double high);

enum leat_prom_drop prom_naive_exponential(struct prom_naive_place *p, const exponential_point *e);
void prom_naive_custom(struct prom_naive_place *p, const histogram_point *h, size_t bounds);

#endif
