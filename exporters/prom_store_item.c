/* One series: its memory, and how a point changes it. */
#include <math.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "exporters/prom_store_internal.h"
#include "proto/otlp_match.h"
#include "proto/otlp_show.h"
#include "proto/prom_label.h"

/* What each series costs besides its own bytes: its places in two tables and the allocator's. */
#define ITEM_COST       ((size_t)112)
#define ALLOCATION_COST ((size_t)16)
#define EXEMPLAR_RUNES  128 /* names and values of its labels together (OpenMetrics 1.0) */
#define EXEMPLAR_LABELS 32
#define EXEMPLAR_ATTRS  7 /* Exemplar.filtered_attributes */

/* --- memory */

/* Charged to the item and allocated; NULL: neither. */
static void *take(struct leat_scrape_store *s, struct leat_scrape_item *item, size_t size,
                  enum leat_scrape_drop *ret_why)
{
    void *memory;

    *ret_why = LEAT_SCRAPE_DROP_LIMIT;
    if (!leat_scrape_charge(s, size + ALLOCATION_COST))
        return NULL;
    memory = leat_try(size != 0 ? size : 1);
    *ret_why = LEAT_SCRAPE_DROP_MEMORY;
    if (memory == NULL)
        leat_scrape_discharge(s, size + ALLOCATION_COST);
    else
        item->charged += size + ALLOCATION_COST;
    return memory;
}

static void give(struct leat_scrape_store *s, struct leat_scrape_item *item, const void *memory,
                 size_t size)
{
    if (memory == NULL)
        return;
    leat_free((void *)(uintptr_t)memory);
    item->charged -= size + ALLOCATION_COST;
    leat_scrape_discharge(s, size + ALLOCATION_COST);
}

struct leat_scrape_item *leat_scrape_item_new(struct leat_scrape_store *s, struct leat_bytes labels,
                                              enum leat_scrape_drop *ret_why)
{
    struct leat_scrape_item *item;

    *ret_why = LEAT_SCRAPE_DROP_LIMIT;
    if (!leat_scrape_charge(s, sizeof *item + ITEM_COST))
        return NULL;
    *ret_why = LEAT_SCRAPE_DROP_MEMORY;
    item = leat_try_zeroed(sizeof *item);
    if (item == NULL) {
        leat_scrape_discharge(s, sizeof *item + ITEM_COST);
        return NULL;
    }
    item->charged = sizeof *item + ITEM_COST;
    leat_list_init(&item->in_family);
    leat_list_init(&item->in_age);
    if (!leat_scrape_item_relabel(s, item, labels)) {
        leat_scrape_item_free(s, item);
        return NULL;
    }
    return item;
}

bool leat_scrape_item_relabel(struct leat_scrape_store *s, struct leat_scrape_item *item,
                              struct leat_bytes labels)
{
    enum leat_scrape_drop why;
    uint8_t *copy = take(s, item, labels.len, &why);

    if (copy == NULL)
        return false;
    if (labels.len != 0)
        memcpy(copy, labels.data, labels.len);
    give(s, item, item->s.labels.data, item->s.labels.len);
    item->s.labels = leat_bytes(copy, labels.len);
    return true;
}

/* --- bounds that are shared */

static void unshare(struct leat_scrape_store *s, struct leat_scrape_shared *shared)
{
    if (shared == NULL || --shared->refs != 0)
        return;
    leat_map_remove(s->shared, leat_bytes(&shared->key, sizeof shared->key));
    leat_scrape_discharge(s, shared->charged);
    leat_free(shared);
}

/* With one reference for the caller. NULL: no memory. */
static struct leat_scrape_shared *share(struct leat_scrape_store *s, const double *v, uint32_t n)
{
    struct leat_print key = leat_print(leat_bytes(v, n * sizeof *v));
    struct leat_bytes name = leat_bytes(&key, sizeof key);
    struct leat_scrape_shared *shared = leat_map_get(s->shared, name);
    size_t size = sizeof *shared + leat_scrape_marks_room(n);

    if (shared != NULL) {
        shared->refs++;
        return shared;
    }
    if (!leat_scrape_charge(s, size))
        return NULL;
    shared = leat_try(size);
    if (shared != NULL) {
        *shared = (struct leat_scrape_shared){.refs = 1, .key = key, .charged = size};
        leat_scrape_marks_fill(&shared->marks, v, n, shared->room);
        if (leat_map_set(s->shared, name, shared, NULL) == 0)
            return shared;
        leat_free(shared);
    }
    leat_scrape_discharge(s, size);
    return NULL;
}

