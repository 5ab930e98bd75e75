/* The series of a scrape page: requests in, limits and expiry. */
#include "exporters/prom_store.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "exporters/prom_store_internal.h"
#include "proto/metric_id.h"
#include "proto/otlp_match.h"

#define NAME_MAX_BYTES  ((size_t)4096) /* of a metric; help and unit have room of their own */
#define HELP_MAX        ((size_t)16 * 1024)
#define BLOCK_MAX       ((size_t)256 * 1024) /* escaped labels of one series */
#define SHARED_MAX      ((size_t)1 << 20)
#define SCHEMA_URL      3  /* of ScopeMetrics */
#define METRIC_METADATA 12 /* of Metric */

const char *leat_scrape_drop_name(enum leat_scrape_drop why)
{
    static const char *const names[LEAT_SCRAPE_DROPS] = {"temporality", "old",    "type_conflict",
                                                         "metric_name", "labels", "bad_bounds",
                                                         "too_large",   "limit",  "no_memory"};

    return names[why];
}

/* --- what is held */

bool leat_scrape_charge(struct leat_scrape_store *s, size_t bytes)
{
    if (bytes > s->conf.max_bytes - s->bytes ||
        (s->conf.budget != NULL && !leat_budget_take(s->conf.budget, bytes)))
        return false;
    s->bytes += bytes;
    return true;
}

void leat_scrape_discharge(struct leat_scrape_store *s, size_t bytes)
{
    s->bytes -= bytes;
    if (s->conf.budget != NULL)
        leat_budget_give(s->conf.budget, bytes);
}

static void let_go(struct leat_scrape_store *s, struct leat_scrape_item *info)
{
    if (info != NULL && --info->refs == 0)
        leat_scrape_remove(s, info);
}

/* Bounded recursion: a target_info has none itself. */
void leat_scrape_remove(struct leat_scrape_store *s, struct leat_scrape_item *item)
{
    struct leat_scrape_family_node *family = item->family;
    struct leat_scrape_item *info = item->info;

    leat_scrape_cursors_pass(s, item);
    leat_scrape_table_remove(&s->by_key, item);
    if (item->has_stream)
        leat_scrape_table_remove(&s->by_stream, item);
    if (family->family.kind != LEAT_SCRAPE_INFO)
        s->series--;
    leat_list_remove(&item->in_family);
    leat_list_remove(&item->in_age);
    leat_scrape_item_free(s, item);
    if (leat_list_empty(&family->items))
        leat_scrape_family_remove(s, family);
    let_go(s, info);
}

/* --- one request on its way in */

struct intake {
    struct leat_scrape_store *s;
    struct leat_otlp_walk w;
    struct leat_metric_ids ids;
    struct leat_metric_head head;
    int64_t now;
    uint64_t *dropped;
    uint32_t ndropped;
    uint32_t metric_number; /* of `head` and what follows from it */
    bool delta, blocked;
    enum leat_scrape_drop why; /* of a metric that is blocked */
    enum leat_scrape_kind kind;
    struct leat_print metric; /* identity of all but the point's attributes */
    bool named;               /* s->name is the metric's */
    /* labels were begun for these; 0: not */
    uint32_t resource_number, scope_number, info_number;
    struct leat_scrape_item *info; /* of resource `info_number`, one reference */
};

static void drop(struct intake *in, enum leat_scrape_drop why)
{
    in->dropped[why]++;
    in->ndropped++;
}

static bool is_unknown(const struct intake *in)
{
    struct leat_otlp_value v;

    return in->head.type == LEAT_METRIC_GAUGE &&
           leat_otlp_attr(in->w.metric, METRIC_METADATA, leat_bytes_str("prometheus.type"), &v) &&
           v.field == LEAT_OTLP_VALUE_STRING && leat_bytes_is(v.bytes, "unknown");
}

