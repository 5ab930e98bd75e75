/* prometheus exporter: a page with the latest value of each series, to be scraped.
 *
 * Source of keys and defaults: collector contrib exporter/prometheusexporter, config/confighttp,
 * pkg/resourcetotelemetry. max_series, max_bytes and created_samples are ours, and so is /federate.
 * Points that cannot be shown are told to the caller (upstream counts them as sent). */
#include <stdio.h>
#include <string.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/meter.h"
#include "exporters/prom_page.h"
#include "exporters/prom_store.h"
#include "flow/component.h"
#include "flow/sender.h"
#include "io/server.h"

#define EXPIRE_EVERY_MAX (10 * LEAT_SEC)

struct resource_conf {
    bool enabled, exclude_service_attributes;
    struct leat_strings included, excluded;
};

struct prometheus_conf {
    struct leat_server_conf server;
    const char *namespace;
    struct leat_pairs const_labels;
    bool send_timestamps;
    int64_t metric_expiration;
    bool enable_open_metrics, created_samples;
    struct resource_conf resource_constant_labels, resource_to_telemetry_conversion;
    bool without_scope_info;
    bool add_metric_suffixes;
    int translation_strategy;
    bool has_strategy;
    int64_t max_series;
    uint64_t max_bytes;
    struct leat_sender_conf sender;
};

/* In the order of enum leat_prom_strategy. */
static const char *const strategies[] = {"UnderscoreEscapingWithSuffixes",
                                         "UnderscoreEscapingWithoutSuffixes",
                                         "NoUTF8EscapingWithSuffixes", "NoTranslation", NULL};

static const struct leat_field resource_fields[] = {
    LEAT_STRINGS(struct resource_conf, included, NULL,
                 "Resource attributes that become labels of every series; * and ? are wildcards. "
                 "Empty beside excluded: all others."),
    LEAT_STRINGS(struct resource_conf, excluded, NULL, "And those of them that do not."),
    LEAT_BOOL(struct resource_conf, enabled, "false",
              "All resource attributes become labels; newer files write included: [\"*\"]."),
    LEAT_BOOL(struct resource_conf, exclude_service_attributes, "false",
              "With enabled: not service.name, service.namespace and service.instance.id, which "
              "are job and instance already."),
    LEAT_END,
};

#define S struct prometheus_conf
static const struct leat_field fields[] = {
    LEAT_INLINE(S, server, leat_server_http_fields, struct leat_server_conf,
                "The HTTP server; the page is at /metrics, with match[]=SELECTOR a part of it, and "
                "the same at /federate."),
    LEAT_STRING(S, namespace, NULL, "Put before every metric's name, with an underscore."),
    LEAT_MAP(S, const_labels, "Labels of every series; target_info does not get them."),
    LEAT_BOOL(S, send_timestamps, "false", "Samples carry the time of their points."),
    LEAT_DURATION(S, metric_expiration, "5m",
                  "A series that is not updated for so long is no longer shown; 0: never.",
                  .min = 0, .max = 1e18),
    LEAT_BOOL(S, enable_open_metrics, "false",
              "OpenMetrics, with exemplars, for scrapers that ask for it."),
    LEAT_BOOL(S, created_samples, "false",
              "OpenMetrics: a _created sample for each counter, histogram and summary that has a "
              "start time."),
    LEAT_GROUP(S, resource_constant_labels, resource_fields, struct resource_conf,
               "Resource attributes that become labels."),
    LEAT_GROUP(S, resource_to_telemetry_conversion, resource_fields, struct resource_conf,
               "the older key: use resource_constant_labels", .flags = LEAT_DEPRECATED),
    LEAT_BOOL(S, without_scope_info, "false", "No otel_scope_* labels."),
    LEAT_BOOL(S, add_metric_suffixes, "true",
              "false is the same as translation_strategy UnderscoreEscapingWithoutSuffixes, which "
              "goes before it."),
    LEAT_ENUM(S, translation_strategy, "UnderscoreEscapingWithSuffixes", strategies,
              "How names are made: with or without unit and type suffixes, escaped or not.",
              .present = LEAT_PRESENT(S, has_strategy)),
    LEAT_INT(S, max_series, "1000000",
             "Series held at a time; points of others beyond that are dropped and counted.",
             .min = 1, .max = 1e9),
    LEAT_SIZE(S, max_bytes, "0",
              "Memory for series, charged to leat.memory; 0: half of what a worker may hold. A "
              "counter with ten labels takes about 600 bytes."),
    LEAT_INLINE(S, sender, leat_sender_fields, struct leat_sender_conf, "Queue and retry.",
                .def = "sending_queue.enabled=false"),
    LEAT_END,
};
#undef S

struct prometheus {
    const struct prometheus_conf *conf;
    const struct leat_env *env;
    struct leat_prom_label *const_labels;
    struct leat_scrape_store *store;
    struct leat_scrape_page *page;
    struct leat_gauge *series, *families, *bytes;
    struct leat_counter *dropped[LEAT_SCRAPE_DROPS];
};

/* --- settings */

