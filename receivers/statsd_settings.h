/* The settings of the StatsD receiver that say how samples are aggregated, and what is made of them
 * once for all tables.
 *
 * Source of keys and defaults: collector receiver/statsdreceiver (config.go). */
#ifndef LEAT_RECEIVERS_STATSD_SETTINGS_H
#define LEAT_RECEIVERS_STATSD_SETTINGS_H

#include <stdint.h>

#include "config/schema.h"

struct leat_err;

/* What users see as otel_scope_name: the collector's, so that what is built on it goes on. */
#define LEAT_STATSD_SCOPE                                                                          \
    "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/statsdreceiver"

/* counter_type: words in this order. */
enum leat_statsd_counter_type {
    LEAT_STATSD_COUNTER_INT,
    LEAT_STATSD_COUNTER_FLOAT,
    LEAT_STATSD_COUNTER_STOCHASTIC_INT
};
#define LEAT_STATSD_COUNTER_WORDS                                                                  \
    {                                                                                              \
        "int", "float", "stochastic_int", NULL                                                     \
    }

/* timer_histogram_mapping[].statsd_type; timer is another word for timing. */
#define LEAT_STATSD_TIMER_WORDS                                                                    \
    {                                                                                              \
        "timing", "timer", "histogram", "distribution", NULL                                       \
    }

/* timer_histogram_mapping[].observer_type */
enum leat_statsd_observer_type {
    LEAT_STATSD_OBSERVE_GAUGE,
    LEAT_STATSD_OBSERVE_SUMMARY,
    LEAT_STATSD_OBSERVE_HISTOGRAM,
    LEAT_STATSD_OBSERVE_DISABLED
};
#define LEAT_STATSD_OBSERVER_WORDS                                                                 \
    {                                                                                              \
        "gauge", "summary", "histogram", "disabled", NULL                                          \
    }

struct leat_statsd_buckets_conf {
    const char *matcher_pattern;
    struct leat_strings buckets; /* numbers, rising */
};
struct leat_statsd_histogram_conf {
    uint32_t max_size; /* exponential: buckets on each side; default 160, at least 2 */
    struct leat_items
        explicit_buckets; /* struct leat_statsd_buckets_conf; the first match counts */
};
struct leat_statsd_summary_conf {
    struct leat_strings percentiles; /* 0 to 100; none: 0, 10, 50, 90, 95, 100 */
};
struct leat_statsd_mapping_conf {
    int statsd_type;   /* index into LEAT_STATSD_TIMER_WORDS */
    int observer_type; /* enum leat_statsd_observer_type */
    struct leat_statsd_histogram_conf histogram;
    struct leat_statsd_summary_conf summary;
};

struct leat_statsd_conf {
    bool enable_metric_type, enable_simple_tags, is_monotonic_counter;
    int counter_type;                          /* enum leat_statsd_counter_type */
    uint32_t aggregation_cardinality_limit;    /* series; default 100000, at least 1 */
    bool has_timer_histogram_mapping;          /* the key was written */
    struct leat_items timer_histogram_mapping; /* struct leat_statsd_mapping_conf */
};

/* The settings, read: numbers parsed, patterns compiled. Immutable; any number of tables, on any
 * threads, use it, and it lives longer than they. */
struct leat_statsd_rules;

/* NULL and `err`: a number that is none, buckets that do not rise, a pattern that cannot be
 * compiled. Of a type that is mapped twice the last counts. Patterns are POSIX extended regular
 * expressions; of RE2's syntax also \d \D \w \W \s \S \b, (?:…) and lazy quantifiers are known. */
struct leat_statsd_rules *leat_statsd_rules_new(const struct leat_statsd_conf *conf,
                                                struct leat_err *err);
void leat_statsd_rules_free(struct leat_statsd_rules *r); /* takes NULL */

#endif
