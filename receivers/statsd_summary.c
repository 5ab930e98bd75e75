/* Observer "summary": percentiles of weighted samples. */
#include <stdlib.h>

#include "receivers/statsd_kinds.h"

#define FIRST_ROOM 8

struct item {
    double value, weight;
};

struct summary {
    uint32_t kind;
    uint32_t items; /* reference; 0: none */
    uint32_t count, room;
    double total, sum; /* of weights; of values by weight */
    double left;       /* of the weights, when the count was made whole */
};

static struct summary *summary(const struct leat_statsd_observers *o, uint32_t ref)
{
    return leat_statsd_at(o->pool, ref);
}

static struct item *items(const struct leat_statsd_observers *o, const struct summary *s)
{
    return leat_statsd_at(o->pool, s->items);
}

/* With room for the first samples, so that there is always a place for one more. */
static uint32_t open_summary(struct leat_statsd_observers *o, const struct leat_statsd_rule *rule,
                             const struct leat_statsd_bounds *bounds)
{
    uint32_t ref = leat_statsd_pool_take(o->pool, sizeof(struct summary)), list;

    (void)rule;
    (void)bounds;
    if (ref == 0)
        return 0;
    list = leat_statsd_pool_take(o->pool, FIRST_ROOM * sizeof(struct item));
    if (list == 0) {
        leat_statsd_pool_give(o->pool, ref, sizeof(struct summary));
        return 0;
    }
    *summary(o, ref) =
        (struct summary){.kind = LEAT_STATSD_SUMMARY, .items = list, .room = FIRST_ROOM};
    return ref;
}

static void close_summary(struct leat_statsd_observers *o, uint32_t ref)
{
    struct summary *s = summary(o, ref);

    leat_statsd_pool_give(o->pool, s->items, s->room * sizeof(struct item));
    leat_statsd_pool_give(o->pool, ref, sizeof *s);
}

static bool set_room(struct leat_statsd_observers *o, struct summary *s, uint32_t room)
{
    uint32_t list = leat_statsd_pool_take(o->pool, room * sizeof(struct item));

    if (list == 0)
        return false;
    memcpy(leat_statsd_at(o->pool, list), items(o, s), s->count * sizeof(struct item));
    leat_statsd_pool_give(o->pool, s->items, s->room * sizeof(struct item));
    s->items = list;
    s->room = room;
    return true;
}

static void reset(struct leat_statsd_observers *o, uint32_t ref, bool rest)
{
    struct summary *s = summary(o, ref);

    s->count = 0;
    leat_statsd_whole(s->total, &s->left); /* what was told, and what is left of it */
    s->total = s->sum = 0;
    if (rest && s->room > FIRST_ROOM)
        set_room(o, s, FIRST_ROOM);
}

static int by_value(const void *a_, const void *b_)
{
    const struct item *a = a_, *b = b_;

    return (a->value > b->value) - (a->value < b->value);
}

/* Half as many: neighbours become one, but for the lowest and the highest. */
static void compress(struct leat_statsd_observers *o, struct summary *s)
{
    struct item *list = items(o, s);
    uint32_t to = 1, from = 1;

    qsort(list, s->count, sizeof *list, by_value);
    for (; from + 2 < s->count; from += 2) {
        double weight = list[from].weight + list[from + 1].weight;
        double share = list[from + 1].weight / weight;
        list[to++] =
            (struct item){list[from].value * (1 - share) + list[from + 1].value * share, weight};
    }
    while (from < s->count)
        list[to++] = list[from++];
    s->count = to;
}

static void insert(struct leat_statsd_observers *o, struct summary *s, double value, double weight)
{
    if (s->count == s->room &&
        (s->room == LEAT_STATSD_SUMMARY_SAMPLES || !set_room(o, s, s->room * 2)))
        compress(o, s);
    items(o, s)[s->count++] = (struct item){value, weight};
    s->total += weight;
    s->sum += value * weight;
}

static bool add(struct leat_statsd_observers *o, uint32_t ref,
                const struct leat_statsd_sample *sample)
{
    insert(o, summary(o, ref), sample->value, sample->weight);
    return true;
}

static uint64_t merge(struct leat_statsd_observers *into, uint32_t ref,
                      const struct leat_statsd_observers *from, uint32_t from_ref)
{
    const struct summary *s = summary(from, from_ref);

    for (uint32_t i = 0; i < s->count; i++)
        insert(into, summary(into, ref), items(from, s)[i].value, items(from, s)[i].weight);
    return 0;
}

/* The lowest value that has so much weight up to it. `list` is sorted. */
static double quantile(const struct summary *s, const struct item *list, double part)
{
    double sum = 0;

    for (uint32_t i = 0; i + 1 < s->count; i++) {
        sum += list[i].weight;
        if (sum >= part * s->total)
            return list[i].value;
    }
    return list[s->count - 1].value;
}

/* SummaryDataPoint: count = 4, sum = 5, quantile_values = 6 {quantile = 1, value = 2}. */
static void write(const struct leat_statsd_observers *o, uint32_t ref,
                  const struct leat_statsd_rule *rule, struct leat_make *m, int64_t *ret_time)
{
    const struct summary *s = summary(o, ref);
    struct item *list = items(o, s);
    double left = s->left;

    (void)ret_time;
    leat_make_fixed64(m, 4, leat_statsd_whole(s->total, &left));
    leat_make_double(m, 5, s->sum);
    if (s->count == 0)
        return;
    qsort(list, s->count, sizeof *list, by_value);
    for (uint32_t i = 0; i < rule->npercentiles; i++) {
        leat_make_open(m, 6);
        leat_make_double(m, 1, rule->percentiles[i] / 100);
        leat_make_double(m, 2, quantile(s, list, rule->percentiles[i] / 100));
        leat_make_close(m);
    }
}

const struct leat_statsd_observer_kind leat_statsd_summary = {
    .metric_field = 11,
    .attrs_field = 7,
    .open = open_summary,
    .close = close_summary,
    .add = add,
    .merge = merge,
    .reset = reset,
    .write = write,
};