static void begin_metric(struct intake *in)
{
    bool sum = in->head.type == LEAT_METRIC_SUM;
    bool timed =
        sum || in->head.type == LEAT_METRIC_HISTOGRAM || in->head.type == LEAT_METRIC_EXPONENTIAL;

    leat_metric_ids_at(&in->ids, &in->w, &in->head);
    in->metric =
        leat_print_pair(in->ids.metric, leat_print(leat_otlp_get(in->w.scope_group, SCHEMA_URL)));
    in->delta = timed && in->head.temporality == LEAT_DELTA;
    in->blocked = (timed && in->head.temporality == LEAT_TEMPORALITY_NONE) ||
                  (sum && in->delta && !in->head.monotonic);
    in->why = LEAT_SCRAPE_DROP_TEMPORALITY;
    in->kind = in->head.type == LEAT_METRIC_SUMMARY ? LEAT_SCRAPE_SUMMARY
               : timed && !sum                      ? LEAT_SCRAPE_HISTOGRAM
               : sum && in->head.monotonic          ? LEAT_SCRAPE_COUNTER
               : is_unknown(in)                     ? LEAT_SCRAPE_UNKNOWN
                                                    : LEAT_SCRAPE_GAUGE;
    in->named = false;
}

/* --- families */

static bool has_samples_of(const struct leat_scrape_store *s, struct leat_bytes name,
                           const char *suffix, bool buckets_only)
{
    struct leat_scrape_family_node *base;
    size_t n = strlen(suffix);

    if (name.len <= n || memcmp(name.data + name.len - n, suffix, n) != 0)
        return false;
    base = leat_scrape_find(s, leat_bytes(name.data, name.len - n));
    return base != NULL && (base->family.kind == LEAT_SCRAPE_HISTOGRAM ||
                            (base->family.kind == LEAT_SCRAPE_SUMMARY && !buckets_only));
}

static bool has_family(struct leat_scrape_store *s, struct leat_bytes name, const char *suffix)
{
    leat_text_clear(&s->scratch);
    leat_text_add(&s->scratch, name.data, name.len);
    leat_text_str(&s->scratch, suffix);
    return leat_text_ok(&s->scratch) && leat_scrape_find(s, leat_text_bytes(&s->scratch)) != NULL;
}

/* Samples of this family and of another would have the same name. */
static bool is_ambiguous(struct leat_scrape_store *s, const struct leat_scrape_family *f)
{
    bool histogram = f->kind == LEAT_SCRAPE_HISTOGRAM;

    if (has_samples_of(s, f->name, "_sum", false) || has_samples_of(s, f->name, "_count", false) ||
        has_samples_of(s, f->name, "_bucket", true))
        return true;
    if (!histogram && f->kind != LEAT_SCRAPE_SUMMARY)
        return false;
    return has_family(s, f->name, "_sum") || has_family(s, f->name, "_count") ||
           (histogram && has_family(s, f->name, "_bucket"));
}

static void tell_conflict(struct leat_scrape_store *s, struct leat_scrape_family_node *node,
                          enum leat_scrape_kind kind)
{
    if (!node->told)
        leat_warn(s->conf.who,
                  "%.*s is a %s already: what comes under this name as a %s is dropped",
                  LEAT_FMT(node->family.name), leat_scrape_kind_name(node->family.kind),
                  leat_scrape_kind_name(kind));
    node->told = true;
}

/* The family of this name and kind, made when there is none. */
static struct leat_scrape_family_node *
family_of(struct leat_scrape_store *s, struct leat_scrape_family *f, enum leat_scrape_drop *ret_why)
{
    struct leat_scrape_family_node *node = leat_scrape_find(s, f->name);

    *ret_why = LEAT_SCRAPE_DROP_CONFLICT;
    if (node != NULL && node->family.kind != f->kind) {
        tell_conflict(s, node, f->kind);
        return NULL;
    }
    if (node != NULL)
        return node;
    if (is_ambiguous(s, f)) {
        leat_warn(s->conf.who, "%.*s is dropped: a histogram or summary has samples of that name",
                  LEAT_FMT(f->name));
        return NULL;
    }
    *ret_why = LEAT_SCRAPE_DROP_LIMIT;
    return leat_scrape_family_add(s, f);
}

static void forget_if_empty(struct leat_scrape_store *s, struct leat_scrape_family_node *f)
{
    if (leat_list_empty(&f->items))
        leat_scrape_family_remove(s, f);
}

static struct leat_scrape_family_node *metric_family(struct intake *in,
                                                     enum leat_scrape_drop *ret_why)
{
    struct leat_scrape_store *s = in->s;
    struct leat_scrape_family f = {.name = leat_text_bytes(&s->name), .kind = in->kind};
    struct leat_scrape_family_node *node;
    struct leat_text help, unit;

