/* The mapping of OTLP to Prometheus once more, as simple as can be. */
#include "lib/prom_naive.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "lib/prom_read.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "proto/otlp_show.h"

typedef Opentelemetry__Proto__Metrics__V1__ResourceMetrics resource_metrics;
typedef Opentelemetry__Proto__Metrics__V1__ScopeMetrics scope_metrics;
typedef Opentelemetry__Proto__Metrics__V1__Metric metric;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint number_point;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint histogram_point;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint exponential_point;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint__Buckets exponential_side;
typedef Opentelemetry__Proto__Metrics__V1__SummaryDataPoint summary_point;
typedef Opentelemetry__Proto__Metrics__V1__Exemplar exemplar;
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest metrics_request;

#define BYTES ((size_t)64 << 20)

/* What is known where the mapping stands. */
struct place {
    const struct leat_prom_feed_conf *conf;
    struct leat_prom_labels *labels;
    struct leat_text *lines, resource, scope, point, name, help, unit;
    uint32_t *dropped;
    const metric *metric;
    const char *type; /* "counter" … */
    bool cumulative, named;
    uint32_t attrs_field;
    int64_t newest; /* ms, of the resource */
    bool any;       /* … has samples */
    /* of the point */
    uint64_t start, time;
    bool stale;
};

static void pack(const ProtobufCMessage *m, struct leat_text *out)
{
    leat_text_clear(out);
    if (m != NULL)
        otlp_random_pack(m, out);
}

static double stale(void)
{
    const uint64_t bits = UINT64_C(0x7ff0000000000002);
    double d;

    memcpy(&d, &bits, 8);
    return d;
}

static bool is_gauge(const struct place *p)
{
    return strcmp(p->type, "gauge") == 0;
}

/* --- lines */

static void begin_line(struct place *p, const char *suffix, const char *extra, const char *bound)
{
    struct leat_text full;
    struct leat_prom_set set;

    leat_text_init(&full, BYTES);
    leat_text_printf(&full, "%s%s", leat_text_get(&p->name), suffix);
    set = leat_prom_labels_series(p->labels, leat_text_bytes(&full), leat_bytes_str(extra),
                                  leat_bytes_str(bound));
    leat_text_char(p->lines, '{');
    for (uint32_t i = 0; i < set.count; i++) {
        if (i > 0)
            leat_text_char(p->lines, ',');
        prom_read_label(p->lines, set.label[i].name, set.label[i].value);
    }
    leat_text_char(p->lines, '}');
    leat_text_done(&full);
}

static void add_time(struct place *p)
{
    leat_text_printf(p->lines, " @%llu", (unsigned long long)(p->time / 1000000));
    p->any = true;
    if ((int64_t)(p->time / 1000000) > p->newest)
        p->newest = (int64_t)(p->time / 1000000);
}

static void add_value(struct place *p, double value)
{
    leat_text_char(p->lines, ' ');
    prom_read_value(p->lines, p->stale ? stale() : value);
    add_time(p);
}

static void add_details(struct leat_text *out, const char *type, const struct leat_text *help,
                        const struct leat_text *unit)
{
    leat_text_printf(out, " %s", type);
    if (help->len == 0 && unit->len == 0)
        return;
    leat_text_str(out, " help=");
    prom_read_quoted(out, leat_text_bytes(help));
    leat_text_str(out, " unit=");
    prom_read_quoted(out, leat_text_bytes(unit));
}

static void end_line(struct place *p)
{
    if (p->conf->message == LEAT_PROM_WRITE_2) {
        add_details(p->lines, p->type, &p->help, &p->unit);
        if (!is_gauge(p) && p->start / 1000000 > 0 && p->start / 1000000 < p->time / 1000000)
            leat_text_printf(p->lines, " created=%llu", (unsigned long long)(p->start / 1000000));
    }
    leat_text_char(p->lines, '\n');
}

static void line(struct place *p, const char *suffix, double value)
{
    begin_line(p, suffix, "", "");
    add_value(p, value);
    end_line(p);
}

