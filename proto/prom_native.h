/* Native histograms of Prometheus, made of the histograms of OTLP.
 *
 * Source: prometheus/prompb, types.proto, message Histogram (the same in 1.0 and 2.0). */
#ifndef LEAT_PROTO_PROM_NATIVE_H
#define LEAT_PROTO_PROM_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/metric_point.h"

#define LEAT_PROM_SCHEMA_MIN     (-4)
#define LEAT_PROM_SCHEMA_MAX     8
#define LEAT_PROM_SCHEMA_CUSTOM  (-53)
#define LEAT_PROM_ZERO_THRESHOLD 1e-128 /* where the point does not say */
#define LEAT_PROM_GAP            2      /* so many empty buckets are written, more end a span */

struct leat_prom_span {
    int32_t offset; /* of the first: the bucket's index; else buckets left out before it */
    uint32_t length;
};

/* Buckets of one sign: the counts of all buckets in the spans, each as difference to the one
 * before. */
struct leat_prom_side {
    const struct leat_prom_span *spans;
    const int64_t *deltas;
    uint32_t nspans, ndeltas;
};

struct leat_prom_native {
    uint64_t count, zero_count;
    double sum, zero_threshold;
    int32_t schema;
    struct leat_prom_side positive, negative;
    const double *custom; /* bounds of LEAT_PROM_SCHEMA_CUSTOM */
    uint32_t ncustom;
};

/* Where spans and deltas lie. Zero before first use. */
struct leat_prom_native_room {
    uint64_t *words;
    size_t cap;
};
void leat_prom_native_room_done(struct leat_prom_native_room *room);

enum leat_prom_native_result {
    LEAT_PROM_NATIVE_OK,
    LEAT_PROM_NATIVE_SCALE, /* below LEAT_PROM_SCHEMA_MIN */
    LEAT_PROM_NATIVE_INDEX, /* a bucket's index is no int32_t */
    LEAT_PROM_NATIVE_NO_MEMORY,
};

/* An exponential histogram: finer scales than LEAT_PROM_SCHEMA_MAX are merged. */
enum leat_prom_native_result leat_prom_native_of_exponential(const struct leat_point *p,
                                                             struct leat_prom_native_room *room,
                                                             struct leat_prom_native *ret);
/* The bounds of a histogram without a last one of +Inf, which every histogram has anyway. */
uint32_t leat_prom_finite_bounds(const struct leat_point *p);

/* A histogram, whose bounds increase: as custom buckets. One that has no buckets has all that was
 * counted in the last. */
enum leat_prom_native_result leat_prom_native_of_explicit(const struct leat_point *p,
                                                          struct leat_prom_native_room *room,
                                                          struct leat_prom_native *ret);

#endif
