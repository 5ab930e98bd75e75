/* What a data point of OTLP means in Prometheus: the samples it becomes, one after the other. */
#include "proto/prom_map.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/json_write.h"
#include "proto/wire.h"

#define EXEMPLARS_MIN      16
#define UNSORTED_QUANTILES 128 /* so many may stand in any order */

/* What comes next. A histogram goes through several. */
enum stage { DONE, VALUE, NATIVE, SUM, COUNT, BUCKETS, INFINITE, QUANTILES };

const char *leat_prom_drop_text(enum leat_prom_drop why)
{
    static const char *const words[] = {
        [LEAT_PROM_KEPT] = "kept",
        [LEAT_PROM_DROP_TEMPORALITY] = "temporality",
        [LEAT_PROM_DROP_SCALE] = "scale",
        [LEAT_PROM_DROP_INDEX] = "bucket_index",
        [LEAT_PROM_DROP_BOUNDS] = "bounds",
        [LEAT_PROM_DROP_QUANTILES] = "quantiles",
        [LEAT_PROM_DROP_LARGE] = "too_many_buckets",
        [LEAT_PROM_DROP_NAME] = "metric_name",
        [LEAT_PROM_DROP_LABEL] = "label_name",
        [LEAT_PROM_DROP_LABELS] = "too_many_labels",
        [LEAT_PROM_NO_MEMORY] = "no_memory",
    };
    return words[why];
}

enum leat_prom_type leat_prom_type_of(const struct leat_metric_head *head)
{
    switch (head->type) {
    case LEAT_METRIC_SUM:
        return head->monotonic ? LEAT_PROM_COUNTER : LEAT_PROM_GAUGE;
    case LEAT_METRIC_HISTOGRAM:
    case LEAT_METRIC_EXPONENTIAL:
        return LEAT_PROM_HISTOGRAM;
    case LEAT_METRIC_SUMMARY:
        return LEAT_PROM_SUMMARY;
    default:
        return LEAT_PROM_GAUGE;
    }
}

double leat_prom_stale(void)
{
    const uint64_t bits = UINT64_C(0x7ff0000000000002);
    double d;

    memcpy(&d, &bits, sizeof d);
    return d;
}

