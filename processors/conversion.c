/* Metrics requests in which some metrics change their temporality.
 *
 * First all metrics are looked at: what is to be changed, and how large that can get. The room for
 * it is taken before any point is computed, because what a point has done to its stream cannot be
 * undone. */
#include "processors/conversion.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/share.h"
#include "base/text.h"
#include "flow/ledger.h"
#include "proto/otlp_make.h"
#include "proto/otlp_match.h"

#define RETRY_MS 1000
/* How much longer a point may get: each of its numbers written in full, and lengths around it. */
#define POINT_GROWS 160
#define SLACK       256

enum { RESOURCE_METRICS = 1, SCOPE_METRICS = 2, METRICS = 2, POINTS = 1, TEMPORALITY = 2 };

struct pass {
    struct leat_conversion *c;
    struct leat_otlp_walk at; /* where we are: only what ids and heads need of it */
    struct leat_metric_ids ids;
    struct leat_metric_head head;
    struct leat_text out;
    struct leat_make make;
    uint32_t dropped;
    bool no_memory;
};

static bool is_data(const struct leat_wire_field *f)
{
    return f->type == LEAT_BYTES &&
           (f->field == LEAT_METRIC_GAUGE || f->field == LEAT_METRIC_SUM ||
            f->field == LEAT_METRIC_HISTOGRAM || f->field == LEAT_METRIC_EXPONENTIAL ||
            f->field == LEAT_METRIC_SUMMARY);
}

/* Brings the pass to this data of the current metric. */
static bool wants(struct pass *p, const struct leat_wire_field *f)
{
    p->at.data = f->bytes;
    p->at.data_field = f->field;
    p->at.metric_number++;
    p->head = leat_metric_head(&p->at);
    return p->c->wants(p->c->self, &p->head);
}

/* --- the look */

static size_t points_grow(const struct pass *p)
{
    struct leat_wire w = leat_wire_of(p->at.data);
    size_t each = POINT_GROWS, n = SLACK;
    struct leat_bytes point;

    if (p->head.type == LEAT_METRIC_EXPONENTIAL)
        each += p->c->exponential_grows;
    while (leat_otlp_next(&w, POINTS, &point))
        n += each;
    return n;
}

static size_t metric_grows(struct pass *p, struct leat_bytes metric)
{
    struct leat_wire w = leat_wire_of(metric);
    struct leat_wire_field f;
    size_t n = 0;

    p->at.metric = metric;
    while (leat_wire_next(&w, &f) > 0) {
        if (is_data(&f) && wants(p, &f))
            n += points_grow(p);
    }
    return n;
}

/* How much larger the request may get; 0: nothing is to be changed. */
static size_t grows(struct leat_conversion *c, struct leat_bytes request)
{
    struct pass p = {.c = c};
    struct leat_wire top = leat_wire_of(request), group, scope;
    struct leat_bytes resource_metrics, scope_metrics, metric;
    size_t n = 0;

    while (leat_otlp_next(&top, RESOURCE_METRICS, &resource_metrics)) {
        group = leat_wire_of(resource_metrics);
        while (leat_otlp_next(&group, SCOPE_METRICS, &scope_metrics)) {
            scope = leat_wire_of(scope_metrics);
            while (leat_otlp_next(&scope, METRICS, &metric))
                n += metric_grows(&p, metric);
        }
    }
    return n == 0 ? 0 : n + SLACK;
}

/* --- the change */

static void copy_field(struct pass *p, const uint8_t *from, const uint8_t *to)
{
    leat_make_raw(&p->make, leat_bytes(from, (size_t)(to - from)));
}

/* Ends a message; what has become empty since `from` is taken back. */
static void end_message(struct pass *p, size_t from, bool is_empty)
{
    leat_make_close(&p->make);
    if (is_empty)
        p->out.len = from;
}

