/* What is kept of the samples of a timer, histogram, distribution or set until they are sent: one
 * observer per series, of a kind that the settings choose.
 *
 * A sample that was taken at a rate stands for a weight of 1 / rate, which may be a fraction.
 * Counts are whole numbers: what is left over from one sample goes to the next, so that all counts
 * together are off by a half at most. Sums and percentiles take the weight as it is. */
#ifndef LEAT_RECEIVERS_STATSD_OBSERVE_H
#define LEAT_RECEIVERS_STATSD_OBSERVE_H

#include "proto/otlp_make.h"
#include "receivers/statsd_pool.h"
#include "receivers/statsd_rules.h"

enum leat_statsd_kind {
    LEAT_STATSD_SAMPLES, /* every sample a point of its own */
    LEAT_STATSD_SUMMARY,
    LEAT_STATSD_EXPLICIT,
    LEAT_STATSD_EXPONENTIAL,
    LEAT_STATSD_DISTINCT, /* of a set: how many different values */
    LEAT_STATSD_KINDS
};

/* Samples of a summary that are kept as they are in one interval; of more, neighbours are merged
 * in pairs: percentiles are then off by less than 0.5 % of the rank. */
#define LEAT_STATSD_SUMMARY_SAMPLES 1024
/* Values of a set that are told apart exactly (by 64-bit keyed hashes); more are estimated with
 * 4096 registers, to about 2 %. */
#define LEAT_STATSD_SET_EXACT 1536

/* What the observers of one table share. */
struct leat_statsd_observers {
    struct leat_statsd_pool *pool;
    const struct leat_statsd_rules *rules;
    size_t samples;     /* bytes of samples that are points of their own */
    size_t samples_max; /* of those; set by the table */
    bool samples_full;  /* one was refused since the last pass */
};

/* One sample. */
struct leat_statsd_sample {
    double value, weight;
    uint64_t hash; /* of a set's value, keyed with the process's key */
    int64_t time;  /* ns */
};

/* For a series of this type and name. 0: no memory. */
uint32_t leat_statsd_observe_new(struct leat_statsd_observers *o, unsigned type,
                                 struct leat_bytes name);
void leat_statsd_observe_free(struct leat_statsd_observers *o, uint32_t ref);
/* false: it could not be kept. */
bool leat_statsd_observe_add(struct leat_statsd_observers *o, uint32_t ref,
                             const struct leat_statsd_sample *sample);
enum leat_statsd_kind leat_statsd_observe_kind(const struct leat_statsd_observers *o, uint32_t ref);
/* All that `from` has, which is of the same kind, is added to `into`; what is left of weights stays
 * where it is, for the samples that come there next. How many samples could not be kept. */
uint64_t leat_statsd_observe_merge(struct leat_statsd_observers *into, uint32_t ref,
                                   const struct leat_statsd_observers *from, uint32_t from_ref);
/* Empty again, for the next interval; what is left of weights stays. `rest`: nothing has come for
 * a whole interval, memory that is not needed is given back. */
void leat_statsd_observe_reset(struct leat_statsd_observers *o, uint32_t ref, bool rest);

/* Writing. The field of Metric that the points are in (metrics.proto), and whether it has a
 * temporality. */
uint32_t leat_statsd_observe_field(enum leat_statsd_kind kind);
/* The number of the attributes in the kind's data point. */
uint32_t leat_statsd_observe_attrs(enum leat_statsd_kind kind);
/* The fields of a data point, all but times and attributes. Of LEAT_STATSD_SAMPLES the first that
 * is left: its time is in *ret_time. */
void leat_statsd_observe_write(const struct leat_statsd_observers *o, uint32_t ref, unsigned type,
                               struct leat_make *m, int64_t *ret_time);
/* LEAT_STATSD_SAMPLES: how many are left; the first of them is done with. */
uint32_t leat_statsd_samples_left(const struct leat_statsd_observers *o, uint32_t ref);
void leat_statsd_samples_pop(struct leat_statsd_observers *o, uint32_t ref);

/* How many whole samples a weight stands for, with what was left over before. */
static inline uint64_t leat_statsd_whole(double weight, double *left)
{
    double sum = weight + *left;
    uint64_t n = sum > 0 ? (uint64_t)(sum + 0.5) : 0;

    *left = sum - (double)n;
    return n;
}

#endif
