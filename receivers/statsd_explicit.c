/* Observer "histogram" with explicit buckets. */
#include "receivers/statsd_kinds.h"

struct histogram {
    uint32_t kind;
    const struct leat_statsd_bounds *bounds;
    double sum, low, high, left;
    uint64_t counts[]; /* one more than there are bounds */
};

static struct histogram *histogram(const struct leat_statsd_observers *o, uint32_t ref)
{
    return leat_statsd_at(o->pool, ref);
}

static size_t counts_size(const struct leat_statsd_bounds *b)
{
    return ((size_t)b->count + 1) * sizeof(uint64_t);
}

static uint32_t open_histogram(struct leat_statsd_observers *o, const struct leat_statsd_rule *rule,
                               const struct leat_statsd_bounds *bounds)
{
    size_t counts = counts_size(bounds);
    uint32_t ref = leat_statsd_pool_take(o->pool, sizeof(struct histogram) + counts);

    (void)rule;
    if (ref == 0)
        return 0;
    *histogram(o, ref) = (struct histogram){.kind = LEAT_STATSD_EXPLICIT, .bounds = bounds};
    memset(histogram(o, ref)->counts, 0, counts);
    return ref;
}

static void close_histogram(struct leat_statsd_observers *o, uint32_t ref)
{
    leat_statsd_pool_give(o->pool, ref,
                          sizeof(struct histogram) + counts_size(histogram(o, ref)->bounds));
}

static void reset(struct leat_statsd_observers *o, uint32_t ref, bool rest)
{
    struct histogram *h = histogram(o, ref);

    (void)rest;
    memset(h->counts, 0, counts_size(h->bounds));
    h->sum = h->low = h->high = 0;
}

static uint64_t total(const struct histogram *h)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i <= h->bounds->count; i++)
        n += h->counts[i];
    return n;
}

/* A bucket ends with its bound, inclusive. */
static uint32_t bucket(const struct leat_statsd_bounds *b, double value)
{
    uint32_t low = 0, high = b->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (value <= b->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void widen(struct histogram *h, bool first, double low, double high)
{
    if (first || low < h->low)
        h->low = low;
    if (first || high > h->high)
        h->high = high;
}

static bool add(struct leat_statsd_observers *o, uint32_t ref,
                const struct leat_statsd_sample *sample)
{
    struct histogram *h = histogram(o, ref);

    widen(h, h->low == 0 && h->high == 0 && total(h) == 0, sample->value, sample->value);
    h->counts[bucket(h->bounds, sample->value)] += leat_statsd_whole(sample->weight, &h->left);
    h->sum += sample->value * sample->weight;
    return true;
}

static uint64_t merge(struct leat_statsd_observers *into, uint32_t ref,
                      const struct leat_statsd_observers *from, uint32_t from_ref)
{
    const struct histogram *s = histogram(from, from_ref);
    struct histogram *h = histogram(into, ref);

    if (total(s) != 0)
        widen(h, total(h) == 0, s->low, s->high);
    for (uint32_t i = 0; i <= h->bounds->count; i++)
        h->counts[i] += s->counts[i];
    h->sum += s->sum;
    return 0;
}

/* HistogramDataPoint: count = 4, sum = 5, bucket_counts = 6, explicit_bounds = 7, min = 11,
 * max = 12. */
static void write(const struct leat_statsd_observers *o, uint32_t ref,
                  const struct leat_statsd_rule *rule, struct leat_make *m, int64_t *ret_time)
{
    const struct histogram *h = histogram(o, ref);
    uint64_t n = total(h);

    (void)rule;
    (void)ret_time;
    leat_make_fixed64(m, 4, n);
    leat_make_double(m, 5, h->sum);
    /* packed, little-endian hosts only, as in wire.h */
    leat_make_bytes(m, 6, leat_bytes(h->counts, counts_size(h->bounds)));
    leat_make_bytes(m, 7, leat_bytes(h->bounds->bounds, h->bounds->count * sizeof(double)));
    if (n != 0) {
        leat_make_double(m, 11, h->low);
        leat_make_double(m, 12, h->high);
    }
}

const struct leat_statsd_observer_kind leat_statsd_explicit = {
    .metric_field = 9,
    .attrs_field = 9,
    .open = open_histogram,
    .close = close_histogram,
    .add = add,
    .merge = merge,
    .reset = reset,
    .write = write,
};