    leat_text_init(&help, HELP_MAX);
    leat_text_init(&unit, HELP_MAX);
    leat_prom_add_utf8(&help, in->head.description);
    leat_prom_unit(s->conf.naming.strategy, in->head.unit, &unit);
    f.help = leat_text_ok(&help) ? leat_text_bytes(&help) : leat_bytes(NULL, 0);
    f.unit = leat_text_ok(&unit) ? leat_text_bytes(&unit) : leat_bytes(NULL, 0);
    node = family_of(s, &f, ret_why);
    leat_text_done(&help);
    leat_text_done(&unit);
    return node;
}

/* --- series */

/* Into its family and the tables. False: no memory, and it is freed. */
static bool enter(struct leat_scrape_store *s, struct leat_scrape_family_node *family,
                  struct leat_scrape_item *item)
{
    if (leat_scrape_table_add(&s->by_key, item) < 0) {
        leat_scrape_item_free(s, item);
        return false;
    }
    item->family = family;
    leat_list_append(&family->items, &item->in_family);
    if (family->family.kind != LEAT_SCRAPE_INFO)
        s->series++;
    return true;
}

/* s->block: the labels of `set`. */
static bool make_block(struct leat_scrape_store *s, struct leat_prom_set set, bool *ret_odd)
{
    leat_text_clear(&s->block);
    leat_scrape_block_add(&set, &s->block, ret_odd);
    return leat_text_ok(&s->block);
}

static struct leat_print key_of(struct leat_bytes name, struct leat_bytes block)
{
    return leat_print_pair(leat_print(name), leat_print(block));
}

/* Two resources with one job and instance are one target: the later one is shown. */
static struct leat_print target_key(struct leat_prom_set set)
{
    struct leat_print key = leat_print(leat_bytes_str("target_info"));

    for (uint32_t i = 0; i < set.count; i++)
        if (leat_bytes_is(set.label[i].name, "job") || leat_bytes_is(set.label[i].name, "instance"))
            key = leat_print_pair(key, leat_print_pair(leat_print(set.label[i].name),
                                                       leat_print(set.label[i].value)));
    return key;
}

static struct leat_scrape_item *new_info(struct leat_scrape_store *s, struct leat_print key,
                                         bool odd)
{
    struct leat_scrape_family f = {.help = leat_bytes_str("Target metadata"),
                                   .kind = LEAT_SCRAPE_INFO};
    struct leat_scrape_family_node *family;
    struct leat_scrape_item *item;
    enum leat_scrape_drop why;
    struct leat_text name;

    leat_text_init(&name, NAME_MAX_BYTES);
    leat_prom_info_name(&s->conf.naming, &name);
    f.name = leat_text_bytes(&name);
    family = leat_text_ok(&name) && f.name.len != 0 ? family_of(s, &f, &why) : NULL;
    leat_text_done(&name);
    if (family == NULL)
        return NULL;
    item = leat_scrape_item_new(s, leat_text_bytes(&s->block), &why);
    if (item != NULL) {
        item->key = key;
        item->s.is_int = true;
        item->s.integer = 1;
        item->s.odd_names = odd;
        item = enter(s, family, item) ? item : NULL;
    }
    if (item == NULL)
        forget_if_empty(s, family);
    return item;
}

/* The target_info of the walk's resource, with a reference in `in`. */
static void begin_info(struct intake *in)
{
    struct leat_scrape_store *s = in->s;
    struct leat_scrape_item *info;
    struct leat_prom_set set;
    struct leat_print key;
    bool odd;

    let_go(s, in->info);
    in->info = NULL;
    in->info_number = in->w.resource_number;
    if (leat_prom_labels_info(s->labels, in->w.resource) != LEAT_PROM_LABELS_OK)
        return;
    set = leat_prom_labels_common(s->labels);
    if (!make_block(s, set, &odd))
        return;
    key = target_key(set);
    info = leat_scrape_table_find(&s->by_key, key);
    if (info == NULL)
        info = new_info(s, key, odd);
    else if (!leat_bytes_eq(info->s.labels, leat_text_bytes(&s->block)) &&
             leat_scrape_item_relabel(s, info, leat_text_bytes(&s->block)))
        info->s.odd_names = odd;
    if (info != NULL)
        info->refs++;
    in->info = info;
}

