/* Reads remote-write requests by protobuf-c and says in words what is in them. */
#include "lib/prom_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/codec.h"
#include "io/prometheus/write/v2/types.pb-c.h"
#include "prometheus/remote.pb-c.h"

typedef Prometheus__WriteRequest request_1;
typedef Io__Prometheus__Write__V2__Request request_2;

struct leat_bytes prom_read_finish(struct leat_prom_write *w, struct leat_text *room)
{
    struct leat_codecs *codecs;
    struct leat_bytes request;
    struct leat_buf *plain;
    struct leat_err err;
    bool squeezed;

    LEAT_CHECK(leat_prom_write_finish(w, &request, &squeezed));
    if (!squeezed)
        return request;
    codecs = leat_codecs_new();
    LEAT_CHECK(leat_inflate(codecs, LEAT_CODEC_SNAPPY, request, room->max, NULL, &plain, &err) ==
               LEAT_CODEC_OK);
    leat_text_clear(room);
    leat_text_add(room, plain->data, plain->len);
    leat_buf_unref(plain);
    leat_codecs_free(codecs);
    return leat_text_bytes(room);
}

void prom_read_value(struct leat_text *out, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    if (bits == UINT64_C(0x7ff0000000000002))
        leat_text_str(out, "stale");
    else if (isnan(v))
        leat_text_str(out, "NaN");
    else
        leat_text_printf(out, "%.17g", v == 0 ? 0 : v);
}

static void add_printable(struct leat_text *out, struct leat_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\'' || text.data[i] == '\\' || text.data[i] < ' ')
            leat_text_printf(out, "\\x%02x", text.data[i]);
        else
            leat_text_char(out, (char)text.data[i]);
    }
}

void prom_read_quoted(struct leat_text *out, struct leat_bytes text)
{
    leat_text_char(out, '\'');
    add_printable(out, text);
    leat_text_char(out, '\'');
}

void prom_read_label(struct leat_text *out, struct leat_bytes name, struct leat_bytes value)
{
    add_printable(out, name);
    leat_text_char(out, '=');
    prom_read_quoted(out, value);
}

/* --- what both messages have, as pointers into them */

struct label {
    const char *name, *value;
};

/* Not empty, sorted, each once. */
static const char *add_labels(struct leat_text *out, const struct label *l, size_t n)
{
    leat_text_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (l[i].name[0] == '\0' || l[i].value[0] == '\0')
            return "an empty label";
        if (i > 0 && strcmp(l[i - 1].name, l[i].name) >= 0)
            return "labels are not sorted, or one is there twice";
        if (!leat_bytes_utf8(leat_bytes_str(l[i].name)) ||
            !leat_bytes_utf8(leat_bytes_str(l[i].value)))
            return "a label is not UTF-8";
        if (i > 0)
            leat_text_char(out, ',');
        prom_read_label(out, leat_bytes_str(l[i].name), leat_bytes_str(l[i].value));
    }
    leat_text_char(out, '}');
    return NULL;
}

/* BucketSpan of both messages has the same layout; so have their Histograms. */
_Static_assert(sizeof(Prometheus__Histogram) == sizeof(Io__Prometheus__Write__V2__Histogram),
               "one reader for both");

static const char *add_side(struct leat_text *out, const char *what, size_t nspans,
                            Prometheus__BucketSpan **spans, size_t ndeltas, const int64_t *deltas)
{
    size_t buckets = 0;

    if (nspans == 0 && ndeltas == 0)
        return NULL;
    leat_text_printf(out, " %s", what);
    for (size_t i = 0; i < nspans; i++) {
        if (spans[i]->length == 0)
            return "a span of no buckets";
        if (i > 0 && spans[i]->offset < 0)
            return "spans that overlap";
        buckets += spans[i]->length;
        leat_text_printf(out, "%s%d+%u", i == 0 ? "[" : " ", spans[i]->offset, spans[i]->length);
    }
    leat_text_char(out, ':');
    if (buckets != ndeltas)
        return "spans and deltas do not fit";
    for (size_t i = 0; i < ndeltas; i++)
        leat_text_printf(out, " %lld", (long long)deltas[i]);
    leat_text_char(out, ']');
    return NULL;
}