/* Digits without an exponent: as few as read back. */
static const char *digits(double v, char out[LEAT_PROM_NUMBER])
{
    char text[40], mantissa[40];
    size_t n = 0;
    int exponent, width;

    if (isnan(v) || isinf(v))
        return isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
    for (int precision = 0; precision < 18; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    exponent = atoi(strchr(text, 'e') + 1);
    *strchr(text, 'e') = '\0';
    for (const char *c = text; *c != '\0'; c++) {
        if (*c >= '0' && *c <= '9')
            mantissa[n++] = *c;
    }
    out[0] = '\0';
    if (text[0] == '-')
        strcat(out, "-");
    if (exponent < 0)
        strcat(out, "0.");
    for (int i = -1; i > exponent; i--)
        strcat(out, "0");
    width = exponent < 0 ? (int)n : exponent + 1 > (int)n ? exponent + 1 : (int)n;
    for (int i = 0; i < width; i++) {
        char c[2] = {i < (int)n ? mantissa[i] : '0', '\0'};
        if (exponent >= 0 && i == exponent + 1)
            strcat(out, ".");
        strcat(out, c);
    }
    return out;
}

/* --- exemplars */

struct pair {
    char *name, *value;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static size_t runes(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static char *clean(struct leat_bytes text)
{
    struct leat_text t;

    leat_text_init(&t, BYTES);
    leat_prom_add_utf8(&t, text);
    return leat_text_take(&t);
}

static char *value_text(const Opentelemetry__Proto__Common__V1__AnyValue *v)
{
    struct leat_text packed, shown;
    char *value;

    leat_text_init(&packed, BYTES);
    leat_text_init(&shown, BYTES);
    if (v != NULL)
        otlp_random_pack(&v->base, &packed);
    leat_show_value(&shown, leat_text_bytes(&packed));
    value = clean(leat_text_bytes(&shown));
    leat_text_done(&packed);
    leat_text_done(&shown);
    return value;
}

static size_t add_id(struct pair *pairs, size_t n, const char *name, ProtobufCBinaryData id)
{
    size_t zeros = 0;

    while (zeros < id.len && id.data[zeros] == 0)
        zeros++;
    if (zeros == id.len)
        return n;
    pairs[n].name = leat_strdup(name);
    pairs[n].value = leat_new(2 * id.len + 1);
    for (size_t i = 0; i < id.len; i++)
        snprintf(pairs[n].value + 2 * i, 3, "%02x", id.data[i]);
    return n + 1;
}

static bool has_name(const struct pair *pairs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].name, name) == 0)
            return true;
    }
    return false;
}

static size_t total_runes(const struct pair *pairs, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += runes(pairs[i].name) + runes(pairs[i].value);
    return total;
}

static void add_exemplar(struct place *p, const exemplar *e)
{
    struct pair *pairs = leat_new_array(e->n_filtered_attributes + 2, sizeof *pairs);
    size_t ids, all, kept, runes_of_all;
    double value = e->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_INT
                       ? (double)e->as_int
                       : e->as_double;

    ids = add_id(pairs, 0, "span_id", e->span_id);
    ids = add_id(pairs, ids, "trace_id", e->trace_id);
    all = kept = ids;
    runes_of_all = total_runes(pairs, ids);
    for (size_t i = 0; i < e->n_filtered_attributes; i++) {
        const Opentelemetry__Proto__Common__V1__KeyValue *kv = e->filtered_attributes[i];
        struct pair one = {clean(leat_bytes_str(kv->key)), value_text(kv->value)};
        runes_of_all += runes(one.name) + runes(one.value);
        if (one.name[0] == '\0' || one.value[0] == '\0' || has_name(pairs, all, one.name)) {
            leat_free(one.name);
            leat_free(one.value);
        } else {
            pairs[all++] = one;
        }
    }
    if (runes_of_all <= 128)
        kept = all;
    qsort(pairs, kept, sizeof *pairs, by_name);
    leat_text_str(p->lines, " # {");
    for (size_t i = 0; i < kept; i++) {
        if (i > 0)
            leat_text_char(p->lines, ',');
        prom_read_label(p->lines, leat_bytes_str(pairs[i].name), leat_bytes_str(pairs[i].value));
    }
    leat_text_str(p->lines, "} ");
    prom_read_value(p->lines, value);
    leat_text_printf(p->lines, " @%llu", (unsigned long long)(e->time_unix_nano / 1000000));
    for (size_t i = 0; i < all; i++) {
        leat_free(pairs[i].name);
        leat_free(pairs[i].value);
    }
    leat_free(pairs);
}