static enum leat_prom_strategy strategy_of(const struct prometheus_conf *conf)
{
    if (!conf->has_strategy && !conf->add_metric_suffixes)
        return LEAT_PROM_ESCAPE;
    return (enum leat_prom_strategy)conf->translation_strategy;
}

static bool has_patterns(const struct resource_conf *r)
{
    return r->included.count != 0 || r->excluded.count != 0;
}

static void check_resource(const struct resource_conf *r, const char *key, struct leat_check *c)
{
    if (has_patterns(r) && (r->enabled || r->exclude_service_attributes))
        leat_check_error(c, key,
                         "takes either included and excluded, or the older enabled and "
                         "exclude_service_attributes");
}

static bool is_label(const char *name, bool utf8)
{
    enum leat_prom_label_rule rule = utf8 ? LEAT_PROM_LABEL_UTF8 : LEAT_PROM_LABEL_PAGE;
    struct leat_text made;
    bool is;

    leat_text_init(&made, LEAT_PROM_LABEL_BYTES);
    is = leat_prom_label_name(rule, leat_bytes_str(name), &made) &&
         leat_bytes_is(leat_text_bytes(&made), name);
    leat_text_done(&made);
    return is;
}

static void check(const void *conf_, struct leat_check *c)
{
    const struct prometheus_conf *conf = conf_;
    bool utf8 = leat_prom_strategy_is_utf8(strategy_of(conf));

    leat_server_check(&conf->server, false, "", c);
    leat_sender_check(&conf->sender, c);
    check_resource(&conf->resource_constant_labels, "resource_constant_labels", c);
    check_resource(&conf->resource_to_telemetry_conversion, "resource_to_telemetry_conversion", c);
    for (uint32_t i = 0; i < conf->const_labels.count; i++) {
        const char *name = conf->const_labels.items[i].key;

        if (!is_label(name, utf8))
            leat_check_error(c, "const_labels",
                             "%s is no label name: letters, digits and _, not a digit first", name);
        else if (strncmp(name, "__", 2) == 0 || strcmp(name, "le") == 0 ||
                 strcmp(name, "quantile") == 0)
            leat_check_error(c, "const_labels", "%s is Prometheus' own label", name);
        else if (!leat_bytes_utf8(leat_bytes_str(conf->const_labels.items[i].value)))
            leat_check_error(c, "const_labels", "the value of %s is not UTF-8", name);
    }
}

/* --- data */

static void show(struct prometheus *self)
{
    leat_gauge_set(self->series, (int64_t)leat_scrape_store_series(self->store));
    leat_gauge_set(self->families, (int64_t)leat_scrape_store_families(self->store));
    leat_gauge_set(self->bytes, (int64_t)leat_scrape_store_bytes(self->store));
}

/* "12 data points are not on the page: type_conflict 10, labels 2" */
static void explain(char why[160], uint32_t rejected, const uint64_t dropped[LEAT_SCRAPE_DROPS])
{
    size_t at = (size_t)snprintf(why, 160, "%u data points are not on the page:", rejected);

    for (int i = 0; i < LEAT_SCRAPE_DROPS && at < 160; i++)
        if (dropped[i] != 0)
            at += (size_t)snprintf(why + at, 160 - at, " %s %llu", leat_scrape_drop_name(i),
                                   (unsigned long long)dropped[i]);
}

static void prometheus_take(void *self_, struct leat_batch *batch)
{
    struct prometheus *self = self_;
    uint64_t dropped[LEAT_SCRAPE_DROPS] = {0};
    struct leat_status status = leat_delivered();
    char why[160];

    for (uint32_t i = 0; i < batch->nparts; i++)
        status.rejected += leat_scrape_store_take(
            self->store, leat_bytes(batch->parts[i].data, batch->parts[i].len), dropped);
    for (int i = 0; i < LEAT_SCRAPE_DROPS && status.rejected != 0; i++)
        leat_count(self->dropped[i], dropped[i]);
    if (status.rejected != 0) {
        explain(why, status.rejected, dropped);
        status.why = why;
        leat_debug(self->env->id, "%s", why);
    }
    show(self);
    leat_batch_done(batch, status);
}

static void expire(void *self_)
{
    struct prometheus *self = self_;

    leat_scrape_store_expire(self->store);
    show(self);
}

/* --- life */

static void make_meters(struct prometheus *self, struct leat_scrape_page_conf *page)
{
    struct leat_meter *m = self->env->meter;
    struct leat_metric id = {.labels = {{"exporter", self->env->id}}};

    id.name = "leat_prometheus_series";
    id.help = "Series on the page.";
    self->series = leat_meter_gauge(m, &id);
    id.name = "leat_prometheus_families";
    id.help = "Metric names on the page.";
    self->families = leat_meter_gauge(m, &id);
    id.name = "leat_prometheus_held_bytes";
    id.help = "Memory of the series on the page.";
    self->bytes = leat_meter_gauge(m, &id);
    id.name = "leat_prometheus_scrapes_total";
    id.help = "Scrapes that were answered with a page.";
    page->scrapes = leat_meter_counter(m, &id);
    id.name = "leat_prometheus_sent_bytes_total";
    id.help = "Bytes of those pages, as sent.";
    page->sent = leat_meter_counter(m, &id);
    id.name = "leat_prometheus_dropped_points_total";
    id.help = "Data points that are not on the page, by reason.";
    for (int i = 0; i < LEAT_SCRAPE_DROPS; i++) {
        id.labels[1] = (struct leat_label){"reason", leat_scrape_drop_name(i)};
        self->dropped[i] = leat_meter_counter(m, &id);
    }
}

