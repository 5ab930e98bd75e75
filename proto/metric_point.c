/* One data point of a metric, read and written. */
#include "proto/metric_point.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/metric_quick.h"
#include "proto/otlp_make.h"
#include "proto/otlp_match.h"
#include "proto/wire.h"

/* What a field of a data point means to us. The same meaning has another number in each type. */
enum meaning {
    OTHER, /* copied as it stands */
    ATTRIBUTE,
    START,
    TIME,
    FLAGS,
    DOUBLE,
    INTEGER,
    COUNT,
    SUM,
    MIN,
    MAX,
    COUNTS,
    BOUNDS,
    SCALE,
    ZERO_COUNT,
    ZERO_THRESHOLD,
    POSITIVE,
    NEGATIVE,
    QUANTILE,
    EXEMPLAR,
};

#define FIELDS 15

static const uint8_t number_point[FIELDS] = {
    [2] = START,   [3] = TIME,      [4] = DOUBLE, [5] = EXEMPLAR,
    [6] = INTEGER, [7] = ATTRIBUTE, [8] = FLAGS,
};
static const uint8_t histogram_point[FIELDS] = {
    [2] = START,    [3] = TIME,      [4] = COUNT,  [5] = SUM,  [6] = COUNTS, [7] = BOUNDS,
    [8] = EXEMPLAR, [9] = ATTRIBUTE, [10] = FLAGS, [11] = MIN, [12] = MAX,
};
static const uint8_t exponential_point[FIELDS] = {
    [1] = ATTRIBUTE, [2] = START,      [3] = TIME,     [4] = COUNT,           [5] = SUM,
    [6] = SCALE,     [7] = ZERO_COUNT, [8] = POSITIVE, [9] = NEGATIVE,        [10] = FLAGS,
    [11] = EXEMPLAR, [12] = MIN,       [13] = MAX,     [14] = ZERO_THRESHOLD,
};
static const uint8_t summary_point[FIELDS] = {
    [2] = START, [3] = TIME, [4] = COUNT, [5] = SUM, [6] = QUANTILE, [7] = ATTRIBUTE, [8] = FLAGS,
};

static const struct shape {
    const uint8_t *meanings;
    uint32_t attrs_field, exemplars_field;
} shapes[] = {
    [LEAT_METRIC_GAUGE] = {number_point, 7, 5},
    [LEAT_METRIC_SUM] = {number_point, 7, 5},
    [LEAT_METRIC_HISTOGRAM] = {histogram_point, 9, 8},
    [LEAT_METRIC_EXPONENTIAL] = {exponential_point, 1, 11},
    [LEAT_METRIC_SUMMARY] = {summary_point, 7, 0},
};

static enum meaning meaning_of(const struct shape *s, uint32_t field)
{
    return field < FIELDS ? (enum meaning)s->meanings[field] : OTHER;
}

/* --- the metric */

struct leat_metric_head leat_metric_head(const struct leat_otlp_walk *walk)
{
    struct leat_metric_head head = {.type = (enum leat_metric_type)walk->data_field};
    struct leat_wire w = leat_wire_of(walk->metric);
    struct leat_wire_field f;

    while (leat_wire_next(&w, &f) > 0) {
        if (f.field == 1)
            head.name = f.bytes;
        else if (f.field == 2)
            head.description = f.bytes;
        else if (f.field == 3)
            head.unit = f.bytes;
    }
    if (head.type == LEAT_METRIC_GAUGE || head.type == LEAT_METRIC_SUMMARY)
        return head;
    w = leat_wire_of(walk->data);
    while (leat_metric_pass_points(&w), leat_wire_next(&w, &f) > 0) {
        if (f.field == 2 && f.type == LEAT_VARINT)
            head.temporality = f.number <= LEAT_CUMULATIVE ? (enum leat_temporality)f.number
                                                           : LEAT_TEMPORALITY_NONE;
        else if (f.field == 3 && head.type == LEAT_METRIC_SUM)
            head.monotonic = f.number != 0;
    }
    return head;
}

/* --- numbers */

