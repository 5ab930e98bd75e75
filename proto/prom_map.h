/* What a data point of OTLP means in Prometheus: the samples it becomes, one after the other.
 *
 * Behaves as the collector's prometheusremotewrite translator does (v0.159), except where a comment
 * says "Leat". Names and labels are prom_name.h and prom_labels.h. */
#ifndef LEAT_PROTO_PROM_MAP_H
#define LEAT_PROTO_PROM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "proto/metric_point.h"
#include "proto/prom_native.h"

struct leat_prom_map_conf {
    bool custom_buckets; /* convert_explicit_histograms_to_nhcb */
    bool keep_classic;   /* keep_classic_histograms: with those, the classic series as well */
};

/* Why a point is not sent. */
enum leat_prom_drop {
    LEAT_PROM_KEPT,
    LEAT_PROM_DROP_TEMPORALITY, /* a sum or histogram that is not cumulative */
    LEAT_PROM_DROP_SCALE,       /* an exponential histogram with a scale below -4 */
    LEAT_PROM_DROP_INDEX,       /* … with buckets beyond what an int32_t counts */
    LEAT_PROM_DROP_BOUNDS,      /* Leat: a histogram whose bounds do not increase: two of its series
                                 * would be one */
    LEAT_PROM_DROP_QUANTILES,   /* Leat: a summary that has a quantile twice */
    LEAT_PROM_DROP_LARGE,       /* more than LEAT_POINT_BUCKETS */
    LEAT_PROM_DROP_NAME,        /* the metric's name has no character that is allowed */
    LEAT_PROM_DROP_LABEL,       /* leat_prom_labels: LEAT_PROM_LABELS_NAME */
    LEAT_PROM_DROP_LABELS,      /* … LEAT_PROM_LABELS_TOO_MANY */
    LEAT_PROM_DROPS,
    LEAT_PROM_NO_MEMORY = LEAT_PROM_DROPS, /* not dropped: try again */
};
/* In words, for logs and the counter's label: "temporality", "scale" … */
const char *leat_prom_drop_text(enum leat_prom_drop why);

/* The metric's type in metadata, by its number in both messages. */
enum leat_prom_type {
    LEAT_PROM_UNKNOWN,
    LEAT_PROM_COUNTER,
    LEAT_PROM_GAUGE,
    LEAT_PROM_HISTOGRAM,
    LEAT_PROM_SUMMARY = 5,
    LEAT_PROM_INFO,
};
enum leat_prom_type leat_prom_type_of(const struct leat_metric_head *head);

/* Which series of its point a sample belongs to: the same number means the same suffix and the same
 * extra label, whatever else the point says. All others are buckets and quantiles. */
enum leat_prom_part {
    LEAT_PROM_VALUE, /* gauge, counter, native histogram, target_info */
    LEAT_PROM_SUM,
    LEAT_PROM_COUNT,
    LEAT_PROM_NAN, /* the quantile that is not a number */
};

struct leat_prom_sample {
    uint64_t part;      /* enum leat_prom_part */
    const char *suffix; /* behind the metric's name: "", "_bucket", "_sum", "_count" */
    const char *extra;  /* "le", "quantile", or NULL */
    double bound;       /* the value of `extra`: leat_prom_add_number() */
    int64_t time;       /* Unix ms */
    int64_t created;    /* Unix ms; 0: not known, or not before `time` */
    double value;
    const struct leat_prom_native *native; /* if not NULL: this instead of `value` */
    const struct leat_exemplar *exemplars; /* in the order of their times */
    uint32_t nexemplars;
};

/* The stale marker: the one NaN that ends a series. */
double leat_prom_stale(void);

/* Appends a bound in the notation of labels: the fewest digits that read back as it, no exponent
 * (0.0000001, 1000000000000000000000, "+Inf"). */
#define LEAT_PROM_NUMBER 352 /* bytes are enough */
void leat_prom_add_number(struct leat_text *t, double v);

#define LEAT_PROM_EXEMPLARS 1024 /* of one point; those beyond are left out */

/* A point on its way. Zero before first use; keeps its memory from point to point. */
struct leat_prom_map {
    uint64_t exemplars_dropped; /* counts up: beyond the limit */
    /* private */
    const struct leat_point *point;
    uint8_t stage;
    bool classic, stale;
    uint32_t next;         /* bucket or quantile */
    uint64_t below;        /* counted in the buckets so far */
    int64_t time, created; /* ms */
    struct leat_prom_native_room room;
    struct leat_prom_native native;
    struct leat_exemplar *exemplars;
    uint32_t nexemplars, exemplars_cap, next_exemplar;
};
void leat_prom_map_done(struct leat_prom_map *m);

/* Begins with a point. Other than KEPT: it makes no samples. `p` and what it points to must stay
 * until the last sample was taken. */
enum leat_prom_drop leat_prom_map_begin(struct leat_prom_map *m,
                                        const struct leat_prom_map_conf *conf,
                                        const struct leat_metric_head *head,
                                        const struct leat_point *p);

/* The next sample of the point; false: there is none. What it points to stays until the next
 * call. */
bool leat_prom_map_next(struct leat_prom_map *m, struct leat_prom_sample *ret);

/* No more samples of this point. */
static inline void leat_prom_map_stop(struct leat_prom_map *m)
{
    m->stage = 0;
}

/* false: the sample taken last was the last one. */
static inline bool leat_prom_map_more(const struct leat_prom_map *m)
{
    return m->stage != 0;
}

#endif
