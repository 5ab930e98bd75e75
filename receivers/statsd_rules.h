/* What the settings of StatsD aggregation say, ready for use: for the tables and observers. */
#ifndef LEAT_RECEIVERS_STATSD_RULES_H
#define LEAT_RECEIVERS_STATSD_RULES_H

#include <regex.h>

#include "proto/statsd.h"
#include "receivers/statsd_settings.h"

#define LEAT_STATSD_BOUNDS      2048 /* of an explicit histogram */
#define LEAT_STATSD_PERCENTILES 256
#define LEAT_STATSD_EXPO_SIZE   2048 /* buckets on one side; max_size above it counts as this */

struct leat_statsd_bounds {
    regex_t pattern; /* of the names that have these bounds */
    double *bounds;
    uint32_t count;
};

struct leat_statsd_rule {
    enum leat_statsd_observer_type observer;
    uint32_t max_size;
    struct leat_statsd_bounds *bounds;
    uint32_t nbounds;
    double *percentiles; /* 0 to 100 */
    uint32_t npercentiles;
};

struct leat_statsd_rules {
    bool metric_type, simple_tags, monotonic;
    enum leat_statsd_counter_type counter;
    uint32_t limit;
    struct leat_statsd_rule timers[LEAT_STATSD_DISTRIBUTION - LEAT_STATSD_TIMING + 1];
};

/* Of LEAT_STATSD_TIMING, HISTOGRAM or DISTRIBUTION. */
static inline const struct leat_statsd_rule *leat_statsd_rule(const struct leat_statsd_rules *r,
                                                              unsigned type)
{
    return &r->timers[type - LEAT_STATSD_TIMING];
}

/* The first bounds whose pattern is found in the name, or NULL. */
const struct leat_statsd_bounds *leat_statsd_bounds_for(const struct leat_statsd_rule *rule,
                                                        struct leat_bytes name);

#endif
