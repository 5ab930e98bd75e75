/* memory_limiter processor: its limits become the byte budget, and data is refused at the entrance,
 * before it is decoded.
 *
 * Source of the keys: collector processor/memorylimiterprocessor. There is no garbage collector
 * here: the keys about it are accepted and have no effect. */
#include "processors/memory_limiter.h"

#include "base/meter.h"

#include <stdio.h>

struct memory_limiter_conf {
    int64_t check_interval;
    uint32_t limit_mib, spike_limit_mib, limit_percentage, spike_limit_percentage;
};

static const struct leat_field fields[] = {
    LEAT_DURATION(struct memory_limiter_conf, check_interval, "0s",
                  "How often the collector looks; must be set. Leat counts every byte at once.",
                  .min = 0, .max = 86400e9),
    LEAT_UINT(struct memory_limiter_conf, limit_mib, "0", "Hard limit in MiB.", .unit = "MiB"),
    LEAT_UINT(struct memory_limiter_conf, spike_limit_mib, "0",
              "Distance of the soft limit, above which data is refused; 0: a fifth of the limit.",
              .unit = "MiB"),
    LEAT_UINT(struct memory_limiter_conf, limit_percentage, "0",
              "Hard limit in percent of the memory of the cgroup or machine; limit_mib wins.",
              .max = 100, .unit = "%"),
    LEAT_UINT(struct memory_limiter_conf, spike_limit_percentage, "0",
              "Distance of the soft limit in percent; 0: a fifth of the limit.", .max = 100,
              .unit = "%"),
    LEAT_NO_EFFECT("min_gc_interval_when_soft_limited", "Leat has no garbage collector"),
    LEAT_NO_EFFECT("min_gc_interval_when_hard_limited", "Leat has no garbage collector"),
    LEAT_NO_EFFECT("max_gc_interval_when_soft_limited", "Leat has no garbage collector"),
    LEAT_NO_EFFECT("max_gc_interval_when_hard_limited", "Leat has no garbage collector"),
    LEAT_NO_EFFECT("ballast_size_mib",
                   "the collector retired it, and Leat has no garbage collector: remove it"),
    LEAT_END,
};

struct memory_limiter {
    const struct leat_env *env;
    struct leat_counter *accepted;
};

static void check(const void *conf_, struct leat_check *c)
{
    const struct memory_limiter_conf *conf = conf_;

    if (conf->check_interval == 0)
        leat_check_error(c, "check_interval", "must be set, and be above 0; 1s is a good value");
    if (conf->limit_mib == 0 && conf->limit_percentage == 0)
        leat_check_error(c, "limit_mib", "limit_mib or limit_percentage must be set");
    if (conf->limit_mib != 0 && conf->spike_limit_mib >= conf->limit_mib)
        leat_check_error(c, "spike_limit_mib", "must be below limit_mib (%u)", conf->limit_mib);
    if (conf->limit_mib == 0 && conf->limit_percentage != 0 &&
        conf->spike_limit_percentage >= conf->limit_percentage)
        leat_check_error(c, "spike_limit_percentage", "must be below limit_percentage (%u)",
                         conf->limit_percentage);
}

static uint64_t soft_limit(uint64_t limit, uint64_t spike)
{
    return limit - (spike == 0 ? limit / 5 : spike);
}

uint64_t leat_memory_limiter_limit(const void *conf_, uint64_t total)
{
    const struct memory_limiter_conf *conf = conf_;

    if (conf->limit_mib != 0)
        return soft_limit((uint64_t)conf->limit_mib << 20, (uint64_t)conf->spike_limit_mib << 20);
    return soft_limit(total / 100 * conf->limit_percentage,
                      total / 100 * conf->spike_limit_percentage);
}

static int limiter_open(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct memory_limiter *self = self_;
    struct leat_metric id = {.help = "Items that passed the memory limiter.",
                             .labels = {{"processor", env->id}}};

    (void)err;
    self->env = env;
    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        char name[96];
        if (env->next[s].take == NULL)
            continue;
        snprintf(name, sizeof name, "otelcol_processor_memory_limiter_accepted_%s",
                 leat_signal_items((enum leat_signal)s));
        id.name = name;
        self->accepted = leat_meter_counter(env->meter, &id);
    }
    return 0;
}

/* Whoever comes this far was admitted by the budget. */
static void limiter_take(void *self_, struct leat_batch *batch)
{
    struct memory_limiter *self = self_;

    leat_count(self->accepted, batch->items);
    leat_send(&self->env->next[batch->signal], batch);
}

const struct leat_component leat_processor_memory_limiter = {
    .type = "memory_limiter",
    .kind = LEAT_PROCESSOR,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "Bounds the memory: its limits become the byte budget at the entrance.",
    .fields = fields,
    .conf_size = sizeof(struct memory_limiter_conf),
    .self_size = sizeof(struct memory_limiter),
    .check = check,
    .open = limiter_open,
    .take = limiter_take,
};
