/* One data point of a metric, read: what all stages that compute with metrics start from.
 *
 * Source: opentelemetry-proto, metrics.proto. */
#ifndef LEAT_PROTO_METRIC_POINT_H
#define LEAT_PROTO_METRIC_POINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct leat_make;
struct leat_otlp_walk;

/* The field's number in Metric: leat_otlp_walk's data_field. */
enum leat_metric_type {
    LEAT_METRIC_GAUGE = 5,
    LEAT_METRIC_SUM = 7,
    LEAT_METRIC_HISTOGRAM = 9,
    LEAT_METRIC_EXPONENTIAL = 10,
    LEAT_METRIC_SUMMARY = 11,
};

enum leat_temporality { LEAT_TEMPORALITY_NONE, LEAT_DELTA, LEAT_CUMULATIVE };

/* What a Metric says of its points. Everything points into the request. */
struct leat_metric_head {
    struct leat_bytes name, description, unit;
    enum leat_metric_type type;
    enum leat_temporality temporality; /* sums and histograms */
    bool monotonic;                    /* sums */
};
/* Of the record where the walk stands; the same for all records with one walk->metric_number. */
struct leat_metric_head leat_metric_head(const struct leat_otlp_walk *w);

#define LEAT_POINT_BUCKETS     ((size_t)16384) /* bounds, counts or quantiles in one point */
#define LEAT_NO_RECORDED_VALUE 1u              /* in flags */

struct leat_exponential_side {
    int32_t offset;
    const uint64_t *counts;
    uint32_t ncounts;
};

struct leat_quantile {
    double quantile, value;
};

enum leat_number_kind { LEAT_NUMBER_NONE, LEAT_NUMBER_INT, LEAT_NUMBER_DOUBLE };

struct leat_point {
    enum leat_metric_type type;
    struct leat_bytes message;             /* the data point itself */
    uint32_t attrs_field, exemplars_field; /* their numbers in it; exemplars 0: it has none */
    /* The attributes as they stand, tags included, when they stand together (as all SDKs write
     * them); empty when there are none, or `scattered`. */
    struct leat_bytes attrs;
    bool scattered;
    uint64_t start, time; /* Unix ns */
    uint32_t flags;
    /* gauge, sum */
    enum leat_number_kind number;
    int64_t integer; /* of LEAT_NUMBER_INT */
    double value;    /* of both */
    /* histogram, exponential histogram, summary */
    uint64_t count;
    bool has_sum, has_min, has_max;
    double sum, min, max;
    /* histogram */
    const double *bounds;
    const uint64_t *counts;
    uint32_t nbounds, ncounts;
    /* exponential histogram */
    int32_t scale;
    uint64_t zero_count;
    double zero_threshold;
    struct leat_exponential_side positive, negative;
    /* summary */
    const struct leat_quantile *quantiles;
    uint32_t nquantiles;
};

/* Where the arrays of a point lie: until the next point is read into the same room. */
struct leat_point_room {
    uint64_t *words; /* zero before first use */
    size_t cap;
    bool too_many; /* why the last read failed: more than LEAT_POINT_BUCKETS, not for want of memory
                    */
};
void leat_point_room_done(struct leat_point_room *room);

/* Reads a data point of a checked request; `type` is that of the metric it stands in. Of a field
 * that is there twice the last one counts; repeated numbers may be packed or not. False: no memory,
 * or more than LEAT_POINT_BUCKETS. */
bool leat_point_read(enum leat_metric_type type, struct leat_bytes record,
                     struct leat_point_room *room, struct leat_point *ret);

/* Writes the point as sub-message `field`: its numbers from *p, everything else (attributes,
 * exemplars unless `exemplars` is false, unknown fields) as it stands in p->message. */
void leat_point_write(struct leat_make *m, uint32_t field, const struct leat_point *p,
                      bool exemplars);

/* One exemplar of a point. */
struct leat_exemplar {
    struct leat_bytes message; /* its filtered attributes are field 7 */
    uint64_t time;             /* Unix ns */
    double value;
    struct leat_bytes trace_id, span_id; /* 16 and 8 bytes, or empty */
};
struct leat_wire;
/* The next exemplar; `w` begins as leat_wire_of(p->message). False: there is none. */
bool leat_exemplar_next(struct leat_wire *w, const struct leat_point *p, struct leat_exemplar *ret);

#endif
