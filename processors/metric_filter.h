/* Which metrics a stage is for, by name and type: `include` and `exclude` of the collector.
 *
 * Regular expressions are Go's (RE2) where POSIX has the same: classes such as \d and \w, (?:…),
 * lazy repeats, a leading (?i); what cannot be said in POSIX is refused by the check.
 *
 * Source: contrib internal/filter/filterset; processor/cumulativetodeltaprocessor. */
#ifndef LEAT_PROCESSORS_METRIC_FILTER_H
#define LEAT_PROCESSORS_METRIC_FILTER_H

#include "config/schema.h"
#include "proto/metric_point.h"

struct leat_metric_filter_conf {
    struct leat_strings metrics, metric_types;
    int match_type;
};
extern const struct leat_field leat_metric_filter_fields[];

/* `key`: where the settings stand below the component. */
void leat_metric_filter_check(const struct leat_metric_filter_conf *conf, const char *key,
                              struct leat_check *c);

struct leat_metric_filter;
/* The settings have passed the check. */
struct leat_metric_filter *leat_metric_filter_new(const struct leat_metric_filter_conf *conf);
void leat_metric_filter_free(struct leat_metric_filter *f); /* takes NULL */
/* For include: the metric passes each of the two that is set. For exclude: one of them. */
bool leat_metric_filter_all(const struct leat_metric_filter *f,
                            const struct leat_metric_head *head);
bool leat_metric_filter_any(const struct leat_metric_filter *f,
                            const struct leat_metric_head *head);

#endif
