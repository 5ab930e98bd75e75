/* The labels of Prometheus series, made of OTLP resources, scopes and points.
 *
 * Behaves as the collector's prometheusremotewrite translator and prometheus exporter do (v0.159),
 * except where a comment says "Leat". */
#ifndef LEAT_PROTO_PROM_LABELS_H
#define LEAT_PROTO_PROM_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/prom_label.h"

/* Of several sources of one label the first that has it: the scope's otel_scope_…; job and instance
 * from service.*; the attributes of the point (and of the resource, where they are copied); the
 * constants. Attributes that give one name are joined, in the order of their keys: "1;2" (Leat: on
 * the page too, where upstream drops the point, as it does for any two labels of one name). What is
 * empty is no label in remote write, and stays on the page. */
#define LEAT_PROM_LABELS      256                /* labels of one series, all sources together */
#define LEAT_PROM_LABEL_BYTES ((size_t)64 << 10) /* names and values of one series, made anew */

struct leat_prom_label {
    struct leat_bytes name, value;
};

/* What an exporter was told about labels. Outlives the builders that use it. */
struct leat_prom_label_conf {
    bool page;            /* the rules of the scrape page, else those of remote write */
    bool utf8;            /* the strategy keeps names */
    bool no_scope;        /* disable_scope_info, without_scope_info */
    bool info_as_series;  /* remote write 2.0: target_info's names by the rule of all series */
    bool resource;        /* resource_to_telemetry_conversion.enabled; the resource's value wins */
    bool exclude_service; /* ….exclude_service_attributes: not service.{name,namespace,instance.id}
                           */
    /* resource_constant_labels, where `resource` is set too: keys that fit one of `included` (any
     * when there are none) and none of `excluded`; * stands for any characters, ? for one. */
    const char *const *included, *const *excluded;
    uint32_t included_count, excluded_count;
    /* external_labels, const_labels: added where a series has no such label. Names are label names
     * already; in any order. */
    const struct leat_prom_label *constants;
    uint32_t constant_count;
};

enum leat_prom_labels_result {
    LEAT_PROM_LABELS_OK,
    LEAT_PROM_LABELS_NONE, /* leat_prom_labels_info: there is nothing to say about this resource */
    LEAT_PROM_LABELS_NAME, /* an attribute whose key makes no label name */
    LEAT_PROM_LABELS_RESERVED, /* page only: a label beginning with __ */
    LEAT_PROM_LABELS_TOO_MANY, /* beyond LEAT_PROM_LABELS or LEAT_PROM_LABEL_BYTES */
};
/* The result in words, for logs and the counter's label: "label_name", "too_many_labels" … */
const char *leat_prom_labels_why(enum leat_prom_labels_result r);

struct leat_prom_labels;

/* A builder. It makes one set after the other in the same memory and allocates nothing after this;
 * ends the process when there is no memory. */
struct leat_prom_labels *leat_prom_labels_new(const struct leat_prom_label_conf *conf);
void leat_prom_labels_free(struct leat_prom_labels *b);

/* In this order: once per resource, once per scope, once per point. All take checked bytes
 * (otlp_view.h), which must stay as long as a set is used that was made of them. A result other
 * than OK is final for what lies below: without a resource no scope, without a scope no point (they
 * return the same result again), but the next one may succeed.
 *
 * resource: a Resource, may be empty. scope: an InstrumentationScope, may be empty; `schema_url` is
 * that of its ScopeMetrics. point: a data point whose attributes are field `field`
 * (leat_otlp_attrs_field). */
enum leat_prom_labels_result leat_prom_labels_resource(struct leat_prom_labels *b,
                                                       struct leat_bytes resource);
enum leat_prom_labels_result leat_prom_labels_scope(struct leat_prom_labels *b,
                                                    struct leat_bytes scope,
                                                    struct leat_bytes schema_url);
enum leat_prom_labels_result leat_prom_labels_point(struct leat_prom_labels *b,
                                                    struct leat_bytes point, uint32_t field);

/* The labels of a series: sorted by the bytes of their names, each name once, names and values
 * well-formed UTF-8. `label` is the builder's and stays until its next call. */
struct leat_prom_set {
    const struct leat_prom_label *label;
    uint32_t count;
};

/* The labels of the last point, without __name__: what its series have in common. */
struct leat_prom_set leat_prom_labels_common(const struct leat_prom_labels *b);

/* The labels of one series of the last point: those and __name__ = `name` (not when empty) and
 * `extra` = `value` (not when `extra` is empty: le, quantile), both in the place of what the point
 * may have said itself. `name`, `extra` and `value` must stay as long as the set. */
struct leat_prom_set leat_prom_labels_series(struct leat_prom_labels *b, struct leat_bytes name,
                                             struct leat_bytes extra, struct leat_bytes value);

/* Makes the labels of target_info for a resource (independent of the calls above, which must be
 * made anew after it); take them with _common or _series. NONE: remote write needs a label job
 * or instance, wherever it comes from, and one attribute more; the page needs service.name and
 * service.instance.id, as two resources with one job and no instance would be the same series
 * there. */
enum leat_prom_labels_result leat_prom_labels_info(struct leat_prom_labels *b,
                                                   struct leat_bytes resource);

#endif
