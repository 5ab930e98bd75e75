/* Observer "histogram": exponential, as fine as its number of buckets lets it be.
 *
 * Source: OpenTelemetry metrics data model, "ExponentialHistogram": bucket i holds what is above
 * base^i and up to base^(i+1), base = 2^(2^-scale). */
#include <math.h>

#include "proto/wire.h"
#include "receivers/statsd_kinds.h"

#define SCALE_MAX  20
#define SIDE_FIRST 4 /* buckets; at the coarsest scale every double fits into so many */

/* The buckets of the values above zero, or of those below. */
struct side {
    uint32_t counts; /* reference; 0: none */
    uint32_t room, len;
    int32_t start; /* index of the first */
};

struct expo {
    uint32_t kind;
    uint32_t max_size;
    int32_t scale;
    uint64_t count, zero;
    double sum, low, high, left;
    struct side sides[2];
};

static struct expo *expo(const struct leat_statsd_observers *o, uint32_t ref)
{
    return leat_statsd_at(o->pool, ref);
}

static uint64_t *counts(const struct leat_statsd_observers *o, const struct side *s)
{
    return leat_statsd_at(o->pool, s->counts);
}

static bool set_room(struct leat_statsd_observers *o, struct side *s, uint32_t room)
{
    uint32_t ref = leat_statsd_pool_take(o->pool, room * sizeof(uint64_t));

    if (ref == 0)
        return false;
    if (s->counts != 0) {
        memcpy(leat_statsd_at(o->pool, ref), counts(o, s), s->len * sizeof(uint64_t));
        leat_statsd_pool_give(o->pool, s->counts, s->room * sizeof(uint64_t));
    }
    s->counts = ref;
    s->room = room;
    return true;
}

static void free_sides(struct leat_statsd_observers *o, struct expo *x)
{
    for (size_t i = 0; i < 2; i++) {
        if (x->sides[i].counts != 0)
            leat_statsd_pool_give(o->pool, x->sides[i].counts, x->sides[i].room * sizeof(uint64_t));
        x->sides[i] = (struct side){.counts = 0};
    }
}

/* With the least of room on both sides: whatever comes can be put somewhere. */
static bool open_sides(struct leat_statsd_observers *o, struct expo *x)
{
    uint32_t room = x->max_size < SIDE_FIRST ? x->max_size : SIDE_FIRST;

    return set_room(o, &x->sides[0], room) && set_room(o, &x->sides[1], room);
}

static uint32_t open_expo(struct leat_statsd_observers *o, const struct leat_statsd_rule *rule,
                          const struct leat_statsd_bounds *bounds)
{
    uint32_t ref = leat_statsd_pool_take(o->pool, sizeof(struct expo));

    (void)bounds;
    if (ref == 0)
        return 0;
    *expo(o, ref) = (struct expo){
        .kind = LEAT_STATSD_EXPONENTIAL, .max_size = rule->max_size, .scale = SCALE_MAX};
    if (open_sides(o, expo(o, ref)))
        return ref;
    free_sides(o, expo(o, ref));
    leat_statsd_pool_give(o->pool, ref, sizeof(struct expo));
    return 0;
}

static void close_expo(struct leat_statsd_observers *o, uint32_t ref)
{
    free_sides(o, expo(o, ref));
    leat_statsd_pool_give(o->pool, ref, sizeof(struct expo));
}

static void reset(struct leat_statsd_observers *o, uint32_t ref, bool rest)
{
    struct expo *x = expo(o, ref);

    x->scale = SCALE_MAX;
    x->count = x->zero = 0;
    x->sum = x->low = x->high = 0;
    for (size_t i = 0; i < 2; i++) {
        x->sides[i].len = 0;
        if (rest && x->sides[i].room > SIDE_FIRST)
            set_room(o, &x->sides[i], SIDE_FIRST);
    }
}

/* The bucket of a value above zero. Powers of two are the last of their bucket at every scale. */
static int32_t index_of(double value, int32_t scale)
{
    int exponent;
    double part = frexp(value, &exponent); /* 0.5 to 1 */
    int32_t below, inside, most;

    if (part == 0.5)
        return scale > 0 ? ((exponent - 1) * (1 << scale)) - 1 : (exponent - 2) >> -scale;
    if (scale <= 0)
        return (exponent - 1) >> -scale;
    below = (exponent - 1) * (1 << scale);
    most = (1 << scale) - 1;
    inside = (int32_t)floor(ldexp(log2(2 * part), scale));
    return below + (inside > most ? most : inside);
}

/* Half as fine, `steps` times. Buckets become one with their neighbours. */
static void coarsen_side(struct leat_statsd_observers *o, struct side *s, int32_t steps)
{
    int32_t start = s->start >> steps;
    uint64_t *list = counts(o, s);

    if (s->len == 0)
        return;
    for (uint32_t i = 0; i < s->len; i++) {
        int64_t to = (((int64_t)s->start + i) >> steps) - start;
        uint64_t n = list[i];
        list[i] = 0;
        list[to] += n;
    }
    s->len = (uint32_t)((((int64_t)s->start + s->len - 1) >> steps) - start) + 1;
    s->start = start;
}

static void coarsen(struct leat_statsd_observers *o, struct expo *x, int32_t steps)
{
    coarsen_side(o, &x->sides[0], steps);
    coarsen_side(o, &x->sides[1], steps);
    x->scale -= steps;
}

