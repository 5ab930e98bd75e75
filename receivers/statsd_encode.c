/* OTLP points of what a StatsD table has added up, chunk by chunk. */
#include <math.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "proto/wire.h"
#include "receivers/statsd_series.h"

#define CLOSING      64 /* bytes kept back for what is added as messages are closed */
#define DELTA        1  /* AGGREGATION_TEMPORALITY_DELTA */
#define FIELD_GAUGE  5  /* of Metric */
#define FIELD_SUM    7
#define FIELD_EXPO   10
#define FIELD_HISTO  9
#define NUMBER_ATTRS 7 /* of NumberDataPoint */

/* One chunk under construction. */
struct writer {
    struct leat_statsd_table *t;
    struct leat_text text; /* over the caller's buffer: never allocates */
    struct leat_make make;
    int64_t now;
    bool open; /* a metric is, which more points may join */
    bool monotonic;
    uint32_t field; /* of that metric */
    size_t name_len;
    uint8_t name[3 * LEAT_STATSD_NAME_MAX];
};

/* --- envelope */

static void begin(struct writer *w, struct leat_statsd_table *t, int64_t now, struct leat_buf *out)
{
    size_t room = out->cap - out->len;

    LEAT_CHECK(room >= LEAT_STATSD_CHUNK_MIN);
    w->t = t;
    w->now = now;
    w->open = false;
    w->text = (struct leat_text){
        .data = (char *)out->data + out->len, .cap = room, .max = room - 1 - CLOSING};
    leat_make_init(&w->make, &w->text);
}

/* ResourceMetrics = 1 {ScopeMetrics = 2 {scope = 1 {name = 1, version = 2}, metrics = 2 …}} */
static void open_envelope(struct writer *w)
{
    leat_make_open(&w->make, 1);
    leat_make_open(&w->make, 2);
    leat_make_open(&w->make, 1);
    leat_make_string(&w->make, 1, LEAT_STATSD_SCOPE);
    leat_make_string(&w->make, 2, LEAT_VERSION);
    leat_make_close(&w->make);
}

/* Sum: aggregation_temporality = 2, is_monotonic = 3; histograms the former. */
static void close_metric(struct writer *w)
{
    if (!w->open)
        return;
    if (w->field == FIELD_SUM || w->field == FIELD_EXPO || w->field == FIELD_HISTO)
        leat_make_varint(&w->make, 2, DELTA);
    if (w->field == FIELD_SUM && w->monotonic)
        leat_make_varint(&w->make, 3, 1);
    leat_make_close(&w->make);
    leat_make_close(&w->make);
    w->open = false;
}

static void finish(struct writer *w, struct leat_buf *out)
{
    w->text.max += CLOSING;
    close_metric(w);
    leat_make_close(&w->make);
    leat_make_close(&w->make);
    LEAT_CHECK(leat_text_ok(&w->text));
    out->len += w->text.len;
}

/* Metric: name = 1, then the kind with data_points = 1. Points of one name and kind that come one
 * after the other share it. */
static void open_metric(struct writer *w, struct leat_bytes name, uint32_t field, bool monotonic)
{
    if (w->open && w->field == field && w->monotonic == monotonic &&
        leat_bytes_eq(name, leat_bytes(w->name, w->name_len)))
        return;
    close_metric(w);
    leat_make_open(&w->make, 2);
    leat_make_bytes(&w->make, 1, name);
    leat_make_open(&w->make, field);
    memcpy(w->name, name.data, name.len);
    w->name_len = name.len;
    w->field = field;
    w->monotonic = monotonic;
    w->open = true;
}

/* --- points */

/* Tag, length and so many bytes. */
static size_t framed(size_t len)
{
    return 1 + leat_wire_varint_size(len) + len;
}

/* KeyValue {key = 1, value = 2 {string_value = 1}}, all lengths known beforehand. */
static void put_attr(struct leat_text *out, uint32_t field, struct leat_bytes key,
                     struct leat_bytes value)
{
    size_t any = framed(value.len), pair = framed(key.len) + framed(any);
    uint8_t *at;

    if (!leat_text_reserve(out, framed(pair)))
        return;
    at = (uint8_t *)out->data + out->len;
    at = leat_wire_put_varint(leat_wire_put_tag(at, field, LEAT_BYTES), pair);
    at = leat_wire_put_bytes(at, 1, key);
    at = leat_wire_put_varint(leat_wire_put_tag(at, 2, LEAT_BYTES), any);
    at = leat_wire_put_bytes(at, 1, value);
    out->len = (size_t)(at - (uint8_t *)out->data);
}

static void put_attrs(struct writer *w, uint32_t field, const struct leat_statsd_series *s)
{
    unsigned type = leat_statsd_head_type(&s->head);
    const struct leat_statsd_tags *tags = &w->t->tags;

    if (s->head.flags & LEAT_STATSD_OVER)
        leat_make_attr_bool(&w->make, field, "otel.metric.overflow", true);
    for (uint32_t i = 0; i < tags->count; i++) {
        if (!w->t->rules->metric_type || !leat_bytes_is(tags->items[i].key, "metric_type"))
            put_attr(&w->text, field, tags->items[i].key, tags->items[i].value);
    }
    if (w->t->rules->metric_type)
        leat_make_attr_string(&w->make, field, "metric_type", leat_statsd_type_names[type]);
}