/* Resource and scope are looked at once for all series made below them. */
static bool make_labels(struct intake *in, const struct leat_point *p)
{
    struct leat_scrape_store *s = in->s;

    if (in->info_number != in->w.resource_number) {
        begin_info(in);
        in->resource_number = 0;
    }
    if (in->resource_number != in->w.resource_number) {
        leat_prom_labels_resource(s->labels, in->w.resource);
        in->resource_number = in->w.resource_number;
        in->scope_number = 0;
    }
    if (in->scope_number != in->w.scope_number) {
        leat_prom_labels_scope(s->labels, in->w.scope,
                               leat_otlp_get(in->w.scope_group, SCHEMA_URL));
        in->scope_number = in->w.scope_number;
    }
    return leat_prom_labels_point(s->labels, p->message, p->attrs_field) == LEAT_PROM_LABELS_OK;
}

/* The point has itself the label that tells its samples apart: a page with a label twice would be
 * refused as a whole. */
static bool has_own_mark(const struct intake *in, struct leat_prom_set set)
{
    const char *mark = in->kind == LEAT_SCRAPE_HISTOGRAM ? "le"
                       : in->kind == LEAT_SCRAPE_SUMMARY ? "quantile"
                                                         : NULL;

    for (uint32_t i = 0; mark != NULL && i < set.count; i++)
        if (leat_bytes_is(set.label[i].name, mark))
            return true;
    return false;
}

/* The stream comes out as this series from now on. */
static void take_over(struct intake *in, struct leat_scrape_item *item, struct leat_print stream)
{
    struct leat_scrape_store *s = in->s;

    if (item->has_stream)
        leat_scrape_table_remove(&s->by_stream, item);
    item->stream = stream;
    item->has_stream = leat_scrape_table_add(&s->by_stream, item) == 0;
    if (in->info != NULL)
        in->info->refs++;
    let_go(s, item->info);
    item->info = in->info;
}

static struct leat_scrape_item *new_series(struct intake *in, struct leat_print key, bool odd,
                                           enum leat_scrape_drop *ret_why)
{
    struct leat_scrape_store *s = in->s;
    struct leat_scrape_family_node *family;
    struct leat_scrape_item *item;

    *ret_why = LEAT_SCRAPE_DROP_LIMIT;
    if (s->series >= s->conf.max_series)
        return NULL;
    family = metric_family(in, ret_why);
    if (family == NULL)
        return NULL;
    item = leat_scrape_item_new(s, leat_text_bytes(&s->block), ret_why);
    if (item != NULL) {
        *ret_why = LEAT_SCRAPE_DROP_MEMORY;
        item->key = key;
        item->s.odd_names = odd;
        item = enter(s, family, item) ? item : NULL;
    }
    if (item == NULL)
        forget_if_empty(s, family);
    return item;
}

static bool make_name(struct intake *in)
{
    struct leat_prom_metric m = {.name = in->head.name,
                                 .unit = in->head.unit,
                                 .gauge = in->head.type == LEAT_METRIC_GAUGE,
                                 .monotonic = in->kind == LEAT_SCRAPE_COUNTER};

    leat_text_clear(&in->s->name);
    in->named = leat_prom_name(&in->s->conf.naming, &m, &in->s->name);
    return in->named;
}

/* A stream that was not seen before, or that shares its labels with another. */
static struct leat_scrape_item *find_series(struct intake *in, const struct leat_point *p,
                                            struct leat_print stream,
                                            enum leat_scrape_drop *ret_why)
{
    struct leat_scrape_store *s = in->s;
    struct leat_scrape_item *item;
    struct leat_prom_set set;
    struct leat_print key;
    bool odd;

    *ret_why = LEAT_SCRAPE_DROP_NAME;
    if (!in->named && !make_name(in))
        return NULL;
    *ret_why = LEAT_SCRAPE_DROP_LABELS;
    if (!make_labels(in, p))
        return NULL;
    set = leat_prom_labels_common(s->labels);
    if (has_own_mark(in, set) || !make_block(s, set, &odd))
        return NULL;
    key = key_of(leat_text_bytes(&s->name), leat_text_bytes(&s->block));
    item = leat_scrape_table_find(&s->by_key, key);
    *ret_why = LEAT_SCRAPE_DROP_CONFLICT;
    if (item != NULL && item->family->family.kind != in->kind) {
        tell_conflict(s, item->family, in->kind);
        return NULL;
    }
    if (item == NULL)
        item = new_series(in, key, odd, ret_why);
    if (item != NULL)
        take_over(in, item, stream);
    return item;
}