static double exemplar_value(const exemplar *e)
{
    return e->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_INT
               ? (double)e->as_int
           : e->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_DOUBLE
               ? e->as_double
               : 0;
}

/* Those above `low` up to `high`, or all; earlier ones first, by looking for the next again and
 * again. */
static void add_exemplars(struct place *p, exemplar **list, size_t n, bool all, double low,
                          double high)
{
    char *done = leat_new(n + 1);

    for (;;) {
        size_t best = n;
        for (size_t i = 0; i < n; i++) {
            double v = exemplar_value(list[i]);
            if (done[i] || (!all && (!(v <= high) || v <= low)))
                continue;
            if (best == n || list[i]->time_unix_nano < list[best]->time_unix_nano)
                best = i;
        }
        if (best == n)
            break;
        done[best] = 1;
        add_exemplar(p, list[best]);
    }
    leat_free(done);
}

/* --- native histograms */

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

static void add_head(struct place *p, int32_t schema, uint64_t count, double sum, uint64_t zero,
                     double threshold)
{
    leat_text_printf(p->lines, " histogram schema=%d count=%llu sum=", schema,
                     (unsigned long long)(p->stale ? 0 : count));
    prom_read_value(p->lines, p->stale ? stale() : sum);
    leat_text_printf(p->lines, " zero=%llu(", (unsigned long long)(p->stale ? 0 : zero));
    prom_read_value(p->lines, threshold);
    leat_text_char(p->lines, ')');
}

static bool too_far(const struct bucket *b, size_t n)
{
    return n > 0 && b[n - 1].index > INT32_MAX;
}

static enum leat_prom_drop map_exponential(struct place *p, const exponential_point *e)
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
    begin_line(p, "", "", "");
    add_head(p, e->scale > 8 ? 8 : e->scale, e->count, e->has_sum ? e->sum : 0, e->zero_count,
             t > 0 && !isinf(t) ? t : 1e-128);
    if (!p->stale) {
        add_side(p->lines, "neg", neg, nneg);
        add_side(p->lines, "pos", pos, npos);
    }
    add_time(p);
    add_exemplars(p, e->exemplars, e->n_exemplars, true, 0, 0);
    end_line(p);
    leat_free(pos);
    leat_free(neg);
    return LEAT_PROM_KEPT;
}

/* --- histograms and summaries */

static void map_custom(struct place *p, const histogram_point *h, size_t bounds)
{
    struct bucket *b = leat_new_array(bounds + 1, sizeof *b);
    size_t n = bounds + 1;

    for (size_t i = 0; i <= bounds; i++)
        b[i].index = (int64_t)i;
    for (size_t i = 0; i < h->n_bucket_counts; i++)
        b[i < bounds ? i : bounds].count += h->bucket_counts[i];
    if (h->n_bucket_counts == 0)
        b[bounds].count = h->count;
    begin_line(p, "", "", "");
    add_head(p, -53, h->count, h->has_sum ? h->sum : 0, 0, 0);
    n = without_empty(b, n);
    if (!p->stale)
        add_side(p->lines, "pos", b, n);
    for (size_t i = 0; i < bounds && !p->stale; i++) {
        leat_text_str(p->lines, i == 0 ? " custom=" : ",");
        prom_read_value(p->lines, h->explicit_bounds[i]);
    }
    add_time(p);
    add_exemplars(p, h->exemplars, h->n_exemplars, true, 0, 0);
    end_line(p);
    leat_free(b);
}

