/* Goes through an OTLP metrics request and hands out what remote write is to send of it. */
#include "proto/prom_feed.h"

#include "base/mem.h"
#include "proto/metric_id.h"
#include "proto/otlp_match.h"

#define FAMILIES     1024u /* whose metadata was sent lately; of two in one place the later counts */
#define FAMILY_EVERY INT64_C(60000000000) /* ns */
#define NAME_BYTES   ((size_t)64 << 10)   /* bytes of a metric's name, as Prometheus has it */
#define HELP_MAX     ((size_t)16 << 10)   /* bytes of a description; more are cut off */
#define INFO_HELP    "Target metadata"

struct sent {
    struct leat_print family;
    int64_t when;
};

/* The metric where the walk stands. */
struct metric {
    uint32_t number; /* the walk's; 0: none */
    struct leat_metric_head head;
    bool named;              /* `name` is made */
    enum leat_prom_drop why; /* … and this came of it */
    bool said;               /* 1.0: its metadata is out */
    uint32_t serial;         /* 2.0: of the references in `family`; 0: none */
    struct leat_prom_family family;
    struct leat_text name, help, unit;
};

/* The resource where the walk stands, or stood: target_info is due when the next one begins. */
struct info {
    uint32_t number;         /* the walk's; 0: nothing is due */
    int64_t time;            /* of its newest sample */
    struct leat_bytes group; /* ResourceMetrics */
    struct leat_print print;
    struct leat_text name;
    struct leat_prom_family family;
    uint32_t serial;
};

struct leat_prom_feed {
    const struct leat_prom_feed_conf *conf;
    struct leat_prom_labels *labels;
    struct leat_prom_store *store;
    struct sent *sent; /* 1.0: FAMILIES, if metadata is sent */
    int64_t now;

    struct leat_otlp_walk walk;
    bool waiting; /* its record is not begun yet */
    bool at_end;  /* it has no more */
    struct leat_metric_ids ids;
    struct metric metric;
    struct info info;
    struct leat_point point;
    struct leat_point_room room;
    struct leat_prom_map map;
    struct leat_print stream;

    bool sampled; /* `sample` is not handed out yet */
    bool is_info; /* it is target_info */
    struct leat_prom_sample sample;

    /* What the labels were made of last, as numbers of the walk (0: nothing); and of this point. */
    uint32_t made_resource, made_scope;
    bool made_point;
    struct leat_text full, bound;     /* a series' own name, and what its extra label says */
    struct leat_text resource, scope; /* those that came in pieces */
};

struct leat_prom_feed *leat_prom_feed_new(const struct leat_prom_feed_conf *conf)
{
    struct leat_prom_feed *f = leat_new(sizeof *f);

    f->conf = conf;
    f->labels = leat_prom_labels_new(&conf->labels);
    f->store = leat_prom_store_new(conf->message, conf->cache_bytes);
    if (conf->metadata && conf->message == LEAT_PROM_WRITE_1)
        f->sent = leat_new_array(FAMILIES, sizeof *f->sent);
    leat_text_init(&f->metric.name, NAME_BYTES);
    leat_text_init(&f->metric.help, 3 * HELP_MAX);
    leat_text_init(&f->metric.unit, 3 * HELP_MAX);
    leat_text_init(&f->info.name, NAME_BYTES);
    leat_text_init(&f->full, NAME_BYTES + 16);
    leat_text_init(&f->bound, LEAT_PROM_NUMBER);
    leat_text_init(&f->resource, SIZE_MAX / 2);
    leat_text_init(&f->scope, SIZE_MAX / 2);
    f->at_end = true;
    return f;
}

void leat_prom_feed_free(struct leat_prom_feed *f)
{
    if (f == NULL)
        return;
    leat_text_done(&f->metric.name);
    leat_text_done(&f->metric.help);
    leat_text_done(&f->metric.unit);
    leat_text_done(&f->info.name);
    leat_text_done(&f->full);
    leat_text_done(&f->bound);
    leat_text_done(&f->resource);
    leat_text_done(&f->scope);
    leat_prom_map_done(&f->map);
    leat_point_room_done(&f->room);
    leat_prom_labels_free(f->labels);
    leat_prom_store_free(f->store);
    leat_free(f->sent);
    leat_free(f);
}