static double double_of(uint64_t bits)
{
    double d;

    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t bits_of(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static int32_t zigzag(uint64_t n)
{
    uint32_t v = (uint32_t)n;

    return (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
}

/* --- arrays: counted in a first look, then filled into one room */

struct arrays {
    size_t counts, bounds, quantiles, positive, negative;
};

static size_t packed_varints(struct leat_bytes b)
{
    size_t n = 0;

    for (size_t i = 0; i < b.len; i++)
        n += ((const uint8_t *)b.data)[i] < 0x80;
    return n;
}

static size_t count_side(struct leat_bytes buckets)
{
    struct leat_wire w = leat_wire_of(buckets);
    struct leat_wire_field f;
    size_t n = 0;

    while (leat_wire_next(&w, &f) > 0) {
        if (f.field == 2)
            n += f.type == LEAT_BYTES ? packed_varints(f.bytes) : 1;
    }
    return n;
}

static size_t count_fixed(const struct leat_wire_field *f)
{
    return f->type == LEAT_BYTES ? f->bytes.len / 8 : 1;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void count_one(const struct shape *s, const struct leat_wire_field *f, struct arrays *n)
{
    switch (meaning_of(s, f->field)) {
    case COUNTS:
        n->counts += count_fixed(f);
        break;
    case BOUNDS:
        n->bounds += count_fixed(f);
        break;
    case QUANTILE:
        n->quantiles++;
        break;
    case POSITIVE:
        n->positive = most(n->positive, count_side(f->bytes));
        break;
    case NEGATIVE:
        n->negative = most(n->negative, count_side(f->bytes));
        break;
    default:
        break;
    }
}

static bool make_room(struct leat_point_room *room, const struct arrays *n)
{
    /* One at least: a room that was made is no NULL, and the next point may have none. */
    size_t want = 1 + n->counts + n->bounds + 2 * n->quantiles + n->positive + n->negative;
    uint64_t *words;

    room->too_many = n->counts > LEAT_POINT_BUCKETS || n->bounds > LEAT_POINT_BUCKETS ||
                     n->quantiles > LEAT_POINT_BUCKETS || n->positive > LEAT_POINT_BUCKETS ||
                     n->negative > LEAT_POINT_BUCKETS;
    if (room->too_many)
        return false;
    if (want <= room->cap)
        return true;
    words = leat_try(want * sizeof *words);
    if (words == NULL)
        return false;
    leat_free(room->words);
    room->words = words;
    room->cap = want;
    return true;
}

void leat_point_room_done(struct leat_point_room *room)
{
    leat_free(room->words);
    *room = (struct leat_point_room){.words = NULL};
}

/* Appends a repeated fixed64 or double, packed or not. */
static void fill_fixed(uint64_t *at, uint32_t *n, const struct leat_wire_field *f)
{
    if (f->type != LEAT_BYTES) {
        at[(*n)++] = f->number;
    } else if (f->bytes.len >= 8) {
        memcpy(at + *n, f->bytes.data, f->bytes.len / 8 * 8);
        *n += (uint32_t)(f->bytes.len / 8);
    }
}

static void fill_side(uint64_t *at, struct leat_bytes buckets, struct leat_exponential_side *ret)
{
    struct leat_wire w = leat_wire_of(buckets), packed;
    struct leat_wire_field f;

    *ret = (struct leat_exponential_side){.counts = at};
    while (leat_wire_next(&w, &f) > 0) {
        if (f.field == 1) {
            ret->offset = zigzag(f.number);
        } else if (f.field == 2 && f.type == LEAT_VARINT) {
            at[ret->ncounts++] = f.number;
        } else if (f.field == 2) {
            packed = leat_wire_of(f.bytes);
            while (leat_wire_varint(&packed, &at[ret->ncounts]))
                ret->ncounts++;
        }
    }
}

static struct leat_quantile quantile_of(struct leat_bytes message)
{
    struct leat_quantile q = {0, 0};
    struct leat_wire w = leat_wire_of(message);
    struct leat_wire_field f;

    while (leat_wire_next(&w, &f) > 0) {
        if (f.field == 1)
            q.quantile = double_of(f.number);
        else if (f.field == 2)
            q.value = double_of(f.number);
    }
    return q;
}

/* Where each array begins in the room. */
struct places {
    uint64_t *counts, *bounds, *quantiles, *positive, *negative;
};

static void place(struct places *at, uint64_t *words, const struct arrays *n, struct leat_point *p)
{
    at->counts = words;
    at->bounds = at->counts + n->counts;
    at->quantiles = at->bounds + n->bounds;
    at->positive = at->quantiles + 2 * n->quantiles;
    at->negative = at->positive + n->positive;
    p->counts = at->counts;
    p->bounds = (const double *)at->bounds;
    p->quantiles = (const struct leat_quantile *)at->quantiles;
}

static void read_array(struct leat_point *p, enum meaning m, const struct leat_wire_field *f,
                       const struct places *at)
{
    struct leat_quantile q;

    switch (m) {
    case COUNTS:
        fill_fixed(at->counts, &p->ncounts, f);
        break;
    case BOUNDS:
        fill_fixed(at->bounds, &p->nbounds, f);
        break;
    case QUANTILE:
        q = quantile_of(f->bytes);
        at->quantiles[2 * p->nquantiles] = bits_of(q.quantile);
        at->quantiles[2 * p->nquantiles + 1] = bits_of(q.value);
        p->nquantiles++;
        break;
    case POSITIVE:
        fill_side(at->positive, f->bytes, &p->positive);
        break;
    case NEGATIVE:
        fill_side(at->negative, f->bytes, &p->negative);
        break;
    default:
        break;
    }
}

static void read_arrays(struct leat_point *p, const struct shape *s,
                        const struct leat_point_room *room, const struct arrays *n)
{
    struct leat_wire w = leat_wire_of(p->message);
    struct leat_wire_field f;
    struct places at;

    place(&at, room->words, n, p);
    while (leat_wire_next(&w, &f) > 0)
        read_array(p, meaning_of(s, f.field), &f, &at);
}

/* --- the point */

/* A field that holds one number. True: it was one. */
static bool read_scalar(struct leat_point *p, enum meaning m, uint64_t n)
{
    switch (m) {
    case START:
        p->start = n;
        return true;
    case TIME:
        p->time = n;
        return true;
    case FLAGS:
        p->flags = (uint32_t)n;
        return true;
    case DOUBLE:
        leat_point_set_number(p, LEAT_NUMBER_DOUBLE, n);
        return true;
    case INTEGER:
        leat_point_set_number(p, LEAT_NUMBER_INT, n);
        return true;
    case COUNT:
        p->count = n;
        return true;
    case SUM:
        p->has_sum = true;
        p->sum = double_of(n);
        return true;
    case MIN:
        p->has_min = true;
        p->min = double_of(n);
        return true;
    case MAX:
        p->has_max = true;
        p->max = double_of(n);
        return true;
    case SCALE:
        p->scale = zigzag(n);
        return true;
    case ZERO_COUNT:
        p->zero_count = n;
        return true;
    case ZERO_THRESHOLD:
        p->zero_threshold = double_of(n);
        return true;
    default:
        return false;
    }
}

/* The attribute that stands from `from` to `to` joins the run of those before it. */
static void join_attr(struct leat_point *p, const uint8_t *from, const uint8_t *to)
{
    const uint8_t *end = p->attrs.len ? (const uint8_t *)p->attrs.data + p->attrs.len : from;

    if (p->scattered)
        return;
    if (end != from) {
        p->scattered = true;
        p->attrs = leat_bytes(NULL, 0);
        return;
    }
    if (p->attrs.len == 0)
        p->attrs.data = from;
    p->attrs.len += (size_t)(to - from);
}

static void begin_point(struct leat_point *p, enum leat_metric_type type, struct leat_bytes record)
{
    memset(p, 0, sizeof *p);
    p->type = type;
    p->message = record;
    p->attrs_field = shapes[type].attrs_field;
    p->exemplars_field = shapes[type].exemplars_field;
}

bool leat_point_read(enum leat_metric_type type, struct leat_bytes record,
                     struct leat_point_room *room, struct leat_point *ret)
{
    const struct shape *s = &shapes[type];
    struct leat_wire w = leat_wire_of(record);
    struct arrays n = {0};
    struct leat_wire_field f;
    const uint8_t *from = w.at;

    begin_point(ret, type, record);
    if ((type == LEAT_METRIC_GAUGE || type == LEAT_METRIC_SUM) && record.len > 0) {
        if (leat_point_read_usual(ret))
            return true;
        begin_point(ret, type, record);
    }
    for (; leat_wire_next(&w, &f) > 0; from = w.at) {
        enum meaning m = meaning_of(s, f.field);
        if (m == ATTRIBUTE)
            join_attr(ret, from, w.at);
        else if (!read_scalar(ret, m, f.number))
            count_one(s, &f, &n);
    }
    if (type == LEAT_METRIC_GAUGE || type == LEAT_METRIC_SUM)
        return true;
    if (!make_room(room, &n))
        return false;
    read_arrays(ret, s, room, &n);
    return true;
}

/* --- writing */

static void write_packed(struct leat_make *m, uint32_t field, const void *words, uint32_t n)
{
    if (n > 0)
        leat_make_bytes(m, field, leat_bytes(words, (size_t)n * 8));
}

static uint64_t zigzag_of(int32_t v)
{
    return (uint32_t)v << 1 ^ (uint32_t)(v >> 31);
}

static void write_side(struct leat_make *m, uint32_t field, const struct leat_exponential_side *s)
{
    if (s->ncounts == 0 && s->offset == 0)
        return;
    leat_make_open(m, field);
    if (s->offset != 0)
        leat_make_varint(m, 1, zigzag_of(s->offset));
    leat_make_packed_varints(m, 2, s->counts, s->ncounts);
    leat_make_close(m);
}

static void write_number(struct leat_make *m, const struct leat_point *p)
{
    if (p->number == LEAT_NUMBER_DOUBLE)
        leat_make_double(m, 4, p->value);
    else if (p->number == LEAT_NUMBER_INT)
        leat_make_fixed64(m, 6, (uint64_t)p->integer);
}

static void write_quantiles(struct leat_make *m, const struct leat_point *p)
{
    for (uint32_t i = 0; i < p->nquantiles; i++) {
        leat_make_open(m, 6);
        leat_make_double(m, 1, p->quantiles[i].quantile);
        leat_make_double(m, 2, p->quantiles[i].value);
        leat_make_close(m);
    }
}

static void write_exponential(struct leat_make *m, const struct leat_point *p)
{
    leat_make_varint(m, 6, zigzag_of(p->scale));
    leat_make_fixed64(m, 7, p->zero_count);
    write_side(m, 8, &p->positive);
    write_side(m, 9, &p->negative);
    if (p->has_min)
        leat_make_double(m, 12, p->min);
    if (p->has_max)
        leat_make_double(m, 13, p->max);
    if (p->zero_threshold != 0)
        leat_make_double(m, 14, p->zero_threshold);
}

static void write_histogram(struct leat_make *m, const struct leat_point *p)
{
    write_packed(m, 6, p->counts, p->ncounts);
    write_packed(m, 7, p->bounds, p->nbounds);
    if (p->has_min)
        leat_make_double(m, 11, p->min);
    if (p->has_max)
        leat_make_double(m, 12, p->max);
}

/* Count and sum have the same numbers wherever they are. A summary's sum has no presence. */
static void write_distribution(struct leat_make *m, const struct leat_point *p)
{
    leat_make_fixed64(m, 4, p->count);
    if (p->has_sum)
        leat_make_double(m, 5, p->sum);
    if (p->type == LEAT_METRIC_HISTOGRAM)
        write_histogram(m, p);
    else if (p->type == LEAT_METRIC_EXPONENTIAL)
        write_exponential(m, p);
    else
        write_quantiles(m, p);
}

static uint32_t flags_field(enum leat_metric_type type)
{
    return type == LEAT_METRIC_HISTOGRAM || type == LEAT_METRIC_EXPONENTIAL ? 10 : 8;
}

/* What is no number of ours goes over as it stands: runs of fields at once. */
static void copy_rest(struct leat_make *m, const struct leat_point *p, bool exemplars)
{
    const struct shape *s = &shapes[p->type];
    struct leat_wire w = leat_wire_of(p->message);
    const uint8_t *run = w.at, *from = w.at;
    struct leat_wire_field f;

    for (; leat_wire_next(&w, &f) > 0; from = w.at) {
        enum meaning what = meaning_of(s, f.field);
        if (what == OTHER || what == ATTRIBUTE || (what == EXEMPLAR && exemplars))
            continue;
        if (from > run)
            leat_make_raw(m, leat_bytes(run, (size_t)(from - run)));
        run = w.at;
    }
    if (from > run)
        leat_make_raw(m, leat_bytes(run, (size_t)(from - run)));
}

void leat_point_write(struct leat_make *m, uint32_t field, const struct leat_point *p,
                      bool exemplars)
{
    leat_make_open(m, field);
    copy_rest(m, p, exemplars);
    if (p->start != 0)
        leat_make_fixed64(m, 2, p->start);
    leat_make_fixed64(m, 3, p->time);
    if (p->flags != 0)
        leat_make_varint(m, flags_field(p->type), p->flags);
    if (p->type == LEAT_METRIC_GAUGE || p->type == LEAT_METRIC_SUM)
        write_number(m, p);
    else
        write_distribution(m, p);
    leat_make_close(m);
}

/* --- exemplars */

static struct leat_exemplar exemplar_of(struct leat_bytes message)
{
    struct leat_exemplar e = {.message = message};
    struct leat_wire w = leat_wire_of(message);
    struct leat_wire_field f;

    while (leat_wire_next(&w, &f) > 0) {
        switch (f.field) {
        case 2:
            e.time = f.number;
            break;
        case 3:
            e.value = double_of(f.number);
            break;
        case 4:
            e.span_id = f.bytes;
            break;
        case 5:
            e.trace_id = f.bytes;
            break;
        case 6:
            e.value = (double)(int64_t)f.number;
            break;
        default:
            break;
        }
    }
    return e;
}

bool leat_exemplar_next(struct leat_wire *w, const struct leat_point *p, struct leat_exemplar *ret)
{
    struct leat_bytes message;

    if (p->exemplars_field == 0 || !leat_otlp_next(w, p->exemplars_field, &message))
        return false;
    *ret = exemplar_of(message);
    return true;
}