static void map_bucket(struct place *p, const histogram_point *h, double low, double high,
                       uint64_t count)
{
    char number[LEAT_PROM_NUMBER];

    begin_line(p, "_bucket", "le", digits(high, number));
    add_value(p, (double)count);
    add_exemplars(p, h->exemplars, h->n_exemplars, false, low, high);
    end_line(p);
}

static void map_classic(struct place *p, const histogram_point *h, size_t bounds)
{
    uint64_t below = 0;
    double low = NAN; /* nothing is less */

    if (h->has_sum)
        line(p, "_sum", h->sum);
    line(p, "_count", (double)h->count);
    for (size_t i = 0; i < bounds && i < h->n_bucket_counts; i++) {
        below += h->bucket_counts[i];
        map_bucket(p, h, low, h->explicit_bounds[i], below);
        low = h->explicit_bounds[i];
    }
    map_bucket(p, h, low, INFINITY, h->count);
}

static enum leat_prom_drop map_histogram(struct place *p, const histogram_point *h)
{
    size_t bounds = h->n_explicit_bounds;

    for (size_t i = 0; i < bounds; i++) {
        if (isnan(h->explicit_bounds[i]) ||
            (i > 0 && h->explicit_bounds[i] <= h->explicit_bounds[i - 1]))
            return LEAT_PROM_DROP_BOUNDS;
    }
    if (bounds > 0 && h->explicit_bounds[bounds - 1] == INFINITY)
        bounds--;
    if (p->conf->map.custom_buckets)
        map_custom(p, h, bounds);
    if (!p->conf->map.custom_buckets || p->conf->map.keep_classic)
        map_classic(p, h, bounds);
    return LEAT_PROM_KEPT;
}

static enum leat_prom_drop map_summary(struct place *p, const summary_point *s)
{
    char one[LEAT_PROM_NUMBER], other[LEAT_PROM_NUMBER];

    for (size_t i = 0; i < s->n_quantile_values; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(digits(s->quantile_values[i]->quantile, one),
                       digits(s->quantile_values[k]->quantile, other)) == 0)
                return LEAT_PROM_DROP_QUANTILES;
        }
    }
    line(p, "_sum", s->sum);
    line(p, "_count", (double)s->count);
    for (size_t i = 0; i < s->n_quantile_values; i++) {
        begin_line(p, "", "quantile", digits(s->quantile_values[i]->quantile, one));
        add_value(p, s->quantile_values[i]->value);
        end_line(p);
    }
    return LEAT_PROM_KEPT;
}

static enum leat_prom_drop map_number(struct place *p, const number_point *n)
{
    double v =
        n->value_case == OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT
            ? (double)n->as_int
        : n->value_case == OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE
            ? n->as_double
            : 0;

    begin_line(p, "", "", "");
    add_value(p, v);
    if (!is_gauge(p))
        add_exemplars(p, n->exemplars, n->n_exemplars, true, 0, 0);
    end_line(p);
    return LEAT_PROM_KEPT;
}

/* --- points, metrics, resources */

static enum leat_prom_drop map_point(struct place *p, const ProtobufCMessage *m)
{
    enum leat_prom_labels_result r;
    enum leat_prom_drop why = LEAT_PROM_KEPT;
    size_t len = p->lines->len;
    int64_t newest = p->newest;
    bool any = p->any;

    if (!p->cumulative)
        return LEAT_PROM_DROP_TEMPORALITY;
    pack(m, &p->point);
    r = leat_prom_labels_point(p->labels, leat_text_bytes(&p->point), p->attrs_field);
    switch ((uint32_t)p->metric->data_case) {
    case 9:
        why = map_histogram(p, (const histogram_point *)m);
        break;
    case 10:
        why = map_exponential(p, (const exponential_point *)m);
        break;
    case 11:
        why = map_summary(p, (const summary_point *)m);
        break;
    default:
        why = map_number(p, (const number_point *)m);
    }
    if (why == LEAT_PROM_KEPT && (!p->named || r != LEAT_PROM_LABELS_OK)) {
        why = !p->named                        ? LEAT_PROM_DROP_NAME
              : r == LEAT_PROM_LABELS_TOO_MANY ? LEAT_PROM_DROP_LABELS
                                               : LEAT_PROM_DROP_LABEL;
        p->lines->len = len;
        p->lines->data[len] = '\0';
        p->newest = newest;
        p->any = any;
    }
    return why;
}