void leat_prom_add_number(struct leat_text *t, double v)
{
    struct leat_decimal d;

    if (isfinite(v)) {
        d = leat_decimal_of(v);
        leat_decimal_add(t, &d, INT_MIN, INT_MAX, 1);
    } else {
        leat_text_str(t, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
    }
}

/* --- what must be right before anything is said */

static uint64_t bits_of(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static bool is_cumulative(const struct leat_metric_head *head)
{
    return head->type == LEAT_METRIC_GAUGE || head->type == LEAT_METRIC_SUMMARY ||
           head->temporality == LEAT_CUMULATIVE;
}

static bool bounds_increase(const struct leat_point *p)
{
    for (uint32_t i = 1; i < p->nbounds; i++) {
        if (!(p->bounds[i - 1] < p->bounds[i]))
            return false;
    }
    return p->nbounds == 0 || !isnan(p->bounds[0]);
}

/* Quantiles as they are in labels: all NaN are one, -0 and 0 are two. */
static bool same_quantile(double a, double b)
{
    return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

static bool quantiles_differ(const struct leat_point *p)
{
    uint32_t i = 1;

    while (i < p->nquantiles && p->quantiles[i - 1].quantile < p->quantiles[i].quantile)
        i++;
    if (i >= p->nquantiles)
        return true;
    if (p->nquantiles > UNSORTED_QUANTILES)
        return false;
    for (i = 1; i < p->nquantiles; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (same_quantile(p->quantiles[i].quantile, p->quantiles[k].quantile))
                return false;
        }
    }
    return true;
}

static enum leat_prom_drop shape_of(const struct leat_point *p)
{
    if (p->type == LEAT_METRIC_HISTOGRAM && !bounds_increase(p))
        return LEAT_PROM_DROP_BOUNDS;
    if (p->type == LEAT_METRIC_SUMMARY && !quantiles_differ(p))
        return LEAT_PROM_DROP_QUANTILES;
    return LEAT_PROM_KEPT;
}

/* --- exemplars */

/* A quick look: true proves nothing. */
static bool may_have_exemplars(const struct leat_point *p)
{
    size_t known = p->attrs.len;

    if (p->exemplars_field == 0)
        return false;
    if (p->type != LEAT_METRIC_GAUGE && p->type != LEAT_METRIC_SUM)
        return true;
    known += p->number != LEAT_NUMBER_NONE ? 9 : 0;
    known += p->time != 0 ? 9 : 0;
    known += p->start != 0 ? 9 : 0;
    return p->message.len > known;
}

static bool exemplar_room(struct leat_prom_map *m)
{
    uint32_t cap = m->exemplars_cap == 0 ? EXEMPLARS_MIN : m->exemplars_cap * 2;
    struct leat_exemplar *more;

    if (m->nexemplars < m->exemplars_cap)
        return true;
    more = leat_try_resize(m->exemplars, cap * sizeof *more);
    if (more == NULL)
        return false;
    m->exemplars = more;
    m->exemplars_cap = cap;
    return true;
}

/* false: no memory. */
static bool collect_exemplars(struct leat_prom_map *m, const struct leat_point *p)
{
    struct leat_wire w = leat_wire_of(p->message);
    struct leat_exemplar e;
    uint64_t beyond = 0;

    while (leat_exemplar_next(&w, p, &e)) {
        if (m->nexemplars == LEAT_PROM_EXEMPLARS)
            beyond++;
        else if (exemplar_room(m))
            m->exemplars[m->nexemplars++] = e;
        else
            return false;
    }
    m->exemplars_dropped += beyond;
    return true;
}

/* Those of one time in the order in which they stand in the point. */
static int by_time(const void *a, const void *b)
{
    const struct leat_exemplar *x = a, *y = b;

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->message.data < y->message.data ? -1 : x->message.data > y->message.data;
}

/* NaN comes last: it is in no bucket. */
static int by_value(const void *a, const void *b)
{
    const struct leat_exemplar *x = a, *y = b;

    if (isnan(x->value) || isnan(y->value))
        return isnan(x->value) - isnan(y->value);
    return x->value < y->value ? -1 : x->value > y->value;
}

static void sort(struct leat_exemplar *e, uint32_t n, int (*by)(const void *, const void *))
{
    if (n > 1)
        qsort(e, n, sizeof *e, by);
}

/* The exemplars from the last bucket's bound to this one. They are sorted by value. */
static void give_exemplars(struct leat_prom_map *m, double bound, struct leat_prom_sample *ret)
{
    struct leat_exemplar *from;
    uint32_t n = 0;

    if (m->next_exemplar == m->nexemplars)
        return;
    from = m->exemplars + m->next_exemplar;
    while (m->next_exemplar + n < m->nexemplars && from[n].value <= bound)
        n++;
    sort(from, n, by_time);
    m->next_exemplar += n;
    ret->exemplars = from;
    ret->nexemplars = n;
}

static void give_all_exemplars(struct leat_prom_map *m, struct leat_prom_sample *ret)
{
    if (m->nexemplars == 0)
        return;
    sort(m->exemplars, m->nexemplars, by_time);
    ret->exemplars = m->exemplars;
    ret->nexemplars = m->nexemplars;
}

/* --- begin */

void leat_prom_map_done(struct leat_prom_map *m)
{
    leat_prom_native_room_done(&m->room);
    leat_free(m->exemplars);
    *m = (struct leat_prom_map){.stage = DONE};
}

/* Prometheus marks the end of a native histogram so: a sum that is the marker, and nothing else. */
static void make_stale(struct leat_prom_native *n)
{
    n->sum = leat_prom_stale();
    n->count = n->zero_count = 0;
    n->positive = n->negative = (struct leat_prom_side){.spans = NULL};
    n->ncustom = 0;
}

static enum leat_prom_drop make_native(struct leat_prom_map *m, const struct leat_point *p)
{
    enum leat_prom_native_result r = p->type == LEAT_METRIC_EXPONENTIAL
                                         ? leat_prom_native_of_exponential(p, &m->room, &m->native)
                                         : leat_prom_native_of_explicit(p, &m->room, &m->native);

    switch (r) {
    case LEAT_PROM_NATIVE_SCALE:
        return LEAT_PROM_DROP_SCALE;
    case LEAT_PROM_NATIVE_INDEX:
        return LEAT_PROM_DROP_INDEX;
    case LEAT_PROM_NATIVE_NO_MEMORY:
        return LEAT_PROM_NO_MEMORY;
    default:
        if (m->stale)
            make_stale(&m->native);
        return LEAT_PROM_KEPT;
    }
}

static enum leat_prom_drop begin_distribution(struct leat_prom_map *m,
                                              const struct leat_prom_map_conf *conf,
                                              const struct leat_point *p)
{
    enum leat_prom_drop why = shape_of(p);

    if (why != LEAT_PROM_KEPT)
        return why;
    if (p->type == LEAT_METRIC_EXPONENTIAL ||
        (p->type == LEAT_METRIC_HISTOGRAM && conf->custom_buckets)) {
        why = make_native(m, p);
        if (why != LEAT_PROM_KEPT)
            return why;
        m->classic = p->type == LEAT_METRIC_HISTOGRAM && conf->keep_classic;
        m->stage = NATIVE;
    } else {
        /* A point that only ends its series has no sum and ends that series, too (Leat). */
        m->stage = p->type == LEAT_METRIC_HISTOGRAM && !p->has_sum && !m->stale ? COUNT : SUM;
    }
    if (may_have_exemplars(p) && !collect_exemplars(m, p))
        why = LEAT_PROM_NO_MEMORY;
    if (why != LEAT_PROM_KEPT)
        m->stage = DONE;
    return why;
}

enum leat_prom_drop leat_prom_map_begin(struct leat_prom_map *m,
                                        const struct leat_prom_map_conf *conf,
                                        const struct leat_metric_head *head,
                                        const struct leat_point *p)
{
    bool counter = p->type == LEAT_METRIC_SUM && head->monotonic;

    m->stage = DONE;
    if (!is_cumulative(head))
        return LEAT_PROM_DROP_TEMPORALITY;
    m->point = p;
    m->stale = (p->flags & LEAT_NO_RECORDED_VALUE) != 0;
    m->next = m->nexemplars = m->next_exemplar = 0;
    m->below = 0;
    m->time = (int64_t)(p->time / 1000000);
    m->created = (int64_t)(p->start / 1000000);
    if (m->created >= m->time || (!counter && leat_prom_type_of(head) == LEAT_PROM_GAUGE))
        m->created = 0;
    if (p->type != LEAT_METRIC_GAUGE && p->type != LEAT_METRIC_SUM)
        return begin_distribution(m, conf, p);
    if (counter && may_have_exemplars(p) && !collect_exemplars(m, p))
        return LEAT_PROM_NO_MEMORY;
    m->stage = VALUE;
    return LEAT_PROM_KEPT;
}

/* --- sample by sample */

static void give(const struct leat_prom_map *m, struct leat_prom_sample *ret, uint64_t part,
                 const char *suffix, double value)
{
    *ret = (struct leat_prom_sample){.part = part,
                                     .suffix = suffix,
                                     .time = m->time,
                                     .created = m->created,
                                     .value = m->stale ? leat_prom_stale() : value};
}

/* The bits of the bound, and never one of enum leat_prom_part: those would stand for other NaN. */
static uint64_t part_of(double bound)
{
    return isnan(bound) ? LEAT_PROM_NAN : bits_of(bound) ^ UINT64_C(0x7ff8000000000100);
}

static void give_bounded(const struct leat_prom_map *m, struct leat_prom_sample *ret,
                         const char *suffix, const char *extra, double bound, double value)
{
    give(m, ret, part_of(bound), suffix, value);
    ret->extra = extra;
    ret->bound = bound;
}

static void give_native(struct leat_prom_map *m, struct leat_prom_sample *ret)
{
    give(m, ret, LEAT_PROM_VALUE, "", 0);
    ret->native = &m->native;
    give_all_exemplars(m, ret);
    m->stage = !m->classic ? DONE : m->point->has_sum || m->stale ? SUM : COUNT;
}

/* A bound without a count of its own has no bucket, as upstream. */
static uint32_t classic_buckets(const struct leat_point *p)
{
    uint32_t bounds = leat_prom_finite_bounds(p);

    return bounds < p->ncounts ? bounds : p->ncounts;
}

static void begin_buckets(struct leat_prom_map *m)
{
    sort(m->exemplars, m->nexemplars, by_value);
    m->stage = classic_buckets(m->point) > 0 ? BUCKETS : INFINITE;
}

static void give_count(struct leat_prom_map *m, struct leat_prom_sample *ret)
{
    give(m, ret, LEAT_PROM_COUNT, "_count", (double)m->point->count);
    if (m->point->type == LEAT_METRIC_HISTOGRAM)
        begin_buckets(m);
    else
        m->stage = m->point->nquantiles > 0 ? QUANTILES : DONE;
}

static void give_bucket(struct leat_prom_map *m, struct leat_prom_sample *ret)
{
    double bound = m->point->bounds[m->next];

    m->below += m->point->counts[m->next];
    give_bounded(m, ret, "_bucket", "le", bound, (double)m->below);
    give_exemplars(m, bound, ret);
    if (++m->next == classic_buckets(m->point))
        m->stage = INFINITE;
}

static void give_infinite(struct leat_prom_map *m, struct leat_prom_sample *ret)
{
    give_bounded(m, ret, "_bucket", "le", INFINITY, (double)m->point->count);
    give_exemplars(m, INFINITY, ret);
    m->stage = DONE;
}

static void give_quantile(struct leat_prom_map *m, struct leat_prom_sample *ret)
{
    const struct leat_quantile *q = &m->point->quantiles[m->next];

    give_bounded(m, ret, "", "quantile", q->quantile, q->value);
    ret->created = 0; /* it counts nothing: a zero at the start would be made up */
    if (++m->next == m->point->nquantiles)
        m->stage = DONE;
}

bool leat_prom_map_next(struct leat_prom_map *m, struct leat_prom_sample *ret)
{
    switch ((enum stage)m->stage) {
    case VALUE:
        give(m, ret, LEAT_PROM_VALUE, "", m->point->value);
        give_all_exemplars(m, ret);
        m->stage = DONE;
        return true;
    case NATIVE:
        give_native(m, ret);
        return true;
    case SUM:
        give(m, ret, LEAT_PROM_SUM, "_sum", m->point->sum);
        m->stage = COUNT;
        return true;
    case COUNT:
        give_count(m, ret);
        return true;
    case BUCKETS:
        give_bucket(m, ret);
        return true;
    case INFINITE:
        give_infinite(m, ret);
        return true;
    case QUANTILES:
        give_quantile(m, ret);
        return true;
    default:
        return false;
    }
}