struct leat_prom_store *leat_prom_feed_store(struct leat_prom_feed *f)
{
    return f->store;
}

uint64_t leat_prom_feed_exemplars_dropped(const struct leat_prom_feed *f)
{
    return f->map.exemplars_dropped;
}

void leat_prom_feed_begin(struct leat_prom_feed *f, struct leat_bytes request, int64_t now)
{
    f->now = now;
    leat_otlp_walk_init(&f->walk, LEAT_METRICS, request);
    f->ids = (struct leat_metric_ids){.resource_number = 0};
    f->waiting = f->at_end = f->sampled = false;
    f->metric.number = f->info.number = 0;
    f->made_resource = f->made_scope = 0;
    f->made_point = false;
    leat_prom_map_stop(&f->map);
}

/* --- the metric's name and metadata */

/* The first HELP_MAX bytes, at most, that end with a whole character. */
static struct leat_bytes cut(struct leat_bytes text)
{
    if (text.len <= HELP_MAX)
        return text;
    text.len = HELP_MAX;
    while (text.len > 0 && (text.data[text.len] & 0xc0) == 0x80)
        text.len--;
    return text;
}

static void begin_metric(struct leat_prom_feed *f)
{
    struct metric *m = &f->metric;

    m->number = f->walk.metric_number;
    m->head = leat_metric_head(&f->walk);
    m->named = m->said = false;
    m->serial = 0;
}

static enum leat_prom_drop name_metric(struct leat_prom_feed *f)
{
    const struct leat_metric_head *h = &f->metric.head;
    const struct leat_prom_metric what = {.name = h->name,
                                          .unit = h->unit,
                                          .gauge = h->type == LEAT_METRIC_GAUGE,
                                          .monotonic = h->type == LEAT_METRIC_SUM && h->monotonic};
    struct metric *m = &f->metric;

    if (m->named)
        return m->why;
    leat_text_clear(&m->name);
    m->why = LEAT_PROM_KEPT;
    if (!leat_prom_name(&f->conf->naming, &what, &m->name)) {
        if (!leat_text_ok(&m->name) && h->name.len + h->unit.len < NAME_BYTES / 4)
            return LEAT_PROM_NO_MEMORY; /* else it is too long */
        m->why = LEAT_PROM_DROP_NAME;
    }
    m->named = true;
    return m->why;
}

/* Type, help and unit. false: no memory. */
static bool describe(struct leat_prom_feed *f)
{
    struct metric *m = &f->metric;

    m->family = (struct leat_prom_family){.type = leat_prom_type_of(&m->head)};
    if (!f->conf->metadata)
        return true;
    leat_text_clear(&m->help);
    leat_text_clear(&m->unit);
    leat_prom_add_utf8(&m->help, cut(m->head.description));
    leat_prom_unit(f->conf->naming.strategy, cut(m->head.unit), &m->unit);
    m->family.name = leat_text_bytes(&m->name);
    m->family.help = leat_text_bytes(&m->help);
    m->family.unit = leat_text_bytes(&m->unit);
    return leat_text_ok(&m->help) && leat_text_ok(&m->unit);
}

/* Makes the references of 2.0 if they are not those of the store's generation. false: no memory. */
static bool refer(struct leat_prom_store *s, struct leat_prom_family *family, uint32_t *serial)
{
    uint32_t now;

    do {
        now = leat_prom_store_serial(s);
        if (*serial == now)
            return true;
        if (leat_prom_store_text(s, family->help, &family->help_ref) != LEAT_PROM_PUT_OK ||
            leat_prom_store_text(s, family->unit, &family->unit_ref) != LEAT_PROM_PUT_OK)
            return false;
    } while (now != leat_prom_store_serial(s));
    *serial = now;
    return true;
}

