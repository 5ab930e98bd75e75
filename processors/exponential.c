/* Exponential histograms of a stream: merged across scales and zero thresholds.
 *
 * Source: OpenTelemetry metrics data model, "ExponentialHistogram". At scale s bucket i holds what
 * is above b^i, up to b^(i+1), b = 2^(2^-s); at the next coarser scale that is bucket i >> 1. */
#include "processors/exponential.h"

#include <math.h>
#include <string.h>

#include "processors/distribution.h"

#define MOST_WIDTH ((int64_t)LEAT_EXPONENTIAL_WIDTH)
#define MOST_SHIFT 63
#define NEARLY     1e-12 /* relative: a threshold that lies on a bucket's border */
#define FURTHEST   ((double)((int64_t)1 << 40)) /* no bucket is that far from zero */
#define SIDE(off, n)                                                                               \
    (struct side)                                                                                  \
    {                                                                                              \
        .offset = (off), .ncounts = (n)                                                            \
    }

struct side {
    int32_t offset;
    uint32_t ncounts;
};

struct leat_exponential {
    uint64_t count, zero_count;
    double sum, min, max, zero_threshold;
    int32_t scale;
    struct side positive, negative;
    bool has_sum, has_min, has_max;
    uint64_t words[]; /* positive counts, negative counts */
};

static struct leat_exponential_side positive(const struct leat_exponential *e)
{
    return (struct leat_exponential_side){e->positive.offset, e->words, e->positive.ncounts};
}

static struct leat_exponential_side negative(const struct leat_exponential *e)
{
    return (struct leat_exponential_side){e->negative.offset, e->words + e->positive.ncounts,
                                          e->negative.ncounts};
}

/* --- ranges of buckets */

/* From `lo` up to `hi`; empty when hi < lo. */
struct range {
    int64_t lo, hi;
};

/* Without empty buckets at its ends. */
static struct range range_of(const struct leat_exponential_side *s)
{
    uint32_t from = 0, to = s->ncounts;

    while (from < to && s->counts[from] == 0)
        from++;
    while (to > from && s->counts[to - 1] == 0)
        to--;
    return (struct range){(int64_t)s->offset + from, (int64_t)s->offset + to - 1};
}

static bool is_empty(struct range r)
{
    return r.hi < r.lo;
}

static struct range coarser(struct range r, int64_t shift)
{
    if (is_empty(r))
        return r;
    shift = shift < MOST_SHIFT ? shift : MOST_SHIFT;
    return (struct range){r.lo >> shift, r.hi >> shift};
}