/* --- exemplars */

static void drop_exemplars(struct leat_scrape_store *s, struct leat_scrape_item *item)
{
    for (uint32_t i = 0; i < item->s.nexemplars; i++)
        give(s, item, item->s.exemplars[i].text.data, item->s.exemplars[i].text.len);
    give(s, item, item->s.exemplars, item->s.nexemplars * sizeof *item->s.exemplars);
    item->s.exemplars = NULL;
    item->s.nexemplars = 0;
}

static size_t runes(struct leat_bytes b)
{
    size_t n = 0;

    for (size_t i = 0; i < b.len; i++)
        n += (b.data[i] & 0xc0) != 0x80;
    return n;
}

struct exemplar_labels {
    struct leat_prom_label label[EXEMPLAR_LABELS];
    uint32_t n;
    size_t runes;
};

static void add_label(struct exemplar_labels *l, struct leat_bytes name, struct leat_bytes value)
{
    l->label[l->n++] = (struct leat_prom_label){name, value};
    l->runes += runes(name) + runes(value);
}

/* Adds the filtered attributes if all of them fit, else none. `text` holds what is made. */
static void add_filtered(const struct leat_scrape_store *s, const struct leat_exemplar *e,
                         struct exemplar_labels *l, struct leat_text *text)
{
    struct leat_wire w = leat_wire_of(e->message);
    struct exemplar_labels all = *l;
    struct leat_bytes pair, name, value;
    size_t at;

    leat_text_clear(text);
    if (!leat_text_reserve(text, 16 * e->message.len + 64)) /* it must not move from here on */
        return;
    while (leat_otlp_next(&w, EXEMPLAR_ATTRS, &pair)) {
        at = text->len;
        if (all.n == EXEMPLAR_LABELS ||
            !leat_prom_label_name(s->conf.labels.utf8 ? LEAT_PROM_LABEL_UTF8 : LEAT_PROM_LABEL_PAGE,
                                  leat_otlp_get(pair, 1), text))
            return;
        name = leat_bytes(text->data + at, text->len - at);
        for (uint32_t i = 0; i < all.n; i++)
            if (leat_bytes_eq(all.label[i].name, name))
                return;
        at = text->len;
        leat_show_value(text, leat_otlp_get(pair, 2));
        value = leat_bytes(text->data + at, text->len - at);
        if (!leat_bytes_utf8(value) || !leat_text_ok(text))
            return;
        add_label(&all, name, value);
        if (all.runes > EXEMPLAR_RUNES)
            return;
    }
    *l = all;
}

static bool is_set(struct leat_bytes id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] != 0)
            return true;
    return false;
}

/* Its text into s->block. */
static void write_exemplar(struct leat_scrape_store *s, const struct leat_exemplar *e)
{
    struct exemplar_labels l = {.n = 0};
    char trace[2 * 16], span[2 * 8];
    struct leat_text block;
    bool odd;

    if (e->trace_id.len == 16 && is_set(e->trace_id)) {
        leat_hex_encode(e->trace_id, trace);
        add_label(&l, leat_bytes_str("trace_id"), leat_bytes(trace, sizeof trace));
    }
    if (e->span_id.len == 8 && is_set(e->span_id)) {
        leat_hex_encode(e->span_id, span);
        add_label(&l, leat_bytes_str("span_id"), leat_bytes(span, sizeof span));
    }
    add_filtered(s, e, &l, &s->scratch);
    leat_text_init(&block, LEAT_SCRAPE_SERIES_MAX);
    leat_scrape_block_add(&(struct leat_prom_set){l.label, l.n}, &block, &odd);
    leat_text_clear(&s->block);
    leat_scrape_exemplar_add(leat_text_bytes(&block), e->value, e->time, &s->block);
    if (!leat_text_ok(&block))
        s->block.failed = true;
    leat_text_done(&block);
}

static struct leat_scrape_exemplar *exemplars_of(struct leat_scrape_item *item)
{
    return (struct leat_scrape_exemplar *)(uintptr_t)item->s.exemplars;
}