/* 2.0: the family of the sample that is next. false: no memory. */
static bool family_of(struct leat_prom_feed *f)
{
    struct info *info = &f->info;
    struct metric *m = &f->metric;

    if (f->is_info) {
        info->family.type = LEAT_PROM_GAUGE;
        info->family.help = leat_bytes_str(f->conf->metadata ? INFO_HELP : "");
        return refer(f->store, &info->family, &info->serial);
    }
    if (m->serial == 0 && !describe(f))
        return false;
    return refer(f->store, &m->family, &m->serial);
}

/* 1.0: whether the metric's metadata is to be said now. */
static bool family_is_due(struct leat_prom_feed *f)
{
    const struct leat_metric_head *h = &f->metric.head;
    struct leat_print p = leat_print_pair(f->ids.metric, leat_print(h->description));
    struct sent *s = &f->sent[p.lo % FAMILIES];

    if (leat_print_is(s->family, p) && f->now - s->when < FAMILY_EVERY)
        return false;
    *s = (struct sent){p, f->now};
    return true;
}

/* --- labels of new series */

/* The Resource or InstrumentationScope of a group, its field 1. It may come in several pieces,
 * which are one message when they stand one behind the other. false: no memory. */
static bool whole(struct leat_bytes group, struct leat_text *joined, struct leat_bytes *ret)
{
    struct leat_wire w = leat_wire_of(group);
    struct leat_bytes more;

    *ret = leat_bytes(NULL, 0);
    leat_text_clear(joined);
    if (!leat_otlp_next(&w, 1, ret))
        return true;
    while (leat_otlp_next(&w, 1, &more)) {
        if (joined->len == 0)
            leat_text_add(joined, ret->data, ret->len);
        leat_text_add(joined, more.data, more.len);
        *ret = leat_text_bytes(joined);
    }
    return leat_text_ok(joined);
}

static enum leat_prom_drop drop_of(enum leat_prom_labels_result r)
{
    if (r == LEAT_PROM_LABELS_OK)
        return LEAT_PROM_KEPT;
    return r == LEAT_PROM_LABELS_TOO_MANY ? LEAT_PROM_DROP_LABELS : LEAT_PROM_DROP_LABEL;
}

/* Brings the labels to the point; each step only where it is another one than last time. */
static enum leat_prom_drop label_point(struct leat_prom_feed *f)
{
    const struct leat_otlp_walk *w = &f->walk;
    enum leat_prom_labels_result r;
    struct leat_bytes one;

    if (f->made_resource != w->resource_number) {
        if (!whole(w->resource_group, &f->resource, &one))
            return LEAT_PROM_NO_MEMORY;
        leat_prom_labels_resource(f->labels, one);
        f->made_resource = w->resource_number;
        f->made_scope = 0;
    }
    if (f->made_scope != w->scope_number) {
        if (!whole(w->scope_group, &f->scope, &one))
            return LEAT_PROM_NO_MEMORY;
        leat_prom_labels_scope(f->labels, one, leat_bytes(NULL, 0));
        f->made_scope = w->scope_number;
    }
    if (f->made_point)
        return LEAT_PROM_KEPT;
    r = leat_prom_labels_point(f->labels, f->point.message, f->point.attrs_field);
    f->made_point = r == LEAT_PROM_LABELS_OK;
    return drop_of(r);
}

static enum leat_prom_drop put(struct leat_prom_feed *f, struct leat_print stream,
                               struct leat_bytes name, struct leat_prom_series **ret)
{
    const char *extra = f->sample.extra == NULL ? "" : f->sample.extra;
    struct leat_prom_set set;

