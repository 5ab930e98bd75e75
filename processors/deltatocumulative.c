/* deltatocumulative processor: delta sums and histograms are added up, stream by stream.
 *
 * Source of keys, names of metrics and semantics: contrib processor/deltatocumulativeprocessor;
 * data model, "Sums: Delta-to-Cumulative". One instance for all workers: a stream has one owner,
 * whatever connection its points come by. */
#include "base/log.h"
#include "base/meter.h"
#include "flow/component.h"
#include "processors/conversion.h"
#include "processors/distribution.h"

struct delta_conf {
    int64_t max_stale, max_streams;
};

static const struct leat_field fields[] = {
    LEAT_DURATION(struct delta_conf, max_stale, "5m",
                  "A stream without points for so long is forgotten, and begins anew after that.",
                  .min = 1, .max = 366 * 86400e9),
    LEAT_INT(
        struct delta_conf, max_streams, "9223372036854775807",
        "So many streams are kept (0: no limit); points of others are dropped and counted. Half "
        "of the worker's memory bounds them in any case: 100,000 numbers take 7 MB.",
        .min = 0, .max = 9223372036854775807.0),
    LEAT_END,
};

enum drop { OUT_OF_ORDER, OLDER_START, LIMIT, UNREADABLE, DROPS };

struct delta {
    const struct leat_env *env;
    struct leat_streams *streams;
    struct leat_conversion conversion;
    struct leat_counter *points, *drops[DROPS];
};

static enum leat_point_fate drop(struct delta *d, enum drop why)
{
    leat_count(d->drops[why], 1);
    return LEAT_POINT_DROPPED;
}

static enum leat_point_fate keep(struct delta *d)
{
    leat_count(d->points, 1);
    return LEAT_POINT_KEPT;
}

/* --- numbers */

static void set_number(struct leat_stream *s, const struct leat_point *p)
{
    if (p->number == LEAT_NUMBER_DOUBLE) {
        s->kind = LEAT_STREAM_DOUBLE;
        s->value = p->value;
    } else {
        s->kind = LEAT_STREAM_INT;
        s->integer = p->integer;
    }
}

static void show_number(const struct leat_stream *s, struct leat_point *p)
{
    bool is_double = s->kind == LEAT_STREAM_DOUBLE;

    p->number = is_double ? LEAT_NUMBER_DOUBLE : LEAT_NUMBER_INT;
    p->integer = is_double ? 0 : s->integer;
    p->value = is_double ? s->value : (double)s->integer;
}

/* Integers that meet a double become doubles. */
static void add_number(struct leat_stream *s, const struct leat_point *p)
{
    if (s->kind == LEAT_STREAM_INT && p->number == LEAT_NUMBER_DOUBLE) {
        s->value = (double)s->integer;
        s->kind = LEAT_STREAM_DOUBLE;
    }
    if (s->kind == LEAT_STREAM_DOUBLE)
        s->value += p->value;
    else
        s->integer = (int64_t)((uint64_t)s->integer + (uint64_t)p->integer);
}

/* --- points */

static enum leat_point_fate refused(struct delta *d, enum leat_streams_answer why)
{
    if (why == LEAT_STREAMS_FULL)
        leat_warn(d->env->id,
                  "no room for another stream (%llu are tracked): points of new ones are dropped",
                  (unsigned long long)leat_streams_count(d->streams));
    return why == LEAT_STREAMS_FULL ? drop(d, LIMIT) : LEAT_POINT_RETRY;
}

/* What is new begins with this point: the point is its sum. */
static enum leat_streams_answer begin(struct delta *d, struct leat_stream *s,
                                      const struct leat_point *p)
{
    enum leat_streams_answer answer = LEAT_STREAMS_YES;

    if (p->type == LEAT_METRIC_SUM)
        set_number(s, p);
    else
        answer = leat_distribution_set(d->streams, s, p);
    if (answer == LEAT_STREAMS_YES) {
        s->start = p->start;
        s->time = p->time;
    }
    return answer;
}

static enum leat_point_fate first(struct delta *d, struct leat_print id, const struct leat_point *p)
{
    struct leat_stream *s;
    enum leat_streams_answer answer;

    if (p->flags & LEAT_NO_RECORDED_VALUE)
        return keep(d);
    answer = leat_streams_add(d->streams, id, &s);
    if (answer != LEAT_STREAMS_YES)
        return refused(d, answer);
    answer = begin(d, s, p);
    if (answer == LEAT_STREAMS_YES)
        return keep(d);
    leat_streams_remove(d->streams, s);
    return refused(d, answer);
}

static enum leat_point_fate add(struct delta *d, struct leat_stream *s, struct leat_point *p)
{
    enum leat_streams_answer answer = LEAT_STREAMS_YES;

    if (p->type == LEAT_METRIC_SUM) {
        add_number(s, p);
        show_number(s, p);
    } else {
        answer = leat_distribution_add(d->streams, s, p);
        if (answer != LEAT_STREAMS_YES)
            return refused(d, answer);
        leat_distribution_show(s, p);
    }
    s->time = p->time;
    p->start = s->start;
    return keep(d);
}

/* The moment the stream is at already: perhaps the same point, sent again because what came of it
 * was refused behind us. It is not added (and counted as out of order, as in the collector), but
 * says what the sum is: so the sum arrives, even if it was the stream's last point. */
