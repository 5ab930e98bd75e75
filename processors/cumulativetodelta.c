/* cumulativetodelta processor: of cumulative monotonic sums and histograms, what was added since
 * the point before.
 *
 * Source of keys and semantics: contrib processor/cumulativetodeltaprocessor. One instance for all
 * workers. */
#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/meter.h"
#include "flow/component.h"
#include "processors/conversion.h"
#include "processors/distribution.h"
#include "processors/metric_filter.h"

struct cumulative_conf {
    int64_t max_staleness;
    int initial_value;
    struct leat_metric_filter_conf include, exclude;
};

enum { INITIAL_AUTO, INITIAL_KEEP, INITIAL_DROP };
static const char *const initial_values[] = {"auto", "keep", "drop", NULL};

static const struct leat_field fields[] = {
    LEAT_DURATION(struct cumulative_conf, max_staleness, "0",
                  "A stream without points for so long is forgotten; 0: never.", .min = 0,
                  .max = 366 * 86400e9),
    LEAT_ENUM(struct cumulative_conf, initial_value, "auto", initial_values,
              "A stream's first point. auto: passed on if its stream began after Leat did; keep: "
              "passed on; drop: only remembered."),
    LEAT_GROUP(struct cumulative_conf, include, leat_metric_filter_fields,
               struct leat_metric_filter_conf, "Only these metrics are converted."),
    LEAT_GROUP(struct cumulative_conf, exclude, leat_metric_filter_fields,
               struct leat_metric_filter_conf, "These metrics are not converted."),
    LEAT_END,
};

enum drop { INITIAL, RESET, BUCKETS, OLD, NO_VALUE, LIMIT, UNREADABLE, DROPS };

struct cumulative {
    const struct leat_env *env;
    const struct cumulative_conf *conf;
    struct leat_streams *streams;
    struct leat_conversion conversion;
    struct leat_metric_filter *include, *exclude;
    uint64_t begun; /* Unix ns */
    struct leat_counter *points, *drops[DROPS];
};

static enum leat_point_fate drop(struct cumulative *c, enum drop why)
{
    leat_count(c->drops[why], 1);
    return LEAT_POINT_DROPPED;
}

static enum leat_point_fate keep(struct cumulative *c, struct leat_point *p, uint64_t since)
{
    leat_count(c->points, 1);
    p->start = since;
    p->has_min = p->has_max = false; /* of all the time, not of this */
    return LEAT_POINT_KEPT;
}

/* --- what a stream was at its last point */

static bool remember(struct cumulative *c, struct leat_stream *s, const struct leat_point *p)
{
    if (p->type != LEAT_METRIC_SUM) {
        if (leat_distribution_set(c->streams, s, p) != LEAT_STREAMS_YES)
            return false;
    } else if (p->number == LEAT_NUMBER_DOUBLE) {
        s->kind = LEAT_STREAM_DOUBLE;
        s->value = p->value;
    } else {
        s->kind = LEAT_STREAM_INT;
        s->integer = p->integer;
    }
    s->start = p->start;
    s->time = p->time;
    return true;
}

/* No point of this stream has been passed on. */
static enum leat_point_fate initial(struct cumulative *c, struct leat_point *p)
{
    bool ours = p->start >= c->begun && p->start != p->time;

    if (c->conf->initial_value == INITIAL_DROP || (c->conf->initial_value == INITIAL_AUTO && !ours))
        return drop(c, INITIAL);
    return keep(c, p, p->start);
}

static enum leat_point_fate first(struct cumulative *c, struct leat_print id, struct leat_point *p)
{
    struct leat_stream *s;

    if (leat_streams_add(c->streams, id, &s) != LEAT_STREAMS_YES)
        return drop(c, LIMIT);
    if (remember(c, s, p))
        return initial(c, p);
    leat_streams_remove(c->streams, s);
    return drop(c, LIMIT);
}

/* --- what was added since */

static double value_of(const struct leat_stream *s)
{
    return s->kind == LEAT_STREAM_INT ? (double)s->integer : s->value;
}

/* False: it is less than it was. */
static bool sum_since(const struct leat_stream *s, struct leat_point *p)
{
    if (s->kind == LEAT_STREAM_INT && p->number == LEAT_NUMBER_INT) {
        if (p->integer < s->integer)
            return false;
        p->integer = (int64_t)((uint64_t)p->integer - (uint64_t)s->integer);
        p->value = (double)p->integer;
        return true;
    }
    if (p->value < value_of(s))
        return false;
    p->value -= value_of(s);
    p->number = LEAT_NUMBER_DOUBLE;
    return true;
}

static enum leat_point_fate next_sum(struct cumulative *c, struct leat_stream *s,
                                     struct leat_point *p)
{
    struct leat_point now = *p;
    uint64_t since = s->time;
    bool more = sum_since(s, p);

    remember(c, s, &now);
    return more ? keep(c, p, since) : drop(c, RESET);
}

/* Without memory the stream stays as it was: the next point says what was added since that. */
static enum leat_point_fate next_distribution(struct cumulative *c, struct leat_stream *s,
                                              struct leat_point *p)
{
    uint64_t since = s->time;
    bool fits = leat_distribution_fits(s, p), later = fits && leat_distribution_is_later(s, p);

    if (later) {
        if (leat_distribution_since(c->streams, s, p) != LEAT_STREAMS_YES)
            return drop(c, LIMIT);
        s->time = p->time;
        return keep(c, p, since);
    }
    if (!remember(c, s, p))
        return drop(c, LIMIT);
    if (!fits)
        return drop(c, BUCKETS);
    /* What there is has come since the reset. */
    return p->type == LEAT_METRIC_HISTOGRAM ? keep(c, p, since) : drop(c, RESET);
}

