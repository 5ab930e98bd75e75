/* Native histograms of Prometheus, made of the histograms of OTLP. */
#include "proto/prom_native.h"

#include <math.h>

#include "base/mem.h"

void leat_prom_native_room_done(struct leat_prom_native_room *room)
{
    leat_free(room->words);
    *room = (struct leat_prom_native_room){.words = NULL};
}

/* --- buckets of one sign, in the order of their indices */

struct filler {
    struct leat_prom_span *spans;
    int64_t *deltas;
    uint32_t nspans, ndeltas;
    int64_t next; /* the index behind the last bucket written */
    uint64_t last;
};

/* So many words does a side of `n` buckets need at most: a span ends where more than LEAT_PROM_GAP
 * buckets are empty. */
static size_t spans_of(size_t n)
{
    return n / (LEAT_PROM_GAP + 2) + 1;
}

static struct filler filler_at(uint64_t *words, size_t n)
{
    return (struct filler){.spans = (struct leat_prom_span *)words,
                           .deltas = (int64_t *)(words + spans_of(n))};
}

static void write_bucket(struct filler *f, uint64_t count)
{
    f->deltas[f->ndeltas++] = (int64_t)(count - f->last);
    f->last = count;
    f->spans[f->nspans - 1].length++;
    f->next++;
}

/* false: an index that cannot be written. */
static bool add_bucket(struct filler *f, int64_t index, uint64_t count)
{
    if (count == 0)
        return true;
    if (index > INT32_MAX || index < INT32_MIN)
        return false;
    if (f->nspans == 0 || index - f->next > LEAT_PROM_GAP) {
        int32_t offset = (int32_t)(f->nspans == 0 ? index : index - f->next);
        f->spans[f->nspans++] = (struct leat_prom_span){.offset = offset};
        f->next = index;
    }
    while (f->next < index)
        write_bucket(f, 0);
    write_bucket(f, count);
    return true;
}

static struct leat_prom_side side_of(const struct filler *f)
{
    return (struct leat_prom_side){
        .spans = f->spans, .deltas = f->deltas, .nspans = f->nspans, .ndeltas = f->ndeltas};
}

static bool make_room(struct leat_prom_native_room *room, size_t words)
{
    uint64_t *bigger;

    if (words <= room->cap)
        return true;
    bigger = leat_try(words * sizeof *bigger);
    if (bigger == NULL)
        return false;
    leat_free(room->words);
    room->words = bigger;
    room->cap = words;
    return true;
}

/* --- exponential */

/* Bucket i of OTLP is (base^(offset + i), base^(offset + i + 1)]; in Prometheus the upper bound
 * counts, hence + 1. Halving the resolution `merge` times puts 2^merge buckets into one. */
static bool fill_side(struct filler *f, const struct leat_exponential_side *s, unsigned merge)
{
    uint64_t count = 0;
    int64_t index = 0;

    for (uint32_t i = 0; i < s->ncounts; i++) {
        int64_t at = (((int64_t)s->offset + i) >> merge) + 1;
        if (at != index && !add_bucket(f, index, count))
            return false;
        count = at == index ? count + s->counts[i] : s->counts[i];
        index = at;
    }
    return add_bucket(f, index, count);
}

static double threshold_of(double t)
{
    return t > 0 && isfinite(t) ? t : LEAT_PROM_ZERO_THRESHOLD;
}

enum leat_prom_native_result leat_prom_native_of_exponential(const struct leat_point *p,
                                                             struct leat_prom_native_room *room,
                                                             struct leat_prom_native *ret)
{
    size_t positive = p->positive.ncounts, negative = p->negative.ncounts;
    unsigned merge = 0;
    struct filler f;

    if (p->scale < LEAT_PROM_SCHEMA_MIN)
        return LEAT_PROM_NATIVE_SCALE;
    if (!make_room(room, positive + negative + spans_of(positive) + spans_of(negative)))
        return LEAT_PROM_NATIVE_NO_MEMORY;
    *ret = (struct leat_prom_native){.count = p->count,
                                     .zero_count = p->zero_count,
                                     .sum = p->has_sum ? p->sum : 0,
                                     .zero_threshold = threshold_of(p->zero_threshold),
                                     .schema = p->scale};
    if (p->scale > LEAT_PROM_SCHEMA_MAX) {
        merge = (unsigned)(p->scale - LEAT_PROM_SCHEMA_MAX);
        merge = merge > 63 ? 63 : merge; /* all the same from 32 on */
        ret->schema = LEAT_PROM_SCHEMA_MAX;
    }
    f = filler_at(room->words, positive);
    if (!fill_side(&f, &p->positive, merge))
        return LEAT_PROM_NATIVE_INDEX;
    ret->positive = side_of(&f);
    f = filler_at(room->words + positive + spans_of(positive), negative);
    if (!fill_side(&f, &p->negative, merge))
        return LEAT_PROM_NATIVE_INDEX;
    ret->negative = side_of(&f);
    return LEAT_PROM_NATIVE_OK;
}

/* --- custom buckets */

enum leat_prom_native_result leat_prom_native_of_explicit(const struct leat_point *p,
                                                          struct leat_prom_native_room *room,
                                                          struct leat_prom_native *ret)
{
    uint32_t bounds = leat_prom_finite_bounds(p);
    size_t room_for = (size_t)bounds + 1;
    uint64_t rest = 0;
    struct filler f;

    if (!make_room(room, room_for + spans_of(room_for)))
        return LEAT_PROM_NATIVE_NO_MEMORY;
    f = filler_at(room->words, room_for);
    for (uint32_t i = 0; i < p->ncounts; i++) {
        if (i < bounds)
            add_bucket(&f, i, p->counts[i]);
        else
            rest += p->counts[i];
    }
    add_bucket(&f, bounds, p->ncounts == 0 ? p->count : rest);
    *ret = (struct leat_prom_native){.count = p->count,
                                     .sum = p->has_sum ? p->sum : 0,
                                     .schema = LEAT_PROM_SCHEMA_CUSTOM,
                                     .positive = side_of(&f),
                                     .custom = p->bounds,
                                     .ncustom = bounds};
    return LEAT_PROM_NATIVE_OK;
}

uint32_t leat_prom_finite_bounds(const struct leat_point *p)
{
    uint32_t n = p->nbounds;

    return n > 0 && isinf(p->bounds[n - 1]) && p->bounds[n - 1] > 0 ? n - 1 : n;
}