static struct range both(struct range a, struct range b)
{
    if (is_empty(a) || is_empty(b))
        return is_empty(a) ? b : a;
    return (struct range){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}

static int64_t width(struct range r)
{
    return is_empty(r) ? 0 : r.hi - r.lo + 1;
}

/* --- a sum while it is made */

struct sum {
    int64_t scale;
    double zero_threshold;
    uint64_t zero_count;
    struct range positive, negative;
    uint64_t up[LEAT_EXPONENTIAL_WIDTH], down[LEAT_EXPONENTIAL_WIDTH];
};

static void add_side(uint64_t *to, int64_t lo, const struct leat_exponential_side *s, int64_t shift)
{
    shift = shift < MOST_SHIFT ? shift : MOST_SHIFT;
    for (uint32_t i = 0; i < s->ncounts; i++) {
        if (s->counts[i] != 0)
            to[(((int64_t)s->offset + i) >> shift) - lo] += s->counts[i];
    }
}

/* Moves the buckets up to number `last` into the zero count. */
static void fold(struct sum *m, uint64_t *counts, struct range *r, int64_t last)
{
    int64_t n = last - r->lo + 1, all = width(*r);

    if (is_empty(*r) || n <= 0)
        return;
    n = n < all ? n : all;
    for (int64_t i = 0; i < n; i++)
        m->zero_count += counts[i];
    memmove(counts, counts + n, (size_t)(all - n) * sizeof *counts);
    r->lo += n;
}

static bool has_bucket(const uint64_t *counts, struct range r, int64_t i)
{
    return !is_empty(r) && i >= r.lo && i <= r.hi && counts[i - r.lo] != 0;
}

/* Everything up to `threshold` counts as zero. Where that is in the middle of a bucket with
 * something in it, the threshold is raised to the bucket's end. */
static void raise_zero(struct sum *m, double threshold)
{
    double x = ldexp(log2(threshold), (int)m->scale), on = nearbyint(x);
    int64_t last;

    if (fabs(x - on) <= NEARLY * fmax(1, fabs(x)))
        x = on;
    x = fmin(fmax(ceil(x), -FURTHEST), FURTHEST);
    last = (int64_t)x - 1;
    m->zero_threshold = threshold;
    if (has_bucket(m->up, m->positive, last) || has_bucket(m->down, m->negative, last))
        m->zero_threshold = fmax(threshold, exp2(ldexp((double)last + 1, -(int)m->scale)));
    fold(m, m->up, &m->positive, last);
    fold(m, m->down, &m->negative, last);
}

/* The coarsest of both scales, and coarser still until both sides are narrow enough. */
static void choose_scale(struct sum *m, const struct leat_exponential *e,
                         const struct leat_point *p)
{
    struct leat_exponential_side up = positive(e), down = negative(e);
    int64_t scale = e->scale < p->scale ? e->scale : p->scale;
    struct range pos = both(coarser(range_of(&up), e->scale - scale),
                            coarser(range_of(&p->positive), (int64_t)p->scale - scale));
    struct range neg = both(coarser(range_of(&down), e->scale - scale),
                            coarser(range_of(&p->negative), (int64_t)p->scale - scale));

    for (; width(pos) > MOST_WIDTH || width(neg) > MOST_WIDTH; scale--) {
        pos = coarser(pos, 1);
        neg = coarser(neg, 1);
    }
    m->scale = scale;
    m->positive = pos;
    m->negative = neg;
}

static double threshold_of(double t)
{
    return t > 0 ? t : 0; /* not NaN */
}

static void merge(struct sum *m, const struct leat_exponential *e, const struct leat_point *p)
{
    struct leat_exponential_side up = positive(e), down = negative(e);
    double mine = threshold_of(e->zero_threshold), its = threshold_of(p->zero_threshold);

    *m = (struct sum){.zero_threshold = mine, .zero_count = e->zero_count + p->zero_count};
    choose_scale(m, e, p);
    add_side(m->up, m->positive.lo, &up, e->scale - m->scale);
    add_side(m->up, m->positive.lo, &p->positive, p->scale - m->scale);
    add_side(m->down, m->negative.lo, &down, e->scale - m->scale);
    add_side(m->down, m->negative.lo, &p->negative, p->scale - m->scale);
    if (mine != its)
        raise_zero(m, fmax(mine, its));
}

static struct side side_of(struct range r)
{
    return is_empty(r) ? SIDE(0, 0) : SIDE((int32_t)r.lo, (uint32_t)width(r));
}

/* --- the stream's */

static enum leat_streams_answer make_block(struct leat_streams *s, void *old, size_t words,
                                           struct leat_exponential **ret)
{
    void *block;
    enum leat_streams_answer answer = leat_streams_block(
        s, old, sizeof(struct leat_exponential) + words * sizeof(uint64_t), &block);