/* All data points: start_time_unix_nano = 2, time_unix_nano = 3. */
static void put_times(struct writer *w, int64_t start, int64_t time)
{
    if (start != 0)
        leat_make_fixed64(&w->make, 2, (uint64_t)(start < time ? start : time));
    leat_make_fixed64(&w->make, 3, (uint64_t)time);
}

/* The whole number that a counter tells; what is left of it stays. */
static int64_t whole_counter(const struct leat_statsd_table *t, double sum, double *ret_left)
{
    double whole = floor(sum + 0.5);

    *ret_left = 0;
    if (t->rules->counter == LEAT_STATSD_COUNTER_STOCHASTIC_INT) {
        whole = floor(sum);
        whole += (double)(leat_random() >> 11) < (sum - whole) * 0x1p53;
    } else {
        *ret_left = isfinite(sum) ? sum - whole : 0;
    }
    if (whole >= 0x1p63)
        return INT64_MAX;
    return whole <= -0x1p63 ? INT64_MIN : (int64_t)whole;
}

/* NumberDataPoint: as_double = 4, as_int = 6. *ret_left: what the counter goes on with. */
static void put_counter(struct writer *w, const struct leat_statsd_series *s, double *ret_left)
{
    int64_t whole;

    *ret_left = 0;
    if (w->t->rules->counter == LEAT_STATSD_COUNTER_FLOAT) {
        leat_make_double(&w->make, 4, s->number);
        return;
    }
    whole = whole_counter(w->t, s->number, ret_left);
    leat_make_fixed64(&w->make, 6, (uint64_t)whole);
}

static void put_number_point(struct writer *w, const struct leat_statsd_series *s, bool counter,
                             bool only_count, double *ret_left)
{
    bool point = (s->head.flags & LEAT_STATSD_POINT) != 0;
    int64_t time = point ? s->time : w->now;
    int64_t start = point ? s->time - LEAT_SEC : s->time;

    leat_make_open(&w->make, 1);
    put_times(w, counter || only_count ? start : 0, time);
    if (only_count)
        leat_make_fixed64(&w->make, 6, (uint64_t)s->number);
    else if (counter)
        put_counter(w, s, ret_left);
    else
        leat_make_double(&w->make, 4, s->number);
    put_attrs(w, NUMBER_ATTRS, s);
    leat_make_close(&w->make);
}

static void put_observer_point(struct writer *w, const struct leat_statsd_series *s)
{
    struct leat_statsd_observers *o = leat_statsd_observers_of(w->t, s);
    enum leat_statsd_kind kind = leat_statsd_observe_kind(o, s->observer);
    unsigned type = leat_statsd_head_type(&s->head);
    bool gauge = leat_statsd_observe_field(kind) == FIELD_GAUGE;
    int64_t time = w->now;

    leat_make_open(&w->make, 1);
    leat_statsd_observe_write(o, s->observer, type, &w->make, &time);
    put_times(w, gauge ? 0 : s->time, time);
    put_attrs(w, leat_statsd_observe_attrs(kind), s);
    leat_make_close(&w->make);
}

/* One point of a series. *ret_left: what a counter goes on with. false: no room, nothing was
 * written. */
static bool put_point(struct writer *w, struct leat_statsd_series *s, double *ret_left)
{
    struct leat_statsd_table *t = w->t;
    unsigned type = leat_statsd_head_type(&s->head);
    bool over = (s->head.flags & LEAT_STATSD_OVER) != 0;
    bool only_count = over && leat_statsd_counts_only(t, type);
    struct leat_make before = w->make;
    bool was_open = w->open;
    size_t mark = w->text.len;

    *ret_left = 0;
    if (over) {
        leat_statsd_tags_read(&t->tags, leat_statsd_over_name(type), leat_bytes(NULL, 0), true);
    } else {
        leat_statsd_tags_read(&t->tags, leat_statsd_head_name_bytes(&s->head),
                              leat_statsd_head_tail_bytes(&s->head), t->rules->simple_tags);
    }
    if (only_count || type == LEAT_STATSD_COUNTER) {
        open_metric(w, t->tags.name, FIELD_SUM, only_count || t->rules->monotonic);
        put_number_point(w, s, true, only_count, ret_left);
    } else if (type == LEAT_STATSD_GAUGE) {
        open_metric(w, t->tags.name, FIELD_GAUGE, false);
        put_number_point(w, s, false, false, ret_left);
    } else {
        struct leat_statsd_observers *o = leat_statsd_observers_of(t, s);
        open_metric(w, t->tags.name,
                    leat_statsd_observe_field(leat_statsd_observe_kind(o, s->observer)), false);
        put_observer_point(w, s);
    }
    if (leat_text_ok(&w->text))
        return true;
    w->text.failed = false;
    w->text.len = mark;
    w->make = before;
    w->open = was_open;
    return false;
}

