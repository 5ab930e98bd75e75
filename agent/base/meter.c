/* The program's own metrics: who registers them, and the sum over all workers as text. */
#include "base/meter.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"

#define INSTRUMENTS_MAX 20000 /* of one meter; later ones count into nothing, and are counted */
#define BOUNDS_MAX      32
#define LABELS_TEXT_MAX ((size_t)64 * 1024) /* bytes of the labels of one series */

enum kind { COUNTER, GAUGE, HISTOGRAM, PROBE_COUNTER, PROBE_GAUGE };

struct leat_histogram {
    uint32_t n;
    double bounds[BOUNDS_MAX];
    _Atomic uint64_t buckets[BOUNDS_MAX + 1]; /* each alone; the last is above all bounds */
    _Atomic double sum;
};

struct probe {
    double (*read)(void *arg); /* NULL: its owner has gone */
    void *arg;
};

struct instrument {
    struct instrument *next;
    enum kind kind;
    struct leat_metric id; /* strings are ours; labels sorted by name */
    char *labels;          /* `a="b",c="d"`, escaped: what identifies it within its family */
    union {
        struct leat_counter counter;
        struct leat_gauge gauge;
        struct leat_histogram histogram;
        struct probe probe;
    };
};

struct leat_meter {
    pthread_mutex_t lock;     /* registration, and probes while they are read */
    struct leat_map *by_name; /* name, NUL, labels: instrument */
    struct instrument *all;   /* newest first; only ever grows, so it may be walked unlocked */
    struct leat_counter *overflow;
    struct instrument nothing[3]; /* what those beyond the maximum count into, by kind */
};

/* --- registration */

/* Bytes that are no UTF-8 would make a scraper refuse the whole page. */
static void put_label_value(struct leat_text *t, const char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len;) {
        uint8_t c = (uint8_t)s[i];
        size_t n = leat_utf8_len(leat_bytes(s + i, len - i));
        if (n == 0) {
            leat_text_str(t, "\xef\xbf\xbd");
            i++;
            continue;
        }
        if (c == '\\' || c == '"')
            leat_text_char(t, '\\');
        if (c == '\n')
            leat_text_str(t, "\\n");
        else
            leat_text_add(t, s + i, n);
        i += n;
    }
}

static int by_label_name(const void *a, const void *b)
{
    return strcmp(((const struct leat_label *)a)->name, ((const struct leat_label *)b)->name);
}

static size_t sort_labels(const struct leat_metric *id, struct leat_label out[LEAT_METER_LABELS])
{
    size_t n = 0;

    while (n < LEAT_METER_LABELS && id->labels[n].name != NULL) {
        out[n] = id->labels[n];
        n++;
    }
    qsort(out, n, sizeof *out, by_label_name);
    return n;
}

static void put_labels(struct leat_text *t, const struct leat_label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            leat_text_char(t, ',');
        leat_text_str(t, labels[i].name);
        leat_text_str(t, "=\"");
        put_label_value(t, labels[i].value ? labels[i].value : "");
        leat_text_char(t, '"');
    }
}

static void free_instrument(struct instrument *ins)
{
    for (size_t i = 0; i < LEAT_METER_LABELS; i++) {
        leat_free((char *)(uintptr_t)ins->id.labels[i].name);
        leat_free((char *)(uintptr_t)ins->id.labels[i].value);
    }
    leat_free((char *)(uintptr_t)ins->id.name);
    leat_free((char *)(uintptr_t)ins->id.help);
    leat_free(ins->labels);
    leat_free(ins);
}

static struct instrument *new_instrument(const struct leat_metric *id, enum kind kind,
                                         const struct leat_label *labels, size_t n,
                                         const char *text)
{
    struct instrument *ins = leat_new(sizeof *ins);

    ins->kind = kind;
    ins->id.name = leat_strdup(id->name);
    ins->id.help = leat_strdup(id->help ? id->help : "");
    for (size_t i = 0; i < n; i++) {
        ins->id.labels[i].name = leat_strdup(labels[i].name);
        ins->id.labels[i].value = leat_strdup(labels[i].value ? labels[i].value : "");
    }
    ins->labels = leat_strdup(text);
    return ins;
}