    leat_text_clear(&f->bound);
    if (f->sample.extra != NULL)
        leat_prom_add_number(&f->bound, f->sample.bound);
    if (!leat_text_ok(&f->bound))
        return LEAT_PROM_NO_MEMORY;
    set =
        leat_prom_labels_series(f->labels, name, leat_bytes_str(extra), leat_text_bytes(&f->bound));
    switch (leat_prom_store_put(f->store, stream, f->sample.part, set, ret)) {
    case LEAT_PROM_PUT_OK:
        return LEAT_PROM_KEPT;
    case LEAT_PROM_PUT_LARGE:
        return LEAT_PROM_DROP_LABELS;
    default:
        return LEAT_PROM_NO_MEMORY;
    }
}

static enum leat_prom_drop make_series(struct leat_prom_feed *f, struct leat_prom_series **ret)
{
    enum leat_prom_drop why = name_metric(f);
    struct leat_bytes name;

    if (why == LEAT_PROM_KEPT)
        why = label_point(f);
    if (why != LEAT_PROM_KEPT)
        return why;
    name = leat_text_bytes(&f->metric.name);
    if (f->sample.suffix[0] != '\0') {
        leat_text_clear(&f->full);
        leat_text_add(&f->full, name.data, name.len);
        leat_text_str(&f->full, f->sample.suffix);
        if (!leat_text_ok(&f->full))
            return LEAT_PROM_NO_MEMORY;
        name = leat_text_bytes(&f->full);
    }
    return put(f, f->stream, name, ret);
}

/* --- target_info */

static void begin_info(struct leat_prom_feed *f)
{
    f->sampled = f->is_info = true;
    f->sample = (struct leat_prom_sample){
        .part = LEAT_PROM_VALUE, .suffix = "", .time = f->info.time, .value = 1};
}

/* A sample of the resource was seen. */
static void note_info(struct leat_prom_feed *f)
{
    struct info *info = &f->info;

    if (info->number != f->walk.resource_number) {
        info->number = f->walk.resource_number;
        info->group = f->walk.resource_group;
        info->print = f->ids.resource;
        info->time = 0;
        info->serial = 0;
    }
    if (f->map.time > info->time)
        info->time = f->map.time;
}

/* LEAT_PROM_DROP_LABEL: there is nothing to say. */
static enum leat_prom_drop make_info(struct leat_prom_feed *f, struct leat_prom_series **ret)
{
    struct leat_bytes resource;

    f->made_resource = f->made_scope = 0;
    f->made_point = false;
    leat_text_clear(&f->info.name);
    if (!leat_prom_info_name(&f->conf->naming, &f->info.name))
        return LEAT_PROM_NO_MEMORY;
    if (!whole(f->info.group, &f->resource, &resource))
        return LEAT_PROM_NO_MEMORY;
    if (leat_prom_labels_info(f->labels, resource) != LEAT_PROM_LABELS_OK)
        return LEAT_PROM_DROP_LABEL;
    return put(f, f->info.print, leat_text_bytes(&f->info.name), ret);
}

/* --- step by step */

/* Finds the series of the sample that is next, or makes it. */
static enum leat_prom_drop series_of(struct leat_prom_feed *f, struct leat_prom_series **ret)
{
    struct leat_print stream = f->is_info ? f->info.print : f->stream;
    enum leat_prom_drop why = LEAT_PROM_KEPT;

    if (f->conf->message == LEAT_PROM_WRITE_2 && !family_of(f))
        return LEAT_PROM_NO_MEMORY;
    *ret = leat_prom_store_get(f->store, stream, f->sample.part);
    if (*ret == NULL)
        why = f->is_info ? make_info(f, ret) : make_series(f, ret);
    if (why != LEAT_PROM_KEPT)
        return why;
    /* A generation may have begun. It has room for the two texts, so the series stays. */
    return f->conf->message != LEAT_PROM_WRITE_2 || family_of(f) ? LEAT_PROM_KEPT
                                                                 : LEAT_PROM_NO_MEMORY;
}

static enum leat_prom_feed_result give_sample(struct leat_prom_feed *f, struct leat_prom_item *ret)
{
    enum leat_prom_drop why = series_of(f, &ret->series);