/* True: it is in the output. */
static bool write_point(struct pass *p, struct leat_bytes record)
{
    enum leat_point_fate fate;
    struct leat_point point;

    if (p->no_memory)
        return true; /* nothing of this will be sent */
    if (!leat_point_read(p->head.type, record, &p->c->room, &point)) {
        fate = p->c->unreadable(p->c->self, p->c->room.too_many);
    } else {
        leat_metric_ids_at(&p->ids, &p->at, &p->head);
        fate = p->c->point(p->c->self, leat_stream_print(&p->ids, &point), &point);
    }
    p->no_memory = fate == LEAT_POINT_RETRY;
    p->dropped += fate == LEAT_POINT_DROPPED;
    if (fate == LEAT_POINT_KEPT)
        leat_point_write(&p->make, POINTS, &point, true);
    return fate != LEAT_POINT_DROPPED;
}

/* True: something of it is in the output. */
static bool write_data(struct pass *p, const struct leat_wire_field *data)
{
    struct leat_wire w = leat_wire_of(data->bytes);
    const uint8_t *from = w.at;
    struct leat_wire_field f;
    size_t begin = p->out.len;
    bool any = false, had = false;

    leat_make_open(&p->make, data->field);
    for (; leat_wire_next(&w, &f) > 0; from = w.at) {
        if (f.field == POINTS) {
            any = write_point(p, f.bytes) || any;
            had = true;
        } else if (f.field != TEMPORALITY) {
            copy_field(p, from, w.at);
        }
    }
    leat_make_varint(&p->make, TEMPORALITY, p->c->to);
    end_message(p, begin, had && !any);
    return !had || any;
}

static bool write_metric(struct pass *p, struct leat_bytes metric)
{
    struct leat_wire w = leat_wire_of(metric);
    const uint8_t *from = w.at;
    struct leat_wire_field f;
    size_t begin = p->out.len;
    bool any = false, had = false;

    p->at.metric = metric;
    leat_make_open(&p->make, METRICS);
    for (; leat_wire_next(&w, &f) > 0; from = w.at) {
        had = had || is_data(&f);
        if (is_data(&f) && wants(p, &f)) {
            any = write_data(p, &f) || any;
        } else {
            any = any || is_data(&f);
            copy_field(p, from, w.at);
        }
    }
    end_message(p, begin, had && !any);
    return !had || any;
}

/* A group: its entries of field `inner`, one by one, all else as it stands. False: nothing is left
 * of it. */
static bool write_group(struct pass *p, uint32_t field, struct leat_bytes group, uint32_t inner,
                        bool (*write_one)(struct pass *p, struct leat_bytes entry))
{
    struct leat_wire w = leat_wire_of(group);
    const uint8_t *from = w.at;
    struct leat_wire_field f;
    size_t begin = p->out.len;
    bool any = false, had = false;

    leat_make_open(&p->make, field);
    for (; leat_wire_next(&w, &f) > 0; from = w.at) {
        if (f.field == inner) {
            any = write_one(p, f.bytes) || any;
            had = true;
        } else {
            copy_field(p, from, w.at);
        }
    }
    end_message(p, begin, had && !any);
    return !had || any;
}

static bool write_scope(struct pass *p, struct leat_bytes group)
{
    p->at.scope_group = group;
    p->at.scope_number++;
    return write_group(p, SCOPE_METRICS, group, METRICS, write_metric);
}

static void write_resource(struct pass *p, struct leat_bytes group)
{
    p->at.resource_group = group;
    p->at.resource_number++;
    write_group(p, RESOURCE_METRICS, group, SCOPE_METRICS, write_scope);
}

static void write_request(struct pass *p, struct leat_bytes request)
{
    struct leat_wire w = leat_wire_of(request);
    const uint8_t *from = w.at;
    struct leat_wire_field f;

    for (; leat_wire_next(&w, &f) > 0; from = w.at) {
        if (f.field == RESOURCE_METRICS)
            write_resource(p, f.bytes);
        else
            copy_field(p, from, w.at);
    }
}