static const char *add_histogram(struct leat_text *out, const Prometheus__Histogram *h)
{
    const char *why;

    if (h->count_case != PROMETHEUS__HISTOGRAM__COUNT_COUNT_INT ||
        h->zero_count_case != PROMETHEUS__HISTOGRAM__ZERO_COUNT_ZERO_COUNT_INT)
        return "counts that are not said";
    leat_text_printf(out, " histogram schema=%d count=%llu sum=", h->schema,
                     (unsigned long long)h->count_int);
    prom_read_value(out, h->sum);
    leat_text_printf(out, " zero=%llu(", (unsigned long long)h->zero_count_int);
    prom_read_value(out, h->zero_threshold);
    leat_text_char(out, ')');
    why = add_side(out, "neg", h->n_negative_spans, h->negative_spans, h->n_negative_deltas,
                   h->negative_deltas);
    if (why == NULL)
        why = add_side(out, "pos", h->n_positive_spans, h->positive_spans, h->n_positive_deltas,
                       h->positive_deltas);
    for (size_t i = 0; i < h->n_custom_values; i++) {
        leat_text_str(out, i == 0 ? " custom=" : ",");
        prom_read_value(out, h->custom_values[i]);
    }
    leat_text_printf(out, " @%lld", (long long)h->timestamp);
    return why;
}

static void add_sample(struct leat_text *out, double value, int64_t time)
{
    leat_text_char(out, ' ');
    prom_read_value(out, value);
    leat_text_printf(out, " @%lld", (long long)time);
}

static const char *add_exemplar(struct leat_text *out, const struct label *l, size_t n,
                                double value, int64_t time)
{
    const char *why;

    leat_text_str(out, " # ");
    why = add_labels(out, l, n);
    add_sample(out, value, time);
    return why;
}

static void add_metadata(struct leat_text *out, unsigned type, const char *help, const char *unit)
{
    static const char *const types[] = {"unknown", "counter", "gauge", "histogram", "?", "summary"};

    leat_text_printf(out, " %s", type < sizeof types / sizeof *types ? types[type] : "?");
    if (help[0] == '\0' && unit[0] == '\0')
        return;
    leat_text_str(out, " help=");
    prom_read_quoted(out, leat_bytes_str(help));
    leat_text_str(out, " unit=");
    prom_read_quoted(out, leat_bytes_str(unit));
}

/* --- 1.0 */

#define LABELS_MAX 600

static const char *labels_1(Prometheus__Label **labels, size_t n, struct label *ret)
{
    if (n > LABELS_MAX)
        return "too many labels";
    for (size_t i = 0; i < n; i++)
        ret[i] = (struct label){labels[i]->name, labels[i]->value};
    return NULL;
}

static const char *series_1(const Prometheus__TimeSeries *s, struct leat_text *out)
{
    struct label l[LABELS_MAX];
    const char *why = labels_1(s->labels, s->n_labels, l);

    if (why == NULL)
        why = add_labels(out, l, s->n_labels);
    if (s->n_samples + s->n_histograms != 1)
        return "not one sample or histogram";
    if (s->n_samples == 1)
        add_sample(out, s->samples[0]->value, s->samples[0]->timestamp);
    else if (why == NULL)
        why = add_histogram(out, s->histograms[0]);
    for (size_t i = 0; i < s->n_exemplars && why == NULL; i++) {
        const Prometheus__Exemplar *e = s->exemplars[i];
        why = labels_1(e->labels, e->n_labels, l);
        if (why == NULL)
            why = add_exemplar(out, l, e->n_labels, e->value, e->timestamp);
    }
    return why;
}

static const char *read_1(struct leat_bytes request, struct leat_text *out)
{
    request_1 *r = prometheus__write_request__unpack(NULL, request.len, request.data);
    const char *why = NULL;

    if (r == NULL)
        return "not well-formed";
    for (size_t i = 0; i < r->n_timeseries && why == NULL; i++) {
        why = series_1(r->timeseries[i], out);
        leat_text_char(out, '\n');
    }
    for (size_t i = 0; i < r->n_metadata && why == NULL; i++) {
        const Prometheus__MetricMetadata *m = r->metadata[i];
        leat_text_printf(out, "metadata %s", m->metric_family_name);
        add_metadata(out, m->type, m->help, m->unit);
        leat_text_char(out, '\n');
    }
    prometheus__write_request__free_unpacked(r, NULL);
    return why;
}

/* --- 2.0 */

static const char *symbol(const request_2 *r, uint8_t *used, uint32_t ref)
{
    if (ref >= r->n_symbols)
        return NULL;
    used[ref] = 1;
    return r->symbols[ref];
}

static const char *labels_2(const request_2 *r, uint8_t *used, const uint32_t *refs, size_t n,
                            struct label *ret)
{
    if (n % 2 != 0 || n / 2 > LABELS_MAX)
        return "references are no pairs";
    for (size_t i = 0; i < n; i += 2) {
        ret[i / 2] = (struct label){symbol(r, used, refs[i]), symbol(r, used, refs[i + 1])};
        if (ret[i / 2].name == NULL || ret[i / 2].value == NULL)
            return "a reference to no symbol";
    }
    return NULL;
}