    if (answer == LEAT_STREAMS_YES)
        *ret = block;
    return answer;
}

static enum leat_streams_answer store(struct leat_streams *s, struct leat_stream *stream,
                                      const struct sum *m)
{
    struct side up = side_of(m->positive), down = side_of(m->negative);
    struct leat_exponential *e;
    enum leat_streams_answer answer =
        make_block(s, stream->block, (size_t)up.ncounts + down.ncounts, &e);

    if (answer != LEAT_STREAMS_YES)
        return answer;
    e->scale = (int32_t)m->scale;
    e->zero_threshold = m->zero_threshold;
    e->zero_count = m->zero_count;
    e->positive = up;
    e->negative = down;
    memcpy(e->words, m->up, up.ncounts * sizeof(uint64_t));
    memcpy(e->words + up.ncounts, m->down, down.ncounts * sizeof(uint64_t));
    stream->block = e;
    return answer;
}

enum leat_streams_answer leat_exponential_add(struct leat_streams *s, struct leat_stream *stream,
                                              const struct leat_point *p)
{
    struct leat_exponential *e;
    enum leat_streams_answer answer;
    struct sum m;

    merge(&m, stream->block, p);
    answer = store(s, stream, &m);
    if (answer != LEAT_STREAMS_YES)
        return answer;
    e = stream->block;
    e->count += p->count;
    e->sum += p->sum;
    e->min = fmin(e->min, p->min);
    e->max = fmax(e->max, p->max);
    e->has_sum = e->has_sum && p->has_sum;
    e->has_min = e->has_min && p->has_min;
    e->has_max = e->has_max && p->has_max;
    return answer;
}

enum leat_streams_answer leat_exponential_set(struct leat_streams *s, struct leat_stream *stream,
                                              const struct leat_point *p)
{
    void *old = stream->kind == LEAT_STREAM_EXPONENTIAL ? stream->block : NULL;
    size_t up = p->positive.ncounts, down = p->negative.ncounts;
    struct leat_exponential *e;
    enum leat_streams_answer answer = make_block(s, old, up + down, &e);

    if (answer != LEAT_STREAMS_YES)
        return answer;
    *e = (struct leat_exponential){
        .count = p->count,
        .zero_count = p->zero_count,
        .sum = p->sum,
        .min = p->min,
        .max = p->max,
        .zero_threshold = threshold_of(p->zero_threshold),
        .scale = p->scale,
        .positive = {p->positive.offset, p->positive.ncounts},
        .negative = {p->negative.offset, p->negative.ncounts},
        .has_sum = p->has_sum,
        .has_min = p->has_min,
        .has_max = p->has_max,
    };
    if (up > 0)
        memcpy(e->words, p->positive.counts, up * sizeof(uint64_t));
    if (down > 0)
        memcpy(e->words + up, p->negative.counts, down * sizeof(uint64_t));
    stream->kind = LEAT_STREAM_EXPONENTIAL;
    stream->block = e;
    return answer;
}

void leat_exponential_show(const struct leat_exponential *e, struct leat_point *p)
{
    p->count = e->count;
    p->zero_count = e->zero_count;
    p->zero_threshold = e->zero_threshold;
    p->scale = e->scale;
    p->positive = positive(e);
    p->negative = negative(e);
    p->sum = e->sum;
    p->min = e->min;
    p->max = e->max;
    p->has_sum = e->has_sum;
    p->has_min = e->has_min;
    p->has_max = e->has_max;
}

/* --- what was added since */

static uint64_t count_at(const struct leat_exponential_side *s, int64_t i)
{
    i -= s->offset;
    return i >= 0 && i < s->ncounts ? s->counts[i] : 0;
}

/* Takes the old counts, at the point's scale, from its own; with `take` false it only looks whether
 * there is enough of each. */
static bool take_side(const struct leat_exponential_side *old, int64_t shift, int64_t zeros,
                      const struct leat_exponential_side *now, bool take)
{
    uint64_t *counts = (uint64_t *)(uintptr_t)now->counts; /* in the point's room */
    uint64_t sum = 0;

    shift = shift < MOST_SHIFT ? shift : MOST_SHIFT;
    for (uint32_t i = 0; i < old->ncounts; i++) {
        int64_t at = ((int64_t)old->offset + i) >> shift;
        bool last = i + 1 == old->ncounts || ((int64_t)old->offset + i + 1) >> shift != at;
        sum += at <= zeros ? 0 : old->counts[i];
        if (!last)
            continue;
        if (sum > count_at(now, at))
            return false;
        if (take && sum > 0)
            counts[at - now->offset] -= sum;
        sum = 0;
    }
    return true;
}

/* What the point counts as zero stood in old buckets up to this one, at the point's scale. */
static int64_t zeros_of(const struct leat_exponential *e, const struct leat_point *p)
{
    double its = threshold_of(p->zero_threshold), x;

    if (its <= e->zero_threshold)
        return INT64_MIN;
    x = ldexp(log2(its), p->scale);
    if (fabs(x - nearbyint(x)) <= NEARLY * fmax(1, fabs(x)))
        x = nearbyint(x);
    return (int64_t)fmin(fmax(ceil(x), -FURTHEST), FURTHEST) - 1;
}

static uint64_t folded(const struct leat_exponential_side *s, int64_t shift, int64_t zeros)
{
    uint64_t n = 0;

    shift = shift < MOST_SHIFT ? shift : MOST_SHIFT;
    for (uint32_t i = 0; i < s->ncounts && ((int64_t)s->offset + i) >> shift <= zeros; i++)
        n += s->counts[i];
    return n;
}

bool leat_exponential_is_later(const struct leat_exponential *e, const struct leat_point *p)
{
    struct leat_exponential_side up = positive(e), down = negative(e);
    int64_t shift = (int64_t)e->scale - p->scale, zeros = zeros_of(e, p);

    return p->count >= e->count && shift >= 0 &&
           threshold_of(p->zero_threshold) >= e->zero_threshold &&
           p->zero_count >=
               e->zero_count + folded(&up, shift, zeros) + folded(&down, shift, zeros) &&
           take_side(&up, shift, zeros, &p->positive, false) &&
           take_side(&down, shift, zeros, &p->negative, false);
}

enum leat_streams_answer leat_exponential_since(struct leat_streams *s, struct leat_stream *stream,
                                                struct leat_point *p)
{
    struct leat_stream later = {.kind = LEAT_STREAM_NEW};
    enum leat_streams_answer answer = leat_exponential_set(s, &later, p);
    struct leat_exponential *e = stream->block;
    struct leat_exponential_side up = positive(e), down = negative(e);
    int64_t shift = (int64_t)e->scale - p->scale, zeros = zeros_of(e, p);

    if (answer != LEAT_STREAMS_YES)
        return answer;
    p->count -= e->count;
    p->zero_count -= e->zero_count + folded(&up, shift, zeros) + folded(&down, shift, zeros);
    p->sum -= e->sum;
    p->has_sum = p->has_sum && e->has_sum;
    take_side(&up, shift, zeros, &p->positive, true);
    take_side(&down, shift, zeros, &p->negative, true);
    leat_streams_drop_block(s, stream->block);
    stream->block = later.block;
    return answer;
}