static void map_all(struct place *p, size_t n, void *points)
{
    ProtobufCMessage **list = points;

    for (size_t i = 0; i < n; i++) {
        enum leat_prom_drop why;
        number_point *number = (number_point *)list[i];
        histogram_point *histogram = (histogram_point *)list[i];
        exponential_point *exponential = (exponential_point *)list[i];
        summary_point *summary = (summary_point *)list[i];
        uint32_t flags;
        switch ((uint32_t)p->metric->data_case) {
        case 9:
            p->start = histogram->start_time_unix_nano;
            p->time = histogram->time_unix_nano;
            flags = histogram->flags;
            break;
        case 10:
            p->start = exponential->start_time_unix_nano;
            p->time = exponential->time_unix_nano;
            flags = exponential->flags;
            break;
        case 11:
            p->start = summary->start_time_unix_nano;
            p->time = summary->time_unix_nano;
            flags = summary->flags;
            break;
        default:
            p->start = number->start_time_unix_nano;
            p->time = number->time_unix_nano;
            flags = number->flags;
        }
        p->stale = (flags & 1) != 0;
        why = map_point(p, list[i]);
        if (why != LEAT_PROM_KEPT)
            p->dropped[why]++;
    }
}

static void name_metric(struct place *p, const metric *m, bool monotonic)
{
    const struct leat_prom_metric what = {.name = leat_bytes_str(m->name),
                                          .unit = leat_bytes_str(m->unit),
                                          .gauge = (uint32_t)m->data_case == 5,
                                          .monotonic = monotonic};

    leat_text_clear(&p->name);
    leat_text_clear(&p->help);
    leat_text_clear(&p->unit);
    p->named = leat_prom_name(&p->conf->naming, &what, &p->name);
    if (!p->conf->metadata)
        return;
    leat_prom_add_utf8(&p->help, leat_bytes_str(m->description));
    leat_prom_unit(p->conf->naming.strategy, what.unit, &p->unit);
}

static void map_metric(struct place *p, const metric *m)
{
    bool monotonic = (uint32_t)m->data_case == 7 && m->sum->is_monotonic;

    p->metric = m;
    p->cumulative = true;
    p->type = monotonic ? "counter" : "gauge";
    name_metric(p, m, monotonic);
    switch ((uint32_t)m->data_case) {
    case 5:
        p->attrs_field = 7;
        map_all(p, m->gauge->n_data_points, m->gauge->data_points);
        break;
    case 7:
        p->attrs_field = 7;
        p->cumulative = m->sum->aggregation_temporality == 2;
        map_all(p, m->sum->n_data_points, m->sum->data_points);
        break;
    case 9:
        p->attrs_field = 9;
        p->type = "histogram";
        p->cumulative = m->histogram->aggregation_temporality == 2;
        map_all(p, m->histogram->n_data_points, m->histogram->data_points);
        break;
    case 10:
        p->attrs_field = 1;
        p->type = "histogram";
        p->cumulative = m->exponential_histogram->aggregation_temporality == 2;
        map_all(p, m->exponential_histogram->n_data_points, m->exponential_histogram->data_points);
        break;
    case 11:
        p->attrs_field = 7;
        p->type = "summary";
        map_all(p, m->summary->n_data_points, m->summary->data_points);
        break;
    default:
        break;
    }
}