/* Which of the two keys says something. */
static const struct resource_conf *resource_of(const struct prometheus_conf *conf)
{
    const struct resource_conf *r = &conf->resource_constant_labels;

    return has_patterns(r) || r->enabled ? r : &conf->resource_to_telemetry_conversion;
}

static void make_store(struct prometheus *self)
{
    const struct prometheus_conf *conf = self->conf;
    const struct resource_conf *resource = resource_of(conf);
    struct leat_scrape_store_conf sc = {
        .naming = {.strategy = strategy_of(conf), .namespace = leat_bytes_str(conf->namespace)},
        .labels = {.page = true,
                   .utf8 = leat_prom_strategy_is_utf8(strategy_of(conf)),
                   .no_scope = conf->without_scope_info,
                   .resource = resource->enabled || has_patterns(resource),
                   .exclude_service = resource->exclude_service_attributes,
                   .constant_count = conf->const_labels.count,
                   .included = resource->included.items,
                   .included_count = resource->included.count,
                   .excluded = resource->excluded.items,
                   .excluded_count = resource->excluded.count},
        .exemplars = conf->enable_open_metrics,
        .expiration = conf->metric_expiration,
        .max_series = (size_t)conf->max_series,
        .max_bytes = conf->max_bytes != 0 ? (size_t)conf->max_bytes : self->env->budget->limit / 2,
        .budget = self->env->budget,
        .who = self->env->id};

    self->const_labels = leat_new_array(conf->const_labels.count + 1, sizeof *self->const_labels);
    for (uint32_t i = 0; i < conf->const_labels.count; i++)
        self->const_labels[i] =
            (struct leat_prom_label){leat_bytes_str(conf->const_labels.items[i].key),
                                     leat_bytes_str(conf->const_labels.items[i].value)};
    sc.labels.constants = self->const_labels;
    self->store = leat_scrape_store_new(&sc);
}

static void prometheus_close(void *self_)
{
    struct prometheus *self = self_;

    leat_scrape_page_free(self->page);
    leat_scrape_store_free(self->store);
    leat_free(self->const_labels);
}

static int64_t expire_every(const struct prometheus_conf *conf)
{
    int64_t every = conf->metric_expiration / 4;

    return every > EXPIRE_EVERY_MAX ? EXPIRE_EVERY_MAX : every < LEAT_SEC ? LEAT_SEC : every;
}

static int prometheus_open(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct prometheus *self = self_;
    const struct prometheus_conf *conf = env->conf;
    struct leat_scrape_page_conf page = {.server = &conf->server,
                                         .open = conf->enable_open_metrics,
                                         .stamped = conf->send_timestamps,
                                         .created = conf->created_samples,
                                         .every = expire_every(conf),
                                         .expire = expire,
                                         .arg = self};
    struct leat_server_env server = {.loop = env->loop,
                                     .budget = env->budget,
                                     .codecs = env->codecs,
                                     .auth = env->auth,
                                     .meter = env->meter,
                                     .who = env->id,
                                     .keep_headers = true}; /* Accept */

    self->conf = conf;
    self->env = env;
    make_meters(self, &page);
    make_store(self);
    self->page = leat_scrape_page_new(&page, &server, self->store, err);
    if (self->page == NULL) {
        prometheus_close(self);
        return -1;
    }
    leat_info(env->id, "listening on %s", leat_scrape_page_text(self->page));
    return 0;
}

static void prometheus_drain(void *self_, void (*drained)(void *house), void *house)
{
    struct prometheus *self = self_;

    leat_scrape_page_drain(self->page, drained, house);
}

static void prometheus_deltas(const void *conf, struct leat_deltas *ret)
{
    (void)conf;
    ret->drops = LEAT_DELTA_UPDOWN;
    ret->why = "what may fall cannot be told from a restart";
}

const struct leat_component leat_exporter_prometheus = {
    .type = "prometheus",
    .kind = LEAT_EXPORTER,
    .signals = LEAT_METRICS_BIT,
    .summary = "A page with the latest value of each series, for Prometheus to scrape.",
    .fields = fields,
    .conf_size = sizeof(struct prometheus_conf),
    .self_size = sizeof(struct prometheus),
    .single = true,
    .sender = LEAT_SENDER(struct prometheus_conf, sender),
    .deltas = prometheus_deltas,
    .check = check,
    .open = prometheus_open,
    .take = prometheus_take,
    .drain = prometheus_drain,
    .close = prometheus_close,
};