/* Finds or makes the instrument; NULL: no room, no memory, or labels beyond all measure. */
static struct instrument *find_or_make(struct leat_meter *m, const struct leat_metric *id,
                                       enum kind kind)
{
    struct leat_label labels[LEAT_METER_LABELS];
    size_t n = sort_labels(id, labels);
    struct instrument *ins = NULL;
    struct leat_text key;

    leat_text_init(&key, LABELS_TEXT_MAX);
    leat_text_add(&key, id->name, strlen(id->name) + 1);
    put_labels(&key, labels, n);
    if (leat_text_ok(&key)) {
        ins = leat_map_get(m->by_name, leat_text_bytes(&key));
        if (ins == NULL) {
            ins = new_instrument(id, kind, labels, n, key.data + strlen(id->name) + 1);
            if (leat_map_set(m->by_name, leat_text_bytes(&key), ins, NULL) < 0) {
                free_instrument(ins);
                ins = NULL;
            } else {
                ins->next = m->all;
                m->all = ins;
            }
        }
        LEAT_CHECK(ins == NULL || ins->kind == kind);
    }
    leat_text_done(&key);
    return ins;
}

/* The instrument, or one whose value nobody sees. The lock is held. */
static struct instrument *register_locked(struct leat_meter *m, const struct leat_metric *id,
                                          enum kind kind)
{
    struct instrument *ins = find_or_make(m, id, kind);

    if (ins != NULL)
        return ins;
    if (m->overflow != NULL)
        atomic_fetch_add_explicit(&m->overflow->value, 1, memory_order_relaxed);
    return kind <= HISTOGRAM ? &m->nothing[kind] : NULL;
}

struct leat_meter *leat_meter_new(void)
{
    static const struct leat_metric overflow = {
        .name = "leat_meter_refused_series",
        .help = "Series that were asked for when a meter was full; they are not shown.",
    };
    struct leat_meter *m = leat_new(sizeof *m);

    pthread_mutex_init(&m->lock, NULL);
    m->by_name = leat_map_new(INSTRUMENTS_MAX);
    m->overflow = leat_meter_counter(m, &overflow);
    return m;
}

void leat_meter_free(struct leat_meter *m)
{
    if (m == NULL)
        return;
    while (m->all != NULL) {
        struct instrument *next = m->all->next;
        free_instrument(m->all);
        m->all = next;
    }
    leat_map_free(m->by_name, NULL);
    pthread_mutex_destroy(&m->lock);
    leat_free(m);
}

struct leat_counter *leat_meter_counter(struct leat_meter *m, const struct leat_metric *id)
{
    struct instrument *ins;

    pthread_mutex_lock(&m->lock);
    ins = register_locked(m, id, COUNTER);
    pthread_mutex_unlock(&m->lock);
    return &ins->counter;
}

struct leat_gauge *leat_meter_gauge(struct leat_meter *m, const struct leat_metric *id)
{
    struct instrument *ins;

    pthread_mutex_lock(&m->lock);
    ins = register_locked(m, id, GAUGE);
    pthread_mutex_unlock(&m->lock);
    return &ins->gauge;
}

struct leat_histogram *leat_meter_histogram(struct leat_meter *m, const struct leat_metric *id,
                                            const double *bounds, uint32_t nbounds)
{
    struct instrument *ins;

    LEAT_CHECK(nbounds <= BOUNDS_MAX);
    pthread_mutex_lock(&m->lock);
    ins = register_locked(m, id, HISTOGRAM);
    if (ins->histogram.n == 0 && ins != &m->nothing[HISTOGRAM] && nbounds > 0) {
        memcpy(ins->histogram.bounds, bounds, nbounds * sizeof *bounds);
        ins->histogram.n = nbounds;
    }
    pthread_mutex_unlock(&m->lock);
    return &ins->histogram;
}

void leat_meter_probe(struct leat_meter *m, const struct leat_metric *id, int is_counter,
                      double (*read)(void *arg), void *arg)
{
    struct instrument *ins;

    pthread_mutex_lock(&m->lock);
    ins = register_locked(m, id, is_counter ? PROBE_COUNTER : PROBE_GAUGE);
    if (ins != NULL)
        ins->probe = (struct probe){read, arg};
    pthread_mutex_unlock(&m->lock);
}

