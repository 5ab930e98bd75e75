/* The kinds of observers, for statsd_observe.c. Each begins with its kind; what a function does is
 * said at its namesake in statsd_observe.h. */
#ifndef LEAT_RECEIVERS_STATSD_KINDS_H
#define LEAT_RECEIVERS_STATSD_KINDS_H

#include "receivers/statsd_observe.h"

struct leat_statsd_observer_kind {
    uint32_t metric_field, attrs_field;
    uint32_t (*open)(struct leat_statsd_observers *o, const struct leat_statsd_rule *rule,
                     const struct leat_statsd_bounds *bounds);
    void (*close)(struct leat_statsd_observers *o, uint32_t ref);
    bool (*add)(struct leat_statsd_observers *o, uint32_t ref,
                const struct leat_statsd_sample *sample);
    uint64_t (*merge)(struct leat_statsd_observers *into, uint32_t ref,
                      const struct leat_statsd_observers *from, uint32_t from_ref);
    void (*reset)(struct leat_statsd_observers *o, uint32_t ref, bool rest);
    void (*write)(const struct leat_statsd_observers *o, uint32_t ref,
                  const struct leat_statsd_rule *rule, struct leat_make *m, int64_t *ret_time);
};

extern const struct leat_statsd_observer_kind leat_statsd_samples, leat_statsd_summary,
    leat_statsd_explicit, leat_statsd_exponential, leat_statsd_distinct;

#endif
