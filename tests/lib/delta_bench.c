/* A processor of metrics in its surroundings. */
#include "lib/delta_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "proto/metric_point.h"
#include "proto/otlp_make.h"
#include "proto/otlp_match.h"
#include "proto/otlp_view.h"

#define MOST_BYTES (64u << 20)
#define NUMBERS    512

/* --- from lines */

struct line {
    char kind, temporality, name[64], attr[64];
    uint64_t start, time;
    const char *rest;
};

static void put_doubles(struct leat_make *m, uint32_t field, const char *list)
{
    double all[NUMBERS];
    size_t n = 0;

    for (char *at = (char *)(uintptr_t)list + 1; *at != ']' && n < NUMBERS;) {
        all[n++] = strtod(at, &at);
        at += *at == ',';
    }
    leat_make_bytes(m, field, leat_bytes(all, n * sizeof *all));
}

static uint32_t numbers(const char *list, uint64_t *all)
{
    uint32_t n = 0;

    for (char *at = (char *)(uintptr_t)list + 1; *at != ']' && n < NUMBERS;) {
        all[n++] = strtoull(at, &at, 10);
        at += *at == ',';
    }
    return n;
}

static void put_number(struct leat_make *m, const char *rest)
{
    if (strcmp(rest, "none") == 0)
        leat_make_varint(m, 8, LEAT_NO_RECORDED_VALUE);
    else if (strpbrk(rest, ".in") != NULL) /* 2.5, inf, nan */
        leat_make_double(m, 4, strtod(rest, NULL));
    else
        leat_make_fixed64(m, 6, (uint64_t)strtoll(rest, NULL, 10));
}

static void put_optional(struct leat_make *m, uint32_t field, const char *word)
{
    if (strcmp(word, "-") != 0)
        leat_make_double(m, field, strtod(word, NULL));
}

static void put_histogram(struct leat_make *m, const char *rest)
{
    char sum[32], min[32], max[32], bounds[4000], counts[4000];
    unsigned long long count;
    uint64_t all[NUMBERS];

    LEAT_CHECK(sscanf(rest, "%llu %31s %31s %31s %3999s %3999s", &count, sum, min, max, bounds,
                      counts) == 6);
    leat_make_fixed64(m, 4, count);
    put_optional(m, 5, sum);
    put_optional(m, 11, min);
    put_optional(m, 12, max);
    leat_make_bytes(m, 6, leat_bytes(all, numbers(counts, all) * sizeof *all));
    put_doubles(m, 7, bounds);
}

static uint64_t zigzag(int32_t v)
{
    return (uint32_t)v << 1 ^ (uint32_t)(v >> 31);
}

static void put_side(struct leat_make *m, uint32_t field, const char *text)
{
    uint64_t all[NUMBERS];

    leat_make_open(m, field);
    leat_make_varint(m, 1, zigzag(atoi(text)));
    leat_make_packed_varints(m, 2, all, numbers(strchr(text, '['), all));
    leat_make_close(m);
}

static void put_exponential(struct leat_make *m, const char *rest)
{
    char sum[32], up[4000], down[4000];
    unsigned long long count, zeros;
    double threshold;
    int scale;

    LEAT_CHECK(sscanf(rest, "%d %llu %31s %llu %lf %3999s %3999s", &scale, &count, sum, &zeros,
                      &threshold, up, down) == 7);
    leat_make_fixed64(m, 4, count);
    put_optional(m, 5, sum);
    leat_make_varint(m, 6, zigzag(scale));
    leat_make_fixed64(m, 7, zeros);
    put_side(m, 8, up);
    put_side(m, 9, down);
    leat_make_double(m, 14, threshold);
}

static void put_point(struct leat_make *m, const struct line *l)
{
    leat_make_open(m, 1);
    if (l->start != 0)
        leat_make_fixed64(m, 2, l->start);
    leat_make_fixed64(m, 3, l->time);
    leat_make_attr_string(m, l->kind == 'h' ? 9 : l->kind == 'e' ? 1 : 7, "a", l->attr);
    if (l->kind == 'h')
        put_histogram(m, l->rest);
    else if (l->kind == 'e')
        put_exponential(m, l->rest);
    else
        put_number(m, l->rest);
    leat_make_close(m);
}

static void put_line(struct leat_make *m, const struct line *l)
{
    uint32_t field = l->kind == 'h' ? 9 : l->kind == 'e' ? 10 : l->kind == 'g' ? 5 : 7;

    leat_make_open(m, 2);
    leat_make_string(m, 1, l->name);
    leat_make_open(m, field);
    put_point(m, l);
    if (l->temporality != '-')
        leat_make_varint(m, 2, l->temporality == 'd' ? 1 : 2);
    if (l->kind == 's')
        leat_make_varint(m, 3, 1);
    leat_make_close(m);
    leat_make_close(m);
}