/* How many steps coarser the scale must be, for `room` buckets to reach from `low` to `high`. */
static int32_t steps_for(int64_t low, int64_t high, uint32_t room)
{
    int32_t steps = 0;

    while ((high >> steps) - (low >> steps) >= room)
        steps++;
    return steps;
}

/* Makes the side reach from `low` to `high`, for which there is room. */
static void reach(struct leat_statsd_observers *o, struct side *s, int32_t low, int32_t high)
{
    uint32_t len = (uint32_t)(high - low) + 1,
             before = s->len != 0 ? (uint32_t)(s->start - low) : 0;
    uint64_t *list = counts(o, s);

    memmove(list + before, list, s->len * sizeof *list);
    memset(list, 0, before * sizeof *list);
    memset(list + before + s->len, 0, (len - before - s->len) * sizeof *list);
    s->start = low;
    s->len = len;
}

/* `n` more at `index`, which is of the histogram's scale. It may become coarser. */
static void insert(struct leat_statsd_observers *o, struct expo *x, struct side *s, int32_t index,
                   uint64_t n)
{
    int64_t low = s->len != 0 && s->start < index ? s->start : index;
    int64_t high = s->len != 0 && (int64_t)s->start + s->len - 1 > index
                       ? (int64_t)s->start + s->len - 1
                       : index;
    int32_t steps = steps_for(low, high, x->max_size);

    if ((high >> steps) - (low >> steps) >= s->room) {
        uint32_t want = s->room;
        while ((high >> steps) - (low >> steps) >= want)
            want *= 2;
        if (!set_room(o, s, want < x->max_size ? want : x->max_size))
            steps = steps_for(low, high, s->room);
    }
    if (steps > 0)
        coarsen(o, x, steps);
    if (s->len == 0 || (low >> steps) < s->start ||
        (high >> steps) > (int64_t)s->start + s->len - 1)
        reach(o, s, (int32_t)(low >> steps), (int32_t)(high >> steps));
    counts(o, s)[(index >> steps) - s->start] += n;
}

static void widen(struct expo *x, double low, double high)
{
    if (x->count == 0 || low < x->low)
        x->low = low;
    if (x->count == 0 || high > x->high)
        x->high = high;
}

static bool add(struct leat_statsd_observers *o, uint32_t ref,
                const struct leat_statsd_sample *sample)
{
    struct expo *x = expo(o, ref);
    uint64_t n = leat_statsd_whole(sample->weight, &x->left);
    double value = sample->value;

    widen(x, value, value);
    x->sum += value * sample->weight;
    x->count += n;
    if (value == 0)
        x->zero += n;
    else
        insert(o, x, &x->sides[value < 0], index_of(fabs(value), x->scale), n);
    return true;
}

static uint64_t merge(struct leat_statsd_observers *into, uint32_t ref,
                      const struct leat_statsd_observers *from, uint32_t from_ref)
{
    const struct expo *y = expo(from, from_ref);
    struct expo *x = expo(into, ref);

    if (y->count != 0)
        widen(x, y->low, y->high);
    x->count += y->count;
    x->zero += y->zero;
    x->sum += y->sum;
    if (x->scale > y->scale)
        coarsen(into, x, x->scale - y->scale);
    for (size_t i = 0; i < 2; i++) {
        const struct side *s = &y->sides[i];
        for (uint32_t k = 0; k < s->len; k++) {
            uint64_t n = counts(from, s)[k];
            if (n != 0)
                insert(into, x, &x->sides[i], (s->start + (int32_t)k) >> (y->scale - x->scale), n);
        }
    }
    return 0;
}

static uint64_t zigzag(int32_t v)
{
    return (uint32_t)v << 1 ^ (uint32_t) - (v < 0);
}

/* Buckets: offset = 1, bucket_counts = 2 (packed varints). */
static void write_side(const struct leat_statsd_observers *o, const struct side *s,
                       struct leat_make *m, uint32_t field)
{
    uint8_t packed[LEAT_STATSD_EXPO_SIZE * 10], *to = packed;

    if (s->len == 0)
        return;
    for (uint32_t i = 0; i < s->len; i++)
        to = leat_wire_put_varint(to, counts(o, s)[i]);
    leat_make_open(m, field);
    leat_make_varint(m, 1, zigzag(s->start));
    leat_make_bytes(m, 2, leat_bytes(packed, (size_t)(to - packed)));
    leat_make_close(m);
}

/* ExponentialHistogramDataPoint: count = 4, sum = 5, scale = 6, zero_count = 7, positive = 8,
 * negative = 9, min = 12, max = 13. */
static void write(const struct leat_statsd_observers *o, uint32_t ref,
                  const struct leat_statsd_rule *rule, struct leat_make *m, int64_t *ret_time)
{
    const struct expo *x = expo(o, ref);

    (void)rule;
    (void)ret_time;
    leat_make_fixed64(m, 4, x->count);
    leat_make_double(m, 5, x->sum);
    leat_make_varint(m, 6, zigzag(x->scale));
    leat_make_fixed64(m, 7, x->zero);
    write_side(o, &x->sides[0], m, 8);
    write_side(o, &x->sides[1], m, 9);
    if (x->count != 0) {
        leat_make_double(m, 12, x->low);
        leat_make_double(m, 13, x->high);
    }
}

const struct leat_statsd_observer_kind leat_statsd_exponential = {
    .metric_field = 10,
    .attrs_field = 1,
    .open = open_expo,
    .close = close_expo,
    .add = add,
    .merge = merge,
    .reset = reset,
    .write = write,
};