/* The exemplar of this bucket, made when there is none. NULL: no memory. */
static struct leat_scrape_exemplar *place_of(struct leat_scrape_store *s,
                                             struct leat_scrape_item *item, uint32_t bucket)
{
    uint32_t n = item->s.nexemplars;
    struct leat_scrape_exemplar *more;
    enum leat_scrape_drop why;

    for (uint32_t i = 0; i < n; i++)
        if (item->s.exemplars[i].bucket == bucket)
            return &exemplars_of(item)[i];
    more = take(s, item, (n + 1) * sizeof *more, &why);
    if (more == NULL)
        return NULL;
    if (n != 0)
        memcpy(more, item->s.exemplars, n * sizeof *more);
    more[n] = (struct leat_scrape_exemplar){.bucket = bucket};
    give(s, item, item->s.exemplars, n * sizeof *more);
    item->s.exemplars = more;
    item->s.nexemplars = n + 1;
    return &more[n];
}

static uint32_t bucket_of(const struct leat_scrape_item *item, const struct leat_point *p, double v)
{
    uint32_t low = 0, high = item->s.marks != NULL ? item->s.marks->n : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (v <= p->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* What there is no memory for is left out: an exemplar is only an example. */
static void keep_exemplars(struct leat_scrape_store *s, struct leat_scrape_item *item,
                           const struct leat_point *p)
{
    struct leat_wire w = leat_wire_of(p->message);
    struct leat_scrape_exemplar *at;
    struct leat_exemplar e;
    enum leat_scrape_drop why;
    uint8_t *text;

    while (leat_exemplar_next(&w, p, &e)) {
        if (isnan(e.value))
            continue; /* in no bucket */
        write_exemplar(s, &e);
        at = leat_text_ok(&s->block) ? place_of(s, item, bucket_of(item, p, e.value)) : NULL;
        text = at != NULL ? take(s, item, s->block.len, &why) : NULL;
        if (text == NULL)
            continue;
        memcpy(text, leat_text_get(&s->block), s->block.len);
        give(s, item, at->text.data, at->text.len);
        at->text = leat_bytes(text, s->block.len);
    }
}

/* --- points */

static bool is_old(const struct leat_scrape_item *item, const struct leat_point *p, bool delta)
{
    if (!item->filled || p->time == 0)
        return false;
    return delta ? p->time <= item->s.time : p->time < item->s.time;
}

static void set_number(struct leat_scrape_series *s, const struct leat_point *p, bool add)
{
    int64_t sum;

    if (!add) {
        s->is_int = p->number != LEAT_NUMBER_DOUBLE;
        s->integer = p->number == LEAT_NUMBER_INT ? p->integer : 0;
        s->value = p->number == LEAT_NUMBER_NONE ? 0 : p->value;
        return;
    }
    if (p->number == LEAT_NUMBER_NONE)
        return;
    s->value += p->value;
    if (s->is_int && p->number == LEAT_NUMBER_INT &&
        !__builtin_add_overflow(s->integer, p->integer, &sum))
        s->integer = sum;
    else
        s->is_int = false;
}

/* Bounds and quantiles must rise; +Inf as the last bound says nothing (the bucket behind is empty
 * or belongs to it). False: they cannot be shown. */
static bool marks_of(const struct leat_point *p, double *room, uint32_t *ret_n)
{
    uint32_t n = p->type == LEAT_METRIC_HISTOGRAM ? p->nbounds
                 : p->type == LEAT_METRIC_SUMMARY ? p->nquantiles
                                                  : 0;

    for (uint32_t i = 0; i < n; i++) {
        room[i] = p->type == LEAT_METRIC_SUMMARY ? p->quantiles[i].quantile : p->bounds[i];
        if (isnan(room[i]) || (i != 0 && room[i] <= room[i - 1]))
            return false;
    }
    if (p->type == LEAT_METRIC_HISTOGRAM && n != 0 && isinf(room[n - 1]) && room[n - 1] > 0)
        n--;
    *ret_n = n;
    return true;
}

static bool fits(const struct leat_scrape_item *item, const struct leat_scrape_marks *marks)
{
    struct leat_scrape_series s = item->s;

    s.marks = marks;
    s.nexemplars = 0;
    return leat_scrape_series_bound(&item->family->family, &s) <= LEAT_SCRAPE_SERIES_MAX;
}

/* Room for n values of 8 bytes each in the place of those it has, with these bounds. */
static bool set_marks(struct leat_scrape_store *s, struct leat_scrape_item *item, const double *v,
                      uint32_t n, enum leat_scrape_drop *ret_why)
{
    struct leat_scrape_shared *shared;
    void *values;

    *ret_why = LEAT_SCRAPE_DROP_MEMORY;
    shared = share(s, v, n);
    if (shared == NULL)
        return false;
    *ret_why = LEAT_SCRAPE_DROP_TOO_LARGE;
    values = fits(item, &shared->marks) ? take(s, item, n * sizeof(double), ret_why) : NULL;
    if (values == NULL) {
        unshare(s, shared);
        return false;
    }
    drop_exemplars(s, item);
    if (item->s.marks != NULL)
        give(s, item, item->s.counts, item->s.marks->n * sizeof(double));
    unshare(s, item->shared);
    item->shared = shared;
    item->s.marks = &shared->marks;
    memset(values, 0, n * sizeof(double));
    item->s.counts = values;
    item->s.values = values;
    return true;
}

static bool same_marks(const struct leat_scrape_item *item, const double *v, uint32_t n)
{
    return item->shared != NULL && item->s.marks->n == n &&
           leat_print_is(item->shared->key, leat_print(leat_bytes(v, n * sizeof *v)));
}

static void set_buckets(struct leat_scrape_item *item, const struct leat_point *p, bool add)
{
    uint64_t *counts = (uint64_t *)(uintptr_t)item->s.counts;
    double *values = (double *)(uintptr_t)item->s.values;

    for (uint32_t i = 0; i < item->s.marks->n; i++) {
        if (p->type == LEAT_METRIC_SUMMARY)
            values[i] = p->quantiles[i].value;
        else
            counts[i] = (add ? counts[i] : 0) + (i < p->ncounts ? p->counts[i] : 0);
    }
}

static bool set_distribution(struct leat_scrape_store *s, struct leat_scrape_item *item,
                             const struct leat_point *p, bool *add, enum leat_scrape_drop *ret_why)
{
    double v[LEAT_SCRAPE_MARKS_MAX];
    uint32_t n = 0;

    *ret_why = LEAT_SCRAPE_DROP_TOO_LARGE;
    if (p->nbounds > LEAT_SCRAPE_MARKS_MAX || p->nquantiles > LEAT_SCRAPE_MARKS_MAX)
        return false;
    *ret_why = LEAT_SCRAPE_DROP_BOUNDS;
    if (!marks_of(p, v, &n))
        return false;
    if (!same_marks(item, v, n)) {
        *add = false; /* deltas with other bounds begin anew */
        if (!set_marks(s, item, v, n, ret_why))
            return false;
    }
    set_buckets(item, p, *add);
    item->s.count = (*add ? item->s.count : 0) + p->count;
    item->s.sum = (*add ? item->s.sum : 0) + (p->has_sum ? p->sum : 0);
    return true;
}

bool leat_scrape_item_fold(struct leat_scrape_store *s, struct leat_scrape_item *item,
                           const struct leat_point *p, bool delta, enum leat_scrape_drop *ret_why)
{
    bool add = delta && item->filled, number = p->type <= LEAT_METRIC_SUM;

    *ret_why = LEAT_SCRAPE_DROP_OLD;
    if (is_old(item, p, delta))
        return false;
    *ret_why = LEAT_SCRAPE_DROP_TOO_LARGE;
    if (!item->filled && !fits(item, NULL))
        return false;
    if (number)
        set_number(&item->s, p, add);
    else if (!set_distribution(s, item, p, &add, ret_why))
        return false;
    item->s.time = p->time;
    if (!add)
        item->s.start = p->start;
    item->filled = true;
    if (s->conf.exemplars && p->exemplars_field != 0 &&
        (item->family->family.kind == LEAT_SCRAPE_COUNTER ||
         item->family->family.kind == LEAT_SCRAPE_HISTOGRAM))
        keep_exemplars(s, item, p);
    return true;
}

void leat_scrape_item_free(struct leat_scrape_store *s, struct leat_scrape_item *item)
{
    drop_exemplars(s, item);
    if (item->s.marks != NULL)
        give(s, item, item->s.counts, item->s.marks->n * sizeof(double));
    unshare(s, item->shared);
    give(s, item, item->s.labels.data, item->s.labels.len);
    leat_scrape_discharge(s, item->charged);
    leat_free(item);
}