    if (why == LEAT_PROM_NO_MEMORY)
        return LEAT_PROM_FEED_NO_MEMORY;
    f->sampled = false;
    ret->metric = f->is_info ? leat_bytes(NULL, 0) : f->metric.head.name;
    if (why != LEAT_PROM_KEPT) {
        leat_prom_map_stop(&f->map);
        ret->drop = why;
        return LEAT_PROM_FEED_DROPPED;
    }
    if (f->conf->target_info && !f->is_info)
        note_info(f);
    ret->sample = f->sample;
    if (f->conf->message == LEAT_PROM_WRITE_2)
        ret->family = f->is_info ? f->info.family : f->metric.family;
    ret->last = f->is_info || !leat_prom_map_more(&f->map);
    return LEAT_PROM_FEED_SAMPLE;
}

/* Begins with the record where the walk stands. */
static enum leat_prom_drop begin_point(struct leat_prom_feed *f)
{
    struct metric *m = &f->metric;
    enum leat_prom_drop why;

    if (m->number != f->walk.metric_number)
        begin_metric(f);
    if (!leat_point_read(m->head.type, f->walk.record, &f->room, &f->point))
        return f->room.too_many ? LEAT_PROM_DROP_LARGE : LEAT_PROM_NO_MEMORY;
    f->made_point = false;
    leat_metric_ids_at(&f->ids, &f->walk, &m->head);
    why = leat_prom_map_begin(&f->map, &f->conf->map, &m->head, &f->point);
    if (why != LEAT_PROM_KEPT)
        return why;
    f->stream = leat_prom_stream(&f->ids, &f->point);
    return why;
}

/* Says a metric's metadata before its first sample. */
static bool say_family(struct leat_prom_feed *f, struct leat_prom_item *ret,
                       enum leat_prom_feed_result *result)
{
    enum leat_prom_drop why;

    if (f->is_info || f->metric.said)
        return false;
    why = name_metric(f);
    if (why == LEAT_PROM_NO_MEMORY || (why == LEAT_PROM_KEPT && !describe(f))) {
        *result = LEAT_PROM_FEED_NO_MEMORY;
        return true;
    }
    f->metric.said = true;
    if (why != LEAT_PROM_KEPT || !family_is_due(f))
        return false;
    ret->family = f->metric.family;
    ret->metric = f->metric.head.name;
    *result = LEAT_PROM_FEED_FAMILY;
    return true;
}

/* Goes to the next record, and says target_info of the resource that it leaves. */
static void go_on(struct leat_prom_feed *f)
{
    if (!f->waiting && !f->at_end) {
        f->waiting = leat_otlp_walk_next(&f->walk);
        f->at_end = !f->waiting;
    }
    if (f->info.number != 0 && (f->at_end || f->info.number != f->walk.resource_number)) {
        if (f->info.time != 0)
            begin_info(f);
        else
            f->info.number = 0;
    }
}

enum leat_prom_feed_result leat_prom_feed_next(struct leat_prom_feed *f, struct leat_prom_item *ret)
{
    enum leat_prom_feed_result r;
    enum leat_prom_drop why;

    for (;;) {
        if (!f->sampled && leat_prom_map_next(&f->map, &f->sample)) {
            f->sampled = true;
            f->is_info = false;
        }
        if (f->sampled) {
            if (f->sent != NULL && say_family(f, ret, &r))
                return r;
            r = give_sample(f, ret);
            if (f->is_info && r != LEAT_PROM_FEED_NO_MEMORY)
                f->info.number = 0;
            if (f->is_info && r == LEAT_PROM_FEED_DROPPED)
                continue;
            return r;
        }
        go_on(f);
        if (f->sampled)
            continue;
        if (f->at_end)
            return LEAT_PROM_FEED_END;
        why = begin_point(f);
        if (why == LEAT_PROM_NO_MEMORY)
            return LEAT_PROM_FEED_NO_MEMORY;
        f->waiting = false;
        if (why == LEAT_PROM_KEPT)
            continue;
        ret->drop = why;
        ret->metric = f->metric.head.name;
        return LEAT_PROM_FEED_DROPPED;
    }
}