static void map_info(struct place *p, const resource_metrics *rm)
{
    if (!p->conf->target_info || !p->any || p->newest == 0)
        return;
    pack(rm->resource ? &rm->resource->base : NULL, &p->resource);
    if (leat_prom_labels_info(p->labels, leat_text_bytes(&p->resource)) != LEAT_PROM_LABELS_OK)
        return;
    leat_text_clear(&p->name);
    LEAT_CHECK(leat_prom_info_name(&p->conf->naming, &p->name));
    leat_text_clear(&p->help);
    leat_text_clear(&p->unit);
    leat_text_str(&p->help, p->conf->metadata ? "Target metadata" : "");
    p->type = "gauge";
    p->stale = false;
    p->time = (uint64_t)p->newest * 1000000;
    p->start = 0;
    line(p, "", 1);
}

static void map_resource(struct place *p, const resource_metrics *rm)
{
    p->newest = 0;
    p->any = false;
    for (size_t i = 0; i < rm->n_scope_metrics; i++) {
        const scope_metrics *sm = rm->scope_metrics[i];
        pack(rm->resource ? &rm->resource->base : NULL, &p->resource);
        pack(sm->scope ? &sm->scope->base : NULL, &p->scope);
        leat_prom_labels_resource(p->labels, leat_text_bytes(&p->resource));
        leat_prom_labels_scope(p->labels, leat_text_bytes(&p->scope), leat_bytes(NULL, 0));
        for (size_t k = 0; k < sm->n_metrics; k++)
            map_metric(p, sm->metrics[k]);
    }
    map_info(p, rm);
}

void prom_naive(const struct leat_prom_feed_conf *conf, struct leat_bytes otlp,
                struct leat_text *lines, uint32_t dropped[LEAT_PROM_DROPS])
{
    metrics_request *r = (metrics_request *)otlp_random_unpack(LEAT_METRICS, otlp);
    struct place p = {.conf = conf, .lines = lines, .dropped = dropped};

    LEAT_CHECK(r != NULL);
    p.labels = leat_prom_labels_new(&conf->labels);
    leat_text_init(&p.resource, BYTES);
    leat_text_init(&p.scope, BYTES);
    leat_text_init(&p.point, BYTES);
    leat_text_init(&p.name, BYTES);
    leat_text_init(&p.help, BYTES);
    leat_text_init(&p.unit, BYTES);
    for (size_t i = 0; i < r->n_resource_metrics; i++)
        map_resource(&p, r->resource_metrics[i]);
    leat_text_done(&p.resource);
    leat_text_done(&p.scope);
    leat_text_done(&p.point);
    leat_text_done(&p.name);
    leat_text_done(&p.help);
    leat_text_done(&p.unit);
    leat_prom_labels_free(p.labels);
    otlp_random_free(&r->base);
}

/* --- requests worth mapping */

static double some_double(struct otlp_random *r)
{
    static const double some[] = {0, 1, 5, 10, 1e-7, 1e21, 0.5, -3, 2.5};

    return otlp_random_below(r, 4) == 0 ? (double)otlp_random_below(r, 1000) / 7
                                        : some[otlp_random_below(r, sizeof some / sizeof *some)];
}

static void set_text(char **at, const char *text)
{
    if (*at != protobuf_c_empty_string)
        leat_free(*at);
    *at = leat_strdup(text);
}

static void tame_exemplars(struct otlp_random *r, exemplar **list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i]->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_DOUBLE)
            list[i]->as_double = some_double(r);
        list[i]->time_unix_nano = otlp_random_below(r, 3) * UINT64_C(1000000) + 5;
        for (size_t k = 0; k < list[i]->n_filtered_attributes; k++) {
            if (otlp_random_below(r, 3) == 0)
                set_text(&list[i]->filtered_attributes[k]->key, "same");
        }
    }
}

static void tame_histogram(struct otlp_random *r, histogram_point *h)
{
    for (size_t i = 0; i < h->n_explicit_bounds; i++)
        h->explicit_bounds[i] =
            i == 0 ? some_double(r) : h->explicit_bounds[i - 1] + some_double(r) + 3.5;
    if (h->n_explicit_bounds > 0 && otlp_random_below(r, 8) == 0)
        h->explicit_bounds[h->n_explicit_bounds - 1] = INFINITY;
    h->flags = otlp_random_below(r, 8) == 0;
    h->has_flags = 1;
    tame_exemplars(r, h->exemplars, h->n_exemplars);
}