void leat_histogram_add(struct leat_histogram *h, double value)
{
    uint32_t i = 0;
    double sum = atomic_load_explicit(&h->sum, memory_order_relaxed);
    uint64_t n;

    if (isnan(value))
        return;
    while (i < h->n && value > h->bounds[i])
        i++;
    n = atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    atomic_store_explicit(&h->buckets[i], n + 1, memory_order_relaxed);
    atomic_store_explicit(&h->sum, sum + value, memory_order_relaxed);
}

/* --- the sum over meters */

struct sample {
    const struct instrument *ins;
    double probed;
};

/* All series with one name and the same labels, added up. */
struct sum {
    uint64_t counted; /* counters: exact; gauges: two's complement */
    double probed;
    uint64_t buckets[BOUNDS_MAX + 1], count;
    double total;
};

static int by_series(const void *a, const void *b)
{
    const struct instrument *x = ((const struct sample *)a)->ins;
    const struct instrument *y = ((const struct sample *)b)->ins;
    int d = strcmp(x->id.name, y->id.name);

    return d ? d : strcmp(x->labels, y->labels);
}

static bool same_series(const struct sample *a, const struct sample *b)
{
    return by_series(a, b) == 0;
}

static size_t count_all(struct leat_meter *const *meters, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&meters[i]->lock);
        count += leat_map_count(meters[i]->by_name);
        pthread_mutex_unlock(&meters[i]->lock);
    }
    return count;
}

/* Takes what one meter has; what was registered after the counting is left for the next time. */
static size_t collect_one(struct leat_meter *m, struct sample *out, size_t room)
{
    size_t n = 0;

    pthread_mutex_lock(&m->lock);
    for (struct instrument *ins = m->all; ins != NULL && n < room; ins = ins->next) {
        struct sample s = {.ins = ins};
        if (ins->kind >= PROBE_COUNTER) {
            if (ins->probe.read == NULL)
                continue;
            s.probed = ins->probe.read(ins->probe.arg);
        }
        out[n++] = s;
    }
    pthread_mutex_unlock(&m->lock);
    return n;
}

/* Instruments may be added meanwhile: as long as there is no room left over, something may be
 * missing. */
static struct sample *collect(struct leat_meter *const *meters, size_t n, size_t *ret_count)
{
    struct sample *samples = NULL;
    size_t room, count;

    *ret_count = 0;
    do {
        leat_free(samples);
        room = count_all(meters, n) + 1;
        samples = leat_try(room * sizeof *samples);
        if (samples == NULL)
            return NULL;
        count = 0;
        for (size_t i = 0; i < n; i++)
            count += collect_one(meters[i], samples + count, room - count);
    } while (count == room);
    qsort(samples, count, sizeof *samples, by_series);
    *ret_count = count;
    return samples;
}

/* Histograms with other bounds than the first still count, above all bounds. */
static void add_histogram(struct sum *sum, const struct leat_histogram *h,
                          const struct leat_histogram *first)
{
    bool same = h->n == first->n && memcmp(h->bounds, first->bounds, h->n * sizeof(double)) == 0;

    for (uint32_t i = 0; i <= h->n; i++) {
        uint64_t v = atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        sum->buckets[same ? i : first->n] += v;
        sum->count += v;
    }
    sum->total += atomic_load_explicit(&h->sum, memory_order_relaxed);
}

static void add_sample(struct sum *sum, const struct sample *s, const struct instrument *first)
{
    const struct instrument *ins = s->ins;

    if (ins->kind == COUNTER)
        sum->counted += atomic_load_explicit(&ins->counter.value, memory_order_relaxed);
    else if (ins->kind == GAUGE)
        sum->counted += (uint64_t)atomic_load_explicit(&ins->gauge.value, memory_order_relaxed);
    else if (ins->kind == HISTOGRAM && first->kind == HISTOGRAM)
        add_histogram(sum, &ins->histogram, &first->histogram);
    else
        sum->probed += s->probed;
}

/* Adds up the series that starts at samples[i]; returns where the next one starts. */
static size_t add_up(const struct sample *samples, size_t count, size_t i, struct sum *ret)
{
    const struct sample *first = &samples[i];

    memset(ret, 0, sizeof *ret);
    for (; i < count && same_series(first, &samples[i]); i++)
        add_sample(ret, &samples[i], first->ins);
    return i;
}

static double as_double(const struct sum *sum, enum kind kind)
{
    double counted = kind == GAUGE ? (double)(int64_t)sum->counted : (double)sum->counted;

    return counted + sum->probed;
}

