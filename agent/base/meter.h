/* The program's own metrics. Each worker has a meter of its own and is its only writer, so counting
 * costs one plain load and store; whoever scrapes sums the meters of all workers, name by name and
 * label by label. */
#ifndef LEAT_BASE_METER_H
#define LEAT_BASE_METER_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/text.h"

#define LEAT_METER_LABELS 6

struct leat_meter;

struct leat_label {
    const char *name, *value;
};

/* What identifies an instrument. All strings are copied; the order of the labels does not matter. A
 * second call with the same name and labels gives the same instrument back, and must ask for the
 * same kind. A meter holds at most 20,000; beyond that the caller gets one that counts into nothing
 * and leat_meter_refused_series goes up. */
struct leat_metric {
    const char *name;                            /* "otelcol_exporter_sent_spans" */
    const char *help;                            /* one sentence */
    struct leat_label labels[LEAT_METER_LABELS]; /* ends at the first NULL name */
};

struct leat_counter {
    _Atomic uint64_t value;
};
struct leat_gauge {
    _Atomic int64_t value;
};
struct leat_histogram;

struct leat_meter *leat_meter_new(void);
void leat_meter_free(struct leat_meter *m); /* takes NULL */
struct leat_counter *leat_meter_counter(struct leat_meter *m, const struct leat_metric *id);
struct leat_gauge *leat_meter_gauge(struct leat_meter *m, const struct leat_metric *id);
/* `bounds` ascending, at most 32, copied. */
struct leat_histogram *leat_meter_histogram(struct leat_meter *m, const struct leat_metric *id,
                                            const double *bounds, uint32_t nbounds);
/* A value that is read when somebody scrapes, on the scraper's thread: `read` may only look at
 * atomics. Asked for again with the same name and labels it reads from the new place; with `read`
 * NULL the series is gone, and after the call nobody reads from the old place any more: whoever
 * owns `arg` does that before it ends. */
void leat_meter_probe(struct leat_meter *m, const struct leat_metric *id, int is_counter,
                      double (*read)(void *arg), void *arg);

/* By the meter's own worker only. */
static inline void leat_count(struct leat_counter *c, uint64_t n)
{
    uint64_t v = atomic_load_explicit(&c->value, memory_order_relaxed);
    atomic_store_explicit(&c->value, v + n, memory_order_relaxed);
}
static inline void leat_gauge_add(struct leat_gauge *g, int64_t n)
{
    int64_t v = atomic_load_explicit(&g->value, memory_order_relaxed);
    atomic_store_explicit(&g->value, v + n, memory_order_relaxed);
}
static inline void leat_gauge_set(struct leat_gauge *g, int64_t n)
{
    atomic_store_explicit(&g->value, n, memory_order_relaxed);
}
void leat_histogram_add(struct leat_histogram *h, double value);

static inline int64_t leat_gauge_get(const struct leat_gauge *g)
{
    return atomic_load_explicit(&g->value, memory_order_relaxed);
}
static inline uint64_t leat_counter_get(const struct leat_counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

/* Prometheus text format 0.0.4 of the sum over `n` meters, families sorted by name, under the exact
 * names given. What is not UTF-8 in a label's value is replaced, because a scraper would refuse the
 * whole page. No memory: `out` has failed. */
void leat_meter_render(struct leat_meter *const *meters, size_t n, struct leat_text *out);
/* Visits every series of the sum (histograms: their _sum and _count): for status pages and JSON. */
void leat_meter_visit(struct leat_meter *const *meters, size_t n,
                      void (*visit)(void *arg, const struct leat_metric *id, double value),
                      void *arg);

#endif