static void widen_side(struct otlp_random *r, exponential_side *s)
{
    size_t n = otlp_random_below(r, 40);

    if (s == NULL)
        return;
    leat_free(s->bucket_counts);
    s->bucket_counts = n == 0 ? NULL : leat_new_array(n, sizeof *s->bucket_counts);
    s->n_bucket_counts = n;
    for (size_t i = 0; i < n; i++)
        s->bucket_counts[i] = otlp_random_below(r, 3) == 0 ? otlp_random_below(r, 1000) : 0;
    if (otlp_random_below(r, 16) != 0)
        s->offset = (int32_t)otlp_random_below(r, 200) - 100;
}

static void tame_exponential(struct otlp_random *r, exponential_point *e)
{
    if (otlp_random_below(r, 8) != 0)
        e->scale = (int32_t)otlp_random_below(r, 18) - 5;
    e->has_scale = 1;
    e->flags = otlp_random_below(r, 8) == 0;
    e->has_flags = 1;
    widen_side(r, e->positive);
    widen_side(r, e->negative);
    tame_exemplars(r, e->exemplars, e->n_exemplars);
}

static void tame_summary(struct otlp_random *r, summary_point *s)
{
    for (size_t i = 0; i < s->n_quantile_values; i++) {
        s->quantile_values[i]->quantile = some_double(r);
        s->quantile_values[i]->has_quantile = 1;
    }
}

static void tame_metric(struct otlp_random *r, metric *m)
{
    unsigned temporality = otlp_random_below(r, 8) == 0 ? otlp_random_below(r, 3) : 2;

    switch ((uint32_t)m->data_case) {
    case 7:
        m->sum->aggregation_temporality = (int)temporality;
        m->sum->has_aggregation_temporality = 1;
        for (size_t i = 0; i < m->sum->n_data_points; i++)
            tame_exemplars(r, m->sum->data_points[i]->exemplars,
                           m->sum->data_points[i]->n_exemplars);
        break;
    case 9:
        m->histogram->aggregation_temporality = (int)temporality;
        m->histogram->has_aggregation_temporality = 1;
        for (size_t i = 0; i < m->histogram->n_data_points; i++)
            tame_histogram(r, m->histogram->data_points[i]);
        break;
    case 10:
        m->exponential_histogram->aggregation_temporality = (int)temporality;
        m->exponential_histogram->has_aggregation_temporality = 1;
        for (size_t i = 0; i < m->exponential_histogram->n_data_points; i++)
            tame_exponential(r, m->exponential_histogram->data_points[i]);
        break;
    case 11:
        for (size_t i = 0; i < m->summary->n_data_points; i++)
            tame_summary(r, m->summary->data_points[i]);
        break;
    default:
        break;
    }
}

/* Some resources say who they are, so that there are job, instance and target_info. */
static void name_resource(struct otlp_random *r, resource_metrics *rm)
{
    static const char *const keys[] = {"service.name", "service.instance.id", "service.namespace"};

    for (size_t i = 0; rm->resource != NULL && i < rm->resource->n_attributes; i++) {
        if (otlp_random_below(r, 2) == 0)
            set_text(&rm->resource->attributes[i]->key, keys[otlp_random_below(r, 3)]);
    }
}

ProtobufCMessage *prom_naive_request(struct otlp_random *r)
{
    ProtobufCMessage *m = otlp_random_request(r, LEAT_METRICS, 3);
    metrics_request *all = (metrics_request *)m;

    for (size_t i = 0; i < all->n_resource_metrics; i++) {
        resource_metrics *rm = all->resource_metrics[i];
        name_resource(r, rm);
        for (size_t k = 0; k < rm->n_scope_metrics; k++) {
            for (size_t l = 0; l < rm->scope_metrics[k]->n_metrics; l++)
                tame_metric(r, rm->scope_metrics[k]->metrics[l]);
        }
    }
    return m;
}