/* --- text */

/* The shortest decimal form that reads back as the same number. */
static void put_double(struct leat_text *t, double v)
{
    char text[32];

    if (isnan(v) || isinf(v)) {
        leat_text_str(t, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    leat_text_str(t, text);
}

static void put_family(struct leat_text *t, const struct instrument *ins)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "counter", "gauge"};

    leat_text_printf(t, "# HELP %s ", ins->id.name);
    for (const char *c = ins->id.help; *c; c++) {
        if (*c == '\n')
            leat_text_str(t, "\\n");
        else if (*c == '\\')
            leat_text_str(t, "\\\\");
        else
            leat_text_char(t, *c);
    }
    leat_text_printf(t, "\n# TYPE %s %s\n", ins->id.name, types[ins->kind]);
}

static void put_series(struct leat_text *t, const struct instrument *ins, const char *suffix)
{
    leat_text_printf(t, *ins->labels ? "%s%s{%s} " : "%s%s%s ", ins->id.name, suffix, ins->labels);
}

static void put_bucket(struct leat_text *t, const struct instrument *ins, double le, uint64_t count)
{
    leat_text_printf(t, "%s_bucket{%s%sle=\"", ins->id.name, ins->labels, *ins->labels ? "," : "");
    put_double(t, le);
    leat_text_printf(t, "\"} %" PRIu64 "\n", count);
}

static void put_histogram(struct leat_text *t, const struct instrument *ins, const struct sum *sum)
{
    uint64_t below = 0;

    for (uint32_t i = 0; i <= ins->histogram.n; i++) {
        below += sum->buckets[i];
        put_bucket(t, ins, i < ins->histogram.n ? ins->histogram.bounds[i] : INFINITY, below);
    }
    put_series(t, ins, "_sum");
    put_double(t, sum->total);
    leat_text_char(t, '\n');
    put_series(t, ins, "_count");
    leat_text_printf(t, "%" PRIu64 "\n", sum->count);
}

static void put_number(struct leat_text *t, const struct instrument *ins, const struct sum *sum)
{
    put_series(t, ins, "");
    if (ins->kind == COUNTER && sum->probed == 0)
        leat_text_printf(t, "%" PRIu64, sum->counted);
    else if (ins->kind == GAUGE && sum->probed == 0)
        leat_text_printf(t, "%" PRId64, (int64_t)sum->counted);
    else
        put_double(t, as_double(sum, ins->kind));
    leat_text_char(t, '\n');
}

void leat_meter_render(struct leat_meter *const *meters, size_t n, struct leat_text *out)
{
    size_t count;
    struct sample *samples = collect(meters, n, &count);
    const char *family = "";
    struct sum sum;

    if (samples == NULL)
        out->failed = true;
    for (size_t i = 0; i < count;) {
        const struct instrument *ins = samples[i].ins;
        if (strcmp(family, ins->id.name) != 0)
            put_family(out, ins);
        family = ins->id.name;
        i = add_up(samples, count, i, &sum);
        if (ins->kind == HISTOGRAM)
            put_histogram(out, ins, &sum);
        else
            put_number(out, ins, &sum);
    }
    leat_free(samples);
}

static void visit_part(const struct instrument *ins, const char *suffix, double value,
                       void (*visit)(void *arg, const struct leat_metric *id, double value),
                       void *arg)
{
    struct leat_metric id = ins->id;
    char *name = leat_format("%s%s", id.name, suffix);

    id.name = name;
    visit(arg, &id, value);
    leat_free(name);
}

void leat_meter_visit(struct leat_meter *const *meters, size_t n,
                      void (*visit)(void *arg, const struct leat_metric *id, double value),
                      void *arg)
{
    size_t count;
    struct sample *samples = collect(meters, n, &count);
    struct sum sum;

    for (size_t i = 0; i < count;) {
        const struct instrument *ins = samples[i].ins;
        i = add_up(samples, count, i, &sum);
        if (ins->kind == HISTOGRAM) {
            visit_part(ins, "_sum", sum.total, visit, arg);
            visit_part(ins, "_count", (double)sum.count, visit, arg);
        } else {
            visit(arg, &ins->id, as_double(&sum, ins->kind));
        }
    }
    leat_free(samples);
}