/* --- parts and batches */

/* The share of the part's client in our own worker's budget: the part may come from another's,
 * which only that one may charge. */
static struct leat_budget *budget_of(const struct leat_env *env, const struct leat_part *part)
{
    return leat_budget_of(env->budget, leat_budget_client(part->buf->budget), NULL);
}

/* Room for the new content of every part that has something to change, NULL for the others. False:
 * no memory. */
static bool make_room(struct leat_conversion *c, const struct leat_env *env,
                      const struct leat_batch *batch, struct leat_buf **bufs)
{
    for (uint32_t i = 0; i < batch->nparts; i++) {
        const struct leat_part *part = &batch->parts[i];
        size_t more = grows(c, leat_bytes(part->data, part->len));

        bufs[i] = more ? leat_buf_new(budget_of(env, part), part->len + more) : NULL;
        if (more == 0 || bufs[i] != NULL)
            continue;
        while (i > 0)
            leat_buf_unref(bufs[--i]);
        return false;
    }
    return true;
}

/* Takes over `buf`. False: no memory after all. */
static bool convert_part(struct leat_conversion *c, struct leat_batch *batch, uint32_t i,
                         struct leat_buf *buf, uint32_t *dropped)
{
    const struct leat_part *part = &batch->parts[i];
    struct pass p = {.c = c};

    leat_text_over(&p.out, buf->data, buf->cap);
    leat_make_init(&p.make, &p.out);
    write_request(&p, leat_bytes(part->data, part->len));
    LEAT_CHECK(leat_text_ok(&p.out)); /* there was room enough */
    if (p.no_memory) {
        leat_buf_unref(buf);
        return false;
    }
    buf->len = p.out.len;
    leat_buf_resize(&buf, buf->len); /* smaller; if that fails it is as large as it was */
    leat_batch_put(batch, i, buf, part->items - p.dropped);
    *dropped += p.dropped;
    return true;
}

/* False: no memory. Points that were dropped until then are counted in any case. */
static bool convert(struct leat_conversion *c, const struct leat_env *env, struct leat_batch *batch,
                    uint32_t *dropped)
{
    struct leat_buf *one, **bufs = &one;
    bool ok;

    if (batch->nparts > 1)
        bufs = leat_try(batch->nparts * sizeof(struct leat_buf *));
    ok = bufs != NULL && make_room(c, env, batch, bufs);
    for (uint32_t i = 0, made = ok ? batch->nparts : 0; i < made; i++) {
        if (bufs[i] != NULL && ok)
            ok = convert_part(c, batch, i, bufs[i], dropped);
        else
            leat_buf_unref(bufs[i]);
    }
    if (bufs != &one)
        leat_free(bufs);
    return ok;
}

static void refuse(const struct leat_env *env, struct leat_batch *batch, const char *why)
{
    struct leat_status status = leat_retry(14, RETRY_MS, why);

    leat_ledger_end(env->ledger, batch, &status);
    leat_batch_done(batch, status);
}

void leat_conversion_take(struct leat_conversion *c, const struct leat_env *env,
                          struct leat_batch *batch)
{
    uint32_t dropped = 0;
    bool ok;

    if (c->closed) {
        refuse(env, batch, "shutting down");
        return;
    }
    ok = convert(c, env, batch, &dropped);
    leat_ledger_count(env->ledger, LEAT_METRICS, LEAT_FILTERED, dropped);
    if (!ok) {
        refuse(env, batch, "no memory to convert metrics with");
        return;
    }
    if (dropped > 0)
        leat_batch_shed(batch);
    if (batch->items == 0)
        leat_batch_done(batch, leat_delivered());
    else
        leat_send(&env->next[LEAT_METRICS], batch);
}

void leat_conversion_done(struct leat_conversion *c)
{
    leat_point_room_done(&c->room);
    c->closed = true;
}