static const char *exemplar_2(const request_2 *r, uint8_t *used,
                              const Io__Prometheus__Write__V2__Exemplar *e, struct leat_text *out)
{
    struct label l[LABELS_MAX];
    const char *why = labels_2(r, used, e->labels_refs, e->n_labels_refs, l);

    return why != NULL ? why : add_exemplar(out, l, e->n_labels_refs / 2, e->value, e->timestamp);
}

static const char *details_2(const request_2 *r, uint8_t *used,
                             const Io__Prometheus__Write__V2__TimeSeries *s, struct leat_text *out)
{
    const char *help, *unit;

    if (s->metadata != NULL) {
        help = symbol(r, used, s->metadata->help_ref);
        unit = symbol(r, used, s->metadata->unit_ref);
        if (help == NULL || unit == NULL)
            return "a reference to no symbol";
        if (out != NULL)
            add_metadata(out, s->metadata->type, help, unit);
    }
    if (out != NULL && s->created_timestamp != 0)
        leat_text_printf(out, " created=%lld", (long long)s->created_timestamp);
    return NULL;
}

static const char *series_2(const request_2 *r, uint8_t *used,
                            const Io__Prometheus__Write__V2__TimeSeries *s,
                            enum prom_read_detail detail, struct leat_text *out)
{
    struct label l[LABELS_MAX];
    const char *why = labels_2(r, used, s->labels_refs, s->n_labels_refs, l);

    if (why == NULL)
        why = add_labels(out, l, s->n_labels_refs / 2);
    if (s->n_samples + s->n_histograms != 1)
        return "not one sample or histogram";
    if (s->n_samples == 1)
        add_sample(out, s->samples[0]->value, s->samples[0]->timestamp);
    else if (why == NULL)
        why = add_histogram(out, (const Prometheus__Histogram *)(const void *)s->histograms[0]);
    for (size_t i = 0; i < s->n_exemplars && why == NULL; i++)
        why = exemplar_2(r, used, s->exemplars[i], out);
    return why != NULL ? why : details_2(r, used, s, detail == PROM_READ_ALL ? out : NULL);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Strings of exemplars may be there twice. */
static bool has_exemplars(const request_2 *r)
{
    for (size_t i = 0; i < r->n_timeseries; i++) {
        if (r->timeseries[i]->n_exemplars > 0)
            return true;
    }
    return false;
}

static bool has_twice(const request_2 *r)
{
    char **sorted = leat_new_array(r->n_symbols + 1, sizeof *sorted);
    bool twice = false;

    memcpy(sorted, r->symbols, r->n_symbols * sizeof *sorted);
    qsort(sorted, r->n_symbols, sizeof *sorted, by_text);
    for (size_t i = 1; i < r->n_symbols; i++)
        twice |= strcmp(sorted[i - 1], sorted[i]) == 0;
    leat_free(sorted);
    return twice;
}

static const char *check_symbols(const request_2 *r, const uint8_t *used)
{
    if (r->n_symbols == 0 || r->symbols[0][0] != '\0')
        return "the first symbol is wrong";
    for (size_t i = 1; i < r->n_symbols; i++) {
        if (r->symbols[i][0] == '\0')
            return "an empty symbol";
        if (!used[i])
            return "a symbol that is not used";
    }
    return !has_exemplars(r) && has_twice(r) ? "a symbol that is there twice" : NULL;
}

static const char *read_2(struct leat_bytes request, enum prom_read_detail detail,
                          struct leat_text *out)
{
    request_2 *r = io__prometheus__write__v2__request__unpack(NULL, request.len, request.data);
    const char *why = NULL;
    uint8_t *used;

    if (r == NULL)
        return "not well-formed";
    used = leat_new(r->n_symbols + 1);
    for (size_t i = 0; i < r->n_timeseries && why == NULL; i++) {
        why = series_2(r, used, r->timeseries[i], detail, out);
        leat_text_char(out, '\n');
    }
    if (why == NULL)
        why = check_symbols(r, used);
    leat_free(used);
    io__prometheus__write__v2__request__free_unpacked(r, NULL);
    return why;
}

const char *prom_read(enum leat_prom_message message, struct leat_bytes request,
                      enum prom_read_detail detail, struct leat_text *out)
{
    return message == LEAT_PROM_WRITE_1 ? read_1(request, out) : read_2(request, detail, out);
}

/* --- */

void prom_read_sort(struct leat_text *lines)
{
    char *copy = leat_strdup(leat_text_get(lines)), *at = copy, **line;
    size_t n = 0;

    line = leat_new_array(lines->len + 1, sizeof *line);
    for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        line[n++] = at;
    }
    qsort(line, n, sizeof *line, by_text);
    leat_text_clear(lines);
    for (size_t i = 0; i < n; i++)
        leat_text_printf(lines, "%s\n", line[i]);
    leat_free(line);
    leat_free(copy);
}
