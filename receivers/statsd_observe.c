/* What is kept of samples until they are sent. */
#include "receivers/statsd_observe.h"

#include "receivers/statsd_kinds.h"

static const struct leat_statsd_observer_kind *const kinds[LEAT_STATSD_KINDS] = {
    [LEAT_STATSD_SAMPLES] = &leat_statsd_samples,
    [LEAT_STATSD_SUMMARY] = &leat_statsd_summary,
    [LEAT_STATSD_EXPLICIT] = &leat_statsd_explicit,
    [LEAT_STATSD_EXPONENTIAL] = &leat_statsd_exponential,
    [LEAT_STATSD_DISTINCT] = &leat_statsd_distinct,
};

enum leat_statsd_kind leat_statsd_observe_kind(const struct leat_statsd_observers *o, uint32_t ref)
{
    uint32_t kind;

    memcpy(&kind, leat_statsd_at(o->pool, ref), sizeof kind);
    return (enum leat_statsd_kind)kind;
}

uint32_t leat_statsd_observe_new(struct leat_statsd_observers *o, unsigned type,
                                 struct leat_bytes name)
{
    const struct leat_statsd_bounds *bounds = NULL;
    const struct leat_statsd_rule *rule;
    enum leat_statsd_kind kind;

    if (type == LEAT_STATSD_SET)
        return leat_statsd_distinct.open(o, NULL, NULL);
    rule = leat_statsd_rule(o->rules, type);
    kind =
        rule->observer == LEAT_STATSD_OBSERVE_SUMMARY ? LEAT_STATSD_SUMMARY : LEAT_STATSD_SAMPLES;
    if (rule->observer == LEAT_STATSD_OBSERVE_HISTOGRAM) {
        bounds = leat_statsd_bounds_for(rule, name);
        kind = bounds != NULL ? LEAT_STATSD_EXPLICIT : LEAT_STATSD_EXPONENTIAL;
    }
    return kinds[kind]->open(o, rule, bounds);
}

void leat_statsd_observe_free(struct leat_statsd_observers *o, uint32_t ref)
{
    if (ref != 0)
        kinds[leat_statsd_observe_kind(o, ref)]->close(o, ref);
}

bool leat_statsd_observe_add(struct leat_statsd_observers *o, uint32_t ref,
                             const struct leat_statsd_sample *sample)
{
    return kinds[leat_statsd_observe_kind(o, ref)]->add(o, ref, sample);
}

uint64_t leat_statsd_observe_merge(struct leat_statsd_observers *into, uint32_t ref,
                                   const struct leat_statsd_observers *from, uint32_t from_ref)
{
    return kinds[leat_statsd_observe_kind(into, ref)]->merge(into, ref, from, from_ref);
}

void leat_statsd_observe_reset(struct leat_statsd_observers *o, uint32_t ref, bool rest)
{
    kinds[leat_statsd_observe_kind(o, ref)]->reset(o, ref, rest);
}

uint32_t leat_statsd_observe_field(enum leat_statsd_kind kind)
{
    return kinds[kind]->metric_field;
}

uint32_t leat_statsd_observe_attrs(enum leat_statsd_kind kind)
{
    return kinds[kind]->attrs_field;
}

void leat_statsd_observe_write(const struct leat_statsd_observers *o, uint32_t ref, unsigned type,
                               struct leat_make *m, int64_t *ret_time)
{
    const struct leat_statsd_rule *rule =
        type == LEAT_STATSD_SET ? NULL : leat_statsd_rule(o->rules, type);

    kinds[leat_statsd_observe_kind(o, ref)]->write(o, ref, rule, m, ret_time);
}