static void take_point(struct intake *in, const struct leat_point *p)
{
    struct leat_scrape_store *s = in->s;
    struct leat_print stream =
        leat_print_pair(in->metric, leat_attrs_print(p->message, p->attrs_field));
    struct leat_scrape_item *item = leat_scrape_table_find(&s->by_stream, stream);
    enum leat_scrape_drop why;

    if (p->flags & LEAT_NO_RECORDED_VALUE) {
        if (item != NULL && p->time >= item->s.time)
            leat_scrape_remove(s, item);
        return;
    }
    if (item == NULL)
        item = find_series(in, p, stream, &why);
    if (item == NULL) {
        drop(in, why);
        return;
    }
    if (!leat_scrape_item_fold(s, item, p, in->delta, &why)) {
        drop(in, why);
        if (!item->filled)
            leat_scrape_remove(s, item);
        return;
    }
    item->updated = in->now;
    leat_list_remove(&item->in_age);
    leat_list_append(&s->ages, &item->in_age);
}

uint32_t leat_scrape_store_take(struct leat_scrape_store *s, struct leat_bytes request,
                                uint64_t dropped[LEAT_SCRAPE_DROPS])
{
    struct intake in = {.s = s, .now = leat_clock_mono(), .dropped = dropped};
    struct leat_point p;

    leat_otlp_walk_init(&in.w, LEAT_METRICS, request);
    while (leat_otlp_walk_next(&in.w)) {
        if (in.metric_number != in.w.metric_number) {
            in.head = leat_metric_head(&in.w);
            in.metric_number = in.w.metric_number;
            begin_metric(&in);
        }
        if (in.blocked)
            drop(&in, in.why);
        else if (!leat_point_read(in.head.type, in.w.record, &s->room, &p))
            drop(&in, LEAT_SCRAPE_DROP_TOO_LARGE);
        else
            take_point(&in, &p);
    }
    let_go(s, in.info);
    return in.ndropped;
}

void leat_scrape_store_expire(struct leat_scrape_store *s)
{
    int64_t now = leat_clock_mono();

    while (s->conf.expiration > 0 && !leat_list_empty(&s->ages)) {
        struct leat_scrape_item *item = LEAT_OWNER(s->ages.next, struct leat_scrape_item, in_age);

        if (now - item->updated <= s->conf.expiration)
            return;
        leat_scrape_remove(s, item);
    }
}

/* --- life */

struct leat_scrape_store *leat_scrape_store_new(const struct leat_scrape_store_conf *conf)
{
    struct leat_scrape_store *s = leat_new(sizeof *s);

    s->conf = *conf;
    s->labels = leat_prom_labels_new(&s->conf.labels);
    s->shared = leat_map_new(SHARED_MAX);
    s->by_stream.by_stream = true;
    leat_list_init(&s->ages);
    leat_list_init(&s->cursors);
    leat_text_init(&s->name, NAME_MAX_BYTES);
    leat_text_init(&s->block, BLOCK_MAX);
    leat_text_init(&s->scratch, BLOCK_MAX);
    return s;
}

void leat_scrape_store_free(struct leat_scrape_store *s)
{
    if (s == NULL)
        return;
    while (!leat_list_empty(&s->ages))
        leat_scrape_remove(s, LEAT_OWNER(s->ages.next, struct leat_scrape_item, in_age));
    leat_free(s->by_key.slots);
    leat_free(s->by_stream.slots);
    leat_map_free(s->shared, NULL);
    leat_prom_labels_free(s->labels);
    leat_point_room_done(&s->room);
    leat_text_done(&s->name);
    leat_text_done(&s->block);
    leat_text_done(&s->scratch);
    leat_free(s);
}

size_t leat_scrape_store_series(const struct leat_scrape_store *s)
{
    return s->series;
}

size_t leat_scrape_store_families(const struct leat_scrape_store *s)
{
    return s->families;
}

size_t leat_scrape_store_bytes(const struct leat_scrape_store *s)
{
    return s->bytes;
}