/* --- the pass */

/* A series whose point was written begins anew. true: it has more points. */
static bool sent(struct leat_statsd_table *t, struct leat_statsd_series *s, double left,
                 int64_t now)
{
    bool over = (s->head.flags & LEAT_STATSD_OVER) != 0;
    unsigned type = leat_statsd_head_type(&s->head);
    struct leat_statsd_observers *o = leat_statsd_observers_of(t, s);

    if (type >= LEAT_STATSD_TIMING && !(over && leat_statsd_counts_only(t, type)) &&
        leat_statsd_observe_kind(o, s->observer) == LEAT_STATSD_SAMPLES) {
        leat_statsd_samples_pop(o, s->observer);
        if (leat_statsd_samples_left(o, s->observer) > 0)
            return true;
    }
    leat_statsd_series_settle(t, s, left, now);
    return false;
}

static void step(struct leat_statsd_table *t, struct leat_statsd_cursor *c, bool forget)
{
    uint32_t next = leat_statsd_series_at(t, c->at)->next;

    if (forget)
        leat_statsd_series_forget(t, c->at, c->before);
    else
        c->before = c->at;
    c->at = next;
}

/* The next client that has series. false: there is none. */
static bool next_client(struct leat_statsd_table *t, struct leat_statsd_cursor *c)
{
    while (++c->client < t->nclients) {
        if (t->clients[c->client].count == 0)
            continue;
        c->before = 0;
        c->at = t->clients[c->client].first;
        return true;
    }
    return false;
}

/* New series stand at the head of their client's list: one may have come before the cursor. */
static void find_before(struct leat_statsd_table *t, struct leat_statsd_cursor *c)
{
    uint32_t ref;

    if (c->at == 0 || c->before != 0)
        return;
    for (ref = t->clients[c->client].first; ref != c->at; ref = leat_statsd_series_at(t, ref)->next)
        c->before = ref;
}

/* One point more. False: there is no room for it, after those before it. */
static bool put_next(struct writer *w, struct leat_statsd_series *s, uint32_t *points,
                     double *ret_left)
{
    if (*points == 0)
        open_envelope(w);
    if (!put_point(w, s, ret_left)) {
        LEAT_CHECK(*points > 0);
        return false;
    }
    ++*points;
    return true;
}

/* The points of the cursor's client, from where it stands: until there is no room, no more to be
 * written, or no more series. */
static uint32_t put_client(struct writer *w, struct leat_statsd_cursor *c, uint32_t max)
{
    struct leat_statsd_table *t = w->t;
    uint32_t points = 0;
    double left;

    while (c->at != 0 && (max == 0 || points < max)) {
        struct leat_statsd_series *s = leat_statsd_series_at(t, c->at);
        if ((s->head.flags & LEAT_STATSD_TOUCHED) == 0) {
            step(t, c, leat_statsd_series_rest(t, s, w->now));
            continue;
        }
        if (!put_next(w, s, &points, &left))
            break;
        if (!sent(t, s, left, w->now))
            step(t, c, (s->head.flags & LEAT_STATSD_POINT) != 0);
    }
    return points;
}

/* The overflow series, which have no client. */
static uint32_t put_overflow(struct writer *w, uint32_t max)
{
    uint32_t points = 0;
    double left;

    for (unsigned i = 0; i < LEAT_STATSD_TYPES && (max == 0 || points < max); i++) {
        struct leat_statsd_series *s = &w->t->over[i];
        if ((s->head.flags & LEAT_STATSD_TOUCHED) == 0) {
            s->time = w->now;
            continue;
        }
        if (!put_next(w, s, &points, &left))
            break;
        sent(w->t, s, left, w->now);
    }
    return points;
}

void leat_statsd_table_begin(struct leat_statsd_table *t)
{
    t->cursor = (struct leat_statsd_cursor){.active = true};
    t->observers.samples_full = false;
    t->touched = false;
}

void leat_statsd_table_encode(struct leat_statsd_table *t, int64_t now, uint32_t max_points,
                              struct leat_buf *out, struct leat_statsd_chunk *ret)
{
    struct leat_statsd_cursor *c = &t->cursor;
    struct writer w;

    *ret = (struct leat_statsd_chunk){.points = 0};
    if (!c->active)
        return;
    begin(&w, t, now, out);
    find_before(t, c);
    while (!c->over && ret->points == 0) {
        if (c->at == 0 && !next_client(t, c)) {
            c->over = true;
            break;
        }
        memcpy(ret->client, t->clients[c->client].address, sizeof ret->client);
        ret->points = put_client(&w, c, max_points);
    }
    if (ret->points == 0) {
        memset(ret->client, 0, sizeof ret->client);
        ret->points = put_overflow(&w, max_points);
    }
    if (ret->points != 0) {
        finish(&w, out);
        return;
    }
    c->active = false;
    t->floor = now;
}
