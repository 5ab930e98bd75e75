/* Histograms of a stream: with explicit bounds here, exponential ones in exponential.c. */
#include "processors/distribution.h"

#include <math.h>
#include <string.h>

#include "processors/exponential.h"

struct histogram {
    uint64_t count;
    double sum, min, max;
    uint32_t nbounds, ncounts;
    bool has_sum, has_min, has_max;
    uint64_t words[]; /* bounds, counts */
};

static uint64_t *counts_of(struct histogram *h)
{
    return h->words + h->nbounds;
}

static enum leat_streams_answer set_histogram(struct leat_streams *s, struct leat_stream *stream,
                                              const struct leat_point *p)
{
    void *old = stream->kind == LEAT_STREAM_HISTOGRAM ? stream->block : NULL, *block;
    size_t words = (size_t)p->nbounds + p->ncounts;
    enum leat_streams_answer answer =
        leat_streams_block(s, old, sizeof(struct histogram) + words * sizeof(uint64_t), &block);
    struct histogram *h = block;

    if (answer != LEAT_STREAMS_YES)
        return answer;
    *h = (struct histogram){
        .count = p->count,
        .sum = p->sum,
        .min = p->min,
        .max = p->max,
        .nbounds = p->nbounds,
        .ncounts = p->ncounts,
        .has_sum = p->has_sum,
        .has_min = p->has_min,
        .has_max = p->has_max,
    };
    if (p->nbounds > 0)
        memcpy(h->words, p->bounds, p->nbounds * sizeof(uint64_t));
    if (p->ncounts > 0)
        memcpy(counts_of(h), p->counts, p->ncounts * sizeof(uint64_t));
    stream->kind = LEAT_STREAM_HISTOGRAM;
    stream->block = h;
    return answer;
}

static bool histogram_fits(const struct histogram *h, const struct leat_point *p)
{
    return h->nbounds == p->nbounds && h->ncounts == p->ncounts &&
           (h->nbounds == 0 || memcmp(h->words, p->bounds, h->nbounds * sizeof(uint64_t)) == 0);
}

/* What only one of the two knows is not known of both. */
static void add_histogram(struct histogram *h, const struct leat_point *p)
{
    uint64_t *counts = counts_of(h);

    h->count += p->count;
    h->sum += p->sum;
    h->min = fmin(h->min, p->min);
    h->max = fmax(h->max, p->max);
    h->has_sum = h->has_sum && p->has_sum;
    h->has_min = h->has_min && p->has_min;
    h->has_max = h->has_max && p->has_max;
    for (uint32_t i = 0; i < h->ncounts; i++)
        counts[i] += p->counts[i];
}

static void show_histogram(struct histogram *h, struct leat_point *p)
{
    p->count = h->count;
    p->sum = h->sum;
    p->min = h->min;
    p->max = h->max;
    p->has_sum = h->has_sum;
    p->has_min = h->has_min;
    p->has_max = h->has_max;
    p->counts = counts_of(h);
}

static bool histogram_is_later(struct histogram *h, const struct leat_point *p)
{
    const uint64_t *counts = counts_of(h);

    for (uint32_t i = 0; i < h->ncounts; i++) {
        if (p->counts[i] < counts[i])
            return false;
    }
    return p->count >= h->count;
}

/* The arrays of a point that was read lie in its room: they may be changed. */
static void histogram_since(struct histogram *h, struct leat_point *p)
{
    uint64_t *counts = counts_of(h), *now = (uint64_t *)(uintptr_t)p->counts, count = p->count;
    double sum = p->sum;
    bool has_sum = p->has_sum;

    for (uint32_t i = 0; i < h->ncounts; i++) {
        uint64_t n = now[i];
        now[i] = n - counts[i];
        counts[i] = n;
    }
    p->count = count - h->count;
    p->sum = sum - h->sum;
    p->has_sum = has_sum && h->has_sum;
    h->count = count;
    h->sum = sum;
    h->has_sum = has_sum;
}

/* --- of both kinds */

/* No bucket's number is beyond 32 bits. */
static bool is_near(const struct leat_exponential_side *s)
{
    return s->offset <= INT32_MAX - (int32_t)LEAT_POINT_BUCKETS;
}

bool leat_distribution_is_sane(const struct leat_point *p)
{
    return p->type != LEAT_METRIC_EXPONENTIAL ||
           (p->scale >= -LEAT_EXPONENTIAL_SCALE && p->scale <= LEAT_EXPONENTIAL_SCALE &&
            is_near(&p->positive) && is_near(&p->negative));
}

enum leat_streams_answer leat_distribution_set(struct leat_streams *s, struct leat_stream *stream,
                                               const struct leat_point *p)
{
    return p->type == LEAT_METRIC_HISTOGRAM ? set_histogram(s, stream, p)
                                            : leat_exponential_set(s, stream, p);
}

bool leat_distribution_fits(const struct leat_stream *stream, const struct leat_point *p)
{
    if (p->type == LEAT_METRIC_HISTOGRAM)
        return stream->kind == LEAT_STREAM_HISTOGRAM && histogram_fits(stream->block, p);
    return stream->kind == LEAT_STREAM_EXPONENTIAL;
}

enum leat_streams_answer leat_distribution_add(struct leat_streams *s, struct leat_stream *stream,
                                               const struct leat_point *p)
{
    if (p->type == LEAT_METRIC_EXPONENTIAL)
        return leat_exponential_add(s, stream, p);
    add_histogram(stream->block, p);
    return LEAT_STREAMS_YES;
}

void leat_distribution_show(const struct leat_stream *stream, struct leat_point *p)
{
    if (p->type == LEAT_METRIC_EXPONENTIAL)
        leat_exponential_show(stream->block, p);
    else
        show_histogram(stream->block, p);
}

bool leat_distribution_is_later(const struct leat_stream *stream, const struct leat_point *p)
{
    return p->type == LEAT_METRIC_EXPONENTIAL ? leat_exponential_is_later(stream->block, p)
                                              : histogram_is_later(stream->block, p);
}

enum leat_streams_answer leat_distribution_since(struct leat_streams *s, struct leat_stream *stream,
                                                 struct leat_point *p)
{
    if (p->type == LEAT_METRIC_EXPONENTIAL)
        return leat_exponential_since(s, stream, p);
    histogram_since(stream->block, p);
    return LEAT_STREAMS_YES;
}