static enum leat_point_fate repeat(struct delta *d, const struct leat_stream *s,
                                   struct leat_point *p)
{
    leat_count(d->drops[OUT_OF_ORDER], 1);
    if (p->type != LEAT_METRIC_SUM && !leat_distribution_fits(s, p))
        return LEAT_POINT_DROPPED;
    p->start = s->start;
    if (p->flags & LEAT_NO_RECORDED_VALUE)
        return LEAT_POINT_KEPT;
    if (p->type == LEAT_METRIC_SUM)
        show_number(s, p);
    else
        leat_distribution_show(s, p);
    return LEAT_POINT_KEPT;
}

static enum leat_point_fate again(struct delta *d, struct leat_stream *s, struct leat_point *p)
{
    enum leat_streams_answer answer;

    if (p->start < s->start)
        return drop(d, OLDER_START);
    if (p->time < s->time)
        return drop(d, OUT_OF_ORDER);
    if (p->time == s->time)
        return repeat(d, s, p);
    if (p->flags & LEAT_NO_RECORDED_VALUE) {
        s->time = p->time;
        p->start = s->start;
        return keep(d);
    }
    if (p->type == LEAT_METRIC_SUM || leat_distribution_fits(s, p))
        return add(d, s, p);
    answer = begin(d, s, p); /* other bounds cannot be added: a new sum */
    return answer == LEAT_STREAMS_YES ? keep(d) : refused(d, answer);
}

static enum leat_point_fate point(void *self, struct leat_print id, struct leat_point *p)
{
    struct delta *d = self;
    struct leat_stream *s;

    if (!leat_distribution_is_sane(p))
        return drop(d, UNREADABLE);
    s = leat_streams_find(d->streams, id);
    return s == NULL ? first(d, id, p) : again(d, s, p);
}

static enum leat_point_fate unreadable(void *self, bool too_many)
{
    return too_many ? drop(self, UNREADABLE) : LEAT_POINT_RETRY;
}

static bool wants(void *self, const struct leat_metric_head *head)
{
    (void)self;
    return head->temporality == LEAT_DELTA;
}

/* --- life */

static void deltas(const void *conf, struct leat_deltas *ret)
{
    (void)conf;
    ret->turns = LEAT_DELTAS_ALL;
}

static void delta_take(void *self, struct leat_batch *batch)
{
    struct delta *d = self;

    leat_conversion_take(&d->conversion, d->env, batch);
}

static void open_meters(struct delta *d)
{
    static const char *const errors[DROPS] = {
        [OUT_OF_ORDER] = "delta.ErrOutOfOrder",
        [OLDER_START] = "delta.ErrOlderStart",
        [LIMIT] = "limit",
        [UNREADABLE] = "invalid",
    };
    struct leat_metric id = {.name = "otelcol_deltatocumulative_datapoints",
                             .help = "Data points processed; dropped for an error.",
                             .labels = {{"processor", d->env->id}}};
    const struct delta_conf *conf = d->env->conf;

    d->points = leat_meter_counter(d->env->meter, &id);
    for (int i = 0; i < DROPS; i++) {
        id.labels[1] = (struct leat_label){"error", errors[i]};
        d->drops[i] = leat_meter_counter(d->env->meter, &id);
    }
    id.labels[1] = (struct leat_label){NULL, NULL};
    id.name = "otelcol_deltatocumulative_streams_limit";
    id.help = "How many streams may be tracked.";
    leat_gauge_set(leat_meter_gauge(d->env->meter, &id), conf->max_streams);
    id.name = "otelcol_deltatocumulative_streams_max_stale";
    id.help = "Seconds after which a stream without points is forgotten.";
    leat_gauge_set(leat_meter_gauge(d->env->meter, &id), conf->max_stale / 1000000000);
}

static struct leat_gauge *tracked_gauge(const struct leat_env *env)
{
    struct leat_metric id = {.name = "otelcol_deltatocumulative_streams_tracked",
                             .help = "Streams tracked now.",
                             .labels = {{"processor", env->id}}};

    return leat_meter_gauge(env->meter, &id);
}

static int delta_open(void *self, const struct leat_env *env, struct leat_err *err)
{
    const struct delta_conf *conf = env->conf;
    struct delta *d = self;

    (void)err;
    d->env = env;
    d->streams = leat_streams_new(conf->max_streams ? (uint64_t)conf->max_streams : UINT64_MAX,
                                  conf->max_stale, env->budget, env->loop, tracked_gauge(env));
    d->conversion = (struct leat_conversion){
        .self = d,
        .to = LEAT_CUMULATIVE,
        .exponential_grows = LEAT_EXPONENTIAL_BYTES,
        .wants = wants,
        .point = point,
        .unreadable = unreadable,
    };
    open_meters(d);
    return 0;
}

static void delta_close(void *self)
{
    struct delta *d = self;

    leat_streams_free(d->streams);
    leat_conversion_done(&d->conversion);
}

const struct leat_component leat_processor_deltatocumulative = {
    .type = "deltatocumulative",
    .aliases = (const char *const[]){"delta_to_cumulative", NULL},
    .kind = LEAT_PROCESSOR,
    .signals = LEAT_METRICS_BIT,
    .summary = "Adds up delta sums and histograms, so that they become cumulative.",
    .fields = fields,
    .conf_size = sizeof(struct delta_conf),
    .self_size = sizeof(struct delta),
    .single = true,
    .deltas = deltas,
    .open = delta_open,
    .take = delta_take,
    .close = delta_close,
};