void delta_bench_write(const char *lines, struct leat_text *out)
{
    char *copy = leat_strdup(lines), *save = NULL;
    struct leat_make m;

    leat_make_init(&m, out);
    leat_make_open(&m, 1);
    leat_make_open(&m, 1);
    leat_make_attr_string(&m, 1, "service.name", "test");
    leat_make_close(&m);
    leat_make_open(&m, 2);
    for (char *at = strtok_r(copy, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
        unsigned long long start, time;
        struct line l = {0};
        int used = 0;
        LEAT_CHECK(sscanf(at, "%c%c %63s %63s %llu %llu %n", &l.kind, &l.temporality, l.name,
                          l.attr, &start, &time, &used) == 6);
        l.start = start;
        l.time = time;
        l.rest = at + used;
        put_line(&m, &l);
    }
    leat_make_close(&m);
    leat_make_close(&m);
    LEAT_CHECK(leat_text_ok(out));
    leat_free(copy);
}

/* --- to lines */

static void show_list(struct leat_text *out, const uint64_t *all, uint32_t n)
{
    leat_text_char(out, '[');
    for (uint32_t i = 0; i < n; i++)
        leat_text_printf(out, "%s%llu", i ? "," : "", (unsigned long long)all[i]);
    leat_text_char(out, ']');
}

static void show_optional(struct leat_text *out, bool has, double v)
{
    if (has)
        leat_text_printf(out, " %g", v);
    else
        leat_text_str(out, " -");
}

static void show_histogram(struct leat_text *out, const struct leat_point *p)
{
    leat_text_printf(out, " %llu", (unsigned long long)p->count);
    show_optional(out, p->has_sum, p->sum);
    show_optional(out, p->has_min, p->min);
    show_optional(out, p->has_max, p->max);
    leat_text_str(out, " [");
    for (uint32_t i = 0; i < p->nbounds; i++)
        leat_text_printf(out, "%s%g", i ? "," : "", p->bounds[i]);
    leat_text_str(out, "] ");
    show_list(out, p->counts, p->ncounts);
}

static void show_exponential(struct leat_text *out, const struct leat_point *p)
{
    leat_text_printf(out, " %d %llu", p->scale, (unsigned long long)p->count);
    show_optional(out, p->has_sum, p->sum);
    leat_text_printf(out, " %llu %g %d", (unsigned long long)p->zero_count, p->zero_threshold,
                     p->positive.offset);
    show_list(out, p->positive.counts, p->positive.ncounts);
    leat_text_printf(out, " %d", p->negative.offset);
    show_list(out, p->negative.counts, p->negative.ncounts);
}

static void show_number(struct leat_text *out, const struct leat_point *p)
{
    if (p->flags & LEAT_NO_RECORDED_VALUE)
        leat_text_str(out, " none");
    else if (p->number == LEAT_NUMBER_INT)
        leat_text_printf(out, " %lld", (long long)p->integer);
    else
        leat_text_printf(out, p->value == (double)(int64_t)p->value ? " %.1f" : " %g", p->value);
}

void delta_bench_show(struct leat_bytes request, struct leat_text *out)
{
    struct leat_point_room room = {.words = NULL};
    struct leat_otlp_walk w;

    leat_otlp_walk_init(&w, LEAT_METRICS, request);
    while (leat_otlp_walk_next(&w)) {
        struct leat_metric_head h = leat_metric_head(&w);
        struct leat_bytes key = {0};
        struct leat_otlp_value attr = {0};
        struct leat_wire attrs;
        struct leat_point p;
        LEAT_CHECK(leat_point_read(h.type, w.record, &room, &p));
        attrs = leat_wire_of(p.message);
        leat_otlp_next_attr(&attrs, p.attrs_field, &key, &attr);
        leat_text_printf(out, "%c%c %.*s %.*s %llu %llu",
                         h.type == LEAT_METRIC_HISTOGRAM     ? 'h'
                         : h.type == LEAT_METRIC_EXPONENTIAL ? 'e'
                         : h.type == LEAT_METRIC_GAUGE       ? 'g'
                         : h.monotonic                       ? 's'
                                                             : 'u',
                         "-dc"[h.temporality], LEAT_FMT(h.name), LEAT_FMT(attr.bytes),
                         (unsigned long long)p.start, (unsigned long long)p.time);
        if (h.type == LEAT_METRIC_HISTOGRAM)
            show_histogram(out, &p);
        else if (h.type == LEAT_METRIC_EXPONENTIAL)
            show_exponential(out, &p);
        else
            show_number(out, &p);
        leat_text_char(out, '\n');
    }
    leat_point_room_done(&room);
}

/* --- the surroundings */

static void came(void *self, struct leat_batch *batch)
{
    struct delta_bench *b = self;
    struct leat_otlp_count count;
    const char *why;

    leat_mem_fail_at(0); /* meant for the processor */
    leat_ledger_count(&b->rig.ledger, LEAT_METRICS, LEAT_OUT, batch->items);
    b->batches++;
    b->items += batch->items;
    b->same_buffer = batch->parts[0].buf == b->fed;
    for (uint32_t i = 0; i < batch->nparts; i++) {
        struct leat_bytes part = leat_bytes(batch->parts[i].data, batch->parts[i].len);
        LEAT_CHECK(leat_otlp_check(LEAT_METRICS, part, &count, &why) == LEAT_OTLP_OK);
        LEAT_CHECK(count.items == batch->parts[i].items && count.items > 0);
        delta_bench_show(part, &b->out);
    }
    leat_batch_done(batch, b->answer);
}

void delta_bench_open(struct delta_bench *b, const struct leat_component *c, const char *yaml,
                      size_t memory)
{
    struct leat_err err;

    memset(b, 0, sizeof *b);
    rig_open(&b->rig);
    b->rig.budget.limit = memory;
    path_conf_init(&b->conf, c, yaml);
    b->component = c;
    b->rig.env.conf = b->conf.conf;
    b->rig.env.next[LEAT_METRICS] = (struct leat_outlet){came, b};
    b->self = leat_new(c->self_size);
    leat_text_init(&b->in, MOST_BYTES);
    leat_text_init(&b->out, MOST_BYTES);
    LEAT_CHECK(c->open(b->self, &b->rig.env, &err) == 0);
}

void delta_bench_close(struct delta_bench *b)
{
    if (!b->closed)
        b->component->close(b->self);
    leat_free(b->self);
    leat_text_done(&b->in);
    leat_text_done(&b->out);
    path_conf_done(&b->conf);
    rig_close(&b->rig);
}

static struct leat_batch *batch_of(struct leat_bytes request, struct rig_caller *c)
{
    struct leat_buf *buf = leat_buf_new(NULL, request.len);
    struct leat_otlp_count count;
    struct leat_batch *batch;
    const char *why;

    LEAT_CHECK(leat_otlp_check(LEAT_METRICS, request, &count, &why) == LEAT_OTLP_OK);
    if (request.len > 0)
        memcpy(buf->data, request.data, request.len);
    buf->len = request.len;
    rig_caller_init(c);
    batch =
        leat_batch_new(LEAT_METRICS, buf, leat_bytes(buf->data, buf->len), count.items, &c->ack);
    LEAT_CHECK(batch != NULL);
    return batch;
}

struct leat_batch *delta_bench_batch(const char *lines, struct rig_caller *c)
{
    struct leat_batch *batch;
    struct leat_text t;

    leat_text_init(&t, MOST_BYTES);
    delta_bench_write(lines, &t);
    batch = batch_of(leat_text_bytes(&t), c);
    leat_text_done(&t);
    return batch;
}

void delta_bench_take(struct delta_bench *b, struct leat_batch *batch)
{
    leat_text_clear(&b->out);
    b->fed = batch->parts[0].buf;
    leat_ledger_count(&b->rig.ledger, LEAT_METRICS, LEAT_IN, batch->items);
    b->component->take(b->self, batch);
}

struct leat_status delta_bench_request(struct delta_bench *b, struct leat_bytes request)
{
    struct rig_caller caller;

    delta_bench_take(b, batch_of(request, &caller));
    LEAT_CHECK(caller.told == 1);
    return caller.status;
}

const char *delta_bench_feed(struct delta_bench *b, const char *lines)
{
    leat_text_clear(&b->in);
    delta_bench_write(lines, &b->in);
    delta_bench_request(b, leat_text_bytes(&b->in));
    return leat_text_get(&b->out);
}

uint64_t delta_bench_counter(struct delta_bench *b, const char *name, const char *label,
                             const char *value)
{
    struct leat_metric id = {
        .name = name, .help = "", .labels = {{"processor", b->rig.env.id}, {label, value}}};

    return leat_counter_get(leat_meter_counter(b->rig.meter, &id));
}