/* The stream has begun anew. What came before our last point cannot be in it if it began after
 * that. */
static enum leat_point_fate restarted(struct cumulative *c, struct leat_stream *s,
                                      struct leat_point *p)
{
    bool since_last = p->start >= s->time;

    if (!remember(c, s, p))
        return drop(c, LIMIT);
    return since_last ? keep(c, p, p->start) : initial(c, p);
}

static enum leat_point_fate point(void *self, struct leat_print id, struct leat_point *p)
{
    struct cumulative *c = self;
    struct leat_stream *s;

    if (p->flags & LEAT_NO_RECORDED_VALUE)
        return drop(c, NO_VALUE);
    if (p->type == LEAT_METRIC_SUM && isnan(p->value))
        return LEAT_POINT_KEPT; /* a mark, no number */
    if (!leat_distribution_is_sane(p))
        return drop(c, UNREADABLE);
    s = leat_streams_find(c->streams, id);
    if (s == NULL)
        return first(c, id, p);
    if (p->time <= s->time)
        return drop(c, OLD);
    if (p->start > s->start)
        return restarted(c, s, p);
    if (p->start < s->start && p->start != 0)
        return drop(c, OLD);
    return p->type == LEAT_METRIC_SUM ? next_sum(c, s, p) : next_distribution(c, s, p);
}

/* Never refused: what was passed on of a request would be lost when it is sent again. The next
 * point says what this one would have said. */
static enum leat_point_fate unreadable(void *self, bool too_many)
{
    return drop(self, too_many ? UNREADABLE : LIMIT);
}

static bool wants(void *self, const struct leat_metric_head *head)
{
    struct cumulative *c = self;

    return head->temporality == LEAT_CUMULATIVE &&
           (head->type != LEAT_METRIC_SUM || head->monotonic) &&
           leat_metric_filter_all(c->include, head) && !leat_metric_filter_any(c->exclude, head);
}

/* --- life */

static void check(const void *conf_, struct leat_check *c)
{
    const struct cumulative_conf *conf = conf_;

    leat_metric_filter_check(&conf->include, "include", c);
    leat_metric_filter_check(&conf->exclude, "exclude", c);
}

static void deltas(const void *conf, struct leat_deltas *ret)
{
    (void)conf;
    ret->makes = LEAT_DELTA_SUMS | LEAT_DELTA_HISTOGRAMS;
}

static void cumulative_take(void *self, struct leat_batch *batch)
{
    struct cumulative *c = self;

    leat_conversion_take(&c->conversion, c->env, batch);
}

static void open_meters(struct cumulative *c)
{
    static const char *const reasons[DROPS] = {
        [INITIAL] = "initial",    [RESET] = "reset",       [BUCKETS] = "bucket_mismatch",
        [OLD] = "out_of_order",   [NO_VALUE] = "no_value", [LIMIT] = "limit",
        [UNREADABLE] = "invalid",
    };
    struct leat_metric id = {.name = "otelcol_cumulativetodelta_datapoints",
                             .help = "Data points converted.",
                             .labels = {{"processor", c->env->id}}};

    c->points = leat_meter_counter(c->env->meter, &id);
    id.name = "otelcol_cumulativetodelta_datapoints_dropped";
    id.help = "Data points that could not be converted, or were only remembered.";
    for (int i = 0; i < DROPS; i++) {
        id.labels[1] = (struct leat_label){"reason", reasons[i]};
        c->drops[i] = leat_meter_counter(c->env->meter, &id);
    }
}

static int cumulative_open(void *self, const struct leat_env *env, struct leat_err *err)
{
    struct leat_metric id = {.name = "otelcol_cumulativetodelta_streams_tracked",
                             .help = "Streams tracked now.",
                             .labels = {{"processor", env->id}}};
    struct cumulative *c = self;

    (void)err;
    c->env = env;
    c->conf = env->conf;
    c->begun = (uint64_t)leat_clock_wall();
    c->include = leat_metric_filter_new(&c->conf->include);
    c->exclude = leat_metric_filter_new(&c->conf->exclude);
    c->streams = leat_streams_new(UINT64_MAX, c->conf->max_staleness, env->budget, env->loop,
                                  leat_meter_gauge(env->meter, &id));
    c->conversion = (struct leat_conversion){
        .self = c,
        .to = LEAT_DELTA,
        .wants = wants,
        .point = point,
        .unreadable = unreadable,
    };
    open_meters(c);
    return 0;
}

static void cumulative_close(void *self)
{
    struct cumulative *c = self;

    leat_streams_free(c->streams);
    leat_metric_filter_free(c->include);
    leat_metric_filter_free(c->exclude);
    leat_conversion_done(&c->conversion);
}

const struct leat_component leat_processor_cumulativetodelta = {
    .type = "cumulativetodelta",
    .aliases = (const char *const[]){"cumulative_to_delta", NULL},
    .kind = LEAT_PROCESSOR,
    .signals = LEAT_METRICS_BIT,
    .summary = "Makes deltas of cumulative monotonic sums and histograms.",
    .fields = fields,
    .conf_size = sizeof(struct cumulative_conf),
    .self_size = sizeof(struct cumulative),
    .single = true,
    .check = check,
    .deltas = deltas,
    .open = cumulative_open,
    .take = cumulative_take,
    .close = cumulative_close,
};
