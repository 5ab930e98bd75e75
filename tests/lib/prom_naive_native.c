/* The naive mapping: native histograms. */
#include "lib/prom_naive_place.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "lib/prom_read.h"

/* Counts at indices: those of one index are added up. */
struct bucket {
    int64_t index;
    uint64_t count;
};

static size_t collect(const exponential_side *s, int32_t scale, struct bucket *ret)
{
    size_t n = 0;

    for (size_t i = 0; s != NULL && i < s->n_bucket_counts; i++) {
        int64_t index = (int64_t)s->offset + (int64_t)i;
        for (int32_t at = scale; at > 8 && (index > 0 || index < -1); at--)
            index = index >= 0 ? index / 2 : -((-index + 1) / 2);
        index++;
        if (n > 0 && ret[n - 1].index == index)
            ret[n - 1].count += s->bucket_counts[i];
        else
            ret[n++] = (struct bucket){index, s->bucket_counts[i]};
    }
    return n;
}

static size_t without_empty(struct bucket *b, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (b[i].count != 0)
            b[kept++] = b[i];
    }
    return kept;
}

/* " pos[offset+length …: delta …]" of buckets that are not empty. */
static void add_side(struct leat_text *out, const char *what, const struct bucket *b, size_t n)
{
    struct leat_text deltas;
    uint64_t before = 0;

    if (n == 0)
        return;
    leat_text_init(&deltas, BYTES);
    leat_text_printf(out, " %s[%lld+", what, (long long)b[0].index);
    for (size_t i = 0, length = 0; i < n; i++) {
        int64_t gap = i == 0 ? 0 : b[i].index - b[i - 1].index - 1;
        if (gap > 2) {
            leat_text_printf(out, "%zu %lld+", length, (long long)gap);
            length = 0;
        }
        for (; gap > 0 && gap <= 2; gap--, length++) {
            leat_text_printf(&deltas, " %lld", (long long)(0 - before));
            before = 0;
        }
        leat_text_printf(&deltas, " %lld", (long long)(b[i].count - before));
        before = b[i].count;
        length++;
        if (i + 1 == n)
            leat_text_printf(out, "%zu:", length);
    }
    leat_text_printf(out, "%s]", leat_text_get(&deltas));
    leat_text_done(&deltas);
}

static void add_head(struct prom_naive_place *p, int32_t schema, uint64_t count, double sum,
                     uint64_t zero, double threshold)
{
    leat_text_printf(p->lines, " histogram schema=%d count=%llu sum=", schema,
                     (unsigned long long)(p->stale ? 0 : count));
    prom_read_value(p->lines, p->stale ? prom_naive_stale() : sum);
    leat_text_printf(p->lines, " zero=%llu(", (unsigned long long)(p->stale ? 0 : zero));
    prom_read_value(p->lines, threshold);
    leat_text_char(p->lines, ')');
}

static bool too_far(const struct bucket *b, size_t n)
{
    return n > 0 && b[n - 1].index > INT32_MAX;
}

enum leat_prom_drop prom_naive_exponential(struct prom_naive_place *p, const exponential_point *e)
{
    struct bucket *pos, *neg;
    size_t npos, nneg;
    double t = e->zero_threshold;

    if (e->scale < -4)
        return LEAT_PROM_DROP_SCALE;
    pos = leat_new_array(1 + (e->positive ? e->positive->n_bucket_counts : 0), sizeof *pos);
    neg = leat_new_array(1 + (e->negative ? e->negative->n_bucket_counts : 0), sizeof *neg);
    npos = without_empty(pos, collect(e->positive, e->scale, pos));
    nneg = without_empty(neg, collect(e->negative, e->scale, neg));
    if (too_far(pos, npos) || too_far(neg, nneg)) {
        leat_free(pos);
        leat_free(neg);
        return LEAT_PROM_DROP_INDEX;
    }
    prom_naive_begin_line(p, "", "", "");
    add_head(p, e->scale > 8 ? 8 : e->scale, e->count, e->has_sum ? e->sum : 0, e->zero_count,
             t > 0 && !isinf(t) ? t : 1e-128);
    if (!p->stale) {
        add_side(p->lines, "neg", neg, nneg);
        add_side(p->lines, "pos", pos, npos);
    }
    prom_naive_add_time(p);
    prom_naive_add_exemplars(p, e->exemplars, e->n_exemplars, true, 0, 0);
    prom_naive_end_line(p);
    leat_free(pos);
    leat_free(neg);
    return LEAT_PROM_KEPT;
}

void prom_naive_custom(struct prom_naive_place *p, const histogram_point *h, size_t bounds)
{
    struct bucket *b = leat_new_array(bounds + 1, sizeof *b);
    size_t n = bounds + 1;

    for (size_t i = 0; i <= bounds; i++)
        b[i].index = (int64_t)i;
    for (size_t i = 0; i < h->n_bucket_counts; i++)
        b[i < bounds ? i : bounds].count += h->bucket_counts[i];
    if (h->n_bucket_counts == 0)
        b[bounds].count = h->count;
    prom_naive_begin_line(p, "", "", "");
    add_head(p, -53, h->count, h->has_sum ? h->sum : 0, 0, 0);
    n = without_empty(b, n);
    if (!p->stale)
        add_side(p->lines, "pos", b, n);
    for (size_t i = 0; i < bounds && !p->stale; i++) {
        leat_text_str(p->lines, i == 0 ? " custom=" : ",");
        prom_read_value(p->lines, h->explicit_bounds[i]);
    }
    prom_naive_add_time(p);
    prom_naive_add_exemplars(p, h->exemplars, h->n_exemplars, true, 0, 0);
    prom_naive_end_line(p);
    leat_free(b);
}
